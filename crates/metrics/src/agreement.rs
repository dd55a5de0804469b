//! Matthews correlation, precision, recall and F1 of classes.

use crate::confusion::Confusion;
use crate::score::Score;
use crate::stats::mean;
use crate::words::counted;

impl Confusion {
    /// The Matthews correlation of truth and prediction, -1 to 1, for any number of classes
    /// (Gorodkin 2004).
    ///
    /// If all predictions are one class it is 0, with a note that says so; if the truth is one
    /// class only, it is undefined.
    ///
    /// ```
    /// use metrics::Confusion;
    /// let mut confusion = Confusion::new(2);
    /// [(1, 1), (0, 1), (1, 1)].map(|(truth, prediction)| confusion.add(truth, prediction));
    /// let score = confusion.matthews();
    /// assert_eq!(score.value, Some(0.0));
    /// assert_eq!(score.note.unwrap(), "all predictions are class 1");
    /// ```
    pub fn matthews(&self) -> Score {
        let counts = self.counts();
        let all = self.examples() as f64;
        if all == 0.0 {
            return Score::undefined("nothing was predicted");
        }
        let number = |count: u64| count as f64;
        let truths: Vec<f64> = counts.iter().map(|row| number(row.iter().sum())).collect();
        let column = |class| number(counts.iter().map(|row| row[class]).sum());
        let predictions: Vec<f64> = (0..counts.len()).map(column).collect();
        let only = |sums: &[f64]| sums.iter().position(|&sum| sum == all);
        if let Some(class) = only(&truths) {
            return Score::undefined(format!("all labels are class {class}"));
        }
        if let Some(class) = only(&predictions) {
            return Score::of(0.0).noted(format!("all predictions are class {class}"));
        }
        let right: f64 = (0..counts.len()).map(|class| number(counts[class][class])).sum();
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let together = right * all - product(&truths, &predictions);
        let apart = (all * all - product(&truths, &truths))
            * (all * all - product(&predictions, &predictions));
        Score::of(together / apart.sqrt())
    }

    /// Panics if there is no such class.
    fn check(&self, class: usize) {
        let classes = self.counts().len();
        assert!(class < classes, "class {class} of {}", counted(classes, "class"));
    }

    /// Precision of a class in percent: the share of its predictions that are right. Panics if
    /// there is no such class.
    pub fn precision(&self, class: usize) -> Score {
        self.check(class);
        let predicted = self.counts().iter().map(|row| row[class]).sum();
        self.share(class, predicted, "no prediction is")
    }

    /// Recall of a class in percent: the share of its examples that are found. Panics if there is
    /// no such class.
    pub fn recall(&self, class: usize) -> Score {
        self.check(class);
        self.share(class, self.counts()[class].iter().sum(), "no label is")
    }

    fn share(&self, class: usize, of: u64, none: &str) -> Score {
        match of {
            0 => Score::undefined(format!("{none} class {class}")),
            of => Score::of(100.0 * self.counts()[class][class] as f64 / of as f64),
        }
    }

    /// F1 of a class in percent: the harmonic mean of precision and recall. Undefined if the class
    /// is neither among the labels nor among the predictions. Panics if there is no such class.
    pub fn f1(&self, class: usize) -> Score {
        self.check(class);
        let row: u64 = self.counts()[class].iter().sum();
        let column: u64 = self.counts().iter().map(|row| row[class]).sum();
        match row + column {
            0 => Score::undefined(format!("neither a label nor a prediction is class {class}")),
            both => Score::of(200.0 * self.counts()[class][class] as f64 / both as f64),
        }
    }

    /// Macro F1 in percent: the mean of the classes' F1, as scikit-learn's
    /// `f1_score(average="macro")` takes it over the classes that are among the labels or the
    /// predictions. Undefined if nothing was predicted.
    ///
    /// ```
    /// use metrics::Confusion;
    /// let mut confusion = Confusion::new(4);
    /// let pairs = [(0, 0), (1, 2), (2, 1), (0, 0), (1, 0), (2, 1)];
    /// pairs.map(|(truth, prediction)| confusion.add(truth, prediction));
    /// // F1 of class 0 is 2 · 2 / (2 + 3) = 80 %, of 1 and 2 it is 0, and class 3 is nowhere.
    /// assert!((confusion.macro_f1().value.unwrap() - 80.0 / 3.0).abs() < 1e-12);
    /// ```
    pub fn macro_f1(&self) -> Score {
        let all: Vec<f64> =
            (0..self.counts().len()).filter_map(|class| self.f1(class).value).collect();
        mean(&all).map_or_else(|| Score::undefined("nothing was predicted"), Score::of)
    }
}
