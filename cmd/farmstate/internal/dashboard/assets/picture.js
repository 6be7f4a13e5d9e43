// The farm as a picture: nodes on a circle, their links, and where copies go.

import {setAttr, setText, svg, sync, icon} from './dom.js';
import {bytes, count, many} from './format.js';
import {healthIcon, healthText} from './model.js';

const crowded = 8; // from more nodes on they are small
const backlog = 16 << 10; // bytes of copies on their way that are worth a word; fewer are there at all times
const throng = 40; // and from here on links are not drawn: nobody could tell them apart

// links are the pairs of nodes with what is known of their link: {a, b, up, encrypted}.
export function links(nodes) {
  const pairs = new Map();
  const ids = new Map(nodes.map(v => [v.id, v]));
  const name = (a, b) => a.id < b.id ? `${a.id} ${b.id}` : `${b.id} ${a.id}`;
  for (const v of nodes) {
    for (const l of v.node?.farm.links ?? []) {
      const other = ids.get(l.node);
      if (!other || other === v) continue;
      const key = name(v, other);
      const known = pairs.get(key);
      const up = l.up && other.health !== 'dead';
      pairs.set(key, {key, a: known?.a ?? v, b: known?.b ?? other, up: up || Boolean(known?.up), encrypted: l.encrypted || Boolean(known?.encrypted), queued: (known?.queued ?? 0) + l.queued_bytes});
    }
    for (const m of v.node?.farm.gossip?.members ?? []) {
      const other = ids.get(m.node);
      if (other && other !== v && !m.linked && !pairs.has(name(v, other))) pairs.set(name(v, other), {key: name(v, other), a: v, b: other, up: false, encrypted: false, queued: 0});
    }
  }
  return [...pairs.values()];
}

// mirrors are the streams of copies: {from, to, updates, bytes, linked}.
export function mirrors(nodes) {
  const ids = new Map(nodes.map(v => [v.id, v]));
  return nodes.flatMap(v => (v.node?.farm.copies.mirrors ?? []).filter(m => ids.has(m.node)).map(m => ({...m, key: `${v.id} ${m.node}`, from: v, to: ids.get(m.node)})));
}

// place puts nodes on a circle, drawn out so that it fills the picture.
function place(nodes, width) {
  const small = nodes.length > (width < 440 ? 6 : crowded);
  const card = small ? {w: 34, h: 34} : {w: Math.min(148, width * 0.36), h: 58};
  const height = nodes.length === 1 ? 140 : nodes.length === 2 ? 150 : Math.round(Math.min(width * 0.72, 400));
  const turn = nodes.length === 2 ? Math.PI : nodes.length === 4 ? -Math.PI * 3 / 4 : -Math.PI / 2;
  const angles = nodes.map((v, i) => turn + 2 * Math.PI * i / nodes.length);
  const stretch = (values, from, to) => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return values.map(value => most - least < 1e-6 ? (from + to) / 2 : from + (to - from) * (value - least) / (most - least));
  };
  const side = card.w / 2 + (small ? 26 : 6);
  const xs = stretch(angles.map(Math.cos), side, width - side);
  const ys = stretch(angles.map(Math.sin), card.h / 2 + 4, height - card.h / 2 - (small ? 30 : 4));
  return {small, card, height, spots: new Map(nodes.map((v, i) => [v.key, {x: xs[i], y: ys[i]}]))};
}

// reach is how much of the line from a to b lies in the box around a spot, from a on; gap is added to the box.
function reach(a, b, spot, card, gap) {
  const along = (from, to, middle, half) => Math.abs(to - from) < 1e-6 ? Infinity : ((to > from ? middle + half : middle - half) - from) / (to - from);
  return Math.min(along(a.x, b.x, spot.x, card.w / 2 + gap), along(a.y, b.y, spot.y, card.h / 2 + gap), 0.45);
}

// aside moves a line to its right, so that those of both directions stand beside each other and beside the link.
function aside(a, b, by) {
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const x = -(b.y - a.y) / length * by;
  const y = (b.x - a.x) / length * by;
  return [{x: a.x + x, y: a.y + y}, {x: b.x + x, y: b.y + y}];
}

const between = (a, b, share) => ({x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share});

const fixed = n => n.toFixed(1);

// draw brings the picture up to date. choose(id) is called when a node is chosen.
export function draw(root, nodes, chosen, choose) {
  const width = Math.max(280, Math.round(root.clientWidth || 480));
  const {small, card, height, spots} = place(nodes, width);
  setAttr(root, 'viewBox', `0 0 ${width} ${height}`);
  setAttr(root, 'height', height);
  if (!root.firstChild) root.append(svg('g', {class: 'lines'}), svg('g', {class: 'arrows'}), svg('g', {class: 'nodes'}));
  const [lines, arrows, boxes] = root.children;
  const shown = nodes.length <= throng ? links(nodes) : [];
  sync(lines, shown, l => l.key, () => svg('g', {}, svg('path'), svg('path', {class: 'cross'})), (g, l) => {
    const [a, b] = [spots.get(l.a.key), spots.get(l.b.key)];
    setAttr(g.children[0], 'd', `M${fixed(a.x)} ${fixed(a.y)}L${fixed(b.x)} ${fixed(b.y)}`);
    setAttr(g.children[0], 'class', `line${l.up ? l.encrypted ? '' : ' plain' : ' down'}`);
    const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
    setAttr(g.children[1], 'd', l.up ? 'M0 0' : `M${fixed(x - 5)} ${fixed(y - 5)}l10 10m0 -10l-10 10`);
  });
  sync(arrows, mirrors(nodes).filter(m => m.to.node), m => m.key, () => svg('g', {}, svg('path', {class: 'arrow'}), svg('path', {class: 'arrow-head'}), svg('text', {class: 'backlog'})), (g, m) => {
    const [from, to] = [spots.get(m.from.key), spots.get(m.to.key)];
    const [whole, end] = aside(from, to, 8);
    const a = between(whole, end, reach(whole, end, from, card, 5));
    const b = between(end, whole, reach(end, whole, to, card, 4));
    const angle = Math.atan2(b.y - a.y, b.x - a.x);
    const back = {x: b.x - 8 * Math.cos(angle), y: b.y - 8 * Math.sin(angle)};
    setAttr(g.children[0], 'd', `M${fixed(a.x)} ${fixed(a.y)}L${fixed(back.x)} ${fixed(back.y)}`);
    setAttr(g.children[1], 'd', 'M0 -4.5 9 0 0 4.5z');
    setAttr(g.children[1], 'transform', `translate(${fixed(back.x)} ${fixed(back.y)}) rotate(${fixed(angle * 180 / Math.PI)})`);
    const [at] = aside(between(a, b, 0.35), b, 8);
    setAttr(g.children[2], 'x', fixed(at.x));
    setAttr(g.children[2], 'y', fixed(at.y + 3));
    setText(g.children[2], m.bytes >= backlog && !small ? bytes(m.bytes) : '');
    setAttr(g, 'class', m.linked ? null : 'unlinked');
  });
  sync(boxes, nodes, v => v.key, v => {
    const g = svg('g', {role: 'button', tabindex: '0'}, svg('rect', {class: 'box'}), icon('none', {width: 20, height: 20}), svg('text', {class: 'name'}), svg('text', {class: 'sessions'}), svg('text', {class: 'health'}), svg('title'));
    g.addEventListener('click', () => choose(v.key));
    g.addEventListener('keydown', e => {
      if (e.key !== 'Enter' && e.key !== ' ') return;
      e.preventDefault();
      choose(v.key);
    });
    return g;
  }, (g, v) => box(g, v, spots.get(v.key), card, small, v.key === chosen));
}

function box(g, v, spot, card, small, chosen) {
  const [rect, mark, name, sessions, health, title] = g.children;
  const x = spot.x - card.w / 2;
  const y = spot.y - card.h / 2;
  const n = v.node?.status.sessions.count;
  setAttr(g, 'class', `node ${v.health}`);
  setAttr(g, 'aria-pressed', String(chosen));
  setAttr(g, 'aria-label', `${v.label}: ${healthText[v.health] ?? v.health}${n === undefined ? '' : `, ${many(n, 'session')}`}`);
  setText(title, `${v.label}: ${healthText[v.health] ?? v.health}`);
  for (const [attribute, value] of [['x', fixed(x)], ['y', fixed(y)], ['width', fixed(card.w)], ['height', card.h], ['rx', small ? 17 : 8]]) setAttr(rect, attribute, value);
  setAttr(mark, 'x', fixed(small ? spot.x - 10 : x + 9));
  setAttr(mark, 'y', fixed(small ? spot.y - 10 : y + 10));
  setAttr(mark.firstChild, 'href', `#icon-${healthIcon[v.health] ?? 'none'}`);
  const text = (e, dx, dy, value) => {
    setAttr(e, 'x', fixed(small ? spot.x : x + dx));
    setAttr(e, 'y', fixed(small ? spot.y + 29 : y + dy));
    setText(e, value);
  };
  const room = Math.floor((card.w - 42) / 7.2);
  const cut = value => value.length > room && !small ? `${value.slice(0, 2)}…${value.slice(3 - room)}` : value;
  text(name, 36, 18, cut(v.label));
  text(sessions, 36, 34, small ? '' : n === undefined ? '–' : many(n, 'session'));
  text(health, 36, 49, small ? '' : healthText[v.health] ?? count(0));
}
