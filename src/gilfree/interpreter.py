"""Which Python is this: GIL on, off, and who switched it back on."""

import json
import subprocess
import sys
import sysconfig
from importlib.machinery import ExtensionFileLoader

__all__ = ["free_threaded_build", "gil_enabled", "gil_enabled_by"]

# Imports the modules named on standard input, one by one, and prints the first after which the GIL is on.
_FIRST_TO_ENABLE = """
import importlib, json, sys
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except Exception:
        continue  # what cannot be imported alone did not switch anything
    if sys._is_gil_enabled():
        print(json.dumps(name))
        break
"""


def free_threaded_build() -> bool:
    """Whether this Python was built so that it can run without a GIL."""
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def gil_enabled() -> bool:
    """Whether there is a GIL right now: always, but for a free-threaded build that has it switched off."""
    is_enabled = getattr(sys, "_is_gil_enabled", None)  # new in Python 3.13
    return True if is_enabled is None else bool(is_enabled())


def gil_enabled_by() -> str | None:
    """Who switched the GIL back on in a free-threaded build; None where it is off or could never be off.

    An import is found by importing this process's extension modules again, one by one, in a child process (at most
    30 s). The answer reads ``"-X gil=1 or PYTHON_GIL=1"``, ``"import of package.module"``, or, where the child keeps
    the GIL off, ``"an import that no longer does so by itself"``.
    """
    if not (free_threaded_build() and gil_enabled()):
        return None
    if getattr(sys.flags, "gil", None) == 1:
        return "-X gil=1 or PYTHON_GIL=1"
    extensions = [
        name
        for name, module in sys.modules.items()
        if isinstance(getattr(getattr(module, "__spec__", None), "loader", None), ExtensionFileLoader)
    ]
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FIRST_TO_ENABLE],
        input=json.dumps(extensions),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if child.stdout:
        return f"import of {json.loads(child.stdout)}"
    return "an import that no longer does so by itself"
