//! Things numbered in the order they were made, and facts about them kept beside.

use std::{fmt, hash, marker::PhantomData, ops};

/// Names one `T` of the [`Arena`] that issued it.
pub struct Id<T>(u32, PhantomData<fn() -> T>);

impl<T> Id<T> {
    /// The id of position `index`.
    pub fn from_index(index: usize) -> Self {
        Self(
            u32::try_from(index).expect("an arena holds fewer than 2^32 things"),
            PhantomData,
        )
    }

    /// The position in its arena.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<T> hash::Hash for Id<T> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Owns `T`s and numbers them.
#[derive(Clone, Debug, PartialEq)]
pub struct Arena<T>(Vec<T>);

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Arena<T> {
    /// Takes in a value and names it.
    pub fn push(&mut self, value: T) -> Id<T> {
        self.0.push(value);
        Id::from_index(self.0.len() - 1)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every id, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = Id<T>> + ExactSizeIterator + use<T> {
        (0..self.0.len()).map(Id::from_index)
    }

    /// Every id with its value, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Id<T>, &T)> + ExactSizeIterator {
        self.0
            .iter()
            .enumerate()
            .map(|(i, v)| (Id::from_index(i), v))
    }

    /// Every value, in order.
    pub fn values(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The value of an id, unless the id is of another arena.
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        self.0.get(id.index())
    }
}

impl<T> ops::Index<Id<T>> for Arena<T> {
    type Output = T;
    fn index(&self, id: Id<T>) -> &T {
        &self.0[id.index()]
    }
}

impl<T> ops::IndexMut<Id<T>> for Arena<T> {
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        &mut self.0[id.index()]
    }
}

/// A fact of type `V` about every `T` of an arena.
#[derive(Clone, Debug, PartialEq)]
pub struct Side<T, V>(Vec<V>, PhantomData<fn() -> T>);

impl<T, V: Clone> Side<T, V> {
    /// The same fact about everything in `arena`.
    pub fn filled(arena: &Arena<T>, value: V) -> Self {
        Self(vec![value; arena.len()], PhantomData)
    }
}

impl<T, V> Side<T, V> {
    /// The fact that `make` finds about each.
    pub fn new(arena: &Arena<T>, mut make: impl FnMut(Id<T>, &T) -> V) -> Self {
        Self(
            arena.iter().map(|(id, value)| make(id, value)).collect(),
            PhantomData,
        )
    }

    /// Every id with its fact.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &V)> {
        self.0
            .iter()
            .enumerate()
            .map(|(i, v)| (Id::from_index(i), v))
    }
}

impl<T, V> ops::Index<Id<T>> for Side<T, V> {
    type Output = V;
    fn index(&self, id: Id<T>) -> &V {
        &self.0[id.index()]
    }
}

impl<T, V> ops::IndexMut<Id<T>> for Side<T, V> {
    fn index_mut(&mut self, id: Id<T>) -> &mut V {
        &mut self.0[id.index()]
    }
}
