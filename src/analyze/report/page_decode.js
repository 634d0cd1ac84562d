'use strict';
// The data of the page: columns unpacked, and the statistics that the figures need.
const DATA = JSON.parse(document.getElementById('data').textContent);
const MISSING = -32768, NO_ERROR = 255, ZERO_ERROR = 254, PER_OCTAVE = 16;

function bytes(text) {
  const raw = atob(text), out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

// A packed column: value(row, i), error(row, i), null where missing.
function column(packed) {
  const value = new Int16Array(bytes(packed.value).buffer), n = packed.n;
  const scale = new Float32Array(bytes(packed.scale).buffer);
  const error = packed.error && bytes(packed.error);
  const largest = packed.largest && new Float32Array(bytes(packed.largest).buffer);
  return {
    n,
    value(row, i) {
      const q = value[row * n + i];
      return q === undefined || q === MISSING ? null : q * scale[row];
    },
    error(row, i) {
      const e = error[row * n + i];
      return e === NO_ERROR ? null : e === ZERO_ERROR ? 0 : largest[row] * 2 ** (-e / PER_OCTAVE);
    }
  };
}

// A long column is an element of its own, decoded when it is first asked for. What the browser has
// not read yet is without values; the figures are drawn again when it has.
const BLOCKS = {}, NOTHING = {value: () => null, error: () => null};
function block(name) {
  if (BLOCKS[name]) return BLOCKS[name];
  const element = document.getElementById('data-' + name);
  const isWhole = element && (element.nextSibling || document.readyState !== 'loading');
  return isWhole ? BLOCKS[name] = column(JSON.parse(element.textContent)) : NOTHING;
}

const BANDED = ['total', 'pos', 'neg', 'pos_minus_neg'];

// One point of a run: {y, se, sign}; sign 1 above zero, -1 below, 0 unclear, null not known.
function pointOf(run, component, k, along, scale) {
  if (scale === 'cosine') {
    const at = DATA.cosine_at.indexOf(k), y = at < 0 ? null : block('cosine-' + component).value(run, at);
    return y === null ? null : {y, se: null, sign: null};
  }
  const trace = block('trace-' + along + '-' + component), y = trace.value(run, k);
  if (y === null) return null;
  const se = trace.error(run, k), norm = scale === 'G' ? block('norm-' + along).value(run, k) : 1;
  const sign = se === null ? null : y > 2 * se ? 1 : y < -2 * se ? -1 : 0;
  return {y: y * norm, se: se === null ? null : se * norm, sign};
}

function quantile(sorted, p) {
  const at = p * (sorted.length - 1), low = Math.floor(at);
  return low + 1 < sorted.length ? sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]) : sorted[low];
}

// Median, quartiles and range of numbers.
function spread(values) {
  const s = values.slice().sort((a, b) => a - b);
  return {n: s.length, y: quantile(s, 0.5), lo: quantile(s, 0.25), hi: quantile(s, 0.75), least: s[0], most: s[s.length - 1]};
}

// Replicates that count in the medians.
const counted = cell => cell.run.filter((_, i) => cell.apart[i] === 0);

function digits(x) {
  if (x === null || x === undefined || !isFinite(x)) return '–';
  const size = Math.abs(x);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? x.toExponential(2) : String(+x.toPrecision(3));
}
