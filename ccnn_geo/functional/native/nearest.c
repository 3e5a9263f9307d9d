/* Exact k nearest neighbours from all squared distances. FP_CONTRACT OFF: each product and sum is rounded.

   Of each target: the distances; a bound on their leading 32 bits below which lie k sources or a few more; those as
   keys, a quantised distance above their place in the order of indices. Sixteen targets sort side by side, one per
   lane, in one network. Where keys leave two distances alike their 64 bits decide, then the index. */

#include <float.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

#define LANES 16
#define ROW 16             /* rows that sort in registers */
#define INFINITE 0x7ff00000 /* leading bits of infinity */
#define FEW 32             /* alike keys that insertion sorts */

typedef struct {
    int64_t num_src, num_dst, dim, clouds, loop, threads, sources, room; /* of the largest cloud; of a lane */
    const double *src, *dst;          /* [D][N], [M][D] */
    const int64_t *src_ptr, *dst_ptr; /* [clouds + 1] */
    const double *limit;              /* null, or count what is no farther and do nothing else */
    int64_t *count;                   /* [M] */
    const int64_t *ptr;               /* [M + 1]: says how many neighbours of each target are asked */
    int64_t *source, *target;         /* [E] */
} nearest_args;

typedef struct { int64_t bits; int32_t place; } candidate;

typedef struct { /* one thread's memory */
    int64_t *bits;   /* [sources] distances as integers, which order alike */
    int32_t *word;   /* their leading halves */
    int32_t *keys;   /* [room][LANES] */
    int64_t *chosen; /* [LANES][room] distances of candidates */
    int32_t *index;  /* [LANES][room] */
    candidate *run;  /* [room] */
    int32_t bound;   /* of the last target: a guess for the next */
} work;

static int64_t leading(double x) {
    int64_t bits;
    memcpy(&bits, &x, 8);
    return bits >> 32;
}

INLINE void squares(int dim, const double *restrict x, int64_t stride, const double *restrict p, int64_t n,
                    double *restrict d2, int32_t *restrict word) {
    for (int64_t i = 0; i < n; i++) {
        double e = p[0] - x[i], sum = e * e;
        UNROLL for (int d = 1; d < dim; d++) {
            e = p[d] - x[d * stride + i];
            sum += e * e;
        }
        int64_t bits;
        memcpy(&bits, &sum, 8);
        d2[i] = sum;
        word[i] = (int32_t)(bits >> 32);
    }
}

static void distances(const nearest_args *a, const double *x, const double *p, int64_t n, work *w) {
    double *restrict d2 = (double *)w->bits;
    switch (a->dim) {
        case 1: squares(1, x, a->num_src, p, n, d2, w->word); return;
        case 2: squares(2, x, a->num_src, p, n, d2, w->word); return;
        case 3: squares(3, x, a->num_src, p, n, d2, w->word); return;
    }
    for (int64_t i = 0; i < n; i++) d2[i] = (p[0] - x[i]) * (p[0] - x[i]);
    for (int64_t d = 1; d < a->dim; d++) {
        const double q = p[d], *restrict y = x + d * a->num_src;
        for (int64_t i = 0; i < n; i++) d2[i] += (q - y[i]) * (q - y[i]);
    }
    for (int64_t i = 0; i < n; i++) w->word[i] = (int32_t)leading(d2[i]);
}

static int64_t count_words(const int32_t *restrict word, int64_t n, int32_t bound) {
    int32_t count = 0;
    for (int64_t i = 0; i < n; i++) count += word[i] <= bound;
    return count;
}

static int64_t count_bits(const int64_t *restrict bits, int64_t n, int64_t bound) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += bits[i] <= bound;
    return count;
}

/* A bound with k to k + slack words below or equal, or the least with k; how many */
static int64_t search_bound(const int32_t *word, int64_t n, int64_t k, int64_t slack, int64_t dim, int32_t *bound) {
    int64_t low = -1, high = INFINITE, below = 0, above = n, b = *bound;
    const int64_t aim = leading((double)(2 * k + slack)); /* logarithms, nearly: twice, so that none is of 0 */
    for (int step = 0;; step++) {
        const int64_t count = count_words(word, n, (int32_t)b), at = leading(2.0 * count + 1);
        if (count >= k) high = b, above = count;
        else low = b, below = count;
        if ((count >= k && count <= k + slack) || high - low == 1) break;
        if (step < 2) b += (aim - at) * 2 / (dim < 3 ? dim : 2); /* counts grow as a power of the distance */
        else if (step % 3 == 2) b = (low + high) / 2;
        else {
            const int64_t from = leading(2.0 * below + 1), to = leading(2.0 * above + 1);
            b = low + (int64_t)((double)(high - low) * (double)(aim - from) / (double)(to - from));
        }
        b = b <= low ? low + 1 : b >= high ? high - 1 : b;
    }
    *bound = (int32_t)high;
    return above;
}

/* Indices of the words up to the bound */
static void collect(const int32_t *word, int64_t n, int32_t bound, int32_t *index) {
    const uint32_t end = (uint32_t)bound + 1;
    for (int64_t i = 0; i < n; i++) *index = (int32_t)i, index += (uint32_t)word[i] < end;
}

/* Indices of the k first by distance and index, where many words are alike */
static void collect_exactly(const int64_t *bits, int64_t n, int64_t k, int32_t bound, int32_t *index) {
    int64_t low = ((int64_t)bound << 32) - 1, high = low + 1, least = INT64_MAX;
    for (int64_t i = 0; i < n; i++)
        if (bits[i] >> 32 == bound) {
            least = bits[i] < least ? bits[i] : least;
            high = bits[i] > high ? bits[i] : high;
        }
    low = least - 1;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (count_bits(bits, n, middle) >= k) high = middle;
        else low = middle;
    }
    int64_t alike = k - count_bits(bits, n, low);
    for (int64_t i = 0; i < n; i++)
        if (bits[i] < high || (bits[i] == high && alike-- > 0)) *index++ = (int32_t)i;
}

/* Keys of a lane: distances from least to largest as integers, then the place */
static int32_t write_keys(const int64_t *bits, const int32_t *index, int64_t n, int64_t *chosen, int32_t *keys) {
    int64_t least = INT64_MAX, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t b = chosen[i] = bits[index[i]];
        least = b < least ? b : least;
        largest = b > largest ? b : largest;
    }
    int shift = 0;
    while (1ll << shift < n) shift++;
    const double *d2 = (const double *)chosen;
    double base, range;
    memcpy(&base, &least, 8), memcpy(&range, &largest, 8);
    const double most = (double)((1ll << (31 - shift)) - 2); /* less than that of a key for no candidate */
    const double scale = most / ((range < DBL_MAX ? range : DBL_MAX) - base);
    for (int64_t i = 0; i < n; i++) {
        const double scaled = (d2[i] - base) * scale;
        const int32_t q = (int32_t)(scaled < most ? scaled : most); /* NaN: all are equal or infinite */
        keys[i * LANES] = (int32_t)((uint32_t)q << shift) | (int32_t)i;
    }
    return (int32_t)((1ll << shift) - 1);
}

#define EXCHANGE(a, b) { const int32_t low = a < b ? a : b, high = a < b ? b : a; a = low, b = high; }

/* Batcher's network for each ROW of rows; rows from 8, 4, 2, 1 apart where they are bitonic */
static void sort_rows(int32_t *keys, int64_t rows, int merge) {
    for (int64_t i = 0; i < rows; i += ROW) {
        int32_t *k = keys + i * LANES;
#pragma omp simd
        for (int l = 0; l < LANES; l++) {
            int32_t r[ROW];
            UNROLL for (int j = 0; j < ROW; j++) r[j] = k[j * LANES + l];
            (void)merge;
            UNROLL for (int j = 0; j < ROW; j++) k[j * LANES + l] = r[j];
        }
    }
}
