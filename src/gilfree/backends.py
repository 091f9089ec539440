"""The backends and what each promises about the GIL; loads their kernels; says why one is missing."""

import importlib.util
import os
import types
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from gilfree.interpreter import load, signals_deferred

__all__ = ["BACKENDS", "Backend", "cache_size", "isa", "isas", "kernels", "missing", "resolve"]


@dataclass(frozen=True)
class Backend:
    """One way to run the kernels.

    ``releases`` is its promise: whether other Python threads may run while a kernel of it does.
    """

    name: str
    compiler: str
    releases: bool
    threads: str = "gilfree"  # who makes them: gilfree.parallel, or Numba
    slowness: int = 1  # roughly, how many times as long as compiled code it takes over a unit
    options: dict[str, Any] = field(default_factory=dict)  # for numba.njit


BACKENDS = {
    row.name: row
    for row in (
        Backend("python", "none", releases=False, slowness=64),
        Backend("cython-held", "C", releases=False),
        Backend("cython", "C", releases=True),
        Backend("numba-held", "LLVM", releases=False),
        Backend("numba", "LLVM", releases=True, options={"nogil": True}),
        Backend("numba-parallel", "LLVM", releases=True, threads="numba", options={"nogil": True, "parallel": True}),
    )
}

# What backend=None tries, best first. The controls are there to be asked for.
_PREFERRED = ("cython", "numba", "python")

chosen: ContextVar[str | None] = ContextVar("gilfree_backend", default=None)


# --- which backend ---------------------------------------------------------------------------------------------------


def check_name(backend: object, argument: str = "backend") -> str:
    """``backend`` itself where it names one, else ValueError or TypeError naming ``argument``."""
    if not isinstance(backend, str):
        raise TypeError(f"{argument}: got {type(backend).__name__}, expected one of {', '.join(BACKENDS)}")
    if backend not in BACKENDS:
        raise ValueError(f"{argument}: got {backend!r}, expected one of {', '.join(BACKENDS)}")
    return backend


@cache
def _from_environment() -> str | None:
    name = os.environ.get("GILFREE_BACKEND")
    return check_name(name, "GILFREE_BACKEND") if name else None


def resolve(backend: str | None = None) -> Backend:
    """The backend that is meant: the argument, else ``gilfree.use``, else ``GILFREE_BACKEND``, else the best there is.

    Raises
    ------
    ValueError, TypeError
        If there is no backend of that name.
    ModuleNotFoundError
        If it is missing here; the message says why and what to install.
    """
    name = check_name(backend) if backend is not None else chosen.get() or default()
    why = missing(name)
    if why:
        raise ModuleNotFoundError(f"backend {name!r} is not available: {why}")
    return BACKENDS[name]


@cache
def default() -> str:
    """What is meant where nobody says: ``GILFREE_BACKEND``, else the best there is."""
    return _from_environment() or _best()


@cache
def _best() -> str:
    return next(name for name in _PREFERRED if not missing(name))


@cache
def missing(name: str) -> str | None:
    """Why the backend cannot be used here and what to install; None if it can."""
    if name.startswith("numba"):
        try:
            numba = load("numba")
        except ImportError as error:
            return f"Numba cannot be imported ({error}); pip install 'gilfree[numba]', where Numba has wheels"
        if numba.config.DISABLE_JIT:
            return "Numba is switched off; unset NUMBA_DISABLE_JIT"
    elif name.startswith("cython"):
        try:
            load("gilfree._cpu")
        except ImportError as error:
            return (
                f"the compiled modules cannot be imported ({error}); install gilfree from a wheel or with a C compiler"
            )
        if not isas():
            return (
                "the kernels were compiled for instruction sets that this processor lacks (GILFREE_BUILD_ISAS);"
                " install gilfree from a wheel or compile it here"
            )
    return None


# --- which instruction set -------------------------------------------------------------------------------------------


def isas() -> tuple[str, ...]:
    """Instruction sets that this processor can run and that were built, best first."""
    with signals_deferred():  # looking for a module takes the lock of all imports
        return tuple(
            name
            for name in load("gilfree._cpu").isas()
            if importlib.util.find_spec(f"gilfree.reductions._cython_{name}") is not None
        )


@cache
def isa() -> str:
    """The instruction set the compiled kernels use: ``GILFREE_ISA``, else the best of ``isas()``.

    Raises
    ------
    ValueError
        If ``GILFREE_ISA`` names one that is unknown, was not built, or that this processor cannot run.
    """
    usable = isas()
    name = os.environ.get("GILFREE_ISA") or usable[0]
    if name not in usable:
        raise ValueError(f"GILFREE_ISA: got {name!r}, expected one of {', '.join(usable)} on this machine")
    return name


@cache
def cache_size(level: int, folder: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int:
    """Bytes of the processor's data cache of level 1 or 2, as Linux tells them; elsewhere 32 KiB and 512 KiB."""
    with signals_deferred():  # since Python 3.15 pathlib imports when it is used
        indices = list(folder.glob("index*"))
    for index in indices:
        try:
            found, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        if found == str(level) and kind != "Instruction" and size.endswith("K"):
            return int(size[:-1]) * 1024
    return {1: 2**15, 2: 2**19}[level]


# --- the kernels -----------------------------------------------------------------------------------------------------


@cache
def kernels(family: str, backend: str, instructions: str | None = None) -> Any:
    """The doors of a family ("primes", "reductions", "pixels") on a backend; the first call may compile or import.

    Every door is called ``door(*buffers, tickets, most, release)`` and works through tickets until none is left
    (false) or ``most`` of them are done (true; a negative number means no limit). The doors of ``python`` and Numba
    come back to bytecode after every ticket and need no limit.
    """
    if backend.startswith("cython"):
        return load(f"gilfree.{family}._cython_{instructions or isa()}")
    if backend == "python":
        return load(f"gilfree.{family}._python")
    return NumbaDoors(load(f"gilfree.{family}._numba"), BACKENDS[backend])


def _compiled(numba: Any, function: types.FunctionType, backend: Backend) -> Callable[..., None]:
    """What Numba compiles on the first call and keeps on disk, where it finds a folder that it can write to."""
    options = {"error_model": "numpy", "no_cfunc_wrapper": True, **backend.options}
    try:
        kept = numba.njit(function, cache=True, **options)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        _warn_that_nothing_is_kept()
        kept = numba.njit(function, **options)
    whole: Callable[..., None] = uninterrupted(kept)
    return whole


def uninterrupted(compiled: Any) -> Any:
    """The same function of Numba's, which now compiles without being interrupted.

    After Ctrl-C in the middle of it, Numba could not compile other functions that have types in common with this one.
    """
    compile_for_args = compiled._compile_for_args  # what Numba calls when it meets types for the first time

    def whole(*args: Any, **kwargs: Any) -> Any:
        with signals_deferred():
            return compile_for_args(*args, **kwargs)

    compiled._compile_for_args = whole
    return compiled


@cache
def _warn_that_nothing_is_kept() -> None:
    warnings.warn(
        "Numba can write neither beside the installed package nor to a home folder, so each process compiles the"
        " kernels of its backends again; NUMBA_CACHE_DIR names a folder for them",
        RuntimeWarning,
        stacklevel=2,
    )


class NumbaDoors:
    """The loops of a ``_numba`` module as doors, each compiled for one backend when first asked for.

    A loop is a plain function ``loop(*buffers, first, last)`` listed in the module's ``LOOPS``; where the module has a
    function ``prepare(*buffers)``, it takes the buffers which that makes of them. The module's other functions, which
    are short and no workers' job, are the same for all.
    """

    def __init__(self, module: types.ModuleType, backend: Backend) -> None:
        self._module = module
        self._backend = backend

    def __getattr__(self, name: str) -> Callable[..., bool]:
        loop = self._module.LOOPS.get(name)
        if loop is None:
            function: Callable[..., bool] = getattr(self._module, name)
            return function
        # A copy under a name of its own: Numba's cache on disk is keyed by name and would hand the version that
        # keeps the GIL to the backend that lets it go.
        label = f"{name}_{self._backend.name.replace('-', '_')}"
        copy = types.FunctionType(loop.__code__, loop.__globals__, label)
        copy.__qualname__ = label
        compiled = _compiled(self._module.numba, copy, self._backend)

        prepare = getattr(self._module, "prepare", None)

        def door(*arguments: Any) -> bool:
            *buffers, tickets, _most, _release = arguments
            if prepare is not None:
                buffers = prepare(*buffers)
            for first, last in tickets:
                compiled(*buffers, first, last)
            return False

        door.__name__ = label
        setattr(self, name, door)
        return door
