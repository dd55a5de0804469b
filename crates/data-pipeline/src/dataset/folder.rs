//! Your own images: folders of files, tables of files and labels, Parquet files.
//!
//! What is read is told by what it is:
//!
//! | named | images | labels |
//! |---|---|---|
//! | a folder | all images below it | the sub-folder at the first level, whatever lies deeper |
//! | a folder and a table (`labels`) | all images below it | of the files that the table names |
//! | a folder of images without sub-folders that holds `labels.csv`, `.tsv`, `.jsonl` or `metadata.csv`, `.jsonl` | as above | as above |
//! | a table: `.csv`, `.tsv`, `.jsonl` | the files that it names | its second column |
//! | a Parquet file, a folder of them, or `DIR/train-*.parquet` | a column `image`: a struct with `bytes`, or binary | a column `label`, whole numbers or text |
//! | one image file | that image | none: an error if labels are needed |
//!
//! **Files.** The content decides, not the name:
//!
//! | file | what becomes of it |
//! |---|---|
//! | an image, whatever its name | is read |
//! | named as an image (`.jpg`, `.PNG`, ...) and none, or damaged | [`OnBad`]: an error, or left out, counted and named by reason |
//! | an image with more pixels than allowed | the same |
//! | an archive, an array, a PDF and the like, which may hold pictures | in class folders left out and named, no error; else passed over |
//! | any other file | passed over |
//! | hidden files and folders, `Thumbs.db`, `desktop.ini`, `__MACOSX`, `@eaDir`, `$RECYCLE.BIN` | passed over |
//! | a link | followed; folders more than 32 deep are an error |
//! | a link to a folder that it lies in | left out and named, no error |
//!
//! **Class folders.**
//!
//! | found | what becomes of it |
//! |---|---|
//! | a class folder without an image that can be read | left out and noted ([`FolderSet::notes`]) |
//! | one class only | an error, with what was probably meant |
//! | a folder called as a label that stands for none ([`FolderOptions::no_label`]) | its images are unlabelled |
//! | `train`, `val`, `test` and the like instead of classes | an error that names `DIR/train` |
//! | folders with the same folders in them, no images beside, and most of them called as parts | the same |
//! | the same, and fewer of them called as parts | noted |
//! | images beside the class folders | an error |
//! | one of the tables above beside the class folders, or the only table there, that splits the images otherwise than they do | an error that names both ways |
//! | such a table that cannot be read, none of whose files are there, or that `tutor predict` wrote (`label`, `confidence`) | noted |
//! | fixed classes (those of the training images, for a test folder) | may be absent; any other is an error |
//!
//! **Parquet.**
//!
//! | found | what becomes of it |
//! |---|---|
//! | one of the numbered files of a set is missing (`train-00000-of-00002.parquet` alone) | an error that names it |
//! | a row without the bytes of an image | as a bad image; an error if all are so |
//! | labels that are lists, or numbers with a fraction | an error |
//! | another column that may be the labels | noted; a column called `label` comes first, then `labels`, `class`, `class_name`, `fine_label`, then the only one of class labels, then `category`, `target`, `digit`, `y` |
//! | files that number their class labels differently | each is read by its own names; noted |
//!
//! **Tables.** A header names the columns (`file`, `file_name`, `path`, `image`, ... and `label`,
//! `class`, ...) in any order; without one, the first column is the file and the second the label.
//! Commas, semicolons or tabs; lines of JSON have `file_name` and `label`. Paths start from the
//! folder that is named beside the table, else from the table's own; the ending may be missing, and
//! so may the sub-folder, where no other file is called so. Of paths from the top of a disk that
//! are not there (`/data/...`, `C:\...`, `file://...`) the longest end that is there counts, noted.
//!
//! | found | what becomes of it |
//! |---|---|
//! | a line without a label, or with one that stands for none ([`FolderOptions::no_label`]) | an unlabelled image |
//! | a file that the table does not name | an unlabelled image with [`FolderOptions::unlisted`], else passed over |
//! | a file that is not there | as a bad image; an error if they are more than one in ten |
//! | a file twice with two labels, by whichever names | an error that names both lines |
//! | a file twice with one label | counted once, noted |
//! | a label that is a list, as `[0, 1]`; numbers with a fraction, where all labels are numbers | an error |
//! | labels as `A\|B` or `A;B`, each part of which is in other labels too | classes of their own, noted |
//! | another column that may be the labels | noted; the columns come in the order `label`, `labels`, `class`, `class_name`, `category`, `target`, `diagnosis`, `dx`, `y` |
//! | a column `split`, `is_valid`, `fold`, `set`, `subset` or `partition` of several values | an error if they are called as parts (`train`, `test`), else noted |
//! | a column `patient`, `subject` or `group` (`patient_id` ...) some of whose values have several images | noted |
//!
//! Classes of tables and Parquet are sorted, by number if all are whole numbers; those of Hugging
//! Face's class labels keep their order, and among them the label -1 is none.
//!
//! ```
//! use augment::Image;
//! use data_pipeline::dataset::Samples;
//! use data_pipeline::dataset::folder::{FolderOptions, FolderSet};
//! use data_pipeline::picture::write_png;
//!
//! let folder = tempfile::tempdir()?;
//! for (class, grey) in [("cat", 40), ("dog", 200)] {
//!     std::fs::create_dir(folder.path().join(class))?;
//!     write_png(&folder.path().join(class).join("1.png"), &Image::filled(8, 6, 3, grey))?;
//! }
//! let set = FolderSet::open(folder.path(), &FolderOptions::default())?;
//! assert_eq!((set.len(), set.classes()), (2, ["cat", "dog"].map(String::from).as_slice()));
//! assert_eq!((set.id(1), set.label(1)), ("dog/1.png".to_owned(), Some(1)));
//! assert_eq!(set.item(1)?.pixels()[0], 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Opening reads headers and decodes nothing; [`FolderSet::decode_all`] does. The id of an image is
//! its path below the folder, as the table has it, or of Parquet the file and what the image was
//! called, if that is told and no other image is called so; else the file and the row.

mod beside;
pub(crate) mod beside_labels;
mod columns;
mod content;
mod known;
mod layout;
mod left_out;
mod listed;
pub(crate) mod listing;
mod parquet;
mod places;
mod published;
mod rows;
mod same;
pub(crate) mod set;
mod summary;
mod table;

pub use content::Header;
pub use left_out::{LeftOut, Skipped};
pub use same::contents;
pub use set::{FolderOptions, FolderSet, OnBad};
pub use summary::{Side, Summary};

use crate::error::DataError;
use crate::parallel;
use crate::picture::Decode;
use content::{Content, Fault};
use known::Known;
use layout::{Layout, first_part};
use listing::Listed;
use set::{Entry, Place};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

impl FolderSet {
    /// Opens images without decoding them; see the [module](self) for what `path` may be. Fails if
    /// it is something else, if there is no image, if there are not two classes where labels are
    /// wanted and `classes` does not fix them, or if an image is bad and `on_bad` says so.
    pub fn open(path: &Path, options: &FolderOptions) -> Result<Self, DataError> {
        if options.decode.size.is_some_and(|(width, height)| width == 0 || height == 0) {
            let fault = format!("{}: images of size 0 were asked for", path.display());
            return Err(DataError::Request(fault));
        }
        if let Some(files) = parquet::files(path)? {
            return parquet::open(path, &files, options);
        }
        if !path.exists() {
            return Err(missing(path, "is not there", "check the path"));
        }
        if let Some(table) = options.labels.as_ref().filter(|_| options.labeled) {
            if table.is_dir() {
                let way_out = "name a table of files and labels: .csv, .tsv or .jsonl";
                return Err(missing(table, "is a folder", way_out));
            }
            if !path.is_dir() {
                let way_out = "name the folder that the paths in the table start from";
                return Err(missing(path, "is a file", way_out));
            }
            return listed::open(table, Some(path), options.unlisted, options);
        }
        if !path.is_dir() {
            return Self::file(path, options);
        }
        if options.labeled {
            return class_folders(path, options);
        }
        let mut files = Vec::new();
        listing::below(path, path, &mut files)?;
        let found = look(files, options);
        if found.iter().all(|(_, content)| !matches!(content, Content::Image(_))) {
            published::refuse(path)?;
        }
        let set = set(path, options, vec![], found, vec![], |_| None);
        set.checked(None)
    }

    /// Opens what is a single file.
    fn file(path: &Path, options: &FolderOptions) -> Result<Self, DataError> {
        if table::is_table(path) {
            return listed::open(path, None, options.unlisted && options.labeled, options);
        }
        if content::starts_with(path, parquet::MAGIC) {
            return parquet::open(path, &[path.to_path_buf()], options);
        }
        let way_out = "name a folder, a table (.csv, .tsv, .jsonl) or Parquet files";
        match content::look(path, &options.decode) {
            Content::Holder(kind) => Err(missing(path, format!("is {kind}"), way_out)),
            Content::Other => Err(missing(path, "is a file that holds no image", way_out)),
            Content::Bad(fault) => Err(missing(path, fault.fault, way_out)),
            Content::Image(_) if options.labeled => {
                let fault = "is a single image, and has no label";
                Err(missing(path, fault, "name the folder that holds the class folders"))
            }
            content => {
                let id = listing::text(path.file_name().unwrap_or_default());
                let found = vec![(Listed { path: path.to_path_buf(), id }, content)];
                set(path, options, vec![], found, vec![], |_| None).checked(None)
            }
        }
    }
}

fn missing(path: &Path, fault: impl Into<String>, way_out: &'static str) -> DataError {
    DataError::Missing { path: path.to_path_buf(), fault: fault.into(), way_out }
}

/// Whether something is there that [`FolderSet::open`] may open: a file, a folder, or what a
/// pattern of Parquet files stands for.
pub fn is_there(path: &Path) -> bool {
    path.exists() || parquet::files(path).is_ok_and(|files| files.is_some())
}

/// All image files below a folder in the order of their paths, each with its path relative to the
/// folder; those that are named as images and are none count too, so that they can be told. Fails
/// if that is no folder, or if it has no image files but Parquet or a published data set.
pub fn files_below(dir: &Path) -> Result<Vec<(PathBuf, String)>, DataError> {
    let way_out = "name a folder of image files";
    if !is_there(dir) {
        return Err(missing(dir, "is not there", "check the path"));
    }
    let in_parquet = "holds its images in Parquet, not in files";
    if !dir.is_dir() {
        let fault = match content::look(dir, &Decode::default()) {
            _ if table::is_table(dir) => "is a table, not a folder".to_owned(),
            _ if !dir.exists() || content::starts_with(dir, parquet::MAGIC) => in_parquet.into(),
            Content::Image(_) => "is a single image".to_owned(),
            Content::Holder(kind) => format!("is {kind}"),
            Content::Bad(fault) => fault.fault,
            Content::Other => "is a file that holds no image".to_owned(),
        };
        return Err(missing(dir, fault, way_out));
    }
    let mut files = Vec::new();
    listing::below(dir, dir, &mut files)?;
    let found = look(files, &FolderOptions::default()).into_iter();
    let images = found.filter(|(_, content)| content.is_image());
    let images: Vec<_> = images.map(|(file, _)| (file.path, file.id)).collect();
    if images.is_empty() {
        published::refuse(dir)?;
        let is_parquet = !matches!(parquet::files(dir), Ok(None));
        let fault = if is_parquet { in_parquet } else { "there is no image" };
        return Err(missing(dir, fault, way_out));
    }
    Ok(images)
}

/// Looks at files on all processors.
fn look(files: Vec<Listed>, options: &FolderOptions) -> Vec<(Listed, Content)> {
    let seen = parallel::map(files.len(), |i| content::look(&files[i].path, &options.decode));
    files.into_iter().zip(seen).collect()
}

/// The set of what was found. `label` gives the label of an image by its id.
fn set(
    path: &Path,
    options: &FolderOptions,
    classes: Vec<String>,
    found: Vec<(Listed, Content)>,
    notes: Vec<String>,
    label: impl Fn(&str) -> Option<u32>,
) -> FolderSet {
    let (mut entries, mut skipped) = (Vec::new(), Vec::new());
    for (Listed { path, id }, content) in found {
        match content {
            Content::Image(header) => {
                let label = label(&id);
                entries.push(Entry { place: Place::File(path), id, label, header: Some(header) });
            }
            Content::Bad(fault) => skipped.push(Skipped::new(path, fault)),
            Content::Holder(kind) => skipped.push(Skipped::new(path, Fault::of_holder(kind))),
            Content::Other => {}
        }
    }
    // Beside images without labels, what else lies there is of no class.
    if !options.labeled && !entries.is_empty() {
        skipped.retain(|skipped| !skipped.is_holder());
    }
    let (path, options, known) = (path.to_path_buf(), options.clone(), Known::default());
    FolderSet { path, entries, classes, skipped, notes, options, known, unlisted: 0 }
}

/// Opens a folder whose sub-folders are classes.
fn class_folders(dir: &Path, options: &FolderOptions) -> Result<FolderSet, DataError> {
    let (loose, folders) = listing::children(dir)?;
    let tables = ["labels.csv", "labels.tsv", "labels.jsonl", "metadata.csv", "metadata.jsonl"];
    let table = tables.iter().map(|name| dir.join(name)).find(|table| table.is_file());
    let mut files: Vec<Listed> = Vec::new();
    for folder in &folders {
        listing::below(folder, dir, &mut files)?;
    }
    let found = look(files, options);
    let beside = table.clone().or_else(|| beside::only_table(&loose));
    let loose = loose.into_iter().map(|path| Listed { id: listing::id(&path, dir), path });
    let loose = look(loose.collect(), options);
    let loose: Vec<&Path> = loose
        .iter()
        .filter(|(_, content)| content.is_image())
        .map(|(file, _)| file.path.as_path())
        .collect();
    let images = Layout::of(&found);
    if let Some(first) = loose.first() {
        if let (true, Some(table)) = (images.classes.is_empty(), &table) {
            return listed::open(table, Some(dir), options.unlisted, options);
        }
        if images.classes.is_empty() {
            let fault = format!("holds {} images and no folder of a class", loose.len());
            let way_out = "put the images of each class into a folder, or name a table of labels";
            return Err(missing(dir, fault, way_out));
        }
        let others = match loose.len() {
            1 => String::new(),
            n => format!(", and {} more", n - 1),
        };
        let named = table.map_or_else(String::new, |table| {
            format!("; if {} has the labels, name that table", table.display())
        });
        let fault = format!("an image outside the class folders{others}{named}");
        return Err(missing(first, fault, "move it into the folder of its class, or away"));
    }
    let mut notes = images.notes();
    // A single folder with another table is told of as one class.
    let least = if table.is_some() { 1 } else { 2 };
    if let Some(beside) = beside.filter(|_| images.classes.len() >= least) {
        notes.extend(beside::look(&beside, dir, options)?);
    }
    if images.classes.is_empty() {
        published::refuse(dir)?;
    }
    images.refuse_parts(dir, options.classes.as_deref())?;
    let names = folders.iter().map(|f| listing::text(f.file_name().unwrap_or_default()));
    let names: Vec<String> = names.filter(|name| options.is_label(name)).collect();
    let classes = options.classes.clone().unwrap_or_else(|| names.clone());
    let mut found_classes = images.classes.keys().filter(|name| options.is_label(name));
    let strange = found_classes.find(|name| !classes.contains(name));
    if let Some(name) = strange {
        let near = listing::near(name, &classes);
        let way_out = match near.is_empty() {
            true => "rename or remove the folder, or say --no-label if its name stands for none",
            false => "rename the folder",
        };
        let fault = format!("no class of this name among {classes:?}{near}");
        return Err(missing(&dir.join(name), fault, way_out));
    }
    let number: BTreeMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let label = |id: &str| {
        let name = Some(first_part(id)).filter(|name| options.is_label(name))?;
        number.get(name).copied()
    };
    let set = set(dir, options, classes.clone(), found, notes, label);
    if set.entries.is_empty() && set.skipped.is_empty() {
        return Err(missing(dir, "no images in class folders", "name a folder of images"));
    }
    set.checked(images.meant(dir).as_deref())
}
