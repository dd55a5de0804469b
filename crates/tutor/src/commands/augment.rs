//! `tutor augment text`: paraphrases of texts by translation there and back, for training on
//! unlabelled texts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use augment::text::TextError;
use augment::text::back_translation::BackTranslation;
use augment::text::paraphrase_parts::Parts;
use augment::text::paraphrases::{Amount, Made, Paraphrases, STORE};
use clap::ValueEnum;
use data_pipeline::dataset::Part;
use data_pipeline::text::{OwnTexts, Reviews, TextSet, clean};
use indicatif::{ProgressBar, ProgressStyle};
use metrics::words::counted;

use super::device::DeviceArg;
use super::inputs::keep_inputs;
use super::predict::shard::{self, Shard};
use super::skip_bad::SkipBad;
use super::{ranges, say};
use crate::run::note::note;
use crate::text::paraphrase_quality::Quality;
use crate::text::translation::Translation;

/// What is augmented.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make paraphrases of texts, once, for any number of trainings. After a stop, the same command
    /// continues where it was.
    Text(TextArgs),
}

const SKIP_BAD: &str = "Skip inputs that cannot be read, and report how many. Recipes that read the \
                        paraphrases must skip the same ones, by `on_bad = \"skip\"` in the table \
                        `text` (own texts: `data`)";

#[derive(clap::Args)]
#[command(mut_arg("skip_bad", |arg| arg.help(SKIP_BAD)))]
struct TextArgs {
    /// How to change the texts.
    #[arg(long, value_enum)]
    policy: Policy,
    /// Texts: a file with one text per line, or a table (.csv, .tsv, .jsonl, .parquet), which may
    /// be compressed by gzip or zstd.
    texts: PathBuf,
    /// Folder for the results: paraphrases.jsonl, and once all are made, quality.json and the files
    /// para_0.txt, para_1.txt, ... with one paraphrase per line, which recipes read.
    out: PathBuf,
    /// Network that translates the texts: a folder in the format of opus-mt, or a name in the cache
    /// of the Hugging Face hub.
    #[arg(long, value_name = "FOLDER")]
    forward: String,
    /// Network that translates back.
    #[arg(long, value_name = "FOLDER")]
    backward: String,
    /// Language of the texts, as `en`, against which networks that state their languages are
    /// checked. English with --reviews.
    #[arg(long, value_name = "LANGUAGE", conflicts_with = "reviews")]
    language: Option<String>,
    /// Paraphrases per text.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = ranges::count::<usize>)]
    paraphrases: usize,
    /// Sampling temperature in both directions: near 0 paraphrases hardly differ from the texts, at
    /// 1 they are diverse and often wrong.
    #[arg(long, value_name = "T", default_value_t = 0.9, value_parser = ranges::from_0)]
    temperature: f64,
    /// Seed of the sampling.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Texts to paraphrase at a time; a stop loses at most these.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = ranges::count::<usize>)]
    batch: usize,
    /// Make the I-th of N parts, `1/N` to `N/N`, while other processes make the others in the same
    /// folder. The result has the same bytes.
    #[arg(long, value_name = "I/N", value_parser = shard::parse, default_value = "1/1")]
    shard: Shard,
    /// Read TEXTS as the folder of a published set (imdb, yelp-2, yelp-5, amazon-2, amazon-5,
    /// dbpedia, ag-news), and paraphrase the texts that recipes take as its unlabelled ones,
    /// cleaned in the same way.
    #[arg(long, value_name = "SET", value_parser = set_of_reviews, conflicts_with_all = ["text_column", "clean"])]
    reviews: Option<Reviews>,
    /// Column of texts in a table.
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,
    /// Remove `<br />` and links from the texts, as UDA does for reviews.
    #[arg(long)]
    clean: bool,
    #[command(flatten)]
    skip_bad: SkipBad,
    /// Examples to show at the end.
    #[arg(long, value_name = "N", default_value_t = 3)]
    examples: usize,
    #[command(flatten)]
    device: DeviceArg,
    /// Threads on the CPU, at most four times the processors; by default as many as processors. The
    /// result does not depend on it.
    #[arg(long, value_parser = ranges::threads)]
    threads: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    /// Translate into another language and back
    BackTranslation,
}

/// The file of the figures of what was made.
const QUALITY: &str = "quality.json";

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.action {
        Action::Text(args) => match args.policy {
            Policy::BackTranslation => back_translation(args),
        },
    }
}

fn set_of_reviews(text: &str) -> Result<Reviews, String> {
    let found = Reviews::ALL.into_iter().find(|set| set.name() == text);
    found.ok_or_else(|| {
        let names = Reviews::ALL.map(Reviews::name).join(", ");
        format!("there is no set {text}; there are {names}")
    })
}

fn read(args: &TextArgs) -> Result<Vec<String>> {
    let on_bad = args.skip_bad.on_bad_input();
    let tell = |set: &TextSet| set.notes().iter().for_each(|line| note(line));
    if let Some(set) = args.reviews {
        let all = set.read(&args.texts, Part::Extra, on_bad)?;
        tell(&all);
        return Ok(all.examples().iter().map(|example| example.texts.a.clone()).collect());
    }
    let reader = OwnTexts { text: args.text_column.clone().into(), on_bad, ..OwnTexts::default() };
    let set = reader.read(std::slice::from_ref(&args.texts))?;
    tell(&set);
    let texts = set.examples().iter().map(|example| &example.texts.a);
    let texts: Vec<String> = match args.clean {
        true => texts.map(|text| clean(text)).collect(),
        false => texts.cloned().collect(),
    };
    ensure!(!texts.is_empty(), "{}: no text in it", args.texts.display());
    Ok(texts)
}

/// An error if what is made would be written over the texts, or lie in a folder of them.
fn keep_texts(args: &TextArgs) -> Result<()> {
    // A published set has files of its own names, which are never made here.
    if args.reviews.is_some() {
        return Ok(());
    }
    let copies = (0..args.paraphrases).map(|copy| format!("para_{copy}.txt"));
    let made = [STORE, QUALITY].into_iter().map(str::to_owned).chain(copies);
    let texts = std::slice::from_ref(&args.texts);
    made.map(|name| args.out.join(name)).try_for_each(|out| keep_inputs(&out, texts))
}

fn back_translation(args: &TextArgs) -> Result<()> {
    keep_texts(args)?;
    let texts = read(args)?;
    let device = args.device.chosen()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let threads = args.threads.unwrap_or(cores);
    let open = |asked: &str| {
        Translation::open(asked, device, threads).with_context(|| format!("translating by {asked}"))
    };
    let (forward, backward) = (open(&args.forward)?, open(&args.backward)?);
    let language = if args.reviews.is_some() { Some("en") } else { args.language.as_deref() };
    check_ways(language, forward.way(), backward.way())?;
    let mut pipeline = BackTranslation::new(forward, backward, args.temperature);
    let amount = Amount { copies: args.paraphrases, batch: args.batch, seed: args.seed };
    let made = Made::new(&pipeline, amount, &texts)?;
    let path = args.out.join(STORE);
    let parts = Parts::beside(&path, made.clone());
    let bar = bar(made.batches())?;
    // With one process the file itself grows; several ones make parts of it.
    let Shard { number, of: workers } = args.shard;
    if workers == 1 {
        let mut whole = Paraphrases::open(&path, made.clone())?;
        parts.gather(&mut whole)?;
        bar.set_position(whole.progress().0 as u64);
        whole.fill(&mut pipeline, &texts, |whole| bar.set_position(whole.progress().0 as u64))?;
    } else {
        let done = open_when_free(&path, &made)?.progress().0;
        bar.set_position(done as u64);
        let shard = [number - 1, workers];
        parts.fill(&mut pipeline, &texts, shard, done, |_| bar.inc(workers as u64))?;
    }
    bar.finish_and_clear();
    let mut whole = open_when_free(&path, &made)?;
    parts.gather(&mut whole)?;
    let (there, all) = whole.progress();
    if there < all {
        say(&format!(
            "part {number} of {workers} is made; {there} of all {all} batches are joined, and the \
             process that ends last joins the others"
        ))?;
        return Ok(());
    }
    whole.export_copies(&args.out)?;
    if let cut @ 1.. = whole.sentences_cut() {
        let cut = counted(cut, "sentence");
        note(&format!("{cut} of more tokens than a network reads, cut at its length"));
    }
    finish(args, &path, &whole, &texts)
}

/// Refuses networks that say of themselves that they do not translate texts of this language into
/// another and back.
fn check_ways(
    language: Option<&str>,
    forward: [Option<&str>; 2],
    backward: [Option<&str>; 2],
) -> Result<()> {
    // `en` and `eng` may be the same, and what is not known may be anything.
    let differ = |a: Option<&str>, b: Option<&str>| {
        a.zip(b).is_some_and(|(a, b)| a.len() == b.len() && !a.eq_ignore_ascii_case(b))
    };
    let told = |way: [Option<&str>; 2]| way.map(|name| name.unwrap_or("?")).join(" into ");
    let (there, back) = (told(forward), told(backward));
    if differ(forward[1], backward[0]) || differ(forward[0], backward[1]) {
        bail!(
            "--forward translates {there}, and --backward {back}: name one that translates back \
             what the first one makes"
        );
    }
    if differ(language, forward[0]) {
        let language = language.unwrap_or_default();
        match differ(Some(language), backward[0]) || backward[0].is_none() {
            true => bail!("the texts are in {language}, and --forward translates {there}"),
            false => bail!(
                "the texts are in {language}, and --forward translates {there}: exchange --forward \
                 and --backward"
            ),
        }
    }
    if let (None, Some(from)) = (language, forward[0]) {
        note(&format!("the texts are taken for {from}, as --forward translates {there}"));
    }
    Ok(())
}

/// Opens the file that several processes join their parts in, one after the other.
fn open_when_free(path: &Path, made: &Made) -> Result<Paraphrases> {
    const TRIES: usize = 300;
    for _ in 0..TRIES {
        match Paraphrases::open(path, made.clone()) {
            Err(TextError::InUse { .. }) => {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            opened => return Ok(opened?),
        }
    }
    Ok(Paraphrases::open(path, made.clone())?)
}

fn bar(batches: usize) -> Result<ProgressBar> {
    let bar = ProgressBar::new(batches as u64);
    bar.set_style(ProgressStyle::with_template("{bar:32} {pos}/{len} batches {eta}")?);
    Ok(bar)
}

/// Shows what was made, and keeps its figures.
fn finish(args: &TextArgs, path: &Path, whole: &Paraphrases, texts: &[String]) -> Result<()> {
    let quality = Quality::of(whole, texts);
    let mut json = serde_json::to_vec_pretty(&quality)?;
    json.push(b'\n');
    atomic_file::write(&args.out.join(QUALITY), &json)?;
    for line in quality.lines() {
        say(&line)?;
    }
    let differ = |text: &&usize| whole.get(0, **text) != Some(texts[**text].as_str());
    let numbers: Vec<usize> = (0..texts.len()).collect();
    for &text in numbers.iter().filter(differ).take(args.examples) {
        let Some(paraphrase) = whole.get(0, text) else { bail!("text {text} has no paraphrase") };
        say(&format!(
            "\n  text:       {}\n  paraphrase: {}",
            short(&texts[text]),
            short(paraphrase)
        ))?;
    }
    say(&format!("\n{}", path.display()))
}

/// The beginning of a text, in a line.
fn short(text: &str) -> String {
    const MOST: usize = 300;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_that_do_not_lead_back_are_refused() {
        let way = |text: &'static str| -> [Option<&'static str>; 2] {
            let (from, to) = text.split_once('-').expect("a way");
            [from, to].map(|name| (name != "?").then_some(name))
        };
        let check = |language: Option<&str>, forward, backward| {
            check_ways(language, way(forward), way(backward)).map_err(|error| error.to_string())
        };
        for (language, forward, backward) in [
            (None, "?-?", "?-?"),
            (Some("en"), "?-?", "fr-en"),
            (Some("en"), "en-fr", "fr-en"),
            (Some("en"), "eng-fra", "fr-en"),
            (None, "fr-en", "en-fr"),
        ] {
            assert_eq!(check(language, forward, backward), Ok(()), "{forward} {backward}");
        }
        for (language, forward, backward, part) in [
            (None, "en-fr", "en-fr", "en into fr, and --backward en into fr"),
            (None, "en-fr", "fr-de", "back"),
            (None, "en-de", "fr-en", "back"),
            (Some("en"), "fr-en", "en-fr", "exchange"),
            (Some("de"), "fr-en", "en-fr", "the texts are in de, and --forward translates fr"),
        ] {
            let fault = check(language, forward, backward).expect_err(forward);
            assert!(fault.contains(part), "{fault}");
        }
    }
}
