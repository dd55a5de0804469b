//! `tutor serve`: talk to a network that replies in the browser, or by programs that know OpenAI's
//! chat completions.

mod group;
mod served;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chat_server::{Limits, Maker, Model, ServeOptions, serve};

use super::whom::Whom;
use super::{ranges, say};
use served::Served;

/// Who is talked to, and how the server is reached.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    whom: Whom,
    /// The name that clients ask for; the network's own by default.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The address to listen on; by default, this machine alone is served.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 8643)]
    port: u16,
    /// How the server is reached behind a proxy with TLS: `https://chat.example.org`.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// A file with the key that clients have to send. Without it, a server that others than this
    /// machine can reach makes a key and prints it.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Add what is said to this file, as items that `tutor rate import` reads, and say so on the
    /// page. Nothing is kept without it.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Leave system messages out, which the network cannot read, in place of refusing them.
    #[arg(long)]
    leave_out_system: bool,
    /// Chats that are replied to at once, by one copy of the network.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
    /// The origin of another site whose pages may ask, as `https://app.example.org`; may be given
    /// several times.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Requests that may wait for their turn; more are told to come back.
    #[arg(long, value_name = "N", default_value_t = 32)]
    queue: u16,
    /// Requests of one address in a second, ten times as many at once; 100 by default, 2 where
    /// others than this machine are served.
    #[arg(long, value_name = "N", value_parser = ranges::above_0)]
    rate: Option<f64>,
    /// Seconds that a reply may take, after which it ends with what there is.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    patience: u16,
}

/// The fewest characters of a key.
const SHORTEST: usize = 16;

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut options = ServeOptions {
        address: SocketAddr::from((args.listen, args.port)),
        public_url: args.public_url.clone(),
        key: args.key_file.as_deref().map(key).transpose()?,
        keep: args.keep.clone(),
        leave_out_system: args.leave_out_system,
        origins: args.allow_origin.clone(),
        limits: Limits::default(),
    };
    let rate = args.rate.unwrap_or(if options.is_open() { 2.0 } else { 100.0 });
    options.limits.per_second = rate;
    options.limits.burst = (10.0 * rate).max(1.0);
    options.limits.waiting = usize::from(args.queue);
    options.limits.reply = Duration::from_secs(u64::from(args.patience));
    let made = options.is_open() && options.key.is_none();
    if made {
        options.key = Some(chat_server::new_key());
    }
    let (whom, name, slots) = (args.whom.clone(), args.name.clone(), usize::from(args.slots));
    let make: Maker = Box::new(move || match Served::open(&whom, name, slots) {
        Ok(served) => Ok(Box::new(served) as Box<dyn Model>),
        Err(error) => Err(format!("{error:#}")),
    });
    let server = serve(vec![make], &options)?;
    let (url, name) = (server.url(), super::plain_text::shown(server.model()));
    match &options.key {
        Some(key) if made => {
            say(&format!("The key, made for this time: {key} (--key-file names one of yours)"))?;
            say(&format!("The page: {url}/#key={key}"))?;
        }
        Some(_) => say(&format!("The page, which asks for the key: {url}/"))?,
        None => say(&format!("The page: {url}/"))?,
    }
    say(&format!("OpenAI's clients: {url}/v1, model {name}"))?;
    if let Some(elsewhere) = server.elsewhere() {
        say(&format!("From elsewhere: {elsewhere} (by name only with --public-url)"))?;
    }
    match &args.keep {
        Some(file) => say(&format!("What is said is added to {}.", file.display()))?,
        None => say("Nothing of what is said is kept.")?,
    }
    say("Ctrl-C ends.")?;
    server.run_until_signal();
    Ok(())
}

/// The key in a file.
fn key(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("the key in {} cannot be read", file.display()))?;
    let key = text.trim();
    let fine = key.len() >= SHORTEST && key.chars().all(|c| c.is_ascii_graphic());
    ensure!(
        fine,
        "the key in {} is none: at least {SHORTEST} letters, digits and signs without a space",
        file.display()
    );
    Ok(key.to_owned())
}
