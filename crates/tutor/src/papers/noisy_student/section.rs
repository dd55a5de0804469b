//! Noisy Student's own sections of a report: the pseudo-labels that each student was trained on,
//! and unlabelled images on which teacher and student disagree.

use report::words::{NONE, count, number};
use report::{Bar, BarChart, Block, Mark, Picture, Section, Table, TileColour, TileLine};
use serde::{Deserialize, Serialize};

/// Images shown at most.
const TILES: usize = 48;

/// The pseudo-labels that one student was trained on, after filtering and balancing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PseudoLabels {
    /// Name of the row of the model that gave the labels.
    pub(super) teacher: String,
    /// Name of the row of the model that was trained on them.
    pub(super) student: String,
    /// Seed of both.
    pub(super) seed: u64,
    /// Unlabelled images before the filter.
    pub(super) candidates: u64,
    /// Confidence below which an image is left out, if there is a filter.
    pub(super) threshold: Option<f64>,
    /// Different images kept.
    pub(super) kept: u64,
    /// Entries in the student's training set, duplicates counted.
    pub(super) used: u64,
    /// Share of the kept images whose most probable class is the true one, percent, where the truth
    /// is known (it is not used in training).
    pub(super) accuracy: Option<f64>,
    /// Counts for each class, by index.
    pub(super) per_class: Vec<ClassCount>,
}

/// Pseudo-labels of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClassCount {
    /// Different images kept.
    pub(super) kept: u64,
    /// Entries with duplicates.
    pub(super) used: u64,
}

/// Unlabelled images on which teacher and student disagree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Disagreements {
    /// Name of the row of the teacher.
    pub(super) teacher: String,
    /// Name of the row of the student.
    pub(super) student: String,
    /// Seed of both.
    pub(super) seed: u64,
    /// How many images both labelled.
    pub(super) compared: u64,
    /// On how many of them they disagree; the tiles may be a part of those.
    pub(super) differing: u64,
    /// Among the differing with known truth: how often the student is right.
    pub(super) student_right: Option<u64>,
    /// Among the differing with known truth: how often the teacher is right.
    pub(super) teacher_right: Option<u64>,
    /// The images to show, in the order of showing.
    pub(super) tiles: Vec<Tile>,
}

/// One image with two opinions about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tile {
    /// The image.
    pub(super) picture: Picture,
    /// The teacher's opinion.
    pub(super) teacher: Opinion,
    /// The student's opinion.
    pub(super) student: Opinion,
    /// The true class, if known; it was not used in training.
    pub(super) truth: Option<usize>,
}

/// A predicted class and its probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Opinion {
    /// Index of the class.
    pub(super) class: usize,
    /// Its probability, 0..=1.
    pub(super) confidence: f32,
}

/// Filter, balance and quality of the pseudo-labels before each student's training; `classes` names
/// them by index.
pub(super) fn pseudo_labels(labels: &[PseudoLabels], classes: &[String]) -> Section {
    let section = Section::new("pseudo-labels", "Pseudo-labels");
    if labels.is_empty() {
        return section;
    }
    let mut table = Table::new([
        "labels by → for",
        "seed",
        "unlabelled",
        "threshold",
        "kept",
        "with duplicates",
        "labels right, %",
    ]);
    for p in labels {
        let share = 100.0 * p.kept as f64 / p.candidates.max(1) as f64;
        table.rows.push(vec![
            format!("{} → {}", p.teacher, p.student),
            p.seed.to_string(),
            count(p.candidates),
            p.threshold.map_or(NONE.into(), |t| t.to_string()),
            format!("{} ({share:.1} %)", count(p.kept)),
            count(p.used),
            p.accuracy.map_or(NONE.into(), |a| number(a, "%")),
        ]);
    }
    let bars = |p: &PseudoLabels| BarChart {
        title: format!("{} → {}", p.teacher, p.student),
        about: format!("seed {}", p.seed),
        parts: [
            "different images kept".into(),
            "all entries, duplicates that balance the classes counted".into(),
        ],
        bars: p
            .per_class
            .iter()
            .enumerate()
            .map(|(i, c)| Bar { name: class(classes, i), solid: c.kept, whole: c.used })
            .collect(),
    };
    let charts: Vec<BarChart> =
        labels.iter().filter(|p| !p.per_class.is_empty()).map(bars).collect();
    let known =
        "Whether labels are right is known only where the truth was held back from training.";
    let section = section.with(Block::Table(table)).with(Block::Text(known.into()));
    if charts.is_empty() { section } else { section.with(Block::Bars(charts)) }
}

/// Images that teacher and student name differently; `classes` names them by index.
pub(super) fn disagreements(found: &Disagreements, classes: &[String]) -> Section {
    let share = 100.0 * found.differing as f64 / found.compared.max(1) as f64;
    let text = format!(
        "{} and {} (seed {}) name {} of {} unlabelled images differently ({share:.1} %). {}",
        found.teacher,
        found.student,
        found.seed,
        count(found.differing),
        count(found.compared),
        who_is_right(found)
    );
    let section =
        Section::new("disagreements", "Where teacher and student differ").with(Block::Text(text));
    let tiles: Vec<_> = found.tiles.iter().take(TILES).map(|t| tile(t, classes)).collect();
    if tiles.is_empty() {
        return section;
    }
    let shown = tiles.len();
    let names = vec![found.teacher.clone(), found.student.clone()];
    let section = section.with(Block::Key(names)).with(Block::Tiles(tiles));
    if (shown as u64) < found.differing {
        let caption = format!("Showing {shown} of {}.", count(found.differing));
        section.with(Block::Caption(caption))
    } else {
        section
    }
}

fn who_is_right(found: &Disagreements) -> String {
    let (Some(student), Some(teacher)) = (found.student_right, found.teacher_right) else {
        return "The true classes are not known.".into();
    };
    let neither = found.differing.saturating_sub(student + teacher);
    format!(
        "By the true classes, which no training saw, the student is right {} times, the teacher {}, \
         neither {}.",
        count(student),
        count(teacher),
        count(neither)
    )
}

fn tile(tile: &Tile, classes: &[String]) -> report::Tile {
    let line = |colour: TileColour, opinion: &Opinion| TileLine {
        text: class(classes, opinion.class),
        value: format!("{:.0} %", 100.0 * opinion.confidence),
        colour,
        mark: match tile.truth {
            Some(truth) if truth == opinion.class => Mark::Right,
            Some(_) => Mark::Wrong,
            None => Mark::None,
        },
    };
    let mut lines =
        vec![line(TileColour::First, &tile.teacher), line(TileColour::Last, &tile.student)];
    let neither = |truth: &usize| *truth != tile.teacher.class && *truth != tile.student.class;
    if let Some(truth) = tile.truth.filter(neither) {
        let text = format!("truth: {}", class(classes, truth));
        lines.push(TileLine { text, ..TileLine::default() });
    }
    report::Tile { picture: tile.picture.clone(), alt: "an unlabelled image".into(), lines }
}

/// The name of a class, or its number where the list is too short.
fn class(classes: &[String], index: usize) -> String {
    classes.get(index).cloned().unwrap_or_else(|| index.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> PseudoLabels {
        PseudoLabels {
            teacher: "teacher".into(),
            student: "student 1".into(),
            seed: 1,
            candidates: 1000,
            threshold: Some(0.3),
            kept: 800,
            used: 1000,
            accuracy: Some(93.0),
            per_class: vec![ClassCount { kept: 300, used: 500 }; 2],
        }
    }

    fn differing(truth: Option<usize>) -> Disagreements {
        let picture = Picture { pixels: vec![0, 80, 160, 255], height: 2, width: 2, channels: 1 };
        let opinion = |class| Opinion { class, confidence: 0.5 };
        let tile = Tile { picture, teacher: opinion(0), student: opinion(1), truth };
        Disagreements {
            teacher: "teacher".into(),
            student: "student 1".into(),
            seed: 1,
            compared: 100,
            differing: 9,
            student_right: truth.map(|_| 6),
            teacher_right: truth.map(|_| 2),
            tiles: vec![tile; 2],
        }
    }

    fn lines(section: &Section) -> Vec<(&str, Mark)> {
        let tiles = section.blocks.iter().find_map(|b| match b {
            Block::Tiles(tiles) => Some(tiles),
            _ => None,
        });
        tiles.expect("tiles")[0].lines.iter().map(|l| (l.text.as_str(), l.mark)).collect()
    }

    #[test]
    fn a_table_and_bars_of_pseudo_labels() {
        let section = pseudo_labels(&[labels()], &["cat".into()]);
        let Block::Table(table) = &section.blocks[0] else { panic!("{section:?}") };
        assert_eq!(table.rows[0][0], "teacher → student 1");
        assert_eq!(table.rows[0][4], "800 (80.0 %)");
        let Some(Block::Bars(charts)) = section.blocks.last() else { panic!("{section:?}") };
        let names: Vec<&str> = charts[0].bars.iter().map(|b| b.name.as_str()).collect();
        assert_eq!(names, ["cat", "1"], "classes without a name go by number");
        assert!(pseudo_labels(&[], &[]).blocks.is_empty());
    }

    #[test]
    fn tiles_say_who_is_right_where_the_truth_is_known() {
        let classes = ["cat".to_owned(), "dog".to_owned(), "cow".to_owned()];
        let section = |truth| disagreements(&differing(truth), &classes);
        assert_eq!(lines(&section(Some(1))), [("cat", Mark::Wrong), ("dog", Mark::Right)]);
        let neither = section(Some(2));
        assert_eq!(lines(&neither)[2], ("truth: cow", Mark::None));
        assert_eq!(lines(&section(None)), [("cat", Mark::None), ("dog", Mark::None)]);
        let Block::Text(text) = &neither.blocks[0] else { panic!("{neither:?}") };
        assert!(text.contains("9 of 100 unlabelled images differently (9.0 %)"), "{text}");
        assert!(
            text.ends_with("the student is right 6 times, the teacher 2, neither 1."),
            "{text}"
        );
        let shown = Block::Caption("Showing 2 of 9.".into());
        assert_eq!(neither.blocks.last(), Some(&shown));
    }
}
