//! Images in Parquet files, as Hugging Face's `datasets` writes them.

use super::columns::EMBED;
use super::content::{Fault, NO_IMAGE};
use super::known::Known;
use super::left_out::Skipped;
use super::rows::{Labels, Rows};
use super::set::{Entry, FolderOptions, FolderSet, Place};
use crate::error::DataError;
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
        whole(&files, start)?;
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
        whole(&files, "")?;
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
    let names: Vec<String> =
        splits.iter().map(|split| quoted(&dir.join(format!("{split}*.parquet")))).collect();
    Err(DataError::Missing {
        path: dir.to_path_buf(),
        fault: format!("holds the files of several parts; name one: {}", names.join(", ")),
        way_out: "in quotes: a `*` stands for the rest of the name, and is not for the shell",
    })
}

/// Fails if one of the files of a set is missing that are numbered as
/// `train-00000-of-00002.parquet`. Files are those whose names begin with `start`; where that says
/// which of the numbers are meant, the others need not be there.
fn whole(files: &[PathBuf], start: &str) -> Result<(), DataError> {
    // By folder, name and count: the numbers that are there, and how the name ends.
    let mut sets: BTreeMap<(&str, &str), BTreeMap<usize, &PathBuf>> = BTreeMap::new();
    for file in files {
        let stem = file.file_stem().and_then(|stem| stem.to_str());
        let Some((before, after)) = stem.and_then(|stem| stem.split_once("-of-")) else { continue };
        let Some((name, number)) = before.rsplit_once('-') else { continue };
        // A digest may follow on the count.
        let count = after.split('-').next().unwrap_or_default();
        if let Ok(number) = number.parse() {
            sets.entry((name, count)).or_default().insert(number, file);
        }
    }
    for ((name, count), there) in sets {
        let Some(all) = count.parse::<usize>().ok().filter(|_| name.len() + 1 >= start.len())
        else {
            continue;
        };
        // Some count from 1.
        let first = usize::from(!there.contains_key(&0) && there.contains_key(&all));
        let missing = (first..first + all).find(|number| !there.contains_key(number));
        if let (Some(number), Some(file)) = (missing, there.values().next()) {
            let width = count.len();
            let missing = format!("{name}-{number:0width$}-of-{count}.parquet");
            return Err(DataError::Missing {
                path: file.parent().unwrap_or(Path::new(".")).to_path_buf(),
                fault: format!("{missing} is missing: {} of {all} files are there", there.len()),
                way_out: "copy it there too, or name the single file that is to be read",
            });
        }
    }
    Ok(())
}

/// A path as a shell takes it, without a word of its own on what is in it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// Opens Parquet files, one after the other. `path` is what was named.
pub(super) fn open(
    path: &Path,
    files: &[PathBuf],
    options: &FolderOptions,
) -> Result<FolderSet, DataError> {
    let rows = files.iter().map(|file| Rows::open(file).map(Arc::new));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let missing = without_image(path, &rows)?;
    let label_notes = if options.labeled { notes_on_labels(&rows) } else { vec![] };
    let (classes, labels) = if options.labeled {
        labels(path, &rows, options)?
    } else {
        (vec![], rows.iter().map(|rows| vec![None; rows.len()]).collect())
    };
    let names = names(&rows);
    let (mut entries, mut skipped) = (Vec::new(), Vec::new());
    for (((rows, labels), missing), names) in rows.into_iter().zip(labels).zip(missing).zip(names) {
        let file = super::listing::text(rows.path().file_name().unwrap_or_default());
        let mut missing = missing.into_iter().peekable();
        for (row, label) in labels.into_iter().enumerate() {
            if missing.next_if_eq(&row).is_some() {
                let path = PathBuf::from(format!("{} row {row}", rows.path().display()));
                let Fault { reason, fault } = Fault::of_decoder(NO_IMAGE);
                skipped.push(Skipped { path, reason, fault });
                continue;
            }
            let name = names.get(row).cloned().flatten().unwrap_or_else(|| row.to_string());
            let (place, id) = (Place::Row(rows.clone(), row), format!("{file}/{name}"));
            entries.push(Entry { place, id, label, header: None });
        }
    }
    let mut notes = super::listing::alike(&classes);
    notes.extend(super::listing::joined(&classes));
    notes.extend(label_notes);
    let (path, options, known) = (path.to_path_buf(), options.clone(), Known::default());
    FolderSet { path, entries, classes, skipped, notes, options, known, unlisted: 0 }.checked(None)
}

/// The rows of each file that have no encoded image. Fails if all have none.
fn without_image(path: &Path, files: &[Arc<Rows>]) -> Result<Vec<Vec<usize>>, DataError> {
    let missing: Vec<Vec<usize>> = files.iter().map(|rows| rows.without_image()).collect();
    let count = missing.iter().map(Vec::len).sum::<usize>();
    if count == 0 || count < files.iter().map(|rows| rows.len()).sum() {
        return Ok(missing);
    }
    let told = files.iter().flat_map(|rows| rows.origins()).flatten().next();
    let told = told.map_or_else(String::new, |told| format!(", there are only paths (`{told}`)"));
    let fault = match files.first() {
        Some(rows) => format!("no row holds an encoded image in `{}`{told}", rows.image_column()),
        None => return Ok(missing),
    };
    let way_out = EMBED;
    Err(DataError::Missing { path: path.to_path_buf(), fault, way_out })
}

/// What the image of each row of each file was called, where no other of the files was called so,
/// and where nobody can take it for the number of a row.
fn names(files: &[Arc<Rows>]) -> Vec<Vec<Option<String>>> {
    let last = |path: String| {
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default().trim().to_owned();
        (!name.is_empty() && !name.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
    };
    let of_file =
        |rows: &Arc<Rows>| rows.origins().into_iter().map(|path| path.and_then(last)).collect();
    let mut names: Vec<Vec<Option<String>>> = files.iter().map(of_file).collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    let all = names.iter().flatten().flatten();
    all.for_each(|name| *counts.entry(name.clone()).or_default() += 1);
    for name in names.iter_mut().flatten() {
        if name.as_ref().is_some_and(|name| counts[name] > 1) {
            *name = None;
        }
    }
    names
}

/// The labels of the rows of a file.
type FileLabels = Vec<Option<u32>>;

/// The class names, and the labels of each file, whose numbers are those of its own names.
fn labels(
    path: &Path,
    files: &[Arc<Rows>],
    options: &FolderOptions,
) -> Result<(Vec<String>, Vec<FileLabels>), DataError> {
    let names = names_of_classes(files);
    let mut texts = files
        .iter()
        .map(|rows| texts(rows, names_for(rows, files)?))
        .collect::<Result<Vec<_>, _>>()?;
    for text in texts.iter_mut().flatten() {
        *text = text.take().filter(|text| options.is_label(text));
    }
    let classes = match &options.classes {
        Some(fixed) => fixed.clone(),
        None if !names.is_empty() => {
            names.into_iter().filter(|name| options.is_label(name)).map(str::to_owned).collect()
        }
        None => {
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
                fault: format!(
                    "no class `{text}` among {}{}",
                    classes.join(", "),
                    super::listing::near(text, &classes)
                ),
                way_out: "classes are those of the labelled images",
            }),
        },
    };
    let of_file = |file: &Vec<Option<String>>| file.iter().map(label).collect();
    let labels = texts.iter().map(of_file).collect::<Result<_, _>>()?;
    Ok((classes, labels))
}

/// All names of class labels: those of the first file that has them, then those that only later
/// files have.
fn names_of_classes(files: &[Arc<Rows>]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let names = files.iter().filter_map(|rows| rows.names()).flatten().map(String::as_str);
    names.filter(|name| seen.insert(*name)).collect()
}

/// The names that a file's numbers stand for: its own, else those of the other files where these
/// agree.
fn names_for<'a>(
    rows: &'a Rows,
    files: &'a [Arc<Rows>],
) -> Result<Option<&'a [String]>, DataError> {
    if rows.names().is_some() {
        return Ok(rows.names());
    }
    let mut others = files.iter().filter_map(|rows| rows.names());
    let first = others.next();
    if others.all(|names| Some(names) == first) {
        return Ok(first);
    }
    Err(DataError::Missing {
        path: rows.path().to_path_buf(),
        fault: "has no names of its class labels, and those of the other files differ".into(),
        way_out: "write the names into it, or name the files one by one",
    })
}

/// The labels of a file as texts; `names` are those of its numbers.
fn texts(rows: &Rows, names: Option<&[String]>) -> Result<Vec<Option<String>>, DataError> {
    let text = |row: usize, number: i128| match names {
        None => Ok(Some(number.to_string())),
        // Hugging Face's mark of a sample without a label.
        Some(_) if number == -1 => Ok(None),
        Some(names) => {
            let name = usize::try_from(number).ok().and_then(|number| names.get(number));
            name.cloned().map(Some).ok_or_else(|| {
                let (count, last) = (names.len(), names.len().saturating_sub(1));
                let fault = format!(
                    "row {row}: the label is {number}, and the {count} names of the file are those \
                     of 0 to {last}"
                );
                let way_out = "mend the label, or the names of the class labels";
                DataError::Missing { path: rows.path().to_path_buf(), fault, way_out }
            })
        }
    };
    match rows.labels()? {
        Labels::Names(names) => {
            Ok(names.into_iter().map(|name| name.filter(|name| !name.is_empty())).collect())
        }
        Labels::Numbers(numbers) => {
            let numbers = numbers.into_iter().enumerate();
            numbers
                .map(|(row, number)| number.map_or(Ok(None), |number| text(row, number)))
                .collect()
        }
        Labels::None => {
            let (fault, way_out) = match rows.lists() {
                Some(name) => (
                    format!(
                        "its column `{name}` holds lists, several labels a picture, which is not \
                         supported"
                    ),
                    "give each row one label, or use the file for unlabelled images",
                ),
                None => (
                    format!("no column of labels among {}", rows.columns()),
                    "call the column `label`, or use the file for unlabelled images",
                ),
            };
            Err(DataError::Missing { path: rows.path().into(), fault, way_out })
        }
    }
}

/// What should be known of how labels are read: another column that may be meant, and names of
/// classes that have other numbers from file to file.
fn notes_on_labels(files: &[Arc<Rows>]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for rows in files {
        let Some((column, others)) = rows.label_columns() else { continue };
        if others.is_empty() {
            continue;
        }
        let note = super::beside_labels::other_labels(&column, others);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let numbered: BTreeSet<&[String]> = files.iter().filter_map(|rows| rows.names()).collect();
    if numbered.len() > 1 {
        let note = "the files number their classes differently: each is read by its own names";
        notes.push(note.to_owned());
    }
    notes
}
