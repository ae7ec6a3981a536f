//! The types an instruction declares for its inputs and outputs, from `<...>` and a model's `--input` and
//! `--output`.

use rune_ir::{
    diag::{Code, Diagnostic, Severity, Spanned},
    ty::{Dim, PartialType},
};

use crate::{
    tree::{Argument, Role, Stage, Types, Value},
    values,
};

/// What an instruction declares, and the arguments that are left when `--input` and `--output` are taken out.
pub(crate) struct Declared<'t> {
    pub(crate) inputs: Option<Vec<Spanned<PartialType>>>,
    pub(crate) outputs: Option<Vec<Spanned<PartialType>>>,
    pub(crate) args: Vec<&'t Argument>,
}

/// Reads the declared types of a stage. Where a diagnostic is an error, what it concerns is left out.
pub(crate) fn declared(stage: &Stage) -> (Declared<'_>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let (inputs, outputs) = stage
        .types
        .as_ref()
        .and_then(|types| match sides(stage.role.value, types) {
            Ok(sides) => Some(sides),
            Err(diagnostic) => {
                found.push(*diagnostic);
                None
            }
        })
        .unwrap_or_default();
    let mut declared = Declared {
        inputs,
        outputs,
        args: stage.args.iter().collect(),
    };
    if stage.role.value == Role::Model {
        declared.args.clear();
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for arg in &stage.args {
            let shapes = match arg.name.value.as_str() {
                "input" => &mut inputs,
                "output" => &mut outputs,
                _ => {
                    declared.args.push(arg);
                    continue;
                }
            };
            match shape(arg) {
                Ok(shape) => shapes.push(shape),
                Err(diagnostic) => found.push(*diagnostic),
            }
        }
        found.extend(merge(&mut declared.inputs, inputs));
        found.extend(merge(&mut declared.outputs, outputs));
    }
    (declared, found)
}

type Sides = (
    Option<Vec<Spanned<PartialType>>>,
    Option<Vec<Spanned<PartialType>>>,
);

/// The types of the inputs and of the outputs.
fn sides(role: Role, types: &Types) -> Result<Sides, Box<Diagnostic>> {
    let count = types.before.len() + types.after.as_ref().map_or(0, Vec::len);
    let wrong = |message: String, at: &str| {
        Box::new(Diagnostic::new(Code::TypeCount, types.span, message).at(at))
    };
    let two_sided = |name| match (&types.after, types.before.as_slice()) {
        (Some(after), before) => Ok((Some(before.to_vec()), Some(after.clone()))),
        // The form of the reference system: one input, one output.
        (None, [input, output]) => Ok((Some(vec![input.clone()]), Some(vec![output.clone()]))),
        (None, [only]) => Err(Box::new(
            wrong(
                format!("a {name} has types of inputs and of outputs, and there is only one type"),
                "expected `in -> out`",
            )
            .hint(format!(
                "write `<{0} -> _>` if this is its input, `<_ -> {0}>` if it is its output",
                only.value
            )),
        )),
        (None, _) => Err(Box::new(
            wrong(
                format!("of these {count} types it is not clear which are inputs"),
                "expected `in, ... -> out, ...`",
            )
            .hint("write `->` between the inputs and the outputs"),
        )),
    };
    match role {
        Role::Capability => match (&types.after, types.before.as_slice()) {
            (None, [output]) => Ok((None, Some(vec![output.clone()]))),
            _ => Err(Box::new(
                wrong(
                    format!("a capability has one type, and there are {count}"),
                    "expected one type",
                )
                .hint("write the type of what it gives; a capability has no inputs"),
            )),
        },
        Role::ProcBlock => two_sided("block"),
        Role::Model => two_sided("model"),
        Role::Out => Err(Box::new(
            wrong(
                "an output has no type of its own".to_owned(),
                "expected none",
            )
            .hint("leave it out; an output takes what it is fed"),
        )),
    }
}

/// The type `--input [1,1]` declares: a shape of any element type.
fn shape(arg: &Argument) -> Result<Spanned<PartialType>, Box<Diagnostic>> {
    let not_a_shape = || {
        Box::new(
            Diagnostic::new(
                Code::ArgumentKind,
                arg.value.span,
                format!(
                    "`--{}` takes a shape, not `{}`",
                    arg.name.value,
                    values::shorten(&arg.text)
                ),
            )
            .at("expected a shape")
            .hint(format!(
                "write the dimensions: `--{} [1, 10]`",
                arg.name.value
            )),
        )
    };
    let items: Vec<Spanned<&str>> = match &arg.value.value {
        Value::List(items) if !items.is_empty() => items.iter().collect(),
        Value::Integer(_) => {
            vec![Spanned::new(&arg.text, arg.value.span)]
        }
        Value::List(_) | Value::Text(_) | Value::Float(_) | Value::Reference(_) => {
            return Err(not_a_shape());
        }
    };
    if items.len() > rune_abi::limit::RANK {
        return Err(Box::new(
            Diagnostic::new(
                Code::BadDimension,
                arg.value.span,
                format!("a tensor of {} dimensions", items.len()),
            )
            .at(format!("a tensor has at most {}", rune_abi::limit::RANK)),
        ));
    }
    let dims = items
        .iter()
        .map(|item| {
            let digits = item.value.strip_prefix("<=").unwrap_or(item.value);
            let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            if !is_number && item.value != "_" {
                return Err(not_a_shape());
            }
            values::dim(item.value).map_err(|fault| {
                Box::new(
                    Diagnostic::new(Code::BadDimension, item.span, fault.message)
                        .at(fault.label)
                        .hint(fault.hint),
                )
            })
        })
        .collect::<Result<Vec<Option<Dim>>, _>>()?;
    Ok(Spanned::new(
        PartialType {
            element: None,
            dims: Some(dims),
        },
        arg.value.span,
    ))
}

/// Adds shapes from arguments where no types are written, and warns where the two differ.
fn merge(
    types: &mut Option<Vec<Spanned<PartialType>>>,
    shapes: Vec<Spanned<PartialType>>,
) -> Option<Diagnostic> {
    let first = shapes.first()?.span;
    let Some(types) = types else {
        *types = Some(shapes);
        return None;
    };
    let differs = types.len() != shapes.len()
        || types
            .iter()
            .zip(&shapes)
            .any(|(ty, shape)| ty.value.dims.is_some() && ty.value.dims != shape.value.dims);
    if !differs {
        return None;
    }
    let mut diagnostic = Diagnostic::new(
        Code::ContradictingArguments,
        first,
        "this shape is not that of the declared type",
    )
    .at("not used")
    .hint("leave out one of the two");
    if let Some(ty) = types.first() {
        diagnostic = diagnostic.also(ty.span, "the declared type counts");
    }
    debug_assert_eq!(diagnostic.severity, Severity::Warning);
    Some(diagnostic)
}
