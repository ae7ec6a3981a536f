/* How a program starts on the emulated board, and its C library: text goes to the host by semihosting. */
#include "metal.h"

#include <stdarg.h>

int main(void);
extern uint32_t stack_end;
extern char heap_start[], heap_end[];
void svc_handler(void);

static uint32_t semihosting(uint32_t number, const void *argument) {
    register uint32_t r0 __asm__("r0") = number;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static char line[1024];
static size_t length;

static void flush(void) {
    line[length] = 0;
    semihosting(4, line);
    length = 0;
}

int putchar(int c) {
    line[length++] = (char)c;
    if (c == '\n' || length + 1 == sizeof line) flush();
    return c;
}

static void text(const char *text) {
    while (*text != 0) putchar(*text++);
}

int puts(const char *line) {
    text(line);
    return putchar('\n');
}

void exit(int status) {
    const uint32_t reason[2] = {0x20026, (uint32_t)status};
    if (length != 0) flush();
    semihosting(0x20, reason);
    for (;;) {
    }
}

int printf(const char *format, ...) {
    va_list list;
    va_start(list, format);
    for (; *format != 0; format++) {
        unsigned width = 0, longs = 0, base = 10;
        char digits[24], *at = digits + sizeof digits, fill = ' ';
        uint64_t value;
        if (*format != '%') {
            putchar(*format);
            continue;
        }
        format++;
        if (*format == '0') fill = '0';
        for (; *format >= '0' && *format <= '9'; format++) width = width * 10 + (unsigned)(*format - '0');
        for (; *format == 'l'; format++) longs++;
        if (*format == 's') {
            text(va_arg(list, const char *));
            continue;
        }
        if (longs == 2) {
            value = va_arg(list, unsigned long long);
        } else {
            value = va_arg(list, unsigned);
            if (*format == 'd' && (int32_t)value < 0) {
                putchar('-');
                value = (uint32_t)-value;
            }
        }
        if (*format == 'x') base = 16;
        *--at = 0;
        do {
            *--at = "0123456789abcdef"[value % base];
            value /= base;
        } while (value != 0);
        while ((size_t)(digits + sizeof digits - 1 - at) < width) *--at = fill;
        text(at);
    }
    va_end(list);
    return 0;
}

/* What is freed last is given again: so much is asked for and given back in turn. */
static char *next = heap_start, *last;

void *malloc(size_t bytes) {
    last = next;
    bytes = (bytes + 15) / 16 * 16;
    if (bytes > (size_t)(heap_end - next)) {
        puts("the heap is full");
        exit(3);
    }
    next += bytes;
    return last;
}

void free(void *at) {
    if (at != NULL && at == last) next = last;
}

__asm__(".syntax unified\n.section .text.setjmp,\"ax\",%progbits\n"
        ".globl setjmp\n.thumb_func\nsetjmp:\n"
        "mov r12, sp\nstmia r0!, {r4-r12, lr}\nvstmia r0!, {d8-d15}\nmovs r0, #0\nbx lr\n"
        ".globl longjmp\n.thumb_func\nlongjmp:\n"
        "ldmia r0!, {r4-r12, lr}\nvldmia r0!, {d8-d15}\nmov sp, r12\nmovs r0, r1\nit eq\nmoveq r0, #1\nbx lr\n.text\n");

static void reset(void) {
    /* The unit for floats is on, and what it has is kept at once when an exception comes. */
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;
    *(volatile uint32_t *)0xe000ef34 &= ~(1u << 30);
    __asm__ volatile("dsb\nisb");
    exit(main());
}

static void fault(void) {
    printf("fault %08x at %08x\n", (unsigned)*(volatile uint32_t *)0xe000ed28, (unsigned)*(volatile uint32_t *)0xe000ed38);
    exit(4);
}

__attribute__((weak)) void svc_handler(void) { fault(); }

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_end, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault,       (void *)fault, 0, 0, 0, 0,
    (void *)svc_handler, (void *)fault, 0, (void *)fault, (void *)fault,
};
