//! What an image has in place of a compiler's library gives what Rust gives, bit by bit, on the emulated board.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

#[path = "../../../codegen/c/tests/metal/mod.rs"]
mod metal;

fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number of any length.
    fn any_length(&mut self) -> u64 {
        let shift = self.next() % 64;
        self.next() >> shift
    }
}

/// Runs a program on each compiler's code, at each level that images and firmware are compiled with.
fn each(name: &str, program: &str, expected: &str) {
    for cross in metal::compilers() {
        let folder = folder(&format!("{name}-{}", cross.program));
        fs::write(folder.join("main.c"), program).unwrap();
        let flags = ["-O1", "-fno-builtin", "-Wall", "-Wextra", "-Werror"];
        let built = metal::build(&folder, &cross, &["main.c".to_owned()], &flags);
        let found = metal::run(&built);
        for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{name}, line {number}, {}", cross.program);
        }
        assert_eq!(found.lines().count(), expected.lines().count());
    }
}

#[test]
fn divisions() {
    let mut random = Random(1);
    let edges = [
        1,
        2,
        3,
        0xffff,
        0x1_0000,
        0x1_0001,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x1_0000_0000,
        0x1_0000_0001,
        0xffff_ffff_0000_0000,
        0xffff_0000_ffff_ffff,
        1 << 63,
        u64::MAX >> 1,
        u64::MAX - 1,
        u64::MAX,
    ];
    let mut pairs: Vec<(u64, u64)> = edges
        .iter()
        .flat_map(|a| edges.map(|b| (*a, b)))
        .chain(edges.map(|b| (0, b)))
        .collect();
    for _ in 0..3000 {
        let by = random.any_length().max(1);
        let n = random.any_length();
        pairs.push((n, by));
        // Multiples, and what lies beside them.
        let multiple = by.wrapping_mul(n >> (random.next() % 64));
        pairs.extend([(multiple, by), (multiple.wrapping_sub(1), by)]);
    }
    let mut program = String::from("#include \"metal.h\"\nstatic const uint64_t pairs[][2] = {\n");
    let mut expected = String::new();
    for (n, by) in &pairs {
        writeln!(program, "    {{{n}u, {by}u}},").unwrap();
        let (a, b) = (*n as i64, *by as i64);
        writeln!(
            expected,
            "{:016x} {:016x} {:016x} {:016x}",
            n / by,
            n % by,
            a.wrapping_div(b),
            a.wrapping_rem(b)
        )
        .unwrap();
    }
    program.push_str(
        "};\nint main(void) {\n    for (unsigned i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {\n        \
         const uint64_t a = pairs[i][0], b = pairs[i][1];\n        \
         const int64_t c = (int64_t)a, d = (int64_t)b;\n        \
         const int over = a == (UINT64_C(1) << 63) && d == -1;\n        \
         printf(\"%016llx %016llx %016llx %016llx\\n\", (unsigned long long)(a / b), (unsigned long long)(a % b),\n            \
         over ? (unsigned long long)a : (unsigned long long)(c / d), over ? 0 : (unsigned long long)(c % d));\n    }\n    return 0;\n}\n",
    );
    each("divisions", &program, &expected);
}

#[test]
fn conversions() {
    let mut random = Random(2);
    let mut integers = vec![0, 1, u64::MAX, 1 << 63, (1 << 63) - 1];
    for bit in 0..64 {
        let one = 1_u64 << bit;
        integers.extend([one, one.wrapping_sub(1), one | 1, !one, one.wrapping_neg()]);
        // Halfway between two floats, single and double, and what lies beside it.
        for half in [24, 25, 53, 54] {
            if bit >= half {
                let tie = one | one >> half;
                integers.extend([tie, tie + 1, tie - 1, tie | one >> (half - 1)]);
            }
        }
    }
    integers.extend((0..3000).map(|_| random.any_length()));
    let mut doubles = vec![
        0.0,
        -0.0,
        0.5,
        -0.5,
        0.999_999,
        1.0,
        -1.0,
        9.3e18,
        -9.3e18,
        1.8e19,
        1e300,
        f64::NAN,
    ];
    doubles.extend([
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        1.844_674_407_370_955e19,
    ]);
    for _ in 0..3000 {
        let exponent = 1000 + random.next() % 90;
        let bits = random.next() & !(0x7ff << 52) | exponent << 52;
        doubles.push(f64::from_bits(bits));
    }
    for bit in 0..66 {
        let one = 2_f64.powi(bit);
        doubles.extend([
            one,
            -one,
            one.next_down(),
            -one.next_down(),
            one.next_up(),
            -one.next_up(),
        ]);
    }
    let mut program = String::from("#include \"metal.h\"\nstatic const uint64_t integers[] = {\n");
    let mut expected = String::new();
    for n in &integers {
        writeln!(program, "    {n}u,").unwrap();
        let i = *n as i64;
        writeln!(
            expected,
            "{:08x} {:08x} {:016x} {:016x}",
            (*n as f32).to_bits(),
            (i as f32).to_bits(),
            (*n as f64).to_bits(),
            (i as f64).to_bits()
        )
        .unwrap();
    }
    program.push_str("};\nstatic const uint64_t doubles[] = {\n");
    for value in &doubles {
        let single = *value as f32;
        let bits = value.to_bits();
        writeln!(program, "    {bits}u, {}u,", single.to_bits()).unwrap();
        writeln!(
            expected,
            "{:016x} {:016x} {:016x} {:016x}",
            *value as i64, *value as u64, single as i64, single as u64
        )
        .unwrap();
    }
    // The functions themselves: of what lies beyond integers the language promises nothing.
    program.push_str(
        r#"};
#define BASE __attribute__((pcs("aapcs")))
BASE int64_t __aeabi_d2lz(double value);
BASE uint64_t __aeabi_d2ulz(double value);
BASE int64_t __aeabi_f2lz(float value);
BASE uint64_t __aeabi_f2ulz(float value);
int main(void) {
    for (unsigned i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        const uint64_t n = integers[i];
        const float a = (float)n, b = (float)(int64_t)n;
        const double c = (double)n, d = (double)(int64_t)n;
        uint32_t words[2];
        uint64_t longs[2];
        memcpy(&words[0], &a, 4);
        memcpy(&words[1], &b, 4);
        memcpy(&longs[0], &c, 8);
        memcpy(&longs[1], &d, 8);
        printf("%08x %08x %016llx %016llx\n", (unsigned)words[0], (unsigned)words[1], (unsigned long long)longs[0],
            (unsigned long long)longs[1]);
    }
    for (unsigned i = 0; i < sizeof doubles / sizeof doubles[0]; i += 2) {
        double d;
        float f;
        memcpy(&d, &doubles[i], 8);
        memcpy(&f, &doubles[i + 1], 4);
        printf("%016llx %016llx %016llx %016llx\n", (unsigned long long)__aeabi_d2lz(d),
            (unsigned long long)__aeabi_d2ulz(d), (unsigned long long)__aeabi_f2lz(f), (unsigned long long)__aeabi_f2ulz(f));
    }
    return 0;
}
"#,
    );
    each("conversions", &program, &expected);
}

#[test]
fn bits() {
    let mut random = Random(3);
    let mut values: Vec<u64> = (0..64)
        .flat_map(|bit| [1 << bit, u64::MAX << bit])
        .collect();
    values.push(0);
    values.extend((0..300).map(|_| random.any_length()));
    let mut program = String::from("#include \"metal.h\"\nstatic const uint64_t values[] = {\n");
    let mut expected = String::new();
    for (index, n) in values.iter().enumerate() {
        let by = index as u32 % 64;
        writeln!(program, "    {n}u,").unwrap();
        writeln!(
            expected,
            "{} {} {} {} {} {} {:016x} {:016x} {:016x}",
            n.leading_zeros(),
            n.trailing_zeros(),
            n.count_ones(),
            (*n as u32).leading_zeros(),
            (*n as u32).trailing_zeros(),
            (*n as u32).count_ones(),
            n << by,
            n >> by,
            *n as i64 >> by
        )
        .unwrap();
    }
    program.push_str(
        r#"};
int __clzdi2(uint64_t), __ctzdi2(uint64_t), __popcountdi2(uint64_t);
int __clzsi2(uint32_t), __ctzsi2(uint32_t), __popcountsi2(uint32_t);
uint64_t __aeabi_llsl(uint64_t, int), __aeabi_llsr(uint64_t, int), __aeabi_lasr(uint64_t, int);
int main(void) {
    for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) {
        const uint64_t n = values[i];
        const uint32_t w = (uint32_t)n;
        const int by = (int)(i % 64);
        printf("%d %d %d %d %d %d %016llx %016llx %016llx\n", __clzdi2(n), __ctzdi2(n), __popcountdi2(n), __clzsi2(w),
            __ctzsi2(w), __popcountsi2(w), (unsigned long long)__aeabi_llsl(n, by), (unsigned long long)__aeabi_llsr(n, by),
            (unsigned long long)__aeabi_lasr(n, by));
    }
    return 0;
}
"#,
    );
    each("bits", &program, &expected);
}

#[test]
fn copies() {
    // Each length and alignment, also of what lies over itself, against loops; guards on both sides.
    let program = r#"#include "metal.h"
static uint8_t a[200], b[200];
static unsigned wrong;
static void fill(uint8_t *at) {
    for (unsigned i = 0; i < 200; i++) at[i] = (uint8_t)(i * 7 + 3);
}
static void same(unsigned what) {
    for (unsigned i = 0; i < 200; i++)
        if (a[i] != b[i]) wrong |= 1u << what;
}
int main(void) {
    unsigned cases = 0;
    for (unsigned n = 0; n < 70; n++)
        for (unsigned to = 0; to < 40; to += n < 40 ? 1 : 7)
            for (unsigned from = 0; from < 40; from += n < 40 ? 3 : 5) {
                fill(a), fill(b);
                if (memmove(a + 20 + to, a + 20 + from, n) != a + 20 + to) wrong |= 64;
                uint8_t kept[70];
                for (unsigned i = 0; i < n; i++) kept[i] = b[20 + from + i];
                for (unsigned i = 0; i < n; i++) b[20 + to + i] = kept[i];
                same(0);
                fill(a), fill(b);
                if (memcpy(a + to, kept + from % 4, n < 66 ? n : 66) != a + to) wrong |= 64;
                for (unsigned i = 0; i < (n < 66 ? n : 66); i++) b[to + i] = kept[from % 4 + i];
                same(1);
                fill(a), fill(b);
                if (memset(a + to, (int)(from * 17 + 256), n) != a + to) wrong |= 64;
                for (unsigned i = 0; i < n; i++) b[to + i] = (uint8_t)(from * 17);
                same(2);
                cases++;
            }
    printf("%s, %s\n", wrong == 0 ? "right" : "wrong", cases > 20000 ? "many" : "few");
    return 0;
}
"#;
    each("copies", program, "right, many\n");
}
