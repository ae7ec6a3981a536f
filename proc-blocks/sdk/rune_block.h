/* What a processing block of Rune is written with in C. The contract is docs/abi.md.
 *
 *   clang --target=wasm32 -mcpu=mvp -mmutable-globals -msign-ext -mnontrapping-fptoint -mbulk-memory \
 *     -Os -ffreestanding -nostdlib -Wl,--no-entry,--gc-sections,--emit-relocs -o block.wasm block.c
 */
#ifndef RUNE_BLOCK_H
#define RUNE_BLOCK_H

#include <stdint.h>

/* Section `rune.block`: the signature, TOML in one string literal or several. */
#define RUNE_BLOCK(...) \
    __asm__(".section .custom_section.rune.block,\"\",@\n.ascii " #__VA_ARGS__ "\n.text\n")

/* Before the definitions of `int32_t x(...)` that are the exports. */
#define RUNE_INIT __attribute__((export_name("init")))
#define RUNE_RUN __attribute__((export_name("run")))
/* RUNE_RUN_AS("f32") is the export run.f32. */
#define RUNE_RUN_AS(types) __attribute__((export_name("run." types)))

/* What `run` returns, or one of the faults. */
enum { RUNE_OUTPUT = 0, RUNE_NOTHING = 1 };
enum { RUNE_BAD_VALUE = -3, RUNE_OUT_OF_RANGE = -4, RUNE_FAULT = -5 };

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

/* The context of `init`. */
typedef struct {
    const rune_arg *args;
    uint32_t arg_count;
    const rune_type *types; /* inputs, then outputs */
    uint32_t input_count, output_count;
    char *frozen, *frozen_end;
    char *state, *state_end;
    const char *message;
    uint32_t message_length;
    uint32_t scratch; /* bytes `run` needs; the block sets it */
} rune_context;

_Static_assert(sizeof(rune_context) == 48 && sizeof(rune_arg) == 16 && sizeof(rune_type) == 16 &&
                   sizeof(rune_tensor) == 8 && sizeof(rune_text) == 8,
               "the records of docs/abi.md");

static inline void *rune_take(char **next, char *end, uint32_t bytes)
{
    uint32_t address = ((uint32_t)*next + 15) & ~15u;
    if (address > (uint32_t)end || bytes > (uint32_t)end - address)
        __builtin_trap();
    *next = (char *)(address + bytes);
    return (void *)address;
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

/* `return rune_refuse(context, "...")`: why there can be no instance, in one sentence. */
#define rune_refuse(context, sentence) \
    ((context)->message = (sentence), (context)->message_length = sizeof(sentence) - 1, (void *)0)

#endif
