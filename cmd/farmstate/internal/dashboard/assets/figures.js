// The figures of nodes and of the farm, and how they have changed: counters only grow, so what happens now is the difference between two polls.

const memory = 5 * 60; // seconds that are kept

const sum = numbers => Object.values(numbers ?? {}).reduce((a, b) => a + b, 0);

// counters of a node, by name.
function counters(n) {
  const s = n.status;
  const ops = Object.values(s.operations ?? {});
  return {
    requests: ops.reduce((all, outcomes) => all + sum(outcomes), 0),
    refused: s.operations?.set?.refused ?? 0,
    nearMisses: sum(s.near_misses),
    moves: s.sessions.arrived + s.sessions.left,
    locksLeft: s.sessions.locks_left,
  };
}

// buckets of a node's latencies, all operations together: counts by upper bound.
function buckets(n) {
  const all = new Map();
  for (const l of Object.values(n.status.latency ?? {})) {
    for (const b of l.buckets ?? []) all.set(b.le, (all.get(b.le) ?? 0) + b.count);
  }
  return all;
}

const difference = (now, before) => new Map([...now].map(([le, n]) => [le, Math.max(0, n - (before.get(le) ?? 0))]).filter(([, n]) => n > 0));

// add sums histograms up.
export function add(histograms) {
  const all = new Map();
  for (const h of histograms) for (const [le, n] of h) all.set(le, (all.get(le) ?? 0) + n);
  return all;
}

// quantile is the upper bound of the bucket with so many of all below it; NaN if there are none.
export function quantile(h, q) {
  const sorted = [...h].sort((a, b) => a[0] - b[0]);
  const total = sorted.reduce((n, b) => n + b[1], 0);
  let seen = 0;
  for (const [le, n] of sorted) {
    seen += n;
    if (seen >= q * total) return le;
  }
  return NaN;
}

const missing = n => n.farm.copies.short ?? 0; // a node of another version may not tell

const brief = 2.5; // seconds

// locks are those that are worth a look. A node walks round its sessions in 2 s, and then the locks that it has met count as held since: most were given back at once.
export const locks = n => (n.survey.locks ?? []).filter(l => l.age_seconds - n.survey.age_seconds >= brief);

// state is what a node has at this moment.
function state(n) {
  const s = n.status;
  return {
    sessions: s.sessions.count, bytes: s.sessions.memory_bytes, limit: s.sessions.memory_limit_bytes,
    locked: s.sessions.locked, longest: locks(n)[0]?.age_seconds ?? 0,
    waiting: s.sessions.lock_waiters + s.sessions.queued_requests, connections: s.connections.open, connectionsMax: s.connections.max, missing: missing(n),
  };
}

const rates = ['requests', 'moves', 'refused', 'nearMisses', 'locksLeft'];
const states = ['sessions', 'bytes', 'limit', 'locked', 'waiting', 'connections', 'connectionsMax', 'missing'];

// Track remembers one node.
class Track {
  constructor() {
    this.before = null;
    this.now = null; // figures: states, counters as total, rates per second, histogram
    this.recent = []; // {at, counters}
  }

  take(n) {
    const at = Date.parse(n.status.now) / 1000;
    const c = counters(n);
    const h = buckets(n);
    if (this.before && (this.before.started !== n.status.started || at < this.before.at)) {
      this.before = null;
      this.recent = [];
    }
    if (this.before && at === this.before.at) return; // the same picture once more
    const figures = {...state(n), total: c, per: {}, grown: {}, histogram: new Map(), seconds: 0};
    // A session counts before its copy is made, so what is missing for a moment only is not missing.
    figures.missingNow = figures.missing;
    figures.missing = Math.min(figures.missing, this.now?.missingNow ?? 0);
    if (this.before) {
      figures.seconds = at - this.before.at;
      for (const name of rates) figures.per[name] = Math.max(0, c[name] - this.before.c[name]) / figures.seconds;
      figures.histogram = difference(h, this.before.h);
    }
    this.recent.push({at, c});
    while (this.recent[0].at < at - memory) this.recent.shift();
    for (const name of rates) figures.grown[name] = c[name] - this.recent[0].c[name];
    this.before = {at, c, h, started: n.status.started};
    this.now = figures;
  }
}

// together is the sum of nodes' figures.
export function together(all) {
  const total = {longest: 0, total: {}, per: {}, grown: {}, seconds: 0, histogram: add(all.map(f => f.histogram))};
  for (const name of states) total[name] = all.reduce((n, f) => n + f[name], 0);
  if (all.some(f => f.limit === 0)) total.limit = 0; // one without a limit
  for (const name of rates) {
    for (const kind of ['total', 'per', 'grown']) total[kind][name] = all.reduce((n, f) => n + (f[kind][name] ?? 0), 0);
  }
  for (const f of all) {
    total.longest = Math.max(total.longest, f.longest);
    total.seconds = Math.max(total.seconds, f.seconds);
  }
  return total;
}

// History is the figures of all nodes and of the farm ('') for the last minutes.
export class History {
  constructor() {
    this.tracks = new Map();
    this.lines = new Map(); // by node: [{at, ...figures}]
  }

  take(nodes, at) {
    const living = [];
    for (const v of nodes) {
      if (!v.node) continue;
      if (!this.tracks.has(v.id)) this.tracks.set(v.id, new Track());
      const track = this.tracks.get(v.id);
      track.take(v.node);
      living.push(track.now);
      this.note(v.id, track.now, at);
    }
    this.note('', together(living), at);
    const known = new Set(nodes.map(v => v.id));
    for (const id of [...this.tracks.keys()]) {
      if (known.has(id)) continue;
      this.tracks.delete(id);
      this.lines.delete(id);
    }
  }

  note(id, figures, at) {
    if (!this.lines.has(id)) this.lines.set(id, []);
    const line = this.lines.get(id);
    line.push({...figures, at, p50: quantile(figures.histogram, 0.5), p99: quantile(figures.histogram, 0.99)});
    while (line[0].at < at - memory * 1000) line.shift();
  }

  line(id) { return this.lines.get(id) ?? []; }

  now(id) { return this.line(id).at(-1) ?? null; }
}
