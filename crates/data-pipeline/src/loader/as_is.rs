//! Samples as they are.

use super::collate::{Collate, Items};
use crate::error::DataError;
use std::marker::PhantomData;

/// The collate that leaves samples as they are: the data of a batch are its samples in order. For
/// texts and the like that become tensors later.
#[derive(Clone, Copy, Debug)]
pub struct AsIs<T>(PhantomData<fn() -> T>);

impl<T> Default for AsIs<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Send> Collate for AsIs<T> {
    type Item = T;
    type Batch = Vec<T>;
    type Scratch = ();

    fn collate(&self, items: Items<'_, T>, _: &mut ()) -> Result<Vec<T>, DataError> {
        items.map(|drawn| Ok(drawn?.item)).collect()
    }
}
