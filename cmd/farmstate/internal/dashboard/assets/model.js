// What the picture of the farm means: names, one sentence, alerts. Nothing here touches the page.

import {bytes, clock, count, duration, many, percent} from './format.js';

const old = 10 * 60 * 1000; // ms for which an event is news
const stale = 110; // seconds after which ASP.NET breaks a lock
const skewed = 2; // seconds that clocks may differ

const port = address => address?.split(':').at(-1) ?? '';

// prepare gives nodes names that tell them apart, and leaves out dead ones that have come back under another id.
export function prepare(nodes) {
  const living = nodes.filter(v => v.health !== 'dead');
  const all = nodes.filter(v => v.health !== 'dead' || !living.some(l => l.peer_address && l.peer_address === v.peer_address));
  const uses = new Map();
  for (const v of all) uses.set(v.name, (uses.get(v.name) ?? 0) + 1);
  for (const v of all) {
    const name = v.name || v.admin_address || v.id.slice(0, 8) || 'a node';
    v.label = v.name && uses.get(v.name) > 1 ? `${name}:${port(v.state_address || v.peer_address || v.admin_address)}` : name;
    v.key = v.id || v.admin_address;
  }
  return all;
}

export const healthText = {ok: 'well', warning: 'not ready', leaving: 'leaving', silent: 'does not answer', dead: 'dead'};
export const healthIcon = {ok: 'ok', warning: 'warn', leaving: 'leaving', silent: 'silent', dead: 'bad'};

const names = nodes => nodes.map(v => v.label).join(', ');

// copies is how many nodes shall have each session, and who is there to have them.
function copies(living) {
  const wanted = Math.max(0, ...living.map(v => v.node.farm.copies.copies));
  return {wanted, have: Math.min(wanted, living.length)};
}

// repair is how far the making of missing copies is, all nodes together; null if nobody makes any.
function repair(living) {
  const running = living.map(v => v.node.farm.copies.repair).filter(r => r.running);
  if (running.length === 0) return null;
  const r = {looked: 0, of: 0, made: 0};
  for (const one of running) {
    r.looked += one.looked_at;
    r.of += one.of;
    r.made += one.made;
  }
  return r;
}

// drainOf is how far a node's drain is: the share that is done, given the most sessions that it has had since it began.
export function drainOf(v, most) {
  const d = v.node?.farm.drain;
  if (!d?.draining) return null;
  return {left: d.sessions, handed: d.handed_over, moving: d.moving, takers: d.takers, share: most > 0 ? Math.max(0, 1 - d.sessions / most) : 1};
}

// sentence says how the farm is: {level, text, more}.
export function sentence(nodes, figures) {
  const living = nodes.filter(v => v.node);
  const dead = nodes.filter(v => v.health === 'dead');
  const silent = nodes.filter(v => v.health === 'silent');
  const leaving = nodes.filter(v => v.health === 'leaving');
  const sessions = many(figures.sessions, 'session');
  const {wanted, have} = copies(living);
  const r = repair(living);
  const making = r || figures.missing > 0;
  const progress = r ? `${count(r.looked)} of ${many(r.of, 'session')} looked at, ${many(r.made, 'copy', 'copies')} made` : `${many(figures.missing, 'session')} of ${count(figures.sessions)} without one`;
  if (dead.length > 0) {
    const who = dead.length === 1 ? `A node is dead: ${names(dead)}` : `${dead.length} nodes are dead: ${names(dead)}`;
    if (wanted >= 2 && have < 2) return {level: 'bad', text: who, more: `${sessions} on the one node that is left, and nobody to take copies. Start another node.`};
    if (wanted >= 2 && making) return {level: 'bad', text: who, more: `Copies of its sessions are being made: ${progress}. Do not stop another node before that is done.`};
    if (wanted >= 2) return {level: 'warn', text: who, more: `No session is missing a copy: ${sessions}, each on ${many(have, 'node')}.`};
    return {level: 'bad', text: who, more: 'Its sessions are lost: there are no copies (option copies).'};
  }
  if (silent.length > 0) {
    const who = silent.length === 1 ? `A node does not answer: ${names(silent)}` : `${silent.length} nodes do not answer: ${names(silent)}`;
    return {level: 'warn', text: who, more: `What is shown leaves them out. ${sessions} on the others.`};
  }
  if (living.length === 1) {
    const standalone = living[0].node.status.standalone;
    if (wanted >= 2) return {level: 'bad', text: `This node is alone: ${sessions}, and nobody to take copies`, more: 'If it dies, they are lost. Start another node, or look in the events for why the others are not linked.'};
    return {level: 'info', text: `This node is alone: ${sessions}`, more: standalone ? 'It runs with standalone: sessions live in its memory alone.' : 'Sessions live in its memory alone. Link it with other nodes and set copies to keep them when it dies.'};
  }
  const full = living.some(v => v.node.farm.copies.full > 0);
  if (figures.missing > 0 && wanted >= 2 && (full || have < wanted)) return {level: 'warn', text: `${many(figures.missing, 'session')} of ${count(figures.sessions)} lack copies`, more: full ? `Each shall be on ${many(wanted, 'node')}, and a node has no room for more: raise max_memory, or add a node.` : `Each shall be on ${wanted}; start more nodes.`};
  if (making && wanted >= 2) return {level: 'warn', text: `Copies are being made: ${progress}`, more: `${sessions}; each shall be on ${many(wanted, 'node')}. Do not stop a node before that is done.`};
  if (leaving.length > 0) {
    const left = leaving.reduce((n, v) => n + (v.node?.farm.drain.sessions ?? 0), 0);
    return {level: 'info', text: `${leaving.length === 1 ? 'A node is leaving' : 'Nodes are leaving'}: ${names(leaving)}`, more: left > 0 ? `${many(left, 'session')} left to hand over; all of them go on being served.` : `${leaving.length === 1 ? 'It is' : 'They are'} empty and can be stopped.`};
  }
  if (wanted < 2) return {level: 'info', text: `${sessions} on ${many(living.length, 'node')}, without copies`, more: 'A node that dies takes its sessions with it. Set copies to keep them.'};
  if (figures.sessions === 0) return {level: 'ok', text: `The farm is well: no sessions yet, ${many(living.length, 'node')}`, more: `Each session will be on ${many(have, 'node')}.`};
  return {level: 'ok', text: `All sessions are safe: ${sessions}, each on ${many(have, 'node')}`, more: have < wanted ? `Each shall be on ${wanted}; start more nodes.` : `Any ${have === 2 ? 'one node' : `${have - 1} nodes`} may die without a loss.`};
}

const ranks = {bad: 0, warn: 1, info: 2};

// alerts are what an operator should know of, the gravest first: {key, level, text, more, share}.
export function alerts(nodes, history, events, now, drains) {
  const list = [];
  const put = (key, level, text, more = '', share = null) => list.push({key, level, text, more, share});
  for (const v of nodes) {
    ofNode(put, v, nodes, drains);
    if (v.node) ofFigures(put, v, history.now(v.id));
  }
  ofFarm(put, nodes, history.now(''));
  ofEvents(put, events, now);
  return list.sort((a, b) => ranks[a.level] - ranks[b.level]);
}

function ofNode(put, v, nodes, drains) {
  if (v.health === 'dead') {
    const since = nodes.flatMap(o => o.node?.farm.gossip?.members ?? []).find(m => m.node === v.id)?.since;
    put(`dead ${v.key}`, 'bad', `${v.label} is dead${since ? ` since ${clock(since)}` : ''}`, `It was at ${v.state_address || v.peer_address}. Start it again; the other nodes serve the sessions of which they have copies.`);
    return;
  }
  if (!v.node) {
    if (v.health === 'leaving') put(`leaving ${v.key}`, 'info', `${v.label} is leaving`, v.error ?? '');
    else put(`silent ${v.key}`, 'warn', `${v.label} does not answer`, v.error ?? '');
    return;
  }
  const s = v.node.status;
  const d = drainOf(v, drains.get(v.id));
  if (d) {
    const text = d.left > 0 ? `${v.label} is draining: ${many(d.left, 'session')} left` : `${v.label} is empty: it can be stopped`;
    put(`drain ${v.id}`, d.takers || d.left === 0 ? 'info' : 'warn', text, d.takers || d.left === 0 ? `${count(d.handed)} handed over` : 'No other node takes them: link it to one, or free memory there.', d.share);
  }
  for (const reason of s.not_ready ?? []) {
    if (!/^(draining|copies):/.test(reason)) put(`ready ${v.id} ${reason.split(':')[0]}`, 'warn', `${v.label} is not ready`, reason);
  }
  const c = v.node.farm.copies;
  if (c.doubtful) put(`doubt ${v.id}`, 'warn', `${v.label} doubts a mirror`, 'A node that has copies is silent; reads ask the mirrors first. See to its processors and network.');
  if (c.quarantine > 0) put(`quarantine ${v.id}`, 'warn', `${many(c.quarantine, 'state')} in the quarantine of ${v.label}`, 'Users have saved to two states of one session while the farm was in parts; the newer one is served. See /api/v1/quarantine.');
  if (Math.abs(v.clock_skew_seconds) > skewed) put(`clock ${v.id}`, 'warn', `The clock of ${v.label} is ${duration(Math.abs(v.clock_skew_seconds))} ${v.clock_skew_seconds > 0 ? 'ahead' : 'behind'}`, 'Sessions and certificates expire by it: have it set by NTP.');
  if ((v.node.farm.gossip?.health ?? 0) > 2) put(`slow ${v.id}`, 'warn', `${v.label} answers too late`, 'Others may take it for dead. See to its processors, memory and network.');
  const apart = (v.node.farm.gossip?.members ?? []).filter(m => m.state === 'alive' && !m.linked && nodes.some(o => o.id === m.node && o.health !== 'leaving'));
  if (apart.length > 0 && s.uptime_seconds > 15) put(`apart ${v.id}`, 'warn', `${v.label} has no link to ${many(apart.length, 'node')}`, `${apart.map(m => nodes.find(o => o.id === m.node).label).join(', ')}: the events peer_down, peer_unreachable and peer_refused say why.`);
}

function ofFigures(put, v, f) {
  if (!f) return;
  if (f.limit > 0 && f.bytes > 0.85 * f.limit) {
    put(`memory ${v.id}`, f.bytes > 0.95 * f.limit ? 'bad' : 'warn', `The memory of ${v.label} is ${percent(f.bytes / f.limit)} full`, `${bytes(f.bytes)} of ${bytes(f.limit)}; at the limit saves are refused. Raise max_memory, shorten timeouts, or store less in sessions.`);
  }
  if (f.grown.refused > 0) put(`refused ${v.id}`, 'bad', `${v.label} has refused ${many(f.grown.refused, 'save')}`, 'Within the last 5 minutes, for want of memory; their users saw an error. Raise max_memory, shorten timeouts, or store less in sessions.');
}

function ofFarm(put, nodes, f) {
  const living = nodes.filter(v => v.node);
  const r = repair(living);
  if (r) put('repair', 'warn', `Copies are being made: ${percent(r.of > 0 ? r.looked / r.of : 0)}`, `${count(r.looked)} of ${many(r.of, 'session')} looked at, ${many(r.made, 'copy', 'copies')} made. Wait before you stop a node.`, r.of > 0 ? r.looked / r.of : 0);
  else if (f?.missing > 0) put('missing', 'warn', `${many(f.missing, 'session')} without the copies they shall have`, 'Wait before you stop a node.');
  const versions = new Set(living.map(v => v.node.status.build.version));
  if (versions.size > 1) put('versions', 'info', `The nodes run ${versions.size} versions`, `${[...versions].join(', ')}. That is meant for the time of an upgrade.`);
  const left = living.flatMap(v => (v.node.survey.locks ?? []).filter(l => l.age_seconds >= stale).map(l => ({...l, label: v.label})));
  if (left.length > 0) {
    left.sort((a, b) => b.age_seconds - a.age_seconds);
    put('locks', 'warn', `${many(left.length, 'lock')} held for more than ${stale} s`, `The longest for ${duration(left[0].age_seconds)}: session ${left[0].session} of ${left[0].application || 'an unknown application'} on ${left[0].label}. Look for pages that hang or have crashed; the lock can be broken below.`);
  }
}

// unlike leaves the hashes of two applications out where they are the same.
function unlike(asked, found) {
  const hash = /\([^()]*\)$/;
  return asked.match(hash)?.[0] === found.match(hash)?.[0] ? [asked.replace(hash, ''), found.replace(hash, '')] : [asked, found];
}

// ofEvents tells what nodes have noticed of late: each kind once, the latest.
function ofEvents(put, events, now) {
  const seen = new Set();
  for (const e of events) { // the latest first
    if (now - Date.parse(e.time) > old) continue;
    const a = e.attrs ?? {};
    const once = key => !seen.has(key) && seen.add(key);
    if (e.event === 'near_miss' && once(`near_miss ${a.asked} ${a.found}`)) {
      const [asked, found] = unlike(a.asked ?? '', a.found ?? '');
      put(`near_miss ${a.asked} ${a.found}`, 'warn', 'Users lose sessions: web servers disagree about an application', `${clock(e.time)}: asked for under ${asked}, lives under ${found}; ${a.because ?? a.cause ?? ''}. To do: ${a.advice ?? ''}.`);
    } else if (e.event === 'save_refused' && once('save_refused')) {
      put('save_refused', 'bad', 'A save was refused for want of memory', `${clock(e.time)}, ${e.label}: ${a.application ?? ''}. To do: ${a.advice ?? ''}.`);
    } else if (e.event === 'lock_left' && once(`lock_left ${a.application}`)) {
      put(`lock_left ${a.application}`, 'info', 'A page has left a lock behind', `${clock(e.time)}, ${e.label}: session ${a.session ?? ''} of ${a.application ?? ''}. To do: ${a.advice ?? ''}.`);
    } else if (e.level === 'error' && once(e.event)) {
      put(`error ${e.event}`, 'bad', e.text, `${clock(e.time)}, ${e.label}`);
    }
  }
}
