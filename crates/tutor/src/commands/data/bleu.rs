//! `tutor data bleu`: translations beside references, as sacrebleu scores them.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use data_pipeline::text::read::all_lines;
use metrics::{Bleu, Chrf, Smoothing, Tokenization};

use super::say;

/// Which translations are scored by which references.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Translations, one per line; files may be compressed by gzip or zstd.
    translations: PathBuf,
    /// References, one or more files: line i of each belongs to translation i.
    #[arg(required = true)]
    references: Vec<PathBuf>,
    /// Ignore the difference between upper and lower case.
    #[arg(long)]
    lowercase: bool,
    /// How to cut texts into words.
    #[arg(long, value_enum, default_value_t = Words::Mteval13a)]
    tokenize: Words,
    /// How to smooth a precision of 0.
    #[arg(long, value_enum, default_value_t = Smooth::Exp)]
    smooth: Smooth,
    /// Also print the scores of every line: BLEU by the n-grams that it has, chrF, and the line.
    #[arg(long)]
    sentences: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Words {
    /// As NIST's mteval-v13a
    #[value(name = "13a")]
    Mteval13a,
    /// At spaces, for texts that are cut into words already
    None,
}

#[derive(Clone, Copy, ValueEnum)]
enum Smooth {
    /// Count a half, a quarter, ... of a match
    Exp,
    /// Count a tenth of a match
    Floor,
    /// Count one more match and one more n-gram, for n-grams of two or more words
    AddK,
    /// Do not smooth
    None,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let translations = all_lines(&args.translations)?;
    ensure!(!translations.is_empty(), "{}: no line in it", args.translations.display());
    let references =
        args.references.iter().map(|path| all_lines(path)).collect::<Result<Vec<_>, _>>()?;
    let streams: Vec<&[String]> = references.iter().map(Vec::as_slice).collect();
    let bleu = Bleu {
        tokenization: match args.tokenize {
            Words::Mteval13a => Tokenization::Mteval13a,
            Words::None => Tokenization::Spaces,
        },
        smoothing: match args.smooth {
            Smooth::Exp => Smoothing::Exp,
            Smooth::Floor => Smoothing::Floor(0.1),
            Smooth::AddK => Smoothing::AddK(1.0),
            Smooth::None => Smoothing::None,
        },
        lowercase: args.lowercase,
        effective_order: false,
    };
    let chrf = Chrf::default();
    let names: Vec<String> = args.references.iter().map(|p| p.display().to_string()).collect();
    let score =
        bleu.corpus(&translations, &streams).with_context(|| format!("of {}", names.join(", ")))?;
    if args.sentences {
        let single = Bleu { effective_order: true, ..bleu };
        for (i, line) in translations.iter().enumerate() {
            let references: Vec<&str> = streams.iter().map(|stream| stream[i].as_str()).collect();
            let of_line = single.sentence(line, &references).score;
            let characters = chrf.sentence(line, &references).score;
            say(&format!("{of_line:.2}\t{characters:.2}\t{line}"))?;
        }
    }
    let precisions = score.precisions.map(|p| format!("{p:.1}")).join("/");
    say(&format!(
        "BLEU {:.2}: {precisions}, brevity penalty {:.3}, {} words, reference {}\n  {}",
        score.score,
        score.brevity_penalty,
        score.translated,
        score.reference,
        bleu.signature(streams.len())
    ))?;
    let of_all = chrf.corpus(&translations, &streams)?.score;
    say(&format!("chrF2 {of_all:.2}\n  {}", chrf.signature(streams.len())))
}
