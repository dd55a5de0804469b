//! `cargo xtask reproduce PAPER[/ROW]`: builds `tutor` and runs it in this process.

use crate::{libtorch, workspace};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is handed on to `tutor run`, which knows and checks the values.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Recipe: a paper, for its default one, or a name, as `noisy-student/cifar10-small` or
    /// `meena-sweep`
    recipe: String,
    /// Run with the seeds 1, 2, ... N; by default with as many as the recipe says
    #[arg(long, value_name = "N")]
    seeds: Option<u32>,
    /// Rows of the recipe's table to run: `all`, `none`, or names separated by commas
    #[arg(long, value_name = "WHICH")]
    rows: Option<String>,
    /// Run with each of these numbers of labels, as `30,50,100`, where the recipe has several
    #[arg(long, value_name = "N,N,...")]
    labels: Option<String>,
    /// Run the recipe's smoke test: a few steps on little data, one seed
    #[arg(long)]
    quick: bool,
    /// Device: `cpu`, `cuda`, `cuda:N`, or `auto` (the first GPU, else the CPU)
    #[arg(long)]
    device: Option<String>,
    /// Data set, as `cifar10`: run the paper's recipe of that name; without `--device cuda` its
    /// `-small` one, if there is one
    #[arg(long, value_name = "SET")]
    dataset: Option<String>,
    /// Folder that holds the data sets
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder in which runs are kept
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Change a setting, as `student.train.steps=400`. May be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Remove a setting from the recipe, as `train.ema`. May be given several times
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    /// Talk to the trained network afterwards, for recipes whose networks reply
    #[arg(long, conflicts_with = "serve")]
    chat: bool,
    /// Serve the trained network afterwards, to talk to it in the browser
    #[arg(long)]
    serve: bool,
    /// Further arguments for `tutor run`, after `--`
    #[arg(last = true)]
    more: Vec<OsString>,
}

impl Args {
    fn wants_cuda(&self) -> bool {
        self.device.as_deref().is_some_and(|d| d.starts_with("cuda"))
    }

    /// The recipe that is meant. `is_there` says whether there is one of a name.
    fn row(&self, is_there: impl Fn(&str) -> bool) -> String {
        let Some(set) = &self.dataset else { return self.recipe.clone() };
        let paper = self.recipe.split('/').next().unwrap_or_default();
        let small = format!("{paper}/{set}-small");
        if !self.wants_cuda() && is_there(&small) { small } else { format!("{paper}/{set}") }
    }

    /// Where the newest finished run of the paper will be.
    fn latest(&self) -> PathBuf {
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("runs"));
        out.join(paper(&self.recipe, &workspace::root().join("crates/tutor/recipes")))
            .join("latest")
    }

    /// What is done with the run afterwards.
    fn then(&self) -> Option<&'static str> {
        self.chat.then_some("chat").or(self.serve.then_some("serve"))
    }

    /// The command line of `tutor`.
    fn tutor_args(&self) -> Vec<OsString> {
        let recipes = workspace::root().join("crates/tutor/recipes");
        let row = self.row(|name| recipes.join(format!("{name}.toml")).exists());
        let mut args: Vec<OsString> = vec!["run".into(), row.into()];
        let mut value = |name: &str, value: Option<OsString>| {
            args.extend(value.into_iter().flat_map(|v| [name.into(), v]))
        };
        value("--seeds", self.seeds.map(|n| n.to_string().into()));
        value("--rows", self.rows.as_ref().map(Into::into));
        value("--labels", self.labels.as_ref().map(Into::into));
        value("--device", self.device.as_ref().map(Into::into));
        value("--data", self.data.as_ref().map(Into::into));
        value("--out", self.out.as_ref().map(Into::into));
        for set in &self.set {
            value("--set", Some(set.into()));
        }
        for unset in &self.unset {
            value("--unset", Some(unset.into()));
        }
        args.extend(self.quick.then(|| "--quick".into()));
        args.extend(self.more.iter().cloned());
        args
    }
}

/// The paper of a recipe: `meena` of `meena`, `meena/sweep` and `meena-sweep`. Each has a folder.
fn paper<'a>(recipe: &'a str, recipes: &Path) -> &'a str {
    let first = recipe.split('/').next().unwrap_or_default();
    let of = |at: usize| recipes.join(&first[..at]).join(format!("{}.toml", &first[at + 1..]));
    match first.rmatch_indices('-').find(|(at, _)| of(*at).exists()) {
        Some((at, _)) if !recipes.join(first).is_dir() => &first[..at],
        _ => first,
    }
}

/// Runs the program with the arguments, then does what is named first with the run named second.
const THEN: &str = r#"what=$1; latest=$2; shift 2; "$0" "$@" && exec "$0" "$what" "$latest""#;

/// Sets up, builds, and replaces this process by `tutor run`, so that signals and the exit status
/// are its own. With `--chat` or `--serve`, by a shell that runs one after the other: it waits for
/// a run that was told to stop.
pub(crate) fn run(args: &Args) -> Result<()> {
    libtorch::ensure(args.wants_cuda())?;
    let tutor = build()?;
    let error = match args.then() {
        Some(what) => then(&tutor, what, args).exec(),
        None => Command::new(&tutor).args(args.tutor_args()).exec(),
    };
    Err(error).with_context(|| format!("could not start {}", tutor.display()))
}

/// The program's run, and then another command of its own on what it left.
fn then(tutor: &Path, what: &str, args: &Args) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", THEN]).arg(tutor).arg(what).arg(args.latest()).args(args.tutor_args());
    command
}

/// Builds the release binary; gives its path.
pub(crate) fn build() -> Result<PathBuf> {
    workspace::run(workspace::cargo().args(["build", "--release", "--package", "tutor"]))?;
    Ok(workspace::target()?.join("release/tutor"))
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// Parses a command line of ours and compares the one handed on.
    fn check(ours: &str, tutors: &str, cuda: bool) {
        let line = Line::try_parse_from(["reproduce"].into_iter().chain(ours.split(' ')))
            .expect("a command line");
        let handed_on: Vec<_> =
            line.args.tutor_args().iter().map(|a| a.to_string_lossy().into_owned()).collect();
        assert_eq!(handed_on.join(" "), tutors);
        assert_eq!(line.args.wants_cuda(), cuda);
    }

    #[test]
    fn everything_is_handed_on() {
        check("noisy-student", "run noisy-student", false);
        check(
            "noisy-student/method --quick --seeds 5 --set a.b=1 --set c=x --out o --data d --device cuda:1 -- --more",
            "run noisy-student/method --seeds 5 --device cuda:1 --data d --out o --set a.b=1 --set c=x --quick --more",
            true,
        );
        check("uda --device cpu", "run uda --device cpu", false);
        check("uda --rows none", "run uda --rows none", false);
        check(
            "uda --labels 20,50 --rows hard-labels,no-filter --quick",
            "run uda --rows hard-labels,no-filter --labels 20,50 --quick",
            false,
        );
    }

    #[test]
    fn a_chat_is_with_the_newest_run_of_the_paper() {
        for what in ["chat", "serve"] {
            let flag = format!("--{what}");
            let line = ["reproduce", "meena/conversations", &flag, "--out", "a b"];
            let args = Line::try_parse_from(line).expect("a command line").args;
            // In place of the program one that says what it is given.
            let said = |program: &str| {
                let what = args.then().expect("something afterwards");
                let output = super::then(program.as_ref(), what, &args).output().expect("a shell");
                String::from_utf8(output.stdout).expect("UTF-8")
            };
            let both = format!("run meena/conversations --out a b\n{what} a b/meena/latest\n");
            assert_eq!(said("echo"), both);
            assert_eq!(said("false"), "");
        }
    }

    #[test]
    fn a_recipe_is_found_in_the_folder_of_its_paper() {
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["meena/sweep.toml", "noisy-student/digits.toml"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, "").expect("written");
        }
        for (recipe, paper) in [
            ("meena", "meena"),
            ("meena/sweep", "meena"),
            ("meena-sweep", "meena"),
            ("noisy-student", "noisy-student"),
            ("noisy-student-digits", "noisy-student"),
            ("no-such", "no-such"),
        ] {
            assert_eq!(super::paper(recipe, folder.path()), paper, "{recipe}");
        }
    }

    #[test]
    fn a_data_set_names_the_row_that_the_machine_can_train() {
        check("uda --dataset cifar10 --data d", "run uda/cifar10-small --data d", false);
        check("uda --dataset cifar10 --device cuda", "run uda/cifar10 --device cuda", true);
        check("uda --dataset svhn", "run uda/svhn-small", false);
        check("noisy-student --dataset svhn", "run noisy-student/svhn-small", false);
        check("uda --dataset svhn --device cuda:0", "run uda/svhn --device cuda:0", true);
    }
}
