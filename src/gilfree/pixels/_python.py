"""Grey, histogram, threshold and hysteresis in plain Python: what every other backend must agree with, bit for bit."""

import bisect
import math
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from gilfree._tickets import Tickets

RED, GREEN, BLUE = 9798, 19235, 3735  # OpenCV's luma weights times 2**15


def grayscale(image: Any, out: Any, backwards: bool, tickets: Tickets, most: int, release: bool) -> bool:
    integers = image.dtype.kind == "u"
    first_three = image[:, 2::-1] if backwards else image[:, :3]
    red, green, blue = (image.dtype.type(weight) for weight in (0.299, 0.587, 0.114))
    with np.errstate(all="ignore"):
        for first, last in tickets:
            for i in range(first, last):
                if integers:
                    r, g, b = first_three[i].tolist()
                    out[i] = (r * RED + g * GREEN + b * BLUE + 2**14) >> 15
                else:
                    # NumPy scalars: float32 must be rounded after every operation
                    r, g, b = first_three[i]
                    grey = r * red + g * green + b * blue
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


def grayscale_histogram(image: Any, out: Any, counts: Any, tickets: Tickets, most: int, release: bool) -> bool:
    tally = [0] * len(counts)
    for first, last in tickets:
        for i in range(first, last):
            r, g, b = image[i, :3].tolist()
            level = (r * RED + g * GREEN + b * BLUE + 2**14) >> 15
            out[i] = level
            tally[level] += 1
    _add(counts, tally)
    return False


def binarize(images: Any, out: Any, limits: Any, colours: Any, tickets: Tickets, most: int, release: bool) -> bool:
    length = images.shape[1]
    for first, last in tickets:
        for i in range(first, last):
            picture, place = i // length, i % length
            white, black = colours[picture]
            out[picture, place] = white if images[picture, place] > limits[picture] else black
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


# Means of three as a running sum in double, each rounded to float32 and the ends repeated: scikit-image's, bit for bit,
# for in a flat stretch the last bit makes a peak.
def smooth(values: Any, state: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for first, last in tickets:
        for row in range(first, last):
            numbers = values[row]
            while state[row, 0] > 0 and state[row, 1] > 2:
                before = [numbers[0].item(), *numbers.tolist(), numbers[-1].item()]
                total = before[0] + before[1] + before[2]
                for i in range(len(numbers)):
                    if i > 0:
                        total += before[i + 2] - before[i - 1]
                    numbers[i] = total / 3
                tops, up = 0, True
                for one, other in pairwise(numbers.tolist()):
                    tops += up and other < one
                    up = other > one or (up and other == one)
                state[row] = state[row, 0] - 1, tops
    return False


# The best j grows with i, so what is known of every second i narrows the search for those between: rounds of half the
# step each, of which all look at about as many choices as there are levels.
def best_splits(w: Any, s: Any, fewer: Any, best: Any, place: Any, tickets: Tickets, most: int, release: bool) -> bool:
    weights, sums, rest, rows = w.tolist(), s.tolist(), fewer.tolist(), len(best)

    def worth(i: int, j: int) -> float:
        part = sums[j] - sums[i]
        return float(part * part / (weights[j] - weights[i]) + rest[j])

    for _ in tickets:
        step = 1 << (rows.bit_length() - 1)
        while step:
            for i in range(step - 1, rows, 2 * step):
                low = max(i + 1, int(place[i - step])) if i >= step else i + 1
                high = int(place[i + step]) if i + step < rows else rows
                place[i] = max(range(low, high + 1), key=partial(worth, i))
                best[i] = worth(i, int(place[i]))
            step //= 2
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


# --- windows ---------------------------------------------------------------------------------------------------------

# The formulas, by the numbers that gilfree.pixels._windows gives them.
OPENCV_MEAN, MEAN, NIBLACK, SAUVOLA, WOLF, NICK, PHANSALKAR, SINGH, DEVIATION = range(9)

SERIES = [1 / math.factorial(i) for i in range(14)]  # of e**x


def windows(
    image: Any,
    thresholds: Any,
    binary: Any,
    shape: Any,
    rows: Any,
    columns: Any,
    row_counts: Any,
    column_counts: Any,
    rule: int,
    deviates: bool,
    numbers: Any,
    compares: bool,
    white: int,
    black: int,
    extremes: Any,
    total: Any,
    squares: Any,
    tickets: Tickets,
    most: int,
    release: bool,
) -> bool:
    source_height, source_width, height, width, top, left, piece, tall, wide, before = shape.tolist()
    whence, beyond = rows.tolist(), columns.tolist()
    pieces = -(-height // piece)
    for first, last in tickets:
        for unit in range(first, last):
            picture, begin = unit // pieces, unit % pieces * piece
            source = image[picture * source_height : (picture + 1) * source_height].tolist()
            sums, sums_of_squares = [0.0] * source_width, [0.0] * source_width
            for y in range(begin, begin + tall - 1):
                if whence[y] >= 0:
                    _enter(source[whence[y]], sums, sums_of_squares)
            for y in range(begin, min(begin + piece, height)):
                enters, leaves = whence[y + tall - 1], whence[y - 1] if y > begin else -1
                if enters >= 0 and leaves >= 0:
                    _slide(source[enters], source[leaves], sums, sums_of_squares)
                elif enters >= 0:
                    _enter(source[enters], sums, sums_of_squares)
                elif leaves >= 0:
                    _leave(source[leaves], sums, sums_of_squares)
                around = [
                    _along(_padded(line, beyond, before, width + wide - 1), wide) for line in (sums, sums_of_squares)
                ]
                row = picture * height + y
                constants = numbers[picture].tolist()
                for x in range(width):
                    pixel = float(source[y + top][x + left])
                    total_of, squares_of = around[0][x], around[1][x]
                    if rule == OPENCV_MEAN:
                        mean = _opencv_mean(total_of, constants[0], x >= width - width % 8)
                        binary[row, x] = white if pixel > mean - constants[1] else black
                        continue
                    count = row_counts[y].item() * column_counts[x].item()
                    limit = _formula(rule, constants, pixel, total_of / count, squares_of / count if deviates else 0.0)
                    if compares:
                        binary[row, x] = white if pixel > limit else black
                    elif rule == DEVIATION:
                        extremes[picture, 0] = max(extremes[picture, 0].item(), limit)
                        extremes[picture, 1] = min(extremes[picture, 1].item(), pixel)
                    else:
                        thresholds[row, x] = limit
    return False


def _enter(row: list[float], sums: list[float], squares: list[float]) -> None:
    for x, pixel in enumerate(row):
        sums[x] += pixel
        squares[x] += pixel * pixel


def _leave(row: list[float], sums: list[float], squares: list[float]) -> None:
    for x, pixel in enumerate(row):
        sums[x] -= pixel
        squares[x] -= pixel * pixel


def _slide(enters: list[float], leaves: list[float], sums: list[float], squares: list[float]) -> None:
    for x, (new, old) in enumerate(zip(enters, leaves, strict=True)):
        sums[x] += new - old
        squares[x] += new * new - old * old


def _padded(line: list[float], columns: list[int], before: int, length: int) -> list[float]:
    """The columns with those beyond the edges, which ``columns`` names by the ones they repeat."""
    if length == len(line):
        return line
    after = before + len(line)
    ends = [line[x] if x >= 0 else 0.0 for x in (*columns[:before], *columns[after:length])]
    return [*ends[:before], *line, *ends[before:]]


def _along(columns: list[float], wide: int) -> list[float]:
    """The sum of the window at each place of a row, by what comes in and what leaves."""
    total = 0.0
    for x in range(wide - 1):
        total += columns[x]
    found = []
    for x in range(len(columns) - wide + 1):
        total += columns[x + wide - 1] - (columns[x - 1] if x else 0.0)
        found.append(total)
    return found


def _opencv_mean(total: float, scale: float, at_the_end: bool) -> int:
    """The mean as a byte: OpenCV's vectors of eight multiply in single precision, what is left of a row in double."""
    return round(total * scale) if at_the_end else round(float(np.float32(total) * np.float32(scale)))


def _formula(rule: int, numbers: list[float], pixel: float, mean: float, square: float) -> float:
    a, b, c, d = numbers
    variance = square - mean * mean
    variance = variance if variance > 0 else 0.0  # NaN, where sums overflow, becomes 0 too
    deviation = math.sqrt(variance)
    if rule == MEAN:
        return mean * b - a
    if rule == NIBLACK:
        return mean - a * deviation
    if rule == SAUVOLA:
        return mean * (1 + a * ((deviation / b) - 1))
    if rule == WOLF:
        return mean - a * (1 - deviation / b) * (mean - c)
    if rule == NICK:
        return mean + a * math.sqrt(variance + mean * mean)
    if rule == PHANSALKAR:
        return mean * (1 + c * _exponential(-d * mean) + a * ((deviation / b) - 1))
    if rule == SINGH:
        away = abs(pixel - mean)
        away = away if away < c else c
        return mean * (1 + a * (away / (b - away) - 1))
    return variance


def _exponential(x: float) -> float:
    """e**x for x <= 0, the same bits everywhere: libraries differ in the last one. See ext/windows.pxd."""
    x = x if x > -700.0 else -700.0
    n = int(x * 1.4426950408889634 - 0.5)
    r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10
    total = SERIES[-1]
    for term in SERIES[-2::-1]:
        total = total * r + term
    return math.ldexp(total, n)


def weighted(
    image: Any,
    thresholds: Any,
    binary: Any,
    shape: Any,
    rows: Any,
    columns: Any,
    row_weights: Any,
    column_weights: Any,
    offset: float,
    compares: bool,
    white: int,
    black: int,
    padded: Any,
    tickets: Tickets,
    most: int,
    release: bool,
) -> bool:
    source_height, source_width, height, width, top, left, piece, tall, wide, before = shape.tolist()
    whence, beyond = rows.tolist(), columns.tolist()
    # Single floats must be rounded after every operation; doubles of NumPy's own would warn of overflow.
    kind: Any = np.float32 if padded.dtype == np.float32 else float
    pieces = -(-height // piece)
    for first, last in tickets:
        for unit in range(first, last):
            picture, begin = unit // pieces, unit % pieces * piece
            source = [[kind(pixel) for pixel in row] for row in image[picture * source_height :][:source_height]]
            for y in range(begin, min(begin + piece, height)):
                lines = [source[whence[i]] for i in range(y, y + tall)]
                line = [_weigh([one[x] for one in lines], row_weights) for x in range(source_width)]
                line = _padded(line, beyond, before, width + wide - 1)
                row = picture * height + y
                for x in range(width):
                    mean = float(_weigh(line[x : x + wide], column_weights))
                    limit = (round(mean) if kind is np.float32 else mean) - offset
                    if compares:
                        binary[row, x] = (
                            white if float(image[picture * source_height + y + top, x + left]) > limit else black
                        )
                    else:
                        thresholds[row, x] = limit
    return False


def _weigh(pixels: list[Any], weights: Any) -> Any:
    """The middle one, and each pair at the same distance from it."""
    middle = len(pixels) // 2
    total = pixels[middle] * weights[0]
    for i in range(1, middle + 1):
        total = total + (pixels[middle - i] + pixels[middle + i]) * weights[i]
    return total
