"""What all reductions have in common: which axes are folded, in which order memory is read, how pieces are joined."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.stride_tricks import as_strided

from gilfree import backends, parallel
from gilfree.arrays import as_array, check_out

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from gilfree.backends import Backend

PIECE = 16384  # elements a unit; the kernels cut rows into the same pieces
GRAIN = 2**21  # bytes a ticket: 20 to 100 µs of one core's memory. Below two of them a second thread lost (2 MB: 69 µs
# with it, 44 without), from four on it gains (8 MB: 104 and 120; 24 MB: 266 and 405).
PAUSE = 256  # tickets that take about 30 ms

# Columns that are folded together: two pages of them, as the next row's lie in others, or one where there would not be
# units enough for several workers; whole cache lines in any case.
STRIP, STRIP_BYTES, LEAST_UNITS = 1024, 8192, 8
WORDS = 72  # int64 that hold an exact sum

# door → dtype of what a piece gives (None: that of the elements), how many of it, and which door or join makes one of
# the pieces' results.
DOORS: dict[str, tuple[str | None, int, str]] = {
    "sum_integer": ("u8", 1, "sum_integer"),
    "sum_real": ("f8", 1, "join_sum"),
    "prod_integer": ("u8", 1, "prod_integer"),
    "prod_real": ("f8", 1, "join_prod"),
    "prod_complex": ("c16", 1, "join_prod_complex"),
    "min_integer": (None, 1, "min_integer"),
    "max_integer": (None, 1, "max_integer"),
    "min_real": (None, 1, "min_real"),
    "max_real": (None, 1, "max_real"),
    "minmax_integer": (None, 2, "min_integer max_integer"),
    "minmax_real": (None, 2, "min_real max_real"),
    "argmin": ("i8", 2, "join_arg"),
    "argmax": ("i8", 2, "join_arg"),
    "variance": ("f8", 2, "join_variance"),
    "any": ("u1", 1, "any"),
    "all": ("u1", 1, "all"),
    "count_nonzero": ("u8", 1, "sum_integer"),
    "nansum": ("f8", 1, "join_sum"),
    "nanmean": ("f8", 2, "join_sum join_sum"),
    "nanmin": (None, 1, "nanmin"),
    "nanmax": (None, 1, "nanmax"),
    "dot_integer": ("u8", 1, "sum_integer"),
    "dot_real": ("f8", 1, "join_sum"),
    "dot_complex": ("c16", 1, "join_sum"),
    "fsum": ("f8", 1, ""),
    "fsum_words": ("i8", WORDS, "join_fsum"),
}

# The order in which these meet their elements is part of the answer; all others may go along the memory.
ORDERED = {"sum_real", "prod_real", "prod_complex", "argmin", "argmax", "variance", "nansum", "nanmean"}
ORDERED |= {"dot_real", "dot_complex"}

EXPECTED = {
    "biuf": "an integer, float or bool dtype",
    "biufc": "an integer, float, complex or bool dtype",
    "fc": "a float or complex dtype",
    "f": "a float dtype",
}


def small_kernels() -> Any:
    """The compiled kernels, which fold a small array sooner than `prepare` looks at it; None if others are meant."""
    if backends.chosen.get() is None and backends.default() == "cython":
        return backends.kernels("reductions", "cython")
    return None


@dataclass
class Call:
    """One call of a reduction: what came in, and who is to work on it."""

    name: str
    array: Any  # as it came, for errors and overlaps
    numbers: Any  # the same in a dtype that kernels have
    axes: tuple[int, ...]  # those folded, in order
    keepdims: bool
    out: Any
    backend: Backend
    threads: int | None
    executor: Executor | None

    @property
    def kept(self) -> list[int]:
        return [axis for axis in range(self.array.ndim) if axis not in self.axes]

    @property
    def rows(self) -> int:
        """Elements of the result."""
        return math.prod(self.array.shape[axis] for axis in self.kept)

    @property
    def n(self) -> int:
        """Elements that become one."""
        return math.prod(self.array.shape[axis] for axis in self.axes)

    @property
    def kind(self) -> str:
        """The kind of the elements, as doors are named after."""
        return {"f": "real", "c": "complex"}.get(self.numbers.dtype.kind, "integer")

    @property
    def shape(self) -> tuple[int, ...]:
        lengths = enumerate(self.array.shape)
        return tuple(1 if axis in self.axes else n for axis, n in lengths if self.keepdims or axis not in self.axes)

    def fold(self, door: str, other: Any = None) -> Any:
        """What a door makes of the elements: an array of (rows,), or of (rows, how many) numbers."""
        return fold(self, door, self.numbers, other)

    def check_out(self, dtype: Any) -> None:
        """Raise unless the result can be written to ``out``."""
        if self.out is not None:
            check_out(self.out, self.shape, dtype, self.array, "x")

    def refuse_empty(self) -> None:
        """Raise where a result would be made of nothing."""
        if self.n == 0 and self.rows > 0:
            where = "" if len(self.axes) == self.array.ndim else f" and axis {self.axes}"
            raise ValueError(f"x: got shape {self.array.shape}{where}, but there is no {self.name} of nothing")

    def result(self, folded: Any, dtype: Any, out: Any = None) -> Any:
        """The folded numbers as the caller wants them: shaped, of a dtype, one NaN for all."""
        if folded.dtype != dtype:
            with np.errstate(all="ignore"):  # what is too large for a smaller float is infinite, as sums are
                folded = folded.astype(dtype)
        # Which NaN comes out of an addition depends on the processor. A minimum has one if there is one.
        if folded.dtype.kind in "fc" and folded.size and np.isnan(folded.min()):
            folded = _one_nan(folded, np.isnan(folded))
        out = self.out if out is None else out
        if out is not None:
            out[...] = folded.reshape(self.shape)
            return out
        return folded.reshape(self.shape)[()]


def prepare(
    name: str,
    x: Any,
    axis: Any,
    keepdims: bool,
    out: Any,
    backend: str | None,
    threads: int | None,
    executor: Executor | None,
    *,
    kinds: str = "biuf",
    dtype: Any = None,
    longdouble: bool = False,
) -> Call:
    """Look at the arguments that all reductions have, and raise what is wrong with them."""
    array = as_array(x, "x")
    row = backends.resolve(backend)
    _check_dtype(array.dtype, kinds, row, longdouble)
    if axis is None:
        axes = tuple(range(array.ndim))
    else:
        axes = tuple(sorted(normalize_axis_tuple(axis, array.ndim, argname="axis")))
    parallel.check(threads, executor)
    return Call(name, array, native(array, dtype), axes, keepdims, out, row, threads, executor)


def _check_dtype(dtype: Any, kinds: str, backend: Backend, longdouble: bool, argument: str = "x") -> None:
    if dtype.kind not in kinds or dtype.char == "G":
        raise TypeError(f"{argument}: got dtype {dtype}, expected {EXPECTED[kinds]}")
    if dtype.char == "g" and backend.compiler == "LLVM":
        raise TypeError(f"{argument}: got dtype {dtype}, which Numba does not have; expected another dtype or backend")
    if dtype.char == "g" and not longdouble:
        raise TypeError(f"{argument}: got dtype {dtype}, expected float64 or another that fits into it")


def native(array: Any, dtype: Any = None) -> Any:
    """The elements in a dtype that kernels have: bools as bytes, float16 as float32, and the rest where it can stay.

    Only what no loop could read as it lies is copied: another dtype, the other byte order, odd addresses.
    """
    if dtype is not None and array.dtype != dtype:
        array = array.astype(dtype)
    if array.dtype.kind == "b":
        return array.view(np.uint8)
    if array.dtype.char == "e":
        return array.astype(np.float32)
    if array.dtype.isnative and array.flags.aligned and not _between(array):
        return array
    return array.astype(array.dtype.newbyteorder("="))


def _between(array: Any) -> bool:
    """Whether a stride is no multiple of the element's size, as in a field of a record."""
    return any(stride % array.itemsize for stride in array.strides)


def check_dtype(dtype: Any, kinds: str = "biufc") -> Any:
    """``dtype`` as a NumPy dtype that a result may have, or an error; None stays None."""
    if dtype is None:
        return None
    found = np.dtype(dtype)
    if found.kind not in kinds or found.char in "gG":
        raise TypeError(f"dtype: got {found}, expected {EXPECTED[kinds]} of at most 64 bits a part")
    return found.newbyteorder("=")


def _one_nan(folded: Any, nan: Any) -> Any:
    folded = folded.copy()
    if folded.dtype.kind == "f":
        folded[nan] = np.nan
        return folded
    for part in (folded.real, folded.imag):
        part[np.isnan(part)] = np.nan
    return folded


def fold(call: Call, door: str, numbers: Any, other: Any = None) -> Any:
    """Run a door over the rows of an array and join what its pieces give."""
    strides = [abs(stride) for stride in numbers.strides]
    kept, folded = call.kept, list(call.axes)
    # Along the memory wherever that does not change the answer: rows may be worked on in any order.
    order = sorted(kept, key=lambda axis: -strides[axis])
    if door not in ORDERED:
        folded.sort(key=lambda axis: -strides[axis])
    arrays = [numbers] if other is None else [numbers, other]
    moved = [array.transpose(order + folded) for array in arrays]
    results = _run(call, door, moved, len(kept))
    if order != kept:
        shape = tuple(numbers.shape[axis] for axis in order)
        back = [order.index(axis) for axis in kept]
        results = results.reshape(shape + results.shape[1:])
        results = results.transpose(*back, *range(len(kept), results.ndim)).reshape(
            call.rows, *results.shape[len(kept) :]
        )
    return results


def fold_parts(call: Call, door: str) -> Any:
    """The same for complex numbers, each part by itself: an array of (rows,) complex numbers."""
    numbers = call.numbers
    part = numbers.real.dtype
    # One more axis, kept: the two parts of a number lie side by side.
    strides = (*numbers.strides, part.itemsize)
    pairs = as_strided(numbers.real, (*numbers.shape, 2), strides, writeable=False)
    wide = Call(call.name, pairs, pairs, call.axes, call.keepdims, None, call.backend, call.threads, call.executor)
    return np.ascontiguousarray(fold(wide, door, pairs)).view(np.complex128)


def _run(call: Call, door: str, arrays: list[Any], kept: int) -> Any:
    """Rows of arrays whose first ``kept`` axes are kept."""
    x = arrays[0]
    if x.ndim == kept:  # a fold over no axis: each element is a row
        arrays = [array[..., np.newaxis] for array in arrays]
        x = arrays[0]
    rows, n = math.prod(x.shape[:kept]), math.prod(x.shape[kept:])
    pieces = -(-n // PIECE)
    name, width, joined = DOORS[door]
    dtype = x.dtype if name is None else np.dtype("g") if x.dtype.char == "g" and name == "f8" else np.dtype(name)
    if rows == 0:
        return np.empty((0, width) if width > 1 else 0, dtype)
    partials = np.empty((rows, pieces) if width == 1 else (rows, pieces, width), dtype)
    if door in ("any", "all"):
        partials[...] = door == "all"  # a worker that knows the answer stops all others
    strip = _strip(x, kept, n)
    doors = backends.kernels("reductions", call.backend.name)
    parallel.run(
        call.backend,
        getattr(doors, door),
        *arrays,
        kept,
        strip,
        partials,
        units=-(-rows // strip) * pieces,
        grain=max(1, GRAIN // (strip * min(n, PIECE) * x.itemsize)),
        pause=PAUSE,
        threads=call.threads,
        executor=call.executor,
    )
    if pieces == 1 and door != "fsum_words":
        return partials[:, 0]
    if width > 1 and " " in joined:
        return np.stack([_join(call, one, partials[..., i], n) for i, one in enumerate(joined.split())], axis=1)
    return _join(call, joined, partials, n)


def _join(call: Call, door: str, partials: Any, n: int) -> Any:
    """Make one of the results of each row's pieces."""
    if not door.startswith("join"):
        return _run(call, door, [partials], 1)
    doors = backends.kernels("reductions", call.backend.name)
    rows = len(partials)
    partials = np.ascontiguousarray(partials)
    if door == "join_variance":
        out: Any = np.empty((rows, 2))
        doors.join_variance(partials, n, out)
        return out
    if partials.dtype == np.complex128 and door == "join_sum":
        pairs = np.ascontiguousarray(partials.view(np.float64).reshape(rows, -1, 2).transpose(0, 2, 1))
        out = np.empty(2 * rows)
        doors.join_sum(pairs.reshape(2 * rows, -1), out)
        return out.view(np.complex128)
    out = np.empty(rows, np.float64 if door == "join_fsum" else partials.dtype)
    getattr(doors, door)(partials, out)
    return out


def _strip(x: Any, kept: int, n: int) -> int:
    """How many rows are worked on together."""
    if kept and n > 1 and abs(x.strides[kept - 1]) < abs(x.strides[-1]):
        line = max(1, 64 // x.itemsize)
        share = x.size // n * -(-n // PIECE) // LEAST_UNITS
        size = max(STRIP_BYTES // 2, min(share * x.itemsize, STRIP_BYTES))
        return min(STRIP, int(size // x.itemsize // line * line))
    return max(1, PIECE // n)


def check_other(call: Call, other: Any) -> None:
    """Raise unless a second array has a dtype that the first may have."""
    _check_dtype(other.dtype, "biufc", call.backend, longdouble=False, argument="y")
