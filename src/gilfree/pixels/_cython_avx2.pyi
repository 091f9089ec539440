"""The same doors, built for AVX2."""

from gilfree.pixels._cython_baseline import *  # noqa: F403 - the very same
