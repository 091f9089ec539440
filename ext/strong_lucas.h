/* The two tests of Baillie-PSW for a group of numbers side by side; included once for every arithmetic of primality.h.

   An arithmetic is a set of names that end in SUFFIX. A `number` holds LANES residues in Montgomery form with R =
   2**R_BITS (or, where R_BITS is 0, as they are); a group is COUNT of them, since each step needs the one before it
   and one number alone would leave the multipliers idle most of the time. EACH(...) repeats its statement with j = 0,
   1 ... COUNT - 1, spelled out by the preprocessor so that every compiler keeps the arrays in registers.

   modulus(n)           what the arithmetic needs to know of LANES odd numbers
   small(v)             v R modulo n, for v below 2**49
   multiply, square     x y / R, and with `plus` that + a for addend(a)
   times(x, e, at)      x 2**w / R, where w are the five bits of e from bit `at`
   bit(e, at)           lanes of e that have that bit; pick(mask, a, b) is a there and b elsewhere
   clear(e, bits)       bit k: lane k of e has none of these bits
   twice(mask, x)       x + x where the mask says so
   canonical(x)         what `negative`, `addend` and, as their second argument, `same` take
   same(x, y)           bit k: lane k of x and of the canonical y are the same residue  */

#define WIDTH (LANES * COUNT)
#define PASTE_(name, suffix) name##_##suffix
#define PASTE(name, suffix) PASTE_(name, suffix)
#define A(name) PASTE(name, SUFFIX)

/* Whether 2**d is 1 or 2**(d 2**r) is -1 modulo n, where n - 1 == d 2**s and 0 <= r < s: bit i for n[i].

   2**((n-1) >> b) is computed for b = tail, whatever s is, and then for tail - 1, ... 1, looking at each step at the
   lanes that have b <= s. Down to bit `tail` the exponent is read five bits at a time: x**32 2**w / R is one product
   with a power of two, where doubling five times would cost more. The R that it loses is made up for in the exponent,
   since R is a power of two as well: its digits are w - R_BITS instead of w. */
static uint64_t A(strong)(const uint64_t *n) {
    A(modulus_t) m[COUNT];
    A(number_t) x[COUNT], one[COUNT], minus[COUNT];
    A(exponent_t) e[COUNT];
    uint64_t shifted[WIDTH], first[WIDTH], largest = 0, twos = 0;
    uint64_t passed = 0;
    int i, at, windows, deepest, tail;
    for (i = 0; i < WIDTH; i++) {
        largest |= n[i];
        twos |= (n[i] - 1) & (0 - (n[i] - 1));
    }
    deepest = tail = top_bit(twos);
    /* So long a tail that the bits above it are some windows of five and the first 1 to 5 bits. */
    at = top_bit(largest) + 1 - tail;
    while (at > 5 && at % 5 != 0) at--, tail++;
    at = at > 5 ? at - 5 : 0;
    windows = at;
    for (i = 0; i < WIDTH; i++) {
        shifted[i] = ((n[i] - 1) >> tail) + R_BITS(i % LANES) * ((((uint64_t)1 << at) - 1) / 31);
        first[i] = (uint64_t)1 << (shifted[i] >> at);   /* at most 2**33, as 64 / 31 is below 2.1 */
    }
    EACH(m[j] = A(modulus)(n + j * LANES); e[j] = A(exponents)(shifted + j * LANES);)
    EACH(x[j] = A(small)(A(exponents)(first + j * LANES), &m[j]);)
    while (windows != 0) {
        for (i = 0; i < 5; i++) { EACH(x[j] = A(square)(x[j], &m[j]);) }
        windows -= 5;
        EACH(x[j] = A(times)(x[j], e[j], windows, &m[j]);)
    }
    for (i = 0; i < WIDTH; i++) first[i] = 1, shifted[i] = n[i] - 1;
    EACH(one[j] = A(small)(A(exponents)(first + j * LANES), &m[j]);
         minus[j] = A(negative)(one[j], &m[j]);
         e[j] = A(exponents)(shifted + j * LANES);)
    for (at = tail; ; ) {
        if (at <= deepest) {
            uint64_t below = ((uint64_t)1 << at) - 1;
            EACH(uint64_t reach = A(clear)(e[j], below);                       /* lanes with b <= s */
                 uint64_t exact = reach & ~(uint64_t)A(clear)(e[j], 2 * below + 1);  /* b == s */
                 passed |= ((A(same)(x[j], one[j], &m[j]) & exact) | (A(same)(x[j], minus[j], &m[j]) & reach))
                     << (j * LANES);)
        }
        if (--at == 0) break;
        EACH(x[j] = A(square)(x[j], &m[j]); x[j] = A(twice)(A(bit)(e[j], at), x[j], &m[j]);)
    }
    return passed;
}

/* From a = V(k) and b = V(k + 1), or the other way round where the next bit of the index is set. */
#define LUCAS_STEP                                                                                                    \
    A(number_t) product = A(multiply_plus)(a[j], b[j], less_p[j], &m[j]);           /* V(2k + 1) */                   \
    A(number_t) doubled = A(square_plus)(a[j], less_two[j], &m[j]);                 /* V(2k), or V(2k + 2) */         \
    A(mask_t) turn = A(bit)(turns[j], at - 1);                                                                        \
    a[j] = A(pick)(turn, product, doubled);                                                                           \
    b[j] = A(pick)(turn, doubled, product);

/* Whether n passes the extra strong Lucas test with P: bit i for n[i] and P[i], where D = P P - 4 has the Jacobi symbol
   -1 modulo n. (J. Grantham, "Frobenius Pseudoprimes", 2001.) With Q = 1 and n + 1 == d 2**s: U(d) is 0 and V(d) is 2
   or -2, or V(d 2**r) is 0 for some 0 <= r < s - 1.

   As above the tail is looked at step by step: V((n+1) >> b) for b = s and, where b >= 2, for all b <= s. */
static uint64_t A(lucas)(const uint64_t *n, const uint64_t *parameters) {
    A(modulus_t) m[COUNT];
    A(number_t) a[COUNT], b[COUNT], p[COUNT], less[COUNT];  /* less: -2 */
    A(number_t) v[COUNT], next[COUNT];                      /* V(d) and V(d + 1) */
    A(addend_t) less_two[COUNT], less_p[COUNT];
    A(exponent_t) e[COUNT], turns[COUNT], at_s[COUNT];
    uint64_t shifted[WIDTH], first[WIDTH], second[WIDTH], largest = 0, largest_p = 0, twos = 0;
    uint64_t passed = 0;
    int i, at, tail, known;
    for (i = 0; i < WIDTH; i++) {
        shifted[i] = n[i] + 1;      /* no overflow: 2**64 - 1 has the factor 3 */
        largest |= shifted[i];
        largest_p |= parameters[i];
        twos |= shifted[i] & (0 - shifted[i]);
    }
    tail = top_bit(twos);
    at = top_bit(largest);
    known = largest_p < LUCAS_STARTS && at - 3 >= tail;
    if (known) at -= 3;
    for (i = 0; i < WIDTH; i++) {
        uint64_t odd = shifted[i] >> at & 1;
        if (known) {
            const uint64_t *start = lucas_start[parameters[i]] + (shifted[i] >> at >> 1);
            first[i] = start[odd];
            second[i] = start[1 - odd];
        } else {
            first[i] = odd != 0 ? parameters[i] : 2;
            second[i] = odd != 0 ? 2 : parameters[i];
        }
    }
    EACH(m[j] = A(modulus)(n + j * LANES);
         e[j] = A(exponents)(shifted + j * LANES);
         a[j] = A(small)(A(exponents)(first + j * LANES), &m[j]);
         b[j] = A(small)(A(exponents)(second + j * LANES), &m[j]);
         p[j] = A(small)(A(exponents)(parameters + j * LANES), &m[j]);
         less_p[j] = A(addend)(A(negative)(p[j], &m[j]), &m[j]);)
    for (i = 0; i < WIDTH; i++) {
        first[i] = 2;
        second[i] = shifted[i] ^ shifted[i] >> 1;   /* bits that differ from the next higher one */
        shifted[i] &= 0 - shifted[i];
    }
    EACH(turns[j] = A(exponents)(second + j * LANES);
         at_s[j] = A(exponents)(shifted + j * LANES);
         less[j] = A(negative)(A(small)(A(exponents)(first + j * LANES), &m[j]), &m[j]);
         less_two[j] = A(addend)(less[j], &m[j]);
         v[j] = next[j] = less[j];)     /* and set when `at` is s */
    for (; at > tail; at--) { EACH(LUCAS_STEP) }
    for (; at > 0; at--) {
        EACH(A(mask_t) odd = A(bit)(e[j], at), now = A(bit)(at_s[j], at);
             LUCAS_STEP
             A(number_t) low = A(pick)(odd, product, doubled);
             uint64_t reach = at >= 2 ? A(clear)(e[j], ((uint64_t)1 << at) - 1) : 0;
             v[j] = A(pick)(now, low, v[j]);
             next[j] = A(pick)(now, A(pick)(odd, doubled, product), next[j]);
             if (reach != 0) passed |= (A(zero)(low, &m[j]) & reach) << (j * LANES);)
    }
    /* D U(d) == 2 V(d + 1) - P V(d), and D has no factor in common with n. */
    EACH(A(number_t) two = A(negative)(less[j], &m[j]);
         uint64_t is_two = A(same)(v[j], two, &m[j]) | A(same)(v[j], less[j], &m[j]);
         A(number_t) whole = A(canonical)(next[j], &m[j]);
         A(number_t) rest = A(multiply_plus)(p[j], v[j], A(addend)(A(negative)(whole, &m[j]), &m[j]), &m[j]);
         passed |= (is_two & A(same)(rest, whole, &m[j])) << (j * LANES);)
    return passed;
}

#undef LUCAS_STEP
#undef A
#undef PASTE
#undef PASTE_
#undef WIDTH
