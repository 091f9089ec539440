"""From colour to black and white over several threads, with OpenCV's and scikit-image's answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree import backends, parallel
from gilfree.arrays import check_out, in_c_order, packed

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray

    from gilfree.backends import Backend

__all__ = ["grayscale", "threshold", "threshold_otsu"]

DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32), np.dtype(np.float64))

GRAIN = 2**20  # bytes of pixels a ticket: 30 to 300 µs, more than waking a thread costs
PAUSE = 128  # tickets that take about 30 ms

KEEP = "pixel"
# What a kind makes of a pixel above the threshold, and of any other: a constant, or the pixel itself.
KINDS = {
    "binary": ("maxval", "zero"),
    "binary_inv": ("zero", "maxval"),
    "trunc": ("value", KEEP),
    "tozero": (KEEP, "zero"),
    "tozero_inv": ("zero", KEEP),
}


def grayscale(
    image: ArrayLike,
    *,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[Any]:
    """Grey of an RGB or RGBA image, with OpenCV's weights and rounding (``cv2.cvtColor`` with ``COLOR_RGB2GRAY``).

    0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601): uint8 and uint16 in 15-bit fixed point, bit for bit as
    OpenCV; float32 and float64 in their own precision, rounded after every operation (a NaN result is the positive
    quiet NaN). Alpha is left out.

    Parameters
    ----------
    image : array_like, shape (..., 3) or (..., 4)
        Of dtype uint8, uint16, float32 or float64.
    out : ndarray, optional
        Array for the result, of shape ``image.shape[:-1]`` and the image's dtype, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Raises
    ------
    TypeError
        For another dtype, of ``image`` or ``out``.
    ValueError
        For another number of channels; for ``out`` of another shape, read-only, or overlapping ``image``.
    """
    array = _image(image)
    if array.ndim < 2 or array.shape[-1] not in (3, 4):
        raise ValueError(f"image: got shape {array.shape}, expected (..., 3) or (..., 4)")
    row = backends.resolve(backend)
    parallel.check(threads, executor)
    shape = array.shape[:-1]
    if out is not None:
        check_out(out, shape, array.dtype, image, "image")
    fits = out is not None and packed(out) and out.flags.c_contiguous
    result = out if out is not None and fits else np.empty(shape, array.dtype)
    if result.size:
        pixels = in_c_order(array, array.dtype).reshape(-1, array.shape[-1])
        _run(row, "grayscale", pixels, result.reshape(-1), threads=threads, executor=executor)
    return _deliver(result, out)


def threshold(
    image: ArrayLike,
    value: float,
    maxval: float = 255,
    kind: str = "binary",
    *,
    out: NDArray[Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[Any]:
    """Apply one threshold to every pixel, as ``cv2.threshold``.

    ========== =============== ========
    kind       pixel > value   else
    ========== =============== ========
    binary     maxval          0
    binary_inv 0               maxval
    trunc      value           pixel
    tozero     pixel           0
    tozero_inv 0               pixel
    ========== =============== ========

    On integer images ``value`` is floored and ``maxval`` rounded (half to even), then each is brought into the
    range of the dtype; on float images both are cast to it: OpenCV's rules. A NaN pixel is not above anything.

    Parameters
    ----------
    image : array_like of any shape
        Of dtype uint8, uint16, float32 or float64.
    value, maxval : float
        The threshold and the value of white; any finite or infinite number.
    kind : {"binary", "binary_inv", "trunc", "tozero", "tozero_inv"}
    out : ndarray, optional
        Array for the result, of the image's shape and dtype: the image itself, or one that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Raises
    ------
    TypeError
        For another dtype, of ``image`` or ``out``; a ``value`` or ``maxval`` that is no real number; a ``kind`` that is
        no string.
    ValueError
        For an unknown kind; for NaN as ``value`` or ``maxval``; for ``out`` of another shape, read-only, or
        overlapping ``image`` without being it.
    """
    array = _image(image)
    if not isinstance(kind, str):
        raise TypeError(f"kind: got {type(kind).__name__}, expected one of {', '.join(KINDS)}")
    if kind not in KINDS:
        raise ValueError(f"kind: got {kind!r}, expected one of {', '.join(KINDS)}")
    limit, white = _number(value, "value"), _number(maxval, "maxval")
    row = backends.resolve(backend)
    parallel.check(threads, executor)
    if out is not None:
        check_out(out, array.shape, array.dtype, None if out is image else image, "image")
    # Pixel by pixel, so any order in memory will do, as long as it is the same for both.
    source = array if packed(array) else in_c_order(array, array.dtype)
    same_order = out is not None and (out.flags.c_contiguous if source.flags.c_contiguous else out.flags.f_contiguous)
    fits = same_order and packed(out)
    result = out if out is not None and fits else np.empty_like(source)
    if source.size:
        _apply(row, source.ravel("K"), result.reshape(-1, order="A"), limit, white, kind, threads, executor)
    return _deliver(result, out)


def _apply(
    backend: Backend,
    source: NDArray[Any],
    result: NDArray[Any],
    value: float,
    maxval: float,
    kind: str,
    threads: int | None,
    executor: Executor | None,
) -> None:
    dtype = source.dtype
    if dtype.kind == "u":
        most = np.iinfo(dtype).max
        white = _clip(maxval, round, most)
        limit = _clip(value, math.floor, most)
        if value < 0:
            # Every pixel is above, 0 too, which no threshold of the dtype says: floor to 0 and call all above.
            above = {"maxval": white, "zero": 0, "value": 0}.get(KINDS[kind][0])
            if above is None:
                result[...] = source
            else:
                result[...] = above
            return
    else:
        with np.errstate(over="ignore"):  # a number beyond float32 is an infinity there, as in OpenCV
            limit, white = dtype.type(value), dtype.type(maxval)
    constants = {"maxval": dtype.type(white), "zero": dtype.type(0), "value": dtype.type(limit)}
    above_name, below_name = KINDS[kind]
    _run(
        backend,
        "threshold",
        source,
        result,
        dtype.type(limit),
        above_name == KEEP,
        constants.get(above_name, dtype.type(0)),
        below_name == KEEP,
        constants.get(below_name, dtype.type(0)),
        threads=threads,
        executor=executor,
    )


def threshold_otsu(
    image: ArrayLike,
    nbins: int = 256,
    *,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> int | float:
    """Threshold that separates the grey levels best (N. Otsu, 1979), as ``skimage.filters.threshold_otsu``.

    Pixels above the threshold are one class, the others the other. The between-class variance is compared exactly,
    in integers, so the answer is the optimum on images of any size; ties go to the lowest level.

    Parameters
    ----------
    image : array_like of any shape
        Grey, of dtype uint8, uint16, float32 or float64; floats must be finite.
    nbins : int
        Bins between the lowest and the highest pixel of a float image; integer images have one for each level.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    int or float
        A level for an integer image, the centre of a bin for a float one; a constant image's own value.

    Raises
    ------
    TypeError
        For another dtype, or ``nbins`` that is no int.
    ValueError
        For an empty image, a float image with NaN or infinity in it or whose range is beyond its dtype, ``nbins`` below
        1 or so many that no floats lie between two edges.
    """
    array = _image(image)
    if isinstance(nbins, bool) or not hasattr(nbins, "__index__"):
        raise TypeError(f"nbins: got {type(nbins).__name__}, expected a positive integer")
    if nbins < 1:
        raise ValueError(f"nbins: got {nbins}, expected a positive integer")
    if array.size == 0:
        raise ValueError(f"image: got shape {array.shape}, expected at least one pixel")
    row = backends.resolve(backend)
    parallel.check(threads, executor)
    # Counting asks for no order.
    flat = (array if packed(array) else in_c_order(array, array.dtype)).ravel("K")
    if flat.dtype.kind == "u":
        levels = int(np.iinfo(flat.dtype).max) + 1
        counted = _run(
            row, "histogram", flat, threads=threads, executor=executor, private=lambda: (np.zeros(levels, np.uint64),)
        )
        return _otsu(_total(counted))

    first = flat[0]
    found = _run(
        row, "extent", flat, threads=threads, executor=executor, private=lambda: (np.full(2, first, flat.dtype),)
    )
    bounds = np.array([buffers[0] for buffers in found])
    low, high = bounds.min(), bounds.max()
    if not np.isfinite(low) or not np.isfinite(high):
        raise ValueError("image: got NaN or infinity in it, expected finite pixels")
    if low == high:
        return float(low) + 0.0  # zeros of both signs are one value
    with np.errstate(over="ignore"):
        span = high - low
    if not np.isfinite(span):
        raise ValueError(f"image: got pixels from {low} to {high}, a range beyond {flat.dtype}; expected a finite one")
    edges = np.linspace(low, high, nbins + 1, dtype=flat.dtype)
    if not (edges[:-1] < edges[1:]).all():
        raise ValueError(f"nbins: got {nbins}, more than there are numbers of {flat.dtype} from {low} to {high}")
    counted = _run(
        row,
        "histogram_real",
        flat,
        edges,
        threads=threads,
        executor=executor,
        private=lambda: (np.zeros(nbins, np.uint64),),
    )
    best = _otsu(_total(counted))
    return float((edges[best] + edges[best + 1]) / 2)


def _otsu(counts: NDArray[np.uint64]) -> int:
    """The lowest level t that maximises the variance between the levels up to t and those above.

    With weights w and sums s of the lower class and W and S of all, that variance is proportional to
    (W * s - w * S)**2 / (w * (W - w)). Doubles find the few levels that may be best; fractions of integers choose.
    """
    present = np.flatnonzero(counts)
    if len(present) == 1:
        return int(present[0])
    # Between two levels that occur nothing changes, and the lowest wins: only they can be best, but for the last.
    # Counted from the first of them, so that contrast, not brightness, sets the scale of the rounding.
    weights = np.cumsum(counts[present])
    sums = np.cumsum(counts[present] * (present - present[0]).astype(np.uint64))
    total, total_sum = int(weights[-1]), int(sums[-1])
    w, s = weights[:-1].astype(np.float64), sums[:-1].astype(np.float64)
    variance = (total * s - w * total_sum) ** 2 / (w * (total - w))
    near = np.flatnonzero(variance >= variance.max() * (1 - 1e-6))
    best, best_top, best_bottom = 0, -1, 1
    for i in near.tolist():
        weight, part = int(weights[i]), int(sums[i])
        top, bottom = (total * part - weight * total_sum) ** 2, weight * (total - weight)
        if top * best_bottom > best_top * bottom:
            best, best_top, best_bottom = i, top, bottom
    return int(present[best])


def _run(
    backend: Backend,
    name: str,
    source: NDArray[Any],
    *buffers: Any,
    threads: int | None,
    executor: Executor | None,
    private: Callable[[], tuple[Any, ...]] = tuple,
) -> list[tuple[Any, ...]]:
    """Run the door of that name over ``source``, which has a pixel a row."""
    return parallel.run(
        backend,
        getattr(backends.kernels("pixels", backend.name), name),
        source,
        *buffers,
        units=len(source),
        grain=GRAIN * len(source) // source.nbytes,
        pause=PAUSE,
        threads=threads,
        executor=executor,
        private=private,
    )


def _total(counted: list[tuple[Any, ...]]) -> NDArray[np.uint64]:
    total: NDArray[np.uint64] = np.add.reduce([buffers[0] for buffers in counted], dtype=np.uint64)
    return total


def _image(image: ArrayLike) -> NDArray[Any]:
    """``image`` as an array in native byte order."""
    array = np.asarray(image)
    native = array.dtype.newbyteorder("=")
    if native not in DTYPES:
        raise TypeError(f"image: got dtype {array.dtype}, expected uint8, uint16, float32 or float64")
    return array.astype(native, copy=False)


def _number(value: Any, argument: str) -> float:
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__float__") or isinstance(value, np.ndarray):
        raise TypeError(f"{argument}: got {type(value).__name__}, expected a real number")
    number = float(value)
    if math.isnan(number):
        raise ValueError(f"{argument}: got NaN, expected a real number")
    return number


def _clip(number: float, to_integer: Callable[[float], int], most: int) -> int:
    if math.isinf(number):
        return most if number > 0 else 0
    return min(max(to_integer(number), 0), most)


def _deliver(result: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    """The result in the array the user gave, if any."""
    if out is None or result is out:
        return result
    out[...] = result
    return out
