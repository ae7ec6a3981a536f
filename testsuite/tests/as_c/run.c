/* What runes are called with, one after the other. With SPEED a rune prints nanoseconds of a call, the least of several
   rounds, and nothing else. */
#define _POSIX_C_SOURCE 199309L
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef SPEED
#include <time.h>
#endif
#include "record.h"

/* Of the rune that is called. */
static jmp_buf back;
static uint8_t *memory;
static uint32_t memory_bytes;
static const uint8_t *next;
static const unsigned *tensors;

static void on_trap(void *host, int why) {
    (void)host;
    longjmp(back, why);
}

static uint32_t on_read(void *host, uint32_t capability, uint32_t at, uint32_t length) {
    (void)host;
    (void)capability;
    memcpy(memory + at, next, length);
#ifndef SPEED
    next += length;
#endif
    return length;
}

static uint32_t on_write(void *host, uint32_t output, uint32_t at) {
    (void)host;
#ifdef SPEED
    (void)output;
    (void)at;
#else
    print_record(memory, memory_bytes, output, at, tensors[output]);
#endif
    return 0;
}

static void on_fault(void *host, uint32_t code, uint32_t at, uint32_t length) {
    (void)host;
    (void)code;
    (void)at;
    (void)length;
}

#ifdef SPEED
#define CALL(name, calls) \
    double best = 1e18; \
    (void)code; \
    for (int round = 0; round < 20; round++) { \
        struct timespec start, end; \
        double took = 0; \
        long count = 0; \
        clock_gettime(CLOCK_MONOTONIC, &start); \
        do { \
            for (int i = 0; i < 100; i++) name##_call(&c); \
            count += 100; \
            clock_gettime(CLOCK_MONOTONIC, &end); \
            took = (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec); \
        } while (took < 1e7); \
        if (took / (double)count < best) best = took / (double)count; \
    } \
    printf("%f\n", best)
#else
#define CALL(name, calls) \
    for (volatile int i = 0; i < calls && code >= 0; i++) { \
        code = (int32_t)name##_call(&c); \
        printf("call %d\n", (int)code); \
    }
#endif

/* Defines a function that calls a rune; `imports` gives its context what it asks for. */
#define RUN(name, bytes, calls, imports) \
    static void name##_run(void) { \
        static name##_context c; \
        volatile int32_t code = 0; \
        int why; \
        puts("rune"); \
        memory_bytes = bytes; \
        memory = c.memory = malloc(bytes); \
        next = name##_feeds; \
        tensors = name##_tensors; \
        c.trap = on_trap; \
        imports \
        name##_init(&c); \
        if ((why = setjmp(back)) != 0) { \
            printf("trap %d\n", why); \
        } else { \
            CALL(name, calls); \
        } \
        free(c.memory); \
    }
