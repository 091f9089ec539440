# cython: language_level=3
"""Exact primality of 64-bit integers, the primes beside them and in them, and a sieve that counts, without the GIL.

Primality is the Baillie-PSW test of primality.h: a strong probable-prime test to base 2 and an extra strong Lucas
test, or below 2**32 a list of what passes the first. No composite below 2**64 passes both: the 31 894 014 strong
pseudoprimes to base 2 there are are known (J. Feitsma, 2013) and each one fails the Lucas test (D. Jacobsen,
"Pseudoprime Statistics, Tables, and Data").
"""

from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from gil cimport PyThreadState, let_go, take_back
from tickets cimport take

cdef extern from "primality.h":
    void make_tables()
    void test_numbers(const uint64_t *n, uint8_t *out, int64_t length) nogil
    void adjacent_primes(const uint64_t *n, uint64_t *out, int64_t length, bint forward) nogil

cdef extern from "bits.h":
    int top_bit(uint64_t n) nogil           # of n > 0
    int count_ones(uint64_t word) nogil

cdef extern from "factors.h":
    enum: MOST_FACTORS
    void factorize(uint64_t n, uint64_t *out) nogil

cdef extern from "sieve.h":
    const uint8_t GILFREE_WHEEL[8]
    void gilfree_sieve_prepare() nogil
    void gilfree_sieve_segment(
        uint8_t *flags, int64_t length, int64_t first, int64_t block, const uint32_t *base, int64_t bases, int32_t *at,
        int64_t *used,
    ) nogil
    void gilfree_mark(uint8_t *row, int64_t length, uint64_t low, const uint64_t *primes, int64_t n) nogil
    int64_t gilfree_count(const uint8_t *flags, int64_t length) nogil
    void gilfree_extract(const uint8_t *flags, int64_t length, uint64_t low, uint64_t *out, uint64_t *end) nogil

cdef extern from *:
    """
    #include "scratch.h"
    enum { TESTED = 512 };
    GILFREE_PER_THREAD uint64_t tested_numbers[8 * TESTED];
    GILFREE_PER_THREAD uint8_t tested_answers[8 * TESTED], tested_bits[TESTED];
    """
    enum:
        TESTED          # bytes of a row, eight numbers each, that `test` collects for one run
    uint64_t tested_numbers[]
    uint8_t tested_answers[]
    uint8_t tested_bits[]

make_tables()
gilfree_sieve_prepare()


# --- is each of these numbers prime? ---------------------------------------------------------------------------------

def is_prime(const uint64_t[::1] n, uint8_t[::1] out, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Set ``out[i]`` to whether ``n[i]`` is prime, until ``most`` tickets are done or none is left."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _is_prime_tickets(&n[0], &out[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _is_prime_tickets(const uint64_t *n, uint8_t *out, int64_t *tickets, Py_ssize_t most) noexcept nogil:
    cdef int64_t first = 0, last = 0
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        test_numbers(n + first, out + first, last - first)
    return True


# --- which prime comes next, and which are its factors? --------------------------------------------------------------

def adjacent_prime(
    const uint64_t[::1] n, bint forward, uint64_t[::1] out, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Set ``out[i]`` to the smallest prime above ``n[i]``, else the largest below; 0 where no 64-bit number is that."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _adjacent_prime(&n[0], forward, &out[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _adjacent_prime(
    const uint64_t *n, bint forward, uint64_t *out, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t first = 0, last = 0
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        adjacent_primes(n + first, out + first, last - first, forward)
    return True


def factor(const uint64_t[::1] n, uint64_t[::1] out, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Set ``out[64 * i]`` and on to the prime factors of ``n[i]``, ascending, with multiplicity, then zeros."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _factor(&n[0], &out[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _factor(const uint64_t *n, uint64_t *out, int64_t *tickets, Py_ssize_t most) noexcept nogil:
    cdef int64_t first = 0, last = 0, i
    while most != 0:
        if not take(tickets, &first, &last):
            return False
        most -= 1
        for i in range(first, last):
            factorize(n[i], out + i * MOST_FACTORS)
    return True


# --- which primes are in a range? ------------------------------------------------------------------------------------
#
# One bit a number coprime to 30, one byte 30 numbers: see sieve.h. `first` is the byte of all numbers at which a row
# begins, a unit is a segment of it, and `flags` holds the whole row's bits, where they are kept. In the first and the
# last byte, `head` and `tail` are ones for the numbers of the range.

def sieve(
    int64_t first, int64_t length, int64_t segment, int64_t block, uint8_t head, uint8_t tail,
    const uint32_t[::1] base, const uint8_t[::1] marks, uint8_t[::1] flags, int64_t[::1] counts,
    uint8_t[::1] scratch, int32_t[::1] turns, int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Find the primes of a row of ``length`` bytes: their bits into ``flags``, their number by segment into ``counts``.

    ``base`` holds the primes from 7 up to the root of the last number, or those that ``marks``, which is empty or as
    long as the row, has no zeros for. ``flags`` may be empty. One worker's own: ``scratch``, of segment + 2 * (largest
    of ``base`` + 1) + 1024 bytes, and ``turns``, as long as ``base``.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _sieve(
        first, length, segment, block, head, tail, &base[0], base.shape[0], &marks[0] if marks.shape[0] else NULL,
        &flags[0] if flags.shape[0] else NULL, &counts[0], &scratch[0], &turns[0], &tickets[0], most,
    )
    take_back(gil)
    return more


cdef bint _sieve(
    int64_t first, int64_t length, int64_t segment, int64_t block, uint8_t head, uint8_t tail, const uint32_t *base,
    int64_t bases, const uint8_t *marks, uint8_t *flags, int64_t *counts, uint8_t *scratch, int32_t *turns,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t unit = 0, last_unit = 0, used, at, size, i
    cdef uint8_t *bits = scratch + (base[bases - 1] + 1 if bases else 0)
    while most != 0:
        if not take(tickets, &unit, &last_unit):
            return False
        most -= 1
        used = 0
        while unit < last_unit:
            at = unit * segment
            size = min(segment, length - at)
            gilfree_sieve_segment(bits, size, first + at, block, base, bases, turns, &used)
            if marks != NULL:
                for i in range(size):
                    bits[i] &= marks[at + i]
            _trim(bits, at, size, length, head, tail)
            counts[unit] = gilfree_count(bits, size)
            if flags != NULL:
                memcpy(flags + at, bits, size)
            unit += 1
    return True


cdef inline void _trim(
    uint8_t *bits, int64_t at, int64_t size, int64_t length, uint8_t head, uint8_t tail
) noexcept nogil:
    """Clear the bits outside the range in the segment that begins at byte ``at`` of the row."""
    if at == 0:
        bits[0] &= head
    if at + size == length:
        bits[size - 1] &= tail


def mark(
    int64_t first, int64_t length, const uint64_t[::1] primes, uint8_t[::1] row,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Clear the bits of the multiples of ``primes`` in ``row``, one worker's own; a unit is a prime."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _mark(first, length, &primes[0], &row[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _mark(
    int64_t first, int64_t length, const uint64_t *primes, uint8_t *row, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t begin = 0, end = 0
    while most != 0:
        if not take(tickets, &begin, &end):
            return False
        most -= 1
        gilfree_mark(row, length, 30 * <uint64_t> first, primes + begin, end - begin)
    return True


def test(
    int64_t first, int64_t length, int64_t segment, uint8_t head, uint8_t tail, uint8_t[::1] flags, int64_t[::1] counts,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """What ``sieve`` finds, by a test of each number."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _test(
        first, length, segment, head, tail, &flags[0] if flags.shape[0] else NULL, &counts[0], &tickets[0], most
    )
    take_back(gil)
    return more


cdef bint _test(
    int64_t first, int64_t length, int64_t segment, uint8_t head, uint8_t tail, uint8_t *flags, int64_t *counts,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t unit = 0, last_unit = 0, at, end, i
    cdef uint64_t *numbers = tested_numbers
    cdef uint8_t *answers = tested_answers
    cdef uint8_t *bits = tested_bits
    cdef int64_t size, j
    while most != 0:
        if not take(tickets, &unit, &last_unit):
            return False
        most -= 1
        while unit < last_unit:
            counts[unit] = 0
            at = unit * segment
            end = min(at + segment, length)
            while at < end:
                size = min(TESTED, end - at)
                for i in range(size):
                    for j in range(8):
                        numbers[8 * i + j] = 30 * <uint64_t> (first + at + i) + GILFREE_WHEEL[j]
                test_numbers(numbers, answers, 8 * size)
                for i in range(size):
                    bits[i] = 0
                    for j in range(8):
                        bits[i] |= answers[8 * i + j] << j
                _trim(bits, at, size, length, head, tail)
                counts[unit] += gilfree_count(bits, size)
                if flags != NULL:
                    memcpy(flags + at, bits, size)
                at += size
            unit += 1
    return True


def extract(
    int64_t first, int64_t segment, const uint8_t[::1] flags, const int64_t[::1] offsets, uint64_t[::1] out,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Write the numbers of each segment's bits into ``out[offsets[segment]:offsets[segment + 1]]``."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _extract(
        first, flags.shape[0], segment, &flags[0], &offsets[0], &out[0], &tickets[0], most
    )
    take_back(gil)
    return more


cdef bint _extract(
    int64_t first, int64_t length, int64_t segment, const uint8_t *flags, const int64_t *offsets, uint64_t *out,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t unit = 0, last_unit = 0, at
    while most != 0:
        if not take(tickets, &unit, &last_unit):
            return False
        most -= 1
        while unit < last_unit:
            at = unit * segment
            gilfree_extract(
                flags + at, min(segment, length - at), 30 * <uint64_t> (first + at),
                out + offsets[unit], out + offsets[unit + 1],
            )
            unit += 1
    return True


# --- how many primes below x? ----------------------------------------------------------------------------------------

# Meissel's formula in the form of J. Lagarias, V. Miller, A. Odlyzko, "Computing pi(x): the Meissel-Lehmer method",
# Math. Comp. 44, 1985, with the easy leaves of M. Deleglise, J. Rivat, Math. Comp. 65, 1996. Let phi(u, b) be how many
# of 1 ... u none of the first b primes divides. With a = pi(y), cbrt(x) <= y <= sqrt(x),
#
#     pi(x) = phi(x, a) + a - 1 - (how many products p * q <= x there are of primes above y).
#
# phi(u, b) = phi(u, b - 1) - phi(u / p, b - 1), where p is prime number b, unfolds phi(x, a) into leaves, each worth
# phi(x / n, b) or its negative:
#
#     ordinary    n = m <= y, b = UNSIEVED: known from a table;
#     easy        n = p * q > x / y for primes p, q above sqrt(y): x / n < p * p, and phi a difference of two pi;
#     hard        n = p * m > y, m with no factor up to p: sieve up to x / y by one prime after the other, and count.
#
# The sieve is cut into segments, which know nothing of each other: each counts from its own beginning, and says for
# every b how often what lies below it has to be added. Whoever knows all of them adds: the front door.
#
# Tried too: the recurrence of Lucy_Hedgehog (Project Euler, problem 10) over sieved "roughs", in 50 lines. It takes
# O(x**(3/4)) against O(x**(2/3)), 50 ms against 24 at 10**12 and 2.8 s against 0.4 at 10**14, and each of its steps
# needs the one before it, so that threads gain little. And counts of every 1024 bits beside the sieve, to skip over:
# their upkeep makes the whole 15 % slower at 10**13, and gains nothing at 10**14.

cdef enum:
    UNSIEVED = 5            # 2, 3, 5, 7 and 11 are never sieved by
    TURN = 2310             # their product: what they leave repeats after it
    LEFT = 480              # numbers that they leave of each TURN
    PATTERN = 1155          # words of 64 odd numbers after which the bits they leave repeat


def tabulate(
    uint32_t[::1] factors, uint32_t[::1] primes, uint32_t[::1] pi, uint32_t[::1] m, int32_t[::1] signed,
    int64_t[::1] found, int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """All there is to know of the numbers up to y, in order, by one worker; a unit is a number.

    ``primes``, how many there are up to each number (``pi``), and the squarefree numbers without a factor below 13
    (``m``) with their smallest factor, its sign being Moebius' mu (``signed``). ``found`` counts the primes and the m.
    ``factors``, zero before, remembers 4 * (smallest factor) + mu + 1 of each number.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _tabulate(
        &factors[0], &primes[0], &pi[0], &m[0], &signed[0], &found[0], factors.shape[0], &tickets[0], most
    )
    take_back(gil)
    return more


cdef bint _tabulate(
    uint32_t *factors, uint32_t *primes, uint32_t *pi, uint32_t *m, int32_t *signed, int64_t *found,
    int64_t length, int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t n = 0, end = 0, i, smallest, mu
    while most != 0:
        if not take(tickets, &n, &end):
            return False
        most -= 1
        while n < end:
            if n == 0:
                found[0] = found[1] = 0
            if n > 1 and (factors[n] == 0 or factors[n] == 4 * n):      # called twice, it answers twice
                factors[n] = <uint32_t> (4 * n)
                primes[found[0]] = <uint32_t> n
                found[0] += 1
            pi[n] = <uint32_t> found[0]
            smallest = factors[n] >> 2 if n > 1 else 0x7fffffff     # 1 has no factor that is too small
            mu = <int64_t> (factors[n] & 3) - 1 if n > 1 else n
            if smallest > 11 and mu != 0:
                m[found[1]] = <uint32_t> n
                signed[found[1]] = <int32_t> (mu * smallest)
                found[1] += 1
            i = 0
            # Each composite is met once: as its smallest factor times the rest.
            while n > 1 and i < found[0] and primes[i] <= smallest and primes[i] * n < length:
                factors[primes[i] * n] = <uint32_t> (4 * primes[i] + (1 if primes[i] == smallest else 1 - mu))
                i += 1
            n += 1
    return True


def ordinary_leaves(
    int64_t x, const uint32_t[::1] m, const int32_t[::1] signed, const uint16_t[::1] left, int64_t[::1] total,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Add mu(m) * phi(x / m, UNSIEVED) to ``total[0]``, one worker's own; a unit is an m.

    ``left[i]`` tells how many of 1 ... i have no factor below 13.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _ordinary_leaves(x, &m[0], &signed[0], &left[0], &total[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _ordinary_leaves(
    int64_t x, const uint32_t *m, const int32_t *signed, const uint16_t *left, int64_t *total,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t i = 0, end = 0, u, phi
    while most != 0:
        if not take(tickets, &i, &end):
            return False
        most -= 1
        while i < end:
            u = x // m[i]
            phi = u // TURN * LEFT + left[u % TURN]
            total[0] += phi if signed[i] > 0 else -phi
            i += 1
    return True


def easy_leaves(
    int64_t x, int64_t y, int64_t before, const uint32_t[::1] primes, const uint32_t[::1] pi, int64_t[::1] total,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Add the easy leaves n = p * q to ``total[0]``, one worker's own; a unit is a p, of those after ``before``."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _easy_leaves(
        x, y, before, &primes[0], primes.shape[0], &pi[0], &total[0], &tickets[0], most
    )
    take_back(gil)
    return more


cdef bint _easy_leaves(
    int64_t x, int64_t y, int64_t before, const uint32_t *primes, int64_t a, const uint32_t *pi, int64_t *total,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t b = 0, end = 0, p, low, high, k, last, sum
    cdef double over
    while most != 0:
        if not take(tickets, &b, &end):
            return False
        most -= 1
        b += before         # primes before p
        end += before
        while b < end:
            p = primes[b]
            low = max(p, x // p // (y + 1))         # below it, x / n > y
            if low < y:
                high = max(low, min(y, x // p // p))        # above it, x / n < p, and phi is 1
                # Exact, and four at a time: x / p is below 2**53 (p > sqrt(y) > x**(1/6)), so no quotient is so near
                # to the next integer that it is rounded up to it.
                over = <double> (x // p)
                last = pi[high]
                sum = 0
                for k in range(<int64_t> pi[low], last):
                    sum += pi[<int32_t> (over / <double> primes[k])]
                total[0] += sum - (last - pi[low]) * (b - 1) + a - last
            b += 1
    return True


def hard_leaves(
    int64_t x, int64_t y, int64_t start, const uint32_t[::1] primes, const uint32_t[::1] pi, const uint32_t[::1] m,
    const int32_t[::1] signed, const uint64_t[::1] pattern, int64_t[::1] sums, int64_t[:, ::1] counts,
    int64_t[:, ::1] weights, uint64_t[::1] sieve, int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """The hard leaves, and pi(x / p) of the primes p > y, with x / n in a segment; segments begin at ``start``.

    ``sums[k]`` is what they add when each phi counts from the beginning of segment k; ``counts[k, b]`` is how many
    numbers of it the first b primes leave, and ``weights[k, b]`` how often those of all lower segments have to be
    added. The last column stands for pi: all primes up to sqrt(x / y). ``sieve``, of 2 * words + 1 words for segments
    of 128 * words numbers, is one worker's own.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _hard_leaves(
        x, y, start, &primes[0], primes.shape[0], &pi[0], &m[0], m.shape[0], &signed[0], &pattern[0], &sums[0],
        &counts[0, 0], &weights[0, 0], counts.shape[1] - 1, &sieve[0], sieve.shape[0] // 2, &tickets[0], most,
    )
    take_back(gil)
    return more


cdef bint _hard_leaves(
    int64_t x, int64_t y, int64_t start, const uint32_t *primes, int64_t a, const uint32_t *pi, const uint32_t *m,
    int64_t ms, const int32_t *signed, const uint64_t *pattern, int64_t *sums, int64_t *counts, int64_t *weights,
    int64_t sieving, uint64_t *sieve, int64_t words, int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t k = 0, end = 0
    while most != 0:
        if not take(tickets, &k, &end):
            return False
        most -= 1
        while k < end:
            sums[k] = _segment_leaves(
                x, y, start + k * words * 128, primes, a, pi, m, ms, signed, pattern,
                counts + k * (sieving + 1), weights + k * (sieving + 1), sieving, sieve, words,
            )
            k += 1
    return True


cdef int64_t _segment_leaves(
    int64_t x, int64_t y, int64_t low, const uint32_t *primes, int64_t a, const uint32_t *pi, const uint32_t *m,
    int64_t ms, const int32_t *signed, const uint64_t *pattern, int64_t *counts, int64_t *weights,
    int64_t sieving, uint64_t *sieve, int64_t words,
) noexcept nogil:
    """One segment of ``_hard_leaves``: low <= x / n < high. Bit i of the sieve stands for low + 2i + 1."""
    cdef int64_t high = low + words * 128
    # Neither p nor m may be above: p * p < p * m <= x / low.
    cdef int64_t bound = isqrt(x // low) if low > 0 else y
    cdef int64_t root_y = isqrt(y), root_x = isqrt(x), root_high = isqrt(high)
    cdef int64_t sum = 0, left = 0, b = UNSIEVED, p, over, top, bottom, k, last, weight, word, here
    _lay(sieve, low, words, pattern)
    for k in range(words):
        left += count_ones(sieve[k])
    while b < sieving and primes[b] <= bound:
        p = primes[b]
        over = x // p
        top = min(y, over // low) if low > 0 else y
        bottom = over // high           # bottom < m <= top
        word = here = weight = 0
        counts[b] = left
        if p <= root_y:
            bottom = max(bottom, y // p)
            if bottom < top:
                k = _up_to(m, ms, top)
                last = _up_to(m, ms, bottom)
                while k > last:
                    k -= 1
                    if signed[k] > p:
                        sum -= _count_up_to(sieve, over // m[k] - low, &word, &here)
                        weight -= 1
                    elif -signed[k] > p:
                        sum += _count_up_to(sieve, over // m[k] - low, &word, &here)
                        weight += 1
        else:                           # then m is a prime; beyond x / (y + 1), its leaf is easy
            bottom = max(bottom, p)
            top = min(top, over // (y + 1))
            if bottom < top:
                k = pi[top]
                last = pi[bottom]
                weight = k - last
                while k > last:
                    k -= 1
                    sum += _count_up_to(sieve, over // primes[k] - low, &word, &here)
        weights[b] = weight
        left -= _strike_and_count(sieve, low, words, p)
        b += 1
    for k in range(b, sieving):
        counts[k] = weights[k] = 0      # no leaf in this segment, nor in any above it
    # The rest of the sieve, for pi. Above the primes themselves, those whose square is beyond the end strike nothing.
    while b < sieving and (primes[b] <= root_high or low <= primes[sieving - 1]):
        _strike(sieve, low, words, primes[b])
        b += 1

    # The primes p in (bottom, top], by a sieve of their own; no longer than the segment, for low > sqrt(x) - high.
    cdef uint64_t *others = sieve + words
    cdef uint64_t bits
    word = here = weight = 0
    top = min(root_x, x // low) if low > 0 else root_x
    bottom = max(y, x // high)
    if bottom < top:
        low, over = bottom // 128 * 128, low
        last = (top - low) // 128 + 1
        _lay(others, low, last, pattern)
        b = UNSIEVED
        while b < a and <int64_t> primes[b] * primes[b] <= top:
            _strike(others, low, last, primes[b])
            b += 1
        while last > 0:
            last -= 1
            bits = others[last]
            while bits != 0:
                k = top_bit(bits)
                bits ^= <uint64_t> 1 << k
                p = low + 128 * last + 2 * k + 1
                if bottom < p <= top:
                    sum -= _count_up_to(sieve, x // p - over, &word, &here)
                    weight -= 1
    weights[sieving] = weight
    _count_up_to(sieve, words * 128 - 1, &word, &here)
    counts[sieving] = here
    return sum


cdef void _lay(uint64_t *sieve, int64_t low, int64_t words, const uint64_t *pattern) noexcept nogil:
    """Set the bits of all odd numbers from ``low`` that have no factor below 13."""
    cdef int64_t done = 0, skip = low // 128 % PATTERN, length
    while done < words:
        length = min(PATTERN - skip, words - done)
        memcpy(sieve + done, pattern + skip, length * sizeof(uint64_t))
        done += length
        skip = 0


cdef inline int64_t _first_bit(int64_t low, int64_t p) noexcept nogil:
    """The first odd multiple of p above ``low``."""
    cdef int64_t multiple = (low // p + 1) * p
    return (multiple + (p if multiple % 2 == 0 else 0) - low) // 2


cdef void _strike(uint64_t *sieve, int64_t low, int64_t words, int64_t p) noexcept nogil:
    cdef int64_t i = _first_bit(low, p)
    while i < 64 * words:
        sieve[i >> 6] &= ~(<uint64_t> 1 << (i & 63))
        i += p


cdef int64_t _strike_and_count(uint64_t *sieve, int64_t low, int64_t words, int64_t p) noexcept nogil:
    """How many bits it cleared."""
    cdef int64_t i = _first_bit(low, p), cleared = 0
    cdef uint64_t word
    while i < 64 * words:
        word = sieve[i >> 6]
        cleared += word >> (i & 63) & 1
        sieve[i >> 6] = word & ~(<uint64_t> 1 << (i & 63))
        i += p
    return cleared


cdef inline int64_t _count_up_to(const uint64_t *sieve, int64_t last, int64_t *word, int64_t *here) noexcept nogil:
    """How many are left of a segment's numbers 0 ... ``last``; ``here`` of them before ``word``, where it last was."""
    cdef int64_t bits = (last + 1) >> 1
    while word[0] < bits >> 6:
        here[0] += count_ones(sieve[word[0]])
        word[0] += 1
    return here[0] + (count_ones(sieve[bits >> 6] << (64 - (bits & 63))) if bits & 63 else 0)


cdef inline int64_t _up_to(const uint32_t *m, int64_t length, int64_t last) noexcept nogil:
    """How many of the sorted m are at most ``last``."""
    cdef int64_t low = 0, middle
    while low < length:
        middle = (low + length) >> 1
        if m[middle] <= last:
            low = middle + 1
        else:
            length = middle
    return low


cdef int64_t isqrt(int64_t n) noexcept nogil:
    """The integer root; that of a double is within one of it."""
    cdef int64_t root = <int64_t> sqrt(<double> n)
    root -= root * root > n
    return root + ((root + 1) * (root + 1) <= n)
