# cython: language_level=3
"""What this machine can do: which of the compiled builds its processor may run, and how fast its memory is read."""

from libc.stdint cimport int64_t, uint64_t

from gil cimport PyThreadState, let_go, take_back
from tickets cimport take

cdef extern from *:
    """
    /* Each test asks for the instructions and for the operating system's promise to save their registers. */
    #if (defined(__x86_64__) || defined(_M_X64)) && defined(_MSC_VER) && !defined(__clang__)
    #include <intrin.h>
    #include <immintrin.h>
    static int gilfree_cpuid(int leaf, int word, unsigned mask) {
        int r[4];
        __cpuidex(r, 0, 0);
        if (r[0] < leaf) return 0;
        __cpuidex(r, leaf, 0);
        return ((unsigned)r[word] & mask) == mask;
    }
    static int gilfree_saves(unsigned mask) {
        return gilfree_cpuid(1, 2, 1u << 27) && (((unsigned)_xgetbv(0)) & mask) == mask;
    }
    static int gilfree_has_avx2(void) {   /* leaf 1: FMA, POPCNT, AVX; leaf 7: BMI1, AVX2, BMI2 */
        return gilfree_saves(0x6) && gilfree_cpuid(1, 2, (1u << 12) | (1u << 23) | (1u << 28))
            && gilfree_cpuid(7, 1, (1u << 3) | (1u << 5) | (1u << 8));
    }
    static int gilfree_has_avx512(void) { /* leaf 7: F, DQ, IFMA, BW, VL */
        return gilfree_has_avx2() && gilfree_saves(0xe6)
            && gilfree_cpuid(7, 1, (1u << 16) | (1u << 17) | (1u << 21) | (1u << 30) | (1u << 31));
    }
    #elif defined(__x86_64__)
    static int gilfree_has_avx2(void) {
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
            && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    }
    static int gilfree_has_avx512(void) {
        return gilfree_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
            && __builtin_cpu_supports("avx512ifma");
    }
    #else
    static int gilfree_has_avx2(void) { return 0; }
    static int gilfree_has_avx512(void) { return 0; }
    #endif
    """
    bint gilfree_has_avx2()
    bint gilfree_has_avx512()


def isas():
    """Names of the instruction sets this processor can run, best first; the last is always "baseline"."""
    found = ["baseline"]
    if gilfree_has_avx2():
        found.insert(0, "avx2")
    if gilfree_has_avx512():
        found.insert(0, "avx512")
    return tuple(found)


cdef enum:
    WORDS_A_LINE = 8        # 64 bytes, the least that processors fetch

cdef extern from *:
    """
    static volatile uint64_t gilfree_seen;  /* so that no compiler leaves out what nobody asks for */
    """
    uint64_t gilfree_seen


def read_words(const uint64_t[::1] memory, int64_t[::1] chunks, Py_ssize_t limit, bint release):
    """Fetch memory and do next to nothing with it, until ``limit`` chunks of words are done or none is left.

    One word of each 64 bytes is enough to fetch them all: the fewer the instructions, the more lines of the cache are
    asked for at a time.
    """
    cdef PyThreadState *gil = let_go(release)
    cdef bint more = _read_chunks(&memory[0], &chunks[0], limit)
    take_back(gil)
    return more


cdef bint _read_chunks(const uint64_t *memory, int64_t *chunks, Py_ssize_t limit) noexcept nogil:
    global gilfree_seen
    cdef int64_t first = 0, last = 0, i
    cdef uint64_t seen
    while limit != 0:
        if not take(chunks, &first, &last):
            return False
        limit -= 1
        seen = 0
        i = first
        while i < last:
            seen ^= memory[i]
            i += WORDS_A_LINE
        gilfree_seen = seen
    return True
