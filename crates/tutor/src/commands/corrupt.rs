//! `tutor corrupt`: corrupted copies of a folder of images, in the layout of ImageNet-C.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail, ensure};
use augment::corrupt::{Corruption, Severity, corrupt};
use augment::rng::Key;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, OnBad, Summary, files_below};
use data_pipeline::digest::Digest;
use data_pipeline::parallel;
use data_pipeline::picture::{Decode, Decoded, Depth, Notice, Notices, write_png};
use indicatif::{ProgressBar, ProgressStyle};
use metrics::words::counted;
use serde::{Deserialize, Serialize};

use super::error_text::error_text;
use super::inputs::keep_inputs;
use super::say;
use super::skip_bad::{SkipBad, bad_image, suggest_skip_bad};
use crate::run::files;
use crate::run::note::note;

/// What is corrupted and how.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of images, searched with its sub-folders.
    images: PathBuf,
    /// Folder for the copies: `OUT/<corruption>/<severity>/<path of the image>.png`.
    out: PathBuf,
    /// Severities: one, several (`1,3,5`) or a range (`1..5`, both ends included).
    #[arg(long, default_value = "1..5", value_parser = severities)]
    severity: Severities,
    /// Corruption by name; by default the fifteen of ImageNet-C. `all` adds the four extra ones and
    /// ours. May be given several times.
    #[arg(long, value_name = "NAME")]
    corruption: Vec<String>,
    /// Seed of the random corruptions; each image's also depends on its path.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    skip_bad: SkipBad,
}

#[derive(Clone, Debug, PartialEq)]
struct Severities(Vec<Severity>);

fn severities(text: &str) -> Result<Severities, String> {
    let one = |text: &str| {
        let level: u8 = text.trim().parse().map_err(|_| format!("`{text}` is no severity"))?;
        Severity::try_from(level).map_err(|error| error.to_string())
    };
    let mut found = Vec::new();
    for part in text.split(',') {
        match part.split_once("..") {
            Some((first, last)) => {
                let (first, last) = (one(first)?, one(last.trim_start_matches('='))?);
                found.extend(Severity::ALL.into_iter().filter(|s| (first..=last).contains(s)));
            }
            None => found.push(one(part)?),
        }
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        Err(format!("`{text}` holds no severity"))
    } else {
        Ok(Severities(found))
    }
}

fn corruptions(names: &[String]) -> Result<Vec<Corruption>> {
    if names.is_empty() {
        return Ok(Corruption::IMAGENET_C.to_vec());
    }
    let mut found = Vec::new();
    for name in names {
        match name.parse::<Corruption>() {
            Ok(corruption) => found.push(corruption),
            Err(_) if name == "all" => found.extend(Corruption::ALL),
            Err(error) => bail!("{error} and all"),
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// What a folder of copies was made from, kept in it: the same command goes on where it was,
/// another one is refused.
#[derive(Serialize, Deserialize)]
struct Made {
    images: PathBuf,
    seed: u64,
    /// How samples of more than 8 bits became bytes.
    #[serde(default)]
    depth: Depth,
    /// The content of each image, by its path: the copies of one that has changed are made anew,
    /// and those of a version that kept no contents.
    #[serde(default)]
    contents: BTreeMap<String, Digest>,
}

const MADE: &str = "corrupted.json";

/// Makes the folder, or finds it made by this very command. Copies of images that have changed
/// since are removed.
fn prepare(
    args: &Args,
    files: &[(PathBuf, String)],
    depth: Depth,
    making: (&[Corruption], &[Severity]),
) -> Result<()> {
    let images = fs::canonicalize(&args.images)
        .with_context(|| format!("{}: name a folder of images", args.images.display()))?;
    ensure!(
        !args.out.is_file(),
        "{} is a file: name a folder for the copies, which is made",
        args.out.display()
    );
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    if let Some([one, other]) = differ_by_case(files)
        && ignores_case(&args.out)?
    {
        bail!(
            "the copies of {one} and {other} would be one file in {}, where upper and lower case \
             are the same: rename one of the two, or name a folder of another file system; nothing \
             was written",
            args.out.display()
        );
    }
    // What cannot be read is told of when it is to be changed. Whoever reads a pipe may wait for
    // ever.
    let content = |i: usize| {
        let (path, id) = &files[i];
        let bytes = path.is_file().then(|| fs::read(path).ok()).flatten()?;
        Some((id.clone(), Digest::of(&bytes)))
    };
    let contents = parallel::map(files.len(), content).into_iter().flatten().collect();
    let (file, made) = (args.out.join(MADE), Made { images, seed: args.seed, depth, contents });
    match fs::read_to_string(&file) {
        Ok(text) => {
            let before: Made = serde_json::from_str(&text)
                .with_context(|| format!("{}: not written by this command", file.display()))?;
            ensure!(
                (&before.images, before.seed) == (&made.images, made.seed),
                "{} holds copies of {} with seed {}; name another folder, or remove it",
                args.out.display(),
                before.images.display(),
                before.seed
            );
            ensure!(
                before.depth == made.depth,
                "{} holds copies of another brightness: of pictures of more than 8 bits they show \
                 the upper 8 of {} bits, new ones would show those of {} (the pictures have \
                 changed, or an earlier version made the copies); name another folder, or remove it",
                args.out.display(),
                bits(before.depth),
                bits(made.depth)
            );
            let is_changed =
                |(id, content): &(&String, &Digest)| before.contents.get(*id) != Some(*content);
            let changed: Vec<&String> =
                made.contents.iter().filter(is_changed).map(|(id, _)| id).collect();
            make_anew(&args.out, &changed, making)?;
            if before.contents != made.contents {
                files::keep(&file, &made)?;
            }
        }
        Err(_) => {
            let empty = fs::read_dir(&args.out)?.next().is_none();
            ensure!(empty, "{} is not empty; name a new folder", args.out.display());
            files::keep(&file, &made)?;
        }
    }
    Ok(())
}

/// Removes the copies of images that have changed, which are then made anew. An error, and nothing
/// is removed, if there are copies of them that this call would not make.
fn make_anew(
    out: &Path,
    changed: &[&String],
    (corruptions, severities): (&[Corruption], &[Severity]),
) -> Result<()> {
    let (mut stale, mut images) = (Vec::new(), 0);
    for id in changed {
        let before = stale.len();
        for (corruption, severity) in
            Corruption::ALL.into_iter().flat_map(|c| Severity::ALL.map(|severity| (c, severity)))
        {
            let copy = copy(out, corruption, severity, id);
            if copy.exists() {
                ensure!(
                    corruptions.contains(&corruption) && severities.contains(&severity),
                    "{} is a copy of an image that has changed since, or an earlier version made \
                     it, and this call would not make it anew: name another folder, or remove {}",
                    copy.display(),
                    out.display()
                );
                stale.push(copy);
            }
        }
        images += usize::from(stale.len() > before);
    }
    for copy in &stale {
        fs::remove_file(copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    }
    if images > 0 {
        let have = if images == 1 { "has" } else { "have" };
        note(&format!(
            "{} {have} changed since the copies were made, or an earlier version made them: they \
             are made anew",
            counted(images, "image")
        ));
    }
    Ok(())
}

/// Whether a copy is there to its end, the last chunk of a PNG file.
fn is_whole(copy: &Path) -> bool {
    const END: [u8; 8] = *b"IEND\xaeB`\x82";
    let end = || -> std::io::Result<[u8; 8]> {
        let (mut file, mut end) = (File::open(copy)?, END);
        file.seek(SeekFrom::End(-(END.len() as i64)))?;
        file.read_exact(&mut end)?;
        Ok(end)
    };
    end().is_ok_and(|end| end == END)
}

/// Of how many bits the upper 8 are shown.
fn bits(depth: Depth) -> u8 {
    if let Depth::Bits(bits) = depth { bits } else { 16 }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let corruptions = corruptions(&args.corruption)?;
    let Severities(severities) = &args.severity;
    let files = files_below(&args.images)?;
    one_name_each(&files)?;
    keep_inputs(&args.out, std::slice::from_ref(&args.images))?;
    let depth = depth(&args.images);
    if let Depth::Bits(bits) = depth {
        note(&format!(
            "pictures of more than 8 bits use {bits} of them, and the upper 8 of these are taken"
        ));
    }
    prepare(args, &files, depth, (&corruptions, severities))?;
    // The copies have no EXIF that would turn them.
    let decode = Decode { depth, orient: true, ..Decode::default() };
    for (corruption, severity) in
        corruptions.iter().flat_map(|c| severities.iter().map(move |s| (c, s)))
    {
        for (_, id) in &files {
            let path = copy(&args.out, *corruption, *severity, id);
            let folder = path.parent().unwrap_or(&args.out);
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
    }
    let bar = ProgressBar::new(files.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:32} {pos}/{len} images {eta}")?);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (written, skipped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let noticed = Mutex::new(Notices::default());
    let work = || -> Result<()> {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some((path, id)) = files.get(i).filter(|_| !stop.load(Ordering::Relaxed)) else {
                return Ok(());
            };
            match one(args, (&corruptions[..], &severities[..]), &decode, path, id) {
                Ok((count, seen)) => {
                    written.fetch_add(count, Ordering::Relaxed);
                    noticed.lock().unwrap_or_else(PoisonError::into_inner).add(&seen);
                }
                Err(error) => match bad_image(&error) {
                    Some(fault) if args.skip_bad.is_on() => {
                        bar.suspend(|| note(&format!("skipped: {fault}")));
                        skipped.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => {
                        stop.store(true, Ordering::Relaxed);
                        return Err(error);
                    }
                },
            }
            bar.inc(1);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(files.len());
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker does not panic")).collect()
    });
    bar.finish_and_clear();
    noticed.into_inner().unwrap_or_else(PoisonError::into_inner).lines().for_each(|l| note(&l));
    let (written, skipped) = (written.into_inner(), skipped.into_inner());
    results.into_iter().collect::<Result<()>>().map_err(|error| {
        let told = counted(written, "image");
        let error = error_text(&suggest_skip_bad(error));
        let out = args.out.display();
        anyhow!("{error}; {told} written to {out}, and the same command goes on from there")
    })?;
    let kept = (files.len() - skipped) * corruptions.len() * severities.len() - written;
    say(&format!(
        "{}: {} written, {kept} {} there, {skipped} of {} skipped",
        args.out.display(),
        counted(written, "image"),
        if kept == 1 { "was" } else { "were" },
        files.len()
    ))
}

/// How pictures of more than 8 bits become bytes, by what those of the folder use.
fn depth(images: &Path) -> Depth {
    let options = FolderOptions { labeled: false, on_bad: OnBad::Skip, ..Default::default() };
    // What cannot be opened is told of when it is to be changed.
    let looked = FolderSet::open(images, &options).map(|set| Summary::of(&set));
    Depth::of_used(looked.ok().and_then(|look| look.used_bits))
}

/// The name of an image's copies. The old ending stays, so that a.jpg and a.png beside each other
/// do not meet.
fn copy_name(id: &str) -> String {
    if id.to_lowercase().ends_with(".png") { id.to_owned() } else { format!("{id}.png") }
}

fn copy(out: &Path, corruption: Corruption, severity: Severity, id: &str) -> PathBuf {
    out.join(corruption.name()).join(severity.to_string()).join(copy_name(id))
}

/// Refuses images whose copies would have one name.
fn one_name_each(files: &[(PathBuf, String)]) -> Result<()> {
    let mut names = BTreeMap::new();
    for (_, id) in files {
        if let Some(other) = names.insert(copy_name(id), id) {
            bail!(
                "the copies of {other} and {id} would both be named {}: rename one of the two; \
                 nothing was written",
                copy_name(id)
            );
        }
    }
    Ok(())
}

/// Two images the names of whose copies differ in upper and lower case alone.
fn differ_by_case(files: &[(PathBuf, String)]) -> Option<[&str; 2]> {
    let mut names = BTreeMap::new();
    files.iter().find_map(|(_, id)| {
        let other = names.insert(copy_name(id).to_lowercase(), id.as_str())?;
        Some([other, id.as_str()])
    })
}

/// Whether the file system of a folder ignores upper and lower case in names.
fn ignores_case(folder: &Path) -> Result<bool> {
    let at = || format!("cannot write to {}", folder.display());
    let probe = tempfile::Builder::new().prefix(".case-").tempfile_in(folder).with_context(at)?;
    let name = probe.path().file_name().context("a name")?.to_string_lossy().to_uppercase();
    Ok(folder.join(name).exists())
}

/// Writes those copies of an image that are not there whole; how many, and what was noticed in the
/// image.
fn one(
    args: &Args,
    (corruptions, severities): (&[Corruption], &[Severity]),
    decode: &Decode,
    path: &Path,
    id: &str,
) -> Result<(usize, Vec<Notice>)> {
    let targets = corruptions.iter().flat_map(|&corruption| {
        let target = move |&severity: &Severity| (corruption, severity);
        severities.iter().map(target)
    });
    let missing: Vec<_> = targets
        .map(|(corruption, severity)| {
            (corruption, severity, copy(&args.out, corruption, severity, id))
        })
        .filter(|(_, _, target)| !is_whole(target))
        .collect();
    if missing.is_empty() {
        return Ok((0, vec![]));
    }
    let Decoded { image, noticed, .. } = decode.describe_file(path)?;
    let index = id.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    for (corruption, severity, target) in &missing {
        let view = 10 * *corruption as u64 + severity.index() as u64;
        let mut rng = Key { seed: args.seed, epoch: 0, index, view }.rng();
        write_png(target, &corrupt(&image, *corruption, *severity, &mut rng))?;
    }
    Ok((missing.len(), noticed))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use clap::Parser;
    use data_pipeline::dataset::{Samples, digits};

    use super::*;

    #[test]
    fn images_whose_copies_would_meet_are_refused() {
        let named = |names: &[&str]| {
            let files: Vec<_> =
                names.iter().map(|name| (PathBuf::from(name), (*name).to_owned())).collect();
            one_name_each(&files).map_err(|error| error.to_string())
        };
        assert_eq!(named(&["A.png", "a.png", "a.PNG", "a.jpg", "A.jpg"]), Ok(()));
        let fault = named(&["a.jpg", "a.jpg.png"]).expect_err("one name");
        assert!(fault.contains("of a.jpg and a.jpg.png would both be named a.jpg.png"), "{fault}");
    }

    #[test]
    fn names_that_differ_by_case_meet_where_the_file_system_ignores_it() {
        let named = |names: &[&str]| -> Vec<_> {
            names.iter().map(|name| (PathBuf::from(name), (*name).to_owned())).collect()
        };
        assert_eq!(differ_by_case(&named(&["a.png", "b.png", "a.jpg", "x/a.png"])), None);
        assert_eq!(differ_by_case(&named(&["a.png", "b.png", "A.PNG"])), Some(["a.png", "A.PNG"]));
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("a"), "").expect("written");
        let one = dir.path().join("A").exists();
        assert_eq!(ignores_case(dir.path()).expect("it may be written to"), one);
        assert_eq!(fs::read_dir(dir.path()).expect("it").count(), 1, "nothing is left");
    }

    #[derive(clap::Parser)]
    struct Words {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_pipe_that_is_named_as_an_image_is_skipped_or_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let (images, out) = (dir.path().join("in"), dir.path().join("out"));
        fs::create_dir(&images).expect("made");
        let digit = digits::load().item(0).expect("a digit");
        write_png(&images.join("a.png"), &digit).expect("written");
        let made = std::process::Command::new("mkfifo").arg(images.join("b.png")).status();
        assert!(made.expect("mkfifo").success());
        let corrupt = |option: &[&str]| {
            let words = ["corrupt", "--severity", "1", "--corruption", "brightness"];
            let words = words.iter().chain(option).map(OsStr::new);
            let words = words.chain([images.as_os_str(), out.as_os_str()]);
            run(&Words::parse_from(words).args)
        };
        let fault = error_text(&corrupt(&[]).expect_err("a pipe"));
        assert!(fault.contains("b.png") && fault.contains("no regular file"), "{fault}");
        corrupt(&["--skip-bad"]).expect("skipped");
        assert!(is_whole(&out.join("brightness/1/a.png")));
    }

    #[test]
    fn severities_are_one_several_or_a_range() {
        let levels = |text: &str| {
            severities(text).map(|s| s.0.iter().map(|&s| u8::from(s)).collect::<Vec<_>>())
        };
        assert_eq!(levels("3"), Ok(vec![3]));
        assert_eq!(levels("1..5"), Ok(vec![1, 2, 3, 4, 5]));
        assert_eq!(levels("5,1, 2..=3"), Ok(vec![1, 2, 3, 5]));
        assert_eq!(levels("6"), Err("severity 6: there are 1 to 5".into()));
        assert_eq!(levels("a"), Err("`a` is no severity".into()));
        assert_eq!(levels("4..2"), Err("`4..2` holds no severity".into()));
    }
}
