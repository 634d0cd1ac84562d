// The page: pickers, legends, theme, and when figures are drawn.
const FIGURES = [];
const MOST_AT_ONCE = 6;  // the others of a figure are drawn when they come into view

class Figure {
  // {id, draw, legend: [{name, title, colour, dash}], on: [names], pickers: [{name, title, options: [[value, text]]}]}
  constructor(f) {
    Object.assign(this, f);
    this.section = document.getElementById(f.id);
    this.panels = [];
    this.head = [];
    this.on = new Set(f.on);
    this.picks = Object.fromEntries(f.pickers.map(p => [p.name, p.options[0][0]]));
    this.all = f.legend;
    this.grid = make('div', {class: 'panels'});
    this.numbers = make('details', {}, make('summary', {}, 'The numbers of this figure'));
    this.numbers.addEventListener('toggle', () => this.list());
    const still = this.section.querySelector('.static');
    if (still) still.remove();
    this.section.querySelector('h2').after(this.bar(), this.keys(), this.grid);
    this.section.append(this.numbers);
    FIGURES.push(this);
  }
  bar() {
    const bar = make('div', {class: 'pickers'});
    for (const p of this.pickers) {
      if (p.options.length < 2) continue;
      const select = make('select', {'data-pick': p.name, onchange: e => { this.picks[p.name] = e.target.value; this.change(); }},
        ...p.options.map(([value, text]) => make('option', {value}, text)));
      bar.append(make('label', {}, p.title + ' ', select));
    }
    bar.append(make('button', {type: 'button', onclick: () => saveSvg(this)}, 'SVG'),
      make('button', {type: 'button', onclick: () => savePng(this)}, 'PNG'));
    return bar;
  }
  keys() {
    const box = make('div', {class: 'legend', role: 'group', 'aria-label': 'shown lines'});
    for (const l of this.all) {
      const button = make('button', {type: 'button', 'aria-pressed': String(this.on.has(l.name)), 'data-series': l.name, onclick: () => {
        if (this.on.has(l.name)) this.on.delete(l.name); else this.on.add(l.name);
        button.setAttribute('aria-pressed', String(this.on.has(l.name)));
        this.change();
      }});
      const mark = document.createElementNS(SVG_NS, 'svg'), line = document.createElementNS(SVG_NS, 'line');
      for (const [k, v] of Object.entries({x1: 0, x2: 26, y1: 5, y2: 5, 'stroke-width': 2.6, 'stroke-dasharray': l.dash === SOLID ? 'none' : l.dash}))
        line.setAttribute(k, v);
      line.style.stroke = l.colour;
      mark.append(line);
      button.append(mark, l.title);
      box.append(button);
    }
    return box;
  }
  size(n, most) {
    const room = this.section.clientWidth || 1140;
    this.columns = Math.max(1, Math.min(most, n, Math.floor(room / 330)));
    this.grid.style.gridTemplateColumns = `repeat(${this.columns}, minmax(0, 1fr))`;
    return {width: Math.floor(room / Math.max(this.columns, Math.min(most, 2))) - 10};
  }
  add(chart) {
    this.panels.push(new Panel(chart));
  }
  get inView() {
    const box = this.section.getBoundingClientRect();
    return box.top < 2 * innerHeight && box.bottom > -innerHeight;
  }
  change() {
    this.isChanged = true;
    this.show();
  }
  show() {
    this.panels.forEach(p => p.clear());
    this.panels = [];
    this.draw(this, this.picks);
    this.legend = this.all.filter(l => this.on.has(l.name));
    this.grid.replaceChildren(...this.panels.map(p => p.node));
    this.panels.forEach((p, i) => { if (i < MOST_AT_ONCE && this.inView) p.draw(); else LAZY.observe(Object.assign(p.node, {panel: p})); });
    this.list();
  }
  list() {
    const old = this.numbers.querySelector('table');
    if (old) old.remove();
    if (this.numbers.open) this.numbers.append(tableOf(this.head, this.panels.flatMap(p => p.content.rows)));
  }
}

const LAZY = new IntersectionObserver(seen => {
  for (const s of seen) if (s.isIntersecting) { s.target.panel.draw(); LAZY.unobserve(s.target); }
}, {rootMargin: '400px'});

function theme(name) {
  document.documentElement.dataset.theme = name;
  document.getElementById('theme').textContent = name === 'dark' ? 'light' : 'dark';
}

function begin() {
  document.body.append(TIP);
  const alongs = DATA.alongs, variants = VARIANTS.map(v => ({name: v, title: v, colour: variantColour[v], dash: SOLID}));
  const scales = [['scaled', 'G/‖v‖'], ['G', 'G']].concat(DATA.cosine_at ? [['cosine', 'cosine']] : []);
  const along = {name: 'along', title: 'v', options: (alongs.length > 1 ? [['auto', 'soft where there']] : []).concat(alongs.map(a => [a, a]))};
  const seeds = {name: 'seeds', title: 'seeds', options: [['thin', 'thin lines'], ['none', 'medians only']]};
  const quiet = {name: 'seeds', title: 'seeds', options: seeds.options.slice().reverse()};
  if (alongs.length) {
    new Figure({id: 'traces', draw: drawTraces, on: ['total', 'pos', 'neg'],
      legend: TRACE_SERIES.map(n => ({name: n, title: TITLE[n] || n, colour: COLOUR[n] || 'var(--c7)', dash: DASH[n] || SOLID})),
      pickers: [{name: 'method', title: 'method', options: [['all', 'all']].concat(METHODS.map(m => [m, m]))},
        {name: 'variant', title: 'variant', options: [['all', 'all']].concat(VARIANTS.map(m => [m, m]))}, along,
        {name: 'scale', title: 'scale', options: scales}, {name: 'axis', title: 'axes', options: [['shared', 'shared by method'], ['own', 'own']]},
        {name: 'band', title: 'band', options: [['quartiles', 'quartiles'], ['all', 'mean, all steps at once'], ['none', 'none']]}]});
    if (DATA.components.includes('pos') && DATA.components.includes('neg'))
      new Figure({id: 'phase', draw: drawPhase, on: VARIANTS, legend: variants, pickers: [along, {name: 'scale', title: 'scale', options: scales}, quiet]});
  }
  if (DATA.compare.length) new Figure({id: 'forest', draw: drawForest, on: [], legend: [], pickers: []});
  new Figure({id: 'scatter', draw: drawScatter, on: VARIANTS, legend: variants, pickers: []});
  if (DATA.spectrum)
    new Figure({id: 'spectrum', draw: drawSpectrum, on: DATA.spectrum.cells, pickers: [seeds],
      legend: DATA.spectrum.cells.map((c, i) => ({name: c, title: c, colour: PALETTE[i % PALETTE.length], dash: SOLID}))});
  if (Object.keys(DATA.curves).length)
    new Figure({id: 'curves', draw: drawCurves, on: VARIANTS, legend: variants, pickers: [
      {name: 'curve', title: 'what', options: [['all', 'all']].concat(Object.keys(DATA.curves).map(c => [c, DATA.curves[c].title]))}, seeds]});
  FIGURES[0].show();  // its columns are read, the others follow
}

// All columns are read.
function complete() {
  FIGURES.forEach((f, i) => { if (i || f.isChanged) f.show(); });
  let width = innerWidth;
  addEventListener('resize', () => { if (innerWidth !== width) { width = innerWidth; FIGURES.forEach(f => f.show()); } });
  addEventListener('beforeprint', () => FIGURES.forEach(f => f.panels.forEach(p => p.draw())));
  document.documentElement.dataset.ready = 'yes';
}

function attempt(what) {
  try {
    what();
  } catch (fault) {
    document.querySelector('main').prepend(make('p', {class: 'error', id: 'fault'}, 'The figures could not be drawn: ' + fault.stack));
  }
}

theme(matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
document.getElementById('theme').addEventListener('click', () =>
  theme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'));
if (HAS_VEGA) attempt(begin);
