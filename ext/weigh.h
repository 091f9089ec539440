/* Weighted sums over the rows, then over the columns, of windows, in double precision: lanes side by side. */

#ifndef GILFREE_WEIGH_H
#define GILFREE_WEIGH_H

#include <stdint.h>
#include <string.h>

/* Vectors by name, for gcc and clang: gcc 12 vectorises the same loops over an array of lanes in some builds and not in
 * others, where they take ten times as long. Other compilers get one pixel at a time, and the same bits. */
#if defined(__AVX512F__) && defined(__GNUC__)
#define GILFREE_VECTOR 64
#elif defined(__AVX2__) && defined(__GNUC__)
#define GILFREE_VECTOR 32
#elif defined(__GNUC__)
#define GILFREE_VECTOR 16
#endif

/* Pixels as vectors of what two of them are added up in without rounding: 32 bits, or the weights' own type. By their
 * instructions where there are some: gcc 12 takes a conversion over two sizes apart, byte by byte. */
#if defined(GILFREE_VECTOR) && defined(__SSE2__)
#include <immintrin.h>
#define GILFREE_SIXTEEN(from) _mm_loadu_si128((const __m128i *)(from))
#define GILFREE_EIGHT(from) _mm_loadl_epi64((const __m128i *)(from))
static inline __m128i gilfree_four(const uint8_t *from)
{
    int32_t four;
    memcpy(&four, from, sizeof four);
    return _mm_cvtsi32_si128(four);
}
#endif
#if defined(GILFREE_VECTOR) && GILFREE_VECTOR == 64
#define GILFREE_BYTES_FOR_double(pixels, from) pixels = (__typeof__(pixels))_mm256_cvtepu8_epi32(GILFREE_EIGHT(from))
#define GILFREE_WORDS_FOR_double(pixels, from) pixels = (__typeof__(pixels))_mm256_cvtepu16_epi32(GILFREE_SIXTEEN(from))
#elif defined(GILFREE_VECTOR) && GILFREE_VECTOR == 32
#define GILFREE_BYTES_FOR_double(pixels, from) pixels = (__typeof__(pixels))_mm_cvtepu8_epi32(gilfree_four(from))
#define GILFREE_WORDS_FOR_double(pixels, from) pixels = (__typeof__(pixels))_mm_cvtepu16_epi32(GILFREE_EIGHT(from))
#else
#define GILFREE_BYTES_FOR_double(pixels, from) GILFREE_ONE_BY_ONE(pixels, from)
#define GILFREE_WORDS_FOR_double(pixels, from) GILFREE_ONE_BY_ONE(pixels, from)
#endif
#define GILFREE_FLOATS_FOR_double(pixels, from) GILFREE_ONE_BY_ONE(pixels, from)
#define GILFREE_SAME(pixels, from) memcpy(&pixels, from, sizeof pixels)
#define GILFREE_ONE_BY_ONE(pixels, from)                                                                              \
    for (int lane = 0; lane < (int)(sizeof pixels / sizeof pixels[0]); lane++)                                        \
        pixels[lane] = (from)[lane]

#if defined(GILFREE_VECTOR)
/* The part of a row that fills four vectors at a time; says how much that is. */
#define GILFREE_WHOLE_VECTORS(NAME, PIXEL, PAIR, WEIGHT, LOAD, MIDDLE, ONE, OTHER)                                    \
    typedef PAIR NAME##_pairs __attribute__((vector_size(GILFREE_VECTOR / sizeof(WEIGHT) * sizeof(PAIR))));           \
    typedef WEIGHT NAME##_weights __attribute__((vector_size(GILFREE_VECTOR)));                                       \
    static inline NAME##_pairs NAME##_load(const PIXEL *from)                                                         \
    {                                                                                                                 \
        NAME##_pairs pixels;                                                                                          \
        LOAD(pixels, from);                                                                                           \
        return pixels;                                                                                                \
    }                                                                                                                 \
    static inline int64_t NAME##_whole(const PIXEL *picture, int64_t stride, const int64_t *rows,                     \
        const WEIGHT *weights, int64_t radius, WEIGHT *sums, int64_t width)                                           \
    {                                                                                                                 \
        enum { LANES = GILFREE_VECTOR / sizeof(WEIGHT) };                                                             \
        int64_t x = 0;                                                                                                \
        for (; x + 4 * LANES <= width; x += 4 * LANES) {                                                              \
            const PIXEL *middle = MIDDLE;                                                                             \
            NAME##_weights sum0 = __builtin_convertvector(NAME##_load(middle), NAME##_weights) * weights[0];          \
            NAME##_weights sum1 = __builtin_convertvector(NAME##_load(middle + LANES), NAME##_weights) * weights[0];  \
            NAME##_weights sum2                                                                                       \
                = __builtin_convertvector(NAME##_load(middle + 2 * LANES), NAME##_weights) * weights[0];              \
            NAME##_weights sum3                                                                                       \
                = __builtin_convertvector(NAME##_load(middle + 3 * LANES), NAME##_weights) * weights[0];              \
            for (int64_t i = 1; i <= radius; i++) {                                                                   \
                const PIXEL *one = ONE, *other = OTHER;                                                               \
                sum0 += __builtin_convertvector(NAME##_load(one) + NAME##_load(other), NAME##_weights) * weights[i];  \
                sum1 += __builtin_convertvector(                                                                      \
                            NAME##_load(one + LANES) + NAME##_load(other + LANES), NAME##_weights) * weights[i];      \
                sum2 += __builtin_convertvector(                                                                      \
                            NAME##_load(one + 2 * LANES) + NAME##_load(other + 2 * LANES), NAME##_weights)            \
                    * weights[i];                                                                                     \
                sum3 += __builtin_convertvector(                                                                      \
                            NAME##_load(one + 3 * LANES) + NAME##_load(other + 3 * LANES), NAME##_weights)            \
                    * weights[i];                                                                                     \
            }                                                                                                         \
            memcpy(sums + x, &sum0, sizeof sum0);                                                                     \
            memcpy(sums + x + LANES, &sum1, sizeof sum1);                                                             \
            memcpy(sums + x + 2 * LANES, &sum2, sizeof sum2);                                                         \
            memcpy(sums + x + 3 * LANES, &sum3, sizeof sum3);                                                         \
        }                                                                                                             \
        return x;                                                                                                     \
    }
#else
#define GILFREE_WHOLE_VECTORS(NAME, PIXEL, PAIR, WEIGHT, LOAD, MIDDLE, ONE, OTHER)                                    \
    static inline int64_t NAME##_whole(const PIXEL *picture, int64_t stride, const int64_t *rows,                     \
        const WEIGHT *weights, int64_t radius, WEIGHT *sums, int64_t width)                                           \
    {                                                                                                                 \
        return 0;                                                                                                     \
    }
#endif

#define GILFREE_WEIGH(NAME, PIXEL, PAIR, WEIGHT, LOAD, MIDDLE, ONE, OTHER)                                            \
    GILFREE_WHOLE_VECTORS(NAME, PIXEL, PAIR, WEIGHT, LOAD, MIDDLE, ONE, OTHER)                                        \
    static void NAME(const PIXEL *picture, int64_t stride, const int64_t *rows, const WEIGHT *weights,                \
        int64_t radius, WEIGHT *sums, int64_t width)                                                                  \
    {                                                                                                                 \
        for (int64_t x = NAME##_whole(picture, stride, rows, weights, radius, sums, width); x < width; x++) {         \
            WEIGHT sum = (WEIGHT)*(MIDDLE)*weights[0];                                                                \
            for (int64_t i = 1; i <= radius; i++)                                                                     \
                sum += (WEIGHT)((PAIR)*(ONE) + (PAIR)*(OTHER)) * weights[i];                                          \
            sums[x] = sum;                                                                                            \
        }                                                                                                             \
    }

/* sums = weights[0] * row rows[radius] + the sum of weights[i] * (row rows[radius - i] + row rows[radius + i]). */
#define GILFREE_WEIGH_ROWS(NAME, PIXEL, PAIR, WEIGHT, LOAD)                                                           \
    GILFREE_WEIGH(NAME, PIXEL, PAIR, WEIGHT, LOAD, picture + rows[radius] * stride + x,                               \
        picture + rows[radius - i] * stride + x, picture + rows[radius + i] * stride + x)

/* The same along a row, which begins `radius` before the first pixel. */
#define GILFREE_WEIGH_COLUMNS(NAME, WEIGHT)                                                                           \
    GILFREE_WEIGH(NAME, WEIGHT, WEIGHT, WEIGHT, GILFREE_SAME, picture + radius + x, picture + radius - i + x,         \
        picture + radius + i + x)

GILFREE_WEIGH_ROWS(weigh_bytes, uint8_t, int32_t, double, GILFREE_BYTES_FOR_double)
GILFREE_WEIGH_ROWS(weigh_words, uint16_t, int32_t, double, GILFREE_WORDS_FOR_double)
GILFREE_WEIGH_ROWS(weigh_floats, float, double, double, GILFREE_FLOATS_FOR_double)
GILFREE_WEIGH_ROWS(weigh_doubles, double, double, double, GILFREE_SAME)
GILFREE_WEIGH_COLUMNS(weigh_columns, double)

#endif
