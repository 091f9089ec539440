# cython: language_level=3
"""Grey, histogram, threshold and hysteresis over the pixels of a picture, without the GIL.

Pictures arrive as flat buffers of n pixels; where a door says nothing else, a unit is one pixel, and a ticket is a run
of them.
"""

from libc.math cimport NAN
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

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


cdef enum:
    PAIRED = 1 << 21   # pixels from which on a table of pairs of 8-bit pixels earns the 50 µs that it costs


cdef bint _histogram(const level *image, uint64_t *counts, int64_t *tickets, Py_ssize_t most) noexcept nogil:
    cdef int64_t first = 0, last = 0, left = 0
    cdef uint32_t *table = NULL
    cdef bint more = True
    if tickets[1] >= PAIRED:
        table = <uint32_t *> calloc(1 << 16, sizeof(uint32_t))   # without memory for it, one by one will do
    while most != 0:
        if not take(tickets, &first, &last):
            more = False
            break
        most -= 1
        if table == NULL:
            _count_levels(image, counts, first, last)
            continue
        if left + last - first > (<int64_t> 1 << 31):
            _empty_table(image, table, counts)
            left = 0
        left += last - first
        _count_words(image, table, counts, first, last)
    if table != NULL:
        _empty_table(image, table, counts)
        free(table)
    return more


cdef inline void _count_words(
    const level *image, uint32_t *table, uint64_t *counts, int64_t first, int64_t last
) noexcept nogil:
    # A processor stores one counter a cycle, whatever the number of tables: two 8-bit pixels as one word of 16 bits
    # cost one store. Measured on a Zen 4: 0.14 to 0.26 ns a pixel, against 0.28 with four or eight tables.
    cdef int64_t a_word = 8 // sizeof(level), i = first
    cdef uint64_t word
    while i + a_word <= last:
        memcpy(&word, image + i, 8)
        table[word & 65535] += 1
        table[(word >> 16) & 65535] += 1
        table[(word >> 32) & 65535] += 1
        table[word >> 48] += 1
        i += a_word
    for i in range(i, last):
        counts[image[i]] += 1


cdef inline void _empty_table(const level *image, uint32_t *table, uint64_t *counts) noexcept nogil:
    """Add the table to the counts, and begin it anew."""
    cdef int64_t i, j
    cdef uint64_t row
    if level is uint8_t:
        for i in range(256):
            row = 0
            for j in range(256):
                row += table[256 * i + j]
                counts[j] += table[256 * i + j]
            counts[i] += row
    else:
        for i in range(1 << 16):
            counts[i] += table[i]
    memset(table, 0, (1 << 16) * sizeof(uint32_t))


cdef inline void _count_levels(const level *image, uint64_t *counts, int64_t first, int64_t last) noexcept nogil:
    # Neighbouring pixels are often equal, and adding to a counter that was stored a moment ago waits for the store:
    # four pixels in a row count in four tables. Only for 8 bits: four tables of 65 536 counters leave the cache.
    cdef uint32_t tables[4][256]
    cdef int64_t i, whole = first
    if level is uint8_t:
        memset(tables, 0, sizeof(tables))
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
            _count_levels(images + i * length, counts + i * levels, 0, length)
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
            _widen(images + i * length, bounds + 2 * i, 0, length)
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
            _count_bins(images + i * length, edges + i * (bins + 1), bins, counts + i * bins, 0, length)
    return True


cdef enum:
    PART = 16384   # pixels whose sum is one partial result
    SUMS = 32      # lanes of a sum


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
            _sum_part(
                images + which[k] * length + begin, min(<int64_t> PART, length - begin), low[k], limit[k],
                sums + unit, counts + unit,
            )
    return True


cdef inline void _sum_part(
    const pixel *image, int64_t n, pixel low, double limit, double *total, double *count
) noexcept nogil:
    # A NaN is not above anything, so it shows in the sum. Numbers of pixels are doubles, so that all lanes are alike,
    # and have a loop of their own, which lets gcc vectorise both: four times as fast.
    cdef double sums[SUMS]
    cdef double counts[SUMS]
    cdef double value
    cdef int64_t i, j, rows = n // SUMS
    for j in range(SUMS):
        sums[j] = 0
        counts[j] = 0
    for i in range(rows):
        for j in range(SUMS):
            value = <double> <pixel> (image[i * SUMS + j] - low)
            sums[j] += 0.0 if value > limit else value
        for j in range(SUMS):
            value = <double> <pixel> (image[i * SUMS + j] - low)
            counts[j] += 0.0 if value > limit else 1.0
    for j in range(n - rows * SUMS):
        value = <double> <pixel> (image[rows * SUMS + j] - low)
        sums[j] += 0.0 if value > limit else value
        counts[j] += 0.0 if value > limit else 1.0
    i = SUMS // 2
    while i > 0:
        for j in range(i):
            sums[j] += sums[i + j]
            counts[j] += counts[i + j]
        i //= 2
    total[0] = sums[0]
    count[0] = counts[0]


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
            runs[line] = _runs_in(image + line * width, min(width, n - line * width), least)
    return True


cdef inline int64_t _runs_in(const pixel *line, int64_t n, pixel least) noexcept nogil:
    # As many as begin: at least ``least`` after a pixel that is not. Narrow sums of short stretches vectorise well.
    cdef int64_t found = line[0] >= least, i = 1, end
    cdef uint8_t some
    while i < n:
        end = min(n, i + 255)
        some = 0
        for i in range(i, end):
            some += <uint8_t> (line[i] >= least) & <uint8_t> (not line[i - 1] >= least)
        found += some
        i = end
    return found


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
                _runs_of(
                    image + line * width, min(width, n - line * width), least, seed,
                    runs + 2 * begins[line], 2 * (begins[line + 1] - begins[line]), seeds + begins[line],
                )
            for run in range(begins[line], begins[line + 1]):
                parents[run] = run
    return True


cdef inline void _runs_of(
    const pixel *line, int64_t n, pixel least, pixel seed, int64_t *edges, int64_t most, uint8_t *seeds
) noexcept nogil:
    # Where nothing changes for eight pixels, they are passed by at once. Where something does, edges are written at
    # every pixel and kept at some, without a branch that a processor would have to guess; but for the last ones, after
    # which would come those of another line.
    cdef uint8_t flags[257]
    cdef uint8_t turns[264]
    cdef uint8_t reach[264]
    cdef uint8_t bright = 0
    cdef uint64_t turning, reaching
    cdef int64_t i = 0, m, k, j, found = 0
    flags[0] = 0
    while i < n:
        m = min(<int64_t> 256, n - i)
        memset(turns + m, 0, 8)
        memset(reach + m, 0, 8)
        for k in range(m):
            flags[k + 1] = line[i + k] >= least
        for k in range(m):
            reach[k] = line[i + k] >= seed
        for k in range(m):
            turns[k] = flags[k + 1] ^ flags[k]
        for k in range(0, m, 8):
            memcpy(&turning, turns + k, 8)
            memcpy(&reaching, reach + k, 8)
            if turning == 0:
                if reaching != 0:
                    bright = 1
                    seeds[(found - 1) >> 1] = 1
            elif found + 8 < most:
                for j in range(k, k + 8):
                    edges[found] = i + j
                    found += turns[j]
                    bright = (bright & ((turns[j] & found) ^ 1)) | reach[j]
                    seeds[(found - (found > 0)) >> 1] = bright
            else:
                for j in range(k, k + 8):
                    if turns[j]:
                        edges[found] = i + j
                        found += 1
                        if found & 1:
                            bright = 0
                            seeds[found >> 1] = 0
                    if reach[j]:
                        bright = 1
                        seeds[found >> 1] = 1
        flags[0] = flags[m]
        i += m
    if found < most:
        edges[found] = n


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
                        _unite_lines(begins, runs, parents, seeds, line - step, line, width, flat)
                    step *= shape[axis]
                if line // slab > unit * band:
                    _unite_lines(begins, runs, parents, seeds, line - slab, line, width, flat)
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
                _unite_lines(begins, runs, parents, seeds, line - slab, line, width, flat)
    return True


cdef inline void _unite_lines(
    const int64_t *begins, const int64_t *runs, int64_t *parents, uint8_t *seeds,
    int64_t before, int64_t line, int64_t width, bint flat,
) noexcept nogil:
    cdef int64_t a = begins[before], b = begins[line], ahead
    cdef int64_t a_end = begins[before + 1], b_end = begins[line + 1]
    if flat:
        if a < a_end and b < b_end and runs[2 * a_end - 1] == width and runs[2 * b] == 0:
            _unite(parents, seeds, a_end - 1, b)
        return
    while a < a_end and b < b_end:
        if runs[2 * a] < runs[2 * b + 1] and runs[2 * b] < runs[2 * a + 1]:
            _unite(parents, seeds, a, b)
        ahead = runs[2 * a + 1] < runs[2 * b + 1]
        a += ahead
        b += ahead ^ 1


cdef inline void _unite(int64_t *parents, uint8_t *seeds, int64_t a, int64_t b) noexcept nogil:
    if parents[a] == parents[b]:
        return
    # Each step towards a root shortens the way for the next one.
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
