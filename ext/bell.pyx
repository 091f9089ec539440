# cython: language_level=3
"""A bell that a thread waits for without the GIL: awake for some microseconds, then asleep.

To fall asleep and be woken takes a thread 5 to 10 µs on Linux, and as long again if who wakes it still has the GIL.
Calls often follow one another sooner, so whoever waits looks some thousand times first, as threads of OpenMP do.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t

from gil cimport PyThreadState, let_go, take_back
from tickets cimport gilfree_exchange_if, gilfree_load

cdef extern from "pythread.h":
    ctypedef void *PyThread_type_lock
    ctypedef enum PyLockStatus:
        PY_LOCK_FAILURE, PY_LOCK_ACQUIRED, PY_LOCK_INTR
    PyThread_type_lock PyThread_allocate_lock()
    void PyThread_free_lock(PyThread_type_lock lock)
    PyLockStatus PyThread_acquire_lock_timed(PyThread_type_lock lock, long long microseconds, int interrupted) nogil
    void PyThread_release_lock(PyThread_type_lock lock) nogil

cdef extern from *:
    """
    #if defined(_MSC_VER) && !defined(__clang__)
    #include <intrin.h>
    #define gilfree_pause() YieldProcessor()
    #elif defined(__x86_64__) || defined(__i386__)
    #define gilfree_pause() __builtin_ia32_pause()
    #elif defined(__aarch64__) || defined(__arm__)
    #define gilfree_pause() __asm__ __volatile__("yield")
    #else
    #define gilfree_pause() ((void)0)
    #endif
    """
    void gilfree_pause() nogil

cdef enum:
    LOOKS = 4000    # 40 to 150 µs: for so long x86-64 processors pause, some more than others

    SILENT = 0      # nobody has rung it, and whoever waits is awake
    ASLEEP = 1      # somebody sleeps at the lock
    RINGS = 2       # somebody is about to have rung it
    RUNG = 3


cdef class Bell:
    """One thread at a time waits for it, any may ring it, and it stays rung until it is silenced."""

    cdef int64_t state
    cdef PyThread_type_lock lock    # taken, but for the moment in which it wakes who sleeps there
    cdef object tickets
    cdef int64_t *next_ticket       # that of ``tickets``; NULL where there are none

    def __cinit__(self):
        self.state = SILENT
        self.next_ticket = NULL
        self.lock = PyThread_allocate_lock()
        if self.lock == NULL:
            raise MemoryError
        PyThread_acquire_lock_timed(self.lock, 0, 0)

    def __dealloc__(self):
        if self.lock != NULL:
            PyThread_release_lock(self.lock)    # one that is taken may not be freed everywhere
            PyThread_free_lock(self.lock)

    def ring(self, tickets=None):
        """Have the one that waits go on: at once, or when the first of these tickets is taken.

        Until then the one that rings has the GIL, and the other would only fall asleep before it. Says whether it was
        this that rang it, and not somebody else before.
        """
        cdef Py_buffer words
        cdef bint asleep = False
        if not gilfree_exchange_if(&self.state, SILENT, RINGS):
            asleep = gilfree_exchange_if(&self.state, ASLEEP, RINGS)
            if not asleep:
                return False
        self.tickets = tickets      # kept while its words are looked at
        self.next_ticket = NULL
        if tickets is not None:
            PyObject_GetBuffer(tickets, &words, PyBUF_SIMPLE)
            self.next_ticket = <int64_t *> words.buf
            PyBuffer_Release(&words)
        gilfree_exchange_if(&self.state, RINGS, RUNG)
        if asleep:
            PyThread_release_lock(self.lock)
        return True

    def silence(self):
        """Make it as good as new, unless somebody is about to ring it; nobody may be waiting for it."""
        gilfree_exchange_if(&self.state, RUNG, SILENT)

    def is_rung(self):
        """Whether a wait would end at once."""
        return gilfree_load(&self.state) == RUNG

    def wait(self, timeout=None, Bell first=None):
        """Ring another bell when the GIL is dropped, and wait; say whether this one was rung.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; without one, for as long as it takes.
        first : Bell, optional
            A bell to ring.

        Raises
        ------
        KeyboardInterrupt
            And whatever else a signal's handler raises, in the main thread and but on Windows.
        """
        cdef long long microseconds = -1 if timeout is None else <long long> (1e6 * <double> timeout)
        cdef PyLockStatus status
        cdef PyThreadState *gil
        while True:
            gil = let_go(True)
            if first is not None:
                _ring(first)
            status = _wait(self, microseconds)
            take_back(gil)
            if status != PY_LOCK_INTR:
                return status == PY_LOCK_ACQUIRED
            first = None
            PyErr_CheckSignals()


cdef inline void _ring(Bell bell) noexcept nogil:
    if gilfree_exchange_if(&bell.state, SILENT, RUNG):
        return
    if gilfree_exchange_if(&bell.state, ASLEEP, RUNG):
        PyThread_release_lock(bell.lock)


cdef inline PyLockStatus _wait(Bell bell, long long microseconds) noexcept nogil:
    cdef PyLockStatus status = PY_LOCK_ACQUIRED
    cdef int _
    for _ in range(LOOKS):
        if gilfree_load(&bell.state) == RUNG:
            break
        gilfree_pause()
    if gilfree_exchange_if(&bell.state, SILENT, ASLEEP):
        status = PyThread_acquire_lock_timed(bell.lock, microseconds, 1)
        if status != PY_LOCK_ACQUIRED:
            if gilfree_exchange_if(&bell.state, ASLEEP, SILENT):
                return status
            # It has just been rung after all, and the lock is or will be free.
            status = PyThread_acquire_lock_timed(bell.lock, -1, 0)
    while gilfree_load(&bell.state) != RUNG:
        gilfree_pause()
    if bell.next_ticket != NULL:
        for _ in range(LOOKS):
            if gilfree_load(bell.next_ticket) != 0:
                break
            gilfree_pause()
    return status
