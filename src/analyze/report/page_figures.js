// The figures: what is drawn for what is picked.
const COLOUR = {total: 'var(--c0)', pos: 'var(--c1)', neg: 'var(--c2)', pos_minus_neg: 'var(--c3)',
  total_flat: 'var(--c0)', pos_flat: 'var(--c1)', neg_flat: 'var(--c2)', top: 'var(--c3)', mid: 'var(--c5)', bot: 'var(--c6)',
  rand1: 'var(--c7)', rand2: 'var(--c7)', rand3: 'var(--c7)', nll: 'var(--c4)', kl: 'var(--c5)', entropy: 'var(--c6)',
  value: 'var(--c4)', raw: 'var(--c3)', shuffled: 'var(--c7)', sft_chosen: 'var(--c4)'};
const SOLID = [1, 0];
const DASH = {neg: [7, 3], neg_flat: [7, 3], bot: [7, 3], rand2: [7, 3], rand3: [2, 2], shuffled: [7, 3], pos_flat: [3, 2], total_flat: [3, 2]};
const PALETTE = ['var(--c1)', 'var(--c2)', 'var(--c3)', 'var(--c4)', 'var(--c5)', 'var(--c6)', 'var(--c0)', 'var(--c7)'];
const TITLE = {total: 'total: the whole loss', pos: 'pos: positive learning', neg: 'neg: negative learning', pos_minus_neg: 'pos − neg'};
const YTITLE = {scaled: 'G/‖v‖', G: 'G', cosine: 'cosine'};
const unique = list => [...new Set(list)];
const METHODS = unique(DATA.cells.map(c => c.method)), VARIANTS = unique(DATA.cells.map(c => c.variant));
const variantColour = Object.fromEntries(VARIANTS.map((v, i) => [v, PALETTE[i % PALETTE.length]]));

// Of series {name, at(run, k) -> {y, sign}} over a cell: medians and quartiles at each step.
function middleOf(cell, step, series) {
  const middle = [], runs = counted(cell);
  for (const s of series)
    for (let k = 0; k < step.length; k++) {
      if (step[k] === null) continue;
      const found = runs.map(run => s.at(run, k)).filter(p => p !== null);
      if (!found.length) continue;
      const count = sign => found.reduce((n, p) => n + (p.sign === sign), 0), above = count(1), below = count(-1);
      middle.push(Object.assign(spread(found.map(p => p.y)), {s: s.name, x: step[k], above, below, open: count(0), size: 26,
        clear: 2 * Math.max(above, below) > found.length}));
    }
  return middle;
}

// And every seed, as lines.
function pointsOf(cell, step, series) {
  const points = [];
  for (const run of counted(cell))
    for (const s of series)
      step.forEach((x, k) => {
        const p = x === null ? null : s.at(run, k);
        if (p !== null) points.push({s: s.name, r: run, x, y: p.y});
      });
  return points.sort((a, b) => a.r - b.r || a.x - b.x);
}

// Limits that hold all medians, quartiles and zero; single seeds stretch them by so much at most.
function limitsOf(mid, zero) {
  if (!mid.length) return {xlo: 0, xhi: 1, ylo: 0, yhi: 1};
  let lo = Infinity, hi = -Infinity, end = 0;
  for (const m of mid) { lo = Math.min(lo, m.lo); hi = Math.max(hi, m.hi); end = Math.max(end, m.x); }
  if (zero) { lo = Math.min(lo, 0); hi = Math.max(hi, 0); }
  const room = (hi - lo || 1) * 0.5;
  let least = lo, most = hi;
  for (const m of mid) { least = Math.min(least, m.least); most = Math.max(most, m.most); }
  lo = Math.max(least, lo - room);
  hi = Math.min(most, hi + room);
  const margin = 0.04 * (hi - lo || 1);
  return {xlo: -0.012 * end, xhi: 1.012 * end, ylo: lo - margin, yhi: hi + margin};
}

const isShown = (cell, picks) =>
  (picks.method === 'all' || cell.method === picks.method) && (picks.variant === 'all' || cell.variant === picks.variant);

function hoverOf(middle, names) {
  const xs = unique(middle.map(m => m.x)).sort((a, b) => a - b);
  return x => {
    if (!xs.length) return null;
    const near = xs.reduce((a, b) => Math.abs(b - x) < Math.abs(a - x) ? b : a);
    const rows = names.map(n => middle.find(m => m.s === n && m.x === near)).filter(Boolean).map(m => [m.s, digits(m.y),
      digits(m.least) + ' … ' + digits(m.most),
      m.above + m.below + m.open ? `${m.above} above, ${m.open} unclear, ${m.below} below` : String(m.n)]);
    return rows.length ? {x: near, content: tableOf(['step ' + near, 'median', 'least … most', 'seeds'], rows)} : null;
  };
}

const rowsOf = (title, middle) => middle.map(m => [title, m.s, String(m.x), digits(m.y), digits(m.lo), digits(m.hi),
  digits(m.least), digits(m.most), String(m.n), m.above + m.below + m.open ? `${m.above}/${m.open}/${m.below}` : '']);
const ROW_HEAD = ['runs', 'series', 'step', 'median', 'quartile', 'quartile', 'least', 'most', 'seeds', 'above/unclear/below'];

// ---- G along training ----

const TRACE_SERIES = ['total', 'pos', 'neg', 'pos_minus_neg'].concat(
  DATA.components.filter(c => !['total', 'pos', 'neg', 'pos_minus_neg'].includes(c))).filter(c => DATA.components.includes(c));

function traceSeries(cell, picks, names) {
  const along = picks.along === 'auto' ? cell.along : picks.along;
  return names.map(name => ({name, at: (run, k) => pointOf(run, name, k, along, picks.scale)}));
}

// The simultaneous band of the mean of G over the norm of v; elsewhere there is none.
function bandOf(cell, names, picks) {
  const out = [], along = picks.along === 'auto' ? cell.along : picks.along;
  if (picks.scale !== 'scaled' || along !== cell.along) return out;
  for (const s of names.filter(n => BANDED.includes(n))) {
    const row = DATA.cells.indexOf(cell) * BANDED.length + BANDED.indexOf(s);
    cell.step.forEach((x, k) => {
      const [y, lo, hi] = ['mean', 'lo', 'hi'].map(n => block('band-' + n).value(row, k));
      if (lo !== null && hi !== null) out.push({s, x, y, lo, hi, size: 26, clear: lo > 0 || hi < 0});
    });
  }
  return out;
}

function drawTraces(figure, picks) {
  const cells = DATA.cells.filter(c => isShown(c, picks) && counted(c).length);
  const names = TRACE_SERIES.filter(s => figure.on.has(s)), series = cells.map(c => traceSeries(c, picks, names));
  const middles = cells.map((c, i) => middleOf(c, c.step, series[i]));
  const size = figure.size(cells.length, 2), shared = {};
  for (const method of METHODS) shared[method] = limitsOf(middles.filter((_, i) => cells[i].method === method).flat(), true);
  figure.head = ROW_HEAD;
  cells.forEach((cell, i) => figure.add({spec: 'lines', title: `${cell.label} (${counted(cell).length} seeds)`,
    width: size.width, height: 250, label: `G along training of ${cell.label}; the numbers are in the table below`,
    build() {
      const middle = middles[i], band = picks.band === 'all' ? bandOf(cell, names, picks) : picks.band === 'quartiles' ? middle : [];
      const l = picks.axis === 'own' ? limitsOf(middle, true) : shared[cell.method];
      return {
        signals: {limits: l, names, colours: names.map(n => COLOUR[n] || 'var(--c7)'), dashes: names.map(n => DASH[n] || SOLID),
          xtitle: 'training step', ytitle: YTITLE[picks.scale]},
        data: {points: pointsOf(cell, cell.step, series[i]), middle: picks.band === 'all' && band.length ? band : middle, band,
          guides: [{x: l.xlo, x2: l.xhi, y: 0, y2: 0, dash: SOLID}]},
        rows: rowsOf(cell.label, middle), hover: hoverOf(middle, names)};
    }}));
}

// ---- positive against negative ----

// The medians of pos and neg of cells along training, and of each seed.
function phaseOf(cells, picks) {
  const points = [], middle = [];
  for (const cell of cells) {
    const along = picks.along === 'auto' ? cell.along : picks.along, own = [];
    cell.step.forEach((step, k) => {
      const value = (run, name) => pointOf(run, name, k, along, picks.scale);
      const pairs = counted(cell).map(run => [value(run, 'pos'), value(run, 'neg'), run]).filter(p => p[0] && p[1]);
      if (!pairs.length) return;
      for (const [p, n, run] of pairs) points.push({s: cell.label, r: run, x: p.y, y: n.y, k});
      own.push({s: cell.label, x: spread(pairs.map(p => p[0].y)).y, y: spread(pairs.map(p => p[1].y)).y, k, step,
        clear: own.length > 0, size: own.length ? 14 : 50});
    });
    if (own.length) Object.assign(own[own.length - 1], {size: 70, clear: true});
    middle.push(...own);
  }
  points.sort((a, b) => a.r - b.r || a.k - b.k);
  return {points: picks.seeds === 'thin' ? points : [], middle};
}

// A square around the medians, with room for the seeds, in which zero stands.
function squareOf(middle, points) {
  let lo = 0, hi = 0, least = 0, most = 0;
  for (const p of middle) { lo = Math.min(lo, p.x, p.y); hi = Math.max(hi, p.x, p.y); }
  for (const p of points.concat(middle)) { least = Math.min(least, p.x, p.y); most = Math.max(most, p.x, p.y); }
  const room = 0.35 * (hi - lo || 1), margin = 0.04 * (hi - lo || 1);
  return [Math.max(least, lo - room) - margin, Math.min(most, hi + room) + margin];
}

function drawPhase(figure, picks) {
  figure.head = ['runs', 'step', 'pos, median', 'neg, median'];
  for (const method of METHODS) {
    const cells = DATA.cells.filter(c => c.method === method && counted(c).length && figure.on.has(c.variant));
    if (!cells.length) continue;
    const names = cells.map(c => c.label), side = Math.min(figure.size(METHODS.length, 2).width, 560);
    figure.add({spec: 'lines', title: method, width: side, height: side * 0.8, label: `G of pos against G of neg along training, ${method}`, build() {
      const {points, middle} = phaseOf(cells, picks), [lo, hi] = squareOf(middle, points), first = middle[0];
      return {
        signals: {limits: {xlo: lo, xhi: hi, ylo: lo, yhi: hi}, names, colours: cells.map(c => variantColour[c.variant]),
          dashes: names.map(() => SOLID), xtitle: `pos: ${YTITLE[picks.scale]} of positive learning`, ytitle: `neg: ${YTITLE[picks.scale]} of negative learning`},
        data: {points, middle, band: [],
          ends: (first ? [{x: first.x, y: first.y, text: 'start', dx: 8, dy: -6, align: 'left'}] : [])
            .concat([{x: hi, y: hi, text: 'pos = neg', dx: -8, dy: 16, align: 'right'}]),
          guides: [{x: lo, x2: hi, y: 0, y2: 0, dash: SOLID}, {x: 0, x2: 0, y: lo, y2: hi, dash: SOLID}, {x: lo, x2: hi, y: lo, y2: hi, dash: [4, 3]}]},
        rows: middle.map(m => [m.s, String(m.step), digits(m.x), digits(m.y)])};
    }});
  }
}

// ---- paired differences ----

function drawForest(figure) {
  figure.head = ['runs', 'baseline', 'metric', 'pairs', 'mean', 'from', 'to', 'p', 'verdict'];
  const metrics = unique(DATA.compare.map(r => r.metric)), size = figure.size(metrics.length, 2);
  for (const metric of metrics) {
    const rows = DATA.compare.filter(r => r.metric === metric);
    const ends = rows.flatMap(r => [r.mean, r.lo, r.hi]).filter(x => x !== null).concat([0]);
    const lo = Math.min(...ends), hi = Math.max(...ends), room = 0.05 * (hi - lo || 1);
    figure.add({spec: 'forest', title: metric, width: size.width, height: 64 + 26 * rows.length, build: () => ({
      signals: {limits: {xlo: lo - room, xhi: hi + room}, xtitle: 'difference from the baseline'},
      rows: rows.map(r => [r.label, r.baseline, r.metric, String(r.n), digits(r.mean), digits(r.lo), digits(r.hi), digits(r.p), r.words]),
      data: {rows: rows.map(r => ({row: `${r.label} − ${r.baseline}`, x: r.mean, lo: r.lo === null ? lo - room : r.lo, hi: r.hi === null ? hi + room : r.hi,
        colour: r.sure || r.alone ? 'var(--c2)' : 'var(--c1)', sure: r.sure,
        label: `${r.label} less ${r.baseline}\n${metric}: ${digits(r.mean)} [${digits(r.lo)}, ${digits(r.hi)}]\np = ${digits(r.p)}, ${r.n} pairs\n${r.words}`}))}})});
  }
}

// ---- what it came to ----

function scatterData(figure, mx, my) {
  const shapes = ['circle', 'triangle-up', 'square', 'diamond', 'cross'], points = [], middle = [], rows = [];
  for (const cell of DATA.cells) {
    const have = figure.on.has(cell.variant) ? counted(cell).filter(r => mx.value[r] !== null && my.value[r] !== null) : [];
    if (!have.length) continue;
    for (const r of have)
      points.push({s: cell.label, x: mx.value[r], y: my.value[r], shape: shapes[METHODS.indexOf(cell.method) % 5],
        label: `${cell.label}, seed ${DATA.seed[r]}\n${mx.title} ${digits(mx.value[r])}\n${my.title} ${digits(my.value[r])}`});
    const x = spread(have.map(r => mx.value[r])), y = spread(have.map(r => my.value[r]));
    middle.push({s: cell.label, x: x.y, y: y.y, xlo: x.lo, xhi: x.hi, ylo: y.lo, yhi: y.hi});
    rows.push([cell.label, mx.title + ' / ' + my.title, digits(x.y), digits(y.y), String(have.length)]);
  }
  return {points, middle, rows};
}

function scatterOf(figure, xname, yname, unit) {
  const mx = DATA.metrics[xname], my = DATA.metrics[yname];
  if (!mx || !my) return;
  const {points, middle, rows} = scatterData(figure, mx, my), size = figure.size(2, 2);
  if (!points.length) return;
  const range = f => { const v = points.map(f), lo = Math.min(...v), hi = Math.max(...v), m = 0.05 * (hi - lo || 1); return [lo - m, hi + m]; };
  const [xlo, xhi] = range(p => p.x), [ylo, yhi] = range(p => p.y);
  figure.add({spec: 'scatter', title: `${my.title} against ${mx.title}`, width: size.width, height: 320, build: () => ({
    signals: {limits: {xlo, xhi, ylo, yhi}, names: DATA.cells.map(c => c.label), colours: DATA.cells.map(c => variantColour[c.variant]),
      xtitle: mx.title + unit, ytitle: my.title},
    data: {points, middle, guides: []}, rows})});
}

function drawScatter(figure) {
  const worth = DATA.metrics.score ? 'score' : 'reward_final';
  figure.head = ['runs', 'metrics', 'median of x', 'median of y', 'seeds'];
  scatterOf(figure, 'kl_ref', worth, ', nat');
  scatterOf(figure, 'length', worth, ', tokens');
}

// ---- training curves ----

function drawCurves(figure, picks) {
  figure.head = ROW_HEAD;
  const size = figure.size(3, 3);
  for (const name in DATA.curves) {
    if (picks.curve !== 'all' && picks.curve !== name) continue;
    const {at, title} = DATA.curves[name], y = (run, k) => block('curve-' + name).value(run, k);
    for (const method of METHODS) {
      const cells = DATA.cells.filter(c => c.method === method && counted(c).length && figure.on.has(c.variant));
      if (!cells.some(c => c[at].filter((_, k) => counted(c).some(run => y(run, k) !== null)).length > 1)) continue;
      figure.add({spec: 'lines', title: `${method}: ${title}`, width: size.width, height: 190, build() {
        const seriesOf = cell => [{name: cell.label, at: (run, k) => y(run, k) === null ? null : {y: y(run, k), sign: null}}];
        const middle = cells.flatMap(c => middleOf(c, c[at], seriesOf(c))), names = cells.map(c => c.label);
        middle.forEach(m => { m.size = 0; });
        return {
          signals: {limits: limitsOf(middle, false), names, colours: cells.map(c => variantColour[c.variant]), dashes: names.map(() => SOLID), xtitle: 'training step', ytitle: ''},
          data: {points: picks.seeds === 'thin' ? cells.flatMap(c => pointsOf(c, c[at], seriesOf(c))) : [], middle, band: [], guides: []},
          rows: rowsOf(title, middle), hover: hoverOf(middle, names)};
      }});
    }
  }
}

// ---- spectrum ----

function drawMap(figure, size, shown, colour) {
  const S = DATA.spectrum, middle = [];
  S.cells.forEach((s, c) => {
    const own = S.map[c].map((at, k) => at && {s, x: at[0], y: at[1], k, size: 14, clear: true}).filter(Boolean);
    if (!own.length || !shown.includes(s)) return;
    Object.assign(own[0], {size: 50, clear: false});
    Object.assign(own[own.length - 1], {size: 70, clear: true});
    middle.push(...own);
  });
  if (!middle.length) return;
  const at = middle.flatMap(m => [Math.abs(m.x), Math.abs(m.y)]), end = 1.08 * at.reduce((a, b) => Math.max(a, b), 1e-9);
  const share = i => `axis ${i + 1} (${Math.round(100 * S.share[i])} % of the variance)`;
  figure.add({spec: 'lines', title: 'map of the trajectories', width: size.width, height: 340, build: () => ({
    signals: {limits: {xlo: -end, xhi: end, ylo: -end, yhi: end}, names: S.cells, colours: colour, dashes: S.cells.map(() => SOLID), xtitle: share(0), ytitle: share(1)},
    data: {points: [], middle, band: [], guides: [{x: -end, x2: end, y: 0, y2: 0, dash: SOLID}, {x: 0, x2: 0, y: -end, y2: end, dash: SOLID}]},
    rows: middle.map(m => ['map', m.s, String(m.k), digits(m.x), digits(m.y), '', '', '', '', ''])})});
}

function drawSpectrum(figure, picks) {
  const S = DATA.spectrum, shown = S.cells.filter(c => figure.on.has(c)), size = figure.size(2, 2);
  const colour = S.cells.map((_, i) => PALETTE[i % PALETTE.length]);
  figure.head = ROW_HEAD;
  drawMap(figure, size, shown, colour);
  for (const [name, title] of [['cosine', 'cosine of v with that at the start'], ['rank', 'effective rank of v up to here']]) {
    if (!S.columns[name]) continue;
    figure.add({spec: 'lines', title, width: size.width, height: 340, build() {
      const x = column(S.columns[name]);
      const of = pick => shown.flatMap(s => {
        const run = S.runs.map((_, i) => i).filter(i => S.cells[S.runs[i].cell] === s);
        return pick({run, apart: run.map(() => 0)}, run.length ? S.runs[run[0]].step : [],
          [{name: s, at: (r, k) => x.value(r, k) === null ? null : {y: x.value(r, k), sign: null}}]);
      });
      const middle = of(middleOf), l = limitsOf(middle, true);
      middle.forEach(m => { m.size = 0; });
      return {
        signals: {limits: l, names: S.cells, colours: colour, dashes: S.cells.map(() => SOLID), xtitle: 'training step', ytitle: ''},
        data: {points: picks.seeds === 'thin' ? of(pointsOf) : [], middle, band: [], guides: [{x: l.xlo, x2: l.xhi, y: 0, y2: 0, dash: SOLID}]},
        rows: rowsOf(title, middle), hover: hoverOf(middle, shown)};
    }});
  }
}
