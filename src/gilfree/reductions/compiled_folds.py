"""Makes the loops that fold an array with a user's own functions, compiled by Numba."""

from __future__ import annotations

from functools import cache, lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gilfree.backends import uninterrupted
from gilfree.interpreter import load, signals_deferred
from gilfree.reductions.folds import PIECE, Functions, Kind, plain, wide

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gilfree.backends import Backend

__all__ = ["compiled", "memory_of"]


@lru_cache(maxsize=64)  # of the last few: what Numba compiled holds on to the functions, and nothing would free either
def compiled(functions: Functions, memory: np.dtype[Any], element: np.dtype[Any], initial: Kind | None) -> CompiledFold:
    """The fold as Numba compiles it, made once; see ``CompiledFold``."""
    with signals_deferred():
        return CompiledFold(functions, memory, element, initial)


class CompiledFold:
    """The loops for one set of functions and dtypes.

    ``memory`` is the dtype of the array, ``element`` what its elements are turned into, ``initial`` the kind of the
    initial state. ``kind`` and ``result`` are what Numba infers that the functions return.
    """

    def __init__(
        self, functions: Functions, memory: np.dtype[Any], element: np.dtype[Any], initial: Kind | None
    ) -> None:
        # As a name to import: `import numba` is for the kernels, and importing this file must not import it.
        self._numba = load("numba")
        self._inner = _inner()
        self._memory = memory
        self._loops: dict[tuple[bool, bool], tuple[Any, Any]] = {}
        self._combine = self._njit(functions.combine)
        value = Kind((element,), scalar=True)
        if functions.init is None:
            self.kind = value
            value.check(self._returned(self._combine, "operator", value, value), "operator")
            start = None
        else:
            index = (Kind((np.dtype(np.int64),), scalar=True),) if functions.indexed else ()
            start = self._njit(functions.init, 1 + len(index))
            self.kind = self._returned(start, "init", value, *index)
            if initial is not None:
                self.kind = initial.joined(self.kind, "init")
            while True:
                returned = self._returned(self._combine, "operator", self.kind, self.kind)
                wider = self.kind.joined(returned, "operator")
                if wider == self.kind:
                    break
                self.kind = wider
        self.result = self.kind
        finish = None
        if functions.finish is not None:
            finish = self._njit(functions.finish, 1)
            self.result = self._returned(finish, "finish", self.kind)
        self._make(start, functions.indexed, finish, element)

    def _njit(self, function: Callable[..., Any], parameters: int = 2) -> Any:
        """Compiled for whatever types it will be called with; division by zero is no error, as NumPy has it."""
        njit = self._inner
        if isinstance(function, FunctionType):
            return njit(function)
        # One of Numba's, one written in C or a ufunc: what Numba knows by name, it can call.
        if parameters == 1:
            return njit(lambda a: function(a))  # noqa: PLW0108 - a Python function is what Numba compiles
        return njit(lambda a, b: function(a, b))  # noqa: PLW0108

    def _returned(self, function: Any, argument: str, *arguments: Kind) -> Kind:
        """The kind that a function returns for arguments of these kinds. Compiles it."""
        types = tuple(self._type(kind) for kind in arguments)
        given = ", ".join(str(kind) for kind in arguments)
        try:
            function.compile(types)
        except Exception as error:  # Numba's errors have no base in common
            raise TypeError(
                f"{argument}: got {_name(function)}, which Numba cannot compile for ({given}), for the reason above;"
                " expected a function that it can, or backend='python'"
            ) from error
        return self._kind(function.overloads[types].signature.return_type, argument)

    def _type(self, kind: Kind) -> Any:
        types = [self._numba.from_dtype(dtype) for dtype in kind.dtypes]
        return types[0] if kind.scalar else self._numba.types.Tuple(types)

    def _kind(self, found: Any, argument: str) -> Kind:
        types = self._numba.types
        fields = list(found) if isinstance(found, types.BaseTuple) else [found]
        dtypes = []
        for field in map(types.unliteral, fields):
            if not isinstance(field, types.Boolean | types.Number):
                raise TypeError(f"{argument}: returned {found}, expected a number or a tuple of numbers")
            dtypes.append(wide(self._numba.np.numpy_support.as_dtype(field)))
        if not dtypes:
            raise TypeError(f"{argument}: returned an empty tuple, expected a number or a tuple of numbers")
        return Kind(tuple(dtypes), not isinstance(found, types.BaseTuple))

    def _caster(self, function: Any, kind: Kind, *arguments: Kind) -> Any:
        """The function, with what it returns turned into ``kind``."""
        njit = self._inner
        types = tuple(self._type(each) for each in arguments)
        if function.overloads and function.overloads[types].signature.return_type == self._type(kind):
            return function
        if kind.scalar:
            scalar = kind.dtypes[0].type
            if len(arguments) == 1:
                return njit(lambda a: scalar(function(a)))
            return njit(lambda a, b: scalar(function(a, b)))
        cast = _tuple_caster(kind.dtypes)
        if len(arguments) == 1:
            return njit(lambda a: cast(function(a)))
        return njit(lambda a, b: cast(function(a, b)))

    def _load_and_store(self, kind: Kind) -> tuple[Any, Any]:
        return _scalar_access() if kind.scalar else (_loader(len(kind.dtypes)), _storer(len(kind.dtypes)))

    def _make(self, start: Any, indexed: bool, finish: Any, element: np.dtype[Any]) -> None:
        """The loops, as plain functions; ``loops`` compiles them for a backend."""
        njit = self._inner
        prange = self._numba.prange
        scalar = element.type
        combine = self._caster(self._combine, self.kind, self.kind, self.kind)
        load, store = self._load_and_store(self.kind)
        show = store if finish is None else self._load_and_store(self.result)[1]

        if start is None:
            lift = _lift(element)
        elif indexed:
            value_kind = Kind((element,), scalar=True), Kind((np.dtype(np.int64),), scalar=True)
            made = self._caster(start, self.kind, *value_kind)
            lift = njit(lambda value, index: made(scalar(value), index))
        else:
            made = self._caster(start, self.kind, Kind((element,), scalar=True))
            lift = njit(lambda value, _index: made(scalar(value)))
        end = _same() if finish is None else self._caster(finish, self.result, self.kind)
        offset = _offset()

        @njit
        def fold_unit(
            memory: Any,
            corner: int,
            kept: Any,
            folded: Any,
            initial: Any,
            starts: bool,
            partials: Any,
            results: Any,
            unit: int,
        ) -> None:
            rows, n = len(results[0]), 1
            for length in folded[0]:
                n *= length
            whole = len(partials[0]) == rows
            piece, row = (0, unit) if whole else (unit // rows, unit % rows)
            base = corner + offset(row, kept[0], kept[1])
            at, last = piece * PIECE, min(n, (piece + 1) * PIECE)
            inner, step = folded[0, -1], folded[1, -1]
            if starts and piece == 0:
                state = initial
            else:
                state = lift(memory[base + offset(at, folded[0], folded[1])], at)
                at += 1
            while at < last:
                # A line along the last axis at a time.
                past = at % inner if len(folded[0]) > 1 else at
                count = min(inner - past, last - at)
                here = base + offset(at, folded[0], folded[1])
                if step == 1:
                    line = memory[here : here + count]
                    for j in range(count):
                        state = combine(state, lift(line[j], at + j))
                else:
                    for j in range(count):
                        state = combine(state, lift(memory[here + j * step], at + j))
                at += count
            if whole:
                show(results, row, end(state))
            else:
                store(partials, unit, state)

        @njit
        def succeeds(
            memory: Any,
            corner: int,
            kept: Any,
            folded: Any,
            initial: Any,
            starts: bool,
            partials: Any,
            results: Any,
            unit: int,
        ) -> bool:
            try:
                fold_unit(memory, corner, kept, folded, initial, starts, partials, results, unit)
            except Exception:  # noqa: BLE001 - Numba catches all or none
                return False
            return True

        def fold(
            memory: Any, corner: int, kept: Any, folded: Any, initial: Any, starts: bool, partials: Any, results: Any,
            first: int, last: int,
        ) -> None:  # fmt: skip
            for unit in range(first, last):
                fold_unit(memory, corner, kept, folded, initial, starts, partials, results, unit)

        def fold_shared(
            memory: Any, corner: int, kept: Any, folded: Any, initial: Any, starts: bool, partials: Any, results: Any,
            failed: Any, first: int, last: int,
        ) -> None:  # fmt: skip
            for unit in prange(first, last):
                if not succeeds(memory, corner, kept, folded, initial, starts, partials, results, unit):
                    failed[0] = unit

        def join(partials: Any, results: Any) -> None:
            rows = len(results[0])
            for row in range(rows):
                state = load(partials, row)
                for at in range(row + rows, len(partials[0]), rows):
                    state = combine(state, load(partials, at))
                show(results, row, end(state))

        self._fold, self._fold_shared, self._join = fold, fold_shared, join

    def loops(self, backend: Backend) -> tuple[Callable[..., bool], Callable[..., None]]:
        """The door that folds, and the function that joins the pieces, with the backend's promise about the GIL.

        Door: ``(memory, corner, kept, folded, initial, starts, partials, results, tickets, most, release)``; see
        ``memory_of`` for the first four. ``starts`` is whether there is an initial state; ``partials`` and
        ``results`` are tuples of arrays, one for each field, of a state for each unit and each row.
        """
        shared = backend.threads == "numba"
        key = backend.releases, shared
        if key not in self._loops:
            self._loops[key] = self._compile(backend.releases, shared)
        fold, join = self._loops[key]
        if not shared:

            def door(*arguments: Any) -> bool:
                *buffers, tickets, _most, _release = arguments
                for first, last in tickets:
                    fold(*buffers, first, last)
                return False

        else:

            def door(*arguments: Any) -> bool:
                *buffers, tickets, _most, _release = arguments
                failed = np.full(1, -1)
                for first, last in tickets:
                    fold(*buffers, failed, first, last)
                    if failed[0] >= 0:
                        # Numba's threads lose exceptions: the unit is done again, by this one, to raise its own.
                        self._alone()(*buffers, failed[0], failed[0] + 1)
                return False

        door.__name__ = f"fold_{backend.name.replace('-', '_')}"
        return door, join

    def _alone(self) -> Any:
        """The loop of one thread, without the GIL."""
        if (True, False) not in self._loops:
            self._loops[True, False] = self._compile(True, False)
        return self._loops[True, False][0]

    def _compile(self, releases: bool, shared: bool) -> tuple[Any, Any]:
        """Both loops; that of the workers at once, so that they find it ready."""
        numba, types = self._numba, self._numba.types
        word = types.int64
        states = types.Tuple([numba.from_dtype(dtype)[::1] for dtype in self.kind.dtypes])
        results = types.Tuple([numba.from_dtype(dtype)[::1] for dtype in self.result.dtypes])
        axes = types.Array(word, 2, "C", readonly=True)
        memory = types.Array(numba.from_dtype(self._memory), 1, "C", readonly=True)
        buffers = memory, word, axes, axes, self._type(self.kind), types.boolean, states, results
        how = {"error_model": "numpy", "nogil": releases, "no_cfunc_wrapper": True}
        fold = numba.njit(parallel=shared, **how)(self._fold_shared if shared else self._fold)
        with signals_deferred():
            fold.compile((*buffers, *((word[::1],) if shared else ()), word, word))
        # Only the calling thread joins, and only long folds need it: it is compiled when first called.
        return fold, uninterrupted(numba.njit(**how)(self._join))


# --- what does not depend on the user's functions: compiled for the first fold of its kind, and there for the others -


@cache
def _inner() -> Any:
    """Compiles what compiled code alone calls: what would let Python and C call it takes a third of the compiling."""
    return load("numba").njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


@cache
def _offset() -> Any:
    def offset(number: int, shape: Any, strides: Any) -> Any:
        """Where, in C order of these axes, the element of that number lies."""
        at = 0
        for i in range(len(shape) - 1, 0, -1):  # a division each, which short rows feel
            at += number % shape[i] * strides[i]
            number //= shape[i]
        return at + number * strides[0]

    return _inner()(offset)


@cache
def _same() -> Any:
    return _inner()(lambda state: state)


@cache
def _lift(element: np.dtype[Any]) -> Any:
    scalar = element.type
    return _inner()(lambda value, _index: scalar(value))


# Numba knows the length and the types of a tuple when it compiles, so a loop over one is a chain of functions.


@cache
def _tuple_caster(dtypes: tuple[np.dtype[Any], ...]) -> Any:
    scalar = dtypes[0].type
    if len(dtypes) == 1:
        return _inner()(lambda state: (scalar(state[0]),))
    rest = _tuple_caster(dtypes[1:])
    return _inner()(lambda state: (scalar(state[0]), *rest(state[1:])))


@cache
def _loader(count: int) -> Any:
    if count == 1:
        return _inner()(lambda fields, at: (fields[0][at],))
    rest = _loader(count - 1)
    return _inner()(lambda fields, at: (fields[0][at], *rest(fields[1:], at)))


@cache
def _storer(count: int) -> Any:
    if count == 1:

        def store(fields: Any, at: int, state: Any) -> None:
            fields[0][at] = state[0]

    else:
        rest = _storer(count - 1)

        def store(fields: Any, at: int, state: Any) -> None:
            fields[0][at] = state[0]
            rest(fields[1:], at, state[1:])

    return _inner()(store)


@cache
def _scalar_access() -> tuple[Any, Any]:
    def load(fields: Any, at: int) -> Any:
        return fields[0][at]

    def store(fields: Any, at: int, state: Any) -> None:
        fields[0][at] = state

    return _inner()(load), _inner()(store)


def _name(function: Any) -> str:
    inner = plain(function)
    for cell in getattr(inner, "__closure__", None) or ():
        if callable(cell.cell_contents):  # one that was wrapped to be compiled
            inner = cell.cell_contents
    return getattr(inner, "__name__", repr(inner))


def memory_of(x: NDArray[Any], kept: int) -> tuple[NDArray[Any], int, NDArray[Any], NDArray[Any]]:
    """An aligned array, of any strides that are multiples of its item size, as what one compiled loop can read.

    Returns
    -------
    memory : ndarray
        All that lies between its first and its last element in memory, of one dimension, read-only.
    corner : int
        Where in it the array's first element is.
    kept, folded : ndarray of int64, shape (2, axes)
        Lengths and strides, in elements, of the first ``kept`` axes of ``x`` and of the others. Axes that are as good
        as one are one.
    """
    strides = [stride // x.itemsize for stride in x.strides]
    reach = [stride * (length - 1) for stride, length in zip(strides, x.shape, strict=True)]
    corner = -sum(min(0, far) for far in reach)
    size = corner + sum(max(0, far) for far in reach) + 1
    lowest = x[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in strides)]
    memory = as_strided(lowest, (size,), (x.itemsize,), writeable=False)
    both = _axes(x.shape[:kept], strides[:kept]), _axes(x.shape[kept:], strides[kept:])
    return memory, corner, *both


def _axes(shape: tuple[int, ...], strides: list[int]) -> NDArray[Any]:
    merged: list[list[int]] = []
    for length, stride in zip(shape, strides, strict=True):
        if length == 1:
            continue
        if merged and merged[-1][1] == length * stride:
            merged[-1] = [merged[-1][0] * length, stride]
        else:
            merged.append([length, stride])
    axes = np.array(merged or [[1, 1]], np.int64).T.copy()
    axes.flags.writeable = False
    return axes
