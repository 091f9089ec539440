"""What ``import gilfree`` brings, and what it leaves alone."""

import importlib.metadata
import inspect
import json
from types import ModuleType
from typing import Any

import child
import pytest

import gilfree
from gilfree import pixels, primes, reductions

IMPORT = """
import json, os, signal, sys, threading, warnings
import numpy
def state():
    return [
        dict(os.environ), threading.active_count(), sys.getswitchinterval(), len(warnings.filters), sys.path,
        str(signal.getsignal(signal.SIGINT)), os.getcwd(), sys.getrecursionlimit(), numpy.geterr(),
    ]
modules, before = set(sys.modules), state()
import gilfree
print(json.dumps([sorted(set(sys.modules) - modules), before == state()]))
"""


def test_import_is_light() -> None:
    """Over NumPy it brings gilfree and little else; nothing optional, nothing that starts threads or processes."""
    modules, same = json.loads(child.output(IMPORT, "-W", "error"))
    heavy = ("numba", "llvmlite", "matplotlib", "rich", "PIL", "multiprocessing", "concurrent", "asyncio", "subprocess")
    assert not [name for name in modules if name.split(".")[0] in heavy]
    assert not [name for name in modules if name.startswith("gilfree") and name.endswith("_numba")]
    assert not [name for name in modules if name.startswith("gilfree.explore")]
    assert same


def test_first_use_is_light() -> None:
    """A small call on the default backend needs no thread and no executor."""
    code = """
import sys, threading
import gilfree
gilfree.primes.is_prime(7); gilfree.reductions.sum([1, 2]); gilfree.primes.count_primes(100)
print(threading.active_count(), [name for name in ("numba", "concurrent.futures.thread") if name in sys.modules])
"""
    assert child.output(code, "-W", "error") == "1 []"


def test_every_module_can_be_imported_first() -> None:
    """No module leans on another having been imported before it."""
    for name in ("arrays", "backends", "interpreter", "parallel", "pixels", "primes", "reductions", "_tickets", "_cpu"):
        child.output(f"import gilfree.{name}", "-W", "error")


@pytest.mark.parametrize("module", [gilfree, primes, reductions, pixels], ids=lambda module: module.__name__)
def test_public_names(module: ModuleType) -> None:
    """Each exists, says what it is, and is all that a star brings."""
    names: list[str] = module.__all__
    assert names == sorted(set(names))
    for name in set(names) - {"__version__"}:
        thing: Any = getattr(module, name)
        assert inspect.getdoc(thing), name
    scope: dict[str, Any] = {}
    exec(f"from {module.__name__} import {', '.join(names)}", scope) if "__version__" not in names else None
    assert "__version__" in names or set(names) <= set(scope)


@pytest.mark.parametrize("module", [primes, reductions, pixels], ids=lambda module: module.__name__)
def test_signatures(module: ModuleType) -> None:
    """Everywhere the same three words at the end, by name only; every argument is hinted and documented.

    What is passed on to a method (``**options``) may follow.
    """
    for name in set(module.__all__) - {"check_associative"}:  # it looks at a few numbers, in Python
        function = getattr(module, name)
        parameters = inspect.signature(function).parameters
        own = [name for name, one in parameters.items() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        assert own[-3:] == ["backend", "threads", "executor"], name
        for word in ("out", "backend", "threads", "executor"):
            if word in parameters:
                assert parameters[word].kind is inspect.Parameter.KEYWORD_ONLY
                assert parameters[word].default is None
        assert "return" in function.__annotations__
        assert set(parameters) <= set(function.__annotations__)


def test_version() -> None:
    """The one that was installed; where gilfree is not installed there is none."""
    try:
        installed = importlib.metadata.version("gilfree")
    except importlib.metadata.PackageNotFoundError:
        with pytest.raises(importlib.metadata.PackageNotFoundError):
            _ = gilfree.__version__
    else:
        assert gilfree.__version__ == installed


def test_no_such_name() -> None:
    with pytest.raises(AttributeError, match="module 'gilfree' has no attribute 'no_such_name'"):
        _ = gilfree.no_such_name


def test_types_are_shipped() -> None:
    assert (importlib.resources.files("gilfree") / "py.typed").is_file()
