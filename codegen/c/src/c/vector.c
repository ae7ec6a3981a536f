The parts of the runtime for vectors: by the extension of GCC and clang, or lane by lane.

//: R_TAKE R_GIVE R_PICK R_EACH R_CLAMP
#if R_VECTORS
typedef int8_t r_i8x16 __attribute__((vector_size(16)));
typedef uint8_t r_u8x16 __attribute__((vector_size(16)));
typedef int16_t r_i16x8 __attribute__((vector_size(16)));
typedef uint16_t r_u16x8 __attribute__((vector_size(16)));
typedef int32_t r_i32x4 __attribute__((vector_size(16)));
typedef uint32_t r_u32x4 __attribute__((vector_size(16)));
typedef int64_t r_i64x2 __attribute__((vector_size(16)));
typedef uint64_t r_u64x2 __attribute__((vector_size(16)));
typedef float r_f32x4 __attribute__((vector_size(16)));
typedef double r_f64x2 __attribute__((vector_size(16)));
#define R_TAKE(V, x, v) V x = (V)(v)
#define R_GIVE(r) return (r_v128)(r)
#define R_PICK(mask, one, other) \
    (((r_i32x4)(one) & (r_i32x4)(mask)) | ((r_i32x4)(other) & ~(r_i32x4)(mask)))
#else
typedef int8_t r_i8x16[16];
typedef uint8_t r_u8x16[16];
typedef int16_t r_i16x8[8];
typedef uint16_t r_u16x8[8];
typedef int32_t r_i32x4[4];
typedef uint32_t r_u32x4[4];
typedef int64_t r_i64x2[2];
typedef uint64_t r_u64x2[2];
typedef float r_f32x4[4];
typedef double r_f64x2[2];
#define R_TAKE(V, x, v) \
    V x;                \
    R_COPY(&x, &(v), 16)
#define R_GIVE(r)          \
    r_v128 given;          \
    R_COPY(&given, &r, 16); \
    return given
#endif
#if R_GNU && !defined(__clang__) && __GNUC__ >= 8
#define R_EACH(n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++)
#else
#define R_EACH(n) for (int i = 0; i < (n); i++)
#endif
#define R_CLAMP(v, low, high) ((v) < (low) ? (low) : (v) > (high) ? (high) : (v))

//: R_UNARY
#define R_UNARY(name, V, W, n, lane)  \
    R_INLINE r_v128 name(r_v128 a) {  \
        R_TAKE(V, x, a);              \
        W r = {0};                    \
        R_EACH(n) r[i] = (lane);      \
        R_GIVE(r);                    \
    }

//: R_BINARY
#define R_BINARY(name, V, W, n, lane)          \
    R_INLINE r_v128 name(r_v128 a, r_v128 b) { \
        R_TAKE(V, x, a);                       \
        R_TAKE(V, y, b);                       \
        W r = {0};                             \
        R_EACH(n) r[i] = (lane);               \
        R_GIVE(r);                             \
    }

//: R_WHOLE1
#if R_VECTORS
#define R_WHOLE1(name, V, W, n, whole, lane) \
    R_INLINE r_v128 name(r_v128 a) {         \
        const V x = (V)a;                    \
        return (r_v128)(whole);              \
    }
#else /* with R_UNARY */
#define R_WHOLE1(name, V, W, n, whole, lane) R_UNARY(name, V, W, n, lane)
#endif

//: R_WHOLE2
#if R_VECTORS
#define R_WHOLE2(name, V, W, n, whole, lane)   \
    R_INLINE r_v128 name(r_v128 a, r_v128 b) { \
        const V x = (V)a;                      \
        const V y = (V)b;                      \
        return (r_v128)(whole);                \
    }
#else /* with R_BINARY */
#define R_WHOLE2(name, V, W, n, whole, lane) R_BINARY(name, V, W, n, lane)
#endif

//: R_SHIFT
#if R_VECTORS
#define R_SHIFT(name, V, T, n, op)                \
    R_INLINE r_v128 name(r_v128 a, uint32_t by) { \
        const T k = (T)(by & (8 * sizeof(T) - 1)); \
        return (r_v128)((V)a op k);               \
    }
#else
#define R_SHIFT(name, V, T, n, op)                      \
    R_INLINE r_v128 name(r_v128 a, uint32_t by) {       \
        const T k = (T)(by & (8 * sizeof(T) - 1));      \
        R_TAKE(V, x, a);                                \
        R_EACH(n) x[i] = (T)(x[i] op k);                \
        R_GIVE(x);                                      \
    }
#endif

//: R_ALL
#define R_ALL(name, V, n)              \
    R_INLINE uint32_t name(r_v128 a) { \
        uint32_t all = 1;              \
        R_TAKE(V, x, a);               \
        R_EACH(n) all &= x[i] != 0;    \
        return all;                    \
    }

//: R_BITMASK
#define R_BITMASK(name, V, n)                          \
    R_INLINE uint32_t name(r_v128 a) {                 \
        uint32_t mask = 0;                             \
        R_TAKE(V, x, a);                               \
        R_EACH(n) mask |= (uint32_t)(x[i] < 0) << i;   \
        return mask;                                   \
    }

//: R_EXTRACT
#define R_EXTRACT(name, V, T)                    \
    R_INLINE T name(r_v128 a, int lane) {        \
        R_TAKE(V, x, a);                         \
        return (T)x[lane];                       \
    }

//: R_REPLACE
#define R_REPLACE(name, V, L, T)                   \
    R_INLINE r_v128 name(r_v128 a, T b, int lane) { \
        R_TAKE(V, x, a);                           \
        x[lane] = (L)b;                            \
        R_GIVE(x);                                 \
    }

//: R_SPLAT
#define R_SPLAT(name, V, L, T, ...)  \
    R_INLINE r_v128 name(T b) {      \
        const L l = (L)b;            \
        const V x = {__VA_ARGS__};   \
        R_GIVE(x);                   \
    }

//: r_v128_const
R_INLINE r_v128 r_v128_const(uint64_t low, uint64_t high) {
    const r_u64x2 x = {low, high}; /* R_TAKE has the types */
    R_GIVE(x);
}

//: r_v128_load
R_INLINE r_v128 r_v128_load(const uint8_t *p) {
    r_v128 v;
    R_COPY(&v, p, 16);
    return v;
}

//: r_v128_store
R_INLINE void r_v128_store(uint8_t *p, r_v128 v) { R_COPY(p, &v, 16); }

//: r_v128_not
R_WHOLE1(r_v128_not, r_u64x2, r_u64x2, 2, ~x, ~x[i])

//: r_v128_and
R_WHOLE2(r_v128_and, r_u64x2, r_u64x2, 2, x & y, x[i] & y[i])

//: r_v128_or
R_WHOLE2(r_v128_or, r_u64x2, r_u64x2, 2, x | y, x[i] | y[i])

//: r_v128_xor
R_WHOLE2(r_v128_xor, r_u64x2, r_u64x2, 2, x ^ y, x[i] ^ y[i])

//: r_v128_andnot
R_WHOLE2(r_v128_andnot, r_u64x2, r_u64x2, 2, x & ~y, x[i] & ~y[i])

//: r_v128_bitselect
R_INLINE r_v128 r_v128_bitselect(r_v128 a, r_v128 b, r_v128 mask) {
    return r_v128_or(r_v128_and(a, mask), r_v128_andnot(b, mask));
}

//: r_v128_any_true
R_INLINE uint32_t r_v128_any_true(r_v128 a) {
    R_TAKE(r_u64x2, x, a);
    return (x[0] | x[1]) != 0;
}

//: r_i8x16_splat
R_SPLAT(r_i8x16_splat, r_u8x16, uint8_t, uint32_t, l, l, l, l, l, l, l, l, l, l, l, l, l, l, l, l)

//: r_i8x16_extract_lane_s
R_EXTRACT(r_i8x16_extract_lane_s, r_i8x16, uint32_t)

//: r_i8x16_extract_lane_u
R_EXTRACT(r_i8x16_extract_lane_u, r_u8x16, uint32_t)

//: r_i8x16_replace_lane
R_REPLACE(r_i8x16_replace_lane, r_u8x16, uint8_t, uint32_t)

//: r_i8x16_eq
R_WHOLE2(r_i8x16_eq, r_i8x16, r_i8x16, 16, x == y, (int8_t)-(x[i] == y[i]))

//: r_i8x16_ne
R_WHOLE2(r_i8x16_ne, r_i8x16, r_i8x16, 16, x != y, (int8_t)-(x[i] != y[i]))

//: r_i8x16_lt_s
R_WHOLE2(r_i8x16_lt_s, r_i8x16, r_i8x16, 16, x < y, (int8_t)-(x[i] < y[i]))

//: r_i8x16_lt_u
R_WHOLE2(r_i8x16_lt_u, r_u8x16, r_i8x16, 16, x < y, (int8_t)-(x[i] < y[i]))

//: r_i8x16_gt_s
R_WHOLE2(r_i8x16_gt_s, r_i8x16, r_i8x16, 16, x > y, (int8_t)-(x[i] > y[i]))

//: r_i8x16_gt_u
R_WHOLE2(r_i8x16_gt_u, r_u8x16, r_i8x16, 16, x > y, (int8_t)-(x[i] > y[i]))

//: r_i8x16_le_s
R_WHOLE2(r_i8x16_le_s, r_i8x16, r_i8x16, 16, x <= y, (int8_t)-(x[i] <= y[i]))

//: r_i8x16_le_u
R_WHOLE2(r_i8x16_le_u, r_u8x16, r_i8x16, 16, x <= y, (int8_t)-(x[i] <= y[i]))

//: r_i8x16_ge_s
R_WHOLE2(r_i8x16_ge_s, r_i8x16, r_i8x16, 16, x >= y, (int8_t)-(x[i] >= y[i]))

//: r_i8x16_ge_u
R_WHOLE2(r_i8x16_ge_u, r_u8x16, r_i8x16, 16, x >= y, (int8_t)-(x[i] >= y[i]))

//: r_i8x16_neg
R_WHOLE1(r_i8x16_neg, r_u8x16, r_u8x16, 16, -x, (uint8_t)(0u - x[i]))

//: r_i8x16_abs
R_WHOLE1(r_i8x16_abs, r_i8x16, r_u8x16, 16, ((r_u8x16)x ^ (r_u8x16)(x >> 7)) - (r_u8x16)(x >> 7), (uint8_t)(x[i] < 0 ? 0u - (uint8_t)x[i] : (uint8_t)x[i]))

//: r_i8x16_add
R_WHOLE2(r_i8x16_add, r_u8x16, r_u8x16, 16, x + y, (uint8_t)(x[i] + y[i]))

//: r_i8x16_sub
R_WHOLE2(r_i8x16_sub, r_u8x16, r_u8x16, 16, x - y, (uint8_t)(x[i] - y[i]))

//: r_i8x16_shl
R_SHIFT(r_i8x16_shl, r_u8x16, uint8_t, 16, <<)

//: r_i8x16_shr_u
R_SHIFT(r_i8x16_shr_u, r_u8x16, uint8_t, 16, >>)

//: r_i8x16_shr_s
R_SHIFT(r_i8x16_shr_s, r_i8x16, int8_t, 16, >>)

//: r_i8x16_all_true
R_ALL(r_i8x16_all_true, r_u8x16, 16)

//: r_i8x16_bitmask
R_BITMASK(r_i8x16_bitmask, r_i8x16, 16)

//: r_i8x16_min_s
R_WHOLE2(r_i8x16_min_s, r_i8x16, r_i8x16, 16, R_PICK(x < y, x, y), x[i] < y[i] ? x[i] : y[i])

//: r_i8x16_max_s
R_WHOLE2(r_i8x16_max_s, r_i8x16, r_i8x16, 16, R_PICK(x > y, x, y), x[i] > y[i] ? x[i] : y[i])

//: r_i8x16_min_u
R_WHOLE2(r_i8x16_min_u, r_u8x16, r_u8x16, 16, R_PICK(x < y, x, y), x[i] < y[i] ? x[i] : y[i])

//: r_i8x16_max_u
R_WHOLE2(r_i8x16_max_u, r_u8x16, r_u8x16, 16, R_PICK(x > y, x, y), x[i] > y[i] ? x[i] : y[i])

//: r_i8x16_add_sat_s
R_BINARY(r_i8x16_add_sat_s, r_i8x16, r_i8x16, 16, (int8_t)R_CLAMP(x[i] + y[i], -128, 127))

//: r_i8x16_add_sat_u
R_BINARY(r_i8x16_add_sat_u, r_u8x16, r_u8x16, 16, (uint8_t)R_CLAMP(x[i] + y[i], 0, 255))

//: r_i8x16_sub_sat_s
R_BINARY(r_i8x16_sub_sat_s, r_i8x16, r_i8x16, 16, (int8_t)R_CLAMP(x[i] - y[i], -128, 127))

//: r_i8x16_sub_sat_u
R_BINARY(r_i8x16_sub_sat_u, r_u8x16, r_u8x16, 16, (uint8_t)R_CLAMP(x[i] - y[i], 0, 255))

//: r_i8x16_avgr_u
R_BINARY(r_i8x16_avgr_u, r_u8x16, r_u8x16, 16, (uint8_t)((x[i] + y[i] + 1) >> 1))

//: r_i8x16_narrow_i16x8_s
R_BINARY(r_i8x16_narrow_i16x8_s, r_i16x8, r_i8x16, 16, (int8_t)R_CLAMP(i < 8 ? x[i % 8] : y[i % 8], -128, 127))

//: r_i8x16_narrow_i16x8_u
R_BINARY(r_i8x16_narrow_i16x8_u, r_i16x8, r_u8x16, 16, (uint8_t)R_CLAMP(i < 8 ? x[i % 8] : y[i % 8], 0, 255))

//: r_i16x8_splat
R_SPLAT(r_i16x8_splat, r_u16x8, uint16_t, uint32_t, l, l, l, l, l, l, l, l)

//: r_i16x8_extract_lane_s
R_EXTRACT(r_i16x8_extract_lane_s, r_i16x8, uint32_t)

//: r_i16x8_extract_lane_u
R_EXTRACT(r_i16x8_extract_lane_u, r_u16x8, uint32_t)

//: r_i16x8_replace_lane
R_REPLACE(r_i16x8_replace_lane, r_u16x8, uint16_t, uint32_t)

//: r_i16x8_eq
R_WHOLE2(r_i16x8_eq, r_i16x8, r_i16x8, 8, x == y, (int16_t)-(x[i] == y[i]))

//: r_i16x8_ne
R_WHOLE2(r_i16x8_ne, r_i16x8, r_i16x8, 8, x != y, (int16_t)-(x[i] != y[i]))

//: r_i16x8_lt_s
R_WHOLE2(r_i16x8_lt_s, r_i16x8, r_i16x8, 8, x < y, (int16_t)-(x[i] < y[i]))

//: r_i16x8_lt_u
R_WHOLE2(r_i16x8_lt_u, r_u16x8, r_i16x8, 8, x < y, (int16_t)-(x[i] < y[i]))

//: r_i16x8_gt_s
R_WHOLE2(r_i16x8_gt_s, r_i16x8, r_i16x8, 8, x > y, (int16_t)-(x[i] > y[i]))

//: r_i16x8_gt_u
R_WHOLE2(r_i16x8_gt_u, r_u16x8, r_i16x8, 8, x > y, (int16_t)-(x[i] > y[i]))

//: r_i16x8_le_s
R_WHOLE2(r_i16x8_le_s, r_i16x8, r_i16x8, 8, x <= y, (int16_t)-(x[i] <= y[i]))

//: r_i16x8_le_u
R_WHOLE2(r_i16x8_le_u, r_u16x8, r_i16x8, 8, x <= y, (int16_t)-(x[i] <= y[i]))

//: r_i16x8_ge_s
R_WHOLE2(r_i16x8_ge_s, r_i16x8, r_i16x8, 8, x >= y, (int16_t)-(x[i] >= y[i]))

//: r_i16x8_ge_u
R_WHOLE2(r_i16x8_ge_u, r_u16x8, r_i16x8, 8, x >= y, (int16_t)-(x[i] >= y[i]))

//: r_i16x8_neg
R_WHOLE1(r_i16x8_neg, r_u16x8, r_u16x8, 8, -x, (uint16_t)(0u - x[i]))

//: r_i16x8_abs
R_WHOLE1(r_i16x8_abs, r_i16x8, r_u16x8, 8, ((r_u16x8)x ^ (r_u16x8)(x >> 15)) - (r_u16x8)(x >> 15), (uint16_t)(x[i] < 0 ? 0u - (uint16_t)x[i] : (uint16_t)x[i]))

//: r_i16x8_add
R_WHOLE2(r_i16x8_add, r_u16x8, r_u16x8, 8, x + y, (uint16_t)(x[i] + y[i]))

//: r_i16x8_sub
R_WHOLE2(r_i16x8_sub, r_u16x8, r_u16x8, 8, x - y, (uint16_t)(x[i] - y[i]))

//: r_i16x8_mul
R_WHOLE2(r_i16x8_mul, r_u16x8, r_u16x8, 8, x * y, (uint16_t)(x[i] * 1u * y[i]))

//: r_i16x8_shl
R_SHIFT(r_i16x8_shl, r_u16x8, uint16_t, 8, <<)

//: r_i16x8_shr_u
R_SHIFT(r_i16x8_shr_u, r_u16x8, uint16_t, 8, >>)

//: r_i16x8_shr_s
R_SHIFT(r_i16x8_shr_s, r_i16x8, int16_t, 8, >>)

//: r_i16x8_all_true
R_ALL(r_i16x8_all_true, r_u16x8, 8)

//: r_i16x8_bitmask
R_BITMASK(r_i16x8_bitmask, r_i16x8, 8)

//: r_i16x8_min_s
R_WHOLE2(r_i16x8_min_s, r_i16x8, r_i16x8, 8, R_PICK(x < y, x, y), x[i] < y[i] ? x[i] : y[i])

//: r_i16x8_max_s
R_WHOLE2(r_i16x8_max_s, r_i16x8, r_i16x8, 8, R_PICK(x > y, x, y), x[i] > y[i] ? x[i] : y[i])

//: r_i16x8_min_u
R_WHOLE2(r_i16x8_min_u, r_u16x8, r_u16x8, 8, R_PICK(x < y, x, y), x[i] < y[i] ? x[i] : y[i])

//: r_i16x8_max_u
R_WHOLE2(r_i16x8_max_u, r_u16x8, r_u16x8, 8, R_PICK(x > y, x, y), x[i] > y[i] ? x[i] : y[i])

//: r_i16x8_add_sat_s
R_BINARY(r_i16x8_add_sat_s, r_i16x8, r_i16x8, 8, (int16_t)R_CLAMP(x[i] + y[i], -32768, 32767))

//: r_i16x8_add_sat_u
R_BINARY(r_i16x8_add_sat_u, r_u16x8, r_u16x8, 8, (uint16_t)R_CLAMP(x[i] + y[i], 0, 65535))

//: r_i16x8_sub_sat_s
R_BINARY(r_i16x8_sub_sat_s, r_i16x8, r_i16x8, 8, (int16_t)R_CLAMP(x[i] - y[i], -32768, 32767))

//: r_i16x8_sub_sat_u
R_BINARY(r_i16x8_sub_sat_u, r_u16x8, r_u16x8, 8, (uint16_t)R_CLAMP(x[i] - y[i], 0, 65535))

//: r_i16x8_avgr_u
R_BINARY(r_i16x8_avgr_u, r_u16x8, r_u16x8, 8, (uint16_t)((x[i] + y[i] + 1) >> 1))

//: r_i16x8_narrow_i32x4_s
R_BINARY(r_i16x8_narrow_i32x4_s, r_i32x4, r_i16x8, 8, (int16_t)R_CLAMP(i < 4 ? x[i % 4] : y[i % 4], -32768, 32767))

//: r_i16x8_narrow_i32x4_u
R_BINARY(r_i16x8_narrow_i32x4_u, r_i32x4, r_u16x8, 8, (uint16_t)R_CLAMP(i < 4 ? x[i % 4] : y[i % 4], 0, 65535))

//: r_i16x8_extend_low_i8x16_s
R_UNARY(r_i16x8_extend_low_i8x16_s, r_i8x16, r_i16x8, 8, x[i])

//: r_i16x8_extmul_low_i8x16_s
R_BINARY(r_i16x8_extmul_low_i8x16_s, r_i8x16, r_i16x8, 8, (int16_t)((int32_t)x[i] * y[i]))

//: r_i16x8_extend_low_i8x16_u
R_UNARY(r_i16x8_extend_low_i8x16_u, r_u8x16, r_u16x8, 8, x[i])

//: r_i16x8_extmul_low_i8x16_u
R_BINARY(r_i16x8_extmul_low_i8x16_u, r_u8x16, r_u16x8, 8, (uint16_t)((uint32_t)x[i] * y[i]))

//: r_i16x8_extend_high_i8x16_s
R_UNARY(r_i16x8_extend_high_i8x16_s, r_i8x16, r_i16x8, 8, x[i + 8])

//: r_i16x8_extmul_high_i8x16_s
R_BINARY(r_i16x8_extmul_high_i8x16_s, r_i8x16, r_i16x8, 8, (int16_t)((int32_t)x[i + 8] * y[i + 8]))

//: r_i16x8_extend_high_i8x16_u
R_UNARY(r_i16x8_extend_high_i8x16_u, r_u8x16, r_u16x8, 8, x[i + 8])

//: r_i16x8_extmul_high_i8x16_u
R_BINARY(r_i16x8_extmul_high_i8x16_u, r_u8x16, r_u16x8, 8, (uint16_t)((uint32_t)x[i + 8] * y[i + 8]))

//: r_i16x8_extadd_pairwise_i8x16_s
R_UNARY(r_i16x8_extadd_pairwise_i8x16_s, r_i8x16, r_i16x8, 8, (int16_t)(x[2 * i] + x[2 * i + 1]))

//: r_i16x8_extadd_pairwise_i8x16_u
R_UNARY(r_i16x8_extadd_pairwise_i8x16_u, r_u8x16, r_u16x8, 8, (uint16_t)(x[2 * i] + x[2 * i + 1]))

//: r_i32x4_splat
R_SPLAT(r_i32x4_splat, r_u32x4, uint32_t, uint32_t, l, l, l, l)

//: r_i32x4_extract_lane
R_EXTRACT(r_i32x4_extract_lane, r_u32x4, uint32_t)

//: r_i32x4_replace_lane
R_REPLACE(r_i32x4_replace_lane, r_u32x4, uint32_t, uint32_t)

//: r_i32x4_eq
R_WHOLE2(r_i32x4_eq, r_i32x4, r_i32x4, 4, x == y, (int32_t)-(x[i] == y[i]))

//: r_i32x4_ne
R_WHOLE2(r_i32x4_ne, r_i32x4, r_i32x4, 4, x != y, (int32_t)-(x[i] != y[i]))

//: r_i32x4_lt_s
R_WHOLE2(r_i32x4_lt_s, r_i32x4, r_i32x4, 4, x < y, (int32_t)-(x[i] < y[i]))

//: r_i32x4_lt_u
R_WHOLE2(r_i32x4_lt_u, r_u32x4, r_i32x4, 4, x < y, (int32_t)-(x[i] < y[i]))

//: r_i32x4_gt_s
R_WHOLE2(r_i32x4_gt_s, r_i32x4, r_i32x4, 4, x > y, (int32_t)-(x[i] > y[i]))

//: r_i32x4_gt_u
R_WHOLE2(r_i32x4_gt_u, r_u32x4, r_i32x4, 4, x > y, (int32_t)-(x[i] > y[i]))

//: r_i32x4_le_s
R_WHOLE2(r_i32x4_le_s, r_i32x4, r_i32x4, 4, x <= y, (int32_t)-(x[i] <= y[i]))

//: r_i32x4_le_u
R_WHOLE2(r_i32x4_le_u, r_u32x4, r_i32x4, 4, x <= y, (int32_t)-(x[i] <= y[i]))

//: r_i32x4_ge_s
R_WHOLE2(r_i32x4_ge_s, r_i32x4, r_i32x4, 4, x >= y, (int32_t)-(x[i] >= y[i]))

//: r_i32x4_ge_u
R_WHOLE2(r_i32x4_ge_u, r_u32x4, r_i32x4, 4, x >= y, (int32_t)-(x[i] >= y[i]))

//: r_i32x4_neg
R_WHOLE1(r_i32x4_neg, r_u32x4, r_u32x4, 4, -x, (uint32_t)(0u - x[i]))

//: r_i32x4_abs
R_WHOLE1(r_i32x4_abs, r_i32x4, r_u32x4, 4, ((r_u32x4)x ^ (r_u32x4)(x >> 31)) - (r_u32x4)(x >> 31), (uint32_t)(x[i] < 0 ? 0u - (uint32_t)x[i] : (uint32_t)x[i]))

//: r_i32x4_add
R_WHOLE2(r_i32x4_add, r_u32x4, r_u32x4, 4, x + y, (uint32_t)(x[i] + y[i]))

//: r_i32x4_sub
R_WHOLE2(r_i32x4_sub, r_u32x4, r_u32x4, 4, x - y, (uint32_t)(x[i] - y[i]))

//: r_i32x4_mul
R_WHOLE2(r_i32x4_mul, r_u32x4, r_u32x4, 4, x * y, (uint32_t)(x[i] * y[i]))

//: r_i32x4_shl
R_SHIFT(r_i32x4_shl, r_u32x4, uint32_t, 4, <<)

//: r_i32x4_shr_u
R_SHIFT(r_i32x4_shr_u, r_u32x4, uint32_t, 4, >>)

//: r_i32x4_shr_s
R_SHIFT(r_i32x4_shr_s, r_i32x4, int32_t, 4, >>)

//: r_i32x4_all_true
R_ALL(r_i32x4_all_true, r_u32x4, 4)

//: r_i32x4_bitmask
R_BITMASK(r_i32x4_bitmask, r_i32x4, 4)

//: r_i32x4_min_s
R_WHOLE2(r_i32x4_min_s, r_i32x4, r_i32x4, 4, R_PICK(x < y, x, y), x[i] < y[i] ? x[i] : y[i])

//: r_i32x4_max_s
R_WHOLE2(r_i32x4_max_s, r_i32x4, r_i32x4, 4, R_PICK(x > y, x, y), x[i] > y[i] ? x[i] : y[i])

//: r_i32x4_min_u
R_WHOLE2(r_i32x4_min_u, r_u32x4, r_u32x4, 4, R_PICK(x < y, x, y), x[i] < y[i] ? x[i] : y[i])

//: r_i32x4_max_u
R_WHOLE2(r_i32x4_max_u, r_u32x4, r_u32x4, 4, R_PICK(x > y, x, y), x[i] > y[i] ? x[i] : y[i])

//: r_i32x4_extend_low_i16x8_s
R_UNARY(r_i32x4_extend_low_i16x8_s, r_i16x8, r_i32x4, 4, x[i])

//: r_i32x4_extmul_low_i16x8_s
R_BINARY(r_i32x4_extmul_low_i16x8_s, r_i16x8, r_i32x4, 4, (int32_t)((int32_t)x[i] * y[i]))

//: r_i32x4_extend_low_i16x8_u
R_UNARY(r_i32x4_extend_low_i16x8_u, r_u16x8, r_u32x4, 4, x[i])

//: r_i32x4_extmul_low_i16x8_u
R_BINARY(r_i32x4_extmul_low_i16x8_u, r_u16x8, r_u32x4, 4, (uint32_t)((uint32_t)x[i] * y[i]))

//: r_i32x4_extend_high_i16x8_s
R_UNARY(r_i32x4_extend_high_i16x8_s, r_i16x8, r_i32x4, 4, x[i + 4])

//: r_i32x4_extmul_high_i16x8_s
R_BINARY(r_i32x4_extmul_high_i16x8_s, r_i16x8, r_i32x4, 4, (int32_t)((int32_t)x[i + 4] * y[i + 4]))

//: r_i32x4_extend_high_i16x8_u
R_UNARY(r_i32x4_extend_high_i16x8_u, r_u16x8, r_u32x4, 4, x[i + 4])

//: r_i32x4_extmul_high_i16x8_u
R_BINARY(r_i32x4_extmul_high_i16x8_u, r_u16x8, r_u32x4, 4, (uint32_t)((uint32_t)x[i + 4] * y[i + 4]))

//: r_i32x4_extadd_pairwise_i16x8_s
R_UNARY(r_i32x4_extadd_pairwise_i16x8_s, r_i16x8, r_i32x4, 4, (int32_t)(x[2 * i] + x[2 * i + 1]))

//: r_i32x4_extadd_pairwise_i16x8_u
R_UNARY(r_i32x4_extadd_pairwise_i16x8_u, r_u16x8, r_u32x4, 4, (uint32_t)(x[2 * i] + x[2 * i + 1]))

//: r_i64x2_splat
R_SPLAT(r_i64x2_splat, r_u64x2, uint64_t, uint64_t, l, l)

//: r_i64x2_extract_lane
R_EXTRACT(r_i64x2_extract_lane, r_u64x2, uint64_t)

//: r_i64x2_replace_lane
R_REPLACE(r_i64x2_replace_lane, r_u64x2, uint64_t, uint64_t)

//: r_i64x2_eq
R_WHOLE2(r_i64x2_eq, r_i64x2, r_i64x2, 2, x == y, (int64_t)-(x[i] == y[i]))

//: r_i64x2_ne
R_WHOLE2(r_i64x2_ne, r_i64x2, r_i64x2, 2, x != y, (int64_t)-(x[i] != y[i]))

//: r_i64x2_lt_s
R_WHOLE2(r_i64x2_lt_s, r_i64x2, r_i64x2, 2, x < y, (int64_t)-(x[i] < y[i]))

//: r_i64x2_gt_s
R_WHOLE2(r_i64x2_gt_s, r_i64x2, r_i64x2, 2, x > y, (int64_t)-(x[i] > y[i]))

//: r_i64x2_le_s
R_WHOLE2(r_i64x2_le_s, r_i64x2, r_i64x2, 2, x <= y, (int64_t)-(x[i] <= y[i]))

//: r_i64x2_ge_s
R_WHOLE2(r_i64x2_ge_s, r_i64x2, r_i64x2, 2, x >= y, (int64_t)-(x[i] >= y[i]))

//: r_i64x2_neg
R_WHOLE1(r_i64x2_neg, r_u64x2, r_u64x2, 2, -x, (uint64_t)(0u - x[i]))

//: r_i64x2_abs
R_WHOLE1(r_i64x2_abs, r_i64x2, r_u64x2, 2, ((r_u64x2)x ^ (r_u64x2)(x >> 63)) - (r_u64x2)(x >> 63), (uint64_t)(x[i] < 0 ? 0u - (uint64_t)x[i] : (uint64_t)x[i]))

//: r_i64x2_add
R_WHOLE2(r_i64x2_add, r_u64x2, r_u64x2, 2, x + y, (uint64_t)(x[i] + y[i]))

//: r_i64x2_sub
R_WHOLE2(r_i64x2_sub, r_u64x2, r_u64x2, 2, x - y, (uint64_t)(x[i] - y[i]))

//: r_i64x2_mul
R_WHOLE2(r_i64x2_mul, r_u64x2, r_u64x2, 2, x * y, (uint64_t)(x[i] * y[i]))

//: r_i64x2_shl
R_SHIFT(r_i64x2_shl, r_u64x2, uint64_t, 2, <<)

//: r_i64x2_shr_u
R_SHIFT(r_i64x2_shr_u, r_u64x2, uint64_t, 2, >>)

//: r_i64x2_shr_s
R_SHIFT(r_i64x2_shr_s, r_i64x2, int64_t, 2, >>)

//: r_i64x2_all_true
R_ALL(r_i64x2_all_true, r_u64x2, 2)

//: r_i64x2_bitmask
R_BITMASK(r_i64x2_bitmask, r_i64x2, 2)

//: r_i64x2_extend_low_i32x4_s
R_UNARY(r_i64x2_extend_low_i32x4_s, r_i32x4, r_i64x2, 2, x[i])

//: r_i64x2_extmul_low_i32x4_s
R_BINARY(r_i64x2_extmul_low_i32x4_s, r_i32x4, r_i64x2, 2, (int64_t)((int64_t)x[i] * y[i]))

//: r_i64x2_extend_low_i32x4_u
R_UNARY(r_i64x2_extend_low_i32x4_u, r_u32x4, r_u64x2, 2, x[i])

//: r_i64x2_extmul_low_i32x4_u
R_BINARY(r_i64x2_extmul_low_i32x4_u, r_u32x4, r_u64x2, 2, (uint64_t)((uint64_t)x[i] * y[i]))

//: r_i64x2_extend_high_i32x4_s
R_UNARY(r_i64x2_extend_high_i32x4_s, r_i32x4, r_i64x2, 2, x[i + 2])

//: r_i64x2_extmul_high_i32x4_s
R_BINARY(r_i64x2_extmul_high_i32x4_s, r_i32x4, r_i64x2, 2, (int64_t)((int64_t)x[i + 2] * y[i + 2]))

//: r_i64x2_extend_high_i32x4_u
R_UNARY(r_i64x2_extend_high_i32x4_u, r_u32x4, r_u64x2, 2, x[i + 2])

//: r_i64x2_extmul_high_i32x4_u
R_BINARY(r_i64x2_extmul_high_i32x4_u, r_u32x4, r_u64x2, 2, (uint64_t)((uint64_t)x[i + 2] * y[i + 2]))

//: r_i8x16_popcnt
R_UNARY(r_i8x16_popcnt, r_u8x16, r_u8x16, 16, (uint8_t)r_i32_popcnt(x[i]))

//: r_i16x8_q15mulr_sat_s
R_BINARY(r_i16x8_q15mulr_sat_s, r_i16x8, r_i16x8, 8, (int16_t)R_CLAMP((x[i] * y[i] + 0x4000) >> 15, -32768, 32767))

//: r_i32x4_dot_i16x8_s
R_BINARY(r_i32x4_dot_i16x8_s, r_i16x8, r_u32x4, 4, (uint32_t)(x[2 * i] * y[2 * i]) + (uint32_t)(x[2 * i + 1] * y[2 * i + 1]))

//: r_i8x16_swizzle
R_BINARY(r_i8x16_swizzle, r_u8x16, r_u8x16, 16, y[i] < 16 ? x[y[i] & 15] : 0)

//: r_i8x16_shuffle
#if R_VECTORS && (defined(__clang__) || __GNUC__ >= 12)
#define r_i8x16_shuffle(a, b, ...) ((r_v128)__builtin_shufflevector((r_u8x16)(a), (r_u8x16)(b), __VA_ARGS__))
#else
#define r_i8x16_shuffle(a, b, ...) r_shuffle(a, b, (const uint8_t[16]){__VA_ARGS__})
R_INLINE r_v128 r_shuffle(r_v128 a, r_v128 b, const uint8_t *lanes) {
    R_TAKE(r_u8x16, x, a);
    R_TAKE(r_u8x16, y, b);
    r_u8x16 r = {0};
    R_EACH(16) r[i] = lanes[i] < 16 ? x[lanes[i] & 15] : y[lanes[i] & 15];
    R_GIVE(r);
}
#endif

//: r_f32x4_splat
R_SPLAT(r_f32x4_splat, r_f32x4, float, float, l, l, l, l)

//: r_f32x4_extract_lane
R_EXTRACT(r_f32x4_extract_lane, r_f32x4, float)

//: r_f32x4_replace_lane
R_REPLACE(r_f32x4_replace_lane, r_f32x4, float, float)

//: r_f32x4_eq
R_WHOLE2(r_f32x4_eq, r_f32x4, r_i32x4, 4, x == y, (int32_t)-(x[i] == y[i]))

//: r_f32x4_ne
R_WHOLE2(r_f32x4_ne, r_f32x4, r_i32x4, 4, x != y, (int32_t)-(x[i] != y[i]))

//: r_f32x4_lt
R_WHOLE2(r_f32x4_lt, r_f32x4, r_i32x4, 4, x < y, (int32_t)-(x[i] < y[i]))

//: r_f32x4_gt
R_WHOLE2(r_f32x4_gt, r_f32x4, r_i32x4, 4, x > y, (int32_t)-(x[i] > y[i]))

//: r_f32x4_le
R_WHOLE2(r_f32x4_le, r_f32x4, r_i32x4, 4, x <= y, (int32_t)-(x[i] <= y[i]))

//: r_f32x4_ge
R_WHOLE2(r_f32x4_ge, r_f32x4, r_i32x4, 4, x >= y, (int32_t)-(x[i] >= y[i]))

//: r_f32x4_add
R_WHOLE2(r_f32x4_add, r_f32x4, r_f32x4, 4, x + y, x[i] + y[i])

//: r_f32x4_sub
R_WHOLE2(r_f32x4_sub, r_f32x4, r_f32x4, 4, x - y, x[i] - y[i])

//: r_f32x4_mul
R_WHOLE2(r_f32x4_mul, r_f32x4, r_f32x4, 4, x * y, x[i] * y[i])

//: r_f32x4_div
R_WHOLE2(r_f32x4_div, r_f32x4, r_f32x4, 4, x / y, x[i] / y[i])

//: r_f32x4_neg
R_WHOLE1(r_f32x4_neg, r_f32x4, r_f32x4, 4, (r_u32x4)x ^ (0x80000000u), -x[i])

//: r_f32x4_abs
R_WHOLE1(r_f32x4_abs, r_f32x4, r_f32x4, 4, (r_u32x4)x & (0x7fffffffu), r_f32_abs(x[i]))

//: r_f32x4_ceil
R_UNARY(r_f32x4_ceil, r_f32x4, r_f32x4, 4, r_f32_ceil(x[i]))

//: r_f32x4_floor
R_UNARY(r_f32x4_floor, r_f32x4, r_f32x4, 4, r_f32_floor(x[i]))

//: r_f32x4_trunc
R_UNARY(r_f32x4_trunc, r_f32x4, r_f32x4, 4, r_f32_trunc(x[i]))

//: r_f32x4_nearest
R_UNARY(r_f32x4_nearest, r_f32x4, r_f32x4, 4, r_f32_nearest(x[i]))

//: r_f32x4_sqrt
R_UNARY(r_f32x4_sqrt, r_f32x4, r_f32x4, 4, r_f32_sqrt(x[i]))

//: r_f32x4_min
R_WHOLE2(r_f32x4_min, r_f32x4, r_f32x4, 4, R_PICK(x < y, x, R_PICK(y < x, y, R_PICK(x != y, x + y, (r_u32x4)x | (r_u32x4)y))), r_f32_min(x[i], y[i]))

//: r_f32x4_max
R_WHOLE2(r_f32x4_max, r_f32x4, r_f32x4, 4, R_PICK(x > y, x, R_PICK(y > x, y, R_PICK(x != y, x + y, (r_u32x4)x & (r_u32x4)y))), r_f32_max(x[i], y[i]))

//: r_f32x4_pmin
R_WHOLE2(r_f32x4_pmin, r_f32x4, r_f32x4, 4, R_PICK(y < x, y, x), y[i] < x[i] ? y[i] : x[i])

//: r_f32x4_pmax
R_WHOLE2(r_f32x4_pmax, r_f32x4, r_f32x4, 4, R_PICK(x < y, y, x), x[i] < y[i] ? y[i] : x[i])

//: r_f64x2_splat
R_SPLAT(r_f64x2_splat, r_f64x2, double, double, l, l)

//: r_f64x2_extract_lane
R_EXTRACT(r_f64x2_extract_lane, r_f64x2, double)

//: r_f64x2_replace_lane
R_REPLACE(r_f64x2_replace_lane, r_f64x2, double, double)

//: r_f64x2_eq
R_WHOLE2(r_f64x2_eq, r_f64x2, r_i64x2, 2, x == y, (int64_t)-(x[i] == y[i]))

//: r_f64x2_ne
R_WHOLE2(r_f64x2_ne, r_f64x2, r_i64x2, 2, x != y, (int64_t)-(x[i] != y[i]))

//: r_f64x2_lt
R_WHOLE2(r_f64x2_lt, r_f64x2, r_i64x2, 2, x < y, (int64_t)-(x[i] < y[i]))

//: r_f64x2_gt
R_WHOLE2(r_f64x2_gt, r_f64x2, r_i64x2, 2, x > y, (int64_t)-(x[i] > y[i]))

//: r_f64x2_le
R_WHOLE2(r_f64x2_le, r_f64x2, r_i64x2, 2, x <= y, (int64_t)-(x[i] <= y[i]))

//: r_f64x2_ge
R_WHOLE2(r_f64x2_ge, r_f64x2, r_i64x2, 2, x >= y, (int64_t)-(x[i] >= y[i]))

//: r_f64x2_add
R_WHOLE2(r_f64x2_add, r_f64x2, r_f64x2, 2, x + y, x[i] + y[i])

//: r_f64x2_sub
R_WHOLE2(r_f64x2_sub, r_f64x2, r_f64x2, 2, x - y, x[i] - y[i])

//: r_f64x2_mul
R_WHOLE2(r_f64x2_mul, r_f64x2, r_f64x2, 2, x * y, x[i] * y[i])

//: r_f64x2_div
R_WHOLE2(r_f64x2_div, r_f64x2, r_f64x2, 2, x / y, x[i] / y[i])

//: r_f64x2_neg
R_WHOLE1(r_f64x2_neg, r_f64x2, r_f64x2, 2, (r_u64x2)x ^ (UINT64_C(1) << 63), -x[i])

//: r_f64x2_abs
R_WHOLE1(r_f64x2_abs, r_f64x2, r_f64x2, 2, (r_u64x2)x & ((uint64_t)INT64_MAX), r_f64_abs(x[i]))

//: r_f64x2_ceil
R_UNARY(r_f64x2_ceil, r_f64x2, r_f64x2, 2, r_f64_ceil(x[i]))

//: r_f64x2_floor
R_UNARY(r_f64x2_floor, r_f64x2, r_f64x2, 2, r_f64_floor(x[i]))

//: r_f64x2_trunc
R_UNARY(r_f64x2_trunc, r_f64x2, r_f64x2, 2, r_f64_trunc(x[i]))

//: r_f64x2_nearest
R_UNARY(r_f64x2_nearest, r_f64x2, r_f64x2, 2, r_f64_nearest(x[i]))

//: r_f64x2_sqrt
R_UNARY(r_f64x2_sqrt, r_f64x2, r_f64x2, 2, r_f64_sqrt(x[i]))

//: r_f64x2_min
R_WHOLE2(r_f64x2_min, r_f64x2, r_f64x2, 2, R_PICK(x < y, x, R_PICK(y < x, y, R_PICK(x != y, x + y, (r_u64x2)x | (r_u64x2)y))), r_f64_min(x[i], y[i]))

//: r_f64x2_max
R_WHOLE2(r_f64x2_max, r_f64x2, r_f64x2, 2, R_PICK(x > y, x, R_PICK(y > x, y, R_PICK(x != y, x + y, (r_u64x2)x & (r_u64x2)y))), r_f64_max(x[i], y[i]))

//: r_f64x2_pmin
R_WHOLE2(r_f64x2_pmin, r_f64x2, r_f64x2, 2, R_PICK(y < x, y, x), y[i] < x[i] ? y[i] : x[i])

//: r_f64x2_pmax
R_WHOLE2(r_f64x2_pmax, r_f64x2, r_f64x2, 2, R_PICK(x < y, y, x), x[i] < y[i] ? y[i] : x[i])

//: r_i32x4_trunc_sat_f32x4_s
R_UNARY(r_i32x4_trunc_sat_f32x4_s, r_f32x4, r_u32x4, 4, r_i32_trunc_sat_f32_s(x[i]))

//: r_f32x4_convert_i32x4_s
R_UNARY(r_f32x4_convert_i32x4_s, r_i32x4, r_f32x4, 4, (float)x[i])

//: r_i32x4_trunc_sat_f64x2_s_zero
R_UNARY(r_i32x4_trunc_sat_f64x2_s_zero, r_f64x2, r_u32x4, 2, r_i32_trunc_sat_f64_s(x[i]))

//: r_f64x2_convert_low_i32x4_s
R_UNARY(r_f64x2_convert_low_i32x4_s, r_i32x4, r_f64x2, 2, (double)x[i])

//: r_i32x4_trunc_sat_f32x4_u
R_UNARY(r_i32x4_trunc_sat_f32x4_u, r_f32x4, r_u32x4, 4, r_i32_trunc_sat_f32_u(x[i]))

//: r_f32x4_convert_i32x4_u
R_UNARY(r_f32x4_convert_i32x4_u, r_u32x4, r_f32x4, 4, (float)x[i])

//: r_i32x4_trunc_sat_f64x2_u_zero
R_UNARY(r_i32x4_trunc_sat_f64x2_u_zero, r_f64x2, r_u32x4, 2, r_i32_trunc_sat_f64_u(x[i]))

//: r_f64x2_convert_low_i32x4_u
R_UNARY(r_f64x2_convert_low_i32x4_u, r_u32x4, r_f64x2, 2, (double)x[i])

//: r_f32x4_demote_f64x2_zero
R_UNARY(r_f32x4_demote_f64x2_zero, r_f64x2, r_f32x4, 2, (float)x[i])

//: r_f64x2_promote_low_f32x4
R_UNARY(r_f64x2_promote_low_f32x4, r_f32x4, r_f64x2, 2, (double)x[i])

//: R_WIDEN
#define R_WIDEN(name, T, V, n)                  \
    R_INLINE r_v128 name(const uint8_t *p) {    \
        T x[n];                                 \
        V r = {0}; /* R_TAKE has the types */   \
        R_COPY(x, p, 8);                        \
        R_EACH(n) r[i] = x[i];                  \
        R_GIVE(r);                              \
    }

//: r_v128_load8x8_s
R_WIDEN(r_v128_load8x8_s, int8_t, r_i16x8, 8)

//: r_v128_load8x8_u
R_WIDEN(r_v128_load8x8_u, uint8_t, r_u16x8, 8)

//: r_v128_load16x4_s
R_WIDEN(r_v128_load16x4_s, int16_t, r_i32x4, 4)

//: r_v128_load16x4_u
R_WIDEN(r_v128_load16x4_u, uint16_t, r_u32x4, 4)

//: r_v128_load32x2_s
R_WIDEN(r_v128_load32x2_s, int32_t, r_i64x2, 2)

//: r_v128_load32x2_u
R_WIDEN(r_v128_load32x2_u, uint32_t, r_u64x2, 2)

//: r_v128_load8_splat
#define r_v128_load8_splat(p) r_i8x16_splat(r_load8(p))

//: r_v128_load8_lane
#define r_v128_load8_lane(p, v, lane) r_i8x16_replace_lane(v, r_load8(p), lane)

//: r_v128_store8_lane
#define r_v128_store8_lane(p, v, lane) r_i32_store8(p, r_i8x16_extract_lane_u(v, lane))

//: r_v128_load16_splat
#define r_v128_load16_splat(p) r_i16x8_splat(r_load16(p))

//: r_v128_load16_lane
#define r_v128_load16_lane(p, v, lane) r_i16x8_replace_lane(v, r_load16(p), lane)

//: r_v128_store16_lane
#define r_v128_store16_lane(p, v, lane) r_i32_store16(p, r_i16x8_extract_lane_u(v, lane))

//: r_v128_load32_splat
#define r_v128_load32_splat(p) r_i32x4_splat(r_i32_load(p))

//: r_v128_load32_lane
#define r_v128_load32_lane(p, v, lane) r_i32x4_replace_lane(v, r_i32_load(p), lane)

//: r_v128_store32_lane
#define r_v128_store32_lane(p, v, lane) r_i32_store(p, r_i32x4_extract_lane(v, lane))

//: r_v128_load64_splat
#define r_v128_load64_splat(p) r_i64x2_splat(r_i64_load(p))

//: r_v128_load64_lane
#define r_v128_load64_lane(p, v, lane) r_i64x2_replace_lane(v, r_i64_load(p), lane)

//: r_v128_store64_lane
#define r_v128_store64_lane(p, v, lane) r_i64_store(p, r_i64x2_extract_lane(v, lane))

//: r_v128_load32_zero
#define r_v128_load32_zero(p) r_v128_const(r_i32_load(p), 0)

//: r_v128_load64_zero
#define r_v128_load64_zero(p) r_v128_const(r_i64_load(p), 0)
