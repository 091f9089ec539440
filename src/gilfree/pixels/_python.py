"""Grey, histogram and threshold in plain Python: what every other backend must agree with, bit for bit."""

import bisect
import math
from typing import Any

import numpy as np

from gilfree._tickets import Tickets

RED, GREEN, BLUE = 9798, 19235, 3735  # OpenCV's luma weights times 2**15


def grayscale(image: Any, out: Any, tickets: Tickets, most: int, release: bool) -> bool:
    integers = image.dtype.kind == "u"
    red, green, blue = (image.dtype.type(weight) for weight in (0.299, 0.587, 0.114))
    with np.errstate(all="ignore"):
        for first, last in tickets:
            for i in range(first, last):
                if integers:
                    r, g, b = image[i, :3].tolist()
                    out[i] = (r * RED + g * GREEN + b * BLUE + 2**14) >> 15
                else:
                    # NumPy scalars: float32 must be rounded after every operation
                    grey = image[i, 0] * red + image[i, 1] * green + image[i, 2] * blue
                    out[i] = math.nan if math.isnan(grey) else grey
    return False


def threshold(
    image: Any,
    out: Any,
    value: Any,
    keep_above: bool,
    above: Any,
    keep_below: bool,
    below: Any,
    tickets: Tickets,
    most: int,
    release: bool,
) -> bool:
    for first, last in tickets:
        for i in range(first, last):
            pixel = image[i]
            if pixel > value:
                out[i] = pixel if keep_above else above
            else:
                out[i] = pixel if keep_below else below
    return False


def histogram(image: Any, counts: Any, tickets: Tickets, most: int, release: bool) -> bool:
    tally = [0] * len(counts)
    for first, last in tickets:
        for level in image[first:last].tolist():
            tally[level] += 1
    _add(counts, tally)
    return False


def _add(counts: Any, tally: list[int]) -> None:
    """One by one: for long tables NumPy would let go of the GIL."""
    for i, count in enumerate(tally):
        counts[i] += count


def extent(image: Any, bounds: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for first, last in tickets:
        for value in image[first:last].tolist():
            if math.isnan(value):
                bounds[:] = math.nan
            elif not math.isnan(bounds[0]):
                bounds[0] = min(bounds[0], value)
                bounds[1] = max(bounds[1], value)
    return False


def histogram_real(image: Any, edges: Any, counts: Any, tickets: Tickets, most: int, release: bool) -> bool:
    limits = edges.tolist()
    tally = [0] * len(counts)
    for first, last in tickets:
        for value in image[first:last].tolist():
            tally[min(bisect.bisect_right(limits, value) - 1, len(tally) - 1)] += 1
    _add(counts, tally)
    return False
