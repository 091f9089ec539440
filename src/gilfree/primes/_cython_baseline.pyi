"""Types of the compiled doors; see ext/primes.pyx. Every build has the same."""

from typing import Any

from numpy.typing import NDArray

from gilfree._tickets import Tickets

def is_prime(n: NDArray[Any], out: NDArray[Any], tickets: Tickets, most: int, release: bool, /) -> bool: ...
def adjacent_prime(
    n: NDArray[Any], forward: int, out: NDArray[Any], tickets: Tickets, most: int, release: bool, /
) -> bool: ...
def factor(n: NDArray[Any], out: NDArray[Any], tickets: Tickets, most: int, release: bool, /) -> bool: ...
def sieve(
    first: int,
    length: int,
    segment: int,
    block: int,
    head: int,
    tail: int,
    base: NDArray[Any],
    marks: NDArray[Any],
    flags: NDArray[Any],
    counts: NDArray[Any],
    scratch: NDArray[Any],
    turns: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def mark(
    first: int,
    length: int,
    primes: NDArray[Any],
    row: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def test(
    first: int,
    length: int,
    segment: int,
    head: int,
    tail: int,
    flags: NDArray[Any],
    counts: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def extract(
    first: int,
    segment: int,
    flags: NDArray[Any],
    offsets: NDArray[Any],
    out: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def tabulate(
    factors: NDArray[Any],
    primes: NDArray[Any],
    pi: NDArray[Any],
    m: NDArray[Any],
    signed: NDArray[Any],
    found: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def ordinary_leaves(
    x: int,
    m: NDArray[Any],
    signed: NDArray[Any],
    left: NDArray[Any],
    total: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def easy_leaves(
    x: int,
    y: int,
    before: int,
    primes: NDArray[Any],
    pi: NDArray[Any],
    total: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def hard_leaves(
    x: int,
    y: int,
    start: int,
    primes: NDArray[Any],
    pi: NDArray[Any],
    m: NDArray[Any],
    signed: NDArray[Any],
    pattern: NDArray[Any],
    sums: NDArray[Any],
    counts: NDArray[Any],
    weights: NDArray[Any],
    sieve: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
