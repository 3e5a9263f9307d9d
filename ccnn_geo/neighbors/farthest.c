/* Farthest point sampling: each point is the one farthest from those before it. */

#include <stdint.h>

typedef struct {
    int64_t size, num, start;
    const float *x, *y, *z; /* [size] */
    float *distance;        /* [size], squared and infinite */
    int64_t *out;           /* [num] */
} farthest_args;

int farthest(const farthest_args *a) {
    const float *restrict x = a->x, *restrict y = a->y, *restrict z = a->z;
    float *restrict distance = a->distance;
    int64_t last = a->start;
    for (int64_t i = 0; i < a->num; i++) {
        const float u = x[last], v = y[last], w = z[last];
        float most = -1;
        a->out[i] = last;
        distance[last] = -1; /* never again, even among points at the same place */
#pragma omp simd reduction(max : most)
        for (int64_t j = 0; j < a->size; j++) {
            const float dx = x[j] - u, dy = y[j] - v, dz = z[j] - w;
            const float d = dx * dx + dy * dy + dz * dz;
            distance[j] = d < distance[j] ? d : distance[j];
            most = distance[j] > most ? distance[j] : most;
        }
        for (last = 0; last < a->size - 1 && distance[last] != most; last++)
            ;
    }
    return 0;
}
