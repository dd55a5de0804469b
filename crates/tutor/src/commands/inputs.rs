//! That no command writes over what it reads.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use data_pipeline::text::read::files;

/// An error if `out` is one of the inputs, which are files, folders and patterns, or would lie in a
/// folder of them.
pub(super) fn keep_inputs(out: &Path, inputs: &[PathBuf]) -> Result<()> {
    let out_whole = whole(out);
    for input in inputs {
        // A pattern that fits nothing, or a name of something else, is told of by who reads it.
        let found = match input.exists() {
            true => vec![input.clone()],
            false => files(std::slice::from_ref(input)).unwrap_or_default(),
        };
        for read in found {
            let read_whole = whole(&read);
            ensure!(
                out_whole != read_whole,
                "{}: this is what is read, and would be lost: name another place",
                out.display()
            );
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

/// A path from the root on without links, as far as it is there.
fn whole(path: &Path) -> PathBuf {
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
}
