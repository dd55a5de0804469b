//! What papers about conversations share: the conversations, pairs in token ids, the training of a
//! network that replies, its perplexity, and its replies.

pub(crate) mod corpus;
pub(crate) mod held_back;
pub(crate) mod pairs;
pub(crate) mod part;
pub(crate) mod perplexity;
pub(crate) mod responder;
pub(crate) mod training;
