//! Writes `FlatBuffers`: tables, vectors and texts, each behind who points to it.

/// Something a table or a vector points to.
pub(crate) enum Node {
    /// Fields by their ids; those left out have their default.
    Table(Vec<(usize, Field)>),
    /// A vector of numbers, as its length and little-endian bytes.
    Numbers(usize, Vec<u8>),
    /// A vector of tables.
    Tables(Vec<Node>),
    /// A text.
    Text(String),
}

/// The value of a table's field.
pub(crate) enum Field {
    /// One byte, where it lies.
    Byte(u8),
    /// Four bytes.
    Word(u32),
    /// Something elsewhere.
    Node(Node),
}

/// A vector of i32.
pub(crate) fn i32s(values: &[i32]) -> Field {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Field::Node(Node::Numbers(values.len(), bytes))
}

/// A file with this root and identifier.
pub(crate) fn file(root: &Node, identifier: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(identifier);
    let at = root.write(&mut bytes);
    point(&mut bytes, 0, at);
    bytes
}

impl Node {
    /// Appends it and what it points to, and says where it begins.
    fn write(&self, out: &mut Vec<u8>) -> usize {
        match self {
            Self::Table(fields) => table(fields, out),
            Self::Numbers(length, bytes) => {
                // The elements lie at a multiple of 16, as large as any of them may ask for.
                while !(out.len() + 4).is_multiple_of(16) {
                    out.push(0);
                }
                vector(*length, bytes, out)
            }
            Self::Tables(items) => {
                align(out, 4);
                let at = vector(items.len(), &vec![0; 4 * items.len()], out);
                for (i, item) in items.iter().enumerate() {
                    let to = item.write(out);
                    point(out, at + 4 + 4 * i, to);
                }
                at
            }
            Self::Text(text) => {
                align(out, 4);
                let at = vector(text.len(), text.as_bytes(), out);
                out.push(0);
                at
            }
        }
    }
}

/// A table of words, each field in one; its list of places lies before it.
fn table(fields: &[(usize, Field)], out: &mut Vec<u8>) -> usize {
    align(out, 4);
    let ids = fields.iter().map(|(id, _)| id + 1).max().unwrap_or(0);
    let mut places = vec![0_u16; ids];
    for (slot, (id, _)) in fields.iter().enumerate() {
        places[*id] = 4 + 4 * slot as u16;
    }
    let list = out.len();
    let sizes = [4 + 2 * ids as u16, 4 + 4 * fields.len() as u16];
    out.extend(sizes.into_iter().chain(places).flat_map(u16::to_le_bytes));
    align(out, 4);
    let at = out.len();
    out.extend(((at - list) as u32).to_le_bytes());
    for (_, field) in fields {
        let word = match field {
            Field::Byte(byte) => u32::from(*byte),
            Field::Word(word) => *word,
            Field::Node(_) => 0,
        };
        out.extend(word.to_le_bytes());
    }
    for (slot, (_, field)) in fields.iter().enumerate() {
        if let Field::Node(node) = field {
            let to = node.write(out);
            point(out, at + 4 + 4 * slot, to);
        }
    }
    at
}

fn vector(length: usize, bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.extend((length as u32).to_le_bytes());
    out.extend(bytes);
    at
}

fn point(out: &mut [u8], from: usize, to: usize) {
    out[from..from + 4].copy_from_slice(&((to - from) as u32).to_le_bytes());
}

fn align(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}
