"""Primality and counting of primes for Numba; the algorithms are those of the compiled Cython, Baillie-PSW and a sieve.

In Numba a signed and an unsigned 64-bit integer make a float64 together, so every constant here says ``u64``.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic

from gilfree._tickets import Tickets

u64 = np.uint64
ZERO, ONE, TWO, FOUR, EIGHT = u64(0), u64(1), u64(2), u64(4), u64(8)

SMALL_PRIMES = np.array([3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61], u64)


def is_prime(n: Any, out: Any, first: int, last: int) -> None:
    for i in prange(first, last):
        out[i] = _is_prime(n[i])


@njit(nogil=True, error_model="numpy")
def _is_prime(n: Any) -> bool:
    if n % TWO == ZERO:
        return bool(n == TWO)
    for p in SMALL_PRIMES:
        if n % p == ZERO:
            return bool(n == p)
    if n < u64(67 * 67):
        return bool(n > ONE)
    return _strong_base_2(n) and not _is_square(n) and _extra_strong_lucas(n)


@njit(nogil=True, error_model="numpy")
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


@njit(nogil=True, error_model="numpy")
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


@njit(nogil=True, error_model="numpy")
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


@njit(nogil=True, error_model="numpy")
def _is_square(n: Any) -> bool:
    root = u64(np.sqrt(np.float64(n)))  # within one of the integer root
    return bool(root * root == n or (root - ONE) * (root - ONE) == n or (root + ONE) * (root + ONE) == n)


@njit(nogil=True, error_model="numpy")
def _odd_part(n: Any) -> tuple[Any, int]:
    s = 0
    while n % TWO == ZERO:
        n >>= ONE
        s += 1
    return n, s


@njit(nogil=True, error_model="numpy")
def _top_bit(n: Any) -> int:
    bit = 63
    while n >> u64(bit) == ZERO:
        bit -= 1
    return bit


# Montgomery arithmetic modulo odd n, R = 2**64, as in the compiled Cython.


def _wide_product(typing: Any, a: Any, b: Any) -> Any:
    """The upper half of the 128-bit product, which LLVM has and NumPy has not."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        x, y = (builder.zext(argument, wide) for argument in arguments)
        return builder.trunc(builder.lshr(builder.mul(x, y), ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


_high: Any = intrinsic(_wide_product)


@njit(nogil=True, error_model="numpy")
def _inverse(n: Any) -> Any:
    x = n
    for _ in range(5):
        x *= TWO - n * x
    return x


@njit(nogil=True, error_model="numpy")
def _montgomery_one(n: Any) -> Any:
    return (ZERO - n) % n


@njit(nogil=True, error_model="numpy")
def _multiply(a: Any, b: Any, n: Any, inv: Any) -> Any:
    return _subtract(_high(a, b), _high(a * b * inv, n), n)


@njit(nogil=True, error_model="numpy")
def _add(a: Any, b: Any, n: Any) -> Any:
    return _subtract(a, n - b, n) if b != ZERO else a


@njit(nogil=True, error_model="numpy")
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
PATTERN_PRIMES = np.array([7, 11, 13, 17], np.int64)
PATTERN = np.packbits(
    (np.gcd(WHEEL + 30 * np.arange(7 * 11 * 13 * 17)[:, None], 7 * 11 * 13 * 17) == 1), axis=1, bitorder="little"
).ravel()


@njit(nogil=True, error_model="numpy")
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


@njit(nogil=True, error_model="numpy")
def _sieve_segment(bits: Any, start: int, base: Any) -> None:
    """The multiples of p whose cofactors leave the same remainder by 30 are p bytes apart and have the same bit."""
    length = len(bits)
    done = -(start % len(PATTERN))
    while done < length:
        low, high = max(done, 0), min(done + len(PATTERN), length)
        bits[low:high] = PATTERN[low - done : high - done]
        done += len(PATTERN)
    for prime in base:
        p = np.int64(prime)
        if p * p // 30 >= start + length:
            break
        if p <= PATTERN_PRIMES[-1]:
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


_mark_held = njit(error_model="numpy")(_mark)
_mark_released = njit(nogil=True, error_model="numpy")(_mark)


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


LOOPS = {"is_prime": is_prime, "sieve": sieve, "test": test, "extract": extract}
__all__ = ["LOOPS", "mark", "numba"]
