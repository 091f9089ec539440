# cython: language_level=3
"""Grey, histogram and threshold over the pixels of a picture, without the GIL.

Pictures arrive as flat buffers of n pixels; a unit is one pixel, and a ticket is a run of them.
"""

from libc.math cimport NAN
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from gil cimport PyThreadState, let_go, take_back
from tickets cimport take

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
        # One loop for each of the three shapes a kind can have, so that none decides anything per pixel.
        if keep_above:
            _keep_above(image, out, value, below, first, last)
        elif keep_below:
            _keep_below(image, out, value, above, first, last)
        else:
            _keep_none(image, out, value, above, below, first, last)
    return True


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
