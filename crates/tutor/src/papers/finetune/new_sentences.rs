//! Tags for the words of new sentences, by a network of a run.

use std::path::Path;

use anyhow::{Result, ensure};
use data_pipeline::text::{FurtherColumns, TaggedColumns, TaggedSet};
use electra::heads::Tagger;
use metrics::words::counted;
use torch::precision::autocast;

use super::kept::Reopened;
use super::recipe::TagsConfig;
use super::squad::told;
use super::tags::{KeptTags, Sentences};
use crate::run::annotator::{Annotated, Annotation, Annotator};

/// A tagger of a run.
pub(super) struct NewSentences {
    config: TagsConfig,
    network: Reopened<KeptTags>,
}

/// How the names of files end that do not have a word a line.
const OTHERS: [&str; 4] = [".csv", ".json", ".jsonl", ".parquet"];

const FORM: &str = "a word a line, further columns behind spaces or tabs, and a blank line behind \
                    each sentence";

impl NewSentences {
    /// That of a seed, by its folder.
    pub(super) fn of_seed(config: &TagsConfig, seed: &Path) -> Result<Self> {
        Ok(Self { config: config.clone(), network: Reopened::of_seed(seed)? })
    }
}

impl Annotator for NewSentences {
    fn unit(&self) -> &'static str {
        "sentences"
    }

    fn default_out(&self) -> &'static str {
        "tags.txt"
    }

    fn annotate(
        &self,
        &Annotation { file, out, on_bad, device, precision }: &Annotation<'_>,
        shown: &mut dyn FnMut(usize, usize),
    ) -> Result<Annotated> {
        let name = file.to_string_lossy().to_lowercase();
        let name = [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        ensure!(
            !OTHERS.iter().any(|end| name.ends_with(end)),
            "{}: a table has no words to tag: name a file with {FORM}",
            file.display()
        );
        let word = self.config.word;
        let columns = TaggedColumns { word, untagged: true, ..TaggedColumns::default() };
        let set = TaggedSet::read(file, &columns, on_bad)?;
        let mut notes = told(file, &set.tally);
        ensure!(
            !set.sentences.is_empty(),
            "{} has no sentence: write {FORM}{}",
            file.display(),
            notes.iter().map(|note| format!("; {note}")).collect::<String>()
        );
        notes.extend(set.further.as_ref().map(|further| passed_over(file, word, further)));
        let Reopened { tokenizer, task: KeptTags { tags }, .. } = &self.network;
        let sentences = Sentences::encode(set, self.config.longest, tokenizer)?;
        notes.extend(sentences.without_room(file, tags));
        let make = |scope: &mut torch::Scope<'_>, encoder: &electra::EncoderConfig| {
            Tagger::new(scope, encoder, tags.len() as i64)
        };
        let tagger = self.network.load(device, make)?;
        let predict = || sentences.predict(&tagger, tags, device, shown);
        let found = autocast(precision, device, predict)?;
        let text = written(&sentences.set, tags, &found);
        atomic_file::write(out, text.as_bytes())?;
        Ok(Annotated { count: found.len(), notes })
    }
}

/// What is said of the columns behind that of the words.
fn passed_over(file: &Path, word: usize, further: &FurtherColumns) -> String {
    let FurtherColumns { count, example } = further;
    format!(
        "{}: column {} holds the words; {}, such as `{example}`, {} passed over",
        file.file_name().unwrap_or_default().to_string_lossy(),
        word + 1,
        counted(count, "further column"),
        if *count == 1 { "is" } else { "are" }
    )
}

/// A word a line as it stands in its file, with its tag, and a blank line behind each sentence.
/// Between them is a space, or a tab where the word holds a space.
fn written(set: &TaggedSet, tags: &[String], found: &[Vec<usize>]) -> String {
    let mut text = String::new();
    for (sentence, said) in set.sentences.iter().zip(found) {
        for (word, &tag) in sentence.words.iter().zip(said) {
            let between = if word.contains(' ') { '\t' } else { ' ' };
            text += word;
            text.push(between);
            text += &tags[tag];
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use data_pipeline::text::TaggedSentence;

    use super::*;

    #[test]
    fn words_stand_as_in_their_file() {
        let sentence = |words: &[&str]| TaggedSentence {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            tags: None,
        };
        let sentences = vec![sentence(&["New York", "is"]), sentence(&["a\u{a0}b"])];
        let set = TaggedSet { sentences, ..TaggedSet::default() };
        let tags = ["O", "B-LOC"].map(str::to_owned);
        let text = written(&set, &tags, &[vec![1, 0], vec![0]]);
        assert_eq!(text, "New York\tB-LOC\nis O\n\na\u{a0}b O\n\n");
    }

    #[test]
    fn columns_that_are_passed_over_are_told_of() {
        let told = |count, example: &str| {
            let further = FurtherColumns { count, example: example.to_owned() };
            passed_over(Path::new("new/s.txt"), 0, &further)
        };
        let expected = "s.txt: column 1 holds the words; 3 further columns, such as `lives in \
                        Berlin`, are passed over";
        assert_eq!(told(3, "lives in Berlin"), expected);
        assert!(told(1, "NN").ends_with("1 further column, such as `NN`, is passed over"));
    }
}
