//! `tutor serve`: talk to a network that replies in the browser, or by programs that know OpenAI's
//! chat completions.

mod group;
mod served;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chat_server::{Limits, Model, ModelFactory, ServeOptions, serve};

use super::reply_network::ReplyNetwork;
use super::{ranges, say};
use served::Served;

/// The network that is talked to, and how the server is reached.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    network: ReplyNetwork,
    /// Name by which clients ask for the model; the network's own by default.
    #[arg(long, value_name = "NAME", value_parser = model_name)]
    name: Option<String>,
    /// Address to listen on; by default only this machine is served.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8643)]
    port: u16,
    /// URL of the server behind a proxy with TLS, as `https://chat.example.org`.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// File with the key that clients have to send. Without it, a server that other machines can
    /// reach makes a key and prints it.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Append conversations to this file, as items that `tutor rate import` reads, and say so on
    /// the page. Without it nothing is kept.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Ignore system messages, which the network cannot read, instead of refusing them.
    #[arg(long)]
    leave_out_system: bool,
    /// Reply to up to N chats at once, with one copy of the network.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
    /// Accept requests from pages of this origin too, as `https://app.example.org`. May be given
    /// several times.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Let up to N requests wait for their turn; more get status 429.
    #[arg(long, value_name = "N", default_value_t = 32)]
    queue: u16,
    /// Accept N requests per second from one address, and ten times as many at once; by default
    /// 100, or 2 where other machines are served.
    #[arg(long, value_name = "N", value_parser = ranges::above_0)]
    rate: Option<f64>,
    /// End a reply after SECONDS with what there is of it.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    reply_timeout: u16,
}

/// A name by which clients can ask.
fn model_name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => {
            Err("it must have a letter, digit or sign; leave it out for the network's own".into())
        }
        name => Ok(name.to_owned()),
    }
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
    options.limits.requests_per_second_per_client = rate;
    options.limits.burst_per_client = (10.0 * rate).max(1.0);
    options.limits.queue_capacity = usize::from(args.queue);
    options.limits.reply_timeout = Duration::from_secs(u64::from(args.reply_timeout));
    let made = options.is_open() && options.key.is_none();
    if made {
        options.key = Some(chat_server::new_key());
    }
    let (network, name, slots) = (args.network.clone(), args.name.clone(), usize::from(args.slots));
    let make: ModelFactory = Box::new(move || match Served::open(&network, name, slots) {
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
