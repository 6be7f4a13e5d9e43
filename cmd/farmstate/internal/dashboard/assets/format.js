// Numbers, sizes and times as people read them.

const whole = new Intl.NumberFormat('en-GB', {maximumFractionDigits: 0});
const short = new Intl.NumberFormat('en-GB', {maximumFractionDigits: 1});

export const count = n => whole.format(n);

// many(2, 'session') is "2 sessions".
export const many = (n, noun, plural = noun + 's') => `${count(n)} ${n === 1 ? noun : plural}`;

// rate is a number per second; small ones keep a digit.
export const rate = n => (n < 10 ? short : whole).format(n);

export function bytes(n) {
  if (!(n >= 0)) return '–';
  let unit = 'B';
  for (const next of ['KiB', 'MiB', 'GiB', 'TiB']) {
    if (n < 1024) break;
    n /= 1024;
    unit = next;
  }
  return `${(n < 10 && unit !== 'B' ? short : whole).format(n)} ${unit}`;
}

// duration of so many seconds, from microseconds to days.
export function duration(s) {
  if (!(s >= 0)) return '–';
  if (s === 0) return '0 s';
  if (s < 1e-3) return `${whole.format(s * 1e6)} µs`;
  if (s < 1) return `${(s < 1e-2 ? short : whole).format(s * 1e3)} ms`;
  if (s < 10) return `${short.format(s)} s`;
  if (s < 120) return `${whole.format(s)} s`;
  if (s < 7200) return `${whole.format(Math.floor(s / 60))} min`;
  if (s < 172800) return `${whole.format(Math.floor(s / 3600))} h`;
  return `${whole.format(Math.floor(s / 86400))} d`;
}

export const percent = share => `${whole.format(Math.floor(share * 100))} %`;

// clock is the time of day here, HH:MM:SS.
export function clock(time) {
  const t = new Date(time);
  return isNaN(t) ? '–' : t.toLocaleTimeString('en-GB');
}
