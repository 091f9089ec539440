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

BLOCK = 1024
SEGMENT = 2**20

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


# --- how many primes in a range? ------------------------------------------------------------------------------------


def count_by_test(start: Any, final: Any, count: Any, first: int, last: int) -> None:
    found = 0
    for block in prange(first, last):
        n = u64(start) + u64(block) * u64(BLOCK)
        length = min(u64(final) - n, u64(BLOCK - 1))
        here = 0
        for i in range(length + ONE):
            here += _is_prime(n + u64(i))
        found += here
    count[0] += u64(found)


def sieve_odd(composite: Any, tickets: Tickets, most: int, release: bool) -> bool:
    """A door of its own, not a loop: the whole is one unit, with nothing for prange to share."""
    for _ in tickets:
        (_sieve_odd_released if release else _sieve_odd_held)(composite)
    return False


def _sieve_odd(composite: Any) -> None:
    composite[0] = 1
    i = 1
    while 2 * i * (i + 1) < len(composite):
        if not composite[i]:
            composite[2 * i * (i + 1) :: 2 * i + 1] = 1
        i += 1


_sieve_odd_held = njit(error_model="numpy")(_sieve_odd)
_sieve_odd_released = njit(nogil=True, error_model="numpy")(_sieve_odd)


def count_by_sieve(start: Any, final: Any, base: Any, count: Any, composite: Any, first: int, last: int) -> None:
    found = 0
    for segment in prange(first, last):
        low = u64(start) + u64(segment) * u64(SEGMENT)
        high = low + min(u64(final) - low, u64(SEGMENT - 1))
        # Not in `composite`: under prange several threads sieve at once, each needs flags of its own.
        found += _count_segment(np.int64(low), np.int64(high), base)
    count[0] += u64(found)


@njit(nogil=True, error_model="numpy")
def _count_segment(low: Any, high: Any, base: Any) -> Any:
    """Primes in [low, high]: the sieve of Eratosthenes over its odd numbers; flag i stands for odd + 2i."""
    found: Any = 1 if low <= 2 <= high else 0
    odd = low | 1
    if odd > high:
        return found
    composite = np.zeros((high - odd) // 2 + 1, np.uint8)
    for prime in base:
        p = np.int64(prime)
        multiple = p * p
        if multiple > high:
            break
        if multiple < odd:
            multiple = (odd + p - 1) // p * p
            if multiple % 2 == 0:
                multiple += p
        for k in range((multiple - odd) // 2, len(composite), p):
            composite[k] = 1
    if odd == 1:
        composite[0] = 1
    for flag in composite:
        found += 1 - flag
    return found


LOOPS = {
    "is_prime": is_prime,
    "count_by_test": count_by_test,
    "count_by_sieve": count_by_sieve,
}
__all__ = ["LOOPS", "numba", "sieve_odd"]
