//! Names of things in drawings: shortened in the middle where there is no room for them.

/// Pixels that a name takes at most in the drawings' letters of 13 pixels, whichever of the page's
/// typefaces there is: as in DejaVu Sans, the widest of them.
pub(super) fn width(name: &str) -> f64 {
    let share = |c: char| match c {
        '…' | 'm' | 'w' | 'M' | 'W' | '%' | '@' => 1.0,
        c if " fijlrtI.,:;|!()[]/-'\"".contains(c) => 0.46,
        'A'..='Z' | '+' | '=' | '<' | '>' | '~' | '^' | '#' | '&' => 0.84,
        c if c.is_ascii() => 0.65,
        _ => 1.08,
    };
    13.0 * name.chars().map(share).sum::<f64>()
}

/// The names, each no wider than `most` pixels: of a longer one its beginning and its end, and
/// where that is the same of several, what follows the part that they have in common. Different
/// names stay different.
pub(super) fn shortened(names: &[&str], most: f64) -> Vec<String> {
    let cut: Vec<String> = names.iter().map(|name| ends(name, most)).collect();
    let mut shown = cut.clone();
    for (at, name) in names.iter().enumerate() {
        let alike = (0..names.len()).filter(|&i| cut[i] == cut[at] && names[i] != *name);
        let common = alike.map(|i| common_start(names[i], name)).min();
        if let Some(common) = common {
            shown[at] = from(name, common, most);
        }
        let is_taken =
            |shown: &[String]| (0..at).any(|i| shown[i] == shown[at] && names[i] != *name);
        if is_taken(&shown) {
            shown[at] = ends(&format!("{}: {name}", at + 1), most);
        }
    }
    shown
}

/// A name that fits as it is, or as much of its beginning and its end as does.
fn ends(name: &str, most: f64) -> String {
    if width(name) <= most {
        return name.to_owned();
    }
    let letters: Vec<char> = name.chars().collect();
    let of = |kept: usize| -> String {
        let (start, end) = (kept.div_ceil(2), kept / 2);
        let end = &letters[letters.len() - end..];
        letters[..start].iter().chain(&['…']).chain(end).collect()
    };
    longest(letters.len() - 1, most, of)
}

/// The name from a letter on, with a few of those before it.
fn from(name: &str, letter: usize, most: f64) -> String {
    const BEFORE: usize = 4;
    let letters: Vec<char> = name.chars().collect();
    let rest = &letters[letter.saturating_sub(BEFORE)..];
    let of = |kept: usize| -> String {
        let cut = if kept < rest.len() { "…" } else { "" };
        format!("…{}{cut}", rest[..kept].iter().collect::<String>())
    };
    longest(rest.len(), most, of)
}

/// The longest of these words that fits, of which the one of a number is longer than those of
/// smaller ones.
fn longest(letters: usize, most: f64, of: impl Fn(usize) -> String) -> String {
    (0..=letters).rev().map(&of).find(|words| width(words) <= most).unwrap_or_else(|| of(0))
}

/// How many letters two names begin with in common.
fn common_start(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit_stay_and_others_lose_their_middle() {
        let long = "a-system-with-a-long-name-and-an-end-2";
        let shown = shortened(&["short", long, &"W".repeat(40)], 178.0);
        assert_eq!(shown[0], "short");
        let (start, end) = shown[1].split_once('…').expect("a gap");
        assert!(long.starts_with(start) && long.ends_with(end), "{shown:?}");
        assert!(start.chars().count() >= 8 && end.ends_with("-2"), "{shown:?}");
        assert!(shown.iter().all(|name| width(name) <= 178.0), "{shown:?}");
        // Each letter has 13 pixels, and so has the gap: 13 of them fit into 178.
        assert_eq!(shown[2].chars().count(), 13, "{shown:?}");
    }

    #[test]
    fn names_that_differ_are_told_apart() {
        let (same, ends) = ("the-same-beginning-of-all", "the-same-end-of-all");
        let of = |middle: &str| format!("{same}-{middle}-{ends}");
        let names = ["one", "two", "three", "three"].map(of);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let shown = shortened(&names, 178.0);
        for (i, middle) in ["one-", "two-", "three-"].into_iter().enumerate() {
            assert!(shown[i].contains(middle) && width(&shown[i]) <= 178.0, "{shown:?}");
        }
        assert_eq!(shown[2], shown[3], "one name is shown one way");
        // Two pairs that differ at another place each.
        let fill = "x".repeat(30);
        let names: Vec<String> = ["1", "2"]
            .iter()
            .flat_map(|a| ["3", "4"].map(|b| format!("{fill}{a}{fill}{b}{fill}")))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut shown = shortened(&names, 178.0);
        assert!(shown.iter().all(|name| width(name) <= 178.0), "{shown:?}");
        shown.sort_unstable();
        shown.dedup();
        assert_eq!(shown.len(), 4, "{shown:?}");
    }
}
