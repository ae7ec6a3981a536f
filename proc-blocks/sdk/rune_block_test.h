/* Runs a block on the host: `cc -ISDK -o test block.c test.c -lm && ./test`, the same with c++.
 *
 *   rune_arg args[] = {rune_test_number(2.5)};
 *   uint32_t dims[] = {3};
 *   rune_type types[] = {rune_test_type(RUNE_F32, 1, dims), rune_test_type(RUNE_F32, 1, dims)};
 *   rune_test test = rune_test_init(init, args, 1, types, 1, 1);
 *   float in[] = {1, 2, 3}, out[3];
 *   rune_tensor inputs[] = {{in, 3}}, outputs[] = {{out, 3}};
 *   RUNE_CHECK(run(test.instance, rune_test_scratch(&test), inputs, outputs) == RUNE_OUTPUT);
 */
#ifndef RUNE_BLOCK_TEST_H
#define RUNE_BLOCK_TEST_H

#include "rune_block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the test, with the line, if the condition does not hold. */
#define RUNE_CHECK(condition) \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), exit(1)))

/* Bytes of each arena. */
#define RUNE_TEST_ARENA ((size_t)1 << 20)

/* What an `init` made: `instance` is null and `context.message` says why if it refused. */
typedef struct {
    void *instance;
    rune_context context;
    void *scratch;
} rune_test;

static inline void *rune_test_zeros(size_t bytes)
{
    char *zeros = (char *)calloc(bytes + 16, 1);
    if (!zeros)
        abort();
    return zeros + (16 - (uintptr_t)zeros % 16) % 16;
}

static inline rune_arg rune_test_integer(int64_t integer)
{
    rune_arg arg;
    memset(&arg, 0, sizeof arg);
    arg.tag = RUNE_INTEGER;
    arg.integer = integer;
    return arg;
}

static inline rune_arg rune_test_number(double number)
{
    rune_arg arg;
    memset(&arg, 0, sizeof arg);
    arg.tag = RUNE_FLOAT;
    arg.number = number;
    return arg;
}

static inline rune_arg rune_test_string(const char *text)
{
    rune_arg arg;
    memset(&arg, 0, sizeof arg);
    arg.tag = RUNE_STRING;
    arg.length = (uint32_t)strlen(text);
    arg.text = text;
    return arg;
}

static inline rune_type rune_test_type(uint32_t element, uint32_t rank, const uint32_t *dims)
{
    rune_type type;
    type.element = element;
    type.rank = rank;
    type.dims = dims;
    type.bounds = 0;
    return type;
}

/* An instance. What it takes is never freed. */
static inline rune_test rune_test_init(void *(*init)(rune_context *), const rune_arg *args,
                                       uint32_t arg_count, rune_type *types, uint32_t input_count,
                                       uint32_t output_count)
{
    rune_test test;
    memset(&test, 0, sizeof test);
    test.context.args = args;
    test.context.arg_count = arg_count;
    test.context.types = types;
    test.context.input_count = input_count;
    test.context.output_count = output_count;
    test.context.frozen = (char *)rune_test_zeros(RUNE_TEST_ARENA);
    test.context.frozen_end = test.context.frozen + RUNE_TEST_ARENA;
    test.context.state = (char *)rune_test_zeros(RUNE_TEST_ARENA);
    test.context.state_end = test.context.state + RUNE_TEST_ARENA;
    test.instance = init(&test.context);
    if (test.instance)
        test.scratch = rune_test_zeros(test.context.scratch);
    return test;
}

/* The scratch of the next call, full of what no block should read. */
static inline void *rune_test_scratch(rune_test *test)
{
    memset(test->scratch, 0xff, test->context.scratch);
    return test->scratch;
}

#endif
