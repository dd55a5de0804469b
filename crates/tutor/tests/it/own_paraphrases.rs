//! `tutor fit --text --paraphrases`: the row `uda` learns from paraphrases of the unlabelled texts.

use std::fs;
use std::path::Path;

use augment::rng::Rng;
use augment::text::TextError;
use augment::text::back_translation::{BackTranslation, Translator};
use augment::text::paraphrases::{Amount, Made, Paraphrases, STORE};

use crate::own_texts::{fit, review, texts};
use crate::tutor::{call, refused, result, run, run_folder};

/// A text that every paraphrase is too long for.
const REFUSED: usize = 205;

/// Makes a sentence another one.
struct Changed(fn(&str) -> String);

impl Translator for Changed {
    fn name(&self) -> String {
        "changed".to_owned()
    }

    fn translate(
        &mut self,
        lines: &[String],
        _: f64,
        _: &mut Rng,
    ) -> Result<Vec<String>, TextError> {
        let refused = format!("number {REFUSED} ");
        let change = |line: &String| {
            if line.contains(&refused) { line.repeat(4) } else { self.0(line) }
        };
        Ok(lines.iter().map(change).collect())
    }
}

fn same(line: &str) -> String {
    line.to_owned()
}

/// In capital letters, which the network's tokens do not have.
fn loud(line: &str) -> String {
    line.to_uppercase()
}

/// The words in another order.
fn backwards(line: &str) -> String {
    line.split_whitespace().rev().collect::<Vec<_>>().join(" ")
}

/// A folder with two paraphrases of each text, as `tutor augment text` makes it.
fn paraphrases(folder: &Path, texts: &[String], change: fn(&str) -> String) {
    let mut pipeline = BackTranslation::new(Changed(same), Changed(change), 0.9);
    let amount = Amount { copies: 2, batch: 16, seed: 1 };
    let made = Made::new(&pipeline, amount, texts).expect("settings");
    let mut store = Paraphrases::open(&folder.join(STORE), made).expect("a store");
    store.fill(&mut pipeline, texts, |_| {}).expect("paraphrases");
    store.export_copies(folder).expect("files");
}

/// Texts, and unlabelled ones of which some are left out: a labelled one, one that is measured on,
/// and a copy. Returns these as the file has them.
fn prepared(dir: &Path) -> Vec<String> {
    texts(dir);
    let spaced = review(200).replace(" was ", "  was ");
    let left_out = [review(3), review(101), spaced, review(200)];
    let all: Vec<String> = left_out.into_iter().chain((201..260).map(review)).collect();
    fs::write(dir.join("more.txt"), all.join("\n") + "\n").expect("written");
    all
}

const MORE: [&str; 6] = ["--unlabeled", "more.txt", "--test", "test.csv", "--minutes", "60"];

/// A run of a small net whose row `uda` changes texts so.
fn run_of(recipe: &str, strong: &str) -> Vec<String> {
    let mut arguments = vec!["run".to_owned(), recipe.to_owned(), "--threads=1".to_owned()];
    for key in ["student", "pretraining", "latent_semantic"] {
        arguments.extend(["--unset".to_owned(), key.to_owned()]);
    }
    let uda = format!(
        "uda={{batch=4,ratio=3,steps=12,strong={strong},\
         method={{threshold=0.0,temperature=0.85,weak_pass='apart-noised'}}}}"
    );
    let keys = ["net.layers=1", "net.vocabulary=200", "train.steps=14", "train.batch=4"];
    for key in keys.into_iter().chain(["cadence.evaluate=0", "trial.steps=2", &uda]) {
        arguments.extend(["--set".to_owned(), key.to_owned()]);
    }
    arguments
}

fn strings(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn the_row_uda_learns_from_the_paraphrases_of_its_texts() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let all = prepared(dir);
    paraphrases(&dir.join("loud"), &all, loud);
    paraphrases(&dir.join("backwards"), &all, backwards);
    let plan = run(dir, &[&["check"], &fit(&MORE)[..]].concat());
    fs::write(dir.join("recipe.toml"), plan).expect("written");
    let trained = |strong: &str| {
        let folder = run_folder(dir, &run(dir, &strings(&run_of("recipe.toml", strong))));
        let net = fs::read(folder.join("seed-1/uda/final.safetensors")).expect("a network");
        (folder, net)
    };
    // Capital letters are the same tokens, if each text has its own paraphrase.
    let (first, unchanged) = trained("{kind='tf-idf',probability=0.0}");
    let of_loud = "{kind='paraphrases',path='loud'}";
    let (folder, loud) = trained(of_loud);
    assert!(unchanged == loud, "a paraphrase in capital letters is that of another text");
    let (_, backwards) = trained("{kind='paraphrases',path='backwards'}");
    assert!(unchanged != backwards, "paraphrases are not read");

    let found = result(&folder);
    let notes = found["notes"].to_string();
    // A text with another one's white space was there before the copy.
    for told in [
        "of a paraphrase of it (paraphrases of ",
        "59 of the 60 unlabelled texts have one",
        "of 120 paraphrases 2 (1.7 %) were refused or changed nothing",
    ] {
        assert!(notes.contains(told), "{told} is missing in {notes}");
    }
    assert!(!notes.contains("words changed"), "{notes}");
    // The recipe names the paraphrases from anywhere, and is the same run again.
    let recipe = folder.join("recipe.toml");
    let kept = fs::read_to_string(&recipe).expect("a recipe");
    assert!(kept.contains("kind = \"paraphrases\"") && kept.contains("/loud\""), "{kept}");
    let again = run(dir, &["check", recipe.to_str().expect("UTF-8")]);
    assert_eq!(again.trim(), kept.trim());
    // Other paraphrases of the same texts are another run.
    fs::remove_file(folder.join("result.json")).expect("unfinished");
    let file = dir.join("loud/para_1.txt");
    let other = fs::read_to_string(&file).expect("it").replace("FILM", "MOVIE");
    fs::write(&file, other).expect("written");
    let error = refused(dir, &strings(&run_of("recipe.toml", of_loud)));
    assert!(
        error.contains("no longer those with which") && error.contains("paraphrases in loud"),
        "{error}"
    );
    planned_and_run(dir, &first, &all);
}

/// `fit` plans it from published weights, and what it plans can be run.
fn planned_and_run(dir: &Path, trained: &Path, all: &[String]) {
    let trained = trained.to_str().expect("UTF-8");
    run(dir, &["export", trained, "--model", "labels-alone", "--hub", "hub"]);
    let check = |more: &[&str]| {
        let weights = ["--weights", "hub", "--paraphrases"];
        call(dir, &[&["check"], &fit(&MORE)[..], &weights, more].concat())
    };
    let plan = check(&["backwards"]);
    assert!(plan.success, "{}", plan.err);
    for told in ["59 of the 60 unlabelled", "say the same of texts and of their paraphrases"] {
        assert!(plan.err.contains(told), "{told} is missing in {}", plan.err);
    }
    assert!(plan.out.contains("strong = { kind = \"paraphrases\", path = \""), "{}", plan.out);
    fs::write(dir.join("plan.toml"), plan.out).expect("written");
    let mut arguments = vec!["run", "plan.toml", "--threads", "1", "--unset", "student"];
    for key in ["train.steps=4", "uda.steps=4", "trial.steps=2", "cadence.evaluate=0"] {
        arguments.extend(["--set", key]);
    }
    let folder = run_folder(dir, &run(dir, &arguments));
    let report = fs::read_to_string(folder.join("report.md")).expect("a report");
    assert!(report.contains("backwards, drawn anew each time)"), "{report}");

    let refused_with = |more: &[&str]| {
        let called = check(more);
        assert!(!called.success, "{more:?} was not refused");
        called.err
    };
    let error = refused_with(&["nowhere"]);
    assert!(error.contains("no paraphrases at") && error.contains("augment text"), "{error}");
    // Without a store beside them, lines are counted alone, and that is said.
    fs::create_dir(dir.join("lines")).expect("a folder");
    fs::copy(dir.join("backwards/para_0.txt"), dir.join("lines/para_0.txt")).expect("copied");
    let unchecked = check(&["lines"]);
    assert!(unchecked.success && unchecked.err.contains("without a check"), "{}", unchecked.err);
    // Texts that stand in another order, and texts that the paraphrases are not of.
    let mut moved = all.to_vec();
    moved.swap(7, 9);
    let write = |texts: &[String]| {
        fs::write(dir.join("more.txt"), texts.join("\n") + "\n").expect("written");
        refused_with(&["backwards"])
    };
    let error = write(&moved);
    let told = format!("the first that does not fit is more.txt/8, `{}", &all[9][..40]);
    assert!(error.contains(&told) && error.contains("paraphrases.jsonl"), "{error}");
    let error = write(&all[..62]);
    assert!(error.contains("from text 63 of the store on they are missing"), "{error}");
    let more = [all, &[review(300)][..]].concat();
    let error = write(&more);
    assert!(error.contains("63 texts that are not the 64 of more"), "{error}");
    assert!(error.contains("does not fit is more.txt/64"), "{error}");
    let error = refused_with(&["lines"]);
    assert!(error.contains("63 lines for 64 texts of more"), "{error}");
}

#[test]
fn paraphrases_that_nothing_learns_from_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let all = prepared(dir);
    paraphrases(&dir.join("store"), &all, backwards);
    let check = |more: &[&str]| {
        let asked = ["--paraphrases", "store", "--unlabeled", "more.txt"];
        refused(dir, &[&["check"], &fit(&asked)[..], more].concat())
    };
    let error = check(&["--minutes", "60"]);
    assert!(error.contains("row uda") && error.contains("--weights"), "{error}");
    let error = check(&["--minutes", "60", "--text-column", "u"]);
    assert!(error.contains("paraphrases are of single texts") && error.contains("`u`"), "{error}");
    let images = ["check", "fit", "--labeled", "images", "--paraphrases", "store"];
    assert!(refused(dir, &images).contains("cannot be used with"));
    // In a recipe.
    let plan = run(dir, &[&["check"], &fit(&MORE)[..]].concat());
    fs::write(dir.join("recipe.toml"), plan).expect("written");
    let refused_with = |strong: &str| refused(dir, &strings(&run_of("recipe.toml", strong)));
    let error = refused_with("{kind='none'}");
    assert!(error.contains("uda.strong.kind: changes nothing"), "{error}");
    let error = refused_with("{kind='paraphrases',path='nowhere'}");
    assert!(error.contains("no paraphrases at"), "{error}");
    // The unlabelled texts are left as they are by all of them.
    paraphrases(&dir.join("silent"), &all, same);
    let error = refused_with("{kind='paraphrases',path='silent'}");
    assert!(error.contains("none of the 60 unlabelled texts has a paraphrase"), "{error}");
}
