"""The same doors, built for AVX-512."""

from gilfree.primes._cython_baseline import *  # noqa: F403 - the very same
