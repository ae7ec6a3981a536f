Instructions of devices, by the names that ACLE has for them; elsewhere what they compute.

//: R_DSP R_LOW R_HIGH
#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32) && !defined(RUNE_PLAIN)
#include <arm_acle.h>
#define R_DSP 1
#else
#define R_DSP 0
#endif
/* The halves of a word, signed. */
#define R_LOW(a) ((uint32_t)(int32_t)(int16_t)(a))
#define R_HIGH(a) ((uint32_t)((int32_t)(a) >> 16))

//: r_smlad
R_INLINE uint32_t r_smlad(uint32_t a, uint32_t b, uint32_t c) {
#if R_DSP
    return (uint32_t)__smlad((int16x2_t)a, (int16x2_t)b, (int32_t)c);
#else
    return c + R_LOW(a) * R_LOW(b) + R_HIGH(a) * R_HIGH(b);
#endif
}

//: r_smlabb
R_INLINE uint32_t r_smlabb(uint32_t a, uint32_t b, uint32_t c) {
#if R_DSP
    return (uint32_t)__smlabb((int32_t)a, (int32_t)b, (int32_t)c);
#else
    return c + R_LOW(a) * R_LOW(b);
#endif
}

//: r_smlatt
R_INLINE uint32_t r_smlatt(uint32_t a, uint32_t b, uint32_t c) {
#if R_DSP
    return (uint32_t)__smlatt((int32_t)a, (int32_t)b, (int32_t)c);
#else
    return c + R_HIGH(a) * R_HIGH(b);
#endif
}

//: r_sxtb16
R_INLINE uint32_t r_sxtb16(uint32_t a) {
#if R_DSP
    return (uint32_t)__sxtb16((int8x4_t)a);
#else
    return (uint32_t)((int32_t)(int8_t)a & 65535) | (uint32_t)(int32_t)(int8_t)(a >> 16) << 16;
#endif
}

//: r_sxtb16_ror8
R_INLINE uint32_t r_sxtb16_ror8(uint32_t a) {
#if R_DSP
    return (uint32_t)__sxtb16((int8x4_t)(a >> 8 | a << 24));
#else
    return (uint32_t)((int32_t)(int8_t)(a >> 8) & 65535) | (uint32_t)((int32_t)a >> 24) << 16;
#endif
}
