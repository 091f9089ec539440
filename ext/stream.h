/* A threshold of a picture that no cache holds, written past the caches: for large results a third faster on Zen 4, where
 * an ordinary store first reads the line that it then fills. */

#ifndef GILFREE_STREAM_H
#define GILFREE_STREAM_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512BW__)
#include <immintrin.h>
#define GILFREE_BYTES __m512i
#define GILFREE_ALL(byte) _mm512_set1_epi8((char)(byte))
#define GILFREE_OR_KEEP(keeps, pixels, byte) _mm512_or_si512(_mm512_and_si512(pixels, keeps), byte)
#define GILFREE_CHOOSE(pixels, value, above, below)                                                                   \
    _mm512_mask_blend_epi8(_mm512_cmpgt_epu8_mask(pixels, value), below, above)
#define GILFREE_STREAM(to, bytes) _mm512_stream_si512((void *)(to), bytes)
#elif defined(__AVX2__)
#include <immintrin.h>
#define GILFREE_BYTES __m256i
#define GILFREE_ALL(byte) _mm256_set1_epi8((char)(byte))
#define GILFREE_OR_KEEP(keeps, pixels, byte) _mm256_or_si256(_mm256_and_si256(pixels, keeps), byte)
/* A byte less the value, but no less than 0, is 0 where it is not above. */
#define GILFREE_CHOOSE(pixels, value, above, below)                                                                   \
    _mm256_blendv_epi8(above, below, _mm256_cmpeq_epi8(_mm256_subs_epu8(pixels, value), _mm256_setzero_si256()))
#define GILFREE_STREAM(to, bytes) _mm256_stream_si256((__m256i *)(to), bytes)
#elif defined(__SSE2__)
#include <emmintrin.h>
#define GILFREE_BYTES __m128i
#define GILFREE_ALL(byte) _mm_set1_epi8((char)(byte))
#define GILFREE_OR_KEEP(keeps, pixels, byte) _mm_or_si128(_mm_and_si128(pixels, keeps), byte)
static inline __m128i gilfree_choose(__m128i pixels, __m128i value, __m128i above, __m128i below)
{
    __m128i not_above = _mm_cmpeq_epi8(_mm_subs_epu8(pixels, value), _mm_setzero_si128());
    return _mm_or_si128(_mm_and_si128(not_above, below), _mm_andnot_si128(not_above, above));
}
#define GILFREE_CHOOSE gilfree_choose
#define GILFREE_STREAM(to, bytes) _mm_stream_si128((__m128i *)(to), bytes)
#endif

/* Pixels above the value are kept or become `above`, the others are kept or become `below`. Says how many were done: none
 * where there is no such store, or `out` does not begin a line of the cache, and else all but less than a vector. */
static inline int64_t stream_threshold(const uint8_t *image, uint8_t *out, int64_t n, uint8_t value, int keep_above,
    uint8_t above, int keep_below, uint8_t below)
{
    int64_t i = 0;
#if defined(GILFREE_BYTES)
    if ((uintptr_t)out & 63)
        return 0;
    const GILFREE_BYTES limit = GILFREE_ALL(value);
    const GILFREE_BYTES keeps_above = GILFREE_ALL(keep_above ? 255 : 0), keeps_below = GILFREE_ALL(keep_below ? 255 : 0);
    const GILFREE_BYTES top = GILFREE_ALL(keep_above ? 0 : above), bottom = GILFREE_ALL(keep_below ? 0 : below);
    for (; i + (int64_t)sizeof(GILFREE_BYTES) <= n; i += sizeof(GILFREE_BYTES)) {
        GILFREE_BYTES pixels;
        memcpy(&pixels, image + i, sizeof pixels);
        GILFREE_STREAM(out + i,
            GILFREE_CHOOSE(pixels, limit, GILFREE_OR_KEEP(keeps_above, pixels, top),
                GILFREE_OR_KEEP(keeps_below, pixels, bottom)));
    }
    _mm_sfence(); /* whoever is told that this is done may read it */
#endif
    return i;
}

#endif
