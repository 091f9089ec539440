"""Types of the compiled doors; see ext/primes.pyx. Every build has the same."""

from typing import Any

from numpy.typing import NDArray

from gilfree._tickets import Tickets

def is_prime(n: NDArray[Any], out: NDArray[Any], tickets: Tickets, most: int, release: bool, /) -> bool: ...
def count_by_test(
    start: int, last: int, count: NDArray[Any], tickets: Tickets, most: int, release: bool, /
) -> bool: ...
def sieve_odd(composite: NDArray[Any], tickets: Tickets, most: int, release: bool, /) -> bool: ...
def count_by_sieve(
    start: int,
    last: int,
    base: NDArray[Any],
    count: NDArray[Any],
    composite: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
