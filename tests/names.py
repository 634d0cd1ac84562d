#!/usr/bin/env python3
"""Hold that a name means one thing in the whole program: no struct or enum tag, no enumerator is
defined in two files, and no two modules have a file of one name. Names without the prefix psw_ are
a file's own and do not count."""
import pathlib
import re
import sys

# What still has two meanings. The list may only shrink.
STILL_TWICE = set()


def names_of(text):
    """Tags and enumerators that a text defines."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*|^\s*#.*?(?<!\\)$", "", text, flags=re.S | re.M)
    for m in re.finditer(r"\b(?:struct|union|enum)\s+(psw_\w+)\s*\{", text):
        yield f"tag {m.group(1)}"
    for m in re.finditer(r"\benum\s*(?:psw_\w+\s*)?\{([^{}]*)\}", text):
        for item in m.group(1).split(","):
            name = re.match(r"\s*(PSW_\w+)", item)
            if name:
                yield name.group(1)


def places(root):
    """{name: places where it is defined}; a place is a file, for a file's own name its module."""
    found = {}
    for part in ("src", "include/posweep"):
        for path in sorted((root / part).rglob("*.[ch]")):
            place = path.relative_to(root / part)
            for name in names_of(path.read_text()):
                found.setdefault(name, set()).add(str(place))
            found.setdefault(f"file {path.stem}", set()).add(place.parts[0])
    return found


def main(root):
    found = places(root)
    twice = {name: where for name, where in found.items() if len(where) > 1}
    bad = [f"{name} is defined in {' and in '.join(sorted(where))}"
           for name, where in sorted(twice.items()) if name not in STILL_TWICE]
    bad += [f"{name} is there once: take it out of STILL_TWICE"
            for name in sorted(STILL_TWICE - set(twice))]
    print("\n".join(bad) or f"{len(found)} names mean one thing each")
    return bool(bad)


sys.exit(main(pathlib.Path(sys.argv[1])))
