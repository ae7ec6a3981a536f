//! Decimal text to the nearest float, exactly: of up to 19 digits and a small power of ten by one correctly
//! rounded operation, of all else by dividing whole numbers of any size.
//!
//! After W. D. Clinger, "How to read floating point numbers accurately" (PLDI 1990).

/// A binary float format.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    F32,
    F64,
}

/// Digits that can matter: no number halfway between two f64 has more than 767.
const MOST_DIGITS: usize = 768;

/// The bits of the float nearest to `word`, if that is one.
pub(crate) fn parse(word: &[u8], format: Format) -> Option<u64> {
    let (is_negative, word) = match word {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, word),
    };
    let bits = if word.eq_ignore_ascii_case(b"nan") {
        format.infinity() | format.infinity() >> 1
    } else if word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"infinity") {
        format.infinity()
    } else {
        Decimal::read(word)?.nearest(format)
    };
    Some(bits | u64::from(is_negative) << format.bits())
}

impl Format {
    /// Bits without the sign.
    fn bits(self) -> u32 {
        match self {
            Self::F32 => 31,
            Self::F64 => 63,
        }
    }

    /// Bits of the mantissa, with the leading one.
    fn mantissa(self) -> u32 {
        match self {
            Self::F32 => 24,
            Self::F64 => 53,
        }
    }

    /// Exponents of the least number with a whole mantissa and of the greatest.
    fn exponents(self) -> (i32, i32) {
        match self {
            Self::F32 => (-126, 127),
            Self::F64 => (-1022, 1023),
        }
    }

    fn infinity(self) -> u64 {
        let mantissa = self.mantissa() - 1;
        (1 << self.bits()) - (1 << mantissa)
    }

    /// `mantissa * 10^exponent`, if both it and the power of ten are floats of this format.
    fn exact(self, mantissa: u64, exponent: i32) -> Option<u64> {
        let most = match self {
            Self::F32 => 10,
            Self::F64 => 22,
        };
        if mantissa >> self.mantissa() != 0 || exponent.unsigned_abs() > most {
            return None;
        }
        // Each power is exact, for there are no more than `most`.
        let power = (0..exponent.unsigned_abs()).fold(1.0_f64, |power, _| power * 10.0);
        Some(match self {
            Self::F32 if exponent < 0 => (mantissa as f32 / power as f32).to_bits().into(),
            Self::F32 => (mantissa as f32 * power as f32).to_bits().into(),
            Self::F64 if exponent < 0 => (mantissa as f64 / power).to_bits(),
            Self::F64 => (mantissa as f64 * power).to_bits(),
        })
    }

    /// The nearest to `quotient * 2^(exponent - 63)`, where the quotient has its highest bit and `is_more`
    /// says that the number is greater by less than one unit of it.
    fn round(self, quotient: u64, is_more: bool, exponent: i32) -> u64 {
        let (least, greatest) = self.exponents();
        if exponent > greatest {
            return self.infinity();
        }
        let mantissa = self.mantissa();
        // Below the least exponent there are fewer bits, down to none for half the least number.
        let missing = (least - exponent).max(0) as u32;
        if missing > mantissa {
            return 0;
        }
        let dropped = 64 - mantissa + missing;
        let kept = quotient.checked_shr(dropped).unwrap_or(0);
        let rest = quotient << (64 - dropped);
        let half = 1 << 63;
        let is_up = rest > half || (rest == half && (is_more || kept & 1 == 1));
        let base = if missing > 0 {
            0
        } else {
            // The leading one of the mantissa adds the last of the exponent.
            ((exponent - least) as u64) << (mantissa - 1)
        };
        // Rounding up carries into the exponent, and from the greatest to infinity.
        base + kept + u64::from(is_up)
    }
}

/// A number as it is written: digits before and after the point, and the power of ten.
struct Decimal<'a> {
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Decimal<'a> {
    fn read(word: &'a [u8]) -> Option<Self> {
        let (whole, rest) = digits(word);
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => digits(rest),
            _ => (&[][..], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', b'-', rest @ ..] => -power(rest)?,
            [b'e' | b'E', b'+', rest @ ..] | [b'e' | b'E', rest @ ..] => power(rest)?,
            _ => return None,
        };
        Some(Self {
            whole,
            fraction,
            exponent,
        })
    }

    /// The digits as numbers.
    fn digits(&self) -> impl Iterator<Item = u32> {
        let digits = self.whole.iter().chain(self.fraction);
        digits.map(|digit| u32::from(digit - b'0'))
    }

    fn nearest(&self, format: Format) -> u64 {
        let mut first = None;
        let mut last = 0;
        for (place, digit) in self.digits().enumerate() {
            if digit != 0 {
                first.get_or_insert(place);
                last = place;
            }
        }
        let Some(first) = first else {
            return 0;
        };
        // The number is below 10^point and at least 10^(point - 1).
        let point = self.exponent + self.whole.len() as i64 - first as i64;
        if point < -330 {
            return 0;
        }
        if point > 310 {
            return format.infinity();
        }
        let mut count = last + 1 - first;
        if count <= 19 {
            let significant = self.digits().skip(first).take(count);
            let mantissa = significant.fold(0, |n, digit| n * 10 + u64::from(digit));
            if let Some(bits) = format.exact(mantissa, point as i32 - count as i32) {
                return bits;
            }
        }
        // What follows the digits that can matter only has to be more than nothing.
        let is_cut = count > MOST_DIGITS;
        count = count.min(MOST_DIGITS);
        let mut numerator = Whole::from(1);
        let mut denominator = Whole::from(1);
        numerator.words[0] = 0;
        for digit in self.digits().skip(first).take(count) {
            numerator.times(10, digit);
        }
        if is_cut {
            numerator.times(10, 1);
            count += 1;
        }
        let exponent = point as i32 - count as i32;
        let scaled = if exponent < 0 {
            &mut denominator
        } else {
            &mut numerator
        };
        for _ in 0..exponent.unsigned_abs() {
            scaled.times(10, 0);
        }
        let (quotient, is_more, exponent) = numerator.divide(denominator);
        format.round(quotient, is_more, exponent)
    }
}

/// The digits a text begins with, and the rest.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// A power of ten, at most a billion: that is far beyond every float of fewer digits than memory holds.
fn power(text: &[u8]) -> Option<i64> {
    match digits(text) {
        ([], _) | (_, [_, ..]) => None,
        (digits, []) => Some(digits.iter().fold(0, |n, digit| {
            (n * 10 + i64::from(digit - b'0')).min(1_000_000_000)
        })),
    }
}

/// Words of a whole number: `10^1099` has 3651 bits, and a division needs one more.
const WORDS: usize = 116;

/// A whole number, the lowest word first.
#[derive(Clone, Copy)]
struct Whole {
    words: [u32; WORDS],
    /// Words in use; all above are 0.
    used: usize,
}

impl From<u32> for Whole {
    fn from(number: u32) -> Self {
        let mut words = [0; WORDS];
        words[0] = number;
        Self { words, used: 1 }
    }
}

impl Whole {
    /// Multiplies by a factor and adds.
    fn times(&mut self, factor: u32, plus: u32) {
        let mut carry = u64::from(plus);
        for word in &mut self.words[..self.used] {
            carry += u64::from(*word) * u64::from(factor);
            *word = carry as u32;
            carry >>= 32;
        }
        if carry > 0 && self.used < WORDS {
            self.words[self.used] = carry as u32;
            self.used += 1;
        }
    }

    fn bits(&self) -> u32 {
        let top = self.words[self.used - 1];
        32 * self.used as u32 - top.leading_zeros()
    }

    fn shift_left(&mut self, bits: u32) {
        for _ in 0..bits / 31 {
            self.times(1 << 31, 0);
        }
        self.times(1 << (bits % 31), 0);
    }

    fn is_at_least(&self, other: &Self) -> bool {
        self.used > other.used
            || (self.used == other.used
                && self.words[..self.used]
                    .iter()
                    .rev()
                    .ge(other.words[..self.used].iter().rev()))
    }

    /// Subtracts what is no greater.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0;
        for (word, less) in self.words[..self.used].iter_mut().zip(&other.words) {
            let difference = i64::from(*word) - i64::from(*less) + borrow;
            *word = difference as u32;
            borrow = difference >> 32;
        }
        while self.used > 1 && self.words[self.used - 1] == 0 {
            self.used -= 1;
        }
    }

    /// The quotient of two numbers that are not 0, as 64 bits of which the highest is set, whether there is
    /// more after them, and the power of two of the highest.
    fn divide(mut self, mut by: Self) -> (u64, bool, i32) {
        let mut exponent = self.bits() as i32 - by.bits() as i32;
        let smaller = if exponent < 0 { &mut self } else { &mut by };
        smaller.shift_left(exponent.unsigned_abs());
        if !self.is_at_least(&by) {
            self.times(2, 0);
            exponent -= 1;
        }
        let mut quotient = 0;
        for _ in 0..64 {
            quotient <<= 1;
            if self.is_at_least(&by) {
                self.subtract(&by);
                quotient |= 1;
            }
            self.times(2, 0);
        }
        (quotient, self.bits() > 0, exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str) {
        let ours = (
            parse(word.as_bytes(), Format::F32),
            parse(word.as_bytes(), Format::F64),
        );
        let theirs = (
            word.parse::<f32>().ok().map(|x| u64::from(x.to_bits())),
            word.parse::<f64>().ok().map(f64::to_bits),
        );
        assert_eq!(ours, theirs, "{word}");
    }

    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn below(&mut self, n: u64) -> u64 {
            self.next() % n
        }
    }

    #[test]
    fn reads_what_the_language_reads() {
        for word in [
            "",
            ".",
            "+",
            "-",
            "e5",
            ".e5",
            "1e",
            "1e+",
            "1e-",
            "1.5.2",
            "1e5.0",
            "1f",
            "0x1p3",
            "nan",
            "-NaN",
            "inf",
            "+Infinity",
            "-INF",
            "infinit",
            "nano",
            "1_000",
            "1,5",
            " 1",
            "1 ",
            "5.",
            ".5",
            "+.5e1",
            "-0",
            "-0.0e99999999999999999999",
            "0e-1",
            "00012.50",
            "1e310",
            "-1e-400",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880",
            "2.2250738585072011e-308",
            "2.2250738585072014e-308",
            "4.9e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "3.4028235e38",
            "3.4028236e38",
            "3.40282357e38",
            "1.1754943e-38",
            "1.4e-45",
            "7.006492321624085e-46",
            "7.006492321624086e-46",
            "16777217",
            "16777219",
            "9007199254740993",
            "9007199254740995",
            "8388609.5",
            "1.00000005960464477539062500000000001",
            "1.000000059604644775390625",
            "123456789012345678901234567890",
        ] {
            check(word);
        }
    }

    #[test]
    fn digits_without_end_are_exact() {
        // Halfway between 1 and the next float, written out, then a one far behind.
        let half = "1.00000000000000011102230246251565404236316680908203125";
        check(half);
        for zeros in [0, 10, 700, 713, 714, 715, 716, 5000] {
            check(&format!("{half}{}1", "0".repeat(zeros)));
        }
        check(&("0.".to_owned() + &"0".repeat(400) + "1e400"));
        check(&("1".to_owned() + &"0".repeat(5000) + "e-5000"));
        check(&("9".repeat(5000) + "e-4999"));
        // The longest halfway number: between 0 and the least f64, 2^-1075.
        let digits = five_to(1075);
        check(&format!("{digits}e-1075"));
        check(&format!("{digits}0000000001e-1085"));
        check(&format!("{}e-1075", &digits[..750]));
    }

    /// The decimal digits of a power of five.
    fn five_to(power: usize) -> String {
        let mut digits = vec![1_u8];
        for _ in 0..power {
            let mut carry = 0;
            for digit in &mut digits {
                carry += *digit * 5;
                *digit = carry % 10;
                carry /= 10;
            }
            if carry > 0 {
                digits.push(carry);
            }
        }
        digits.iter().rev().map(|d| char::from(b'0' + d)).collect()
    }

    #[test]
    fn random_words_are_what_the_language_reads() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..40_000 {
            let digits = 1 + random.below(30) as usize;
            let mut word: String = (0..digits)
                .map(|_| char::from(b'0' + random.below(10) as u8))
                .collect();
            word.insert(random.below(digits as u64 + 1) as usize, '.');
            let range = if random.below(2) == 0 { 30 } else { 700 };
            let exponent = random.below(range) as i64 - range as i64 / 2;
            check(&format!("{word}e{exponent}"));
        }
    }

    #[test]
    fn random_floats_and_their_halves_come_back() {
        let mut random = Random(1);
        for _ in 0..20_000 {
            let x = f64::from_bits(random.next());
            let y = f32::from_bits(random.next() as u32);
            check(&format!("{x:e}"));
            check(&format!("{y:e}"));
            // Between a float and the next.
            check(&format!(
                "{:.60e}",
                f64::midpoint(y.into(), y.next_up().into())
            ));
        }
    }
}
