"""Primality, factors and counting of primes for Numba: the algorithms of the compiled Cython, one number at a time.

In Numba a signed and an unsigned 64-bit integer make a float64 together, so every constant here says ``u64``.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic

from gilfree._tickets import Tickets
from gilfree.backends import uninterrupted

# For functions that compiled code alone calls: what would let Python and C call them takes a third of the compiling.
inner: Callable[..., Any] = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)

u64 = np.uint64
ZERO, ONE, TWO, FOUR, EIGHT = u64(0), u64(1), u64(2), u64(4), u64(8)

LARGEST = u64(2**64 - 59)  # prime
TRIALS = u64(256)

SMALL_PRIMES = np.array([3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61], u64)


def is_prime(n: Any, out: Any, first: int, last: int) -> None:
    for i in prange(first, last):
        out[i] = _is_prime(n[i])


@inner
def _is_prime(n: Any) -> bool:
    if n % TWO == ZERO:
        return bool(n == TWO)
    for p in SMALL_PRIMES:
        if n % p == ZERO:
            return bool(n == p)
    if n < u64(67 * 67):
        return bool(n > ONE)
    return _strong_base_2(n) and not _is_square(n) and _extra_strong_lucas(n)


@inner
def _strong_base_2(n: Any) -> bool:
    """Whether 2**d == 1 or 2**(d * 2**r) == -1 modulo n, where n - 1 == d * 2**s and 0 <= r < s."""
    inv, one = _inverse(n), _montgomery_one(n)
    minus_one = n - one
    d, s = _odd_part(n - ONE)
    x = _add(one, one, n)
    for bit in range(_top_bit(d) - 1, -1, -1):
        x = _multiply(x, x, n, inv)
        if d >> u64(bit) & ONE:
            x = _add(x, x, n)
    if x in (one, minus_one):
        return True
    for _ in range(s - 1):
        x = _multiply(x, x, n, inv)
        if x == minus_one:
            return True
    return False


@inner
def _extra_strong_lucas(n: Any) -> bool:
    """Whether n, odd and no square, passes the extra strong Lucas test (Grantham, 2001) with the least P > 2."""
    inv, one = _inverse(n), _montgomery_one(n)
    two = _add(one, one, n)
    p, big_p = u64(3), _add(two, one, n)  # P and its Montgomery form
    symbol = _jacobi(u64(5), n)
    while symbol == 1:
        p += ONE
        big_p = _add(big_p, one, n)
        symbol = _jacobi(p * p - FOUR, n)
    if symbol == 0:
        return False  # a factor of P * P - 4, which is below n, divides n
    d, s = _odd_part(n + ONE)
    low = big_p  # V(k), beginning with k = 1
    high = _subtract(_multiply(big_p, big_p, n, inv), two, n)  # V(k + 1)
    for bit in range(_top_bit(d) - 1, -1, -1):
        product = _subtract(_multiply(low, high, n, inv), big_p, n)  # V(2k + 1)
        if d >> u64(bit) & ONE:
            low, high = product, _subtract(_multiply(high, high, n, inv), two, n)
        else:
            low, high = _subtract(_multiply(low, low, n, inv), two, n), product
    # (P * P - 4) * U(d) == 2 * V(d + 1) - P * V(d)
    if low in (two, n - two) and _multiply(big_p, low, n, inv) == _add(high, high, n):
        return True
    for _ in range(s - 1):
        if low == ZERO:
            return True
        low = _subtract(_multiply(low, low, n, inv), two, n)
    return False


@inner
def _jacobi(a: Any, n: Any) -> int:
    """Jacobi symbol (a / n) for odd n."""
    symbol = 1
    a %= n
    while a != ZERO:
        while a % TWO == ZERO:
            a >>= ONE
            if n % EIGHT == u64(3) or n % EIGHT == u64(5):
                symbol = -symbol
        if a % FOUR == u64(3) and n % FOUR == u64(3):
            symbol = -symbol
        a, n = n % a, a
    return symbol if n == ONE else 0


@inner
def _is_square(n: Any) -> bool:
    root = u64(np.sqrt(np.float64(n)))  # within one of the integer root
    return bool(root * root == n or (root - ONE) * (root - ONE) == n or (root + ONE) * (root + ONE) == n)


@inner
def _odd_part(n: Any) -> tuple[Any, int]:
    s = 0
    while n % TWO == ZERO:
        n >>= ONE
        s += 1
    return n, s


@inner
def _top_bit(n: Any) -> int:
    bit = 63
    while n >> u64(bit) == ZERO:
        bit -= 1
    return bit


# --- which prime comes next, and which are the factors? --------------------------------------------------------------


def adjacent_prime(n: Any, forward: int, out: Any, first: int, last: int) -> None:
    for i in prange(first, last):
        out[i] = _next_prime(n[i]) if forward else _previous_prime(n[i])


@inner
def _next_prime(n: Any) -> Any:
    if n < TWO:
        return TWO
    if n >= LARGEST:
        return ZERO
    n = n + ONE | ONE
    while not _is_prime(n):
        n += TWO
    return n


@inner
def _previous_prime(n: Any) -> Any:
    if n <= u64(3):
        return TWO if n == u64(3) else ZERO
    n = n - TWO | ONE
    while not _is_prime(n):
        n -= TWO
    return n


def factor(n: Any, out: Any, first: int, last: int) -> None:
    for i in prange(first, last):
        _factor(n[i], out[64 * i : 64 * i + 64])


@inner
def _factor(n: Any, out: Any) -> None:
    """Prime factors ascending, then zeros: small ones by trial division, the others by rho from a stack of divisors."""
    out[:] = ZERO
    if n < TWO:
        return
    count = 0
    while n % TWO == ZERO:
        out[count] = TWO
        count += 1
        n //= TWO
    p = u64(3)
    while p < TRIALS and p * p <= n:
        while n % p == ZERO:
            out[count] = p
            count += 1
            n //= p
        p += TWO
    if n == ONE:
        return
    smallest = count
    waiting = np.empty(64, np.uint64)
    waiting[0] = n
    left = 1
    while left > 0:
        left -= 1
        n = waiting[left]
        if _is_prime(n):
            i = count
            while i > smallest and out[i - 1] > n:
                out[i] = out[i - 1]
                i -= 1
            out[i] = n
            count += 1
        else:
            divisor = _divisor(n)
            waiting[left] = divisor
            waiting[left + 1] = n // divisor
            left += 2


@inner
def _divisor(n: Any) -> Any:
    """A divisor of an odd composite n, neither 1 nor n: Pollard's rho, 128 steps to a greatest common divisor.

    (R. Brent, "An Improved Monte Carlo Factorization Algorithm", 1980.) A batch whose divisor is n is walked again.
    """
    root = u64(np.sqrt(np.float64(n)))
    for candidate in (root - ONE, root, root + ONE):
        if candidate * candidate == n:
            return candidate
    inv = _inverse(n)
    c = ONE
    while True:
        x = y = start = TWO
        product = divisor = ONE
        length = 1
        while divisor == ONE:
            x = y
            for _ in range(length):
                y = _add(_multiply(y, y, n, inv), c, n)
            k = 0
            while k < length and divisor == ONE:
                start = y
                for _ in range(min(128, length - k)):
                    y = _add(_multiply(y, y, n, inv), c, n)
                    product = _multiply(product, max(x, y) - min(x, y), n, inv)
                divisor = _common_divisor(product, n)
                k += 128
            length *= 2
        if divisor == n:
            divisor = ONE
            y = start
            while divisor == ONE:
                y = _add(_multiply(y, y, n, inv), c, n)
                divisor = _common_divisor(max(x, y) - min(x, y), n)
        if divisor != n:
            return divisor
        c += ONE


@inner
def _common_divisor(a: Any, b: Any) -> Any:
    while b != ZERO:
        a, b = b, a % b
    return a


# Montgomery arithmetic modulo odd n, R = 2**64, as in the compiled Cython.


def _wide_product(typing: Any, a: Any, b: Any) -> Any:
    """The upper half of the 128-bit product, which LLVM has and NumPy has not."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        x, y = (builder.zext(argument, wide) for argument in arguments)
        return builder.trunc(builder.lshr(builder.mul(x, y), ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


_high: Any = intrinsic(_wide_product)


@inner
def _inverse(n: Any) -> Any:
    x = n
    for _ in range(5):
        x *= TWO - n * x
    return x


@inner
def _montgomery_one(n: Any) -> Any:
    return (ZERO - n) % n


@inner
def _multiply(a: Any, b: Any, n: Any, inv: Any) -> Any:
    return _subtract(_high(a, b), _high(a * b * inv, n), n)


@inner
def _add(a: Any, b: Any, n: Any) -> Any:
    return _subtract(a, n - b, n) if b != ZERO else a


@inner
def _subtract(a: Any, b: Any, n: Any) -> Any:
    return a - b + n if a < b else a - b


# --- which primes are in a range? ------------------------------------------------------------------------------------
#
# One bit a number coprime to 30, one byte 30 numbers. `start` is the byte of all numbers at which a row begins.

WHEEL = np.array([1, 7, 11, 13, 17, 19, 23, 29], np.int64)
BIT_OF = np.full(30, -1, np.int64)
BIT_OF[WHEEL] = np.arange(8)
# The bits that the primes 7 to 17 leave, which come again after 7 * 11 * 13 * 17 bytes. With 19 too, the pattern would
# no longer stay in the cache.
PRESIEVED_PRIMES = np.array([7, 11, 13, 17], np.int64)
PRESIEVED = np.packbits(
    (np.gcd(WHEEL + 30 * np.arange(7 * 11 * 13 * 17)[:, None], 7 * 11 * 13 * 17) == 1), axis=1, bitorder="little"
).ravel()


@inner
def _keep(bits: Any, at: int, length: int, head: int, tail: int, flags: Any) -> int:
    """Clear what lies outside the range, keep the rest and count it."""
    if at == 0:
        bits[0] &= np.uint8(head)
    if at + len(bits) == length:
        bits[-1] &= np.uint8(tail)
    if len(flags):
        flags[at : at + len(bits)] = bits
    found = 0
    for byte in bits:
        found += ONES[byte]
    return found


ONES = np.array([byte.bit_count() for byte in range(256)], np.int64)


def sieve(
    start: int, length: int, segment: int, block: int, head: int, tail: int, base: Any, marks: Any, flags: Any,
    counts: Any, scratch: Any, turns: Any, first: int, last: int,
) -> None:  # fmt: skip
    for unit in prange(first, last):
        at = unit * segment
        # Not in `scratch`: under prange several threads sieve at once, each needs bits of its own.
        bits = np.empty(min(segment, length - at), np.uint8)
        _sieve_segment(bits, start + at, base)
        if len(marks):
            bits &= marks[at : at + len(bits)]
        counts[unit] = _keep(bits, at, length, head, tail, flags)


@inner
def _sieve_segment(bits: Any, start: int, base: Any) -> None:
    """The multiples of p whose cofactors leave the same remainder by 30 are p bytes apart and have the same bit."""
    length = len(bits)
    done = -(start % len(PRESIEVED))
    while done < length:
        low, high = max(done, 0), min(done + len(PRESIEVED), length)
        bits[low:high] = PRESIEVED[low - done : high - done]
        done += len(PRESIEVED)
    for prime in base:
        p = np.int64(prime)
        if p * p // 30 >= start + length:
            break
        if p <= PRESIEVED_PRIMES[-1]:
            continue
        turn = -(start % p)
        for residue in WHEEL:
            at = turn + p * residue // 30
            mask = np.uint8(255 ^ (1 << BIT_OF[p * residue % 30]))
            for i in range(at if at >= 0 else at + p, length, p):
                bits[i] &= mask
    for prime in base:  # crossed off themselves, since the cofactors begin with 1
        own = np.int64(prime) // 30 - start
        if own >= length:
            break
        if own >= 0:
            bits[own] |= np.uint8(1 << BIT_OF[np.int64(prime) % 30])


def mark(start: int, length: int, primes: Any, row: Any, tickets: Tickets, most: int, release: bool) -> bool:
    """A door of its own, not a loop for prange: two threads that clear bits of one byte would lose some."""
    for first, last in tickets:
        (_mark_released if release else _mark_held)(u64(start), length, primes[first:last], row)
    return False


def _mark(start: Any, length: int, primes: Any, row: Any) -> None:
    low = u64(30) * start
    width = 30 * length
    for p in primes:
        cofactor = low // p + u64(low % p != ZERO)
        cofactor = max(cofactor | ONE, p)
        offset = np.int64(p * cofactor - low)  # right, though the product may be beyond 64 bits
        step = np.int64(TWO * p)
        while offset < width:
            bit = BIT_OF[offset % 30]
            if bit >= 0:
                row[offset // 30] &= np.uint8(255 ^ (1 << bit))
            offset += step


_mark_held = uninterrupted(njit(error_model="numpy")(_mark))
_mark_released = uninterrupted(njit(nogil=True, error_model="numpy")(_mark))


def test(
    start: int, length: int, segment: int, head: int, tail: int, flags: Any, counts: Any, first: int, last: int
) -> None:
    for unit in prange(first, last):
        at = unit * segment
        bits = np.zeros(min(segment, length - at), np.uint8)
        for i in range(len(bits)):
            n = u64(30) * u64(start + at + i)
            for bit in range(8):
                bits[i] |= np.uint8(_is_prime(n + u64(WHEEL[bit])) << bit)
        counts[unit] = _keep(bits, at, length, head, tail, flags)


def extract(start: int, segment: int, flags: Any, offsets: Any, out: Any, first: int, last: int) -> None:
    for unit in prange(first, last):
        to = offsets[unit]
        for i in range(unit * segment, min((unit + 1) * segment, len(flags))):
            n = u64(30) * u64(start + i)
            for bit in range(8):
                if flags[i] >> bit & 1:
                    out[to] = n + u64(WHEEL[bit])
                    to += 1


# --- how many primes below x? ---------------------------------------------------------------------------------------

# All numbers are signed here, and below 2**63.
UNSIEVED, TURN, LEFT, PATTERN = 5, 2310, 480, 1155


def tabulate(
    factors: Any, primes: Any, pi: Any, m: Any, signed: Any, found: Any, tickets: Tickets, most: int, release: bool
) -> bool:
    """A door of its own, not a loop: each number needs all before it, so prange must not share them."""
    for first, last in tickets:
        (_tabulate_released if release else _tabulate_held)(factors, primes, pi, m, signed, found, first, last)
    return False


def _tabulate(factors: Any, primes: Any, pi: Any, m: Any, signed: Any, found: Any, first: int, last: int) -> None:
    for n in range(first, last):
        if n == 0:
            found[:] = 0
        if n > 1 and factors[n] in (0, 4 * n):  # called twice, it answers twice
            factors[n] = 4 * n
            primes[found[0]] = n
            found[0] += 1
        pi[n] = found[0]
        smallest: Any = np.int64(factors[n]) >> 2
        mu: Any = (np.int64(factors[n]) & 3) - 1
        if n < 2:
            smallest, mu = 0x7FFFFFFF, n
        if smallest > 11 and mu != 0:
            m[found[1]] = n
            signed[found[1]] = mu * smallest
            found[1] += 1
        for i in range(found[0] if n > 1 else 0):
            p = np.int64(primes[i])
            if p > smallest or p * n >= len(factors):
                break
            factors[p * n] = 4 * p + (1 if p == smallest else 1 - mu)


_tabulate_held = uninterrupted(njit(error_model="numpy")(_tabulate))
_tabulate_released = uninterrupted(njit(nogil=True, error_model="numpy")(_tabulate))


def ordinary_leaves(x: Any, m: Any, signed: Any, left: Any, total: Any, first: int, last: int) -> None:
    added = 0
    for i in prange(first, last):
        u = x // np.int64(m[i])
        phi = u // TURN * LEFT + np.int64(left[u % TURN])
        added += phi if signed[i] > 0 else -phi
    total[0] += added


def easy_leaves(x: Any, y: Any, before: Any, primes: Any, pi: Any, total: Any, first: int, last: int) -> None:
    added: Any = 0
    for unit in prange(first, last):
        b = unit + before
        p = np.int64(primes[b])
        low = max(p, x // p // (y + 1))
        if low < y:
            start, stop = np.int64(pi[low]), np.int64(pi[max(low, min(y, x // p // p))])
            over = np.float64(x // p)  # below 2**53, so that the quotients are exact
            here: Any = 0
            for k in range(start, stop):
                here += np.int64(pi[np.int32(over / primes[k])])
            added += here - (stop - start) * (b - 1) + len(primes) - stop
    total[0] += added


def hard_leaves(
    x: Any, y: Any, start: Any, primes: Any, pi: Any, m: Any, signed: Any, pattern: Any, sums: Any, counts: Any,
    weights: Any, sieve: Any, first: int, last: int,
) -> None:  # fmt: skip
    words = len(sieve) // 2
    for k in prange(first, last):
        # Not in `sieve`: under prange several threads sieve at once, each needs one of its own.
        low = start + k * 128 * words
        sums[k] = _segment_leaves(x, y, low, words, primes, pi, m, signed, pattern, counts[k], weights[k])


@inner
def _segment_leaves(
    x: Any, y: Any, low: Any, words: Any, primes: Any, pi: Any, m: Any, signed: Any, pattern: Any, counts: Any,
    weights: Any,
) -> Any:  # fmt: skip
    """One segment: low <= x / n < high. Bit i of the sieve stands for low + 2i + 1."""
    high, sieving = low + 128 * words, len(counts) - 1
    bound = _isqrt(x // low) if low > 0 else y
    root_y, root_x, root_high = _isqrt(y), _isqrt(x), _isqrt(high)
    sieve = _laid(low, words, pattern)
    place = np.zeros(2, np.int64)  # words counted, and the bits in them
    added, b = 0, UNSIEVED
    left = _count_up_to(sieve, high - low - 1, place)
    while b < sieving and primes[b] <= bound:
        p = np.int64(primes[b])
        over = x // p
        top = min(y, over // low) if low > 0 else y
        bottom = over // high
        place[:] = 0
        counts[b], weights[b] = left, 0
        if p <= root_y:
            bottom = max(bottom, y // p)
            if bottom < top:
                for k in range(_up_to(m, top) - 1, _up_to(m, bottom) - 1, -1):
                    if abs(signed[k]) > p:
                        mu = 1 if signed[k] > 0 else -1
                        added -= mu * _count_up_to(sieve, over // np.int64(m[k]) - low, place)
                        weights[b] -= mu
        else:
            bottom, top = max(bottom, p), min(top, over // (y + 1))
            if bottom < top:
                weights[b] = np.int64(pi[top]) - np.int64(pi[bottom])
                for k in range(np.int64(pi[top]) - 1, np.int64(pi[bottom]) - 1, -1):
                    added += _count_up_to(sieve, over // np.int64(primes[k]) - low, place)
        left -= _strike(sieve, low, p)
        b += 1
    counts[b:] = 0
    weights[b:] = 0
    while b < sieving and (primes[b] <= root_high or low <= primes[sieving - 1]):
        _strike(sieve, low, np.int64(primes[b]))
        b += 1

    top, bottom = min(root_x, x // low) if low > 0 else root_x, max(y, x // high)
    place[:] = 0
    if bottom < top:
        base = bottom // 128 * 128
        others = _laid(base, (top - base) // 128 + 1, pattern)
        for prime in primes[UNSIEVED:]:
            if np.int64(prime) * np.int64(prime) > top:
                break
            _strike(others, base, np.int64(prime))
        for i in range((top - base - 1) // 2, -1, -1):
            p = base + 2 * i + 1
            if p > bottom and others[i >> 6] >> u64(i & 63) & ONE:
                added -= _count_up_to(sieve, x // p - low, place)
                weights[sieving] -= 1
    counts[sieving] = _count_up_to(sieve, high - low - 1, place)
    return added


@inner
def _laid(low: Any, words: Any, pattern: Any) -> Any:
    sieve, skip = np.empty(words, np.uint64), low // 128
    for i in range(words):
        sieve[i] = pattern[(skip + i) % PATTERN]
    return sieve


@inner
def _strike(sieve: Any, low: Any, p: Any) -> Any:
    """How many bits of multiples of p it cleared."""
    multiple = (low // p + 1) * p
    cleared: Any = 0
    for i in range((multiple + (p if multiple % 2 == 0 else 0) - low) // 2, 64 * len(sieve), p):
        word, bit = sieve[i >> 6], u64(i & 63)
        cleared += np.int64(word >> bit & ONE)
        sieve[i >> 6] = word & ~(ONE << bit)
    return cleared


@inner
def _count_up_to(sieve: Any, last: Any, place: Any) -> Any:
    bits = (last + 1) >> 1
    word, here = place
    while word < bits >> 6:
        here += _ones(sieve[word])
        word += 1
    place[0], place[1] = word, here
    return here + (_ones(sieve[word] << u64(64 - (bits & 63))) if bits & 63 else 0)


def _population(typing: Any, word: Any) -> Any:
    """How many bits are set, which LLVM has and Numba's NumPy has not."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


_ones: Any = intrinsic(_population)


@inner
def _up_to(m: Any, last: Any) -> Any:
    """How many of the sorted m are at most ``last``."""
    low, high = 0, len(m)
    while low < high:
        middle = (low + high) >> 1
        if m[middle] <= last:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _isqrt(n: Any) -> Any:
    root = np.int64(np.sqrt(np.float64(n)))  # within one of the integer root
    if root * root > n:
        return root - 1
    return root + 1 if (root + 1) * (root + 1) <= n else root


LOOPS = {
    "is_prime": is_prime,
    "adjacent_prime": adjacent_prime,
    "factor": factor,
    "sieve": sieve,
    "test": test,
    "extract": extract,
    "ordinary_leaves": ordinary_leaves,
    "easy_leaves": easy_leaves,
    "hard_leaves": hard_leaves,
}
__all__ = ["LOOPS", "mark", "numba", "tabulate"]
