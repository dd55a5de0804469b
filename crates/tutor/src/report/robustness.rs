//! How teacher and student stand corrupted and shifted images: accuracy for each corruption and
//! severity, flip rates along sequences of small changes, and their summaries relative to the teacher.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// Robustness of two models, the student measured against the teacher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Robustness {
    /// Name of the row of the teacher.
    pub(crate) teacher: String,
    /// Name of the row of the student.
    pub(crate) student: String,
    /// What was measured on and how, in words (which images, how many, mean over which seeds).
    #[serde(default)]
    pub(crate) setting: String,
    /// Accuracy under each corruption.
    pub(crate) corruptions: Vec<Corruption>,
    /// Mean corruption error of the student relative to the teacher, in percent: 100 is as good as
    /// the teacher, less is better (Hendrycks & Dietterich 2019, with the teacher in the place of
    /// AlexNet). Taken over corruptions under which the teacher errs at all; `null` if there is none.
    pub(crate) mce: Option<f64>,
    /// Flip rates along each kind of sequence.
    pub(crate) perturbations: Vec<Perturbation>,
    /// Mean flip rate of the student relative to the teacher, in percent, likewise.
    pub(crate) mfr: Option<f64>,
}

/// Accuracy (percent) under one corruption, from the mildest severity to the strongest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Corruption {
    /// Its name, such as `gaussian_noise`.
    pub(crate) name: String,
    /// The teacher's accuracy at each severity.
    pub(crate) teacher: Vec<f64>,
    /// The student's accuracy at each severity.
    pub(crate) student: Vec<f64>,
}

impl Corruption {
    /// CE: the student's summed error over the teacher's, in percent; `None` if the teacher never errs.
    pub(crate) fn relative_error(&self) -> Option<f64> {
        let error = |accuracy: &[f64]| accuracy.iter().map(|a| 100.0 - a).sum::<f64>();
        ratio(error(&self.student), error(&self.teacher))
    }
}

/// Flip rates (percent of neighbouring frames that get different labels) along one kind of sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Perturbation {
    /// Its name, such as `translate`.
    pub(crate) name: String,
    /// The teacher's flip rate.
    pub(crate) teacher: f64,
    /// The student's flip rate.
    pub(crate) student: f64,
}

impl Perturbation {
    /// FR: the student's flip rate over the teacher's, in percent; `None` if the teacher never flips.
    pub(crate) fn relative_rate(&self) -> Option<f64> {
        ratio(self.student, self.teacher)
    }
}

impl Robustness {
    /// Gathers the measurements and takes mCE and mFR.
    ///
    /// # Errors
    /// When a corruption has no severities, differently many for teacher and student, or a value is
    /// outside 0..=100.
    pub(crate) fn new(
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
        Ok(Self {
            teacher: teacher.into(),
            student: student.into(),
            setting: String::new(),
            mce: mean_of(corruptions.iter().filter_map(Corruption::relative_error)),
            corruptions,
            mfr: mean_of(perturbations.iter().filter_map(Perturbation::relative_rate)),
            perturbations,
        })
    }

    /// The same measurements with a sentence on how they were made.
    pub(crate) fn setting(mut self, setting: impl Into<String>) -> Self {
        self.setting = setting.into();
        self
    }

    /// The largest number of severities of any corruption.
    pub(crate) fn severities(&self) -> usize {
        self.corruptions.iter().map(|c| c.teacher.len()).max().unwrap_or(0)
    }
}

fn percentages<'a>(name: &str, values: impl IntoIterator<Item = &'a f64>) -> Result<()> {
    for v in values {
        ensure!((0.0..=100.0).contains(v), "`{name}` holds {v}, which is no percentage");
    }
    Ok(())
}

fn ratio(student: f64, teacher: f64) -> Option<f64> {
    (teacher > 0.0).then(|| 100.0 * student / teacher)
}

fn mean_of(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| super::stats::mean(&values))
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
        assert_eq!(r.mce, Some(100.0));
        assert_eq!(r.mfr, Some(25.0));
        assert_eq!(r.corruptions[2].relative_error(), None);
        assert_eq!(r.severities(), 2);
    }

    #[test]
    fn misshapen_measurements_are_refused() {
        let uneven = corruption("noise", &[90.0], &[95.0, 75.0]);
        assert!(Robustness::new("t", "s", vec![uneven], vec![]).is_err());
        let wild = corruption("noise", &[90.0], &[195.0]);
        let error = Robustness::new("t", "s", vec![wild], vec![]).unwrap_err().to_string();
        assert!(error.contains("noise") && error.contains("195"), "{error}");
    }
}
