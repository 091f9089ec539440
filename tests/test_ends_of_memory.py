"""No kernel reads or writes beyond its arrays: they lie against pages of memory that nobody may touch."""

import sys

import child
import pytest

from gilfree import backends

# Arrays that end, or begin, where a page does that the system guards: who touches it is ended by a signal.
CODE = """
import ctypes, mmap
import numpy as np
from gilfree import backends, pixels, primes, reductions

PAGE = mmap.PAGESIZE
pages = 32
memory = mmap.mmap(-1, (pages + 2) * PAGE)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
protect = ctypes.CDLL(None, use_errno=True).mprotect
for guard in (start, start + (pages + 1) * PAGE):
    assert protect(ctypes.c_void_p(guard), PAGE, 0) == 0, ctypes.get_errno()
random = np.random.default_rng(0)

def against(end, dtype, *shape):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    offset = PAGE * (pages + 1) - size if end else PAGE
    found = np.frombuffer(memory, dtype, int(np.prod(shape)), offset).reshape(shape)
    found.view(np.uint8)[...] = random.integers(0, 100, found.view(np.uint8).shape)  # no float is infinite or NaN
    return found

def everywhere(function, dtype, *shape, out=None):
    for end in (True, False):
        for backend in ("cython", None):  # without a name small arrays take another way
            image = against(end, dtype, *shape)
            expected = function(image.copy(), backend=backend)
            np.testing.assert_array_equal(function(image, backend=backend), expected)
            if out is not None:
                kept = image.copy()
                np.testing.assert_array_equal(function(kept, out=against(end, *out), backend=backend), expected)

for n in [*range(1, 37), 63, 64, 65, 129, 4099]:
    for channels in (3, 4):
        everywhere(pixels.grayscale, "u1", n, channels, out=("u1", n))
    everywhere(lambda x, **how: pixels.threshold(x, 50, **how), "u1", n, out=("u1", n))
    everywhere(lambda x, **how: pixels.histogram(x, **how)[0], "u1", n)
    everywhere(primes.is_prime, "u8", n, out=("?", n))
    for dtype in ("u1", "i2", "f4", "f8"):
        everywhere(reductions.sum, dtype, n)
        everywhere(reductions.max, dtype, n)
        everywhere(reductions.fsum, dtype, n)
        everywhere(reductions.count_nonzero, dtype, n)
        everywhere(lambda x, **how: reductions.argmin(x, axis=0, **how), dtype, n, 3)
    if n < 30:
        for method in ("mean", "gaussian"):
            way = lambda x, **how: pixels.adaptive_threshold(x, method=method, block_size=5, c=2, **how)
            everywhere(way, "u1", 5, n, out=("u1", 5, n))
        everywhere(lambda x, **how: pixels.threshold_local(x, 3, **how), "u2", 3, n, out=("f8", 3, n))
        everywhere(lambda x, **how: pixels.apply_hysteresis_threshold(x, 40, 80, **how), "u1", 3, n, out=("?", 3, n))
print("ok")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="guards pages as Linux does")
@pytest.mark.parametrize("isa", backends.isas() if backends.missing("cython") is None else ())
def test_nothing_is_read_or_written_beyond_arrays(isa: str) -> None:
    assert child.output(CODE, GILFREE_ISA=isa) == "ok"
