/* The sieve of Eratosthenes on a wheel of 30: one bit for each number coprime to 30, one byte for 30 numbers.

   Bit j of byte i stands for 30 i + GILFREE_WHEEL[j]; a set bit is a number not crossed off. The multiples of a prime
   p = 30 a + b by cofactors 30 k + r, for one residue r, are p bytes apart and have the same bit, so one turn of the
   wheel crosses off eight bits at distances that are fixed for p, with masks that are fixed for b.

   Plain C that compilers vectorise, but for `gilfree_extract`. What was measured (Zen 4 at 32 KiB L1, 1 MiB L2, one
   core, primes below 10**9, milliseconds):
       whole turns, which begin before and end behind the segment in margins nobody reads     70
       the same with a `switch` into the middle of a turn instead of margins             about 110 (two jumps mispredicted
       for each prime and segment cost more than eight crossings too many)
       patterns up to 251 instead of 163: 70; blocks of 16 or 64 KiB: 71, 82; segments of 128 to 512 KiB: 69 to 71
   `gilfree_mark` at 10**18, 5 * 10**7 primes on a row of 10**8 numbers: 162 ms where the multiples are sorted out in
   batches as below, 306 ms with a loop for each prime, whose end is mispredicted. Extraction, 5.8 million primes: see
   there. */

#ifndef GILFREE_SIEVE_H
#define GILFREE_SIEVE_H

#include <stdint.h>
#include <string.h>

#include "bits.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>
#endif
#include "scratch.h"

enum {
    GILFREE_PRESIEVED = 163,        /* primes from 7 to here are in the patterns */
    GILFREE_PATTERNS = 17,          /* 7 * 11 * 13, then pairs: 17 * 163, 19 * 157 ... 73 * 89, 79 * 83 */
    GILFREE_CHUNK = 1024,           /* bytes that all patterns are laid over at a time */
    GILFREE_BATCH = 512,            /* primes that `gilfree_mark` handles at a time: 4 KiB of offsets */
    GILFREE_FEW = 16                /* odd multiples in a row; primes with more get a loop of their own */
};

static const uint8_t GILFREE_WHEEL[8] = {1, 7, 11, 13, 17, 19, 23, 29};
static const uint8_t gilfree_gap[8] = {6, 4, 2, 4, 2, 4, 6, 2};                   /* from each to the next */

/* Made once by gilfree_sieve_prepare. */
static uint8_t gilfree_bit_of[30];          /* which bit a residue is; 8 where it has a factor with 30 in common */
static uint8_t gilfree_mask_of[30];         /* all ones but that bit */
static uint8_t gilfree_mask[8][8];          /* by bit of the prime and of its cofactor: all ones but their product's */
static uint8_t gilfree_carry[8][8];         /* bytes to the next multiple, beyond a * gap */
static uint8_t gilfree_cofactor[8][8];      /* by bit of the prime and of the product: bit of the cofactor */
static uint8_t gilfree_spread[64];          /* distance of each bit of eight bytes from the first byte's number */
static uint8_t gilfree_pattern[GILFREE_PATTERNS * GILFREE_CHUNK + 86000];
static int64_t gilfree_pattern_at[GILFREE_PATTERNS], gilfree_pattern_length[GILFREE_PATTERNS];

static void gilfree_sieve_prepare(void) {
    static const uint8_t first[] = {7, 11, 13};
    static const uint8_t paired[] = {17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79,
                                     83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163};
    int64_t at = 0, length, multiple;
    int i, j, k;
    memset(gilfree_bit_of, 8, sizeof gilfree_bit_of);
    memset(gilfree_mask_of, 0xff, sizeof gilfree_mask_of);
    for (j = 0; j < 8; j++) {
        gilfree_bit_of[GILFREE_WHEEL[j]] = (uint8_t)j;
        gilfree_mask_of[GILFREE_WHEEL[j]] = (uint8_t)~(1u << j);
    }
    for (i = 0; i < 8; i++)
        for (j = 0; j < 8; j++) {
            int product = GILFREE_WHEEL[i] * GILFREE_WHEEL[j], next = product + GILFREE_WHEEL[i] * gilfree_gap[j];
            gilfree_mask[i][j] = gilfree_mask_of[product % 30];
            gilfree_carry[i][j] = (uint8_t)(next / 30 - product / 30);
            gilfree_cofactor[i][gilfree_bit_of[product % 30]] = (uint8_t)j;
            gilfree_spread[8 * i + j] = (uint8_t)(30 * i + GILFREE_WHEEL[j]);
        }
    for (i = 0; i < GILFREE_PATTERNS; i++) {
        int members = i ? 2 : 3;
        const uint8_t ends[2] = {i ? paired[i - 1] : 0, i ? paired[32 - i] : 0};
        const uint8_t *primes = i ? ends : first;
        for (length = 1, k = 0; k < members; k++)
            length *= primes[k];
        gilfree_pattern_at[i] = at;
        gilfree_pattern_length[i] = length;
        memset(gilfree_pattern + at, 0xff, (size_t)(length + GILFREE_CHUNK));
        for (k = 0; k < members; k++)
            for (multiple = primes[k]; multiple < 30 * (length + GILFREE_CHUNK); multiple += 2 * primes[k])
                gilfree_pattern[at + multiple / 30] &= gilfree_mask_of[multiple % 30];
        at += length + GILFREE_CHUNK;
    }
}

/* Lay the patterns over `length` bytes from byte `first` of all numbers on, rounded up to whole chunks. */
static void gilfree_presieve(uint8_t *flags, int64_t length, int64_t first) {
    int64_t chunk;
    int i, j, k;
    for (chunk = 0; chunk < length; chunk += GILFREE_CHUNK) {
        uint8_t *GILFREE_RESTRICT to = flags + chunk;
        memset(to, 0xff, GILFREE_CHUNK);
        for (i = 0; i < GILFREE_PATTERNS; i += 6) {
            const uint8_t *from[6];
            for (j = 0; j < 6; j++) {
                k = i + j < GILFREE_PATTERNS ? i + j : 0;
                from[j] = gilfree_pattern + gilfree_pattern_at[k] + (first + chunk) % gilfree_pattern_length[k];
            }
            {
                const uint8_t *GILFREE_RESTRICT p = from[0], *GILFREE_RESTRICT q = from[1];
                const uint8_t *GILFREE_RESTRICT r = from[2], *GILFREE_RESTRICT s = from[3];
                const uint8_t *GILFREE_RESTRICT t = from[4], *GILFREE_RESTRICT u = from[5];
                for (j = 0; j < GILFREE_CHUNK; j++)
                    to[j] &= p[j] & q[j] & r[j] & s[j] & t[j] & u[j];
            }
        }
    }
}

/* Cross off whole turns of the wheel of p, the first of which begins at `at`, up to the turn that reaches `end`.
   Returns where the turn that straddles `end` begins, counted from there: in (-p, 0]. */
#define GILFREE_BIT(n) ((n) == 1 ? 0 : (n) == 7 ? 1 : (n) == 11 ? 2 : (n) == 13 ? 3 : (n) == 17 ? 4 : (n) == 19 ? 5 : (n) == 23 ? 6 : 7)
#define GILFREE_KEEP(b, r) (uint8_t)~(1u << GILFREE_BIT((b) * (r) % 30))
#define GILFREE_TURNS(b) \
    { \
        const int64_t r1 = 7 * a + 7 * (b) / 30, r2 = 11 * a + 11 * (b) / 30, r3 = 13 * a + 13 * (b) / 30; \
        const int64_t r4 = 17 * a + 17 * (b) / 30, r5 = 19 * a + 19 * (b) / 30, r6 = 23 * a + 23 * (b) / 30; \
        const int64_t r7 = 29 * a + 29 * (b) / 30; \
        do { \
            at[a] &= GILFREE_KEEP(b, 1); at[r1] &= GILFREE_KEEP(b, 7); \
            at[r2] &= GILFREE_KEEP(b, 11); at[r3] &= GILFREE_KEEP(b, 13); \
            at[r4] &= GILFREE_KEEP(b, 17); at[r5] &= GILFREE_KEEP(b, 19); \
            at[r6] &= GILFREE_KEEP(b, 23); at[r7] &= GILFREE_KEEP(b, 29); \
            at += p; \
        } while (at < end); \
        break; \
    }

static inline int64_t gilfree_cross_off(uint8_t *at, uint8_t *end, int64_t p) {
    const int64_t a = p / 30;
    switch (p % 30) {
        case 1: GILFREE_TURNS(1)
        case 7: GILFREE_TURNS(7)
        case 11: GILFREE_TURNS(11)
        case 13: GILFREE_TURNS(13)
        case 17: GILFREE_TURNS(17)
        case 19: GILFREE_TURNS(19)
        case 23: GILFREE_TURNS(23)
        default: GILFREE_TURNS(29)
    }
    return at == end ? 0 : at - end - p;
}

/* Sieve `length` bytes from byte `first` of all numbers on, by the primes of `base` (from 7, ascending) whose square
   they reach.

   `flags` has `margin` bytes on either side, no fewer than the largest prime has, and room for a whole last chunk.
   `block` is the size of the first cache: primes that turn at least four times in a block go through it block by block.
   at[i], for i < *used, is where the turn of base[i] that reaches into the segment begins, counted from its first byte;
   on return, the same for the segment after it. */
static void gilfree_sieve_segment(
    uint8_t *flags, int64_t length, int64_t first, int64_t block, const uint32_t *base, int64_t bases, int32_t *at,
    int64_t *used
) {
    int64_t i = 0, small, from, size, p;
    for (; *used < bases; ++*used) {
        p = base[*used];
        if (p * p / 30 >= first + length)   /* in bytes: 30 times the last one is beyond 64 bits */
            break;
        at[*used] = (int32_t)-(first % p);
    }
    while (i < *used && base[i] <= GILFREE_PRESIEVED)
        i++;
    for (small = i; small < *used && 4 * (int64_t)base[small] < block;)
        small++;
    for (from = 0; from < length; from += block) {
        size = length - from < block ? length - from : block;
        gilfree_presieve(flags + from, size, first + from);
        for (p = i; p < small; p++)
            at[p] = (int32_t)gilfree_cross_off(flags + from + at[p], flags + from + size, base[p]);
    }
    for (; small < *used; small++)
        at[small] = (int32_t)gilfree_cross_off(flags + at[small], flags + length, base[small]);
    /* Whole turns crossed off the primes themselves, and so did the patterns. */
    for (i = 0; i < bases && base[i] / 30 < first + length; i++)
        if (base[i] / 30 >= first)
            flags[base[i] / 30 - first] |= (uint8_t)~gilfree_mask_of[base[i] % 30];
}

/* Cross off the multiples of primes from p * p on in a row of `length` bytes that begins at the number `low`, which 30
   divides. The primes ascend, are above 5, and no quotient low / p needs more than 50 bits. */
static void gilfree_mark(
    uint8_t *GILFREE_RESTRICT row, int64_t length, uint64_t low, const uint64_t *GILFREE_RESTRICT primes, int64_t n
) {
    const uint64_t width = 30 * (uint64_t)length;
    const double low_rounded = (double)low;
    uint64_t next[GILFREE_BATCH];
    uint32_t found[GILFREE_BATCH], hits[GILFREE_BATCH];
    uint32_t wheel = 0;
    int64_t i, begin;
    int j, h, hit;
    for (j = 0; j < 8; j++)
        wheel |= 1u << GILFREE_WHEEL[j];
    for (begin = 0; begin < n; begin += GILFREE_BATCH) {
        const uint64_t *GILFREE_RESTRICT batch = primes + begin;
        const int64_t size = n - begin < GILFREE_BATCH ? n - begin : GILFREE_BATCH;
        uint64_t nearest;
        /* The first odd multiple. A double's quotient is within one of the true one, and remainders modulo 2**64 tell. */
        for (i = 0; i < size; i++) {
            int64_t p = (int64_t)batch[i];
            int64_t cofactor = (int64_t)(low_rounded / (double)p);
            int64_t over = (int64_t)(low - (uint64_t)cofactor * (uint64_t)p);
            cofactor += over > 0;
            over -= over > 0 ? p : 0;
            cofactor += over > 0;
            over -= over > 0 ? p : 0;
            next[i] = (uint64_t)-over + (cofactor & 1 ? 0 : (uint64_t)p);
            next[i] = cofactor < p ? (uint64_t)p * (uint64_t)p - low : next[i];
        }
        if (GILFREE_FEW * batch[size - 1] < width) {
            for (i = 0; i < size; i++) {
                const uint64_t p = batch[i];
                const uint64_t a = p / 30;
                const int b = gilfree_bit_of[p % 30];
                uint64_t offset = next[i], at;
                int64_t over;
                while (offset < width && gilfree_bit_of[offset % 30] == 8)
                    offset += 2 * p;
                if (offset >= width)
                    continue;
                at = offset / 30;
                j = gilfree_cofactor[b][gilfree_bit_of[offset % 30]];
                for (; j && at < (uint64_t)length; j = (j + 1) & 7) {
                    row[at] &= gilfree_mask[b][j];
                    at += a * gilfree_gap[j] + gilfree_carry[b][j];
                }
                /* A turn begins at `at - a`. Whole ones, as long as they end inside the row: */
                if (at - a + p <= (uint64_t)length) {
                    over = gilfree_cross_off(row + at - a, row + length - p + 1, (int64_t)p);
                    at = (uint64_t)(length + 1 + over + (int64_t)a) - (over < 0 ? 0 : p);
                }
                for (; at < (uint64_t)length; j = (j + 1) & 7) {
                    row[at] &= gilfree_mask[b][j];
                    at += a * gilfree_gap[j] + gilfree_carry[b][j];
                }
            }
            continue;
        }
        do {
            nearest = UINT64_MAX;
            for (i = 0; i < size; i++) {
                const uint64_t offset = next[i], residue = offset - 30 * ((offset * 0x88888889u) >> 36);
                found[i] = offset < width && (wheel >> (residue & 31) & 1) ? (uint32_t)offset : UINT32_MAX;
                next[i] = offset + 2 * batch[i];
            }
            for (hit = 0, i = 0; i < size; i++) {
                hits[hit] = found[i];
                hit += found[i] != UINT32_MAX;
            }
            for (h = 0; h < hit; h++)
                row[hits[h] / 30] &= gilfree_mask_of[hits[h] % 30];
            for (i = 0; i < size; i++)
                nearest = next[i] < nearest ? next[i] : nearest;
        } while (nearest < width);
    }
}

static int64_t gilfree_count(const uint8_t *flags, int64_t length) {
    int64_t found = 0, i = 0;
    uint64_t word;
    for (; i + 8 <= length; i += 8) {
        memcpy(&word, flags + i, 8);
        found += count_ones(word);
    }
    for (; i < length; i++)
        found += count_ones(flags[i]);
    return found;
}

/* Write the numbers of the set bits of `length` bytes, the first of which is that of the number `low`. */
static void gilfree_extract(const uint8_t *flags, int64_t length, uint64_t low, uint64_t *out, uint64_t *end) {
    int64_t i = 0;
    uint64_t word = 0;
    int k;
#if defined(__AVX512F__) && defined(__AVX512DQ__)
    /* A byte at a time, eight numbers that the flags close ranks of. Each store is of eight, of which the next ones
       overwrite what is too many: not beyond `end`, where another thread writes. */
    __m512i numbers = _mm512_add_epi64(
        _mm512_set1_epi64((long long)low), _mm512_set_epi64(29, 23, 19, 17, 13, 11, 7, 1)
    );
    const __m512i turn = _mm512_set1_epi64(30);
    for (; i < length && end - out >= 8; i++) {
        _mm512_storeu_si512(out, _mm512_maskz_compress_epi64(flags[i], numbers));
        out += count_ones(flags[i]);
        numbers = _mm512_add_epi64(numbers, turn);
    }
#endif
    for (; i < length; i += k) {
        k = length - i < 8 ? (int)(length - i) : 8;
        word = 0;
        for (int j = 0; j < k; j++)     /* in this order whatever the byte order of the machine */
            word |= (uint64_t)flags[i + j] << 8 * j;
        for (; word; word &= word - 1)
            *out++ = low + 30 * (uint64_t)i + gilfree_spread[bottom_bit(word)];
    }
    (void)end;
}

#endif
