"""CPU-bound kernels that let go of the GIL, and instruments that show what the GIL costs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gilfree import pixels, primes, reductions
    from gilfree.explore.machine import info
    from gilfree.explore.probe import Probe, assert_releases_gil, max_stall, probe
    from gilfree.interpreter import imports
    from gilfree.parallel import use

__all__ = [
    "Probe",
    "__version__",
    "assert_releases_gil",
    "imports",
    "info",
    "max_stall",
    "pixels",
    "primes",
    "probe",
    "reductions",
    "use",
]

# Name → where it is. All are looked up when first asked for: importing gilfree alone imports nothing, not even NumPy,
# so that its pytest plugin costs a test run that does not use it nothing.
_WHERE = {
    "Probe": "gilfree.explore.probe",
    "assert_releases_gil": "gilfree.explore.probe",
    "imports": "gilfree.interpreter",
    "info": "gilfree.explore.machine",
    "max_stall": "gilfree.explore.probe",
    "probe": "gilfree.explore.probe",
    "use": "gilfree.parallel",
}
_FAMILIES = ("pixels", "primes", "reductions")


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        found = getattr(import_module(_WHERE[name]), name)
    elif name in _FAMILIES:
        found = import_module(f"gilfree.{name}")
    elif name == "__version__":
        from importlib.metadata import version

        found = version("gilfree")
    else:
        raise AttributeError(f"module 'gilfree' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
