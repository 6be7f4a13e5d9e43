// What can be done to nodes and locks: each needs the token and a confirmation that says what will happen to whom.

import {byId, el, setText} from './dom.js';
import {count, duration, many} from './format.js';
import {say} from './say.js';
import {forget, need, token} from './token.js';

// act has an action carried out, and returns its result.
async function act(name, query) {
  const used = token();
  const answer = await fetch(`/api/v1/${name}?${new URLSearchParams(query)}`, {
    method: 'POST', headers: {Authorization: `Bearer ${used}`, 'X-Farmstate-Action': name}, cache: 'no-store', signal: AbortSignal.timeout(30000),
  });
  if (answer.ok) return answer.json();
  const text = (await answer.text()).trim() || answer.statusText;
  if (answer.status === 401) forget(used, 'The node no longer accepts the admin token; it was forgotten.');
  throw new Error(text);
}

let waiting = null; // what is done if the user confirms

// confirm shows what will happen. run() is called when the user agrees; the dialog stays open with the error if that fails. choice is offered as a list if given.
function confirm({title, lines, yes, choice, run}) {
  setText(byId('confirm-title'), title);
  byId('confirm-text').replaceChildren(...lines.filter(Boolean).map(line => el('p', {}, line)));
  setText(byId('confirm-yes'), yes);
  setText(byId('confirm-error'), '');
  byId('confirm-choice-part').hidden = !choice;
  if (choice) byId('confirm-choice').value = choice;
  waiting = run;
  byId('confirm').showModal();
}

async function confirmed(event) {
  event.preventDefault();
  const button = byId('confirm-yes');
  if (button.disabled || !waiting) return;
  button.disabled = true;
  setText(byId('confirm-error'), '');
  try {
    const text = await waiting(byId('confirm-choice').value);
    byId('confirm').close();
    say(text);
  } catch (err) {
    setText(byId('confirm-error'), err.name === 'TimeoutError' ? 'There was no answer in time; look whether it has been done.' : err.message);
  }
  button.disabled = false;
}

let refresh = () => {}; // has the farm asked again

// start makes the dialog work. ask() is called when something was done.
export function start(ask) {
  refresh = ask;
  byId('confirm-form').addEventListener('submit', confirmed);
  byId('confirm-no').addEventListener('click', () => byId('confirm').close());
  byId('confirm').addEventListener('close', () => { if (!byId('confirm').open) waiting = null; });
}

// drain empties a node, or lets it take sessions again.
export async function drain(v, nodes) {
  if (!await need()) return;
  const others = nodes.filter(o => o.id !== v.id && o.node && o.health !== 'leaving');
  const sessions = many(v.node.status.sessions.count, 'session');
  if (v.node.farm.drain.draining) {
    confirm({
      title: `Stop draining ${v.label}?`, yes: `Stop draining ${v.label}`,
      lines: [`${v.label} (${v.state_address}) will take sessions again. Those that it has handed over stay where they are until they are asked for.`],
      run: async () => {
        await act('drain', {node: v.id, stop: 'true'});
        refresh();
        return `${v.label} takes sessions again.`;
      },
    });
    return;
  }
  confirm({
    title: `Drain ${v.label}?`, yes: `Drain ${v.label}`,
    lines: [
      others.length > 0 ? `${v.label} (${v.state_address}) will hand its ${sessions} to ${others.map(o => o.label).join(', ')}, and take no new ones. No session is lost, and no user notices.`
        : `There is no other node to take the ${sessions} of ${v.label}: they will stay where they are, and the node will say that it is not ready.`,
      'It goes on serving: what a web server asks it for comes back, and is handed over again. Have the load balancer send nothing to it; once it is empty it can be stopped.',
      'Draining can be stopped at any time.',
    ],
    run: async () => {
      const p = await act('drain', {node: v.id});
      refresh();
      return p?.sessions > 0 ? `${v.label} is draining: ${many(p.sessions, 'session')} left.` : `${v.label} is draining.`;
    },
  });
}

// level changes what the log of a node shows.
export async function level(v) {
  if (!await need()) return;
  confirm({
    title: `Log level of ${v.label}`, yes: 'Change the level', choice: v.node.status.log_level,
    lines: [`The log of ${v.label} shows what is of this level or graver, until the node is started again. It is ${v.node.status.log_level} now; debug writes a lot, and costs speed.`],
    run: async chosen => {
      await act('log-level', {node: v.id, level: chosen});
      refresh();
      return `The log level of ${v.label} is ${chosen}.`;
    },
  });
}

// unlock breaks a lock. find(lock) finds the lock in the latest picture with the whole key, which nodes show to those with the token.
export async function unlock(lock, find) {
  if (!await need()) return;
  const whole = lock.key ? lock : await find(lock);
  if (!whole) {
    say(`The lock of session ${lock.session} is no longer held, or its node does not accept this token.`, 'bad');
    return;
  }
  confirm({
    title: `Break the lock of session ${lock.session}?`, yes: 'Break the lock',
    lines: [
      `Application ${lock.application || '(not of ASP.NET)'} on ${lock.node.label}. ${lock.client ? `The web server at ${lock.client}` : 'A web server'} has held it for ${duration(lock.age_seconds)}; ${lock.waiting === 1 ? '1 request waits' : `${count(lock.waiting)} requests wait`} for it.`,
      'The next request gets the session as it was last saved. If the page that holds the lock still runs, it can no longer save: what it has changed in the session is lost.',
    ],
    run: async () => {
      await act('unlock', {node: whole.node.id, session: whole.key, cookie: whole.cookie});
      refresh();
      return `The lock of session ${lock.session} is broken.`;
    },
  });
}
