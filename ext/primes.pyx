# cython: language_level=3
"""Exact primality of 64-bit integers, and a sieve that counts primes, without the GIL.

Primality is the Baillie-PSW test: a strong probable-prime test to base 2 and an extra strong Lucas test. No composite
below 2**64 passes both: the 31 894 014 strong pseudoprimes to base 2 there are are known (J. Feitsma, 2013) and each
one fails the Lucas test (D. Jacobsen, "Pseudoprime Statistics, Tables, and Data").
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from gil cimport PyThreadState, let_go, take_back
from tickets cimport take

cdef extern from *:
    """
    #if defined(_MSC_VER) && !defined(__clang__)
    #include <intrin.h>
    #define gilfree_high(a, b) __umulh((a), (b))
    #else
    static inline uint64_t gilfree_high(uint64_t a, uint64_t b) {
        return (uint64_t)(((unsigned __int128)a * b) >> 64);
    }
    #endif
    """
    uint64_t gilfree_high(uint64_t a, uint64_t b) nogil     # the upper half of the 128-bit product

cdef enum:
    SMALL = 17          # odd primes below 67: four of five odd numbers have one of them as a factor
    BLOCK = 1024        # numbers a unit of count_by_test
    SEGMENT = 1 << 20   # numbers a unit of count_by_sieve: 512 KiB of flags, odd numbers only, half a usual L2 cache

# p divides n exactly when n * (1 / p modulo 2**64) is at most (2**64 - 1) / p: a multiplication for a division
# (T. Granlund, P. Montgomery, "Division by Invariant Integers using Multiplication", 1994).
cdef uint64_t[SMALL] SMALL_PRIMES = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61]
cdef uint64_t[SMALL] SMALL_INVERSES
cdef uint64_t[SMALL] SMALL_QUOTIENTS
for _i in range(SMALL):
    SMALL_INVERSES[_i] = inverse(SMALL_PRIMES[_i])
    SMALL_QUOTIENTS[_i] = <uint64_t> 0xffffffffffffffff // SMALL_PRIMES[_i]


# --- is each of these numbers prime? ---------------------------------------------------------------------------------

def is_prime(const uint64_t[::1] n, uint8_t[::1] out, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Set ``out[i]`` to whether ``n[i]`` is prime, until ``most`` tickets are done or none is left."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _is_prime_tickets(&n[0], &out[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _is_prime_tickets(const uint64_t *n, uint8_t *out, int64_t *tickets, Py_ssize_t most) noexcept nogil:
    cdef int64_t i = 0, last = 0
    while most != 0:
        if not take(tickets, &i, &last):
            return False
        most -= 1
        while i < last:
            out[i] = _is_prime(n[i])
            i += 1
    return True


cdef bint _is_prime(uint64_t n) noexcept nogil:
    cdef int i
    if n % 2 == 0:
        return n == 2
    for i in range(SMALL):
        if n * SMALL_INVERSES[i] <= SMALL_QUOTIENTS[i]:
            return n == SMALL_PRIMES[i]
    if n < 67 * 67:
        return n > 1
    return strong_base_2(n) and not is_square(n) and extra_strong_lucas(n)


cdef bint strong_base_2(uint64_t n) noexcept nogil:
    """Whether odd n > 2 is a strong probable prime to base 2: 2**d == 1 or 2**(d * 2**r) == -1, n - 1 == d * 2**s."""
    cdef uint64_t inv = inverse(n), one = montgomery_one(n), minus_one = n - one
    cdef uint64_t d = n - 1, x = add(one, one, n), doubled
    cdef int s = 0, bit
    while d % 2 == 0:
        d >>= 1
        s += 1
    for bit in range(top_bit(d) - 1, -1, -1):
        x = multiply(x, x, n, inv)
        doubled = add(x, x, n)
        x = doubled if d >> bit & 1 else x
    if x == one or x == minus_one:
        return True
    for _ in range(s - 1):
        x = multiply(x, x, n, inv)
        if x == minus_one:
            return True
    return False


cdef bint extra_strong_lucas(uint64_t n) noexcept nogil:
    """Whether n, odd and no square, passes the extra strong Lucas test (J. Grantham, "Frobenius Pseudoprimes", 2001).

    With the least P > 2 for which D = P*P - 4 is no square modulo n, Q = 1 and n + 1 == d * 2**s: U(d) == 0 and
    V(d) == 2 or -2, or V(d * 2**r) == 0 for some 0 <= r < s - 1.
    """
    cdef uint64_t inv = inverse(n), one = montgomery_one(n), two = add(one, one, n)
    cdef uint64_t p = 3, P = add(two, one, n), d = n + 1     # no overflow: 2**64 - 1 has the factor 3
    cdef uint64_t low, high, product, square
    cdef int s = 0, bit, symbol = jacobi(5, n)
    while symbol == 1:
        p += 1
        P = add(P, one, n)
        symbol = jacobi(p * p - 4, n)
    if symbol == 0:
        return False        # a factor of D, which is below n, divides n
    while d % 2 == 0:
        d >>= 1
        s += 1
    low = P                                             # V(k), beginning with k = 1
    high = subtract(multiply(P, P, n, inv), two, n)     # V(k + 1)
    for bit in range(top_bit(d) - 1, -1, -1):
        product = subtract(multiply(low, high, n, inv), P, n)           # V(2k + 1)
        if d >> bit & 1:
            high = subtract(multiply(high, high, n, inv), two, n)       # V(2k + 2)
            low = product
        else:
            low = subtract(multiply(low, low, n, inv), two, n)          # V(2k)
            high = product
    if low == two or low == n - two:
        # D * U(d) == 2 * V(d + 1) - P * V(d), and D has no factor in common with n
        product = multiply(P, low, n, inv)
        square = add(high, high, n)
        if product == square:
            return True
    for _ in range(s - 1):
        if low == 0:
            return True
        low = subtract(multiply(low, low, n, inv), two, n)
    return False


cdef int jacobi(uint64_t a, uint64_t n) noexcept nogil:
    """Jacobi symbol (a / n) for odd n."""
    cdef int symbol = 1
    cdef uint64_t swap
    a %= n
    while a != 0:
        while a % 2 == 0:
            a >>= 1
            if n % 8 == 3 or n % 8 == 5:
                symbol = -symbol
        if a % 4 == 3 and n % 4 == 3:
            symbol = -symbol
        swap = n % a
        n = a
        a = swap
    return symbol if n == 1 else 0


cdef bint is_square(uint64_t n) noexcept nogil:
    # The root of a double is within one of the integer root.
    cdef uint64_t root = <uint64_t> (<double> n ** 0.5)
    # Products modulo 2**64: a root near 2**32 cannot wrap round to n, which is odd.
    return root * root == n or (root - 1) * (root - 1) == n or (root + 1) * (root + 1) == n


# Montgomery arithmetic modulo odd n with R = 2**64 (P. Montgomery, "Modular Multiplication Without Trial Division",
# 1985), in the form that subtracts: inv is 1 / n modulo R, and every number lies in [0, n).

cdef inline uint64_t inverse(uint64_t n) noexcept nogil:
    """1 / n modulo 2**64: n * n is 1 modulo 8, and each step doubles the number of right bits."""
    cdef uint64_t x = n
    for _ in range(5):
        x *= 2 - n * x
    return x


cdef inline uint64_t montgomery_one(uint64_t n) noexcept nogil:
    return (0 - n) % n


cdef inline uint64_t multiply(uint64_t a, uint64_t b, uint64_t n, uint64_t inv) noexcept nogil:
    cdef uint64_t high = gilfree_high(a, b), folded = gilfree_high(a * b * inv, n)
    return high - folded + (n if high < folded else 0)


cdef inline uint64_t add(uint64_t a, uint64_t b, uint64_t n) noexcept nogil:
    return subtract(a, n - b, n) if b != 0 else a


cdef inline uint64_t subtract(uint64_t a, uint64_t b, uint64_t n) noexcept nogil:
    return a - b + (n if a < b else 0)


cdef inline int top_bit(uint64_t n) noexcept nogil:
    cdef int bit = 63
    while n >> bit == 0:
        bit -= 1
    return bit


# --- how many primes in a range? -------------------------------------------------------------------------------------

def count_by_test(
    uint64_t start, uint64_t last, uint64_t[::1] count, int64_t[::1] tickets, Py_ssize_t most, bint release
):
    """Add the primes in [start, last] to ``count[0]``, one worker's own, testing each number; a unit is a block."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _count_by_test(start, last, &count[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _count_by_test(
    uint64_t start, uint64_t last, uint64_t *count, int64_t *tickets, Py_ssize_t most
) noexcept nogil:
    cdef int64_t block = 0, end = 0
    cdef uint64_t n, length, i
    while most != 0:
        if not take(tickets, &block, &end):
            return False
        most -= 1
        while block < end:
            n = start + <uint64_t> block * BLOCK
            length = last - n if last - n < BLOCK else BLOCK - 1    # less one: the last block may end at 2**64 - 1
            for i in range(length + 1):
                count[0] += _is_prime(n + i)
            block += 1
    return True


def sieve_odd(uint8_t[::1] composite, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Set ``composite[i]``, all zero before, to whether 2i + 1 is no prime; the whole of it is one unit."""
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _sieve_odd(&composite[0], composite.shape[0], &tickets[0], most)
    take_back(gil)
    return more


cdef bint _sieve_odd(uint8_t *composite, int64_t length, int64_t *tickets, Py_ssize_t most) noexcept nogil:
    cdef int64_t first = 0, last = 0, i = 1, multiple
    if most == 0 or not take(tickets, &first, &last):
        return False
    composite[0] = 1
    while 2 * i * (i + 1) < length:     # the index of (2i + 1) ** 2
        if not composite[i]:
            multiple = 2 * i * (i + 1)
            while multiple < length:
                composite[multiple] = 1
                multiple += 2 * i + 1
        i += 1
    return True


def count_by_sieve(
    uint64_t start, uint64_t last, const uint32_t[::1] base, uint64_t[::1] count, uint8_t[::1] composite,
    int64_t[::1] tickets, Py_ssize_t most, bint release,
):
    """Add the primes in [start, last] to ``count[0]``; a unit is a segment, whose flags are in ``composite``.

    ``base`` holds the odd primes up to the root of ``last``; ``composite`` has SEGMENT // 2 bytes. Both it and
    ``count`` are one worker's own.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _count_by_sieve(
        start, last, &base[0], base.shape[0], &count[0], &composite[0], &tickets[0], most
    )
    take_back(gil)
    return more


cdef bint _count_by_sieve(
    uint64_t start, uint64_t last, const uint32_t *base, int64_t bases, uint64_t *count, uint8_t *composite,
    int64_t *tickets, Py_ssize_t most,
) noexcept nogil:
    cdef int64_t segment = 0, end = 0
    cdef uint64_t low, high
    while most != 0:
        if not take(tickets, &segment, &end):
            return False
        most -= 1
        while segment < end:
            low = start + <uint64_t> segment * SEGMENT
            high = last if last - low < SEGMENT else low + SEGMENT - 1
            count[0] += _count_segment(low, high, base, bases, composite)
            segment += 1
    return True


cdef uint64_t _count_segment(
    uint64_t low, uint64_t high, const uint32_t *base, int64_t bases, uint8_t *composite
) noexcept nogil:
    """Primes in [low, high]: the sieve of Eratosthenes over its odd numbers."""
    cdef uint64_t found = low <= 2 <= high
    cdef uint64_t odd = low | 1         # flag i stands for odd + 2i
    cdef uint64_t p, multiple
    cdef int64_t length, i, k
    if odd > high:
        return found
    length = <int64_t> ((high - odd) // 2 + 1)
    memset(composite, 0, length)
    for i in range(bases):
        p = base[i]
        multiple = p * p
        if multiple > high:
            break
        if multiple < odd:
            multiple = (odd + p - 1) // p * p
            multiple += p if multiple % 2 == 0 else 0
        k = <int64_t> ((multiple - odd) // 2)
        while k < length:
            composite[k] = 1
            k += <int64_t> p
    if odd == 1:
        composite[0] = 1
    for i in range(length):
        found += 1 - composite[i]
    return found
