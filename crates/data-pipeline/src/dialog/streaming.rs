//! Text from ids as they come.

/// Gives the text of ids one after another, and never half a character: a token whose bytes end
/// within one is held back until the character is whole.
///
/// The pieces together are what [`DialogTokenizer::decode`](super::DialogTokenizer::decode) gives.
#[derive(Debug)]
pub struct StreamDecoder<'a> {
    bytes: &'a [Box<[u8]>],
    held: Vec<u8>,
}

impl<'a> StreamDecoder<'a> {
    pub(super) fn new(bytes: &'a [Box<[u8]>]) -> Self {
        Self { bytes, held: Vec::new() }
    }

    /// The text that is certain now; often that of this token, nothing within a character. An
    /// unknown id gives nothing.
    pub fn push(&mut self, id: u32) -> String {
        self.held.extend(self.bytes.get(id as usize).map_or(&[][..], |bytes| bytes));
        if ends_within_character(&self.held) { String::new() } else { self.finish() }
    }

    /// What is still held back, with U+FFFD for a character that never became whole.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.held).into_owned();
        self.held.clear();
        text
    }
}

/// Whether bytes to come could complete a character at the end.
fn ends_within_character(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(_) => return false,
            Err(error) => match error.error_len() {
                None => return true,
                Some(wrong) => rest = &rest[error.valid_up_to() + wrong..],
            },
        }
    }
}
