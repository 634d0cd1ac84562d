#!/usr/bin/env python3
"""Hold the sources against the table of what each module may use, and refuse circles.

A module may include the headers of its own and of those in its row, nothing else; a row may name
one header ("data/batch") where that is all that is needed. The table itself has no circle. Among
the source files of one module, none may call another that calls it back, however indirectly."""
import pathlib
import re
import sys

MAY_USE = {
    "util": [],
    "comm": ["util"],
    "config": ["util", "model/families"],
    "data": ["util", "config"],
    "store": ["util", "config"],
    "kernels": ["util", "data/batch"],
    "model": ["util", "data/batch", "kernels"],
    "parallel": ["util", "data/batch", "kernels", "comm", "model"],
    "objective": ["util", "config"],
    "trace": ["util", "config", "data", "kernels", "comm", "model", "objective", "parallel"],
    "optim": ["util", "config", "kernels", "comm", "model", "parallel"],
    "rollout": ["util", "config", "data", "comm", "model", "objective", "parallel", "optim"],
    "stage": ["util", "config", "data", "store", "kernels", "comm", "model", "objective",
              "parallel", "trace", "optim", "rollout"],
    "sweep": ["util", "config", "data", "store", "comm", "objective", "trace", "stage"],
    "analyze": ["util", "config", "data/safetensors", "store", "comm", "objective"],
    "bench": ["util", "config", "data", "store", "kernels", "comm", "model", "objective",
              "parallel", "trace", "optim", "rollout", "stage", "sweep"],
    "cli": ["util", "config", "data", "store", "kernels", "comm", "model", "optim", "sweep",
            "stage/respond", "analyze", "bench"],
}
# Modules that still have circles.
HAVE_CIRCLES = set()


def circle(edges):
    """The nodes of a circle in {node: set of nodes}, or None."""
    state = {}

    def visit(node, path):
        state[node] = "open"
        for other in sorted(edges.get(node, ())):
            if state.get(other) == "open":
                return path[path.index(other):] if other in path else [node, other]
            if other not in state:
                found = visit(other, path + [other])
                if found:
                    return found
        state[node] = "done"
        return None

    for node in sorted(edges):
        if node not in state:
            found = visit(node, [node])
            if found:
                return found
    return None


def check_includes(root):
    bad, n = [], 0
    for part in ("src", "include/posweep"):
        for path in sorted((root / part).rglob("*.[ch]")):
            module = path.relative_to(root / part).parts[0]
            for i, line in enumerate(path.read_text().splitlines(), 1):
                m = re.match(r'\s*#\s*include\s*[<"]posweep/((\w+)/\w+)', line)
                if not m or m.group(2) == module:
                    continue
                n += 1
                if m.group(1) not in MAY_USE[module] and m.group(2) not in MAY_USE[module]:
                    bad.append(f"{path}:{i}: {module} may not include {m.group(1)}.h")
    return bad, n


def calls_of(folder):
    """{file: files of the same module, sub-folders too, whose psw_ functions it names}"""
    text = {str(p.relative_to(folder)): re.sub(r"/\*.*?\*/", "", p.read_text(), flags=re.S)
            for p in sorted(folder.rglob("*.c"))}
    home = {}
    for name, body in text.items():
        for m in re.finditer(r"^(?!static)[a-z][\w *]*?\b(psw_\w+)\([^;]*?\)\s*\{", body, re.M):
            home[m.group(1)] = name
    return {name: {home[w] for w in set(re.findall(r"\bpsw_\w+", body))
                   if w in home and home[w] != name}
            for name, body in text.items()}


def edges_of(root):
    """The table as a graph; a header that stands alone in a row uses what it includes."""
    edges = {m: set(row) for m, row in MAY_USE.items()}
    for header in {x for row in MAY_USE.values() for x in row if "/" in x}:
        text = (root / "include/posweep" / f"{header}.h").read_text()
        edges[header] = set(re.findall(r"#\s*include\s*<posweep/(\w+)/", text))
    return edges


def check_circles(root):
    bad = []
    table = circle(edges_of(root))
    if table:
        bad.append(f"tests/layers.py: circle of modules: {', '.join(table)}")
    for folder in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        found = circle(calls_of(folder))
        if found and folder.name not in HAVE_CIRCLES:
            bad.append(f"{folder}: files that call each other: {', '.join(found)}")
        if not found and folder.name in HAVE_CIRCLES:
            bad.append(f"{folder} has no circle: take it out of HAVE_CIRCLES")
    return bad


def main(root):
    bad, n = check_includes(root)
    bad += check_circles(root)
    print("\n".join(bad) or f"{n} include lines keep to the table, and no files call in circles")
    return bool(bad)


sys.exit(main(pathlib.Path(sys.argv[1])))
