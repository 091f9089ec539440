"""Grey, histogram, threshold and hysteresis for Numba, each loop compiled with the GIL, without it, and with prange."""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import njit, prange
from numba.extending import overload

# For functions that compiled code alone calls: what would let Python and C call them takes a third of the compiling.
inner: Callable[..., Any] = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)

RED, GREEN, BLUE = np.uint32(9798), np.uint32(19235), np.uint32(3735)  # OpenCV's luma weights times 2**15
HALF, SHIFT = np.uint32(2**14), np.uint32(15)

RUN = 2**18  # pixels a step of prange
SHARES = 32  # steps of prange where each fills a table of its own, of up to 65 536 counters


def grayscale(image: Any, out: Any, backwards: bool, first: int, last: int) -> None:
    for run in prange((last - first + RUN - 1) // RUN):
        begin = first + run * RUN
        end = min(begin + RUN, last)
        _grayscale_run(image[begin:end].reshape(-1), image.shape[1], out[begin:end], backwards)


@inner
def _grayscale_run(image: Any, channels: int, out: Any, backwards: bool) -> None:
    # The stride as a constant: LLVM vectorises it, and is four times as fast as with image[i, 0].
    if channels == 3 and not backwards:
        for i in range(len(out)):
            out[i] = _grey(image[3 * i], image[3 * i + 1], image[3 * i + 2])
    elif channels == 3:
        for i in range(len(out)):
            out[i] = _grey(image[3 * i + 2], image[3 * i + 1], image[3 * i])
    elif not backwards:
        for i in range(len(out)):
            out[i] = _grey(image[4 * i], image[4 * i + 1], image[4 * i + 2])
    else:
        for i in range(len(out)):
            out[i] = _grey(image[4 * i + 2], image[4 * i + 1], image[4 * i])


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
    # Tables of steps, not a reduction of prange over arrays: that takes Numba two seconds more to compile.
    length = _share(last - first)
    tables = np.zeros(((last - first + length - 1) // length, len(counts)), np.uint64)
    for share in prange(len(tables)):
        begin = first + share * length
        _count_levels(image[begin : min(begin + length, last)], tables[share])
    _add_tables(tables, counts)


@inner
def _share(pixels: int) -> int:
    """Pixels a step: as many as a run has, or more where there would be too many tables."""
    return max(RUN, (pixels + SHARES - 1) // SHARES)


@inner
def _add_tables(tables: Any, counts: Any) -> None:
    for share in range(len(tables)):
        for i in range(len(counts)):
            counts[i] += tables[share, i]


@inner
def _count_levels(image: Any, counts: Any) -> None:
    for level in image:
        counts[level] += np.uint64(1)


def grayscale_histogram(image: Any, out: Any, counts: Any, first: int, last: int) -> None:
    length = _share(last - first)
    tables = np.zeros(((last - first + length - 1) // length, len(counts)), np.uint64)
    for share in prange(len(tables)):
        end = min(first + (share + 1) * length, last)
        # Grey of a run is counted while it is still in the cache.
        for begin in range(first + share * length, end, RUN):
            past = min(begin + RUN, end)
            _grayscale_run(image[begin:past].reshape(-1), image.shape[1], out[begin:past], False)
            _count_levels(out[begin:past], tables[share])
    _add_tables(tables, counts)


def binarize(images: Any, out: Any, limits: Any, colours: Any, first: int, last: int) -> None:
    length = images.shape[1]
    for run in prange((last - first + RUN - 1) // RUN):
        begin = first + run * RUN
        end = min(begin + RUN, last)
        while begin < end:
            picture = begin // length
            stop = min((picture + 1) * length, end)
            source = images[picture][begin - picture * length : stop - picture * length]
            target = out[picture][begin - picture * length : stop - picture * length]
            limit, white, black = limits[picture], colours[picture, 0], colours[picture, 1]
            for i in range(len(source)):
                target[i] = white if source[i] > limit else black
            begin = stop


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


@inner
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
    length = _share(last - first)
    tables = np.zeros(((last - first + length - 1) // length, len(counts)), np.uint64)
    for share in prange(len(tables)):
        begin = first + share * length
        _count_bins(image[begin : min(begin + length, last)], edges, tables[share])
    _add_tables(tables, counts)


@inner
def _count_bins(image: Any, edges: Any, counts: Any) -> None:
    """The bins are equally wide, so a product guesses the bin and the edges correct it."""
    bins = len(edges) - 1
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


# --- histograms of many pictures, and sums by side -------------------------------------------------------------------


def histograms(images: Any, counts: Any, first: int, last: int) -> None:
    for i in prange(first, last):
        _count_levels(images[i], counts[i])


def extents(images: Any, bounds: Any, first: int, last: int) -> None:
    for i in prange(first, last):
        low, high, odd = _extent_of(images[i])
        bounds[i, 0] = np.nan if odd else low
        bounds[i, 1] = np.nan if odd else high


def histograms_real(images: Any, edges: Any, counts: Any, first: int, last: int) -> None:
    for i in prange(first, last):
        _count_bins(images[i], edges[i], counts[i])


PART, LANES = 16384, 32


def sums_below(images: Any, which: Any, low: Any, limit: Any, sums: Any, counts: Any, first: int, last: int) -> None:
    parts = sums.shape[1]
    for unit in prange(first, last):
        k, part = unit // parts, unit % parts
        image = images[which[k]][part * PART : (part + 1) * PART]
        sums[k, part], counts[k, part] = _sum_part(image, low[k], limit[k])


@inner
def _sum_part(image: Any, low: Any, limit: float) -> Any:
    """Lane by lane, and the lanes joined in pairs; a NaN is not above anything."""
    sums, counts = np.zeros(LANES), np.zeros(LANES)
    rows = len(image) // LANES
    for row in range(rows):
        for j in range(LANES):
            value = np.float64(image[row * LANES + j] - low)
            sums[j] += 0.0 if value > limit else value
            counts[j] += 0.0 if value > limit else 1.0
    for j in range(len(image) - rows * LANES):
        value = np.float64(image[rows * LANES + j] - low)
        sums[j] += 0.0 if value > limit else value
        counts[j] += 0.0 if value > limit else 1.0
    half = LANES // 2
    while half > 0:
        for j in range(half):
            sums[j] += sums[half + j]
            counts[j] += counts[half + j]
        half //= 2
    return sums[0], counts[0]


def smooth(values: Any, state: Any, first: int, last: int) -> None:
    for row in prange(first, last):
        while state[row, 0] > 0 and state[row, 1] > 2:
            state[row, 1] = _smooth_once(values[row])
            state[row, 0] -= 1


@inner
def _smooth_once(numbers: Any) -> int:
    n = len(numbers)
    one = two = np.float64(numbers[0])  # the number at i - 2, and at i - 1, as they were
    total = one + one + np.float64(numbers[min(1, n - 1)])
    tops, up = 0, True
    for i in range(n):
        if i:
            total += np.float64(numbers[min(i + 1, n - 1)]) - one
            one = two
        two = np.float64(numbers[i])
        numbers[i] = total / 3
        if i and numbers[i] != numbers[i - 1]:
            tops += up and numbers[i] < numbers[i - 1]
            up = numbers[i] > numbers[i - 1]
    return tops


def best_splits(w: Any, s: Any, fewer: Any, best: Any, place: Any, first: int, last: int) -> None:
    for _ in prange(first, last):
        _best_splits(w, s, fewer, best, place)


@inner
def _best_splits(w: Any, s: Any, fewer: Any, best: Any, place: Any) -> None:
    """Of every second i first: the best j grows with i, so they narrow the search for those between."""
    rows = len(best)
    step = 1
    while 2 * step <= rows:
        step *= 2
    while step > 0:
        for i in range(step - 1, rows, 2 * step):
            low, high = i + 1, rows
            if i >= step:
                low = max(low, place[i - step])
            if i + step < rows:
                high = place[i + step]
            best[i] = -np.inf
            for j in range(low, high + 1):
                part = s[j] - s[i]
                value = part * part / (w[j] - w[i]) + fewer[j]
                if value > best[i]:
                    best[i], place[i] = value, j
        step //= 2


# --- hysteresis ------------------------------------------------------------------------------------------------------


def count_runs(image: Any, width: int, least: Any, runs: Any, first: int, last: int) -> None:
    for line in prange(first, last):
        pixels = image[line * width : (line + 1) * width]
        found = 1 if pixels[0] >= least else 0
        for i in range(1, len(pixels)):
            found += pixels[i] >= least and not pixels[i - 1] >= least
        runs[line] = found


def find_runs(
    image: Any,
    width: int,
    least: Any,
    seed: Any,
    begins: Any,
    runs: Any,
    parents: Any,
    seeds: Any,
    first: int,
    last: int,
) -> None:
    for line in prange(first, last):
        _runs_of(image[line * width : (line + 1) * width], least, seed, begins[line], runs, parents, seeds)


@inner
def _runs_of(pixels: Any, least: Any, seed: Any, begin: int, runs: Any, parents: Any, seeds: Any) -> None:
    run, inside = begin - 1, False
    for i in range(len(pixels)):
        if pixels[i] >= least:
            if not inside:
                run += 1
                runs[run, 0], parents[run], seeds[run] = i, run, 0
                inside = True
            if pixels[i] >= seed:
                seeds[run] = 1
        elif inside:
            runs[run, 1] = i
            inside = False
    if inside:
        runs[run, 1] = len(pixels)


def unite_runs(
    begins: Any,
    runs: Any,
    parents: Any,
    seeds: Any,
    shape: Any,
    width: int,
    band: int,
    flat: bool,
    first: int,
    last: int,
) -> None:
    for unit in prange(first, last):
        _unite_band(begins, runs, parents, seeds, shape, width, band, flat, unit)


@inner
def _unite_band(
    begins: Any, runs: Any, parents: Any, seeds: Any, shape: Any, width: int, band: int, flat: bool, unit: int
) -> None:
    slab = shape[1:].prod()
    for line in range(unit * band * slab, min((unit + 1) * band, shape[0]) * slab):
        step = 1
        for axis in range(len(shape) - 1, 0, -1):
            if line // step % shape[axis] > 0:
                _unite_lines(begins, runs, parents, seeds, line - step, line, width, flat)
            step *= shape[axis]
        if line // slab > unit * band:
            _unite_lines(begins, runs, parents, seeds, line - slab, line, width, flat)


def unite_bands(
    begins: Any,
    runs: Any,
    parents: Any,
    seeds: Any,
    shape: Any,
    width: int,
    band: int,
    flat: bool,
    first: int,
    last: int,
) -> None:
    # One step for all: sets grow together, so this is one thread's work.
    for _ in prange(1):
        _unite_pairs(begins, runs, parents, seeds, shape, width, band, flat, first, last)


@inner
def _unite_pairs(
    begins: Any,
    runs: Any,
    parents: Any,
    seeds: Any,
    shape: Any,
    width: int,
    band: int,
    flat: bool,
    first: int,
    last: int,
) -> None:
    slab = shape[1:].prod()
    for unit in range(first, last):
        start = (unit + 1) * band * slab
        for line in range(start, start + slab):
            _unite_lines(begins, runs, parents, seeds, line - slab, line, width, flat)


@inner
def _unite_lines(
    begins: Any, runs: Any, parents: Any, seeds: Any, before: int, line: int, width: int, flat: bool
) -> None:
    a, b = begins[before], begins[line]
    a_end, b_end = begins[before + 1], begins[line + 1]
    if flat:
        if a < a_end and b < b_end and runs[a_end - 1, 1] == width and runs[b, 0] == 0:
            _unite(parents, seeds, a_end - 1, b)
        return
    while a < a_end and b < b_end:
        if runs[a, 0] < runs[b, 1] and runs[b, 0] < runs[a, 1]:
            _unite(parents, seeds, a, b)
        if runs[a, 1] < runs[b, 1]:
            a += 1
        else:
            b += 1


@inner
def _unite(parents: Any, seeds: Any, a: int, b: int) -> None:
    """Each step towards a root shortens the way for the next one."""
    while parents[a] != a:
        parents[a] = parents[parents[a]]
        a = parents[a]
    while parents[b] != b:
        parents[b] = parents[parents[b]]
        b = parents[b]
    if a < b:
        parents[b] = a
        seeds[a] |= seeds[b]
    elif b < a:
        parents[a] = b
        seeds[b] |= seeds[a]


def paint_runs(begins: Any, runs: Any, parents: Any, seeds: Any, width: int, out: Any, first: int, last: int) -> None:
    for line in prange(first, last):
        _paint_line(out[line * width : (line + 1) * width], begins[line], begins[line + 1], runs, parents, seeds)


@inner
def _paint_line(target: Any, begin: int, end: int, runs: Any, parents: Any, seeds: Any) -> None:
    target[:] = 0
    for run in range(begin, end):
        root = run
        while parents[root] != root:
            root = parents[root]
        if seeds[root]:
            target[runs[run, 0] : runs[run, 1]] = 1


# --- windows ---------------------------------------------------------------------------------------------------------

# The formulas, by the numbers that gilfree.pixels._windows gives them.
OPENCV_MEAN, MEAN, NIBLACK, SAUVOLA, WOLF, NICK, PHANSALKAR, SINGH, DEVIATION = range(9)

ROUND = np.float32(1.5 * 2**23)  # adding and subtracting it rounds a small single float half to even
ROUND_DOUBLE = 1.5 * 2**52


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
    first: int,
    last: int,
) -> None:
    found = np.empty((last - first, 2))
    for unit in prange(last - first):
        found[unit] = _windows_piece(
            image,
            thresholds,
            binary,
            shape,
            rows,
            columns,
            row_counts,
            column_counts,
            rule,
            deviates,
            numbers,
            compares,
            white,
            black,
            first + unit,
        )
    if rule == DEVIATION:
        pieces = (shape[2] + shape[6] - 1) // shape[6]
        for unit in range(last - first):
            picture = (first + unit) // pieces
            extremes[picture, 0] = max(extremes[picture, 0], found[unit, 0])
            extremes[picture, 1] = min(extremes[picture, 1], found[unit, 1])


@inner
def _windows_piece(
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
    unit: int,
) -> Any:
    """One piece of rows; the largest variance and the least pixel, for the rule DEVIATION."""
    source_height, source_width, height, width, top, left, piece, tall, wide, before = shape
    pieces = (height + piece - 1) // piece
    picture, begin = unit // pieces, unit % pieces * piece
    source = image[picture * source_height : (picture + 1) * source_height]
    padded = width + wide - 1
    widest, least = -1.0, np.inf
    # One more in front, which is empty: what leaves when the first pixel's window comes.
    total = np.zeros(padded + 1)
    squares = np.zeros(padded + 1)
    inner, inner_squares = total[1 + before :][:source_width], squares[1 + before :][:source_width]
    around, around_squares, limits = np.empty(width), np.empty(width), np.empty(width)
    for y in range(begin, begin + tall - 1):
        if rows[y] >= 0:
            _slide_rows(source[rows[y]], source[0], True, False, inner, inner_squares, deviates)
    for y in range(begin, min(begin + piece, height)):
        enters = rows[y + tall - 1]
        leaves = rows[y - 1] if y > begin else -1
        _slide_rows(
            source[max(enters, 0)], source[max(leaves, 0)], enters >= 0, leaves >= 0, inner, inner_squares, deviates
        )
        _pad(total[1:], columns, before, source_width, padded)
        _slide_columns(total, wide, around)
        if deviates:
            _pad(squares[1:], columns, before, source_width, padded)
            _slide_columns(squares, wide, around_squares)
        pixels, row = source[y + top][left : left + width], picture * height + y
        if rule == OPENCV_MEAN:
            _compare_with_mean(pixels, around, numbers[picture], binary[row], white, black)
            continue
        target = limits if compares or rule == DEVIATION else thresholds[row]
        _thresholds_of(
            rule, numbers[picture], pixels, around, around_squares, row_counts[y], column_counts, deviates, target
        )
        if compares:
            target_of = binary[row]
            for x in range(width):
                target_of[x] = white if pixels[x] > target[x] else black
        elif rule == DEVIATION:
            for x in range(width):
                widest = max(widest, target[x])
                least = min(least, np.float64(pixels[x]))
    return widest, least


@inner
def _slide_rows(enters: Any, leaves: Any, comes: bool, goes: bool, total: Any, squares: Any, deviates: bool) -> None:
    """A row comes into the window of every column, another leaves."""
    if comes and goes:
        for x in range(len(total)):
            total[x] += np.float64(enters[x]) - np.float64(leaves[x])
        if deviates:
            for x in range(len(total)):
                new, old = np.float64(enters[x]), np.float64(leaves[x])
                squares[x] += new * new - old * old
    elif comes:
        for x in range(len(total)):
            total[x] += np.float64(enters[x])
            squares[x] += np.float64(enters[x]) * np.float64(enters[x])
    elif goes:
        for x in range(len(total)):
            total[x] -= np.float64(leaves[x])
            squares[x] -= np.float64(leaves[x]) * np.float64(leaves[x])


@inner
def _pad(line: Any, columns: Any, before: int, width: int, length: int) -> None:
    """Fill the columns beyond the edges from those that the border's rule names; a negative one is empty."""
    for x in range(before):
        line[x] = line[before + columns[x]] if columns[x] >= 0 else 0
    for x in range(before + width, length):
        line[x] = line[before + columns[x]] if columns[x] >= 0 else 0


@inner
def _slide_columns(line: Any, wide: int, around: Any) -> None:
    total = 0.0
    for x in range(1, wide):
        total += line[x]
    ahead = line[wide:]
    for x in range(len(around)):
        total += ahead[x] - line[x]
        around[x] = total


@inner
def _compare_with_mean(pixels: Any, around: Any, numbers: Any, target: Any, white: int, black: int) -> None:
    """OpenCV's: vectors of eight multiply in single precision, what is left of a row in double."""
    scale, delta = numbers[0], numbers[1]
    single = np.float32(scale)
    body = len(pixels) - len(pixels) % 8
    for x in range(body):
        mean = (np.float32(around[x]) * single + ROUND) - ROUND
        target[x] = white if pixels[x] > mean - delta else black
    for x in range(body, len(pixels)):
        mean_of = (around[x] * scale + ROUND_DOUBLE) - ROUND_DOUBLE
        target[x] = white if pixels[x] > mean_of - delta else black


@inner
def _thresholds_of(
    rule: int,
    numbers: Any,
    pixels: Any,
    around: Any,
    squares: Any,
    rows: float,
    counts: Any,
    deviates: bool,
    target: Any,
) -> None:
    a, b, c, d = numbers[0], numbers[1], numbers[2], numbers[3]
    for x in range(len(pixels)):
        count = rows * counts[x]
        mean = around[x] / count
        variance = squares[x] / count - mean * mean if deviates else 0.0
        variance = variance if variance > 0 else 0.0  # NaN, where sums overflow, becomes 0 too
        deviation = np.sqrt(variance)
        if rule == MEAN:
            target[x] = mean * b - a
        elif rule == NIBLACK:
            target[x] = mean - a * deviation
        elif rule == SAUVOLA:
            target[x] = mean * (1 + a * ((deviation / b) - 1))
        elif rule == WOLF:
            target[x] = mean - a * (1 - deviation / b) * (mean - c)
        elif rule == NICK:
            target[x] = mean + a * np.sqrt(variance + mean * mean)
        elif rule == PHANSALKAR:
            target[x] = mean * (1 + c * _exponential(-d * mean) + a * ((deviation / b) - 1))
        elif rule == SINGH:
            away = abs(np.float64(pixels[x]) - mean)
            away = away if away < c else c
            target[x] = mean * (1 + a * (away / (b - away) - 1))
        else:
            target[x] = variance


SERIES = tuple(1 / math.factorial(i) for i in range(14))  # of e**x


@inner
def _exponential(x: float) -> float:
    """e**x for x <= 0, the same bits everywhere: libraries differ in the last one. See ext/windows.pxd."""
    x = x if x > -700.0 else -700.0
    n = int(x * 1.4426950408889634 - 0.5)
    r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10
    total = SERIES[13]
    for i in range(12, -1, -1):
        total = total * r + SERIES[i]
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
    first: int,
    last: int,
) -> None:
    for unit in prange(last - first):
        _weighted_piece(
            image,
            thresholds,
            binary,
            shape,
            rows,
            columns,
            row_weights,
            column_weights,
            offset,
            compares,
            white,
            black,
            np.empty_like(padded),
            first + unit,
        )


@inner
def _weighted_piece(
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
    unit: int,
) -> None:
    source_height, source_width, height, width, top, left, piece, _tall, wide, before = shape
    pieces = (height + piece - 1) // piece
    picture, begin = unit // pieces, unit % pieces * piece
    source = image[picture * source_height : (picture + 1) * source_height]
    inner, means = padded[before:][:source_width], np.empty(width, padded.dtype)
    for y in range(begin, min(begin + piece, height)):
        _weigh_rows(source, rows[y:], row_weights, inner)
        _pad(padded, columns, before, source_width, width + wide - 1)
        _weigh_columns(padded, column_weights, means)
        pixels, row = source[y + top][left : left + width], picture * height + y
        for x in range(width):
            limit = _rounded(means[x]) - offset
            if compares:
                binary[row, x] = white if pixels[x] > limit else black
            else:
                thresholds[row, x] = limit


@inner
def _weigh_rows(source: Any, rows: Any, weights: Any, sums: Any) -> None:
    radius = len(weights) - 1
    middle = source[rows[radius]]
    for x in range(len(sums)):
        sums[x] = _as(sums, middle[x]) * weights[0]
    for i in range(1, radius + 1):
        above, below, weight = source[rows[radius - i]], source[rows[radius + i]], weights[i]
        for x in range(len(sums)):
            sums[x] += (_as(sums, above[x]) + _as(sums, below[x])) * weight


@inner
def _weigh_columns(row: Any, weights: Any, sums: Any) -> None:
    radius = len(weights) - 1
    middle = row[radius:]
    for x in range(len(sums)):
        sums[x] = middle[x] * weights[0]
    for i in range(1, radius + 1):
        before, after, weight = row[radius - i :], row[radius + i :], weights[i]
        for x in range(len(sums)):
            sums[x] += (before[x] + after[x]) * weight


def _as(array: Any, value: Any) -> Any:
    """The value in the array's precision."""


@overload(_as)
def _choose_as(array: Any, value: Any) -> Any:
    dtype = np.float32 if array.dtype == numba.types.float32 else np.float64

    def convert(array: Any, value: Any) -> Any:
        return dtype(value)

    return convert


def _rounded(mean: Any) -> Any:
    """OpenCV's means, which are of single precision, rounded to a byte; others as they are."""


@overload(_rounded)
def _choose_rounded(mean: Any) -> Any:
    if mean == numba.types.float32:

        def to_byte(mean: Any) -> Any:
            return np.float64((mean + ROUND) - ROUND)

        return to_byte

    def as_it_is(mean: Any) -> Any:
        return mean

    return as_it_is


LOOPS = {
    "grayscale": grayscale,
    "threshold": threshold,
    "histogram": histogram,
    "grayscale_histogram": grayscale_histogram,
    "extent": extent,
    "histogram_real": histogram_real,
    "histograms": histograms,
    "extents": extents,
    "histograms_real": histograms_real,
    "sums_below": sums_below,
    "smooth": smooth,
    "best_splits": best_splits,
    "count_runs": count_runs,
    "find_runs": find_runs,
    "unite_runs": unite_runs,
    "unite_bands": unite_bands,
    "paint_runs": paint_runs,
    "windows": windows,
    "weighted": weighted,
    "binarize": binarize,
}
__all__ = ["LOOPS", "numba"]
