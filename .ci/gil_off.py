"""Import every module of gilfree on a free-threaded Python, and fail if the GIL is on after any of them."""

import importlib
import pkgutil
import sys
import sysconfig

if not sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit("this is not a free-threaded Python")

import gilfree

imported, missing = [], []
for module in pkgutil.walk_packages(gilfree.__path__, "gilfree."):
    if module.name.endswith("__main__"):
        continue  # importing it runs the command line
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        # Numba and matplotlib may have no wheel here. A module of gilfree's own must be there.
        if error.name is None or error.name.partition(".")[0] == "gilfree":
            raise
        missing.append(f"{module.name} (no {error.name})")
    if sys._is_gil_enabled():
        sys.exit(f"importing {module.name} switched the GIL on")
    imported.append(module.name)

print(f"{len(imported)} modules imported, the GIL is off; not importable here: {', '.join(missing) or 'none'}")
