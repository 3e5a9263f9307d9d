/* A linear layer on the channels of a grid, and its gradients: tiles of places, all channels of which stay in the
   second cache. Rows of a tile are padded with zeros to whole vectors. */

#include <omp.h>
#include <string.h>

#include "simd.h"

#define TILE 288 /* places: a multiple of three vectors of any width */
#define PAD(n) (((n) + 15) / 16 * 16) /* the caller's rows of gradients, whatever V is */

typedef struct {
    int64_t batch, inputs, outputs, length, threads;
    const float *x, *weight, *bias;  /* [B][I][L], [O][I], [O] */
    float *out;                      /* [B][O][L], forward */
    const float *grad_out;           /* [B][O][L], backward */
    float *grad_x;                   /* [B][I][L], or null */
    float *grad_weight, *grad_bias;  /* of each thread, zero: [O][PAD(I)] and [O]; or null */
    float *scratch;                  /* of each thread: TILE (3 PAD(I) + PAD(O)) + O PAD(I) */
} linear_args;

static void pack(const float *x, int64_t stride, int64_t rows, int64_t n, float *tile) {
    for (int64_t c = 0; c < rows; c++) {
        memcpy(tile + c * TILE, x + c * stride, 4 * n);
        memset(tile + c * TILE + n, 0, 4 * (round_up(n) - n));
    }
}

static void unpack(const float *tile, int64_t rows, int64_t n, float *x, int64_t stride) {
    for (int64_t c = 0; c < rows; c++) memcpy(x + c * stride, tile + c * TILE, 4 * n);
}

/* rows of A times a tile, straight to where they belong if they are whole vectors */
static void product(int64_t M, int64_t K, const float *A, int64_t ai, int64_t ak, const float *tile, int64_t n,
                    const float *bias, float *own, float *out, int64_t L) {
    if (n % V == 0) gemm(M, n, K, A, ai, ak, tile, TILE, out, L, bias, 0);
    else {
        gemm(M, round_up(n), K, A, ai, ak, tile, TILE, own, TILE, bias, 0);
        unpack(own, M, n, out, L);
    }
}

static void backward(const linear_args *a, int64_t b, int64_t from, int64_t n, int64_t thread, float *scratch) {
    const int64_t I = a->inputs, O = a->outputs, L = a->length, padded = PAD(I);
    float *grad = scratch, *x = grad + TILE * PAD(O), *turned = x + TILE * padded, *own = turned + TILE * padded;
    pack(a->grad_out + b * O * L + from, L, O, n, grad);
    if (a->grad_x) product(I, O, a->weight, 1, I, grad, n, 0, own, a->grad_x + b * I * L + from, L);
    if (a->grad_bias)
        for (int64_t o = 0; o < O; o++) {
            vf sum = {0};
            for (int64_t i = 0; i < n; i += V) sum += load(grad + o * TILE + i);
            for (int i = 0; i < V; i++) a->grad_bias[thread * O + o] += sum[i];
        }
    if (a->grad_weight) {
        pack(a->x + b * I * L + from, L, I, n, x);
        memset(x + I * TILE, 0, 4 * TILE * (padded - I));
        transpose(padded, round_up(n), x, TILE, turned, padded);
        /* a tile's sum by itself first: one long sum loses digits */
        float *part = own + TILE * padded, *sum = a->grad_weight + thread * O * padded;
        gemm(O, padded, n, grad, TILE, 1, turned, padded, part, padded, 0, 0);
        for (int64_t i = 0; i < O * padded; i += V) store(sum + i, load(sum + i) + load(part + i));
    }
}

int grid_linear(const linear_args *a) {
    const int64_t I = a->inputs, O = a->outputs, L = a->length, own = TILE * (3 * PAD(I) + PAD(O)) + O * PAD(I);
    const int64_t vectors = (L + V - 1) / V, most = TILE / V, tiles = (vectors + most - 1) / most;
#pragma omp parallel for schedule(static) num_threads((int)a->threads)
    for (int64_t t = 0; t < a->batch * tiles; t++) {
        const int64_t b = t / tiles, k = t % tiles, from = vectors * k / tiles * V;
        const int64_t end = k + 1 < tiles ? vectors * (k + 1) / tiles * V : L, thread = omp_get_thread_num();
        float *tile = a->scratch + thread * own;
        if (a->grad_out) backward(a, b, from, end - from, thread, tile);
        else {
            pack(a->x + b * I * L + from, L, I, end - from, tile);
            product(O, I, a->weight, I, 1, tile, end - from, a->bias, tile + TILE * PAD(I), a->out + b * O * L + from, L);
        }
    }
    return 0;
}
