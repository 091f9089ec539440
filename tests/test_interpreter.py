"""Which Python is this, and does gilfree leave its GIL as it was?"""

import sys
import sysconfig
from types import SimpleNamespace

import child
import pytest

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
    monkeypatch.setattr(interpreter, "free_threaded_build", lambda: True)
    monkeypatch.setattr(interpreter, "gil_enabled", lambda: True)
    flags = SimpleNamespace(gil=None)
    monkeypatch.setattr(interpreter, "sys", SimpleNamespace(flags=flags, modules=sys.modules, executable="python"))
    asked: list[str] = []

    def run(command: list[str], *, input: str, **how: object) -> SimpleNamespace:
        asked.append(input)
        return SimpleNamespace(stdout=printed)

    monkeypatch.setattr(interpreter, "subprocess", SimpleNamespace(run=run))
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
