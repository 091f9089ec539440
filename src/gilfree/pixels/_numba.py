"""Grey, histogram and threshold for Numba, each loop compiled holding the GIL, without it, and with prange."""

from typing import Any

import numba
import numpy as np
from numba import njit, prange
from numba.extending import overload

RED, GREEN, BLUE = np.uint32(9798), np.uint32(19235), np.uint32(3735)  # OpenCV's luma weights times 2**15
HALF, SHIFT = np.uint32(2**14), np.uint32(15)

RUN = 2**18  # pixels a step of prange: a step may fill a table of its own, up to 65 536 counters long


def grayscale(image: Any, out: Any, first: int, last: int) -> None:
    for run in prange((last - first + RUN - 1) // RUN):
        begin = first + run * RUN
        end = min(begin + RUN, last)
        _grayscale_run(image[begin:end].reshape(-1), image.shape[1], out[begin:end])


@njit(nogil=True, error_model="numpy")
def _grayscale_run(image: Any, channels: int, out: Any) -> None:
    # The stride as a constant: LLVM vectorises it, and is four times as fast as with image[i, 0].
    if channels == 3:
        for i in range(len(out)):
            out[i] = _grey(image[3 * i], image[3 * i + 1], image[3 * i + 2])
    else:
        for i in range(len(out)):
            out[i] = _grey(image[4 * i], image[4 * i + 1], image[4 * i + 2])


def _grey(red: Any, green: Any, blue: Any) -> Any:
    """Integers in fixed point, floats as they are: two bodies, chosen by type when a loop is compiled."""


@overload(_grey)
def _choose_grey(red: Any, green: Any, blue: Any) -> Any:
    if isinstance(red, numba.types.Integer):

        def fixed(red: Any, green: Any, blue: Any) -> Any:
            return (np.uint32(red) * RED + np.uint32(green) * GREEN + np.uint32(blue) * BLUE + HALF) >> SHIFT

        return fixed

    # As constants of the pixels' own type: a float64 weight would make float32 pixels double.
    dtype = np.float32 if red == numba.types.float32 else np.float64
    red_weight, green_weight, blue_weight = dtype(0.299), dtype(0.587), dtype(0.114)
    nan = dtype(np.nan)

    def floating(red: Any, green: Any, blue: Any) -> Any:
        grey = red * red_weight + green * green_weight + blue * blue_weight
        return nan if grey != grey else grey

    return floating


def threshold(
    image: Any,
    out: Any,
    value: Any,
    keep_above: bool,
    above: Any,
    keep_below: bool,
    below: Any,
    first: int,
    last: int,
) -> None:
    # Slices, counted from zero: with an index that might be negative, which Numba would wrap, LLVM does not vectorise.
    source, target = image[first:last], out[first:last]
    # One loop for each of the three shapes a kind can have, so that none decides anything per pixel.
    if keep_above:
        for i in prange(len(source)):
            target[i] = source[i] if source[i] > value else below
    elif keep_below:
        for i in prange(len(source)):
            target[i] = above if source[i] > value else source[i]
    else:
        for i in prange(len(source)):
            target[i] = above if source[i] > value else below


def histogram(image: Any, counts: Any, first: int, last: int) -> None:
    tally = np.zeros_like(counts)
    for run in prange((last - first + RUN - 1) // RUN):
        begin = first + run * RUN
        tally += _count_levels(image[begin : min(begin + RUN, last)], len(counts))
    counts += tally


@njit(nogil=True, error_model="numpy")
def _count_levels(image: Any, levels: int) -> Any:
    counts = np.zeros(levels, np.uint64)
    for level in image:
        counts[level] += np.uint64(1)
    return counts


def extent(image: Any, bounds: Any, first: int, last: int) -> None:
    low, high, odd = bounds[0], bounds[1], 0
    for run in prange((last - first + RUN - 1) // RUN):
        begin = first + run * RUN
        run_low, run_high, run_odd = _extent_of(image[begin : min(begin + RUN, last)])
        low = min(low, run_low)
        high = max(high, run_high)
        odd += run_odd
    if odd:
        bounds[:] = np.nan
    elif not np.isnan(bounds[0]):
        bounds[0], bounds[1] = low, high


@njit(nogil=True, error_model="numpy")
def _extent_of(image: Any) -> Any:
    """Lowest and highest pixel, and how many of 16 lanes met a NaN."""
    low, high = np.full(16, image[0]), np.full(16, image[0])
    odd = np.zeros(16, image.dtype)
    rows = len(image) // 16
    for row in range(rows):
        for j in range(16):
            value = image[row * 16 + j]
            low[j] = value if value < low[j] else low[j]
            high[j] = value if value > high[j] else high[j]
            odd[j] = value if value != value else odd[j]
    for value in image[rows * 16 :]:
        low[0] = value if value < low[0] else low[0]
        high[0] = value if value > high[0] else high[0]
        odd[0] = value if value != value else odd[0]
    return low.min(), high.max(), np.isnan(odd).sum()


def histogram_real(image: Any, edges: Any, counts: Any, first: int, last: int) -> None:
    tally = np.zeros_like(counts)
    for run in prange((last - first + RUN - 1) // RUN):
        begin = first + run * RUN
        tally += _count_bins(image[begin : min(begin + RUN, last)], edges)
    counts += tally


@njit(nogil=True, error_model="numpy")
def _count_bins(image: Any, edges: Any) -> Any:
    """The bins are equally wide, so a product guesses the bin and the edges correct it."""
    bins = len(edges) - 1
    counts = np.zeros(bins, np.uint64)
    origin = np.float64(edges[0])
    scale = bins / (np.float64(edges[bins]) - origin)
    for value in image:
        guess = (np.float64(value) - origin) * scale
        i = int(guess) if 0 <= guess < bins else 0  # also where a tiny or huge range makes it inf or NaN
        while i > 0 and value < edges[i]:
            i -= 1
        while i < bins - 1 and value >= edges[i + 1]:
            i += 1
        counts[i] += np.uint64(1)
    return counts


LOOPS = {
    "grayscale": grayscale,
    "threshold": threshold,
    "histogram": histogram,
    "extent": extent,
    "histogram_real": histogram_real,
}
__all__ = ["LOOPS", "numba"]
