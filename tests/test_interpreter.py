"""Which Python is this, and does gilfree leave its GIL as it was?"""

import importlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import child
import pytest

import gilfree
from gilfree import interpreter

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def test_build() -> None:
    assert interpreter.free_threaded_build() is FREE_THREADED


def test_gil_enabled() -> None:
    assert interpreter.gil_enabled() is (sys._is_gil_enabled() if hasattr(sys, "_is_gil_enabled") else True)
    if not FREE_THREADED:
        assert interpreter.gil_enabled()


def test_nobody_switched_it_on() -> None:
    """A Python that always has a GIL, or that has it off, has nobody to name."""
    code = "from gilfree import interpreter; print(interpreter.gil_enabled_by())"
    assert child.output(code) == "None"


def test_the_user_switched_it_on() -> None:
    code = "from gilfree import interpreter; print(interpreter.gil_enabled(), interpreter.gil_enabled_by())"
    settings = {"PYTHON_GIL": "1"} if FREE_THREADED else {}
    expected = "True -X gil=1 or PYTHON_GIL=1" if FREE_THREADED else "True None"
    assert child.output(code, **settings) == expected


@pytest.mark.parametrize(
    ("printed", "expected"),
    [('"some.module"\n', "import of some.module"), ("", "an import that no longer does so by itself")],
)
def test_an_import_switched_it_on(printed: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a free-threaded Python; the child's answer is made up."""
    importlib.import_module("gilfree._tickets")
    monkeypatch.setattr(interpreter, "free_threaded_build", lambda: True)
    monkeypatch.setattr(interpreter, "gil_enabled", lambda: True)
    flags = SimpleNamespace(gil=None)
    monkeypatch.setattr(interpreter, "sys", SimpleNamespace(flags=flags, modules=sys.modules, executable="python"))
    asked: list[str] = []

    def run(command: list[str], *, input: str, **how: object) -> SimpleNamespace:
        asked.append(input)
        return SimpleNamespace(stdout=printed)

    monkeypatch.setattr(interpreter, "subprocess", SimpleNamespace(run=run))
    monkeypatch.setattr(interpreter, "_who_enables", interpreter._who_enables.__wrapped__)
    assert interpreter.gil_enabled_by() == expected
    assert "gilfree._tickets" in asked[0]


def test_the_first_module_to_switch_it_on_is_named() -> None:
    """The program that the child runs, with a stand-in for the question whether the GIL is on."""
    code = f"""
import io, sys
sys.stdin = io.StringIO('["no_such_module", "json", "gilfree._cpu", "gilfree._tickets"]')
sys._is_gil_enabled = lambda: "gilfree._cpu" in sys.modules
exec({interpreter._FIRST_TO_ENABLE!r})
"""
    assert child.output(code) == '"gilfree._cpu"'


def test_importing_everything_leaves_the_gil_as_it_was() -> None:
    code = """
import importlib, pkgutil, sys
import numpy
is_enabled = getattr(sys, "_is_gil_enabled", lambda: True)
before = is_enabled()
import gilfree
from gilfree import backends
for module in pkgutil.walk_packages(gilfree.__path__, "gilfree."):
    name = module.name.rpartition(".")[2]
    if name == "__main__" or name.startswith("_cython_") and name[8:] not in backends.isas():
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        # Optional: Numba, or what draws and prints.
        assert error.name and not error.name.startswith("gilfree"), error
    assert is_enabled() == before, module.name
"""
    child.output(code)


# --- what an import does ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["json", "gilfree.primes", "gilfree._heartbeat", "numpy"])
def test_imports_that_leave_the_gil_alone(module: str) -> None:
    found = interpreter.imports(module)
    assert found.module == module
    assert found.switches_gil_on is (False if FREE_THREADED else None)
    assert found.by is None
    assert ("leaves the GIL off" if FREE_THREADED else "always has its GIL") in found.why


OLD_MODULE = """
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_old", NULL, -1, NULL, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__old(void) { return PyModule_Create(&definition); }
"""


@pytest.mark.thread_unsafe(reason="sys.path belongs to the process")
def test_an_import_that_switches_the_gil_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with an extension module of the old kind, which knows nothing of free threading."""
    package = tmp_path / "old_package"
    package.mkdir()
    (package / "__init__.py").write_text("from . import inner\n")
    (package / "inner.py").write_text("from . import _old\n")
    (package / "_old.c").write_text(OLD_MODULE)
    built, include = package / f"_old{sysconfig.get_config_var('EXT_SUFFIX')}", sysconfig.get_path("include")
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    command = [*compiler, "-shared", "-fPIC", f"-I{include}", str(package / "_old.c"), "-o", str(built)]
    if sys.platform != "linux" or shutil.which(compiler[0]) is None or not Path(include, "Python.h").exists():
        pytest.skip("no C compiler, or no headers of Python's")
    subprocess.run(command, check=True)
    monkeypatch.syspath_prepend(tmp_path)
    found = interpreter.imports("old_package")
    assert found.switches_gil_on is (True if FREE_THREADED else None)
    assert found.by == ("old_package._old" if FREE_THREADED else None)
    if FREE_THREADED:
        assert "importing old_package switches the GIL on: old_package._old does not say" in found.why


def test_the_program_that_imports() -> None:
    """It names the extension module after which the GIL is on; here a stand-in says after which one that is."""
    asked = json.dumps({"module": "gilfree.explore.probe", "path": sys.path})
    code = f"""
import sys
from importlib.machinery import ExtensionFileLoader
original, on = ExtensionFileLoader.exec_module, []
def exec_module(loader, module):
    original(loader, module)
    if module.__name__ == "gilfree._heartbeat":
        on.append(module)
ExtensionFileLoader.exec_module = exec_module
sys._is_gil_enabled = lambda: bool(on)
sys.argv = ["-c", {asked!r}]
exec({interpreter._IMPORT!r})
"""
    answer = json.loads(child.output(code))
    assert answer == {"before": False, "by": "gilfree._heartbeat", "error": None, "after": True}


@pytest.mark.parametrize(
    ("module", "error", "said"),
    [
        (3, TypeError, "module: got int, expected the name of a module"),
        ("", ValueError, "module: got ''"),
        ("no such", ValueError, "module: got 'no such'"),
        ("a..b", ValueError, "module: got 'a..b'"),
        ("no_such_module_at_all", ImportError, "No module named 'no_such_module_at_all'"),
    ],
    ids=str,
)
def test_modules_that_cannot_be_imported(module: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        interpreter.imports(module)


@pytest.mark.thread_unsafe(reason="sys.path belongs to the process")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('not today')", "ValueError: not today"),
        ("import os; os._exit(7)", "ended with status 7"),
        ("import sys; sys.exit('enough')", "SystemExit: enough"),
    ],
    ids=["raises", "dies", "exits"],
)
def test_modules_that_fail(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fails_when_imported.py").write_text(text + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=said):
        interpreter.imports("fails_when_imported")


def test_a_module_that_prints() -> None:
    assert gilfree.imports("this").module == "this"


# --- imports that are interrupted ------------------------------------------------------------------------------------

# A signal comes after so many lines of Python, of gilfree's, NumPy's or the import system's, in a process each.
ANYWHERE = """
import os, signal, sys, traceback, warnings
import numpy as np
import gilfree
from gilfree import reductions, primes
interrupts, step = sys.argv[1] == "interrupt", int(sys.argv[2])
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of fork beside threads
sys.unraisablehook = lambda _: None  # an interrupt that came in a destructor
x = np.ones(400_000)

def compute():
    assert reductions.sum(x, threads=2) == 400_000
    assert primes.count_primes(1000) == 168

def handler(*_):
    if interrupts:
        raise KeyboardInterrupt
    compute()

def run(after):
    lines = 0
    def trace(frame, event, arg):
        nonlocal lines
        lines += 1
        if lines == after:
            sys.settrace(None)
            signal.raise_signal(signal.SIGINT)
        return trace
    sys.settrace(trace)
    try:
        compute()
    except KeyboardInterrupt:
        pass
    sys.settrace(None)
    compute()
    return lines >= after

signal.signal(signal.SIGINT, handler)
after, status = 1, 0
while status == 0:  # until the signal comes after the end
    child = os.fork()
    if not child:
        signal.alarm(60)
        try:
            status = 0 if run(after) else 1
        except BaseException:
            traceback.print_exc()
            status = 2
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    after += step
print(status, after // step > 20)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each moment is tried in a process of its own, made by fork")
@pytest.mark.parametrize("what", ["interrupt", "compute"])
@pytest.mark.parametrize("step", [pytest.param(31, marks=pytest.mark.thorough), 311], ids=["every-31", "every-311"])
def test_interrupted_anywhere(what: str, step: int) -> None:
    """In the first call, imports included: Ctrl-C leaves nothing broken behind, and a handler may compute."""
    command = [sys.executable, "-c", ANYWHERE, what, str(step)]
    done = subprocess.run(command, env=child.environment(), capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "True"], done.stderr


NUMBA_INTERRUPTED = """
import signal
import numpy as np
from numba.core import event
from gilfree import reductions
x = np.arange(1000.0)
class Ctrl_C(event.Listener):
    def on_start(self, _):
        signal.raise_signal(signal.SIGINT)
    on_end = on_start
for backend in ("numba", "numba-parallel"):
    combine = lambda a, b: a + b
    with event.install_listener("numba:compile", Ctrl_C()):
        try:
            reductions.reduce(combine, x, 0, backend=backend)
            print("not interrupted")
        except KeyboardInterrupt:
            print("interrupted")
    print(reductions.reduce(combine, x, 0, backend=backend))
"""


def test_interrupted_while_numba_compiles() -> None:
    """Which ends first; later calls, and functions that have types in common, are as if nothing had happened."""
    pytest.importorskip("numba")
    assert child.output(NUMBA_INTERRUPTED).split() == ["interrupted", "499500.0"] * 2
