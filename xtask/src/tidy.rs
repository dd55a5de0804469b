//! `cargo xtask tidy`, also a test: the invariants of docs/architecture.md that can be read off the
//! sources.

mod circles;
mod graph;
mod items;
mod modules;
mod rooms;
mod source;
mod text;
mod uses;
mod width;
mod words;

use crate::workspace;
use anyhow::{Result, bail};
use modules::{Modules, Parsed};
use serde_json::Value;
use source::{Source, sources};
use std::collections::BTreeSet;
use uses::Arrow;

/// The rules that refuse nothing yet, because the tree does not keep them yet: their faults are
/// counted. A rule is switched on by taking its name out.
const PENDING: &[&str] = &[];

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Also list faults against rules that refuse nothing yet
    #[arg(long)]
    pending: bool,
}

/// A rule's name and the faults against it.
type Rule = (&'static str, Vec<String>);

/// Prints what is worth knowing; an error lists every fault.
pub(crate) fn run(args: &Args) -> Result<()> {
    let files = sources(&workspace::root())?;
    let long: Vec<_> = files.iter().filter_map(text::long).collect();
    if !long.is_empty() {
        println!("over {} lines, worth splitting:\n  {}", text::SOFT_LIMIT, long.join("\n  "));
    }
    let (pending, refused): (Vec<Rule>, Vec<Rule>) = rules(&files, &workspace::metadata()?)
        .into_iter()
        .partition(|(name, _)| PENDING.contains(name));
    for (name, faults) in pending {
        println!("{name}: {} fault(s), not refused yet", faults.len());
        for fault in faults.iter().filter(|_| args.pending) {
            println!("  {fault}");
        }
    }
    let faults: Vec<String> = refused.into_iter().flat_map(|(_, faults)| faults).collect();
    if !faults.is_empty() {
        bail!("{} fault(s):\n  {}", faults.len(), faults.join("\n  "));
    }
    println!("{} files are tidy", files.len());
    Ok(())
}

/// All rules, with the faults against each.
fn rules(files: &[Source], metadata: &Value) -> Vec<Rule> {
    let (parsed, unreadable) = parse(files);
    let arrows = arrows(&parsed, metadata);
    let rust = parsed.keys().map(String::as_str);
    vec![
        ("layers", graph::faults(metadata)),
        ("files", text::faults(files)),
        ("parser", unreadable),
        ("rooms", rooms::faults(rust, &arrows)),
        ("circles", circles::faults(&arrows)),
        ("circles-with-parents", circles::faults_with_parents(&arrows)),
        ("width", width::faults(files)),
        ("words", words::faults(files)),
    ]
}

/// The Rust files as the parser reads them, and those that it cannot read.
fn parse(files: &[Source]) -> (Parsed, Vec<String>) {
    let (mut parsed, mut faults) = (Parsed::new(), Vec::new());
    for Source { path, text } in files.iter().filter(|file| file.path.ends_with(".rs")) {
        match syn::parse_file(text.as_deref().unwrap_or_default()) {
            Ok(file) => drop(parsed.insert(path.clone(), file)),
            Err(error) => {
                faults.push(format!("{path}:{}: {error}", error.span().start().line));
            }
        }
    }
    (parsed, faults)
}

/// The targets of `data-engine`, a workspace of its own.
const ENGINE: [&str; 2] = ["crates/data-engine/src/lib.rs", "crates/data-engine/src/main.rs"];

/// The arrows between the files of each target that `cargo metadata` names, tests aside, and of
/// `data-engine`.
fn arrows(parsed: &Parsed, metadata: &Value) -> BTreeSet<Arrow> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let top = format!("{}/", metadata["workspace_root"].as_str().unwrap_or_default());
    let ours = list(&metadata["packages"]).into_iter().filter(|p| p["source"].is_null());
    let targets = ours.flat_map(|package| list(&package["targets"]));
    let roots = targets.filter(|t| !list(&t["kind"]).contains(&"test".into()));
    let roots = roots.filter_map(|t| Some(t["src_path"].as_str()?.strip_prefix(&top)?.to_owned()));
    let roots = roots.chain(ENGINE.map(str::to_owned));
    let modules = roots.filter_map(|root| Modules::of(parsed, &root));
    modules.flat_map(|modules| uses::arrows(&modules)).collect()
}

#[cfg(test)]
mod tests {
    use super::{PENDING, arrows, parse, rules, sources};
    use crate::workspace;

    /// The whole workspace keeps its own rules.
    #[test]
    fn this_workspace_is_tidy() {
        let files = sources(&workspace::root()).expect("the sources");
        assert!(
            files.iter().any(|f| f.path == "xtask/src/tidy.rs") || files.len() > 20,
            "the sources are found"
        );
        let metadata = workspace::metadata().expect("the dependencies");
        let rules = rules(&files, &metadata);
        assert!(PENDING.iter().all(|name| rules.iter().any(|(rule, _)| rule == name)));
        for (name, faults) in rules.into_iter().filter(|(name, _)| !PENDING.contains(name)) {
            assert_eq!(faults, Vec::<String>::new(), "{name}");
        }
    }

    /// Every target is looked at: libraries, programs, examples and benches.
    #[test]
    fn arrows_are_found_in_all_crates() {
        let files = sources(&workspace::root()).expect("the sources");
        let (parsed, unreadable) = parse(&files);
        assert_eq!(unreadable, Vec::<String>::new());
        let arrows = arrows(&parsed, &workspace::metadata().expect("the targets"));
        let has = |from: &str, to: &str| {
            arrows.iter().any(|a| a.from.starts_with(from) && a.to.starts_with(to))
        };
        assert!(has("xtask/src/tidy/circles.rs", "xtask/src/tidy/uses.rs"));
        assert!(has("crates/ssl-core/src/methods/", "crates/ssl-core/src/method.rs"));
        assert!(has("crates/tutor/src/", "crates/tutor/src/"));
        assert!(has("crates/data-engine/src/engine.rs", "crates/data-engine/src/session.rs"));
        assert!(has("crates/augment/examples/timings/main.rs", "crates/augment/examples/timings/"));
    }

    #[test]
    fn what_the_parser_cannot_read_is_a_fault() {
        let file = super::Source { path: "a.rs".into(), text: Some("\nfn f( {}".into()) };
        let (parsed, faults) = parse(&[file]);
        assert!(parsed.is_empty() && faults[0].starts_with("a.rs:2: "), "{faults:?}");
    }
}
