//! The sets of UDA (Xie et al. 2020): IMDb, Yelp, Amazon, DBpedia, and AG News in the same format.
//!
//! | set | files | columns |
//! |---|---|---|
//! | IMDb | the folders as published: `train/pos/0_9.txt` and so on, in the order of names | |
//! | | `train.tsv`, `test.tsv`, `unsup.tsv` (quotes are characters), or UDA's `train.csv`, `test.csv` (cells between tabs, quoted) | named `content`, `label` (`neg`, `pos`, `unsup`), `id` |
//! | the others | `train.csv`, `test.csv` | not named: class from 1, title where there is one, text |
//!
//! Only IMDb is tested on published files, the others on files in their format.

use super::own_texts::notes;
use super::read::{OnBadInput, Tally, files, open};
use super::table::{self, Row, bad};
use super::task::{Example, Target, TextSet};
use super::texts::Texts;
use crate::dataset::Part;
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A set of labelled texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reviews {
    /// Film reviews, negative or positive; 50,000 more have no label.
    Imdb,
    /// Reviews of businesses, negative or positive.
    #[serde(rename = "yelp-2")]
    Yelp2,
    /// Reviews of businesses, 1 to 5 stars.
    #[serde(rename = "yelp-5")]
    Yelp5,
    /// Reviews of products with a title, negative or positive.
    #[serde(rename = "amazon-2")]
    Amazon2,
    /// Reviews of products with a title, 1 to 5 stars.
    #[serde(rename = "amazon-5")]
    Amazon5,
    /// Beginnings of articles of Wikipedia with a title, 14 topics.
    Dbpedia,
    /// News with a title, 4 topics.
    AgNews,
}

/// Unlabelled reviews of IMDb with fewer characters are left out.
const SHORTEST: usize = 500;

impl Reviews {
    /// All sets.
    pub const ALL: [Self; 7] = [
        Self::Imdb,
        Self::Yelp2,
        Self::Yelp5,
        Self::Amazon2,
        Self::Amazon5,
        Self::Dbpedia,
        Self::AgNews,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Imdb => "imdb",
            Self::Yelp2 => "yelp-2",
            Self::Yelp5 => "yelp-5",
            Self::Amazon2 => "amazon-2",
            Self::Amazon5 => "amazon-5",
            Self::Dbpedia => "dbpedia",
            Self::AgNews => "ag-news",
        }
    }

    /// Its classes.
    pub fn classes(self) -> &'static [&'static str] {
        match self {
            Self::Imdb => &["neg", "pos"],
            Self::Yelp2 | Self::Amazon2 => &["1", "2"],
            Self::Yelp5 | Self::Amazon5 => &["1", "2", "3", "4", "5"],
            Self::AgNews => &["World", "Sports", "Business", "Sci/Tech"],
            Self::Dbpedia => &[
                "Company",
                "EducationalInstitution",
                "Artist",
                "Athlete",
                "OfficeHolder",
                "MeanOfTransportation",
                "Building",
                "NaturalPlace",
                "Village",
                "Animal",
                "Plant",
                "Album",
                "Film",
                "WrittenWork",
            ],
        }
    }

    /// Whether a text has a title, which becomes the second text.
    fn has_title(self) -> bool {
        !matches!(self, Self::Imdb | Self::Yelp2 | Self::Yelp5)
    }

    /// Reads a part from a folder, cleaned ([`clean`]). [`Part::Extra`] is what UDA trains on
    /// without labels: all of the training part, and of IMDb also the reviews that have no label
    /// and 500 characters or more before they are cleaned.
    ///
    /// # Errors
    /// When a file is not there, and for bad rows as asked.
    pub fn read(self, folder: &Path, part: Part, on_bad: OnBadInput) -> Result<TextSet, DataError> {
        let mut tally = Tally::default();
        let stem = if part == Part::Test { "test" } else { "train" };
        let examples = match self {
            Self::Imdb if folder.join(stem).is_dir() => {
                let rows = imdb_folders(&folder.join(stem), on_bad, &mut tally)?;
                self.reviews_of_imdb(rows, part, on_bad, &mut tally)?
            }
            Self::Imdb => {
                let mut rows = imdb(&self.file(folder, stem)?, on_bad, &mut tally)?;
                if let (Part::Extra, Ok(more)) = (part, self.file(folder, "unsup")) {
                    rows.extend(imdb(&more, on_bad, &mut tally)?);
                }
                self.reviews_of_imdb(rows, part, on_bad, &mut tally)?
            }
            _ => self.others(&self.file(folder, stem)?, on_bad, &mut tally)?,
        };
        let classes = self.classes().iter().map(|&class| class.to_owned()).collect();
        let name = format!("{}/{}", self.name(), part.name());
        let set = TextSet::new(name, examples, classes)?.noted(notes(&tally));
        Ok(if part == Part::Extra { set.without_targets() } else { set })
    }

    /// What is not there in a folder of that which [`read`](Self::read) takes; no file is read.
    pub fn missing(self, folder: &Path) -> Option<DataError> {
        let lacks = |stem: &str| match self {
            Self::Imdb if folder.join(stem).is_dir() => None,
            _ => self.file(folder, stem).err(),
        };
        ["train", "test"].into_iter().find_map(lacks)
    }

    fn file(self, folder: &Path, stem: &str) -> Result<PathBuf, DataError> {
        let endings: &[&str] = if self == Self::Imdb { &["tsv", "csv"] } else { &["csv"] };
        let places = endings.iter().flat_map(|ending| {
            ["", ".gz"].map(|packed| folder.join(format!("{stem}.{ending}{packed}")))
        });
        places.into_iter().find(|path| path.is_file()).ok_or_else(|| DataError::Missing {
            path: folder.to_path_buf(),
            fault: format!("no {stem}.{} of {}", endings.join(" or ."), self.name()),
            way_out: "name a folder that has it; of a recipe, by --data DIR or $TUTOR_DATA",
        })
    }

    fn reviews_of_imdb(
        self,
        rows: Vec<(PathBuf, Row)>,
        part: Part,
        on_bad: OnBadInput,
        tally: &mut Tally,
    ) -> Result<Vec<Example>, DataError> {
        let mut examples = Vec::with_capacity(rows.len());
        for (path, row) in rows {
            let mut cells = row.cells.into_iter().map(Option::unwrap_or_default);
            let mut next = || cells.next().unwrap_or_default();
            let (content, label, id) = (next(), next(), next());
            let class = self.classes().iter().position(|class| *class == label);
            let target = match (class, label.as_str()) {
                (Some(class), _) => Target::Class(class as u32),
                (None, "unsup") if part != Part::Extra => continue,
                (None, "unsup") if content.chars().count() < SHORTEST => {
                    tally.skip("an unlabelled review of fewer than 500 characters");
                    continue;
                }
                (None, "unsup") => Target::None,
                (None, other) => {
                    let fault = format!("no label `{other}` among neg, pos, unsup");
                    let way_out = "mend it, or let bad input be skipped";
                    let error = DataError::Line { path, line: row.line, fault, way_out };
                    bad(error, on_bad, tally, "a row with another label")?;
                    continue;
                }
            };
            let texts = Texts { a: clean(&content), b: None };
            examples.push(Example { id: format!("{}/{id}", self.name()), texts, target });
        }
        Ok(examples)
    }

    fn others(
        self,
        path: &Path,
        on_bad: OnBadInput,
        tally: &mut Tally,
    ) -> Result<Vec<Example>, DataError> {
        let mut examples = Vec::new();
        let stem = path.file_name().unwrap_or_default().to_string_lossy();
        let stem = stem.split('.').next().unwrap_or_default().to_owned();
        for row in table::csv(path, None, on_bad, tally)? {
            let mut cells = row.cells.into_iter().map(Option::unwrap_or_default);
            let label = cells.next().unwrap_or_default();
            let title = if self.has_title() { cells.next() } else { None };
            let text = cells.next();
            let class = label.trim().parse::<usize>().ok();
            let class = class.filter(|class| (1..=self.classes().len()).contains(class));
            // Some who publish these files anew put the names of the columns above them.
            if row.line == 1 && label.trim().parse::<f64>().is_err() && text.is_some() {
                tally.skip("a first line of names");
                continue;
            }
            let (Some(class), Some(text)) = (class, text) else {
                let columns = if self.has_title() { "class, title, text" } else { "class, text" };
                let fault = format!(
                    "columns are {columns} with a class 1 to {}, here it is `{label}`",
                    self.classes().len()
                );
                let way_out = "mend it, or let bad input be skipped";
                let (path, line) = (path.to_path_buf(), row.line);
                let error = DataError::Line { path, line, fault, way_out };
                bad(error, on_bad, tally, "a row with other columns")?;
                continue;
            };
            let texts = Texts { a: clean(&text), b: title.map(|title| clean(&title)) };
            let id = format!("{}/{stem}/{}", self.name(), row.line);
            examples.push(Example { id, texts, target: Target::Class(class as u32 - 1) });
        }
        Ok(examples)
    }
}

/// Content, label and id of all rows of a file.
fn imdb(
    path: &Path,
    on_bad: OnBadInput,
    tally: &mut Tally,
) -> Result<Vec<(PathBuf, Row)>, DataError> {
    let rows = table::read(path, &["content", "label", "id"], on_bad, tally)?;
    Ok(rows.into_iter().map(|row| (path.to_path_buf(), row)).collect())
}

/// Content, label and id of all files of the folders `neg`, `pos` and `unsup`, a review a file.
/// Names are in the order of their numbers.
fn imdb_folders(
    folder: &Path,
    on_bad: OnBadInput,
    tally: &mut Tally,
) -> Result<Vec<(PathBuf, Row)>, DataError> {
    let mut rows = Vec::new();
    for label in ["neg", "pos", "unsup"] {
        let folder = folder.join(label);
        if !folder.is_dir() {
            continue;
        }
        let mut found = files(std::slice::from_ref(&folder))?;
        let name =
            |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        found.retain(|path| name(path).ends_with(".txt"));
        found.sort_by_key(|path| {
            let name = name(path);
            let number = name.split('_').next().and_then(|number| number.parse::<u64>().ok());
            (number.unwrap_or(u64::MAX), name)
        });
        for path in found {
            let mut text = String::new();
            let read = open(&path)?.read_to_string(&mut text);
            tally.files += 1;
            if let Err(error) = read {
                let fault = format!("the review cannot be read: {error}");
                let way_out = "mend it, or let bad input be skipped";
                let error = DataError::Line { path, line: 1, fault, way_out };
                bad(error, on_bad, tally, "a review that cannot be read")?;
                continue;
            }
            let cells = [text, label.to_owned(), format!("{label}_{}", name(&path))];
            rows.push((path, Row { line: 1, cells: cells.map(Some).to_vec() }));
        }
    }
    Ok(rows)
}

/// Cleans a text as UDA does (`clean_web_text`): line breaks and paragraphs of HTML become spaces,
/// links lose their tags, `&quot;` becomes a quote, and `\n` in two characters and backslashes
/// become spaces.
///
/// ```
/// use data_pipeline::text::clean;
/// let text = r#"A<br />B &quot;C&quot; <a href="x">D</a>\nE\F"#;
/// assert_eq!(clean(text), r#"A B "C" D E F"#);
/// ```
pub fn clean(text: &str) -> String {
    const LINK: &str = "<a href=";
    let mut text = text.replace("<br />", " ").replace("&quot;", "\"").replace("<p>", " ");
    if text.contains(LINK) {
        let mut kept = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(LINK) {
            kept.push_str(&rest[..at]);
            let tag = &rest[at..];
            // Of a link that does not end, only its beginning goes.
            rest = &tag[tag.find('>').map_or(LINK.len(), |end| end + 1)..];
        }
        kept.push_str(rest);
        text = kept.replace("</a>", "");
    }
    text.replace("\\n", " ").replace('\\', " ")
}
