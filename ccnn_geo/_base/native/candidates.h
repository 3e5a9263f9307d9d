/* The nearest sources of a target, or a few more, out of all distances.

   Sources of a cloud lie in blocks of up to 64 rows of LANES, column after column, so that comparing rows with a
   bound gives a word of bits per column, and these words are in the order of indices. Where a block is not full it
   ends with sources at infinity: behind all others, and never among the k first. */

#include <math.h>

#include "columns.h"

#define INFINITE 0x7ff00000 /* leading bits of infinity */
#define STEP 4              /* candidates at a time: fewer branches surprise */
#define ROOM(k) (2 * (k) + 64) /* candidates that are sorted for k neighbours */

typedef int32_t vi_any __attribute__((vector_size(4 * V), aligned(4), may_alias));

typedef struct { int64_t start, blocks, rows; } cloud; /* of sources spread out */

typedef struct { /* one thread's memory */
    int64_t *bits;          /* distances, as integers: they order alike */
    int32_t *word;          /* their leading halves */
    int64_t *chosen;        /* [LANES][room] distances of candidates */
    int32_t *index, *keys;  /* [LANES][room] */
    int32_t *columns;       /* [room][LANES] keys */
    candidate *run;         /* [room] */
    int64_t room;
    int32_t bound;          /* of the last target: a guess for the next */
} work;

static int64_t leading(double x) { return to_bits(x) >> 32; }

static cloud lay_out(int64_t start, int64_t n) {
    const int64_t blocks = (n + 64 * LANES - 1) / (64 * LANES);
    return (cloud){start, blocks, blocks ? (n + blocks * LANES - 1) / (blocks * LANES) : 0};
}

static int64_t slots(const cloud *c) { return c->blocks * c->rows * LANES; }

/* Where the source of a cloud lies */
static int64_t slot_of(const cloud *c, int64_t i) {
    const int64_t column = i / c->rows;
    return (column / LANES * c->rows + i % c->rows) * LANES + column % LANES;
}

/* dim is a constant where this is inlined */
INLINE void squares(int64_t dim, const double *restrict x, int64_t stride, const double *restrict p, int64_t n,
                    int64_t *restrict bits, int32_t *restrict word) {
    for (int64_t i = 0; i < n; i++) {
        double e = p[0] - x[i], sum = e * e;
        UNROLL for (int64_t d = 1; d < dim; d++) {
            e = p[d] - x[d * stride + i];
            sum += e * e;
        }
        bits[i] = to_bits(sum);
        word[i] = (int32_t)(to_bits(sum) >> 32);
    }
}

static void distances(int64_t dim, const double *x, int64_t stride, const double *p, int64_t n, work *w) {
    int64_t *restrict bits = w->bits;
    switch (dim) {
        case 1: squares(1, x, stride, p, n, bits, w->word); return;
        case 2: squares(2, x, stride, p, n, bits, w->word); return;
        case 3: squares(3, x, stride, p, n, bits, w->word); return;
    }
    squares(3, x, stride, p, n, bits, w->word);
    for (int64_t d = 3; d < dim; d++) {
        const double q = p[d], *restrict y = x + d * stride;
        for (int64_t i = 0; i < n; i++) bits[i] = to_bits(from_bits(bits[i]) + (q - y[i]) * (q - y[i]));
    }
    for (int64_t i = 0; i < n; i++) w->word[i] = (int32_t)(bits[i] >> 32);
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

/* A bound that k to k + slack words do not exceed, or the least that k do not; how many */
static int64_t search_bound(const int32_t *word, int64_t n, int64_t k, int64_t slack, int64_t dim, int32_t *bound) {
    int64_t low = -1, high = INFINITE, below = 0, above = n, b = *bound;
    const int64_t aim = leading((double)(2 * k + slack)); /* nearly logarithms: of twice the number and 1 */
    for (int step = 0;; step++) {
        const int64_t count = count_words(word, n, (int32_t)b), at = leading(2.0 * count + 1);
        if (count >= k) high = b, above = count;
        else low = b, below = count;
        const int64_t few = step < 4 ? k + slack : ROOM(k); /* lattices leap over it */
        if ((count >= k && count <= few) || high - low == 1) break;
        if (step < 2) b += (aim - at) * 2 / (dim < 3 ? dim : 2); /* counts grow as a power of the distance */
        else if (step % 3 == 2) b = (low + high) / 2;
        else {
            const int64_t from = leading(2.0 * below + 1), to = leading(2.0 * above + 1);
            b = low + (int64_t)((double)(high - low) * (double)(aim - from) / (double)(to - from));
        }
        b = b <= low ? low + 1 : b >= high ? high - 1 : b;
    }
    *bound = (int32_t)high;
    return high < INFINITE ? above : count_words(word, n, INFINITE); /* which may never have been counted */
}

/* Candidates in the order of indices: those with words up to the bound */
static void collect(const work *w, const cloud *c, int64_t lane) {
    int64_t *chosen = w->chosen + lane * w->room;
    int32_t *index = w->index + lane * w->room;
    for (int64_t block = 0; block < c->blocks; block++) {
        const int64_t first = block * c->rows * LANES;
        uint64_t words[LANES];
        for (int64_t l = 0; l < LANES; l += V) {
            vi half[2] = {{0}};
            for (int h = 0; h < 2; h++) {
                vi bit = half[1] + 1;
                for (int64_t b = 32 * h; b < c->rows && b < 32 * h + 32; b++, bit += bit)
                    half[h] |= (*(const vi_any *)(w->word + first + b * LANES + l) <= w->bound) & bit;
            }
            for (int i = 0; i < V; i++) words[l + i] = (uint64_t)(uint32_t)half[1][i] << 32 | (uint32_t)half[0][i];
        }
        for (int64_t l = 0; l < LANES; l++) {
            const int32_t start = (int32_t)((block * LANES + l) * c->rows);
            const int64_t n = __builtin_popcountll(words[l]), *from = w->bits + first + l;
            uint64_t bits = words[l];
            for (int64_t i = 0; i < n; i += STEP)
                UNROLL for (int j = 0; j < STEP; j++, bits &= bits - 1) {
                    const int b = __builtin_ctzll(bits | 1ull << 63);
                    index[i + j] = start + b;
                    chosen[i + j] = from[b * LANES];
                }
            index += n, chosen += n;
        }
    }
}

/* The k first by distance and index: where more share the leading half of the last one than there is room for */
static void collect_exactly(const work *w, const cloud *c, int64_t lane, int64_t k) {
    const int64_t n = slots(c);
    int64_t *chosen = w->chosen + lane * w->room, low = INT64_MAX, high = 0;
    int32_t *index = w->index + lane * w->room;
    for (int64_t i = 0; i < n; i++)
        if (w->word[i] == w->bound) {
            low = w->bits[i] < low ? w->bits[i] : low;
            high = w->bits[i] > high ? w->bits[i] : high;
        }
    for (low--; high - low > 1;) {
        const int64_t middle = low + (high - low) / 2;
        if (count_bits(w->bits, n, middle) >= k) high = middle;
        else low = middle;
    }
    int64_t alike = k - count_bits(w->bits, n, high - 1);
    for (int64_t i = 0; i < n; i++) {
        const int64_t bits = w->bits[slot_of(c, i)];
        if (bits < high || (bits == high && alike-- > 0)) *index++ = (int32_t)i, *chosen++ = bits;
    }
}
