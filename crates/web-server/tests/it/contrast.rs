//! Contrast of the pages' colours by the formula of WCAG 2.2: 4.5 for text, 3 for what shows where
//! a control is.

use std::collections::BTreeMap;

const STYLE: &str = web_server::answer::BASE_STYLE;

/// Colours that stand on one another, and the least ratio.
const PAIRS: [(&str, &str, f64); 26] = [
    ("text", "page", 4.5),
    ("text", "card", 4.5),
    ("text", "soft", 4.5),
    ("text", "reply", 4.5),
    ("quiet", "page", 4.5),
    ("quiet", "card", 4.5),
    ("quiet", "soft", 4.5),
    ("quiet", "reply", 4.5),
    ("accent", "page", 4.5),
    ("accent", "card", 4.5),
    ("accent", "soft", 4.5),
    ("accent", "reply", 4.5),
    ("on-accent", "accent", 4.5),
    ("good", "page", 4.5),
    ("good", "card", 4.5),
    ("bad", "page", 4.5),
    ("bad", "card", 4.5),
    ("bad", "bad-soft", 4.5),
    ("line", "page", 3.0),
    ("line", "card", 3.0),
    ("line", "reply", 3.0),
    ("accent", "bad-soft", 3.0),
    ("text", "bad-soft", 4.5),
    ("quiet", "bad-soft", 4.5),
    ("good", "bad-soft", 3.0),
    ("on-accent", "accent", 4.5),
];

fn colours(block: &str) -> BTreeMap<&str, [f64; 3]> {
    let part = |hex: &str, at: usize| {
        let value = u8::from_str_radix(&hex[at..at + 2], 16).expect("a colour of six digits");
        let share = f64::from(value) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    block
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": #"))
        .map(|(name, hex)| (name, [part(hex, 0), part(hex, 2), part(hex, 4)]))
        .collect()
}

fn ratio(a: [f64; 3], b: [f64; 3]) -> f64 {
    let luminance = |[r, g, b]: [f64; 3]| 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn colours_can_be_told_apart_in_light_and_dark() {
    assert!((ratio([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
    let (light, rest) =
        STYLE.split_once("@media (prefers-color-scheme: dark)").expect("two blocks");
    let (dark, rest) = rest.split_once("\n}\n").expect("an end");
    assert!(!rest.contains('#') || !rest.contains(": #"), "colours have their names above");
    for (mode, block) in [("light", light), ("dark", dark)] {
        let colours = colours(block);
        for (above, below, least) in PAIRS {
            let found = ratio(colours[above], colours[below]);
            assert!(found >= least, "{mode}: {above} on {below} is {found:.2}");
        }
    }
}
