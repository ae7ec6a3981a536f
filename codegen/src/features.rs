//! Which WebAssembly features a function body uses, found by reading it.

use rune_abi::WasmFeatures;
use wasmparser::{BinaryReader, FunctionBody, VisitOperator, VisitSimdOperator};

/// The features of a function body: declarations of locals and instructions.
pub(crate) fn of_body(body: &[u8]) -> wasmparser::Result<WasmFeatures> {
    let mut finder = Finder(WasmFeatures::default());
    let body = FunctionBody::new(BinaryReader::new(body, 0));
    for local in body.get_locals_reader()? {
        if local?.1 == wasmparser::ValType::V128 {
            finder.add(WasmFeatures::SIMD);
        }
    }
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        operators.visit_operator(&mut finder)?;
    }
    Ok(finder.0)
}

struct Finder(WasmFeatures);

impl Finder {
    fn add(&mut self, features: WasmFeatures) {
        self.0 = self.0.union(features);
    }
}

/// The bits that a proposal, by its name in wasmparser's table of operators, stands for.
macro_rules! bits {
    (mvp) => {
        WasmFeatures::default()
    };
    (sign_extension) => {
        WasmFeatures::SIGN_EXT
    };
    (saturating_float_to_int) => {
        WasmFeatures::SATURATING_FLOAT_TO_INT
    };
    (bulk_memory) => {
        WasmFeatures::BULK_MEMORY
    };
    (simd) => {
        WasmFeatures::SIMD
    };
    (relaxed_simd) => {
        WasmFeatures::SIMD.union(WasmFeatures::RELAXED_SIMD)
    };
    ($other:ident) => {
        WasmFeatures::default()
    };
}

macro_rules! visit {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        $(fn $visit(&mut self $($(, $arg: $argty)*)?) {
            $($(let _ = $arg;)*)?
            self.add(bits!($proposal));
        })*
    };
}

impl<'a> VisitOperator<'a> for Finder {
    type Output = ();

    fn simd_visitor(&mut self) -> Option<&mut dyn VisitSimdOperator<'a, Output = ()>> {
        Some(self)
    }

    wasmparser::for_each_visit_operator!(visit);
}

impl VisitSimdOperator<'_> for Finder {
    wasmparser::for_each_visit_simd_operator!(visit);
}
