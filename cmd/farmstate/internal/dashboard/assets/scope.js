// The figures of the whole farm or of the node that is chosen.

import {byId, el, setAttr, setText, svg, sync} from './dom.js';
import {bytes, count, duration, many, percent, rate} from './format.js';
import {drainOf, healthText} from './model.js';

const or0 = n => n ?? 0;

// tiles: title, what it shows large and small, the line of the last minutes, and how grave it is.
const tiles = [
  {title: 'Sessions', value: f => count(f.sessions), line: f => f.sessions},
  {title: 'Memory', value: f => bytes(f.bytes), note: f => f.limit > 0 ? `${percent(f.bytes / f.limit)} of ${bytes(f.limit)}` : 'no limit', line: f => f.bytes, level: f => f.limit > 0 && f.bytes > 0.95 * f.limit ? 'bad' : f.limit > 0 && f.bytes > 0.85 * f.limit ? 'warn' : ''},
  {title: 'Requests', value: f => `${rate(or0(f.per.requests))}/s`, line: f => or0(f.per.requests)},
  {title: 'Latency p99', value: f => isNaN(f.p99) ? '–' : duration(f.p99), note: f => isNaN(f.p50) ? 'no requests' : `p50 ${duration(f.p50)}`, line: f => or0(f.p99 || 0)},
  {title: 'Locks held', value: f => count(f.locked), note: f => f.locked === 0 ? 'none' : f.longest > 0 ? `longest ${duration(f.longest)}` : 'for a moment', line: f => f.locked, level: f => f.longest >= 110 ? 'warn' : ''},
  {title: 'Waiting', value: f => count(f.waiting), note: () => 'requests', line: f => f.waiting},
  {title: 'Moves', value: f => `${rate(or0(f.per.moves))}/s`, note: () => 'between nodes', line: f => or0(f.per.moves)},
  {title: 'Copies missing', value: f => count(f.missing), note: (f, r) => r ? `made: ${percent(r)}` : f.missing > 0 ? 'being made' : 'none', line: f => f.missing, level: f => f.missing > 0 ? 'warn' : ''},
  {title: 'Near misses', value: f => count(or0(f.total.nearMisses)), note: f => or0(f.grown.nearMisses) > 0 ? `${count(f.grown.nearMisses)} of late` : 'since the start', line: f => or0(f.per.nearMisses), level: f => or0(f.grown.nearMisses) > 0 ? 'warn' : ''},
  {title: 'Refused saves', value: f => count(or0(f.total.refused)), note: f => or0(f.grown.refused) > 0 ? `${count(f.grown.refused)} of late` : 'since the start', line: f => or0(f.per.refused), level: f => or0(f.grown.refused) > 0 ? 'bad' : ''},
  {title: 'Locks left', value: f => count(or0(f.total.locksLeft)), note: f => or0(f.grown.locksLeft) > 0 ? `${count(f.grown.locksLeft)} of late` : 'since the start', line: f => or0(f.per.locksLeft), level: f => or0(f.grown.locksLeft) > 0 ? 'warn' : ''},
  {title: 'Connections', value: f => count(f.connections), note: f => f.connectionsMax > 0 ? `of ${count(f.connectionsMax)}` : '', line: f => f.connections},
];

// spark draws the line of the last minutes, or of all that is known; time runs to the right, 0 is at the bottom.
function spark(path, line, value, now) {
  const span = Math.max(1, now - line[0].at);
  const most = Math.max(1e-9, ...line.map(value));
  const points = line.map(f => `${(120 * (1 - (now - f.at) / span)).toFixed(1)} ${(23 - 21 * value(f) / most).toFixed(1)}`);
  setAttr(path, 'd', points.length > 1 ? `M${points.join('L')}` : 'M0 0');
}

function drawTiles(line, now, repairShare) {
  const f = line.at(-1);
  const known = line.filter(one => one.seconds > 0); // the first has no rates yet
  if (known.length > 1) line = known;
  sync(byId('tiles'), tiles, t => t.title, t => el('div', {class: 'tile'}, el('span', {class: 'title'}, t.title), el('strong'), el('span', {class: 'small'}),
    svg('svg', {class: 'spark', viewBox: '0 0 120 24', preserveAspectRatio: 'none', 'aria-hidden': 'true'}, svg('path'))), (div, t) => {
    setText(div.children[1], t.value(f));
    setText(div.children[2], t.note ? t.note(f, repairShare) : '');
    spark(div.children[3].firstChild, line, t.line, now);
    setAttr(div, 'data-level', t.level?.(f) || null);
  });
}

// Bars from 10 µs to 10 s, three to each power of ten.
const steps = [];
for (let power = -5; power < 1; power++) for (const one of [1, 2, 5]) steps.push(one * 10 ** power);
steps.push(10);

function drawHistogram(histogram, seconds) {
  const bars = new Array(steps.length + 1).fill(0);
  for (const [le, n] of histogram) {
    const i = steps.findIndex(s => le <= s * 1.02);
    bars[i < 0 ? steps.length : i] += n;
  }
  const total = bars.reduce((a, b) => a + b, 0);
  const most = Math.max(1, ...bars);
  const width = 520 / bars.length;
  sync(byId('histogram'), bars.map((n, i) => ({n, i})), b => b.i, b => svg('rect', {x: (b.i * width + 1).toFixed(1), width: (width - 2).toFixed(1), rx: 1.5}, svg('title')), (rect, {n, i}) => {
    const height = n > 0 ? Math.max(2, 106 * n / most) : 1;
    setAttr(rect, 'y', (110 - height).toFixed(1));
    setAttr(rect, 'height', height.toFixed(1));
    setAttr(rect, 'class', n > 0 ? null : 'empty');
    setText(rect.firstChild, `${i < steps.length ? `up to ${duration(steps[i])}` : 'longer'}: ${count(n)}`);
  });
  sync(byId('scale'), ['10 µs', '100 µs', '1 ms', '10 ms', '100 ms', '1 s', '10 s'], s => s, s => el('li', {}, s));
  return total > 0 ? `${many(total, 'request')} in the last ${duration(seconds)}; waiting for locks and for other nodes is part of it.` : 'No requests since the last look.';
}

const facts = v => {
  const s = v.node.status;
  return [
    ['Health', s.not_ready?.length > 0 ? s.not_ready.join('; ') : healthText[v.health]],
    ['State port', s.state_address], ['Peer port', s.peer_address || '–'], ['Admin', v.admin_address || '–'],
    ['Version', s.build.version], ['Up for', duration(s.uptime_seconds)],
    ['Log level', s.log_level], ['Process', `${s.process.pid}${s.process.open_files >= 0 ? `, ${count(s.process.open_files)} of ${count(s.process.max_files)} files` : ''}`],
    ['Copies kept', `${count(v.node.farm.copies.kept)} (${bytes(v.node.farm.copies.kept_bytes)})`],
    ['Node', v.id],
  ];
};

function drawFacts(v) {
  const list = v ? v.node ? facts(v) : [['Health', healthText[v.health]], ['State port', v.state_address || '–'], ['Admin', v.admin_address || '–'], ['Why', v.error || 'It is dead.']] : [];
  sync(byId('facts'), list, f => f[0], f => el('div', {}, el('dt', {}, f[0]), el('dd')), (div, f) => setText(div.children[1], f[1]));
}

function drawDrain(v, most) {
  const d = v && drainOf(v, most);
  byId('draining').hidden = !d;
  if (!d) return;
  setAttr(byId('drain-bar'), 'value', d.share.toFixed(3));
  setText(byId('drain-text'), d.left > 0 ? `${many(d.left, 'session')} left, ${count(d.handed)} handed over${d.takers ? '' : '; no other node takes them'}` : `empty, ${count(d.handed)} handed over; the node can be stopped`);
}

// span is how much time a line shows.
function span(line, now) {
  const seconds = line.length > 1 ? (now - line[0].at) / 1000 : 0;
  return seconds < 1 ? 'what comes' : seconds > 295 ? 'the last 5 minutes' : `the last ${duration(seconds)}`;
}

// draw shows the node that is chosen, or the farm if v is null.
export function draw(v, nodes, history, drains, now) {
  const living = nodes.filter(o => o.node);
  setText(byId('scope-title'), v ? v.label : 'Whole farm');
  setText(byId('scope-note'), v ? '' : `${many(living.length, 'node')}; the lines show ${span(history.line(''), now)}`);
  byId('scope-back').hidden = !v;
  byId('scope-actions').hidden = !v?.node;
  if (v?.node) setText(byId('drain'), v.node.farm.drain.draining ? 'Stop draining…' : 'Drain…');
  byId('drain').hidden = Boolean(v?.node?.status.standalone);
  drawFacts(v);
  drawDrain(v, drains.get(v?.id));
  const line = history.line(v ? v.id : '');
  const shown = line.length > 0 && (!v || v.node);
  for (const id of ['tiles', 'latency-title', 'latency-note', 'histogram', 'scale']) byId(id).toggleAttribute('hidden', !shown);
  if (!shown) return;
  const repairs = (v ? [v] : living).map(o => o.node.farm.copies.repair).filter(r => r.running && r.of > 0);
  drawTiles(line, now, repairs.length > 0 ? repairs.reduce((n, r) => n + r.looked_at, 0) / repairs.reduce((n, r) => n + r.of, 0) : 0);
  const f = line.at(-1);
  setText(byId('latency-note'), drawHistogram(f.histogram, f.seconds));
}
