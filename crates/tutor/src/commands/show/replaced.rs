//! `tutor show replaced`: which tokens of a text a discriminator holds for replaced.

use std::io::IsTerminal;

use anyhow::{Context, Result, ensure};

use super::{ranges, say};
use crate::commands::device::DeviceArg;
use crate::text::replaced::{Discriminator, Judged};

#[derive(clap::Args)]
#[command(mut_arg("device", |arg| arg.default_value("cpu")))]
pub(super) struct Args {
    /// ELECTRA discriminator: a folder of the Hugging Face hub, a name in its cache, or a run of
    /// `tutor pretrain` or `tutor run electra`.
    model: String,
    /// Text to mark.
    text: String,
    /// Print each token with its position and probability, as JSON.
    #[arg(long)]
    json: bool,
    /// Mark tokens whose probability of being replaced is above P.
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = ranges::share)]
    threshold: f64,
    /// When to colour the text.
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    color: Color,
    #[command(flatten)]
    device: DeviceArg,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Color {
    /// In a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    fn is_on(self) -> bool {
        let asked_not = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => std::io::stdout().is_terminal() && !asked_not,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<()> {
    let threshold = args.threshold;
    let device = args.device.chosen()?;
    let judged = Discriminator::open(&args.model, device)?.judge(&args.text)?;
    ensure!(!judged.is_empty(), "the text has no token: name one with words");
    if args.json {
        return say(&serde_json::to_string_pretty(&judged).context("plain data")?);
    }
    say(&marked(&args.text, &judged, threshold, args.color.is_on()))?;
    let mut replaced: Vec<&Judged> = judged.iter().filter(|j| j.probability > threshold).collect();
    replaced.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    say(&format!(
        "{} of {} tokens held for replaced (probability above {threshold})",
        replaced.len(),
        judged.len()
    ))?;
    replaced.iter().try_for_each(|j| say(&format!("{:>6.1} %  {}", 100.0 * j.probability, j.token)))
}

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// The text with the tokens marked that are held for replaced: in colour, else in brackets. Those
/// that are half as probable are yellow.
fn marked(text: &str, judged: &[Judged], threshold: f64, color: bool) -> String {
    let characters: Vec<char> = text.chars().collect();
    let part = |from: u32, to: u32| -> String {
        let end = (to as usize).min(characters.len());
        characters[(from as usize).min(end)..end].iter().filter(|c| shown(**c)).collect()
    };
    let (mut marked, mut at) = (String::new(), 0);
    for one in judged {
        marked += &part(at, one.start);
        let token = part(one.start.max(at), one.end);
        let (before, after) = match color {
            true if one.probability > threshold => (RED, PLAIN),
            true if one.probability > threshold / 2.0 => (YELLOW, PLAIN),
            false if one.probability > threshold => ("[", "]"),
            _ => ("", ""),
        };
        marked += &format!("{before}{token}{after}");
        at = at.max(one.end);
    }
    marked + &part(at, characters.len() as u32)
}

/// A text may not move the cursor or change colours by itself.
fn shown(c: char) -> bool {
    !c.is_control() || matches!(c, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(places: &[(u32, u32, f64)]) -> Vec<Judged> {
        let one =
            |&(start, end, probability)| Judged { token: "x".into(), start, end, probability };
        places.iter().map(one).collect()
    }

    #[test]
    fn tokens_are_marked_in_the_text_as_it_is_written() {
        let text = "The  ché f ate!\n";
        let found = judged(&[(0, 3, 0.1), (5, 8, 0.9), (9, 10, 0.3), (11, 14, 0.0), (14, 15, 0.6)]);
        assert_eq!(marked(text, &found, 0.5, false), "The  [ché] f ate[!]\n");
        let colored = marked(text, &found, 0.5, true);
        assert_eq!(colored, format!("The  {RED}ché{PLAIN} {YELLOW}f{PLAIN} ate{RED}!{PLAIN}\n"));
        // An escape in the text does not reach the terminal.
        assert_eq!(marked("a\x1b[2Jb", &judged(&[(0, 1, 0.9)]), 0.5, false), "[a][2Jb");
    }
}
