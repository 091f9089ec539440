/* The exact sum of floating-point numbers, rounded once, to the nearest double.

   Words are a fixed-point number as wide as all doubles, in digits of 32 bits that may be negative (R. M. Neal, "Fast
   exact summation using small and large superaccumulators", 2015). They are the slow way and the meeting place. Most
   numbers never go there one by one: adding x to a double S so large that its last bit is worth u, rounds x to a
   multiple of u, and (S + x) - S and x - ((S + x) - S) are exact (Zielke and Drygalla; Rump, Ogita and Oishi, "Accurate
   floating-point summation", 2008; S runs on as the sum itself, as in Demmel and Nguyen's reproducible sums). So a lane
   is one such S for each of up to three levels, each about 44 bits below the one before. The lanes of 16 KiB of numbers
   are joined as integers. It is checked afterwards that no number was too large for the first level, and that nothing
   was left below the last; if so, the 16 KiB are taken again in another way:
       QUICK      the least size says that nothing can be left: spares two additions of six for each number
       CHECKED    the rest is computed; numbers with zeros among them end here; 1 to 3 levels, as the numbers need
       DEEP       the rest is stored, and taken with its own size: five levels, with a gap between where there is one
       SCATTERED  one by one: what is left of exponents all over the place, infinities, NaN, sizes above 2**1013
   Rounding must be to nearest, subnormals must not be flushed to zero, and doubles not be kept in wider registers.

   Plain C, no intrinsics. Measured on Zen 4 (3 GHz, 32 KiB L1, 1 MiB L2, gcc 12, one core of two, best of many;
   nanoseconds a number; "read" is a plain sum in 32 lanes, in the same program):
                                             baseline        AVX2            AVX-512
       16 KiB: read, exact                   0.101  0.421    0.043  0.233    0.043  0.225
       128 KiB, words                        0.102  0.428    0.068  0.232    0.068  0.224
       512 KiB, words                        0.102  0.426    0.070  0.229    0.068  0.219
       256 MiB, words                        0.319  0.452    0.373  0.341    0.524  0.436   (the memory is shared)
       128 KiB as float32: read, words       0.139  0.316    0.081  0.172    0.083  0.160   (32768 numbers)
       128 KiB, exponents within 40                 1.05            0.54            0.51
       128 KiB, within 80, 120                1.7,  1.7       0.92, 0.89       0.49, 0.82
       128 KiB, 1e300 and 1e-300 by turns           1.68            0.89            0.83
       128 KiB, all exponents                       2.6             2.3             2.5 to 3.3
       10 numbers, 100, 1000, in all         21, 69, 438     21, 65, 248     21, 81, 254
   What lost:
       the check of all numbers, where the least will do   0.61, 0.31, 0.30 (normal numbers)
       a pass for the largest size over the first 16 KiB of each piece, not a guess: 0.49, 0.27, 0.26
       two levels and a stored rest instead of three levels: exponents within 40 take 1.35, 0.69, 0.67
       three digits a number in one table when scattering: 2.4 to 6 instead of 2.0 to 3.0 (loads wait for stores,
       longest where gcc makes one vector of two digits); two or four tables taken by turns: 2.2 to 3.0
       sums of two (Knuth) for up to 32 numbers instead of 16: 66 instead of 40 to 50 for 32
       clang's `unroll(disable)` for the loop over lanes: the lanes go to memory, 1.0 instead of 0.2 to 0.4. Without it
       clang is as fast as gcc on x86-64, but for the checked ways of the baseline (2.1 where gcc has 1.05), and on Arm
       it does not make vectors of most of this. */

#ifndef GILFREE_EXACT_SUM_H
#define GILFREE_EXACT_SUM_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "scratch.h"
#include "bits.h"

#if defined(_MSC_VER) && !defined(__clang__)
#define EXACT_INLINE static __forceinline
#define EXACT_RESTRICT __restrict
#else
#define EXACT_INLINE static inline __attribute__((always_inline))
#define EXACT_RESTRICT restrict
#endif
/* gcc dissolves a loop of up to 8 turns into scalars before it looks for vectors, and finds none then. */
#if defined(__GNUC__) && !defined(__clang__)
#define EXACT_KEEP_LOOP _Pragma("GCC unroll 1")
#else
#define EXACT_KEEP_LOOP
#endif

/* Two vectors for each of the things that are kept. EXACT_ROOM: a lane adds up to 2**EXACT_ROOM numbers. */
#if defined(__AVX512F__)
#define EXACT_LANES 16
#define EXACT_ROOM 7
#elif defined(__AVX2__)
#define EXACT_LANES 8
#define EXACT_ROOM 8
#else
#define EXACT_LANES 4
#define EXACT_ROOM 9
#endif

#define EXACT_WORDS 72

/* Numbers are doubles at x, or, where narrow is 1, floats at y; the other pointer is null. To ask the pointer which,
   instead of a constant, makes the loops take half as long again. */
#define EXACT_FROM(i) narrow ? 0 : x + (i), narrow ? y + (i) : 0

enum {
    EXACT_DIGITS = 68,                              /* the words before the counts of inf, -inf and NaN */
    EXACT_UNIT = 1074,                              /* digit i counts 2**(32 i - 1074) */
    EXACT_SPAN = EXACT_LANES << EXACT_ROOM,         /* numbers taken at a time: 16 KiB */
    EXACT_PIECE = 16384,                            /* numbers between two normalisations */
    EXACT_GUESSED = 16,                             /* numbers looked at to guess the size of all */
    EXACT_FEW = 16                                  /* numbers summed without lanes */
};

EXACT_INLINE uint64_t exact_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

EXACT_INLINE double exact_double(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2**exponent, of a normal double */
EXACT_INLINE double exact_power(int exponent) {
    return exact_double((uint64_t)(exponent + 1023) << 52);
}

/* The least exponent with size < 2**exponent, but no less than -1022; 1025 where size is infinite. */
EXACT_INLINE int exact_exponent(double size) {
    return (int)(exact_bits(size) >> 52) - 1022;
}

/* ---- Digits ---- */

/* words += units * 2**scale: three digits, each by less than 2**33 */
EXACT_INLINE void exact_put(int64_t *words, int64_t units, int scale) {
    const int shift = scale + EXACT_UNIT;
    int64_t *at = words + (shift >> 5);
    const int64_t low = (int64_t)((uint64_t)(uint32_t)units << (shift & 31));
    const int64_t high = (units >> 32) * ((int64_t)1 << (shift & 31));
    at[0] += (int64_t)(uint32_t)low;
    at[1] += (low >> 32) + (int64_t)(uint32_t)high;
    at[2] += high >> 32;
}

/* Digits of any size become less than 2**33 in size: all hand on what is above 32 bits at once, no digit waits for the
   carry of another. The last one keeps it all, and is small: the rest of the words is worth 2**1102. */
static inline void exact_normalise(int64_t *words) {
    int64_t above[EXACT_DIGITS];
    int i;
    for (i = 0; i < EXACT_DIGITS - 1; i++) {
        above[i] = words[i] >> 32;
        words[i] &= 0xffffffff;
    }
    for (i = 0; i < EXACT_DIGITS - 1; i++)
        words[i + 1] += above[i];
}

/* One number after the other. What is below 32 bits and what is above go to tables of their own, as neighbours mostly
   want the same digits: a load waits for the store before it, and all the more so if the compiler makes one
   vector of two neighbouring digits. The upper part is up to 2**52, so 1024 of them are as much as a word holds. */
EXACT_INLINE void exact_scatter(int64_t *words, const double *x, const float *y, int narrow, int64_t n) {
    int64_t i, begin;
    int j;
    for (begin = 0; begin < n; begin += 1024) {
        const int64_t end = n - begin < 1024 ? n : begin + 1024;
        int64_t lower[EXACT_DIGITS] = {0}, upper[EXACT_DIGITS] = {0};
        for (i = begin; i < end; i++) {
            const uint64_t bits = exact_bits(narrow ? (double)y[i] : x[i]);
            const int field = (int)(bits >> 52 & 2047), shift = field - (field != 0);
            const int64_t sign = -(int64_t)(bits >> 63);
            const uint64_t fraction = bits & 0xfffffffffffffu, size = fraction | (uint64_t)(field != 0) << 52;
            if (field == 2047) {
                words[EXACT_DIGITS + (fraction ? 2 : bits >> 63)]++;
                continue;
            }
            lower[shift >> 5] += ((int64_t)(uint32_t)(size << (shift & 31)) ^ sign) - sign;
            upper[shift >> 5] += ((int64_t)(size >> (32 - (shift & 31))) ^ sign) - sign;
        }
        for (j = 0; j < EXACT_DIGITS - 1; j++) {
            words[j] += lower[j];
            words[j + 1] += upper[j];
        }
        exact_normalise(words);
    }
}

/* words += other. Normalised ones may be added 2**30 times before words must be normalised. */
static inline void exact_add_word(int64_t *words, const int64_t *other) {
    int i;
    for (i = 0; i < EXACT_WORDS; i++)
        words[i] += other[i];
}

/* The double nearest to (m + below) * 2**(place - 63 - 1074), to even if in the middle, with the top bit of m set and
   below, in [0, 1), zero or not. */
EXACT_INLINE double exact_nearest(int negative, uint64_t m, int below, int place) {
    const uint64_t sign = (uint64_t)negative << 63;
    uint64_t bits = m >> 11;
    if (place <= 52)                                /* a whole number of the smallest double: there is no rounding */
        return exact_double(sign | m >> (63 - place));
    if (place > 2097)
        return exact_double(sign | (uint64_t)2047 << 52);
    bits += ((uint64_t)(place - 52) << 52) + ((m & 2047) + (below || bits & 1) > 1024);
    return exact_double(sign | bits);
}

/* The double nearest to high * 2**scale + low * 2**low_scale, scale - low_scale being in [0, 52]. */
EXACT_INLINE double exact_nearest_two(int64_t high, int scale, int64_t low, int low_scale) {
    const int gap = scale - low_scale;
    uint64_t bottom = (uint64_t)high << gap, top = (uint64_t)(high >> 1 >> (63 - gap)), m;
    int negative, bit, place = low_scale + EXACT_UNIT;
    bottom += (uint64_t)low;
    top += (uint64_t)(low >> 63) + (bottom < (uint64_t)low);
    negative = (int)(top >> 63);
    if (negative) {
        bottom = 0 - bottom;
        top = ~top + !bottom;
    }
    if (!(top | bottom))
        return 0.0;
    if (!top) {
        bit = top_bit(bottom);
        return exact_nearest(negative, bottom << (63 - bit), 0, place + bit);
    }
    bit = top_bit(top);
    m = bit == 63 ? top : top << (63 - bit) | bottom >> (bit + 1);
    return exact_nearest(negative, m, bit == 63 ? bottom != 0 : bottom << (63 - bit) != 0, place + 64 + bit);
}

/* What the words stand for, normalised or not. */
static inline double exact_round(const int64_t *words) {
    int64_t digits[EXACT_WORDS], carry = 0;
    uint64_t m, below;
    int i, first = 0, last = EXACT_DIGITS - 1, negative, bit;
    if (words[EXACT_DIGITS] | words[EXACT_DIGITS + 1] | words[EXACT_DIGITS + 2])
        return exact_double(
            words[EXACT_DIGITS + 2] || (words[EXACT_DIGITS] && words[EXACT_DIGITS + 1]) ? 0x7ff8000000000000u
            : words[EXACT_DIGITS] ? 0x7ff0000000000000u : 0xfff0000000000000u);
    memcpy(digits, words, sizeof digits);
    exact_normalise(digits);
    while (last >= 0 && !digits[last])
        last--;
    if (last < 0)
        return 0.0;
    while (!digits[first])
        first++;
    last++;                         /* room for a carry and the sign; digits[68] is 0 */
    for (i = first; i <= last; i++) {
        carry += digits[i];
        digits[i] = carry & 0xffffffff;
        carry >>= 32;
    }
    negative = carry < 0;
    if (negative) {
        carry = 0;
        for (i = first; i <= last; i++) {
            carry -= digits[i];
            digits[i] = carry & 0xffffffff;
            carry >>= 32;
        }
    }
    while (last > 0 && !digits[last])
        last--;
    if (!digits[last])
        return 0.0;
    bit = top_bit((uint64_t)digits[last]);
    m = (uint64_t)digits[last] << (63 - bit) | (last > 0 ? (uint64_t)digits[last - 1] << (31 - bit) : 0);
    below = last > 1 ? (uint64_t)digits[last - 2] : 0;
    m |= below >> (bit + 1);
    below &= ((uint64_t)2 << bit) - 1;
    for (i = last - 3; !below && i >= first; i--)
        below = (uint64_t)digits[i];
    return exact_nearest(negative, m, below != 0, 32 * last + bit);
}

/* ---- Lanes ---- */

enum { EXACT_LEVELS = 3 };

typedef struct {
    double sum[EXACT_LEVELS][EXACT_LANES], most[EXACT_LANES], least[EXACT_LANES], left[EXACT_LANES];
} exact_lanes;

typedef struct {
    int64_t units[EXACT_LEVELS];    /* sums, in units of 2**exact_unit(top, level) */
    double most, least;             /* sizes; NaN counts for nothing */
    double left;                    /* the largest size of what is left of a number, of those it was computed for */
    int nan;
} exact_taken;

/* The lanes of a level begin at 1.5 * 2**exact_scale(top, level) and stay between one and two times that power, where
   doubles are multiples of 2**exact_unit(top, level): numbers are up to 2**top, and what a level leaves is up to half
   its unit. */
EXACT_INLINE int exact_scale(int top, int level) {
    const int scale = top + 1 + EXACT_ROOM - level * (52 - EXACT_ROOM);
    return scale < -1022 ? -1022 : scale;
}

EXACT_INLINE int exact_unit(int top, int level) {
    return exact_scale(top, level) - 52;
}

EXACT_INLINE void exact_step(
    exact_lanes *lanes, const double *x, const float *y, int narrow, int levels, int check, double *EXACT_RESTRICT rest
) {
    int j;
    EXACT_KEEP_LOOP
    for (j = 0; j < EXACT_LANES; j++) {
        double number = narrow ? (double)y[j] : x[j], size = fabs(number), sum;
        lanes->most[j] = size > lanes->most[j] ? size : lanes->most[j];
        if (levels >= 2) {
            sum = lanes->sum[0][j] + number;
            number -= sum - lanes->sum[0][j];
            lanes->sum[0][j] = sum;
        }
        if (levels >= 3) {
            sum = lanes->sum[1][j] + number;
            number -= sum - lanes->sum[1][j];
            lanes->sum[1][j] = sum;
        }
        sum = lanes->sum[levels - 1][j] + number;
        if (check) {
            number -= sum - lanes->sum[levels - 1][j];
            if (rest)
                rest[j] = number;
            number = fabs(number);
            lanes->left[j] = number > lanes->left[j] ? number : lanes->left[j];
        } else
            lanes->least[j] = size < lanes->least[j] ? size : lanes->least[j];
        lanes->sum[levels - 1][j] = sum;
    }
}

/* Sum up to EXACT_SPAN numbers: right if none is NaN, most is up to 2**top, and nothing is left. That is computed where
   `check` says so; else `least` must tell that nothing can be left. */
EXACT_INLINE exact_taken exact_take(
    const double *x, const float *y, int narrow, int64_t n, int top, int levels, int check, double *EXACT_RESTRICT rest
) {
    exact_lanes lanes;
    exact_taken taken = {{0}, 0.0, 0.0, 0.0, 0};
    uint64_t units[EXACT_LEVELS] = {0};     /* without a sign, as they may be anything where numbers are too large */
    int64_t i, most = 0, least = INT64_MAX, left = 0;
    int j, level;
    for (level = 0; level < levels; level++)
        for (j = 0; j < EXACT_LANES; j++)
            lanes.sum[level][j] = 1.5 * exact_power(exact_scale(top, level));
    for (j = 0; j < EXACT_LANES; j++) {
        lanes.most[j] = lanes.left[j] = 0.0;
        lanes.least[j] = exact_power(1023);
    }
    for (i = 0; i + EXACT_LANES <= n; i += EXACT_LANES)
        exact_step(&lanes, EXACT_FROM(i), narrow, levels, check, rest ? rest + i : 0);
    if (i < n) {                    /* zeros behind the end would be the least */
        double padded[EXACT_LANES] = {0.0};
        for (j = 0; j < n - i; j++)
            padded[j] = narrow ? (double)y[i + j] : x[i + j];
        exact_step(&lanes, padded, 0, 0, levels, 1, rest ? rest + i : 0);
    }
    /* Sizes are in the order of their bits, and the order in which integers are compared is free. */
    for (j = 0; j < EXACT_LANES; j++) {
        const int64_t size = (int64_t)exact_bits(lanes.most[j]);
        most = size > most ? size : most;
    }
    for (j = 0; j < EXACT_LANES; j++) {
        const int64_t size = (int64_t)exact_bits(lanes.least[j]);
        least = size < least ? size : least;
    }
    for (j = 0; j < EXACT_LANES; j++) {
        const int64_t size = (int64_t)exact_bits(lanes.left[j]);
        left = size > left ? size : left;
    }
    for (j = 0; j < EXACT_LANES; j++)
        taken.nan |= lanes.sum[0][j] != lanes.sum[0][j];
    taken.most = exact_double((uint64_t)most);
    taken.least = exact_double((uint64_t)least);
    taken.left = exact_double((uint64_t)left);
    /* Doubles between two powers of 2 are as far apart as their bits, read as integers, are. */
    for (level = 0; level < levels; level++)
        for (j = 0; j < EXACT_LANES; j++)
            units[level] += exact_bits(lanes.sum[level][j]) - exact_bits(1.5 * exact_power(exact_scale(top, level)));
    for (level = 0; level < levels; level++)
        taken.units[level] = (int64_t)units[level];
    return taken;
}

#define EXACT_TAKE(narrow, x, y) \
    levels == 1 ? (check ? exact_take(x, y, narrow, n, top, 1, 1, 0) : exact_take(x, y, narrow, n, top, 1, 0, 0)) \
    : levels == 2 ? (check ? exact_take(x, y, narrow, n, top, 2, 1, 0) : exact_take(x, y, narrow, n, top, 2, 0, 0)) \
    : exact_take(x, y, narrow, n, top, 3, 1, 0)

static exact_taken exact_take_f64(const double *x, int64_t n, int top, int levels, int check) {
    return EXACT_TAKE(0, x, 0);
}

static exact_taken exact_take_f32(const float *y, int64_t n, int top, int levels, int check) {
    return EXACT_TAKE(1, 0, y);
}

static exact_taken exact_take_leaving(const double *x, int64_t n, int top, double *EXACT_RESTRICT rest) {
    return exact_take(x, 0, 0, n, top, 2, 1, rest);
}

/* A guess at `top`: room for two bits more than the first few numbers need. */
EXACT_INLINE int exact_guess(const double *x, const float *y, int narrow, int64_t n) {
    int64_t most = 0;
    int j;
    for (j = 0; j < EXACT_GUESSED && j < n; j++) {
        const int64_t bits = (int64_t)(exact_bits(narrow ? (double)y[j] : x[j]) << 1 >> 53);
        most = bits > most && bits < 2047 ? bits : most;
    }
    return (int)most - 1020;
}

/* ---- Pieces ---- */

/* A sum under way: units as taken with `top`, and the words, which are not even cleared before they are used. */
typedef struct {
    int64_t *words, units[EXACT_LEVELS];
    int top, used;
} exact_account;

static int64_t *exact_open(exact_account *account) {
    if (!account->used)
        memset(account->words, 0, EXACT_WORDS * sizeof *account->words);
    account->used = 1;
    return account->words;
}

/* Go on with another `top`. */
static void exact_reopen(exact_account *account, int top) {
    int level;
    for (level = 0; level < EXACT_LEVELS; level++)
        if (account->units[level]) {
            exact_put(exact_open(account), account->units[level], exact_unit(account->top, level));
            account->units[level] = 0;
        }
    account->top = top;
}

/* What a span in single precision is as doubles, and what all levels leave of one. */
GILFREE_PER_THREAD double exact_copy[EXACT_SPAN], exact_rest[EXACT_SPAN];

/* Add up to EXACT_PIECE numbers. */
EXACT_INLINE void exact_piece(exact_account *account, const double *x, const float *y, int narrow, int64_t n) {
    const int limit = 1023 - exact_scale(0, 0), digits = narrow ? 24 : 53, smallest = narrow ? -149 : -1074;
    enum { QUICK, CHECKED, DEEP, SCATTERED } way = QUICK;
    double *copy = exact_copy, *rest = exact_rest;
    int levels = narrow ? 1 : 2, fewest = 1;
    int64_t i;
    exact_reopen(account, exact_guess(x, y, narrow, n));
    for (i = 0; i < n;) {
        const int64_t span = n - i < EXACT_SPAN ? n - i : EXACT_SPAN;
        exact_taken taken;
        int exponent, level, j;
        if (way == SCATTERED || account->top > limit) {
            exact_scatter(exact_open(account), EXACT_FROM(i), narrow, span);
            i += span;
            continue;
        }
        if (way == DEEP) {
            for (j = 0; narrow && j < span; j++)
                copy[j] = (double)y[i + j];
            taken = exact_take_leaving(narrow ? copy : x + i, span, account->top, rest);
        } else
            taken = narrow ? exact_take_f32(y + i, span, account->top, levels, way == CHECKED)
                           : exact_take_f64(x + i, span, account->top, levels, way == CHECKED);
        if (taken.nan) {
            exact_scatter(exact_open(account), EXACT_FROM(i), narrow, span);
            i += span;
            continue;
        }
        exponent = exact_exponent(taken.most);
        if (exponent > account->top) {
            exact_reopen(account, exponent);
            continue;
        }
        if (way == QUICK) {
            int finest = exact_exponent(taken.least) - digits;
            finest = finest < smallest ? smallest : finest;
            if (finest < exact_unit(account->top, levels - 1) || taken.left > 0.0) {
                way = CHECKED;
                continue;
            }
        } else if (way == CHECKED && taken.left > 0.0) {
            if (account->top - exponent >= 8)
                exact_reopen(account, exponent);
            else if (levels < EXACT_LEVELS)
                fewest = ++levels;
            else
                way = DEEP;
            continue;
        }
        for (level = 0; level < EXACT_LEVELS; level++)
            account->units[level] += taken.units[level];
        if (way == DEEP && taken.left > 0.0) {
            const int top = exact_exponent(taken.left);
            int64_t *words = exact_open(account);
            taken = exact_take_f64(rest, span, top, EXACT_LEVELS, 1);
            if (taken.left > 0.0) {
                exact_scatter(words, rest, 0, 0, span);
                way = SCATTERED;
            } else
                for (level = 0; level < EXACT_LEVELS; level++)
                    exact_put(words, taken.units[level], exact_unit(top, level));
        } else if (levels > fewest && !taken.units[levels - 1])
            levels--;
        i += span;
    }
}

EXACT_INLINE void exact_add(int64_t *words, const double *x, const float *y, int narrow, int64_t n) {
    exact_account account;
    int64_t i;
    account.words = words;
    memset(account.units, 0, sizeof account.units);
    account.top = 0;
    account.used = 1;
    for (i = 0; i < n; i += EXACT_PIECE) {
        exact_piece(&account, EXACT_FROM(i), narrow, n - i < EXACT_PIECE ? n - i : EXACT_PIECE);
        exact_reopen(&account, 0);
        exact_normalise(words);
    }
}

/* Add n numbers to normalised words, and leave them normalised. */
static inline void exact_add_f64(int64_t *words, const double *x, int64_t n) {
    exact_add(words, x, 0, 0, n);
}

static inline void exact_add_f32(int64_t *words, const float *y, int64_t n) {
    exact_add(words, 0, y, 1, n);
}

EXACT_INLINE double exact_sum(const double *x, const float *y, int narrow, int64_t n) {
    exact_account account;
    int64_t words[EXACT_WORDS], i;
    if (n <= EXACT_FEW) {
        /* What each addition loses is a double; if the sum of those is one, too, the two sums are the whole. A sum that
           overflows loses NaN. */
        double sum = 0.0, lost = 0.0, doubt = 0.0;
        for (i = 0; i < n; i++) {
            const double number = narrow ? (double)y[i] : x[i];
            const double next = sum + number, back = next - sum;
            const double loss = (sum - (next - back)) + (number - back);
            const double losses = lost + loss, back_again = losses - lost;
            doubt += fabs((lost - (losses - back_again)) + (loss - back_again));
            sum = next;
            lost = losses;
        }
        if (doubt == 0.0)
            return sum + lost;
    }
    account.words = words;
    memset(account.units, 0, sizeof account.units);
    account.top = account.used = 0;
    for (i = 0; i < n; i += EXACT_PIECE) {
        exact_piece(&account, EXACT_FROM(i), narrow, n - i < EXACT_PIECE ? n - i : EXACT_PIECE);
        if (n > EXACT_PIECE) {
            exact_reopen(&account, 0);
            exact_normalise(exact_open(&account));
        }
    }
    if (!account.used && !account.units[2])
        return exact_nearest_two(
            account.units[0], exact_unit(account.top, 0), account.units[1], exact_unit(account.top, 1));
    exact_reopen(&account, 0);
    return exact_round(words);
}

/* The sum of n numbers. */
static inline double exact_sum_f64(const double *x, int64_t n) {
    return exact_sum(x, 0, 0, n);
}

static inline double exact_sum_f32(const float *y, int64_t n) {
    return exact_sum(0, y, 1, n);
}

#endif
