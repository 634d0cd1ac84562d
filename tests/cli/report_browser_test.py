#!/usr/bin/python3
"""The page of `posweep report` in a real browser: it draws what the file says, its legend and
pickers do what they say, and nothing fails."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from skip import skip  # noqa: E402

import h5py  # noqa: E402  (report_test says so where it is missing)
import numpy as np
import report_test

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DRAWN_TOL = 0.012  # of an axis: SVG has pixels with three digits, and the 16-bit packing

# Runs behind the page's own scripts: does what a reader does, and leaves what it saw.
PROBE = """<script>
window.onerror = (what, where, line) => { seen.faults.push(what + ' at line ' + line); };
const seen = {faults: [], ready: performance.now()};
async function probe() {
  const figure = id => FIGURES.find(f => f.id === id), traces = figure('traces');
  const count = id => document.querySelectorAll('#' + id + ' .chart path').length;
  const settle = () => Promise.all(traces.panels.map(p => p.view.runAsync()));  // they draw later
  const drawn = panel => [...panel.box.querySelectorAll('.mark-symbol path')].map(p => {
    const at = p.transform.baseVal.consolidate().matrix, d = p.__data__.datum;
    const y = panel.view.scale('y'), span = y.domain()[1] - y.domain()[0];
    return {s: d.s, x: d.x, y: y.invert(at.f), span, filled: getComputedStyle(p).fill === getComputedStyle(p).stroke};
  });
  await settle();
  seen.panels = Object.fromEntries(FIGURES.map(f => [f.id, f.panels.length]));
  seen.titles = traces.panels.map(p => p.chart.title);
  seen.scaled = drawn(traces.panels[0]);
  seen.before = count('traces');
  const key = document.querySelector('#traces [data-series=neg]');
  key.click();
  await settle();
  seen.without = count('traces');
  seen.pressed = key.getAttribute('aria-pressed');
  key.click();
  await settle();
  seen.again = count('traces');
  const pick = (name, value) => {
    const select = document.querySelector(`#traces [data-pick=${name}]`);
    select.value = value;
    select.dispatchEvent(new Event('change'));
  };
  pick('scale', 'G');
  pick('along', 'sampled');
  pick('axis', 'own');
  await settle();
  seen.plain = drawn(traces.panels[0]);
  pick('method', 'ppo');
  seen.ppo = traces.panels.map(p => p.chart.title);
  const old = document.documentElement.dataset.theme;
  document.getElementById('theme').click();
  seen.theme = [old, document.documentElement.dataset.theme];
  const box = traces.panels[0].box.getBoundingClientRect();
  traces.panels[0].box.dispatchEvent(new MouseEvent('mousemove', {clientX: box.left + box.width / 2, clientY: box.top + 50}));
  seen.tip = TIP.hidden ? '' : TIP.textContent;
  document.querySelectorAll('details').forEach(d => { d.open = true; });
  traces.list();
  seen.rows = document.querySelectorAll('#traces details tbody tr').length;
  seen.svg = await figureSvg(traces);
  seen.fault = document.getElementById('fault') ? document.getElementById('fault').textContent : '';
}
probe().catch(e => seen.faults.push(e.stack)).finally(() => {
  const out = document.createElement('pre');
  out.id = 'seen';
  out.textContent = encodeURIComponent(JSON.stringify(seen));
  document.body.append(out);
});
</script></body>"""


def browse(page, folder):
    """What the probe saw."""
    browser = next((b for b in BROWSERS if shutil.which(b)), None)
    if not browser:
        skip("no Chromium")
    if "var psw_vega=" not in page:
        skip("no Vega in this build")
    (folder / "probe.html").write_text(page.replace("</body>", PROBE))
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,1000",
         f"--user-data-dir={folder / 'browser'}", "--dump-dom", (folder / "probe.html").as_uri()],
        capture_output=True, text=True, timeout=300)
    found = re.search(r'<pre id="seen">([^<]*)</pre>', done.stdout)
    assert found, f"the page said nothing: {done.stderr[-2000:]}"
    return json.loads(urllib.parse.unquote(found[1]))


def same_medians(what, drawn, want, names):
    """Medians of the marks, against those of the file: {component: {step: value}}."""
    assert {d["s"] for d in drawn} == set(names), what
    for d in drawn:
        off = abs(d["y"] - want[d["s"]][int(d["x"])]) / d["span"]
        assert off <= DRAWN_TOL, f"{what}: {d} is {want[d['s']][int(d['x'])]:.4g} in the file"
    assert len(drawn) == sum(len(w) for w in want.values()), what
    print(f"{what}: {len(drawn)} marks stand where the file says")


def medians(f, name, norm, names):
    """Of dpo vanilla, the first cell, without its last checkpoint."""
    rows = [i for i, (m, v) in enumerate(zip(f["method"][()], f["variant"][()]))
            if (m, v) == (b"dpo", b"vanilla")]
    component = [c.decode() for c in f["component"][()]]
    step = f["step"][()][rows[0]]
    kept = [k for k in range(len(step)) if step[k] >= 0][:-1]
    g = f[name][()][rows][:, kept] / (f[norm][()][rows][:, kept, None] if norm else 1)
    return {n: {int(step[k]): float(np.median(g[:, i, component.index(n)]))
                for i, k in enumerate(kept)}
            for n in names}


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # A run of this sweep may be over-optimised; here all are to be drawn.
        seen = browse(report_test.make(folder, "--max-kl", "inf"), folder)
        assert not seen["faults"] and not seen["fault"], (seen["faults"], seen["fault"])
        parts = ("total", "pos", "neg")
        with h5py.File(folder / "page.h5") as f:
            same_medians("G/|v| soft", seen["scaled"], medians(f, "G_soft", "v_soft_norm", parts), parts)
            same_medians("G sampled", seen["plain"], medians(f, "G", None, parts), parts)
        assert seen["panels"]["traces"] == 3 and seen["panels"]["phase"] == 2, seen["panels"]
        assert all(n > 0 for n in seen["panels"].values()), seen["panels"]
        assert seen["without"] < seen["before"] == seen["again"], "the legend does nothing"
        assert seen["pressed"] == "false"
        assert seen["ppo"] == [t for t in seen["titles"] if t.startswith("ppo")], seen["ppo"]
        assert sorted(seen["theme"]) == ["dark", "light"]
        assert "median" in seen["tip"] and seen["rows"] > 3
        assert "<svg" in seen["svg"] and "var(--" not in seen["svg"]
        print(f"ready after {seen['ready']:.0f} ms")


main()
