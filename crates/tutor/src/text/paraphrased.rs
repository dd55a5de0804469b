//! Paraphrases of unlabelled texts, read from files of a paraphrase a line.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use augment::rng::Rng;
use augment::text::back_translation::accepted;
use augment::text::paraphrases::{STORE, made_of};
use data_pipeline::digest::Digest;
use data_pipeline::text::TextSet;

/// The paraphrases of each text that has some.
///
/// They come from a file whose line `i` is a paraphrase of unlabelled text `i`, or from a folder of
/// several such files, `para_0.txt`, `para_1.txt`, ... (`augment::text::paraphrases` writes them).
/// Only LF ends a line, and a file with more or fewer lines than there are texts is an error: a
/// single surplus line would pair all texts behind it with another's paraphrase. Where the store
/// that the files were made from lies beside them, it must be of the same texts in the same order.
/// A paraphrase whose length is far from its text's counts as none (UDA's test).
pub(crate) struct Paraphrased {
    /// By the digest of the text, so that a labelled text that is among the unlabelled ones has
    /// those of it.
    of: HashMap<Digest, Vec<String>>,
}

impl Paraphrased {
    /// Reads the paraphrases of unlabelled texts.
    pub(crate) fn read(path: &Path, texts: &TextSet) -> Result<Self> {
        let examples = texts.examples();
        let mut of: HashMap<Digest, Vec<String>> = HashMap::with_capacity(examples.len());
        let originals: Vec<&str> = examples.iter().map(|example| &*example.texts.a).collect();
        if path.is_dir()
            && let Some((made, is_same)) = made_of(path, &originals)?
        {
            ensure!(
                is_same,
                "{}: made of {made} texts that are not the {} unlabelled ones as they are here, or \
                 stand in another order: make the paraphrases anew of the unlabelled texts, or, if \
                 line i of each file is known to belong to text i, move this file away",
                path.join(STORE).display(),
                originals.len()
            );
        }
        for file in copies(path)? {
            let read = fs::read_to_string(&file);
            let read = read.with_context(|| format!("cannot read {}", file.display()))?;
            let whole = read.strip_suffix('\n').unwrap_or(&read);
            let lines: Vec<&str> =
                if read.is_empty() { Vec::new() } else { whole.split('\n').collect() };
            ensure!(
                lines.len() == examples.len(),
                "{}: {} lines for {} unlabelled texts: a paraphrase a line is wanted, in the order \
                 of the texts; make the file anew of the same texts",
                file.display(),
                lines.len(),
                examples.len()
            );
            for (example, line) in examples.iter().zip(lines) {
                let text = &example.texts.a;
                // The original where the paraphrase is no good: it counts as a draw of its own.
                let kept = accepted(text, line.trim());
                of.entry(Digest::of(text.as_bytes())).or_default().push(kept.to_owned());
            }
        }
        Ok(Self { of })
    }

    /// One of the paraphrases of a text; none if it has none.
    pub(crate) fn draw(&self, text: &str, rng: &mut Rng) -> Option<&str> {
        let all = self.of.get(&Digest::of(text.as_bytes()))?;
        Some(&all[rng.below(all.len())])
    }
}

/// The files of paraphrases that a path stands for, in the order of their numbers.
fn copies(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut numbers = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_prefix("para_")?.strip_suffix(".txt"));
        let number = number.and_then(|number| number.parse::<usize>().ok());
        // Not `para_00.txt`, which is no name of ours.
        let is_ours = |number: &usize| *name == *file_name(*number) && entry.path().is_file();
        numbers.extend(number.filter(is_ours));
    }
    numbers.sort_unstable();
    // Without any, the first is missing.
    let missing = (0..numbers.len().max(1)).find(|number| numbers.get(*number) != Some(number));
    if let Some(missing) = missing {
        bail!(
            "{}: there is no para_{missing}.txt; name a folder of files para_0.txt, para_1.txt, ... \
             without a gap, or a file",
            path.display()
        );
    }
    Ok(numbers.into_iter().map(|number| path.join(file_name(number))).collect())
}

fn file_name(number: usize) -> String {
    format!("para_{number}.txt")
}

#[cfg(test)]
mod tests {
    use data_pipeline::text::{Example, Target, Texts};

    use super::*;

    #[test]
    fn a_line_belongs_to_the_text_of_its_number() {
        let long = "a text of more than ten letters";
        let example = |a: &str| Example {
            id: a.to_owned(),
            texts: Texts { a: a.to_owned(), b: None },
            target: Target::None,
        };
        let texts =
            TextSet::new("toy", vec![example(long), example("short")], vec![]).expect("set");
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("written");
        };
        // U+0085 and U+2028 end no line.
        write("para_0.txt", "another text\u{85} of many\u{2028} letters\nshorter\n");
        write("para_1.txt", "a third text of several letters\nmuch longer than it\n");
        let read = Paraphrased::read(folder.path(), &texts).expect("paraphrases");
        let mut rng = Rng::new(1);
        let drawn: std::collections::BTreeSet<&str> =
            (0..50).filter_map(|_| read.draw(long, &mut rng)).collect();
        assert_eq!(drawn.len(), 2, "{drawn:?}");
        assert!(drawn.iter().all(|text| text.contains("letters")), "{drawn:?}");
        // Neither of them passes UDA's test of lengths.
        assert_eq!(read.draw("short", &mut rng), Some("short"));
        assert_eq!(read.draw("no such text", &mut rng), None);
        let refused = |texts: &TextSet| {
            Paraphrased::read(folder.path(), texts).err().expect("refused").to_string()
        };
        // A file between the others is missing.
        write("para_3.txt", "one\ntwo\n");
        write("para_02.txt", "one\ntwo\n");
        let error = refused(&texts);
        assert!(error.contains("no para_2.txt"), "{error}");
        fs::remove_file(folder.path().join("para_3.txt")).expect("removed");
        write("para_1.txt", "");
        let error = refused(&texts);
        assert!(error.contains("0 lines for 2"), "{error}");
        write("para_1.txt", "one\ntwo\nthree\n");
        let error = Paraphrased::read(folder.path(), &texts).err().expect("refused").to_string();
        assert!(error.contains("3 lines for 2 unlabelled texts"), "{error}");
        let empty = tempfile::tempdir().expect("a folder");
        let error = Paraphrased::read(empty.path(), &texts).err().expect("refused").to_string();
        assert!(error.contains("no para_0.txt"), "{error}");
    }
}
