/* Complex Fourier transforms of vectors, in place: a vector is one sample of several signals.

   Forward ones decimate in frequency and leave the frequencies in the order in which they come; backward ones run the
   same steps in reverse, and so start from that order. Lengths have factors 2, 3 and 5 alone. */

#include "simd.h"

#define FACTORS 24
#define NEAR 192 /* samples: below, all passes go over the first cache */

typedef struct { vf re, im; } cv;

typedef struct {
    int64_t n, stride;    /* samples, and how far apart they lie */
    int factors[FACTORS]; /* ends with 1 */
    const float *roots;   /* [n][2]: exp(-2 pi i k / n) */
} fft_plan;

INLINE cv add(cv a, cv b) { return (cv){a.re + b.re, a.im + b.im}; }
INLINE cv sub(cv a, cv b) { return (cv){a.re - b.re, a.im - b.im}; }
INLINE cv scaled(float s, cv a) { return (cv){s * a.re, s * a.im}; }
INLINE cv times(cv a, cv b) { return (cv){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
INLINE cv times_conj(cv a, cv b) { return (cv){a.re * b.re + a.im * b.im, a.im * b.re - a.re * b.im}; }
INLINE cv turned(cv a, int inverse) { return inverse ? (cv){-a.im, a.re} : (cv){a.im, -a.re}; } /* by a quarter */

INLINE void fourier2(cv *a) {
    const cv x = a[0];
    a[0] = add(x, a[1]), a[1] = sub(x, a[1]);
}

INLINE void fourier3(cv *a, int inverse) {
    const cv sum = add(a[1], a[2]), side = scaled(0.86602540378f, turned(sub(a[1], a[2]), inverse));
    const cv middle = sub(a[0], scaled(0.5f, sum));
    a[0] = add(a[0], sum), a[1] = add(middle, side), a[2] = sub(middle, side);
}

INLINE void fourier4(cv *a, int inverse) {
    const cv s = add(a[0], a[2]), d = sub(a[0], a[2]), t = add(a[1], a[3]), u = turned(sub(a[1], a[3]), inverse);
    a[0] = add(s, t), a[1] = add(d, u), a[2] = sub(s, t), a[3] = sub(d, u);
}

INLINE void fourier5(cv *a, int inverse) {
    const cv s = add(a[1], a[4]), t = add(a[2], a[3]), u = sub(a[1], a[4]), v = sub(a[2], a[3]), x = a[0];
    const cv p = add(x, add(scaled(0.30901699437f, s), scaled(-0.80901699437f, t)));
    const cv q = add(x, add(scaled(-0.80901699437f, s), scaled(0.30901699437f, t)));
    const cv e = turned(add(scaled(0.95105651630f, u), scaled(0.58778525229f, v)), inverse);
    const cv f = turned(sub(scaled(0.58778525229f, u), scaled(0.95105651630f, v)), inverse);
    a[0] = add(x, add(s, t)), a[1] = add(p, e), a[2] = add(q, f), a[3] = sub(q, f), a[4] = sub(p, e);
}

INLINE void fourier8(cv *a, int inverse) {
    cv even[4] = {a[0], a[2], a[4], a[6]}, odd[4] = {a[1], a[3], a[5], a[7]};
    fourier4(even, inverse), fourier4(odd, inverse);
    const float h = 0.70710678119f;
    odd[1] = scaled(h, add(odd[1], turned(odd[1], inverse)));
    odd[2] = turned(odd[2], inverse);
    odd[3] = scaled(h, sub(turned(odd[3], inverse), odd[3]));
    UNROLL for (int i = 0; i < 4; i++) a[i] = add(even[i], odd[i]), a[i + 4] = sub(even[i], odd[i]);
}

INLINE void fourier(int r, cv *a, int inverse) {
    if (r == 2) fourier2(a);
    else if (r == 3) fourier3(a, inverse);
    else if (r == 4) fourier4(a, inverse);
    else if (r == 5) fourier5(a, inverse);
    else fourier8(a, inverse);
}

/* One step of blocks of r * m samples, each of which lies at a stride; roots of the block's length are `step` apart */
INLINE void pass(int r, int inverse, int last, cv *data, int64_t blocks, int64_t m, int64_t stride,
                 const float *roots, int64_t step) {
    for (int64_t b = 0; b < blocks; b++, data += r * m * stride)
        for (int64_t j = 0; j < m; j++) {
            float cosine[8], sine[8];
            if (!last) UNROLL for (int p = 1; p < r; p++)
                cosine[p] = roots[2 * j * p * step], sine[p] = roots[2 * j * p * step + 1];
            for (int64_t t = 0; t < stride; t++) {
                cv a[8], *at = data + j * stride + t;
                UNROLL for (int q = 0; q < r; q++) a[q] = at[q * m * stride];
                if (!inverse) fourier(r, a, 0);
                if (!last) UNROLL for (int p = 1; p < r; p++) {
                    const cv w = {splat(cosine[p]), splat(sine[p])};
                    a[p] = inverse ? times_conj(a[p], w) : times(a[p], w);
                }
                if (inverse) fourier(r, a, 1);
                UNROLL for (int q = 0; q < r; q++) at[q * m * stride] = a[q];
            }
        }
}

static void any_pass(int r, int inverse, cv *data, int64_t blocks, int64_t m, const fft_plan *p, int64_t step) {
    const int64_t s = p->stride;
#define PASS(R, I, L) case 4 * R + 2 * I + L: pass(R, I, L, data, blocks, m, s, p->roots, step); break;
#define PASSES(R) PASS(R, 0, 0) PASS(R, 0, 1) PASS(R, 1, 0) PASS(R, 1, 1)
    switch (4 * r + 2 * inverse + (m == 1)) { PASSES(2) PASSES(3) PASSES(4) PASSES(5) PASSES(8) }
}

static void transform(int inverse, cv *data, int64_t n, const int *factors, const fft_plan *p, int64_t step) {
    if (n == 1) return;
    if (n > NEAR) { /* into the depth, so that parts stay in the cache */
        const int64_t m = n / factors[0];
        if (!inverse) any_pass(factors[0], 0, data, 1, m, p, step);
        for (int i = 0; i < factors[0]; i++)
            transform(inverse, data + i * m * p->stride, m, factors + 1, p, step * factors[0]);
        if (inverse) any_pass(factors[0], 1, data, 1, m, p, step);
        return;
    }
    int64_t m[FACTORS], steps[FACTORS];
    int count = 0;
    for (int64_t left = n; left > 1; count++) {
        left /= factors[count], m[count] = left, steps[count] = step, step *= factors[count];
    }
    for (int i = 0; i < count; i++) {
        const int k = inverse ? count - 1 - i : i;
        any_pass(factors[k], inverse, data, n / (m[k] * factors[k]), m[k], p, steps[k]);
    }
}

/* 1 if n has other factors than 2, 3 and 5 */
static int plan_fft(int64_t n, int64_t stride, const float *roots, fft_plan *p) {
    int count = 0;
    *p = (fft_plan){.n = n, .stride = stride, .roots = roots};
    for (int r = 5; r > 2; r -= 2)
        for (; n % r == 0; n /= r) p->factors[count++] = r;
    int twos = 0;
    for (; n % 2 == 0; n /= 2) twos++;
    if (n != 1) return 1;
    while (twos >= 3 && twos % 2 == 1 && twos != 1) p->factors[count++] = 8, twos -= 3;
    for (; twos >= 2; twos -= 2) p->factors[count++] = 4;
    if (twos) p->factors[count++] = 2;
    p->factors[count] = 1;
    return 0;
}
