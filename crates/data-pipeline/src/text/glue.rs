//! The tasks of GLUE (Wang et al. 2018): their files, and files of predictions as gluebenchmark.com
//! takes them.
//!
//! Files are tab-separated, only LF ends a line and quotes are characters: a reader that minds
//! quotes loses up to a fifth of the rows. CoLA's `train.tsv` and `dev.tsv` have no first line of
//! names. The counts of CoLA, SST-2, MRPC, STS-B and RTE are tested on the published files, the
//! other tasks on files in their format.

use super::own_texts::notes;
use super::read::{Lines, OnBadInput, Tally};
use super::table::{bad, tsv};
use super::task::{Example, Target, TextSet};
use super::texts::Texts;
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A task of GLUE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Glue {
    /// Whether a sentence is acceptable English.
    Cola,
    /// Whether a phrase of a review is positive.
    #[serde(rename = "sst-2")]
    Sst2,
    /// Whether two sentences say the same.
    Mrpc,
    /// How alike two sentences are, 0 to 5.
    StsB,
    /// Whether two questions ask the same.
    Qqp,
    /// Whether a sentence follows from another, contradicts it, or neither.
    Mnli,
    /// Whether a sentence answers a question.
    Qnli,
    /// Whether a sentence follows from another.
    Rte,
    /// Whether a sentence with a pronoun replaced follows from the one with the pronoun.
    Wnli,
    /// The diagnostic pairs, judged by a model of MNLI; test part only.
    Ax,
}

/// A part of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GluePart {
    /// For training.
    Train,
    /// With labels, for comparison. MNLI: from the same sources.
    Dev,
    /// Without labels, for gluebenchmark.com.
    Test,
    /// MNLI: [`GluePart::Dev`] from other sources.
    DevMismatched,
    /// MNLI: [`GluePart::Test`] from other sources.
    TestMismatched,
}

fn is_test(part: GluePart) -> bool {
    matches!(part, GluePart::Test | GluePart::TestMismatched)
}

/// An error in a part whose rows are all to be predicted: skipping is no way out.
fn of_test(error: DataError) -> DataError {
    match error {
        DataError::Line { path, line, fault, .. } => {
            let way_out = "mend it: predictions of a test part have to be of all its rows";
            DataError::Line { path, line, fault, way_out }
        }
        other => other,
    }
}

const YES_NO: [&str; 2] = ["0", "1"];
const ENTAILED: [&str; 2] = ["entailment", "not_entailment"];
const RELATIONS: [&str; 3] = ["contradiction", "entailment", "neutral"];

/// Where a cell stands in a row.
#[derive(Clone, Copy)]
enum At {
    First(usize),
    /// 1 is the last one.
    Last(usize),
}

use At::{First, Last};

impl At {
    /// Its number among so many cells.
    fn among(self, width: usize) -> usize {
        match self {
            First(at) => at,
            Last(back) => width.saturating_sub(back),
        }
    }
}

impl Glue {
    /// All tasks, in the order of the benchmark's table.
    pub const ALL: [Self; 10] = [
        Self::Cola,
        Self::Sst2,
        Self::Mrpc,
        Self::StsB,
        Self::Qqp,
        Self::Mnli,
        Self::Qnli,
        Self::Rte,
        Self::Wnli,
        Self::Ax,
    ];

    /// Its name, which is that of its folder too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cola => "CoLA",
            Self::Sst2 => "SST-2",
            Self::Mrpc => "MRPC",
            Self::StsB => "STS-B",
            Self::Qqp => "QQP",
            Self::Mnli => "MNLI",
            Self::Qnli => "QNLI",
            Self::Rte => "RTE",
            Self::Wnli => "WNLI",
            Self::Ax => "AX",
        }
    }

    /// Its classes as the files write them; none for STS-B.
    pub fn classes(self) -> &'static [&'static str] {
        match self {
            Self::StsB => &[],
            Self::Mnli | Self::Ax => &RELATIONS,
            Self::Qnli | Self::Rte => &ENTAILED,
            _ => &YES_NO,
        }
    }

    /// Whether it judges two texts.
    pub fn has_pairs(self) -> bool {
        !matches!(self, Self::Cola | Self::Sst2)
    }

    fn file(self, part: GluePart) -> Option<&'static str> {
        Some(match (self, part) {
            (Self::Ax, GluePart::Test) => "AX.tsv",
            (Self::Ax, _) => return None,
            (_, GluePart::Train) => "train.tsv",
            (Self::Mnli, GluePart::Dev) => "dev_matched.tsv",
            (Self::Mnli, GluePart::Test) => "test_matched.tsv",
            (Self::Mnli, GluePart::DevMismatched) => "dev_mismatched.tsv",
            (Self::Mnli, GluePart::TestMismatched) => "test_mismatched.tsv",
            (_, GluePart::Dev) => "dev.tsv",
            (_, GluePart::Test) => "test.tsv",
            _ => return None,
        })
    }

    /// The columns of the texts and of the label.
    fn columns(self, part: GluePart) -> (At, Option<At>, Option<At>) {
        let is_test = is_test(part);
        let (a, b, label) = match (self, is_test) {
            (Self::Cola, false) => (First(3), None, First(1)),
            (Self::Sst2, false) => (First(0), None, First(1)),
            (Self::Cola | Self::Sst2, true) => (First(1), None, First(0)),
            (Self::Mrpc, _) => (First(3), Some(First(4)), First(0)),
            (Self::Qqp, false) => (First(3), Some(First(4)), First(5)),
            (Self::StsB, false) => (Last(3), Some(Last(2)), Last(1)),
            (Self::StsB, true) => (Last(2), Some(Last(1)), Last(1)),
            (Self::Mnli, _) => (First(8), Some(First(9)), Last(1)),
            (Self::Qqp | Self::Ax, _) => (First(1), Some(First(2)), First(0)),
            (Self::Qnli | Self::Rte | Self::Wnli, _) => (First(1), Some(First(2)), First(3)),
        };
        (a, b, (!is_test).then_some(label))
    }

    /// Reads a part of the task from `folder/glue/NAME`, `folder/NAME`, or `folder` itself where
    /// there is neither; the rows of AX from `diagnostic/diagnostic.tsv` too, where GLUE's script
    /// puts them. Ids are `NAME/part/number` with the rows of the file counted from 0, as
    /// predictions count them; blank lines are no rows.
    ///
    /// # Errors
    /// When the file is not there, when its first line names the texts of another task or holds a
    /// row where names should stand, and for rows with other columns or labels as asked. Unknown
    /// names are passed over, since columns are taken by their places. The published training file
    /// of QQP has rows with other columns. Of a test part no row is skipped, whatever is asked: its
    /// predictions are to be of all.
    pub fn read(
        self,
        folder: &Path,
        part: GluePart,
        on_bad: OnBadInput,
    ) -> Result<TextSet, DataError> {
        let path = self.path(folder, part)?;
        let is_test = is_test(part);
        let on_bad = if is_test { OnBadInput::Error } else { on_bad };
        let part_name = format!("{part:?}").to_lowercase();
        let mut tally = Tally::default();
        let mut lines = Lines::open(&path, on_bad, 1 << 24)?;
        let has_names = self != Self::Cola || part == GluePart::Test;
        let names: Option<Vec<String>> = match has_names {
            true => lines
                .next(&mut tally)?
                .map(|line| line.split('\t').map(|name| name.trim().to_owned()).collect()),
            false => None,
        };
        let width = names.as_ref().map_or(if has_names { 0 } else { 4 }, Vec::len);
        let (a, b, label) = self.columns(part);
        if let Some(names) = &names {
            self.check_names(&path, names, part)?;
        }
        let places = [Some(a), b, label].into_iter().flatten();
        let places: Vec<usize> = places.map(|at| at.among(width)).collect();
        let rows = tsv(lines, Some(width), &places, on_bad, &mut tally);
        let (rows, blank) = rows.map_err(|error| if is_test { of_test(error) } else { error })?;
        let mut examples = Vec::with_capacity(rows.len());
        for row in rows {
            let above = blank.partition_point(|&line| line < row.line) as u64;
            let number = row.line - 1 - u64::from(has_names) - above;
            let mut cells = row.cells.into_iter().flatten();
            let a = cells.next().unwrap_or_default();
            let b = b.and_then(|_| cells.next());
            let target = match label.and_then(|_| cells.next()) {
                None => Ok(Target::None),
                Some(label) => self.target(&label),
            };
            match target {
                Ok(target) => {
                    let id = format!("{}/{part_name}/{number}", self.name());
                    examples.push(Example { id, texts: Texts { a, b }, target });
                }
                Err(fault) => {
                    let way_out = "mend it, or let bad input be skipped";
                    let (path, line) = (path.clone(), row.line);
                    let error = DataError::Line { path, line, fault, way_out };
                    bad(error, on_bad, &mut tally, "a row with another label")?;
                }
            }
        }
        let classes = self.classes().iter().map(|&class| class.to_owned()).collect();
        let name = format!("{}/{part_name}", self.name());
        Ok(TextSet::new(name, examples, classes)?.noted(notes(&tally)))
    }

    /// The names of the columns of its texts; CoLA's training and dev files have no names.
    fn text_names(self) -> &'static [&'static str] {
        match self {
            Self::Cola | Self::Sst2 => &["sentence"],
            Self::Mrpc => &["#1 String", "#2 String"],
            Self::Qqp => &["question1", "question2"],
            Self::Qnli => &["question", "sentence"],
            Self::StsB | Self::Mnli | Self::Rte | Self::Wnli | Self::Ax => {
                &["sentence1", "sentence2"]
            }
        }
    }

    /// The columns of the texts of a part among so many.
    fn text_places(self, part: GluePart, width: usize) -> Vec<usize> {
        let (a, b, _) = self.columns(part);
        [Some(a), b].into_iter().flatten().map(|at| at.among(width)).collect()
    }

    /// Whether names of columns are those of the task's texts where a part has these.
    fn names_texts(self, part: GluePart, names: &[String]) -> bool {
        let places = self.text_places(part, names.len()).into_iter();
        let is = |(place, wanted): (usize, &&str)| {
            names.get(place).is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        };
        places.zip(self.text_names()).all(is)
    }

    /// An error if the first line holds no names but a row: a label of the task stands where its
    /// labels do, or in a part without labels a number where all tasks number their rows.
    fn check_row(self, path: &Path, names: &[String], part: GluePart) -> Result<(), DataError> {
        let (_, _, label) = self.columns(part);
        let place = label.map_or(0, |label| label.among(names.len()));
        let is_of_row = |cell: &&String| match label {
            Some(_) => self.target(cell).is_ok(),
            None => cell.parse::<u64>().is_ok(),
        };
        let Some(cell) = names.get(place).filter(is_of_row) else { return Ok(()) };
        let what = if label.is_some() { "label" } else { "number" };
        Err(DataError::Line {
            path: path.to_path_buf(),
            line: 1,
            fault: format!("a row with the {what} `{cell}` where names of columns should stand"),
            way_out: "write a line of names above it, or name the task that this file is of",
        })
    }

    /// An error if the columns of texts are those of another task. Unknown names are no fault:
    /// columns are taken by their places. A first line that is too short is told of by its rows.
    fn check_names(self, path: &Path, names: &[String], part: GluePart) -> Result<(), DataError> {
        self.check_row(path, names, part)?;
        let wanted = self.text_names();
        let places = self.text_places(part, names.len());
        let found: Vec<&str> =
            places.iter().filter_map(|&place| Some(names.get(place)?.as_str())).collect();
        if found.len() < wanted.len() || self.names_texts(part, names) {
            return Ok(());
        }
        // One column may be called `sentence` in any file of pairs.
        let mut others = Self::ALL
            .into_iter()
            .filter(|&other| other != self && (other.has_pairs() || wanted.len() == 1));
        let parts = [GluePart::Train, GluePart::Test];
        let is_of = |other: Self| parts.into_iter().any(|part| other.names_texts(part, names));
        if !others.any(is_of) {
            return Ok(());
        }
        let quoted = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            names.join(" and ")
        };
        Err(DataError::Line {
            path: path.to_path_buf(),
            line: 1,
            fault: format!(
                "{} where {} has {}: these are rows of another task",
                quoted(&found),
                self.name(),
                quoted(wanted)
            ),
            way_out: "name the task that these files are of, or the folder with a folder a task",
        })
    }

    /// Whether [`read`](Self::read) would find the file of a part.
    pub fn has_part(self, folder: &Path, part: GluePart) -> bool {
        self.path(folder, part).is_ok()
    }

    /// What is not there in a folder of that which [`read`](Self::read) takes for a part; the file
    /// is not read.
    pub fn missing(self, folder: &Path, part: GluePart) -> Option<DataError> {
        self.path(folder, part).err()
    }

    fn path(self, folder: &Path, part: GluePart) -> Result<PathBuf, DataError> {
        let missing = |fault: String| DataError::Missing {
            path: folder.to_path_buf(),
            fault,
            way_out: "name the folder of GLUE, with a folder a task",
        };
        let Some(file) = self.file(part) else {
            return Err(missing(format!("{} has no part {part:?}", self.name())));
        };
        // The folder of all data has that of GLUE in it.
        let roots = [folder.join("glue"), folder.to_owned()];
        let own = roots.iter().map(|root| root.join(self.name())).find(|place| place.is_dir());
        let mut places = vec![own.unwrap_or_else(|| folder.to_owned()).join(file)];
        if self == Self::Ax {
            places.extend(roots.iter().map(|root| root.join("diagnostic/diagnostic.tsv")));
        }
        let found = places.into_iter().find(|path| path.is_file());
        found.ok_or_else(|| missing(format!("no {}/{file}", self.name())))
    }

    fn target(self, label: &str) -> Result<Target, String> {
        let label = label.trim();
        if self == Self::StsB {
            let score = label.parse::<f32>().ok().filter(|score| (0.0..=5.0).contains(score));
            return score.map(Target::Score).ok_or_else(|| format!("no score 0 to 5: `{label}`"));
        }
        let class = self.classes().iter().position(|class| *class == label);
        let known = || format!("no label `{label}` among {}", self.classes().join(", "));
        class.map(|class| Target::Class(class as u32)).ok_or_else(known)
    }

    /// The name of the file of predictions of a test part.
    pub fn prediction_file(self, part: GluePart) -> String {
        match (self, part) {
            (Self::Mnli, GluePart::TestMismatched | GluePart::DevMismatched) => {
                "MNLI-mm.tsv".into()
            }
            (Self::Mnli, _) => "MNLI-m.tsv".into(),
            _ => format!("{}.tsv", self.name()),
        }
    }

    /// Writes predictions as gluebenchmark.com takes them: `index` and `prediction`, classes as the
    /// training files write them, scores between 0 and 5 with three digits. What is said stands
    /// behind the id of its example, whose last part is the index. Gives the path.
    ///
    /// # Errors
    /// When a class is out of range, a score is no number, the kind is not that of the task, or the
    /// folder cannot be written to.
    pub fn write_predictions(
        self,
        folder: &Path,
        part: GluePart,
        predictions: &[(&str, Target)],
    ) -> Result<PathBuf, DataError> {
        let mut text = "index\tprediction\n".to_owned();
        for (id, prediction) in predictions {
            let index = id.rsplit('/').next().unwrap_or(id);
            let shown = match *prediction {
                Target::Score(score) if self == Self::StsB && score.is_finite() => {
                    Some(format!("{:.3}", score.clamp(0.0, 5.0)))
                }
                Target::Class(class) => {
                    self.classes().get(class as usize).map(|&name| name.to_owned())
                }
                _ => None,
            };
            let shown = shown.ok_or_else(|| {
                let (name, classes) = (self.name(), self.classes().len());
                DataError::Request(format!(
                    "prediction {index} of {name} is {prediction:?}: the task has {classes} classes"
                ))
            })?;
            text.push_str(&format!("{index}\t{shown}\n"));
        }
        let path = folder.join(self.prediction_file(part));
        std::fs::create_dir_all(folder)
            .map_err(DataError::io(folder, "name a folder that may be written to"))?;
        atomic_file::write(&path, text.as_bytes())?;
        Ok(path)
    }
}
