#!/usr/bin/python3
"""A results file in a real viewer of HDF5 files (H5Web, with h5wasm) in headless Chromium: it
opens on a plot, and so does each NXdata group, without a word of an error.

    viewer_test.py FOLDER    the viewer is installed into FOLDER with npm once, and kept

POSWEEP_VIEWER_SHOT=FILE.png leaves a screenshot to look at."""
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from skip import skip  # noqa: E402

try:
    import h5py
except ImportError as missing:
    skip(str(missing))

POSWEEP = os.environ["POSWEEP"]
PAGE = pathlib.Path(__file__).parent / "viewer_page.jsx"
PACKAGES = ["@h5web/app@16", "@h5web/h5wasm@16", "react@18", "react-dom@18", "esbuild@0.28"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 240
MOST_GROUPS = 4
SWEEP = """
name: viewed
seeds: [1, 2]
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 20, batch: 8}
  policy: {steps: 8, batch: 8, lr: 1e-4}
  final: {prompts: 8, max_new: 16}
  trace: {every: 2, probe: 8}
blocks:
  - variants: {vanilla: {}, flat: {preset: flat}}
"""


def viewer(folder):
    """The viewer as one script in a folder; skips where it cannot be had."""
    folder.mkdir(parents=True, exist_ok=True)
    if not shutil.which("npm"):
        skip("no H5Web")
    if not (folder / "node_modules" / "@h5web" / "h5wasm").is_dir():
        (folder / "package.json").write_text('{"private": true}')
        try:
            done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--fetch-retries=0", *PACKAGES],
                                  cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            skip("no H5Web")
        if done.returncode:
            print(done.stderr[-1000:])
            skip("no H5Web")
    shutil.copy(PAGE, folder / "page.jsx")
    done = subprocess.run(["npx", "esbuild", "page.jsx", "--bundle", "--format=esm", "--outfile=viewer.js",
                           "--define:process.env.NODE_ENV=\"production\"", "--loader:.svg=dataurl"],
                          cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


class Server(http.server.SimpleHTTPRequestHandler):
    """The files, and a picture that does not come before the page says that it is ready: until
    then the browser has not loaded the page, and does not leave it."""
    ready = threading.Event()

    def do_GET(self):
        if self.path == "/wait.png":
            self.ready.wait(PATIENCE_S)
        if self.path == "/ready":
            self.ready.set()
        if self.path in ("/wait.png", "/ready"):
            self.send_response(204)
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, *_):
        pass


def browse(browser, folder):
    """The page as it stands when all have drawn."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *a: Server(*a, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shot = os.environ.get("POSWEEP_VIEWER_SHOT")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader",
         "--window-size=1200,900", f"--user-data-dir={folder / 'browser'}",
         *([f"--screenshot={shot}"] if shot else ["--dump-dom"]),
         f"http://127.0.0.1:{server.server_port}/index.html"],
        capture_output=True, text=True, timeout=2 * PATIENCE_S)
    server.shutdown()
    if shot:
        print(f"{shot}: the viewer")
        sys.exit(0)
    assert Server.ready.is_set(), f"not ready after {PATIENCE_S} s: {done.stdout[-3000:]}"
    return done.stdout


def main():
    browser = next((b for b in BROWSERS if shutil.which(b)), None)
    if not browser:  # asked first: the viewer is dear to make
        skip("no Chromium")
    made = viewer(pathlib.Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "sweep.yaml").write_text(SWEEP)
        run = subprocess.run([POSWEEP, "run", "sweep.yaml", "-o", "results.h5"], cwd=folder,
                             capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        for file in ("viewer.js", "viewer.css"):
            shutil.copy(made / file, folder / file)
        with h5py.File(folder / "results.h5") as f:
            paths = ["/"] + [f"/entry/{g}" for g in f["entry"] if f["entry"][g].attrs.get("NX_class") == b"NXdata"
                             or f["entry"][g].attrs.get("NX_class") == "NXdata"][:MOST_GROUPS]
        assert len(paths) > 2, paths
        (folder / "paths.json").write_text(json.dumps(paths))
        (folder / "index.html").write_text(
            "<!DOCTYPE html><meta charset='utf-8'><link rel='stylesheet' href='viewer.css'>"
            "<style>.viewer{height:420px}</style><script type='module' src='viewer.js'></script>"
            "<img src='wait.png' alt=''>")
        page = browse(browser, folder)
        for part in page.split('<div class="viewer"')[1:]:
            path = re.search(r'data-path="([^"]*)"', part)[1]
            words = re.sub(r"<[^>]+>", " ", re.sub(r"<(style|script).*?</\1>", " ", part, flags=re.S))
            assert re.search(r"NX (Line|Heatmap|Scatter)", words), f"{path} is no plot: {words[:2000]}"
            assert "<canvas" in part and not re.search(r"(?i)error|not found|unsupported|expected", words.replace("Errors", "").replace("_errors", "")), \
                f"{path}: {words[:2000]}"
            print(f"{path}: a plot")
        assert page.count('<div class="viewer"') == len(paths)


main()
