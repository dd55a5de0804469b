//! Images in Parquet files, as Hugging Face's `datasets` writes them.

use super::known::Known;
use super::rows::{Labels, Rows};
use super::set::{Entry, FolderOptions, FolderSet, Place};
use crate::error::DataError;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What Parquet files begin with.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// The Parquet files that `path` stands for: itself, those directly inside it or in its folder
/// `data`, or, with a `*` in its last part, those whose names fit. None if there is none.
pub(super) fn files(path: &Path) -> Result<Option<Vec<PathBuf>>, DataError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let (false, Some((start, end))) = (path.exists(), name.split_once('*')) {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let fits = |file: &PathBuf| {
            let file = file.file_name().unwrap_or_default().to_string_lossy();
            file.len() >= start.len() + end.len() && file.starts_with(start) && file.ends_with(end)
        };
        let mut files = inside(dir.unwrap_or(Path::new(".")))?;
        files.retain(fits);
        return Ok(Some(files).filter(|files| !files.is_empty()));
    }
    if !path.is_dir() {
        return Ok(None);
    }
    for dir in [path.to_path_buf(), path.join("data")] {
        let files = if dir.is_dir() { inside(&dir)? } else { vec![] };
        if files.is_empty() {
            continue;
        }
        one_split(&dir, &files)?;
        return Ok(Some(files));
    }
    Ok(None)
}

fn inside(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let (mut files, _) = super::listing::children(dir)?;
    let ends = |file: &PathBuf| {
        file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
    };
    files.retain(ends);
    Ok(files)
}

/// Fails if the files are those of several splits: `train-00000-of-00002.parquet`, `test-...`.
fn one_split(dir: &Path, files: &[PathBuf]) -> Result<(), DataError> {
    let split = |file: &PathBuf| -> Option<String> {
        let stem = file.file_stem()?.to_string_lossy().into_owned();
        Some(stem.split_once('-').map_or(stem.clone(), |(split, _)| split.to_owned()))
    };
    let splits: BTreeSet<String> = files.iter().filter_map(split).collect();
    let known = |name: &&String| super::listing::is_part(name);
    if splits.len() < 2 || splits.iter().filter(known).count() == 0 {
        return Ok(());
    }
    let names: Vec<String> = splits
        .iter()
        .map(|split| dir.join(format!("{split}*.parquet")).display().to_string())
        .collect();
    Err(DataError::Missing {
        path: dir.to_path_buf(),
        fault: format!("holds the files of several parts; name one: {}", names.join(", ")),
        way_out: "a `*` stands for the rest of the name",
    })
}

/// Opens Parquet files, one after the other. `path` is what was named.
pub(super) fn open(
    path: &Path,
    files: &[PathBuf],
    options: &FolderOptions,
) -> Result<FolderSet, DataError> {
    let rows = files.iter().map(|file| Rows::open(file).map(Arc::new));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let (classes, labels) = if options.labeled {
        labels(path, &rows, options)?
    } else {
        (vec![], rows.iter().map(|rows| vec![None; rows.len()]).collect())
    };
    let mut entries = Vec::new();
    for (rows, labels) in rows.into_iter().zip(labels) {
        let name = super::listing::text(rows.path().file_name().unwrap_or_default());
        entries.extend(labels.into_iter().enumerate().map(|(row, label)| Entry {
            place: Place::Row(rows.clone(), row),
            id: format!("{name}/{row}"),
            label,
            header: None,
        }));
    }
    let set = FolderSet {
        path: path.to_path_buf(),
        entries,
        classes,
        skipped: vec![],
        notes: vec![],
        options: options.clone(),
        known: Known::default(),
    };
    set.checked(None)
}

/// The labels of the rows of a file.
type FileLabels = Vec<Option<u32>>;

/// The class names, and the labels of each file.
fn labels(
    path: &Path,
    files: &[Arc<Rows>],
    options: &FolderOptions,
) -> Result<(Vec<String>, Vec<FileLabels>), DataError> {
    let names = files.iter().find_map(|rows| rows.names());
    let mut texts: Vec<Vec<Option<String>>> = Vec::new();
    for rows in files {
        let text = |number: i64| match (usize::try_from(number), names) {
            // Hugging Face's mark of a sample without a label.
            (Err(_), _) => Ok(None),
            (Ok(number), Some(names)) => match names.get(number) {
                Some(name) => Ok(Some(name.clone())),
                None => {
                    let fault = format!("a label is {number}, there are {} names", names.len());
                    Err(DataError::format(rows.path(), 0, fault))
                }
            },
            (Ok(number), None) => Ok(Some(number.to_string())),
        };
        texts.push(match rows.labels()? {
            Labels::Names(names) => {
                names.into_iter().map(|name| name.filter(|name| !name.is_empty())).collect()
            }
            Labels::Numbers(numbers) => numbers
                .into_iter()
                .map(|number| number.map_or(Ok(None), text))
                .collect::<Result<_, _>>()?,
            Labels::None => {
                return Err(DataError::Missing {
                    path: rows.path().to_path_buf(),
                    fault: format!("no column of labels among {}", rows.columns()),
                    way_out: "call the column `label`, or use the file for unlabelled images",
                });
            }
        });
    }
    let classes = match (&options.classes, names) {
        (Some(fixed), _) => fixed.clone(),
        (None, Some(names)) => names.to_vec(),
        (None, None) => {
            let found: BTreeSet<&String> = texts.iter().flatten().flatten().collect();
            super::set::sorted(found.into_iter().cloned().collect())
        }
    };
    let number: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let label = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => match number.get(text.as_str()) {
            Some(&number) => Ok(Some(number)),
            None => Err(DataError::Missing {
                path: path.to_path_buf(),
                fault: format!("no class `{text}` among {}", classes.join(", ")),
                way_out: "classes are those of the labelled images",
            }),
        },
    };
    let of_file = |file: &Vec<Option<String>>| file.iter().map(label).collect();
    let labels = texts.iter().map(of_file).collect::<Result<_, _>>()?;
    Ok((classes, labels))
}
