/* What a processing block of Rune is written with in C11 and C++17. The contract is docs/abi.md.
 *
 * `runec build` compiles a folder with a block; by hand it is, with this folder as SDK,
 *
 *   clang --target=wasm32 -mcpu=mvp -mmutable-globals -msign-ext -mnontrapping-fptoint -mbulk-memory \
 *     -O2 -ffreestanding -ffp-contract=off -ISDK -c block.c
 *   wasm-ld --no-entry --gc-sections --emit-relocs -o block.wasm block.o SDK/lib/librune_block.a
 *
 * and for C++ also -std=c++17 -fno-exceptions -fno-rtti -fno-threadsafe-statics. <string.h>, <math.h> and
 * <stdlib.h> of this folder have what the library has. On the host the same code runs under rune_block_test.h.
 */
#ifndef RUNE_BLOCK_H
#define RUNE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __wasm__

/* Section `rune.block`: the signature, TOML in one string literal or several. */
#define RUNE_BLOCK(...) \
    __asm__(".section .custom_section.rune.block,\"\",@\n.ascii " #__VA_ARGS__ "\n.text\n")

/* Before the definitions of `void *init(rune_context *)` and `int32_t run(...)`, which are the exports. */
#define RUNE_INIT __attribute__((export_name("init")))
#define RUNE_RUN __attribute__((export_name("run")))
/* RUNE_RUN_AS("f32") is the export run.f32. */
#define RUNE_RUN_AS(types) __attribute__((export_name("run." types)))
/* Before `int32_t shape(rune_context *)`, for outputs of type T[?]: writes rank and dims (room for 8) of
 * each such output to its rune_type and returns 1, or 0 after rune_refuse. */
#define RUNE_SHAPE __attribute__((export_name("shape")))

#else

#define RUNE_BLOCK(...) static const char RUNE_SIGNATURE[] __attribute__((unused)) = __VA_ARGS__
#define RUNE_INIT
#define RUNE_RUN
#define RUNE_RUN_AS(types)
#define RUNE_SHAPE

#endif

/* What `run` returns, or one of the faults. */
enum {
    RUNE_OUTPUT = 0,
    RUNE_NOTHING = 1,
    RUNE_BAD_VALUE = -3,
    RUNE_OUT_OF_RANGE = -4,
    RUNE_FAULT = -5
};

/* Tags of element types. */
enum {
    RUNE_U8 = 1, RUNE_I8, RUNE_U16, RUNE_I16, RUNE_U32, RUNE_I32,
    RUNE_U64, RUNE_I64, RUNE_F32, RUNE_F64, RUNE_UTF8
};

/* A string: an element of a UTF8 tensor, an item of a list. Not terminated by zero. */
typedef struct {
    const char *address;
    uint32_t length;
} rune_text;

/* Tags of arguments. A bool is the integer 0 or 1. */
enum { RUNE_INTEGER = 0, RUNE_FLOAT, RUNE_STRING, RUNE_STRINGS, RUNE_BYTES };

typedef struct {
    uint32_t tag;
    uint32_t length; /* bytes of a text, items of a list */
    union {
        int64_t integer;
        double number;
        const char *text;
        const rune_text *texts;
        const uint8_t *bytes;
    };
} rune_arg;

typedef struct {
    uint32_t element;
    uint32_t rank;
    const uint32_t *dims;
    uint32_t bounds; /* bit i: dimension i is a bound */
} rune_type;

/* An input or output of a call; an output's count is the room there is. */
typedef struct {
    void *address;
    uint32_t count;
} rune_tensor;

/* The context of `init` and `shape`. */
typedef struct {
    const rune_arg *args; /* in the order of the signature, defaults filled in */
    uint32_t arg_count;
    rune_type *types; /* inputs, then outputs */
    uint32_t input_count, output_count;
    char *frozen, *frozen_end;
    char *state, *state_end;
    const char *message;
    uint32_t message_length;
    uint32_t scratch; /* bytes `run` needs, a multiple of 16; the block sets it */
    uint32_t freed;   /* list of freed ranges of the frozen arena; 0: nothing was freed */
} rune_context;

#ifdef __wasm__
#ifdef __cplusplus
#define RUNE_ASSERT static_assert
#else
#define RUNE_ASSERT _Static_assert
#endif
RUNE_ASSERT(sizeof(rune_context) == 52 && sizeof(rune_arg) == 16 && sizeof(rune_type) == 16 &&
                sizeof(rune_tensor) == 8 && sizeof(rune_text) == 8,
            "the records of docs/abi.md");
#endif

static inline void *rune_take(char **next, char *end, uint32_t bytes)
{
    uintptr_t address = ((uintptr_t)*next + 15) & ~(uintptr_t)15;
    if (address > (uintptr_t)end || bytes > (uintptr_t)end - address)
        __builtin_trap();
    char *taken = *next + (address - (uintptr_t)*next);
    *next = taken + bytes;
    return taken;
}

/* Zeroed memory that is only read after `init`; the instance lies here. */
static inline void *rune_frozen(rune_context *context, uint32_t bytes)
{
    return rune_take(&context->frozen, context->frozen_end, bytes);
}

/* Zeroed memory that `run` may change. */
static inline void *rune_state(rune_context *context, uint32_t bytes)
{
    return rune_take(&context->state, context->state_end, bytes);
}

#ifdef __cplusplus
/* The same for `count` objects, all of whose bytes are zero. */
template <typename T> static inline T *rune_frozen(rune_context *context, uint32_t count = 1)
{
    static_assert(alignof(T) <= 16, "memory is aligned to 16");
    if (count > UINT32_MAX / sizeof(T))
        __builtin_trap();
    return static_cast<T *>(rune_frozen(context, static_cast<uint32_t>(count * sizeof(T))));
}

template <typename T> static inline T *rune_state(rune_context *context, uint32_t count = 1)
{
    static_assert(alignof(T) <= 16, "memory is aligned to 16");
    if (count > UINT32_MAX / sizeof(T))
        __builtin_trap();
    return static_cast<T *>(rune_state(context, static_cast<uint32_t>(count * sizeof(T))));
}
#endif

/* How many elements a tensor of this type has room for. */
static inline uint32_t rune_count(const rune_type *type)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < type->rank; i++)
        count *= type->dims[i];
    return count;
}

/* `return rune_refuse(context, "...")`: why there can be no instance, in one sentence. */
#define rune_refuse(context, sentence) rune_refuse_text((context), (sentence), sizeof(sentence) - 1)

static inline void *rune_refuse_text(rune_context *context, const char *text, uint32_t length)
{
    context->message = text;
    context->message_length = length;
    return NULL;
}

#endif
