//! Text that goes to a terminal as text, whatever is in it.

/// Characters that show nothing of themselves and change how others are shown: the directions of
/// writing, and what joins or hides.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The text with a picture in place of each control character (␛ for Escape), U+FFFD for those that
/// have none and for hidden ones. It has no line breaks.
pub(crate) fn shown(text: &str) -> String {
    let one = |c: char| match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c if c.is_control() || is_hidden(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_is_left() {
        let all: String = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        let shown = shown(&all);
        assert_eq!(shown.chars().count(), all.chars().count());
        assert!(!shown.chars().any(|c| c.is_control() || is_hidden(c)));
    }

    #[test]
    fn other_text_stays() {
        let text = "naïve 🐙 👍🏽 “yes” 來 <b>&";
        assert_eq!(shown(text), text);
        assert_eq!(
            shown("\u{1b}[31mred\r\n\u{7f}\u{9b}2J\u{202e}x"),
            "␛[31mred␍␊␡\u{fffd}2J\u{fffd}x"
        );
    }
}
