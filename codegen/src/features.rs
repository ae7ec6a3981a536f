//! Which WebAssembly features a function uses, found by reading it.

use rune_abi::WasmFeatures;
use rune_ir::object::FunctionType;
use wasmparser::{BinaryReader, BlockType, FunctionBody, Operator, ValType};

/// The features of a function's type.
pub(crate) fn of_type(ty: &FunctionType) -> WasmFeatures {
    if ty.results.len() > 1 {
        WasmFeatures::MULTI_VALUE
    } else {
        WasmFeatures::default()
    }
}

/// The features of a function body: declarations of locals and instructions.
///
/// # Errors
/// The body cannot be read, or uses a feature that no rune may.
pub(crate) fn of_body(body: &[u8]) -> Result<WasmFeatures, String> {
    let broken = |error: wasmparser::BinaryReaderError| error.to_string();
    let mut features = WasmFeatures::default();
    let body = FunctionBody::new(BinaryReader::new(body, 0));
    for local in body.get_locals_reader().map_err(broken)? {
        if local.map_err(broken)?.1 == ValType::V128 {
            features = features.union(WasmFeatures::SIMD);
        }
    }
    for operator in body.get_operators_reader().map_err(broken)? {
        features = features.union(of_operator(&operator.map_err(broken)?)?);
    }
    Ok(features)
}

macro_rules! proposals {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        /// The proposal an operator comes from, as wasmparser's table of operators names it.
        fn proposal(operator: &Operator<'_>) -> &'static str {
            match operator {
                $(Operator::$op { .. } => stringify!($proposal),)*
                _ => "unknown",
            }
        }
    };
}
wasmparser::for_each_operator!(proposals);

fn of_operator(operator: &Operator<'_>) -> Result<WasmFeatures, String> {
    // A block with a type of the type section has parameters or several results.
    if let Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } =
        operator
        && let BlockType::FuncType(_) = blockty
    {
        return Ok(WasmFeatures::MULTI_VALUE);
    }
    Ok(match proposal(operator) {
        "mvp" => WasmFeatures::default(),
        "sign_extension" => WasmFeatures::SIGN_EXT,
        "saturating_float_to_int" => WasmFeatures::SATURATING_FLOAT_TO_INT,
        "bulk_memory" => WasmFeatures::BULK_MEMORY,
        "simd" => WasmFeatures::SIMD,
        "relaxed_simd" => WasmFeatures::SIMD.union(WasmFeatures::RELAXED_SIMD),
        other => return Err(format!("its code uses `{other}`, which no rune may")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{BlockType, Function, HeapType, Instruction};

    fn of(instructions: &[Instruction<'_>]) -> Result<WasmFeatures, String> {
        let mut function = Function::new([]);
        for instruction in instructions {
            function.instruction(instruction);
        }
        function.instruction(&Instruction::End);
        of_body(&function.into_raw_body())
    }

    #[test]
    fn features_are_those_of_the_instructions() {
        let cases: &[(&[Instruction<'_>], WasmFeatures)] = &[
            (&[Instruction::I32Add], WasmFeatures::default()),
            (&[Instruction::I32Extend8S], WasmFeatures::SIGN_EXT),
            (
                &[Instruction::I32TruncSatF32S],
                WasmFeatures::SATURATING_FLOAT_TO_INT,
            ),
            (&[Instruction::MemoryFill(0)], WasmFeatures::BULK_MEMORY),
            (&[Instruction::F32x4Add], WasmFeatures::SIMD),
            (
                &[
                    Instruction::Block(BlockType::FunctionType(3)),
                    Instruction::End,
                ],
                WasmFeatures::MULTI_VALUE,
            ),
            (
                &[Instruction::Block(BlockType::Empty), Instruction::End],
                WasmFeatures::default(),
            ),
        ];
        for (instructions, features) in cases {
            assert_eq!(of(instructions), Ok(*features), "{instructions:?}");
        }
        let relaxed = of(&[Instruction::F32x4RelaxedMadd]).unwrap();
        assert!(relaxed.contains(WasmFeatures::RELAXED_SIMD));
    }

    #[test]
    fn a_feature_without_a_bit_is_an_error() {
        let found = of(&[Instruction::RefNull(HeapType::FUNC), Instruction::Drop]);
        assert!(found.unwrap_err().contains("reference_types"));
    }
}
