//! `cargo xtask results`: measures what the pages in `docs/results` report, and writes the
//! generated part of each anew. The prose around it is written by hand.

mod page;
mod table;

use crate::{libtorch, peers, reproduce, workspace};
use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages, in the order in which they are written.
const PAGES: [Page; 6] = [
    recipe("noisy-student"),
    recipe("uda"),
    recipe("ssl-benchmark"),
    recipe("label-propagation"),
    comparison("augment", &["augment", "--peers"]),
    comparison("training-step", &["ssl", "--peers", "--rounds", "5"]),
];

/// A page of `docs/results`.
struct Page {
    /// Its file's name, without `.md`.
    name: &'static str,
    content: Content,
}

/// What fills the generated part of a page.
enum Content {
    /// The result of the recipe that has the page's name.
    Recipe,
    /// The tables that `cargo xtask bench` prints with these arguments.
    Comparison(&'static [&'static str]),
}

const fn recipe(name: &'static str) -> Page {
    Page { name, content: Content::Recipe }
}

const fn comparison(name: &'static str, arguments: &'static [&'static str]) -> Page {
    Page { name, content: Content::Comparison(arguments) }
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Pages to write; all by default
    #[arg(value_parser = PAGES.map(|page| page.name))]
    pages: Vec<String>,
    /// Only say what would be run and written
    #[arg(long)]
    dry_run: bool,
    /// Write even if the sources differ from the commit that the page will name
    #[arg(long)]
    allow_dirty: bool,
}

impl Page {
    /// The command that writes the page's generated part, by which the part is found.
    fn command(&self) -> String {
        format!("cargo xtask results {}", self.name)
    }

    fn path(&self, root: &Path) -> PathBuf {
        root.join("docs/results").join(self.name).with_extension("md")
    }

    /// The page as it is now; a page that is not there yet begins with its name.
    fn text(&self, root: &Path) -> Result<String> {
        let path = self.path(root);
        if !path.exists() {
            return Ok(page::new(self.name, &self.command()));
        }
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// What is run for it, as a person would type it.
    fn runs(&self) -> String {
        match self.content {
            Content::Recipe => format!("tutor run {}", self.name),
            Content::Comparison(arguments) => format!("cargo xtask bench {}", arguments.join(" ")),
        }
    }
}

/// Measures and writes the pages one after the other.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace::root();
    let wanted = |page: &&Page| args.pages.is_empty() || args.pages.iter().any(|n| n == page.name);
    let pages: Vec<&Page> = PAGES.iter().filter(wanted).collect();
    if args.dry_run {
        for page in pages {
            println!("docs/results/{}.md: {}", page.name, page.runs());
        }
        return Ok(());
    }
    // Before anything is measured, which takes minutes to hours.
    for page in &pages {
        page::replaced(&page.text(&root)?, &page.command(), "")
            .with_context(|| page.path(&root).display().to_string())?;
    }
    if !args.allow_dirty {
        check_clean()?;
    }
    libtorch::ensure(false)?;
    // Once, before a page that is written makes the tree differ from the commit.
    let any_recipe = pages.iter().any(|page| matches!(page.content, Content::Recipe));
    let tutor = if any_recipe { reproduce::build()? } else { PathBuf::new() };
    let runs = workspace::target()?.join("results");
    for page in pages {
        eprintln!("== {}: {}", page.name, page.runs());
        let part = match page.content {
            Content::Recipe => result(&tutor, page.name, &runs.join(page.name))?,
            Content::Comparison(arguments) => {
                peers::measure(&arguments.iter().map(OsString::from).collect::<Vec<_>>())?
            }
        };
        let text = page::replaced(&page.text(&root)?, &page.command(), &part)?;
        fs::write(page.path(&root), text)
            .with_context(|| format!("cannot write {}", page.path(&root).display()))?;
        println!("docs/results/{}.md is written", page.name);
    }
    Ok(())
}

/// That the sources are those of the commit. The pages themselves may have changed.
fn check_clean() -> Result<()> {
    let changes = workspace::changes(&["--", ".", ":!docs/results"])?;
    ensure!(
        changes.is_empty(),
        "these files differ from the commit that the pages would name:\n{changes}\
         Commit them, or write all the same with --allow-dirty"
    );
    Ok(())
}

/// Runs a recipe to its end, taking up a run that was interrupted, and gives its result as
/// Markdown.
fn result(tutor: &Path, recipe: &str, out: &Path) -> Result<String> {
    workspace::run(Command::new(tutor).args(["run", recipe, "--out"]).arg(out))?;
    read(&out.join(recipe).join("latest/result.json"))
}

/// A run's `result.json` as Markdown.
fn read(file: &Path) -> Result<String> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("the run left no {shown}"))?;
    let result = serde_json::from_str(&text).with_context(|| shown.to_string())?;
    table::markdown(&result).with_context(|| shown.to_string())
}

#[cfg(test)]
mod tests {
    use super::{PAGES, page, read};
    use crate::workspace;
    use std::fs;

    #[test]
    fn every_page_is_about_something_that_exists() {
        let root = workspace::root();
        for page in &PAGES {
            if let super::Content::Recipe = page.content {
                let recipes = root.join("crates/tutor/recipes").join(page.name);
                assert!(recipes.is_dir(), "no recipe {}", page.name);
            }
        }
    }

    #[test]
    fn a_page_that_is_not_there_yet_is_begun() {
        let root = tempfile::tempdir().expect("a folder");
        let page = &PAGES[0];
        let text = page.text(root.path()).expect("a new page");
        let text = page::replaced(&text, &page.command(), "| 1 |").expect("it has a place");
        assert!(text.starts_with("# Noisy student") && text.contains("| 1 |"), "{text}");
    }

    #[test]
    fn a_result_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("result.json");
        let error = || format!("{:#}", read(&file).expect_err("it is no result"));
        assert!(error().contains("the run left no"), "{}", error());
        for text in ["{", "{}"] {
            fs::write(&file, text).expect("it is written");
            assert!(error().contains("result.json"), "{}", error());
        }
    }
}
