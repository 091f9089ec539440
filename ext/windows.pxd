# cython: language_level=3
"""Sums over the window around every pixel, and the thresholds that are a formula of them.

A picture is worked on in pieces of rows. Each keeps the sum of every column over the rows of the window, slides it down
row by row, and along each row slides over those sums: the cost of a pixel does not depend on the window's size. Sums of
bytes are exact modulo 2**32, and then vectors of them are added up along the row; all others are doubles, one after the
other in the order that is written here, which is the same on every backend.
"""

from libc.math cimport fabs, fabsf, sqrt, sqrtf
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t

from levels cimport pixel

cdef extern from "scan.h":
    uint32_t scan_windows(
        const uint32_t *ahead, const uint32_t *behind, uint32_t *sums, int64_t n, uint32_t carry
    ) nogil
    void scan_means(
        const uint16_t *ahead, const uint16_t *behind, const uint8_t *pixels, uint8_t *out, int64_t n, int32_t carry,
        int16_t factor, uint8_t white, uint8_t black,
    ) nogil

cdef extern from "weigh.h":
    void weigh_bytes(
        const uint8_t *picture, int64_t stride, const int64_t *rows, const double *weights, int64_t radius,
        double *total, int64_t width,
    ) nogil
    void weigh_words(
        const uint16_t *picture, int64_t stride, const int64_t *rows, const double *weights, int64_t radius,
        double *total, int64_t width,
    ) nogil
    void weigh_floats(
        const float *picture, int64_t stride, const int64_t *rows, const double *weights, int64_t radius,
        double *total, int64_t width,
    ) nogil
    void weigh_doubles(
        const double *picture, int64_t stride, const int64_t *rows, const double *weights, int64_t radius,
        double *total, int64_t width,
    ) nogil
    void weigh_columns(
        const double *picture, int64_t stride, const int64_t *rows, const double *weights, int64_t radius,
        double *total, int64_t width,
    ) nogil

cdef extern from "gauss.h":
    enum:
        GAUSS_ROWS
    void gauss_compare(
        const uint8_t *picture, int64_t width, const int64_t *rows, int64_t height, const float *row_weights,
        int64_t row_radius, const int64_t *columns, const float *column_weights, int64_t column_radius,
        const uint8_t *pixels, int16_t delta, uint8_t *out, uint8_t white, uint8_t black, float *room,
    ) nogil

cdef extern from *:
    """
    #define ROUND 12582912.0f   /* 1.5 * 2**23: adding and subtracting it rounds a small float half to even */

    static inline double two_to(int64_t n)
    {
        union { uint64_t bits; double number; } power;
        power.bits = (uint64_t)(n + 1023) << 52;
        return power.number;
    }
    """
    const float ROUND
    double two_to(int64_t n) nogil

cdef enum:
    CHUNK = 128     # pixels of a row at a time: their sums, squares and thresholds take 8 KiB of the stack
    LOW = 128       # rows of bytes that add up to less than 2**15
    NARROW = 1 << 14    # pixels in a window up to which single precision rounds their mean to the right byte
    CENTRE = 128    # bytes are squared about this: a window of 511 x 511 of such squares fits 32 bits
    FEW = 361       # pixels in a window, up to which their number times those squares fits 31 bits

    # The formulas. OPENCV_MEAN compares with the mean as a byte, the others make a threshold in double.
    OPENCV_MEAN = 0
    MEAN = 1
    NIBLACK = 2
    SAUVOLA = 3
    WOLF = 4
    NICK = 5
    PHANSALKAR = 6
    SINGH = 7
    DEVIATION = 8

ctypedef fused accumulator:    # what is added up: bytes in 32 bits, everything else in double
    uint32_t
    double

ctypedef fused weight:
    float
    double

ctypedef fused column:
    uint16_t
    uint32_t
    double


# --- columns ---------------------------------------------------------------------------------------------------------

cdef inline void enter_row(const pixel *row, accumulator *total, accumulator *squares, int64_t width) noexcept nogil:
    """A row comes into the window of every column. ``squares`` may be NULL, here and below."""
    cdef int64_t x
    for x in range(width):
        total[x] += <accumulator> row[x]
    if squares == NULL:
        return
    for x in range(width):
        if accumulator is uint32_t:
            squares[x] += <uint32_t> ((<int32_t> row[x] - CENTRE) * (<int32_t> row[x] - CENTRE))
        else:
            squares[x] += <double> row[x] * <double> row[x]


cdef inline void leave_row(const pixel *row, accumulator *total, accumulator *squares, int64_t width) noexcept nogil:
    """A row leaves the window of every column."""
    cdef int64_t x
    for x in range(width):
        total[x] -= <accumulator> row[x]
    if squares == NULL:
        return
    for x in range(width):
        if accumulator is uint32_t:
            squares[x] -= <uint32_t> ((<int32_t> row[x] - CENTRE) * (<int32_t> row[x] - CENTRE))
        else:
            squares[x] -= <double> row[x] * <double> row[x]


cdef inline void slide_rows(
    const pixel *enters, const pixel *leaves, accumulator *total, accumulator *squares, int64_t width
) noexcept nogil:
    """One row comes in and another leaves: one visit to each column."""
    cdef int64_t x
    cdef int32_t difference
    if squares == NULL:
        for x in range(width):
            total[x] += <accumulator> enters[x] - <accumulator> leaves[x]
        return
    for x in range(width):
        if accumulator is uint32_t:
            difference = <int32_t> enters[x] - <int32_t> leaves[x]
            total[x] += <uint32_t> difference
            # a**2 - b**2 about the centre, in one multiplication
            squares[x] += <uint32_t> (difference * (<int32_t> enters[x] + <int32_t> leaves[x] - 2 * CENTRE))
        else:
            total[x] += <double> enters[x] - <double> leaves[x]
            squares[x] += <double> enters[x] * <double> enters[x] - <double> leaves[x] * <double> leaves[x]


cdef inline void enter_low(const uint8_t *row, uint16_t *total, int64_t width) noexcept nogil:
    """As ``enter_row``, for windows of up to LOW rows."""
    cdef int64_t x
    for x in range(width):
        total[x] += row[x]


cdef inline void slide_low(
    const uint8_t *enters, const uint8_t *leaves, uint16_t *total, int64_t width
) noexcept nogil:
    """As ``slide_rows``, for windows of up to LOW rows."""
    cdef int64_t x
    for x in range(width):
        total[x] += <uint16_t> enters[x] - <uint16_t> leaves[x]


cdef inline void pad(
    column *padded, const int64_t *columns, int64_t before, int64_t width, int64_t length
) noexcept nogil:
    """Fill the columns beyond the picture's edges from those that the border's rule names; a negative one is empty."""
    cdef int64_t x
    for x in range(before):
        padded[x] = padded[before + columns[x]] if columns[x] >= 0 else 0
    for x in range(before + width, length):
        padded[x] = padded[before + columns[x]] if columns[x] >= 0 else 0


cdef inline accumulator first_columns(const accumulator *columns, int64_t n) noexcept nogil:
    """The sum of the columns that the window of the first pixel has, but for its last one."""
    cdef accumulator total = 0
    cdef int64_t x
    for x in range(n):
        total += columns[x]
    return total


cdef inline accumulator slide_columns(
    const accumulator *ahead, const accumulator *behind, accumulator *result, int64_t n, accumulator carry
) noexcept nogil:
    """The window's sum at each of n pixels; ``carry`` is that before the first of them, and the last comes back."""
    cdef int64_t x
    if accumulator is uint32_t:
        return scan_windows(ahead, behind, result, n, carry)
    else:
        for x in range(n):
            carry += ahead[x] - behind[x]
            result[x] = carry
        return carry


# --- formulas --------------------------------------------------------------------------------------------------------

cdef inline double exponential(double x) noexcept nogil:
    """e**x for x <= 0, the same bits everywhere: libraries differ in the last one.

    x = n * log(2) + r, with log(2) in two parts (W. Cody, W. Waite, 1980), and the series of e**r up to r**13 / 13!.
    """
    cdef double n, r, total
    x = x if x > -700 else -700
    n = <double> <int64_t> (x * 1.4426950408889634 - 0.5)
    r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10
    total = r * 1.6059043836821613e-10 + 2.08767569878681e-09
    total = total * r + 2.505210838544172e-08
    total = total * r + 2.755731922398589e-07
    total = total * r + 2.7557319223985893e-06
    total = total * r + 2.48015873015873e-05
    total = total * r + 0.0001984126984126984
    total = total * r + 0.001388888888888889
    total = total * r + 0.008333333333333333
    total = total * r + 0.041666666666666664
    total = total * r + 0.16666666666666666
    total = total * r + 0.5
    total = total * r + 1.0
    total = total * r + 1.0
    return total * two_to(<int64_t> n)


cdef inline void thresholds_of(
    int rule, const double *numbers, const pixel *pixels, const double *total, const double *squares,
    const double *count, double rows, double *result, int64_t n,
) noexcept nogil:
    """The threshold of each pixel, from the sum and the sum of squares of the rows * count pixels in its window.

    ``numbers`` are the formula's own; see ``gilfree.pixels._windows`` for what each is.
    """
    cdef double a = numbers[0], b = numbers[1], c = numbers[2], d = numbers[3]
    cdef double deviation[CHUNK]
    cdef double mean[CHUNK]
    cdef double away
    cdef int64_t x
    for x in range(n):
        mean[x] = total[x] / (rows * count[x])
    if squares != NULL:
        for x in range(n):
            deviation[x] = squares[x] / (rows * count[x]) - mean[x] * mean[x]
            deviation[x] = deviation[x] if deviation[x] > 0 else 0
    if rule == MEAN:
        for x in range(n):
            result[x] = mean[x] * b - a
    elif rule == NIBLACK:
        for x in range(n):
            result[x] = mean[x] - a * sqrt(deviation[x])
    elif rule == SAUVOLA:
        for x in range(n):
            result[x] = mean[x] * (1 + a * ((sqrt(deviation[x]) / b) - 1))
    elif rule == WOLF:
        for x in range(n):
            result[x] = mean[x] - a * (1 - sqrt(deviation[x]) / b) * (mean[x] - c)
    elif rule == NICK:
        for x in range(n):
            result[x] = mean[x] + a * sqrt(deviation[x] + mean[x] * mean[x])
    elif rule == PHANSALKAR:
        for x in range(n):
            result[x] = mean[x] * (1 + c * exponential(-d * mean[x]) + a * ((sqrt(deviation[x]) / b) - 1))
    elif rule == SINGH:
        for x in range(n):
            away = fabs(<double> pixels[x] - mean[x])
            away = away if away < c else c
            result[x] = mean[x] * (1 + a * (away / (b - away) - 1))
    else:
        for x in range(n):
            result[x] = deviation[x]


cdef inline bint quickly_compared(
    int rule, const double *numbers, const uint8_t *pixels, const uint32_t *total, const uint32_t *squares,
    double count, uint8_t *result, uint8_t white, uint8_t black, int64_t n,
) noexcept nogil:
    """Compare with Niblack's or Sauvola's threshold in single precision; false where a pixel comes too near to tell.

    Three divisions and a root of doubles take most of the time of the exact formula: this is twice as fast, and four
    times where the variance times the square of the number of pixels is an integer of 31 bits. The mean and the
    deviation are off by less than 3e-5 here, and the deviation by 6e-6 in the formula itself where there is none: with
    the formula's own roundings here, 1e-4 * (1 + |k|) + 0.022 * |k / r|, which is a tenth of the margin.
    """
    cdef double inverse = 1 / count, middle = CENTRE * count, from_centre, k = numbers[0]
    cdef float mean[CHUNK]
    cdef float variance[CHUNK]
    cdef float of_mean, of_both, of_deviation, margin, deviation, away
    cdef float single = <float> inverse, squared = <float> (inverse * inverse)
    cdef int32_t doubts = 0, pixels_in = <int32_t> count, off
    cdef int64_t x
    if rule == NIBLACK:
        of_mean, of_both, of_deviation = 1, 0, <float> -k
        margin = <float> (1e-3 * (1 + fabs(k)))
    else:
        of_mean, of_both, of_deviation = <float> (1 - k), <float> (k / numbers[1]), 0
        margin = <float> (1e-3 * (1 + fabs(k) + fabs(k / numbers[1]) * 256))
    if pixels_in <= FEW:
        for x in range(n):
            off = <int32_t> total[x] - CENTRE * pixels_in
            deviation = sqrtf(<float> (pixels_in * <int32_t> squares[x] - off * off) * squared)
            away = <float> off * single + CENTRE
            away = <float> pixels[x] - (away * (of_mean + of_both * deviation) + of_deviation * deviation)
            result[x] = white if away > 0 else black
            doubts |= fabsf(away) < margin
        return doubts == 0
    for x in range(n):
        from_centre = (<double> <int32_t> total[x] - middle) * inverse
        variance[x] = <float> (<double> squares[x] * inverse - from_centre * from_centre)
        mean[x] = <float> (from_centre + CENTRE)
    for x in range(n):
        deviation = sqrtf(variance[x] if variance[x] > 0 else 0)
        away = <float> pixels[x] - (mean[x] * (of_mean + of_both * deviation) + of_deviation * deviation)
        result[x] = white if away > 0 else black
        doubts |= fabsf(away) < margin
    return doubts == 0


cdef inline void as_doubles(
    const accumulator *total, const accumulator *squares, const double *count, double rows, double *totals,
    double *all_squares, int64_t n,
) noexcept nogil:
    """The sums as doubles; squares about CENTRE become plain ones."""
    cdef int64_t x
    for x in range(n):
        totals[x] = <double> total[x]
    if squares == NULL:
        return
    for x in range(n):
        if accumulator is uint32_t:
            all_squares[x] = <double> squares[x] + 2 * CENTRE * totals[x] - CENTRE * CENTRE * (rows * count[x])
        else:
            all_squares[x] = squares[x]


cdef inline void compare(
    const pixel *pixels, const double *thresholds, uint8_t *result, uint8_t white, uint8_t black, int64_t n
) noexcept nogil:
    cdef int64_t x
    for x in range(n):
        result[x] = white if <double> pixels[x] > thresholds[x] else black


cdef inline void widest(const pixel *pixels, const double *variances, double *extremes, int64_t n) noexcept nogil:
    """Widen (largest variance, least pixel)."""
    cdef int64_t x
    for x in range(n):
        if variances[x] > extremes[0]:
            extremes[0] = variances[x]
        if pixels[x] < extremes[1]:
            extremes[1] = pixels[x]


cdef inline void compare_with_mean(
    const pixel *pixels, const accumulator *total, double scale, float delta, uint8_t *result, uint8_t white,
    uint8_t black, int64_t body, int64_t n,
) noexcept nogil:
    """OpenCV's comparison: with the sum times ``scale``, rounded half to even to a byte.

    Its vectors of eight multiply in single precision, what is left of a row (from ``body`` on) in double. Only sums of
    more than 100 x 100 pixels can tell the difference, and one in a million of them does.
    """
    cdef int64_t x
    cdef float single = <float> scale, mean
    for x in range(body):
        if accumulator is uint32_t:
            mean = (<float> <int32_t> total[x] * single + ROUND) - ROUND
        else:
            mean = (<float> total[x] * single + ROUND) - ROUND
        result[x] = white if <float> pixels[x] > mean - delta else black
    for x in range(body, n):
        mean = <float> ((<double> total[x] * scale + 6755399441055744.0) - 6755399441055744.0)
        result[x] = white if <float> pixels[x] > mean - delta else black


# --- weighted sums ---------------------------------------------------------------------------------------------------

cdef inline void weigh_rows(
    const pixel *picture, int64_t stride, const int64_t *rows, const double *weights, int64_t radius, double *result,
    int64_t width,
) noexcept nogil:
    """result = weights[0] * the row rows[radius] + the sum of weights[i] * (the rows i above and i below)."""
    if pixel is uint8_t:
        weigh_bytes(picture, stride, rows, weights, radius, result, width)
    elif pixel is uint16_t:
        weigh_words(picture, stride, rows, weights, radius, result, width)
    elif pixel is float:
        weigh_floats(picture, stride, rows, weights, radius, result, width)
    else:
        weigh_doubles(picture, stride, rows, weights, radius, result, width)
