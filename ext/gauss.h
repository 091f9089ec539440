/* Bytes compared with their Gaussian mean, in OpenCV's single precision. Sixteen rows at a time: at first the lanes are
 * columns and rows are added up, then these sums are turned by 90 degrees, the lanes are rows and columns are added up.
 * Four sums at a time share what they load, and two additions for a tap are all that is left to wait for: on Zen 4,
 * 3.8 ns a pixel for 101 x 101 of them, where one sum after the other took 6.9. */

#ifndef GILFREE_GAUSS_H
#define GILFREE_GAUSS_H

#include <stdint.h>
#include <string.h>

#include "scratch.h"

#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512 gauss_floats;
#define GAUSS_ALL(number) _mm512_set1_ps(number)
#define GAUSS_LOAD(from) _mm512_loadu_ps(from)
#define GAUSS_STORE(to, floats) _mm512_storeu_ps(to, floats)
#define GAUSS_ADD(a, b) _mm512_add_ps(a, b)
#define GAUSS_MULTIPLY(a, b) _mm512_mul_ps(a, b)
/* a * 1 + b, rounded once, is a + b, done by the multipliers while the adders are busy: a tenth of the time. */
#define GAUSS_ADD_TOO(a, b) _mm512_fmadd_ps(a, GAUSS_ALL(1.0f), b)
#elif defined(__AVX2__)
#include <immintrin.h>
typedef __m256 gauss_floats;
#define GAUSS_ALL(number) _mm256_set1_ps(number)
#define GAUSS_LOAD(from) _mm256_loadu_ps(from)
#define GAUSS_STORE(to, floats) _mm256_storeu_ps(to, floats)
#define GAUSS_ADD(a, b) _mm256_add_ps(a, b)
#define GAUSS_MULTIPLY(a, b) _mm256_mul_ps(a, b)
#elif defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
typedef __m128 gauss_floats;
#define GAUSS_ALL(number) _mm_set1_ps(number)
#define GAUSS_LOAD(from) _mm_loadu_ps(from)
#define GAUSS_STORE(to, floats) _mm_storeu_ps(to, floats)
#define GAUSS_ADD(a, b) _mm_add_ps(a, b)
#define GAUSS_MULTIPLY(a, b) _mm_mul_ps(a, b)
#else
#if defined(__GNUC__)
typedef float gauss_floats __attribute__((vector_size(16)));
#else
typedef float gauss_floats;
#endif
static inline gauss_floats gauss_load(const float *from)
{
    gauss_floats floats;
    memcpy(&floats, from, sizeof floats);
    return floats;
}
#define GAUSS_ALL(number) (number)
#define GAUSS_LOAD(from) gauss_load(from)
#define GAUSS_STORE(to, floats) memcpy(to, &(floats), sizeof(gauss_floats))
#define GAUSS_ADD(a, b) ((a) + (b))
#define GAUSS_MULTIPLY(a, b) ((a) * (b))
#endif

#if !defined(GAUSS_ADD_TOO)
#define GAUSS_ADD_TOO(a, b) GAUSS_ADD(a, b)
#endif
#if defined(__SSE2__) || defined(_M_X64)
#define GAUSS_X86
#endif

enum {
    GAUSS_ROWS = 16,   /* rows at a time */
    GAUSS_STRIP = 32,  /* columns whose rows are added up at a time: with 50 above and 50 below, 15 KiB */
    GAUSS_TILE = 256,  /* columns, or a few more, that are added up before those that the next need are carried along */
    GAUSS_MOST = GAUSS_TILE + GAUSS_STRIP,
    GAUSS_LANES = sizeof(gauss_floats) / sizeof(float)
};

/* One tap more for each of four sums: each takes the numbers that its neighbours had one tap ago. */
#define GAUSS_TAP(l0, l1, l2, l3, r0, r1, r2, r3)                                                                     \
    do {                                                                                                              \
        l0 = GAUSS_LOAD(from - i * stride);                                                                           \
        r3 = GAUSS_LOAD(from + (i + 3) * stride);                                                                     \
        sum0 = GAUSS_ADD_TOO(GAUSS_MULTIPLY(GAUSS_ADD(l0, r0), GAUSS_ALL(weights[i])), sum0);                         \
        sum1 = GAUSS_ADD(GAUSS_MULTIPLY(GAUSS_ADD(l1, r1), GAUSS_ALL(weights[i])), sum1);                             \
        sum2 = GAUSS_ADD_TOO(GAUSS_MULTIPLY(GAUSS_ADD(l2, r2), GAUSS_ALL(weights[i])), sum2);                         \
        sum3 = GAUSS_ADD(GAUSS_MULTIPLY(GAUSS_ADD(l3, r3), GAUSS_ALL(weights[i])), sum3);                             \
        i++;                                                                                                          \
    } while (0)

/* Four weighted sums, each beginning `stride` after the one before it: weights[0] * the middle, then the sum of
 * weights[i] * (what is i strides before the middle + what is i strides after it). */
static inline void gauss_sums(const float *from, int64_t stride, const float *weights, int64_t radius, float *to)
{
    gauss_floats l0 = GAUSS_LOAD(from), l1 = GAUSS_LOAD(from + stride);
    gauss_floats l2 = GAUSS_LOAD(from + 2 * stride), l3 = GAUSS_LOAD(from + 3 * stride);
    gauss_floats r0 = l0, r1 = l1, r2 = l2, r3 = l3;
    gauss_floats sum0 = GAUSS_MULTIPLY(l0, GAUSS_ALL(weights[0])), sum1 = GAUSS_MULTIPLY(l1, GAUSS_ALL(weights[0]));
    gauss_floats sum2 = GAUSS_MULTIPLY(l2, GAUSS_ALL(weights[0])), sum3 = GAUSS_MULTIPLY(l3, GAUSS_ALL(weights[0]));
    int64_t i = 1;
    while (i + 3 <= radius) {
        GAUSS_TAP(l3, l0, l1, l2, r1, r2, r3, r0);
        GAUSS_TAP(l2, l3, l0, l1, r2, r3, r0, r1);
        GAUSS_TAP(l1, l2, l3, l0, r3, r0, r1, r2);
        GAUSS_TAP(l0, l1, l2, l3, r0, r1, r2, r3);
    }
    if (i <= radius)
        GAUSS_TAP(l3, l0, l1, l2, r1, r2, r3, r0);
    if (i <= radius)
        GAUSS_TAP(l2, l3, l0, l1, r2, r3, r0, r1);
    if (i <= radius)
        GAUSS_TAP(l1, l2, l3, l0, r3, r0, r1, r2);
    GAUSS_STORE(to, sum0);
    GAUSS_STORE(to + stride, sum1);
    GAUSS_STORE(to + 2 * stride, sum2);
    GAUSS_STORE(to + 3 * stride, sum3);
}

/* Sixteen bytes as floats. By instructions: gcc 12 takes a conversion over two sizes apart, byte by byte. */
static inline void gauss_widen(const uint8_t *from, float *to)
{
#if defined(__AVX512F__)
    _mm512_storeu_ps(to, _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from))));
#elif defined(__AVX2__)
    for (int i = 0; i < 16; i += 8)
        _mm256_storeu_ps(
            to + i, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(from + i)))));
#elif defined(GAUSS_X86)
    const __m128i zero = _mm_setzero_si128(), bytes = _mm_loadu_si128((const __m128i *)from);
    const __m128i low = _mm_unpacklo_epi8(bytes, zero), high = _mm_unpackhi_epi8(bytes, zero);
    _mm_storeu_ps(to, _mm_cvtepi32_ps(_mm_unpacklo_epi16(low, zero)));
    _mm_storeu_ps(to + 4, _mm_cvtepi32_ps(_mm_unpackhi_epi16(low, zero)));
    _mm_storeu_ps(to + 8, _mm_cvtepi32_ps(_mm_unpacklo_epi16(high, zero)));
    _mm_storeu_ps(to + 12, _mm_cvtepi32_ps(_mm_unpackhi_epi16(high, zero)));
#else
    for (int i = 0; i < 16; i++)
        to[i] = (float)from[i];
#endif
}

/* Sixteen rows of sixteen columns, `stride` apart, become sixteen columns side by side. */
static inline void gauss_turn(const float *from, int64_t stride, float *to)
{
#if defined(GAUSS_X86)
    for (int y = 0; y < 16; y += 4)
        for (int x = 0; x < 16; x += 4) {
            __m128 a = _mm_loadu_ps(from + y * stride + x), b = _mm_loadu_ps(from + (y + 1) * stride + x);
            __m128 c = _mm_loadu_ps(from + (y + 2) * stride + x), d = _mm_loadu_ps(from + (y + 3) * stride + x);
            _MM_TRANSPOSE4_PS(a, b, c, d);
            _mm_storeu_ps(to + 16 * x + y, a);
            _mm_storeu_ps(to + 16 * x + 16 + y, b);
            _mm_storeu_ps(to + 16 * x + 32 + y, c);
            _mm_storeu_ps(to + 16 * x + 48 + y, d);
        }
#else
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 16; x++)
            to[16 * x + y] = from[y * stride + x];
#endif
}

/* Sixteen floats from 0 to 255 as bytes, rounded half to even. */
static inline void gauss_round(const float *from, uint8_t *to)
{
#if defined(__AVX512F__)
    _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_loadu_ps(from))));
#elif defined(GAUSS_X86)
    __m128i low = _mm_packs_epi32(_mm_cvtps_epi32(_mm_loadu_ps(from)), _mm_cvtps_epi32(_mm_loadu_ps(from + 4)));
    __m128i high = _mm_packs_epi32(_mm_cvtps_epi32(_mm_loadu_ps(from + 8)), _mm_cvtps_epi32(_mm_loadu_ps(from + 12)));
    _mm_storeu_si128((__m128i *)to, _mm_packus_epi16(low, high));
#else
    for (int i = 0; i < 16; i++)
        to[i] = (uint8_t)((from[i] + 12582912.0f) - 12582912.0f);   /* 1.5 * 2**23 */
#endif
}

/* Sixteen columns side by side become sixteen rows, `stride` apart. */
static inline void gauss_turn_back(const uint8_t *from, uint8_t *to, int64_t stride)
{
#if defined(GAUSS_X86)
    __m128i a[16], b[16];
    for (int i = 0; i < 16; i++)
        a[i] = _mm_loadu_si128((const __m128i *)(from + 16 * i));
    /* Four times, the second half is riffled into the first. */
    for (int twice = 0; twice < 2; twice++) {
        for (int i = 0; i < 8; i++) {
            b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + 8]);
            b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + 8]);
        }
        for (int i = 0; i < 8; i++) {
            a[2 * i] = _mm_unpacklo_epi8(b[i], b[i + 8]);
            a[2 * i + 1] = _mm_unpackhi_epi8(b[i], b[i + 8]);
        }
    }
    for (int i = 0; i < 16; i++)
        _mm_storeu_si128((__m128i *)(to + stride * i), a[i]);
#else
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 16; x++)
            to[y * stride + x] = from[16 * x + y];
#endif
}

static inline void gauss_compare_row(
    const uint8_t *pixels, const uint8_t *means, int16_t delta, uint8_t *out, int64_t n, uint8_t white, uint8_t black)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (int16_t)pixels[i] > (int16_t)(means[i] - delta) ? white : black;
}

GILFREE_PER_THREAD uint8_t gauss_columns_of_means[GAUSS_MOST * GAUSS_ROWS], gauss_means[GAUSS_ROWS * GAUSS_MOST];

/* Compares up to GAUSS_ROWS rows of a picture with their means less `delta`, of a thousand or less. `rows` and
 * `columns` are those that stand around, from the radius before the first to the radius after the last, and never go
 * back. `room` is for (height + 2 * row_radius + 3) * GAUSS_STRIP + (GAUSS_MOST + 2 * column_radius + 4) * GAUSS_ROWS
 * floats. */
static void gauss_compare(const uint8_t *picture, int64_t width, const int64_t *rows, int64_t height,
    const float *row_weights, int64_t row_radius, const int64_t *columns, const float *column_weights,
    int64_t column_radius, const uint8_t *pixels, int16_t delta, uint8_t *out, uint8_t white, uint8_t black,
    float *room)
{
    const int64_t padded = width + 2 * column_radius, lines = height + 2 * row_radius;
    float *strip = (float *)(((uintptr_t)room + 63) & ~(uintptr_t)63);  /* lines of the picture as floats */
    float *turned = strip + (lines + 3) * GAUSS_STRIP;                  /* columns of their sums, side by side */
    float sums[GAUSS_ROWS * GAUSS_STRIP] = {0};
    uint8_t some[GAUSS_STRIP], *columns_of_means = gauss_columns_of_means, *means = gauss_means;
    int64_t filled = 0, done = 0;
    for (int64_t x = 0; x < padded; x += GAUSS_STRIP) {
        const int64_t end = x + GAUSS_STRIP < padded ? x + GAUSS_STRIP : padded;
        float *to = turned + filled * GAUSS_ROWS;
        if (filled >= GAUSS_STRIP && columns[end - 1] == columns[x - GAUSS_STRIP]) {
            /* Far beyond the edge, where all are the same. */
            memcpy(to, to - GAUSS_STRIP * GAUSS_ROWS, GAUSS_STRIP * GAUSS_ROWS * sizeof(float));
        } else {
            for (int64_t y = 0; y < lines; y++) {
                const uint8_t *row = picture + rows[y] * width;
                if (x >= column_radius && x + GAUSS_STRIP <= column_radius + width) {
                    row += x - column_radius;
#if defined(GAUSS_X86)
                    /* Processors see no more than a few streams side by side coming: 4 to 10 %. */
                    _mm_prefetch((const char *)row + 4 * GAUSS_STRIP, _MM_HINT_T0);
#endif
                } else {
                    for (int64_t i = 0; i < GAUSS_STRIP; i++)
                        some[i] = row[columns[x + i < end ? x + i : end - 1]];
                    row = some;
                }
                for (int64_t i = 0; i < GAUSS_STRIP; i += 16)
                    gauss_widen(row + i, strip + y * GAUSS_STRIP + i);
            }
            for (int64_t y = 0; y < height; y += 4)
                for (int64_t i = 0; i < GAUSS_STRIP; i += GAUSS_LANES)
                    gauss_sums(strip + (y + row_radius) * GAUSS_STRIP + i, GAUSS_STRIP, row_weights, row_radius,
                        sums + y * GAUSS_STRIP + i);
            for (int64_t i = 0; i < GAUSS_STRIP; i += 16)
                gauss_turn(sums + i, GAUSS_STRIP, to + i * GAUSS_ROWS);
        }
        filled += GAUSS_STRIP;
        if (end < padded && filled - 2 * column_radius < GAUSS_TILE)
            continue;
        const int64_t n = end < padded ? (filled - 2 * column_radius) & ~(int64_t)15 : width - done;
        float four[4 * GAUSS_ROWS];
        for (int64_t i = 0; i < n; i += 4) {
            for (int64_t y = 0; y < GAUSS_ROWS; y += GAUSS_LANES)
                gauss_sums(turned + (i + column_radius) * GAUSS_ROWS + y, GAUSS_ROWS, column_weights, column_radius,
                    four + y);
            for (int k = 0; k < 4; k++)
                gauss_round(four + k * GAUSS_ROWS, columns_of_means + (i + k) * GAUSS_ROWS);
        }
        for (int64_t i = 0; i < n; i += 16)
            gauss_turn_back(columns_of_means + i * GAUSS_ROWS, means + i, GAUSS_MOST);
        for (int64_t y = 0; y < height; y++)
            gauss_compare_row(pixels + y * width + done, means + y * GAUSS_MOST, delta, out + y * width + done, n,
                white, black);
        done += n;
        filled -= n;
        if (end < padded)
            memmove(turned, turned + n * GAUSS_ROWS, filled * GAUSS_ROWS * sizeof(float));
    }
}

#endif
