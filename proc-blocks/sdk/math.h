/* Functions of numbers for blocks: on wasm32 those of librune_block.a, which give the same bits as blocks in
 * Rust have; elsewhere those of the system. */
#ifndef __wasm__
#pragma GCC system_header /* or -Wpedantic warns of the next line */
#include_next <math.h>
#else
#ifndef RUNE_MATH_H
#define RUNE_MATH_H

#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()
#define HUGE_VAL __builtin_inf()
#define HUGE_VALF __builtin_inff()
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)
#define isfinite(x) __builtin_isfinite(x)
#define isnormal(x) __builtin_isnormal(x)
#define signbit(x) __builtin_signbit(x)

#ifdef __cplusplus
extern "C" {
#endif

#define RUNE_ONE(name) double name(double x); float name##f(float x)
#define RUNE_TWO(name) double name(double x, double y); float name##f(float x, float y)

RUNE_ONE(acos); RUNE_ONE(acosh); RUNE_ONE(asin); RUNE_ONE(asinh); RUNE_ONE(atan); RUNE_ONE(atanh);
RUNE_ONE(cbrt); RUNE_ONE(ceil); RUNE_ONE(cos); RUNE_ONE(cosh); RUNE_ONE(erf); RUNE_ONE(erfc);
RUNE_ONE(exp); RUNE_ONE(exp2); RUNE_ONE(expm1); RUNE_ONE(fabs); RUNE_ONE(floor); RUNE_ONE(log);
RUNE_ONE(log10); RUNE_ONE(log1p); RUNE_ONE(log2); RUNE_ONE(nearbyint); RUNE_ONE(rint); RUNE_ONE(round); RUNE_ONE(sin);
RUNE_ONE(sinh); RUNE_ONE(sqrt); RUNE_ONE(tan); RUNE_ONE(tanh); RUNE_ONE(tgamma); RUNE_ONE(trunc);

RUNE_TWO(atan2); RUNE_TWO(copysign); RUNE_TWO(fdim); RUNE_TWO(fmax); RUNE_TWO(fmin); RUNE_TWO(fmod);
RUNE_TWO(hypot); RUNE_TWO(nextafter); RUNE_TWO(pow); RUNE_TWO(remainder);

double fma(double x, double y, double z);
float fmaf(float x, float y, float z);
double ldexp(double x, int n);
float ldexpf(float x, int n);
double scalbn(double x, int n);
float scalbnf(float x, int n);
double frexp(double x, int *exponent);
float frexpf(float x, int *exponent);
double modf(double x, double *whole);
float modff(float x, float *whole);
long lround(double x);
long lroundf(float x);
long lrint(double x);
long lrintf(float x);

#undef RUNE_ONE
#undef RUNE_TWO

#ifdef __cplusplus
}
#endif
#endif
#endif

/* Strict C has none of these. */
#ifndef M_PI
#define M_E 2.7182818284590452354
#define M_LOG2E 1.4426950408889634074
#define M_LOG10E 0.43429448190325182765
#define M_LN2 0.69314718055994530942
#define M_LN10 2.30258509299404568402
#define M_PI 3.14159265358979323846
#define M_PI_2 1.57079632679489661923
#define M_PI_4 0.78539816339744830962
#define M_1_PI 0.31830988618379067154
#define M_2_PI 0.63661977236758134308
#define M_2_SQRTPI 1.12837916709551257390
#define M_SQRT2 1.41421356237309504880
#define M_SQRT1_2 0.70710678118654752440
#endif
