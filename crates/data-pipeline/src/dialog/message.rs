//! A message, before anything is done to it.

use super::part::DialogPart;
use serde::{Deserialize, Serialize};

/// A message of a conversation, the reply to another one or the first of its tree.
///
/// A tree is told by ids within a conversation: a parent in another conversation is a missing one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Message {
    /// The conversation. Where it is empty, it is called after the first message of the tree.
    pub conversation: String,
    /// Names the message within its conversation.
    pub id: String,
    /// The id of the message that it replies to; `11.0` is `11` where no message is called `11.0`,
    /// and `NA` or `N/A` nothing where none is called so.
    pub parent: Option<String>,
    /// Who wrote it.
    pub author: String,
    /// What was written.
    pub text: String,
    /// The part that its conversation belongs to, where its file says so.
    pub part: Option<DialogPart>,
}

/// A whole number that is written as a float, without its point: `11` of `11.0`.
pub(super) fn without_point(text: &str) -> Option<&str> {
    let whole = text.strip_suffix(".0")?;
    (!whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit())).then_some(whole)
}

/// Whether this is what R and spreadsheets write where there is nothing, and where no message is
/// called so.
pub(super) fn is_not_available(text: &str) -> bool {
    matches!(text, "NA" | "N/A" | "#N/A")
}

impl Message {
    /// Bytes that it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let parent = self.parent.as_ref().map_or(0, String::len);
        let strings = self.conversation.len() + self.id.len() + parent;
        // A string is three words, and an allocation has at least 16 bytes beside its own.
        size_of::<Self>() + strings + self.author.len() + self.text.len() + 5 * 16
    }
}
