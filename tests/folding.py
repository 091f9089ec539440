"""The reductions as a table: which dtypes each takes, what NumPy makes of them, and what the python backend does."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from awkward import COMPLEX, INTEGERS, LENGTHS, Array

from gilfree import reductions

NAMES = [name for name in reductions.__all__ if name not in ("reduce", "check_associative")]
ORDERLESS = {"min", "max", "minmax", "any", "all", "count_nonzero", "fsum", "nanmin", "nanmax"}  # by any way the same
TAKE_COMPLEX = {"sum", "prod", "mean", "dot", "nansum"}
TAKE_LONG_DOUBLE = {"sum", "min", "max", "minmax", "mean", "any", "all", "count_nonzero"}
TAKE_DTYPE = {"sum", "prod", "mean", "var", "std", "nansum", "nanmean"}
NEED_ELEMENTS = {"min", "max", "minmax", "argmin", "argmax", "nanmin", "nanmax"}
WARN_OF_NOTHING = {"mean", "var", "std", "nanmean"}
ONE_AXIS = {"argmin", "argmax"}

# Numba compiles every door for every dtype, a second each time, and for prange several: these stand for all others.
# cython-held runs the machine code of cython, and numba-held that of numba.
FEW_DTYPES = {"cython-held": "?qdD", "numba-held": "d", "numba": "?QfdD", "numba-parallel": "d"}


def dtypes(name: str, backend: str = "python") -> list[str]:
    """What a function is tested with on a backend."""
    found = ["?", *INTEGERS, *"efd"]
    if name in TAKE_COMPLEX:
        found += COMPLEX
    if name in TAKE_LONG_DOUBLE:
        found.append("g")
    return [dtype for dtype in found if dtype in FEW_DTYPES.get(backend, dtype)]


def only_compiles(dtype: str, backend: str) -> bool:
    """Whether a backend would show nothing with a dtype but another compilation of what ``numba`` shows."""
    return backend in {"numba-held", "numba-parallel"} and dtype not in FEW_DTYPES[backend]


def lengths(name: str, dtype: str) -> list[int]:
    """All, or those up to two blocks where Python is slow and another dtype is made into the same doubles."""
    slow = name in {"fsum", "var", "std"} and dtype not in "?Qfd"
    return [size for size in LENGTHS if size <= 1024 or not (slow or dtype in "lL")]


def numbers(dtype: str, size: int, seed: int = 0) -> Array:
    """Of the whole range for integers, so that sums wrap; of many magnitudes for floats."""
    random: Any = np.random.default_rng([seed, size])
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return np.asarray(random.integers(0, 2, size).astype(np.bool_))
    if kind.kind in "iu":
        return np.asarray(random.integers(np.iinfo(kind).min, np.iinfo(kind).max, size, kind, endpoint=True))
    real = random.normal(size=size) * 2.0 ** random.integers(-8, 8, size)
    if kind.kind == "c":
        return np.asarray((real + 1j * random.normal(size=size)).astype(kind))
    return np.asarray(real.astype(kind))


def partner(x: Array) -> Array:
    """The second array of a dot product: the first one's elements from the end, and its layout where it has no gaps."""
    return np.flip(x).copy(order="K")


def call(name: str, x: Any, axis: Any = None, **how: Any) -> Any:
    """A reduction of one array; of two, where it is a dot product."""
    if name != "dot":
        return getattr(reductions, name)(x, axis, **how)
    x = np.asarray(x)
    return reductions.dot(x, partner(x), _dot_axis(x, axis), **how)


def _dot_axis(x: Array, axis: Any) -> Any:
    return tuple(range(x.ndim)) if axis is None and x.ndim != 1 else axis


@cache
def judged(name: str, dtype: str, size: int, seed: int = 0) -> Any:
    """What the python backend says of ``numbers(dtype, size, seed)``."""
    with np.errstate(all="ignore"):
        return call(name, numbers(dtype, size, seed), backend="python")


# --- NumPy's answers -------------------------------------------------------------------------------------------------


def numpys(name: str, x: Array, axis: Any = None, **how: Any) -> Any:
    """What NumPy says, as it says it: of its own precision and return type."""
    if name == "minmax":
        return np.min(x, axis, **how), np.max(x, axis, **how)
    if name == "dot":
        y, axis = partner(x), _dot_axis(x, axis)
        if x.dtype.kind == "b":
            return np.any(x & y, axis, **how)
        return np.sum(x * y, axis, x.dtype, **how)
    if name == "fsum":
        return _fsum(x, axis, **how)
    if name in TAKE_DTYPE and x.dtype.char == "e":  # NumPy adds these in float32; for a judge that is too coarse
        return np.asarray(getattr(np, name)(x.astype(np.float64), axis, **how)).astype(x.dtype)[()]
    function: Callable[..., Any] = getattr(np, name)
    if name == "count_nonzero" and axis is None and not how.get("keepdims"):
        return int(function(x))  # since NumPy 2.4 a NumPy integer
    return function(x, axis, **how)


def _fsum(x: Array, axis: Any, keepdims: bool = False) -> Any:
    axes = range(x.ndim) if axis is None else np.atleast_1d(np.array(axis, int)) % max(1, x.ndim)
    kept = [i for i in range(x.ndim) if i not in axes]
    rows = x.transpose(*kept, *axes).reshape([x.shape[i] for i in kept] + [-1 if x.size else 0])
    sums = np.array([math.fsum(map(float, rows[i].flat)) for i in np.ndindex(rows.shape[:-1])], np.float64)
    shape = [1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i in kept]
    return sums.reshape(shape)[()]


def assert_as_numpy(name: str, got: Any, x: Array, axis: Any = None, **how: Any) -> None:
    """Fail unless type, dtype and shape are NumPy's, and the numbers too, to rounding where there is any.

    What overflows or is no number is left to other tests; errors are measured against exact sums elsewhere.
    """
    with np.errstate(all="ignore"):
        expected = numpys(name, x, axis, **how)
        if isinstance(expected, tuple):
            assert isinstance(got, tuple)
            pairs = list(zip(got, expected, strict=True))
        else:
            pairs = [(got, expected)]
        for one, other in pairs:
            scalars = isinstance(one, np.generic) and isinstance(other, np.generic)
            assert scalars or type(one) is type(other), (type(one), type(other))
            a, b = np.asarray(one), np.asarray(other)
            assert a.dtype == b.dtype
            assert a.shape == b.shape
            if a.dtype.kind not in "fc" or name in ORDERLESS:
                np.testing.assert_array_equal(a, b)
            else:
                if name == "prod":  # where NumPy's overflows in float32, there is nothing to compare
                    a, b = np.where(np.isfinite(a) & np.isfinite(b), (a, b), 0)
                np.testing.assert_allclose(a, b, *_tolerance(name, x, a.dtype, axis))


def _tolerance(name: str, x: Array, dtype: Any, axis: Any) -> tuple[float, float]:
    """Relative and absolute: NumPy adds float32 in float32, and sums that cancel have errors as of what was added."""
    eps = float(np.finfo(dtype).eps)
    wide = np.abs(x.astype(np.complex128 if x.dtype.kind == "c" else np.float64))
    n = x.size if axis is None else max(1, math.prod(x.shape[i] for i in np.atleast_1d(np.array(axis, int))))
    if name == "prod":
        return 4 * n * eps, float(np.finfo(dtype).tiny)
    most = float(np.max(np.where(np.isfinite(wide), wide, 0), initial=0))
    if name == "dot":
        most *= most
    elif name in ("var", "std"):
        # NumPy's mean is off by a few roundings, and so is every deviation from it: of equal values too.
        k = 16 * eps * max(1, n**0.5)
        return k, (k * most) ** (2 if name == "var" else 1)
    return 8 * eps, 64 * eps * most * (1 if "mean" in name else max(1, n**0.5))
