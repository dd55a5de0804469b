//! `tutor data`: downloading and verifying data sets.

use std::path::PathBuf;

use anyhow::Result;
use data_pipeline::fetch;

/// What to do with which data set.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Download a data set from its official source; started again, it goes on where it was.
    Fetch {
        /// `cifar10`, `svhn`, `svhn-extra` or `mnist`.
        name: String,
        /// Where it goes.
        #[arg(default_value = "data", env = "TUTOR_DATA")]
        dir: PathBuf,
    },
    /// Compare the files of a data set with the official checksums.
    Verify {
        /// `cifar10`, `svhn`, `svhn-extra` or `mnist`.
        name: String,
        /// Where it is.
        #[arg(default_value = "data", env = "TUTOR_DATA")]
        dir: PathBuf,
    },
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.action {
        Action::Fetch { name, dir } => {
            let source = fetch::Source::by_name(name)?;
            fetch::fetch(&source, dir)?;
            println!("{name} is complete in {}", dir.display());
        }
        Action::Verify { name, dir } => {
            fetch::verify(&fetch::Source::by_name(name)?, dir)?;
            println!("{name} in {} is as published", dir.display());
        }
    }
    Ok(())
}
