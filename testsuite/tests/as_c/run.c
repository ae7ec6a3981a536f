/* Calls the rune NAME with the samples NAME_feeds. With SPEED it prints nanoseconds of a call, the least of several rounds. */
#define _POSIX_C_SOURCE 199309L
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef SPEED
#include <time.h>
#endif
#include "NAME.h"
#include "NAME_feeds.h"
#include "record.h"

int NAME_run(void);

static jmp_buf back;
static NAME_context c;
static const uint8_t *next;

static void on_trap(void *host, int why) {
    (void)host;
    longjmp(back, why);
}

#ifdef HAS_READ
static uint32_t on_read(void *host, uint32_t capability, uint32_t at, uint32_t length) {
    (void)host;
    (void)capability;
    memcpy(c.memory + at, next, length);
#ifndef SPEED
    next += length;
#endif
    return length;
}
#endif

#ifdef HAS_WRITE
static uint32_t on_write(void *host, uint32_t output, uint32_t at) {
    (void)host;
    (void)output;
    (void)at;
#ifdef SPEED
    (void)print_record;
    (void)tensors;
#else
    print_record(c.memory, UPPER_MEMORY_BYTES, output, at, tensors[output]);
#endif
    return 0;
}
#endif

#ifdef HAS_FAULT
static void on_fault(void *host, uint32_t code, uint32_t at, uint32_t length) {
    (void)host;
    (void)code;
    (void)at;
    (void)length;
}
#endif

int NAME_run(void) {
    int why;
    c.memory = malloc(UPPER_MEMORY_BYTES);
    c.trap = on_trap;
    next = feeds;
#ifdef HAS_READ
    c.read = on_read;
#endif
#ifdef HAS_WRITE
    c.write = on_write;
#endif
#ifdef HAS_FAULT
    c.fault = on_fault;
#endif
    NAME_init(&c);
    if ((why = setjmp(back)) != 0) {
        printf("trap %d\n", why);
        free(c.memory);
        return 0;
    }
#ifdef SPEED
    double best = 1e18;
    for (int round = 0; round < 20; round++) {
        struct timespec start, end;
        double took = 0;
        long calls = 0;
        clock_gettime(CLOCK_MONOTONIC, &start);
        do {
            for (int i = 0; i < 100; i++) NAME_call(&c);
            calls += 100;
            clock_gettime(CLOCK_MONOTONIC, &end);
            took = (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
        } while (took < 1e7);
        if (took / (double)calls < best) best = took / (double)calls;
    }
    printf("%f\n", best);
#else
    for (volatile int i = 0; i < CALLS; i++) {
        const int32_t code = (int32_t)NAME_call(&c);
        printf("call %d\n", (int)code);
        if (code < 0) break;
    }
#endif
    free(c.memory);
    return 0;
}
