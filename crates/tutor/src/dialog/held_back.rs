//! A reply as it is written, of which nothing is shown that would have to be taken back.

use data_pipeline::dialog::SafetyWords;

/// Holds back the last word until it is whole, so that a word that must not be said is never shown,
/// and white space until something follows, so that what is shown is the start of the whole text.
#[derive(Debug, Default)]
pub(crate) struct HeldBack {
    text: String,
    /// Bytes of the text that were shown.
    shown: usize,
}

impl HeldBack {
    /// The text that can be shown after more was written; nothing of it, if `refuses` says of what
    /// would be shown that it must not be, for words of ASCII alone.
    pub(crate) fn push(
        &mut self,
        more: &str,
        refuses: impl Fn(&str) -> bool,
    ) -> Result<String, Refused> {
        let more = if self.text.is_empty() { more.trim_start() } else { more };
        self.text.push_str(more);
        // Words that must not be said are ASCII here, and so are those that are waited for, or what
        // is read as ASCII: writing without spaces goes on.
        let last = self.text.trim_end_matches(SafetyWords::reads_as_ascii);
        let certain = last.trim_end().len().max(self.shown);
        if certain > self.shown && refuses(&self.text[..certain]) {
            return Err(Refused);
        }
        let new = self.text[self.shown..certain].to_owned();
        self.shown = certain;
        Ok(new)
    }

    /// What was not shown of the whole text.
    pub(crate) fn rest<'a>(&self, whole: &'a str) -> &'a str {
        whole.get(self.shown..).unwrap_or_default()
    }
}

/// What was written must not be shown.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of pieces, the rest at the end, and whether some was refused.
    fn shown(pieces: &[&str], refuses: impl Fn(&str) -> bool) -> (Vec<String>, bool) {
        let (mut held, mut all) = (HeldBack::default(), Vec::new());
        for piece in pieces {
            match held.push(piece, &refuses) {
                Ok(new) => all.push(new),
                Err(Refused) => return (all, true),
            }
        }
        let whole = pieces.concat();
        all.push(held.rest(whole.trim()).to_owned());
        (all, false)
    }

    #[test]
    fn words_come_whole_and_together_are_the_text() {
        let fine = |_: &str| false;
        let (all, _) = shown(&[" I", " sw", "im", " 🐙", " in", " 來", "來", ". ", " "], fine);
        assert_eq!(all, ["", "I", "", " swim 🐙", "", " in 來", "來", ".", "", ""]);
        assert_eq!(shown(&["  ", " ", "a"], fine).0, ["", "", "", "a"]);
    }

    #[test]
    fn a_word_that_must_not_be_said_is_never_shown() {
        let list = data_pipeline::dialog::SafetyWords::from_text("idiot\nshut up\n");
        let refuses = |text: &str| list.is_unsafe(text);
        assert_eq!(
            shown(&["You", " id", "iot", ", go"], refuses),
            (vec![String::new(), "You".into(), String::new()], true)
        );
        assert_eq!(
            shown(&["an", " id", "iot", "ic", " idea"], refuses).0.concat(),
            "an idiotic idea"
        );
        let hidden = shown(&["You", " id", "\u{200b}", "io", "ｔ", ", go"], refuses);
        assert_eq!(
            hidden,
            (vec![String::new(), "You".into(), String::new(), String::new(), String::new()], true)
        );
        let (before, refused) = shown(&["Oh,", " shut", " up", " now"], refuses);
        assert!(refused && before.concat() == "Oh, shut", "{before:?}");
    }
}
