/* Whole numbers for blocks: on wasm32 no more than this, since there is nothing to allocate from; elsewhere
 * the header of the system. */
#ifndef __wasm__
#pragma GCC system_header /* or -Wpedantic warns of the next line */
#include_next <stdlib.h>
#else
#ifndef RUNE_STDLIB_H
#define RUNE_STDLIB_H

#include <stddef.h>

static inline int abs(int x) { return x < 0 ? -x : x; }
static inline long labs(long x) { return x < 0 ? -x : x; }
static inline long long llabs(long long x) { return x < 0 ? -x : x; }

#endif
#endif
