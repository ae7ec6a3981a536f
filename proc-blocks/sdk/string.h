/* Bytes and texts for blocks: on wasm32 the functions of librune_block.a, elsewhere those of the system. */
#ifndef __wasm__
#pragma GCC system_header /* or -Wpedantic warns of the next line */
#include_next <string.h>
#else
#ifndef RUNE_STRING_H
#define RUNE_STRING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);
int memcmp(const void *left, const void *right, size_t count);
void *memchr(const void *text, int byte, size_t count);
size_t strlen(const char *text);
char *strchr(const char *text, int byte);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t count);

#ifdef __cplusplus
}
#endif
#endif
#endif
