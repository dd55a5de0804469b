//! What `tutor fit --text` chooses: a recipe from a look at the texts and the machine, with its
//! reasons.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::Column;
use data_pipeline::text::read::OnBadInput;
use electra::{EncoderConfig, Family};
use metrics::words::counted;
use torch::Device;

use super::look::{Words, data_line};
use super::parts::Parts;
use super::recipe::{DataConfig, LATENT, PRE_TRAINED, STUDENT, UDA, WORDS};
use super::written::{Learning, Start, quoted, recipe};
use crate::run::result::one_of;
use crate::run::trial::LABELS_ALONE;
use crate::text::augmentation::TextPolicy;

/// What a user gives.
pub(crate) struct Given {
    pub(crate) text: PathBuf,
    /// The column of texts, or the two of pairs; looked for by the usual names if none is given.
    pub(crate) text_columns: Vec<String>,
    pub(crate) label_column: Option<String>,
    /// Labels that stand for none.
    pub(crate) no_label: Vec<String>,
    /// Labels that are classes although they read as if they stood for none.
    pub(crate) class: Vec<String>,
    pub(crate) unlabeled: Option<PathBuf>,
    /// Paraphrases of the unlabelled texts.
    pub(crate) paraphrases: Option<PathBuf>,
    pub(crate) validation: Option<PathBuf>,
    pub(crate) test: Option<PathBuf>,
    /// A published network to start from.
    pub(crate) weights: Option<String>,
    /// Tokens of a text at most, in place of what its words and the network say.
    pub(crate) max_length: Option<usize>,
    pub(crate) minutes: f64,
    pub(crate) skip_bad: bool,
    pub(crate) allow_duplicates: bool,
    pub(crate) device: Device,
}

/// A recipe and why it is so.
pub(crate) struct Proposal {
    /// The recipe, with comments.
    pub(crate) recipe: String,
    /// What will be done, and why.
    pub(crate) lines: Vec<String>,
}

/// Fewer unlabelled texts are not learned from.
const FEWEST_UNLABELED: usize = 20;

/// Looks at the texts and chooses.
pub(crate) fn plan(given: &Given) -> Result<Proposal> {
    ensure!(
        given.minutes.is_finite() && given.minutes > 0.0,
        "--minutes {}: must be above 0",
        given.minutes
    );
    let [text_column, pair_column] = columns(&given.text_columns)?;
    let mut data = DataConfig {
        text: given.text.clone(),
        text_column,
        pair_column,
        label_column: given.label_column.clone(),
        no_label: given.no_label.clone(),
        class: given.class.clone(),
        unlabeled: given.unlabeled.clone(),
        validation: given.validation.clone(),
        test: given.test.clone(),
        on_bad: if given.skip_bad { OnBadInput::Skip } else { OnBadInput::Error },
        allow_duplicates: given.allow_duplicates,
    };
    data.anchor(None)?;
    let reader = data.columns().with_usual_pair(&data.text)?.labeled(&data.text, None)?;
    data.text_column = reader.text.name().map(str::to_owned);
    data.pair_column = reader.pair;
    data.label_column = reader.label.as_ref().and_then(Column::name).map(str::to_owned);
    if let Some(label) = &data.label_column {
        let mut texts = [&data.text_column, &data.pair_column].into_iter().flatten();
        ensure!(
            texts.all(|text| text != label),
            "the column `{label}` cannot hold both texts and labels: name that of the labels with \
             --label-column, and that of the texts with --text-column"
        );
    }
    let paraphrases = given.paraphrases.as_deref().map(std::path::absolute).transpose()?;
    if paraphrases.is_some() {
        check_paraphrases(given, &data)?;
    }
    let parts = Parts::open(&data, paraphrases.as_deref())?;
    let unit = parts.unit();
    let words = Words::of(&parts.labeled);
    let texts = if data.pair_column.is_some() { 2 } else { 1 };
    let usual = longest(words.most, texts, given.device);
    let wanted = given.max_length.unwrap_or(usual);
    let unlabeled = parts.unlabeled.len();
    let learns = unlabeled >= FEWEST_UNLABELED;
    let (start, Length { longest, why }) = match &given.weights {
        Some(asked) => {
            let (start, length) = published(asked, usual, given.max_length)?;
            (Some(start), length)
        }
        None if given.device != Device::Cpu || given.minutes >= LONG => {
            (Some(own(&parts, wanted, given)), Length::from(wanted))
        }
        // In few minutes on a CPU a net from nothing learns nothing (docs/results/own-texts.md).
        None => (None, Length::from(wanted)),
    };
    let pretrain = learns && start.is_some() && given.weights.is_none();
    let mut methods = vec![format!("{WORDS} (the labels alone)")];
    if learns {
        methods.push(format!("{LATENT} (what unlabelled texts tell about words)"));
    }
    if start.is_some() {
        methods.push(format!("{LABELS_ALONE} (the net)"));
    }
    if pretrain {
        methods.push(format!("{PRE_TRAINED} (the net, after ELECTRA on all texts)"));
    }
    if learns && start.is_some() {
        methods.push(format!("{STUDENT} (the net, also with classes that {LATENT} gives)"));
    }
    let strong = match paraphrases {
        Some(path) => {
            ensure!(
                learns,
                "--paraphrases: {unlabeled} unlabelled {unit} are too few to learn from \
                 ({FEWEST_UNLABELED}): name more with --unlabeled, or leave the paraphrases out"
            );
            Some(TextPolicy::Paraphrases { path })
        }
        None => (learns && takes_uda(given)).then_some(TextPolicy::TfIdf { probability: 0.3 }),
    };
    if let Some(strong) = &strong {
        let what = match strong {
            TextPolicy::Paraphrases { .. } => "texts and of their paraphrases",
            _ => "changed texts",
        };
        methods.push(format!("{UDA} (the net, which should say the same of {what})"));
    }
    let mut method = format!("methods: {}; tried on held-out labels", methods.join(", "));
    if !learns {
        method += &match unlabeled {
            0 => format!("; there are no unlabelled {unit}"),
            few => {
                format!("; {few} unlabelled {unit} are too few to learn from ({FEWEST_UNLABELED})")
            }
        };
    }
    let measured = match (&parts.test, &parts.validation) {
        (Some(test), _) => format!("measured on the {} test {unit}, once, at the end", test.len()),
        (None, Some(_)) => format!(
            "measured on the validation {unit}; name --test for a measure that no choice was made on"
        ),
        (None, None) => format!(
            "measured on labelled {unit} that are held out in turn, since there is no --test"
        ),
    };
    let device = torch::device::describe(given.device);
    let mut lines = parts.notes.clone();
    lines.extend([
        data_line(&parts, &words, &data),
        match &start {
            Some(start) => {
                let one = one_of(unit);
                format!("net: {}; {longest} tokens of a {one} at most{why}", start.words)
            }
            None => format!(
                "net: none; one from nothing needs {LONG} minutes or more on a CPU, and published \
                 weights (--weights) would help"
            ),
        },
        method,
    ]);
    if let Some(paraphrased) = &parts.paraphrased {
        lines.push(format!("paraphrases: {}", paraphrased.told(&parts.unlabeled)));
    }
    lines.extend([measured, format!("time: {} on {device}", counted(given.minutes, "minute"))]);
    let learning = Learning { longest, learns, pretrain, strong };
    let place = (given.minutes, given.device);
    let recipe = recipe(place, &data, &parts, start.as_ref(), learning)?;
    Ok(Proposal { recipe, lines })
}

/// The columns of the first and of the second texts, as far as they are given.
fn columns(given: &[String]) -> Result<[Option<String>; 2]> {
    ensure!(
        given.len() <= 2,
        "--text-column {}: {} columns of texts; a classifier reads one text a row, or the two of a \
         pair: name one or two",
        given.join(", "),
        given.len()
    );
    if let [first, second] = given {
        ensure!(
            first != second,
            "--text-column {first}: named twice; a pair has two columns of its own"
        );
    }
    Ok([given.first().cloned(), given.get(1).cloned()])
}

/// Tokens of a sequence of so many texts: room for most, within what a step may cost.
fn longest(words: usize, texts: usize, device: Device) -> usize {
    let most = if device == Device::Cpu { 128 } else { 256 };
    // A word has a third more tokens; one is special, and one behind each text.
    (words * 4 / 3 + 1 + texts).div_ceil(32).saturating_mul(32).clamp(32, most)
}

/// How many tokens of a text a net reads.
struct Length {
    longest: usize,
    /// Why they are fewer than the texts have, in words behind their number; empty if they are not.
    why: String,
}

impl From<usize> for Length {
    fn from(longest: usize) -> Self {
        Self { longest, why: String::new() }
    }
}

/// A published network, and how many tokens of a text it reads: those that are asked for, else
/// `usual`, or as many as it was made for if these are fewer, as it may have more positions than it
/// has learned.
fn published(asked: &str, usual: usize, max_length: Option<usize>) -> Result<(Start, Length)> {
    let weights = crate::text::published::locate(asked)?;
    let (checkpoint, tokenizer) = crate::text::published::open(&weights)?;
    let net = &checkpoint.config.encoder;
    let learned = tokenizer.longest().unwrap_or(usual).clamp(5, usual);
    let longest = max_length.unwrap_or(learned);
    let why = match max_length.is_none() && learned < usual {
        true => {
            let why = crate::text::published::why_no_longer(&checkpoint.weights.source)?;
            format!(", {why}; --max-length takes more")
        }
        false => String::new(),
    };
    ensure!(
        longest as i64 <= net.positions,
        "{asked} has {} positions, and {longest} tokens are needed: fewer are set by --max-length",
        net.positions
    );
    let pooled = checkpoint.weights.tensors.keys().any(|name| name.contains("pooler."));
    let by_mean = crate::text::published::is_sentence_encoder(&checkpoint);
    let (form, decay, lr) = match net.family {
        Family::Electra => ("electra", 0.8, 1e-4),
        Family::Bert if by_mean || !pooled => ("mean", 0.9, 5e-5),
        Family::Bert => ("pooler", 0.9, 5e-5),
    };
    let family = net.family.prefix();
    let start = Start {
        words: format!(
            "the published weights {asked} ({family}, {} layers, {} wide)",
            net.layers, net.hidden
        ),
        keys: format!(
            "weights = {}\nform = \"{form}\"\nlayer_decay = {decay:?}\n",
            quoted(&weights)
        ),
        net: String::new(),
        fraction: 0.25,
        lr,
        batch: 16,
    };
    Ok((start, Length { longest, why }))
}

/// Minutes from which on a CPU trains a wider net.
const LONG: f64 = 30.0;

fn own(parts: &Parts, longest: usize, given: &Given) -> Start {
    let (name, net, fraction) = match given.device {
        Device::Cpu if given.minutes < LONG => ("tiny", EncoderConfig::tiny(), 0.5),
        Device::Cpu => ("mini", EncoderConfig::mini(), 0.5),
        _ => ("small", EncoderConfig::small(), 0.25),
    };
    let bytes: u64 = [&parts.labeled, &parts.unlabeled]
        .iter()
        .flat_map(|set| (0..set.len()).map(|i| u64::from(set.size(i))))
        .sum();
    let vocabulary = if bytes < 4 << 20 { 4096 } else { 8192 };
    let EncoderConfig { layers, hidden, embedding, heads, feed_forward, .. } = net;
    Start {
        words: format!(
            "a {name} net at random ({layers} layers, {hidden} wide), and a vocabulary of {vocabulary} \
             tokens at most made of the labelled and unlabelled texts"
        ),
        keys: "form = \"electra\"\nlayer_decay = 0.8\n".to_owned(),
        net: format!(
            "\n[net]\n# Tokens at most; they are made of the labelled and unlabelled texts.\n\
             vocabulary = {vocabulary}\nlayers = {layers}\nhidden = {hidden}\n\
             embedding = {embedding}\nheads = {heads}\nfeed_forward = {feed_forward}\n\
             positions = {longest}\n"
        ),
        fraction,
        lr: 5e-4,
        batch: 32,
    }
}

/// Minutes from which on a CPU has time for the row `uda`, whose steps take many times longer.
const LONG_FOR_UDA: f64 = 20.0;

/// Whether the row `uda` is trained: from published weights, in enough minutes. From nothing it
/// takes hours, which few have (docs/results/uda-text.md).
fn takes_uda(given: &Given) -> bool {
    let there_is_time = given.device != Device::Cpu || given.minutes >= LONG_FOR_UDA;
    given.weights.is_some() && there_is_time
}

/// Refuses paraphrases where nothing would learn from them.
fn check_paraphrases(given: &Given, data: &DataConfig) -> Result<()> {
    if let Some([first, second]) = data.pair() {
        bail!(
            "--paraphrases: paraphrases are of single texts, and `{first}` and `{second}` are \
             classified as pairs: leave it out, or name one --text-column"
        );
    }
    ensure!(
        given.weights.is_some(),
        "--paraphrases: the row {UDA} alone learns from them, a network that starts from published \
         weights: name some with --weights. The classifiers of words do not compare a text with \
         another, and so have no use for paraphrases"
    );
    ensure!(
        takes_uda(given),
        "--paraphrases: the row {UDA}, which alone learns from them, is trained on a CPU if there \
         are {LONG_FOR_UDA} minutes or more, and --minutes is {}: give it more, or leave \
         --paraphrases out",
        given.minutes
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_have_room_for_most_texts_within_bounds() {
        assert_eq!(longest(5, 1, Device::Cpu), 32);
        assert_eq!(longest(22, 1, Device::Cpu), 32);
        assert_eq!(longest(23, 1, Device::Cpu), 32);
        assert_eq!(longest(23, 2, Device::Cpu), 64);
        assert_eq!(longest(40, 1, Device::Cpu), 64);
        assert_eq!(longest(300, 2, Device::Cpu), 128);
        assert_eq!(longest(300, 1, Device::Cuda(0)), 256);
    }
}
