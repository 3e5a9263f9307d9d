/* x Phi(x), added to a residual if there is one; or its derivative times a gradient. One pass over memory. */

#include <string.h>

#include "simd.h"
#include "gelu.h"

#define WIDTH (GROUP * V)
#define PIECE (1 << 14) /* numbers that a thread takes at once; a multiple of WIDTH */

typedef struct {
    int64_t size, threads;
    const float *x;        /* [n] */
    const float *residual; /* [n], or null */
    const float *grad_out; /* [n] for the derivative, else null */
    float *out;            /* [n] */
} gelu_args;

INLINE void values(const float *x, const float *residual, const float *grad_out, float *out) {
    vf v[GROUP], cdf[GROUP], density[GROUP];
    EACH v[i] = load(x + i * V);
    normal(v, cdf, density);
    if (grad_out) EACH v[i] = (cdf[i] + v[i] * density[i]) * load(grad_out + i * V);
    else EACH v[i] *= cdf[i];
    if (residual) EACH v[i] += load(residual + i * V);
    EACH store(out + i * V, v[i]);
}

static void piece(const gelu_args *a, int64_t from, int64_t n) {
    const float *x = a->x + from, *residual = a->residual ? a->residual + from : 0;
    const float *grad_out = a->grad_out ? a->grad_out + from : 0;
    float *out = a->out + from;
    int64_t j = 0;
    if (grad_out) for (; j + WIDTH <= n; j += WIDTH) values(x + j, 0, grad_out + j, out + j);
    else if (residual) for (; j + WIDTH <= n; j += WIDTH) values(x + j, residual + j, 0, out + j);
    else for (; j + WIDTH <= n; j += WIDTH) values(x + j, 0, 0, out + j);
    if (j == n) return;
    float last[4][WIDTH] = {{0}};
    const size_t bytes = 4 * (n - j);
    memcpy(last[0], x + j, bytes);
    if (residual) memcpy(last[1], residual + j, bytes);
    if (grad_out) memcpy(last[2], grad_out + j, bytes);
    values(last[0], residual ? last[1] : 0, grad_out ? last[2] : 0, last[3]);
    memcpy(out + j, last[3], bytes);
}

int gelu(const gelu_args *a) {
    const int64_t pieces = (a->size + PIECE - 1) / PIECE;
#pragma omp parallel for schedule(static) num_threads((int)a->threads)
    for (int64_t p = 0; p < pieces; p++)
        piece(a, p * PIECE, p + 1 < pieces ? PIECE : a->size - p * PIECE);
    return 0;
}
