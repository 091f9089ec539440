/* Which bits of a word are set: the processor's instructions for it, under one name for all compilers. */
#ifndef GILFREE_BITS_H
#define GILFREE_BITS_H

#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static __forceinline int top_bit(uint64_t n) {          /* of n > 0 */
    unsigned long bit;
    _BitScanReverse64(&bit, n);
    return (int)bit;
}
static __forceinline int bottom_bit(uint64_t n) {       /* of n > 0 */
    unsigned long bit;
    _BitScanForward64(&bit, n);
    return (int)bit;
}
#else
#define top_bit(n) (63 - __builtin_clzll(n))
#define bottom_bit(n) __builtin_ctzll(n)
#endif

/* Not every x86-64 counts bits, and gcc's own substitute is a call. */
static inline int count_ones(uint64_t word) {
#if defined(__POPCNT__) || (defined(__GNUC__) && !defined(__x86_64__))
    return __builtin_popcountll(word);
#elif defined(_MSC_VER) && !defined(__clang__) && defined(__AVX2__)
    return (int)__popcnt64(word);
#else
    word -= word >> 1 & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
    return (int)(((word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
#endif
}

#endif
