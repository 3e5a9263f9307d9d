/* The largest offset along each axis that occurs among edges. */

#include <math.h>
#include <stdint.h>

typedef struct {
    int64_t num_dst, dim, threads;
    const int64_t *src, *ptr;
    const float *pos_src, *pos_dst;
    float *out; /* [D], zero */
} extent_args;

static inline __attribute__((always_inline)) void extent(int D, const extent_args *a) {
    float x = 0, y = 0, z = 0;
#pragma omp parallel for schedule(static) num_threads((int)a->threads) reduction(max : x, y, z)
    for (int64_t i = 0; i < a->num_dst; i++) {
        const float *p = a->pos_dst + i * D;
        float u = 0, v = 0, w = 0;
        for (int64_t e = a->ptr[i]; e < a->ptr[i + 1]; e++) {
            const float *q = a->pos_src + a->src[e] * D;
            const float du = fabsf(p[0] - q[0]), dv = D > 1 ? fabsf(p[1] - q[1]) : 0, dw = D > 2 ? fabsf(p[2] - q[2]) : 0;
            u = du > u ? du : u, v = dv > v ? dv : v, w = dw > w ? dw : w;
        }
        x = u > x ? u : x, y = v > y ? v : y, z = w > z ? w : z;
    }
    a->out[0] = x;
    if (D > 1) a->out[1] = y;
    if (D > 2) a->out[2] = z;
}

int edge_extent(const extent_args *a) {
    a->dim == 1 ? extent(1, a) : a->dim == 2 ? extent(2, a) : extent(3, a);
    return 0;
}
