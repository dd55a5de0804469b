//! A table beside class folders, which may have the labels in their place.

use super::layout::first_part;
use super::places::{At, Places};
use super::set::FolderOptions;
use super::{listing, table};
use crate::error::DataError;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The table among some files, whatever its name, if it is the only one.
pub(super) fn only_table(files: &[PathBuf]) -> Option<PathBuf> {
    let mut tables = files.iter().filter(|path| table::is_table(path));
    tables.next().filter(|_| tables.next().is_none()).cloned()
}

/// Looks at a table beside class folders. An error if by its labels images of one folder are of
/// several classes, or those of several folders of one; labels may be other words for the folders.
/// A note if the table says nothing of them.
pub(super) fn look(
    table: &Path,
    dir: &Path,
    options: &FolderOptions,
) -> Result<Option<String>, DataError> {
    let roots = [dir];
    let places = Places::new(&roots);
    let name = table.display();
    let passed_over = |why: String| {
        Ok(Some(format!("{name} is not read, and the folders are the classes: {why}")))
    };
    if table::is_of_predictions(table) {
        return passed_over("its labels have a confidence, as a network gives it".into());
    }
    let rows = match table::read(table, &places) {
        Ok((rows, _)) => rows,
        Err(error) => return passed_over(error.to_string()),
    };
    let mut is_there = false;
    // The first image with its label, of each folder and of each label.
    let mut of_folders: HashMap<String, (String, String)> = HashMap::new();
    let mut of_labels: HashMap<String, (String, String)> = HashMap::new();
    for row in rows {
        let at = match places.find(&row.file) {
            Ok(At::End(..)) | Err(_) => continue,
            Ok(at) => at,
        };
        is_there = true;
        let Some(label) = row.label.filter(|label| options.is_label(label)) else { continue };
        let id = listing::id(at.path(), dir);
        let (folder, form) = (first_part(&id).to_owned(), listing::form(&label));
        let this = (id, label);
        let of_folder = of_folders.entry(folder.clone()).or_insert_with(|| this.clone());
        let of_label = of_labels.entry(form.clone()).or_insert_with(|| this.clone());
        let other = if listing::form(&of_folder.1) != form {
            of_folder
        } else if first_part(&of_label.0) != folder {
            of_label
        } else {
            continue;
        };
        let fault = format!(
            "has folders of images and a table, {name}, by which {} is `{}` and {} is `{}`: if the \
             table has the labels, name it in place of the folder, or by `--labels` for the \
             labelled part of `tutor fit`",
            other.0, other.1, this.0, this.1
        );
        let way_out = "if the folders are the classes, move the table away";
        return Err(DataError::Missing { path: dir.to_path_buf(), fault, way_out });
    }
    if is_there { Ok(None) } else { passed_over("none of its files is there".into()) }
}
