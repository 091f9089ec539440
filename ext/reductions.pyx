# cython: language_level=3
"""Sum, minimum and maximum of the rows of a matrix, piece by piece, without the GIL.

Every door folds ``x`` of shape (rows, n). A row is cut into pieces of PIECE elements (the last may be shorter);
unit ``u`` is piece ``u % pieces`` of row ``u // pieces``, and its result goes to ``partials[row, piece]``.
How the pieces of a row are joined is part of the answer, so ``join`` stands here too.
"""

from libc.math cimport INFINITY, NAN
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from gil cimport PyThreadState, let_go, take_back
from tickets cimport take

cdef extern from "<math.h>":
    bint signbit(double x) nogil

cdef enum:
    LANES = 32     # accumulators of a floating-point fold: four AVX-512 registers, enough to hide an add's latency
    BLOCK = 512    # elements whose lanes are joined at once: chains of 16 adds, as NumPy's pairwise sum has
    PIECE = 16384  # elements a unit: 32 blocks, a power of two, so that pieces are whole subtrees of the pairwise tree
    BLOCKS = 32    # blocks a piece

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
    longdouble

ctypedef fused total:   # what floats are added up in: float and double in double, long double in itself
    double
    longdouble


# --- sum of integers: wraps modulo 2**64, as NumPy's -----------------------------------------------------------------

def sum_integer(
    const integer[:, ::1] x, uint64_t[:, ::1] partials, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Add up units of ``x`` into ``partials`` until ``most`` tickets are done or none is left."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _sum_integer(&x[0, 0], x.shape[1], &partials[0, 0], partials.shape[1], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _sum_integer(
    const integer *x, int64_t n, uint64_t *partials, int64_t pieces, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t unit = 0, last = 0, begin
    while most != 0:
        if not take(tickets, &unit, &last):
            return False
        most -= 1
        while unit < last:
            begin = unit % pieces * PIECE
            partials[unit] = _sum_integer_piece(x + unit // pieces * n + begin, min(n - begin, <int64_t> PIECE))
            unit += 1
    return True


cdef inline uint64_t _sum_integer_piece(const integer *x, int64_t n) noexcept nogil:
    cdef uint64_t wide = 0
    cdef uint32_t narrow = 0
    cdef int64_t i
    if sizeof(integer) <= 2:
        # A piece of 16-bit integers adds up to less than 2**31 either way: twice the numbers in a register.
        for i in range(n):
            narrow += <uint32_t> x[i]
        return <uint64_t> <int64_t> <int32_t> narrow
    for i in range(n):
        wide += <uint64_t> x[i]
    return wide


# --- sum of floats: lanes within a block, a pairwise tree over blocks ------------------------------------------------

def sum_real(
    const real[:, ::1] x, total[:, ::1] partials, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Add up units of ``x`` into ``partials`` until ``most`` tickets are done or none is left."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _sum_real(&x[0, 0], x.shape[1], &partials[0, 0], partials.shape[1], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _sum_real(
    const real *x, int64_t n, total *partials, int64_t pieces, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t unit = 0, last = 0, begin
    while most != 0:
        if not take(tickets, &unit, &last):
            return False
        most -= 1
        while unit < last:
            begin = unit % pieces * PIECE
            _sum_real_piece(x + unit // pieces * n + begin, min(n - begin, <int64_t> PIECE), partials + unit)
            unit += 1
    return True


cdef inline void _sum_real_piece(const real *x, int64_t n, total *result) noexcept nogil:
    cdef total sums[BLOCKS]
    cdef int64_t block
    cdef int64_t blocks = (n + BLOCK - 1) // BLOCK
    for block in range(blocks):
        _sum_real_block(x + block * BLOCK, min(n - block * BLOCK, <int64_t> BLOCK), sums + block)
    result[0] = _pairwise(sums, blocks)


cdef inline void _sum_real_block(const real *x, int64_t n, total *result) noexcept nogil:
    cdef total lanes[LANES]
    cdef int64_t row, j
    cdef int64_t rows = n // LANES
    cdef int64_t whole = rows * LANES
    cdef int64_t half = LANES // 2
    for j in range(LANES):
        lanes[j] = 0        # so that a sum of nothing but -0.0 is 0.0, as NumPy's
    for row in range(rows):
        for j in range(LANES):
            lanes[j] += x[row * LANES + j]
    for j in range(n - whole):
        lanes[j] += x[whole + j]
    while half > 0:
        for j in range(half):
            lanes[j] += lanes[j + half]
        half >>= 1
    result[0] = lanes[0]


cdef inline total _pairwise(total *sums, int64_t count) noexcept nogil:
    """Join neighbours, level by level; an odd one out moves up as it is. Overwrites ``sums``."""
    cdef int64_t i
    while count > 1:
        for i in range(count // 2):
            sums[i] = sums[2 * i] + sums[2 * i + 1]
        if count % 2:
            sums[count // 2] = sums[count - 1]
        count = (count + 1) // 2
    return sums[0]


def join(total[:, ::1] partials, total[::1] out):
    """Join the pieces of each row into ``out``; overwrites ``partials``."""
    cdef int64_t row
    for row in range(partials.shape[0]):
        out[row] = _pairwise(&partials[row, 0], partials.shape[1])


# --- minimum and maximum ---------------------------------------------------------------------------------------------

def min_integer(
    const integer[:, ::1] x, integer[:, ::1] partials, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Minimum of units of ``x`` into ``partials`` until ``most`` tickets are done or none is left."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _extreme_integer(
        &x[0, 0], x.shape[1], &partials[0, 0], partials.shape[1], &tickets[0], most, False
    )
    take_back(gil)
    return more


def max_integer(
    const integer[:, ::1] x, integer[:, ::1] partials, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Maximum of units of ``x`` into ``partials`` until ``most`` tickets are done or none is left."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _extreme_integer(
        &x[0, 0], x.shape[1], &partials[0, 0], partials.shape[1], &tickets[0], most, True
    )
    take_back(gil)
    return more


cdef bint _extreme_integer(
    const integer *x, int64_t n, integer *partials, int64_t pieces, int64_t *tickets, Py_ssize_t most, bint largest
) noexcept nogil:
    cdef int64_t unit = 0, last = 0, begin, length
    cdef const integer *piece
    while most != 0:
        if not take(tickets, &unit, &last):
            return False
        most -= 1
        while unit < last:
            begin = unit % pieces * PIECE
            length = min(n - begin, <int64_t> PIECE)
            piece = x + unit // pieces * n + begin
            partials[unit] = _max_integer_piece(piece, length) if largest else _min_integer_piece(piece, length)
            unit += 1
    return True


cdef inline integer _min_integer_piece(const integer *x, int64_t n) noexcept nogil:
    cdef integer least = x[0]
    cdef int64_t i
    for i in range(n):
        least = x[i] if x[i] < least else least
    return least


cdef inline integer _max_integer_piece(const integer *x, int64_t n) noexcept nogil:
    cdef integer most = x[0]
    cdef int64_t i
    for i in range(n):
        most = x[i] if x[i] > most else most
    return most


def min_real(
    const real[:, ::1] x, real[:, ::1] partials, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Minimum of units of ``x`` into ``partials``: NaN if there is one, and -0.0 is less than 0.0."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _extreme_real(&x[0, 0], x.shape[1], &partials[0, 0], partials.shape[1], &tickets[0], most, False)
    take_back(gil)
    return more


def max_real(
    const real[:, ::1] x, real[:, ::1] partials, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Maximum of units of ``x`` into ``partials``: NaN if there is one, and -0.0 is less than 0.0."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _extreme_real(&x[0, 0], x.shape[1], &partials[0, 0], partials.shape[1], &tickets[0], most, True)
    take_back(gil)
    return more


cdef bint _extreme_real(
    const real *x, int64_t n, real *partials, int64_t pieces, int64_t *tickets, Py_ssize_t most, bint largest
) noexcept nogil:
    cdef int64_t unit = 0, last = 0, begin, length
    cdef const real *piece
    while most != 0:
        if not take(tickets, &unit, &last):
            return False
        most -= 1
        while unit < last:
            begin = unit % pieces * PIECE
            length = min(n - begin, <int64_t> PIECE)
            piece = x + unit // pieces * n + begin
            # The sign as a constant: each call becomes a loop of its own, and none multiplies.
            partials[unit] = -_min_real_piece(piece, length, -1) if largest else _min_real_piece(piece, length, 1)
            unit += 1
    return True


cdef inline real _min_real_piece(const real *x, int64_t n, real sign) noexcept nogil:
    """Minimum of ``sign * x``: a maximum is the least of the negated numbers, and negating is exact."""
    cdef real lanes[LANES]
    cdef real odd[LANES]        # NaN where the lane met one: a comparison with NaN is false, so `lanes` never keeps it
    cdef real value, least = INFINITY
    cdef int64_t row, i, j
    cdef int64_t rows = n // LANES
    cdef int64_t whole = rows * LANES
    for j in range(LANES):
        lanes[j] = INFINITY
        odd[j] = 0
    for row in range(rows):
        for j in range(LANES):
            value = sign * x[row * LANES + j]
            lanes[j] = value if value < lanes[j] else lanes[j]
            odd[j] = value if value != value else odd[j]
    for j in range(n - whole):
        value = sign * x[whole + j]
        lanes[j] = value if value < lanes[j] else lanes[j]
        odd[j] = value if value != value else odd[j]
    for j in range(LANES):
        least = lanes[j] if lanes[j] < least else least
        if odd[j] != odd[j]:
            return NAN
    if least == 0:
        # Zeros compare equal whatever their sign, so look again, for the sign alone; the piece is still in cache.
        for i in range(n):
            if x[i] == 0 and signbit(<double> (sign * x[i])):
                return -0.0
        return 0.0
    return least
