"""Types of the compiled doors; see ext/reductions.pyx. Every build has the same."""

from typing import Any

from numpy.typing import NDArray

from gilfree._tickets import Tickets

def sum_integer(
    x: NDArray[Any], partials: NDArray[Any], tickets: Tickets, most: int, release: bool, /
) -> bool: ...
def sum_real(
    x: NDArray[Any], partials: NDArray[Any], tickets: Tickets, most: int, release: bool, /
) -> bool: ...
def min_integer(
    x: NDArray[Any], partials: NDArray[Any], tickets: Tickets, most: int, release: bool, /
) -> bool: ...
def max_integer(
    x: NDArray[Any], partials: NDArray[Any], tickets: Tickets, most: int, release: bool, /
) -> bool: ...
def min_real(
    x: NDArray[Any], partials: NDArray[Any], tickets: Tickets, most: int, release: bool, /
) -> bool: ...
def max_real(
    x: NDArray[Any], partials: NDArray[Any], tickets: Tickets, most: int, release: bool, /
) -> bool: ...
def join(partials: NDArray[Any], out: NDArray[Any], /) -> None: ...
