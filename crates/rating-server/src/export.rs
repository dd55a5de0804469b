//! Files for other programs.

use crate::error::{Error, Result};
use eval_ssa::{Study, export};
use serde::Serialize;

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// `items.jsonl`
    Items,
    /// `ratings.jsonl`
    Ratings,
    /// `ratings.csv`, safe to open in a spreadsheet.
    RatingsCsv,
    /// `ratings.parquet`
    RatingsParquet,
    /// `pairs.jsonl`
    Pairs,
    /// `preferences.jsonl`
    Preferences,
    /// `systems.jsonl`
    Systems,
    /// `judgments.jsonl`: what automatic judges say.
    Judgments,
    /// `adjudications.jsonl`: what the researcher decided, beside the votes.
    Adjudications,
    /// `labels.jsonl`: each response with the label that people gave it.
    Labels,
    /// `study.json`: how many votes each response gets, which makes the folder one that
    /// [`Study::read`] reads.
    Study,
}

impl Export {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Items,
        Self::Ratings,
        Self::RatingsCsv,
        Self::RatingsParquet,
        Self::Pairs,
        Self::Preferences,
        Self::Systems,
        Self::Judgments,
        Self::Adjudications,
        Self::Labels,
        Self::Study,
    ];

    /// The file's name.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Items => "items.jsonl",
            Self::Ratings => "ratings.jsonl",
            Self::RatingsCsv => "ratings.csv",
            Self::RatingsParquet => "ratings.parquet",
            Self::Pairs => "pairs.jsonl",
            Self::Preferences => "preferences.jsonl",
            Self::Systems => "systems.jsonl",
            Self::Judgments => "judgments.jsonl",
            Self::Adjudications => "adjudications.jsonl",
            Self::Labels => "labels.jsonl",
            Self::Study => "study.json",
        }
    }

    /// The contents, of a study as [`Project::study`](crate::Project::study) gives it. Files that
    /// belong together are of one such study: people may rate between two.
    ///
    /// # Errors
    /// When the records cannot be written in the file's format.
    pub fn bytes(self, study: &Study) -> Result<Vec<u8>> {
        match self {
            Self::Items => lines(&study.items),
            Self::Ratings => lines(&study.ratings),
            Self::RatingsCsv => Ok(export::csv(study)),
            Self::RatingsParquet => {
                export::parquet(study).map_err(|error| Error::Invalid(error.to_string()))
            }
            Self::Pairs => lines(&study.pairs),
            Self::Preferences => lines(&study.preferences),
            Self::Systems => lines(&study.systems),
            Self::Judgments => lines(&study.judgments),
            Self::Adjudications => lines(&study.adjudications),
            Self::Labels => lines(&export::labelled(study)),
            Self::Study => lines(&[study.settings()]),
        }
    }
}

fn lines<T: Serialize>(records: &[T]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for record in records {
        serde_json::to_writer(&mut out, record)
            .map_err(|error| Error::Invalid(error.to_string()))?;
        out.push(b'\n');
    }
    Ok(out)
}
