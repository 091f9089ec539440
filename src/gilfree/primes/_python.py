"""Primality, factors and counting of primes in plain Python: what every other backend must agree with."""

import math
from bisect import bisect
from collections.abc import Iterator
from typing import Any

from gilfree._tickets import Tickets

# No composite below 3 317 044 064 679 887 385 961 981 is a strong probable prime to all of these (J. Sorenson,
# J. Webster, "Strong Pseudoprimes to Twelve Prime Bases", Math. Comp. 86, 2017, Theorem 1).
BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)


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


def adjacent_prime(n: Any, forward: int, out: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for first, last in tickets:
        for i in range(first, last):
            out[i] = _adjacent_prime(int(n[i]), 1 if forward else -1)
    return False


def _adjacent_prime(n: int, step: int) -> int:
    """The next prime above or below n, 0 where there is none from 2 to 2**64."""
    n += step
    while 0 <= n < 2**64:
        if _is_prime(n):
            return n
        n += step
    return 0


def factor(n: Any, out: Any, tickets: Tickets, most: int, release: bool) -> bool:
    for first, last in tickets:
        for i in range(first, last):
            factors = sorted(_factors(int(n[i])))
            for k in range(64):
                out[64 * i + k] = factors[k] if k < len(factors) else 0
    return False


def _factors(n: int) -> list[int]:
    """Prime factors with multiplicity, in any order; none for 0 and 1."""
    if n < 2:
        return []
    if _is_prime(n):
        return [n]
    divisor = next((p for p in BASES if n % p == 0), 0) or _rho(n)
    return _factors(divisor) + _factors(n // divisor)


def _rho(n: int) -> int:
    """A divisor of a composite n, neither 1 nor n: Pollard's rho, with another c until one is found."""
    c = 1
    while True:
        x = y = 2
        divisor = 1
        while divisor == 1:
            x = (x * x + c) % n
            y = (y * y + c) % n
            y = (y * y + c) % n
            divisor = math.gcd(x - y, n)
        if divisor != n:
            return divisor
        c += 1


# --- which primes are in a range? ------------------------------------------------------------------------------------
#
# One bit a number coprime to 30, one byte 30 numbers. `first` is the byte of all numbers at which a row begins.

WHEEL = (1, 7, 11, 13, 17, 19, 23, 29)


def _segments(first: int, length: int, segment: int, tickets: Tickets) -> Iterator[tuple[int, range, range]]:
    """Of each unit: which it is, its bytes in the row, its numbers."""
    for first_unit, last_unit in tickets:
        for unit in range(first_unit, last_unit):
            here = range(unit * segment, min((unit + 1) * segment, length))
            yield unit, here, range(30 * (first + here.start), 30 * (first + here.stop))


def _pack(is_prime_flags: bytearray) -> int:
    """The bits of flags, ones and zeros of all numbers, as one long integer whose lowest byte is the first one."""
    columns = (int.from_bytes(is_prime_flags[residue::30], "little") for residue in WHEEL)
    return sum(column << bit for bit, column in enumerate(columns))


def _keep(bits: int, unit: int, here: range, length: int, head: int, tail: int, flags: Any, counts: Any) -> None:
    """Clear what lies outside the range, keep the rest and count it."""
    if here.start == 0:
        bits &= ~(0xFF ^ head)
    if here.stop == length:
        bits &= ~((0xFF ^ tail) << 8 * (len(here) - 1))
    if len(flags):
        memoryview(flags)[here.start : here.stop] = bits.to_bytes(len(here), "little")
    counts[unit] = bits.bit_count()


def sieve(
    first: int, length: int, segment: int, block: int, head: int, tail: int, base: Any, marks: Any, flags: Any,
    counts: Any, scratch: Any, turns: Any, tickets: Tickets, most: int, release: bool,
) -> bool:  # fmt: skip
    """The sieve of Eratosthenes over every number of a segment, even ones too."""
    primes = [2, 3, 5, *base.tolist()]
    for unit, here, numbers in _segments(first, length, segment, tickets):
        is_prime_flags = bytearray(b"\1") * len(numbers)
        if numbers.start == 0:
            is_prime_flags[:2] = b"\0\0"
        for p in primes:
            multiples = range(max(p * p, -(-numbers.start // p) * p), numbers.stop, p)
            if multiples:
                is_prime_flags[multiples.start - numbers.start :: p] = bytes(len(multiples))
        bits = _pack(is_prime_flags)
        if len(marks):
            bits &= int.from_bytes(memoryview(marks)[here.start : here.stop], "little")
        _keep(bits, unit, here, length, head, tail, flags, counts)
    return False


def mark(first: int, length: int, primes: Any, row: Any, tickets: Tickets, most: int, release: bool) -> bool:
    numbers = range(30 * first, 30 * (first + length))
    for first_prime, last_prime in tickets:
        for i in range(first_prime, last_prime):
            p = int(primes[i])
            for multiple in range(max(p * p, -(-numbers.start // p) * p), numbers.stop, p):
                if multiple % 30 in WHEEL:
                    row[multiple // 30 - first] &= 0xFF ^ 1 << WHEEL.index(multiple % 30)
    return False


def test(
    first: int, length: int, segment: int, head: int, tail: int, flags: Any, counts: Any,
    tickets: Tickets, most: int, release: bool,
) -> bool:  # fmt: skip
    for unit, here, numbers in _segments(first, length, segment, tickets):
        bits = _pack(bytearray(n % 30 in WHEEL and _is_prime(n) for n in numbers))
        _keep(bits, unit, here, length, head, tail, flags, counts)
    return False


def extract(
    first: int, segment: int, flags: Any, offsets: Any, out: Any, tickets: Tickets, most: int, release: bool
) -> bool:
    for unit, here, _ in _segments(first, len(flags), segment, tickets):
        at = int(offsets[unit])
        for i in here:
            for bit, residue in enumerate(WHEEL):
                if int(flags[i]) >> bit & 1:
                    out[at] = 30 * (first + i) + residue
                    at += 1
    return False


# --- how many primes below x? -----------------------------------------------------------------------------------------

UNSIEVED, TURN, LEFT = 5, 2310, 480


def tabulate(
    factors: Any, primes: Any, pi: Any, m: Any, signed: Any, found: Any, tickets: Tickets, most: int, release: bool
) -> bool:
    """What the compiled door does, by the definitions; ``factors`` remembers the smallest factor alone."""
    smallest_factor = memoryview(factors)
    for first, last in tickets:
        for n in range(first, last):
            if n == 0:
                found[:] = 0, 0
            if n > 1 and smallest_factor[n] in (0, n):  # called twice, it answers twice
                primes[found[0]] = n
                found[0] += 1
                for multiple in range(n, len(smallest_factor), n):
                    smallest_factor[multiple] = smallest_factor[multiple] or n
            pi[n] = found[0]
            if n % 2 and n % 3 and n % 5 and n % 7 and n % 11:
                mu, rest = 1, n
                while rest > 1 and mu:
                    p = smallest_factor[rest]
                    rest //= p
                    mu = 0 if rest % p == 0 else -mu
                if mu:
                    m[found[1]] = n
                    signed[found[1]] = mu * (smallest_factor[n] if n > 1 else 0x7FFFFFFF)
                    found[1] += 1
    return False


def ordinary_leaves(
    x: int, m: Any, signed: Any, left: Any, total: Any, tickets: Tickets, most: int, release: bool
) -> bool:
    for first, last in tickets:
        for i in range(first, last):
            turns, rest = divmod(int(x) // int(m[i]), TURN)
            phi = turns * LEFT + int(left[rest])
            total[0] += phi if signed[i] > 0 else -phi
    return False


def easy_leaves(
    x: int, y: int, before: int, primes: Any, pi: Any, total: Any, tickets: Tickets, most: int, release: bool
) -> bool:
    x, y, before = int(x), int(y), int(before)
    table, rank = memoryview(primes), memoryview(pi)
    for first, last in tickets:
        for b in range(before + first, before + last):
            p = table[b]
            low = max(p, x // p // (y + 1))
            if low < y:
                known = table[rank[low] : rank[max(low, min(y, x // p // p))]]
                trivial = len(table) - rank[low] - len(known)
                total[0] += sum(rank[x // (p * q)] - b + 1 for q in known) + trivial
    return False


def hard_leaves(
    x: int, y: int, start: int, primes: Any, pi: Any, m: Any, signed: Any, pattern: Any, sums: Any, counts: Any,
    weights: Any, sieve: Any, tickets: Tickets, most: int, release: bool,
) -> bool:  # fmt: skip
    """What the compiled door does, on a flag for every odd number; the primes above y by testing each number."""
    x, y, start = int(x), int(y), int(start)
    table, rank, numbers, factors = memoryview(primes), memoryview(pi), memoryview(m), memoryview(signed)
    sieving = counts.shape[1] - 1
    for first, end in tickets:
        for k in range(first, end):
            low = start + k * 128 * (len(sieve) // 2)
            high = start + (k + 1) * 128 * (len(sieve) // 2)
            flags = bytearray(b"\1") * ((high - low) // 2)  # flag i stands for low + 2i + 1
            added = 0

            def count(u: int, flags: bytearray = flags, low: int = low) -> int:
                return flags.count(1, 0, (u - low + 1) // 2)

            for b in range(sieving):
                p = table[b]
                if b >= UNSIEVED and p * p <= (x // low if low else y * y):
                    counts[k, b] = flags.count(1)
                    top, bottom = min(y, x // p // max(low, 1)), x // p // high
                    if p * p <= y:
                        indices = range(bisect(numbers, max(bottom, y // p)), bisect(numbers, top))
                        leaves = [(numbers[i], -factors[i]) for i in indices if abs(factors[i]) > p]
                    else:
                        bottom, top = max(bottom, p), min(top, x // p // (y + 1))
                        leaves = [(q, 1) for q in table[rank[bottom] : rank[top]]] if bottom < top else []
                    for factor, sign in leaves:
                        weights[k, b] += 1 if sign > 0 else -1
                        added += count(x // p // factor) if sign > 0 else -count(x // p // factor)
                if p > 2:
                    multiple = (low // p + 1) * p
                    i = (multiple + (0 if multiple % 2 else p) - low) // 2
                    flags[i::p] = bytes(len(range(i, len(flags), p)))
            counts[k, sieving] = flags.count(1)
            bottom, top = max(y, x // high), min(math.isqrt(x), x // max(low, 1))
            others = bytearray(b"\1") * max(0, top - bottom)  # flag i stands for bottom + 1 + i
            for p in table:
                if p * p > top:
                    break
                i = (bottom // p + 1) * p - bottom - 1
                others[i::p] = bytes(len(range(i, len(others), p)))
            for i, flag in enumerate(others):
                if flag:
                    added -= count(x // (bottom + 1 + i))
                    weights[k, sieving] -= 1
            sums[k] = added
    return False
