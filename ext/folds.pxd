# cython: language_level=3
"""How one piece is folded: at most PIECE numbers side by side, by one loop a function and element type.

``reductions.pyx`` finds the pieces and joins what comes of them. Where the result of a float fold depends on the order
of its operations, that order is written in the loops here and is the same on every backend: LANES accumulators a block,
joined in a tree, and the blocks joined in pairs.
"""

from libc.math cimport INFINITY, NAN
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    LANES = 32     # accumulators of a floating-point fold: four AVX-512 registers, enough to hide an add's latency
    BLOCK = 512    # elements whose lanes are joined at once: chains of 16 adds, as NumPy's pairwise sum has
    PIECE = 16384  # elements a unit: 32 blocks, a power of two, so that pieces are whole subtrees of the pairwise tree
    BLOCKS = 32    # blocks a piece
    NEAR = 2048    # elements searched at once for the place of an extreme: 16 KiB at most, half of a first cache
    CHUNK = 8192   # bytes counted in lanes of 8 bits: 128 to a lane

cdef extern from "<math.h>":
    bint signbit(double x) nogil

cdef extern from *:
    """
    /* Words of any alignment, over numbers of any type. */
    #if defined(__GNUC__)
    typedef uint16_t __attribute__((aligned(1), may_alias)) loose16;
    typedef uint32_t __attribute__((aligned(1), may_alias)) loose32;
    typedef uint64_t __attribute__((aligned(1), may_alias)) loose64;
    #else
    typedef uint16_t loose16;
    typedef uint32_t loose32;
    typedef uint64_t loose64;
    #endif
    """
    ctypedef uint16_t loose16
    ctypedef uint32_t loose32
    ctypedef uint64_t loose64

ctypedef long double longdouble

ctypedef fused integer:
    int8_t
    int16_t
    int32_t
    int64_t
    uint8_t
    uint16_t
    uint32_t
    uint64_t

ctypedef fused real:
    float
    double

ctypedef fused any_real:
    float
    double
    longdouble

ctypedef fused number:
    int8_t
    int16_t
    int32_t
    int64_t
    uint8_t
    uint16_t
    uint32_t
    uint64_t
    float
    double

ctypedef fused any_number:
    int8_t
    int16_t
    int32_t
    int64_t
    uint8_t
    uint16_t
    uint32_t
    uint64_t
    float
    double
    longdouble

ctypedef fused total:   # what floats are added up in: long double in itself, everything else in double
    double
    longdouble

ctypedef fused word:    # the bits of a number
    uint8_t
    loose16
    loose32
    loose64


# --- sums ------------------------------------------------------------------------------------------------------------

cdef inline void sum_integer(const integer *x, int64_t n, uint64_t *result) noexcept nogil:
    """Modulo 2**64. Narrow integers are read as words of two, whose halves are added up apart.

    A widening loop spends its time on conversions: 2.4 to 6 times as slow on bytes.
    """
    cdef uint64_t wide = 0, high = 0, pair
    cdef uint32_t lows = 0, highs = 0, two
    cdef uint16_t evens[LANES]
    cdef uint16_t odds[LANES]       # 256 rows of bytes at most: they stay below 2**16
    cdef uint16_t flip
    cdef bint signed = (<integer> 0) > (<integer> -1)
    cdef int64_t i, row, j, words = n // 2
    if sizeof(integer) == 1:
        flip = 0x8080 if signed else 0
        for j in range(LANES):
            evens[j] = odds[j] = 0
        for row in range(words // LANES):
            for j in range(LANES):
                evens[j] += ((<const loose16 *> x)[row * LANES + j] ^ flip) & 255
                odds[j] += ((<const loose16 *> x)[row * LANES + j] ^ flip) >> 8
        for j in range(LANES):
            lows += <uint32_t> evens[j] + odds[j]
        words = words // LANES * LANES
        wide = lows
        if signed:
            wide -= 256 * <uint64_t> words
    elif sizeof(integer) == 2:
        two = <uint32_t> 0x80008000 if signed else 0
        for i in range(words):
            lows += ((<const loose32 *> x)[i] ^ two) & 0xffff
            highs += ((<const loose32 *> x)[i] ^ two) >> 16
        wide = <uint64_t> lows + highs
        if signed:
            wide -= 65536 * <uint64_t> words
    elif sizeof(integer) == 4:
        pair = <uint64_t> 0x8000000080000000 if signed else 0
        for i in range(words):
            wide += ((<const loose64 *> x)[i] ^ pair) & <uint64_t> 0xffffffff
            high += ((<const loose64 *> x)[i] ^ pair) >> 32
        wide += high
        if signed:
            wide -= (<uint64_t> 1 << 32) * <uint64_t> words
    else:
        words = 0
    for i in range(2 * words, n):
        wide += <uint64_t> x[i]
    result[0] = wide


cdef inline void sum_real(const any_number *x, int64_t n, total *result) noexcept nogil:
    cdef total sums[BLOCKS]
    cdef int64_t block, blocks = (n + BLOCK - 1) // BLOCK
    for block in range(blocks):
        _sum_block(x + block * BLOCK, min(n - block * BLOCK, <int64_t> BLOCK), sums + block)
    result[0] = add_pairs(sums, blocks)


cdef inline void _sum_block(const any_number *x, int64_t n, total *result) noexcept nogil:
    cdef total lanes[LANES]
    cdef int64_t row, j, rows = n // LANES, whole = rows * LANES
    for j in range(LANES):
        lanes[j] = 0        # so that a sum of nothing but -0.0 is 0.0, as NumPy's
    if n == BLOCK:
        for row in range(BLOCK // LANES):
            for j in range(LANES):
                lanes[j] += <total> x[row * LANES + j]
    else:
        for row in range(rows):
            for j in range(LANES):
                lanes[j] += <total> x[row * LANES + j]
        for j in range(n - whole):
            lanes[j] += <total> x[whole + j]
    result[0] = _add_lanes(lanes)


cdef inline total _add_lanes(total *lanes) noexcept nogil:
    # Level by level, each of a length known to the compiler: a loop over levels costs as much as the block itself.
    cdef int64_t j
    for j in range(16):
        lanes[j] += lanes[j + 16]
    for j in range(8):
        lanes[j] += lanes[j + 8]
    for j in range(4):
        lanes[j] += lanes[j + 4]
    for j in range(2):
        lanes[j] += lanes[j + 2]
    return lanes[0] + lanes[1]


cdef inline total add_pairs(total *sums, int64_t count) noexcept nogil:
    """Join neighbours, level by level; an odd one out moves up as it is. Overwrites ``sums``."""
    cdef int64_t i
    while count > 1:
        for i in range(count // 2):
            sums[i] = sums[2 * i] + sums[2 * i + 1]
        if count % 2:
            sums[count // 2] = sums[count - 1]
        count = (count + 1) // 2
    return sums[0]


cdef inline void nansum(const real *x, int64_t n, double *result) noexcept nogil:
    _nansum(x, n, result, False)


cdef inline void nanmean(const real *x, int64_t n, double *result) noexcept nogil:
    """The sum, and how many numbers there were."""
    _nansum(x, n, result, True)


cdef inline void _nansum(const real *x, int64_t n, double *result, bint counting) noexcept nogil:
    """Block by block as doubles: compilers find no vectors where a comparison waits for a conversion."""
    cdef double sums[BLOCKS]
    cdef double lanes[LANES]
    cdef double counts[LANES]
    cdef double copied[BLOCK]
    cdef const double *part
    cdef int64_t block, row, j, m, blocks = (n + BLOCK - 1) // BLOCK
    cdef double count = 0
    for j in range(LANES):
        counts[j] = 0
    for block in range(blocks):
        m = min(n - block * BLOCK, <int64_t> BLOCK)
        if real is double and m % LANES == 0:
            part = x + block * BLOCK
        else:
            part = copied
            for j in range(m):
                copied[j] = x[block * BLOCK + j]
            for j in range(m, (m + LANES - 1) // LANES * LANES):
                copied[j] = NAN     # counts for nothing, and adds 0.0 to a lane, which is no -0.0
        for j in range(LANES):
            lanes[j] = 0
        for row in range((m + LANES - 1) // LANES):
            for j in range(LANES):
                lanes[j] += part[row * LANES + j] if part[row * LANES + j] == part[row * LANES + j] else 0.0
                if counting:
                    counts[j] += 1.0 if part[row * LANES + j] == part[row * LANES + j] else 0.0
        sums[block] = _add_lanes(lanes)
    result[0] = add_pairs(sums, blocks)
    if counting:
        for j in range(LANES):
            count += counts[j]
        result[1] = count


# --- products --------------------------------------------------------------------------------------------------------

cdef inline void prod_integer(const integer *x, int64_t n, uint64_t *result) noexcept nogil:
    cdef uint64_t lanes[LANES]
    cdef uint64_t product = 1
    cdef int64_t row, j, rows = n // LANES, whole = rows * LANES
    for j in range(LANES):
        lanes[j] = 1
    for row in range(rows):
        for j in range(LANES):
            lanes[j] *= <uint64_t> x[row * LANES + j]
    for j in range(n - whole):
        lanes[j] *= <uint64_t> x[whole + j]
    for j in range(LANES):
        product *= lanes[j]
    result[0] = product


cdef inline void prod_real(const number *x, int64_t n, double *result) noexcept nogil:
    cdef double products[BLOCKS]
    cdef double lanes[LANES]
    cdef int64_t block, row, j, m, rows, whole, blocks = (n + BLOCK - 1) // BLOCK
    cdef const number *part
    for block in range(blocks):
        part = x + block * BLOCK
        m = min(n - block * BLOCK, <int64_t> BLOCK)
        rows = m // LANES
        whole = rows * LANES
        for j in range(LANES):
            lanes[j] = 1
        for row in range(rows):
            for j in range(LANES):
                lanes[j] *= <double> part[row * LANES + j]
        for j in range(m - whole):
            lanes[j] *= <double> part[whole + j]
        for j in range(16):
            lanes[j] *= lanes[j + 16]
        for j in range(8):
            lanes[j] *= lanes[j + 8]
        for j in range(4):
            lanes[j] *= lanes[j + 4]
        for j in range(2):
            lanes[j] *= lanes[j + 2]
        products[block] = lanes[0] * lanes[1]
    result[0] = multiply_pairs(products, blocks)


cdef inline double multiply_pairs(double *products, int64_t count) noexcept nogil:
    cdef int64_t i
    while count > 1:
        for i in range(count // 2):
            products[i] = products[2 * i] * products[2 * i + 1]
        if count % 2:
            products[count // 2] = products[count - 1]
        count = (count + 1) // 2
    return products[0]


ctypedef struct complex128:
    double re
    double im


cdef inline complex128 multiply(complex128 a, complex128 b) noexcept nogil:
    """A sum of a negated product, not a difference: next to the sum below, GCC 12 would make one instruction of both,
    a fused one that rounds once, whatever -ffp-contract says."""
    cdef complex128 product
    product.re = a.re * b.re + -a.im * b.im
    product.im = a.re * b.im + a.im * b.re
    return product


cdef inline complex128 add(complex128 a, complex128 b) noexcept nogil:
    cdef complex128 result
    result.re = a.re + b.re
    result.im = a.im + b.im
    return result


cdef inline complex128 join_pairs(complex128 *values, int64_t count, bint multiplying) noexcept nogil:
    cdef int64_t i
    while count > 1:
        for i in range(count // 2):
            if multiplying:
                values[i] = multiply(values[2 * i], values[2 * i + 1])
            else:
                values[i] = add(values[2 * i], values[2 * i + 1])
        if count % 2:
            values[count // 2] = values[count - 1]
        count = (count + 1) // 2
    return values[0]


cdef inline complex128 _join_lanes(complex128 *lanes, bint multiplying) noexcept nogil:
    cdef int64_t j, half = LANES // 2
    while half > 0:
        for j in range(half):
            lanes[j] = multiply(lanes[j], lanes[j + half]) if multiplying else add(lanes[j], lanes[j + half])
        half >>= 1
    return lanes[0]


cdef inline void prod_complex(const real *x, int64_t n, complex128 *result) noexcept nogil:
    """``x`` holds ``n`` pairs."""
    cdef complex128 products[BLOCKS]
    cdef complex128 lanes[LANES]
    cdef complex128 value
    cdef int64_t block, i, m, blocks = (n + BLOCK - 1) // BLOCK
    cdef const real *part
    for block in range(blocks):
        part = x + 2 * block * BLOCK
        m = min(n - block * BLOCK, <int64_t> BLOCK)
        for i in range(LANES):
            lanes[i].re = 1
            lanes[i].im = 0
        for i in range(m):
            value.re = part[2 * i]
            value.im = part[2 * i + 1]
            lanes[i % LANES] = multiply(lanes[i % LANES], value)
        products[block] = _join_lanes(lanes, True)
    result[0] = join_pairs(products, blocks, True)


# --- dot products ----------------------------------------------------------------------------------------------------

cdef inline void dot_integer(const integer *x, const integer *y, int64_t n, uint64_t *result) noexcept nogil:
    """Modulo the width of the result, the numbers' own, where wider products would cost up to four times as much."""
    cdef uint16_t sum16 = 0
    cdef uint32_t sum32 = 0
    cdef uint64_t sum64 = 0
    cdef int64_t i
    if sizeof(integer) == 1:
        # In full, for there are fewer than 2**16 in a piece, and for bools it matters whether there is one.
        for i in range(n):
            sum32 += <uint32_t> (<int32_t> x[i] * <int32_t> y[i])
        sum64 = <uint64_t> <int64_t> <int32_t> sum32
    elif sizeof(integer) == 2:
        for i in range(n):
            sum16 += <uint16_t> (<uint32_t> <uint16_t> x[i] * <uint32_t> <uint16_t> y[i])
        sum64 = sum16
    elif sizeof(integer) == 4:
        for i in range(n):
            sum32 += <uint32_t> x[i] * <uint32_t> y[i]
        sum64 = sum32
    else:
        for i in range(n):
            sum64 += <uint64_t> x[i] * <uint64_t> y[i]
    result[0] = sum64


cdef inline void dot_real(const real *x, const real *y, int64_t n, double *result) noexcept nogil:
    cdef double sums[BLOCKS]
    cdef double lanes[LANES]
    cdef int64_t block, row, j, m, rows, whole, blocks = (n + BLOCK - 1) // BLOCK
    cdef const real *a
    cdef const real *b
    for block in range(blocks):
        a = x + block * BLOCK
        b = y + block * BLOCK
        m = min(n - block * BLOCK, <int64_t> BLOCK)
        rows = m // LANES
        whole = rows * LANES
        for j in range(LANES):
            lanes[j] = 0
        if m == BLOCK:
            for row in range(BLOCK // LANES):
                for j in range(LANES):
                    lanes[j] += <double> a[row * LANES + j] * <double> b[row * LANES + j]
        else:
            for row in range(rows):
                for j in range(LANES):
                    lanes[j] += <double> a[row * LANES + j] * <double> b[row * LANES + j]
            for j in range(m - whole):
                lanes[j] += <double> a[whole + j] * <double> b[whole + j]
        sums[block] = _add_lanes(lanes)
    result[0] = add_pairs(sums, blocks)


cdef inline void dot_complex(const real *x, const real *y, int64_t n, complex128 *result) noexcept nogil:
    """Of ``n`` pairs each, without conjugation."""
    cdef complex128 sums[BLOCKS]
    cdef complex128 lanes[LANES]
    cdef complex128 a, b
    cdef int64_t block, i, m, blocks = (n + BLOCK - 1) // BLOCK
    for block in range(blocks):
        m = min(n - block * BLOCK, <int64_t> BLOCK)
        for i in range(LANES):
            lanes[i].re = lanes[i].im = 0
        for i in range(block * BLOCK, block * BLOCK + m):
            a.re = x[2 * i]
            a.im = x[2 * i + 1]
            b.re = y[2 * i]
            b.im = y[2 * i + 1]
            lanes[i % LANES] = add(lanes[i % LANES], multiply(a, b))
        sums[block] = _join_lanes(lanes, False)
    result[0] = join_pairs(sums, blocks, False)


# --- extremes --------------------------------------------------------------------------------------------------------

cdef inline void min_integer(const integer *x, int64_t n, integer *result) noexcept nogil:
    cdef integer least = x[0]
    cdef int64_t i
    for i in range(n):
        least = x[i] if x[i] < least else least
    result[0] = least


cdef inline void max_integer(const integer *x, int64_t n, integer *result) noexcept nogil:
    cdef integer most = x[0]
    cdef int64_t i
    for i in range(n):
        most = x[i] if x[i] > most else most
    result[0] = most


cdef inline void minmax_integer(const integer *x, int64_t n, integer *result) noexcept nogil:
    cdef integer least = x[0]
    cdef integer most = x[0]
    cdef int64_t i
    for i in range(n):
        least = x[i] if x[i] < least else least
        most = x[i] if x[i] > most else most
    result[0] = least
    result[1] = most


cdef inline void min_real(const any_real *x, int64_t n, any_real *result) noexcept nogil:
    result[0] = _extreme(x, n, False, True)


cdef inline void max_real(const any_real *x, int64_t n, any_real *result) noexcept nogil:
    result[0] = _extreme(x, n, True, True)


cdef inline void nanmin(const any_real *x, int64_t n, any_real *result) noexcept nogil:
    result[0] = _extreme(x, n, False, False)


cdef inline void nanmax(const any_real *x, int64_t n, any_real *result) noexcept nogil:
    result[0] = _extreme(x, n, True, False)


cdef inline any_real _extreme(const any_real *x, int64_t n, bint largest, bint nans_count) noexcept nogil:
    """The least or greatest number. Both flags are constants where it is called: each becomes a loop of its own."""
    cdef any_real worst = -INFINITY if largest else INFINITY
    cdef any_real lanes[LANES]
    cdef any_real odd[LANES]    # NaN where the lane met one: a comparison with NaN is false, so `lanes` never keeps it
    cdef any_real value, best
    cdef int64_t row, i, j, rows = n // LANES, whole = rows * LANES
    if n < LANES:
        best = worst
        odd[0] = 0
        for i in range(n):
            value = x[i]
            if largest:
                best = value if value > best else best
            else:
                best = value if value < best else best
            odd[0] = value if value != value else odd[0]
        if nans_count and odd[0] != odd[0]:
            return NAN
        return _settle(x, n, best, largest)
    for j in range(LANES):
        lanes[j] = worst
        odd[j] = 0
    for row in range(rows):
        for j in range(LANES):
            value = x[row * LANES + j]
            if largest:
                lanes[j] = value if value > lanes[j] else lanes[j]
            else:
                lanes[j] = value if value < lanes[j] else lanes[j]
            if nans_count:
                odd[j] = value if value != value else odd[j]
    for j in range(n - whole):
        value = x[whole + j]
        if largest:
            lanes[j] = value if value > lanes[j] else lanes[j]
        else:
            lanes[j] = value if value < lanes[j] else lanes[j]
        odd[j] = value if value != value else odd[j]
    best = _extreme_lane(lanes, largest)
    if nans_count:
        value = _add_odd(odd)
        if value != value:
            return NAN
    return _settle(x, n, best, largest)


cdef inline any_real _extreme_lane(any_real *lanes, bint largest) noexcept nogil:
    _keep_better(lanes, 16, largest)
    _keep_better(lanes, 8, largest)
    _keep_better(lanes, 4, largest)
    _keep_better(lanes, 2, largest)
    _keep_better(lanes, 1, largest)
    return lanes[0]


cdef inline void _keep_better(any_real *lanes, int64_t half, bint largest) noexcept nogil:
    cdef int64_t j
    for j in range(half):
        if largest:
            lanes[j] = lanes[j + half] if lanes[j + half] > lanes[j] else lanes[j]
        else:
            lanes[j] = lanes[j + half] if lanes[j + half] < lanes[j] else lanes[j]


cdef inline any_real _add_odd(any_real *odd) noexcept nogil:
    """NaN if one of them is, else 0."""
    cdef int64_t j
    for j in range(16):
        odd[j] += odd[j + 16]
    for j in range(8):
        odd[j] += odd[j + 8]
    for j in range(4):
        odd[j] += odd[j + 4]
    return (odd[0] + odd[1]) + (odd[2] + odd[3])


cdef inline any_real _settle(const any_real *x, int64_t n, any_real best, bint largest) noexcept nogil:
    """Look again where the value alone does not tell; the piece is still in cache."""
    cdef int64_t i
    cdef bint some = False
    if best == 0:
        # Zeros compare equal whatever their sign, and -0.0 is the lesser one.
        for i in range(n):
            if x[i] == 0 and signbit(<double> x[i]) != largest:
                return 0.0 if largest else -0.0
        return -0.0 if largest else 0.0
    if best == (-INFINITY if largest else INFINITY):
        # What the fold began with: there is such a number, or there is no number at all.
        for i in range(n):
            some |= x[i] == x[i]
        return best if some else NAN
    return best


cdef inline void minmax_real(const any_real *x, int64_t n, any_real *result) noexcept nogil:
    cdef any_real lows[LANES]
    cdef any_real highs[LANES]
    cdef any_real odd[LANES]
    cdef any_real value
    cdef int64_t row, j, rows = n // LANES, whole = rows * LANES
    for j in range(LANES):
        lows[j] = INFINITY
        highs[j] = -INFINITY
        odd[j] = 0
    for row in range(rows):
        for j in range(LANES):
            value = x[row * LANES + j]
            lows[j] = value if value < lows[j] else lows[j]
            highs[j] = value if value > highs[j] else highs[j]
            odd[j] = value if value != value else odd[j]
    for j in range(n - whole):
        value = x[whole + j]
        lows[j] = value if value < lows[j] else lows[j]
        highs[j] = value if value > highs[j] else highs[j]
        odd[j] = value if value != value else odd[j]
    value = _add_odd(odd)
    if value != value:
        result[0] = result[1] = NAN
        return
    result[0] = _settle(x, n, _extreme_lane(lows, False), False)
    result[1] = _settle(x, n, _extreme_lane(highs, True), True)


cdef inline void argmin(const number *x, int64_t n, int64_t *result) noexcept nogil:
    _arg(x, n, result, False)


cdef inline void argmax(const number *x, int64_t n, int64_t *result) noexcept nogil:
    _arg(x, n, result, True)


cdef inline bint _is_among(const number *x, number value) noexcept nogil:
    """Whether one of LANES numbers is this one; counted in words as wide as they are."""
    cdef uint8_t hits8 = 0
    cdef uint16_t hits16 = 0
    cdef uint32_t hits32 = 0
    cdef uint64_t hits64 = 0
    cdef int64_t i
    for i in range(LANES):
        if sizeof(number) == 1:
            hits8 |= x[i] == value
        elif sizeof(number) == 2:
            hits16 |= x[i] == value
        elif sizeof(number) == 4:
            hits32 |= x[i] == value
        else:
            hits64 |= x[i] == value
    return hits8 or hits16 or hits32 or hits64


cdef inline void _arg(const number *x, int64_t n, int64_t *result, bint largest) noexcept nogil:
    """The place of the first extreme and the key by which pieces are compared: the part that has it, then the place."""
    cdef number best = x[0]
    cdef number found
    cdef int64_t part, begin, i, where = 0
    for part in range((n + NEAR - 1) // NEAR):
        begin = part * NEAR
        if number is float or number is double:
            found = _extreme(x + begin, min(n - begin, <int64_t> NEAR), largest, True)
            if found != found:
                i = begin
                while x[i] == x[i]:
                    i += 1
                result[0] = i
                result[1] = key_of(found, largest)
                return
        elif largest:
            max_integer(x + begin, min(n - begin, <int64_t> NEAR), &found)
        else:
            min_integer(x + begin, min(n - begin, <int64_t> NEAR), &found)
        if found > best if largest else found < best:
            best = found
            where = begin
    while where + LANES <= n and not _is_among(x + where, best):
        where += LANES
    while x[where] != best:
        where += 1
    result[0] = where
    result[1] = key_of(best, largest)


cdef inline int64_t key_of(number best, bint largest) noexcept nogil:
    """A number less than another's where this one is the better; least of all where it is NaN."""
    cdef double value
    cdef int64_t key
    if number is float or number is double:
        if best != best:
            return <int64_t> (<uint64_t> 1 << 63)
        value = <double> best
        if value == 0:
            value = 0.0
        memcpy(&key, &value, 8)
        if key < 0:
            key ^= <int64_t> 0x7fffffffffffffff
    elif number is uint64_t:
        key = <int64_t> (best ^ (<uint64_t> 1 << 63))
    else:
        key = best
    return ~key if largest else key


# --- truth -----------------------------------------------------------------------------------------------------------
# On the bits of numbers, for which `mask` clears the sign of a float: -0.0 is false, and a NaN is true.

cdef inline void any_word(const word *x, int64_t n, uint64_t mask, uint8_t *result) noexcept nogil:
    cdef word seen
    cdef int64_t part, begin, i
    for part in range((n + NEAR - 1) // NEAR):
        begin = part * NEAR
        seen = 0
        for i in range(begin, min(n, begin + NEAR)):
            seen |= x[i]
        if seen & <word> mask:
            result[0] = True
            return
    result[0] = False


cdef inline void all_word(const word *x, int64_t n, uint64_t mask, uint8_t *result) noexcept nogil:
    cdef word least, value
    cdef int64_t part, begin, i
    for part in range((n + NEAR - 1) // NEAR):
        begin = part * NEAR
        least = <word> mask
        for i in range(begin, min(n, begin + NEAR)):
            value = x[i] & <word> mask
            least = value if value < least else least
        if least == 0:
            result[0] = False
            return
    result[0] = True


cdef inline void count_word(const word *x, int64_t n, uint64_t mask, int64_t *result) noexcept nogil:
    """A piece has fewer numbers than 16 bits count; bytes, of which they would take two registers each, go by lanes."""
    cdef uint8_t lanes[2 * LANES]
    cdef uint16_t count16 = 0
    cdef uint32_t count32 = 0
    cdef uint64_t count64 = 0
    cdef int64_t row, j, i, part, begin, rows, found = 0
    if word is uint8_t:
        for part in range((n + CHUNK - 1) // CHUNK):
            begin = part * CHUNK
            rows = min(n - begin, <int64_t> CHUNK) // (2 * LANES)
            for j in range(2 * LANES):
                lanes[j] = 0
            for row in range(rows):
                for j in range(2 * LANES):
                    lanes[j] += x[begin + row * 2 * LANES + j] != 0
            for j in range(2 * LANES):
                found += lanes[j]
        for i in range(n // (2 * LANES) * (2 * LANES), n):
            found += x[i] != 0
        result[0] = found
    elif sizeof(word) == 2:
        for i in range(n):
            count16 += (x[i] & <word> mask) != 0
        result[0] = count16
    elif sizeof(word) == 4:
        for i in range(n):
            count32 += (x[i] & <word> mask) != 0
        result[0] = count32
    else:
        for i in range(n):
            count64 += (x[i] & <word> mask) != 0
        result[0] = count64


cdef inline void any_longdouble(const longdouble *x, int64_t n, uint8_t *result) noexcept nogil:
    cdef int64_t i
    result[0] = False
    for i in range(n):
        if x[i] != 0:
            result[0] = True
            return


cdef inline void all_longdouble(const longdouble *x, int64_t n, uint8_t *result) noexcept nogil:
    cdef int64_t i
    result[0] = True
    for i in range(n):
        if x[i] == 0:
            result[0] = False
            return


cdef inline void count_longdouble(const longdouble *x, int64_t n, int64_t *result) noexcept nogil:
    cdef int64_t i, count = 0
    for i in range(n):
        count += x[i] != 0
    result[0] = count


# --- mean and deviations ---------------------------------------------------------------------------------------------

cdef inline void variance(const number *x, int64_t n, double *result) noexcept nogil:
    """Mean and sum of squared deviations: two passes over a block, which is in the first cache by then.

    Blocks are joined as Chan, Golub and LeVeque do, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979).
    """
    cdef double moments[2 * BLOCKS]
    cdef double lanes[LANES]
    cdef double mean, away
    cdef int64_t block, row, j, m, rows, whole, blocks = (n + BLOCK - 1) // BLOCK
    cdef const number *part
    for block in range(blocks):
        part = x + block * BLOCK
        m = min(n - block * BLOCK, <int64_t> BLOCK)
        rows = m // LANES
        whole = rows * LANES
        _sum_block(part, m, &mean)
        mean = mean / <double> m
        for j in range(LANES):
            lanes[j] = 0
        if m == BLOCK:
            for row in range(BLOCK // LANES):
                for j in range(LANES):
                    away = <double> part[row * LANES + j] - mean
                    lanes[j] += away * away
        else:
            for row in range(rows):
                for j in range(LANES):
                    away = <double> part[row * LANES + j] - mean
                    lanes[j] += away * away
            for j in range(m - whole):
                away = <double> part[whole + j] - mean
                lanes[j] += away * away
        moments[2 * block] = mean
        moments[2 * block + 1] = _add_lanes(lanes)
    join_moments(moments, blocks, BLOCK, n)
    result[0] = moments[0]
    result[1] = moments[1]


cdef inline void join_moments(double *moments, int64_t count, int64_t length, int64_t n) noexcept nogil:
    """Join neighbours of ``length`` elements each, ``n`` in all, level by level. The answer is in the first two."""
    cdef double left, right, share, delta
    cdef int64_t i
    while count > 1:
        for i in range(count // 2):
            left = <double> length
            right = <double> min(length, n - (2 * i + 1) * length)
            share = right / (left + right)
            delta = moments[4 * i + 2] - moments[4 * i]
            moments[2 * i + 1] = moments[4 * i + 1] + moments[4 * i + 3] + delta * delta * (left * share)
            moments[2 * i] = moments[4 * i] + delta * share
        if count % 2:
            moments[count - 1] = moments[2 * count - 2]
            moments[count] = moments[2 * count - 1]
        count = (count + 1) // 2
        length *= 2
