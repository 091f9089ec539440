# cython: language_level=3
"""Grey, histograms, thresholds and sums over windows, over the pixels of pictures, without the GIL.

Pictures arrive as flat buffers of n pixels; a unit is one pixel, and a ticket is a run of them. To those that look at the
pixels around each one they come as rows, image under image, and a unit is a piece of rows of one image.
"""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
)
from libc.math cimport NAN, floor, rint
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from gil cimport PyThreadState, let_go, take_back
from tickets cimport take
from windows cimport (
    CHUNK, DEVIATION, OPENCV_MEAN, ROUND, as_doubles, compare, compare_with_mean, enter_row, first_columns, leave_row,
    pad, slide_columns, slide_rows, sums, thresholds_of, weigh_columns, weigh_rows, weight, widest,
)

import numpy as np

cdef enum:
    # OpenCV's luma weights (ITU-R BT.601: 0.299, 0.587, 0.114) in 15-bit fixed point; they add up to 2**15.
    RED = 9798
    GREEN = 19235
    BLUE = 3735
    SHIFT = 15
    HALF = 1 << 14

ctypedef fused level:   # a grey level that counts
    uint8_t
    uint16_t

ctypedef fused real:
    float
    double

ctypedef fused pixel:
    uint8_t
    uint16_t
    float
    double


# --- colour to grey --------------------------------------------------------------------------------------------------

def grayscale(
    const pixel[:, ::1] image, pixel[::1] out, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Grey of each (red, green, blue[, alpha]) row of ``image`` into ``out``."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _grayscale(&image[0, 0], image.shape[1], &out[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _grayscale(
    const pixel *image, int64_t channels, pixel *out, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t first = 0, last = 0
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        # The stride as a constant: each call becomes a loop of its own that the compiler can vectorise.
        if channels == 3:
            _grayscale_run(image, 3, out, first, last)
        else:
            _grayscale_run(image, 4, out, first, last)
    return True


cdef inline void _grayscale_run(
    const pixel *image, int64_t channels, pixel *out, int64_t first, int64_t last
) noexcept nogil:
    cdef int64_t i
    cdef uint32_t grey
    cdef pixel shade
    cdef const pixel *p
    for i in range(first, last):
        p = image + i * channels
        if pixel is uint8_t or pixel is uint16_t:
            # 65 535 * 2**15 and a half fit 32 bits.
            grey = <uint32_t> p[0] * RED + <uint32_t> p[1] * GREEN + <uint32_t> p[2] * BLUE + HALF
            out[i] = <pixel> (grey >> SHIFT)
        else:
            shade = p[0] * <pixel> 0.299 + p[1] * <pixel> 0.587 + p[2] * <pixel> 0.114
            out[i] = shade if shade == shade else <pixel> NAN   # which NaN comes out depends on the processor


# --- apply a threshold -----------------------------------------------------------------------------------------------

def threshold(
    const pixel[::1] image, pixel[::1] out, pixel value, bint keep_above, pixel above, bint keep_below, pixel below,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Pixels above ``value`` are kept or become ``above``, the others are kept or become ``below``."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _threshold(
        &image[0], &out[0], value, keep_above, above, keep_below, below, &tickets[0], most
    )
    take_back(gil)
    return more


cdef bint _threshold(
    const pixel *image, pixel *out, pixel value, bint keep_above, pixel above, bint keep_below, pixel below,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        _threshold_run(image, out, value, keep_above, above, keep_below, below, first, last)
    return True


cdef inline void _threshold_run(
    const pixel *image, pixel *out, pixel value, bint keep_above, pixel above, bint keep_below, pixel below,
    int64_t first, int64_t last,
) noexcept nogil:
    # One loop for each of the three shapes a kind can have, so that none decides anything per pixel.
    if keep_above:
        _keep_above(image, out, value, below, first, last)
    elif keep_below:
        _keep_below(image, out, value, above, first, last)
    else:
        _keep_none(image, out, value, above, below, first, last)


cdef inline void _keep_above(
    const pixel *image, pixel *out, pixel value, pixel below, int64_t first, int64_t last
) noexcept nogil:
    cdef int64_t i
    for i in range(first, last):
        out[i] = image[i] if image[i] > value else below


cdef inline void _keep_below(
    const pixel *image, pixel *out, pixel value, pixel above, int64_t first, int64_t last
) noexcept nogil:
    cdef int64_t i
    for i in range(first, last):
        out[i] = above if image[i] > value else image[i]


cdef inline void _keep_none(
    const pixel *image, pixel *out, pixel value, pixel above, pixel below, int64_t first, int64_t last
) noexcept nogil:
    cdef int64_t i
    for i in range(first, last):
        out[i] = above if image[i] > value else below


cdef enum:
    SMALL = 1 << 20     # bytes, done in 30 µs: to wake a second worker takes as long
    QUIETLY = 1 << 16   # bytes, done in 2 µs: letting go beside a busy thread may cost a switch interval

# The kinds: keep what is above, what becomes of it if not, keep what is below, what becomes of it if not; 0, 1 and 2
# stand for black, white and the threshold.
cdef dict _KINDS = {
    "binary": (False, 1, False, 0), "binary_inv": (False, 0, False, 1), "trunc": (False, 2, True, 0),
    "tozero": (True, 0, False, 0), "tozero_inv": (False, 0, True, 0),
}
cdef object _ndarray = np.ndarray, _empty_like = np.empty_like


def small_threshold(image, value, maxval, kind, out):
    """A threshold of few bytes that lie side by side, without units and tickets; None where those are for."""
    cdef Py_buffer seen, target
    cdef PyThreadState *gil
    cdef double limit, white
    cdef uint8_t colours[3]
    cdef bint keep_above, keep_below
    cdef int above, below, axis
    if type(image) is not _ndarray or (out is not None and type(out) is not _ndarray):
        return None
    if type(value) is not int and type(value) is not float or type(maxval) is not int and type(maxval) is not float:
        return None
    asked = _KINDS.get(kind) if type(kind) is str else None
    try:
        limit, white = value, maxval
        PyObject_GetBuffer(image, &seen, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
    except (BufferError, ValueError, OverflowError):
        return None
    PyBuffer_Release(&seen)     # the caller holds the array
    if asked is None or not 0 <= limit or white != white or seen.format == NULL or seen.format[0] != c"B":
        return None
    if seen.format[1] != 0 or seen.len == 0 or seen.len > SMALL:
        return None
    if out is None:
        out = _empty_like(image)
    try:
        PyObject_GetBuffer(out, &target, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | PyBUF_WRITABLE)
    except (BufferError, ValueError):
        return None
    PyBuffer_Release(&target)
    if target.ndim != seen.ndim or target.format == NULL or target.format[0] != c"B" or target.format[1] != 0:
        return None
    for axis in range(seen.ndim):
        if target.shape[axis] != seen.shape[axis]:
            return None
    if out is not image and <char *> seen.buf < <char *> target.buf + target.len:
        if <char *> target.buf < <char *> seen.buf + seen.len:
            return None
    keep_above, above, keep_below, below = asked
    colours[0] = 0
    colours[1] = <uint8_t> rint(0 if white < 0 else 255 if white > 255 else white)
    colours[2] = <uint8_t> floor(255 if limit > 255 else limit)
    gil = let_go(seen.len > QUIETLY)
    _threshold_run(
        <const uint8_t *> seen.buf, <uint8_t *> target.buf, colours[2], keep_above, colours[above], keep_below,
        colours[below], 0, seen.len,
    )
    take_back(gil)
    return out


def binarize(
    const pixel[:, ::1] images, uint8_t[:, ::1] out, const pixel[::1] limits, const uint8_t[:, ::1] colours,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Each pixel becomes the first or the second of its image's colours: it is above the image's limit, or not.

    A unit is a pixel of any image.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _binarize(
        &images[0, 0], images.shape[1], &out[0, 0], &limits[0], &colours[0, 0], &tickets[0], most
    )
    take_back(gil)
    return more


cdef bint _binarize(
    const pixel *images, int64_t length, uint8_t *out, const pixel *limits, const uint8_t *colours,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0, i, end, picture
    cdef uint8_t white, black
    cdef pixel limit
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        while first < last:
            picture = first // length
            end = (picture + 1) * length
            end = end if end < last else last
            limit, white, black = limits[picture], colours[2 * picture], colours[2 * picture + 1]
            for i in range(first, end):
                out[i] = white if images[i] > limit else black
            first = end
    return True


# --- count grey levels -----------------------------------------------------------------------------------------------

def histogram(
    const level[::1] image, uint64_t[::1] counts, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Add the number of pixels of each level to ``counts``, which is one worker's own."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _histogram(&image[0], &counts[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _histogram(const level *image, uint64_t *counts, int64_t *tickets, Py_ssize_t most) noexcept nogil:
    cdef int64_t first = 0, last = 0
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        _count_levels(image, counts, first, last)
    return True


cdef inline void _count_levels(const level *image, uint64_t *counts, int64_t first, int64_t last) noexcept nogil:
    # Neighbouring pixels are often equal, and adding to a counter that was stored a moment ago waits for the store:
    # four pixels in a row count in four tables. Only for 8 bits: four tables of 65 536 counters leave the cache.
    cdef uint32_t tables[4][256]
    cdef int64_t i, whole = first
    cdef int j
    if level is uint8_t:
        for i in range(256):
            for j in range(4):
                tables[j][i] = 0
        whole += (last - first) // 4 * 4
        for i in range(first, whole, 4):
            tables[0][image[i]] += 1
            tables[1][image[i + 1]] += 1
            tables[2][image[i + 2]] += 1
            tables[3][image[i + 3]] += 1
        for i in range(256):
            counts[i] += <uint64_t> tables[0][i] + tables[1][i] + tables[2][i] + tables[3][i]
    for i in range(whole, last):
        counts[image[i]] += 1


def extent(
    const real[::1] image, real[::1] bounds, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Widen ``bounds`` (lowest, highest), one worker's own, to hold the image; NaN in it makes both NaN."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _extent(&image[0], &bounds[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _extent(const real *image, real *bounds, int64_t *tickets, Py_ssize_t most) noexcept nogil:
    cdef int64_t first = 0, last = 0
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        _widen(image, bounds, first, last)
    return True


cdef inline void _widen(const real *image, real *bounds, int64_t first, int64_t last) noexcept nogil:
    cdef real low[16]
    cdef real high[16]
    cdef real odd[16]
    cdef int64_t i, j
    cdef int64_t whole = first + (last - first) // 16 * 16
    for j in range(16):
        low[j] = high[j] = image[first]
        odd[j] = 0
    for i in range(first, whole, 16):
        for j in range(16):
            low[j] = image[i + j] if image[i + j] < low[j] else low[j]
            high[j] = image[i + j] if image[i + j] > high[j] else high[j]
            odd[j] = image[i + j] if image[i + j] != image[i + j] else odd[j]
    for i in range(whole, last):
        low[0] = image[i] if image[i] < low[0] else low[0]
        high[0] = image[i] if image[i] > high[0] else high[0]
        odd[0] = image[i] if image[i] != image[i] else odd[0]
    for j in range(16):
        bounds[0] = low[j] if low[j] < bounds[0] else bounds[0]
        bounds[1] = high[j] if high[j] > bounds[1] else bounds[1]
    for j in range(16):
        if odd[j] != odd[j]:
            bounds[0] = bounds[1] = odd[j]


def histogram_real(
    const real[::1] image, const real[::1] edges, uint64_t[::1] counts,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Add the number of pixels in each bin to ``counts``, one worker's own: edges[i] <= pixel < edges[i + 1]."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _histogram_real(&image[0], &edges[0], edges.shape[0] - 1, &counts[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _histogram_real(
    const real *image, const real *edges, int64_t bins, uint64_t *counts, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t first = 0, last = 0
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        _count_bins(image, edges, bins, counts, first, last)
    return True


cdef inline void _count_bins(
    const real *image, const real *edges, int64_t bins, uint64_t *counts, int64_t first, int64_t last
) noexcept nogil:
    # The bins are equally wide, so a product guesses the bin and the edges correct it: rounding decides nothing.
    cdef double scale = bins / (<double> edges[bins] - <double> edges[0])
    cdef double guess
    cdef int64_t i, bin
    for i in range(first, last):
        guess = (<double> image[i] - <double> edges[0]) * scale
        bin = <int64_t> guess if 0 <= guess < bins else 0     # also where a tiny or huge range makes it inf or NaN
        while bin > 0 and image[i] < edges[bin]:
            bin -= 1
        while bin < bins - 1 and image[i] >= edges[bin + 1]:
            bin += 1
        counts[bin] += 1


# --- windows ---------------------------------------------------------------------------------------------------------

cdef struct Frame:
    # Where the pixels around each one are. The picture may be larger than the result, which begins at (top, left) in it.
    int64_t source_height, source_width, height, width, top, left
    int64_t piece                   # rows a unit
    int64_t window_height, window_width
    const int64_t *rows             # of the picture, for each row of the windows from the first to the last
    const int64_t *columns          # the same
    int64_t before                  # columns of the windows before the picture's first


cdef inline void _frame(Frame *frame, const int64_t *shape, const int64_t *rows, const int64_t *columns) noexcept nogil:
    frame.source_height, frame.source_width = shape[0], shape[1]
    frame.height, frame.width, frame.top, frame.left = shape[2], shape[3], shape[4], shape[5]
    frame.piece, frame.window_height, frame.window_width, frame.before = shape[6], shape[7], shape[8], shape[9]
    frame.rows, frame.columns = rows, columns


def windows(
    const pixel[:, ::1] image, double[:, ::1] thresholds, uint8_t[:, ::1] binary, const int64_t[::1] shape,
    const int64_t[::1] rows, const int64_t[::1] columns, const double[::1] row_counts,
    const double[::1] column_counts, int rule, bint deviates, const double[:, ::1] numbers, bint compares, uint8_t white,
    uint8_t black, double[:, ::1] extremes, sums[::1] total, sums[::1] squares,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """The threshold of each pixel into ``thresholds``, or the pixel's comparison with it into ``binary``.

    Or, by the rule DEVIATION, the largest variance and the least pixel of each picture into ``extremes``. These, and
    ``total`` and ``squares``, which have room for a row of the windows' columns and one more, are one worker's own.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef Frame frame
    cdef bint more
    _frame(&frame, &shape[0], &rows[0], &columns[0])
    more = _windows(
        &image[0, 0], &thresholds[0, 0], &binary[0, 0], &frame, &row_counts[0], &column_counts[0], rule,
        &numbers[0, 0], compares, white, black, &extremes[0, 0], &total[0], &squares[0] if deviates else NULL,
        &tickets[0], most,
    )
    take_back(gil)
    return more


cdef bint _windows(
    const pixel *image, double *thresholds, uint8_t *binary, Frame *frame, const double *row_counts,
    const double *column_counts, int rule, const double *numbers, bint compares, uint8_t white, uint8_t black,
    double *extremes, sums *total, sums *squares, int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0, unit, picture, y, begin, end, row, enters, leaves, left = 1 + frame.before
    cdef int64_t pieces = (frame.height + frame.piece - 1) // frame.piece
    cdef int64_t padded = frame.width + frame.window_width - 1
    cdef const pixel *source
    if sizeof(pixel) > 1 and sizeof(sums) == 4:
        return False    # never asked for: only bytes are added up in 32 bits
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for unit in range(first, last):
            picture = unit // pieces
            source = image + picture * frame.source_height * frame.source_width
            begin = unit % pieces * frame.piece
            end = begin + frame.piece if begin + frame.piece < frame.height else frame.height
            for row in range(padded + 1):
                total[row] = 0
                if squares != NULL:
                    squares[row] = 0
            for y in range(begin, begin + frame.window_height - 1):
                if frame.rows[y] >= 0:
                    enter_row(
                        source + frame.rows[y] * frame.source_width, total + left,
                        squares + left if squares != NULL else NULL, frame.source_width,
                    )
            for y in range(begin, end):
                enters = frame.rows[y + frame.window_height - 1]
                leaves = frame.rows[y - 1] if y > begin else -1
                if enters >= 0 and leaves >= 0:
                    slide_rows(
                        source + enters * frame.source_width, source + leaves * frame.source_width, total + left,
                        squares + left if squares != NULL else NULL, frame.source_width,
                    )
                elif enters >= 0:
                    enter_row(
                        source + enters * frame.source_width, total + left,
                        squares + left if squares != NULL else NULL, frame.source_width,
                    )
                elif leaves >= 0:
                    leave_row(
                        source + leaves * frame.source_width, total + left,
                        squares + left if squares != NULL else NULL, frame.source_width,
                    )
                pad(total + 1, frame.columns, frame.before, frame.source_width, padded)
                if squares != NULL:
                    pad(squares + 1, frame.columns, frame.before, frame.source_width, padded)
                row = picture * frame.height + y
                _window_row(
                    source + (y + frame.top) * frame.source_width + frame.left, thresholds + row * frame.width,
                    binary + row * frame.width, frame, row_counts[y], column_counts, rule, numbers + 4 * picture,
                    compares, white, black, extremes + 2 * picture, total, squares,
                )
    return True


cdef void _window_row(
    const pixel *source, double *thresholds, uint8_t *binary, Frame *frame, double rows, const double *column_counts,
    int rule, const double *numbers, bint compares, uint8_t white, uint8_t black, double *extremes, sums *total,
    sums *squares,
) noexcept nogil:
    """Slide along one row. The first of the columns is empty: it is what leaves when the first pixel's window comes."""
    cdef sums sum_of[CHUNK]
    cdef sums squares_of[CHUNK]
    cdef double totals[CHUNK]
    cdef double all_squares[CHUNK]
    cdef double limits[CHUNK]
    cdef int64_t chunk, x, n, body = frame.width - frame.width % 8, wide = frame.window_width
    cdef sums *some_squares = NULL
    cdef double *every_square = NULL
    cdef double *target = limits
    cdef sums carry = first_columns(total + 1, wide - 1)
    cdef sums carry_squares = 0
    if squares != NULL:
        some_squares, every_square = squares_of, all_squares
        carry_squares = first_columns(squares + 1, wide - 1)
    for chunk in range((frame.width + CHUNK - 1) // CHUNK):
        x = chunk * CHUNK
        n = CHUNK if frame.width - x > CHUNK else frame.width - x
        carry = slide_columns(total + x + wide, total + x, sum_of, n, carry)
        if rule == OPENCV_MEAN:
            compare_with_mean(
                source + x, sum_of, numbers[0], <float> numbers[1], binary + x, white, black,
                n if body - x > n else (body - x if body > x else 0), n,
            )
            continue
        if squares != NULL:
            carry_squares = slide_columns(squares + x + wide, squares + x, squares_of, n, carry_squares)
        if not compares and rule != DEVIATION:
            target = thresholds + x
        as_doubles(sum_of, some_squares, column_counts + x, rows, totals, all_squares, n)
        thresholds_of(rule, numbers, source + x, totals, every_square, column_counts + x, rows, target, n)
        if compares:
            compare(source + x, limits, binary + x, white, black, n)
        elif rule == DEVIATION:
            widest(source + x, limits, extremes, n)


def weighted(
    const pixel[:, ::1] image, double[:, ::1] thresholds, uint8_t[:, ::1] binary, const int64_t[::1] shape,
    const int64_t[::1] rows, const int64_t[::1] columns, const weight[::1] row_weights,
    const weight[::1] column_weights, double offset, bint compares, uint8_t white, uint8_t black,
    weight[::1] padded, int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """A weighted mean of the pixels around each one, less ``offset``: into ``thresholds``, or the comparison with it.

    The weights are those of one side, from the middle on. In single precision it is OpenCV's: rounded to a byte before
    it is compared. ``padded``, one worker's own, has room for a row of the windows' columns.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef Frame frame
    cdef bint more
    _frame(&frame, &shape[0], &rows[0], &columns[0])
    more = _weighted(
        &image[0, 0], &thresholds[0, 0], &binary[0, 0], &frame, &row_weights[0], &column_weights[0], offset, compares,
        white, black, &padded[0], &tickets[0], most,
    )
    take_back(gil)
    return more


cdef bint _weighted(
    const pixel *image, double *thresholds, uint8_t *binary, Frame *frame, const weight *row_weights,
    const weight *column_weights, double offset, bint compares, uint8_t white, uint8_t black, weight *padded,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef weight means[CHUNK]
    cdef double limits[CHUNK]
    cdef int64_t first = 0, last = 0, unit, picture, chunk, x, y, i, n, begin, end, row
    cdef int64_t pieces = (frame.height + frame.piece - 1) // frame.piece
    cdef const pixel *source
    cdef const pixel *middle
    if sizeof(pixel) > 1 and sizeof(weight) == 4:
        return False    # never asked for: only bytes are weighed in single precision
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for unit in range(first, last):
            picture = unit // pieces
            source = image + picture * frame.source_height * frame.source_width
            begin = unit % pieces * frame.piece
            end = begin + frame.piece if begin + frame.piece < frame.height else frame.height
            for y in range(begin, end):
                weigh_rows(
                    source, frame.source_width, frame.rows + y, row_weights, frame.window_height // 2,
                    padded + frame.before, frame.source_width,
                )
                pad(padded, frame.columns, frame.before, frame.source_width, frame.width + frame.window_width - 1)
                row = picture * frame.height + y
                middle = source + (y + frame.top) * frame.source_width + frame.left
                for chunk in range((frame.width + CHUNK - 1) // CHUNK):
                    x = chunk * CHUNK
                    n = CHUNK if frame.width - x > CHUNK else frame.width - x
                    weigh_columns(padded + x, column_weights, frame.window_width // 2, means, n)
                    for i in range(n):
                        if weight is float:
                            limits[i] = <double> ((means[i] + ROUND) - ROUND) - offset
                        else:
                            limits[i] = means[i] - offset
                    if compares:
                        compare(middle + x, limits, binary + row * frame.width + x, white, black, n)
                    else:
                        for i in range(n):
                            thresholds[row * frame.width + x + i] = limits[i]
    return True
