"""Exact primality of 64-bit integers, neighbouring primes, factors, and counting of primes, over several threads."""

from __future__ import annotations

import math
import operator
from functools import cache, partial
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from gilfree import backends, parallel
from gilfree.arrays import as_array, check_out, in_c_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor
    from typing import SupportsIndex

    from numpy.typing import NDArray

    from gilfree.backends import Backend

__all__ = [
    "count_primes",
    "factorint",
    "is_prime",
    "iter_primes",
    "next_prime",
    "nth_prime",
    "prev_prime",
    "primerange",
]

TEST_GRAIN = 4096  # numbers a ticket, to fill vectors: 60 µs where most have small factors, 0.5 ms of 64-bit primes
TEST_PAUSE = 16  # tickets that take about 30 ms in the slowest build where all are 64-bit primes
SEARCH_GRAIN = 256  # numbers a ticket of next_prime: up to 0.2 ms, 0.5 ms in the slowest build
SEARCH_PAUSE = 64
LARGEST = 2**64 - 59  # the largest prime below 2**64

# Residues of 30 that a byte of the sieve has a bit for.
WHEEL = (1, 7, 11, 13, 17, 19, 23, 29)
LARGEST_PATTERN = 163  # the base has at least all primes that come as ready-made patterns, which clear their own bits
BASE_LIMIT = 30 * 2**13  # larger primes turn less than once in a segment: their multiples are marked one by one
SHORTEST_SEGMENT, LONGEST_SEGMENT = 2**17, 2**19  # bytes of the compiled sieve, a quarter of the second cache between
PLAIN_SEGMENT = 2**15  # bytes of the others: all of Numba's multiples go through it, so it should fit the first cache
SIEVE_PAUSE = 8  # tickets of one or four segments: 0.3 to 4 ms each
SHORT_BASE = 4096  # primes; a ticket begins with a division for each, which more segments than one must pay for
COUNTED_ROW = 2**32  # bytes, 10 s: how long the counts of all segments may get
MARKED_ROW = 2**23  # bytes: a worker's row fits a usual third cache, and the big primes are gone through seldom
MARKING = 2**25  # numbers whose primes, up to 16 MB, are marked at a time
MARK_GRAIN, MARK_PAUSE = 4096, 32  # primes a ticket: 20 µs at 10**18, 0.7 ms at 10**12
TEST_SEGMENT = 512  # bytes, 4096 numbers to test
TEST_SHARE = 16  # of the root: below it, going through all primes up to the root takes longer than testing each number
EXTRACTED = 2**17  # bytes a ticket: 0.1 ms
PIECE = 2**30  # numbers an executor's worker takes at a time: 0.1 s at 10**9, 2 s at 10**18
FIRST_WINDOW, LAST_WINDOW = 2**12, 2**26  # numbers


@overload
def is_prime(
    n: int | np.integer[Any],
    *,
    out: None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> bool: ...
@overload
def is_prime(
    n: int | np.integer[Any],
    *,
    out: NDArray[np.bool_],
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.bool_]: ...
@overload
def is_prime(
    n: NDArray[Any] | Sequence[Any],
    *,
    out: NDArray[np.bool_] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.bool_]: ...
def is_prime(
    n: Any,
    *,
    out: NDArray[np.bool_] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """Whether each number is prime: exact, never probable, for all numbers below 2**64.

    Parameters
    ----------
    n : int, array of any integer dtype and shape, or (nested) sequence of ints
        Negative numbers are not prime. An array is also what has ``__array__`` or a buffer.
    out : ndarray of bool, optional
        Array for the answers, of the shape of ``n``, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    bool or ndarray of bool
        A ``bool`` for an int, else an array (a NumPy bool for a 0-d array).

    Raises
    ------
    TypeError
        For bool, float, string, object and other dtypes, and for ``out`` of another dtype.
    OverflowError
        For an int of 2**64 or more.
    ValueError
        For ``out`` of another shape, read-only, or overlapping ``n``; for an unknown backend.

    Notes
    -----
    Compiled backends use the Baillie-PSW test with an extra strong Lucas test, which no composite below 2**64 passes
    (J. Feitsma's list of pseudoprimes, 2013; D. Jacobsen, "Pseudoprime Statistics, Tables, and Data"); the ``python``
    backend uses strong tests to the first 13 prime bases (J. Sorenson, J. Webster, Math. Comp. 86, 2017).
    """
    row = backends.resolve(backend)
    numbers = _as_uint64(n)
    if out is not None:
        check_out(out, numbers.shape, np.bool_, n, "n")
    parallel.check(threads, executor)
    answers = np.empty(numbers.shape, np.bool_)
    if numbers.size:
        parallel.run(
            row,
            backends.kernels("primes", row.name).is_prime,
            numbers.reshape(-1),
            answers.reshape(-1).view(np.uint8),
            units=numbers.size,
            grain=TEST_GRAIN,
            pause=TEST_PAUSE,
            threads=threads,
            executor=executor,
        )
    if out is not None:
        out[...] = answers
        return out
    return bool(answers) if _is_one(n, numbers) else answers[()]


@overload
def next_prime(
    n: int | np.integer[Any],
    *,
    out: None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> int: ...
@overload
def next_prime(
    n: int | np.integer[Any],
    *,
    out: NDArray[np.uint64],
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.uint64]: ...
@overload
def next_prime(
    n: NDArray[Any] | Sequence[Any],
    *,
    out: NDArray[np.uint64] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.uint64]: ...
def next_prime(
    n: Any,
    *,
    out: NDArray[np.uint64] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """The smallest prime above each number, exact up to the largest below 2**64.

    Parameters
    ----------
    n : int, array of any integer dtype and shape, or (nested) sequence of ints
        The prime after any number below 2 is 2.
    out : ndarray of uint64, optional
        Array for the primes, of the shape of ``n``, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    int or ndarray of uint64
        An ``int`` for an int, else an array (a NumPy uint64 for a 0-d array).

    Raises
    ------
    TypeError
        For bool, float, string, object and other dtypes, and for ``out`` of another dtype.
    OverflowError
        If there is no prime below 2**64 above a number: from 2**64 - 59 on. Nothing is written to ``out`` then.
    ValueError
        For ``out`` of another shape, read-only, or overlapping ``n``; for an unknown backend.

    Notes
    -----
    Candidates without factors below 67 are tested as by ``is_prime``. Those of many numbers are tested together.
    """
    numbers = _as_uint64(n)
    if numbers.size and numbers.max() >= LARGEST:
        found = int(numbers[numbers >= LARGEST].flat[0])
        raise OverflowError(f"n: got {found}, expected integers below 2**64 - 59, the largest prime below 2**64")
    return _adjacent(n, numbers, True, out, backend, threads, executor)


@overload
def prev_prime(
    n: int | np.integer[Any],
    *,
    out: None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> int: ...
@overload
def prev_prime(
    n: int | np.integer[Any],
    *,
    out: NDArray[np.uint64],
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.uint64]: ...
@overload
def prev_prime(
    n: NDArray[Any] | Sequence[Any],
    *,
    out: NDArray[np.uint64] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.uint64]: ...
def prev_prime(
    n: Any,
    *,
    out: NDArray[np.uint64] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Any:
    """The largest prime below each number, exact up to 2**64.

    Parameters
    ----------
    n : int, array of any integer dtype and shape, or (nested) sequence of ints
        From 3 to 2**64; the prime before that is 2**64 - 59.
    out : ndarray of uint64, optional
        Array for the primes, of the shape of ``n``, that shares no memory with it.
    backend, threads, executor
        See ``gilfree.use``.

    Returns
    -------
    int or ndarray of uint64
        An ``int`` for an int, else an array (a NumPy uint64 for a 0-d array).

    Raises
    ------
    TypeError
        For bool, float, string, object and other dtypes, and for ``out`` of another dtype.
    ValueError
        If there is no prime below a number: for 2 and less. Nothing is written to ``out`` then. For ``out`` of another
        shape, read-only, or overlapping ``n``; for an unknown backend.
    OverflowError
        For an int above 2**64.

    Notes
    -----
    See ``next_prime``.
    """
    # No number between the largest prime and 2**64 is prime, so its predecessor stands for 2**64.
    numbers = _as_uint64(n, largest=2**64)
    if numbers.size and numbers.min() <= 2:
        given = n if isinstance(n, np.ndarray) else np.array(n, dtype=object)
        low = given.reshape(-1)[numbers.reshape(-1) <= 2][0]
        raise ValueError(f"n: got {low}, expected integers above 2, the first prime")
    return _adjacent(n, numbers, False, out, backend, threads, executor)


def _adjacent(
    n: Any,
    numbers: NDArray[np.uint64],
    forward: bool,
    out: NDArray[np.uint64] | None,
    backend: str | None,
    threads: int | None,
    executor: Executor | None,
) -> Any:
    row = backends.resolve(backend)
    if out is not None:
        check_out(out, numbers.shape, np.uint64, n, "n")
    parallel.check(threads, executor)
    answers = np.empty(numbers.shape, np.uint64)
    if numbers.size:
        parallel.run(
            row,
            backends.kernels("primes", row.name).adjacent_prime,
            numbers.reshape(-1),
            int(forward),
            answers.reshape(-1),
            units=numbers.size,
            grain=SEARCH_GRAIN,
            pause=SEARCH_PAUSE,
            threads=threads,
            executor=executor,
        )
    if out is not None:
        out[...] = answers
        return out
    return int(answers) if _is_one(n, numbers) else answers[()]


def factorint(
    n: SupportsIndex,
    *,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> dict[int, int]:
    """Prime factors of an integer, each with its exponent.

    Parameters
    ----------
    n : int
        Of less than 2**64 in size.
    backend, threads, executor
        See ``gilfree.use``. One number is one thread's work.

    Returns
    -------
    dict
        From prime to exponent, primes ascending, so that the product of all ``prime**exponent`` is ``n``. As in SymPy,
        1 has no factors, 0 is ``{0: 1}``, and a negative number has the factor -1.

    Raises
    ------
    TypeError
        If ``n`` is not an int.
    OverflowError
        If ``n`` is 2**64 or more in size.
    ValueError
        For an unknown backend.

    Notes
    -----
    Trial division, then Pollard's rho (R. Brent, "An Improved Monte Carlo Factorization Algorithm", 1980); the compiled
    backends go on to elliptic curves (H. Lenstra, "Factoring integers with elliptic curves", 1987), which take 0.1 ms
    for two primes near 2**32 where rho takes 0.5 ms. Every factor is proven prime. One number is one thread's work.
    """
    row = backends.resolve(backend)
    if isinstance(n, (bool, np.bool_)) or not hasattr(n, "__index__") or isinstance(n, np.ndarray):
        raise TypeError(f"n: got {type(n).__name__}, expected an integer")
    number = operator.index(n)
    if abs(number) >= 2**64:
        raise OverflowError(f"n: got {number}, expected an integer of less than 2**64 in size")
    parallel.check(threads, executor)
    factors = np.zeros(64, np.uint64)
    parallel.run(
        row,
        backends.kernels("primes", row.name).factor,
        np.array([abs(number)], np.uint64),
        factors,
        units=1,
        grain=1,
        pause=1,
        threads=threads,
        executor=executor,
    )
    found: dict[int, int] = {-1: 1} if number < 0 else {0: 1} if number == 0 else {}
    for prime in factors[factors > 0].tolist():
        found[prime] = found.get(prime, 0) + 1
    return found


# --- which primes are in a range? ------------------------------------------------------------------------------------


def count_primes(
    start: SupportsIndex,
    stop: SupportsIndex | None = None,
    *,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> int:
    """Number of primes p with start <= p < stop; with one argument, with p < start.

    Parameters
    ----------
    start, stop : int
        Half open, as in ``range``. A negative start counts from 0; stop may be 2**64. Empty if start >= stop.
    backend, threads, executor
        See ``gilfree.use``. Workers of an executor without shared memory (a process pool, Dask's) take pieces of 2**30
        numbers and use one thread each, or ``threads``.

    Raises
    ------
    TypeError
        If a bound is not an int.
    OverflowError
        If a bound is above 2**64.

    Notes
    -----
    A segmented sieve of Eratosthenes on a wheel of 30, in memory proportional to ``sqrt(stop)`` and to the number of
    threads; in windows shorter than a sixteenth of that root each number is tested instead.

    Wide ranges with a stop up to 10**18 are not visited at all: primes below ``stop`` and below ``start`` are counted
    by Meissel's formula (J. Lagarias, V. Miller, A. Odlyzko, Math. Comp. 44, 1985; M. Deleglise, J. Rivat, Math.
    Comp. 65, 1996) in time about ``stop**(2/3)`` and memory about ``stop**(1/3)``. Below 10**12 that takes 25 ms on
    one core.
    """
    row = backends.resolve(backend)
    low, high = _bounds(start, stop)
    parallel.check(threads, executor, anywhere=True)
    if _counting_is_shorter(low, high, row):
        if not parallel.elsewhere(executor):
            return _count_below(high, row, threads, executor) - _count_below(low, row, threads, executor)
        ends = ((x, row.name, threads or 1) for x in (low, high))
        below_low, below_high = parallel.each(executor, _count_below_piece, ends)
        return int(below_high - below_low)
    if parallel.elsewhere(executor):
        return sum(parallel.each(executor, _count_piece, _pieces(low, high, row, threads)))
    return _count(low, high, row, threads, executor)


def primerange(
    start: SupportsIndex,
    stop: SupportsIndex | None = None,
    *,
    out: NDArray[np.uint64] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> NDArray[np.uint64]:
    """The primes p with start <= p < stop, ascending; with one argument, those with p < start.

    Parameters
    ----------
    start, stop : int
        Half open, as in ``range``. A negative start begins at 0; stop may be 2**64. Empty if start >= stop.
    out : ndarray of uint64, optional
        Array for the primes, of shape ``(count_primes(start, stop),)``.
    backend, threads, executor
        As for ``count_primes``.

    Returns
    -------
    ndarray of uint64
        Allocated once, at its exact size. Meanwhile the sieve's bits take a byte for 30 numbers of the range.

    Raises
    ------
    TypeError
        If a bound is not an int; for ``out`` of another dtype.
    OverflowError
        If a bound is above 2**64.
    ValueError
        For ``out`` of another shape, or read-only.

    Notes
    -----
    Found as ``count_primes`` does.
    """
    row = backends.resolve(backend)
    low, high = _bounds(start, stop)
    parallel.check(threads, executor, anywhere=True)
    if out is not None:
        check_out(out, np.shape(out), np.uint64, None, "start")
    if parallel.elsewhere(executor):
        pieces = list(parallel.each(executor, _primes_piece, _pieces(low, high, row, threads)))
        primes = np.empty(sum(map(len, pieces)), np.uint64) if out is None else out
        check_out(primes, (sum(map(len, pieces)),), np.uint64, None, "start")
        return np.concatenate(pieces, out=primes) if pieces else primes
    return _primes(low, high, row, threads, executor, out)


def iter_primes(
    start: SupportsIndex = 0,
    stop: SupportsIndex | None = None,
    *,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Iterator[int]:
    """Go through the primes p with start <= p < stop, or all from ``start`` to 2**64, in bounded memory.

    Parameters
    ----------
    start, stop : int
        Half open; a negative start begins at 0, stop may be 2**64.
    backend, threads, executor
        See ``gilfree.use``; a backend and a number of threads chosen by ``gilfree.use`` are those of the call.

    Returns
    -------
    iterator of int
        It works in windows, the first of which are short, and keeps no more than one: 2**26 numbers, 30 MB of primes.

    Raises
    ------
    TypeError, OverflowError
        As ``count_primes``, at the call and not at the first prime.
    """
    row = backends.resolve(backend)
    low, high = _bounds(start, 2**64 if stop is None else stop)
    count = None if row.threads == "numba" and threads is None else parallel.thread_count(threads)
    parallel.check(threads, executor)
    return _iterate(low, high, row, count, executor)


def _iterate(low: int, high: int, row: Backend, threads: int | None, executor: Executor | None) -> Iterator[int]:
    size = FIRST_WINDOW
    while low < high:
        window = min(low + size, high)
        primes = _primes(low, window, row, threads, executor)
        for i in range(0, len(primes), FIRST_WINDOW):  # a list of Python's ints takes four times the memory
            yield from primes[i : i + FIRST_WINDOW].tolist()
        low, size = window, min(2 * size, LAST_WINDOW // row.slowness)


def _count(low: int, high: int, row: Backend, threads: int | None, executor: Executor | None) -> int:
    found = sum(low <= p < high for p in (2, 3, 5))
    return found + sum(int(counts.sum()) for _, _, counts, _ in _rows(low, high, row, threads, executor, keep=False))


def _primes(
    low: int,
    high: int,
    row: Backend,
    threads: int | None,
    executor: Executor | None,
    out: NDArray[np.uint64] | None = None,
) -> NDArray[np.uint64]:
    few = [p for p in (2, 3, 5) if low <= p < high]
    rows = list(_rows(low, high, row, threads, executor, keep=True))
    size = len(few) + sum(int(counts.sum()) for _, _, counts, _ in rows)
    if out is not None:
        check_out(out, (size,), np.uint64, None, "start")
    packed = out is not None and out.flags.c_contiguous and out.flags.aligned
    primes = out if out is not None and packed else np.empty(size, np.uint64)
    primes[: len(few)] = few
    at = len(few)
    for first, segment, counts, flags in rows:
        offsets = np.concatenate([[at], at + np.cumsum(counts)])
        if offsets[-1] > at:
            parallel.run(
                row,
                backends.kernels("primes", row.name).extract,
                *(first, segment, flags, offsets, primes),
                units=len(counts),
                grain=max(1, EXTRACTED // segment),
                pause=TEST_PAUSE,
                threads=threads,
                executor=executor,
            )
        at = int(offsets[-1])
    if out is None or packed:
        return primes
    out[...] = primes
    return out


def _rows(
    low: int, high: int, row: Backend, threads: int | None, executor: Executor | None, *, keep: bool
) -> Iterator[tuple[int, int, NDArray[np.int64], NDArray[np.uint8]]]:
    """Find the primes from 7 on in [low, high), row by row.

    Yields
    ------
    first, segment, counts, flags
        The byte of all numbers at which the row begins, bytes a segment, the primes in each segment, and the bits of
        the row, or none where they are not to be kept.
    """
    low = max(low, 7)
    if low >= high:
        return
    doors = backends.kernels("primes", row.name)
    root = math.isqrt(high - 1)
    testing = high - low < root // TEST_SHARE
    marking = not testing and root > BASE_LIMIT
    first, end = low // 30, (high - 1) // 30 + 1
    how: dict[str, Any] = {"threads": threads, "executor": executor}
    most = MARKED_ROW if marking else end - first if keep else COUNTED_ROW
    most = -(-(end - first) // -(-(end - first) // most))  # no short row at the end, which few threads could share
    rows: list[NDArray[np.uint8]] = []  # to mark, one a worker
    for begin in range(first, end, most):
        length = min(most, end - begin)
        head, tail = 0xFF, 0xFF
        if begin == first:
            head = sum(1 << bit for bit, residue in enumerate(WHEEL) if 30 * first + residue >= low)
        if begin + length == end:
            tail = sum(1 << bit for bit, residue in enumerate(WHEEL) if 30 * (end - 1) + residue < high)
        segment = TEST_SEGMENT if testing else _segment(row)
        units = -(-length // segment)
        counts = np.empty(units, np.int64)
        flags = np.empty(length if keep else 0, np.uint8)
        if testing:
            buffers = begin, length, segment, head, tail, flags, counts
            parallel.run(row, doors.test, *buffers, units=units, grain=1, pause=TEST_PAUSE, **how)
        else:
            base = _base(row.name)
            base = base[: np.searchsorted(base, max(root, LARGEST_PATTERN), "right")]
            marks = _marks(rows, begin, length, root, row, **how) if marking else np.empty(0, np.uint8)
            largest = int(base[-1]) if len(base) else 0
            scratch = min(segment, length) + 2 * (largest + 1) + 1024
            parallel.run(
                row,
                doors.sieve,
                *(begin, length, segment, backends.cache_size(1), head, tail, base, marks, flags, counts),
                units=units,
                grain=1 if len(base) < SHORT_BASE else 4,
                pause=SIEVE_PAUSE,
                private=partial(_sieve_buffers, scratch, len(base)),
                **how,
            )
        yield begin, segment, counts, flags


def _sieve_buffers(scratch: int, turns: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    return np.empty(scratch, np.uint8), np.empty(turns, np.int32)


def _segment(row: Backend) -> int:
    """Bytes a segment of the sieve, several of which an answer does not depend on."""
    if row.compiler != "C":
        return PLAIN_SEGMENT
    return min(max(backends.cache_size(2) // 4, SHORTEST_SEGMENT), LONGEST_SEGMENT)


def _marks(
    rows: list[NDArray[np.uint8]],
    first: int,
    length: int,
    root: int,
    row: Backend,
    threads: int | None,
    executor: Executor | None,
) -> NDArray[np.uint8]:
    """Bits of a row without the multiples of the primes from BASE_LIMIT to ``root``, which are never all in memory.

    ``rows`` are the workers' own, kept from one row to the next, since fresh memory would cost as much as the marks.
    """
    mark = backends.kernels("primes", row.name).mark
    for own in rows:
        own[:] = 0xFF
    for low in range(BASE_LIMIT, root + 1, MARKING):
        primes = _primes(low, min(low + MARKING, root + 1), row, threads, executor)
        if not len(primes):
            continue
        spare = rows.copy()
        owned = parallel.run(
            row,
            mark,
            *(first, length, primes),
            units=len(primes),
            grain=MARK_GRAIN,
            pause=MARK_PAUSE,
            threads=threads,
            executor=executor,
            private=partial(_marked_row, spare, length),
        )
        rows[:] = spare + [buffers[0] for buffers in owned]
    for own in rows[1:]:
        np.bitwise_and(rows[0], own, out=rows[0])
    return rows[0][:length] if rows else np.empty(0, np.uint8)


def _marked_row(spare: list[NDArray[np.uint8]], length: int) -> tuple[NDArray[np.uint8]]:
    return (spare.pop() if spare else np.full(length, 0xFF, np.uint8),)


@cache
def _base(backend: str) -> NDArray[np.uint32]:
    """The primes from 7 to BASE_LIMIT, found with those up to its root."""
    row = backends.BACKENDS[backend]
    doors = backends.kernels("primes", backend)
    root = math.isqrt(BASE_LIMIT)
    base = np.array([n for n in range(7, root) if all(n % p for p in range(2, math.isqrt(n) + 1))], np.uint32)
    length = BASE_LIMIT // 30
    flags, counts, nothing = np.empty(length, np.uint8), np.empty(1, np.int64), np.empty(0, np.uint8)
    own = np.empty(length + 2 * root + 1024, np.uint8), np.empty(len(base), np.int32)
    one: dict[str, Any] = {"units": 1, "grain": 1, "pause": 1}
    buffers = 0, length, length, PLAIN_SEGMENT, 0xFE, 0xFF, base, nothing, flags, counts
    parallel.run(row, doors.sieve, *buffers, *own, **one)
    primes = np.empty(counts[0], np.uint64)
    parallel.run(row, doors.extract, 0, length, flags, np.array([0, len(primes)]), primes, **one)
    return primes.astype(np.uint32)


def _pieces(low: int, high: int, row: Backend, threads: int | None) -> Iterator[tuple[int, int, str, int]]:
    """What workers elsewhere are asked for; cut at fixed places, whatever their number."""
    for begin in range(low - low % PIECE, high, PIECE):
        yield max(low, begin), min(begin + PIECE, high), row.name, threads or 1


def _count_piece(low: int, high: int, backend: str, threads: int) -> int:
    return _count(low, high, backends.resolve(backend), threads, None)


def _count_below_piece(x: int, backend: str, threads: int) -> int:
    return _count_below(x, backends.resolve(backend), threads, None)


def _primes_piece(low: int, high: int, backend: str, threads: int) -> NDArray[np.uint64]:
    return _primes(low, high, backends.resolve(backend), threads, None)


def _bounds(start: Any, stop: Any) -> tuple[int, int]:
    low = _bound(start, "start")
    return (0, low) if stop is None else (low, _bound(stop, "stop"))


def _integer(value: Any, argument: str) -> int:
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{argument}: got {type(value).__name__}, expected an integer")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{argument}: got {type(value).__name__}, expected an integer") from None


def _bound(value: Any, argument: str) -> int:
    number = _integer(value, argument)
    if number > 2**64:
        raise OverflowError(f"{argument}: got {number}, expected at most 2**64")
    return max(number, 0)


def _as_uint64(n: Any, largest: int = 2**64 - 1) -> NDArray[np.uint64]:
    """C-contiguous native uint64 of the shape of ``n``; 0, which is not prime, stands for every negative number.

    Where 2**64 is allowed, 2**64 - 1 stands for it.
    """
    if isinstance(n, range) and all(-(2**63) <= end < 2**63 for end in (n.start, n.stop)):
        n = np.arange(n.start, n.stop, n.step, dtype=np.int64)
    elif _is_array_like(n):
        n = as_array(n, "n")
        n = n.tolist() if n.dtype.kind == "O" else n
    if not isinstance(n, (np.ndarray, np.generic)):
        # As objects, so that NumPy does not make floats of ints beyond int64.
        objects = np.array(n, dtype=object)
        return np.array([_number(item, largest) for item in objects.ravel()], np.uint64).reshape(objects.shape)
    array = as_array(n, "n")
    if array.dtype.kind not in "iu":
        raise TypeError(f"n: got dtype {array.dtype}, expected an integer dtype or ints")
    if array.dtype.kind == "i":
        array = np.maximum(array, array.dtype.type(0))
    numbers: NDArray[np.uint64] = in_c_order(array, np.uint64).reshape(array.shape)
    return numbers


def _is_one(n: Any, numbers: NDArray[np.uint64]) -> bool:
    """Whether a Python number is asked for: of what has no dimensions and is no array."""
    return numbers.ndim == 0 and not isinstance(n, np.ndarray)


def _is_array_like(n: Any) -> bool:
    """Whether NumPy would take it as an array of one dtype: what says how, or has a buffer."""
    if isinstance(n, (int, list, tuple, range, str, bytes, np.ndarray, np.generic)):
        return False
    if hasattr(n, "__array__") or hasattr(n, "__array_interface__"):
        return True
    try:
        memoryview(n)
    except TypeError:
        return False
    return True


def _number(item: Any, largest: int) -> int:
    if isinstance(item, (bool, np.bool_)) or not hasattr(item, "__index__"):
        raise TypeError(f"n: got {type(item).__name__}, expected integers")
    number = operator.index(item)
    if number > largest:
        below = "below 2**64" if largest < 2**64 else "up to 2**64"
        raise OverflowError(f"n: got {number}, expected integers {below}")
    return min(max(number, 0), 2**64 - 1)


# --- how many primes below x? ----------------------------------------------------------------------------------------

LEAF_SEGMENT = 2**18  # numbers a unit of hard_leaves: 16 KiB of bits for the odd ones, half a usual L1 cache
ROUND = 64  # segments whose results wait in memory to be added
TURN = 2310  # what one of its prime factors divides is never sieved

# Below it, the primes of TURN may be more than those up to the cube root.
COMBINATORIAL_LEAST = 2000
# Up to it the sums of all leaves, about x, stay below 2**63, the tables take 0.4 GB, and the count some minutes.
COMBINATORIAL_LIMIT = 10**18

# The time it takes, as how many numbers a sieve visits meanwhile, at 10**10 a second and core: 0.4 ms at 10**9, 24 ms
# at 10**12, 1.7 s at 10**15. Some of it, and waking threads five times, is shared by no threads.
COMBINATORIAL_FIXED = 5 * 10**6
COMBINATORIAL_GROWTH = 12, 0.61  # times x to the power of
COMBINATORIAL_PYTHON = 16  # times longer yet, against the interpreter's own sieve, whose slices C fills: at 10**10

LEAVES = 2600  # y / cbrt(x) = log(x)**3 / LEAVES: 3.4 at 10**9, 8 at 10**12, 16 at 10**15, within a tenth of the best
TABLE_GRAIN = 2**12  # numbers a ticket: 50 µs
TABLE_PAUSE = 32  # tickets: 2 ms, but where tables are larger than any cache up to 100
EASY_GRAIN = 4  # primes a ticket: 20 µs at 10**12, 20 ms at 10**18
EASY_PAUSE = 2 * 10**16  # divided by x: tickets that take about 30 ms
CROWDED = 10**13  # above it, the leaves below the root of x are worth small segments
HARD_PAUSE = 8  # segments: 0.2 to 5 ms each


def _counting_is_shorter(low: int, high: int, row: Backend) -> bool:
    """Whether to count the primes below ``high`` and below ``low`` takes less time than to visit what lies between."""
    if not COMBINATORIAL_LEAST <= high <= COMBINATORIAL_LIMIT:
        return False
    factor, power = COMBINATORIAL_GROWTH
    slow = COMBINATORIAL_PYTHON if row.slowness > 1 else 1
    cost: float = sum(COMBINATORIAL_FIXED + slow * factor * x**power for x in (low, high) if x >= COMBINATORIAL_LEAST)
    return cost < high - low


def _count_below(x: int, row: Backend, threads: int | None, executor: Executor | None) -> int:
    """Number of primes below ``x``, at most COMBINATORIAL_LIMIT, without visiting them.

    What the leaves are is told in ``ext/primes.pyx``.
    """
    if x < COMBINATORIAL_LEAST:
        return _count(0, x, row, threads, executor)
    x -= 1  # pi counts x itself
    doors = backends.kernels("primes", row.name)
    how: dict[str, Any] = {"threads": threads, "executor": executor}
    y = _leaf_border(x)
    # Tables up to y, each number from those before: one worker's job.
    primes, m = np.empty(y + 1, np.uint32), np.empty(y // 4 + 500, np.uint32)
    pi, signed, found = np.empty(y + 1, np.uint32), np.empty(len(m), np.int32), np.zeros(2, np.int64)
    tables = np.zeros(y + 1, np.uint32), primes, pi, m, signed, found
    parallel.run(row, doors.tabulate, *tables, units=y + 1, grain=TABLE_GRAIN, pause=TABLE_PAUSE, threads=1)
    primes, m, signed = primes[: found[0]], m[: found[1]], signed[: found[1]]
    left, pattern = _wheel()
    numbers = np.int64(x), np.int64(y)

    def one_total() -> tuple[NDArray[np.int64]]:
        return (np.zeros(1, np.int64),)

    ordinary = parallel.run(
        row, doors.ordinary_leaves, numbers[0], m, signed, left,
        units=len(m), grain=4096, pause=512, private=one_total, **how,
    )  # fmt: skip
    before = max(5, int(pi[math.isqrt(y)]))
    easy = parallel.run(
        row, doors.easy_leaves, *numbers, np.int64(before), primes, pi,
        units=len(primes) - before, grain=EASY_GRAIN, pause=max(2, EASY_PAUSE // x), private=one_total, **how,
    )  # fmt: skip
    total = sum(int(buffers[0][0]) for buffers in (*ordinary, *easy))

    last = x // y
    sieving = max(5, int(pi[math.isqrt(last)]))
    below = np.zeros(sieving + 1, np.int64)  # what the first b primes leave of all segments so far
    others = 0  # primes above y, up to the root of x
    start = 0
    while start <= last:
        # Below the root of x lie nearly all leaves, up to a second's work in LEAF_SEGMENT.
        crowded = start * start < x and x > CROWDED
        segment = LEAF_SEGMENT // 8 if crowded else LEAF_SEGMENT
        units = min(ROUND, -(-(last + 1 - start) // segment))
        sums = np.zeros(units, np.int64)
        counts, weights = np.zeros((2, units, sieving + 1), np.int64)
        parallel.run(
            row, doors.hard_leaves, *numbers, np.int64(start), primes, pi, m, signed, pattern, sums, counts, weights,
            units=units, grain=1, pause=1 if crowded else HARD_PAUSE,
            private=partial(_sieve, segment), **how,
        )  # fmt: skip
        ends = below + np.cumsum(counts, axis=0)
        total += int(sums.sum()) + int((weights * (ends - counts)).sum())
        others -= int(weights[:, -1].sum())
        below = ends[-1]
        start += units * segment
    a = len(primes)
    # pi(x / p) - pi(p) + 1 products of p and a prime from p on; pi(u) = phi(u, sieving) + sieving - 1
    total -= others * (sieving - 1)
    total += ((a + others) * (a + others - 1) - a * (a - 1)) // 2
    return total + a - 1


def _sieve(segment: int) -> tuple[NDArray[np.uint64]]:
    """A bit for each odd number of a segment, and of what is sieved beside it."""
    return (np.empty(segment // 64 + 1, np.uint64),)


def _leaf_border(x: int) -> int:
    """The y of Meissel's formula, above the cube root of x: the larger, the less to sieve, and the more leaves."""
    y = int(x ** (1 / 3) * max(1.5, math.log(x) ** 3 / LEAVES))
    return min(y + 2, math.isqrt(x))


@cache
def _wheel() -> tuple[NDArray[np.uint16], NDArray[np.uint64]]:
    """How many of 1 ... i have no factor below 13, and a bit for each odd number of 64 turns that says whether."""
    coprime = np.gcd(np.arange(TURN), TURN) == 1
    bits = np.packbits(np.tile(coprime[1::2], 64), bitorder="little")
    return np.cumsum(coprime).astype(np.uint16), bits.view("<u8").astype(np.uint64)


# --- the n-th prime --------------------------------------------------------------------------------------------------

PRIMES = 425656284035217743  # below 2**64 (oeis.org/A007053)
WINDOW = 2**22  # numbers looked through at once for the n-th prime, at most: 32 MB


def nth_prime(
    n: SupportsIndex,
    *,
    backend: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> int:
    """The n-th prime; the first is 2.

    Parameters
    ----------
    n : int
        From 1 to 425656284035217743, the number of primes below 2**64.
    backend, threads, executor
        See ``gilfree.use``.

    Raises
    ------
    TypeError
        If ``n`` is not an int.
    ValueError
        If ``n`` is below 1; for an unknown backend.
    OverflowError
        If the n-th prime is above 2**64.

    Notes
    -----
    Primes are counted below the number where Riemann's formula expects n of them (B. Riemann, 1859; in the series of
    J. Gram, 1884); the n-th is near, about ``n**(1/2)`` numbers away, which are looked through. So it takes as long as
    ``count_primes``: 30 ms for n = 4 * 10**10 on one core, minutes for 2 * 10**16; beyond that, where nothing but a
    sieve counts, years.
    """
    row = backends.resolve(backend)
    rank = _integer(n, "n")
    if rank < 1:
        raise ValueError(f"n: got {rank}, expected at least 1")
    if rank > PRIMES:
        raise OverflowError(f"n: got {rank}, expected at most {PRIMES}, the number of primes below 2**64")
    parallel.check(threads, executor)
    near = min(_expected_prime(rank), 2**64)
    missing = rank - count_primes(near, backend=row.name, threads=threads, executor=executor)
    while True:
        # A tenth more than as many primes usually take.
        step = min(int(abs(missing) * math.log(near) * 1.1) + 500, WINDOW)
        alone = 1 if step < 2**14 else threads  # waking threads would cost more than they save
        if missing > 0:
            found = _primes(near, min(near + step, 2**64), row, alone, executor)
            if len(found) >= missing:
                return int(found[missing - 1])
            missing -= len(found)
            near += step
        else:
            found = _primes(max(near - step, 0), near, row, alone, executor)
            if len(found) > -missing:
                return int(found[missing - 1])
            missing += len(found)
            near -= step


def _expected_prime(n: int) -> int:
    """The number below which Riemann's formula expects n primes."""
    x = max(2.0, n * math.log(n + 1))
    for _ in range(20):
        step = (n - _expected_count(x)) * math.log(x)
        x = max(2.0, x + step)
        if abs(step) < 1 + 1e-15 * x:
            break
    return int(x)


def _expected_count(x: float) -> float:
    """Riemann's R(x), which differs from pi(x) by about its root: 1 + sum of log(x)**k / (k! k zeta(k + 1))."""
    total, power, k = 1.0, 1.0, 1
    while k < 8 or power > 1e-17 * total:
        power *= math.log(x) / k
        total += power / (k * _zeta(k + 1))
        k += 1
    return total


@cache
def _zeta(s: int) -> float:
    """Riemann's zeta: nine terms, and Euler and Maclaurin's for all others."""
    tail = 10.0 ** (1 - s) / (s - 1) + 10.0**-s / 2 + s * 10.0 ** (-s - 1) / 12
    return math.fsum(float(n) ** -s for n in range(1, 10)) + tail
