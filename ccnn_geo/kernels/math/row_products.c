/* Products of many rows with a small matrix, and sums over many rows: blocks of rows, of which all that is read and
   written stays in the second cache. */

#include <omp.h>
#include <string.h>

#include "simd.h"

#define BLOCK 128                        /* rows */
#define PAD(n) (((n) + 15) / 16 * 16) /* the caller's rows of matrices, whatever V is */

typedef struct {
    int64_t rows, inputs, columns, row_step, input_step, threads;
    const float *x;             /* [E][I], steps as given */
    const float *weight, *bias; /* [I][PAD(C)], [PAD(C)] or null */
    float *out;                 /* [E][C] */
    const float *other;         /* [E][C], or null: then out */
    float *sums;                /* of each thread, zero: [I][PAD(C)] */
    float *scratch;             /* of each thread: (BLOCK + I) PAD(C) */
} product_args;

static void forward(const product_args *a, const float *x, int64_t from, int64_t n, float *scratch) {
    const int64_t C = a->columns, padded = PAD(C);
    float *own = padded == C ? a->out + from * C : scratch;
    if (a->bias)
        for (int64_t i = 0; i < n; i++) memcpy(own + i * padded, a->bias, 4 * padded);
    gemm(n, padded, a->inputs, x, a->row_step, a->input_step, a->weight, padded, own, padded, 0, a->bias != 0);
    if (own == scratch)
        for (int64_t i = 0; i < n; i++) memcpy(a->out + (from + i) * C, own + i * padded, 4 * C);
}

static void sum(const product_args *a, const float *x, int64_t from, int64_t n, float *sums, float *scratch) {
    const int64_t C = a->columns, padded = PAD(C), size = a->inputs * padded;
    const float *other = a->other + from * C;
    float *part = scratch + BLOCK * padded;
    if (padded != C) {
        for (int64_t i = 0; i < n; i++) {
            memcpy(scratch + i * padded, other + i * C, 4 * C);
            memset(scratch + i * padded + C, 0, 4 * (padded - C));
        }
        other = scratch;
    }
    /* a block's sum by itself first: one long sum loses digits */
    gemm(a->inputs, padded, n, x, a->input_step, a->row_step, other, padded, part, padded, 0, 0);
    for (int64_t i = 0; i < size; i += V) store(sums + i, load(sums + i) + load(part + i));
}

int row_products(const product_args *a) {
    const int64_t padded = PAD(a->columns);
#pragma omp parallel for schedule(static) num_threads((int)a->threads)
    for (int64_t block = 0; block < (a->rows + BLOCK - 1) / BLOCK; block++) {
        const int64_t from = block * BLOCK, n = a->rows - from < BLOCK ? a->rows - from : BLOCK;
        const int64_t thread = omp_get_thread_num();
        const float *x = a->x + from * a->row_step;
        float *scratch = a->scratch + thread * (BLOCK + a->inputs) * padded;
        if (a->other) sum(a, x, from, n, a->sums + thread * a->inputs * padded, scratch);
        else forward(a, x, from, n, scratch);
    }
    return 0;
}
