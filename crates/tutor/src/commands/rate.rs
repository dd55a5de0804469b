//! `tutor rate`: people rate the answers of chatbots in the browser.

mod ask;
mod import;
mod input;
mod judge;

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use eval_ssa::{Guideline, Item};
use metrics::words::counted;
use rating_server::{
    Export, LONGEST_LEASE, MOST_CHATS, MOST_VOTES, Names, NewRater, Project, ServeOptions,
    Settings, base_url, new_password, new_seed, serve,
};
use report::Document;

use super::place::shell_path;
use super::{ranges, say};
use crate::papers::ssa::study;
use crate::run::note::note;
use import::known_already;
use input::{Partner, text};

/// What is done with a study.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Make a study in a new database file, and print the researcher's password
    Init(Init),
    /// Add responses (CSV or JSON lines), conversations, or ratings from other tools
    Import(import::Args),
    /// Ask a chatbot for a response to each context of a set, and add them as a system of the study
    Ask(ask::Args),
    /// Let raters hold conversations with a chatbot, whose turns are then rated
    Chat {
        /// The study's database file
        study: PathBuf,
        #[command(flatten)]
        partner: Partner,
        /// Conversations to collect
        #[arg(long, default_value_t = 100, value_parser = ranges::within(1, u32::MAX))]
        conversations: u32,
    },
    /// Ask a model the raters' questions; its answers are kept apart from their votes
    Judge(judge::Args),
    /// Make links for raters, which are printed only once
    Invite {
        /// The study's database file
        study: PathBuf,
        /// Label for each rater, which only you see
        #[arg(required = true)]
        labels: Vec<String>,
        /// Conversations that each rater holds first
        #[arg(long, default_value_t = 0, value_parser = ranges::within(0, MOST_CHATS))]
        chats: u32,
        /// URL by which raters reach the server
        #[arg(long, default_value = "http://127.0.0.1:8642")]
        url: String,
    },
    /// Serve the pages until Ctrl-C or SIGTERM
    Serve {
        /// The study's database file
        study: PathBuf,
        /// Address to listen on; by default only this machine is served
        #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
        listen: IpAddr,
        /// Port to listen on
        #[arg(long, default_value_t = 8642)]
        port: u16,
        /// URL of the server behind a proxy with TLS, as `https://study.example.org`; the proxy has
        /// to set `X-Forwarded-For`, or to add the client's address to it
        #[arg(long)]
        public_url: Option<String>,
    },
    /// Set a new password for the researcher's pages, and log everybody out
    Password {
        /// The study's database file
        study: PathBuf,
        /// File with the new password; without it, one is made and printed
        #[arg(long)]
        password_file: Option<PathBuf>,
    },
    /// Show the progress of the study
    Status {
        /// The study's database file
        study: PathBuf,
    },
    /// Pair the responses of two systems to the same turns, for raters to say which is better
    Pair {
        /// The study's database file
        study: PathBuf,
        /// First system
        first: String,
        /// Second system
        second: String,
    },
    /// Write items, ratings and the rest as CSV, JSON lines and Parquet
    Export {
        /// The study's database file
        study: PathBuf,
        /// Folder to write to, which is made if needed
        #[arg(long)]
        out: PathBuf,
        /// Write the names of systems even while the pages hide them
        #[arg(long)]
        names: bool,
        /// Replace an earlier export in the folder
        #[arg(long)]
        replace: bool,
    },
    /// Write scores, agreement, raters and methods as an HTML page, Markdown and JSON
    Report {
        /// The study's database file
        study: PathBuf,
        /// HTML page to write; by default report.html, which must not exist. Files of the same name
        /// ending in .md and .json are written beside it
        #[arg(long)]
        out: Option<PathBuf>,
        /// Write the names of systems even while the pages hide them
        #[arg(long)]
        names: bool,
    },
    /// Copy the study while it is served; a plain copy of the file would lack the newest answers
    Backup {
        /// The study's database file
        study: PathBuf,
        /// File for the copy, which must not exist
        to: PathBuf,
    },
}

#[derive(clap::Args)]
struct Init {
    /// The study's database file, which is made
    study: PathBuf,
    /// Name of the study, which raters see
    #[arg(long, default_value = "Rating study")]
    name: String,
    /// Votes per item, an odd number
    #[arg(long, default_value_t = 5, value_parser = ranges::within(1, MOST_VOTES))]
    votes: u32,
    /// Seed of the orders and blind names; by default a random number, so that the blind names of
    /// one study reveal nothing about the next
    #[arg(long)]
    seed: Option<u64>,
    /// Minutes for which an item is reserved for a rater who does not answer
    #[arg(long, default_value_t = 20, value_parser = ranges::within(1, LONGEST_LEASE))]
    lease_minutes: u32,
    /// Show a gold item about once in N items; 0 for never
    #[arg(long, value_name = "N", default_value_t = 10)]
    gold_every: u32,
    /// Maximum items per rater
    #[arg(long, value_parser = ranges::within(1, u32::MAX))]
    items_per_rater: Option<u32>,
    /// Also ask a third question: could a person have said this?
    #[arg(long)]
    human_like: bool,
    /// Guideline as TOML; by default the English one
    #[arg(long)]
    guideline: Option<PathBuf>,
    /// Texts of the pages in another language, as TOML
    #[arg(long)]
    texts: Option<PathBuf>,
    /// File with the researcher's password; without it, one is made and printed
    #[arg(long)]
    password_file: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Init(init) => make(init),
        What::Import(arguments) => import::run(arguments),
        What::Ask(arguments) => ask::run(arguments),
        What::Chat { study, partner, conversations } => {
            let name = &partner.name;
            let project = Project::open(study)?;
            let endpoint = partner.endpoint(&project)?;
            project.offer_chats(name, &endpoint, *conversations)?;
            let are = if *conversations == 1 { "is" } else { "are" };
            let conversations = counted(conversations, "conversation");
            say(&format!("{conversations} with {name} {are} wanted"))
        }
        What::Judge(arguments) => judge::run(arguments),
        What::Invite { study, labels, chats, url } => {
            let url = base_url(url)?;
            let project = Project::open(study)?;
            // Before the first link, which is printed this once.
            if labels.iter().any(|label| label.trim().is_empty()) {
                bail!("a label is empty: write one for each rater, which only you see");
            }
            let mut known: BTreeSet<String> =
                project.raters()?.into_iter().map(|rater| rater.label).collect();
            for label in labels {
                if !known.insert(label.trim().to_owned()) {
                    note(&format!(
                        "note: there is a rater {label} already; this link is for another one of \
                         that label"
                    ));
                }
                let new = NewRater { label: label.clone(), rates: true, chats: *chats };
                let token = project.add_rater(&new)?.token;
                say(&format!("{label}\t{url}/r/{token}"))?;
            }
            Ok(())
        }
        What::Serve { study, listen, port, public_url } => {
            let project = Project::open(study)?;
            if !project.has_password()? {
                bail!(
                    "nobody could log in: the study has no password (`tutor rate password` sets one)"
                );
            }
            let address = SocketAddr::from((*listen, *port));
            let options =
                ServeOptions { address, public_url: public_url.clone(), ..ServeOptions::default() };
            let server = serve(project, &options)?;
            say(&format!("Researcher's page: {}/admin", server.url()))?;
            if let Some(elsewhere) = server.elsewhere() {
                say(&format!("From elsewhere: {elsewhere} (by name only with --public-url)"))?;
            }
            let url = server.url();
            say(&format!("Raters open their links, which begin with {url}/r/. Ctrl-C ends."))?;
            server.run_until_signal();
            Ok(())
        }
        What::Password { study, password_file } => {
            let project = Project::open(study)?;
            let (password, made) = password(password_file.as_deref())?;
            set_password(&project, &password, password_file.as_deref())?;
            match made {
                true => say(&shown_once(&password)),
                false => Ok(()),
            }
        }
        What::Status { study } => status(&Project::open(study)?),
        What::Pair { study, first, second } => {
            let project = Project::open(study)?;
            let items = project.study(Names::Own)?.items;
            can_meet(&items, [first, second])?;
            let pairs = eval_ssa::pairs(&items, [first, second]);
            if pairs.is_empty() {
                bail!("{first} and {second} have no response to the same turns");
            }
            let done = project.add_pairs(&pairs)?;
            let known = known_already(done.known);
            say(&format!("{} added{known}", counted(done.added, "pair")))
        }
        What::Export { study, out, names, replace } => {
            export(&Project::open(study)?, out, *names, *replace)
        }
        What::Report { study, out, names } => {
            write_report(&Project::open(study)?, out.as_deref(), *names)
        }
        What::Backup { study, to } => {
            Project::open(study)?.backup(to)?;
            say(&format!("{}", to.display()))
        }
    }
}

/// Refuses to pair a system with itself, and one that is not there.
fn can_meet(items: &[Item], systems: [&str; 2]) -> Result<()> {
    if systems[0] == systems[1] {
        bail!("{} cannot be compared with itself: name two systems", systems[0]);
    }
    let known: BTreeSet<&str> =
        items.iter().filter(|item| item.is_rated()).map(|item| &*item.system).collect();
    match systems.into_iter().find(|system| !known.contains(system)) {
        None => Ok(()),
        Some(missing) if known.is_empty() => {
            bail!("there is no system {missing}: the study has no responses yet")
        }
        Some(missing) => {
            let known: Vec<&str> = known.into_iter().collect();
            bail!("there is no system {missing}; the study has {}", known.join(", "))
        }
    }
}

fn make(init: &Init) -> Result<()> {
    let settings = Settings {
        name: init.name.clone(),
        votes: init.votes,
        seed: init.seed.unwrap_or_else(new_seed),
        lease_minutes: init.lease_minutes,
        gold_every: init.gold_every,
        items_per_rater: init.items_per_rater,
        ask_human_like: init.human_like,
        ..Settings::default()
    };
    let guideline = init.guideline.as_deref().map(text).transpose()?;
    if let (Some(file), Some(text)) = (&init.guideline, &guideline) {
        Guideline::from_toml(text).with_context(|| unusable(file))?;
    }
    let texts = init.texts.as_deref().map(text).transpose()?;
    let (password, made) = password(init.password_file.as_deref())?;
    let mut project = Project::create(&init.study, &settings, guideline.as_deref())?;
    let set = set_password(&project, &password, init.password_file.as_deref());
    let set = set.and_then(|()| match (&init.texts, texts) {
        (Some(file), Some(texts)) => project.set_texts(&texts).with_context(|| unusable(file)),
        _ => Ok(Vec::new()),
    });
    match set {
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => say(&format!("These texts stay English: {}", missing.join(", ")))?,
        Err(error) => {
            project.discard();
            return Err(error);
        }
    }
    if made {
        say(&shown_once(&password))?;
    }
    let name = shell_path(&init.study);
    say(&format!("Next: tutor rate import {name} RESPONSES.csv --system NAME"))
}

/// The password in a file, or a new one; whether it was made.
fn password(file: Option<&Path>) -> Result<(String, bool)> {
    Ok(match file {
        Some(file) => (text(file)?.trim().to_owned(), false),
        None => (new_password(), true),
    })
}

/// Sets a password; an error names the file that it was read from.
fn set_password(project: &Project, password: &str, file: Option<&Path>) -> Result<()> {
    let set = project.set_password(password);
    match file {
        Some(file) => set.with_context(|| unusable(file)),
        None => Ok(set?),
    }
}

/// What is said of a file in front of what is wrong with it.
fn unusable(file: &Path) -> String {
    format!("cannot use {}", file.display())
}

fn shown_once(password: &str) -> String {
    format!("The researcher's password, shown this once: {password}")
}

/// Writes the page and, beside it, the same as Markdown and the numbers as JSON.
fn write_report(project: &Project, out: Option<&Path>, names: bool) -> Result<()> {
    let page = super::out_file(out, "report.html")?;
    let beside = ["md", "json"].map(|end| page.with_extension(end));
    if let Some(taken) = beside.iter().find(|path| **path == page || out.is_none() && path.exists())
    {
        bail!("{} is there already: name a page by --out, as results.html", taken.display());
    }
    let names = shown(project, names)?;
    let summary = project.summary(names)?;
    let status = project.status()?;
    let about = format!(
        "{} of {}, {} complete.{}",
        status.votes,
        counted(status.wanted, "vote"),
        status.complete(),
        if names == Names::Blind { " Systems have blind names." } else { "" }
    );
    let document = Document {
        title: &project.settings().name,
        about: &about,
        notes: &summary.warnings,
        sections: &study::sections(&summary),
    };
    let html = report::document_page(&document)?;
    let text = report::document_markdown(&document)?;
    let json = serde_json::to_string_pretty(&summary)? + "\n";
    let [markdown, numbers] = &beside;
    for (path, contents) in [(&page, html), (markdown, text), (numbers, json)] {
        atomic_file::write(path, contents.as_bytes())?;
        say(&format!("{}", path.display()))?;
    }
    Ok(())
}

fn status(project: &Project) -> Result<()> {
    let status = project.status()?;
    project.check()?;
    say(&format!(
        "{} of {}, {} complete; {} skipped, {} too late",
        status.votes,
        counted(status.wanted, "vote"),
        status.complete(),
        status.skipped,
        status.late
    ))?;
    say(&format!(
        "{}, {} of them active in the last five minutes, {} in front of them",
        counted(status.raters, "rater"),
        status.active,
        status.in_front()
    ))?;
    if status.chats_wanted > 0 {
        say(&format!("{} of {} conversations", status.chats, status.chats_wanted))?;
    }
    Ok(())
}

fn export(project: &Project, out: &Path, names: bool, replace: bool) -> Result<()> {
    let names = shown(project, names)?;
    if out.is_file() {
        bail!("{} is a file: name a folder by --out, which is made if needed", out.display());
    }
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let paths = Export::ALL.map(|export| out.join(export.file_name()));
    if let Some(taken) = paths.iter().find(|path| path.exists() && !replace) {
        bail!(
            "{} is there already: name another folder, or replace an earlier export by --replace",
            taken.display()
        );
    }
    // One moment for all files: people may rate meanwhile.
    let study = project.study(names)?;
    for (export, path) in Export::ALL.into_iter().zip(paths) {
        atomic_file::write(&path, &export.bytes(&study)?)?;
        say(&format!("{}", path.display()))?;
    }
    Ok(())
}

/// The names of systems where they are asked for, or shown on the pages.
fn shown(project: &Project, asked: bool) -> Result<Names> {
    Ok(if asked { Names::Own } else { project.names()? })
}
