//! The papers, one folder each. A new one is a line in the list below.

mod electra;
pub(crate) mod finetune;
mod label_propagation;
mod meena;
mod noisy_student;
pub(crate) mod own_images;
pub(crate) mod own_texts;
pub(crate) mod pretraining;
pub(crate) mod ssa;
mod ssl_table;
#[cfg(test)]
mod toy;
mod translation;
mod uda_text;

use anyhow::{Result, ensure};
use toml::Value;

use crate::recipe::by_type::by_type;
use crate::recipe::edit::{self, Override};
use crate::recipe::head::Head;
use crate::recipe::naming;
use crate::recipe::near::proposal;
use crate::recipe::reading::ReadError;
use crate::run::experiment::{Experiment, Paper};

const PAPERS: &[Paper] = &[
    noisy_student::PAPER,
    ssl_table::PAPER,
    label_propagation::PAPER,
    electra::PAPER,
    meena::PAPER,
    own_images::PAPER,
    ssa::PAPER,
    own_texts::PAPER,
    pretraining::PAPER,
    finetune::PAPER,
    uda_text::PAPER,
    translation::PAPER,
    #[cfg(test)]
    toy::PAPER,
];

/// The most threads that load and augment.
const MOST_WORKERS: i64 = 256;

/// Reads a recipe, applies `--quick` and the overrides, and checks the result.
///
/// A quick run is on generated images where the recipe's own data have to be brought, unless they
/// are there.
pub(crate) fn resolve(
    text: &str,
    quick: bool,
    data_is_there: bool,
    overrides: &[Override],
) -> Result<Box<dyn Experiment>> {
    by_type(overrides, |overrides| resolve_exactly(text, quick, data_is_there, overrides))
}

/// The same with the values of the overrides as they are.
fn resolve_exactly(
    text: &str,
    quick: bool,
    data_is_there: bool,
    overrides: &[Override],
) -> Result<Box<dyn Experiment>> {
    let resolved = |overrides| edit::resolved(text, quick, data_is_there, overrides);
    let mut table = resolved(overrides)?;
    naming::follow(&mut table, &resolved(&[])?, overrides);
    let changed = quick || overrides.iter().any(naming::changes_what_is_run);
    let expect = table.remove("expect").filter(|_| !changed);
    table.extend(expect.map(|expect| ("expect".to_owned(), expect)));
    let mut head = Head::take(&mut table)?;
    let workers = table.get("workers").and_then(Value::as_integer);
    ensure!(
        workers.is_none_or(|workers| workers <= MOST_WORKERS),
        "workers: {} threads that load and augment are too many: at most {MOST_WORKERS}, and as \
         many as there are processors suffice",
        workers.unwrap_or_default()
    );
    if changed {
        // What the recipe expects is not what a changed one gives.
        head.expect.clear();
    }
    let paper = PAPERS.iter().find(|paper| paper.kind == head.kind).ok_or_else(|| {
        let (kind, kinds) = (&head.kind, PAPERS.iter().map(|paper| paper.kind));
        let proposal = proposal(kind, &kinds.collect::<Vec<_>>(), &[]);
        ReadError::told(format!("kind: there is no kind of recipe {kind:?}{proposal}"))
    })?;
    let experiment = (paper.read)(head, &table)?;
    let rows = experiment.rows();
    experiment.head().run_rows.check(rows.iter().map(|(name, _)| name.as_str()))?;
    Ok(experiment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::catalog::{self, RECIPES};
    use crate::run::driver::{self, Options};
    use report::Subject;

    #[test]
    fn every_recipe_reads_both_ways_and_bears_its_name() {
        for (name, text) in RECIPES {
            for quick in [false, true] {
                let recipe = resolve(text, quick, false, &[])
                    .unwrap_or_else(|e| panic!("{name}: {e:#}"))
                    .to_toml()
                    .expect("text");
                let again = resolve(&recipe, false, false, &[]).expect("the resolved text");
                assert_eq!(again.head().name, *name);
                assert_eq!(recipe, again.to_toml().expect("text"), "{name}");
            }
        }
    }

    /// Where every number of `value` lies, that of lists included; `kinds` are those of the tables
    /// around it.
    fn numbers(
        value: &Value,
        path: &[String],
        kinds: &str,
        found: &mut Vec<(Vec<String>, String)>,
    ) {
        let below = |name: &str| [path, &[name.to_owned()]].concat();
        match value {
            Value::Table(table) => {
                let kind = table.get("kind").or(table.get("variant")).map(Value::to_string);
                let kinds = format!("{kinds} {}", kind.unwrap_or_default());
                table.iter().for_each(|(key, value)| numbers(value, &below(key), &kinds, found));
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items.for_each(|(i, value)| numbers(value, &below(&i.to_string()), kinds, found));
            }
            Value::Integer(_) | Value::Float(_) => found.push((path.to_vec(), kinds.to_owned())),
            _ => {}
        }
    }

    /// What lies at a path.
    fn at<'v>(value: &'v mut Value, path: &[String]) -> &'v mut Value {
        path.iter().fold(value, |value, part| match value {
            Value::Array(items) => &mut items[part.parse::<usize>().expect("an index")],
            other => &mut other[part.as_str()],
        })
    }

    #[test]
    fn every_number_has_a_range() {
        let change = |text: &str| edit::parse_override(text).expect("an override");
        let mut texts: Vec<String> = RECIPES
            .iter()
            .map(|(_, text)| {
                let all = change("run_rows=all");
                resolve(text, false, false, &[all]).expect("it").to_toml().expect("text")
            })
            .collect();
        let base = catalog::find("fixmatch/cifar10", false).expect("a recipe");
        let kinds = [
            (
                "method",
                "supervised uda pi-model temporal-ensembling mean-teacher vat sntg vadd ict \
              pseudo-label lga-vat mixmixup mixmatch remixmatch fixmatch s4l flexmatch freematch \
              softmatch adamatch",
            ),
            ("train.optim", "sgd rmsprop adamw adafactor"),
            ("net", "wide-resnet efficientnet conv-large shake-shake pyramidnet resnet small-net"),
        ];
        for (key, kinds) in kinds {
            for kind in kinds.split_whitespace() {
                let set =
                    [change(&format!("{key}={{kind='{kind}'}}")), change("train.ema={decay=0.9}")];
                let found =
                    resolve(&base, false, false, &set).unwrap_or_else(|e| panic!("{kind}: {e:#}"));
                texts.push(found.to_toml().expect("text"));
            }
        }
        for schedule in [
            "constant',value=1",
            "linear',from=1,to=0",
            "cosine',from=1",
            "half-cosine',from=1,to=0",
            "cyclic-cosine',from=1,length=0.7,turn=0.6,cycle=0.1",
            "exponential',from=1,rate=0.9,every=2",
            "exponential-to',from=1,to=0.5,rate=0.9",
            "ramp-up',value=1",
            "cosine-ramp-up',value=1",
            "sigmoid-ramp-up',value=1",
            "sigmoid-ramp-down',value=1",
            "delayed',value=1,until=0.5",
            "rsqrt-decay',scale=1,warmup=9,rule='flat'",
        ] {
            let set = [change(&format!("train.lr={{kind='{schedule}}}"))];
            let found =
                resolve(&base, false, false, &set).unwrap_or_else(|e| panic!("{schedule}: {e:#}"));
            texts.push(found.to_toml().expect("text"));
        }
        for policy in augment::named::NAMED {
            let set = [change(&format!("weak={}", policy.name))];
            let found = resolve(&base, false, false, &set);
            texts.extend(found.ok().map(|found| found.to_toml().expect("text")));
        }
        let mut seen = std::collections::BTreeSet::new();
        let mut accepted = std::collections::BTreeSet::new();
        for text in &texts {
            let table: Value = toml::from_str::<toml::Table>(text).expect("TOML").into();
            let mut found = Vec::new();
            numbers(&table, &[], "", &mut found);
            for (path, kinds) in found {
                // One position of a list, and one row, stand for the others.
                let names = path.iter().filter(|part| part.parse::<u32>().is_err());
                let key = names.map(String::as_str).collect::<Vec<_>>().join(".");
                if !seen.insert((key.clone(), kinds)) {
                    continue;
                }
                let mut changed = table.clone();
                let bad = match at(&mut changed, &path) {
                    Value::Integer(_) => vec![Value::Integer(-1)],
                    _ => [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0]
                        .map(Value::Float)
                        .to_vec(),
                };
                for bad in bad {
                    *at(&mut changed, &path) = bad.clone();
                    let text = toml::to_string(&changed).expect("text");
                    // Differences, which may be expected or printed, may be below 0.
                    let signed = ["expect.value", "paper.value"].contains(&key.as_str());
                    if signed && bad == Value::Float(-1.0) {
                        continue;
                    }
                    if resolve(&text, false, false, &[]).is_ok() {
                        accepted.insert(format!("{key} = {bad}"));
                    }
                }
            }
        }
        assert!(accepted.is_empty(), "{accepted:#?}");
    }

    #[test]
    fn one_recipe_a_paper_is_the_default() {
        let text = catalog::find("noisy-student", false).expect("a default");
        assert!(text.contains("noisy-student/digits"));
        let error = catalog::find("noisy-student/digit", false).expect_err("unknown").to_string();
        assert!(error.contains("noisy-student/digits"), "{error}");
    }

    #[test]
    fn a_misspelt_kind_or_key_is_refused_with_the_nearest() {
        let text = catalog::find("ssl-benchmark", false).expect("a recipe");
        let refused = |text: &str| match resolve(text, false, false, &[]) {
            Ok(_) => panic!("not refused"),
            Err(error) => format!("{error:#}"),
        };
        let error = refused(&text.replace("\"ssl-table\"", "\"ssl-tabel\""));
        assert!(error.contains("did you mean `ssl-table`?"), "{error}");
        let error = refused(&text.replace("[train]", "[trian]"));
        assert!(error.contains("did you mean `train`?"), "{error}");
        let error = refused(&text.replace("kind = \"ssl-table\"", ""));
        assert!(error.contains("the key `kind` is missing"), "{error}");
    }

    #[test]
    fn what_is_expected_of_rows_that_are_not_run_goes_with_them() {
        let expect = |row: &str| {
            format!(
                "[[expect]]\n{row}\nmetric = 'test accuracy'\nvalue = 1.0\ntolerance = 1.0\n\
                 commit = 'c'\nmachine = 'm'\nseeds = 1\ncost = 'c'\n"
            )
        };
        let text = catalog::find("label-propagation", false).expect("a recipe")
            + &expect("row = 'two-moons, vat'")
            + &expect("comparison = 'circles, vat - circles, supervised'");
        let rows = edit::parse_override("run_rows=vat").expect("an override");
        let few = resolve(&text, false, false, &[rows]).expect("a recipe");
        let subjects: Vec<_> = few.head().expect.iter().map(|expected| &expected.subject).collect();
        assert!(subjects.contains(&&Subject::Row("two-moons, vat".to_owned())), "{subjects:?}");
        let vat = |of: &&Subject| matches!(of, Subject::Row(row) if row.ends_with("vat"));
        assert!(subjects.iter().all(vat), "no comparison and no other row: {subjects:?}");
        let again = few.to_toml().expect("text");
        assert_eq!(resolve(&again, false, false, &[]).expect("it again").head(), few.head());
        let all = resolve(&text, false, false, &[]).expect("a recipe");
        assert!(all.head().expect.len() > subjects.len());
        let steps = edit::parse_override("train.steps=5").expect("an override");
        assert!(resolve(&text, false, false, &[steps]).expect("it").head().expect.is_empty());
        assert!(resolve(&text, true, false, &[]).expect("it").head().expect.is_empty());
        let text = catalog::find("uda-text", false).expect("a recipe");
        for (labels, expected) in [("[25]", 4), ("[50]", 0), ("[25, 50, 100]", 8)] {
            let labels = edit::parse_override(&format!("labels={labels}")).expect("an override");
            let found = resolve(&text, false, false, &[labels]).expect("a recipe");
            assert_eq!(found.head().expect.len(), expected);
        }
    }

    #[test]
    fn an_expectation_of_a_row_that_no_run_has_is_refused() {
        let text = catalog::find("noisy-student", false).expect("a recipe");
        for (known, unknown) in [("\"student 2\"", "\"student 3\""), ("- teacher\"", "- pupil\"")] {
            assert!(text.contains(known), "{known}");
            let changed = text.replace(known, unknown);
            let error = resolve(&changed, false, false, &[]).err().expect("refused").to_string();
            assert!(error.contains("which no full run of this recipe has"), "{error}");
        }
    }

    #[test]
    fn the_toy_paper_of_the_guide_runs_and_reports() {
        let (code, recipe) = (include_str!("papers/toy.rs"), include_str!("papers/toy.toml"));
        let guide = include_str!("../../../docs/adding-a-paper.md");
        assert!(guide.contains(code) && guide.contains(recipe), "the guide shows what runs here");
        let lines = code.lines().count() + recipe.lines().count();
        assert!(lines < 120, "{lines} lines");
        let out = tempfile::tempdir().expect("a folder");
        let options = Options {
            quick: false,
            data: None,
            device: torch::Device::Cpu,
            out: out.path(),
            fresh: false,
        };
        let mut toy = resolve(recipe, false, false, &[]).expect("a recipe");
        let (result, page) = driver::run(&mut *toy, &options).expect("a run");
        let row = result.find("bigram", "perplexity").expect("its row");
        assert_eq!((row.per_seed.len(), row.better), (2, metrics::Better::Lower));
        // Of 27 letters any might come next; a model that has learned expects few of them.
        assert!(row.per_seed.iter().all(|perplexity| (1.0..9.0).contains(perplexity)), "{row:?}");
        let page = std::fs::read_to_string(page).expect("the page");
        assert!(page.contains("Perplexity") && page.contains("<svg"));
        let best = out.path().join("toy/latest/seed-1/bigram/checkpoints/best.ckpt.safetensors");
        let best = train::Checkpoint::read(&best).expect("the best checkpoint").run.best;
        let least = best.expect("the best evaluation").value;
        let record = out.path().join("toy/latest/seed-1/bigram").join(train::record::FILE);
        let rows = train::record::read(&record).expect("the record");
        let values = rows.iter().filter_map(|row| *row.values.get("eval/perplexity")?);
        assert_eq!(values.fold(f64::INFINITY, f64::min), least, "lower is better");
    }
}
