/* Vectors of the target's width, and what is done with them: small products, transposition, powers of two. */

#include <stdint.h>

#if defined(__AVX512F__)
#define V 16
#define ROWS 8 /* of a tile: 8 x 3 sums in 32 registers */
#elif defined(__AVX__)
#define V 8
#define ROWS 4
#else
#define V 4
#if defined(__aarch64__)
#define ROWS 8
#else
#define ROWS 4
#endif
#endif
#define COLUMNS 3 /* vectors of a tile */
#define GROUP 2   /* vectors of a polynomial */

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

typedef float vf __attribute__((vector_size(4 * V)));
typedef int32_t vi __attribute__((vector_size(4 * V)));
typedef float vf_any __attribute__((vector_size(4 * V), aligned(4), may_alias));

INLINE vf load(const float *p) { return *(const vf_any *)p; }
INLINE void store(float *p, vf v) { *(vf_any *)p = v; }
INLINE vf splat(float a) { return a - (vf){0}; }
static int64_t round_up(int64_t n) { return (n + V - 1) / V * V; }

/* a * b - c, rounded once */
INLINE vf fused(float a, vf b, vf c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return a * b - c;
#else
    vf out;
    for (int i = 0; i < V; i++) out[i] = (float)((double)a * b[i] - c[i]);
    return out;
#endif
}

#define EACH UNROLL for (int i = 0; i < GROUP; i++)

INLINE void exp2_flushed(vf x[GROUP]) { /* 0 below 2^-126 */
    const float magic = 12582912.0f;
    vf shifted[GROUP], p[GROUP];
    vi small[GROUP];
    EACH small[i] = x[i] < -126.0f;
    EACH shifted[i] = x[i] + magic;
    EACH x[i] -= shifted[i] - magic;
    EACH p[i] = 1.53533620e-4f * x[i] + 1.33988746e-3f;
    EACH p[i] = p[i] * x[i] + 9.61843736e-3f;
    EACH p[i] = p[i] * x[i] + 5.55033247e-2f;
    EACH p[i] = p[i] * x[i] + 2.40226479e-1f;
    EACH p[i] = p[i] * x[i] + 6.93147203e-1f;
    EACH p[i] = p[i] * x[i] + 1.0f;
    EACH x[i] = (vf)(((vi)p[i] + ((vi)shifted[i] << 23)) & ~small[i]);
}

/* C[i][v] (+)= bias[i] + sum_k A[i ai + k ak] B[k][v] for a tile that stays in registers */
INLINE void tile(int rows, int columns, int64_t K, const float *A, int64_t ai, int64_t ak, const float *B,
                 int64_t ldb, float *C, int64_t ldc, const float *bias, int add) {
    vf acc[ROWS][COLUMNS];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < columns; v++)
            acc[i][v] = bias ? splat(bias[i]) : add ? load(C + i * ldc + v * V) : (vf){0};
    }
    for (int64_t k = 0; k < K; k++) {
        vf b[COLUMNS];
        UNROLL for (int v = 0; v < columns; v++) b[v] = load(B + k * ldb + v * V);
        UNROLL for (int i = 0; i < rows; i++) {
            float a = A[i * ai + k * ak];
            UNROLL for (int v = 0; v < columns; v++) acc[i][v] += a * b[v];
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < columns; v++) store(C + i * ldc + v * V, acc[i][v]);
    }
}

static void gemm(int64_t M, int64_t N, int64_t K, const float *A, int64_t ai, int64_t ak, const float *B,
                 int64_t ldb, float *C, int64_t ldc, const float *bias, int add) {
    int64_t vectors = N / V, panels = (vectors + COLUMNS - 1) / COLUMNS, strips = (M + ROWS - 1) / ROWS;
    for (int64_t p = 0; p < panels; p++) { /* even parts: a thin tile waits for its own sums */
        int64_t v = vectors * p / panels, columns = vectors * (p + 1) / panels - v;
        for (int64_t s = 0; s < strips; s++) {
            int64_t i = M * s / strips, rows = M * (s + 1) / strips - i;
            const float *a = A + i * ai, *c = bias ? bias + i : 0, *b = B + v * V;
            float *out = C + i * ldc + v * V;
#define TILE(R, N) case 4 * R + N: tile(R, N, K, a, ai, ak, b, ldb, out, ldc, c, add); break;
#define TILES(R) TILE(R, 1) TILE(R, 2) TILE(R, 3)
            switch (4 * rows + columns) {
                TILES(1) TILES(2) TILES(3) TILES(4)
#if ROWS > 4
                TILES(5) TILES(6) TILES(7) TILES(8)
#endif
            }
        }
    }
}

/* B[j][i] = A[i][j]: blocks of V x V in registers where the compiler can, halves swapped at distances 1, 2, .. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLES
#endif
#endif
#ifdef SHUFFLES
#if V == 16
#define SWAP1(a, b) __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30), \
                    __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31)
#define SWAP2(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29), \
                    __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define SWAP4(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27), \
                    __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)
#define SWAP8(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), \
                    __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#elif V == 8
#define SWAP1(a, b) __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14), \
                    __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#define SWAP2(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13), \
                    __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define SWAP4(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11), \
                    __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)
#else
#define SWAP1(a, b) __builtin_shufflevector(a, b, 0, 4, 2, 6), __builtin_shufflevector(a, b, 1, 5, 3, 7)
#define SWAP2(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5), __builtin_shufflevector(a, b, 2, 3, 6, 7)
#endif
#define STAGE(D, SWAP) \
    UNROLL for (int i = 0; i < V; i++) if (!(i & D)) { \
        vf pair[2] = {SWAP(t[i], t[i | D])}; \
        t[i] = pair[0], t[i | D] = pair[1]; \
    }
#endif

static void transpose(int64_t rows, int64_t columns, const float *A, int64_t lda, float *B, int64_t ldb) {
    for (int64_t i = 0; i < rows; i += V)
        for (int64_t j = 0; j < columns; j += V) {
#ifdef SHUFFLES
            vf t[V];
            UNROLL for (int k = 0; k < V; k++) t[k] = load(A + (i + k) * lda + j);
            STAGE(1, SWAP1)
            STAGE(2, SWAP2)
#if V > 4
            STAGE(4, SWAP4)
#endif
#if V > 8
            STAGE(8, SWAP8)
#endif
            UNROLL for (int k = 0; k < V; k++) store(B + (j + k) * ldb + i, t[k]);
#else
            for (int k = 0; k < V; k++)
                for (int l = 0; l < V; l++) B[(j + l) * ldb + i + k] = A[(i + k) * lda + j + l];
#endif
        }
}
