"""Which Python is this: GIL on, off, and who switched it back on; its threads and imports, whatever is patched."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.machinery import BuiltinImporter, ExtensionFileLoader
from importlib.util import module_from_spec
from typing import Any

__all__ = [
    "Imports",
    "free_threaded_build",
    "gil_enabled",
    "gil_enabled_by",
    "imports",
    "is_main_thread",
    "load",
    "original_thread",
    "signals_deferred",
]


def _original_thread_module() -> Any:
    """A copy of ``_thread`` as the interpreter makes it.

    gevent and eventlet replace the functions of the module that everybody imports: a thread is a greenlet then, and a
    lock switches greenlets. Workers wait for each other without the GIL, so they must be threads of the operating
    system; a greenlet that waits so keeps all others of its thread from running, for ever if it waits for one of them.
    """
    spec = BuiltinImporter.find_spec("_thread")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


original_thread = _original_thread_module()


_LINUX = sys.platform == "linux"


def is_main_thread() -> bool:
    """Whether signals are handled in this thread, whatever greenlet runs in it."""
    if _LINUX:
        return bool(original_thread.get_native_id() == os.getpid())
    return bool(original_thread.get_ident() == threading.main_thread().ident)  # not so with gevent


def load(name: str) -> Any:
    """Import a module without being interrupted; see ``signals_deferred``."""
    module = sys.modules.get(name)
    if module is not None and not getattr(module.__spec__, "_initializing", False):
        return module
    with signals_deferred():
        return import_module(name)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Have signals wait for the end of the block, as far as Python functions handle them.

    Ctrl-C in the middle of an import leaves behind what cannot be imported again: a compiled module, half of Numba, the
    import system's own lock. And the handler of a signal may call a kernel, which would find modules half imported.
    """
    handlers: dict[int, Any] = {}
    came: list[int] = []
    if is_main_thread():  # no other handles signals
        try:
            for number in signal.valid_signals():
                handler = signal.getsignal(number)
                if callable(handler):
                    handlers[number] = handler
                    signal.signal(number, lambda number, _frame: came.append(number))
        except ValueError:  # a subinterpreter, which handles no signals either
            handlers.clear()
        except BaseException:
            _restore(handlers)
            raise
    try:
        yield
    finally:
        _restore(handlers)
        for late in came:
            signal.raise_signal(late)


def _restore(handlers: dict[int, Any]) -> None:
    for key, handler in handlers.items():
        signal.signal(key, handler)


# Imports the modules named on standard input, one by one, and prints the first after which the GIL is on.
_FIRST_TO_ENABLE = """
import importlib, json, sys
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except Exception:
        continue  # what cannot be imported alone did not switch anything
    if sys._is_gil_enabled():
        print(json.dumps(name))
        break
"""


def free_threaded_build() -> bool:
    """Whether this Python was built so that it can run without a GIL."""
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def gil_enabled() -> bool:
    """Whether there is a GIL right now: always, but for a free-threaded build that has it switched off."""
    is_enabled = getattr(sys, "_is_gil_enabled", None)  # new in Python 3.13
    return True if is_enabled is None else bool(is_enabled())


def gil_enabled_by() -> str | None:
    """Who switched the GIL back on in a free-threaded build; None where it is off or could never be off.

    An import is found by importing this process's extension modules again, one by one, in a child process (at most
    30 s). The answer reads ``"-X gil=1 or PYTHON_GIL=1"``, ``"import of package.module"``, or, where the child keeps
    the GIL off, ``"an import that no longer does so by itself"``.
    """
    if not (free_threaded_build() and gil_enabled()):
        return None
    if getattr(sys.flags, "gil", None) == 1:
        return "-X gil=1 or PYTHON_GIL=1"
    extensions = [
        name
        for name, module in sys.modules.items()
        if isinstance(getattr(getattr(module, "__spec__", None), "loader", None), ExtensionFileLoader)
    ]
    return _who_enables(tuple(extensions))


@cache
def _who_enables(extensions: tuple[str, ...]) -> str:
    """Import them one by one in a child process, which takes a while, until the GIL is on."""
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FIRST_TO_ENABLE],
        input=json.dumps(extensions),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if child.stdout:
        return f"import of {json.loads(child.stdout)}"
    return "an import that no longer does so by itself"


@dataclass(frozen=True)
class Imports:
    """What importing a module does to the GIL."""

    module: str
    switches_gil_on: bool | None  # None where there is no question: the GIL is always on
    by: str | None  # the extension module in its tree that does
    why: str  # in a sentence


# Imports a module and says after which extension module the GIL was on for the first time. Ends without the module's
# own farewells, so that nothing is printed behind the answer.
_IMPORT = """
import importlib, json, os, sys
from importlib.machinery import ExtensionFileLoader

is_enabled = getattr(sys, "_is_gil_enabled", lambda: True)
asked = json.loads(sys.argv[1])
sys.path[:] = asked["path"]
answer = {"before": is_enabled(), "by": None, "error": None}

def watch(name):
    original = getattr(ExtensionFileLoader, name)
    def watched(self, thing):
        before = is_enabled()
        try:
            return original(self, thing)
        finally:
            if is_enabled() and not before and answer["by"] is None:
                answer["by"] = getattr(thing, "name", None) or thing.__name__
    setattr(ExtensionFileLoader, name, watched)

watch("create_module")
watch("exec_module")
try:
    importlib.import_module(asked["module"])
except BaseException as error:
    answer["error"] = f"{type(error).__name__}: {error}"
answer["after"] = is_enabled()
sys.stdout.flush()
os.write(1, ("\\n" + json.dumps(answer)).encode())
os._exit(0)
"""


def imports(module: str) -> Imports:
    """Find out whether importing ``module`` switches the GIL back on, and which module of its tree does.

    It is imported in a fresh Python, whose settings are the defaults: no ``-X gil``, no ``PYTHON_GIL``. Only a
    free-threaded build can be without a GIL; on others the answer says so.

    Parameters
    ----------
    module : str
        Its full name, as in an import statement.

    Raises
    ------
    TypeError, ValueError
        If that is no name of a module.
    ImportError
        If it cannot be imported; the message is the fresh Python's.
    TimeoutError
        If that takes more than two minutes.
    """
    if not isinstance(module, str):
        raise TypeError(f"module: got {type(module).__name__}, expected the name of a module")
    if not all(word.isidentifier() for word in module.split(".")):
        raise ValueError(f"module: got {module!r}, expected the name of a module")
    asked = json.dumps({"module": module, "path": sys.path})
    try:
        child = subprocess.run(
            [sys.executable, "-E", "-W", "ignore", "-c", _IMPORT, asked],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"importing {module} took more than {error.timeout:.0f} s in a fresh Python") from None
    last = child.stdout.rpartition("\n")[2]
    if not last.startswith("{"):
        raise ImportError(f"a fresh Python that imports {module} ended with status {child.returncode}", name=module)
    answer = json.loads(last)
    if answer["error"]:
        raise ImportError(f"import of {module} failed in a fresh Python: {answer['error']}", name=module)
    if not free_threaded_build():
        return Imports(module, None, None, "this build of Python always has its GIL; ask a free-threaded one")
    if answer["before"]:
        return Imports(module, None, None, "the GIL of a fresh Python here is on before anything is imported")
    if not answer["after"]:
        return Imports(module, False, None, f"importing {module} leaves the GIL off")
    by = answer["by"] or module
    return Imports(module, True, by, f"importing {module} switches the GIL on: {by} does not say it can do without")
