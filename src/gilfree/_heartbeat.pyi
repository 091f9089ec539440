"""Types of the compiled heartbeat; see ext/heartbeat.pyx."""

from collections.abc import Callable
from typing import Any, TypeAlias

Knock: TypeAlias = tuple[int, int, int, int, int, int, int, int, int]

class Heartbeat:
    def __init__(self, gap: float, seed: int = 1) -> None: ...
    def stop(self) -> None: ...
    def forget(self) -> None: ...
    @property
    def is_alive(self) -> bool: ...
    def watch(
        self,
        func: Callable[..., object],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        calls: int,
        seconds: float,
        hand_over: bool,
    ) -> tuple[int, float, list[Knock]]: ...

def now() -> int: ...
def spin(held: float, released: float = 0.0, times: int = 1) -> None: ...
def sleep_holding(seconds: float) -> None: ...
