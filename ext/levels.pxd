# cython: language_level=3
"""How the pixels of one stretch are counted, measured and added up: histograms, extents, and the sums on one side."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>

    /* Tables of zeros that nobody uses just now. To ask the system for 256 KiB anew takes half as long as to count two
     * million pixels: it hands out empty pages one by one. */
    static uint32_t *gilfree_tables[4];

    #if defined(_MSC_VER) && !defined(__clang__)
    #include <intrin.h>
    #define gilfree_swap(place, with) \
        ((uint32_t *)_InterlockedExchangePointer((void *volatile *)(place), (with)))
    #define gilfree_put(place, with) \
        (_InterlockedCompareExchangePointer((void *volatile *)(place), (with), NULL) == NULL)
    #else
    #define gilfree_swap(place, with) __atomic_exchange_n((place), (with), __ATOMIC_ACQ_REL)
    #define gilfree_put(place, with) __sync_bool_compare_and_swap((place), NULL, (with))
    #endif

    static uint32_t *gilfree_take_table(void)
    {
        for (int i = 0; i < 4; i++) {
            uint32_t *table = gilfree_swap(&gilfree_tables[i], NULL);
            if (table)
                return table;
        }
        return (uint32_t *)calloc(65536, sizeof(uint32_t));
    }

    static void gilfree_leave_table(uint32_t *table)
    {
        for (int i = 0; i < 4; i++)
            if (gilfree_put(&gilfree_tables[i], table))
                return;
        free(table);
    }
    """
    uint32_t *take_table "gilfree_take_table"() nogil       # NULL: there is no memory for one
    void leave_table "gilfree_leave_table"(uint32_t *table) nogil

cdef enum:
    PART = 16384   # pixels whose sum is one partial result
    SUMS = 32      # lanes of a sum

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


cdef inline void count_words(
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


cdef inline void empty_table(const level *image, uint32_t *table, uint64_t *counts) noexcept nogil:
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


cdef inline void count_levels(const level *image, uint64_t *counts, int64_t first, int64_t last) noexcept nogil:
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


cdef inline int otsu_level(const uint64_t *counts) noexcept nogil:
    """Otsu's level of at most 2**20 bytes, and 256 more where no other occurs; -1 where two are as good to 14 digits.

    In doubles: all but the square and the quotient is exact for so few, so those 14 digits can be relied on.
    """
    cdef double total = 0, total_sum = 0, w = 0, s = 0, gap, variance, best = 0
    cdef int i, first = -1, last = 0, found = -1
    cdef bint sure = True
    for i in range(256):
        if counts[i]:
            first = i if first < 0 else first
            last = i
            total += <double> counts[i]
            total_sum += <double> counts[i] * i
    if first == last:
        return first + 256
    for i in range(first, last):
        if counts[i]:
            w += <double> counts[i]
            s += <double> counts[i] * i
            gap = total * s - w * total_sum
            variance = gap * gap / (w * (total - w))
            if variance > best * (1 + 1e-14):
                found, sure = i, True
            elif variance >= best * (1 - 1e-14):
                sure = False
            best = variance if variance > best else best
    return found if sure else -1


cdef inline int64_t smooth_once(float *counts, int64_t n) noexcept nogil:
    """Mean of each count and its two neighbours, the ends repeated, as a running sum; and how many peaks there are."""
    cdef double one = counts[0], two = counts[0]    # the counts at i - 2 and at i - 1, as they were
    cdef double total = one + one + counts[1 if n > 1 else 0]
    cdef int64_t i, tops = 0
    cdef bint up = True
    for i in range(n):
        if i > 0:
            total += counts[i + 1 if i + 1 < n else i] - one
            one = two
        two = counts[i]
        counts[i] = <float> (total / 3)
        if i > 0 and counts[i] != counts[i - 1]:
            tops += up and counts[i] < counts[i - 1]
            up = counts[i] > counts[i - 1]
    return tops


cdef inline void find_splits(
    const double *w, const double *s, const double *fewer, double *best, int64_t *place, int64_t rows
) noexcept nogil:
    # Of every second i first: the best j grows with i, so they narrow the search for those between.
    cdef int64_t i, j, low, high, step = 1
    cdef double part, value
    while 2 * step <= rows:
        step *= 2
    while step > 0:
        i = step - 1
        while i < rows:
            low = place[i - step] if i >= step and place[i - step] > i + 1 else i + 1
            high = place[i + step] if i + step < rows else rows
            best[i] = -1
            for j in range(low, high + 1):
                part = s[j] - s[i]
                value = part * part / (w[j] - w[i]) + fewer[j]
                if value > best[i]:
                    best[i], place[i] = value, j
            i += 2 * step
        step //= 2


cdef inline void widen(const real *image, real *bounds, int64_t first, int64_t last) noexcept nogil:
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


cdef inline void count_bins(
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


cdef inline uint64_t sum_bytes(const uint8_t *image, int64_t n) noexcept nogil:
    """By pairs in the four lanes of a word, which hold 128 of such words before they overflow."""
    cdef uint64_t word, lanes, total = 0
    cdef uint64_t even = 0x00FF00FF00FF00FF, quarters = 0x0000FFFF0000FFFF
    cdef int64_t i, j, first = 0
    for first in range(0, n - 1023, 1024):
        lanes = 0
        for i in range(first, first + 1024, 8):
            memcpy(&word, image + i, 8)
            lanes += (word & even) + ((word >> 8) & even)
        lanes = (lanes & quarters) + ((lanes >> 16) & quarters)
        total += <uint32_t> lanes + (lanes >> 32)
    for j in range(n // 1024 * 1024, n):
        total += image[j]
    return total


cdef inline void sum_part(
    const pixel *image, int64_t n, pixel low, double limit, double *total, double *count
) noexcept nogil:
    # A NaN is not above anything, so it shows in the sum. Numbers of pixels are doubles, so that all lanes are alike,
    # and have a loop of their own, which lets gcc vectorise both: four times as fast.
    cdef double sums[SUMS]
    cdef double counts[SUMS]
    cdef double value
    cdef int64_t i, j, rows = n // SUMS
    if pixel is uint8_t:
        if low == 0 and limit >= 255:
            total[0], count[0] = <double> sum_bytes(image, n), <double> n
            return
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
