/* What a program on the emulated board has of a C library. */
#ifndef METAL_H
#define METAL_H

#include <stddef.h>
#include <stdint.h>

int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int puts(const char *text);
int putchar(int c);
void *malloc(size_t bytes);
void free(void *at);
void exit(int status) __attribute__((noreturn));

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *at, int value, size_t length);

/* r4 to r11, sp, lr and d8 to d15. */
typedef uint32_t jmp_buf[26];
int setjmp(jmp_buf at) __attribute__((returns_twice));
void longjmp(jmp_buf at, int why) __attribute__((noreturn));

#endif
