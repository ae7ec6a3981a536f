/* Functions of numbers for blocks: on wasm32 those of librune_block.a, which give the same bits as blocks in
 * Rust have; elsewhere those of the system. */
#ifndef __wasm__
#include_next <math.h>
#else
#ifndef RUNE_MATH_H
#define RUNE_MATH_H

#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()
#define HUGE_VAL __builtin_inf()
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)
#define isfinite(x) __builtin_isfinite(x)
#define signbit(x) __builtin_signbit(x)

#define M_E 2.7182818284590452354
#define M_LN2 0.69314718055994530942
#define M_LN10 2.30258509299404568402
#define M_PI 3.14159265358979323846
#define M_SQRT2 1.41421356237309504880

#ifdef __cplusplus
extern "C" {
#endif

#define RUNE_ONE(name) double name(double x); float name##f(float x)
#define RUNE_TWO(name) double name(double x, double y); float name##f(float x, float y)

RUNE_ONE(acos); RUNE_ONE(acosh); RUNE_ONE(asin); RUNE_ONE(asinh); RUNE_ONE(atan); RUNE_ONE(atanh);
RUNE_ONE(cbrt); RUNE_ONE(ceil); RUNE_ONE(cos); RUNE_ONE(cosh); RUNE_ONE(erf); RUNE_ONE(erfc);
RUNE_ONE(exp); RUNE_ONE(exp2); RUNE_ONE(expm1); RUNE_ONE(fabs); RUNE_ONE(floor); RUNE_ONE(log);
RUNE_ONE(log10); RUNE_ONE(log1p); RUNE_ONE(log2); RUNE_ONE(rint); RUNE_ONE(round); RUNE_ONE(sin);
RUNE_ONE(sinh); RUNE_ONE(sqrt); RUNE_ONE(tan); RUNE_ONE(tanh); RUNE_ONE(tgamma); RUNE_ONE(trunc);

RUNE_TWO(atan2); RUNE_TWO(copysign); RUNE_TWO(fdim); RUNE_TWO(fmax); RUNE_TWO(fmin); RUNE_TWO(fmod);
RUNE_TWO(hypot); RUNE_TWO(nextafter); RUNE_TWO(pow); RUNE_TWO(remainder);

double fma(double x, double y, double z);
float fmaf(float x, float y, float z);
double ldexp(double x, int n);
float ldexpf(float x, int n);

#undef RUNE_ONE
#undef RUNE_TWO

#ifdef __cplusplus
}
#endif
#endif
#endif
