/* The normal distribution, as the GELU needs it: Abramowitz and Stegun 7.1.26, to 1e-7. Includes simd.h. */

INLINE void normal(const vf x[GROUP], vf cdf[GROUP], vf density[GROUP]) {
    const float root_half = 0.70710678f, half_log2_e = 0.72134752f;
    vf z[GROUP], t[GROUP], p[GROUP];
    EACH density[i] = -half_log2_e * x[i] * x[i];
    exp2_flushed(density);
    EACH z[i] = root_half * (vf)((vi)x[i] & 0x7fffffff);
    EACH t[i] = 1.0f / (0.3275911f * z[i] + 1.0f);
    EACH p[i] = 1.061405429f * t[i] - 1.453152027f;
    EACH p[i] = p[i] * t[i] + 1.421413741f;
    EACH p[i] = p[i] * t[i] - 0.284496736f;
    EACH p[i] = p[i] * t[i] + 0.254829592f;
    EACH p[i] = 0.5f * p[i] * t[i] * density[i]; /* of |x| beyond */
    EACH {
        const vi below = x[i] < 0.0f;
        cdf[i] = (vf)(((vi)p[i] & below) | ((vi)(1.0f - p[i]) & ~below));
    }
    EACH density[i] *= 0.39894228f;
}
