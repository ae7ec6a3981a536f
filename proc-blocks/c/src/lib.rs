//! The functions of `string.h` and `math.h` that a block in C or C++ may call; `build.sh` makes the archive.
//!
//! Those of `math.h` are the crate `libm`, which blocks in Rust use: both languages give the same bits.
//! On any other target than wasm32 this is empty, since there the functions are those of the system.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

mod string;

/// There is nobody to tell.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

macro_rules! functions {
    ($($name:ident($($arg:ident: $t:ty),+) -> $result:ty;)+) => {$(
        #[expect(unsafe_code, reason = "C finds it by its name")]
        #[unsafe(no_mangle)]
        extern "C" fn $name($($arg: $t),+) -> $result {
            libm::$name($($arg),+)
        }
    )+};
}

macro_rules! of_one_number {
    ($($double:ident $float:ident)+) => {$(
        functions! {
            $double(x: f64) -> f64;
            $float(x: f32) -> f32;
        }
    )+};
}

macro_rules! of_two_numbers {
    ($($double:ident $float:ident)+) => {$(
        functions! {
            $double(x: f64, y: f64) -> f64;
            $float(x: f32, y: f32) -> f32;
        }
    )+};
}

of_one_number! {
    acos acosf acosh acoshf asin asinf asinh asinhf atan atanf atanh atanhf cbrt cbrtf ceil ceilf
    cos cosf cosh coshf erf erff erfc erfcf exp expf exp2 exp2f expm1 expm1f fabs fabsf floor floorf
    log logf log10 log10f log1p log1pf log2 log2f rint rintf round roundf sin sinf sinh sinhf sqrt sqrtf
    tan tanf tanh tanhf tgamma tgammaf trunc truncf
}

of_two_numbers! {
    atan2 atan2f copysign copysignf fdim fdimf fmax fmaxf fmin fminf fmod fmodf hypot hypotf
    nextafter nextafterf pow powf remainder remainderf
}

functions! {
    fma(x: f64, y: f64, z: f64) -> f64;
    fmaf(x: f32, y: f32, z: f32) -> f32;
    ldexp(x: f64, n: i32) -> f64;
    ldexpf(x: f32, n: i32) -> f32;
    scalbn(x: f64, n: i32) -> f64;
    scalbnf(x: f32, n: i32) -> f32;
}

macro_rules! of_other_functions {
    ($($name:ident($x:ident: $t:ty) -> $result:ty = $value:expr;)+) => {$(
        #[expect(unsafe_code, reason = "C finds it by its name")]
        #[unsafe(no_mangle)]
        extern "C" fn $name($x: $t) -> $result {
            $value
        }
    )+};
}

// There is one way to round, to the nearest, and a `long` has 32 bits; what has no `long` saturates.
of_other_functions! {
    nearbyint(x: f64) -> f64 = libm::rint(x);
    nearbyintf(x: f32) -> f32 = libm::rintf(x);
    lround(x: f64) -> i32 = libm::round(x) as i32;
    lroundf(x: f32) -> i32 = libm::roundf(x) as i32;
    lrint(x: f64) -> i32 = libm::rint(x) as i32;
    lrintf(x: f32) -> i32 = libm::rintf(x) as i32;
}

macro_rules! of_two_results {
    ($($name:ident($t:ty) -> $second:ty;)+) => {$(
        /// # Safety
        /// The second result can be written to its address.
        #[expect(unsafe_code, reason = "C passes the address of a result")]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(x: $t, to: *mut $second) -> $t {
            let (first, second) = libm::$name(x);
            // SAFETY: the caller's promise.
            unsafe { *to = second };
            first
        }
    )+};
}

of_two_results! {
    frexp(f64) -> i32;
    frexpf(f32) -> i32;
    modf(f64) -> f64;
    modff(f32) -> f32;
}
