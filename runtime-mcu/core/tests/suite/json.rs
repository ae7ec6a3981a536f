//! The JSON of `rune-core` against that of `serde_json`.

use rune_abi::ElementType;
use rune_core::json::{self, Elements};

fn tensor(element: ElementType, bytes: &[u8]) -> String {
    let mut out = String::new();
    let elements: Elements<'_, [&str; 0]> = Elements::Numbers(bytes);
    json::tensor(&mut out, element, [], elements).unwrap();
    let begin = out.find("elements\": [").unwrap() + 12;
    out[begin..out.len() - 2].to_owned()
}

#[test]
fn texts_are_escaped_as_serde_json_does() {
    let mut texts: Vec<String> = (0..=0x2ff_u32)
        .filter_map(char::from_u32)
        .map(|c| format!("a{c}{c}\"{c}"))
        .collect();
    texts.extend(["", "😀\u{fffd}\u{2028}", "\\u0000", "\n\n"].map(str::to_owned));
    for text in texts {
        let mut out = String::new();
        json::text(&mut out, &text).unwrap();
        assert_eq!(out, serde_json::to_string(&text).unwrap());
    }
}

#[test]
fn floats_read_back_as_they_were_and_look_like_floats() {
    // Every exponent, with mantissas that are short, long, and at the ends.
    for high in 0..=u16::MAX {
        for low in [0, 1, 0x8000, 0xffff, high ^ 0x5a5a] {
            let bits = u32::from(high) << 16 | u32::from(low);
            let number = f32::from_bits(bits);
            let shown = tensor(ElementType::F32, &number.to_le_bytes());
            let back: f32 = shown.trim_matches('"').parse().unwrap();
            assert!(
                back.to_bits() == bits || number.is_nan() && back.is_nan(),
                "{shown}"
            );
            assert!(shown.contains(['.', 'e', 'N', 'f']), "{shown}");
        }
    }
    for (number, shown) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e16"),
        (1e-5, "0.00001"),
        (9e-6, "9e-6"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (0.1, "0.1"),
        (f64::NEG_INFINITY, "\"-inf\""),
    ] {
        assert_eq!(tensor(ElementType::F64, &number.to_le_bytes()), shown);
    }
    assert_eq!(tensor(ElementType::I8, &[0x80, 1]), "-128, 1");
    assert_eq!(tensor(ElementType::U64, &[0xff; 8]), "18446744073709551615");
}
