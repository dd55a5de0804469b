//! Counts in words.

use std::fmt::Display;

/// So many of something, of which there is one or several.
///
/// ```
/// use metrics::words::counted;
/// assert_eq!(counted(1, "image"), "1 image");
/// assert_eq!(counted(0, "class"), "0 classes");
/// assert_eq!(counted(2.5, "minute"), "2.5 minutes");
/// assert_eq!(counted(2, "reply"), "2 replies");
/// ```
pub fn counted(count: impl Display, noun: &str) -> String {
    let count = count.to_string();
    if count == "1" { format!("1 {noun}") } else { format!("{count} {}", plural(noun)) }
}

/// The plural of a noun that has a regular one.
///
/// ```
/// use metrics::words::plural;
/// assert_eq!(["row", "class", "batch", "reply", "day"].map(plural),
///     ["rows", "classes", "batches", "replies", "days"]);
/// ```
pub fn plural(noun: &str) -> String {
    let hisses = ["s", "x", "z", "ch", "sh"].iter().any(|end| noun.ends_with(end));
    match noun.strip_suffix('y') {
        _ if hisses => format!("{noun}es"),
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    }
}
