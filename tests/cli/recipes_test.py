#!/usr/bin/python3
"""The recipes for Spack, EasyBuild and Apptainer are well formed, and ask for what the build needs:
the dependencies of ./bootstrap, which CMakeLists.txt is built with in every other test."""
import ast
import os
import pathlib
import re
import subprocess

SOURCE = pathlib.Path(os.environ["POSWEEP_SOURCE"])
RECIPES = SOURCE / "slurm" / "recipes"
VERSION = re.search(r"project\(posweep VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text())[1]
# EasyBuild's names of what is in the toolchain foss, or not needed there.
IN_TOOLCHAIN = {"gcc", "gmake", "git", "openmpi", "openblas", "netlib-scalapack"}
FOR_TESTS = {"python", "py-h5py"}


def needed():
    """Spack's names, as ./bootstrap has them: of the build, of the tests."""
    text, found = (SOURCE / "bootstrap").read_text(), []
    for name in ("NEEDS", "TEST_NEEDS"):
        rows = re.search(rf"^{name}='\n(.*?)^'", text, re.M | re.S)[1].splitlines()
        found.append({row.split()[3] for row in rows})
    return found


def plain(name):
    """A package without version and variants."""
    return re.split(r"[@+~]", name)[0].lower()


def check_spack(build, tests):
    tree = ast.parse((RECIPES / "package.py").read_text())
    package = next(n for n in tree.body if isinstance(n, ast.ClassDef))
    calls = [n.value for n in package.body if isinstance(n, ast.Expr) and isinstance(n.value, ast.Call)]
    asked = {ast.literal_eval(c.args[0]): {k.arg: ast.literal_eval(k.value) for k in c.keywords}
             for c in calls if c.func.id == "depends_on"}
    want = {"c" if plain(n) == "gcc" else plain(n) for n in build | tests}
    assert {plain(n) for n in asked} == want, {plain(n) for n in asked} ^ want
    only_tests = {plain(n) for n, k in asked.items() if k.get("type") == "test"}
    assert only_tests == {plain(n) for n in tests}, only_tests
    versions = [ast.literal_eval(c.args[0]) for c in calls if c.func.id == "version"]
    assert versions == [VERSION], versions


def check_easybuild(build, tests):
    path, = RECIPES.glob("*.eb")
    recipe = {}
    exec(compile(path.read_text(), path.name, "exec"), recipe)  # a file of assignments
    tool = recipe["toolchain"]
    assert path.name == f"posweep-{recipe['version']}-{tool['name']}-{tool['version']}.eb"
    assert recipe["name"] == "posweep" and recipe["version"] == VERSION
    asked = {name.lower() for name, _ in recipe["dependencies"] + recipe["builddependencies"]}
    want = {plain(n) for n in build | tests} - IN_TOOLCHAIN - FOR_TESTS
    assert asked == want, asked ^ want


def check_apptainer():
    text = (RECIPES / "posweep.def").read_text()
    assert re.search(r"^Bootstrap: docker$", text, re.M) and re.search(r"^From: debian:12$", text, re.M)
    parts = dict(re.findall(r"^%(\w+)\n((?:(?!%).*\n)*)", text, re.M))
    assert {"files", "post", "environment", "runscript", "test"} == set(parts), set(parts)
    for name in set(parts) - {"files"}:
        subprocess.run(["sh", "-n"], input=parts[name], text=True, check=True)
    used = re.search(r"\./bootstrap build (.*)", parts["post"])[1].split()
    assert used[:2] == ["--prefix", "/usr/local"] and all(re.match(r"-D\w+=\w+$", u) for u in used[2:]), used
    options = re.findall(r"^option\((\w+)", (SOURCE / "CMakeLists.txt").read_text(), re.M)
    assert all(u[2:].split("=")[0] in options for u in used[2:]), used


def main():
    build, tests = needed()
    check_spack(build, tests)
    check_easybuild(build, tests)
    check_apptainer()
    print(f"three recipes of {len(build | tests)} dependencies")


main()
