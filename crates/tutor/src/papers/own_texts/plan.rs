//! What `tutor fit --text` chooses: a recipe from a look at the texts and the machine, with its
//! reasons.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::Column;
use data_pipeline::text::read::OnBadInput;
use electra::{EncoderConfig, Family};
use metrics::words::counted;
use torch::Device;
use torch::precision::Precision;

use super::look::{Words, data_line};
use super::parts::Parts;
use super::recipe::{DataConfig, LATENT, PRE_TRAINED, STUDENT, UDA, WORDS};
use crate::recipe::own_name::own_name;
use crate::recipe::paths::utf8;
use crate::run::sections::one_of;
use crate::run::trial::LABELS_ALONE;

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
    let parts = Parts::open(&data)?;
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
    let consistent = learns && takes_uda(given);
    if consistent {
        methods.push(format!("{UDA} (the net, which should say the same of changed texts)"));
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
        measured,
        format!("time: {} on {device}", counted(given.minutes, "minute")),
    ]);
    let recipe = recipe(
        given,
        &data,
        &parts,
        start.as_ref(),
        Learning { longest, learns, pretrain, consistent },
    )?;
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

/// Where a net starts, and how it is trained.
struct Start {
    words: String,
    /// Keys of the recipe.
    keys: String,
    /// The table of the net, where there are no weights.
    net: String,
    /// The width of the generator.
    fraction: f64,
    lr: f64,
    batch: usize,
}

impl Default for Start {
    /// Of no net: what its training would be has no meaning.
    fn default() -> Self {
        let (words, keys, net) = Default::default();
        Self { words, keys, net, fraction: 0.5, lr: 5e-4, batch: 32 }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
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
    // Sentence encoders say by this file that they are used by the mean of the tokens.
    let by_mean = Path::new(&weights).join("modules.json").is_file();
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

/// What a recipe learns from, and how.
struct Learning {
    longest: usize,
    learns: bool,
    pretrain: bool,
    consistent: bool,
}

/// The recipe as text.
fn recipe(
    given: &Given,
    data: &DataConfig,
    parts: &Parts,
    start: Option<&Start>,
    Learning { longest, learns, pretrain, consistent }: Learning,
) -> Result<String> {
    let path = |path: &Path| anyhow::Ok(quoted(utf8(path)?));
    let mut of_data = format!("text = {}\n", path(&data.text)?);
    for (key, value) in [
        ("text_column", &data.text_column),
        ("pair_column", &data.pair_column),
        ("label_column", &data.label_column),
    ] {
        if let Some(value) = value {
            of_data += &format!("{key} = {}\n", quoted(value));
        }
    }
    for (key, labels) in [("no_label", &data.no_label), ("class", &data.class)] {
        let all: Vec<String> = labels.iter().map(|label| quoted(label)).collect();
        if !all.is_empty() {
            of_data += &format!("{key} = [{}]\n", all.join(", "));
        }
    }
    for (key, value) in
        [("unlabeled", &data.unlabeled), ("validation", &data.validation), ("test", &data.test)]
    {
        if let Some(value) = value {
            of_data += &format!("{key} = {}\n", path(value)?);
        }
    }
    of_data += if given.skip_bad { "on_bad = \"skip\"\n" } else { "on_bad = \"error\"\n" };
    if given.allow_duplicates {
        of_data += "allow_duplicates = true\n";
    }
    let (kept, keep) = match data.pair_column {
        Some(_) => (
            "Of a longer pair tokens are taken from the end of the longer text, one by one.",
            "\"start\"".to_owned(),
        ),
        None => (
            "Of a longer text a quarter from its beginning and the rest from its end.",
            format!("{{ ends = {{ start = {} }} }}", longest / 4),
        ),
    };
    let name = own_name(&data.text.with_extension(""), "texts");
    let precision = toml::Value::try_from(Precision::fastest(given.device))?;
    let minutes = given.minutes;
    let labels = parts.labeled.len();
    let none = Start::default();
    let Start { keys, net, fraction, lr, batch, .. } = start.unwrap_or(&none);
    let batch = if labels < 100 { batch / 2 } else { *batch };
    let least = if labels < 1000 { 1 } else { 2 };
    let mut rows = format!(
        "\n# The row `words`: logistic regression on the words and pairs of words of the labelled \
         texts,\n# those that are in so many of them.\n[words]\nwords = 2\ntexts = {least}\n"
    );
    if learns {
        rows += "\n# The row `latent-semantic`: on the directions in which words vary over all texts.\n\
                 [latent_semantic]\nwords = 2\ntexts = 3\n";
    }
    if learns && start.is_some() {
        rows += "\n# The row `student`: the net learns from the classes that `latent-semantic` gives \
                 unlabelled\n# texts, too; this share of what it learns from has labels.\n[student]\n\
                 labels = 0.1\nsteps = 2000\n";
    }
    if consistent {
        // A step's 40 texts say little about the shares of many classes.
        let decay = if parts.labeled.classes().len() <= 5 { 0.0 } else { 0.9 };
        rows += "\n# The row `uda`: the net should say the same of an unlabelled text and of the same \
                 with words\n# changed, those first that tell texts apart least. What it says of the \
                 unlabelled texts of a step is\n# brought to the shares of the labels, lest one class \
                 takes over; if the unlabelled texts are known to\n# have others, write them into \
                 `start`. Measured with two classes alone (docs/results/uda-text.md).\n[uda]\nbatch = 8\nratio = 5\nsteps = \
                 400\nstrong = { kind = \"tf-idf\", probability = 0.3 }\n\n[uda.method]\nthreshold = \
                 0.0\ntemperature = 0.4\nweak_pass = \"apart-noised\"\nweight = { kind = \
                 \"constant\", value = 1.0, warmup = 60 }\n";
        rows += &format!("alignment = {{ to = \"start\", decay = {decay:?} }}\n");
    }
    let steps = (6 * labels.div_ceil(batch)).clamp(120, 3000);
    let warmup = steps / 10;
    let folds = if labels >= 500 * parts.labeled.classes().len() { 1 } else { 2 };
    // Enough that every net is tried for some hundred steps.
    let share = if data.test.is_some() { 0.35 } else { 0.5 };
    let optim = "{ kind = \"adamw\", eps = 1e-6, bias_correction = false, weight_decay = 0.01 }";
    let schedule = |lr: f64, warmup: usize| {
        format!(
            "{{ kind = \"decay-from-start\", from = {lr:?}, warmup = {warmup}, rule = \"times\" }}"
        )
    };
    let pretraining = match pretrain {
        false => String::new(),
        true => format!(
            "
# For the row `pre-trained`: learned from all these texts without their labels, never from those
# that are measured on.
[pretraining]
# The share of the time that it has at least.
share = 0.6
sequences = {{ longest = {longest} }}
generator = {{ fraction = {fraction:?} }}

[pretraining.train]
# At most; fewer where the minutes are short.
steps = 100000
batch = 32
lr = {}
optim = {optim}
clip_norm = 1.0
",
            schedule(5e-4, 50)
        ),
    };
    Ok(format!(
        "# Written by tutor fit. Change what you like and run it again: tutor run THIS-FILE
kind = \"own-texts\"
name = \"own-texts/{name}\"
about = \"A classifier of one's own texts, by tutor fit\"
# Wall clock; trainings take as many steps as fit.
minutes = {minutes:?}
precision = {precision}
{keys}# {kept}
layout = {{ longest = {longest}, keep = {keep} }}
trial = {{ share = {share}, folds = {folds} }}
cadence = {{ log = 10, evaluate = 200, checkpoint = 100, keep = 2 }}

[data]
{of_data}{rows}{net}
[train]
# At most; fewer where the minutes are short.
steps = {steps}
batch = {batch}
lr = {}
optim = {optim}
clip_norm = 1.0
{pretraining}",
        schedule(*lr, warmup)
    ))
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
