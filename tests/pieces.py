"""Functions whose behaviour towards the GIL is known, to check the instruments against."""

import ctypes
import sys
import time
from collections.abc import Callable

from gilfree import interpreter
from gilfree._heartbeat import sleep_holding, spin

HOLDS = frozenset({"holds", "holds-blocked", "yields"})
LETS_GO = frozenset({"releases", "partial", "no-gil"})


def bytecode() -> int:
    total = 0
    for number in range(100_000):
        total += number
    return total


_holding = ctypes.PyDLL(None) if sys.platform != "win32" else None  # calls C without letting go


def blocked() -> None:
    """Asleep for 20 ms, with the GIL."""
    if _holding is None:
        sleep_holding(0.02)
    else:
        _holding.usleep(20_000)


# name → what to call, and the verdict that is right where there is a GIL
PIECES: dict[str, tuple[Callable[[], object], str]] = {
    "hold-1-ms": (lambda: spin(1e-3), "holds"),
    "hold-5-ms": (lambda: spin(5e-3), "holds"),
    "hold-20-ms": (lambda: spin(20e-3), "holds"),
    "hold-200-ms": (lambda: spin(200e-3), "holds"),
    "release-20-ms": (lambda: spin(0, 20e-3), "releases"),
    "hold-5-release-15-ms": (lambda: spin(5e-3, 15e-3), "partial"),
    "sleep-20-ms-holding": (blocked, "holds-blocked"),
    "release-50-us-200-times": (lambda: spin(0, 50e-6, 200), "releases"),
    "sleep-20-ms": (lambda: time.sleep(0.02), "releases"),
    "bytecode": (bytecode, "yields"),
}


def right(name: str) -> str:
    """The verdict that is right here."""
    return PIECES[name][1] if interpreter.gil_enabled() else "no-gil"


def lets_go(name: str) -> bool:
    return right(name) in LETS_GO
