//! Paraphrases of unlabelled texts, read from files of a paraphrase a line.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use augment::rng::Rng;
use augment::text::back_translation::accepted;
use data_pipeline::digest::Digest;
use data_pipeline::text::TextSet;

/// The paraphrases of each text that has some.
///
/// They come from a file whose line `i` is a paraphrase of unlabelled text `i`, or from a folder of
/// several such files, `para_0.txt`, `para_1.txt`, ... (`augment::text::paraphrases` writes them).
/// Only LF ends a line, and a file with more or fewer lines than there are texts is an error: a
/// single surplus line would pair all texts behind it with another's paraphrase. A paraphrase whose
/// length is far from its text's counts as none (UDA's test).
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
        for file in copies(path)? {
            let read = fs::read_to_string(&file);
            let read = read.with_context(|| format!("cannot read {}", file.display()))?;
            let whole = read.strip_suffix('\n').unwrap_or(&read);
            let lines: Vec<&str> = whole.split('\n').collect();
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
    let mut found: Vec<PathBuf> = Vec::new();
    while let next = path.join(format!("para_{}.txt", found.len()))
        && next.is_file()
    {
        found.push(next);
    }
    ensure!(
        !found.is_empty(),
        "{}: there is no para_0.txt; name a folder of files para_0.txt, para_1.txt, ..., or a file",
        path.display()
    );
    Ok(found)
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
        // U+0085 and U+2028 end no line (O-20).
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
        write("para_1.txt", "one\ntwo\nthree\n");
        let error = Paraphrased::read(folder.path(), &texts).err().expect("refused").to_string();
        assert!(error.contains("3 lines for 2 unlabelled texts"), "{error}");
        let empty = tempfile::tempdir().expect("a folder");
        let error = Paraphrased::read(empty.path(), &texts).err().expect("refused").to_string();
        assert!(error.contains("no para_0.txt"), "{error}");
    }
}
