# cython: language_level=3
"""Take the next piece of a range with one atomic add: the part of a dispenser that loops without the GIL use.

A dispenser is three 64-bit words, ``[next, stop, step]``. Any typed buffer over them will do, so kernels import
nothing from ``tickets.pyx`` at run time.
"""

from libc.stdint cimport int64_t

cdef extern from *:
    """
    #if defined(_MSC_VER) && !defined(__clang__)
    #include <intrin.h>
    #define gilfree_fetch_add(word, n) _InterlockedExchangeAdd64((volatile __int64 *)(word), (n))
    #define gilfree_store(word, n) ((void)_InterlockedExchange64((volatile __int64 *)(word), (n)))
    #define gilfree_load(word) _InterlockedOr64((volatile __int64 *)(word), 0)
    #define gilfree_exchange_if(word, old, new_) \
        (_InterlockedCompareExchange64((volatile __int64 *)(word), (new_), (old)) == (old))
    #else
    /* Relaxed is enough: a ticket only says which piece is whose; joining the threads publishes the results. */
    #define gilfree_fetch_add(word, n) __atomic_fetch_add((word), (n), __ATOMIC_RELAXED)
    #define gilfree_store(word, n) __atomic_store_n((word), (n), __ATOMIC_RELAXED)
    #define gilfree_load(word) __atomic_load_n((word), __ATOMIC_RELAXED)
    /* This one orders what was written before it, for bells. */
    #define gilfree_exchange_if(word, old, new_) __sync_bool_compare_and_swap((word), (old), (new_))
    #endif
    """
    int64_t gilfree_fetch_add(int64_t *word, int64_t n) nogil
    void gilfree_store(int64_t *word, int64_t n) nogil
    int64_t gilfree_load(int64_t *word) nogil
    bint gilfree_exchange_if(int64_t *word, int64_t old, int64_t new) nogil


cdef inline bint take(int64_t *words, int64_t *first, int64_t *last) noexcept nogil:
    """Take the next ticket into [first, last); false when none is left."""
    # Look before adding: `next` must not creep towards 2**63 in a loop that keeps asking an empty dispenser.
    if gilfree_load(words) >= words[1]:
        return False
    first[0] = gilfree_fetch_add(words, words[2])
    if first[0] >= words[1]:
        return False
    last[0] = words[1] if words[1] - first[0] < words[2] else first[0] + words[2]
    return True
