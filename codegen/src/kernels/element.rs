//! Single elements of tensors: how each type is loaded as a machine number, and stored.

use rune_ir::{graph::DataType, ty::ElementType};

use crate::nest::{Address, Affine, BufferId, Builder, Expr, Load, Store, Ty};

/// Element `i` of a buffer of elements of so many bytes.
pub(super) fn element(buffer: BufferId, i: &Affine, bytes: u32) -> Address {
    let offset = i * bytes;
    Address { buffer, offset }
}

/// How one element of a type is loaded: integers of up to 32 bits and truth values as an I32, the rest as
/// what they are.
pub(super) fn load(ty: DataType) -> Load {
    match ty {
        DataType::Bool => Load::U8,
        DataType::Element(element) => match element {
            ElementType::U8 => Load::U8,
            ElementType::I8 => Load::I8,
            ElementType::U16 => Load::U16,
            ElementType::I16 => Load::I16,
            ElementType::U32 | ElementType::I32 => Load::Whole(Ty::I32),
            ElementType::U64 | ElementType::I64 => Load::Whole(Ty::I64),
            ElementType::F32 => Load::Whole(Ty::F32),
            ElementType::F64 => Load::Whole(Ty::F64),
            ElementType::Utf8 => unreachable!("models have no texts"),
        },
    }
}

/// How a number that [`load`] gives is stored as one element of a type.
pub(super) fn store(ty: DataType) -> Store {
    match ty.size() {
        1 => Store::I8,
        2 => Store::I16,
        _ => Store::Whole,
    }
}

/// Element `i` of a tensor of type `ty` at `buffer`.
pub(super) fn get(ty: DataType, buffer: BufferId, i: &Affine) -> Expr {
    Expr::Load(load(ty), element(buffer, i, ty.size()))
}

/// The element of type `ty` at a place.
pub(super) fn at(ty: DataType, place: &Address) -> Expr {
    Expr::Load(load(ty), place.clone())
}

/// Writes an element of type `ty` at a place.
pub(super) fn put(f: &mut Builder, ty: DataType, place: &Address, value: Expr) {
    f.store(store(ty), place.clone(), value);
}
