/* Calls a rune as C so often, and prints the ticks of each piece of a call, which end at marks, and a sum of what it
   wrote. CALLS, the rune's header and a table of samples come with `case.h`. With QEMU's `-icount shift=6` an instruction
   takes 64 ns and a tick of timer 0 is 40 ns. */
#include <stdint.h>
#include <stddef.h>
#include "case.h"

#define TIMER ((volatile uint32_t *)0x40000000u)
#define PIECES 256

static uint8_t memory[RUNE_MEMORY_BYTES] __attribute__((aligned(16)));
static rune_context context;
static uint32_t pieces[PIECES], piece, last, at, sum;

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
    uint8_t *t = to;
    const uint8_t *f = from;
    for (; length >= 4; length -= 4, t += 4, f += 4) __builtin_memcpy(t, f, 4);
    while (length--) *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t length) {
    uint8_t *t = to;
    const uint8_t *f = from;
    if (t <= f) return memcpy(to, from, length);
    while (length--) t[length] = f[length];
    return to;
}

void *memset(void *to, int value, size_t length) {
    uint8_t *t = to;
    const uint32_t word = (uint32_t)(value & 255) * 0x01010101u;
    for (; length >= 4; length -= 4, t += 4) __builtin_memcpy(t, &word, 4);
    while (length--) *t++ = (uint8_t)value;
    return to;
}

void __aeabi_memcpy(void *to, const void *from, size_t length) { memcpy(to, from, length); }
void __aeabi_memcpy4(void *to, const void *from, size_t length) { memcpy(to, from, length); }
void __aeabi_memcpy8(void *to, const void *from, size_t length) { memcpy(to, from, length); }
void __aeabi_memmove(void *to, const void *from, size_t length) { memmove(to, from, length); }
void __aeabi_memmove4(void *to, const void *from, size_t length) { memmove(to, from, length); }
void __aeabi_memset(void *to, size_t length, int value) { memset(to, value, length); }
void __aeabi_memset4(void *to, size_t length, int value) { memset(to, value, length); }
void __aeabi_memclr(void *to, size_t length) { memset(to, 0, length); }
void __aeabi_memclr4(void *to, size_t length) { memset(to, 0, length); }
void __aeabi_memclr8(void *to, size_t length) { memset(to, 0, length); }

static uint32_t semihosting(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void number(uint32_t value) {
    char text[12];
    char *end = text + 11;
    *end = 0;
    *--end = ' ';
    do *--end = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    semihosting(4, end);
}

static void leave(uint32_t status) {
    const uint32_t block[2] = {0x20026, status};
    semihosting(0x20, block);
    for (;;) {
    }
}

/* The end of a piece. */
__attribute__((noinline)) void bench_mark(void) {
    const uint32_t now = TIMER[1];
    if (piece < PIECES) pieces[piece++] += last - now;
    last = TIMER[1];
}

static void on_trap(void *host, int why) {
    (void)host;
    semihosting(4, "trap ");
    number((uint32_t)why);
    leave(1);
}

static uint32_t on_read(void *host, uint32_t capability, uint32_t to, uint32_t length) {
    (void)host, (void)capability;
    if (at + length > sizeof samples) at = 0;
    memcpy(memory + to, samples + at, length);
    at += length;
    return length;
}

static uint32_t on_write(void *host, uint32_t output, uint32_t record) {
    uint32_t head[2];
    (void)host, (void)output;
    memcpy(head, memory + record, sizeof head);
#ifdef HAS_TEXT
    memcpy(head, memory + head[0], sizeof head);
#endif
    for (uint32_t i = 0; i < head[1]; i++) sum = sum * 31 + memory[head[0] + i];
    return 0;
}

#ifdef HAS_FAULT
static void on_fault(void *host, uint32_t code, uint32_t name, uint32_t length) {
    (void)name, (void)length;
    on_trap(host, (int)code);
}
#endif

__attribute__((noreturn)) void reset(void) {
    /* Floats. */
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20;
    __asm__ volatile("dsb\nisb");
    context.memory = memory;
    context.trap = on_trap;
    context.read = on_read;
    context.write = on_write;
#ifdef HAS_FAULT
    context.fault = on_fault;
#endif
    TIMER[2] = UINT32_MAX;
    TIMER[1] = UINT32_MAX;
    TIMER[0] = 1;
    rune_init(&context);
    uint32_t first = 0;
    for (uint32_t i = 0; i < CALLS; i++) {
        piece = 0;
        last = TIMER[1];
        rune_call(&context);
        bench_mark();
        if (i == 0) first = piece;
    }
    for (uint32_t i = 0; i < first; i++) number(pieces[i]);
    number(sum);
    semihosting(4, "\n");
    leave(0);
    for (;;) {
    }
}

static void fault(void) {
    semihosting(4, "fault ");
    leave(1);
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    (void *)0x20400000u, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};
