#!/usr/bin/env python3
"""Check that no module includes a later one. The order is that of src/CMakeLists.txt."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
order = re.search(r"foreach\(module ([\w ]+)\)", (root / "src/CMakeLists.txt").read_text()).group(1).split()
bad, n = [], 0
for part in ("src", "include/posweep"):
    for path in sorted((root / part).rglob("*.[ch]")):
        module = path.relative_to(root / part).parts[0]
        for i, line in enumerate(path.read_text().splitlines(), 1):
            m = re.match(r'\s*#\s*include\s*[<"]posweep/(\w+)/', line)
            if m:
                n += 1
                if order.index(m.group(1)) > order.index(module):
                    bad.append(f"{path}:{i}: {module} includes {m.group(1)}, which is above it")
print("\n".join(bad) or f"{n} include lines keep the order {' < '.join(order)}")
sys.exit(bool(bad))
