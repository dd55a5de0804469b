//! Published networks of texts, with the tokenizer that lies beside them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use data_pipeline::text::{Keep, Layout, Tokenizer};
use electra::heads::{ClassifierConfig, HeadForm};
use electra::hub::{Checkpoint, Heads, HubConfig, ProblemType};
use metrics::words::counted;
use serde_json::Value;
use torch::Device;
use torch::hub::{beside, read_json};
use torch::precision::Precision;
use weights::catalog;
use weights::find::{Places, find};

use super::classifier::TextClassifier;
use super::hub_note::HubNote;
use super::predictor::{Columns, Kept, Parts, TextPredictor};
use crate::recipe::paths::{from_anywhere, utf8};
use crate::run::began::Began;
use crate::run::stage::Trained;

/// Whether what was asked for is a network of texts, if only by what it says of itself: it may be
/// one that cannot be read.
pub(crate) fn is_text(asked: &str) -> bool {
    let Ok(found) = find(asked, &Places::of_user()) else { return false };
    read_json(&beside(&found.path, "config.json"), |json| Ok(says_text(json))).unwrap_or(false)
}

/// Whether a `config.json` is that of an encoder that is known, or of another classifier of texts.
fn says_text(json: &Value) -> bool {
    let architecture = json["architectures"][0].as_str().unwrap_or_default();
    matches!(json["model_type"].as_str(), Some("bert" | "electra"))
        || architecture.ends_with("ForSequenceClassification")
}

/// The name of the folder of a pre-trained network in that of its training.
pub(crate) const HUB: &str = "hub";

/// The folders of the networks that a run of pre-training has, of all seeds and rows.
fn pre_trained(run: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let folders = |path: &Path| -> Result<Vec<PathBuf>> {
        let read = std::fs::read_dir(path);
        let read = read.with_context(|| format!("cannot read {}", path.display()))?;
        let paths = read.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
    };
    for seed in folders(run)? {
        let name = seed.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("seed-") {
            continue;
        }
        for row in folders(&seed)? {
            let places = [row.join("pretraining").join(HUB), row.join(HUB)];
            found.extend(places.into_iter().filter(|hub| hub.join("config.json").is_file()));
        }
    }
    Ok(found)
}

/// What is asked for as it can be found from anywhere: a path made absolute, the network of a run
/// of pre-training, or a name of the hub's cache as it is.
pub(crate) fn locate(asked: &str) -> Result<String> {
    let asked = from_anywhere(asked)?;
    if !Path::new(&asked).join("recipe.toml").is_file() {
        return Ok(asked);
    }
    Ok(utf8(&of_run(Path::new(&asked))?)?.to_owned())
}

/// The folder of the only network that a run of pre-training has.
fn of_run(run: &Path) -> Result<PathBuf> {
    let mut found = pre_trained(run)?;
    found.sort();
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => bail!(
            "{run} holds no pre-trained network of texts: name a run of `tutor pretrain`, or a \
             folder of the Hugging Face hub; `tutor export {run} --hub FOLDER` makes one of a \
             network that tells texts apart",
            run = run.display()
        ),
        more => {
            let names: Vec<String> = more.iter().map(|path| path.display().to_string()).collect();
            bail!("{} holds several networks: name one of {}", run.display(), names.join(", "))
        }
    }
}

/// Whether there is something of this path or name; it may be no network of texts.
pub(crate) fn is_there(asked: &str) -> bool {
    find(asked, &Places::of_user()).is_ok()
}

/// A published network and its tokenizer, which must fit.
pub(crate) fn open(asked: &str) -> Result<(Checkpoint, Tokenizer)> {
    let places = Places::of_user();
    ensure!(
        Path::new(asked).exists() || catalog::by_name(asked).is_err(),
        "{asked}: these are weights of a net for pictures; name one of texts, BERT or ELECTRA (`tutor \
         weights list`)"
    );
    let checkpoint = Checkpoint::open(asked, &places).map_err(|error| {
        let folder = Path::new(asked);
        match folder.is_dir() && !folder.join("config.json").exists() {
            true => anyhow!(
                "{asked} is no folder of the Hugging Face hub (no config.json): name one that has \
                 it, beside the weights and the tokenizer"
            ),
            false => error.into(),
        }
    })?;
    // Before memory is taken for what may be another network.
    checkpoint.fits()?;
    let path = find(asked, &places)?.path;
    let folder = if path.is_dir() { &*path } else { path.parent().unwrap_or(&path) };
    let tokenizer = Tokenizer::open(folder)?;
    let rows = checkpoint.config.encoder.vocabulary as usize;
    tokenizer.check_fits(rows).with_context(|| folder.display().to_string())?;
    Ok((checkpoint, tokenizer))
}

/// Whether a network was made to encode a text as the mean of its tokens: it has
/// sentence-transformers' `modules.json` beside it, and no file that says otherwise of how tokens
/// become one vector (`1_Pooling/config.json`), or the catalogue says so.
pub(crate) fn is_sentence_encoder(checkpoint: &Checkpoint) -> bool {
    let Some(folder) = checkpoint.weights.source.parent() else { return false };
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let pooling = folder.join("1_Pooling/config.json");
    (folder.join("modules.json").is_file()
        // The mean is what sentence-transformers takes where nothing is said.
        && read_json(&pooling, |json| Ok(pools_by_mean(json))).unwrap_or(true))
        || catalog::text_net(&name).is_some_and(|net| net.sentence_encoder)
}

/// Whether sentence-transformers takes the mean of the tokens by this configuration, and not, as
/// for BAAI's bge, that of `[CLS]`, or the largest values.
fn pools_by_mean(json: &Value) -> bool {
    let is_on = |mode: &str| json[format!("pooling_mode_{mode}")].as_bool();
    let others = ["cls_token", "max_tokens", "lasttoken", "weightedmean_tokens"];
    is_on("mean_tokens").unwrap_or(true) && others.iter().all(|mode| is_on(mode) != Some(true))
}

/// Adds to what a run began with which network and tokenizer it starts from.
pub(crate) fn add_to(began: &mut Began, checkpoint: &Checkpoint, tokenizer: &Tokenizer) {
    let HubConfig { encoder, pad, .. } = &checkpoint.config;
    let beside = [format!("{encoder:?} {pad}"), tokenizer.digest().to_string()];
    began.add_weights("weights or their vocabulary", &checkpoint.weights, beside);
}

/// Why a published network, by its file of weights, reads no more tokens than
/// [`Tokenizer::longest`] of its tokenizer, in words behind a number of tokens. What a run of `fit`
/// tuned may have learned more before.
///
/// Fails if what a run wrote beside it cannot be read.
pub(crate) fn why_no_longer(weights: &Path) -> Result<&'static str> {
    Ok(match HubNote::read(weights.parent().unwrap_or(Path::new(".")))? {
        Some(_) => "as many as `tutor fit` tuned the network with (tutor.json beside it)",
        None => "as many as the network was made for (`model_max_length` of its tokenizer)",
    })
}

/// What the classes of a published classifier are called.
pub(crate) enum Names<'a> {
    /// So, in the order of its outputs; by its own names, which it must have, if none are given.
    /// They must exclude each other.
    Given(&'a [String]),
    /// By its own names, or `LABEL_0`, `LABEL_1` and so on where it has none. A text may have
    /// several of them, or none.
    OwnOrNumbered,
}

/// Why the classes of a published classifier do not exclude each other; none if they do. Fails if
/// its outputs are no classes.
fn independent(problem: Option<ProblemType>, outputs: usize) -> Result<Option<&'static str>> {
    Ok(match (problem, outputs) {
        (Some(ProblemType::Regression), _) => bail!(
            "it predicts {} (`problem_type` is regression) and no classes",
            counted(outputs, "quantity")
        ),
        (Some(ProblemType::MultiLabel), _) => Some(
            "a text may have several of its classes, or none (`problem_type` is \
             multi_label_classification)",
        ),
        (_, 1) => Some("it has a single output, which judges one class alone"),
        _ => None,
    })
}

/// Fails if two classes have one name, by which they could not be told from each other.
fn refuse_equal(classes: &[String], said_by: &str) -> Result<()> {
    for (i, name) in classes.iter().enumerate() {
        if let Some(other) = classes[..i].iter().position(|other| other.trim() == name.trim()) {
            bail!("{said_by}: classes {other} and {i} are both called {name}: name them apart");
        }
    }
    Ok(())
}

/// How texts become sequences for a network of so many positions, as its tokenizer's files say.
fn usual(tokenizer: &Tokenizer, positions: usize) -> Layout {
    let longest = positions.min(512).min(tokenizer.longest().unwrap_or(usize::MAX));
    let keep = if tokenizer.cuts_start() { Keep::End } else { Keep::Start };
    Layout { longest, keep }
}

/// A published classifier as it is.
pub(crate) fn classifier(asked: &str, names: Names<'_>, device: Device) -> Result<TextPredictor> {
    let (checkpoint, tokenizer) = open(asked)?;
    let HubConfig { encoder, architecture, labels, problem, pad } = checkpoint.config.clone();
    let (form, head) = match architecture.as_deref() {
        Some("ElectraForSequenceClassification") => {
            (HeadForm::Electra, "classifier.out_proj.weight")
        }
        Some("BertForSequenceClassification") => (HeadForm::Pooler, "classifier.weight"),
        other => bail!(
            "{asked} is no classifier of texts but {}; train one from it with tutor fit --text",
            other.unwrap_or("a network without a head")
        ),
    };
    let weight = checkpoint.weights.tensors.get(head);
    let count = weight.with_context(|| format!("{asked} lacks {head}"))?.shape()[0];
    let way_out = "name another classifier, or train one from it with tutor fit --text --weights";
    let independent = independent(problem, count);
    let independent = independent.map_err(|why| anyhow!("{asked}: {why}: {way_out}"))?;
    if let (Names::Given(_), Some(why)) = (&names, independent) {
        bail!(
            "{asked} cannot tell which one class a text has: {why}. As it is, it can refuse texts \
             (--classifier and --refuse of tutor data dialog, chat and serve); for one class a \
             text, {way_out}"
        );
    }
    let (said_by, classes) = match (names, labels) {
        (Names::Given(names), _) if !names.is_empty() => ("--label-map".to_owned(), names.to_vec()),
        (_, Ok(Some(labels))) => (format!("the config.json of {asked}"), labels),
        (Names::OwnOrNumbered, Ok(None)) => {
            (String::new(), (0..count).map(|i| format!("LABEL_{i}")).collect())
        }
        (Names::Given(_), Ok(None)) => bail!(
            "{asked} does not say what its {} mean, which are called LABEL_0, ...: say it with \
             --label-map, in their order",
            counted(count, "class")
        ),
        (Names::Given(_), Err(fault)) => bail!(
            "the config.json of {asked}: {fault}: mend it, or say with --label-map what its {} \
             mean, in their order",
            counted(count, "class")
        ),
        (Names::OwnOrNumbered, Err(fault)) => {
            bail!("the config.json of {asked}: {fault}: mend it, in the order of the outputs")
        }
    };
    ensure!(
        classes.len() == count,
        "{asked} judges {}, and {} named: {}",
        counted(count, "class"),
        if classes.len() == 1 { "1 is".to_owned() } else { format!("{} are", classes.len()) },
        classes.join(", ")
    );
    refuse_equal(&classes, &said_by)?;
    let positions = encoder.positions as usize;
    let folder = checkpoint.weights.source.parent().unwrap_or(Path::new("."));
    let note = HubNote::read(folder)?;
    // What transformers does with a folder that says no more.
    let whole_pairs = note.is_none();
    let layout = note.map_or_else(|| usual(&tokenizer, positions), |HubNote { layout }| layout);
    ensure!(
        layout.longest <= positions,
        "{asked} has {positions} positions, and tutor.json beside it speaks of {} tokens: export it \
         anew",
        layout.longest
    );
    let net_config = ClassifierConfig { encoder, form, pad, ..ClassifierConfig::default() };
    let net = TextClassifier::new(&net_config, count, device);
    checkpoint.load(net.params(), Heads::Keep)?;
    let net = if independent.is_some() { net.of_independent_classes() } else { net };
    Ok(TextPredictor::new(Parts {
        name: asked.to_owned(),
        net,
        kept: Kept { net: net_config, classes, layout },
        tokenizer,
        columns: Columns::default(),
        file: checkpoint.weights.source,
        device,
        by_name: true,
        whole_pairs,
        precision: Precision::Float32,
    }))
}

#[cfg(test)]
mod tests {
    use electra::EncoderConfig;
    use serde_json::json;
    use weights::StateDict;

    use super::*;

    #[test]
    fn classes_exclude_each_other_unless_the_folder_says_otherwise() {
        let said = |problem, outputs| independent(problem, outputs).expect("classes");
        assert_eq!(said(None, 2), None);
        assert_eq!(said(Some(ProblemType::SingleLabel), 3), None);
        assert!(said(Some(ProblemType::MultiLabel), 6).is_some_and(|why| why.contains("multi")));
        assert!(said(None, 1).is_some_and(|why| why.contains("single output")));
        let error = independent(Some(ProblemType::Regression), 1).expect_err("no class");
        assert!(error.to_string().contains("1 quantity (`problem_type` is regression)"), "{error}");
    }

    #[test]
    fn sentence_encoders_say_so_beside_them_or_in_the_catalogue() {
        let dir = tempfile::tempdir().expect("a folder");
        let is_one = |folder: &str| {
            let source = dir.path().join(folder).join("model.safetensors");
            let weights = StateDict { source, ..StateDict::default() };
            let config = HubConfig::new(EncoderConfig::tiny().bert(), "BertModel");
            is_sentence_encoder(&Checkpoint { config, weights })
        };
        assert!(is_one("all-MiniLM-L6-v2"), "as it is fetched");
        assert!(!is_one("bert"));
        std::fs::create_dir(dir.path().join("bert")).expect("a folder");
        std::fs::write(dir.path().join("bert/modules.json"), "[]").expect("written");
        assert!(is_one("bert"));
        std::fs::create_dir(dir.path().join("bert/1_Pooling")).expect("a folder");
        for (mean, cls) in [(true, false), (false, true), (true, true), (false, false)] {
            let config = json!({"pooling_mode_mean_tokens": mean, "pooling_mode_cls_token": cls});
            let file = dir.path().join("bert/1_Pooling/config.json");
            std::fs::write(file, config.to_string()).expect("written");
            assert_eq!(is_one("bert"), mean && !cls, "{config}");
        }
    }

    #[test]
    fn two_classes_have_two_names() {
        let fault = |names: [&str; 3]| refuse_equal(&names.map(str::to_owned), "--label-map");
        assert!(fault(["a", "b", "A"]).is_ok());
        let error = fault(["pos", "neg", "pos "]).expect_err("one name").to_string();
        assert!(error.contains("--label-map: classes 0 and 2 are both called pos"), "{error}");
    }

    #[test]
    fn long_texts_are_cut_where_the_folder_says() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).expect("written");
        };
        write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n");
        for (config, layout) in [
            ("{}", Layout { longest: 64, keep: Keep::Start }),
            (r#"{"max_len": 32}"#, Layout { longest: 32, keep: Keep::Start }),
            (r#"{"truncation_side": "left"}"#, Layout { longest: 64, keep: Keep::End }),
        ] {
            write("tokenizer_config.json", config);
            let tokenizer = Tokenizer::open(dir.path()).expect("a tokenizer");
            assert_eq!(usual(&tokenizer, 64), layout, "{config}");
        }
    }

    #[test]
    fn what_fit_tuned_on_short_texts_may_have_learned_longer_ones() {
        let dir = tempfile::tempdir().expect("a folder");
        let why = || why_no_longer(&dir.path().join("model.safetensors")).expect("a reason");
        assert!(why().contains("was made for (`model_max_length`"), "{}", why());
        let layout = Layout { longest: 32, keep: Keep::Start };
        HubNote { layout }.keep(dir.path()).expect("kept");
        assert!(why().contains("tuned the network with (tutor.json"), "{}", why());
    }

    #[test]
    fn networks_of_texts_say_so_even_if_they_cannot_be_read() {
        assert!(says_text(&json!({"model_type": "bert", "hidden_act": "relu"})));
        let other = |name: &str| json!({"model_type": "other", "architectures": [name]});
        assert!(says_text(&other("RobertaForSequenceClassification")));
        assert!(!says_text(&other("ViTForImageClassification")));
        assert!(!says_text(&json!({"architecture": "resnet50"})));
    }
}
