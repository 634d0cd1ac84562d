// Charts: views of Vega in panels, what they say when pointed at, and their export.
const SPEC = name => JSON.parse(document.getElementById('spec-' + name).textContent);
const HAS_VEGA = typeof psw_vega === 'function';
const SVG_NS = document.documentElement.namespaceURI.replace('1999/xhtml', '2000/svg');
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

const CONFIG = {
  background: null,
  axis: {labelColor: 'var(--soft)', titleColor: 'var(--fg)', domainColor: 'var(--line)', tickColor: 'var(--line)',
    gridColor: 'var(--grid)', labelFont: FONT, titleFont: FONT, labelFontSize: 11, titleFontSize: 12,
    titleFontWeight: 'normal', titlePadding: 6, labelFlush: false},
  text: {font: FONT}
};

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const name in attributes || {}) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), attributes[name]);
    else if (attributes[name] !== undefined) node.setAttribute(name, attributes[name]);
  }
  for (const child of children) node.append(child);
  return node;
}

const TIP = make('div', {class: 'tip', role: 'status', hidden: ''});

function tipAt(event, content) {
  TIP.replaceChildren(content);
  TIP.hidden = false;
  const box = TIP.getBoundingClientRect(), right = event.clientX + 18 + box.width > innerWidth;
  TIP.style.left = (right ? event.clientX - box.width - 14 : event.clientX + 18) + 'px';
  TIP.style.top = Math.max(4, Math.min(innerHeight - box.height - 4, event.clientY + 14)) + 'px';
}

function tableOf(head, rows) {
  const cell = (tag, x, i) => make(tag, i === 0 ? {scope: tag === 'th' ? 'col' : undefined, class: 'text'} : {}, x);
  return make('table', {}, make('thead', {}, make('tr', {}, ...head.map((x, i) => cell('th', x, i)))),
    make('tbody', {}, ...rows.map(r => make('tr', {}, ...r.map((x, i) => cell('td', x, i))))));
}

// Specifications as Vega runs them, each parsed once.
const PARSED = {};
function parsed(name) {
  if (!Object.keys(PARSED).length)
    for (const module of ['vega-transforms', 'vega-view-transforms', 'vega-encode'])
      Object.assign(psw_vega('vega-dataflow').transforms, psw_vega(module));
  return PARSED[name] = PARSED[name] || psw_vega('vega-parser').parse(SPEC(name), CONFIG);
}

// A chart: {spec, title, width, height, build}; build, called when the chart is drawn or its
// numbers are asked for, gives {signals, data, rows, hover(x)}.
class Panel {
  constructor(chart) {
    this.chart = chart;
    this.box = make('div', {class: 'chart', role: 'img', 'aria-label': chart.label || chart.title});
    this.node = make('div', {class: 'panel'}, make('h4', {}, chart.title), this.box);
    this.box.style.minHeight = chart.height + 'px';
    this.view = null;
  }
  get content() {
    return this.built = this.built || this.chart.build();
  }
  draw() {
    if (this.view) return;
    const c = this.chart, View = psw_vega('vega-view').View;
    const view = this.view = new View(parsed(c.spec), {renderer: 'svg', logLevel: 1});
    view.initialize(this.box).width(c.width).height(c.height);
    for (const name in this.content.signals) view.signal(name, this.content.signals[name]);
    for (const name in this.content.data) view.data(name, this.content.data[name]);
    view.tooltip((_, event, item, value) => {
      if (value) tipAt(event, String(value)); else TIP.hidden = true;
    });
    view.run();
    if (this.content.hover) this.listen();
  }
  listen() {
    this.box.addEventListener('mousemove', event => {
      const area = this.box.querySelector('svg').getBoundingClientRect(), origin = this.view.origin();
      const ratio = area.width / (+this.box.querySelector('svg').getAttribute('width') || area.width);
      const x = this.view.scale('x').invert((event.clientX - area.left) / ratio - origin[0]);
      const said = this.content.hover(x);
      this.view.signal('hover', said ? said.x : null).run();
      if (said) tipAt(event, said.content); else TIP.hidden = true;
    });
    this.box.addEventListener('mouseleave', () => {
      TIP.hidden = true;
      this.view.signal('hover', null).run();
    });
  }
  clear() {
    if (this.view) this.view.finalize();
  }
}

// ---- export ----

// A picture stands by itself: the colours of the page become those of paper.
function withColours(svg) {
  const old = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = 'light';
  const style = getComputedStyle(document.documentElement);
  const out = svg.replace(/var\((--[a-z0-9]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
  document.documentElement.dataset.theme = old;
  return out;
}

const escapeXml = text => text.replace(/[<>&"']/g, c => '&#' + c.charCodeAt(0) + ';');

async function figureSvg(figure) {
  const gap = 14, head = 26, legend = figure.legend.length ? 30 : 0;
  const drawn = figure.panels.slice();
  drawn.forEach(p => p.draw());
  const texts = await Promise.all(drawn.map(p => p.view.toSVG()));
  let y = legend, row = 0, column = 0, width = 0, body = '', x = 10;
  figure.legend.forEach((l, i) => {
    body += `<line x1="${x}" x2="${x + 24}" y1="14" y2="14" stroke="${l.colour}" stroke-width="2.6" stroke-dasharray="${l.dash}"/>` +
      `<text x="${x + 30}" y="18" fill="var(--fg)">${escapeXml(l.title)}</text>`;
    x += 52 + 6.6 * l.title.length;
    if (i) width = Math.max(width, x);
  });
  drawn.forEach((p, i) => {
    const w = p.chart.width + gap, h = p.chart.height + head;
    const inner = texts[i].replace('<svg ', `<svg x="${column * w}" y="${y + head - 6}" `);
    body += `<text x="${column * w + 10}" y="${y + 14}" font-weight="600" fill="var(--fg)">${escapeXml(p.chart.title)}</text>` + inner;
    width = Math.max(width, (column + 1) * w);
    row = h;
    if (++column === figure.columns || i === drawn.length - 1) { column = 0; y += row; }
  });
  return withColours(`<svg xmlns="${SVG_NS}" width="${width}" height="${y + 8}" viewBox="0 0 ${width} ${y + 8}" ` +
    `font-family="system-ui, sans-serif" font-size="12"><rect width="100%" height="100%" fill="var(--bg)"/>${body}</svg>`);
}

function save(blob, name) {
  const link = make('a', {href: URL.createObjectURL(blob), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function saveSvg(figure) {
  save(new Blob([await figureSvg(figure)], {type: 'image/svg+xml'}), figure.id + '.svg');
}

async function savePng(figure) {
  const text = await figureSvg(figure), image = new Image(), canvas = document.createElement('canvas');
  image.onload = () => {
    canvas.width = 2 * image.width;
    canvas.height = 2 * image.height;
    const context = canvas.getContext('2d');
    context.scale(2, 2);
    context.drawImage(image, 0, 0);
    canvas.toBlob(blob => save(blob, figure.id + '.png'));
  };
  image.src = 'data:image/svg+xml;base64,' + btoa(unescape(encodeURIComponent(text)));
}
