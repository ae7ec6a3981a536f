The parts of the runtime for memory. `R_AT` comes with the mode (src/unit.rs); the machine is little-endian.

//: r_load8
R_INLINE uint32_t r_load8(const uint8_t *p) { return *p; }

//: r_load16
R_INLINE uint32_t r_load16(const uint8_t *p) {
    uint16_t v;
    R_COPY(&v, p, 2);
    return v;
}

//: r_i32_load
R_INLINE uint32_t r_i32_load(const uint8_t *p) {
    uint32_t v;
    R_COPY(&v, p, 4);
    return v;
}

//: r_i64_load
R_INLINE uint64_t r_i64_load(const uint8_t *p) {
    uint64_t v;
    R_COPY(&v, p, 8);
    return v;
}

//: r_f32_load
R_INLINE float r_f32_load(const uint8_t *p) {
    float v;
    R_COPY(&v, p, 4);
    return v;
}

//: r_f64_load
R_INLINE double r_f64_load(const uint8_t *p) {
    double v;
    R_COPY(&v, p, 8);
    return v;
}

//: r_i32_load8_u
#define r_i32_load8_u(p) r_load8(p)

//: r_i32_load8_s
#define r_i32_load8_s(p) ((uint32_t)(int32_t)(int8_t)r_load8(p))

//: r_i32_load16_u
#define r_i32_load16_u(p) r_load16(p)

//: r_i32_load16_s
#define r_i32_load16_s(p) ((uint32_t)(int32_t)(int16_t)r_load16(p))

//: r_i64_load8_u
#define r_i64_load8_u(p) ((uint64_t)r_load8(p))

//: r_i64_load8_s
#define r_i64_load8_s(p) ((uint64_t)(int64_t)(int8_t)r_load8(p))

//: r_i64_load16_u
#define r_i64_load16_u(p) ((uint64_t)r_load16(p))

//: r_i64_load16_s
#define r_i64_load16_s(p) ((uint64_t)(int64_t)(int16_t)r_load16(p))

//: r_i64_load32_u
#define r_i64_load32_u(p) ((uint64_t)r_i32_load(p))

//: r_i64_load32_s
#define r_i64_load32_s(p) ((uint64_t)(int64_t)(int32_t)r_i32_load(p))

//: r_i32_store8
R_INLINE void r_i32_store8(uint8_t *p, uint32_t v) { *p = (uint8_t)v; }

//: r_i32_store16
R_INLINE void r_i32_store16(uint8_t *p, uint32_t v) {
    const uint16_t low = (uint16_t)v;
    R_COPY(p, &low, 2);
}

//: r_i32_store
R_INLINE void r_i32_store(uint8_t *p, uint32_t v) { R_COPY(p, &v, 4); }

//: r_i64_store
R_INLINE void r_i64_store(uint8_t *p, uint64_t v) { R_COPY(p, &v, 8); }

//: r_f32_store
R_INLINE void r_f32_store(uint8_t *p, float v) { R_COPY(p, &v, 4); }

//: r_f64_store
R_INLINE void r_f64_store(uint8_t *p, double v) { R_COPY(p, &v, 8); }

//: r_i64_store8
#define r_i64_store8(p, v) r_i32_store8(p, (uint32_t)(v))

//: r_i64_store16
#define r_i64_store16(p, v) r_i32_store16(p, (uint32_t)(v))

//: r_i64_store32
#define r_i64_store32(p, v) r_i32_store(p, (uint32_t)(v))

//: r_within
/* Of whole ranges, whose check costs little beside them. */
R_INLINE void r_within(r_context *c, uint32_t a, uint32_t n) {
    if (R_UNLIKELY((uint64_t)a + n > R_SIZE(c))) r_trap(c, R_MEMORY);
}

//: r_memory_copy
R_INLINE void r_memory_copy(r_context *c, uint8_t *m, uint32_t to, uint32_t from, uint32_t n) {
    r_within(c, from, n);
    r_within(c, to, n);
    if (n != 0) memmove(m + to, m + from, n);
}

//: r_memory_copy_constants
/* From the second memory. */
R_INLINE void r_memory_copy_constants(r_context *c, uint8_t *m, uint32_t to, uint32_t from, uint32_t n) {
    if (R_UNLIKELY((uint64_t)from + n > R_CONSTANT_SIZE)) r_trap(c, R_MEMORY);
    r_within(c, to, n);
    if (n != 0) memcpy(m + to, r_constants + from, n);
}

//: r_memory_fill
R_INLINE void r_memory_fill(r_context *c, uint8_t *m, uint32_t to, uint32_t value, uint32_t n) {
    r_within(c, to, n);
    if (n != 0) memset(m + to, (int)(value & 255u), n);
}

//: r_memory_init
R_INLINE void r_memory_init(r_context *c, uint8_t *m, const uint8_t *data, uint32_t length, uint32_t to,
                            uint32_t from, uint32_t n) {
    if (R_UNLIKELY((uint64_t)from + n > length)) r_trap(c, R_MEMORY);
    r_within(c, to, n);
    if (n != 0) R_COPY(m + to, data + from, n);
}

//: r_memory_init_none
/* Of a segment that is in memory since the start nothing is left. */
R_INLINE void r_memory_init_none(r_context *c, uint32_t to, uint32_t from, uint32_t n) {
    if (R_UNLIKELY(from != 0 || n != 0)) r_trap(c, R_MEMORY);
    r_within(c, to, 0);
}

//: r_memory_grow
static uint32_t r_memory_grow(r_context *c, uint32_t pages) {
    const uint32_t before = c->memory_bytes;
    const uint64_t after = before + ((uint64_t)pages << 16);
    if (after > (uint64_t)R_MOST_PAGES << 16 || after > c->memory_capacity) return UINT32_MAX;
    if (pages != 0) memset(c->memory + before, 0, (size_t)(after - before));
    c->memory_bytes = (uint32_t)after;
    return before >> 16;
}
