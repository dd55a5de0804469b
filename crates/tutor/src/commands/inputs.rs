//! That commands do not write over what they read, and that it can be read.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use data_pipeline::text::read::files;

/// An error if `out` is one of the inputs, which are files, folders and patterns, or would lie in a
/// folder of them.
pub(super) fn keep_inputs(out: &Path, inputs: &[PathBuf]) -> Result<()> {
    keep_files(out, inputs)?;
    let out_whole = whole(out);
    for input in inputs {
        for read in named(input) {
            let read_whole = whole(&read);
            ensure!(
                !(read_whole.is_dir() && out_whole.starts_with(&read_whole)),
                "{}: lies in {}, all of which is read: name a place outside of it",
                out.display(),
                read.display()
            );
        }
    }
    Ok(())
}

/// The same of a table of pictures: a folder of these may hold it, unless it would be read as
/// pictures itself, as Parquet files directly in the folder are, and those in its sub-folder
/// `data`.
pub(super) fn keep_pictures(out: &Path, pictures: &Path) -> Result<()> {
    keep_files(out, &[pictures.to_owned()])?;
    let (place, folder) = (whole(out), whole(pictures));
    let is_parquet = place.extension().is_some_and(|end| end.eq_ignore_ascii_case("parquet"));
    let is_there =
        [folder.join("data"), folder].iter().any(|dir| place.parent() == Some(dir.as_path()));
    ensure!(
        !(is_parquet && is_there),
        "{}: a Parquet file in {} would be read as pictures from then on: name a place outside of \
         it",
        out.display(),
        pictures.display()
    );
    Ok(())
}

/// An error if `out` is one of the inputs.
pub(super) fn keep_files(out: &Path, inputs: &[PathBuf]) -> Result<()> {
    let out_whole = whole(out);
    ensure!(
        inputs.iter().flat_map(|input| named(input)).all(|read| whole(&read) != out_whole),
        "{}: this is what is read, and would be lost: name another place",
        out.display()
    );
    Ok(())
}

/// An error if one of the inputs is a pipe, for commands that read them more than once.
pub(super) fn refuse_pipes<'a>(inputs: impl IntoIterator<Item = &'a PathBuf>) -> Result<()> {
    let is_pipe = |input: &Path| {
        let kind = fs::metadata(input).map(|about| about.file_type());
        kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
    };
    for input in inputs {
        ensure!(
            !is_pipe(input),
            "{}: is a pipe, and is read more than once: write it to a file",
            input.display()
        );
    }
    Ok(())
}

/// What an input stands for. A pattern that fits nothing, or a name of something else, is told of
/// by who reads it.
fn named(input: &Path) -> Vec<PathBuf> {
    match input.exists() {
        true => vec![input.to_owned()],
        false => files(&[input.to_owned()]).unwrap_or_default(),
    }
}

/// A path from the root on without links, as far as it is there.
pub(super) fn whole(path: &Path) -> PathBuf {
    if let Ok(whole) = path.canonicalize() {
        return whole;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent(), absolute.file_name()) {
        (Some(above), Some(name)) => whole(above).join(name),
        _ => absolute,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_read_is_not_written_over() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("in")).expect("made");
        for name in ["in/a.csv", "b.csv"] {
            fs::write(at(name), "text\n").expect("written");
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("b.csv"), at("link.csv")).expect("linked");
        let fault = |out: &str, input: &str| {
            keep_inputs(&at(out), &[at(input)]).err().map(|error| error.to_string())
        };
        for (out, input, part) in [
            ("b.csv", "b.csv", "would be lost"),
            ("in/../b.csv", "b.csv", "would be lost"),
            ("b.csv", "*.csv", "would be lost"),
            ("link.csv", "b.csv", "would be lost"),
            ("in/new.csv", "in", "outside"),
            ("in/new/deep.csv", "in", "outside"),
        ] {
            if cfg!(unix) || out != "link.csv" {
                let said = fault(out, input).unwrap_or_else(|| panic!("{out}, {input}"));
                assert!(said.contains(part), "{said}");
            }
        }
        for (out, input) in [("c.csv", "b.csv"), ("in/c.csv", "b.csv"), ("inner.csv", "in")] {
            assert_eq!(fault(out, input), None, "{out}, {input}");
        }
    }

    #[test]
    fn pipes_are_refused_where_inputs_are_read_twice() {
        let dir = tempfile::tempdir().expect("a folder");
        let [file, pipe, none] = ["a.csv", "b.csv", "none"].map(|name| dir.path().join(name));
        fs::write(&file, "text\n").expect("written");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        refuse_pipes([&file, &none, &dir.path().to_owned()]).expect("no pipes");
        let fault = refuse_pipes([&file, &pipe]).expect_err("a pipe").to_string();
        assert!(
            fault.ends_with("b.csv: is a pipe, and is read more than once: write it to a file")
        );
    }

    #[test]
    fn a_folder_of_pictures_holds_tables_that_are_not_read_as_pictures() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("in/data")).expect("made");
        fs::write(at("list.csv"), "file\n").expect("written");
        let fault = |out: &str, input: &str| {
            keep_pictures(&at(out), &at(input)).err().map(|error| error.to_string())
        };
        for (out, input, part) in [
            ("list.csv", "list.csv", "would be lost"),
            ("in", "in", "would be lost"),
            ("in/labels.parquet", "in", "outside"),
            ("in/data/part.PARQUET", "in/.", "outside"),
        ] {
            let said = fault(out, input).unwrap_or_else(|| panic!("{out}, {input}"));
            assert!(said.contains(part), "{said}");
        }
        for (out, input) in [
            ("in/labels.csv", "in"),
            ("in/labels.jsonl", "in"),
            ("in/labels/part.parquet", "in"),
            ("labels.parquet", "in"),
            ("labels.csv", "list.csv"),
        ] {
            assert_eq!(fault(out, input), None, "{out}, {input}");
        }
    }
}
