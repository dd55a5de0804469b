//! Files for other programs.

use crate::error::{Error, Result};
use crate::project::Project;
use crate::records::Names;
use crate::secret::iso;
use eval_ssa::Answer;
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
    /// `pairs.jsonl`
    Pairs,
    /// `preferences.jsonl`
    Preferences,
    /// `systems.jsonl`
    Systems,
    /// `adjudications.jsonl`
    Adjudications,
}

impl Export {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Items,
        Self::Ratings,
        Self::RatingsCsv,
        Self::Pairs,
        Self::Preferences,
        Self::Systems,
        Self::Adjudications,
    ];

    /// The file's name.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Items => "items.jsonl",
            Self::Ratings => "ratings.jsonl",
            Self::RatingsCsv => "ratings.csv",
            Self::Pairs => "pairs.jsonl",
            Self::Preferences => "preferences.jsonl",
            Self::Systems => "systems.jsonl",
            Self::Adjudications => "adjudications.jsonl",
        }
    }

    /// The contents.
    ///
    /// # Errors
    /// Those of the database.
    pub fn bytes(self, project: &Project, names: Names) -> Result<Vec<u8>> {
        let study = project.study(names)?;
        match self {
            Self::Items => lines(&study.items),
            Self::Ratings => lines(&study.ratings),
            Self::RatingsCsv => csv(&study),
            Self::Pairs => lines(&study.pairs),
            Self::Preferences => lines(&study.preferences),
            Self::Systems => lines(&study.systems),
            Self::Adjudications => lines(&project.adjudications(names)?),
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

fn csv(study: &eval_ssa::Study) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::Invalid(error.to_string());
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "item",
        "system",
        "conversation",
        "turn",
        "rater",
        "sensible",
        "specific",
        "human_like",
        "skipped",
        "comment",
        "guideline",
        "position",
        "shown_at",
        "answered_at",
        "duration_ms",
        "response",
    ])
    .map_err(failed)?;
    let items: std::collections::HashMap<&str, _> =
        study.items.iter().map(|item| (item.id.as_str(), item)).collect();
    for rating in &study.ratings {
        let Some(item) = items.get(rating.item.as_str()) else { continue };
        let flag =
            |vote: Option<bool>| vote.map_or("", |yes| if yes { "1" } else { "0" }).to_owned();
        let skipped = match &rating.answer {
            Answer::Skipped { reason } if reason.is_empty() => "no reason given".to_owned(),
            Answer::Skipped { reason } => reason.clone(),
            _ => String::new(),
        };
        let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        let row = [
            rating.item.clone(),
            item.system.clone(),
            item.conversation.clone(),
            item.turn.to_string(),
            rating.rater.clone(),
            flag(rating.answer.sensible()),
            flag(rating.answer.specific()),
            flag(rating.human_like),
            skipped,
            rating.comment.clone().unwrap_or_default(),
            rating.guideline.clone(),
            number(rating.position.map(u64::from)),
            rating.shown_at.map(iso).unwrap_or_default(),
            rating.answered_at.map(iso).unwrap_or_default(),
            number(rating.duration_ms()),
            item.response.clone(),
        ];
        out.write_record(row.iter().map(|cell| harmless(cell))).map_err(failed)?;
    }
    out.into_inner().map_err(|error| Error::Invalid(error.to_string()))
}

/// A cell that no spreadsheet takes for a formula: an apostrophe goes before what begins like one.
fn harmless(cell: &str) -> String {
    let first = cell.trim_start_matches([' ', '\u{a0}', '\u{feff}']).chars().next();
    match first {
        Some(
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠' | '|' | '%',
        ) => {
            format!("'{cell}")
        }
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula() {
        for cell in ["=1+1", " =1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "\u{feff}=1"] {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        assert_eq!(harmless("a=b"), "a=b");
        assert_eq!(harmless(""), "");
    }
}
