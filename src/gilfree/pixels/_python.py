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
