//! `tutor rate judge`: a model says what it thinks of the responses, beside people.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use eval_ssa::{Judgment, Label};
use metrics::words::counted;
use rating_server::{Endpoint, Judged, Project};

use super::super::run_network::NetworkChoice;
use super::super::say;
use super::input::{asked, progress};
use crate::dialog::responder::Responder;
use crate::images::trained_model::TrainedModel;
use crate::run::experiment::{Answer, Predictor};
use crate::text::classify::classify_texts;
use crate::text::published::{self, Names};

/// The judge.
#[derive(clap::Args)]
#[group(id = "who", required = true, multiple = false)]
pub(super) struct Who {
    /// URL of an OpenAI-compatible server, as http://HOST/v1; --model is the model's name there
    #[arg(long, requires = "model", conflicts_with_all = ["run_seed", "image_size"])]
    url: Option<String>,
    /// Folder of a run with a classifier of texts, as for `tutor predict`
    #[arg(long, value_name = "FOLDER")]
    run: Option<PathBuf>,
    /// Published classifier of texts: a folder of the Hugging Face hub, or a name of `tutor weights
    /// list`
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["model", "run_seed", "image_size"])]
    weights: Option<String>,
}

/// The judge and the study.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The study's database file
    study: PathBuf,
    /// Name for the judge; include the model's version, as results depend on it
    name: String,
    #[command(flatten)]
    who: Who,
    /// Environment variable that holds the server's key
    #[arg(long, value_name = "NAME", requires = "url", conflicts_with_all = ["run", "weights"])]
    key_variable: Option<String>,
    /// Classes of --weights in the order of its outputs, if it does not name them itself
    #[arg(long, value_delimiter = ',', requires = "weights")]
    #[arg(conflicts_with_all = ["run", "url"])]
    label_map: Vec<String>,
    /// Label that a class of the classifier stands for, as `acceptable=sensible`: not-sensible,
    /// sensible or specific. Classes with these names need none. May be given several times
    #[arg(long, value_name = "CLASS=LABEL", value_parser = meaning, conflicts_with = "url")]
    class: Vec<(String, Label)>,
    #[command(flatten)]
    choice: NetworkChoice,
}

/// A class and its label.
fn meaning(text: &str) -> Result<(String, Label), String> {
    let label = |text: &str| match plain(text).as_str() {
        "notsensible" | "insensible" | "nosense" | "nonsense" => Some(Label::NotSensible),
        "sensible" | "sensibleonly" | "sensiblebutnotspecific" => Some(Label::Sensible),
        "specific" | "sensibleandspecific" => Some(Label::Specific),
        _ => None,
    };
    let (class, meaning) = text.rsplit_once('=').unwrap_or((text, text));
    let label = label(meaning)
        .ok_or_else(|| format!("{meaning:?} is none of not-sensible, sensible and specific"))?;
    Ok((class.trim().to_owned(), label))
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

pub(super) fn run(args: &Args) -> Result<()> {
    let project = Project::open(&args.study)?;
    let name = &args.name;
    let judged = match &args.who {
        Who { run: Some(run), .. } => {
            let (network, about) = args.choice.load(run)?;
            refuse_others(&*network, &about)?;
            classify(&project, args, &*network)?
        }
        Who { weights: Some(asked), .. } => {
            let names = Names::Given(&args.label_map);
            let network = published::classifier(asked, names, args.choice.device()?)?;
            classify(&project, args, &network)?
        }
        Who { url, .. } => {
            let (Some(url), Some(model)) = (url.clone(), args.choice.model()) else {
                bail!("name a server by --url and --model, or a classifier by --run or --weights");
            };
            let key_variable = args.key_variable.clone();
            let endpoint = Endpoint::OpenAi { url, model: model.to_owned(), key_variable };
            let outcome = project.judge(name, &endpoint, &mut progress("responses"));
            asked(outcome, &endpoint)?
        }
    };
    say(&format!("{name} has judged {}", counted(judged.judged, "response")))?;
    match unread(&judged, args.who.url.is_some()) {
        Some(said) => say(&said),
        None => Ok(()),
    }
}

/// Refuses a network that is shown no texts, before classes are asked for that mean nothing here.
fn refuse_others(network: &dyn Predictor, about: &str) -> Result<()> {
    let network = network.as_any();
    let what = match (network.is::<TrainedModel>(), network.is::<Responder>()) {
        (true, _) => "is shown images",
        (_, true) => "replies",
        _ => return Ok(()),
    };
    bail!(
        "--run: {about} {what}, and responses are texts: name a run with a classifier of texts \
         (tutor fit --text)"
    )
}

/// How many responses have no label, if any; a model that is asked may answer otherwise next time,
/// a classifier does not.
fn unread(judged: &Judged, is_asked: bool) -> Option<String> {
    if judged.unread == 0 {
        return None;
    }
    if !is_asked {
        return Some(format!("{} could not be classified", counted(judged.unread, "response")));
    }
    let example = judged.example.as_ref().map(|text| format!(", as {:?}", ending(text)));
    Some(format!(
        "{} could not be read{}: the same command asks again",
        counted(judged.unread, "answer"),
        example.unwrap_or_default()
    ))
}

/// Characters of an answer that are shown.
const SHOWN: usize = 120;

/// The end of an answer, where its label should be.
fn ending(text: &str) -> String {
    let text = text.trim();
    match text.chars().count().checked_sub(SHOWN) {
        None | Some(0) => text.to_owned(),
        Some(before) => format!("…{}", text.chars().skip(before).collect::<String>()),
    }
}

/// Shows a classifier of texts all responses that it has not judged, each as one text.
fn classify(project: &Project, args: &Args, network: &dyn Predictor) -> Result<Judged> {
    let labels = labels(network.classes(), &args.class)?;
    let items = project.unjudged(&args.name)?;
    if items.is_empty() {
        return Ok(Judged::default());
    }
    let texts: Vec<String> = items.iter().map(|item| item.as_text()).collect();
    let mut judgments = Vec::with_capacity(items.len());
    classify_texts(network, "responses", &texts, &mut |answers| {
        for answer in answers {
            let item = items[judgments.len()].id.clone();
            let (label, output) = said(&answer, network.classes(), &labels);
            judgments.push(Judgment { item, judge: args.name.clone(), label, output });
        }
        Ok(())
    })?;
    project.add_judgments(&judgments)?;
    let judged = judgments.iter().filter(|judgment| judgment.label.is_some()).count();
    Ok(Judged { judged, unread: judgments.len() - judged, example: None })
}

/// What each class means.
fn labels(classes: &[String], given: &[(String, Label)]) -> Result<Vec<Label>> {
    if let Some((unknown, _)) = given.iter().find(|(class, _)| !classes.contains(class)) {
        bail!("--class {unknown}: the classifier has no such class but {}", classes.join(", "));
    }
    let label = |class: &String| {
        let said = given.iter().find(|(name, _)| name == class).map(|(_, label)| *label);
        said.or_else(|| meaning(class).ok().map(|(_, label)| label)).with_context(|| {
            format!(
                "what does the class {class:?} mean? Say it by --class \"{class}=LABEL\", LABEL being \
                 not-sensible, sensible or specific"
            )
        })
    };
    classes.iter().map(label).collect()
}

/// The label of the likeliest class, with all probabilities in words.
fn said(answer: &Answer, classes: &[String], labels: &[Label]) -> (Option<Label>, Option<String>) {
    let Answer::Said { probabilities, .. } = answer else { return (None, None) };
    let best =
        (0..probabilities.len()).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let words = classes.iter().zip(probabilities).map(|(class, p)| format!("{class} {p:.4}"));
    (best.map(|best| labels[best]), Some(words.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_model_that_is_asked_may_answer_otherwise() {
        let judged = Judged { judged: 3, unread: 2, example: Some("Hm.".into()) };
        let said = unread(&judged, true).expect("two");
        assert_eq!(said, "2 answers could not be read, as \"Hm.\": the same command asks again");
        let judged = Judged { example: None, unread: 1, ..judged };
        assert_eq!(unread(&judged, false).expect("one"), "1 response could not be classified");
        assert_eq!(unread(&Judged { unread: 0, ..judged }, true), None);
    }

    #[test]
    fn classes_mean_labels_by_their_names_or_as_said() {
        let classes = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let own = classes(&["not-sensible", "Sensible", "SPECIFIC"]);
        let all = [Label::NotSensible, Label::Sensible, Label::Specific];
        assert_eq!(labels(&own, &[]).expect("by name"), all);
        let other = classes(&["0", "a=b"]);
        let given = ["0=not sensible", "a=b=specific"].map(|text| meaning(text).expect("a pair"));
        let found = labels(&other, &given).expect("as said");
        assert_eq!(found, [Label::NotSensible, Label::Specific]);
        assert!(labels(&other, &given[..1]).expect_err("one").to_string().contains("a=b"));
        assert!(labels(&own, &given).expect_err("unknown").to_string().contains("no such class"));
        assert!(meaning("x=maybe").is_err());
    }
}
