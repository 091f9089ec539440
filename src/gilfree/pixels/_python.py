"""Grey, histogram, threshold and hysteresis in plain Python: what every other backend must agree with, bit for bit."""

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


# --- histograms of many pictures, and sums by side -------------------------------------------------------------------


def histograms(images: Any, counts: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for first, last in tickets:
        for i in range(first, last):
            for level in images[i].tolist():
                counts[i, level] += 1
    return False


def extents(images: Any, bounds: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for first, last in tickets:
        for i in range(first, last):
            values = images[i].tolist()
            bounds[i] = (math.nan, math.nan) if any(map(math.isnan, values)) else (min(values), max(values))
    return False


def histograms_real(images: Any, edges: Any, counts: Any, tickets: Tickets, most: int, release: bool) -> bool:
    bins = counts.shape[1]
    for first, last in tickets:
        for i in range(first, last):
            limits = edges[i].tolist()
            for value in images[i].tolist():
                counts[i, min(bisect.bisect_right(limits, value) - 1, bins - 1)] += 1
    return False


PART, LANES = 16384, 32


def sums_below(
    images: Any, which: Any, low: Any, limit: Any, sums: Any, counts: Any, tickets: Tickets, most: int, release: bool
) -> bool:
    parts = sums.shape[1]
    with np.errstate(all="ignore"):
        for first, last in tickets:
            for unit in range(first, last):
                k, part = divmod(unit, parts)
                image, base, most_value = images[which[k]], low[k], float(limit[k])
                totals, numbers = [0.0] * LANES, [0] * LANES
                for i, place in enumerate(range(part * PART, min((part + 1) * PART, len(image)))):
                    value = float(image[place] - base)  # NumPy scalars: float32 must be rounded
                    if not value > most_value:
                        totals[i % LANES] += value
                        numbers[i % LANES] += 1
                while len(totals) > 1:
                    half = len(totals) // 2
                    totals = [totals[j] + totals[half + j] for j in range(half)]
                sums[k, part] = totals[0]
                counts[k, part] = sum(numbers)
    return False


# --- hysteresis ------------------------------------------------------------------------------------------------------


def count_runs(image: Any, width: int, least: Any, runs: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for first, last in tickets:
        for line in range(first, last):
            before, found = False, 0
            for value in image[line * width : (line + 1) * width].tolist():
                found += value >= least and not before
                before = value >= least
            runs[line] = found
    return False


def find_runs(
    image: Any,
    width: int,
    least: Any,
    seed: Any,
    begins: Any,
    runs: Any,
    parents: Any,
    seeds: Any,
    tickets: Tickets,
    most: int,
    release: bool,
) -> bool:
    for first, last in tickets:
        for line in range(first, last):
            run, inside = int(begins[line]) - 1, False
            for i, value in enumerate(image[line * width : (line + 1) * width].tolist()):
                if value >= least:
                    if not inside:
                        run += 1
                        runs[run, 0], parents[run], seeds[run] = i, run, 0
                    runs[run, 1] = i + 1
                    seeds[run] |= value >= seed
                inside = value >= least
    return False


def unite_runs(
    begins: Any,
    runs: Any,
    parents: Any,
    seeds: Any,
    shape: Any,
    width: int,
    band: int,
    flat: bool,
    tickets: Tickets,
    most: int,
    release: bool,
) -> bool:
    lengths = shape.tolist()
    slab = math.prod(lengths[1:])
    for first, last in tickets:
        for unit in range(first, last):
            for line in range(unit * band * slab, min((unit + 1) * band, lengths[0]) * slab):
                step = 1
                for length in reversed(lengths[1:]):
                    if line // step % length > 0:
                        _unite_lines(begins, runs, parents, seeds, line - step, line, width, flat)
                    step *= length
                if line // slab > unit * band:
                    _unite_lines(begins, runs, parents, seeds, line - slab, line, width, flat)
    return False


def unite_bands(
    begins: Any,
    runs: Any,
    parents: Any,
    seeds: Any,
    shape: Any,
    width: int,
    band: int,
    flat: bool,
    tickets: Tickets,
    most: int,
    release: bool,
) -> bool:
    lengths = shape.tolist()
    slab = math.prod(lengths[1:])
    for first, last in tickets:
        for unit in range(first, last):
            start = (unit + 1) * band * slab
            for line in range(start, start + slab):
                _unite_lines(begins, runs, parents, seeds, line - slab, line, width, flat)
    return False


def _unite_lines(
    begins: Any, runs: Any, parents: Any, seeds: Any, before: int, line: int, width: int, flat: bool
) -> None:
    a, b = int(begins[before]), int(begins[line])
    above = runs[a : begins[before + 1]].tolist()
    below = runs[b : begins[line + 1]].tolist()
    if flat:
        if above and below and above[-1][1] == width and below[0][0] == 0:
            _unite(parents, seeds, a + len(above) - 1, b)
        return
    i = j = 0
    while i < len(above) and j < len(below):
        if above[i][0] < below[j][1] and below[j][0] < above[i][1]:
            _unite(parents, seeds, a + i, b + j)
        if above[i][1] < below[j][1]:
            i += 1
        else:
            j += 1


def _unite(parents: Any, seeds: Any, a: int, b: int) -> None:
    one, other = sorted((_root(parents, a), _root(parents, b)))
    parents[other] = one
    seeds[one] |= seeds[other]


def _root(parents: Any, run: int) -> int:
    while parents[run] != run:
        run = int(parents[run])
    return run


def paint_runs(
    begins: Any, runs: Any, parents: Any, seeds: Any, width: int, out: Any, tickets: Tickets, most: int, release: bool
) -> bool:
    for first, last in tickets:
        for line in range(first, last):
            for i in range(line * width, min((line + 1) * width, len(out))):
                out[i] = 0
            for run in range(begins[line], begins[line + 1]):
                if seeds[_root(parents, run)]:
                    for i in range(runs[run, 0], runs[run, 1]):
                        out[line * width + i] = 1
    return False
