/* Exact edge convolution with a MAGNet kernel: forward and backward, a block of edges at a time.

   Values of a block lie edge-last, [row][BLOCK], so that a vector holds one value of several edges; features and
   what is multiplied with them lie edge-first, [edge][channels]. Edges outside the support are dropped on the way.
   All products go through gemm(). Threads own consecutive targets; what they share is summed in their order. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gabor.h"

#define PANEL (COLUMNS * V) /* channels at a time */
#define FLUSH 64            /* blocks whose sums are in single precision */
#define LOOK 64             /* edges that are compared with the support at once */

typedef struct {
    int64_t num_src, num_dst, channels, dim, hidden, layers, threads, memory;
    const float *x, *pos_src, *pos_dst; /* x has one vector more than its last row, like grad_out and grad_x */
    const int64_t *src, *ptr;
    const float *low, *high;          /* [D] support */
    const double *quadratic;          /* [2D + 1][F + 1], the window last */
    const float *linear;              /* [D + 1][F] */
    const float *affine;              /* per layer [H][H], [H] */
    const float *output;              /* [C][H + 1] */
    float *out;                       /* [M][C], zero */
    const float *grad_out;
    float *grad_x, *grad_src, *grad_dst;                                  /* zero; any may be null */
    double *grad_quadratic, *grad_linear, *grad_affine, *grad_output;     /* zero; as above, output [H + 1][C] */
} edge_args;

typedef struct {
    filter *filters;
    float *affine_t, *output_t, *output_rows, *bias_column; /* [k][h] per layer, [H + 1][Cp], [C][Hp], [Cp] */
} weights;

typedef struct { /* one thread's memory: values of a block, and sums since they were last added to totals */
    edges b;
    float *g, *c, *maps, *h, *phi, *kernel, *weighted, *dots, *grad, *grad_t, *by, *by_filter, *grad_r;
    float *sums, *sums_affine, *sums_bias, *sums_output, *end, *grad_x, *grad_src;
    double *totals;
    int64_t first, last, begin, stop; /* targets; sources */
    int blocks;
} work;

/* G, the maps and the hidden values of a block; phi ends with the window */
static void basis(const edge_args *a, const weights *w, work *s) {
    const int64_t H = a->hidden, L = a->layers, F = (L + 1) * H, n = s->b.n, step = H * BLOCK;
    waves(a->dim, F, w->filters, &s->b, s->g, s->c);
    const float *h = s->g;
    for (int64_t l = 0; l < L; l++) {
        const float *weight = a->affine + l * (H + 1) * H, *g = s->g + (l + 1) * step;
        float *map = s->maps + l * step, *next = l == L - 1 ? s->phi : s->h + l * step;
        gemm(H, n, H, weight, H, 1, h, BLOCK, map, BLOCK, weight + H * H, 0);
        for (int64_t i = 0; i < step; i += BLOCK)
            for (int64_t e = i; e < i + n; e += V) store(next + e, load(map + e) * load(g + e));
        h = next;
    }
    if (L == 0) memcpy(s->phi, s->g, 4 * step);
    memcpy(s->phi + step, s->g + F * BLOCK, 4 * BLOCK);
}

/* The kernel of a panel of channels, [e][PANEL] */
static void render(const edge_args *a, const weights *w, work *s, int64_t from, int64_t width) {
    const int64_t Cp = round_up(a->channels);
    gemm(s->b.n, width, a->hidden + 1, s->phi, 1, BLOCK, w->output_t + from, Cp, s->kernel, PANEL, 0, 0);
}

INLINE void forward_panel(int columns, const edge_args *a, work *s, int64_t from) {
    const int64_t C = a->channels;
    for (int64_t e = 0; e < s->b.count;) {
        const int64_t target = s->b.dst[e];
        float row[PANEL], *out = a->out + target * C + from;
        vf sum[COLUMNS] = {0};
        for (; e < s->b.count && s->b.dst[e] == target; e++) {
            const float *x = a->x + s->b.src[e] * C + from, *k = s->kernel + e * PANEL;
            UNROLL for (int v = 0; v < columns; v++) sum[v] += load(k + v * V) * load(x + v * V);
        }
        UNROLL for (int v = 0; v < columns; v++) store(row + v * V, sum[v]);
        const int64_t width = C - from < columns * V ? C - from : columns * V; /* the next row may not be ours */
        for (int64_t c = 0; c < width; c++) out[c] += row[c];
    }
}

static void forward_block(const edge_args *a, const weights *w, work *s) {
    basis(a, w, s);
    for (int64_t from = 0, left = round_up(a->channels); left > 0; from += PANEL, left -= PANEL) {
        render(a, w, s, from, left < PANEL ? left : PANEL);
        if (left >= 3 * V) forward_panel(3, a, s, from);
        else if (left == 2 * V) forward_panel(2, a, s, from);
        else forward_panel(1, a, s, from);
    }
}

/* grad_out * x of each edge, its product with the output layer's bias, and the features' gradient */
INLINE void backward_panel(int columns, const edge_args *a, const weights *w, work *s, int64_t from) {
    const int64_t C = a->channels, width = C - from < columns * V ? C - from : columns * V;
    float row[PANEL] = {0};
    vf g[COLUMNS], bias[COLUMNS];
    UNROLL for (int v = 0; v < columns; v++) bias[v] = load(w->bias_column + from + v * V), g[v] = (vf){0};
    for (int64_t e = 0; e < s->b.count; e++) {
        const int64_t j = s->b.src[e];
        const float *x = a->x + j * C + from, *k = s->kernel + e * PANEL;
        if (e == 0 || s->b.dst[e] != s->b.dst[e - 1]) {
            memcpy(row, a->grad_out + s->b.dst[e] * C + from, 4 * width); /* the rest stays zero */
            UNROLL for (int v = 0; v < columns; v++) g[v] = load(row + v * V);
        }
        vf dot = load(s->dots + e * V);
        UNROLL for (int v = 0; v < columns; v++) {
            vf y = g[v] * load(x + v * V);
            dot += y * bias[v];
            store(s->weighted + e * PANEL + v * V, y);
        }
        store(s->dots + e * V, dot);
        if (!s->grad_x) continue;
        float *out = s->grad_x + (j - s->begin) * C + from;
        UNROLL for (int v = 0; v < columns; v++) /* beyond the row: zeros, both factors are padded */
            store(out + v * V, load(out + v * V) + g[v] * load(k + v * V));
    }
}

static void channels_backward(const edge_args *a, const weights *w, work *s) {
    const int64_t H = a->hidden, Hp = round_up(H), C = a->channels, Cp = round_up(C), n = s->b.n;
    memset(s->dots, 0, 4 * n * V);
    memset(s->weighted + s->b.count * PANEL, 0, 4 * (n - s->b.count) * PANEL);
    for (int64_t from = 0, left = Cp; left > 0; from += PANEL, left -= PANEL) {
        const int64_t width = left < PANEL ? left : PANEL, inside = C - from < width ? C - from : width;
        if (s->grad_x) render(a, w, s, from, width);
        if (width == 3 * V) backward_panel(3, a, w, s, from);
        else if (width == 2 * V) backward_panel(2, a, w, s, from);
        else backward_panel(1, a, w, s, from);
        if (a->grad_output)
            gemm(H + 1, width, n, s->phi, BLOCK, 1, s->weighted, PANEL, s->sums_output + from, Cp, 0, 1);
        if (a->grad_quadratic)
            gemm(n, Hp, inside, s->weighted, PANEL, 1, w->output_rows + from * Hp, Hp, s->grad_t, Hp, 0, from > 0);
    }
}

static void offsets_backward(const edge_args *a, work *s) {
    for (int64_t e = 0; e < s->b.count; e++)
        for (int64_t d = 0; d < a->dim; d++) {
            float g = s->grad_r[d * BLOCK + e];
            if (a->grad_dst) a->grad_dst[s->b.dst[e] * a->dim + d] += g;
            if (s->grad_src) s->grad_src[(s->b.src[e] - s->begin) * a->dim + d] -= g;
        }
}

static void add_to_totals(work *s) {
    for (int64_t i = 0; i < s->end - s->sums; i++) s->totals[i] += s->sums[i], s->sums[i] = 0;
    s->blocks = 0;
}

static void backward_block(const edge_args *a, const weights *w, work *s) {
    const int64_t H = a->hidden, Hp = round_up(H), L = a->layers, F = (L + 1) * H, D = a->dim;
    const int64_t n = s->b.n, step = H * BLOCK, lanes = (3 * D + 2) * V;
    basis(a, w, s);
    channels_backward(a, w, s);
    if (a->grad_quadratic) {
        float *grad_r = a->grad_src || a->grad_dst ? s->grad_r : 0, *grad = s->grad, *by_filter = s->by_filter;
        memset(s->grad_r, 0, 4 * 3 * BLOCK);
        transpose(n, V, s->dots, V, grad, BLOCK);
        for (int64_t e = 0; e < n; e += V) {
            vf total = load(grad + e);
            for (int64_t i = 1; i < V; i++) total += load(grad + i * BLOCK + e);
            store(by_filter + e, total);
        }
        memset(s->by, 0, 4 * BLOCK); /* the window is no wave */
        filter_backward(D, w->filters + F, &s->b, by_filter, s->phi + step, s->by, s->sums + F * lanes, grad_r);
        transpose(n, Hp, s->grad_t, Hp, grad, BLOCK);
        for (int64_t l = L; l > 0; l--) {
            const float *map = s->maps + (l - 1) * step, *h = l == 1 ? s->g : s->h + (l - 2) * step;
            float *bias = s->sums_bias + (l - 1) * H * V;
            for (int64_t i = 0; i < H; i++) {
                const int64_t f = l * H + i;
                vf sum = load(bias + i * V);
                for (int64_t e = 0; e < n; e += V) {
                    vf g = load(grad + i * BLOCK + e), by = g * load(s->g + f * BLOCK + e);
                    store(by_filter + e, g * load(map + i * BLOCK + e));
                    store(s->by + i * BLOCK + e, by);
                    sum += by;
                }
                store(bias + i * V, sum);
                filter_backward(D, w->filters + f, &s->b, by_filter, s->g + f * BLOCK, s->c + f * BLOCK,
                                s->sums + f * lanes, grad_r);
            }
            transpose(Hp, n, h, BLOCK, s->grad_t, Hp);
            gemm(H, Hp, n, s->by, BLOCK, 1, s->grad_t, Hp, s->sums_affine + (l - 1) * H * Hp, Hp, 0, 1);
            gemm(H, n, H, w->affine_t + (l - 1) * H * H, H, 1, s->by, BLOCK, grad, BLOCK, 0, 0);
        }
        for (int64_t i = 0; i < H; i++)
            filter_backward(D, w->filters + i, &s->b, grad + i * BLOCK, s->g + i * BLOCK, s->c + i * BLOCK,
                            s->sums + i * lanes, grad_r);
        if (grad_r) offsets_backward(a, s);
    }
    if (++s->blocks == FLUSH) add_to_totals(s);
}

static void block(const edge_args *a, const weights *w, work *s) {
    if (s->b.count == 0) return;
    s->b.n = round_up(s->b.count);
    const int64_t filled = s->b.n + (GROUP - 1) * V < BLOCK ? s->b.n + (GROUP - 1) * V : BLOCK;
    for (int64_t d = 0; d < a->dim; d++)
        for (int64_t e = s->b.count; e < filled; e++) s->b.r[d * BLOCK + e] = s->b.low[d * BLOCK + e] = 0;
    a->grad_out ? backward_block(a, w, s) : forward_block(a, w, s);
    s->b.count = 0;
}

/* Edges of a target in the support, in blocks; most kernels drop most edges, so these are looked at first */
INLINE void targets_of(int D, const edge_args *a, const weights *w, work *s) {
    edges *b = &s->b;
    for (int64_t i = s->first; i < s->last; i++) {
        const float *p = a->pos_dst + i * D;
        for (int64_t from = a->ptr[i], n; from < a->ptr[i + 1]; from += n) {
            int32_t inside[LOOK], any = 0;
            n = a->ptr[i + 1] - from < LOOK ? a->ptr[i + 1] - from : LOOK;
            for (int64_t e = 0; e < n; e++) {
                const float *q = a->pos_src + a->src[from + e] * D;
                int32_t in = 1;
                UNROLL for (int d = 0; d < D; d++) in &= (p[d] - q[d] >= a->low[d]) & (p[d] - q[d] <= a->high[d]);
                inside[e] = in, any |= in;
            }
            for (int64_t e = 0; any && e < n; e++) {
                if (!inside[e]) continue;
                const int64_t j = a->src[from + e];
                const float *q = a->pos_src + j * D;
                UNROLL for (int d = 0; d < D; d++) {
                    const float r = p[d] - q[d];
                    b->r[d * BLOCK + b->count] = r;
                    b->low[d * BLOCK + b->count] = (float)((double)p[d] - q[d] - r);
                }
                b->src[b->count] = j, b->dst[b->count] = i;
                if (++b->count == BLOCK) block(a, w, s);
            }
        }
    }
    block(a, w, s);
    if (a->grad_out) add_to_totals(s);
}

static void targets(const edge_args *a, const weights *w, work *s) {
    a->dim == 1 ? targets_of(1, a, w, s) : a->dim == 2 ? targets_of(2, a, w, s) : targets_of(3, a, w, s);
}

static int64_t padded(int64_t floats) { return (floats + 15) / 16 * 16; } /* cache lines */

static void *aligned(int64_t floats) { return aligned_alloc(64, 4 * padded(floats + 1)); }

static int pack(const edge_args *a, weights *w) {
    const int64_t D = a->dim, H = a->hidden, L = a->layers, F = (L + 1) * H, C = a->channels;
    const int64_t Cp = round_up(C), Hp = round_up(H);
    const double pi = 3.14159265358979323846;
    w->filters = calloc(F + 1, sizeof(filter));
    w->affine_t = aligned(L * H * H + 1), w->output_t = aligned((H + 1) * Cp);
    w->output_rows = aligned(C * Hp), w->bias_column = w->output_t + H * Cp;
    if (!w->filters || !w->affine_t || !w->output_t || !w->output_rows) return 0;
    for (int64_t i = 0; i <= F; i++) {
        filter *f = w->filters + i;
        double rest = a->quadratic[2 * D * (F + 1) + i];
        for (int64_t d = 0; d < D; d++) {
            double scale = sqrt(-a->quadratic[d * (F + 1) + i]);
            double shift = scale > 0 ? a->quadratic[(D + d) * (F + 1) + i] / (2 * scale) : 0;
            f->scale[d] = (float)scale, f->shift[d] = (float)shift, rest += shift * shift;
            if (i == F) continue;
            double turn = a->linear[d * F + i] / pi;
            f->omega[d] = a->linear[d * F + i], f->turn[d] = (float)turn;
            f->turn_low[d] = (float)(turn - f->turn[d]);
        }
        f->rest = (float)rest;
        double phi = i < F ? a->linear[D * F + i] / pi : 0;
        f->phi = (float)(phi - 2 * rint(phi / 2));
    }
    for (int64_t l = 0; l < L; l++)
        for (int64_t i = 0; i < H * H; i++)
            w->affine_t[l * H * H + i % H * H + i / H] = a->affine[l * H * (H + 1) + i];
    for (int64_t c = 0; c < Cp; c++)
        for (int64_t h = 0; h <= H; h++) w->output_t[h * Cp + c] = c < C ? a->output[c * (H + 1) + h] : 0;
    for (int64_t c = 0; c < C; c++)
        for (int64_t h = 0; h < Hp; h++) w->output_rows[c * Hp + h] = h < H ? a->output[c * (H + 1) + h] : 0;
    return 1;
}

static int64_t find_target(const edge_args *a, int64_t edge) { /* the first whose edges start there or later */
    int64_t low = 0, high = a->num_dst;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (a->ptr[middle] < edge) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* Gives each thread as many listed edges, and says how many floats of sources' gradients that takes */
static int64_t share(const edge_args *a, work *s, int64_t threads) {
    int64_t total = 0;
    for (int64_t t = 0; t < threads; t++) {
        s[t].first = t ? s[t - 1].last : 0;
        s[t].last = t == threads - 1 ? a->num_dst : find_target(a, a->ptr[a->num_dst] * (t + 1) / threads);
        s[t].begin = 0, s[t].stop = a->num_src;
        if (t == 0 || !a->grad_out) continue; /* the first writes where the others are added */
        int64_t begin = a->num_src, stop = 0;
        for (int64_t e = a->ptr[s[t].first]; e < a->ptr[s[t].last]; e++) {
            begin = a->src[e] < begin ? a->src[e] : begin;
            stop = a->src[e] >= stop ? a->src[e] + 1 : stop;
        }
        s[t].begin = begin < stop ? begin : 0, s[t].stop = stop;
        total += (s[t].stop - s[t].begin) * (a->channels + a->dim);
    }
    return total;
}

static int allocate(const edge_args *a, work *s, int first, float **memory) {
    const int64_t H = a->hidden, Hp = round_up(H), L = a->layers, F = (L + 1) * H, D = a->dim;
    const int64_t Cp = round_up(a->channels), B = BLOCK, back = a->grad_out != 0;
    const struct { float **at; int64_t floats; } parts[] = {
        {&s->g, (F + 1 + V) * B}, {&s->c, back * F * B}, {&s->maps, L * H * B}, {&s->h, (L * H + V) * B},
        {&s->phi, (H + 1) * B}, {&s->kernel, PANEL * B}, {&s->weighted, back * PANEL * B},
        {&s->dots, back * V * B}, {&s->grad, back * (Hp + V) * B}, {&s->grad_t, back * Hp * B},
        {&s->by, back * H * B}, {&s->by_filter, back * B}, {&s->grad_r, back * 3 * B},
        {&s->sums, back * (F + 1) * (3 * D + 2) * V}, {&s->sums_affine, back * L * H * Hp},
        {&s->sums_bias, back * L * H * V}, {&s->sums_output, back * (H + 1) * Cp}, {&s->end, 0},
    };
    const int count = sizeof parts / sizeof *parts;
    int64_t floats = 0;
    for (int i = 0; i < count; i++) floats += padded(parts[i].floats);
    float *p = *memory = aligned(floats);
    if (!p) return 0;
    memset(p, 0, 4 * floats);
    for (int i = 0; i < count; i++) *parts[i].at = p, p += padded(parts[i].floats);
    if (!back) return 1;
    const int64_t sources = s->stop - s->begin;
    s->totals = calloc(s->end - s->sums, sizeof(double));
    if (a->grad_x) s->grad_x = first ? a->grad_x : calloc(sources * a->channels + V, 4);
    if (a->grad_src) s->grad_src = first ? a->grad_src : calloc(sources * D + 1, 4);
    return s->totals && (s->grad_x || !a->grad_x) && (s->grad_src || !a->grad_src);
}

static void reduce(const edge_args *a, const work *s, int64_t threads) {
    const int64_t H = a->hidden, Hp = round_up(H), L = a->layers, F = (L + 1) * H, D = a->dim, C = a->channels;
    const int64_t Cp = round_up(C);
#pragma omp parallel for schedule(static) num_threads((int)threads)
    for (int64_t j = 0; j < a->num_src; j++)
        for (int64_t t = 1; t < threads; t++) {
            if (j < s[t].begin || j >= s[t].stop) continue;
            const int64_t i = j - s[t].begin;
            for (int64_t c = 0; c < C && a->grad_x; c++) a->grad_x[j * C + c] += s[t].grad_x[i * C + c];
            for (int64_t d = 0; d < D && a->grad_src; d++) a->grad_src[j * D + d] += s[t].grad_src[i * D + d];
        }
    for (int64_t t = 0; t < threads; t++) {
        const double *total = s[t].totals;
        for (int64_t i = 0; i <= F && a->grad_quadratic; i++)
            for (int64_t p = 0; p < 3 * D + 2; p++) {
                double sum = 0;
                for (int64_t v = 0; v < V; v++) sum += total[(i * (3 * D + 2) + p) * V + v];
                if (p < 2 * D + 1) a->grad_quadratic[p * (F + 1) + i] += 0.69314718055994530942 * sum;
                else if (i < F) a->grad_linear[(p - 2 * D - 1) * F + i] += sum;
            }
        const double *affine = total + (s[t].sums_affine - s[t].sums), *bias = total + (s[t].sums_bias - s[t].sums);
        for (int64_t i = 0; i < L * H && a->grad_quadratic; i++) {
            double *out = a->grad_affine + i / H * (H + 1) * H;
            for (int64_t k = 0; k < H; k++) out[i % H * H + k] += affine[i * Hp + k];
            for (int64_t v = 0; v < V; v++) out[H * H + i % H] += bias[i * V + v];
        }
        const double *output = total + (s[t].sums_output - s[t].sums);
        for (int64_t i = 0; i < (H + 1) * C && a->grad_output; i++)
            a->grad_output[i] += output[i / C * Cp + i % C];
    }
}

/* 0, or 1 if there is no memory */
int edge_magnet(const edge_args *a) {
    int64_t threads = a->threads;
    weights w = {0};
    work *s = calloc(threads, sizeof(work));
    float **memory = calloc(threads, sizeof(float *));
    int *ready = calloc(threads, sizeof(int)), all = 0;
    if (s && memory && ready && pack(a, &w)) {
        while (share(a, s, threads) > a->memory && threads > 1) threads = (threads + 1) / 2;
#pragma omp parallel for schedule(static, 1) num_threads((int)threads)
        for (int64_t t = 0; t < threads; t++) /* where it is used: the pages of a thread lie near it */
            if ((ready[t] = allocate(a, s + t, t == 0, memory + t))) targets(a, &w, s + t);
        for (int64_t t = 0; t < threads; t++) all += ready[t];
        all = all == threads;
        if (all && a->grad_out) reduce(a, s, threads);
        for (int64_t t = 0; t < threads; t++) {
            free(memory[t]), free(s[t].totals);
            if (t > 0) free(s[t].grad_x), free(s[t].grad_src);
        }
    }
    free(w.filters), free(w.affine_t), free(w.output_t), free(w.output_rows);
    free(s), free(memory), free(ready);
    return !all;
}
