//! The benchmark's own section of a report: accuracy as the number of labels grows, the plot of the
//! talk's second table.

use report::{Block, LinePlot, Section};
use serde::{Deserialize, Serialize};

/// What one number of labels gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Growth {
    /// The line that the point belongs to, such as a method.
    pub(crate) line: String,
    /// Labels in all.
    pub(crate) labels: u64,
    /// Accuracy of each seed, percent.
    pub(crate) accuracies: Vec<f64>,
}

/// A line for each method, a point for each number of labels; `None` with fewer than two numbers.
pub(crate) fn growth(points: &[Growth]) -> Option<Section> {
    let values = points.iter().map(|p| (p.line.as_str(), p.labels, p.accuracies.as_slice()));
    let plot = LinePlot::over_categories("Accuracy over labels", "labels", "accuracy, %", values)?;
    let caption = "A point is the mean over seeds, the bar its 95 % Student-t interval; numbers of \
                   labels stand at equal distances.";
    let section = Section::new("labels", "As labels grow");
    Some(section.with(Block::Plot(plot)).with(Block::Caption(caption.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(line: &str, labels: u64, accuracies: &[f64]) -> Growth {
        Growth { line: line.into(), labels, accuracies: accuracies.to_vec() }
    }

    #[test]
    fn lines_run_over_rising_numbers_of_labels() {
        let points = [
            point("fixmatch", 400, &[90.0, 92.0]),
            point("supervised", 40, &[50.0, 60.0]),
            point("fixmatch", 40, &[80.0, 84.0]),
        ];
        let section = growth(&points).expect("two numbers of labels");
        let Block::Plot(plot) = &section.blocks[0] else { panic!("{section:?}") };
        let line = |i: usize| {
            let points = plot.lines[i].points.iter().map(|p| (p.x, p.y)).collect::<Vec<_>>();
            (plot.lines[i].name.as_str(), points)
        };
        assert_eq!(line(0), ("fixmatch", vec![(0.0, 82.0), (1.0, 91.0)]));
        assert_eq!(line(1), ("supervised", vec![(0.0, 55.0)]));
        assert!(plot.lines[0].points[0].interval.is_some());
    }

    #[test]
    fn one_number_of_labels_is_no_growth() {
        assert_eq!(growth(&[point("a", 40, &[1.0]), point("b", 40, &[2.0])]), None);
        assert_eq!(growth(&[]), None);
    }
}
