# cython: language_level=3
"""Grey, histograms, thresholds, hysteresis and sums over windows, over the pixels of pictures, without the GIL.

Pictures arrive as flat buffers of n pixels; where a door says nothing else, a unit is one pixel, and a ticket is a run
of them. To those that look at the pixels around each one they come as rows, image under image, and a unit is a piece of
rows of one image.
"""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
)
from libc.math cimport NAN, floor, rint
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from gil cimport PyThreadState, let_go, take_back
from levels cimport (
    PART, count_bins, count_levels, count_words, empty_table, find_splits, leave_table, level, otsu_level, pixel, real,
    smooth_once, sum_part, take_table, widen,
)
from runs cimport runs_in, runs_of, unite_lines
from tickets cimport take
from windows cimport (
    CHUNK, DEVIATION, GAUSS_ROWS, LOW, NARROW, NIBLACK, OPENCV_MEAN, SAUVOLA, accumulator, as_doubles, compare,
    compare_with_mean, enter_low, enter_row, first_columns, gauss_compare, leave_row, pad, quickly_compared, scan_means,
    slide_columns, slide_low, slide_rows, thresholds_of, weigh_columns, weigh_rows, weight, widest,
)

import numpy as np

cdef extern from "stream.h":
    int64_t stream_threshold(
        const uint8_t *image, uint8_t *out, int64_t n, uint8_t value, bint keep_above, uint8_t above, bint keep_below,
        uint8_t below,
    ) nogil

cdef extern from "grey.h":
    int64_t grey_of_bytes(
        const uint8_t *image, int64_t channels, int32_t one, int32_t two, int32_t three, uint8_t *out, int64_t first,
        int64_t last,
    ) nogil

cdef enum:
    # OpenCV's luma weights (ITU-R BT.601: 0.299, 0.587, 0.114) in 15-bit fixed point; they add up to 2**15.
    RED = 9798
    GREEN = 19235
    BLUE = 3735
    SHIFT = 15
    HALF = 1 << 14


# --- colour to grey --------------------------------------------------------------------------------------------------

def grayscale(
    const pixel[:, ::1] image, pixel[::1] out, bint backwards, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Grey of each (red, green, blue[, alpha]) row of ``image`` into ``out``; ``backwards``: (blue, green, red)."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _grayscale(&image[0, 0], image.shape[1], &out[0], backwards, &tickets[0], most)
    take_back(gil)
    return more


cdef bint _grayscale(
    const pixel *image, int64_t channels, pixel *out, bint backwards, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t first = 0, last = 0
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        _grayscale_any(image, channels, out, backwards, first, last)
    return True


cdef inline void _grayscale_any(
    const pixel *image, int64_t channels, pixel *out, bint backwards, int64_t first, int64_t last
) noexcept nogil:
    # The stride and the places as constants: each call becomes a loop of its own that the compiler can vectorise.
    if channels == 3 and not backwards:
        _grayscale_run(image, 3, 0, out, first, last)
    elif channels == 3:
        _grayscale_run(image, 3, 2, out, first, last)
    elif not backwards:
        _grayscale_run(image, 4, 0, out, first, last)
    else:
        _grayscale_run(image, 4, 2, out, first, last)


cdef inline void _grayscale_run(
    const pixel *image, int64_t channels, int64_t red, pixel *out, int64_t first, int64_t last
) noexcept nogil:
    cdef int64_t i
    cdef uint32_t grey
    cdef pixel shade
    cdef const pixel *p
    if pixel is uint8_t:
        first = grey_of_bytes(
            image, channels, BLUE if red else RED, GREEN, RED if red else BLUE, out, first, last
        )
    for i in range(first, last):
        p = image + i * channels
        if pixel is uint8_t or pixel is uint16_t:
            # 65 535 * 2**15 and a half fit 32 bits.
            grey = <uint32_t> p[red] * RED + <uint32_t> p[1] * GREEN + <uint32_t> p[2 - red] * BLUE + HALF
            out[i] = <pixel> (grey >> SHIFT)
        else:
            shade = p[red] * <pixel> 0.299 + p[1] * <pixel> 0.587 + p[2 - red] * <pixel> 0.114
            out[i] = shade if shade == shade else <pixel> NAN   # which NaN comes out depends on the processor


# --- apply a threshold -----------------------------------------------------------------------------------------------

cdef enum:
    LARGE = 1 << 24     # bytes from which on a picture and its result are more than the caches hold


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
        _threshold_run(
            image, out, value, keep_above, above, keep_below, below, first, last, tickets[1] * sizeof(pixel) >= LARGE
        )
    return True


cdef inline void _threshold_run(
    const pixel *image, pixel *out, pixel value, bint keep_above, pixel above, bint keep_below, pixel below,
    int64_t first, int64_t last, bint large,
) noexcept nogil:
    # Up to where the result is aligned, then the rest: a vector of 64 bytes that lies across two lines of the cache is
    # stored at half the speed. Most arrays of NumPy begin 16 bytes into a line.
    cdef int64_t begin = first + <int64_t> ((64 - (<uintptr_t> (out + first) & 63)) // sizeof(pixel))
    begin = begin if begin < last else last
    cdef int64_t part, start, end
    for part in range(2):
        start, end = (begin, last) if part else (first, begin)
        if pixel is uint8_t:
            if large and part:
                start += stream_threshold(
                    image + start, out + start, end - start, value, keep_above, above, keep_below, below
                )
        # One loop for each of the three shapes a kind can have, so that none decides anything per pixel.
        if keep_above:
            _keep_above(image, out, value, below, start, end)
        elif keep_below:
            _keep_below(image, out, value, above, start, end)
        else:
            _keep_none(image, out, value, above, below, start, end)


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
            if pixel is uint8_t:
                _threshold_run(images, out, limit, False, white, False, black, first, end, tickets[1] >= LARGE)
            else:
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


cdef enum:
    NEAR = 1 << 15     # pixels of grey that are counted before they leave the first two caches
    PAIRED = 1 << 20   # pixels from which on a table of pairs of 8-bit pixels earns the 25 µs that it costs


cdef bint _histogram(const level *image, uint64_t *counts, int64_t *tickets, Py_ssize_t most) noexcept nogil:
    cdef int64_t first = 0, last = 0, left = 0
    cdef uint32_t *table = NULL
    cdef bint more = True
    if tickets[1] >= PAIRED:
        table = take_table()    # without memory for it, one by one will do
    while most != 0:
        if not take(tickets, &first, &last):
            more = False
            break
        most -= 1
        if table == NULL:
            count_levels(image, counts, first, last)
            continue
        if left + last - first > (<int64_t> 1 << 31):
            empty_table(image, table, counts)
            left = 0
        left += last - first
        count_words(image, table, counts, first, last)
    if table != NULL:
        empty_table(image, table, counts)
        leave_table(table)
    return more


def grayscale_histogram(
    const uint8_t[:, ::1] image, uint8_t[::1] out, uint64_t[::1] counts, int64_t[::1] tickets, Py_ssize_t most,
    bint release,
):
    """Grey of each row of ``image`` into ``out``, counted while it is near; ``counts`` are one worker's own."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _grayscale_histogram(&image[0, 0], image.shape[1], &out[0], &counts[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _grayscale_histogram(
    const uint8_t *image, int64_t channels, uint8_t *out, uint64_t *counts, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t first = 0, last = 0, end
    cdef uint32_t *table = NULL
    cdef bint more = True
    if tickets[1] >= PAIRED and tickets[1] < (<int64_t> 1 << 32):
        table = take_table()
    while most != 0:
        if not take(tickets, &first, &last):
            more = False
            break
        most -= 1
        while first < last:
            end = first + NEAR if last - first > NEAR else last
            _grayscale_any(image, channels, out, False, first, end)
            if table == NULL:
                count_levels(out, counts, first, end)
            else:
                count_words(out, table, counts, first, end)
            first = end
    if table != NULL:
        empty_table(out, table, counts)
        leave_table(table)
    return more


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
        widen(image, bounds, first, last)
    return True


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
        count_bins(image, edges, bins, counts, first, last)
    return True


# --- histograms of many pictures, and sums by side -------------------------------------------------------------------

def histograms(
    const level[:, ::1] images, uint64_t[:, ::1] counts, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Add the number of pixels of each level of each image to its row of ``counts``; a unit is one image."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _histograms(
        &images[0, 0], images.shape[1], &counts[0, 0], counts.shape[1], &tickets[0], most
    )
    take_back(gil)
    return more


cdef bint _histograms(
    const level *images, int64_t length, uint64_t *counts, int64_t levels, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t first = 0, last = 0, i
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for i in range(first, last):
            count_levels(images + i * length, counts + i * levels, 0, length)
    return True


def extents(
    const real[:, ::1] images, real[:, ::1] bounds, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Widen each row of ``bounds`` (lowest, highest) to hold its image; a unit is one image."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _extents(&images[0, 0], images.shape[1], &bounds[0, 0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _extents(
    const real *images, int64_t length, real *bounds, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t first = 0, last = 0, i
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for i in range(first, last):
            widen(images + i * length, bounds + 2 * i, 0, length)
    return True


def histograms_real(
    const real[:, ::1] images, const real[:, ::1] edges, uint64_t[:, ::1] counts,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Add the number of pixels in each bin of each image to its row of ``counts``; a unit is one image."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _histograms_real(
        &images[0, 0], images.shape[1], &edges[0, 0], counts.shape[1], &counts[0, 0], &tickets[0], most
    )
    take_back(gil)
    return more


cdef bint _histograms_real(
    const real *images, int64_t length, const real *edges, int64_t bins, uint64_t *counts,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0, i
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for i in range(first, last):
            count_bins(images + i * length, edges + i * (bins + 1), bins, counts + i * bins, 0, length)
    return True


def sums_below(
    const pixel[:, ::1] images, const int64_t[::1] which, const pixel[::1] low, const double[::1] limit,
    double[:, ::1] sums, double[:, ::1] counts, int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Sum and number of the pixels of a part of an image that are, less ``low``, not above ``limit``.

    Of image ``which[k]`` with the k-th of the others; a unit is a part, and the parts of an image lie side by side in
    ``sums`` and ``counts``.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _sums_below(
        &images[0, 0], images.shape[1], &which[0], &low[0], &limit[0], sums.shape[1], &sums[0, 0], &counts[0, 0],
        &tickets[0], most,
    )
    take_back(gil)
    return more


cdef bint _sums_below(
    const pixel *images, int64_t length, const int64_t *which, const pixel *low, const double *limit, int64_t parts,
    double *sums, double *counts, int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0, unit, k, begin
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for unit in range(first, last):
            k = unit // parts
            begin = unit % parts * PART
            sum_part(
                images + which[k] * length + begin, min(<int64_t> PART, length - begin), low[k], limit[k],
                sums + unit, counts + unit,
            )
    return True


def smooth(float[:, ::1] values, int64_t[:, ::1] state, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Take means of three in each row until fewer than three peaks are left, or as often as its ``state`` says first.

    A state is a number of times, which is counted down, and the number of peaks.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _smooth(&values[0, 0], values.shape[1], &state[0, 0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _smooth(float *values, int64_t bins, int64_t *state, int64_t *tickets, Py_ssize_t most) noexcept nogil:
    cdef int64_t first = 0, last = 0, row
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for row in range(first, last):
            while state[2 * row] > 0 and state[2 * row + 1] > 2:
                state[2 * row + 1] = smooth_once(values + row * bins, bins)
                state[2 * row] -= 1
    return True


def best_splits(
    const double[::1] w, const double[::1] s, const double[::1] fewer, double[::1] best, int64_t[::1] place,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """For each i of ``best``, the most over j > i of (s[j] - s[i])**2 / (w[j] - w[i]) + fewer[j], and its j.

    A unit is all of them.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _best_splits(
        &w[0], &s[0], &fewer[0], &best[0], &place[0], best.shape[0], &tickets[0], most
    )
    take_back(gil)
    return more


cdef bint _best_splits(
    const double *w, const double *s, const double *fewer, double *best, int64_t *place, int64_t rows,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        find_splits(w, s, fewer, best, place, rows)
    return True


# --- small pictures ---------------------------------------------------------------------------------------------------

cdef enum:
    ALONE = 3 << 18     # bytes compared, done in 17 µs: with a second worker, and the waiting for it, it takes no less
    FEW = 1 << 18       # pixels counted or made grey, done in 60 µs
    LITTLE = 1 << 14    # pixels of them, done in 4 µs: letting go beside a busy thread may cost a switch interval

# The kinds: keep what is above, what becomes of it if not, keep what is below, what becomes of it if not; 0, 1 and 2
# stand for black, white and the threshold.
cdef dict _KINDS = {
    "binary": (False, 1, False, 0), "binary_inv": (False, 0, False, 1), "trunc": (False, 2, True, 0),
    "tozero": (True, 0, False, 0), "tozero_inv": (False, 0, True, 0),
}
cdef object _ndarray = np.ndarray, _empty = np.empty, _arange = np.arange, _zeros = np.zeros
cdef object _uint8 = np.dtype(np.uint8), _uint64 = np.dtype(np.uint64)


cdef bint _bytes_of(array, Py_buffer *seen, int flags) except -1:
    """Whether an array has bytes that lie side by side, and where. The caller holds the array."""
    if type(array) is not _ndarray:
        return False
    try:
        PyObject_GetBuffer(array, seen, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | flags)
    except (BufferError, ValueError):
        return False
    PyBuffer_Release(seen)
    return seen.format != NULL and seen.format[0] == c"B" and seen.format[1] == 0 and seen.len > 0


cdef _room_for(const Py_buffer *seen, int axes, out, Py_buffer *target, bint in_place):
    """``out``, or a new array, if it has the picture's first axes and shares no memory with it; else None."""
    cdef int axis
    if out is None:
        out = _empty(tuple([seen.shape[axis] for axis in range(axes)]), _uint8)
    if not _bytes_of(out, target, PyBUF_WRITABLE) or target.ndim != axes:
        return None
    for axis in range(axes):
        if target.shape[axis] != seen.shape[axis]:
            return None
    if in_place and target.buf == seen.buf:
        return out
    if <char *> seen.buf < <char *> target.buf + target.len and <char *> target.buf < <char *> seen.buf + seen.len:
        return None
    return out


cdef inline bint _is_number(value):
    return (type(value) is int or type(value) is float) and -1e300 < value < 1e300


cdef int _otsu(const uint8_t *image, int64_t n) noexcept nogil:
    cdef uint64_t counts[256]
    memset(counts, 0, sizeof(counts))
    count_levels(image, counts, 0, n)
    return otsu_level(counts)


cdef class Threshold:
    """A threshold of bytes that lie side by side, for workers to call: a door whose buffers are known to be right."""

    cdef readonly object out
    cdef object image
    cdef const uint8_t *source
    cdef uint8_t *target
    cdef uint8_t value, above, below
    cdef bint keep_above, keep_below

    def __call__(self, int64_t[::1] tickets, Py_ssize_t most, bint release):
        cdef PyThreadState *gil = let_go(release)
        cdef bint more = _threshold(
            self.source, self.target, self.value, self.keep_above, self.above, self.keep_below, self.below,
            &tickets[0], most,
        )
        take_back(gil)
        return more


def small_threshold(image, value, maxval, kind, out, bint alone):
    """A threshold of bytes that lie side by side; None of other pictures.

    Done if they are few, or for one thread ``alone`` not very many; else to be called by workers.
    """
    cdef Py_buffer seen, target
    cdef PyThreadState *gil
    cdef double limit = 0, white
    cdef uint8_t colours[3]
    cdef bint keep_above, keep_below, otsu = type(value) is str and value == "otsu"
    cdef int above, below
    cdef Threshold shared
    if not (otsu or _is_number(value)) or not _is_number(maxval) or not _bytes_of(image, &seen, 0):
        return None
    asked = _KINDS.get(kind) if type(kind) is str else None
    limit, white = 0 if otsu else value, maxval
    if asked is None or limit < 0 or (otsu and seen.len > FEW):
        return None
    out = _room_for(&seen, seen.ndim, out, &target, out is image)
    if out is None:
        return None
    keep_above, above, keep_below, below = asked
    colours[0] = 0
    colours[1] = <uint8_t> rint(0 if white < 0 else 255 if white > 255 else white)
    colours[2] = <uint8_t> floor(255 if limit > 255 else limit)
    if seen.len > (LARGE if alone else ALONE):
        shared = Threshold.__new__(Threshold)
        shared.image, shared.out = image, out
        shared.source, shared.target = <const uint8_t *> seen.buf, <uint8_t *> target.buf
        shared.value, shared.above, shared.below = colours[2], colours[above], colours[below]
        shared.keep_above, shared.keep_below = keep_above, keep_below
        return shared
    gil = let_go(seen.len > (LITTLE if otsu else 4 * LITTLE))
    if otsu:
        limit = _otsu(<const uint8_t *> seen.buf, seen.len)
        colours[2] = <uint8_t> (0 if limit > 255 else limit)    # OpenCV's where only one level occurs
    if limit >= 0:
        _threshold_run(
            <const uint8_t *> seen.buf, <uint8_t *> target.buf, colours[2], keep_above, colours[above], keep_below,
            colours[below], 0, seen.len, False,
        )
    take_back(gil)
    return out if limit >= 0 else None


def small_otsu(image):
    """Otsu's level of few bytes that lie side by side; None of others, and where it takes integers to tell."""
    cdef Py_buffer seen
    cdef PyThreadState *gil
    cdef int found
    if not _bytes_of(image, &seen, 0) or seen.len > FEW:
        return None
    gil = let_go(seen.len > LITTLE)
    found = _otsu(<const uint8_t *> seen.buf, seen.len)
    take_back(gil)
    return found & 255 if found >= 0 else None


def small_histogram(image):
    """Counts and levels of few bytes that lie side by side; None of others."""
    cdef Py_buffer seen
    cdef PyThreadState *gil
    cdef uint64_t[::1] counts
    if not _bytes_of(image, &seen, 0) or seen.len > FEW:
        return None
    made = _zeros(256, _uint64)
    counts = made
    gil = let_go(seen.len > LITTLE)
    count_levels(<const uint8_t *> seen.buf, &counts[0], 0, seen.len)
    take_back(gil)
    return made, _arange(256)


def small_grayscale(image, bint backwards, out):
    """Grey of few pixels of bytes that lie side by side; None of others."""
    cdef Py_buffer seen, target
    cdef PyThreadState *gil
    cdef int64_t channels, n
    if not _bytes_of(image, &seen, 0) or seen.ndim < 2 or not 3 <= seen.shape[seen.ndim - 1] <= 4:
        return None
    channels = seen.shape[seen.ndim - 1]
    n = seen.len // channels
    if n > FEW:
        return None
    out = _room_for(&seen, seen.ndim - 1, out, &target, False)
    if out is None:
        return None
    gil = let_go(n > LITTLE)
    _grayscale_any(<const uint8_t *> seen.buf, channels, <uint8_t *> target.buf, backwards, 0, n)
    take_back(gil)
    return out


def small_binarize(image, maxval, bint invert, out):
    """Black and white by Otsu's method of a grey or coloured picture of few bytes that lie side by side.

    None of others, and where it takes integers to tell the threshold.
    """
    cdef Py_buffer seen, target
    cdef PyThreadState *gil
    cdef int64_t n, channels = 1
    cdef int found = -1
    cdef double white
    cdef uint8_t shade
    cdef uint8_t *room = NULL
    cdef const uint8_t *grey
    if not _is_number(maxval) or not _bytes_of(image, &seen, 0) or not 2 <= seen.ndim <= 3:
        return None
    if seen.ndim == 3:
        channels = seen.shape[2]
        if not 3 <= channels <= 4:
            return None     # a stack of pictures
    n = seen.len // channels
    if n > FEW:
        return None
    out = _room_for(&seen, 2, out, &target, False)
    if out is None:
        return None
    white = maxval
    shade = <uint8_t> rint(0 if white < 0 else 255 if white > 255 else white)
    grey = <const uint8_t *> seen.buf
    gil = let_go(n > LITTLE)
    if channels > 1:
        room = <uint8_t *> malloc(n)
        grey = room
        if room != NULL:
            _grayscale_any(<const uint8_t *> seen.buf, channels, room, False, 0, n)
    if grey != NULL:
        found = _otsu(grey, n)
    if found >= 0:
        _keep_none(grey, <uint8_t *> target.buf, found & 255, 0 if invert else shade, shade if invert else 0, 0, n)
    free(room)
    take_back(gil)
    return out if found >= 0 else None


# --- hysteresis ------------------------------------------------------------------------------------------------------
# Pixels lie in lines of ``width``, the last of which may be shorter. A run is a row of neighbours in a line that are at
# least ``least``; the runs of line i have the numbers begins[i] to begins[i + 1]. Runs that touch are of one set, a
# tree of ``parents`` whose root is its lowest number, so that sets do not depend on who united what first. ``seeds``
# tells of a root whether its set has a pixel that is at least ``seed``.

def count_runs(
    const pixel[::1] image, int64_t width, pixel least, int64_t[::1] runs,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """The number of runs in line i into ``runs[i]``; a unit is a line."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _count_runs(&image[0], image.shape[0], width, least, &runs[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _count_runs(
    const pixel *image, int64_t n, int64_t width, pixel least, int64_t *runs, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t first = 0, last = 0, line
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for line in range(first, last):
            runs[line] = runs_in(image + line * width, min(width, n - line * width), least)
    return True


def find_runs(
    const pixel[::1] image, int64_t width, pixel least, pixel seed, const int64_t[::1] begins,
    int64_t[:, ::1] runs, int64_t[::1] parents, uint8_t[::1] seeds, int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """First column and the one after the last of each run into ``runs``, each a set of its own; a unit is a line."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _find_runs(
        &image[0], image.shape[0], width, least, seed, &begins[0], &runs[0, 0], &parents[0], &seeds[0],
        &tickets[0], most,
    )
    take_back(gil)
    return more


cdef bint _find_runs(
    const pixel *image, int64_t n, int64_t width, pixel least, pixel seed, const int64_t *begins,
    int64_t *runs, int64_t *parents, uint8_t *seeds, int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0, line, run
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for line in range(first, last):
            if begins[line + 1] > begins[line]:
                runs_of(
                    image + line * width, min(width, n - line * width), least, seed,
                    runs + 2 * begins[line], 2 * (begins[line + 1] - begins[line]), seeds + begins[line],
                )
            for run in range(begins[line], begins[line + 1]):
                parents[run] = run
    return True


def unite_runs(
    const int64_t[::1] begins, const int64_t[:, ::1] runs, int64_t[::1] parents, uint8_t[::1] seeds,
    const int64_t[::1] shape, int64_t width, int64_t band, bint flat,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Unite the runs that touch, within a band; a unit is a band, which is ``band`` steps along the first axis.

    ``shape`` is that of the lines. Those of a flat picture go on, each in the next.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _unite_runs(
        &begins[0], &runs[0, 0], &parents[0], &seeds[0], &shape[0], shape.shape[0], width, band, flat,
        &tickets[0], most,
    )
    take_back(gil)
    return more


cdef bint _unite_runs(
    const int64_t *begins, const int64_t *runs, int64_t *parents, uint8_t *seeds,
    const int64_t *shape, int64_t axes, int64_t width, int64_t band, bint flat, int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0, unit, line, step, axis, slab = 1
    for axis in range(1, axes):
        slab *= shape[axis]
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for unit in range(first, last):
            for line in range(unit * band * slab, min((unit + 1) * band, shape[0]) * slab):
                step = 1
                for axis in range(axes - 1, 0, -1):
                    if line // step % shape[axis] > 0:
                        unite_lines(begins, runs, parents, seeds, line - step, line, width, flat)
                    step *= shape[axis]
                if line // slab > unit * band:
                    unite_lines(begins, runs, parents, seeds, line - slab, line, width, flat)
    return True


def unite_bands(
    const int64_t[::1] begins, const int64_t[:, ::1] runs, int64_t[::1] parents, uint8_t[::1] seeds,
    const int64_t[::1] shape, int64_t width, int64_t band, bint flat,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Unite the runs of a band with those of the next; a unit is a pair of bands, and there is one worker."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _unite_bands(
        &begins[0], &runs[0, 0], &parents[0], &seeds[0], &shape[0], shape.shape[0], width, band, flat,
        &tickets[0], most,
    )
    take_back(gil)
    return more


cdef bint _unite_bands(
    const int64_t *begins, const int64_t *runs, int64_t *parents, uint8_t *seeds,
    const int64_t *shape, int64_t axes, int64_t width, int64_t band, bint flat, int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0, unit, line, axis, slab = 1
    for axis in range(1, axes):
        slab *= shape[axis]
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for unit in range(first, last):
            for line in range((unit + 1) * band * slab, ((unit + 1) * band + 1) * slab):
                unite_lines(begins, runs, parents, seeds, line - slab, line, width, flat)
    return True


def paint_runs(
    const int64_t[::1] begins, const int64_t[:, ::1] runs, const int64_t[::1] parents, const uint8_t[::1] seeds,
    int64_t width, uint8_t[::1] out, int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """True where a run is of a set with a seed, false elsewhere; a unit is a line."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _paint_runs(
        &begins[0], &runs[0, 0], &parents[0], &seeds[0], width, &out[0], out.shape[0], &tickets[0], most
    )
    take_back(gil)
    return more


cdef bint _paint_runs(
    const int64_t *begins, const int64_t *runs, const int64_t *parents, const uint8_t *seeds, int64_t width,
    uint8_t *out, int64_t n, int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0, line, run, root, begin, end, length
    cdef uint64_t nothing = 0, word
    cdef uint8_t *target
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for line in range(first, last):
            target = out + line * width
            length = min(width, n - line * width)
            memset(target, 0, length)
            for run in range(begins[line], begins[line + 1]):
                root = run
                while parents[root] != root:
                    root = parents[root]
                begin, end = runs[2 * run], runs[2 * run + 1]
                word = <uint64_t> 0x0101010101010101 if seeds[root] else 0
                if end - begin <= 8 and end + 8 <= length:
                    # Eight at a time, and those too many taken back: a loop of few steps is one to guess.
                    memcpy(target + begin, &word, 8)
                    memcpy(target + end, &nothing, 8)
                else:
                    memset(target + begin, seeds[root], end - begin)
    return True


# --- windows ---------------------------------------------------------------------------------------------------------

cdef struct Frame:
    # Where the pixels around each one are. The picture may be larger than the result, which begins at (top, left).
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
    const double[::1] column_counts, int rule, bint deviates, const double[:, ::1] numbers, bint compares,
    uint8_t white, uint8_t black, double[:, ::1] extremes, accumulator[::1] total, accumulator[::1] squares,
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
    double *extremes, accumulator *total, accumulator *squares, int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0, unit, picture, y, begin, end, row, enters, leaves, left = 1 + frame.before
    cdef int64_t pieces = (frame.height + frame.piece - 1) // frame.piece
    cdef int64_t padded = frame.width + frame.window_width - 1
    cdef const pixel *source
    if sizeof(pixel) > 1 and sizeof(accumulator) == 4:
        return False    # never asked for: only bytes are added up in 32 bits
    cdef bint low = rule == OPENCV_MEAN and frame.window_height <= LOW
    low = low and frame.window_height * frame.window_width <= NARROW
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for unit in range(first, last):
            picture = unit // pieces
            source = image + picture * frame.source_height * frame.source_width
            begin = unit % pieces * frame.piece
            end = begin + frame.piece if begin + frame.piece < frame.height else frame.height
            if pixel is uint8_t and accumulator is uint32_t:
                if low:
                    row = picture * frame.height * frame.width
                    _mean_rows(
                        source, binary + row, frame, begin, end, <int32_t> numbers[4 * picture + 1], white, black,
                        <uint16_t *> total,
                    )
                    continue
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


cdef void _mean_rows(
    const uint8_t *source, uint8_t *binary, Frame *frame, int64_t begin, int64_t end, int32_t delta, uint8_t white,
    uint8_t black, uint16_t *total,
) noexcept nogil:
    """OpenCV's comparison with the mean, over windows of up to LOW rows and NARROW pixels.

    No row or column is empty, and n, the number of pixels in a window, is odd. A mean is never half way between two
    bytes then, but at least 1 / (2 * n) away, and single precision, off by less than 255 / 2**23, rounds it as it
    should: it is below pixel + delta, once rounded, where the sum is below n * (pixel + delta) - (n - 1) / 2.
    """
    cdef int32_t carry, n = <int32_t> (frame.window_height * frame.window_width)
    cdef int64_t x, y, width = frame.width, wide = frame.window_width, left = 1 + frame.before
    cdef const uint8_t *enters
    memset(total, 0, (width + wide) * sizeof(uint16_t))
    for y in range(begin, begin + frame.window_height - 1):
        enter_low(source + frame.rows[y] * width, total + left, width)
    for y in range(begin, end):
        enters = source + frame.rows[y + frame.window_height - 1] * width
        if y == begin:
            enter_low(enters, total + left, width)
        else:
            slide_low(enters, source + frame.rows[y - 1] * width, total + left, width)
        pad(total + 1, frame.columns, frame.before, width, width + wide - 1)
        carry = (n - 1) // 2 - n * delta
        for x in range(1, wide):
            carry += total[x]
        scan_means(
            total + wide, total, source + y * width, binary + y * width, width, carry, <int16_t> n, white, black
        )


cdef void _window_row(
    const pixel *source, double *thresholds, uint8_t *binary, Frame *frame, double rows, const double *column_counts,
    int rule, const double *numbers, bint compares, uint8_t white, uint8_t black, double *extremes, accumulator *total,
    accumulator *squares,
) noexcept nogil:
    """Slide along one row. The first of the columns is empty: it is what leaves when the first pixel's window comes."""
    cdef accumulator sum_of[CHUNK]
    cdef accumulator squares_of[CHUNK]
    cdef double totals[CHUNK]
    cdef double all_squares[CHUNK]
    cdef double limits[CHUNK]
    cdef int64_t chunk, x, n, body = frame.width - frame.width % 8, wide = frame.window_width
    cdef accumulator *some_squares = NULL
    cdef double *every_square = NULL
    cdef double *target = limits
    cdef accumulator carry = first_columns(total + 1, wide - 1)
    cdef accumulator carry_squares = 0
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
            if accumulator is uint32_t and pixel is uint8_t:
                if compares and (rule == NIBLACK or rule == SAUVOLA):
                    # Mirrored at the edges: all windows have as many pixels.
                    if quickly_compared(
                        rule, numbers, source + x, sum_of, squares_of, rows * column_counts[0], binary + x, white,
                        black, n,
                    ):
                        continue
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
    weight[::1] room, int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """A weighted mean of the pixels around each one, less ``offset``: into ``thresholds``, or the comparison with it.

    The weights are those of one side, from the middle on. In single precision it is OpenCV's: rounded to a byte before
    it is compared. ``room``, one worker's own, is for a row of the windows' columns; or for what gauss.h needs.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef Frame frame
    cdef bint more
    _frame(&frame, &shape[0], &rows[0], &columns[0])
    more = _weighted(
        &image[0, 0], &thresholds[0, 0], &binary[0, 0], &frame, &row_weights[0], &column_weights[0], offset, compares,
        white, black, &room[0], &tickets[0], most,
    )
    take_back(gil)
    return more


cdef bint _weighted(
    const pixel *image, double *thresholds, uint8_t *binary, Frame *frame, const weight *row_weights,
    const weight *column_weights, double offset, bint compares, uint8_t white, uint8_t black, weight *room,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t first = 0, last = 0, unit, picture, begin, end
    cdef int64_t pieces = (frame.height + frame.piece - 1) // frame.piece
    cdef const pixel *source
    if sizeof(weight) == 4 and (sizeof(pixel) > 1 or not compares):
        return False    # never asked for: in single precision bytes alone are weighed, to be compared
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for unit in range(first, last):
            picture = unit // pieces
            source = image + picture * frame.source_height * frame.source_width
            begin = unit % pieces * frame.piece
            end = begin + frame.piece if begin + frame.piece < frame.height else frame.height
            if weight is float:
                if pixel is uint8_t:
                    while begin < end:
                        gauss_compare(
                            source, frame.width, frame.rows + begin, min(end - begin, GAUSS_ROWS), row_weights,
                            frame.window_height // 2, frame.columns, column_weights, frame.window_width // 2,
                            source + begin * frame.width, <int16_t> offset,
                            binary + (picture * frame.height + begin) * frame.width, white, black, room,
                        )
                        begin += GAUSS_ROWS
            else:
                _weighted_rows(
                    source, thresholds, binary, frame, row_weights, column_weights, offset, compares, white, black,
                    room, picture, begin, end,
                )
    return True


cdef void _weighted_rows(
    const pixel *source, double *thresholds, uint8_t *binary, Frame *frame, const double *row_weights,
    const double *column_weights, double offset, bint compares, uint8_t white, uint8_t black, double *padded,
    int64_t picture, int64_t begin, int64_t end,
) noexcept nogil:
    cdef double limits[CHUNK]
    cdef int64_t chunk, x, y, i, n, row
    cdef const pixel *middle
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
            weigh_columns(padded + x, 0, NULL, column_weights, frame.window_width // 2, limits, n)
            for i in range(n):
                limits[i] -= offset
            if compares:
                compare(middle + x, limits, binary + row * frame.width + x, white, black, n)
            else:
                for i in range(n):
                    thresholds[row * frame.width + x + i] = limits[i]
