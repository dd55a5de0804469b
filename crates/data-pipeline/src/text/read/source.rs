//! Which files are read, and how they are unpacked.

use crate::dataset::folder::listing;
use crate::endings::ends_with;
use crate::error::DataError;
use flate2::bufread::MultiGzDecoder;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// The files that paths stand for, each once; see the [module](super).
///
/// # Errors
/// When a path stands for nothing.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DataError> {
    let (mut files, mut known) = (Vec::new(), HashSet::new());
    for path in paths {
        let found = of_path(path)?;
        if found.is_empty() {
            return Err(DataError::Missing {
                path: path.clone(),
                fault: "no file is there".into(),
                way_out: "name a file, a folder of files, or a pattern such as texts/*.txt",
            });
        }
        for file in found {
            if known.insert(file.clone()) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

fn of_path(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    if path.is_dir() {
        let mut below = Vec::new();
        listing::below(path, path, &mut below)?;
        // A link that leads back to a folder above it has nothing new.
        return Ok(below.into_iter().map(|file| file.path).filter(|path| !path.is_dir()).collect());
    }
    if path.exists() {
        return Ok(vec![path.to_path_buf()]);
    }
    let text = path.to_string_lossy();
    if !text.contains(['*', '?', '[']) {
        return Ok(vec![]);
    }
    let fault = |error: &dyn std::fmt::Display| DataError::Missing {
        path: path.to_path_buf(),
        fault: error.to_string(),
        way_out: "in patterns `*` stands for a part of a name, `**` for folders",
    };
    let mut found = Vec::new();
    for entry in glob::glob(&text).map_err(|error| fault(&error))? {
        let entry = entry.map_err(|error| fault(&error))?;
        if entry.is_file() {
            found.push(entry);
        }
    }
    Ok(found)
}

/// Opens a file of text and unpacks it while it is read.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, DataError> {
    let way_out = "name a file that is there and can be read";
    let file = File::open(path).map_err(DataError::io(path, way_out))?;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().map_err(DataError::io(path, way_out))?;
    refuse_other(path, start)?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file))));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let decoder = zstd::stream::read::Decoder::with_buffer(file);
        let mut decoder = decoder.map_err(DataError::io(path, way_out))?;
        // Published dumps use windows of up to 2 GiB.
        decoder.window_log_max(31).map_err(DataError::io(path, way_out))?;
        return Ok(Box::new(BufReader::with_capacity(1 << 16, decoder)));
    }
    Ok(Box::new(file))
}

/// Fails if a path is a pipe, for whoever opens it more than once.
pub(crate) fn refuse_pipe(path: &Path) -> Result<(), DataError> {
    let is_pipe = std::fs::metadata(path).is_ok_and(|about| about.file_type().is_fifo());
    if !is_pipe {
        return Ok(());
    }
    let fault = "is a pipe, and is read more than once".to_owned();
    Err(DataError::Missing { path: path.to_path_buf(), fault, way_out: "write it to a file" })
}

const UTF8: &str = "save it as UTF-8";

/// What a text without a mark at its start is in, if its first bytes have a zero in about every
/// second place, as in UTF-16, or in three of four, as in UTF-32.
fn wide(start: &[u8]) -> Option<&'static str> {
    const FIRST: usize = 512;
    let start = &start[..start.len().min(FIRST)];
    let mut zeros = [0; 4];
    for (at, byte) in start.iter().enumerate() {
        zeros[at % 4] += usize::from(*byte == 0);
    }
    // A single zero may be a slip of whoever wrote the text.
    let many = |zeros: usize, places: usize| zeros >= 2 && 2 * zeros > places;
    let quarter = start.len() / 4;
    let full = zeros.iter().filter(|zeros| many(**zeros, quarter)).count();
    let [even, odd] = [zeros[0] + zeros[2], zeros[1] + zeros[3]];
    match full {
        3 => Some("the file is UTF-32, as its zero bytes say"),
        _ if many(even, start.len() / 2) != many(odd, start.len() / 2) => {
            Some("the file is UTF-16, as its zero bytes say")
        }
        _ => None,
    }
}

/// Refuses what is no text in UTF-8, where it is told by how it begins.
fn refuse_other(path: &Path, start: &[u8]) -> Result<(), DataError> {
    let (fault, way_out) = match start {
        [b'P', b'K', 3, 4, ..] | [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            ("a spreadsheet or an archive, and no text", "save a spreadsheet as CSV UTF-8")
        }
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => {
            ("the file is packed by bzip2", "unpack it first, as by bunzip2")
        }
        [0xfd, b'7', b'z', b'X', b'Z', ..] => {
            ("the file is packed by xz", "unpack it first, as by unxz")
        }
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => ("the file is UTF-32", UTF8),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("the file is UTF-16", UTF8),
        // The header of what is packed has zeros.
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => return Ok(()),
        _ => match wide(start) {
            Some(fault) => (fault, UTF8),
            None => return Ok(()),
        },
    };
    Err(DataError::Missing { path: path.to_path_buf(), fault: fault.into(), way_out })
}

/// Refuses files whose name says that they are JSON as a whole.
pub(crate) fn refuse_json(path: &Path) -> Result<(), DataError> {
    if !ends_with(path, &["json"]) {
        return Ok(());
    }
    Err(DataError::Missing {
        path: path.to_path_buf(),
        fault: "a .json is not read".into(),
        way_out: "if each of its lines is an object, name it .jsonl; else make such a file of it",
    })
}
