/* Candidates of LANES targets in order: keys of a distance and a place sort side by side, one target per lane, in one
   network; where keys leave distances alike all bits decide, then the place. */

#include <float.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

#define LANES 16
#define ROWS_AT_ONCE 16 /* in registers */
#define FEW 128         /* alike keys that are not worth a call of qsort */

typedef int64_t vl __attribute__((vector_size(4 * V)));
typedef int64_t vl_any __attribute__((vector_size(4 * V), aligned(8), may_alias));
typedef struct { int64_t bits, place; } candidate;

INLINE int64_t to_bits(double x) { /* of what is not negative: they order alike */
    int64_t bits;
    memcpy(&bits, &x, 8);
    return bits;
}

INLINE double from_bits(int64_t bits) {
    double x;
    memcpy(&x, &bits, 8);
    return x;
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
    const double most = (double)((1ll << (31 - shift)) - 2); /* of no candidate as large as where there is none */
    const double base = from_bits(least), end = from_bits(largest);
    const double scale = most / ((end < DBL_MAX ? end : DBL_MAX) - base);
    for (int64_t i = 0; i < n; i++) {
        const double scaled = (from_bits(chosen[i]) - base) * scale;
        const double kept = scaled < most ? scaled : most; /* all, if scaled is NaN: they are equal or infinite */
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
    for (int64_t i = 0; i < rows; i += ROWS_AT_ONCE) { \
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

static int64_t round_rows(int64_t n) { return (n + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE * ROWS_AT_ONCE; }

static void sort_columns(int32_t *keys, int64_t rows) {
    IN_REGISTERS(SORT)
    for (int64_t p = ROWS_AT_ONCE; p < rows; p *= 2) {
        for (int64_t i = 0; i + p < rows; i += 2 * p) {
            const int64_t end = i + 2 * p < rows ? i + 2 * p : rows;
            for (int64_t j = i + p; j < end; j++)
                exchange(keys + (2 * i + 2 * p - 1 - j) * LANES, keys + j * LANES, LANES);
        }
        for (int64_t s = p / 2; s >= ROWS_AT_ONCE; s /= 2)
            for (int64_t i = 0; i + s < rows; i += 2 * s) {
                const int64_t n = i + 2 * s < rows ? s : rows - i - s;
                exchange(keys + i * LANES, keys + (i + s) * LANES, n * LANES);
            }
        IN_REGISTERS(MERGE)
    }
}

static void turn(int64_t rows, int64_t columns, const int32_t *from, int64_t ld_from, int32_t *to, int64_t ld_to) {
    atomic_signal_fence(memory_order_seq_cst); /* for the compiler these are other objects */
    transpose(rows, columns, (const float *)from, ld_from, (float *)to, ld_to);
    atomic_signal_fence(memory_order_seq_cst);
}

/* Sorts the first rows of keys, [LANES][room], each lane; columns has as much room */
static void sort_lanes(int32_t *keys, int64_t rows, int64_t room, int32_t *columns) {
    turn(LANES, rows, keys, room, columns, LANES);
    sort_columns(columns, rows);
    turn(rows, LANES, columns, LANES, keys, room);
}

static int compare(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->bits != y->bits) return x->bits < y->bits ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

/* The same order for a few distances that nearly agree, by counting what comes before each */
static void rank(candidate *run, int64_t n, int64_t least) {
    int64_t order[FEW];
    candidate sorted[FEW];
    for (int64_t i = 0; i < FEW; i++) order[i] = i < n ? (run[i].bits - least) * FEW + i : INT64_MAX;
    for (int64_t i = 0; i < n; i += V / 2) {
        const vl own = *(const vl_any *)(order + i);
        vl before = {0};
        for (int64_t j = 0; j < n; j++) before -= order[j] < own;
        for (int l = 0; l < V / 2 && i + l < n; l++) sorted[before[l]] = run[i + l];
    }
    memcpy(run, sorted, n * sizeof *run);
}

/* Orders the first k of n sorted keys by what they stand for where they differ in their places only */
static void settle(int32_t *keys, int64_t k, int64_t n, int32_t mask, const int64_t *chosen, candidate *run) {
    const int64_t pairs = k < n - 1 ? k : n - 1;
    int32_t alike = 0;
    for (int64_t i = 0; i < pairs; i++) alike |= (keys[i] ^ keys[i + 1]) <= mask;
    if (!alike) return;
    for (int64_t i = 0, end; i < k; i = end) {
        for (end = i + 1; end < n && (keys[end] ^ keys[i]) <= mask; end++) {}
        const int64_t m = end - i;
        if (m == 1) continue;
        int64_t least = INT64_MAX, largest = 0;
        int ordered = 1;
        for (int64_t j = 0; j < m; j++) {
            const int32_t place = keys[i + j] & mask;
            run[j] = (candidate){chosen[place], place};
            ordered &= largest <= run[j].bits;
            least = run[j].bits < least ? run[j].bits : least;
            largest = run[j].bits > largest ? run[j].bits : largest;
        }
        if (ordered) continue;
        if (m <= FEW && largest - least < INT64_MAX / FEW) rank(run, m, least);
        else qsort(run, m, sizeof *run, compare);
        for (int64_t j = 0; j < m; j++) keys[i + j] = (int32_t)run[j].place;
    }
}
