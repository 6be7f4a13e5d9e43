// The tables: nodes, links, locks, applications, sessions.

import {byId, el, icon, setAttr, setText, sync, table} from './dom.js';
import {locks} from './figures.js';
import {bytes, count, duration, many, percent, rate} from './format.js';
import {healthIcon, healthText} from './model.js';
import {links, mirrors} from './picture.js';

const shown = 10; // rows of the long tables

const figure = (history, v, get) => {
  const f = v.node && history.now(v.id);
  return f ? get(f) : '–';
};

export function drawNodes(nodes, history, choose) {
  const button = (td, v) => {
    if (!td.firstChild) td.append(el('button', {type: 'button', class: 'link'}));
    setText(td.firstChild, v.label + (v.self ? ' (asked)' : ''));
    td.firstChild.onclick = () => choose(v.key);
  };
  const health = (td, v) => {
    if (!td.firstChild) td.append(icon('none'), el('span'));
    setAttr(td.firstChild.firstChild, 'href', `#icon-${healthIcon[v.health] ?? 'none'}`);
    setText(td.children[1], healthText[v.health] ?? v.health);
    setAttr(td, 'class', `health ${v.health}`);
  };
  table(byId('nodes'), 'Nodes', [
    {title: 'Node', cell: button}, {title: 'Health', cell: health},
    {title: 'Sessions', number: true, value: v => figure(history, v, f => count(f.sessions))},
    {title: 'Copies kept', number: true, value: v => v.node ? count(v.node.farm.copies.kept) : '–'},
    {title: 'Missing', number: true, value: v => figure(history, v, f => count(f.missing))},
    {title: 'Memory', number: true, value: v => figure(history, v, f => f.limit > 0 ? `${bytes(f.bytes)} (${percent(f.bytes / f.limit)})` : bytes(f.bytes))},
    {title: 'Requests/s', number: true, value: v => figure(history, v, f => rate(f.per.requests ?? 0))},
    {title: 'p99', number: true, value: v => figure(history, v, f => isNaN(f.p99) ? '–' : duration(f.p99))},
    {title: 'Locks', number: true, value: v => figure(history, v, f => count(f.locked))},
    {title: 'Connections', number: true, value: v => figure(history, v, f => count(f.connections))},
    {title: 'Up for', number: true, value: v => v.node ? duration(v.node.status.uptime_seconds) : '–'},
    {title: 'Version', value: v => v.node?.status.build.version ?? v.program.replace(/^farmstate /, '')},
  ], nodes, v => v.key, 'No node has been asked yet.');
}

export function drawLinks(nodes) {
  const rows = links(nodes).map(l => ({
    key: `link ${l.key}`, from: l.a.label, to: l.b.label, what: l.up ? l.encrypted ? 'link, encrypted' : 'link, plain text' : 'no link', waiting: bytes(l.queued),
  })).concat(mirrors(nodes).map(m => ({
    key: `mirror ${m.key}`, from: m.from.label, to: m.to.label, what: m.linked ? 'copies' : 'copies, not linked', waiting: `${many(m.updates, 'update')}, ${bytes(m.bytes)}`,
  })));
  table(byId('links'), 'Links and copies between nodes', [
    {title: 'From', value: r => r.from}, {title: 'To', value: r => r.to}, {title: 'What', value: r => r.what}, {title: 'Waiting', number: true, value: r => r.waiting},
  ], rows, r => r.key, 'There are no links.');
}

const all = (nodes, get) => nodes.filter(v => v.node).flatMap(v => (get(v.node.survey) ?? []).map(one => ({...one, node: v})));
const application = r => r.application || '(not of ASP.NET)';
const rowKey = r => `${r.node.id} ${r.application} ${r.hash ?? ''} ${r.key ?? r.session ?? ''}`;

export function drawLocks(nodes, unlock) {
  const rows = nodes.filter(v => v.node).flatMap(v => locks(v.node).map(l => ({...l, node: v}))).sort((a, b) => b.age_seconds - a.age_seconds);
  const held = nodes.reduce((n, v) => n + (v.node?.status.sessions.locked ?? 0), 0);
  setText(byId('locks-note'), held > 0 ? `${many(held, 'lock')} held` : '');
  table(byId('locks'), 'Longest locks', [
    {title: 'Application', value: application}, {title: 'Session', value: r => r.session}, {title: 'Node', value: r => r.node.label},
    {title: 'Held by', value: r => r.client || 'came from another node'},
    {title: 'For', number: true, value: r => duration(r.age_seconds)}, {title: 'Waiting', number: true, value: r => count(r.waiting)},
    {title: 'Action', cell: (td, r) => {
      if (!td.firstChild) td.append(el('button', {type: 'button'}, 'Break…'));
      setAttr(td.firstChild, 'aria-label', `Break the lock of session ${r.session}`);
      td.firstChild.onclick = () => unlock(r);
    }},
  ], rows.slice(0, shown), r => `${r.node.id} ${r.application} ${r.session} ${r.cookie} ${r.client ?? ''}`, 'No session has been locked for more than a few seconds.');
}

// apps are the applications of all nodes together.
function apps(nodes) {
  const sums = new Map();
  const hot = new Map();
  const key = a => `${a.application} ${a.hash ?? ''}`;
  for (const h of all(nodes, s => s.hot_applications)) hot.set(key(h), (hot.get(key(h)) ?? 0) + h.requests_per_second);
  for (const a of all(nodes, s => s.applications)) {
    const known = sums.get(key(a));
    if (!known) {
      sums.set(key(a), {...a, key: key(a)});
      continue;
    }
    for (const name of ['sessions', 'bytes', 'locked', 'old', 'never_read']) known[name] += a[name];
    known.min_timeout_minutes = Math.min(known.min_timeout_minutes, a.min_timeout_minutes);
    known.max_timeout_minutes = Math.max(known.max_timeout_minutes, a.max_timeout_minutes);
  }
  return [...sums.values()].map(a => ({...a, perSecond: hot.get(a.key) ?? 0})).sort((a, b) => b.sessions - a.sessions);
}

const unread = a => a.old > 0 ? a.never_read / a.old : 0;

export function drawApps(nodes) {
  const rows = apps(nodes).slice(0, 2 * shown);
  table(byId('apps'), 'Applications', [
    {title: 'Application', value: application}, {title: 'Hash', value: a => a.hash ?? ''},
    {title: 'Sessions', number: true, value: a => count(a.sessions)}, {title: 'Bytes', number: true, value: a => bytes(a.bytes)}, {title: 'Locked', number: true, value: a => count(a.locked)},
    {title: 'Timeout', number: true, value: a => a.min_timeout_minutes === a.max_timeout_minutes ? `${count(a.max_timeout_minutes)} min` : `${count(a.min_timeout_minutes)}–${count(a.max_timeout_minutes)} min`},
    {title: 'Requests/s', number: true, value: a => rate(a.perSecond)},
    {title: 'Never read again', number: true, value: a => a.old > 0 ? percent(unread(a)) : '–'},
  ], rows, a => a.key, 'There are no sessions, or nobody has walked through them yet.');
  const hints = rows.filter(a => a.old >= 50 && unread(a) > 0.8); // as farmstate doctor sees it
  sync(byId('hints'), hints, a => a.key, () => el('li'), (li, a) => setText(li, `${application(a)}: ${percent(unread(a))} of the sessions without a request for a minute were never asked for again after they were created. Their visitors do not send the session cookie back: robots and health checks, or a cookie with a wrong domain, path, Secure or SameSite. farmstate doctor says more.`));
}

export function drawSessions(nodes) {
  table(byId('largest'), 'Largest sessions', [
    {title: 'Application', value: application}, {title: 'Session', value: r => r.session}, {title: 'Node', value: r => r.node.label},
    {title: 'Bytes', number: true, value: r => bytes(r.bytes)}, {title: 'Timeout', number: true, value: r => `${count(r.timeout_minutes)} min`},
  ], all(nodes, s => s.largest).sort((a, b) => b.bytes - a.bytes).slice(0, shown), rowKey, 'There are no sessions, or nobody has walked through them yet.');
  table(byId('hot'), 'Busiest sessions', [
    {title: 'Application', value: application}, {title: 'Session', value: r => r.session}, {title: 'Node', value: r => r.node.label},
    {title: 'Requests/s', number: true, value: r => rate(r.requests_per_second)},
  ], all(nodes, s => s.hot_sessions).sort((a, b) => b.requests_per_second - a.requests_per_second).slice(0, shown), rowKey, 'No session is asked for often.');
}
