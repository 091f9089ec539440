"""Exact primality of 64-bit integers and counting of primes, over several threads."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from gilfree import backends, parallel
from gilfree.arrays import check_out, in_c_order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor
    from typing import SupportsIndex

    from numpy.typing import NDArray

    from gilfree.backends import Backend

__all__ = ["count_primes", "is_prime"]

TEST_GRAIN = 512  # numbers a ticket: 50 µs where most have small factors, 400 µs of 64-bit primes
TEST_PAUSE = 64  # tickets that take about 30 ms where all are 64-bit primes
BLOCK = 1024  # numbers a unit of count_by_test
SEGMENT = 2**20  # numbers a unit of count_by_sieve
SIEVE_PAUSE = 8  # segments: 0.5 ms each at 10**9, 8 ms at 2**48

# Above it, each segment visits so many base primes (a million at 2**48) that testing its numbers one by one is as fast.
SIEVE_LIMIT = 2**48


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
        Negative numbers are not prime.
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
    single = not isinstance(n, (np.ndarray, list, tuple, range))
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
    return bool(answers) if single else answers[()]


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
        See ``gilfree.use``.

    Raises
    ------
    TypeError
        If a bound is not an int.
    OverflowError
        If a bound is above 2**64.

    Notes
    -----
    A segmented sieve of Eratosthenes, in memory proportional to ``sqrt(stop)``; above 2**48, and in windows shorter
    than that root, each odd number is tested instead.
    """
    row = backends.resolve(backend)
    low = _bound(start, "start")
    if stop is None:
        low, high = 0, low
    else:
        high = _bound(stop, "stop")
    parallel.check(threads, executor)
    if low >= high:
        return 0
    doors = backends.kernels("primes", row.name)
    bounds = np.uint64(low), np.uint64(high - 1)
    # The interpreter needs the lower limit for its segments to end soon after Ctrl-C.
    if high <= SIEVE_LIMIT // row.slowness and high - low >= math.isqrt(high):
        owned = parallel.run(
            row,
            doors.count_by_sieve,
            *bounds,
            _odd_primes(math.isqrt(high), row),
            units=-(-(high - low) // SEGMENT),
            grain=1,
            pause=SIEVE_PAUSE,
            threads=threads,
            executor=executor,
            private=lambda: (np.zeros(1, np.uint64), np.empty(SEGMENT // 2, np.uint8)),
        )
    else:
        owned = parallel.run(
            row,
            doors.count_by_test,
            *bounds,
            units=-(-(high - low) // BLOCK),
            grain=1,
            pause=TEST_PAUSE,
            threads=threads,
            executor=executor,
            private=lambda: (np.zeros(1, np.uint64),),
        )
    return sum(int(buffers[0][0]) for buffers in owned)


def _odd_primes(last: int, backend: Backend) -> NDArray[np.uint32]:
    """The odd primes up to ``last``."""
    composite = np.zeros(max(1, (last + 1) // 2), np.uint8)  # flag i stands for 2i + 1
    door = backends.kernels("primes", backend.name).sieve_odd
    parallel.run(backend, door, composite, units=1, grain=1, pause=1)
    return (2 * np.flatnonzero(composite == 0) + 1).astype(np.uint32)


def _bound(value: Any, argument: str) -> int:
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{argument}: got {type(value).__name__}, expected an integer")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument}: got {type(value).__name__}, expected an integer") from None
    if number > 2**64:
        raise OverflowError(f"{argument}: got {number}, expected at most 2**64")
    return max(number, 0)


def _as_uint64(n: Any) -> NDArray[np.uint64]:
    """C-contiguous native uint64 of the shape of ``n``; 0, which is not prime, stands for every negative number."""
    if not isinstance(n, (np.ndarray, np.generic)):
        # As objects, so that NumPy does not make floats of ints beyond int64.
        objects = np.array(n, dtype=object)
        return np.array([_number(item) for item in objects.ravel()], np.uint64).reshape(objects.shape)
    array = np.asarray(n)
    if array.dtype.kind not in "iu":
        raise TypeError(f"n: got dtype {array.dtype}, expected an integer dtype or ints")
    if array.dtype.kind == "i":
        array = np.maximum(array, array.dtype.type(0))
    numbers: NDArray[np.uint64] = in_c_order(array, np.uint64).reshape(array.shape)
    return numbers


def _number(item: Any) -> int:
    if isinstance(item, (bool, np.bool_)) or not hasattr(item, "__index__"):
        raise TypeError(f"n: got {type(item).__name__}, expected integers")
    number = operator.index(item)
    if number >= 2**64:
        raise OverflowError(f"n: got {number}, expected integers below 2**64")
    return max(number, 0)
