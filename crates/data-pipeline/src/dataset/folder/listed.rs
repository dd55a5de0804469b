//! Images with labels by a table: a file and a label a line.

use super::beside_labels::Beside;
use super::content::{self, Content, Fault};
use super::known::Known;
use super::left_out::Skipped;
use super::listing::{self, Listed};
use super::places::{self, At, Found, Places, settle, tidy};
use super::set::{Entry, FolderOptions, FolderSet, OnBad, Place};
use super::table::{self, Row};
use crate::error::DataError;
use crate::parallel;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, hash_map};
use std::path::{Path, PathBuf};

/// The images that a table names; with `all`, also those of the folder `root` that it does not
/// name, without labels.
pub(super) fn open(
    table: &Path,
    root: Option<&Path>,
    all: bool,
    options: &FolderOptions,
) -> Result<FolderSet, DataError> {
    let own = table.parent().filter(|dir| !dir.as_os_str().is_empty());
    let own = own.unwrap_or(Path::new("."));
    let roots: Vec<&Path> = root.into_iter().chain([own]).chain(options.root.as_deref()).collect();
    let places = Places::new(&roots);
    let (mut rows, beside) = table::read(table, &places)?;
    for row in &mut rows {
        let label = row.label.take().and_then(single);
        row.label = label.filter(|label| options.is_label(label));
    }
    let rows = rows.into_iter().map(|row| (places.find(&row.file), row)).collect();
    let Rows { kept, at, mut notes } = once_each(table, rows, options.labeled)?;
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    let (mut moved, mut by_end) = (Vec::new(), Vec::new());
    let settled = settle(kept.iter().map(|row| row.file.as_str()), at);
    for (row, at) in kept.iter().zip(settled) {
        match at {
            Ok(At::Named(path)) => found.push((row, path)),
            Ok(At::Below(path)) => {
                moved.push((row, path.clone()));
                found.push((row, path));
            }
            Ok(At::End(path, _)) => {
                by_end.push((row, path.clone()));
                found.push((row, path));
            }
            Err(why) => absent.push((row, why)),
        }
    }
    refuse_many(table, &kept, &absent, &roots, options.on_bad)?;
    if options.labeled {
        notes.extend(refuse_labels(table, &kept, &beside, options)?);
        notes.extend(beside.notes(table, options)?);
    }
    let (classes, labels) = classes(table, &found, options)?;
    if let Some((row, path)) = moved.first() {
        let names = if moved.len() == 1 { "name" } else { "names" };
        notes.push(format!(
            "{} {names} of {} found in sub-folders, where nothing else is called so: {} is {}",
            moved.len(),
            table.display(),
            row.file,
            path.display()
        ));
    }
    if let Some((row, path)) = by_end.first() {
        let paths = if by_end.len() == 1 { "path" } else { "paths" };
        notes.push(format!(
            "{} {paths} of {}, not there as written, found by how they end: {} is {}",
            by_end.len(),
            table.display(),
            row.file,
            path.display()
        ));
    }
    notes.extend(listing::alike(&classes));
    notes.extend(listing::joined(&classes));
    let mut skipped: Vec<Skipped> = absent
        .iter()
        .map(|(row, why)| {
            let Fault { reason, fault } = Fault::new(
                format!("not there although {} names it", table.display()),
                format!(
                    "is not there although {} line {} names it{why}",
                    table.display(),
                    row.line
                ),
            );
            Skipped { path: PathBuf::from(&row.file), reason, fault }
        })
        .collect();
    let mut files: Vec<(Listed, Option<u32>, bool)> = found
        .into_iter()
        .zip(labels)
        .map(|((row, path), label)| (Listed { path, id: tidy(&row.file) }, label, true))
        .collect();
    if all {
        let dir = root.unwrap_or(own);
        let rest = unlisted(dir, &files, options)?;
        files.extend(rest.into_iter().map(|file| (file, None, false)));
    }
    let seen = parallel::map(files.len(), |i| content::look(&files[i].0.path, &options.decode));
    let (mut entries, mut unnamed) = (Vec::with_capacity(files.len()), 0);
    for ((Listed { path, id }, label, listed), content) in files.into_iter().zip(seen) {
        match content {
            Content::Image(header) => {
                unnamed += usize::from(!listed);
                entries.push(Entry { place: Place::File(path), id, label, header: Some(header) });
            }
            Content::Bad(fault) => skipped.push(Skipped::new(path, fault)),
            Content::Holder(kind) if listed => {
                let reason = format!("no image but {kind}");
                skipped.push(Skipped::new(path, Fault::new(reason.clone(), reason)));
            }
            Content::Other if listed => {
                skipped.push(Skipped::new(path, Fault::new("no image", "no image")));
            }
            Content::Holder(_) | Content::Other => {}
        }
    }
    let set = FolderSet {
        path: table.to_path_buf(),
        entries,
        classes,
        skipped,
        notes,
        options: options.clone(),
        known: Known::default(),
        unlisted: unnamed,
    };
    set.checked(None)
}

struct Rows {
    kept: Vec<Row>,
    /// Where the file of each is.
    at: Vec<Found>,
    notes: Vec<String>,
}

/// Each file once, whichever of its names a line has. Fails if a file has two labels.
fn once_each(table: &Path, rows: Vec<(Found, Row)>, labeled: bool) -> Result<Rows, DataError> {
    let mut first: HashMap<PathBuf, usize> = HashMap::new();
    let (mut kept, mut places): (Vec<Row>, Vec<Found>) = (Vec::new(), Vec::new());
    let mut twice = 0;
    for (at, row) in rows {
        let file = match &at {
            Ok(At::Named(path)) => path.clone(),
            Ok(At::Below(_) | At::End(..)) | Err(_) => PathBuf::from(tidy(&row.file)),
        };
        match first.entry(file) {
            hash_map::Entry::Vacant(entry) => {
                entry.insert(kept.len());
                kept.push(row);
                places.push(at);
            }
            hash_map::Entry::Occupied(entry) => {
                twice += 1;
                let before = &mut kept[*entry.get()];
                match (&before.label, &row.label) {
                    (Some(a), Some(b)) if a != b && labeled => {
                        return Err(DataError::Line {
                            path: table.to_path_buf(),
                            line: row.line,
                            fault: format!(
                                "{} is `{b}` here and {}`{a}` in line {}",
                                row.file,
                                match before.file == row.file {
                                    true => String::new(),
                                    false => format!("as {} ", before.file),
                                },
                                before.line
                            ),
                            way_out: "a file has one label: remove one of the lines",
                        });
                    }
                    (None, Some(_)) => before.label = row.label,
                    _ => {}
                }
            }
        }
    }
    let notes = match twice {
        0 => vec![],
        1 => vec![format!("1 line of {} names a file again", table.display())],
        n => vec![format!("{n} lines of {} name a file again", table.display())],
    };
    Ok(Rows { kept, at: places, notes })
}

/// Fails if files are not there and that is not to be passed over, or if they are many.
fn refuse_many(
    table: &Path,
    rows: &[Row],
    absent: &[(&Row, String)],
    roots: &[&Path],
    on_bad: OnBad,
) -> Result<(), DataError> {
    let Some((first, why)) = absent.first() else { return Ok(()) };
    if on_bad == OnBad::Skip && absent.len() * 10 <= rows.len() {
        return Ok(());
    }
    let names: Vec<&str> = absent.iter().take(3).map(|(row, _)| row.file.as_str()).collect();
    let mut seen = HashSet::new();
    let new = |root: &&&Path| {
        seen.insert(std::fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf()))
    };
    let places = roots.iter().filter(new).map(|root| root.display().to_string());
    let places: Vec<String> = places.collect();
    let fault = format!(
        "{} of {} files are not there, {} the first; looked for in {}{why}",
        absent.len(),
        rows.len(),
        names.join(", "),
        places.join(" and ")
    );
    let way_out = match places::parts_from_top(&first.file) {
        Some(_) => "take the start that the paths share away, up to the folder that is named",
        None => "name the folder that the paths start from, or mend the table",
    };
    Err(DataError::Line { path: table.to_path_buf(), line: first.line, fault, way_out })
}

/// The entries of a label that is a list, as JSON or Python writes it.
fn entries(label: &str) -> Option<Vec<Value>> {
    let read = |text: &str| serde_json::from_str(text).ok();
    read(label).or_else(|| read(&label.replace('\'', "\"")))
}

/// A label without the list around it, where it is a list of one; none for an empty list.
fn single(label: String) -> Option<String> {
    match entries(&label).as_deref() {
        Some([] | [Value::Null]) => None,
        Some([Value::String(only)]) => Some(only.trim().to_owned()).filter(|only| !only.is_empty()),
        Some([only @ (Value::Number(_) | Value::Bool(_))]) => Some(only.to_string()),
        _ => Some(label),
    }
}

/// As many different numbers with a fraction may be classes, such as stars in halves.
const NUMBERS: usize = 20;

/// Fails if no column is called as one of labels, or if labels are several in one cell or numbers
/// to be predicted rather than classes. A note where numbers with a fraction are classes: a few,
/// each of several rows.
fn refuse_labels(
    table: &Path,
    rows: &[Row],
    beside: &Beside,
    options: &FolderOptions,
) -> Result<Option<String>, DataError> {
    let path = table.to_path_buf();
    let labels = || rows.iter().filter_map(|row| Some((row, row.label.as_deref()?)));
    if beside.label.is_none() && !beside.columns.is_empty() && labels().next().is_none() {
        let fault = format!("no column of labels among {}", beside.columns.join(", "));
        return Err(DataError::Line { path, line: 1, fault, way_out: table::NO_LABELS });
    }
    let mut lists = labels().filter(|(_, label)| entries(label).is_some());
    if let Some((Row { line, .. }, label)) = lists.next() {
        let (line, fault) = (*line, format!("the label is {label}, several labels of one picture"));
        let way_out = "give each row one label, or use the table for unlabelled images";
        return Err(DataError::Line { path, line, fault, way_out });
    }
    // Given classes say which numbers are some.
    if options.classes.is_some() {
        return Ok(None);
    }
    let number = |label: &str| label.parse::<f64>().ok().filter(|number| number.is_finite());
    let are_numbers = labels().all(|(_, label)| number(label).is_some());
    let has_fraction =
        |(_, label): &(&Row, &str)| number(label).is_some_and(|number| number.fract() != 0.0);
    let Some((Row { line, .. }, label)) = labels().find(has_fraction).filter(|_| are_numbers)
    else {
        return Ok(None);
    };
    let mut values: BTreeMap<&str, usize> = BTreeMap::new();
    labels().for_each(|(_, label)| *values.entry(label).or_default() += 1);
    if values.len() <= NUMBERS && values.values().all(|&rows| rows > 1) {
        return Ok(Some(format!(
            "the labels of {} are numbers, as {label}, and taken for names of {} classes",
            path.display(),
            values.len()
        )));
    }
    let fault = format!("the label is {label}; labels must be whole numbers or texts");
    let way_out = "make classes of the numbers, or name them in words, as `2.5 mm`";
    Err(DataError::Line { path, line: *line, fault, way_out })
}

/// The class names and the label of each row. Names are sorted, by number if all are whole numbers.
fn classes(
    table: &Path,
    rows: &[(&Row, PathBuf)],
    options: &FolderOptions,
) -> Result<(Vec<String>, Vec<Option<u32>>), DataError> {
    if !options.labeled {
        return Ok((vec![], vec![None; rows.len()]));
    }
    let names: BTreeSet<&str> = rows.iter().flat_map(|(row, _)| row.label.as_deref()).collect();
    let classes = match &options.classes {
        Some(fixed) => fixed.clone(),
        None => super::set::sorted(names.into_iter().map(str::to_owned).collect()),
    };
    let number: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let label = |(row, _): &(&Row, PathBuf)| match &row.label {
        None => Ok(None),
        Some(label) => match number.get(label.as_str()) {
            Some(&number) => Ok(Some(number)),
            None => Err(DataError::Line {
                path: table.to_path_buf(),
                line: row.line,
                fault: format!(
                    "no class `{label}` among {}{}",
                    classes.join(", "),
                    listing::near(label, &classes)
                ),
                way_out: "classes are those of the labelled images",
            }),
        },
    };
    let labels = rows.iter().map(label).collect::<Result<_, _>>()?;
    Ok((classes, labels))
}

/// The files below `dir` that are not in `listed`, nor in what is excluded.
fn unlisted(
    dir: &Path,
    listed: &[(Listed, Option<u32>, bool)],
    options: &FolderOptions,
) -> Result<Vec<Listed>, DataError> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut known: BTreeSet<PathBuf> = listed.iter().map(|(file, ..)| real(&file.path)).collect();
    let mut folders = Vec::new();
    for path in &options.exclude {
        if table::is_table(path) {
            let own = path.parent().unwrap_or(Path::new("."));
            let roots = [dir, own];
            let places = Places::new(&roots);
            let (rows, _) = table::read(path, &places)?;
            let ats = rows.iter().filter_map(|row| places.find(&row.file).ok());
            // What only ends like a name is another file.
            let ats = ats.filter(|at| !matches!(at, At::End(..)));
            known.extend(ats.map(|at| real(at.path())));
        } else {
            folders.push(real(path));
        }
    }
    let mut files = Vec::new();
    listing::below(dir, dir, &mut files)?;
    files.retain(|file| {
        let path = real(&file.path);
        !known.contains(&path) && !folders.iter().any(|folder| path.starts_with(folder))
    });
    Ok(files)
}
