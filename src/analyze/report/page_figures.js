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

// Points, medians and quartiles of series {name, at(run, k) -> {y, sign}} over a cell.
function collect(cell, step, series) {
  const points = [], middle = [];
  for (const s of series)
    for (let k = 0; k < step.length; k++) {
      const values = [], signs = [];
      for (const run of counted(cell)) {
        const p = s.at(run, k);
        if (p === null || step[k] === null) continue;
        points.push({s: s.name, r: run, x: step[k], y: p.y});
        values.push(p.y);
        signs.push(p.sign);
      }
      if (!values.length) continue;
      const count = sign => signs.filter(x => x === sign).length, above = count(1), below = count(-1);
      middle.push(Object.assign(spread(values), {s: s.name, x: step[k], above, below, open: count(0), size: 26,
        clear: 2 * Math.max(above, below) > signs.length}));
    }
  points.sort((a, b) => a.r - b.r || a.x - b.x);
  return {points, middle};
}

// Limits that hold all medians, quartiles and zero; single seeds stretch them by so much at most.
function limitsOf(sets, zero) {
  const mid = sets.flatMap(s => s.middle), all = sets.flatMap(s => s.points);
  if (!mid.length) return {xlo: 0, xhi: 1, ylo: 0, yhi: 1};
  let lo = Math.min(...mid.map(m => m.lo)), hi = Math.max(...mid.map(m => m.hi));
  if (zero) { lo = Math.min(lo, 0); hi = Math.max(hi, 0); }
  const room = (hi - lo || 1) * 0.5;
  let least = lo, most = hi;
  for (const p of all) { least = Math.min(least, p.y); most = Math.max(most, p.y); }
  lo = Math.max(least, lo - room);
  hi = Math.min(most, hi + room);
  const margin = 0.04 * (hi - lo || 1);
  const end = Math.max(...mid.map(m => m.x));
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

function traceSets(cells, picks, names) {
  return cells.map(cell => collect(cell, cell.step, names.map(name => {
    const component = DATA.components.indexOf(name), along = picks.along === 'auto' ? cell.along : picks.along;
    return {name, at: (run, k) => pointOf(run, component, k, along, picks.scale)};
  })));
}

function drawTraces(figure, picks) {
  const cells = DATA.cells.filter(c => isShown(c, picks) && counted(c).length);
  const names = TRACE_SERIES.filter(s => figure.on.has(s)), sets = traceSets(cells, picks, names);
  const limits = sets.map(s => limitsOf([s], true)), size = figure.size(cells.length, 2);
  figure.rows = [];
  cells.forEach((cell, i) => {
    const alike = sets.filter((_, j) => cells[j].method === cell.method);
    const l = picks.axis === 'own' ? limits[i] : limitsOf(alike, true);
    figure.rows.push(...rowsOf(cell.label, sets[i].middle));
    figure.add({spec: 'lines', title: `${cell.label} (${counted(cell).length} seeds)`, width: size.width, height: 250,
      label: `G along training of ${cell.label}; the numbers are in the table below`,
      signals: {limits: l, names, colours: names.map(n => COLOUR[n] || 'var(--c7)'), dashes: names.map(n => DASH[n] || SOLID),
        xtitle: 'training step', ytitle: YTITLE[picks.scale]},
      data: {points: sets[i].points, middle: sets[i].middle, band: picks.band === 'quartiles' ? sets[i].middle : [],
        guides: [{x: l.xlo, x2: l.xhi, y: 0, y2: 0, dash: SOLID}]},
      hover: hoverOf(sets[i].middle, names)});
  });
  figure.head = ROW_HEAD;
}

// ---- positive against negative ----

function drawPhase(figure, picks) {
  const at = name => DATA.components.indexOf(name);
  figure.rows = [];
  figure.head = ['runs', 'step', 'pos, median', 'neg, median'];
  for (const method of METHODS) {
    const cells = DATA.cells.filter(c => c.method === method && counted(c).length && figure.on.has(c.variant));
    const points = [], middle = [], ends = [];
    for (const cell of cells) {
      const along = picks.along === 'auto' ? cell.along : picks.along, name = cell.label;
      const own = [];
      cell.step.forEach((step, k) => {
        const pairs = counted(cell).map(run => [pointOf(run, at('pos'), k, along, picks.scale), pointOf(run, at('neg'), k, along, picks.scale), run])
          .filter(p => p[0] && p[1]);
        if (!pairs.length) return;
        for (const [p, n, run] of pairs) if (picks.seeds === 'thin') points.push({s: name, r: run, x: p.y, y: n.y, k});
        const x = spread(pairs.map(p => p[0].y)).y, y = spread(pairs.map(p => p[1].y)).y;
        own.push({s: name, x, y, k, step, clear: own.length === 0, size: own.length ? 14 : 70});
      });
      if (!own.length) continue;
      own[own.length - 1].size = 50;
      middle.push(...own);
      figure.rows.push(...own.map(m => [cell.label, String(m.step), digits(m.x), digits(m.y)]));
    }
    if (!middle.length) continue;
    points.sort((a, b) => a.r - b.r || a.k - b.k);
    const seen = middle.concat(points), reach = seen.flatMap(p => [p.x, p.y]);
    let lo = Math.min(0, ...middle.flatMap(p => [p.x, p.y])), hi = Math.max(0, ...middle.flatMap(p => [p.x, p.y]));
    const room = 0.35 * (hi - lo);
    lo = Math.max(Math.min(...reach), lo - room) - 0.04 * (hi - lo);
    hi = Math.min(Math.max(...reach), hi + room) + 0.04 * (hi - lo);
    const first = middle.find(m => m.size === 70);
    ends.push({x: first.x, y: first.y, text: 'start', dx: 8, dy: -6, align: 'left'},
      {x: hi, y: hi, text: 'pos = neg', dx: -8, dy: 16, align: 'right'});
    const names = cells.map(c => c.label), size = figure.size(METHODS.length, 2);
    figure.add({spec: 'lines', title: method, width: Math.min(size.width, 560), height: Math.min(size.width, 560) * 0.8,
      label: `G of pos against G of neg along training, ${method}`,
      signals: {limits: {xlo: lo, xhi: hi, ylo: lo, yhi: hi}, names, colours: cells.map(c => variantColour[c.variant]),
        dashes: names.map(() => SOLID), xtitle: `pos: ${YTITLE[picks.scale]} of positive learning`, ytitle: `neg: ${YTITLE[picks.scale]} of negative learning`},
      data: {points, middle, band: [], ends,
        guides: [{x: lo, x2: hi, y: 0, y2: 0, dash: SOLID}, {x: 0, x2: 0, y: lo, y2: hi, dash: SOLID}, {x: lo, x2: hi, y: lo, y2: hi, dash: [4, 3]}]}});
  }
}

// ---- paired differences ----

function drawForest(figure) {
  figure.rows = DATA.compare.map(r => [r.label, r.baseline, r.metric, String(r.n), digits(r.mean), digits(r.lo), digits(r.hi), digits(r.p), r.words]);
  figure.head = ['runs', 'baseline', 'metric', 'pairs', 'mean', 'from', 'to', 'p', 'verdict'];
  const metrics = unique(DATA.compare.map(r => r.metric)), size = figure.size(metrics.length, 2);
  for (const metric of metrics) {
    const rows = DATA.compare.filter(r => r.metric === metric);
    const ends = rows.flatMap(r => [r.mean, r.lo, r.hi]).filter(x => x !== null).concat([0]);
    const lo = Math.min(...ends), hi = Math.max(...ends), room = 0.05 * (hi - lo || 1);
    figure.add({spec: 'forest', title: metric, width: size.width, height: 64 + 26 * rows.length,
      signals: {limits: {xlo: lo - room, xhi: hi + room}, xtitle: 'difference from the baseline'},
      data: {rows: rows.map(r => ({row: `${r.label} − ${r.baseline}`, x: r.mean, lo: r.lo === null ? lo - room : r.lo, hi: r.hi === null ? hi + room : r.hi,
        colour: r.sure ? 'var(--c2)' : 'var(--c1)', sure: r.sure,
        label: `${r.label} less ${r.baseline}\n${metric}: ${digits(r.mean)} [${digits(r.lo)}, ${digits(r.hi)}]\np = ${digits(r.p)}, ${r.n} pairs\n${r.words}`}))}});
  }
}

// ---- what it came to ----

function scatterOf(figure, xname, yname, guide) {
  const mx = DATA.metrics[xname], my = DATA.metrics[yname];
  if (!mx || !my) return;
  const points = [], middle = [], names = [];
  DATA.cells.forEach(cell => {
    if (!figure.on.has(cell.variant)) return;
    names.push(cell.label);
    const have = counted(cell).filter(r => mx.value[r] !== null && my.value[r] !== null);
    for (const r of have)
      points.push({s: cell.label, x: mx.value[r], y: my.value[r], shape: ['circle', 'triangle-up', 'square', 'diamond', 'cross'][METHODS.indexOf(cell.method) % 5],
        label: `${cell.label}, seed ${DATA.seed[r]}\n${mx.title} ${digits(mx.value[r])}\n${my.title} ${digits(my.value[r])}`});
    if (!have.length) return;
    const x = spread(have.map(r => mx.value[r])), y = spread(have.map(r => my.value[r]));
    middle.push({s: cell.label, x: x.y, y: y.y, xlo: x.lo, xhi: x.hi, ylo: y.lo, yhi: y.hi});
    figure.rows.push([cell.label, mx.title + ' / ' + my.title, digits(x.y), digits(y.y), String(have.length)]);
  });
  if (!points.length) return;
  const range = f => { const v = points.map(f), lo = Math.min(...v), hi = Math.max(...v), m = 0.05 * (hi - lo || 1); return [lo - m, hi + m]; };
  const [xlo, xhi] = range(p => p.x), [ylo, yhi] = range(p => p.y), size = figure.size(2, 2);
  figure.add({spec: 'scatter', title: `${my.title} against ${mx.title}`, width: size.width, height: 320,
    signals: {limits: {xlo, xhi, ylo, yhi}, names: DATA.cells.map(c => c.label), colours: DATA.cells.map(c => variantColour[c.variant]),
      xtitle: mx.title + (guide || ''), ytitle: my.title},
    data: {points, middle, guides: []}});
}

function drawScatter(figure) {
  figure.rows = [];
  figure.head = ['runs', 'metrics', 'median of x', 'median of y', 'seeds'];
  scatterOf(figure, 'kl_ref', DATA.metrics.score ? 'score' : 'reward_final', ', nat');
  scatterOf(figure, 'length', DATA.metrics.score ? 'score' : 'reward_final', ', tokens');
}

// ---- training curves ----

function drawCurves(figure, picks) {
  figure.rows = [];
  figure.head = ROW_HEAD;
  for (const name in CURVES) {
    if (picks.curve !== 'all' && picks.curve !== name) continue;
    for (const method of METHODS) {
      const cells = DATA.cells.filter(c => c.method === method && counted(c).length && figure.on.has(c.variant));
      const sets = cells.map(cell => collect(cell, cell[DATA.curves[name].at],
        [{name: cell.label, at: (run, k) => { const y = CURVES[name].value(run, k); return y === null ? null : {y, sign: null}; }}]));
      const points = sets.flatMap(s => s.points), middle = sets.flatMap(s => s.middle);
      if (!middle.length) continue;
      middle.forEach(m => { m.size = 0; });
      const names = cells.map(c => c.label), l = limitsOf(sets, false), size = figure.size(3, 3);
      figure.rows.push(...rowsOf(DATA.curves[name].title, middle));
      figure.add({spec: 'lines', title: `${method}: ${DATA.curves[name].title}`, width: size.width, height: 190,
        signals: {limits: l, names, colours: cells.map(c => variantColour[c.variant]), dashes: names.map(() => SOLID), xtitle: 'training step', ytitle: ''},
        data: {points: picks.seeds === 'thin' ? points : [], middle, band: [], guides: []}, hover: hoverOf(middle, names)});
    }
  }
}
