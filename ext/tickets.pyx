# cython: language_level=3
"""Hands out pieces of a range to workers, with or without the GIL; can be stopped from any thread."""

from operator import index

from libc.stdint cimport int64_t

from tickets cimport gilfree_load, gilfree_store, take


cdef class Tickets:
    """Pieces of ``range(stop)``, ``step`` long (the last one may be shorter), each handed out exactly once.

    Iterating from any number of threads yields ``(first, last)`` pairs. Compiled loops take them without the GIL
    through the buffer: three int64 words, ``[next, stop, step]``.

    Parameters
    ----------
    stop : int
        Length of the range, 0 <= stop <= 2**62.
    step : int
        Length of a piece, 1 <= step <= 2**62.

    Raises
    ------
    ValueError
        If either lies outside its bounds.
    """

    cdef int64_t words[3]
    cdef Py_ssize_t shape[1]
    cdef Py_ssize_t strides[1]

    def __cinit__(self, stop, step):
        stop, step = index(stop), index(step)   # C would cut 1.5 down to 1
        # 2**62 leaves room for one last add past the end by every thread there can be.
        if not 0 <= stop <= 1 << 62:
            raise ValueError(f"stop: got {stop}, expected 0 <= stop <= 2**62")
        if not 1 <= step <= 1 << 62:
            raise ValueError(f"step: got {step}, expected 1 <= step <= 2**62")
        self.words[0] = 0
        self.words[1] = stop
        self.words[2] = step
        self.shape[0] = 3
        self.strides[0] = sizeof(int64_t)

    def stop(self):
        """Hand out no more tickets; pieces already taken are finished by their workers."""
        gilfree_store(&self.words[0], self.words[1])

    @property
    def left(self):
        """How much of the range nobody has taken yet."""
        return max(0, self.words[1] - gilfree_load(&self.words[0]))

    def __iter__(self):
        return self

    def __next__(self):
        cdef int64_t first = 0, last = 0
        if not take(self.words, &first, &last):
            raise StopIteration
        return first, last

    def __len__(self):
        """How many tickets there are in all."""
        # Not (stop + step - 1) // step: that sum may pass 2**63.
        return self.words[1] // self.words[2] + (self.words[1] % self.words[2] != 0)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        buffer.buf = self.words
        buffer.obj = self
        buffer.len = sizeof(self.words)
        buffer.itemsize = sizeof(int64_t)
        buffer.readonly = 0
        buffer.format = b"q"
        buffer.ndim = 1
        buffer.shape = self.shape
        buffer.strides = self.strides
        buffer.suboffsets = NULL
        buffer.internal = NULL
