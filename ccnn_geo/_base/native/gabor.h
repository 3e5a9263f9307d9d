/* Gabor filters and the window on a block of edges, and their derivatives. */

#include "simd.h"

#define BLOCK 96 /* edges: a multiple of GROUP vectors; their basis fits the second cache, its rows the first */

typedef struct { /* exponent rest - sum (scale r - shift)^2, phase in half turns */
    float scale[3], shift[3], rest, turn[3], turn_low[3], phi, omega[3];
} filter;

typedef struct {
    int64_t count, n; /* n: filled up to whole vectors */
    int64_t src[BLOCK], dst[BLOCK];
    float r[3 * BLOCK], low[3 * BLOCK]; /* offsets, each a sum of two floats */
} edges;

/* Base-2 exponent of an envelope */
INLINE vf exponent(int D, const filter *f, const float *r, int64_t e) {
    vf x = splat(f->rest);
    UNROLL for (int d = 0; d < D; d++) {
        vf u = f->scale[d] * load(r + d * BLOCK + e) - f->shift[d];
        x -= u * u;
    }
    return x;
}

/* Envelope times sine, and times cosine where c is asked for, of one filter: several vectors at once, since each
   step waits for the one before */
INLINE void wave(int D, int both, const filter *f, const edges *b, float *g, float *c) {
    const float even = 25165824.0f, whole = 12582912.0f; /* x + even - even: the nearest multiple of 2 */
    for (int64_t e = 0; e < b->n; e += GROUP * V) {
        vf x[GROUP], t[GROUP], shifted[GROUP], u[GROUP], p[GROUP], q[GROUP];
        EACH t[i] = splat(f->phi);
        EACH x[i] = exponent(D, f, b->r, e + i * V);
        exp2_flushed(x);
        UNROLL for (int d = 0; d < D; d++) EACH {
            vf r = load(b->r + d * BLOCK + e + i * V), turns = (f->turn[d] * r + even) - even;
            vf rest = f->turn_low[d] * r + f->turn[d] * load(b->low + d * BLOCK + e + i * V);
            t[i] += fused(f->turn[d], r, turns) + rest;
        }
        EACH shifted[i] = t[i] + whole;
        EACH t[i] -= shifted[i] - whole;
        EACH x[i] = (vf)((vi)x[i] ^ ((vi)shifted[i] << 31));
        EACH u[i] = t[i] * t[i];
        EACH p[i] = 7.75604407e-2f * u[i] - 5.98242158e-1f;
        if (both) EACH q[i] = -2.44206989e-2f * u[i] + 2.34953925e-1f;
        EACH p[i] = p[i] * u[i] + 2.55006973f;
        if (both) EACH q[i] = q[i] * u[i] - 1.33521610f;
        EACH p[i] = p[i] * u[i] - 5.16770969f;
        if (both) EACH q[i] = q[i] * u[i] + 4.05870960f;
        EACH p[i] = p[i] * u[i] + 3.14159264f;
        if (both) EACH q[i] = q[i] * u[i] - 4.93480216f;
        EACH store(g + e + i * V, x[i] * t[i] * p[i]);
        if (both) EACH store(c + e + i * V, x[i] * (q[i] * u[i] + 1.0f));
    }
}

INLINE void waves_of(int D, int both, int64_t count, const filter *f, const edges *b, float *g, float *c) {
    for (int64_t i = 0; i < count; i++) wave(D, both, f + i, b, g + i * BLOCK, both ? c + i * BLOCK : 0);
    for (int64_t e = 0; e < b->n; e += GROUP * V) { /* the window comes last */
        vf x[GROUP];
        EACH x[i] = exponent(D, f + count, b->r, e + i * V);
        exp2_flushed(x);
        EACH store(g + count * BLOCK + e + i * V, x[i]);
    }
}

static void waves(int64_t D, int64_t count, const filter *f, const edges *b, float *g, float *c) {
#define WAVES(D) (c ? waves_of(D, 1, count, f, b, g, c) : waves_of(D, 0, count, f, b, g, c))
    D == 1 ? WAVES(1) : D == 2 ? WAVES(2) : WAVES(3);
}

/* Gradient of a filter from that of its values: sums over edges of the powers' part [2D + 1][V] and the phases'
   [D + 1][V]; what the offsets get is added to grad_r */
INLINE void filter_sums(int D, const filter *f, const edges *b, const float *grad, const float *g, const float *c,
                        float *sums, float *grad_r) {
    vf s[11];
    UNROLL for (int i = 0; i < 3 * D + 2; i++) s[i] = load(sums + i * V);
    for (int64_t e = 0; e < b->n; e += V) {
        vf by = load(grad + e), x = by * load(g + e), y = by * load(c + e);
        UNROLL for (int d = 0; d < D; d++) {
            vf r = load(b->r + d * BLOCK + e), xr = x * r;
            s[d] += xr * r, s[D + d] += xr, s[2 * D + 1 + d] += y * r;
            if (grad_r) {
                vf u = f->scale[d] * r - f->shift[d];
                float *out = grad_r + d * BLOCK + e;
                store(out, load(out) + f->omega[d] * y - (1.38629436f * f->scale[d]) * (u * x)); /* 2 ln 2 */
            }
        }
        s[2 * D] += x, s[3 * D + 1] += y;
    }
    UNROLL for (int i = 0; i < 3 * D + 2; i++) store(sums + i * V, s[i]);
}

static void filter_backward(int64_t D, const filter *f, const edges *b, const float *grad, const float *g,
                            const float *c, float *sums, float *grad_r) {
#define SUMS(D) filter_sums(D, f, b, grad, g, c, sums, grad_r)
    D == 1 ? SUMS(1) : D == 2 ? SUMS(2) : SUMS(3);
}
