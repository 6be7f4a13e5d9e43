// The dashboard: it asks for the picture of the farm, and shows it.

import * as actions from './actions.js';
import {byId, el, icon, setAttr, setText, sync} from './dom.js';
import {Events} from './events.js';
import {History} from './figures.js';
import {clock} from './format.js';
import {alerts, prepare, sentence} from './model.js';
import * as picture from './picture.js';
import {page, poll} from './poll.js';
import {announce} from './say.js';
import * as scope from './scope.js';
import * as tables from './tables.js';
import * as tokens from './token.js';

const pictureAge = 1100; // ms that the node's picture of the farm may be old

const history = new History();
const drains = new Map(); // the most sessions that a node has had since it began to drain, or, if it does not, that it has; by node
let nodes = []; // the latest picture
let chosen = ''; // the node whose figures are shown; none: the farm
let at = 0; // ms, when the latest picture came
let ahead = 0; // ms that the node's clock is ahead of the browser's
let known = null; // alerts that have been announced: texts by key

const events = new Events(() => {
  events.draw();
  drawAlerts();
});

function got(answer) {
  at = Date.now();
  ahead = (Date.parse(answer.now) || at) - at;
  nodes = prepare(answer.nodes);
  history.take(nodes, at);
  for (const v of nodes) {
    const d = v.node?.farm.drain;
    if (d) drains.set(v.id, d.draining ? Math.max(drains.get(v.id) ?? 0, d.sessions) : v.node.status.sessions.count);
    else drains.delete(v.id);
  }
  events.take(nodes);
  byId('lost').hidden = true;
  setAttr(document.body, 'data-lost', null);
  draw();
}

function failed(err) {
  const lost = byId('lost');
  const last = at ? `The last figures are from ${clock(at)}.` : 'Nothing is known of the farm yet.';
  const why = err.status ? `it says: ${err.message}` : err.name === 'TimeoutError' ? 'no answer in time' : 'no connection';
  setText(lost, `This node does not answer (${why}). ${last} It is asked again every few seconds; meanwhile try the admin pages of another node.`);
  lost.hidden = false;
  setAttr(document.body, 'data-lost', true);
}

const find = key => nodes.find(v => v.key === key) ?? null;

function choose(key) {
  chosen = key;
  draw();
  byId('scope-title').focus();
}

function drawState() {
  const {level, text, more} = sentence(nodes, history.now(''));
  setAttr(byId('state'), 'data-level', level);
  setAttr(byId('state-icon'), 'href', `#icon-${level}`);
  setText(byId('state-text'), text);
  setText(byId('state-more'), more);
  const self = nodes.find(v => v.self);
  setText(byId('asked'), self ? `as ${self.label} sees it` : '');
  setText(byId('data'), `as of ${clock(at)}`);
  document.title = `${{ok: '', info: '', warn: '▲ ', bad: '■ '}[level]}farmstate: ${text}`;
}

function drawAlerts() {
  if (nodes.length === 0) return;
  const list = alerts(nodes, history, events.list, Date.now() + ahead, drains);
  byId('alerts-part').hidden = list.length === 0;
  sync(byId('alerts'), list, a => a.key, () => el('li', {}, icon('none'), el('div', {}, el('strong'), el('span'), el('progress', {max: 1, 'aria-label': 'Progress'}))), (li, a) => {
    setAttr(li, 'data-level', a.level);
    setAttr(li.firstChild.firstChild, 'href', `#icon-${a.level}`);
    const [strong, more, bar] = li.children[1].children;
    setText(strong, a.text);
    setText(more, a.more);
    bar.hidden = a.share === null;
    if (a.share !== null) setAttr(bar, 'value', a.share.toFixed(3));
  });
  // Announced are alerts that come and go, not how their figures change.
  const now = new Map(list.map(a => [a.key, a.text]));
  if (known) {
    const came = [...now].filter(([key]) => !known.has(key)).map(([, text]) => text);
    const went = [...known].filter(([key]) => !now.has(key)).map(([, text]) => `No longer: ${text}`);
    if (came.length + went.length > 0) announce([...came, ...went].join('. '));
  }
  known = now;
}

function draw() {
  if (nodes.length === 0) return;
  if (chosen && !find(chosen)) chosen = '';
  drawState();
  drawAlerts();
  picture.draw(byId('picture'), nodes, chosen, choose);
  scope.draw(find(chosen), nodes, history, drains, at);
  tables.drawNodes(nodes, history, choose);
  tables.drawLinks(nodes);
  tables.drawLocks(nodes, lock => actions.unlock(lock, whole));
  tables.drawApps(nodes);
  tables.drawSessions(nodes);
  events.draw();
}

// whole finds a lock with its whole key. A node's picture of the farm may be a second old, and belong to a caller without the token.
async function whole(lock) {
  try {
    for (const v of (await page('nodes')).nodes) {
      const found = v.id === lock.node.id && v.node?.survey.locks.find(l => l.key && l.cookie === lock.cookie && l.session === lock.session && l.application === lock.application);
      if (found) return {...found, node: lock.node};
    }
  } catch {
    // The poll says that the node does not answer.
  }
  return null;
}

tokens.start();
events.start();
const ask = poll(got, failed);
actions.start(() => {
  ask();
  setTimeout(ask, pictureAge); // what is answered at once may be from before
});
tokens.onChange(ask);
byId('scope-back').addEventListener('click', () => choose(''));
byId('drain').addEventListener('click', () => actions.drain(find(chosen), nodes));
byId('level').addEventListener('click', () => actions.level(find(chosen)));
new ResizeObserver(() => { if (nodes.length > 0) picture.draw(byId('picture'), nodes, chosen, choose); }).observe(byId('picture').parentElement);
