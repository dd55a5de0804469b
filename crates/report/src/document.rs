//! All that one report is drawn from.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use crate::result::RunResult;
use crate::section::Section;

/// All that one report is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The numbers.
    pub result: &'a RunResult,
    /// What is shown between the numbers and the provenance, in this order.
    pub sections: &'a [Section],
    /// The resolved recipe, shown in full at the end of the page; may be empty.
    pub recipe_toml: &'a str,
}

/// A page that is not about a run: a title, remarks, and sections.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// Its title.
    pub title: &'a str,
    /// A sentence below the title; may be empty.
    pub about: &'a str,
    /// Remarks that a reader has to know, above everything else.
    pub notes: &'a [String],
    /// What it shows, in this order.
    pub sections: &'a [Section],
}

impl Document<'_> {
    /// Checks every section; ids of sections differ from each other.
    ///
    /// # Errors
    /// Names the section that does not fit.
    pub(crate) fn check(&self) -> Result<()> {
        check_sections(BTreeSet::new(), self.sections)
    }
}

/// The ids of the sections that every page may have of its own.
const OWN: [&str; 5] = ["results", "differences", "paper", "expected", "provenance"];

impl Report<'_> {
    /// Checks the result and every section; ids of sections differ from each other and from the
    /// page's own.
    ///
    /// # Errors
    /// Names the row, comparison or section that does not fit.
    pub(crate) fn check(&self) -> Result<()> {
        self.result.check()?;
        check_sections(OWN.into(), self.sections)
    }
}

/// Checks each section, and that its id is none of `ids` or of another one.
fn check_sections<'a>(mut ids: BTreeSet<&'a str>, sections: &'a [Section]) -> Result<()> {
    for section in sections {
        let id = section.id.as_str();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(
            !id.is_empty() && id.chars().all(plain),
            "section id `{id}`: use lower-case letters, digits and `-`"
        );
        ensure!(ids.insert(id), "section id `{id}` is taken; give each section its own");
        section.check().with_context(|| format!("section `{id}`"))?;
    }
    Ok(())
}
