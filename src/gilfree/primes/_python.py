"""Primality and counting of primes in plain Python: what every other backend must agree with."""

from collections.abc import Iterator
from typing import Any

from gilfree._tickets import Tickets

# No composite below 3 317 044 064 679 887 385 961 981 is a strong probable prime to all of these (J. Sorenson,
# J. Webster, "Strong Pseudoprimes to Twelve Prime Bases", Math. Comp. 86, 2017, Theorem 1).
BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)

BLOCK = 1024
SEGMENT = 2**20


def is_prime(n: Any, out: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for first, last in tickets:
        for i in range(first, last):
            out[i] = _is_prime(int(n[i]))
    return False


def _is_prime(n: int) -> bool:
    if n < 2:
        return False
    for p in BASES:
        if n % p == 0:
            return n == p
    return all(_strong_probable_prime(n, base) for base in BASES)


def _strong_probable_prime(n: int, base: int) -> bool:
    d, s = n - 1, 0
    while d % 2 == 0:
        d //= 2
        s += 1
    x = pow(base, d, n)
    if x in (1, n - 1):
        return True
    for _ in range(s - 1):
        x = x * x % n
        if x == n - 1:
            return True
    return False


def count_by_test(start: int, last: int, count: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for low, high in _ranges(int(start), int(last), BLOCK, tickets):
        count[0] += sum(_is_prime(n) for n in range(low, high + 1))
    return False


def _ranges(start: int, last: int, size: int, tickets: Tickets) -> Iterator[tuple[int, int]]:
    """First and last number of each unit of ``size`` numbers."""
    for first_unit, last_unit in tickets:
        for unit in range(first_unit, last_unit):
            low = start + unit * size
            yield low, min(low + size - 1, last)


def sieve_odd(composite: Any, tickets: Tickets, most: int, release: bool) -> bool:
    flags = memoryview(composite)  # NumPy would let go of the GIL in every assignment to a slice
    for _ in tickets:
        flags[0] = 1
        i = 1
        while 2 * i * (i + 1) < len(flags):
            if not flags[i]:
                marked = slice(2 * i * (i + 1), len(flags), 2 * i + 1)
                flags[marked] = b"\1" * len(range(len(flags))[marked])
            i += 1
    return False


def count_by_sieve(
    start: int, last: int, base: Any, count: Any, composite: Any, tickets: Tickets, most: int, release: bool
) -> bool:
    """The sieve of Eratosthenes over every number of a segment, even ones too."""
    primes = [2, *base.tolist()]
    for low, high in _ranges(int(start), int(last), SEGMENT, tickets):
        is_prime_flags = bytearray(b"\1") * (high - low + 1)
        for n in range(low, min(2, high + 1)):
            is_prime_flags[n - low] = 0
        for p in primes:
            if p * p > high:
                break
            multiple = max(p * p, -(-low // p) * p)
            is_prime_flags[multiple - low :: p] = bytes(len(range(multiple, high + 1, p)))
        count[0] += is_prime_flags.count(1)
    return False
