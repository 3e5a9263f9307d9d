/* Depthwise convolution on a lattice: of each run of edges with the same offset, the kernel's row stays in registers.

   Threads own panels of channels, so that none writes what another does; a block of targets and its features stay
   in the second cache meanwhile. Rows of features are padded to whole vectors, those of the table are not. */

#include <string.h>

#include "simd.h"

#define PANEL 5 /* vectors: kernel and its gradient stay in registers */

typedef struct {
    int64_t channels, padded, offsets, runs, threads;
    const float *table;                         /* [U][C] */
    const int32_t *offset;                      /* [R], and edges begin[r]:end[r] of each */
    const int64_t *begin, *end;
    const int32_t *src, *dst;                   /* [E] */
    const float *x;                             /* [N][Cp], not for the features' gradient alone */
    float *out;                                 /* [M][Cp], zero; forward */
    const float *grad_out;                      /* [M][Cp], backward */
    float *grad_x, *grad_table;                 /* [N][Cp], [U][C], zero; either may be null */
} conv_args;

/* What a row of the table begins with; beyond its end come numbers that are not used */
INLINE void kernel_row(int columns, const conv_args *a, int64_t u, int64_t from, vf k[PANEL]) {
    float last[PANEL * V];
    const float *row = a->table + u * a->channels + from;
    if (u == a->offsets - 1 && from + columns * V > a->channels) {
        memset(last, 0, sizeof(last));
        row = memcpy(last, row, 4 * (a->channels - from));
    }
    UNROLL for (int v = 0; v < columns; v++) k[v] = load(row + v * V);
}

INLINE void forward(int columns, const conv_args *a, int64_t from) {
    for (int64_t r = 0; r < a->runs; r++) {
        vf k[PANEL];
        kernel_row(columns, a, a->offset[r], from, k);
        for (int64_t e = a->begin[r]; e < a->end[r]; e++) {
            const float *x = a->x + a->src[e] * a->padded + from;
            float *out = a->out + a->dst[e] * a->padded + from;
            UNROLL for (int v = 0; v < columns; v++) store(out + v * V, load(out + v * V) + k[v] * load(x + v * V));
        }
    }
}

INLINE void backward(int columns, int for_x, int for_table, const conv_args *a, int64_t from) {
    const int64_t C = a->channels, width = C - from < columns * V ? C - from : columns * V;
    for (int64_t r = 0; r < a->runs; r++) {
        vf k[PANEL], sum[PANEL];
        UNROLL for (int v = 0; v < columns; v++) sum[v] = (vf){0};
        if (for_x) kernel_row(columns, a, a->offset[r], from, k);
        for (int64_t e = a->begin[r]; e < a->end[r]; e++) {
            const int64_t j = a->src[e] * a->padded + from;
            const float *g = a->grad_out + a->dst[e] * a->padded + from;
            UNROLL for (int v = 0; v < columns; v++) {
                vf grad = load(g + v * V);
                if (for_x) store(a->grad_x + j + v * V, load(a->grad_x + j + v * V) + k[v] * grad);
                if (for_table) sum[v] += grad * load(a->x + j + v * V);
            }
        }
        if (!for_table) continue;
        float *out = a->grad_table + a->offset[r] * C + from, row[PANEL * V];
        UNROLL for (int v = 0; v < columns; v++) {
            if ((v + 1) * V <= width) store(out + v * V, load(out + v * V) + sum[v]);
            else store(row + v * V, sum[v]);
        }
        for (int64_t c = width / V * V; c < width; c++) out[c] += row[c];
    }
}

static void panel(const conv_args *a, int64_t from, int64_t columns) {
#define PASSES(N) \
    case N: \
        if (a->out) forward(N, a, from); \
        else if (a->grad_x && a->grad_table) backward(N, 1, 1, a, from); \
        else if (a->grad_x) backward(N, 1, 0, a, from); \
        else backward(N, 0, 1, a, from); \
        break;
    switch (columns) { PASSES(1) PASSES(2) PASSES(3) PASSES(4) PASSES(5) }
}

int lattice_conv(const conv_args *a) {
    const int64_t vectors = (a->channels + V - 1) / V;
    int64_t panels = (vectors + PANEL - 1) / PANEL;
    panels = (panels + a->threads - 1) / a->threads * a->threads; /* as many for each thread */
    if (panels > vectors) panels = vectors;
#pragma omp parallel for schedule(static, 1) num_threads((int)a->threads)
    for (int64_t p = 0; p < panels; p++) {
        const int64_t first = vectors * p / panels;
        panel(a, first * V, vectors * (p + 1) / panels - first);
    }
    return 0;
}
