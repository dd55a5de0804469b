//! `tutor show`: what augmentation does, as one picture; which tokens a discriminator suspects.

use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use augment::crop::CenterCrop;
use augment::image::Image;
use augment::policy::Policy;
use augment::scratch::Scratch;
use augment::sheet::{self, SheetRow};
use data_pipeline::dataset::{Samples, digits};
use data_pipeline::picture::{Decode, Decoded, Depth, Notice, Notices, write_png};

use super::skip_bad::bad_image;
use super::{ranges, say};
use crate::recipe::catalog;
use crate::run::note::note;

mod canvas;
mod replaced;
mod scene;

/// What is shown.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Draw a policy: each operation at rising strength, then samples of the whole policy
    Augment {
        /// Policy: a name (`fixmatch`, `rand-m9-n3`), steps as JSON, a .json file, a recipe (its
        /// student's policy), or a .toml file with `policy = ...`. Without it, the names are listed
        #[arg(long)]
        policy: Option<String>,
        /// Columns: strengths per operation, and samples per row
        #[arg(long, default_value_t = 6, value_parser = ranges::count::<usize>)]
        columns: usize,
        /// Rows of samples of the whole policy
        #[arg(long, default_value_t = 2, value_parser = ranges::count::<usize>)]
        draws: usize,
        #[command(flatten)]
        common: Common,
    },
    /// Mark the tokens of a text that ELECTRA's discriminator takes for replaced
    Replaced(replaced::Args),
    /// Draw the corruptions of ImageNet-C, the extra ones and ours, at five severities
    Corruptions {
        #[command(flatten)]
        common: Common,
    },
}

#[derive(clap::Args)]
struct Common {
    /// Images to use; by default a made-up scene and a digit
    images: Vec<PathBuf>,
    /// PNG file to write; by default `sheet.png`, which must not exist
    #[arg(long)]
    out: Option<PathBuf>,
    /// Seed of the random samples
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Augment { policy: None, .. } => {
            for named in augment::named::NAMED {
                say(&format!("{:20} {}", named.name, named.about))?;
            }
            say(&format!("{:20} FixMatch's N operations of magnitude M, cutout of C %", "rN_M_C"))?;
            for name in ["rand-m9-n3-mstd0.5-inc1", "augmix-m5-w4-d2", "original-mstd0.5", "v0"] {
                say(&format!("{name:24} timm's language"))?;
            }
            Ok(())
        }
        What::Augment { policy: Some(text), columns, draws, common } => {
            let policy = policy(text)?;
            policy.check()?;
            say(&policy.to_string())?;
            let sheet = |image: &Image| sheet::rows(&policy, image, *columns, *draws, common.seed);
            let rows = draw(common, 32, &sheet)?;
            // The same in words, of the first image.
            for row in rows.iter().take(rows.len().saturating_sub(*draws)) {
                let labels: Vec<&str> = row.cells.iter().map(|cell| cell.label.as_str()).collect();
                say(&format!("  {:14} {}", row.name, labels.join("   ")))?;
            }
            Ok(())
        }
        What::Replaced(args) => replaced::run(args),
        What::Corruptions { common } => {
            // Large enough for the constants of ImageNet-C.
            draw(common, 128, &|image| sheet::corruptions(image, common.seed)).map(drop)
        }
    }
}

/// Draws the sheet of every image, by default of a scene of `side` pixels and a digit; gives the
/// rows of the first.
fn draw(
    common: &Common,
    side: usize,
    sheet: &dyn Fn(&Image) -> Vec<SheetRow>,
) -> Result<Vec<SheetRow>> {
    let out = super::out_file(common.out.as_deref(), "sheet.png")?;
    let is_png = out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
    ensure!(is_png, "{}: the picture is a PNG file, whose name must end in .png", out.display());
    let images = images(&common.images, side)?;
    let sheets: Vec<(String, Image, Vec<SheetRow>)> = images
        .into_iter()
        .map(|(name, image)| {
            let rows = sheet(&image);
            (name, image, rows)
        })
        .collect();
    write_png(&out, &canvas::draw(&sheets))?;
    say(&format!("drawn: {}", out.display()))?;
    Ok(sheets.into_iter().next().map(|(_, _, rows)| rows).unwrap_or_default())
}

/// The images by name. Large ones are cut to their middle, as a network sees them.
fn images(paths: &[PathBuf], side: usize) -> Result<Vec<(String, Image)>> {
    if paths.is_empty() {
        let (scene, digit) = (scene::scene(side), digits::load().item(3)?);
        return Ok(vec![
            (format!("a made-up scene, {side}x{side}"), scene),
            ("a digit, 8x8".into(), digit),
        ]);
    }
    let decoded = |decode: Decode| {
        let one = |path: &PathBuf| {
            ensure!(!path.is_dir(), "{}: this is a folder; name images", path.display());
            let decoded = decode.describe_file(path).map_err(Error::from);
            decoded.map_err(|error| match bad_image(&error) {
                Some(fault) => anyhow!("{fault}; name another image"),
                None => error,
            })
        };
        paths.iter().map(one).collect::<Result<Vec<Decoded>>>()
    };
    // As `tutor fit` takes them, upright.
    let upright = Decode { orient: true, ..Decode::default() };
    let mut images = decoded(upright)?;
    let used = images.iter().flat_map(|image| &image.noticed).filter_map(|notice| match notice {
        Notice::Deep { used, .. } => Some(*used),
        _ => None,
    });
    let depth = Depth::of_used(used.max());
    if depth != Depth::default() {
        images = decoded(Decode { depth, ..upright })?;
    }
    let mut noticed = Notices::default();
    images.iter().for_each(|image| noticed.add(&image.noticed));
    noticed.lines().for_each(|line| note(&line));
    let one = |(path, Decoded { mut image, .. }): (&PathBuf, Decoded)| {
        if image.width().min(image.height()) > 256 {
            CenterCrop::default().apply(&mut image, &mut Scratch::new());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name, image)
    };
    Ok(paths.iter().zip(images).map(one).collect())
}

/// A policy by name, as JSON, or out of a file or recipe.
fn policy(text: &str) -> Result<Policy> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).context("the steps of a policy as JSON");
    }
    if text.ends_with(".json") {
        let json = std::fs::read_to_string(text).with_context(|| format!("cannot read {text}"))?;
        return serde_json::from_str(&json).with_context(|| text.to_owned());
    }
    let is_file = text.ends_with(".toml") && Path::new(text).exists();
    if is_file || text.contains('/') {
        let recipe = catalog::find(text, false)?;
        let table: toml::Table = toml::from_str(&recipe).with_context(|| text.to_owned())?;
        let student = table.get("student").and_then(|student| student.get("augment"));
        let Some(value) = table.get("policy").or(student) else {
            bail!("{text}: there is neither `policy` nor `student.augment` in it");
        };
        return value.clone().try_into().with_context(|| text.to_owned());
    }
    Ok(text.parse::<Policy>()?)
}
