//! The requests at the two ends of an export: what it asks its host for before it does anything else, and what it asks
//! for when all that is left is to return. A host can serve both without being left and entered for them.

use wasmparser::{FunctionBody, Operator};

use crate::{Error, First, module::Module};

/// The requests at the ends of a function.
#[derive(Default)]
pub(crate) struct Ends {
    /// The first one, and where its call is in the module.
    pub(crate) first: Option<(First, u64)>,
    /// Where the call of the last one is.
    pub(crate) last: Option<u64>,
}

impl Ends {
    /// Those of an export, by the place of its function among those that are not imported. None where there is no such
    /// export, or where its function may run otherwise than by being called once from outside.
    pub(crate) fn of(module: &Module<'_>, export: &str) -> Result<Option<(usize, Self)>, Error> {
        let mut named = module.exports.iter().filter(|(name, _)| *name == export);
        let Some((_, function)) = named.next() else {
            return Ok(None);
        };
        let Some(index) = (*function as usize).checked_sub(module.imports.len()) else {
            return Ok(None);
        };
        let exported = module.exports.iter().filter(|(_, f)| f == function).count();
        let is_in_table = module.table.contains(&Some(*function));
        if exported > 1 || is_in_table {
            return Ok(None);
        }
        for body in &module.bodies {
            for operator in body.get_operators_reader()? {
                if let Operator::Call { function_index } = operator?
                    && function_index == *function
                {
                    return Ok(None);
                }
            }
        }
        let body = &module.bodies[index];
        let ends = Self {
            first: first(module, body)?,
            last: last(module, body)?,
        };
        Ok(Some((index, ends)))
    }
}

/// Constants and a call that takes them.
fn first(module: &Module<'_>, body: &FunctionBody<'_>) -> Result<Option<(First, u64)>, Error> {
    let mut arguments = Vec::new();
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        match operators.read_with_offset()? {
            (Operator::Block { .. }, _) if arguments.is_empty() => {}
            (Operator::I32Const { value }, _) => arguments.push(value.cast_unsigned()),
            (Operator::Call { function_index }, offset) => {
                let params = &module.signature(function_index).params;
                let import = module.imports.get(function_index as usize);
                let import = import.filter(|_| params.len() == arguments.len());
                let first = import.map(|import| First {
                    import: import.name.to_owned(),
                    arguments,
                });
                return Ok(first.map(|first| (first, offset)));
            }
            _ => break,
        }
    }
    Ok(None)
}

/// The call of an import after which the body neither asks for more, nor touches memory, nor traps, nor goes back.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the rest may trap or touch memory"
)]
fn last(module: &Module<'_>, body: &FunctionBody<'_>) -> Result<Option<u64>, Error> {
    // What is open, and whether it is a loop.
    let mut open = vec![false];
    let mut last = None;
    for item in body.get_operators_reader()?.into_iter_with_offsets() {
        let (operator, offset) = item?;
        match operator {
            Operator::Block { .. } | Operator::If { .. } => open.push(false),
            Operator::Loop { .. } => open.push(true),
            Operator::End => drop(open.pop()),
            Operator::Call { function_index } => {
                let is_import = (function_index as usize) < module.imports.len();
                last = (is_import && !open.contains(&true)).then_some(offset);
            }
            operator if is_quiet(&operator) => {}
            _ => last = None,
        }
    }
    Ok(last)
}

/// Whether an operator changes nothing but locals and where the function goes on.
fn is_quiet(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Nop
            | Operator::Else
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Drop
            | Operator::Select
            | Operator::LocalGet { .. }
            | Operator::LocalSet { .. }
            | Operator::LocalTee { .. }
            | Operator::I32Const { .. }
            | Operator::I32Eqz
            | Operator::I32Eq
            | Operator::I32Ne
            | Operator::I32LtS
            | Operator::I32LtU
            | Operator::I32GtS
            | Operator::I32GtU
            | Operator::I32LeS
            | Operator::I32LeU
            | Operator::I32GeS
            | Operator::I32GeU
            | Operator::I32Add
            | Operator::I32Sub
            | Operator::I32And
            | Operator::I32Or
            | Operator::I32Xor
    )
}
