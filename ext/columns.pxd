# cython: language_level=3
"""How one piece of many columns side by side is folded: the loops of ``folds.pxd``, for rows of a matrix at a time.

Row ``i`` of a strip of ``count`` columns begins at ``x + i * stride`` bytes. The rows are read from their beginning to
their end, several side by side: each page of memory has to be looked up, and a strip of a few columns looks up as many
pages as the whole matrix. What a column gives goes to ``result``, ``step`` elements after that of the column before.
The order of a column's operations is that of ``folds.pxd``: the answer does not depend on how an array lies.
"""

from libc.math cimport INFINITY, NAN
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from folds cimport (
    BLOCK, BLOCKS, LANES, add_pairs, any_real, integer, join_moments, key_of, number, signbit, word,
)

cdef enum:
    STRIP = 1024   # columns folded at once
    NARROW = 64    # the same where a block of them is read twice: 256 KiB of doubles
    ROOM = 4096    # bytes of the stack for what columns have come to, where that is two numbers each
    ROOMS = 8192
    LONG_PLACES = 512


cdef inline void sum_integer_columns(
    const integer *x, int64_t stride, int64_t n, int64_t count, uint64_t *result, int64_t step
) noexcept nogil:
    cdef uint32_t narrow[STRIP]     # a piece of 16-bit numbers adds up to less than 2**31 either way
    cdef uint64_t wide[STRIP]
    cdef int64_t i, j
    cdef const integer *row
    cdef const integer *second
    for j in range(count):
        narrow[j] = 0
        wide[j] = 0
    for i in range(n // 2):
        row = <const integer *> (<const char *> x + 2 * i * stride)
        second = <const integer *> (<const char *> row + stride)
        if sizeof(integer) == 1:        # two of them in 16 bits: half the conversions
            for j in range(count):
                narrow[j] += <uint32_t> <int32_t> <int16_t> (<int16_t> row[j] + <int16_t> second[j])
        elif sizeof(integer) == 2:
            for j in range(count):
                narrow[j] += <uint32_t> row[j] + <uint32_t> second[j]
        else:
            for j in range(count):
                wide[j] += <uint64_t> row[j] + <uint64_t> second[j]
    if n % 2:
        row = <const integer *> (<const char *> x + (n - 1) * stride)
        for j in range(count):
            if sizeof(integer) <= 2:
                narrow[j] += <uint32_t> row[j]
            else:
                wide[j] += <uint64_t> row[j]
    for j in range(count):
        result[j * step] = <uint64_t> <int64_t> <int32_t> narrow[j] if sizeof(integer) <= 2 else wide[j]


cdef inline void min_integer_columns(
    const integer *x, int64_t stride, int64_t n, int64_t count, integer *result, int64_t step
) noexcept nogil:
    cdef integer best[STRIP]
    cdef integer one, two
    cdef int64_t i, j
    cdef const integer *row
    cdef const integer *second
    cdef const integer *third
    cdef const integer *fourth
    for j in range(count):
        best[j] = x[j]
    for i in range(n // 4):
        row = <const integer *> (<const char *> x + 4 * i * stride)
        second = <const integer *> (<const char *> row + stride)
        third = <const integer *> (<const char *> second + stride)
        fourth = <const integer *> (<const char *> third + stride)
        for j in range(count):
            one = row[j] if row[j] < second[j] else second[j]
            two = third[j] if third[j] < fourth[j] else fourth[j]
            one = one if one < two else two
            best[j] = one if one < best[j] else best[j]
    for i in range(n // 4 * 4, n):
        row = <const integer *> (<const char *> x + i * stride)
        for j in range(count):
            best[j] = row[j] if row[j] < best[j] else best[j]
    for j in range(count):
        result[j * step] = best[j]


cdef inline void max_integer_columns(
    const integer *x, int64_t stride, int64_t n, int64_t count, integer *result, int64_t step
) noexcept nogil:
    cdef integer best[STRIP]
    cdef integer one, two
    cdef int64_t i, j
    cdef const integer *row
    cdef const integer *second
    cdef const integer *third
    cdef const integer *fourth
    for j in range(count):
        best[j] = x[j]
    for i in range(n // 4):
        row = <const integer *> (<const char *> x + 4 * i * stride)
        second = <const integer *> (<const char *> row + stride)
        third = <const integer *> (<const char *> second + stride)
        fourth = <const integer *> (<const char *> third + stride)
        for j in range(count):
            one = row[j] if row[j] > second[j] else second[j]
            two = third[j] if third[j] > fourth[j] else fourth[j]
            one = one if one > two else two
            best[j] = one if one > best[j] else best[j]
    for i in range(n // 4 * 4, n):
        row = <const integer *> (<const char *> x + i * stride)
        for j in range(count):
            best[j] = row[j] if row[j] > best[j] else best[j]
    for j in range(count):
        result[j * step] = best[j]


cdef inline void min_real_columns(
    const any_real *x, int64_t stride, int64_t n, int64_t count, any_real *result, int64_t step
) noexcept nogil:
    _extreme_real_columns(x, stride, n, count, result, step, False)


cdef inline void max_real_columns(
    const any_real *x, int64_t stride, int64_t n, int64_t count, any_real *result, int64_t step
) noexcept nogil:
    _extreme_real_columns(x, stride, n, count, result, step, True)


cdef inline any_real _better(any_real a, any_real b, bint largest) noexcept nogil:
    """The second where the first is NaN or no better."""
    if largest:
        return a if a > b else b
    return a if a < b else b


cdef inline void _extreme_real_columns(
    const any_real *x, int64_t stride, int64_t n, int64_t count, any_real *result, int64_t step, bint largest
) noexcept nogil:
    cdef int64_t first = 0, most = ROOM // sizeof(any_real)
    while first < count:
        _extremes(x + first, stride, n, min(count - first, most), result + first * step, step, largest)
        first += most


cdef inline void _extremes(
    const any_real *x, int64_t stride, int64_t n, int64_t count, any_real *result, int64_t step, bint largest
) noexcept nogil:
    cdef char rooms[ROOMS]
    cdef any_real *best = <any_real *> rooms
    cdef any_real *odd = best + ROOM // sizeof(any_real)
    cdef any_real one
    cdef int64_t i, j
    cdef const any_real *row
    cdef const any_real *second
    cdef const any_real *third
    cdef const any_real *fourth
    for j in range(count):
        best[j] = -INFINITY if largest else INFINITY
        odd[j] = 0
    for i in range(n // 4):
        row = <const any_real *> (<const char *> x + 4 * i * stride)
        second = <const any_real *> (<const char *> row + stride)
        third = <const any_real *> (<const char *> second + stride)
        fourth = <const any_real *> (<const char *> third + stride)
        for j in range(count):
            one = _better(second[j], _better(row[j], best[j], largest), largest)
            best[j] = _better(fourth[j], _better(third[j], one, largest), largest)
            one = row[j] if row[j] != row[j] else odd[j]
            one = second[j] if second[j] != second[j] else one
            one = third[j] if third[j] != third[j] else one
            odd[j] = fourth[j] if fourth[j] != fourth[j] else one
    for i in range(n // 4 * 4, n):
        row = <const any_real *> (<const char *> x + i * stride)
        for j in range(count):
            best[j] = _better(row[j], best[j], largest)
            odd[j] = row[j] if row[j] != row[j] else odd[j]
    for j in range(count):
        if odd[j] != odd[j]:
            best[j] = NAN
        elif best[j] == 0:
            one = -0.0 if largest else 0.0
            for i in range(n):
                row = <const any_real *> (<const char *> x + i * stride)
                if row[j] == 0 and signbit(<double> row[j]) != largest:
                    one = 0.0 if largest else -0.0
                    break
            best[j] = one
        result[j * step] = best[j]


cdef inline void any_columns(
    const word *x, int64_t stride, int64_t n, int64_t count, uint64_t mask, uint8_t *result, int64_t step
) noexcept nogil:
    cdef word seen[STRIP]
    cdef int64_t i, j
    cdef const word *row
    cdef const word *second
    cdef const word *third
    cdef const word *fourth
    for j in range(count):
        seen[j] = 0
    for i in range(n // 4):
        row = <const word *> (<const char *> x + 4 * i * stride)
        second = <const word *> (<const char *> row + stride)
        third = <const word *> (<const char *> second + stride)
        fourth = <const word *> (<const char *> third + stride)
        for j in range(count):
            seen[j] |= row[j] | second[j] | third[j] | fourth[j]
    for i in range(n // 4 * 4, n):
        row = <const word *> (<const char *> x + i * stride)
        for j in range(count):
            seen[j] |= row[j]
    for j in range(count):
        result[j * step] = (seen[j] & <word> mask) != 0


cdef inline void all_columns(
    const word *x, int64_t stride, int64_t n, int64_t count, uint64_t mask, uint8_t *result, int64_t step
) noexcept nogil:
    cdef word least[STRIP]
    cdef word value
    cdef int64_t i, j
    cdef const word *row
    for j in range(count):
        least[j] = <word> mask
    for i in range(n):
        row = <const word *> (<const char *> x + i * stride)
        for j in range(count):
            value = row[j] & <word> mask
            least[j] = value if value < least[j] else least[j]
    for j in range(count):
        result[j * step] = least[j] != 0


cdef inline void count_columns(
    const word *x, int64_t stride, int64_t n, int64_t count, uint64_t mask, int64_t *result, int64_t step
) noexcept nogil:
    cdef uint16_t found[STRIP]
    cdef int64_t i, j
    cdef const word *row
    for j in range(count):
        found[j] = 0
    for i in range(n):
        row = <const word *> (<const char *> x + i * stride)
        for j in range(count):
            found[j] += (row[j] & <word> mask) != 0
    for j in range(count):
        result[j * step] = found[j]


cdef inline void argmin_columns(
    const number *x, int64_t stride, int64_t n, int64_t count, int64_t *result, int64_t step
) noexcept nogil:
    _arg_columns(x, stride, n, count, result, step, False)


cdef inline void argmax_columns(
    const number *x, int64_t stride, int64_t n, int64_t count, int64_t *result, int64_t step
) noexcept nogil:
    _arg_columns(x, stride, n, count, result, step, True)


cdef inline void _arg_columns(
    const number *x, int64_t stride, int64_t n, int64_t count, int64_t *result, int64_t step, bint largest
) noexcept nogil:
    cdef int64_t first = 0, most = min(STRIP, ROOM // sizeof(number))
    while first < count:
        _places(x + first, stride, n, min(count - first, most), result + 2 * first * step, step, largest)
        first += most


cdef inline void _places(
    const number *x, int64_t stride, int64_t n, int64_t count, int64_t *result, int64_t step, bint largest
) noexcept nogil:
    """As wide as the numbers, or a comparison would not do for both."""
    cdef char room[ROOM]
    cdef number *best = <number *> room
    cdef uint16_t where16[STRIP]
    cdef uint32_t where32[STRIP]
    cdef uint64_t where64[LONG_PLACES]
    cdef int64_t i, j
    cdef number value
    cdef bint better
    cdef const number *row
    for j in range(count):
        best[j] = x[j]
        if sizeof(number) <= 2:     # the others have no room for so many
            where16[j] = 0
        elif sizeof(number) == 4:
            where32[j] = 0
        else:
            where64[j] = 0
    for i in range(1, n):
        row = <const number *> (<const char *> x + i * stride)
        for j in range(count):
            value = row[j]
            better = value > best[j] if largest else value < best[j]
            if number is float or number is double:
                better = better | ((value != value) & (best[j] == best[j]))
            best[j] = value if better else best[j]
            if sizeof(number) <= 2:
                where16[j] = <uint16_t> i if better else where16[j]
            elif sizeof(number) == 4:
                where32[j] = <uint32_t> i if better else where32[j]
            else:
                where64[j] = <uint64_t> i if better else where64[j]
    for j in range(count):
        result[2 * j * step] = where16[j] if sizeof(number) <= 2 else where32[j] if sizeof(number) == 4 else where64[j]
        result[2 * j * step + 1] = key_of(best[j], largest)


cdef inline void sum_real_columns(
    const number *x, int64_t stride, int64_t n, int64_t count, double *result, int64_t step, double *near
) noexcept nogil:
    """Every column in the order of ``sum_real``. ``near`` has room for LANES + BLOCKS numbers a column."""
    cdef double column[BLOCKS]
    cdef double *sums = near + LANES * count
    cdef int64_t block, j, blocks = (n + BLOCK - 1) // BLOCK
    for block in range(blocks):
        _add_block_columns(
            <const number *> (<const char *> x + block * BLOCK * stride), stride,
            min(n - block * BLOCK, <int64_t> BLOCK), count, near, NULL, sums + block * count,
        )
    for j in range(count):
        for block in range(blocks):
            column[block] = sums[block * count + j]
        result[j * step] = add_pairs(column, blocks)


cdef inline void variance_columns(
    const number *x, int64_t stride, int64_t n, int64_t count, double *result, int64_t step, double *near
) noexcept nogil:
    """Every column in the order of ``variance``, so few at a time that the block is still there to be read again."""
    cdef double moments[2 * BLOCKS]
    cdef double *means = near + LANES * NARROW
    cdef double *squares = means + BLOCKS * NARROW
    cdef const number *part
    cdef const double *about
    cdef double *sums
    cdef int64_t first, some, block, m, j, blocks = (n + BLOCK - 1) // BLOCK
    for first in range((count + NARROW - 1) // NARROW):
        some = min(count - first * NARROW, <int64_t> NARROW)
        for block in range(blocks):
            part = <const number *> (<const char *> (x + first * NARROW) + block * BLOCK * stride)
            m = min(n - block * BLOCK, <int64_t> BLOCK)
            about = NULL
            sums = means + block * NARROW
            while True:     # twice, in one place: each place compiles the loops anew
                _add_block_columns(part, stride, m, some, near, about, sums)
                if about != NULL:
                    break
                about = sums
                for j in range(some):
                    sums[j] = sums[j] / <double> m
                sums = squares + block * NARROW
        for j in range(some):
            for block in range(blocks):
                moments[2 * block] = means[block * NARROW + j]
                moments[2 * block + 1] = squares[block * NARROW + j]
            join_moments(moments, blocks, BLOCK, n)
            result[2 * (first * NARROW + j) * step] = moments[0]
            result[2 * (first * NARROW + j) * step + 1] = moments[1]


cdef inline void _add_block_columns(
    const number *x, int64_t stride, int64_t m, int64_t count, double *lanes, const double *means, double *result
) noexcept nogil:
    """Sums of a block's columns, or of squared deviations from means, in the order of ``_sum_block``."""
    cdef int64_t group, rest, lane, half, j, some = min(m, <int64_t> LANES)
    cdef const number *row
    for group in range((m + 4 * LANES - 1) // (4 * LANES)):
        rest = m - group * 4 * LANES
        for lane in range(min(rest, <int64_t> LANES)):
            row = <const number *> (<const char *> x + (group * 4 * LANES + lane) * stride)
            if rest - lane > 3 * LANES:
                _add_lane(row, stride * LANES, 4, count, lanes + lane * count, means, group > 0)
            else:
                _add_lane(row, stride * LANES, 1, count, lanes + lane * count, means, group > 0)
                for _ in range(1, (rest - lane + LANES - 1) // LANES):
                    row = <const number *> (<const char *> row + stride * LANES)
                    _add_lane(row, stride * LANES, 1, count, lanes + lane * count, means, True)
    # Lanes without a number are 0.0, and nothing changes by adding that: none of the others can be -0.0.
    half = LANES // 2
    while half > 0:
        for lane in range(some - half):
            for j in range(count):
                lanes[lane * count + j] += lanes[(lane + half) * count + j]
        some = min(some, half)
        half >>= 1
    memcpy(result, lanes, count * sizeof(double))


cdef inline void _add_lane(
    const number *x, int64_t stride, int64_t rows, int64_t count, double *lane, const double *means, bint more
) noexcept nogil:
    """Rows of one lane, for each column, added up in a register. ``rows`` is a constant.

    All 16 of a block at once would be as many streams of memory, which meet in one set of a cache where the stride is a
    power of two: half as fast there, and no faster elsewhere.
    """
    cdef double sum, away
    cdef int64_t i, j
    if means == NULL:
        for j in range(count):
            sum = lane[j] if more else 0
            for i in range(rows):
                sum += <double> (<const number *> (<const char *> x + i * stride))[j]
            lane[j] = sum
    else:
        for j in range(count):
            sum = lane[j] if more else 0
            for i in range(rows):
                away = <double> (<const number *> (<const char *> x + i * stride))[j] - means[j]
                sum += away * away
            lane[j] = sum
