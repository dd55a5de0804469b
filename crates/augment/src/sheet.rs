//! Contact sheets that show what a policy does: every operation at rising strength, then draws of
//! the whole policy.

use crate::autoaugment::AutoAugment;
use crate::corrupt::{Corruption, Severity, corrupt};
use crate::ctaugment::{Choice, CtAugment, CtOp};
use crate::image::Image;
use crate::levels::Variant;
use crate::op::{Op, OpName};
use crate::policy::{Policy, Step};
use crate::randaugment::RandAugment;
use crate::rng::Key;
use crate::scratch::Scratch;

/// An image and its caption.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The argument or the level.
    pub label: String,
    /// The image.
    pub image: Image,
}

/// One operation at rising strength, or a few draws.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetRow {
    /// The operation or the policy.
    pub name: String,
    /// From weak to strong, or draw by draw.
    pub cells: Vec<Cell>,
}

/// A row for each operation of each step at `columns` strengths, then as many rows of draws of the
/// whole policy as `draws` says. What is random is keyed by `seed`. Cutouts are shown in the
/// middle, and shifts and turns to the positive side.
///
/// ```
/// use augment::{image::Image, policy::Policy, sheet};
/// let policy: Policy = "fixmatch".parse().unwrap();
/// let rows = sheet::rows(&policy, &Image::filled(32, 32, 3, 90), 5, 2, 0);
/// assert_eq!(rows.len(), 1 + 14 + 1 + 2);
/// assert!(rows.iter().all(|row| row.cells.len() <= 5));
/// ```
pub fn rows(
    policy: &Policy,
    image: &Image,
    columns: usize,
    draws: usize,
    seed: u64,
) -> Vec<SheetRow> {
    let sheet = Sheet { image, columns: columns.max(1), seed };
    let mut rows: Vec<SheetRow> = policy.0.iter().flat_map(|step| sheet.of_step(step)).collect();
    rows.extend((0..draws).map(|row| sheet.draws("whole policy", policy, row)));
    rows
}

/// A row for each corruption, a cell for each severity.
pub fn corruptions(image: &Image, seed: u64) -> Vec<SheetRow> {
    let row = |&corruption: &Corruption| {
        let cell = |severity: Severity| {
            let mut rng = Key { seed, epoch: 0, index: 0, view: corruption as u64 }.rng();
            Cell {
                label: severity.to_string(),
                image: corrupt(image, corruption, severity, &mut rng),
            }
        };
        SheetRow { name: corruption.to_string(), cells: Severity::ALL.map(cell).into() }
    };
    Corruption::ALL.iter().map(row).collect()
}

struct Sheet<'a> {
    image: &'a Image,
    columns: usize,
    seed: u64,
}

impl Sheet<'_> {
    fn of_step(&self, step: &Step) -> Vec<SheetRow> {
        match step {
            Step::RandAugment(step) => self.randaugment(step),
            Step::AutoAugment(step) => self.autoaugment(step),
            Step::CtAugment(step) => self.ctaugment(step),
            step => vec![self.draws(step.kind(), &Policy(vec![step.clone()]), 0)],
        }
    }

    /// Strengths from the weakest to the strongest that the step draws.
    fn magnitudes(&self, least: f64, most: f64) -> Vec<f64> {
        let last = (self.columns - 1).max(1) as f64;
        (0..self.columns).map(|i| least + (most - least) * i as f64 / last).collect()
    }

    fn randaugment(&self, step: &RandAugment) -> Vec<SheetRow> {
        let most = step.magnitude.min(step.magnitude_max);
        let magnitudes: Vec<f64> = match step.variant {
            // Whole levels where the paper has them.
            Variant::Uda | Variant::Fixmatch | Variant::FixmatchPaper => {
                self.magnitudes(1.0, step.magnitude).iter().map(|m| m.round()).collect()
            }
            _ => self.magnitudes(0.0, most),
        };
        let names: Vec<OpName> = step.menu().collect();
        self.levels(step, &names, &magnitudes)
    }

    fn autoaugment(&self, step: &AutoAugment) -> Vec<SheetRow> {
        let mut names: Vec<OpName> = step.table.pairs().iter().flatten().map(|e| e.name).collect();
        names.sort();
        names.dedup();
        self.levels(&step.ops, &names, &self.magnitudes(0.0, 9.0))
    }

    fn levels(&self, step: &RandAugment, names: &[OpName], magnitudes: &[f64]) -> Vec<SheetRow> {
        let (width, height) = (self.image.width(), self.image.height());
        let center = [width / 2, height / 2];
        let row = |&name: &OpName| {
            let ops = magnitudes.iter().map(|&magnitude| {
                let op = step.op(name, magnitude, 1.0, center, width, height);
                (format!("{magnitude:.0}"), op)
            });
            self.row(name.to_string(), ops, |op, image, scratch| {
                step.apply_drawn([op], image, scratch);
            })
        };
        names.iter().map(row).collect()
    }

    fn ctaugment(&self, step: &CtAugment) -> Vec<SheetRow> {
        let (width, height) = (self.image.width(), self.image.height());
        let center = [width / 2, height / 2];
        let row = |&op: &CtOp| {
            let ops = (0..self.columns).map(|i| {
                let level = (i as f64 + 0.5) / self.columns as f64;
                let choice = Choice { op, levels: [level, level] };
                (format!("{level:.1}"), step.op(choice, center, width, height))
            });
            self.row(op.to_string(), ops, |op, image, scratch| op.apply(image, scratch))
        };
        CtOp::ALL.iter().map(row).collect()
    }

    /// An operation without arguments is shown once.
    fn row(
        &self,
        name: String,
        ops: impl Iterator<Item = (String, Op)>,
        apply: impl Fn(Op, &mut Image, &mut Scratch),
    ) -> SheetRow {
        let mut scratch = Scratch::new();
        let mut cells: Vec<Cell> = Vec::new();
        for (level, op) in ops {
            let argument = op.argument();
            if argument.is_empty() && !cells.is_empty() {
                break;
            }
            let mut image = self.image.clone();
            apply(op, &mut image, &mut scratch);
            let label =
                if argument.is_empty() { String::new() } else { format!("{level}: {argument}") };
            cells.push(Cell { label, image });
        }
        SheetRow { name, cells }
    }

    fn draws(&self, name: &str, policy: &Policy, row: usize) -> SheetRow {
        let cell = |column: usize| {
            let index = (row * self.columns + column) as u64;
            let mut rng = Key { seed: self.seed, epoch: 0, index, view: 0 }.rng();
            let image = policy.apply(self.image.clone(), &mut rng);
            Cell { label: format!("draw {}", index + 1), image }
        };
        SheetRow { name: name.to_owned(), cells: (0..self.columns).map(cell).collect() }
    }
}
