"""Reductions of arrays over several threads: NumPy's meaning, and the same bits on every backend."""

from __future__ import annotations

import builtins
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree.arrays import as_array, check_out
from gilfree.reductions import _fold
from gilfree.reductions.operators import check_associative, reduce

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from typing import TypeAlias

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from gilfree.reductions._fold import Call

    Axis: TypeAlias = int | tuple[int, ...] | None

__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "check_associative",
    "count_nonzero",
    "dot",
    "fsum",
    "max",
    "mean",
    "min",
    "minmax",
    "nanmax",
    "nanmean",
    "nanmin",
    "nansum",
    "prod",
    "reduce",
    "std",
    "sum",
    "var",
]


def sum(
    x: ArrayLike,
    axis: Axis = None,
    *,
    dtype: DTypeLike | None = None,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Sum of the elements over the given axes, as ``numpy.sum``, over several threads.

    The answer is the same bits whatever the backend, the number of threads, the processor, and how the array lies in
    memory. Floats are added in double precision (float16 and float32 are rounded once, at the end; long doubles are
    added as such) in a fixed order: 32 interleaved lanes within blocks of 512 elements, the blocks joined in pairs. The
    error is at most ``(21 + log2(n / 512)) * eps * sum(abs(x))`` with double precision's ``eps``, the bound of NumPy's
    pairwise sum. The two parts of complex numbers are summed each by itself.

    Parameters
    ----------
    x : array_like
        Of any shape, and any integer, float, complex or bool dtype. Any strides will do without a copy; what no loop
        can read as it lies (float16, the other byte order, odd addresses, a ``dtype`` of another kind) is converted
        first.
    axis : int or tuple of int, optional
        Axes to sum over; all of them by default.
    dtype : dtype, optional
        Of the result, where it is not to be NumPy's: a float dtype makes floats of integers before they are added, an
        integer dtype cuts floats.
    keepdims : bool
        Whether to keep the summed axes, with length one.
    out : ndarray, optional
        Array for the result, of exactly its shape and dtype, that shares no memory with ``x``.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    scalar or ndarray
        int64 for bools and signed integers and uint64 for unsigned ones, modulo 2**64; others keep their dtype. The sum
        of nothing is 0. A NaN in the result is the positive quiet NaN, whatever NaNs went in.

    Raises
    ------
    TypeError
        For a dtype that is none of these, or ``out`` of another dtype.
    ValueError
        For ``out`` of another shape, read-only, or overlapping ``x``; for an unknown backend.
    numpy.exceptions.AxisError
        If an axis is out of bounds.
    """
    if dtype is None and out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_sum(x, axis)) is not None:
            return answer
    target = _fold.check_dtype(dtype)
    call = _fold.prepare(
        "sum", x, axis, keepdims, out, backend, threads, executor, kinds="biufc", longdouble=target is None
    )
    return _total(call, target, "sum")


def prod(
    x: ArrayLike,
    axis: Axis = None,
    *,
    dtype: DTypeLike | None = None,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Product of the elements over the given axes, as ``numpy.prod``, over several threads.

    Parameters, dtypes, order and errors are those of ``sum``, but for long doubles, which are refused; the product of
    nothing is 1. Floats are multiplied in double precision; the relative error is at most ``n / 2 * eps``, as in any
    order, where nothing overflows or becomes subnormal on the way. Complex products are ``ac - bd, ad + bc``, each
    rounded.
    """
    if dtype is None and out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_prod(x, axis)) is not None:
            return answer
    target = _fold.check_dtype(dtype)
    call = _fold.prepare("prod", x, axis, keepdims, out, backend, threads, executor, kinds="biufc")
    return _total(call, target, "prod")


def min(
    x: ArrayLike,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Least element over the given axes, as ``numpy.min``, over several threads.

    NaN if there is one (the positive quiet NaN); -0.0 is less than 0.0. Parameters and errors are those of ``sum``;
    complex numbers are refused, the dtype is the input's, and the minimum of nothing is a ValueError.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_min(x, axis)) is not None:
            return answer
    return _extreme("min", x, axis, keepdims, out, backend, threads, executor)


def max(
    x: ArrayLike,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Greatest element over the given axes, as ``numpy.max``, over several threads.

    NaN if there is one (the positive quiet NaN); 0.0 is greater than -0.0. Parameters and errors are those of ``sum``;
    complex numbers are refused, the dtype is the input's, and the maximum of nothing is a ValueError.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_max(x, axis)) is not None:
            return answer
    return _extreme("max", x, axis, keepdims, out, backend, threads, executor)


def minmax(
    x: ArrayLike,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    out: tuple[NDArray[Any], NDArray[Any]] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Least and greatest element over the given axes, in one pass over memory: ``(min(x), max(x))``.

    Parameters
    ----------
    out : tuple of two ndarray, optional
        One for each, as ``out`` of ``sum``. All other parameters, and errors, are those of ``min``.

    Returns
    -------
    tuple
        What ``min`` and ``max`` give.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_minmax(x, axis)) is not None:
            return answer
    call = _fold.prepare("minmax", x, axis, keepdims, None, backend, threads, executor, longdouble=True)
    dtype = call.array.dtype.newbyteorder("=")
    outs: Any = (None, None) if out is None else out
    if out is not None:
        if not isinstance(outs, tuple) or len(outs) != 2:
            raise TypeError(f"out: got {type(out).__name__}, expected a tuple of two arrays")
        for one in outs:
            check_out(one, call.shape, dtype, call.array, "x")
        if np.shares_memory(*outs):
            raise ValueError("out: got two arrays that share memory, expected each of its own")
    call.refuse_empty()
    folded = call.fold(f"minmax_{call.kind}") if call.rows else np.empty((0, 2), dtype)
    least, greatest = (call.result(folded[:, i], dtype, outs[i]) for i in range(2))
    return least, greatest


def argmin(
    x: ArrayLike,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Where the least element is, as ``numpy.argmin``, over several threads.

    Parameters
    ----------
    x : array_like
        Of any integer, float or bool dtype but long double.
    axis : int, optional
        The axis to look along; by default the answer counts in C order over all of them.

    All other parameters, and errors, are those of ``sum``.

    Returns
    -------
    intp or ndarray of intp
        The place of the first NaN if there is one, else of the first least element; zeros of either sign are equal.

    Raises
    ------
    ValueError
        If there is nothing to look at.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_argmin(x, axis)) is not None:
            return answer
    return _place("argmin", x, axis, keepdims, out, backend, threads, executor)


def argmax(
    x: ArrayLike,
    axis: int | None = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Where the greatest element is, as ``numpy.argmax``, over several threads.

    Parameters
    ----------
    x : array_like
        Of any integer, float or bool dtype but long double.
    axis : int, optional
        The axis to look along; by default the answer counts in C order over all of them.

    All other parameters, and errors, are those of ``sum``.

    Returns
    -------
    intp or ndarray of intp
        The place of the first NaN if there is one, else of the first greatest element; zeros of either sign are equal.

    Raises
    ------
    ValueError
        If there is nothing to look at.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_argmax(x, axis)) is not None:
            return answer
    return _place("argmax", x, axis, keepdims, out, backend, threads, executor)


def mean(
    x: ArrayLike,
    axis: Axis = None,
    *,
    dtype: DTypeLike | None = None,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Arithmetic mean over the given axes, as ``numpy.mean``, in one pass over memory and over several threads.

    The sum is that of ``sum`` with a float dtype, and with its error, divided once: sums of float16 and float32 are not
    rounded before. Integers of up to 32 bits are added exactly. Parameters and errors are those of ``sum``; ``dtype``
    must be a float or complex one, and long doubles may not be given to it. The mean of nothing is NaN, with a
    RuntimeWarning.
    """
    if dtype is None and out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_mean(x, axis)) is not None:
            return answer
    target = _fold.check_dtype(dtype, "fc")
    call = _fold.prepare(
        "mean", x, axis, keepdims, out, backend, threads, executor, kinds="biufc", longdouble=target is None
    )
    return _mean(call, target)


def var(
    x: ArrayLike,
    axis: Axis = None,
    *,
    dtype: DTypeLike | None = None,
    ddof: float = 0,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Variance over the given axes, as ``numpy.var``, in one pass over memory and over several threads.

    The squared deviations from the mean of each block of 512, joined in pairs with what the means differ by [1]_, all
    in double precision. The relative error is at most about ``(k * k / n + 25 + log2(n / 512)) * eps`` with ``k =
    sqrt(n) * sqrt(1 + mean² / var)``, below that of a pass for the mean and one for the deviations.

    Parameters
    ----------
    x : array_like
        Of any integer, float or bool dtype but long double.
    dtype : dtype, optional
        A float dtype for the result; by default float64 for integers, and that of floats.
    ddof : int or float
        Divides by ``n - ddof``.

    All other parameters, and errors, are those of ``sum``. Of nothing, or where ``n <= ddof``, it is NaN or infinite,
    with a RuntimeWarning.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample
       variances", 1979.
    """
    if (
        dtype is None
        and out is None
        and backend is None
        and threads is None
        and executor is None
        and not keepdims
        and ddof == 0
    ):
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_var(x, axis)) is not None:
            return answer
    target = _fold.check_dtype(dtype, "f")
    call = _fold.prepare("var", x, axis, keepdims, out, backend, threads, executor)
    return _variance(call, target, ddof)


def std(
    x: ArrayLike,
    axis: Axis = None,
    *,
    dtype: DTypeLike | None = None,
    ddof: float = 0,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Standard deviation over the given axes, as ``numpy.std``, in one pass over memory and over several threads.

    The root of ``var``, rounded once.

    Parameters
    ----------
    x : array_like
        Of any integer, float or bool dtype but long double.
    dtype : dtype, optional
        A float dtype for the result; by default float64 for integers, and that of floats.
    ddof : int or float
        Divides by ``n - ddof``.

    All other parameters, and errors, are those of ``sum``. Of nothing, or where ``n <= ddof``, it is NaN or infinite,
    with a RuntimeWarning.
    """
    if (
        dtype is None
        and out is None
        and backend is None
        and threads is None
        and executor is None
        and not keepdims
        and ddof == 0
    ):
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_std(x, axis)) is not None:
            return answer
    target = _fold.check_dtype(dtype, "f")
    call = _fold.prepare("std", x, axis, keepdims, out, backend, threads, executor)
    return _variance(call, target, ddof)


def any(
    x: ArrayLike,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Whether any element over the given axes is not zero, as ``numpy.any``; looks no further than it must.

    NaN is not zero, -0.0 is. Parameters and errors are those of ``sum``, for bools, integers and floats; of nothing it
    is False.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_any(x, axis)) is not None:
            return answer
    return _truth("any", x, axis, keepdims, out, backend, threads, executor)


def all(
    x: ArrayLike,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Whether every element over the given axes is not zero, as ``numpy.all``; looks no further than it must.

    NaN is not zero, -0.0 is. Parameters and errors are those of ``sum``, for bools, integers and floats; of nothing it
    is True.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_all(x, axis)) is not None:
            return answer
    return _truth("all", x, axis, keepdims, out, backend, threads, executor)


def count_nonzero(
    x: ArrayLike,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """How many elements over the given axes are not zero, as ``numpy.count_nonzero``.

    NaN is not zero, -0.0 is. Parameters and errors are those of ``sum``, for bools, integers and floats. Returns an int
    where all axes are folded and none is kept, else an array of intp.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_count_nonzero(x, axis)) is not None:
            return answer
    call = _fold.prepare("count_nonzero", x, axis, keepdims, out, backend, threads, executor, longdouble=True)
    call.check_out(np.intp)
    folded = call.fold("count_nonzero") if call.n and call.rows else np.zeros(call.rows, np.intp)
    counted = call.result(folded, np.intp)
    return int(counted) if axis is None and not keepdims and out is None else counted


def dot(
    x: ArrayLike,
    y: ArrayLike,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Sum of the products of two arrays' elements; of one-dimensional arrays that is ``numpy.dot``.

    Parameters
    ----------
    x, y : array_like
        Of one shape, and any integer, float, complex or bool dtype but long double; the wider one's dtype is that of
        both.
    axis : int or tuple of int, optional
        Axes to sum over, as ``numpy.vecdot`` (but without conjugation). By default the arrays must be one-dimensional:
        for more dimensions ``numpy.dot`` would be a matrix product.

    All other parameters are those of ``sum``.

    Returns
    -------
    scalar or ndarray
        Of the arrays' dtype: integers modulo its width, bools true where one product is. Floats are multiplied and
        added in double precision, each product rounded, in the order of ``sum``; the error is at most ``(22 + log2(n /
        512)) * eps * sum(abs(x * y))``.

    Raises
    ------
    ValueError
        If the shapes differ, or ``axis`` is not given and the arrays are not one-dimensional.
    TypeError
        For a dtype that is none of these.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_dot(x, y, axis)) is not None:
            return answer
    call = _fold.prepare("dot", x, axis, keepdims, out, backend, threads, executor, kinds="biufc")
    return _dot(call, y, axis)


def fsum(
    x: ArrayLike,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Correctly rounded sum over the given axes, as ``math.fsum``, over several threads.

    The exact sum is kept in fixed point [1]_ and rounded once, to the nearest double: no order of the elements changes
    it, and finite values never overflow on the way.

    Parameters
    ----------
    x : array_like
        Of any integer, float or bool dtype but long double; integers are made doubles first, as ``math.fsum`` does.

    All other parameters, and errors, are those of ``sum``.

    Returns
    -------
    float64 or ndarray of float64
        A total beyond the range of doubles is infinite (``math.fsum`` raises OverflowError), infinities of both signs
        are NaN (``math.fsum`` raises ValueError), and a sum of zeros is 0.0.

    References
    ----------
    .. [1] R. M. Neal, "Fast exact summation using small and large superaccumulators", 2015; S. M. Rump, T. Ogita, S.
    Oishi,
       "Accurate floating-point summation", 2008.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_fsum(x, axis)) is not None:
            return answer
    call = _fold.prepare("fsum", x, axis, keepdims, out, backend, threads, executor)
    call.check_out(np.float64)
    if call.n == 0 or call.rows == 0:
        return call.result(np.zeros(call.rows), np.float64)
    return call.result(call.fold("fsum" if call.n <= _fold.PIECE else "fsum_words"), np.float64)


def nansum(
    x: ArrayLike,
    axis: Axis = None,
    *,
    dtype: DTypeLike | None = None,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Sum without the NaNs, as ``numpy.nansum``: each counts as 0. Long doubles are refused; else as ``sum``."""
    if dtype is None and out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_nansum(x, axis)) is not None:
            return answer
    target = _fold.check_dtype(dtype)
    call = _fold.prepare("nansum", x, axis, keepdims, out, backend, threads, executor, kinds="biufc")
    return _total(call, target, "nansum")


def nanmean(
    x: ArrayLike,
    axis: Axis = None,
    *,
    dtype: DTypeLike | None = None,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Mean of what is not NaN, as ``numpy.nanmean``, in one pass over memory.

    Everything else is as in ``mean``, for bools, integers and floats but long doubles. Where there is nothing but NaN
    it is NaN, with a RuntimeWarning.
    """
    if dtype is None and out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_nanmean(x, axis)) is not None:
            return answer
    target = _fold.check_dtype(dtype, "f")
    call = _fold.prepare("nanmean", x, axis, keepdims, out, backend, threads, executor)
    return _nanmean(call, target)


def nanmin(
    x: ArrayLike,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Least element that is not NaN, as ``numpy.nanmin``.

    Where there is nothing but NaN it is NaN, with a RuntimeWarning. Everything else is as in ``min``; long doubles are
    refused.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_nanmin(x, axis)) is not None:
            return answer
    return _extreme("nanmin", x, axis, keepdims, out, backend, threads, executor)


def nanmax(
    x: ArrayLike,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Greatest element that is not NaN, as ``numpy.nanmax``.

    Where there is nothing but NaN it is NaN, with a RuntimeWarning. Everything else is as in ``max``; long doubles are
    refused.
    """
    if out is None and backend is None and threads is None and executor is None and not keepdims:
        small = _fold.small_kernels()
        if small is not None and (answer := small.small_nanmax(x, axis)) is not None:
            return answer
    return _extreme("nanmax", x, axis, keepdims, out, backend, threads, executor)


# --- what several of them share --------------------------------------------------------------------------------------


def _total_dtype(dtype: Any) -> Any:
    """What numpy.sum returns: integers as 64 bits, floats as they are."""
    return np.dtype({"b": np.int64, "i": np.int64, "u": np.uint64}.get(dtype.kind, dtype.newbyteorder("=")))


def _total(call: Call, target: Any, word: str) -> Any:
    """A sum or product in the dtype that was asked for, or that NumPy gives."""
    target = target or _total_dtype(call.array.dtype)
    call.check_out(target)
    if call.n == 0 or call.rows == 0:
        return call.result(np.full(call.rows, word == "prod"), target)
    if word == "nansum" and target.kind in "biu" and call.array.dtype.kind in "fc":
        call.numbers = np.where(np.isnan(call.array), 0, call.array)  # no integer or bool is NaN
        call.numbers = _fold.native(call.numbers, target if target.kind in "iu" else None)
    if target.kind == "b":  # a sum of bools is true where one is, a product where all are
        if call.kind == "complex":
            call.numbers = (call.numbers != 0).view(np.uint8)
        return call.result(call.fold("all" if word == "prod" else "any"), target)
    if target.kind in "iu" and call.numbers.dtype.kind in "fc":
        call.numbers = _fold.native(call.array, target)  # NumPy cuts before it adds
    if target.kind == "f" and call.kind == "complex":
        call.numbers = _fold.native(call.array, target)  # with NumPy's warning that the imaginary parts are lost
    nan_free = word == "nansum"
    word = "sum" if nan_free else word
    if call.kind == "complex":
        if nan_free:
            call.numbers = np.where(np.isnan(call.numbers), call.numbers.dtype.type(0), call.numbers)
        return call.result(call.fold("prod_complex") if word == "prod" else _fold.fold_parts(call, "sum_real"), target)
    if target.kind in "iub":
        folded = call.fold(f"{word}_integer")
        return call.result(folded.view(np.int64) if target.kind == "i" else folded, target)
    return call.result(call.fold("nansum" if nan_free and call.kind == "real" else f"{word}_real"), target)


def _extreme(
    name: str,
    x: ArrayLike,
    axis: Axis,
    keepdims: bool,
    out: NDArray[Any] | None,
    backend: str | None,
    threads: int | None,
    executor: Executor | None,
) -> Any:
    plain = name.removeprefix("nan")
    call = _fold.prepare(name, x, axis, keepdims, out, backend, threads, executor, longdouble=plain == name)
    dtype = call.array.dtype.newbyteorder("=")
    call.check_out(dtype)
    call.refuse_empty()
    if call.rows == 0:
        return call.result(np.empty(0, dtype), dtype)
    if plain == name or call.kind == "integer":
        return call.result(call.fold(f"{plain}_{call.kind}"), dtype)
    folded = call.fold(name)
    if np.isnan(folded).any():
        warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=3)
    return call.result(folded, dtype)


def _place(
    name: str,
    x: ArrayLike,
    axis: int | None,
    keepdims: bool,
    out: NDArray[Any] | None,
    backend: str | None,
    threads: int | None,
    executor: Executor | None,
) -> Any:
    if axis is not None and not hasattr(axis, "__index__"):
        raise TypeError(f"axis: got {type(axis).__name__}, expected an integer or None")
    call = _fold.prepare(name, x, axis, keepdims, out, backend, threads, executor)
    call.check_out(np.intp)
    call.refuse_empty()
    if call.rows == 0:
        return call.result(np.empty(0, np.intp), np.intp)
    folded = call.fold(name)
    return call.result(folded[:, 0] if folded.ndim == 2 else folded, np.intp)


def _truth(
    name: str,
    x: ArrayLike,
    axis: Axis,
    keepdims: bool,
    out: NDArray[Any] | None,
    backend: str | None,
    threads: int | None,
    executor: Executor | None,
) -> Any:
    call = _fold.prepare(name, x, axis, keepdims, out, backend, threads, executor, longdouble=True)
    call.check_out(np.bool_)
    if call.n == 0 or call.rows == 0:
        return call.result(np.full(call.rows, name == "all"), np.bool_)
    return call.result(call.fold(name), np.bool_)


def _float_dtype(call: Call, target: Any) -> Any:
    """What a mean or deviation has: the input's dtype where that is a float, else float64."""
    kind = call.array.dtype.kind
    return target or (call.array.dtype.newbyteorder("=") if kind in "fc" else np.dtype(np.float64))


def _mean(call: Call, target: Any, stacklevel: int = 3) -> Any:
    dtype = _float_dtype(call, target)
    call.check_out(dtype)
    if call.n == 0 or call.rows == 0:
        if call.rows:
            warnings.warn("Mean of empty slice.", RuntimeWarning, stacklevel=stacklevel)
        return call.result(np.full(call.rows, complex(np.nan, np.nan) if dtype.kind == "c" else np.nan), dtype)
    if dtype.kind == "f" and call.kind == "complex":
        call.numbers = _fold.native(call.array, dtype)
    if call.kind == "complex":
        # Each part by itself: NumPy's division by a complex number, even by a real one, is another formula.
        parts = _fold.fold_parts(call, "sum_real").view(np.float64) / call.n
        return call.result(parts.view(np.complex128), dtype)
    if call.kind == "integer" and call.numbers.itemsize <= 4:
        total = call.fold("sum_integer")
        total = total if call.numbers.dtype.kind == "u" else total.view(np.int64)
    else:
        total = call.fold("sum_real")
    return call.result(total / total.dtype.type(call.n), dtype)


def _nanmean(call: Call, target: Any) -> Any:
    if call.kind == "integer":
        return _mean(call, target, stacklevel=4)
    dtype = _float_dtype(call, target)
    call.check_out(dtype)
    folded = call.fold("nanmean") if call.n and call.rows else np.zeros((call.rows, 2))
    if not folded[:, 1].all():
        warnings.warn("Mean of empty slice", RuntimeWarning, stacklevel=3)
    with np.errstate(invalid="ignore"):
        return call.result(folded[:, 0] / folded[:, 1], dtype)


def _variance(call: Call, target: Any, ddof: float) -> Any:
    dtype = _float_dtype(call, target)
    call.check_out(dtype)
    deviations = call.fold("variance")[:, 1] if call.n and call.rows else np.zeros(call.rows)
    if call.n <= ddof and call.rows:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=3)
    with np.errstate(invalid="ignore", divide="ignore"):
        folded = deviations / builtins.max(call.n - ddof, 0)
        return call.result(np.sqrt(folded) if call.name == "std" else folded, dtype)


def _dot(call: Call, y: ArrayLike, axis: Axis) -> Any:
    other = as_array(y, "y")
    _fold.check_other(call, other)
    if other.shape != call.array.shape:
        raise ValueError(f"y: got shape {other.shape}, expected that of x, {call.array.shape}")
    if axis is None and other.ndim != 1:
        raise ValueError(f"axis: got None for arrays of shape {other.shape}, expected the axes to sum over")
    dtype = np.result_type(call.array.dtype, other.dtype)
    call.check_out(dtype)
    if call.out is not None and np.shares_memory(call.out, other):
        raise ValueError("out: got an array that shares memory with y, expected one of its own")
    if call.n == 0 or call.rows == 0:
        return call.result(np.zeros(call.rows), dtype)
    call.numbers, other = _fold.native(call.array, dtype), _fold.native(other, dtype)
    if dtype.kind == "b":
        return call.result(call.fold("dot_integer", other) != 0, dtype)
    return call.result(call.fold(f"dot_{call.kind}", other), dtype)
