# cython: language_level=3
"""A native thread that knocks on the GIL and clocks how long it had to wait; and test pieces to check it against.

The thread has a thread state of its own, made for the interpreter that started it, so it takes and drops the GIL as any
Python thread does and runs no bytecode. It sleeps an exponential time (a fixed one would beat in step with periodic
targets), stamps, takes the GIL, stamps, and lets go.

Whether the GIL was free is not judged by the duration of that, which load on the machine stretches: a thread that finds
the GIL taken goes to sleep, and the kernel counts how often a thread does so of its own will. Where the count has not
changed, the GIL was free.
"""

import atexit
import os
import weakref

from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject_Call
from libc.math cimport log
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc

from gil cimport PyEval_RestoreThread, PyEval_SaveThread, PyThreadState, let_go, take_back

cdef extern from "Python.h":
    """
    #if PY_VERSION_HEX < 0x030D0000
    #define Py_IsFinalizing _Py_IsFinalizing
    #endif
    """
    ctypedef struct PyInterpreterState:
        pass
    int Py_IsFinalizing()
    PyInterpreterState *PyInterpreterState_Get()
    PyThreadState *PyThreadState_New(PyInterpreterState *interpreter) nogil
    void PyThreadState_Clear(PyThreadState *state) nogil
    void PyThreadState_DeleteCurrent() nogil

cdef extern from "pythread.h":
    ctypedef void *PyThread_type_lock
    ctypedef enum PyLockStatus:
        PY_LOCK_FAILURE
        PY_LOCK_ACQUIRED
    unsigned long PyThread_start_new_thread(void (*function)(void *) noexcept nogil, void *argument)
    unsigned long PYTHREAD_INVALID_THREAD_ID
    PyThread_type_lock PyThread_allocate_lock()
    void PyThread_free_lock(PyThread_type_lock lock)
    int PyThread_acquire_lock(PyThread_type_lock lock, int wait) nogil
    PyLockStatus PyThread_acquire_lock_timed(PyThread_type_lock lock, long long microseconds, int interruptible) nogil
    void PyThread_release_lock(PyThread_type_lock lock) nogil

cdef extern from "clocks.h":
    ctypedef struct gilfree_thread:
        pass
    int64_t gilfree_get(int64_t *word) nogil
    void gilfree_set(int64_t *word, int64_t n) nogil
    int64_t gilfree_now() nogil
    int64_t gilfree_own_cpu() nogil
    void gilfree_nap(int64_t ns) nogil
    void gilfree_thread_self(gilfree_thread *thread) nogil
    void gilfree_thread_close(gilfree_thread *thread) nogil
    int64_t gilfree_thread_cpu(const gilfree_thread *thread) nogil
    int64_t gilfree_thread_queued(const gilfree_thread *thread) nogil
    int64_t gilfree_sleeps() nogil
    int64_t gilfree_preemptions() nogil
    void gilfree_quiet_thread() nogil

__tracebackhide__ = True  # see gilfree/explore/probe.py

# Knocks kept between two collections: at one each 0.05 ms, more than five seconds' worth. The rest is not recorded.
cdef enum:
    CAPACITY = 131072

# What the knocking thread does: nothing that others have to wait for, wanting the GIL, writing down how it went; or it
# could not even begin.
cdef enum:
    AWAY
    WANTING
    WRITING
    GONE

ctypedef struct Knock:
    int64_t came        # stamp before taking the GIL, ns
    int64_t got         # stamp with the GIL in hand, ns
    int64_t until       # the same, or the end of the call during which it came, if that was earlier
    int64_t slept       # voluntary context switches meanwhile; -1: unknown
    int64_t came_inside  # serial number of the call that was running when it came; 0: none
    int64_t got_inside   # the same when it got the GIL
    int64_t holder_cpu   # ns that the watched thread spent on a CPU meanwhile; -1: unknown
    int64_t holder_queued  # ns that the watched thread was ready to run and had no CPU; -1: unknown
    int64_t own_queued     # ns that this thread was ready to run and had no CPU; -1: unknown

ctypedef struct Beat:
    PyInterpreterState *interpreter
    PyThread_type_lock wake     # held; released to end the thread
    PyThread_type_lock ended    # held by the thread's life
    double gap                  # mean time between knocks, ns
    uint64_t seed
    int64_t listening           # whether to knock at all
    int64_t state
    int64_t inside              # serial number of the call that is running, or 0
    int64_t left                # stamp of the end of the last one
    int64_t count
    gilfree_thread holder
    Knock *knocks


cdef int64_t _gap(Beat *beat) noexcept nogil:
    """The next exponential gap, in ns."""
    # xorshift64*, S. Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
    beat.seed ^= beat.seed >> 12
    beat.seed ^= beat.seed << 25
    beat.seed ^= beat.seed >> 27
    cdef double uniform = <double>((beat.seed * <uint64_t>2685821657736338717) >> 11) / 9007199254740992.0
    return <int64_t>(-beat.gap * log(1.0 - uniform))


cdef int64_t _since(int64_t after, int64_t before) noexcept nogil:
    return -1 if after < 0 or before < 0 else after - before


cdef void _knock(Beat *beat, PyThreadState *thread, gilfree_thread *own) noexcept nogil:
    cdef Knock knock
    # Before this thread is seen to want the GIL, as they take a while: short calls would all be over by then.
    cdef int64_t holder_cpu = gilfree_thread_cpu(&beat.holder)
    cdef int64_t holder_queued = gilfree_thread_queued(&beat.holder)
    cdef int64_t own_queued = gilfree_thread_queued(own)
    cdef int64_t sleeps = gilfree_sleeps()
    knock.came_inside = gilfree_get(&beat.inside)
    knock.came = gilfree_now()
    gilfree_set(&beat.state, WANTING)
    # Asked again once others can see that this thread wants the GIL: who has switched it off meanwhile does not wait.
    if not gilfree_get(&beat.listening):
        gilfree_set(&beat.state, AWAY)
        return
    PyEval_RestoreThread(thread)
    knock.got = gilfree_now()
    knock.got_inside = gilfree_get(&beat.inside)
    # Who is let in between two calls waited for the call, and then for the hand-over.
    knock.until = knock.got if knock.came_inside == knock.got_inside else gilfree_get(&beat.left)
    # Before letting go: that may put this thread to sleep, when the next one in the queue is slow to come.
    knock.slept = _since(gilfree_sleeps(), sleeps)
    gilfree_set(&beat.state, WRITING)
    cdef int64_t count = gilfree_get(&beat.count)
    PyEval_SaveThread()
    knock.holder_cpu = _since(gilfree_thread_cpu(&beat.holder), holder_cpu)
    knock.holder_queued = _since(gilfree_thread_queued(&beat.holder), holder_queued)
    knock.own_queued = _since(gilfree_thread_queued(own), own_queued)
    if count < CAPACITY:
        beat.knocks[count] = knock
        gilfree_set(&beat.count, count + 1)
    gilfree_set(&beat.state, AWAY)


cdef void _life(void *argument) noexcept nogil:
    """The thread: knocks whenever it is listened to, until it is told to end."""
    cdef Beat *beat = <Beat *>argument
    cdef PyThread_type_lock ended = beat.ended
    cdef gilfree_thread own
    gilfree_quiet_thread()
    gilfree_thread_self(&own)
    # Not PyGILState_Ensure, which always enters the main interpreter; and here, for a state belongs to the thread
    # that makes it.
    cdef PyThreadState *thread = PyThreadState_New(beat.interpreter)
    if thread == NULL:
        gilfree_set(&beat.state, GONE)
    while PyThread_acquire_lock_timed(beat.wake, _gap(beat) // 1000, 0) != PY_LOCK_ACQUIRED:
        if thread != NULL and gilfree_get(&beat.listening):
            _knock(beat, thread, &own)
    if thread != NULL:
        PyEval_RestoreThread(thread)
        PyThreadState_Clear(thread)
        PyThreadState_DeleteCurrent()
    gilfree_thread_close(&own)
    PyThread_release_lock(ended)   # nothing of `beat` may be touched from here on


cdef class Heartbeat:
    """A thread that knocks on the GIL while calls are watched.

    It belongs to the thread that makes it: that one's calls are watched, and it must be the one to stop it.

    Parameters
    ----------
    gap : float
        Mean time between two knocks, in seconds, from 1e-5 to 10.
    seed : int
        Chooses the random gaps.

    Raises
    ------
    ValueError
        If ``gap`` lies outside its bounds.
    RuntimeError
        If no thread can be started.
    """

    cdef object __weakref__
    cdef Beat *beat
    cdef int64_t calls
    cdef bint alive, lost

    def __cinit__(self, double gap, uint64_t seed=1):
        if not 1e-5 <= gap <= 10:
            raise ValueError(f"gap: got {gap}, expected seconds from 1e-5 to 10")
        self.beat = <Beat *>malloc(sizeof(Beat))
        if self.beat == NULL:
            raise MemoryError
        self.beat.knocks = <Knock *>malloc(CAPACITY * sizeof(Knock))  # touched as it fills
        self.beat.wake = PyThread_allocate_lock()
        self.beat.ended = PyThread_allocate_lock()
        if self.beat.knocks == NULL or self.beat.wake == NULL or self.beat.ended == NULL:
            raise MemoryError
        PyThread_acquire_lock(self.beat.wake, 1)
        PyThread_acquire_lock(self.beat.ended, 1)
        self.beat.interpreter = PyInterpreterState_Get()
        self.beat.gap = gap * 1e9
        self.beat.seed = seed * 2 + 1   # never 0, which xorshift would keep for ever
        self.beat.listening = self.beat.inside = self.beat.left = self.beat.count = 0
        self.beat.state = AWAY
        gilfree_thread_self(&self.beat.holder)
        if PyThread_start_new_thread(_life, self.beat) == PYTHREAD_INVALID_THREAD_ID:
            raise RuntimeError("the knocking thread cannot be started")
        self.alive = True
        _beating.add(self)

    def __dealloc__(self):
        if self.beat == NULL:
            return
        self.stop()
        if self.lost:
            return   # its thread may still look at the memory
        gilfree_thread_close(&self.beat.holder)
        if self.beat.wake != NULL:
            PyThread_free_lock(self.beat.wake)
        if self.beat.ended != NULL:
            PyThread_free_lock(self.beat.ended)
        free(self.beat.knocks)
        free(self.beat)

    def stop(self):
        """End the thread and wait until it is gone; nothing, where it already is, or the interpreter is going away."""
        if not self.alive:
            return
        self.alive = False
        PyThread_release_lock(self.beat.wake)
        # An interpreter that is going away lets no thread in any more, and this one could not say that it has ended.
        self.lost = Py_IsFinalizing()
        if self.lost:
            return
        cdef PyThreadState *gil = let_go(True)
        PyThread_acquire_lock(self.beat.ended, 1)
        take_back(gil)

    def _forget(self):
        """After a fork, in the child: the thread did not come along, so nobody may wait for it."""
        self.alive = False

    @property
    def is_alive(self):
        """Whether the thread is there."""
        return self.alive

    def meet(self):
        """Let the thread have the GIL, come back, and say since when nobody can have asked for it.

        A thread asks the holder for the GIL if it has waited for a whole switch interval in which the GIL did not
        change hands. So once it has come to the caller from another thread, nobody can ask the caller for it before
        another interval is over. The answer is a stamp that is not later than that moment: the thread goes on to
        listen, and ``watch`` should follow.

        Raises
        ------
        RuntimeError
            If there is no thread to meet.
        """
        cdef Beat *beat = self.beat
        cdef PyThreadState *gil
        cdef int64_t sleeps, preemptions, came_back
        self._listen()
        while True:
            gil = let_go(True)
            gilfree_nap(20_000)
            preemptions = gilfree_preemptions()
            sleeps = gilfree_sleeps()
            take_back(gil)
            came_back = gilfree_now()
            sleeps = _since(gilfree_sleeps(), sleeps)
            preemptions = _since(gilfree_preemptions(), preemptions)
            PyErr_CheckSignals()
            if gilfree_get(&beat.count):
                break
            if not self.alive or gilfree_get(&beat.state) == GONE:
                raise RuntimeError("the knocking thread is not there")
        # Who slept got it from another thread, and who was not preempted meanwhile looked at the clock at once.
        # Otherwise what is known is that the thread had it before, and not later than it says.
        return came_back if sleeps > 0 and preemptions == 0 else beat.knocks[0].got

    cdef void _listen(self) noexcept:
        """Forget what was heard, and have the thread knock."""
        self._let_write()
        # Who wants the GIL looks at the count when it has it, and here it is not to be had.
        gilfree_set(&self.beat.count, 0)
        gilfree_set(&self.beat.listening, 1)

    def watch(
        self, func, tuple args not None, dict kwargs not None, *, Py_ssize_t calls, double seconds, bint hand_over,
    ):
        """Call ``func(*args, **kwargs)`` while the thread knocks, from C: no bytecode runs between the calls.

        Parameters
        ----------
        calls, seconds
            Ends after so many calls, or after the call during which so much time has passed; at least one is made.
        hand_over
            Between two calls, let the thread in if it waits. Without it, all the calls are one: a thread that asks for
            the GIL is let in by a call or not at all.

        Returns
        -------
        calls : int
            How many were made.
        busy : float
            Seconds spent in them.
        queued : float
            Seconds in which the caller was ready to run and had no CPU; 0 where that is unknown.
        knocks : list of tuple
            ``(came, got, until, slept, came_inside, got_inside, holder_cpu, holder_queued, own_queued)``: stamps of
            ``now()``; how often it slept; the serial numbers of calls, 0 is outside; and ns. -1 is unknown.

        Raises
        ------
        BaseException
            Whatever ``func`` raises.
        """
        cdef Beat *beat = self.beat
        cdef int64_t began, ended = 0, stop, busy = 0
        cdef Py_ssize_t made = 0
        cdef Knock *knock
        cdef int64_t queued = gilfree_thread_queued(&beat.holder)
        stop = gilfree_now() + <int64_t>(seconds * 1e9)
        self._listen()
        self.calls += 1
        try:
            while True:
                if hand_over:
                    self.calls += 1
                began = gilfree_now()
                gilfree_set(&beat.inside, self.calls)
                result = PyObject_Call(func, args, kwargs)
                ended = gilfree_now()
                if hand_over:
                    # What throwing the result away does is not the call's.
                    gilfree_set(&beat.left, ended)
                    gilfree_set(&beat.inside, 0)
                result = None
                made += 1
                busy += ended - began
                PyErr_CheckSignals()
                if made >= calls or ended >= stop:
                    break
                if hand_over:
                    self._let_in()
        finally:
            if gilfree_get(&beat.inside):
                gilfree_set(&beat.left, gilfree_now())
                gilfree_set(&beat.inside, 0)
            gilfree_set(&beat.listening, 0)
            self._let_in()
            self._let_write()
        queued = max(<int64_t>0, _since(gilfree_thread_queued(&beat.holder), queued))
        knocks = []
        for i in range(gilfree_get(&beat.count)):
            knock = &beat.knocks[i]
            knocks.append((
                knock.came, knock.got, knock.until, knock.slept, knock.came_inside, knock.got_inside,
                knock.holder_cpu, knock.holder_queued, knock.own_queued,
            ))
        return made, busy * 1e-9, queued * 1e-9, knocks

    cdef void _let_in(self) noexcept:
        """Let others have the GIL until the thread has had it, if it wants it."""
        cdef PyThreadState *gil
        while self.alive and gilfree_get(&self.beat.state) == WANTING:
            gil = let_go(True)
            gilfree_nap(20_000)
            take_back(gil)

    cdef void _let_write(self) noexcept:
        """Wait until the thread has written down how it went; it does not need the GIL for that."""
        while self.alive and gilfree_get(&self.beat.state) == WRITING:
            gilfree_nap(20_000)


# An interpreter that goes away may free what a thread of ours is about to look at: none is left by then, whoever forgot
# to stop it.
_beating = weakref.WeakSet()


def _stop_all():
    for heart in list(_beating):
        heart.stop()


def _forget_all():
    for heart in list(_beating):
        heart._forget()


atexit.register(_stop_all)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_all)


def crowded(double interval):
    """Whether another thread computes with the GIL: it takes it as soon as this one lets go, and must be asked for it.

    ``interval`` is the switch interval; it tells where the system does not say whether a thread had to sleep.
    """
    cdef PyThreadState *gil
    cdef int64_t sleeps, began
    for _ in range(3):
        gil = let_go(True)
        gilfree_nap(500_000)
        sleeps = gilfree_sleeps()
        began = gilfree_now()
        take_back(gil)
        sleeps = _since(gilfree_sleeps(), sleeps)
        if sleeps > 0 or (sleeps < 0 and gilfree_now() - began > 0.8e9 * interval):
            return True
    return False


def now():
    """Nanoseconds of the clock that knocks are stamped with."""
    return gilfree_now()


cdef void _compute(double seconds) noexcept nogil:
    """Use so much of a CPU's time: load on the machine makes it last longer, as it does with any computation."""
    cdef int64_t stop = gilfree_own_cpu() + <int64_t>(seconds * 1e9)
    while gilfree_own_cpu() < stop:
        pass


def spin(double held, double released=0.0, Py_ssize_t times=1):
    """Use ``held`` seconds of CPU time with the GIL, then ``released`` seconds without it, ``times`` times.

    A test piece: what it does about the GIL is known, so an instrument can be checked against it.
    """
    cdef PyThreadState *gil
    for _ in range(times):
        _compute(held)
        if released > 0:
            gil = let_go(True)
            _compute(released)
            take_back(gil)


def sleep_holding(double seconds):
    """Sleep and keep the GIL meanwhile: the worst that a function can do to others. A test piece, as ``spin`` is."""
    gilfree_nap(<int64_t>(seconds * 1e9))
