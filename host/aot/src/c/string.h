/* What a rune's C needs of a C library; support.c has it. */
#ifndef RUNE_STRING_H
#define RUNE_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *at, int value, size_t length);

#endif
