/* Exact k nearest neighbours from all squared distances. FP_CONTRACT OFF: each product and sum is rounded.

   Of each target: the distances; a bound on their leading 32 bits up to which lie k sources or a few more; those as
   keys, a distance in few bits above the place in the order of indices. Sixteen targets sort side by side, one per
   lane, in one network. Where keys leave two distances alike all 64 bits decide, then the index.

   Sources of a cloud lie in blocks of up to 32 rows of LANES, column after column, so that comparing rows with the
   bound gives a word of bits per column, and these words are in the order of indices. Where a block is not full it
   ends with sources at infinity: behind all others, and never among the k first. */

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

#define LANES 16
#define ROW 16              /* rows that sort in registers */
#define INFINITE 0x7ff00000 /* leading bits of infinity */
#define FEW 32              /* alike keys that insertion sorts */
#define STEP 8              /* candidates at a time */

typedef int32_t vi_any __attribute__((vector_size(4 * V), aligned(4), may_alias));

typedef struct {
    int64_t num_src, num_dst, dim, clouds, loop, threads, most; /* neighbours of any target */
    const double *src, *dst;          /* [N][D], [M][D] */
    const int64_t *src_ptr, *dst_ptr; /* [clouds + 1] */
    const double *limit;              /* null, or squared: counts what is no farther and does nothing else */
    int64_t *count;                   /* [M] */
    const int64_t *ptr;               /* [M + 1]: how many neighbours of each target are asked, added up */
    int64_t *source, *target;         /* [E] */
} nearest_args;

typedef struct { int64_t start, blocks, rows; } cloud; /* of sources spread out */
typedef struct { int64_t bits, place; } candidate;

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

INLINE int64_t leading(double x) {
    int64_t bits;
    memcpy(&bits, &x, 8);
    return bits >> 32;
}

static cloud lay_out(int64_t start, int64_t n) {
    const int64_t blocks = (n + 32 * LANES - 1) / (32 * LANES);
    return (cloud){start, blocks, blocks ? (n + blocks * LANES - 1) / (blocks * LANES) : 0};
}

static int64_t slots(const cloud *c) { return c->blocks * c->rows * LANES; }

static void spread(const nearest_args *a, int64_t from, int64_t n, const cloud *c, int64_t stride, double *x) {
    for (int64_t w = 0; w < c->blocks * LANES; w++)
        for (int64_t b = 0; b < c->rows; b++) {
            const int64_t i = w * c->rows + b, slot = c->start + (w / LANES * c->rows + b) * LANES + w % LANES;
            for (int64_t d = 0; d < a->dim; d++)
                x[d * stride + slot] = i < n ? a->src[(from + i) * a->dim + d] : INFINITY;
        }
}

INLINE void squares(int dim, const double *restrict x, int64_t stride, const double *restrict p, int64_t n,
                    double *restrict d2, int32_t *restrict word) {
    for (int64_t i = 0; i < n; i++) {
        double e = p[0] - x[i], sum = e * e;
        UNROLL for (int d = 1; d < dim; d++) {
            e = p[d] - x[d * stride + i];
            sum += e * e;
        }
        d2[i] = sum;
        word[i] = (int32_t)leading(sum);
    }
}

static void distances(int64_t dim, const double *x, int64_t stride, const double *p, int64_t n, work *w) {
    double *restrict d2 = (double *)w->bits;
    switch (dim) {
        case 1: squares(1, x, stride, p, n, d2, w->word); return;
        case 2: squares(2, x, stride, p, n, d2, w->word); return;
        case 3: squares(3, x, stride, p, n, d2, w->word); return;
    }
    for (int64_t i = 0; i < n; i++) d2[i] = (p[0] - x[i]) * (p[0] - x[i]);
    for (int64_t d = 1; d < dim; d++) {
        const double q = p[d], *restrict y = x + d * stride;
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

/* A bound that k to k + slack words do not exceed, or the least that k do not; how many they are */
static int64_t search_bound(const int32_t *word, int64_t n, int64_t k, int64_t slack, int64_t dim, int32_t *bound) {
    int64_t low = -1, high = INFINITE, below = 0, above = n, b = *bound;
    const int64_t aim = leading((double)(2 * k + slack)); /* nearly logarithms: of twice the number and 1 */
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

/* Candidates in the order of indices: those with words up to the bound */
static void collect(const work *w, const cloud *c, int64_t lane) {
    int64_t *chosen = w->chosen + lane * w->room;
    int32_t *index = w->index + lane * w->room;
    for (int64_t block = 0; block < c->blocks; block++) {
        const int64_t first = block * c->rows * LANES;
        uint32_t words[LANES];
        for (int64_t l = 0; l < LANES; l += V) {
            vi bits = {0};
            for (int64_t b = 0; b < c->rows; b++)
                bits |= (*(const vi_any *)(w->word + first + b * LANES + l) <= w->bound) & (int32_t)(1u << b);
            memcpy(words + l, &bits, sizeof bits);
        }
        for (int64_t l = 0; l < LANES; l++) {
            const int32_t start = (int32_t)((block * LANES + l) * c->rows);
            const int64_t n = __builtin_popcount(words[l]), *from = w->bits + first + l;
            uint64_t bits = words[l] | ~0ull << 32; /* steps go beyond the last: fewer of them surprise */
            for (int64_t i = 0; i < n; i += STEP)
                UNROLL for (int j = 0; j < STEP; j++, bits &= bits - 1) {
                    const int b = __builtin_ctzll(bits);
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
    for (int64_t i = 0; i < c->blocks * LANES * c->rows; i++) {
        const int64_t column = i / c->rows, row = column / LANES * c->rows + i % c->rows;
        const int64_t bits = w->bits[row * LANES + column % LANES];
        if (bits < high || (bits == high && alike-- > 0)) *index++ = (int32_t)i, *chosen++ = bits;
    }
}

/* Keys: distances, from the least to the largest in few bits, then the place; the bits of the place */
static int32_t write_keys(const int64_t *restrict chosen, int64_t n, int32_t *restrict keys) {
    int64_t least = INT64_MAX, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        least = chosen[i] < least ? chosen[i] : least;
        largest = chosen[i] > largest ? chosen[i] : largest;
    }
    int shift = 0;
    while (1ll << shift < n) shift++;
    const double *d2 = (const double *)chosen, most = (double)((1ll << (31 - shift)) - 2); /* below the padding */
    double base, range;
    memcpy(&base, &least, 8), memcpy(&range, &largest, 8);
    const double scale = most / ((range < DBL_MAX ? range : DBL_MAX) - base);
    for (int64_t i = 0; i < n; i++) {
        const double scaled = (d2[i] - base) * scale, kept = scaled < most ? scaled : most; /* NaN: all are alike */
        keys[i] = (int32_t)((uint32_t)(int32_t)kept << shift | (uint32_t)i);
    }
    return (int32_t)((1ll << shift) - 1);
}

/* Bitonic sort of columns of rows, the smaller always first: rows that are not there would be largest, and stay */
#define X(i, j) { const int32_t a = r##i, b = r##j; r##i = a < b ? a : b, r##j = a < b ? b : a; }
#define APART1 X(0, 1) X(2, 3) X(4, 5) X(6, 7) X(8, 9) X(10, 11) X(12, 13) X(14, 15)
#define APART2 X(0, 2) X(1, 3) X(4, 6) X(5, 7) X(8, 10) X(9, 11) X(12, 14) X(13, 15)
#define APART4 X(0, 4) X(1, 5) X(2, 6) X(3, 7) X(8, 12) X(9, 13) X(10, 14) X(11, 15)
#define APART8 X(0, 8) X(1, 9) X(2, 10) X(3, 11) X(4, 12) X(5, 13) X(6, 14) X(7, 15)
#define BACK4 X(0, 3) X(1, 2) X(4, 7) X(5, 6) X(8, 11) X(9, 10) X(12, 15) X(13, 14)
#define BACK8 X(0, 7) X(1, 6) X(2, 5) X(3, 4) X(8, 15) X(9, 14) X(10, 13) X(11, 12)
#define BACK16 X(0, 15) X(1, 14) X(2, 13) X(3, 12) X(4, 11) X(5, 10) X(6, 9) X(7, 8)
#define MERGE APART8 APART4 APART2 APART1
#define SORT APART1 BACK4 APART1 BACK8 APART2 APART1 BACK16 APART4 APART2 APART1
#define GET(j) int32_t r##j = k[j * LANES + l];
#define PUT(j) k[j * LANES + l] = r##j;
#define ALL(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define IN_REGISTERS(STEPS) \
    for (int64_t i = 0; i < rows; i += ROW) { \
        int32_t *k = keys + i * LANES; \
        _Pragma("omp simd") for (int l = 0; l < LANES; l++) { ALL(GET) STEPS ALL(PUT) } \
    }

INLINE void exchange(int32_t *restrict a, int32_t *restrict b, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const int32_t x = a[i], y = b[i];
        a[i] = x < y ? x : y, b[i] = x < y ? y : x;
    }
}

static void sort_columns(int32_t *keys, int64_t rows) { /* a multiple of ROW */
    IN_REGISTERS(SORT)
    for (int64_t p = ROW; p < rows; p *= 2) {
        for (int64_t i = 0; i + p < rows; i += 2 * p) {
            const int64_t end = i + 2 * p < rows ? i + 2 * p : rows;
            for (int64_t j = i + p; j < end; j++)
                exchange(keys + (2 * i + 2 * p - 1 - j) * LANES, keys + j * LANES, LANES);
        }
        for (int64_t s = p / 2; s >= ROW; s /= 2)
            for (int64_t i = 0; i + s < rows; i += 2 * s) {
                const int64_t n = i + 2 * s < rows ? s : rows - i - s;
                exchange(keys + i * LANES, keys + (i + s) * LANES, n * LANES);
            }
        IN_REGISTERS(MERGE)
    }
}

static int compare(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->bits != y->bits) return x->bits < y->bits ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

/* Orders keys that differ in their places only by what they stand for */
static void settle(int32_t *keys, int64_t k, int64_t n, int32_t mask, const int64_t *chosen, candidate *run) {
    for (int64_t i = 0, end; i < k; i = end) {
        for (end = i + 1; end < n && (keys[end] ^ keys[i]) <= mask; end++) {}
        const int64_t m = end - i;
        for (int64_t j = 0; j < m && m > 1; j++) {
            const candidate c = {chosen[keys[i + j] & mask], keys[i + j] & mask};
            int64_t to = j;
            for (; m <= FEW && to > 0 && run[to - 1].bits > c.bits; to--) run[to] = run[to - 1];
            run[to] = c;
        }
        if (m > FEW) qsort(run, m, sizeof *run, compare);
        for (int64_t j = 0; j < m && m > 1; j++) keys[i + j] = (int32_t)run[j].place;
    }
}

static void turn(int64_t rows, int64_t columns, const int32_t *from, int64_t ld_from, int32_t *to, int64_t ld_to) {
    atomic_signal_fence(memory_order_seq_cst); /* for the compiler these are other objects */
    transpose(rows, columns, (const float *)from, ld_from, (float *)to, ld_to);
    atomic_signal_fence(memory_order_seq_cst);
}

static int64_t cloud_of(const nearest_args *a, int64_t target) { /* the last that starts there or before */
    int64_t low = 0, high = a->clouds;
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        if (a->dst_ptr[middle] <= target) low = middle;
        else high = middle;
    }
    return low;
}

static void targets(const nearest_args *a, const cloud *clouds, const double *x, int64_t stride, int64_t first,
                    int64_t last, work *w) {
    int32_t mask[LANES];
    int64_t size[LANES] = {0}, from[LANES], rows = 0, room = w->room;
    for (int64_t t = first; t < last; t++) {
        const int64_t lane = t - first, i = cloud_of(a, t), k = a->limit ? 0 : a->ptr[t + 1] - a->ptr[t];
        const cloud *c = clouds + i;
        const int64_t n = slots(c), itself = t - a->dst_ptr[i];
        from[lane] = a->src_ptr[i];
        if (!a->limit && k == 0) continue;
        distances(a->dim, x + c->start, stride, a->dst + t * a->dim, n, w);
        if (a->limit) {
            int64_t bits;
            memcpy(&bits, a->limit, 8);
            a->count[t] = count_bits(w->bits, n, bits) - !a->loop;
            continue;
        }
        if (!a->loop) {
            const int64_t column = itself / c->rows, row = column / LANES * c->rows + itself % c->rows;
            w->bits[row * LANES + column % LANES] = INT64_MAX;
            w->word[row * LANES + column % LANES] = INT32_MAX;
        }
        size[lane] = search_bound(w->word, n, k, 16 + k / 8, a->dim, &w->bound);
        if (size[lane] <= 2 * k + 64) collect(w, c, lane);
        else collect_exactly(w, c, lane, size[lane] = k);
        mask[lane] = write_keys(w->chosen + lane * room, size[lane], w->keys + lane * room);
        rows = size[lane] > rows ? size[lane] : rows;
    }
    if (rows == 0) return;
    rows = (rows + ROW - 1) / ROW * ROW;
    for (int lane = 0; lane < LANES; lane++)
        for (int64_t i = size[lane]; i < rows; i++) w->keys[lane * room + i] = INT32_MAX;
    turn(LANES, rows, w->keys, room, w->columns, LANES);
    sort_columns(w->columns, rows);
    turn(rows, LANES, w->columns, LANES, w->keys, room);
    for (int64_t t = first; t < last; t++) {
        const int64_t lane = t - first, k = a->ptr[t + 1] - a->ptr[t], n = size[lane];
        int32_t *restrict keys = w->keys + lane * room, *restrict index = w->index + lane * room, alike = 0;
        for (int64_t i = 0; i < (k < n - 1 ? k : n - 1); i++) alike |= (keys[i] ^ keys[i + 1]) <= mask[lane];
        if (alike) settle(keys, k, n, mask[lane], w->chosen + lane * room, w->run);
        int64_t *restrict source = a->source + a->ptr[t], *restrict target = a->target + a->ptr[t];
        for (int64_t i = 0; i < k; i++) source[i] = from[lane] + index[keys[i] & mask[lane]];
        for (int64_t i = 0; i < k; i++) target[i] = t;
    }
}

/* 0, or 1 if there is no memory */
int nearest(const nearest_args *a) {
    const int64_t groups = (a->num_dst + LANES - 1) / LANES, room = (2 * a->most + 64 + ROW) / ROW * ROW;
    cloud *clouds = malloc(sizeof(cloud) * (a->clouds + 1));
    int64_t total = 0, largest = 0;
    int failed = !clouds;
    for (int64_t i = 0; i < a->clouds && !failed; i++) {
        clouds[i] = lay_out(total, a->src_ptr[i + 1] - a->src_ptr[i]);
        const int64_t n = slots(clouds + i);
        total += n, largest = n > largest ? n : largest;
    }
    double *x = failed ? 0 : malloc(8 * a->dim * total + 8);
    if (!x) {
        free(clouds);
        return 1;
    }
#pragma omp parallel num_threads((int)a->threads) reduction(| : failed)
    {
#pragma omp for
        for (int64_t i = 0; i < a->clouds; i++)
            spread(a, a->src_ptr[i], a->src_ptr[i + 1] - a->src_ptr[i], clouds + i, total, x);
        work w = {
            malloc(8 * (largest + STEP * LANES)), malloc(4 * largest + 8), malloc(8 * LANES * room), malloc(4 * LANES * room),
            malloc(4 * LANES * room), malloc(4 * LANES * room), malloc(sizeof(candidate) * room), room, 0x3ff00000,
        };
        failed = !(w.bits && w.word && w.chosen && w.index && w.keys && w.columns && w.run);
#pragma omp for schedule(dynamic, 4)
        for (int64_t g = 0; g < groups; g++) {
            const int64_t first = g * LANES, last = first + LANES;
            if (!failed) targets(a, clouds, x, total, first, last < a->num_dst ? last : a->num_dst, &w);
        }
        free(w.bits), free(w.word), free(w.chosen), free(w.index), free(w.keys), free(w.columns), free(w.run);
    }
    free(clouds), free(x);
    return failed;
}
