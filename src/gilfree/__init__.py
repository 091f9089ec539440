"""CPU-bound kernels that let go of the GIL, and instruments that show what the GIL costs."""

from typing import Any

from gilfree import pixels, primes, reductions
from gilfree.parallel import use

__all__ = ["__version__", "info", "pixels", "primes", "reductions", "use"]


def __getattr__(name: str) -> Any:
    # Both are looked up when first asked for: importing gilfree stays light.
    if name == "__version__":
        from importlib.metadata import version

        return version("gilfree")
    if name == "info":
        from gilfree.explore.machine import info

        return info
    raise AttributeError(f"module 'gilfree' has no attribute {name!r}")
