//! The names of timm's policies, as its version 1.0.9 reads them (`timm/data/auto_augment.py`).

use crate::augmix::AugMix;
use crate::autoaugment::{AutoAugment, Table};
use crate::levels::Variant;
use crate::op::OpName;
use crate::policy::{Policy, Step};
use crate::randaugment::{Draw, RandAugment, Weights};

/// A part of a name that is not understood, and what parts there are.
pub(super) struct Stranger {
    pub(super) part: String,
    pub(super) known: &'static str,
}

const RAND: &str = "parts are m9 (magnitude), n3 (operations), p0.5 (probability), mstd0.5 (noise; above 100 \
                    uniform), mmax20, inc1 (any number: on), tweights, t3a, t3aw";
const REMOVED: &str = "timm has removed its weights `w0`; those that it has now are `tweights`";
const AUGMIX: &str = "parts are m3 (magnitude), w3 (chains), d2 (operations of a chain), a1 (shape of the shares), \
                      mstd0.5 (noise; uniform without it), b1 (chains blended one by one; any number: on)";
const AUTO: &str = "the only part is mstd0.5 (noise on the levels)";

/// The parts of a name: `m` and `9` of `m9`.
fn parts<'p>(
    text: &'p str,
    known: &'static str,
) -> impl Iterator<Item = Result<(&'p str, f64, &'p str), Stranger>> {
    text.split('-').filter(move |_| !text.is_empty()).map(move |part| {
        let split = part.find(|c: char| c.is_ascii_digit());
        let split = split.ok_or_else(|| wrong(part, known))?;
        let (key, number) = part.split_at(split);
        Ok((key, number.parse().map_err(|_| wrong(part, known))?, part))
    })
}

fn wrong(part: &str, known: &'static str) -> Stranger {
    Stranger { part: part.to_owned(), known }
}

/// A number of things.
fn count(number: f64) -> Option<usize> {
    (number.fract() == 0.0 && number < 1e6).then_some(number as usize)
}

/// `rand-m9-n3-mstd0.5-inc1`.
pub(super) fn randaugment(text: &str) -> Result<Policy, Stranger> {
    let mut policy = RandAugment::of(Variant::Timm);
    let (sets, numbers): (Vec<&str>, Vec<&str>) =
        text.split('-').filter(|part| !part.is_empty()).partition(|part| part.starts_with('t'));
    // Of several the first counts.
    match sets.first() {
        None => {}
        // The operations of these sets are all increasing.
        Some(&"tweights") => (policy.weights, policy.weakening) = (Weights::Timm, false),
        Some(&"t3a") => (policy.weights, policy.weakening) = (Weights::Timm3a, false),
        Some(&"t3aw") => (policy.weights, policy.weakening) = (Weights::Timm3aw, false),
        // Any other word is timm's default.
        Some(_) => {}
    }
    for part in numbers.iter().flat_map(|part| parts(part, RAND)) {
        let (key, number, part) = part?;
        match key {
            "m" => policy.magnitude = number,
            "n" => policy.ops = count(number).ok_or_else(|| wrong(part, RAND))?,
            "p" => policy.probability = number,
            "mstd" if number > 100.0 => policy.draw = Draw::Uniform,
            "mstd" => policy.magnitude_std = number,
            "mmax" => policy.magnitude_max = number,
            // `bool` of a string that is not empty: `inc0` too.
            "inc" => policy.weakening = false,
            "w" => return Err(wrong(part, REMOVED)),
            _ => return Err(wrong(part, RAND)),
        }
    }
    Ok(Step::RandAugment(policy).into())
}

/// `augmix-m5-w4-d2`.
pub(super) fn augmix(text: &str) -> Result<Policy, Stranger> {
    let mut ops = RandAugment {
        magnitude: 3.0,
        draw: Draw::Uniform,
        probability: 1.0,
        weakening: false,
        exclude: vec![OpName::Invert, OpName::SolarizeAdd],
        ..RandAugment::of(Variant::Timm)
    };
    let mut policy = AugMix::default();
    for part in parts(text, AUGMIX) {
        let (key, number, part) = part?;
        let whole = || count(number).ok_or_else(|| wrong(part, AUGMIX));
        match key {
            "m" => ops.magnitude = number,
            "w" => policy.width = whole()?,
            "d" => policy.depth = Some(whole()?).filter(|depth| *depth > 0),
            "a" => policy.alpha = number,
            "mstd" => (ops.draw, ops.magnitude_std) = (Draw::Fixed, number),
            // `bool` of a string that is not empty, as above.
            "b" => policy.blended = true,
            _ => return Err(wrong(part, AUGMIX)),
        }
    }
    Ok(Step::AugMix(AugMix { ops: Some(ops), ..policy }).into())
}

/// The table of AutoAugment that a name begins with.
pub(super) fn table(first: &str) -> Option<Table> {
    [Table::V0, Table::V0r, Table::Original, Table::Originalr, Table::Three]
        .into_iter()
        .find(|table| table.to_string() == first)
}

/// `original-mstd0.5`.
pub(super) fn autoaugment(table: Table, text: &str) -> Result<Policy, Stranger> {
    let mut policy = AutoAugment::of(table);
    for part in parts(text, AUTO) {
        match part? {
            ("mstd", number, _) => policy.ops.magnitude_std = number,
            (_, _, part) => return Err(wrong(part, AUTO)),
        }
    }
    Ok(Step::AutoAugment(policy).into())
}
