//! What a person types, line by line, while Ctrl-C is watched for.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Bytes of a line; what comes behind them is left out.
const LONGEST: u64 = 1 << 16;

/// A line that was typed.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) text: String,
    /// Whether it was longer and its end is left out.
    pub(super) cut: bool,
}

/// Lines of the standard input, read by a thread of their own.
pub(super) struct Lines(Receiver<io::Result<Line>>);

impl Lines {
    pub(super) fn of_stdin() -> Self {
        // A line is read when the one before is taken, so that /quit leaves the rest of a pipe.
        let (to, from) = sync_channel(0);
        std::thread::spawn(move || {
            let mut input = io::stdin().lock();
            loop {
                let found = line(&mut input).transpose();
                let last = !matches!(found, Some(Ok(_)));
                if found.is_some_and(|found| to.send(found).is_err()) || last {
                    break;
                }
            }
        });
        Self(from)
    }

    /// The next line; nothing at the end of the input, or when Ctrl-C was pressed.
    pub(super) fn next(&self) -> io::Result<Option<Line>> {
        loop {
            match self.0.recv_timeout(Duration::from_millis(50)) {
                Ok(found) => return found.map(Some),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if train::signals::interrupted() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// A line without its end; nothing at the end of the input. Bytes that are no UTF-8 become U+FFFD.
fn line(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    let count = input.by_ref().take(LONGEST).read_until(b'\n', &mut bytes)?;
    if count == 0 {
        return Ok(None);
    }
    let whole = bytes.ends_with(b"\n");
    let mut cut = false;
    if !whole && count as u64 == LONGEST {
        let more = input.skip_until(b'\n')?;
        cut = more > 1;
        // Not in the middle of a character.
        if cut
            && let Err(error) = std::str::from_utf8(&bytes)
            && error.error_len().is_none()
        {
            bytes.truncate(error.valid_up_to());
        }
    }
    let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
    Ok(Some(Line { text, cut }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_the_end_of_the_input_and_are_not_endless() {
        let mut input: &[u8] = "hi\r\n\nn\u{e4}h".as_bytes();
        let next =
            |input: &mut &[u8]| line(input).expect("bytes").map(|line| (line.text, line.cut));
        assert_eq!(next(&mut input), Some(("hi".to_owned(), false)));
        assert_eq!(next(&mut input), Some((String::new(), false)));
        assert_eq!(next(&mut input), Some(("näh".to_owned(), false)));
        assert_eq!(next(&mut input), None);
        let mut bytes = "ä".repeat(1 << 20).into_bytes();
        bytes.splice(0..0, *b"x");
        bytes.extend(b"\nnext\n\xff\n");
        let mut input: &[u8] = &bytes;
        let (text, cut) = next(&mut input).expect("a line");
        assert!(cut && text.len() as u64 == LONGEST - 1 && text.ends_with('ä'));
        assert_eq!(next(&mut input), Some(("next".to_owned(), false)));
        assert_eq!(next(&mut input), Some(("\u{fffd}".to_owned(), false)));
    }
}
