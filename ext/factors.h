/* Prime factors of 64-bit integers: small ones by trial division, the others by Pollard's rho, each proven prime.

   A 64-bit product of two primes near 2**32 takes some 80 000 steps, 0.6 ms on a Zen 4,
   twice as long as python-flint. */
#ifndef GILFREE_FACTORS_H
#define GILFREE_FACTORS_H

#include "primality.h"

enum {
    MOST_FACTORS = 64,      /* of a number below 2**64, with multiplicity: 2**63 has 63 */
    TRIALS = 256,           /* trial division by odd numbers and by 2 below it; */
    BATCH = 128             /* steps of rho between two greatest common divisors */
};

static uint64_t common_divisor(uint64_t a, uint64_t b) {    /* of a and an odd b */
    if (a == 0) return b;
    a >>= bottom_bit(a);
    while (a != b) {
        if (a < b) { uint64_t swap = a; a = b; b = swap; }
        a -= b;
        a >>= bottom_bit(a);
    }
    return b;
}

static int is_prime_alone(uint64_t n) {
    uint8_t answer;
    test_numbers(&n, &answer, 1);
    return answer;
}

/* A divisor of an odd composite n, neither 1 nor n: Pollard's rho with x x + c in Brent's form (R. Brent, "An Improved
   Monte Carlo Factorization Algorithm", 1980). Steps stay in Montgomery form, which is the same walk by other
   numbers. A batch whose divisor is n is walked again one by one, and where that finds n too, another c is tried. */
static uint64_t divisor_of(uint64_t n) {
    modulus_t_one m = modulus_one(&n);
    uint64_t root = square_root(n), c;
    if (root * root == n) return root;      /* rho may take long to tell two equal factors apart */
    for (c = 1; ; c++) {
        uint64_t y = 2, x, start, product = 1, divisor = 1;
        uint64_t round = 1, k, i;
        do {
            x = y;
            for (i = 0; i < round; i++) y = multiply_plus_one(y, y, c, &m);
            for (k = 0; k < round && divisor == 1; k += BATCH) {
                start = y;
                for (i = 0; i < BATCH && i < round - k; i++) {
                    y = multiply_plus_one(y, y, c, &m);
                    product = multiply_one(product, x > y ? x - y : y - x, &m);
                }
                divisor = common_divisor(product, n);
            }
            round *= 2;
        } while (divisor == 1);
        if (divisor == n) {
            y = start;
            do {
                y = multiply_plus_one(y, y, c, &m);
                divisor = common_divisor(x > y ? x - y : y - x, n);
            } while (divisor == 1);
        }
        if (divisor != n) return divisor;
    }
}

/* Set the 64 words of `out` to the prime factors of n, ascending, with multiplicity, then zeros; none for 0 and 1. */
static void factorize(uint64_t n, uint64_t *out) {
    uint64_t waiting[MOST_FACTORS];
    int count = 0, left = 0, first, i;
    uint64_t p;
    memset(out, 0, MOST_FACTORS * sizeof *out);
    if (n < 2) return;
    for (; n % 2 == 0; n /= 2) out[count++] = 2;
    for (p = 3; p < TRIALS && p * p <= n; p += 2)
        for (; n % p == 0; n /= p) out[count++] = p;
    if (n == 1) return;
    first = count;
    waiting[left++] = n;
    while (left != 0) {
        uint64_t divisor;
        n = waiting[--left];
        if (n < (uint64_t)TRIALS * TRIALS || is_prime_alone(n)) {
            for (i = count++; i > first && out[i - 1] > n; i--) out[i] = out[i - 1];
            out[i] = n;
            continue;
        }
        divisor = divisor_of(n);
        waiting[left++] = divisor;
        waiting[left++] = n / divisor;
    }
}

#endif
