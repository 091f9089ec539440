/* Exact primality of 64-bit integers: Baillie-PSW for many numbers at once, in the widest arithmetic there is.

   What earned the intrinsics, in ns a prime on one core (Zen 4, gcc 12), and python-flint in a list comprehension:

                                                 32 bits   40 bits   52 bits   64 bits   odd, 64 bits
       python-flint                                  148       351       432       561            130
       no intrinsics: one number a lane               67       207       250       360             43
       AVX2: doubles below 2**52, halves above        26        64        79       202             27
       AVX-512: IFMA                                  13        32        48        94             14

   Zen 4 begins one 512-bit multiplication a cycle (IFMA, vpmullq; four cycles later it is there), and 64-bit minima,
   comparisons and tests take the same ports. A square of 64 bits takes 11.8 cycles a register of eight numbers and needs
   those ports for 11, a step of the Lucas sequence 26.1 for 25; below 2**52 it is 5.9 for 5 and 12.4 for 11, and the rest is
   what a group of registers needs before and after: setting up, the tails, the queues. Four registers a group come that
   near; one alone takes three times as long, from latency.

   Tried and left out, as no faster: five, six and eight registers a group; corrections by the sign or the absolute value
   in place of the minimum; vpmuludq in place of IFMA for the short limbs; numbers in general registers beside the lanes
   below 2**52. Euler's test to base 2 in place of the strong one saves the tails, 2 ns at 52 bits, but that the Lucas test
   fails all composites it passes is less often checked. In arrays larger than the first cache, numbers fetched ahead save
   3 ns. */
#ifndef GILFREE_PRIMALITY_H
#define GILFREE_PRIMALITY_H

#include <stdint.h>
#include <string.h>

#include "bits.h"
#include "pseudoprimes.h"
#include "scratch.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define ALWAYS static __forceinline
#else
#define ALWAYS static inline __attribute__((always_inline))
#endif

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define EACH_2(...) do { {enum {j = 0}; __VA_ARGS__} {enum {j = 1}; __VA_ARGS__} } while (0);
#define EACH_4(...) do { {enum {j = 0}; __VA_ARGS__} {enum {j = 1}; __VA_ARGS__} \
                         {enum {j = 2}; __VA_ARGS__} {enum {j = 3}; __VA_ARGS__} } while (0);

/* --- integers ---------------------------------------------------------------------------------------------------- */

#if defined(_MSC_VER) && !defined(__clang__)
ALWAYS uint64_t wide_product(uint64_t a, uint64_t b, uint64_t *high) {
    *high = __umulh(a, b);
    return a * b;
}
#else
ALWAYS uint64_t wide_product(uint64_t a, uint64_t b, uint64_t *high) {
    unsigned __int128 product = (unsigned __int128)a * b;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
}
#endif

/* 1 / n modulo 2**64 for odd n: 3 n ^ 2 is right in five bits, and each step doubles their number. */
ALWAYS uint64_t inverse(uint64_t n) {
    uint64_t x = (3 * n) ^ 2;
    x *= 2 - n * x;
    x *= 2 - n * x;
    x *= 2 - n * x;
    x *= 2 - n * x;
    return x;
}

/* Jacobi symbol (a / n) for odd n. */
static int jacobi(uint64_t a, uint64_t n) {
    int symbol = 1;
    a %= n;
    while (a != 0) {
        uint64_t swap;
        int twos = bottom_bit(a);
        a >>= twos;
        if (twos % 2 != 0 && (n % 8 == 3 || n % 8 == 5)) symbol = -symbol;
        if (a % 4 == 3 && n % 4 == 3) symbol = -symbol;
        swap = n % a;
        n = a;
        a = swap;
    }
    return n == 1 ? symbol : 0;
}

/* Newton's steps from above end at the integer root, whatever a double would round to. */
static uint64_t square_root(uint64_t n) {
    uint64_t root = (uint64_t)1 << (top_bit(n | 1) / 2 + 1), next;
    if (n == 0) return 0;
    while ((next = (root + n / root) / 2) < root) root = next;
    return root;
}

/* V(0) ... V(8) of the Lucas sequence with this P and Q = 1, all below 2**49: the first three bits of an index. */
enum { LUCAS_STARTS = 64 };
static uint64_t lucas_start[LUCAS_STARTS][9];

/* --- one number a lane: 64-bit registers, R = 2**64 --------------------------------------------------------------

   Montgomery arithmetic (P. Montgomery, "Modular Multiplication Without Trial Division", 1985) in the form that
   subtracts: inv is 1 / n modulo R, and every residue lies in [0, n). Choices are masks: half of them would be
   mispredicted as jumps. */

typedef struct { uint64_t n, inv, r2; } modulus_t_one;
typedef uint64_t number_t_one, addend_t_one, exponent_t_one, mask_t_one;

ALWAYS uint64_t subtract_one(uint64_t a, uint64_t b, uint64_t n) {
    return a - b + (n & (0 - (uint64_t)(a < b)));
}
ALWAYS uint64_t multiply_one(uint64_t x, uint64_t y, const modulus_t_one *m) {
    uint64_t high, folded;
    uint64_t low = wide_product(x, y, &high);
    wide_product(low * m->inv, m->n, &folded);
    return subtract_one(high, folded, m->n);
}
ALWAYS uint64_t square_one(uint64_t x, const modulus_t_one *m) { return multiply_one(x, x, m); }
ALWAYS uint64_t multiply_plus_one(uint64_t x, uint64_t y, uint64_t a, const modulus_t_one *m) {
    return subtract_one(multiply_one(x, y, m), m->n - a, m->n);
}
ALWAYS uint64_t square_plus_one(uint64_t x, uint64_t a, const modulus_t_one *m) {
    return multiply_plus_one(x, x, a, m);
}
ALWAYS modulus_t_one modulus_one(const uint64_t *n) {
    modulus_t_one m;
    uint64_t x = (0 - *n) % *n;
    int i;
    m.n = *n;
    m.inv = inverse(*n);
    for (i = 0; i < 4; i++) x = subtract_one(x, m.n - x, m.n);  /* R, 2 R ... 2**4 R */
    for (i = 0; i < 4; i++) x = square_one(x, &m);              /* 2**8 R ... 2**64 R */
    m.r2 = x;
    return m;
}
ALWAYS uint64_t exponents_one(const uint64_t *e) { return *e; }
ALWAYS uint64_t small_one(uint64_t v, const modulus_t_one *m) { return multiply_one(v, m->r2, m); }
ALWAYS uint64_t times_one(uint64_t x, uint64_t e, int at, const modulus_t_one *m) {
    return multiply_one(x, (uint64_t)1 << (e >> at & 31), m);
}
ALWAYS uint64_t bit_one(uint64_t e, int at) { return 0 - (e >> at & 1); }
ALWAYS uint32_t clear_one(uint64_t e, uint64_t bits) { return (e & bits) == 0; }
ALWAYS uint64_t pick_one(uint64_t mask, uint64_t a, uint64_t b) { return b ^ ((a ^ b) & mask); }
ALWAYS uint64_t twice_one(uint64_t mask, uint64_t x, const modulus_t_one *m) {
    return subtract_one(x, (m->n - x) & mask, m->n);
}
ALWAYS uint64_t canonical_one(uint64_t x, const modulus_t_one *m) { (void)m; return x; }
ALWAYS uint64_t negative_one(uint64_t x, const modulus_t_one *m) { return m->n - x; }
ALWAYS uint64_t addend_one(uint64_t x, const modulus_t_one *m) { (void)m; return x; }
ALWAYS uint32_t same_one(uint64_t x, uint64_t y, const modulus_t_one *m) { (void)m; return x == y; }
ALWAYS uint32_t zero_one(uint64_t x, const modulus_t_one *m) { (void)m; return x == 0; }

#define SUFFIX one
#define LANES 1
#define COUNT 4
#define R_BITS(lane) 64
#define EACH EACH_4
#include "strong_lucas.h"
#undef SUFFIX
#undef LANES
#undef COUNT
#undef R_BITS
#undef EACH

/* --- one number below 2**58 a lane: the same with room above ---------------------------------------------------------

   Residues lie in [0, 3n), or twice that once, and their products below n R: without a comparison, high - folded + n
   lies in (0, 2n) and with `a` more in (0, 3n). */

typedef modulus_t_one modulus_t_loose;
typedef uint64_t number_t_loose, addend_t_loose, exponent_t_loose, mask_t_loose;

ALWAYS uint64_t multiply_plus_loose(uint64_t x, uint64_t y, uint64_t a, const modulus_t_loose *m) {
    uint64_t high, folded;
    uint64_t low = wide_product(x, y, &high);
    wide_product(low * m->inv, m->n, &folded);
    return high - folded + (m->n + a);
}
ALWAYS uint64_t multiply_loose(uint64_t x, uint64_t y, const modulus_t_loose *m) {
    return multiply_plus_loose(x, y, 0, m);
}
ALWAYS uint64_t square_loose(uint64_t x, const modulus_t_loose *m) { return multiply_loose(x, x, m); }
ALWAYS uint64_t square_plus_loose(uint64_t x, uint64_t a, const modulus_t_loose *m) {
    return multiply_plus_loose(x, x, a, m);
}
ALWAYS modulus_t_loose modulus_loose(const uint64_t *n) { return modulus_one(n); }
ALWAYS uint64_t exponents_loose(const uint64_t *e) { return *e; }
ALWAYS uint64_t canonical_loose(uint64_t x, const modulus_t_loose *m) {
    x -= m->n * 4 & (0 - (uint64_t)(x >= m->n * 4));
    x -= m->n * 2 & (0 - (uint64_t)(x >= m->n * 2));
    return x - (m->n & (0 - (uint64_t)(x >= m->n)));
}
ALWAYS uint64_t small_loose(uint64_t v, const modulus_t_loose *m) {
    return canonical_loose(multiply_loose(v, m->r2, m), m);
}
ALWAYS uint64_t times_loose(uint64_t x, uint64_t e, int at, const modulus_t_loose *m) {
    return multiply_loose(x, (uint64_t)1 << (e >> at & 31), m);
}
ALWAYS uint64_t bit_loose(uint64_t e, int at) { return bit_one(e, at); }
ALWAYS uint32_t clear_loose(uint64_t e, uint64_t bits) { return clear_one(e, bits); }
ALWAYS uint64_t pick_loose(uint64_t mask, uint64_t a, uint64_t b) { return pick_one(mask, a, b); }
ALWAYS uint64_t twice_loose(uint64_t mask, uint64_t x, const modulus_t_loose *m) { (void)m; return x + (x & mask); }
ALWAYS uint64_t negative_loose(uint64_t x, const modulus_t_loose *m) { return m->n - x; }
ALWAYS uint64_t addend_loose(uint64_t x, const modulus_t_loose *m) { (void)m; return x; }
ALWAYS uint32_t same_loose(uint64_t x, uint64_t y, const modulus_t_loose *m) { return canonical_loose(x, m) == y; }
ALWAYS uint32_t zero_loose(uint64_t x, const modulus_t_loose *m) { return canonical_loose(x, m) == 0; }

#define SUFFIX loose
#define LANES 1
#define COUNT 4
#define R_BITS(lane) 64
#define EACH EACH_4
#include "strong_lucas.h"
#undef SUFFIX
#undef LANES
#undef COUNT
#undef R_BITS
#undef EACH

/* --- two kinds of arithmetic together -------------------------------------------------------------------------------

   Lanes of `a` and behind them lanes of `b`: the multiplier of 64-bit words has nothing to do while that of vectors is
   busy. Where vectors are slow, a number or two for each, in general registers, come all but free. */

#define TOGETHER(a, a_lanes, b, both)                                                                                 \
    typedef struct { modulus_t_##a a; modulus_t_##b b; } modulus_t_##both;                                            \
    typedef struct { number_t_##a a; number_t_##b b; } number_t_##both;                                               \
    typedef struct { addend_t_##a a; addend_t_##b b; } addend_t_##both;                                               \
    typedef struct { exponent_t_##a a; exponent_t_##b b; } exponent_t_##both;                                         \
    typedef struct { mask_t_##a a; mask_t_##b b; } mask_t_##both;                                                     \
    ALWAYS exponent_t_##both exponents_##both(const uint64_t *e) {                                                    \
        exponent_t_##both r;                                                                                          \
        r.a = exponents_##a(e);                                                                                       \
        r.b = exponents_##b(e + a_lanes);                                                                             \
        return r;                                                                                                     \
    }                                                                                                                 \
    ALWAYS modulus_t_##both modulus_##both(const uint64_t *n) {                                                       \
        modulus_t_##both r;                                                                                           \
        r.a = modulus_##a(n);                                                                                         \
        r.b = modulus_##b(n + a_lanes);                                                                               \
        return r;                                                                                                     \
    }                                                                                                                 \
    ALWAYS mask_t_##both bit_##both(exponent_t_##both e, int at) {                                                    \
        mask_t_##both r;                                                                                              \
        r.a = bit_##a(e.a, at);                                                                                       \
        r.b = bit_##b(e.b, at);                                                                                       \
        return r;                                                                                                     \
    }                                                                                                                 \
    ALWAYS number_t_##both pick_##both(mask_t_##both mask, number_t_##both x, number_t_##both y) {                    \
        x.a = pick_##a(mask.a, x.a, y.a);                                                                             \
        x.b = pick_##b(mask.b, x.b, y.b);                                                                             \
        return x;                                                                                                     \
    }                                                                                                                 \
    ALWAYS number_t_##both twice_##both(mask_t_##both mask, number_t_##both x, const modulus_t_##both *m) {           \
        x.a = twice_##a(mask.a, x.a, &m->a);                                                                          \
        x.b = twice_##b(mask.b, x.b, &m->b);                                                                          \
        return x;                                                                                                     \
    }                                                                                                                 \
    ALWAYS number_t_##both small_##both(exponent_t_##both v, const modulus_t_##both *m) {                             \
        number_t_##both x;                                                                                            \
        x.a = small_##a(v.a, &m->a);                                                                                  \
        x.b = small_##b(v.b, &m->b);                                                                                  \
        return x;                                                                                                     \
    }                                                                                                                 \
    ALWAYS number_t_##both times_##both(number_t_##both x, exponent_t_##both e, int at, const modulus_t_##both *m) {  \
        x.a = times_##a(x.a, e.a, at, &m->a);                                                                         \
        x.b = times_##b(x.b, e.b, at, &m->b);                                                                         \
        return x;                                                                                                     \
    }                                                                                                                 \
    ALWAYS number_t_##both square_##both(number_t_##both x, const modulus_t_##both *m) {                              \
        x.a = square_##a(x.a, &m->a);                                                                                 \
        x.b = square_##b(x.b, &m->b);                                                                                 \
        return x;                                                                                                     \
    }                                                                                                                 \
    ALWAYS number_t_##both canonical_##both(number_t_##both x, const modulus_t_##both *m) {                           \
        x.a = canonical_##a(x.a, &m->a);                                                                              \
        x.b = canonical_##b(x.b, &m->b);                                                                              \
        return x;                                                                                                     \
    }                                                                                                                 \
    ALWAYS number_t_##both negative_##both(number_t_##both x, const modulus_t_##both *m) {                            \
        x.a = negative_##a(x.a, &m->a);                                                                               \
        x.b = negative_##b(x.b, &m->b);                                                                               \
        return x;                                                                                                     \
    }                                                                                                                 \
    ALWAYS addend_t_##both addend_##both(number_t_##both x, const modulus_t_##both *m) {                              \
        addend_t_##both y;                                                                                            \
        y.a = addend_##a(x.a, &m->a);                                                                                 \
        y.b = addend_##b(x.b, &m->b);                                                                                 \
        return y;                                                                                                     \
    }                                                                                                                 \
    ALWAYS number_t_##both square_plus_##both(number_t_##both x, addend_t_##both y, const modulus_t_##both *m) {      \
        x.a = square_plus_##a(x.a, y.a, &m->a);                                                                       \
        x.b = square_plus_##b(x.b, y.b, &m->b);                                                                       \
        return x;                                                                                                     \
    }                                                                                                                 \
    ALWAYS number_t_##both multiply_plus_##both(                                                                      \
        number_t_##both x, number_t_##both y, addend_t_##both z, const modulus_t_##both *m) {                         \
        x.a = multiply_plus_##a(x.a, y.a, z.a, &m->a);                                                                \
        x.b = multiply_plus_##b(x.b, y.b, z.b, &m->b);                                                                \
        return x;                                                                                                     \
    }                                                                                                                 \
    ALWAYS uint32_t same_##both(number_t_##both x, number_t_##both y, const modulus_t_##both *m) {                    \
        return same_##a(x.a, y.a, &m->a) | same_##b(x.b, y.b, &m->b) << a_lanes;                                      \
    }                                                                                                                 \
    ALWAYS uint32_t clear_##both(exponent_t_##both e, uint64_t bits) {                                                \
        return clear_##a(e.a, bits) | clear_##b(e.b, bits) << a_lanes;                                                \
    }                                                                                                                 \
    ALWAYS uint32_t zero_##both(number_t_##both x, const modulus_t_##both *m) {                                       \
        return zero_##a(x.a, &m->a) | zero_##b(x.b, &m->b) << a_lanes;                                                \
    }

#if defined(__AVX2__) && !defined(__AVX512F__)
/* --- four numbers below 2**52 a register: doubles, R = 1 ------------------------------------------------------------

   AVX2 has no product of 64 bits, but a fused multiply-add gives both halves of a product of doubles: h = xy rounded,
   l = xy - h. With q = xy / n rounded to an integer, xy - qn is (h - qn) + l, and both terms are exact. Residues lie
   in [-n/2, n/2], or an eps beyond where n/2 is all but a tie: then |xy| <= n**2 / 4 and q is at most 2**50, in which
   three roundings (of h, of 1/n, of their product) miss by 3/8 at most, so that q is wrong by 7/8 and h - qn below
   7/8 n + 2**49 <= 2**52 in size: an integer that a double can hold, so the fused operation is exact. The sum with l
   and with `a`, n/2 at most, is below 1.4 n; q once more brings it to [-n/2, n/2]. */

typedef struct { __m256d n, inv; } modulus_t_real;
typedef __m256d number_t_real, addend_t_real, mask_t_real;
typedef __m256i exponent_t_real;

ALWAYS __m256d round_real(__m256d x) { return _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/* v below 2**52: its bits are the fraction of a number from 2**52. */
ALWAYS __m256d to_real(__m256i v) {
    __m256d shift = _mm256_set1_pd(4503599627370496.0);
    return _mm256_sub_pd(_mm256_or_pd(_mm256_castsi256_pd(v), shift), shift);
}
ALWAYS __m256d reduce_real(__m256d x, const modulus_t_real *m) {
    return _mm256_fnmadd_pd(round_real(_mm256_mul_pd(x, m->inv)), m->n, x);
}
ALWAYS __m256i exponents_real(const uint64_t *e) { return _mm256_loadu_si256((const __m256i *)e); }
ALWAYS modulus_t_real modulus_real(const uint64_t *n) {
    modulus_t_real m;
    m.n = to_real(exponents_real(n));
    m.inv = _mm256_div_pd(_mm256_set1_pd(1.0), m.n);
    return m;
}
ALWAYS __m256d multiply_plus_real(__m256d x, __m256d y, __m256d a, const modulus_t_real *m) {
    __m256d h = _mm256_mul_pd(x, y);
    __m256d l = _mm256_add_pd(_mm256_fmsub_pd(x, y, h), a);
    __m256d q = round_real(_mm256_mul_pd(h, m->inv));
    return reduce_real(_mm256_add_pd(_mm256_fnmadd_pd(q, m->n, h), l), m);
}
ALWAYS __m256d square_plus_real(__m256d x, __m256d a, const modulus_t_real *m) {
    return multiply_plus_real(x, x, a, m);
}
ALWAYS __m256d multiply_real(__m256d x, __m256d y, const modulus_t_real *m) {
    __m256d h = _mm256_mul_pd(x, y);
    __m256d l = _mm256_fmsub_pd(x, y, h);
    __m256d q = round_real(_mm256_mul_pd(h, m->inv));
    return reduce_real(_mm256_add_pd(_mm256_fnmadd_pd(q, m->n, h), l), m);
}
ALWAYS __m256d square_real(__m256d x, const modulus_t_real *m) { return multiply_real(x, x, m); }
ALWAYS __m256d small_real(__m256i v, const modulus_t_real *m) { return reduce_real(to_real(v), m); }
ALWAYS __m256d times_real(__m256d x, __m256i e, int at, const modulus_t_real *m) {
    /* 2**w by its exponent's bits; the product is exact, below 2**31 n in size, and q right to less than 1. */
    __m256i w = _mm256_and_si256(_mm256_srl_epi64(e, _mm_cvtsi32_si128(at)), _mm256_set1_epi64x(31));
    __m256i power = _mm256_slli_epi64(_mm256_add_epi64(w, _mm256_set1_epi64x(1023)), 52);
    return reduce_real(_mm256_mul_pd(x, _mm256_castsi256_pd(power)), m);
}
ALWAYS __m256d bit_real(__m256i e, int at) {
    return _mm256_castsi256_pd(_mm256_sll_epi64(e, _mm_cvtsi32_si128(63 - at)));     /* only the sign counts */
}
ALWAYS uint32_t clear_real(__m256i e, uint64_t bits) {
    __m256i none = _mm256_cmpeq_epi64(
        _mm256_and_si256(e, _mm256_set1_epi64x((int64_t)bits)), _mm256_setzero_si256());
    return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(none));
}
ALWAYS __m256d pick_real(__m256d mask, __m256d a, __m256d b) { return _mm256_blendv_pd(b, a, mask); }
ALWAYS __m256d twice_real(__m256d mask, __m256d x, const modulus_t_real *m) {
    return pick_real(mask, reduce_real(_mm256_add_pd(x, x), m), x);
}
ALWAYS __m256d canonical_real(__m256d x, const modulus_t_real *m) { (void)m; return x; }
ALWAYS __m256d negative_real(__m256d x, const modulus_t_real *m) {
    (void)m;
    return _mm256_sub_pd(_mm256_setzero_pd(), x);
}
ALWAYS __m256d addend_real(__m256d x, const modulus_t_real *m) { (void)m; return x; }
ALWAYS uint32_t same_real(__m256d x, __m256d y, const modulus_t_real *m) {
    __m256d d = _mm256_andnot_pd(_mm256_set1_pd(-0.0), _mm256_sub_pd(x, y));
    __m256d none = _mm256_cmp_pd(d, _mm256_setzero_pd(), _CMP_EQ_OQ);
    return (uint32_t)_mm256_movemask_pd(_mm256_or_pd(none, _mm256_cmp_pd(d, m->n, _CMP_EQ_OQ)));
}
ALWAYS uint32_t zero_real(__m256d x, const modulus_t_real *m) {
    (void)m;
    return (uint32_t)_mm256_movemask_pd(_mm256_cmp_pd(x, _mm256_setzero_pd(), _CMP_EQ_OQ));
}

#define SUFFIX real
#define LANES 4
#define COUNT 4
#define R_BITS(lane) 0
#define EACH EACH_4
#include "strong_lucas.h"
#undef SUFFIX
#undef LANES
#undef COUNT
#undef R_BITS
#undef EACH
/* --- four numbers of 64 bits a register: halves of 32 bits, R = 2**64 ------------------------------------------------

   As for one number a lane, with products of 32 bits: 11 of them for one of 64 bits and its reduction. */

typedef struct { __m256i n, inv, r2; } modulus_t_quad;
typedef __m256i number_t_quad, addend_t_quad, exponent_t_quad, mask_t_quad;

ALWAYS __m256i exponents_quad(const uint64_t *e) { return exponents_real(e); }
ALWAYS __m256i upper(__m256i x) { return _mm256_srli_epi64(x, 32); }
ALWAYS __m256i lower(__m256i x) { return _mm256_and_si256(x, _mm256_set1_epi64x(0xffffffff)); }
ALWAYS __m256i subtract_quad(__m256i a, __m256i b, __m256i n) {
    __m256i sign = _mm256_set1_epi64x(INT64_MIN);   /* there is only a comparison of signed numbers */
    __m256i below = _mm256_cmpgt_epi64(_mm256_xor_si256(b, sign), _mm256_xor_si256(a, sign));
    return _mm256_add_epi64(_mm256_sub_epi64(a, b), _mm256_and_si256(below, n));
}
/* (high 2**64 + l1 2**32 + l0) / R, where only the lower halves of l1 and l0 count. */
ALWAYS __m256i reduce_quad(__m256i high, __m256i l1, __m256i l0, const modulus_t_quad *m) {
    __m256i n1 = upper(m->n);
    __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(l0, upper(m->inv)), _mm256_mul_epu32(l1, m->inv));
    __m256i q = _mm256_add_epi64(_mm256_mul_epu32(l0, m->inv), _mm256_slli_epi64(cross, 32));
    __m256i q1 = upper(q);
    __m256i first = _mm256_add_epi64(_mm256_mul_epu32(q1, m->n), upper(_mm256_mul_epu32(q, m->n)));
    __m256i second = _mm256_add_epi64(_mm256_mul_epu32(q, n1), lower(first));
    __m256i folded = _mm256_add_epi64(
        _mm256_add_epi64(_mm256_mul_epu32(q1, n1), upper(first)), upper(second));
    return subtract_quad(high, folded, m->n);
}
ALWAYS __m256i multiply_quad(__m256i x, __m256i y, const modulus_t_quad *m) {
    __m256i x1 = upper(x), y1 = upper(y);
    __m256i lowest = _mm256_mul_epu32(x, y);
    __m256i first = _mm256_add_epi64(_mm256_mul_epu32(x1, y), upper(lowest));
    __m256i second = _mm256_add_epi64(_mm256_mul_epu32(x, y1), lower(first));
    __m256i high = _mm256_add_epi64(_mm256_add_epi64(_mm256_mul_epu32(x1, y1), upper(first)), upper(second));
    return reduce_quad(high, second, lowest, m);
}
ALWAYS __m256i square_quad(__m256i x, const modulus_t_quad *m) {
    __m256i x1 = upper(x), lowest = _mm256_mul_epu32(x, x), middle = _mm256_mul_epu32(x1, x);
    __m256i first = _mm256_add_epi64(middle, upper(lowest));
    __m256i second = _mm256_add_epi64(middle, lower(first));
    __m256i high = _mm256_add_epi64(_mm256_add_epi64(_mm256_mul_epu32(x1, x1), upper(first)), upper(second));
    return reduce_quad(high, second, lowest, m);
}
ALWAYS __m256i multiply_plus_quad(__m256i x, __m256i y, __m256i a, const modulus_t_quad *m) {
    return subtract_quad(multiply_quad(x, y, m), _mm256_sub_epi64(m->n, a), m->n);
}
ALWAYS __m256i square_plus_quad(__m256i x, __m256i a, const modulus_t_quad *m) {
    return subtract_quad(square_quad(x, m), _mm256_sub_epi64(m->n, a), m->n);
}
ALWAYS modulus_t_quad modulus_quad(const uint64_t *n) {
    modulus_t_quad m;
    uint64_t inv[4], r2[4];
    int i;
    for (i = 0; i < 4; i++) {   /* AVX2 has neither the division nor the product of 64 bits */
        r2[i] = (0 - n[i]) % n[i];
        inv[i] = inverse(n[i]);
    }
    m.n = exponents_quad(n);
    m.inv = exponents_quad(inv);
    m.r2 = exponents_quad(r2);
    for (i = 0; i < 4; i++) m.r2 = subtract_quad(m.r2, _mm256_sub_epi64(m.n, m.r2), m.n);
    for (i = 0; i < 4; i++) m.r2 = square_quad(m.r2, &m);
    return m;
}
ALWAYS __m256i small_quad(__m256i v, const modulus_t_quad *m) { return multiply_quad(v, m->r2, m); }
ALWAYS __m256i times_quad(__m256i x, __m256i e, int at, const modulus_t_quad *m) {
    __m256i w = _mm256_and_si256(_mm256_srl_epi64(e, _mm_cvtsi32_si128(at)), _mm256_set1_epi64x(31));
    __m256i low = _mm256_sllv_epi64(x, w);
    __m256i high = _mm256_srlv_epi64(x, _mm256_sub_epi64(_mm256_set1_epi64x(64), w));  /* a shift by 64 gives 0 */
    return reduce_quad(high, upper(low), low, m);
}
ALWAYS __m256i bit_quad(__m256i e, int at) {
    __m256i bit = _mm256_set1_epi64x((int64_t)((uint64_t)1 << at));
    return _mm256_cmpeq_epi64(_mm256_and_si256(e, bit), bit);
}
ALWAYS uint32_t clear_quad(__m256i e, uint64_t bits) { return clear_real(e, bits); }
ALWAYS __m256i pick_quad(__m256i mask, __m256i a, __m256i b) { return _mm256_blendv_epi8(b, a, mask); }
ALWAYS __m256i twice_quad(__m256i mask, __m256i x, const modulus_t_quad *m) {
    return subtract_quad(x, _mm256_and_si256(_mm256_sub_epi64(m->n, x), mask), m->n);
}
ALWAYS __m256i canonical_quad(__m256i x, const modulus_t_quad *m) { (void)m; return x; }
ALWAYS __m256i negative_quad(__m256i x, const modulus_t_quad *m) { return _mm256_sub_epi64(m->n, x); }
ALWAYS __m256i addend_quad(__m256i x, const modulus_t_quad *m) { (void)m; return x; }
ALWAYS uint32_t same_quad(__m256i x, __m256i y, const modulus_t_quad *m) {
    (void)m;
    return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(x, y)));
}
ALWAYS uint32_t zero_quad(__m256i x, const modulus_t_quad *m) { return same_quad(x, _mm256_setzero_si256(), m); }

TOGETHER(quad, 4, one, five)
TOGETHER(five, 5, one, six)

#define SUFFIX six
#define LANES 6
#define COUNT 2
#define R_BITS(lane) 64
#define EACH EACH_2
#include "strong_lucas.h"
#undef SUFFIX
#undef LANES
#undef COUNT
#undef R_BITS
#undef EACH
#endif

#if defined(__AVX512F__)
/* --- eight numbers below 2**52 a register: IFMA, R = 2**52 -----------------------------------------------------------

   vpmadd52luq and vpmadd52huq add the lower and the upper 52 bits of a 104-bit product. Residues lie in [0, n); a
   difference of two that is negative is, as an unsigned number, above its sum with n: the minimum corrects it. */

typedef struct { __m512i n, inv, one; __m512d real; } modulus_t_half;    /* one: R modulo n, real: 1 / n */
typedef __m512i number_t_half, addend_t_half, exponent_t_half;
typedef __mmask8 mask_t_half;

ALWAYS __m512i low52(__m512i a, __m512i x, __m512i y) { return _mm512_madd52lo_epu64(a, x, y); }
ALWAYS __m512i high52(__m512i a, __m512i x, __m512i y) { return _mm512_madd52hi_epu64(a, x, y); }
ALWAYS __m512i up_half(__m512i x, __m512i n) { return _mm512_min_epu64(x, _mm512_add_epi64(x, n)); }
ALWAYS __m512i down_half(__m512i x, __m512i n) { return _mm512_min_epu64(x, _mm512_sub_epi64(x, n)); }

ALWAYS __m512i exponents_half(const uint64_t *e) { return _mm512_loadu_si512(e); }
ALWAYS __m512i inverse_half(__m512i n) {    /* 1 / n modulo 2**52: five bits, ten, twenty, forty, eighty */
    __m512i two = _mm512_set1_epi64(2), zero = _mm512_setzero_si512();
    __m512i x = _mm512_xor_si512(_mm512_add_epi64(n, _mm512_add_epi64(n, n)), two);
    int i;
    for (i = 0; i < 4; i++) x = low52(zero, x, _mm512_sub_epi64(two, low52(zero, n, x)));
    return x;
}
ALWAYS modulus_t_half modulus_half(const uint64_t *n) {
    modulus_t_half m;
    __m512d big = _mm512_set1_pd(4503599627370496.0);
    __m512i q;
    m.n = exponents_half(n);
    m.inv = inverse_half(m.n);
    m.real = _mm512_div_pd(_mm512_set1_pd(1.0), _mm512_cvtepu64_pd(m.n));
    /* q is R / n to the nearest integer or, all but in the middle, the next: R - q n lies in (-n, n). */
    q = _mm512_cvtpd_epu64(_mm512_mul_pd(big, m.real));
    m.one = up_half(_mm512_sub_epi64(_mm512_set1_epi64((int64_t)1 << 52), _mm512_mullo_epi64(q, m.n)), m.n);
    return m;
}
/* v R = v one - q n lies in (-n, n): q is below 2**49, and three roundings miss by less than 1/4. */
ALWAYS __m512i small_half(__m512i v, const modulus_t_half *m) {
    __m512d product = _mm512_mul_pd(_mm512_cvtepu64_pd(v), _mm512_cvtepu64_pd(m->one));
    __m512i q = _mm512_cvtpd_epu64(_mm512_mul_pd(product, m->real));
    return up_half(_mm512_sub_epi64(_mm512_mullo_epi64(v, m->one), _mm512_mullo_epi64(q, m->n)), m->n);
}
/* The difference of two residues, by the minimum or by the sign: three operations that leave the multiplier alone. */
ALWAYS __m512i sign_half(__m512i x, __m512i n) {
    return _mm512_add_epi64(x, _mm512_and_si512(_mm512_srai_epi64(x, 63), n));
}
ALWAYS __m512i multiply_half(__m512i x, __m512i y, const modulus_t_half *m) {
    __m512i zero = _mm512_setzero_si512();
    __m512i q = low52(zero, low52(zero, x, y), m->inv);
    return sign_half(_mm512_sub_epi64(high52(zero, x, y), high52(zero, q, m->n)), m->n);
}
ALWAYS __m512i square_half(__m512i x, const modulus_t_half *m) { return multiply_half(x, x, m); }
ALWAYS __m512i multiply_plus_half(__m512i x, __m512i y, __m512i a, const modulus_t_half *m) {
    __m512i zero = _mm512_setzero_si512(), low = low52(a, x, y), q = low52(zero, low, m->inv);
    __m512i high = _mm512_add_epi64(high52(zero, x, y), _mm512_srli_epi64(low, 52));
    return up_half(_mm512_sub_epi64(high, high52(zero, q, m->n)), m->n);
}
ALWAYS __m512i square_plus_half(__m512i x, __m512i a, const modulus_t_half *m) {
    return multiply_plus_half(x, x, a, m);
}
ALWAYS __m512i power_half(__m512i e, int at) {
    __m512i w = _mm512_and_si512(_mm512_srl_epi64(e, _mm_cvtsi32_si128(at)), _mm512_set1_epi64(31));
    return _mm512_sllv_epi64(_mm512_set1_epi64(1), w);
}
ALWAYS __m512i times_half(__m512i x, __m512i e, int at, const modulus_t_half *m) {
    return multiply_half(x, power_half(e, at), m);
}
ALWAYS __mmask8 bit_half(__m512i e, int at) {
    return _mm512_test_epi64_mask(e, _mm512_set1_epi64((int64_t)((uint64_t)1 << at)));
}
ALWAYS uint32_t clear_half(__m512i e, uint64_t bits) {
    return _mm512_testn_epi64_mask(e, _mm512_set1_epi64((int64_t)bits));
}
ALWAYS __m512i pick_half(__mmask8 mask, __m512i a, __m512i b) { return _mm512_mask_blend_epi64(mask, b, a); }
ALWAYS __m512i twice_half(__mmask8 mask, __m512i x, const modulus_t_half *m) {
    return down_half(_mm512_mask_add_epi64(x, mask, x, x), m->n);
}
ALWAYS __m512i canonical_half(__m512i x, const modulus_t_half *m) { (void)m; return x; }
ALWAYS __m512i negative_half(__m512i x, const modulus_t_half *m) { return _mm512_sub_epi64(m->n, x); }
ALWAYS __m512i addend_half(__m512i x, const modulus_t_half *m) {      /* x R: times R**2, of 2**78 squared / R */
    __m512i r2 = square_half(small_half(_mm512_set1_epi64((int64_t)1 << 26), m), m);
    return multiply_half(x, r2, m);
}
ALWAYS uint32_t same_half(__m512i x, __m512i y, const modulus_t_half *m) {
    (void)m;
    return _mm512_cmpeq_epi64_mask(x, y);
}
ALWAYS uint32_t zero_half(__m512i x, const modulus_t_half *m) {
    (void)m;
    return _mm512_testn_epi64_mask(x, x);
}

#define SUFFIX half
#define LANES 8
#define COUNT 4
#define R_BITS(lane) 52
#define EACH EACH_4
#include "strong_lucas.h"
#undef SUFFIX
#undef LANES
#undef COUNT
#undef R_BITS
#undef EACH

/* --- eight numbers below 2**48 a register: the same with room above --------------------------------------------------

   Residues lie in [0, 3n), or twice that once, or little more after that. A product of two below 3n has an upper half
   below 9/16 n, of two below 6.5n below 2.7n: with n and `a` more it is positive, below 3n or 3.7n, and no minimum is
   needed. */

typedef modulus_t_half modulus_t_light;
typedef __m512i number_t_light, addend_t_light, exponent_t_light;
typedef __mmask8 mask_t_light;

ALWAYS __m512i exponents_light(const uint64_t *e) { return exponents_half(e); }
ALWAYS modulus_t_light modulus_light(const uint64_t *n) { return modulus_half(n); }
ALWAYS __m512i small_light(__m512i v, const modulus_t_light *m) { return small_half(v, m); }
ALWAYS __m512i multiply_plus_light(__m512i x, __m512i y, __m512i a, const modulus_t_light *m) {
    __m512i zero = _mm512_setzero_si512();
    __m512i q = low52(zero, low52(zero, x, y), m->inv);
    return _mm512_sub_epi64(high52(a, x, y), high52(zero, q, m->n));
}
ALWAYS __m512i square_plus_light(__m512i x, __m512i a, const modulus_t_light *m) {
    return multiply_plus_light(x, x, a, m);
}
ALWAYS __m512i square_light(__m512i x, const modulus_t_light *m) {
    return multiply_plus_light(x, x, m->n, m);
}
ALWAYS __m512i times_light(__m512i x, __m512i e, int at, const modulus_t_light *m) {
    return multiply_plus_light(x, power_half(e, at), m->n, m);
}
ALWAYS __mmask8 bit_light(__m512i e, int at) { return bit_half(e, at); }
ALWAYS uint32_t clear_light(__m512i e, uint64_t bits) { return clear_half(e, bits); }
ALWAYS __m512i pick_light(__mmask8 mask, __m512i a, __m512i b) { return pick_half(mask, a, b); }
ALWAYS __m512i twice_light(__mmask8 mask, __m512i x, const modulus_t_light *m) {
    (void)m;
    return _mm512_mask_add_epi64(x, mask, x, x);
}
ALWAYS __m512i canonical_light(__m512i x, const modulus_t_light *m) {     /* of less than 8n */
    x = down_half(x, _mm512_slli_epi64(m->n, 2));
    return down_half(down_half(x, _mm512_slli_epi64(m->n, 1)), m->n);
}
ALWAYS __m512i negative_light(__m512i x, const modulus_t_light *m) { return negative_half(x, m); }
ALWAYS __m512i addend_light(__m512i x, const modulus_t_light *m) { return _mm512_add_epi64(m->n, x); }
ALWAYS uint32_t same_light(__m512i x, __m512i y, const modulus_t_light *m) {
    return same_half(canonical_light(x, m), y, m);
}
ALWAYS uint32_t zero_light(__m512i x, const modulus_t_light *m) { return zero_half(canonical_light(x, m), m); }

#define SUFFIX light
#define LANES 8
#define COUNT 4
#define R_BITS(lane) 52
#define EACH EACH_4
#include "strong_lucas.h"
#undef SUFFIX
#undef LANES
#undef COUNT
#undef R_BITS
#undef EACH

/* --- eight numbers from 2**52 to 2**64 - 2**55 a register: IFMA and vpmullq, R = 2**52 ---------------------------------

   A residue is any x below 2**64, with limbs x0 + x1 2**52. Of the product t0 + t1 2**52 + t2 2**104 the top limb is
   folded with c = 2**104 modulo n, and one Montgomery step divides by 2**52: with `a` below n, added to t1 and t2, and
   q n == t0 modulo 2**52 the result is

       n + (t0 + t1 2**52 - q n) / 2**52  <  n + 4 * 2**52 + 2**39  <  2**64,

   as t1 has four terms below 2**52 (two limbs of products, one of x0 y0 and one of a), q n < 2**52 n, and t2 is below
   2**25, t2 c1 below 2**37. A limb below 2**52 times one of 12 bits fits in a word: vpmullq has it in one
   multiplication, where IFMA takes two. */

typedef __m512i number_t_full, exponent_t_full;
typedef struct { __m512i n_a0, a1; } addend_t_full;     /* n + a0 */
typedef struct { __m512i n, n0, n1, inv, c0, c1; __m512d real; } modulus_t_full;
typedef __mmask8 mask_t_full;

ALWAYS __m512i limb0(__m512i x) { return _mm512_and_si512(x, _mm512_set1_epi64(((int64_t)1 << 52) - 1)); }
ALWAYS __m512i limb1(__m512i x) { return _mm512_srli_epi64(x, 52); }
ALWAYS __m512i exponents_full(const uint64_t *e) { return _mm512_loadu_si512(e); }

/* For x below 5n + n / 8; 2n where it fits. */
ALWAYS __m512i canonical_full(__m512i x, const modulus_t_full *m) {
    __m512i two = _mm512_max_epu64(m->n, _mm512_add_epi64(m->n, m->n));
    return down_half(down_half(down_half(x, two), two), m->n);
}
/* v 2**shift modulo n for a quotient below 2**49, which three roundings put wrong by less than 3/8 * 2**-50 of it: made
   less by 2**-50 of it, it is too small by less than 1 + 2**-49 of it. So the rest is below n + 2**101 * 2**-49. */
ALWAYS __m512i shifted_full(__m512i v, int shift, const modulus_t_full *m) {
    __m512d scale = _mm512_set1_pd((double)((int64_t)1 << shift) * (1 - 1 / 1125899906842624.0));
    __m512i q = _mm512_cvttpd_epu64(_mm512_mul_pd(_mm512_mul_pd(_mm512_cvtepu64_pd(v), scale), m->real));
    return canonical_full(
        _mm512_sub_epi64(_mm512_sll_epi64(v, _mm_cvtsi32_si128(shift)), _mm512_mullo_epi64(q, m->n)), m);
}
ALWAYS __m512i small_full(__m512i v, const modulus_t_full *m) { return shifted_full(v, 52, m); }
ALWAYS modulus_t_full modulus_full(const uint64_t *n) {
    modulus_t_full m;
    __m512i c;
    m.n = exponents_full(n);
    m.n0 = limb0(m.n);
    m.n1 = limb1(m.n);
    m.real = _mm512_div_pd(_mm512_set1_pd(1.0), _mm512_cvtepu64_pd(m.n));
    m.inv = inverse_half(m.n);
    c = shifted_full(small_full(_mm512_set1_epi64((int64_t)1 << 26), &m), 26, &m);      /* 2**78, and times 2**26 */
    m.c0 = limb0(c);
    m.c1 = limb1(c);
    return m;
}
/* The Montgomery step: (t0 + t1 2**52 - q n) / 2**52, exact as t0 and q n have the same lower 52 bits. */
ALWAYS __m512i step_full(__m512i t0, __m512i t1, const modulus_t_full *m) {
    __m512i zero = _mm512_setzero_si512(), q = low52(zero, t0, m->inv);
    __m512i high = _mm512_add_epi64(t1, limb1(t0));
    return _mm512_sub_epi64(
        _mm512_sub_epi64(high, high52(zero, q, m->n0)), _mm512_mullo_epi64(q, m->n1));
}
ALWAYS __m512i fold_full(__m512i t0, __m512i t1, __m512i t2, const modulus_t_full *m) {
    return step_full(low52(t0, t2, m->c0), low52(high52(t1, t2, m->c0), t2, m->c1), m);
}
ALWAYS __m512i square_plus_full(__m512i x, addend_t_full a, const modulus_t_full *m) {
    __m512i x1 = limb1(x), twice = _mm512_add_epi64(x1, x1);
    __m512i t0 = low52(_mm512_setzero_si512(), x, x);
    __m512i t1 = low52(high52(a.n_a0, x, x), x, twice);
    __m512i t2 = low52(high52(a.a1, x, twice), x1, x1);
    return fold_full(t0, t1, t2, m);
}
ALWAYS __m512i multiply_plus_full(__m512i x, __m512i y, addend_t_full a, const modulus_t_full *m) {
    __m512i x1 = limb1(x), y1 = limb1(y);
    __m512i t0 = low52(_mm512_setzero_si512(), x, y);
    __m512i t1 = low52(low52(high52(a.n_a0, x, y), x, y1), y, x1);
    __m512i t2 = high52(high52(low52(a.a1, x1, y1), x, y1), y, x1);
    return fold_full(t0, t1, t2, m);
}
ALWAYS __m512i square_full(__m512i x, const modulus_t_full *m) {
    addend_t_full none;
    none.n_a0 = m->n;
    none.a1 = _mm512_setzero_si512();
    return square_plus_full(x, none, m);
}
ALWAYS __m512i times_full(__m512i x, __m512i e, int at, const modulus_t_full *m) {      /* x1 2**w is below 2**43 */
    __m512i power = power_half(e, at);
    return step_full(low52(_mm512_setzero_si512(), x, power), low52(high52(m->n, x, power), limb1(x), power), m);
}
ALWAYS __mmask8 bit_full(__m512i e, int at) { return bit_half(e, at); }
ALWAYS uint32_t clear_full(__m512i e, uint64_t bits) { return clear_half(e, bits); }
ALWAYS __m512i pick_full(__mmask8 mask, __m512i a, __m512i b) { return pick_half(mask, a, b); }
ALWAYS __m512i twice_full(__mmask8 mask, __m512i x, const modulus_t_full *m) {  /* x - (n - x), and n where negative */
    __m512i r = canonical_full(x, m), rest = _mm512_sub_epi64(m->n, r);
    __mmask8 below = _mm512_mask_cmplt_epu64_mask(mask, r, rest);
    return _mm512_mask_add_epi64(_mm512_mask_sub_epi64(x, mask, r, rest), below, _mm512_sub_epi64(r, rest), m->n);
}
ALWAYS __m512i negative_full(__m512i x, const modulus_t_full *m) { return _mm512_sub_epi64(m->n, x); }
ALWAYS addend_t_full addend_full(__m512i x, const modulus_t_full *m) {
    addend_t_full a;
    a.n_a0 = _mm512_add_epi64(m->n, limb0(x));
    a.a1 = limb1(x);
    return a;
}
ALWAYS uint32_t same_full(__m512i x, __m512i y, const modulus_t_full *m) { return same_half(canonical_full(x, m), y, 0); }
ALWAYS uint32_t zero_full(__m512i x, const modulus_t_full *m) { return zero_half(canonical_full(x, m), 0); }

TOGETHER(full, 8, one, nine)

#define SUFFIX nine
#define LANES 9
#define COUNT 4
#define R_BITS(lane) ((lane) < 8 ? 52 : 64)
#define EACH EACH_4
#include "strong_lucas.h"
#undef SUFFIX
#undef LANES
#undef COUNT
#undef R_BITS
#undef EACH
#endif

/* --- tables, made once when the module is imported --------------------------------------------------------------- */

enum {
    TINY = 1 << 20,         /* below it, a table of 64 KiB has the answer: a few ns, where the test takes 11 to 53 */
    LISTED = 1 << 16,       /* values of the hash below */
    WEEDS = 17,             /* odd primes below 67: four of five odd numbers have one of them as a factor */
    WINDOW = 64,            /* odd candidates that a search for the next prime looks at together */
    PERIOD = 840,           /* of what the first table of Lucas parameters knows */
    PERIOD_2 = 572,         /* and the second */
    GROUP = 36,             /* numbers tested side by side, at most */
    QUEUE = 512             /* numbers that wait for a test */
};

static const uint8_t WEED[WEEDS] = {3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61};
static uint64_t weed_inverse[WEEDS], weed_quotient[WEEDS];
static uint64_t multiples[WEEDS][61];   /* [i][r]: bit k if r + 2k is a multiple of WEED[i] */
static uint8_t tiny_primes[TINY / 16];  /* a bit for each odd number */
static uint8_t listed[LISTED / 8];       /* a bit for each hash of a pseudoprime */
static uint8_t lucas_parameter[PERIOD], lucas_parameter_2[PERIOD_2];

ALWAYS int is_tiny_prime(uint64_t n) { return n % 2 != 0 ? tiny_primes[n >> 4] >> (n >> 1 & 7) & 1 : n == 2; }
ALWAYS uint32_t hash_of(uint32_t n) { return (uint32_t)(n * 2654435761u) >> 16; }

static void make_tables(void) {
    uint32_t i, k;
    memset(tiny_primes, 0xff, sizeof tiny_primes);
    tiny_primes[0] &= 0xfe;
    for (i = 3; i * i < TINY; i += 2)
        if (is_tiny_prime(i))
            for (k = i * i; k < TINY; k += 2 * i) tiny_primes[k >> 4] &= (uint8_t)~(1u << (k >> 1 & 7));
    for (i = 0; i < WEEDS; i++) {
        uint32_t r;
        weed_inverse[i] = inverse(WEED[i]);
        weed_quotient[i] = UINT64_MAX / WEED[i];
        for (r = 0; r < WEED[i]; r++) {
            multiples[i][r] = 0;
            for (k = 0; k < WINDOW; k++) if ((r + 2 * k) % WEED[i] == 0) multiples[i][r] |= (uint64_t)1 << k;
        }
    }
    for (i = 0; i < PSEUDOPRIMES; i++) {
        uint32_t hash = hash_of(STRONG_PSEUDOPRIMES[i]);
        listed[hash >> 3] |= (uint8_t)(1u << (hash & 7));
    }
    /* P up to 8: the symbols of their D are those of 5, 12, 21, 32, 45 and 60, all with a period that divides 840. */
    for (i = 1; i < PERIOD; i += 2) {
        lucas_parameter[i] = 0;
        for (k = 3; k <= 8 && lucas_parameter[i] == 0; k++)
            if (jacobi(k * k - 4, i) == -1) lucas_parameter[i] = (uint8_t)k;
    }
    /* Where those symbols are all 1, that of 77 is that of 11, of 96 it is 1, of 117 that of 13, and of 140 it is 1. */
    for (i = 1; i < PERIOD_2; i += 2)
        lucas_parameter_2[i] = jacobi(11, i) == -1 ? 9 : jacobi(13, i) == -1 ? 11 : 0;
    for (i = 0; i < LUCAS_STARTS; i++) {
        lucas_start[i][0] = 2;
        lucas_start[i][1] = i;
        for (k = 2; k <= 8; k++) lucas_start[i][k] = i * lucas_start[i][k - 1] - lucas_start[i][k - 2];
    }
}

/* Whether n is one of the strong pseudoprimes: most numbers are told by a bit, the others looked up. */
static int is_listed(uint32_t n) {
    uint32_t hash = hash_of(n), low = 0, high = PSEUDOPRIMES;
    if ((listed[hash >> 3] >> (hash & 7) & 1) == 0) return 0;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (STRONG_PSEUDOPRIMES[middle] == n) return 1;
        if (STRONG_PSEUDOPRIMES[middle] < n) low = middle + 1;
        else high = middle;
    }
    return 0;
}

/* The least P > 2 for which P P - 4 has the symbol -1, for n without factors below 67; 0 where n is a square, which has
   no such P, or where a factor of n is met. Squares can only be among what the table does not know. */
static uint64_t parameter_for(uint64_t n) {
    uint64_t p = lucas_parameter[n % PERIOD], root;
    int symbol = 1;
    if (p != 0 || (p = lucas_parameter_2[n % PERIOD_2]) != 0) return p;
    root = square_root(n);
    if (root * root == n) return 0;
    for (p = 13; symbol == 1; p++) symbol = jacobi(p * p - 4, n);
    return symbol == 0 ? 0 : p - 1;
}

/* --- queues ----------------------------------------------------------------------------------------------------------

   What trial division leaves is sorted by size, and waits until groups are full. What then passes the strong test waits
   again, for the Lucas test. */

enum { SHORT, LIGHT, MIDDLE, LONG, TOP, KINDS };    /* below 2**32, 2**48, 2**52, 2**64 - 2**55, the rest */

typedef struct {
    int count;
    uint32_t where[QUEUE + GROUP];      /* index of the answer */
    uint64_t n[QUEUE + GROUP];
} queue_t;
typedef struct {
    uint8_t *out;                       /* zeros, and 1 where a prime was found */
    queue_t strong[KINDS], lucas[KINDS];
    uint64_t p[QUEUE + GROUP];          /* the parameters of those that a Lucas test is made of */
} tester_t;
GILFREE_PER_THREAD tester_t tester;     /* 70 KiB */

ALWAYS int kind_of(uint64_t n) { return (n >> 32 != 0) + (n >> 48 != 0) + (n >> 52 != 0) + (n >> 55 == 511); }

/* Numbers a group of the widest arithmetic for a kind. */
#if defined(__AVX512F__)
static const int GROUPS[KINDS] = {32, 32, 32, 36, 4};
#elif defined(__AVX2__)
static const int GROUPS[KINDS] = {16, 16, 16, 12, 12};
#else
static const int GROUPS[KINDS] = {4, 4, 4, 4, 4};
#endif

/* Test the first group; bit i is for n[i]. Only `count` of its numbers are asked for: a few are sooner done one a lane.
   Sets how many were taken. */
static uint64_t test_group(int lucas, int kind, const uint64_t *n, const uint64_t *p, int count, int *taken) {
#if defined(__AVX2__)
    if (GROUPS[kind] > 4 && count > (kind >= LONG ? 8 : 4)) {
        *taken = GROUPS[kind];
#if defined(__AVX512F__)
        if (kind == LONG) return lucas ? lucas_nine(n, p) : strong_nine(n);
        if (kind == MIDDLE) return lucas ? lucas_half(n, p) : strong_half(n);
        return lucas ? lucas_light(n, p) : strong_light(n);
#else
        if (kind >= LONG) return lucas ? lucas_six(n, p) : strong_six(n);
        return lucas ? lucas_real(n, p) : strong_real(n);
#endif
    }
#else
    (void)count;
#endif
    *taken = 4;
    if (kind >= LONG) return lucas ? lucas_one(n, p) : strong_one(n);
    return lucas ? lucas_loose(n, p) : strong_loose(n);
}

/* Before a last group that is not full. */
ALWAYS void fill_up(uint64_t *n, int count) {
    int i;
    for (i = count; i < count + GROUP && count != 0; i++) n[i] = n[0];
}
/* After `done` of those that wait. */
static void move_up(queue_t *queue, int done) {
    int i;
    for (i = done; i < queue->count; i++) {
        queue->n[i - done] = queue->n[i];
        queue->where[i - done] = queue->where[i];
    }
    queue->count -= done;
}
/* Test all that wait, or as many as fill groups, and keep the rest. */
static void run_lucas(tester_t *t, int kind, int all) {
    queue_t *queue = &t->lucas[kind];
    uint64_t *p = t->p;
    int i, k, taken, done, count = 0;
    for (i = 0; i < queue->count; i++) {    /* without a parameter: composite */
        p[count] = parameter_for(queue->n[i]);
        queue->n[count] = queue->n[i];
        queue->where[count] = queue->where[i];
        count += p[count] != 0;
    }
    queue->count = count;
    if (all) {
        fill_up(queue->n, count);
        fill_up(p, count);
    }
    for (done = 0; all ? done < count : done + GROUPS[kind] <= count; done += taken) {
        uint64_t passed = test_group(1, kind, queue->n + done, p + done, count - done, &taken);
        for (k = 0; k < taken && done + k < count; k++) t->out[queue->where[done + k]] = passed >> k & 1;
    }
    move_up(queue, done < count ? done : count);
}
static void run_strong(tester_t *t, int kind, int all) {
    queue_t *queue = &t->strong[kind], *next = &t->lucas[kind];
    int k, taken, done, count = queue->count;
    if (all) fill_up(queue->n, count);
    for (done = 0; all ? done < count : done + GROUPS[kind] <= count; done += taken) {
        uint64_t passed = test_group(0, kind, queue->n + done, 0, count - done, &taken);
        if (next->count + GROUP > QUEUE) run_lucas(t, kind, 0);
        k = 0;
#if defined(__AVX512F__)
        /* Compressed in a register and stored whole: the form that stores what it compresses is slow on Zen 4. */
        for (; kind != SHORT && k + 8 <= taken && done + k + 8 <= count; k += 8) {
            __mmask8 kept = (__mmask8)(passed >> k & 0xff);
            _mm512_storeu_si512(next->n + next->count,
                                _mm512_maskz_compress_epi64(kept, _mm512_loadu_si512(queue->n + done + k)));
            _mm256_storeu_si256((__m256i *)(next->where + next->count), _mm256_maskz_compress_epi32(
                kept, _mm256_loadu_si256((const __m256i *)(queue->where + done + k))));
            next->count += count_ones(kept);
        }
#endif
        for (; k < taken && done + k < count; k++) {
            uint64_t n = queue->n[done + k];
            uint32_t where = queue->where[done + k];
            if (kind == SHORT) {
                t->out[where] = (passed >> k & 1) && !is_listed((uint32_t)n);
            } else {
                next->n[next->count] = n;
                next->where[next->count] = where;
                next->count += passed >> k & 1;
            }
        }
    }
    move_up(queue, done < count ? done : count);
}
static void start_tests(tester_t *t, uint8_t *out) {
    int kind;
    t->out = out;
    for (kind = 0; kind < KINDS; kind++) t->strong[kind].count = t->lucas[kind].count = 0;
}
ALWAYS void add_test(tester_t *t, uint64_t n, uint32_t where) {
    int kind = kind_of(n);
    queue_t *queue = &t->strong[kind];
    queue->n[queue->count] = n;
    queue->where[queue->count++] = where;
    if (queue->count >= QUEUE) run_strong(t, kind, 0);
}
static void finish_tests(tester_t *t) {
    int kind;
    for (kind = 0; kind < KINDS; kind++) {
        run_strong(t, kind, 1);
        run_lucas(t, kind, 1);
    }
}

/* --- is each of these numbers prime? ----------------------------------------------------------------------------- */

/* p divides n exactly when n times 1 / p modulo 2**64 is at most (2**64 - 1) / p: a multiplication for a division
   (T. Granlund, P. Montgomery, "Division by Invariant Integers using Multiplication", 1994). */
ALWAYS int has_small_factor(uint64_t n) {
    int i;
    for (i = 0; i < WEEDS; i++) if (n * weed_inverse[i] <= weed_quotient[i]) return 1;
    return 0;
}

/* Set out[i] to whether n[i] is prime, for fewer than 2**32 numbers. */
GILFREE_APART void test_numbers_in(
    tester_t *GILFREE_RESTRICT t, const uint64_t *GILFREE_RESTRICT n, uint8_t *GILFREE_RESTRICT out, int64_t length
) {
    int64_t i = 0;
    start_tests(t, out);
    memset(out, 0, (size_t)length);
#if defined(__AVX512F__)
    for (; i < length; i += 8) {
        __mmask8 there = (__mmask8)(length - i < 8 ? (1 << (length - i)) - 1 : 0xff);
        __m512i v = _mm512_maskz_loadu_epi64(there, n + i);
        __mmask8 tiny = _mm512_mask_cmplt_epu64_mask(there, v, _mm512_set1_epi64(TINY));
        __mmask8 left = _mm512_mask_test_epi64_mask((__mmask8)(there & ~tiny), v, _mm512_set1_epi64(1)), kinds[KINDS];
        __m256i where = _mm256_add_epi32(_mm256_set1_epi32((int)i), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        int k;
        _mm_prefetch((const char *)(n + i + 256), _MM_HINT_T0);
        for (k = 0; k < WEEDS && left != 0; k++) {
            __m512i quotient = _mm512_mullo_epi64(v, _mm512_set1_epi64((int64_t)weed_inverse[k]));
            left = _mm512_mask_cmpgt_epu64_mask(left, quotient, _mm512_set1_epi64((int64_t)weed_quotient[k]));
        }
        if (tiny != 0) for (k = 0; k < 8; k++) if (tiny >> k & 1) out[i + k] = (uint8_t)is_tiny_prime(n[i + k]);
        kinds[TOP] = _mm512_mask_cmpge_epu64_mask(left, v, _mm512_set1_epi64(-((int64_t)1 << 55)));
        kinds[LONG] = _mm512_mask_cmpge_epu64_mask(
            (__mmask8)(left & ~kinds[TOP]), v, _mm512_set1_epi64((int64_t)1 << 52));
        kinds[SHORT] = _mm512_mask_cmplt_epu64_mask(left, v, _mm512_set1_epi64((int64_t)1 << 32));
        kinds[MIDDLE] = _mm512_mask_cmpge_epu64_mask(
            (__mmask8)(left & ~(kinds[LONG] | kinds[TOP])), v, _mm512_set1_epi64((int64_t)1 << 48));
        kinds[LIGHT] = (__mmask8)(left & ~(kinds[TOP] | kinds[LONG] | kinds[MIDDLE] | kinds[SHORT]));
        for (k = 0; k < KINDS; k++) {
            queue_t *queue = &t->strong[k];
            if (kinds[k] == 0) continue;
            _mm512_storeu_si512(queue->n + queue->count, _mm512_maskz_compress_epi64(kinds[k], v));
            _mm256_storeu_si256(
                (__m256i *)(queue->where + queue->count), _mm256_maskz_compress_epi32(kinds[k], where));
            queue->count += count_ones(kinds[k]);
            if (queue->count >= QUEUE) run_strong(t, k, 0);
        }
    }
#else
    for (; i < length; i++) {
        if (n[i] < TINY) out[i] = (uint8_t)is_tiny_prime(n[i]);
        else if (n[i] % 2 != 0 && !has_small_factor(n[i])) add_test(t, n[i], (uint32_t)i);
    }
#endif
    finish_tests(t);
}

static void test_numbers(const uint64_t *n, uint8_t *out, int64_t length) {
    test_numbers_in(&tester, n, out, length);
}

/* --- the next prime, or the one before --------------------------------------------------------------------------- */

enum { SEARCHES = 256 };    /* numbers whose searches take turns, so that groups are full */

typedef struct { uint64_t start, left; } window_t;      /* bit k of left: start + 2k, or start - 2k, may be prime */

/* The candidates from `start`, odd and near TINY at least, that have no small factor and do not lie beyond 2**64. */
static window_t window_at(uint64_t start, int forward) {
    window_t w;
    int i;
    w.start = start;
    w.left = UINT64_MAX;
    if (forward && (UINT64_MAX - start) / 2 < WINDOW - 1) w.left >>= WINDOW - 1 - (UINT64_MAX - start) / 2;
    for (i = 0; i < WEEDS; i++) {
        uint64_t r = start % WEED[i];
        if (!forward && r != 0) r = WEED[i] - r;
        w.left &= ~multiples[i][r];
    }
    return w;
}

static uint64_t adjacent_tiny(uint64_t n, int forward) {
    do n += forward ? 1 : UINT64_MAX; while (n != 0 && n < TINY && !is_tiny_prime(n));
    return n;
}

/* Set out[i] to the next prime above n[i], or below, or to 0 where there is none. */
GILFREE_APART void search_primes(
    tester_t *GILFREE_RESTRICT t, const uint64_t *GILFREE_RESTRICT n, uint64_t *GILFREE_RESTRICT out, int count, int forward
) {
    window_t windows[SEARCHES];
    uint8_t active[SEARCHES], found[SEARCHES];
    uint64_t candidates[SEARCHES];
    int i, k, a, left = 0;
    for (i = 0; i < count; i++) {
        out[i] = 0;
        if (forward ? n[i] < 1048573 : n[i] <= TINY) {  /* 1048573 is the largest prime below TINY */
            out[i] = n[i] == 0 && !forward ? 0 : adjacent_tiny(n[i], forward);
        } else if (!forward || n[i] < UINT64_MAX - 1) {
            windows[i] = window_at(forward ? (n[i] + 1) | 1 : (n[i] - 2) | 1, forward);
            active[left++] = (uint8_t)i;
        }
    }
    while (left != 0) {
        /* As soon as the searches that are left fill no group, each tries several candidates at a time. */
        int each = left <= 2 ? 4 : left < GROUP ? GROUP / left : 1, tried = 0, kept = 0;
        start_tests(t, found);
        for (a = 0; a < left; a++) {
            window_t *w = &windows[active[a]];
            uint64_t bits;
            while (w->left == 0 && !(forward && w->start > UINT64_MAX - 2 * WINDOW))
                *w = window_at(forward ? w->start + 2 * WINDOW : w->start - 2 * WINDOW, forward);
            bits = w->left;
            for (k = 0; k < each && bits != 0; k++, bits &= bits - 1) {
                uint64_t step = 2 * (uint64_t)bottom_bit(bits);
                candidates[tried] = forward ? w->start + step : w->start - step;
                found[tried] = 0;
                add_test(t, candidates[tried], (uint32_t)tried);
                tried++;
            }
        }
        finish_tests(t);
        tried = 0;
        for (a = 0; a < left; a++) {
            window_t *w = &windows[active[a]];
            uint64_t prime = 0;
            if (w->left == 0) continue;     /* no prime below 2**64 */
            for (k = 0; k < each && w->left != 0; k++, w->left &= w->left - 1) {
                if (found[tried] && prime == 0) prime = candidates[tried];
                tried++;
            }
            if (prime != 0) out[active[a]] = prime;
            else active[kept++] = active[a];
        }
        left = kept;
    }
}
static void adjacent_primes(const uint64_t *n, uint64_t *out, int64_t length, int forward) {
    int64_t i;
    for (i = 0; i < length; i += SEARCHES)
        search_primes(&tester, n + i, out + i, (int)(length - i < SEARCHES ? length - i : SEARCHES), forward);
}

#endif
