// The events: of the node that is asked as they come, of the others with each poll.

import {byId, el, setAttr, setText, table} from './dom.js';
import {clock} from './format.js';

const kept = 1000;
const shown = 200;
const pause = 10000; // ms until a stream that was refused is tried again
const levels = ['debug', 'info', 'warn', 'error'];

// Events collects them. changed is called when there are new ones.
export class Events {
  constructor(changed) {
    this.changed = changed;
    this.known = new Map();
    this.list = []; // the latest first
    this.self = null; // the node that is asked
    this.early = []; // what came before that was known
    this.level = 'info';
    this.paused = false;
    this.stream = null;
  }

  put(node, e) {
    const key = `${node.key} ${e.id} ${e.time}`;
    if (this.known.has(key)) return;
    const one = {...e, key, at: Date.parse(e.time), node: node.key, label: node.label};
    this.known.set(key, one);
    this.list.push(one);
  }

  settle() {
    this.list.sort((a, b) => b.at - a.at || b.id - a.id);
    for (const e of this.list.splice(kept)) this.known.delete(e.key);
  }

  // take has the events of a poll.
  take(nodes) {
    this.self = nodes.find(v => v.self) ?? nodes[0] ?? null;
    for (const e of this.early.splice(0)) this.put(this.self, e);
    for (const v of nodes) for (const e of v.node?.events ?? []) this.put(v, e);
    const labels = new Map(nodes.map(v => [v.key, v.label]));
    for (const e of this.list) e.label = labels.get(e.node) ?? e.label;
    this.settle();
  }

  // follow opens the stream. The browser opens it again when it breaks, but not when it is refused.
  follow() {
    this.stream?.close();
    const stream = new EventSource(`/api/v1/events?level=${this.level === 'debug' ? 'debug' : 'info'}&recent=200`);
    this.stream = stream;
    stream.onmessage = m => {
      const e = JSON.parse(m.data);
      if (!this.self) {
        if (this.early.length < kept) this.early.push(e);
        return;
      }
      this.put(this.self, e);
      this.settle();
      this.changed();
    };
    stream.onerror = () => {
      if (stream.readyState !== EventSource.CLOSED) return;
      setTimeout(() => { if (this.stream === stream) this.follow(); }, pause);
    };
  }

  start() {
    byId('event-level').addEventListener('change', e => {
      const before = this.level;
      this.level = e.target.value;
      if ((before === 'debug') !== (this.level === 'debug')) this.follow();
      this.draw(true);
    });
    byId('event-text').addEventListener('input', () => this.draw(true));
    byId('event-pause').addEventListener('click', e => {
      this.paused = !this.paused;
      setAttr(e.target, 'aria-pressed', String(this.paused));
      setText(e.target, this.paused ? 'Go on' : 'Pause');
      this.draw(true);
    });
    this.follow();
  }

  // draw shows those that the filters let pass. While paused, only a change of the filters does.
  draw(asked = false) {
    if (this.paused && !asked) {
      const fresh = this.list.length > 0 ? this.list.filter(e => e.at > this.upTo).length : 0;
      setText(byId('events-note'), `paused; ${fresh} more since`);
      return;
    }
    if (!this.paused || this.upTo === undefined) this.upTo = this.list[0]?.at ?? 0;
    const least = levels.indexOf(this.level);
    const wanted = byId('event-text').value.trim().toLowerCase();
    const rows = this.list.filter(e => e.at <= this.upTo && levels.indexOf(e.level) >= least && (!wanted || text(e).toLowerCase().includes(wanted))).slice(0, shown);
    setText(byId('events-note'), `${this.paused ? 'paused; ' : ''}${rows.length} shown${this.level === 'debug' ? '; those of the level debug come from the asked node alone' : ''}`);
    table(byId('events'), 'Events', [
      {title: 'Time', value: e => clock(e.time)},
      {title: 'Level', cell: (td, e) => {
        setText(td, e.level);
        setAttr(td, 'class', `level ${e.level}`);
      }},
      {title: 'Node', value: e => e.label}, {title: 'Event', value: e => e.event},
      {title: 'What has happened', cell: (td, e) => {
        if (!td.firstChild) td.append(el('span'), ' ', el('span', {class: 'attributes'}));
        setText(td.children[0], e.text);
        setText(td.children[1], attributes(e));
      }},
    ], rows, e => e.key, 'No event passes the filter.');
  }
}

const attributes = e => Object.entries(e.attrs ?? {}).map(([name, value]) => `${name}=${value}`).join('  ');
const text = e => `${e.event} ${e.text} ${e.label} ${attributes(e)}`;
