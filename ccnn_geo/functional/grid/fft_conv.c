/* Depthwise convolution of grids by FFT; everything between reading the input and writing the output is in the cache.

   A vector is one sample of several channels. Along the last axis, of length n = 2 h, signals are polynomials modulo
   t^n + 1, evaluated where t^h = i: of a real one z_j = x_j + i x_(j + h) is all there is, and the transform of
   z_j exp(i pi j / n), of half the length, gives its values. What would wrap around is cut off anyway, so that its sign
   does not matter. Threads own consecutive pieces, grids within groups of channels; a kernel's gradient whose group
   begins in another's piece is added after all, in their order. */

#include <stdlib.h>
#include <string.h>

#include "fft.h"

#define DIMS 3

typedef struct {
    int64_t batch, channels, dim, threads, rows; /* rows: taps are [*K][C], as they are rendered, not [C][*K] */
    const int64_t *size, *taps, *center, *length; /* [D]: grid, kernel, its tap at offset zero, transforms */
    const float *roots; /* per axis [n][2]: exp(-2 pi i k / n), n halved for the last; then its [h][2]: exp(i pi j / n) */
    float *scratch;     /* [threads][buffers][n / 2][2][V] */
    const float *kernel; /* [C][*K] or [*K][C], or */
    float *spectrum;     /* what it becomes, [groups][n / 2][2][V] */
    const float *x;                               /* [B][C][*S]; without it the spectrum is written */
    float *out;                                   /* [B][C][*S], forward */
    const float *grad_out;                        /* [B][C][*S], backward */
    float *grad_x, *grad_kernel;                  /* [B][C][*S], as the kernel; either may be null */
} fft_args;

typedef struct {
    const fft_args *a;
    fft_plan plans[DIMS];
    int64_t n, plane, taps, groups, zero[DIMS]; /* n: of complex numbers */
    const float *twist;
} setting;

typedef struct { /* channels `first` to `first + lanes`, of which those from `own` on are this group's */
    int64_t first, lanes, own;
} group;

static group group_of(const setting *s, int64_t g) {
    const int64_t C = s->a->channels;
    if (C < V) return (group){0, C, 0};
    const int64_t first = (g + 1) * V <= C ? g * V : C - V;
    return (group){first, V, g * V - first};
}

static int64_t product(const int64_t *n, int64_t count) {
    int64_t p = 1;
    for (int64_t d = 0; d < count; d++) p *= n[d];
    return p;
}

/* Where the row `i` of a box at `start` begins in the transform */
static int64_t row_of(const setting *s, const int64_t *box, const int64_t *start, int64_t i) {
    int64_t at = 0, stride = s->plans[s->a->dim - 1].n;
    for (int64_t d = s->a->dim - 2; d >= 0; d--) {
        at += (start[d] + i % box[d]) * stride;
        i /= box[d], stride *= s->plans[d].n;
    }
    return at;
}

/* Parts of rows [lanes][count], `plane` apart, from and to every second vector */
static void read_row(const group *g, float *out, const float *in, int64_t plane, int64_t count) {
    const int64_t whole = g->lanes == V ? count / V * V : 0;
    transpose(V, whole, in, plane, out, 2 * V);
    for (int64_t lane = 0; lane < g->lanes; lane++)
        for (int64_t j = whole; j < count; j++) out[j * 2 * V + lane] = in[lane * plane + j];
}

static void write_row(const group *g, const float *in, float *out, int64_t plane, int64_t count) {
    const int64_t whole = g->lanes == V ? count / V * V : 0;
    float tile[V * V];
    if (g->own == 0) transpose(whole, V, in, 2 * V, out, plane);
    else for (int64_t j = 0; j < whole; j += V) { /* the other lanes are another thread's */
        transpose(V, V, in + j * 2 * V, 2 * V, tile, V);
        for (int64_t lane = g->own; lane < V; lane++) memcpy(out + lane * plane + j, tile + lane * V, 4 * V);
    }
    for (int64_t lane = g->own; lane < g->lanes; lane++)
        for (int64_t j = whole; j < count; j++) out[lane * plane + j] = in[j * 2 * V + lane];
}

/* The same of taps [count][C] */
static void read_taps(const group *g, float *out, const float *in, int64_t C, int64_t count) {
    for (int64_t j = 0; j < count; j++) {
        if (g->lanes == V) store(out + j * 2 * V, load(in + j * C));
        else memcpy(out + j * 2 * V, in + j * C, 4 * g->lanes);
    }
}

static void write_taps(const group *g, const float *in, float *out, int64_t C, int64_t count) {
    for (int64_t j = 0; j < count; j++)
        memcpy(out + j * C + g->own, in + j * 2 * V + g->own, 4 * (g->lanes - g->own));
}

/* Rows of a box: the first half of the last axis is the real part, the second the imaginary one */
#define ROWS_OF_BOX(READ_OR_WRITE) \
    const int64_t D = s->a->dim, rows = product(box, D - 1), count = box[D - 1], half = s->plans[D - 1].n; \
    const int64_t from = start[D - 1], real = from >= half ? 0 : from + count > half ? half - from : count; \
    for (int64_t i = 0; i < rows; i++) { \
        float *in_cache = (float *)(data + row_of(s, box, start, i)); \
        float *re = in_cache + from * 2 * V, *im = in_cache + (from + real - half) * 2 * V + V; \
        READ_OR_WRITE \
    }

static void read_box(const setting *s, const group *g, cv *data, const float *grid, int64_t plane, const int64_t *box,
                     const int64_t *start) {
    ROWS_OF_BOX(read_row(g, re, grid + i * count, plane, real);
                read_row(g, im, grid + i * count + real, plane, count - real);)
}

static void write_box(const setting *s, const group *g, cv *data, float *grid, int64_t plane, const int64_t *box,
                      const int64_t *start) {
    ROWS_OF_BOX(write_row(g, re, grid + i * count, plane, real);
                write_row(g, im, grid + i * count + real, plane, count - real);)
}

static void read_kernel(const setting *s, const group *g, cv *data) {
    const int64_t C = s->a->channels, *box = s->a->taps, *start = s->zero;
    const float *taps = s->a->kernel + (s->a->rows ? g->first : g->first * s->taps);
    if (!s->a->rows) {
        read_box(s, g, data, taps, s->taps, box, start);
        return;
    }
    ROWS_OF_BOX(read_taps(g, re, taps + i * count * C, C, real);
                read_taps(g, im, taps + (i * count + real) * C, C, count - real);)
}

static void write_kernel(const setting *s, const group *g, cv *data, float *kernel) {
    const int64_t C = s->a->channels, *box = s->a->taps, *start = s->zero;
    float *taps = kernel + (s->a->rows ? g->first : g->first * s->taps);
    if (!s->a->rows) {
        write_box(s, g, data, taps, s->taps, box, start);
        return;
    }
    ROWS_OF_BOX(write_taps(g, re, taps + i * count * C, C, real);
                write_taps(g, im, taps + (i * count + real) * C, C, count - real);)
}

INLINE void twist_row(int inverse, cv *data, int64_t n, const float *twist) {
    for (int64_t j = 0; j < n; j++) {
        const cv w = {splat(twist[2 * j]), splat(twist[2 * j + 1])};
        data[j] = inverse ? times_conj(data[j], w) : times(data[j], w);
    }
}

/* Forward from a box of what is not zero, or backward to one of what is asked for */
static void transform_box(const setting *s, int inverse, cv *data, const int64_t *box, const int64_t *start) {
    const int64_t D = s->a->dim;
    for (int64_t k = 0; k < D; k++) {
        const int64_t axis = inverse ? k : D - 1 - k, outer = product(box, axis);
        const fft_plan *p = s->plans + axis;
        for (int64_t i = 0; i < outer; i++) { /* of the axes before, only where the box is */
            int64_t at = 0, stride = p->n * p->stride, left = i;
            for (int64_t d = axis - 1; d >= 0; d--) {
                at += (start[d] + left % box[d]) * stride;
                left /= box[d], stride *= s->plans[d].n;
            }
            if (axis == D - 1 && !inverse) twist_row(0, data + at, p->n, s->twist);
            transform(inverse, data + at, p->n, p->factors, p, 1);
            if (axis == D - 1 && inverse) twist_row(1, data + at, p->n, s->twist);
        }
    }
}

/* The spectrum of a grid placed at `start` */
static void spectrum_of(const setting *s, const group *g, cv *data, const float *grid, int64_t plane,
                        const int64_t *box, const int64_t *start) {
    memset(data, 0, sizeof(cv) * s->n);
    read_box(s, g, data, grid + g->first * plane, plane, box, start);
    transform_box(s, 0, data, box, start);
}

static void kernel_spectrum(const setting *s, const group *g, cv *data) {
    memset(data, 0, sizeof(cv) * s->n);
    read_kernel(s, g, data);
    transform_box(s, 0, data, s->a->taps, s->zero);
    for (int64_t i = 0; i < s->n; i++) data[i] = scaled(1.0f / s->n, data[i]);
}

static void forward_grid(const setting *s, const group *g, const cv *kernel, cv *data, int64_t b) {
    const fft_args *a = s->a;
    const int64_t at = b * a->channels * s->plane;
    spectrum_of(s, g, data, a->x + at, s->plane, a->size, s->zero);
    for (int64_t i = 0; i < s->n; i++) data[i] = times(data[i], kernel[i]);
    transform_box(s, 1, data, a->size, a->center);
    write_box(s, g, data, a->out + at + g->first * s->plane, s->plane, a->size, a->center);
}

static void backward_grid(const setting *s, const group *g, const cv *kernel, cv *grad, cv *data, cv *sum, int64_t b) {
    const fft_args *a = s->a;
    const int64_t at = b * a->channels * s->plane;
    spectrum_of(s, g, grad, a->grad_out + at, s->plane, a->size, a->center);
    if (sum) {
        spectrum_of(s, g, data, a->x + at, s->plane, a->size, s->zero);
        for (int64_t i = 0; i < s->n; i++) sum[i] = add(sum[i], times_conj(grad[i], data[i]));
    }
    if (!a->grad_x) return;
    for (int64_t i = 0; i < s->n; i++) grad[i] = times_conj(grad[i], kernel[i]);
    transform_box(s, 1, grad, a->size, s->zero);
    write_box(s, g, grad, a->grad_x + at + g->first * s->plane, s->plane, a->size, s->zero);
}

static void kernel_gradient(const setting *s, const group *g, cv *sum, float *out) {
    for (int64_t i = 0; i < s->n; i++) sum[i] = scaled(1.0f / s->n, sum[i]);
    transform_box(s, 1, sum, s->a->taps, s->zero);
    write_kernel(s, g, sum, out);
}

/* The pieces from `first` to `last`; a gradient of a group that begins before goes to `shared` */
static void pieces(const setting *s, int64_t first, int64_t last, cv *buffers, float *shared) {
    const fft_args *a = s->a;
    cv *kernel = buffers, *data = buffers + s->n, *grad = data + s->n, *sum = grad + s->n;
    for (int64_t i = first; i < last;) {
        const int64_t number = i / a->batch, end = (number + 1) * a->batch < last ? (number + 1) * a->batch : last;
        const group g = group_of(s, number);
        const int begins = i == number * a->batch;
        const cv *given = a->spectrum ? (const cv *)a->spectrum + number * s->n : kernel;
        if (!a->spectrum && (a->out || a->grad_x)) kernel_spectrum(s, &g, kernel);
        if (a->grad_kernel) memset(sum, 0, sizeof(cv) * s->n);
        for (; i < end; i++) {
            if (a->out) forward_grid(s, &g, given, data, i % a->batch);
            else backward_grid(s, &g, given, grad, data, a->grad_kernel ? sum : 0, i % a->batch);
        }
        if (a->grad_kernel) kernel_gradient(s, &g, sum, begins ? a->grad_kernel : shared);
    }
}

/* 0, 1 without memory, 2 for lengths it cannot transform */
int fft_conv(const fft_args *a) {
    setting s = {.a = a, .plane = product(a->size, a->dim), .taps = product(a->taps, a->dim)};
    const float *roots = a->roots;
    int64_t length[DIMS] = {0};
    memcpy(length, a->length, sizeof(int64_t) * a->dim);
    if (length[a->dim - 1] % 2) return 2;
    length[a->dim - 1] /= 2;
    for (int64_t d = 0; d < a->dim; d++) {
        if (plan_fft(length[d], product(length + d + 1, a->dim - d - 1), roots, s.plans + d)) return 2;
        roots += 2 * length[d];
    }
    s.twist = roots, s.n = product(length, a->dim), s.groups = (a->channels + V - 1) / V;
    cv *scratch = (cv *)a->scratch;
    if (!a->x) {
#pragma omp parallel for schedule(static, 1) num_threads((int)a->threads)
        for (int64_t i = 0; i < s.groups; i++) {
            const group g = group_of(&s, i);
            kernel_spectrum(&s, &g, (cv *)a->spectrum + i * s.n);
        }
        return 0;
    }
    const int64_t count = s.groups * a->batch, threads = a->threads < count ? a->threads : count;
    const int64_t extra = a->grad_kernel ? a->channels * s.taps : 0;
    float *shared = extra && threads > 1 ? malloc(4 * extra * (threads - 1)) : 0;
    if (extra && threads > 1 && !shared) return 1;
#pragma omp parallel for schedule(static, 1) num_threads((int)threads)
    for (int64_t t = 0; t < threads; t++)
        pieces(&s, count * t / threads, count * (t + 1) / threads, scratch + 4 * s.n * t,
               shared && t > 0 ? shared + extra * (t - 1) : 0);
    for (int64_t t = 1; t < threads && shared; t++) {
        const int64_t first = count * t / threads, last = count * (t + 1) / threads;
        if (first % a->batch == 0 || first == last) continue;
        const group g = group_of(&s, first / a->batch);
        const float *part = shared + extra * (t - 1);
        const int64_t tap = a->rows ? a->channels : 1, channel = a->rows ? 1 : s.taps;
        for (int64_t c = g.first + g.own; c < g.first + g.lanes; c++)
            for (int64_t k = 0; k < s.taps; k++) a->grad_kernel[c * channel + k * tap] += part[c * channel + k * tap];
    }
    free(shared);
    return 0;
}
