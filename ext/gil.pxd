# cython: language_level=3
"""Let go of the GIL for the length of one call, or keep it: the one place that says so.

A door calls ``let_go`` before its loop and ``take_back`` after it. Whether the GIL is really dropped is a run-time
flag, so released and held runs go through the same call site and hence the same machine code; a ``with nogil:``
block beside a plain call would be two call sites, and C compilers inline a private copy of the loop into each.

On a free-threaded Python the same calls detach and attach the thread, so that a long loop never delays a
stop-the-world pause.
"""

cdef extern from "Python.h":
    ctypedef struct PyThreadState:
        pass
    PyThreadState *PyEval_SaveThread() nogil
    void PyEval_RestoreThread(PyThreadState *state) nogil


cdef inline PyThreadState *let_go(bint release) noexcept nogil:
    return PyEval_SaveThread() if release else NULL


cdef inline void take_back(PyThreadState *state) noexcept nogil:
    if state != NULL:
        PyEval_RestoreThread(state)
