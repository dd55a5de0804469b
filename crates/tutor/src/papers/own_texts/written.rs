//! The recipe that `tutor fit --text` writes, as text with comments.

use std::path::Path;

use anyhow::Result;
use data_pipeline::dataset::Samples;
use data_pipeline::text::read::OnBadInput;
use torch::Device;
use torch::precision::Precision;

use super::parts::Parts;
use super::recipe::DataConfig;
use crate::recipe::own_name::own_name;
use crate::recipe::paths::utf8;
use crate::text::augmentation::TextPolicy;

/// Where a net starts, and how it is trained.
pub(super) struct Start {
    /// Which net it is.
    pub(super) words: String,
    /// Keys of the recipe.
    pub(super) keys: String,
    /// The table of the net, where there are no weights.
    pub(super) net: String,
    /// The width of the generator.
    pub(super) fraction: f64,
    pub(super) lr: f64,
    pub(super) batch: usize,
}

impl Default for Start {
    /// Of no net: what its training would be has no meaning.
    fn default() -> Self {
        let (words, keys, net) = Default::default();
        Self { words, keys, net, fraction: 0.5, lr: 5e-4, batch: 32 }
    }
}

/// A text as TOML has it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// What a recipe learns from, and how.
pub(super) struct Learning {
    /// Tokens of a text or pair at most.
    pub(super) longest: usize,
    /// Whether unlabelled texts are learned from.
    pub(super) learns: bool,
    /// Whether a net is pre-trained on them.
    pub(super) pretrain: bool,
    /// How the row `uda` changes texts, where there is one.
    pub(super) strong: Option<TextPolicy>,
}

/// The recipe as text, for a run of so many minutes on a device.
pub(super) fn recipe(
    (minutes, device): (f64, Device),
    data: &DataConfig,
    parts: &Parts,
    start: Option<&Start>,
    Learning { longest, learns, pretrain, strong }: Learning,
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
    of_data += match data.on_bad {
        OnBadInput::Skip => "on_bad = \"skip\"\n",
        OnBadInput::Error => "on_bad = \"error\"\n",
    };
    if data.allow_duplicates {
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
    let precision = toml::Value::try_from(Precision::fastest(device))?;
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
    if let Some(strong) = &strong {
        rows += &uda(strong, parts.labeled.classes().len())?;
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

/// The table of the row `uda`.
fn uda(strong: &TextPolicy, classes: usize) -> Result<String> {
    let what = match strong {
        TextPolicy::Paraphrases { path } => utf8(path).map(|_| "of a paraphrase of it.")?,
        _ => "of the same with words\n# changed, those first that tell texts apart least.",
    };
    let strong = toml::Value::try_from(strong)?;
    // A step's 40 texts say little about the shares of many classes.
    let decay = if classes <= 5 { 0.0 } else { 0.9 };
    Ok(format!(
        "
# The row `uda`: the net should say the same of an unlabelled text and {what}
# What it says of the unlabelled texts of a step is brought to the shares of the labels, lest one
# class takes over; if the unlabelled texts are known to have others, write them into `start`.
# Measured with two classes alone (docs/results/uda-text.md).
[uda]
batch = 8
ratio = 5
steps = 400
strong = {strong}

[uda.method]
threshold = 0.0
temperature = 0.4
weak_pass = \"apart-noised\"
weight = {{ kind = \"constant\", value = 1.0, warmup = 60 }}
alignment = {{ to = \"start\", decay = {decay:?} }}
"
    ))
}
