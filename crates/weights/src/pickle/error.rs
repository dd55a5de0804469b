//! What is wrong with bytes that are no pickle.

/// Why bytes are not a pickle that is read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a whole pickle: at byte {at}: {fault}")]
pub struct PickleError {
    /// Where reading ended.
    pub at: usize,
    /// What is wrong there.
    pub fault: String,
}
