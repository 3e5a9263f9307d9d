/* Exact k nearest neighbours from all squared distances. FP_CONTRACT OFF: each product and sum is rounded.

   Of each target: the distances; a bound on their leading 32 bits up to which lie k sources or a few more; those as
   keys, a distance in few bits above the place in the order of indices. Sixteen targets sort side by side, one per
   lane. Where keys leave two distances alike all 64 bits decide, then the index. */

#include "candidates.h"

typedef struct {
    int64_t num_src, num_dst, dim, clouds, loop, threads, most; /* neighbours of any target */
    const double *src, *dst;          /* [N][D], [M][D] */
    const int64_t *src_ptr, *dst_ptr; /* [clouds + 1] */
    const double *limit;              /* null, or squared: counts what is no farther and does nothing else */
    int64_t *count;                   /* [M] */
    const int64_t *ptr;               /* [M + 1]: how many neighbours of each target are asked, added up */
    int64_t *source, *target;         /* [E] */
} nearest_args;

static void spread(const nearest_args *a, int64_t from, int64_t n, const cloud *c, int64_t stride, double *x) {
    for (int64_t column = 0, i = 0; column < c->blocks * LANES; column++) {
        double *first = x + c->start + column / LANES * c->rows * LANES + column % LANES;
        for (int64_t row = 0; row < c->rows; row++, i++)
            for (int64_t d = 0; d < a->dim; d++)
                first[d * stride + row * LANES] = i < n ? a->src[(from + i) * a->dim + d] : INFINITY;
    }
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

/* Candidates and keys of a target in a lane; how many, and the bits of their places */
static int64_t propose(const nearest_args *a, const cloud *c, const double *x, int64_t stride, int64_t target,
                       int64_t itself, int64_t lane, int64_t k, work *w, int32_t *mask) {
    const int64_t n = slots(c);
    distances(a->dim, x + c->start, stride, a->dst + target * a->dim, n, w);
    if (!a->loop) {
        const int64_t slot = slot_of(c, itself);
        w->bits[slot] = INT64_MAX, w->word[slot] = INT32_MAX;
    }
    int64_t found = search_bound(w->word, n, k, 16 + k / 8, a->dim, &w->bound);
    if (found <= ROOM(k)) collect(w, c, lane);
    else collect_exactly(w, c, lane, found = k);
    *mask = write_keys(w->chosen + lane * w->room, found, w->keys + lane * w->room);
    return found;
}

static void write_edges(const nearest_args *a, int64_t target, int64_t from, const int32_t *restrict keys, int32_t mask,
                        const int32_t *restrict index) {
    const int64_t first = a->ptr[target], k = a->ptr[target + 1] - first;
    int64_t *restrict source = a->source + first, *restrict targets = a->target + first;
    for (int64_t i = 0; i < k; i++) source[i] = from + index[keys[i] & mask];
    for (int64_t i = 0; i < k; i++) targets[i] = target;
}

static void search(const nearest_args *a, const cloud *clouds, const double *x, int64_t stride, int64_t first,
                   int64_t last, work *w) {
    const int64_t room = w->room;
    int64_t found[LANES] = {0}, rows = 0;
    int32_t mask[LANES];
    for (int64_t t = first; t < last; t++) {
        const int64_t lane = t - first, i = cloud_of(a, t), k = a->ptr[t + 1] - a->ptr[t];
        if (k == 0) continue;
        found[lane] = propose(a, clouds + i, x, stride, t, t - a->dst_ptr[i], lane, k, w, mask + lane);
        rows = found[lane] > rows ? found[lane] : rows;
    }
    rows = round_rows(rows);
    for (int64_t lane = 0; lane < LANES; lane++)
        for (int64_t i = found[lane]; i < rows; i++) w->keys[lane * room + i] = INT32_MAX;
    sort_lanes(w->keys, rows, room, w->columns);
    for (int64_t t = first; t < last; t++) {
        const int64_t lane = t - first, k = a->ptr[t + 1] - a->ptr[t];
        if (k == 0) continue;
        settle(w->keys + lane * room, k, found[lane], mask[lane], w->chosen + lane * room, w->run);
        write_edges(a, t, a->src_ptr[cloud_of(a, t)], w->keys + lane * room, mask[lane], w->index + lane * room);
    }
}

static void count(const nearest_args *a, const cloud *clouds, const double *x, int64_t stride, int64_t first,
                  int64_t last, work *w) {
    for (int64_t t = first; t < last; t++) {
        const cloud *c = clouds + cloud_of(a, t);
        distances(a->dim, x + c->start, stride, a->dst + t * a->dim, slots(c), w);
        a->count[t] = count_bits(w->bits, slots(c), to_bits(*a->limit)) - !a->loop;
    }
}

/* 0, or 1 if there is no memory */
int nearest(const nearest_args *a) {
    const int64_t groups = (a->num_dst + LANES - 1) / LANES, room = round_rows(ROOM(a->most) + STEP);
    void (*const work_on)(const nearest_args *, const cloud *, const double *, int64_t, int64_t, int64_t, work *) =
        a->limit ? count : search;
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
            malloc(8 * (largest + 64 * LANES)), malloc(4 * largest + 8), malloc(8 * LANES * room),
            malloc(4 * LANES * room), malloc(4 * LANES * room), malloc(4 * LANES * room),
            malloc(sizeof(candidate) * room), room, (int32_t)leading(1.0),
        };
        failed = !(w.bits && w.word && w.chosen && w.index && w.keys && w.columns && w.run);
#pragma omp for schedule(dynamic, 4)
        for (int64_t g = 0; g < groups; g++) {
            const int64_t first = g * LANES, last = first + LANES;
            if (!failed) work_on(a, clouds, x, total, first, last < a->num_dst ? last : a->num_dst, &w);
        }
        free(w.bits), free(w.word), free(w.chosen), free(w.index), free(w.keys), free(w.columns), free(w.run);
    }
    free(clouds), free(x);
    return failed;
}
