/* What compilers call and the instructions of a Cortex-M7 do not do: memory, and integers of 64 bits. It is part of each
   image, so that an image needs nothing of where it runs. Names are those of the run-time ABI of ARM (IHI 0043). */
#include <stdint.h>

#include "string.h"

/* Functions of that ABI take floats in integer registers. */
#define BASE __attribute__((pcs("aapcs")))

/* Any address: a single load or store need not be aligned. */
typedef uint32_t __attribute__((aligned(1), may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
    uint8_t *t = to;
    const uint8_t *f = from;
    for (; length >= 16; length -= 16, t += 16, f += 16) {
        const uint32_t a = ((const word *)f)[0], b = ((const word *)f)[1];
        const uint32_t c = ((const word *)f)[2], d = ((const word *)f)[3];
        ((word *)t)[0] = a;
        ((word *)t)[1] = b;
        ((word *)t)[2] = c;
        ((word *)t)[3] = d;
    }
    for (; length >= 4; length -= 4, t += 4, f += 4) *(word *)t = *(const word *)f;
    for (; length != 0; length--) *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t length) {
    uint8_t *t = to;
    const uint8_t *f = from;
    /* Forwards is right also where what is written lies before what is read. */
    if ((uintptr_t)t - (uintptr_t)f >= length) return memcpy(to, from, length);
    t += length;
    f += length;
    for (; length >= 4; length -= 4) {
        t -= 4;
        f -= 4;
        *(word *)t = *(const word *)f;
    }
    for (; length != 0; length--) *--t = *--f;
    return to;
}

void *memset(void *at, int value, size_t length) {
    uint8_t *t = at;
    const uint32_t four = (uint32_t)(uint8_t)value * 0x01010101u;
    for (; length >= 16; length -= 16, t += 16) {
        ((word *)t)[0] = four;
        ((word *)t)[1] = four;
        ((word *)t)[2] = four;
        ((word *)t)[3] = four;
    }
    for (; length >= 4; length -= 4, t += 4) *(word *)t = four;
    for (; length != 0; length--) *t++ = (uint8_t)value;
    return at;
}

#define COPIES(suffix)                                                                                 \
    void __aeabi_memcpy##suffix(void *to, const void *from, size_t length);                            \
    void __aeabi_memmove##suffix(void *to, const void *from, size_t length);                           \
    void __aeabi_memset##suffix(void *at, size_t length, int value);                                   \
    void __aeabi_memclr##suffix(void *at, size_t length);                                              \
    void __aeabi_memcpy##suffix(void *to, const void *from, size_t length) { memcpy(to, from, length); } \
    void __aeabi_memmove##suffix(void *to, const void *from, size_t length) { memmove(to, from, length); } \
    void __aeabi_memset##suffix(void *at, size_t length, int value) { memset(at, value, length); }     \
    void __aeabi_memclr##suffix(void *at, size_t length) { memset(at, 0, length); }
COPIES()
COPIES(4)
COPIES(8)

/* The quotient of a number of 64 bits, whose upper half is less than the divisor, in digits of 16 bits. */
static uint32_t s_digits(uint32_t high, uint32_t low, uint32_t by, uint32_t *rest) {
    const unsigned shift = (unsigned)__builtin_clz(by);
    const uint32_t v = by << shift, v1 = v >> 16, v0 = v & 0xffffu;
    uint64_t left = ((uint64_t)high << 32 | low) << shift;
    uint32_t quotient = 0;
    for (int place = 16; place >= 0; place -= 16) {
        /* What is left is less than the divisor at this place times 2^16. */
        const uint32_t top = (uint32_t)(left >> (place + 16));
        uint32_t digit = top / v1, over = top % v1;
        const uint32_t next = (uint32_t)(left >> place) & 0xffffu;
        while (digit > 0xffffu || digit * v0 > (over << 16 | next)) {
            digit--;
            over += v1;
            if (over > 0xffffu) break;
        }
        left -= (uint64_t)(digit * (uint64_t)v) << place;
        quotient = quotient << 16 | digit;
    }
    *rest = (uint32_t)left >> shift;
    return quotient;
}

/* Of the divisor 0 nothing is defined; the translation of a rune traps before. */
__attribute__((noinline, used)) static uint64_t s_divide(uint64_t n, uint64_t by, uint64_t *rest) {
    const uint32_t high = (uint32_t)(n >> 32), low = (uint32_t)n;
    if (by >> 32 == 0) {
        const uint32_t v = (uint32_t)by;
        uint32_t first = 0, over = high, left;
        if (v == 0) {
            *rest = n;
            return 0;
        }
        if (high == 0) {
            *rest = low % v;
            return low / v;
        }
        if (high >= v) {
            first = high / v;
            over = high % v;
        }
        const uint32_t second = s_digits(over, low, v, &left);
        *rest = left;
        return (uint64_t)first << 32 | second;
    }
    if (by > n) {
        *rest = n;
        return 0;
    }
    /* By the upper bits of the divisor the quotient is right or one too many, and less of it at most one too few. */
    const unsigned shift = (unsigned)__builtin_clz((uint32_t)(by >> 32));
    const uint64_t half = n >> 1;
    uint32_t unused;
    uint64_t quotient = s_digits((uint32_t)(half >> 32), (uint32_t)half, (uint32_t)(by << shift >> 32), &unused);
    quotient = quotient << shift >> 31;
    if (quotient != 0) quotient--;
    uint64_t left = n - quotient * by;
    if (left >= by) {
        quotient++;
        left -= by;
    }
    *rest = left;
    return quotient;
}

__attribute__((noinline, used)) static int64_t s_divide_signed(int64_t n, int64_t by, int64_t *rest) {
    const uint64_t a = n < 0 ? -(uint64_t)n : (uint64_t)n, b = by < 0 ? -(uint64_t)by : (uint64_t)by;
    uint64_t left;
    const uint64_t quotient = s_divide(a, b, &left);
    *rest = (int64_t)(n < 0 ? -left : left);
    return (int64_t)((n < 0) != (by < 0) ? -quotient : quotient);
}

/* Quotient in r0 and r1, rest in r2 and r3: no function of C gives that. Each takes 24 bytes of stack. */
#define DIVISION(name, function)               \
    __asm__(".syntax unified\n"                \
            ".section .text." #name ",\"ax\",%progbits\n" \
            ".p2align 1\n"                     \
            ".thumb_func\n"                    \
            ".globl " #name "\n"               \
            ".hidden " #name "\n"              \
            ".type " #name ", %function\n" #name ":\n" \
            "push {r4, lr}\n"                  \
            "sub sp, #16\n"                    \
            "add r4, sp, #8\n"                 \
            "str r4, [sp]\n"                   \
            "bl " #function "\n"               \
            "ldrd r2, r3, [sp, #8]\n"          \
            "add sp, #16\n"                    \
            "pop {r4, pc}\n"                   \
            ".size " #name ", . - " #name "\n" \
            ".text\n");
DIVISION(__aeabi_uldivmod, s_divide)
DIVISION(__aeabi_ldivmod, s_divide_signed)

/* Bits and shifts: GCC asks for them where it makes code that seldom runs small. Each does with 32 bits what the processor
   has an instruction for. */

int __clzsi2(uint32_t value);
int __clzsi2(uint32_t value) { return value == 0 ? 32 : __builtin_clz(value); }

int __ctzsi2(uint32_t value);
int __ctzsi2(uint32_t value) { return value == 0 ? 32 : __builtin_ctz(value); }

int __clzdi2(uint64_t value);
int __clzdi2(uint64_t value) {
    const uint32_t high = (uint32_t)(value >> 32);
    return high != 0 ? __clzsi2(high) : 32 + __clzsi2((uint32_t)value);
}

int __ctzdi2(uint64_t value);
int __ctzdi2(uint64_t value) {
    const uint32_t low = (uint32_t)value;
    return low != 0 ? __ctzsi2(low) : 32 + __ctzsi2((uint32_t)(value >> 32));
}

int __popcountsi2(uint32_t value);
int __popcountsi2(uint32_t value) {
    value -= value >> 1 & 0x55555555u;
    value = (value & 0x33333333u) + (value >> 2 & 0x33333333u);
    value = (value + (value >> 4)) & 0x0f0f0f0fu;
    return (int)(value * 0x01010101u >> 24);
}

int __popcountdi2(uint64_t value);
int __popcountdi2(uint64_t value) { return __popcountsi2((uint32_t)value) + __popcountsi2((uint32_t)(value >> 32)); }

uint64_t __aeabi_llsl(uint64_t value, int by);
uint64_t __aeabi_llsl(uint64_t value, int by) {
    const uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);
    if (by == 0) return value;
    if (by >= 32) return (uint64_t)(low << (by - 32)) << 32;
    return (uint64_t)(high << by | low >> (32 - by)) << 32 | (uint32_t)(low << by);
}

uint64_t __aeabi_llsr(uint64_t value, int by);
uint64_t __aeabi_llsr(uint64_t value, int by) {
    const uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);
    if (by == 0) return value;
    if (by >= 32) return high >> (by - 32);
    return (uint64_t)(high >> by) << 32 | (uint32_t)(low >> by | high << (32 - by));
}

uint64_t __aeabi_lasr(uint64_t value, int by);
uint64_t __aeabi_lasr(uint64_t value, int by) {
    const uint32_t low = (uint32_t)value;
    const int32_t high = (int32_t)(uint32_t)(value >> 32);
    if (by == 0) return value;
    if (by >= 32) return (uint64_t)(int64_t)(high >> (by - 32));
    return (uint64_t)(uint32_t)(high >> by) << 32 | (uint32_t)(low >> by | (uint32_t)high << (32 - by));
}

/* Floats of an integer, rounded once, to the nearest and of two to the even one. */

BASE double __aeabi_ul2d(uint64_t value);
BASE double __aeabi_ul2d(uint64_t value) {
    /* Both halves are exact, so only the sum is rounded. */
    return (double)(uint32_t)(value >> 32) * 4294967296.0 + (double)(uint32_t)value;
}

BASE double __aeabi_l2d(int64_t value);
BASE double __aeabi_l2d(int64_t value) {
    return (double)(int32_t)(value >> 32) * 4294967296.0 + (double)(uint32_t)value;
}

static float s_single(uint64_t value, uint32_t sign) {
    union {
        uint32_t bits;
        float value;
    } result = {sign};
    if (value == 0) return result.value;
    const uint32_t high = (uint32_t)(value >> 32);
    const unsigned zeros = high != 0 ? (unsigned)__builtin_clz(high) : 32u + (unsigned)__builtin_clz((uint32_t)value);
    const uint64_t all = value << zeros;
    /* 24 bits, of which the exponent takes the first; then the one that is half, and those below it. */
    uint32_t mantissa = (uint32_t)(all >> 40);
    const uint64_t below = all & ((UINT64_C(1) << 40) - 1), half = UINT64_C(1) << 39;
    if (below > half || (below == half && (mantissa & 1) != 0)) mantissa++;
    /* What is rounded up to 25 bits carries into the exponent. */
    result.bits = sign + ((189u - zeros) << 23) + mantissa;
    return result.value;
}

BASE float __aeabi_ul2f(uint64_t value);
BASE float __aeabi_ul2f(uint64_t value) { return s_single(value, 0); }

BASE float __aeabi_l2f(int64_t value);
BASE float __aeabi_l2f(int64_t value) {
    return value < 0 ? s_single(-(uint64_t)value, 0x80000000u) : s_single((uint64_t)value, 0);
}

/* Integers of a float, towards zero; the nearest one where none is, and 0 of what is no number. */

static uint64_t s_whole(double value) {
    if (!(value >= 1.0)) return 0;
    if (value >= 18446744073709551616.0) return UINT64_MAX;
    const uint32_t high = (uint32_t)(value * (1.0 / 4294967296.0));
    /* Exact: what is taken away has the upper bits of the value. */
    return (uint64_t)high << 32 | (uint32_t)(value - (double)high * 4294967296.0);
}

static int64_t s_integer(double value) {
    if (value >= 9223372036854775808.0) return INT64_MAX;
    if (value < -9223372036854775808.0) return INT64_MIN;
    return value < 0 ? (int64_t)-s_whole(-value) : (int64_t)s_whole(value);
}

BASE uint64_t __aeabi_d2ulz(double value);
BASE uint64_t __aeabi_d2ulz(double value) { return s_whole(value); }

BASE int64_t __aeabi_d2lz(double value);
BASE int64_t __aeabi_d2lz(double value) { return s_integer(value); }

BASE uint64_t __aeabi_f2ulz(float value);
BASE uint64_t __aeabi_f2ulz(float value) { return s_whole((double)value); }

BASE int64_t __aeabi_f2lz(float value);
BASE int64_t __aeabi_f2lz(float value) { return s_integer((double)value); }
