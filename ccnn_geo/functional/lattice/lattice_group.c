/* Groups the edges of a lattice by their offset: of each block of targets in turn, an offset's edges are a run. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t num_dst, cells, block, threads;
    const int64_t *src, *ptr;           /* edges by target */
    const int32_t *line_src, *line_dst; /* the cell of an edge's offset is their difference, in [0, cells) */
    int32_t *out_src, *out_dst;         /* [E] */
    int32_t *run_offset;                /* [number of runs], room for min(E, cells) per block */
    int64_t *run_begin;                 /* as above */
    int32_t *offset_cell;               /* [number of offsets], room for min(E, cells) */
    int64_t *sizes;                     /* number of runs, number of offsets */
} group_args;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* One block: counts the edges of each offset, then puts them where the counts say. Returns the number of runs */
static int64_t group_block(const group_args *a, int64_t first, int64_t last, const int32_t *id, int64_t offsets,
                           int64_t *count, int32_t *run_offset, int64_t *run_begin) {
    for (int64_t i = first; i < last; i++)
        for (int64_t e = a->ptr[i]; e < a->ptr[i + 1]; e++) count[id[a->line_dst[i] - a->line_src[a->src[e]]]]++;
    int64_t runs = 0, at = a->ptr[first];
    for (int64_t u = 0; u < offsets; u++) {
        const int64_t n = count[u];
        if (n > 0) run_offset[runs] = (int32_t)u, run_begin[runs++] = at;
        count[u] = at, at += n;
    }
    for (int64_t i = first; i < last; i++)
        for (int64_t e = a->ptr[i]; e < a->ptr[i + 1]; e++) {
            const int64_t to = count[id[a->line_dst[i] - a->line_src[a->src[e]]]]++;
            a->out_src[to] = (int32_t)a->src[e], a->out_dst[to] = (int32_t)i;
        }
    memset(count, 0, sizeof(int64_t) * offsets);
    return runs;
}

/* 0, or 1 if there is no memory */
int lattice_group(const group_args *a) {
    const int64_t blocks = (a->num_dst + a->block - 1) / a->block;
    uint8_t *seen = calloc(a->cells, 1);
    int32_t *id = malloc(sizeof(int32_t) * a->cells);
    int64_t *runs = calloc(blocks + 1, sizeof(int64_t)), *start = calloc(blocks + 1, sizeof(int64_t)), failed = 0;
    if (!seen || !id || !runs || !start) {
        free(seen), free(id), free(runs), free(start);
        return 1;
    }
#pragma omp parallel for schedule(static) num_threads((int)a->threads)
    for (int64_t i = 0; i < a->num_dst; i++)
        for (int64_t e = a->ptr[i]; e < a->ptr[i + 1]; e++) {
            uint8_t *cell = seen + (a->line_dst[i] - a->line_src[a->src[e]]);
#pragma omp atomic write
            *cell = 1;
        }
    int64_t offsets = 0;
    for (int64_t cell = 0; cell < a->cells; cell++)
        if (seen[cell]) id[cell] = (int32_t)offsets, a->offset_cell[offsets++] = (int32_t)cell;
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t edges = a->ptr[smaller((b + 1) * a->block, a->num_dst)] - a->ptr[b * a->block];
        start[b + 1] = start[b] + smaller(edges, offsets);
    }
#pragma omp parallel num_threads((int)a->threads)
    {
        int64_t *count = calloc(offsets + 1, sizeof(int64_t));
#pragma omp for schedule(dynamic, 1)
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t first = b * a->block, last = smaller(first + a->block, a->num_dst), at = start[b];
            if (count) runs[b] = group_block(a, first, last, id, offsets, count, a->run_offset + at, a->run_begin + at);
        }
        if (!count) {
#pragma omp atomic write
            failed = 1;
        }
        free(count);
    }
    int64_t total = 0;
    for (int64_t b = 0; b < blocks; b++) {
        memmove(a->run_offset + total, a->run_offset + start[b], sizeof(int32_t) * runs[b]);
        memmove(a->run_begin + total, a->run_begin + start[b], sizeof(int64_t) * runs[b]);
        total += runs[b];
    }
    a->sizes[0] = total, a->sizes[1] = offsets;
    free(seen), free(id), free(runs), free(start);
    return (int)failed;
}
