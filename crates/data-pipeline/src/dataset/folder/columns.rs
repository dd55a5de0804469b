//! Which columns of a Parquet file hold images and labels, by their names and by what Hugging
//! Face's `datasets` notes of them.

use crate::error::DataError;
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::ColumnDescriptor;
use serde_json::Value;
use std::path::Path;

/// Columns that hold labels, the likeliest first.
const LABELS: [&str; 9] =
    ["label", "labels", "class", "class_name", "fine_label", "category", "target", "digit", "y"];

/// How many of [`LABELS`] are taken for the labels whatever else there is.
const CERTAIN: usize = 5;

/// Columns that hold images.
const IMAGES: [&str; 3] = ["image", "img", "picture"];

/// What to do with a file that has only the paths of its pictures.
pub(super) const EMBED: &str = "write the files anew with the pictures inside, as `push_to_hub` \
                                and `embed_table_storage` of Hugging Face's `datasets` do, or name \
                                the folder of the pictures";

/// The leaf columns of a file, with the notes on them.
pub(super) struct Columns<'a> {
    leaves: Vec<&'a ColumnDescriptor>,
    features: Value,
}

/// The column of labels, and what else may be meant.
pub(super) struct LabelColumn {
    /// The leaf column.
    pub(super) place: usize,
    /// The names of classes 0, 1, ..., where the file says so.
    pub(super) names: Option<Vec<String>>,
    /// Other columns that could be the labels, by name.
    pub(super) others: Vec<String>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(footer: &'a ParquetMetaData) -> Self {
        let schema = footer.file_metadata().schema_descr();
        let leaves = schema.columns().iter().map(|column| &**column).collect();
        Self { leaves, features: features(footer) }
    }

    /// The columns that `datasets` notes as of a type.
    fn of_type(&self, wanted: &str) -> Vec<&'a str> {
        let is = |name: &&str| self.features[*name]["_type"] == wanted;
        self.leaves.iter().map(|column| root(column)).filter(is).collect()
    }

    /// The leaf column of encoded images.
    pub(super) fn image(&self, path: &Path) -> Result<usize, DataError> {
        let is_bytes = |column: &&&ColumnDescriptor| {
            column.physical_type() == Physical::BYTE_ARRAY
                && column.max_rep_level() == 0
                && column.converted_type() != ConvertedType::UTF8
                && column.logical_type_ref() != Some(&LogicalType::String)
        };
        let typed = self.of_type("Image");
        let find = |is: &dyn Fn(&&&ColumnDescriptor) -> bool| {
            self.leaves.iter().position(|column| is_bytes(&column) && is(&column))
        };
        find(&|c| typed.contains(&root(c)) && c.name() == "bytes")
            .or_else(|| find(&|c| c.name() == "bytes"))
            .or_else(|| find(&|c| IMAGES.contains(&c.name())))
            .ok_or_else(|| without_images(path, &self.leaves))
    }

    /// The leaf column of the paths that the images had, beside their bytes in the column `image`.
    pub(super) fn origin(&self, image: usize) -> Option<usize> {
        let image = self.leaves[image].path().parts();
        self.leaves.iter().position(|column| {
            let parts = column.path().parts();
            parts.len() > 1
                && column.name() == "path"
                && column.physical_type() == Physical::BYTE_ARRAY
                && column.max_rep_level() == 0
                && parts[..parts.len() - 1] == image[..image.len() - 1]
        })
    }

    /// The column that is called as only labels are, the likeliest name first, else the only
    /// one that is noted as of class labels, else one of the other [`LABELS`].
    pub(super) fn label(&self) -> Option<LabelColumn> {
        let flat = |name: &str| {
            let is = |c: &&ColumnDescriptor| c.path().string() == name && c.max_rep_level() == 0;
            self.leaves.iter().position(is)
        };
        let noted = self.of_type("ClassLabel");
        let (certain, others) = LABELS.split_at(CERTAIN);
        let first = |names: &[&str]| names.iter().find_map(|name| flat(name));
        let only = || match noted[..] {
            [only] => flat(only),
            _ => None,
        };
        let place = first(certain).or_else(only).or_else(|| first(others))?;
        let name = self.leaves[place].name();
        let others = LABELS.iter().copied().chain(noted);
        let others = others.filter(|other| *other != name && flat(other).is_some());
        let mut others: Vec<String> = others.map(str::to_owned).collect();
        others.sort();
        others.dedup();
        let text = |name: &Value| name.as_str().map(str::to_owned);
        let names = self.features[name]["names"].as_array();
        let names = names.and_then(|names| names.iter().map(text).collect());
        Some(LabelColumn { place, names, others })
    }

    /// A column that is called as one of labels, or noted as such, and holds lists.
    pub(super) fn lists(&self) -> Option<String> {
        let noted = self.of_type("ClassLabel");
        let is = |c: &&&ColumnDescriptor| {
            (LABELS.contains(&root(c)) || noted.contains(&root(c))) && c.max_rep_level() > 0
        };
        self.leaves.iter().find(is).map(|column| root(column).to_owned())
    }
}

/// What is said of a file without a column of encoded images.
fn without_images(path: &Path, leaves: &[&ColumnDescriptor]) -> DataError {
    let names: Vec<String> = leaves.iter().map(|c| c.path().string()).collect();
    let names = names.join(", ");
    // Writers give a column in which all is null some other type.
    let of_paths = |c: &&&ColumnDescriptor| {
        c.path().parts().len() == 2 && c.name() == "path" && c.max_rep_level() == 0
    };
    let of_text = |c: &&&ColumnDescriptor| {
        IMAGES.contains(&c.name()) && c.physical_type() == Physical::BYTE_ARRAY
    };
    let paths = leaves.iter().find(of_paths).or_else(|| leaves.iter().find(of_text));
    let (fault, way_out) = match paths {
        Some(paths) => {
            let fault = format!(
                "no encoded images among its columns {names}: `{}` has only the paths of pictures",
                paths.path().string()
            );
            (fault, EMBED)
        }
        None => (
            format!(
                "no column `image` of encoded images (a struct with `bytes`, or binary) among \
                 {names}"
            ),
            "call the column of pictures `image`, and write their files' bytes into it",
        ),
    };
    DataError::Missing { path: path.to_path_buf(), fault, way_out }
}

/// The name of the column that a leaf belongs to.
fn root(column: &ColumnDescriptor) -> &str {
    column.path().parts().first().map_or("", String::as_str)
}

/// What Hugging Face's `datasets` notes of the columns, or null.
fn features(footer: &ParquetMetaData) -> Value {
    let notes = footer.file_metadata().key_value_metadata();
    let note = notes.into_iter().flatten().find(|note| note.key == "huggingface");
    let text = note.and_then(|note| note.value.as_deref()).unwrap_or("null");
    let mut value: Value = serde_json::from_str(text).unwrap_or_default();
    value["info"]["features"].take()
}
