/* Prime factors of 64-bit integers: small ones by trial division, those up to some 20 bits by Pollard's rho, the others by
   elliptic curves; each proven prime.

   A product of two primes of 32 bits takes 0.09 ms on a Zen 4; rho alone, some 80 000 steps, took 0.5, and python-flint
   takes 0.3. */
#ifndef GILFREE_FACTORS_H
#define GILFREE_FACTORS_H

#include "primality.h"

enum {
    MOST_FACTORS = 64,      /* of a number below 2**64, with multiplicity: 2**63 has 63 */
    TRIALS = 256,           /* trial division by odd numbers and by 2 below it */
    FOR_CURVES = 1 << 30,   /* below it curves find all factors at once, or none */
    BATCH = 128,            /* steps of rho between two greatest common divisors */
    WALK = 1024,            /* steps of rho before curves are tried: it finds factors of 18 bits that curves find together */
    CURVES = 200,           /* before rho walks on: never seen to be needed */
    STAGE_1 = 170,          /* a curve succeeds whose number of points, modulo a factor, has no prime factor above it, */
    STAGE_2 = 29,           /* but for one up to 210 times this; 100 to 200 and 12 to 45 take at most a third longer */
    BABIES = 24             /* residues of 210 up to its half */
};
static const uint8_t BABY[BABIES] = {
    1, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103
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

/* A divisor of n, neither 1 nor n, or 0 if none turns up in about `steps` steps: Pollard's rho with x x + c in Brent's
   form (R. Brent, "An Improved Monte Carlo Factorization Algorithm", 1980). Steps stay in Montgomery form, which is the
   same walk by other numbers. A batch whose divisor is n is walked again one by one. */
static uint64_t divisor_by_rho(const modulus_t_one *m, uint64_t c, uint64_t steps) {
    uint64_t y = 2, x, start, product = 1, divisor = 1;
    uint64_t round = 1, k, i;
    do {
        if (round > steps) return 0;
        x = y;
        for (i = 0; i < round; i++) y = multiply_plus_one(y, y, c, m);
        for (k = 0; k < round && divisor == 1; k += BATCH) {
            start = y;
            for (i = 0; i < BATCH && i < round - k; i++) {
                y = multiply_plus_one(y, y, c, m);
                product = multiply_one(product, x > y ? x - y : y - x, m);
            }
            divisor = common_divisor(product, m->n);
        }
        round *= 2;
    } while (divisor == 1);
    if (divisor == m->n) {
        y = start;
        do {
            y = multiply_plus_one(y, y, c, m);
            divisor = common_divisor(x > y ? x - y : y - x, m->n);
        } while (divisor == 1);
    }
    return divisor == m->n ? 0 : divisor;
}

/* 1 / a modulo n, or 0 where they have a divisor in common, which goes to `divisor`: Euclid. The coefficients change
   their signs at every step. */
static uint64_t reciprocal(uint64_t a, uint64_t n, uint64_t *divisor) {
    uint64_t r = n, t = 0, next = 1;
    int odd = 0;
    while (a != 0) {
        uint64_t quotient = r / a, swap;
        swap = r - quotient * a; r = a; a = swap;
        swap = t + quotient * next; t = next; next = swap;
        odd = !odd;
    }
    *divisor = r;
    return r != 1 ? 0 : odd ? t : n - t;
}

typedef struct { uint64_t x, z; } point_t;      /* of a curve in Montgomery's form, without y */

ALWAYS uint64_t plus(uint64_t a, uint64_t b, const modulus_t_one *m) { return subtract_one(a, m->n - b, m->n); }
ALWAYS uint64_t minus(uint64_t a, uint64_t b, const modulus_t_one *m) { return subtract_one(a, b, m->n); }

/* p + q, given p - q. */
ALWAYS point_t sum_of(point_t p, point_t q, point_t difference, const modulus_t_one *m) {
    uint64_t u = multiply_one(minus(p.x, p.z, m), plus(q.x, q.z, m), m);
    uint64_t v = multiply_one(plus(p.x, p.z, m), minus(q.x, q.z, m), m);
    uint64_t s = plus(u, v, m), d = minus(u, v, m);
    point_t r;
    r.x = multiply_one(square_one(s, m), difference.z, m);
    r.z = multiply_one(square_one(d, m), difference.x, m);
    return r;
}

ALWAYS point_t twice(point_t p, uint64_t a24, const modulus_t_one *m) {
    uint64_t s = square_one(plus(p.x, p.z, m), m), d = square_one(minus(p.x, p.z, m), m), t = minus(s, d, m);
    point_t r;
    r.x = multiply_one(s, d, m);
    r.z = multiply_one(t, plus(d, multiply_one(a24, t, m), m), m);
    return r;
}

static point_t times(point_t p, uint32_t k, uint64_t a24, const modulus_t_one *m) {     /* k > 1 */
    point_t low = p, high = twice(p, a24, m);
    int bit;
    for (bit = top_bit(k) - 1; bit >= 0; bit--) {
        point_t both = sum_of(high, low, p, m);
        if (k >> bit & 1) { low = both; high = twice(high, a24, m); }
        else { high = both; low = twice(low, a24, m); }
    }
    return low;
}

/* A divisor of n, neither 1 nor n, or 0 if this curve finds none: H. Lenstra, "Factoring integers with elliptic curves",
   1987, on the curves of H. Suyama, whose number of points 12 divides, with the second stage of P. Montgomery, "Speeding
   the Pollard and Elliptic Curve Methods of Factorization", 1987. Any sigma above 5 gives a curve. */
static uint64_t divisor_by_curve(const modulus_t_one *m, uint64_t sigma) {
    static const uint8_t primes[] = {
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
        113, 127, 131, 137, 139, 149, 151, 157, 163, 167
    };
    const uint64_t one = multiply_one(1, m->r2, m), s = multiply_one(sigma, m->r2, m);
    const uint64_t two = plus(one, one, m), four = plus(two, two, m);
    const uint64_t u = minus(square_one(s, m), plus(four, one, m), m), v = multiply_one(four, s, m);
    const uint64_t cube = multiply_one(square_one(u, m), u, m), apart = minus(v, u, m);
    const uint64_t above = multiply_one(
        multiply_one(square_one(apart, m), apart, m), plus(plus(plus(u, u, m), u, m), v, m), m
    );
    const uint64_t below = multiply_one(square_one(four, m), multiply_one(cube, v, m), m);
    uint64_t divisor, product, a24 = reciprocal(below, m->n, &divisor);
    point_t p, two_p, odd[53], step, giant, before;
    size_t i;
    int j, k;
    if (divisor != 1) return divisor < m->n ? divisor : 0;
    a24 = multiply_one(above, multiply_one(multiply_one(a24, m->r2, m), m->r2, m), m);
    p.x = cube;
    p.z = multiply_one(square_one(v, m), v, m);
    for (i = 0; i < sizeof primes; i++) {
        uint32_t power = primes[i];
        while (power * primes[i] <= STAGE_1) power *= primes[i];
        p = times(p, power, a24, m);
    }
    /* odd[i] is 2 i + 1 times p; a prime number k * 210 + j or k * 210 - j of points makes the two equal. */
    two_p = twice(p, a24, m);
    odd[0] = p;
    odd[1] = sum_of(two_p, p, p, m);
    for (i = 2; i < 53; i++) odd[i] = sum_of(odd[i - 1], two_p, odd[i - 2], m);
    step = times(p, 210, a24, m);
    before = step;
    giant = twice(step, a24, m);
    product = p.z;
    for (k = 1; k <= STAGE_2; k++) {
        const point_t at = k == 1 ? step : giant;
        for (j = 0; j < BABIES; j++) {
            const point_t baby = odd[BABY[j] / 2];
            product = multiply_one(product, minus(multiply_one(at.x, baby.z, m), multiply_one(baby.x, at.z, m), m), m);
        }
        if (k > 1) {
            const point_t next = sum_of(giant, step, before, m);
            before = giant;
            giant = next;
        }
    }
    divisor = common_divisor(product, m->n);
    if (divisor == m->n) divisor = common_divisor(p.z, m->n);   /* one factor earlier than the other? */
    return divisor == 1 || divisor == m->n ? 0 : divisor;
}

/* A divisor of an odd composite n, neither 1 nor n. */
static uint64_t divisor_of(uint64_t n) {
    const modulus_t_one m = modulus_one(&n);
    uint64_t root = square_root(n), found, c;
    if (root * root == n) return root;      /* neither may tell two equal factors apart */
    found = divisor_by_rho(&m, 1, WALK);
    for (c = 0; found == 0 && c < CURVES && n >= FOR_CURVES; c++) found = divisor_by_curve(&m, 6 + c);
    for (c = 1; found == 0; c++) found = divisor_by_rho(&m, c, UINT64_MAX);
    return found;
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
