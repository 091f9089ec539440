"""Thresholds of a whole picture, found in its histogram: scikit-image's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gilfree import backends, parallel
from gilfree.arrays import in_c_order, packed
from gilfree.pixels import _image

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike, NDArray


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
    array = _image.array(image)
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
        counted = _image.run(
            row, "histogram", flat, threads=threads, executor=executor, private=lambda: (np.zeros(levels, np.uint64),)
        )
        return _otsu(_total(counted))

    first = flat[0]
    found = _image.run(
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
    counted = _image.run(
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


def _total(counted: list[tuple[Any, ...]]) -> NDArray[np.uint64]:
    total: NDArray[np.uint64] = np.add.reduce([buffers[0] for buffers in counted], dtype=np.uint64)
    return total
