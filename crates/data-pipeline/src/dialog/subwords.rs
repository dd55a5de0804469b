//! Token ids of texts that come up again and again.

use super::tokenizer::DialogTokenizer;
use crate::digest::Digest;
use crate::error::DataError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Gives the ids of texts and keeps them: a message is checked, is compared with its replies, and
/// stands in the contexts of up to seven others.
pub(super) struct Subwords<'a> {
    tokenizer: &'a DialogTokenizer,
    known: Mutex<HashMap<Digest, Arc<[u32]>>>,
}

impl<'a> Subwords<'a> {
    /// None are known yet.
    pub(super) fn new(tokenizer: &'a DialogTokenizer) -> Self {
        Self { tokenizer, known: Mutex::default() }
    }

    /// What the ids come from.
    pub(super) fn tokenizer(&self) -> &'a DialogTokenizer {
        self.tokenizer
    }

    /// The ids of a text, as [`DialogTokenizer::ids`] gives them, with its errors.
    pub(super) fn ids(&self, text: &str) -> Result<Arc<[u32]>, DataError> {
        let digest = Digest::of(text.as_bytes());
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ids) = known().get(&digest) {
            return Ok(ids.clone());
        }
        let ids: Arc<[u32]> = self.tokenizer.ids(text)?.into();
        known().insert(digest, ids.clone());
        Ok(ids)
    }
}
