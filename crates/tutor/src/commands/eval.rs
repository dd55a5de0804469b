//! `tutor eval`: scores a network on a folder with a sub-folder for each class.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::assemble::{Pool, Set};
use crate::finished::{Finished, Which};
use crate::report::stats;

/// Which network is scored on which images.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// A folder with a sub-folder for each class, named as in training.
    images: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let finished = Finished::load(&args.which)?;
    let set: Set = Arc::new(finished.open(&args.images, true)?);
    let pool = Pool::all(set);
    let predictions = finished.predict(&pool)?;
    let truth = pool.labels();
    let accuracy = predictions.accuracy(&truth).context("no image has a label")?;
    let images = truth.iter().flatten().count();
    println!("{}", finished.about);
    print!("accuracy {accuracy:.2} % of {images} images");
    match stats::wilson(accuracy / 100.0, images as u64) {
        Some([low, high]) => {
            println!(" (95 % interval {:.2} to {:.2} %)", 100.0 * low, 100.0 * high)
        }
        None => println!(),
    }
    let confusion = predictions.confusion(&truth);
    let recalls = confusion.iter().enumerate().filter_map(|(class, row)| {
        let all: u64 = row.iter().sum();
        (all > 0).then(|| (class, 100.0 * row[class] as f64 / all as f64, all))
    });
    let recalls: Vec<_> = recalls.collect();
    let balanced = recalls.iter().map(|(_, recall, _)| recall).sum::<f64>() / recalls.len() as f64;
    println!("balanced accuracy {balanced:.2} %");
    for (class, recall, all) in recalls {
        println!("  {:24} {recall:6.2} % of {all}", finished.input.classes[class]);
    }
    Ok(())
}
