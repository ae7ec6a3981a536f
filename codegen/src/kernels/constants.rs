//! Which constants there are already: equal ones share a buffer.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hasher},
};

use rune_ir::arena::Arena;

use crate::nest::{Buffer, BufferId};

/// The constants among some buffers, found by their bytes in the time it takes to read them.
pub(super) struct Constants(BTreeMap<(usize, u64), Vec<BufferId>>);

impl Constants {
    /// Those that are there.
    pub(super) fn of(buffers: &Arena<Buffer>) -> Self {
        let mut all = Self(BTreeMap::new());
        for (id, buffer) in buffers.iter() {
            if let Some(data) = buffer.data.as_ref().filter(|_| buffer.align >= 16) {
                all.0.entry(key(data)).or_default().push(id);
            }
        }
        all
    }

    /// The first buffer with this content; one that is new is added.
    pub(super) fn buffer(
        &mut self,
        buffers: &mut Arena<Buffer>,
        name: &str,
        data: Vec<u8>,
    ) -> BufferId {
        let alike = self.0.entry(key(&data)).or_default();
        // Other bytes may have the same key.
        let same = |id: &&BufferId| buffers[**id].data.as_ref() == Some(&data);
        if let Some(id) = alike.iter().find(same) {
            return *id;
        }
        let id = buffers.push(Buffer {
            name: name.to_owned(),
            bytes: data.len() as u32,
            align: 16,
            data: Some(data),
            initial: None,
        });
        alike.push(id);
        id
    }
}

/// Only what is found depends on it, never an order.
fn key(data: &[u8]) -> (usize, u64) {
    let mut hasher = DefaultHasher::new();
    hasher.write(data);
    (data.len(), hasher.finish())
}
