//! What the names of files say: which are Parquet files, and which are parts of one table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const ENDING: &str = ".parquet";

/// The name of a Parquet file without its ending, `.parquet` in small or capital letters; none of
/// other files.
pub(crate) fn stem(name: &str) -> Option<&str> {
    let (stem, ending) = name.split_at_checked(name.len().checked_sub(ENDING.len())?)?;
    (!stem.is_empty() && ending.eq_ignore_ascii_case(ENDING)).then_some(stem)
}

/// Whether a folder of this name is one value of a column, as Hive and Spark lay tables out.
pub(crate) fn is_partition(folder: &str) -> bool {
    folder.split_once('=').is_some_and(|(column, _)| !column.is_empty())
}

/// Whether programs keep something else than rows below this name.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

/// A part as its name says it: `part-00002-of-00004` is number 2 of 4 of the set `part`.
struct Part<'a> {
    set: &'a str,
    number: usize,
    of: &'a str,
}

impl<'a> Part<'a> {
    fn of(stem: &'a str) -> Option<Self> {
        let (before, of) = stem.rsplit_once("-of-")?;
        let (set, number) = before.rsplit_once('-')?;
        of.parse::<usize>().ok()?;
        Some(Self { set, number: number.parse().ok()?, of })
    }
}

/// Whether a file is one of several parts.
pub(crate) fn is_part(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    stem(&name).is_some_and(|stem| Part::of(stem).is_some())
}

/// The first part that is not there among stems such as `part-00002-of-00004`.
pub(crate) fn first_missing<'a>(stems: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut sets: BTreeMap<(&str, &str), BTreeSet<usize>> = BTreeMap::new();
    for Part { set, number, of } in stems.filter_map(Part::of) {
        sets.entry((set, of)).or_default().insert(number);
    }
    sets.into_iter().find_map(|((set, of), there)| {
        // Some count from 0.
        let first = usize::from(!there.contains(&0));
        let of_all = first..of.parse::<usize>().ok()? + first;
        let missing = of_all.into_iter().find(|number| !there.contains(number))?;
        Some(format!("{set}-{missing:0width$}-of-{of}", width = of.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parquet_files_are_told_by_their_ending() {
        for (name, wanted) in [
            ("a.parquet", Some("a")),
            ("A.PARQUET", Some("A")),
            ("é.Parquet", Some("é")),
            (".parquet", None),
            ("parquet", None),
            ("a.parquet.part", None),
            ("aéparquet", None),
        ] {
            assert_eq!(stem(name), wanted, "{name}");
        }
    }
}
