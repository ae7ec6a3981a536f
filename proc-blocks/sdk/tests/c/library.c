/* Refers to every function that the headers declare for wasm32, so that linking fails where one is missing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rune_block.h"

RUNE_BLOCK("name = \"library\"\nversion = \"1.0.0\"\n");

#define ONE(name) x = name(x), y = name##f(y);
#define TWO(name) x = name(x, 2), y = name##f(y, 2);

static double numbers(double x, float y)
{
    int exponent;
    ONE(acos) ONE(acosh) ONE(asin) ONE(asinh) ONE(atan) ONE(atanh) ONE(cbrt) ONE(ceil) ONE(cos)
    ONE(cosh) ONE(erf) ONE(erfc) ONE(exp) ONE(exp2) ONE(expm1) ONE(fabs) ONE(floor) ONE(log) ONE(log10)
    ONE(log1p) ONE(log2) ONE(nearbyint) ONE(rint) ONE(round) ONE(sin) ONE(sinh) ONE(sqrt) ONE(tan)
    ONE(tanh) ONE(tgamma) ONE(trunc)
    TWO(atan2) TWO(copysign) TWO(fdim) TWO(fmax) TWO(fmin) TWO(fmod) TWO(hypot) TWO(nextafter) TWO(pow)
    TWO(remainder)
    x = fma(x, x, x), y = fmaf(y, y, y);
    x = ldexp(x, 1), y = ldexpf(y, 1);
    x = scalbn(x, 1), y = scalbnf(y, 1);
    x = frexp(x, &exponent), y = frexpf(y, &exponent);
    x += modf(x, &x), y += modff(y, &y);
    x += (double)(lround(x) + lroundf(y) + lrint(x) + lrintf(y) + abs(exponent) + labs(2) + llabs(3));
    return isnormal(x) && isfinite(y) ? x + (double)y : HUGE_VAL;
}

static size_t texts(char *to, const char *from)
{
    memcpy(to, from, 4);
    memmove(to + 1, to, 4);
    memset(to, 1, 1);
    int is_same = memcmp(to, from, 4) == 0 || strcmp(to, from) == 0 || strncmp(to, from, 4) == 0;
    return is_same || memchr(to, 'x', 4) || strchr(to, 'x') ? 0 : strlen(from);
}

RUNE_SHAPE int32_t shape(rune_context *context)
{
    if (context->input_count == 0) {
        rune_refuse(context, "there is no input");
        return 0;
    }
    return 1;
}

RUNE_INIT void *init(rune_context *context)
{
    return rune_frozen(context, 1);
}

RUNE_RUN int32_t run(const void *self, void *scratch, const rune_tensor *in, rune_tensor *out)
{
    const double *x = (const double *)in->address;
    (void)self;
    out->count = (uint32_t)texts((char *)out->address, (const char *)scratch);
    return numbers(*x, (float)*x) > 0 ? RUNE_OUTPUT : RUNE_NOTHING;
}
