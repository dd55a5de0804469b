//! `tutor parity`: what a device computes beside what the CPU computes, unit by unit and network by
//! network.

mod case;
mod layers;
mod methods;
mod networks;
mod rest;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use serde::Serialize;
use torch::Device;
use torch::device::{describe, libtorch_version, select};
use torch::precision::Precision;

use super::stdout::say;
use crate::run::files;
use case::{Case, Compared};

/// The device that is checked.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Device to compare with the CPU's float32: `cuda`, `cuda:N`, or `cpu` (its bfloat16 only).
    #[arg(long, default_value = "cuda")]
    device: String,
    /// Also write the results to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Compare only what has TEXT in its name.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// What the file says.
#[derive(Serialize)]
struct Found<'a> {
    libtorch: String,
    device: String,
    cpu: String,
    agrees: bool,
    compared: &'a [Compared],
    /// What is not compared on this device.
    left_out: &'a [LeftOut],
}

/// Something that is not compared in a precision, and why.
#[derive(Serialize)]
struct LeftOut {
    name: String,
    precision: Precision,
    why: &'static str,
}

/// All there is to compare.
fn cases() -> Vec<Case> {
    let units = layers::cases().into_iter().chain(rest::cases());
    units.chain(networks::cases()).chain(methods::cases()).collect()
}

/// Compares, prints a table, and fails where a device computes something else.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(path) = &args.json {
        super::check_folder(path, "--json")?;
    }
    let device = select(&args.device)?;
    let asked = |case: &Case| args.only.as_ref().is_none_or(|text| case.name.contains(text));
    let cases: Vec<Case> = cases().into_iter().filter(asked).collect();
    ensure!(!cases.is_empty(), "--only: nothing that is compared has this in its name");
    let about = Found {
        libtorch: libtorch_version(),
        device: describe(device),
        cpu: describe(Device::Cpu),
        agrees: false,
        compared: &[],
        left_out: &[],
    };
    say(&format!(
        "{} beside float32 of the {}, libtorch {}",
        about.device, about.cpu, about.libtorch
    ))?;
    say(&format!("{:<44} {:>9} {:>12} {:>9}", "", "precision", "difference", "allowed"))?;
    let (mut compared, mut left_out) = (Vec::new(), Vec::new());
    for case in &cases {
        for precision in precisions(device) {
            if let Some(why) = case.left_out(precision) {
                say(&format!("{:<44} {:>9} not compared: {why}", case.name, told(precision)))?;
                left_out.push(LeftOut { name: case.name.clone(), precision, why });
                continue;
            }
            let Some(found) = case.compare(device, precision) else { continue };
            let mark = if found.agrees { "" } else { "  differs" };
            let (difference, allowed) = (found.difference, found.allowed);
            let (precision, name) = (told(precision), &case.name);
            say(&format!("{name:<44} {precision:>9} {difference:>12.1e} {allowed:>9.1e}{mark}"))?;
            compared.push(found);
        }
    }
    let differ: Vec<&str> =
        compared.iter().filter(|found| !found.agrees).map(|found| found.name.as_str()).collect();
    if let Some(path) = &args.json {
        let agrees = differ.is_empty();
        let found = Found { agrees, compared: &compared, left_out: &left_out, ..about };
        files::keep(path, &found)?;
    }
    if !differ.is_empty() {
        bail!("{} of {} differ: {}", differ.len(), compared.len(), differ.join(", "));
    }
    say(&format!("{} comparisons, all within what is allowed", compared.len()))?;
    Ok(())
}

/// A precision's name.
fn told(precision: Precision) -> String {
    format!("{precision:?}").to_lowercase()
}

/// The CPU's float32 is what others are compared with.
fn precisions(device: Device) -> Vec<Precision> {
    match device {
        Device::Cpu => vec![Precision::Bfloat16],
        _ => vec![Precision::Float32, Precision::Bfloat16],
    }
}
