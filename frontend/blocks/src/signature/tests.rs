//! Signatures that are right, and every way to be wrong.

use super::*;

const WHOLE: &str = r#"
name = "frames"
version = "1.2.3-rc.1"
doc = "Splits samples into frames."

[types]
T = ["f32", "i16"]
A = ["u8"]

[[inputs]]
name = "samples"
type = "T[n]"
[[inputs]]
name = "mask"
type = "A[...batch, n]"
[[outputs]]
name = "frames"
type = "T[ceil((n - hop_size) / hop_size), 2 * hop_size]"
[[outputs]]
name = "peaks"
type = "u32[<= n // 2, 6]"
[[outputs]]
name = "label"
type = "utf8[]"

[[args]]
name = "hop-size"
aliases = ["n", "hop"]
type = "integer"
default = 160
min = 1
max = 0xffff
unit = "samples"
doc = "From frame to frame."
[[args]]
name = "gain"
type = "float"
default = 2
min = 0.5
[[args]]
name = "window"
type = "string"
words = ["hann", "none"]
default = "none"
[[args]]
name = "centred"
type = "bool"
default = true
[[args]]
name = "names"
type = "strings"
[[args]]
name = "table"
type = "bytes"
default = "ab"
"#;

fn name(n: &str) -> DimExpr {
    DimExpr::Name(n.to_owned())
}

fn number(n: i64) -> DimExpr {
    DimExpr::Number(n)
}

type Make = fn(Box<DimExpr>, Box<DimExpr>) -> DimExpr;

fn of(make: Make, a: DimExpr, b: DimExpr) -> DimExpr {
    make(Box::new(a), Box::new(b))
}

#[test]
fn reads_everything_a_signature_can_say() {
    let signature = parse(WHOLE).unwrap();
    assert_eq!(signature.name, "frames");
    assert_eq!(signature.doc, "Splits samples into frames.");
    // In the order of the text, not of the alphabet.
    assert_eq!(
        signature.types,
        [
            ("T".to_owned(), vec![ElementType::F32, ElementType::I16]),
            ("A".to_owned(), vec![ElementType::U8]),
        ]
    );
    assert_eq!(signature.inputs[1].element, PortElement::Variable(1));
    assert_eq!(
        signature.inputs[1].dims,
        [PortDim::Rest("batch".to_owned()), PortDim::One(name("n"))]
    );
    // The argument is meant by its name, with its dash; its alias is a dimension here.
    assert_eq!(
        signature.outputs[0].dims,
        [
            PortDim::One(of(
                DimExpr::CeilDiv,
                of(DimExpr::Sub, name("n"), name("hop-size")),
                name("hop-size")
            )),
            PortDim::One(of(DimExpr::Mul, number(2), name("hop-size"))),
        ]
    );
    assert_eq!(
        signature.outputs[1].dims,
        [
            PortDim::AtMost(of(DimExpr::FloorDiv, name("n"), number(2))),
            PortDim::One(number(6)),
        ]
    );
    assert_eq!(
        signature.outputs[2].element,
        PortElement::Fixed(ElementType::Utf8)
    );
    assert!(signature.outputs[2].dims.is_empty());
    let args: Vec<_> = signature.args.iter().map(|a| (&a.ty, &a.default)).collect();
    let words = vec!["hann".to_owned(), "none".to_owned()];
    assert_eq!(
        args,
        [
            (
                &ArgType::Integer { min: 1, max: 65535 },
                &Some(Bound::Integer(160))
            ),
            (
                &ArgType::Float {
                    min: 0.5,
                    max: f64::MAX
                },
                &Some(Bound::Float(2.0))
            ),
            (
                &ArgType::Text { words },
                &Some(Bound::Text("none".to_owned()))
            ),
            (&ArgType::Bool, &Some(Bound::Integer(1))),
            (&ArgType::List, &None),
            (&ArgType::Bytes, &Some(Bound::Bytes(b"ab"[..].into()))),
        ]
    );
    assert_eq!(signature.args[0].aliases, ["n", "hop"]);
    assert_eq!(signature.args[0].unit, "samples");
}

#[test]
fn reads_shapes_that_are_not_spelt_out() {
    let signature = parse(
        r#"
name = "join"
version = "1.0.0"
category = "tensor"
example = "PROC_BLOCK runicos/join join --parts 2"
[types]
T = ["f32"]
[[inputs]]
name = "like"
type = "T[...<=s]"
doc = "Gives the shape."
[[inputs]]
name = "parts"
type = "T[..., 3]"
many = true
[[outputs]]
name = "same"
type = "T[...<=s]"
[[outputs]]
name = "all"
type = "T[?]"
many = "parts"
[[args]]
name = "parts"
type = "integer"
min = 1
max = 63
"#,
    )
    .unwrap();
    assert_eq!(signature.category, Some(Category::Tensor));
    assert_eq!(signature.example, "PROC_BLOCK runicos/join join --parts 2");
    assert_eq!(signature.inputs[0].doc, "Gives the shape.");
    let rest = [PortDim::RestAtMost("s".to_owned())];
    assert_eq!(signature.inputs[0].dims, rest);
    assert_eq!(signature.outputs[0].dims, rest);
    assert_eq!(
        signature.inputs[1].dims,
        [PortDim::Any, PortDim::One(number(3))]
    );
    assert_eq!(signature.inputs[1].many, Some(Many::OneOrMore));
    assert_eq!(signature.outputs[1].dims, [PortDim::Told]);
    assert_eq!(
        signature.outputs[1].many,
        Some(Many::Argument("parts".to_owned()))
    );
    assert!(signature.takes_many() && signature.tells_shape());
    assert_eq!(signature.input(7).map(|p| p.name.as_str()), Some("parts"));
    assert_eq!(signature.output(7).map(|p| p.name.as_str()), Some("all"));
}

#[test]
fn operators_bind_and_lean_as_in_arithmetic() {
    let dims = |text: &str| dims::parse(text, &[], &[]).map(|(_, dims)| dims);
    let one = |e| Ok(vec![PortDim::One(e)]);
    let abc = || (name("a"), name("b"), name("c"));
    let (a, b, c) = abc();
    let difference = of(DimExpr::Sub, a, b);
    assert_eq!(dims("u8[a - b - c]"), one(of(DimExpr::Sub, difference, c)));
    let (a, b, c) = abc();
    let product = of(DimExpr::Mul, b, c);
    assert_eq!(dims("u8[a + b * c]"), one(of(DimExpr::Add, a, product)));
    let (a, b, c) = abc();
    let sum = of(DimExpr::Add, a, b);
    assert_eq!(dims("u8[(a + b) / c]"), one(of(DimExpr::Div, sum, c)));
    assert_eq!(dims("u8"), Ok(vec![]));
}

/// The message for the text after a change.
fn fault(from: &str, to: &str) -> (String, usize) {
    assert!(WHOLE.contains(from), "{from}");
    let error = parse(&WHOLE.replacen(from, to, 1)).expect_err(to);
    (error.message, error.line)
}

#[test]
fn says_what_is_wrong_and_where() {
    let cases = [
        (
            "name = \"frames\"",
            "name = \"frames",
            2,
            "invalid basic string",
        ),
        ("name = \"frames\"", "", 1, "the signature has no `name`"),
        (
            "name = \"frames\"",
            "name = \"Frames\"",
            2,
            "`Frames` is not a name in kebab case",
        ),
        (
            "1.2.3-rc.1",
            "1.2",
            3,
            "`1.2` is not a version such as 1.0.0",
        ),
        (
            "doc = \"Splits",
            "docs = \"Splits",
            4,
            "the signature has no `docs`, did you mean `doc`?",
        ),
        (
            "T = [",
            "t = [",
            7,
            "`t` is no type variable; its name begins with a capital letter",
        ),
        (
            "\"i16\"",
            "\"I16\"",
            7,
            "`I16` is not an element type in lower case",
        ),
        ("\"i16\"", "\"f32\"", 7, "`f32` is listed twice"),
        ("[\"u8\"]", "[]", 8, "`A` may be no type at all"),
        (
            "[\"u8\"]",
            "\"u8\"",
            8,
            "`A` is a list of strings, not of type string",
        ),
        (
            "A[...batch, n]",
            "u8[n]",
            1,
            "no input or output is of the type `A`",
        ),
        (
            "\"T[n]\"",
            "\"U[n]\"",
            12,
            "in the type `U[n]`: `U` is neither an element type nor one of `[types]`",
        ),
        (
            "\"T[n]\"",
            "\"T[n\"",
            12,
            "in the type `T[n`: `,` is missing at the end",
        ),
        (
            "\"T[n]\"",
            "\"T[n;]\"",
            12,
            "in the type `T[n;]`: expected `,` before `;`",
        ),
        (
            "\"T[n]\"",
            "\"T[n] x\"",
            12,
            "in the type `T[n] x`: `x` is too much",
        ),
        (
            "\"T[n]\"",
            "\"T[...<=]\"",
            12,
            "in the type `T[...<=]`: `...<=` needs a name",
        ),
        (
            "\"T[n]\"",
            "\"T[?]\"",
            12,
            "in the type `T[?]`: `?` is for outputs; an input of any shape is `...`",
        ),
        (
            "\"utf8[]\"",
            "\"utf8[?, 2]\"",
            24,
            "in the type `utf8[?, 2]`: `?` is a whole shape and stands alone",
        ),
        (
            "\"utf8[]\"",
            "\"utf8[...]\"",
            24,
            "in the type `utf8[...]`: `...` without a name says nothing about an output; name it",
        ),
        (
            "\"T[n]\"",
            "\"T[n]\"\nmany = true",
            13,
            "only the last input can be `many`",
        ),
        (
            "\"A[...batch, n]\"",
            "\"A[...batch, n]\"\nmany = \"hop-size\"",
            16,
            "`many` is true for an input, not of type string",
        ),
        (
            "\"u32[<= n // 2, 6]\"",
            "\"u32[<= n // 2, 6]\"\nmany = \"hop-size\"",
            22,
            "only the last output can be `many`",
        ),
        (
            "\"utf8[]\"",
            "\"utf8[]\"\nmany = true",
            25,
            "`many` is the name of an integer argument for an output, not of type boolean",
        ),
        (
            "\"utf8[]\"",
            "\"utf8[]\"\nmany = \"parts\"",
            25,
            "`many` names `--parts`, which is no argument",
        ),
        (
            "\"utf8[]\"",
            "\"utf8[]\"\nmany = \"gain\"",
            25,
            "`--gain` is not an integer argument, so it cannot say how many",
        ),
        (
            "\"utf8[]\"",
            "\"utf8[]\"\nmany = \"hop-size\"",
            25,
            "`--hop-size` says how many outputs there are, so its `min` is at least 1 and its `max` at most 62",
        ),
        (
            "[types]",
            "category = \"sound\"\n[types]",
            6,
            "`sound` is no category; they are audio, image, tensor, decision, text",
        ),
        (
            "\"T[n]\"",
            "\"T[...a, ...b]\"",
            12,
            "in the type `T[...a, ...b]`: only one `...` can be told from the shape",
        ),
        (
            "\"T[n]\"",
            "\"T[99999999999999999999]\"",
            12,
            "in the type `T[99999999999999999999]`: 99999999999999999999 is too large",
        ),
        (
            "\"T[n]\"",
            "\"T[n*gain]\"",
            12,
            "in the type `T[n*gain]`: `--gain` is not an integer argument",
        ),
        (
            "\"T[n]\"",
            "\"T[ceil(n)]\"",
            12,
            "in the type `T[ceil(n)]`: `ceil` takes one quotient, such as `ceil(a / b)`",
        ),
        (
            "\"T[n]\"",
            "7",
            12,
            "`type` is a string, not of type integer",
        ),
        (
            "\"u32[<= n // 2, 6]\"",
            "\"u32[m // 2]\"",
            1,
            "`m` is in an expression, but is neither a dimension of its own nor an integer argument",
        ),
        (
            "[[args]]\nname = \"gain\"",
            "[args]\nname = \"gain\"",
            35,
            "duplicate key",
        ),
        (
            "type = \"integer\"",
            "type = \"int\"",
            29,
            "`int` is not a type of arguments; they are integer, float, string, bool, strings, bytes",
        ),
        (
            "default = 160",
            "default = 0",
            30,
            "`default` lies outside `min` to `max`",
        ),
        (
            "default = 160",
            "default = 1.5",
            30,
            "`default` is a whole number of 64 bits, not of type float",
        ),
        (
            "min = 1\n",
            "min = 70000\n",
            29,
            "`min` is greater than `max`",
        ),
        (
            "min = 0.5",
            "min = nan",
            39,
            "`min` is a finite number, not of type float",
        ),
        (
            "default = \"none\"",
            "default = \"flat\"",
            44,
            "`default` is not one of `words`",
        ),
        (
            "words = [\"hann\", \"none\"]",
            "max = 3",
            43,
            "an argument of type string has no `max`",
        ),
        (
            "default = true",
            "default = 1",
            48,
            "`default` is true or false, not of type integer",
        ),
        (
            "name = \"gain\"",
            "name = \"hop\"",
            1,
            "two arguments are called `hop`",
        ),
        (
            "name = \"gain\"",
            "name = \"loud_ness\"",
            36,
            "`loud_ness` is not a name in kebab case",
        ),
    ];
    let wrong: Vec<_> = cases
        .into_iter()
        .map(|(from, to, line, message)| (to, (line, message), fault(from, to)))
        .filter(|(_, want, found)| found.1 != want.0 || !found.0.starts_with(want.1))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn refuses_what_would_go_too_deep() {
    let deep = format!("u8[{}n{}]", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(
        dims::parse(&deep, &[], &[]).unwrap_err(),
        "the parentheses are nested too deep"
    );
    let long = format!("u8[{}]", vec!["n"; 5000].join("+"));
    assert_eq!(
        dims::parse(&long, &[], &[]).unwrap_err(),
        "the expression is too long"
    );
    let many = format!("u8[{}]", vec!["1"; 33].join(","));
    assert_eq!(
        dims::parse(&many, &[], &[]).unwrap_err(),
        "there are more than 32 dimensions"
    );
    assert!(parse(&"#".repeat(MAX_TEXT + 1)).is_err());
}
