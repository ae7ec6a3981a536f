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
}
