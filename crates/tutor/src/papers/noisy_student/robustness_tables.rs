//! Robustness of a student relative to its teacher: accuracy under each corruption and severity,
//! flip rates along sequences of small changes, mCE and mFR, and the section of a report that shows
//! them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use augment::robustness::{Errors, mce, mfr};
use metrics::stats;
use report::words::{NONE, number};
use report::{Block, Line, LinePlot, Point, Section, Table, XAxis};
use serde::{Deserialize, Serialize};

/// Robustness of two models, the student measured against the teacher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Robustness {
    /// Name of the row of the teacher.
    pub(super) teacher: String,
    /// Name of the row of the student.
    pub(super) student: String,
    /// What was measured on and how, in words (which images, how many, mean over which seeds).
    #[serde(default)]
    pub(super) setting: String,
    /// Accuracy under each corruption.
    pub(super) corruptions: Vec<Corruption>,
    /// Mean corruption error of the student relative to the teacher, in percent: 100 is as good as
    /// the teacher, less is better (Hendrycks & Dietterich 2019, with the teacher in the place of
    /// AlexNet). Taken over corruptions under which the teacher errs at all; `null` if there is
    /// none.
    pub(super) mce: Option<f64>,
    /// Flip rates along each kind of sequence.
    pub(super) perturbations: Vec<Perturbation>,
    /// Mean flip rate of the student relative to the teacher, in percent, likewise.
    pub(super) mfr: Option<f64>,
}

/// Accuracy (percent) under one corruption, from the mildest severity to the strongest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Corruption {
    /// Its name, such as `gaussian_noise`.
    pub(super) name: String,
    /// The teacher's accuracy at each severity.
    pub(super) teacher: Vec<f64>,
    /// The student's accuracy at each severity.
    pub(super) student: Vec<f64>,
}

impl Corruption {
    /// CE: the student's summed error over the teacher's, in percent; `None` if the teacher never
    /// errs.
    pub(super) fn relative_error(&self) -> Option<f64> {
        // One entry that both sides have: a teacher without an error is all that can go wrong.
        let [teacher, student] = errors(&[self]);
        mce(&student, &teacher).ok()
    }
}

/// Flip rates (percent of neighbouring frames that get different labels) along one kind of
/// sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Perturbation {
    /// Its name, such as `translate`.
    pub(super) name: String,
    /// The teacher's flip rate.
    pub(super) teacher: f64,
    /// The student's flip rate.
    pub(super) student: f64,
}

impl Perturbation {
    /// FR: the student's flip rate over the teacher's, in percent; `None` if the teacher never
    /// flips.
    pub(super) fn relative_rate(&self) -> Option<f64> {
        let [teacher, student] = flips(&[self]);
        mfr(&student, &teacher).ok()
    }
}

impl Robustness {
    /// Gathers the measurements and takes mCE and mFR.
    ///
    /// # Errors
    /// When a corruption has no severities or differently many for teacher and student, a name
    /// comes twice, or a value is outside 0..=100.
    pub(super) fn new(
        teacher: impl Into<String>,
        student: impl Into<String>,
        corruptions: Vec<Corruption>,
        perturbations: Vec<Perturbation>,
    ) -> Result<Self> {
        for c in &corruptions {
            let (t, s) = (c.teacher.len(), c.student.len());
            ensure!(t == s && t > 0, "corruption `{}`: {t} severities and {s}", c.name);
            percentages(&c.name, c.teacher.iter().chain(&c.student))?;
        }
        for p in &perturbations {
            percentages(&p.name, [&p.teacher, &p.student])?;
        }
        distinct(corruptions.iter().map(|c| c.name.as_str()))?;
        distinct(perturbations.iter().map(|p| p.name.as_str()))?;
        // Without a ratio there is nothing to average, so those entries are taken out before.
        let erring: Vec<_> = corruptions.iter().filter(|c| c.relative_error().is_some()).collect();
        let [theirs, ours] = errors(&erring);
        let mce = (!erring.is_empty()).then(|| mce(&ours, &theirs)).transpose()?;
        let flipping: Vec<_> =
            perturbations.iter().filter(|p| p.relative_rate().is_some()).collect();
        let [theirs, ours] = flips(&flipping);
        let mfr = (!flipping.is_empty()).then(|| mfr(&ours, &theirs)).transpose()?;
        Ok(Self {
            teacher: teacher.into(),
            student: student.into(),
            setting: String::new(),
            mce,
            corruptions,
            mfr,
            perturbations,
        })
    }

    /// The same measurements with a sentence on how they were made.
    pub(super) fn setting(mut self, setting: impl Into<String>) -> Self {
        self.setting = setting.into();
        self
    }

    /// A sentence on how many entries mCE and mFR leave out because the teacher never errs or flips
    /// there; `None` when they leave out none.
    pub(super) fn left_out(&self) -> Option<String> {
        let corruptions = self.corruptions.iter().filter(|c| c.relative_error().is_none()).count();
        let sequences = self.perturbations.iter().filter(|p| p.relative_rate().is_none()).count();
        let of = |left: usize, all: usize, what: &str, never: &str| {
            (left > 0).then(|| format!("{left} of {all} {what}, where the teacher never {never}"))
        };
        let parts: Vec<String> = [
            of(corruptions, self.corruptions.len(), "corruptions", "errs"),
            of(sequences, self.perturbations.len(), "sequences", "flips"),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| format!("Left out of the means: {}.", parts.join("; ")))
    }
}

/// Accuracy under corruption and flip rates, teacher against student.
pub(super) fn robustness(measured: &Robustness) -> Section {
    let summary = |name: &str, value: Option<f64>| {
        value.map(|v| format!("{name} {v:.1}. ")).unwrap_or_default()
    };
    let text = format!(
        "{}{}Both are relative to {}: 100 is as robust, less is better. {}",
        summary("Mean corruption error (mCE)", measured.mce),
        summary("Mean flip rate (mFR)", measured.mfr),
        measured.teacher,
        measured.left_out().unwrap_or_default()
    );
    let about = format!("{} → {}. {}", measured.teacher, measured.student, measured.setting);
    let mut section = Section::new("robustness", "Robustness")
        .with(Block::Text(about.trim().into()))
        .with(Block::Text(text.trim().into()));
    if !measured.corruptions.is_empty() {
        let plots = measured.corruptions.iter().map(|c| severities(measured, c)).collect();
        section = section
            .with(Block::Heading("Accuracy under corruption, %".into()))
            .with(Block::Panels(plots))
            .with(Block::Table(corruptions(measured)));
    }
    if !measured.perturbations.is_empty() {
        section = section
            .with(Block::Heading("Flip rates along sequences of small changes".into()))
            .with(Block::Table(flip_rates(measured)));
    }
    section
}

/// Accuracy of both over the severities of one corruption.
fn severities(measured: &Robustness, corruption: &Corruption) -> LinePlot {
    let line = |name: &str, accuracies: &[f64]| Line {
        name: name.into(),
        points: accuracies
            .iter()
            .enumerate()
            .map(|(i, accuracy)| Point { x: i as f64, y: *accuracy, interval: None })
            .collect(),
    };
    LinePlot {
        title: corruption.name.replace('_', " "),
        x_label: "severity".into(),
        y_label: "accuracy, %".into(),
        ticks: XAxis::Categories((1..=corruption.teacher.len()).map(|s| s.to_string()).collect()),
        lines: vec![
            line(&measured.teacher, &corruption.teacher),
            line(&measured.student, &corruption.student),
        ],
    }
}

/// Accuracy under corruptions, `teacher → student` at each severity, and the student's relative
/// error.
fn corruptions(measured: &Robustness) -> Table {
    let severities = measured.corruptions.iter().map(|c| c.teacher.len()).max().unwrap_or(0);
    let mut table = Table::new(["corruption"]);
    table.header.extend((1..=severities).map(|s| format!("severity {s}")));
    table.header.extend(["mean".into(), "error relative to teacher, %".into()]);
    let pair = |t: f64, s: f64| format!("{t:.1} → {s:.1}");
    for c in &measured.corruptions {
        let mut cells = vec![c.name.replace('_', " ")];
        cells.extend(c.teacher.iter().zip(&c.student).map(|(t, s)| pair(*t, *s)));
        cells.resize(1 + severities, NONE.into());
        let means = stats::mean(&c.teacher).zip(stats::mean(&c.student));
        cells.push(means.map_or(NONE.into(), |(t, s)| pair(t, s)));
        cells.push(optional(c.relative_error()));
        table.rows.push(cells);
    }
    // The mean over corruptions at one severity, where all of them have it.
    let mean_at = |at: &dyn Fn(&[f64]) -> Option<f64>, of: fn(&Corruption) -> &[f64]| {
        let values: Option<Vec<f64>> = measured.corruptions.iter().map(|c| at(of(c))).collect();
        values.and_then(|v| stats::mean(&v))
    };
    let pair_of = |at: &dyn Fn(&[f64]) -> Option<f64>| {
        let (t, s) = (mean_at(at, |c| &c.teacher), mean_at(at, |c| &c.student));
        t.zip(s).map_or(NONE.into(), |(t, s)| pair(t, s))
    };
    let mut last = vec!["mean (mCE)".to_owned()];
    last.extend((0..severities).map(|i| pair_of(&|values| values.get(i).copied())));
    last.extend([pair_of(&stats::mean), optional(measured.mce)]);
    table.rows.push(last);
    table.summary = true;
    table
}

/// Flip rates along sequences of small changes.
fn flip_rates(measured: &Robustness) -> Table {
    let mut table =
        Table::new(["sequence", "teacher flips, %", "student flips, %", "relative to teacher, %"]);
    for p in &measured.perturbations {
        table.rows.push(vec![
            p.name.replace('_', " "),
            number(p.teacher, "%"),
            number(p.student, "%"),
            optional(p.relative_rate()),
        ]);
    }
    let mean = |of: fn(&Perturbation) -> f64| {
        let rates: Vec<f64> = measured.perturbations.iter().map(of).collect();
        stats::mean(&rates).map_or(NONE.into(), |mean| number(mean, "%"))
    };
    let summary = optional(measured.mfr);
    table.rows.push(vec!["mean (mFR)".into(), mean(|p| p.teacher), mean(|p| p.student), summary]);
    table.summary = true;
    table
}

fn optional(percent: Option<f64>) -> String {
    percent.map_or(NONE.into(), |v| format!("{v:.1}"))
}

fn percentages<'a>(name: &str, values: impl IntoIterator<Item = &'a f64>) -> Result<()> {
    for v in values {
        ensure!((0.0..=100.0).contains(v), "`{name}` holds {v}, which is no percentage");
    }
    Ok(())
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        ensure!(seen.insert(name), "`{name}` was measured twice");
    }
    Ok(())
}

/// The errors of teacher and student, as fractions by name.
fn errors(corruptions: &[&Corruption]) -> [Errors; 2] {
    let table = |of: fn(&Corruption) -> &[f64]| {
        let error = |accuracy: &f64| (100.0 - accuracy) / 100.0;
        let entry = |c: &&Corruption| (c.name.clone(), of(c).iter().map(error).collect());
        Errors { corrupted: corruptions.iter().map(entry).collect(), ..Errors::default() }
    };
    [table(|c| &c.teacher), table(|c| &c.student)]
}

/// The flip rates of teacher and student, as fractions by name.
fn flips(perturbations: &[&Perturbation]) -> [BTreeMap<String, f64>; 2] {
    let table = |of: fn(&Perturbation) -> f64| {
        perturbations.iter().map(|p| (p.name.clone(), of(p) / 100.0)).collect()
    };
    [table(|p| p.teacher), table(|p| p.student)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corruption(name: &str, teacher: &[f64], student: &[f64]) -> Corruption {
        Corruption { name: name.into(), teacher: teacher.to_vec(), student: student.to_vec() }
    }

    #[test]
    fn summaries_are_means_of_ratios_of_sums() {
        let noise = corruption("noise", &[90.0, 70.0], &[95.0, 75.0]); // 30 / 40
        let blur = corruption("blur", &[80.0, 80.0], &[70.0, 80.0]); // 50 / 40
        let never = corruption("never", &[100.0, 100.0], &[99.0, 100.0]); // no ratio
        let shift = Perturbation { name: "shift".into(), teacher: 4.0, student: 1.0 };
        let still = Perturbation { name: "still".into(), teacher: 0.0, student: 0.0 };
        let r = Robustness::new("t", "s", vec![noise, blur, never], vec![shift, still]).unwrap();
        let close = |got: Option<f64>, want: f64| assert!((got.unwrap() - want).abs() < 1e-9);
        close(r.mce, 100.0);
        close(r.mfr, 25.0);
        close(r.corruptions[0].relative_error(), 75.0);
        assert_eq!(r.corruptions[2].relative_error(), None);
        assert_eq!(
            r.left_out().unwrap(),
            "Left out of the means: 1 of 3 corruptions, where the teacher never errs; \
             1 of 2 sequences, where the teacher never flips."
        );
        let section = robustness(&r);
        let tables = section.blocks.iter().filter_map(|b| match b {
            Block::Table(table) => table.rows.last(),
            _ => None,
        });
        let last: Vec<_> = tables.cloned().collect();
        assert_eq!(last[0][0], "mean (mCE)");
        assert_eq!(
            last[0][1..],
            ["90.0 → 88.0".into(), "83.3 → 85.0".into(), "86.7 → 86.5".into(), "100.0".to_owned()]
        );
        assert_eq!(last[1], ["mean (mFR)", "2.00", "0.50", "25.0"]);
    }

    #[test]
    fn a_teacher_that_never_errs_leaves_nothing_to_average() {
        let never = corruption("never", &[100.0], &[99.0]);
        let r = Robustness::new("t", "s", vec![never], vec![]).unwrap();
        assert_eq!((r.mce, r.mfr), (None, None));
        let errs = corruption("noise", &[90.0], &[95.0]);
        assert_eq!(Robustness::new("t", "s", vec![errs], vec![]).unwrap().left_out(), None);
    }

    #[test]
    fn misshapen_measurements_are_refused() {
        let uneven = corruption("noise", &[90.0], &[95.0, 75.0]);
        assert!(Robustness::new("t", "s", vec![uneven], vec![]).is_err());
        let wild = corruption("noise", &[90.0], &[195.0]);
        let error = Robustness::new("t", "s", vec![wild], vec![]).unwrap_err().to_string();
        assert!(error.contains("noise") && error.contains("195"), "{error}");
        let twice = || corruption("noise", &[90.0], &[95.0]);
        let error = Robustness::new("t", "s", vec![twice(), twice()], vec![]).unwrap_err();
        assert!(error.to_string().contains("`noise` was measured twice"), "{error}");
    }
}
