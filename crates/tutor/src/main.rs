//! `tutor`: learning from unlabelled data on the command line. Recipes say what is run; this
//! program turns them into networks, batches and reports.

mod commands;
mod dialog;
mod images;
mod papers;
mod recipe;
mod run;
mod text;

use clap::{Parser, Subcommand};

use commands::error_text::error_text;
use run::interrupt::Interrupted;
use run::note::{failed, note};

/// Learning from unlabelled data.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the recipes and their rows.
    List(commands::list::Args),
    /// Train a classifier on your own labelled and unlabelled images or texts, without a recipe.
    Fit(commands::fit::Args),
    /// Pre-train a network on files of running text, as ELECTRA or a masked language model.
    Pretrain(commands::pretrain::Args),
    /// Fine-tune a network of texts on a benchmark: GLUE, questions as in SQuAD, or tagged words.
    Finetune(commands::finetune::Args),
    /// Run a recipe: train, measure, report. After a stop, the same command continues where it was.
    Run(commands::run::Args),
    /// Run a recipe, or label samples, in several processes on this machine.
    Launch(commands::launch::Args),
    /// Print the results of a finished run.
    Report(commands::report::Args),
    /// Label images or texts with a network of a run, tag words or answer questions.
    Predict(commands::predict::Args),
    /// Score a network of a run, or published weights, on labelled images or texts.
    Eval(commands::eval::Args),
    /// Write a trained network for other programs: as safetensors, ONNX, or a Hugging Face folder.
    Export(commands::export::Args),
    /// Download or verify data sets, make dialogue pairs or a vocabulary, score translations.
    Data(commands::data::Args),
    /// Make paraphrases of texts by translating them there and back.
    Augment(commands::augment::Args),
    /// Write corrupted copies of a folder of images, in the layout of ImageNet-C.
    Corrupt(commands::corrupt::Args),
    /// Draw what a policy or the corruptions do to images; mark tokens that ELECTRA finds replaced.
    Show(commands::show::Args),
    /// List, fetch, show or convert published weights.
    Weights(commands::weights::Args),
    /// Let people rate responses of chatbots in the browser: make a study, serve it, report.
    Rate(commands::rate::Args),
    /// Talk to a network in the terminal: one of a run, or a published GPT-2 or DialoGPT.
    Chat(commands::chat::Args),
    /// Serve a network that replies, as a chat page and to clients of OpenAI's chat completions.
    Serve(commands::serve::Args),
    /// Check a recipe and say what it would run, without running it.
    Check(commands::check::Args),
    /// Compare the results of a GPU with those of the CPU.
    Parity(commands::parity::Args),
    /// Time a training step, or a reply, of a network at its full size.
    Measure(commands::measure::Args),
}

impl Command {
    /// Whether it may keep libtorch's threads busy; the others only read and write.
    fn computes(&self) -> bool {
        !matches!(
            self,
            Self::List(_)
                | Self::Launch(_)
                | Self::Report(_)
                | Self::Corrupt(_)
                | Self::Weights(_)
                | Self::Check(_)
        )
    }
}

fn main() {
    torch::device::exit_skipping_destructors(run_command())
}

/// What was asked for on the command line; returns the status of the process.
fn run_command() -> u8 {
    let cli: Cli = commands::ranges::parse(std::env::args_os());
    // Before anything else: it starts the program anew, which takes a quarter of a second.
    if cli.command.computes()
        && let Err(error) = torch::device::reexec_with_passive_spin()
    {
        note(&format!("warning: {error}; computing threads will spin while they wait"));
    }
    torch::device::retain_freed_memory();
    run::memory::quiet();
    if let Err(error) = train::signals::outlive_file_limit() {
        note(&format!("warning: {error}; a file above the limit of `ulimit -f` ends the program"));
    }
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let result = run::memory::told_when_full(|| match cli.command {
        Command::List(args) => commands::list::run(&args),
        Command::Fit(args) => commands::fit::run(&args),
        Command::Pretrain(args) => commands::pretrain::run(&args),
        Command::Finetune(args) => commands::finetune::run(&args),
        Command::Run(args) => commands::run::run(&args),
        Command::Launch(args) => commands::launch::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Predict(args) => commands::predict::run(&args),
        Command::Eval(args) => commands::eval::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Data(args) => commands::data::run(&args),
        Command::Augment(args) => commands::augment::run(&args),
        Command::Corrupt(args) => commands::corrupt::run(&args),
        Command::Show(args) => commands::show::run(&args),
        Command::Weights(args) => commands::weights::run(&args),
        Command::Rate(args) => commands::rate::run(&args),
        Command::Chat(args) => commands::chat::run(&args),
        Command::Serve(args) => commands::serve::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Parity(args) => commands::parity::run(&args),
        Command::Measure(args) => commands::measure::run(&args),
    });
    match result {
        Ok(()) => 0,
        Err(error) if error.is::<Interrupted>() => {
            failed(&Interrupted.to_string());
            // As a shell counts a program ended by SIGINT.
            130
        }
        Err(error) => {
            failed(&format!("error: {}", error_text(&error)));
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::parser::ValueSource;
    use clap::{Arg, ArgMatches, CommandFactory, Id};

    use super::*;

    /// All commands that are no mere heading of others, with their names.
    fn commands_below(
        command: &clap::Command,
        name: &str,
        found: &mut Vec<(String, clap::Command)>,
    ) {
        for below in command.get_subcommands() {
            commands_below(below, &format!("{name} {}", below.get_name()), found);
        }
        // Any text is a value: what values mean is tested elsewhere.
        let mut command = command.clone().mut_args(|arg| match arg.get_action().takes_values() {
            true => arg.value_parser(clap::value_parser!(String)),
            false => arg,
        });
        command.build();
        found.push((name.trim().to_owned(), command));
    }

    /// The options that one needs. clap tells them nowhere but here.
    fn needed_by(arg: &Arg) -> Vec<String> {
        let told = format!("{arg:?}");
        let (_, after) = told.split_once(", requires: [").expect("clap's words");
        let list = after.split(']').next().expect("its end");
        list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// Calls a command with these options and positional arguments.
    fn parsed(command: &clap::Command, given: &[Id]) -> Result<ArgMatches, clap::Error> {
        let (mut words, mut positional) = (vec!["tutor".to_owned()], Vec::new());
        for arg in command.get_arguments().filter(|arg| given.contains(arg.get_id())) {
            let value = arg.get_action().takes_values().then(|| "value".to_owned());
            match arg.get_long() {
                Some(long) => words.extend([format!("--{long}")].into_iter().chain(value)),
                None => positional.push((arg.get_index(), "value".to_owned())),
            }
        }
        positional.sort();
        words.extend(positional.into_iter().map(|(_, value)| value));
        command.clone().try_get_matches_from(words)
    }

    /// What is given, with each choice of what groups need that must be there.
    fn with_groups(command: &clap::Command, given: Vec<Id>, but: &str) -> Vec<Vec<Id>> {
        let mut all = vec![given];
        for group in command.get_groups().filter(|group| group.is_required_set()) {
            all = all
                .into_iter()
                .flat_map(|given| {
                    let members: Vec<&Id> = group.get_args().collect();
                    if members.iter().any(|member| given.contains(member)) {
                        return vec![given];
                    }
                    let others = members.into_iter().filter(|member| member.as_str() != but);
                    others
                        .map(|member| [&given[..], std::slice::from_ref(member)].concat())
                        .collect()
                })
                .collect();
        }
        all
    }

    /// clap drops a requirement that conflicts with something that is given: the option that needs
    /// it must conflict with that, too, or it is taken without a word and ignored.
    #[test]
    fn an_option_that_needs_another_is_refused_without_it() {
        let mut commands = Vec::new();
        commands_below(&Cli::command(), "", &mut commands);
        let (mut needing, mut ignored) = (Vec::new(), Vec::new());
        for (name, command) in &commands {
            let ids = |is: &dyn Fn(&&Arg) -> bool| -> Vec<Id> {
                command.get_arguments().filter(is).map(|arg| arg.get_id().clone()).collect()
            };
            let required = ids(&|arg| arg.is_required_set());
            let positional = ids(&|arg| arg.is_positional());
            let all = ids(&|arg| !["help", "version"].contains(&arg.get_id().as_str()));
            for arg in command.get_arguments() {
                for needed in needed_by(arg) {
                    needing.push(format!("{name}: {} needs {needed}", arg.get_id()));
                    let others = all.iter().filter(|other| other.as_str() != needed);
                    for (other, more) in others.flat_map(|o| [(o, &required), (o, &positional)]) {
                        let mut given = [&required[..], more].concat();
                        given.extend([arg.get_id().clone(), other.clone()]);
                        given.retain(|id| id.as_str() != needed);
                        for given in with_groups(command, given, &needed) {
                            let Ok(found) = parsed(command, &given) else { continue };
                            if found.value_source(&needed) != Some(ValueSource::CommandLine) {
                                ignored.push(format!("{name}: {given:?} without {needed}"));
                            }
                        }
                    }
                }
            }
        }
        let known = ["chat: vocab needs weights", "rate judge: label_map needs weights"];
        assert!(known.iter().all(|known| needing.iter().any(|n| n == known)), "{needing:#?}");
        assert!(ignored.is_empty(), "{ignored:#?}");
    }

    #[test]
    fn an_option_out_of_its_range_is_named_with_the_range() {
        let (count, share, above) = ("1 or more", "from 0 to 1", "above 0");
        let part = "from 0 to below 1";
        let (dialog, vocabulary) = ("data dialog a --out b", "data tokenizer train a");
        for (command, options) in [
            (
                dialog,
                &[
                    ("--max-parent-overlap", &["nan", "0", "-1", "inf"][..], above),
                    ("--shard-tokens", &["0", "-5", "1.5"], count),
                    ("--min-alphabetic", &["nan", "-0.1", "1.1"], share),
                    ("--validation", &["nan", "-0.5", "1"], part),
                    ("--test", &["inf", "-0.5"], part),
                    ("--max-turns", &["0"], count),
                    ("--max-occurrences", &["0"], count),
                    ("--max-subwords", &["0"], count),
                    ("--min-count", &["0"], count),
                    ("--context", &["1"], "2 or more"),
                    ("--response", &["0"], "2 or more"),
                    ("--vocab-size", &["0"], "259 or more"),
                ][..],
            ),
            (vocabulary, &[("--vocab-size", &["5"], "6 or more"), ("--min-count", &["0"], count)]),
            (vocabulary, &[("--characters", &["0"], count)]),
            ("fit --labeled a", &[("--minutes", &["nan", "0", "-1"], above)]),
            ("fit --text a", &[("--minutes", &["inf"], above)]),
            ("fit --text a", &[("--max-length", &["4"], "5 or more")]),
            (
                "finetune tag --train a --test b --weights c",
                &[
                    ("--epochs", &["0", "nan", "-1"], above),
                    ("--steps", &["0"], count),
                    ("--batch", &["0"], count),
                    ("--lr", &["nan", "-0.1"], above),
                    ("--layer-decay", &["1.5", "0"], "above 0, at most 1"),
                    ("--max-length", &["2"], "3 or more"),
                    ("--word-column", &["0"], count),
                    ("--tag-column", &["0", "-1"], count),
                ],
            ),
            (
                "chat a",
                &[("--temperature", &["nan", "-1"], "of 0 or more"), ("--top-k", &["0"], count)],
            ),
            ("serve a", &[("--rate", &["0", "nan"], above), ("--top-k", &["-1"], count)]),
            ("predict a b", &[("--threshold", &["nan", "2", "-1"], share)]),
            ("show replaced a b", &[("--threshold", &["nan"], share)]),
            ("show augment", &[("--columns", &["0"], count), ("--draws", &["0"], count)]),
            ("eval a b", &[("--images", &["0"], count), ("--sequences", &["0"], count)]),
            (
                "augment text --policy back-translation --forward a --backward b c d",
                &[
                    ("--paraphrases", &["0", "-1"], count),
                    ("--batch", &["0"], count),
                    ("--temperature", &["nan", "-0.5"], "of 0 or more"),
                    ("--threads", &["0"], count),
                ],
            ),
            ("run uda/digits", &[("--labels", &["0", "-4"], count)]),
            ("rate chat a", &[("--conversations", &["0", "99999999999"], "from 1 to ")]),
            (
                "rate init a",
                &[
                    ("--votes", &["0", "-3", "99999999999"], "from 1 to "),
                    ("--lease-minutes", &["0"], "from 1 to "),
                    ("--items-per-rater", &["0"], "from 1 to "),
                ],
            ),
        ] {
            for (option, values, range) in options {
                for value in *values {
                    let words =
                        ["tutor"].into_iter().chain(command.split(' ')).chain([*option, *value]);
                    let parsed = commands::ranges::try_parse::<Cli>(words.map(Into::into));
                    let error = parsed.err().expect("refused").to_string();
                    for word in [option, value, range] {
                        assert!(error.contains(word), "{command}: {word:?} is missing in\n{error}");
                    }
                }
            }
        }
    }
}
