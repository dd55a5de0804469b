//! Texts that end a reply.

/// Passes text on until one of some texts comes, which is not passed on. What could be the
/// beginning of one is held back until it is certain.
#[derive(Debug, Default)]
pub(crate) struct Stops {
    texts: Vec<String>,
    held: String,
    met: bool,
}

impl Stops {
    pub(crate) fn new(texts: &[String]) -> Self {
        Self { texts: texts.to_vec(), ..Self::default() }
    }

    /// Whether one of them came.
    pub(crate) fn met(&self) -> bool {
        self.met
    }

    /// The text that is certain after more has come.
    pub(crate) fn push(&mut self, text: &str) -> String {
        if self.met {
            return String::new();
        }
        self.held.push_str(text);
        if let Some(at) = first(&self.held, &self.texts) {
            self.met = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let certain = self.held.len() - self.beginning();
        let rest = self.held.split_off(certain);
        std::mem::replace(&mut self.held, rest)
    }

    /// Bytes at the end that one of the texts could begin with.
    fn beginning(&self) -> usize {
        let ends = |text: &String| {
            let mut lengths = (1..text.len()).rev().filter(|&n| text.is_char_boundary(n));
            lengths.find(|&n| self.held.ends_with(&text[..n])).unwrap_or(0)
        };
        self.texts.iter().map(ends).max().unwrap_or(0)
    }
}

/// Where the first of these texts begins.
fn first(text: &str, stops: &[String]) -> Option<usize> {
    stops.iter().filter_map(|stop| text.find(stop.as_str())).min()
}

/// Cuts a whole text where the first of these begins; whether there is one.
pub(crate) fn cut(text: &mut String, stops: &[String]) -> bool {
    let at = first(text, stops);
    if let Some(at) = at {
        text.truncate(at);
    }
    at.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces that come of pieces, the last of them when nothing more comes.
    fn passed(stops: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let texts: Vec<String> = stops.iter().map(|&stop| stop.to_owned()).collect();
        let mut stops = Stops::new(&texts);
        let mut out: Vec<String> = pieces.iter().map(|piece| stops.push(piece)).collect();
        let met = stops.met();
        out.push(stops.held);
        (out, met)
    }

    #[test]
    fn a_stop_across_pieces_is_found_and_its_beginning_never_shown() {
        assert_eq!(passed(&["STOP"], &["a S", "TO", "P b", "c"]).0.concat(), "a ");
        assert_eq!(passed(&["STOP"], &["a S", "TO", "R b"]).0, ["a ", "", "STOR b", ""]);
        assert_eq!(passed(&["STOP"], &["a STO"]).0, ["a ", "STO"]);
        assert_eq!(passed(&["aab"], &["a", "a", "a", "b", "c"]).0.concat(), "a");
        assert_eq!(passed(&["🐙x"], &["1🐙", "🐙", "x2"]).0.concat(), "1🐙");
        assert_eq!(passed(&["b", "ab"], &["xab"]).0.concat(), "x");
        assert_eq!(passed(&[], &["x", "y"]), (vec!["x".into(), "y".into(), String::new()], false));
    }

    #[test]
    fn pieces_and_the_whole_are_cut_alike() {
        let (text, stops) = ("one two\n\nthree", vec!["\n\n".to_owned(), "zero".to_owned()]);
        for size in 1..text.len() {
            let bytes = text.as_bytes().chunks(size);
            let pieces: Vec<&str> =
                bytes.map(|piece| std::str::from_utf8(piece).expect("ASCII")).collect();
            let mut whole = text.to_owned();
            assert!(cut(&mut whole, &stops));
            assert_eq!(passed(&["\n\n", "zero"], &pieces).0.concat(), whole);
        }
    }
}
