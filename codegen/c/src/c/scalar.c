The parts of the runtime for numbers. src/parts.rs says how they are taken.

//: r_trap
/* Leaves for good: who made the context says where to. */
R_NEVER static void r_trap(r_context *c, int kind) {
    R_LEAVE(c, kind);
    for (;;) {
    }
}

//: r_f32_bits r_f32_reinterpret_i32
R_INLINE float r_f32_bits(uint32_t bits) {
    float value;
    R_COPY(&value, &bits, 4);
    return value;
}
#define r_f32_reinterpret_i32 r_f32_bits

//: r_f64_bits r_f64_reinterpret_i64
R_INLINE double r_f64_bits(uint64_t bits) {
    double value;
    R_COPY(&value, &bits, 8);
    return value;
}
#define r_f64_reinterpret_i64 r_f64_bits

//: r_i32_reinterpret_f32
R_INLINE uint32_t r_i32_reinterpret_f32(float value) {
    uint32_t bits;
    R_COPY(&bits, &value, 4);
    return bits;
}

//: r_i64_reinterpret_f64
R_INLINE uint64_t r_i64_reinterpret_f64(double value) {
    uint64_t bits;
    R_COPY(&bits, &value, 8);
    return bits;
}

//: r_i32_div_s
R_INLINE uint32_t r_i32_div_s(r_context *c, uint32_t a, uint32_t b) {
    if (R_UNLIKELY(b == 0)) r_trap(c, R_DIVIDE_BY_ZERO);
    if (R_UNLIKELY(a == 0x80000000u && b == 0xffffffffu)) r_trap(c, R_INTEGER_OVERFLOW);
    return (uint32_t)((int32_t)a / (int32_t)b);
}

//: r_i32_div_u
R_INLINE uint32_t r_i32_div_u(r_context *c, uint32_t a, uint32_t b) {
    if (R_UNLIKELY(b == 0)) r_trap(c, R_DIVIDE_BY_ZERO);
    return a / b;
}

//: r_i32_rem_s
R_INLINE uint32_t r_i32_rem_s(r_context *c, uint32_t a, uint32_t b) {
    if (R_UNLIKELY(b == 0)) r_trap(c, R_DIVIDE_BY_ZERO);
    if (R_UNLIKELY(b == 0xffffffffu)) return 0;
    return (uint32_t)((int32_t)a % (int32_t)b);
}

//: r_i32_rem_u
R_INLINE uint32_t r_i32_rem_u(r_context *c, uint32_t a, uint32_t b) {
    if (R_UNLIKELY(b == 0)) r_trap(c, R_DIVIDE_BY_ZERO);
    return a % b;
}

//: r_i64_div_s
R_INLINE uint64_t r_i64_div_s(r_context *c, uint64_t a, uint64_t b) {
    if (R_UNLIKELY(b == 0)) r_trap(c, R_DIVIDE_BY_ZERO);
    if (R_UNLIKELY(a == UINT64_C(1) << 63 && b == UINT64_MAX)) r_trap(c, R_INTEGER_OVERFLOW);
    return (uint64_t)((int64_t)a / (int64_t)b);
}

//: r_i64_div_u
R_INLINE uint64_t r_i64_div_u(r_context *c, uint64_t a, uint64_t b) {
    if (R_UNLIKELY(b == 0)) r_trap(c, R_DIVIDE_BY_ZERO);
    return a / b;
}

//: r_i64_rem_s
R_INLINE uint64_t r_i64_rem_s(r_context *c, uint64_t a, uint64_t b) {
    if (R_UNLIKELY(b == 0)) r_trap(c, R_DIVIDE_BY_ZERO);
    if (R_UNLIKELY(b == UINT64_MAX)) return 0;
    return (uint64_t)((int64_t)a % (int64_t)b);
}

//: r_i64_rem_u
R_INLINE uint64_t r_i64_rem_u(r_context *c, uint64_t a, uint64_t b) {
    if (R_UNLIKELY(b == 0)) r_trap(c, R_DIVIDE_BY_ZERO);
    return a % b;
}

//: r_i32_rotl
R_INLINE uint32_t r_i32_rotl(uint32_t a, uint32_t b) {
    return a << (b & 31u) | a >> ((0u - b) & 31u);
}

//: r_i32_rotr
R_INLINE uint32_t r_i32_rotr(uint32_t a, uint32_t b) {
    return a >> (b & 31u) | a << ((0u - b) & 31u);
}

//: r_i64_rotl
R_INLINE uint64_t r_i64_rotl(uint64_t a, uint64_t b) {
    return a << (b & 63u) | a >> ((0u - b) & 63u);
}

//: r_i64_rotr
R_INLINE uint64_t r_i64_rotr(uint64_t a, uint64_t b) {
    return a >> (b & 63u) | a << ((0u - b) & 63u);
}

//: r_i64_popcnt
R_INLINE uint64_t r_i64_popcnt(uint64_t a) {
    a -= a >> 1 & UINT64_C(0x5555555555555555);
    a = (a & UINT64_C(0x3333333333333333)) + (a >> 2 & UINT64_C(0x3333333333333333));
    a = (a + (a >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return a * UINT64_C(0x0101010101010101) >> 56;
}

//: r_i32_popcnt
R_INLINE uint32_t r_i32_popcnt(uint32_t a) {
    a -= a >> 1 & 0x55555555u;
    a = (a & 0x33333333u) + (a >> 2 & 0x33333333u);
    a = (a + (a >> 4)) & 0x0f0f0f0fu;
    return a * 0x01010101u >> 24;
}

//: r_i64_clz
R_INLINE uint64_t r_i64_clz(uint64_t a) {
#if R_GNU
    return a == 0 ? 64u : (uint64_t)__builtin_clzll(a);
#else
    uint64_t count = 0;
    for (; count < 64 && !(a >> 63); count++) a <<= 1;
    return count;
#endif
}

//: r_i32_clz
R_INLINE uint32_t r_i32_clz(uint32_t a) {
#if R_GNU && UINT_MAX == 0xffffffffu
    return a == 0 ? 32u : (uint32_t)__builtin_clz(a);
#else
    uint32_t count = 0;
    for (; count < 32 && !(a >> 31); count++) a <<= 1;
    return count;
#endif
}

//: r_i64_ctz
R_INLINE uint64_t r_i64_ctz(uint64_t a) {
#if R_GNU
    return a == 0 ? 64u : (uint64_t)__builtin_ctzll(a);
#else
    uint64_t count = 0;
    for (; count < 64 && !(a & 1); count++) a >>= 1;
    return count;
#endif
}

//: r_i32_ctz
R_INLINE uint32_t r_i32_ctz(uint32_t a) {
#if R_GNU && UINT_MAX == 0xffffffffu
    return a == 0 ? 32u : (uint32_t)__builtin_ctz(a);
#else
    uint32_t count = 0;
    for (; count < 32 && !(a & 1); count++) a >>= 1;
    return count;
#endif
}

//: r_f64_promote_f32
/* No cast in place: clang warns where what is promoted is compared with a number that no float is. */
R_INLINE double r_f64_promote_f32(float a) {
    return (double)a;
}

//: r_f32_abs
R_INLINE float r_f32_abs(float a) {
#if R_GNU
    return __builtin_fabsf(a);
#else
    return r_f32_bits(r_i32_reinterpret_f32(a) & 0x7fffffffu);
#endif
}

//: r_f64_abs
R_INLINE double r_f64_abs(double a) {
#if R_GNU
    return __builtin_fabs(a);
#else
    return r_f64_bits(r_i64_reinterpret_f64(a) & INT64_MAX);
#endif
}

//: r_f32_copysign
R_INLINE float r_f32_copysign(float a, float b) {
#if R_GNU
    return __builtin_copysignf(a, b);
#else
    return r_f32_bits((r_i32_reinterpret_f32(a) & 0x7fffffffu) | (r_i32_reinterpret_f32(b) & 0x80000000u));
#endif
}

//: r_f64_copysign
R_INLINE double r_f64_copysign(double a, double b) {
#if R_GNU
    return __builtin_copysign(a, b);
#else
    return r_f64_bits((r_i64_reinterpret_f64(a) & INT64_MAX) | (r_i64_reinterpret_f64(b) & UINT64_C(1) << 63));
#endif
}

//: r_f32_min
R_INLINE float r_f32_min(float a, float b) {
    if (a < b) return a;
    if (b < a) return b;
    if (a != b) return a + b;
    return r_f32_bits(r_i32_reinterpret_f32(a) | r_i32_reinterpret_f32(b));
}

//: r_f32_max
R_INLINE float r_f32_max(float a, float b) {
    if (a > b) return a;
    if (b > a) return b;
    if (a != b) return a + b;
    return r_f32_bits(r_i32_reinterpret_f32(a) & r_i32_reinterpret_f32(b));
}

//: r_f64_min
R_INLINE double r_f64_min(double a, double b) {
    if (a < b) return a;
    if (b < a) return b;
    if (a != b) return a + b;
    return r_f64_bits(r_i64_reinterpret_f64(a) | r_i64_reinterpret_f64(b));
}

//: r_f64_max
R_INLINE double r_f64_max(double a, double b) {
    if (a > b) return a;
    if (b > a) return b;
    if (a != b) return a + b;
    return r_f64_bits(r_i64_reinterpret_f64(a) & r_i64_reinterpret_f64(b));
}

//: R_ROUNDS
/* Whether the machine rounds in one instruction: of Cortex-M those with doubles, which have FPv5. For x86 GCC has code that
   seldom runs call a library instead, as it is shorter. */
#if R_GNU && ((defined(__SSE4_1__) && defined(__clang__)) || defined(__aarch64__) || \
    (defined(__ARM_FP) && defined(__ARM_ARCH_PROFILE) && (__ARM_FP & 8) && __ARM_ARCH_PROFILE == 'M'))
#define R_ROUNDS 1
#else
#define R_ROUNDS 0
#endif

//: R_ROUNDING
/* Adding 2^23 (2^52) rounds to an integer, ties to even; what is as large is one already. Not a number becomes quiet. */
#define R_ROUNDING(F, p, limit)                                  \
    R_INLINE F p##_whole(F x) { return (x + limit) - limit; }    \
    R_INLINE F p##_nearest_(F a) {                               \
        const F x = p##_abs(a);                                  \
        if (!(x < limit)) return a != a ? a + a : a;             \
        return p##_copysign(p##_whole(x), a);                    \
    }                                                            \
    R_INLINE F p##_floor_(F a) {                                 \
        const F x = p##_nearest_(a);                             \
        return p##_copysign(x > a ? x - (F)1 : x, a);            \
    }                                                            \
    R_INLINE F p##_ceil_(F a) {                                  \
        const F x = p##_nearest_(a);                             \
        return p##_copysign(x < a ? x + (F)1 : x, a);            \
    }                                                            \
    R_INLINE F p##_trunc_(F a) {                                 \
        const F x = p##_nearest_(a);                             \
        const F y = p##_abs(x) > p##_abs(a) ? p##_abs(x) - (F)1 : p##_abs(x); \
        return p##_copysign(y, a);                               \
    }

//: r_f32_nearest_ r_f32_floor_ r_f32_ceil_ r_f32_trunc_
#if !R_ROUNDS /* with r_f32_abs and r_f32_copysign */
R_ROUNDING(float, r_f32, 8388608.0f)
#endif

//: r_f64_nearest_ r_f64_floor_ r_f64_ceil_ r_f64_trunc_
#if !R_ROUNDS /* with r_f64_abs and r_f64_copysign */
R_ROUNDING(double, r_f64, 4503599627370496.0)
#endif

//: r_f32_nearest
#if R_ROUNDS
R_INLINE float r_f32_nearest(float a) { return __builtin_rintf(a); }
#else
R_INLINE float r_f32_nearest(float a) { return r_f32_nearest_(a); }
#endif

//: r_f32_floor
#if R_ROUNDS
R_INLINE float r_f32_floor(float a) { return __builtin_floorf(a); }
#else
R_INLINE float r_f32_floor(float a) { return r_f32_floor_(a); }
#endif

//: r_f32_ceil
#if R_ROUNDS
R_INLINE float r_f32_ceil(float a) { return __builtin_ceilf(a); }
#else
R_INLINE float r_f32_ceil(float a) { return r_f32_ceil_(a); }
#endif

//: r_f32_trunc
#if R_ROUNDS
R_INLINE float r_f32_trunc(float a) { return __builtin_truncf(a); }
#else
R_INLINE float r_f32_trunc(float a) { return r_f32_trunc_(a); }
#endif

//: r_f64_nearest
#if R_ROUNDS
R_INLINE double r_f64_nearest(double a) { return __builtin_rint(a); }
#else
R_INLINE double r_f64_nearest(double a) { return r_f64_nearest_(a); }
#endif

//: r_f64_floor
#if R_ROUNDS
R_INLINE double r_f64_floor(double a) { return __builtin_floor(a); }
#else
R_INLINE double r_f64_floor(double a) { return r_f64_floor_(a); }
#endif

//: r_f64_ceil
#if R_ROUNDS
R_INLINE double r_f64_ceil(double a) { return __builtin_ceil(a); }
#else
R_INLINE double r_f64_ceil(double a) { return r_f64_ceil_(a); }
#endif

//: r_f64_trunc
#if R_ROUNDS
R_INLINE double r_f64_trunc(double a) { return __builtin_trunc(a); }
#else
R_INLINE double r_f64_trunc(double a) { return r_f64_trunc_(a); }
#endif

//: r_root
/* The root of a number of so many pairs of bits, of which the first is at `top` and those below 0 are 0. */
R_INLINE uint64_t r_root(uint64_t number, int top, int pairs) {
    uint64_t root = 0, rest = 0;
    for (int i = 0; i < pairs; i++, top -= 2) {
        rest = rest << 2 | (top >= 0 ? number >> top & 3u : 0u);
        root <<= 1;
        if (rest > root << 1) {
            rest -= (root << 1) + 1;
            root++;
        }
    }
    return root;
}

//: r_f32_sqrt
#if R_GNU && defined(__SSE2__)
R_INLINE float r_f32_sqrt(float a) {
    float r;
    __asm__("sqrtss %1, %0" : "=x"(r) : "x"(a));
    return r;
}
#elif R_GNU && defined(__ARM_FP) && !defined(__aarch64__) && (__ARM_FP & 4)
R_INLINE float r_f32_sqrt(float a) {
    float r;
    __asm__("vsqrt.f32 %0, %1" : "=t"(r) : "t"(a));
    return r;
}
#else
/* By integers: a library's may set `errno`, and there may be no library. The root gets a bit more than the result, which
   rounds it: it is odd and exact for no even number. */
static float r_f32_sqrt(float a) {
    const uint32_t bits = r_i32_reinterpret_f32(a);
    int exponent = (int)(bits >> 23 & 0xffu);
    uint64_t mantissa = bits & 0x7fffffu;
    if (a == 0 || !(a <= 0x1.fffffep127f)) return a + a;
    if (bits >> 31) return r_f32_bits(0x7fc00000u);
    if (exponent != 0) {
        mantissa |= 0x800000u;
    } else {
        for (exponent = 1; !(mantissa >> 23); exponent--) mantissa <<= 1;
    }
    exponent -= 127;
    if (exponent & 1) {
        exponent--;
        mantissa <<= 1;
    }
    mantissa = (r_root(mantissa << 25, 48, 25) + 1) >> 1;
    return r_f32_bits(((uint32_t)(exponent / 2 + 127) << 23) + (uint32_t)mantissa - 0x800000u);
}
#endif

//: r_f64_sqrt
#if R_GNU && defined(__SSE2__)
R_INLINE double r_f64_sqrt(double a) {
    double r;
    __asm__("sqrtsd %1, %0" : "=x"(r) : "x"(a));
    return r;
}
#elif R_GNU && defined(__ARM_FP) && !defined(__aarch64__) && (__ARM_FP & 8)
R_INLINE double r_f64_sqrt(double a) {
    double r;
    __asm__("vsqrt.f64 %P0, %P1" : "=w"(r) : "w"(a));
    return r;
}
#else
static double r_f64_sqrt(double a) {
    const uint64_t bits = r_i64_reinterpret_f64(a);
    int exponent = (int)(bits >> 52 & 0x7ffu);
    uint64_t mantissa = bits & UINT64_C(0xfffffffffffff);
    if (a == 0 || !(a <= 0x1.fffffffffffffp1023)) return a + a;
    if (bits >> 63) return r_f64_bits(UINT64_C(0x7ff8000000000000));
    if (exponent != 0) {
        mantissa |= UINT64_C(1) << 52;
    } else {
        for (exponent = 1; !(mantissa >> 52); exponent--) mantissa <<= 1;
    }
    exponent -= 1023;
    if (exponent & 1) {
        exponent--;
        mantissa <<= 1;
    }
    mantissa = (r_root(mantissa, 52, 54) + 1) >> 1;
    return r_f64_bits(((uint64_t)(exponent / 2 + 1023) << 52) + mantissa - (UINT64_C(1) << 52));
}
#endif

//: R_TRUNC
#define R_TRUNC(name, F, U, S, above_low, below_high)                     \
    R_INLINE U name(r_context *c, F a) {                                  \
        if (R_UNLIKELY(!(above_low && below_high)))                       \
            r_trap(c, a != a ? R_INVALID_CONVERSION : R_INTEGER_OVERFLOW); \
        return (U)(S)a;                                                   \
    }

//: R_SATURATE
#define R_SATURATE(name, F, U, S, above_low, below_high, low, high) \
    R_INLINE U name(F a) {                                          \
        if (R_UNLIKELY(!(above_low && below_high)))                 \
            return a != a ? 0 : a < 0 ? low : high;                 \
        return (U)(S)a;                                             \
    }

//: r_i32_trunc_f32_s
R_TRUNC(r_i32_trunc_f32_s, float, uint32_t, int32_t, a >= -2147483648.0f, a < 2147483648.0f)

//: r_i32_trunc_f32_u
R_TRUNC(r_i32_trunc_f32_u, float, uint32_t, uint32_t, a > -1.0f, a < 4294967296.0f)

//: r_i32_trunc_f64_s
R_TRUNC(r_i32_trunc_f64_s, double, uint32_t, int32_t, a > -2147483649.0, a < 2147483648.0)

//: r_i32_trunc_f64_u
R_TRUNC(r_i32_trunc_f64_u, double, uint32_t, uint32_t, a > -1.0, a < 4294967296.0)

//: r_i64_trunc_f32_s
R_TRUNC(r_i64_trunc_f32_s, float, uint64_t, int64_t, a >= -9223372036854775808.0f, a < 9223372036854775808.0f)

//: r_i64_trunc_f32_u
R_TRUNC(r_i64_trunc_f32_u, float, uint64_t, uint64_t, a > -1.0f, a < 18446744073709551616.0f)

//: r_i64_trunc_f64_s
R_TRUNC(r_i64_trunc_f64_s, double, uint64_t, int64_t, a >= -9223372036854775808.0, a < 9223372036854775808.0)

//: r_i64_trunc_f64_u
R_TRUNC(r_i64_trunc_f64_u, double, uint64_t, uint64_t, a > -1.0, a < 18446744073709551616.0)

//: r_i32_trunc_sat_f32_s
#if R_GNU && defined(__ARM_FP) && !defined(__aarch64__) && (__ARM_FP & 4)
/* What the instruction gives beyond the range, and C leaves open, is what is asked for. */
R_INLINE uint32_t r_i32_trunc_sat_f32_s(float a) {
    int32_t r;
    __asm__("vcvt.s32.f32 %0, %1" : "=t"(r) : "t"(a));
    return (uint32_t)r;
}
#else
R_SATURATE(r_i32_trunc_sat_f32_s, float, uint32_t, int32_t, a >= -2147483648.0f, a < 2147483648.0f, 0x80000000u, 0x7fffffffu)
#endif

//: r_i32_trunc_sat_f32_u
R_SATURATE(r_i32_trunc_sat_f32_u, float, uint32_t, uint32_t, a > -1.0f, a < 4294967296.0f, 0u, 0xffffffffu)

//: r_i32_trunc_sat_f64_s
R_SATURATE(r_i32_trunc_sat_f64_s, double, uint32_t, int32_t, a > -2147483649.0, a < 2147483648.0, 0x80000000u, 0x7fffffffu)

//: r_i32_trunc_sat_f64_u
R_SATURATE(r_i32_trunc_sat_f64_u, double, uint32_t, uint32_t, a > -1.0, a < 4294967296.0, 0u, 0xffffffffu)

//: r_i64_trunc_sat_f32_s
R_SATURATE(r_i64_trunc_sat_f32_s, float, uint64_t, int64_t, a >= -9223372036854775808.0f, a < 9223372036854775808.0f, UINT64_C(1) << 63, (uint64_t)INT64_MAX)

//: r_i64_trunc_sat_f32_u
R_SATURATE(r_i64_trunc_sat_f32_u, float, uint64_t, uint64_t, a > -1.0f, a < 18446744073709551616.0f, UINT64_C(0), UINT64_MAX)

//: r_i64_trunc_sat_f64_s
R_SATURATE(r_i64_trunc_sat_f64_s, double, uint64_t, int64_t, a >= -9223372036854775808.0, a < 9223372036854775808.0, UINT64_C(1) << 63, (uint64_t)INT64_MAX)

//: r_i64_trunc_sat_f64_u
R_SATURATE(r_i64_trunc_sat_f64_u, double, uint64_t, uint64_t, a > -1.0, a < 18446744073709551616.0, UINT64_C(0), UINT64_MAX)
