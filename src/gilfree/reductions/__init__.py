"""Sums, minima and maxima of arrays over several threads: NumPy's meaning, and the same bits on every backend."""

from __future__ import annotations

import builtins
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from gilfree import backends, parallel
from gilfree.arrays import check_out, in_c_order

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

    from gilfree.backends import Backend

__all__ = ["max", "min", "sum"]

PIECE = 16384  # elements a unit; the kernels cut rows into the same pieces
GRAIN = 2**20  # bytes a ticket: 30 to 100 µs of one core's memory, more than waking a thread costs
PAUSE = 512  # tickets that take about 30 ms


def sum(
    x: ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Sum of the elements over the given axes, as ``numpy.sum``, over several threads.

    The answer is the same bits whatever the backend, the number of threads and the processor. Floats are added in
    double precision (float16 and float32 are rounded once, at the end; long doubles are added as such) in a fixed
    order: 32 interleaved lanes within blocks of 512 elements, the blocks joined in pairs. The error is at most
    ``(21 + log2(n / 512)) * eps * sum(abs(x))`` with double precision's ``eps``, the bound of NumPy's pairwise sum.

    Parameters
    ----------
    x : array_like
        Of any shape, and any integer, float or bool dtype. Neither contiguous nor native byte order is needed.
    axis : int or tuple of int, optional
        Axes to sum over; all of them by default.
    keepdims : bool
        Whether to keep the summed axes, with length one.
    out : ndarray, optional
        Array for the result, of exactly its shape and dtype, that shares no memory with ``x``.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    scalar or ndarray
        int64 for bools and signed integers and uint64 for unsigned ones, modulo 2**64; floats keep their dtype.
        The sum of nothing is 0. A NaN result is the positive quiet NaN, whatever NaNs went in.

    Raises
    ------
    TypeError
        For a dtype that is none of these, or ``out`` of another dtype.
    ValueError
        For ``out`` of another shape, read-only, or overlapping ``x``; for an unknown backend.
    numpy.exceptions.AxisError
        If an axis is out of bounds.
    """
    return _reduce("sum", x, axis, keepdims, out, backend, threads, executor)


def min(
    x: ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Least element over the given axes, as ``numpy.min``, over several threads.

    NaN if there is one (the positive quiet NaN); -0.0 is less than 0.0. Parameters and errors are those of ``sum``;
    the dtype is the input's, and the minimum of nothing is a ValueError.
    """
    return _reduce("min", x, axis, keepdims, out, backend, threads, executor)


def max(
    x: ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Greatest element over the given axes, as ``numpy.max``, over several threads.

    NaN if there is one (the positive quiet NaN); 0.0 is greater than -0.0. Parameters and errors are those of
    ``sum``; the dtype is the input's, and the maximum of nothing is a ValueError.
    """
    return _reduce("max", x, axis, keepdims, out, backend, threads, executor)


def _reduce(
    name: str,
    x: ArrayLike,
    axis: int | tuple[int, ...] | None,
    keepdims: bool,
    out: NDArray[Any] | None,
    backend: str | None,
    threads: int | None,
    executor: Executor | None,
) -> Any:
    array = np.asarray(x)
    if array.dtype.kind not in "buif":
        raise TypeError(f"x: got dtype {array.dtype}, expected an integer, float or bool dtype")
    row = backends.resolve(backend)
    if array.dtype.char == "g" and row.compiler == "LLVM":
        raise TypeError(f"x: got dtype {array.dtype}, which Numba does not have; expected another dtype or backend")
    axes = tuple(range(array.ndim)) if axis is None else normalize_axis_tuple(axis, array.ndim, argname="axis")
    kept = [i for i in range(array.ndim) if i not in axes]
    dtype = _total_dtype(array.dtype) if name == "sum" else array.dtype.newbyteorder("=")
    shape = tuple(1 if i in axes else length for i, length in enumerate(array.shape) if keepdims or i not in axes)
    if out is not None:
        check_out(out, shape, dtype, array, "x")

    # One row for each element of the result, in C order: the order of a float sum is part of its meaning.
    rows = math.prod(array.shape[i] for i in kept)
    n = math.prod(array.shape[i] for i in axes)
    if n == 0 and rows > 0 and name != "sum":
        raise ValueError(f"x: got shape {array.shape} and axis {axis}, but there is no {name} of nothing")
    parallel.check(threads, executor)
    if n == 0 or rows == 0:
        folded = np.zeros(rows, dtype)
    else:
        numbers = array.view(np.uint8) if array.dtype.kind == "b" else array
        moved = numbers.transpose(kept + list(axes)).reshape(rows, n)
        # No C compiler everywhere has float16; float32 holds all of it.
        native = np.float32 if array.dtype.char == "e" else numbers.dtype.newbyteorder("=")
        folded = _fold(name, row, in_c_order(moved, native), threads, executor)
        folded = folded.astype(dtype, copy=False)
    if dtype.kind == "f":
        folded[np.isnan(folded)] = np.nan  # which NaN comes out of an addition depends on the processor
    result = folded.reshape(shape)
    if out is not None:
        out[...] = result
        return out
    return result[()]


def _fold(name: str, backend: Backend, x: NDArray[Any], threads: int | None, executor: Executor | None) -> NDArray[Any]:
    """Fold each row of C-contiguous ``x`` of shape (rows, n)."""
    doors = backends.kernels("reductions", backend.name)
    kind = "real" if x.dtype.kind == "f" else "integer"
    partial_dtype = x.dtype
    if name == "sum":
        partial_dtype = np.dtype(np.uint64 if kind == "integer" else "g" if x.dtype.char == "g" else np.float64)
    door = getattr(doors, f"{name}_{kind}")
    while True:
        rows, n = x.shape
        pieces = -(-n // PIECE)
        partials = np.empty((rows, pieces), partial_dtype)
        parallel.run(
            backend,
            door,
            x,
            partials,
            units=rows * pieces,
            grain=builtins.max(1, GRAIN // (builtins.min(n, PIECE) * x.itemsize)),
            pause=PAUSE,
            threads=threads,
            executor=executor,
        )
        if pieces == 1:
            return partials[:, 0]
        if name == "sum" and kind == "real":
            joined = np.empty(rows, partial_dtype)
            doors.join(partials, joined)
            return joined
        x = partials  # the fold of the pieces is the same fold again


def _total_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What numpy.sum returns: integers as 64 bits, floats as they are."""
    return np.dtype({"b": np.int64, "i": np.int64, "u": np.uint64}.get(dtype.kind, dtype.newbyteorder("=")))
