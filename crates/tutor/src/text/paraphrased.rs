//! Paraphrases of unlabelled texts, read from files of a paraphrase a line.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use augment::rng::Rng;
use augment::text::back_translation::accepted;
use augment::text::paraphrase_sources::Sources;
use augment::text::paraphrases::{STORE, one_line};
use data_pipeline::digest::Digest;
use data_pipeline::text::{TextSet, clean};

use crate::run::began::{Began, PARAPHRASES};

/// The paraphrases of each text that has some.
///
/// They come from a file whose line `i` is a paraphrase of text `i`, or from a folder of several
/// such files, `para_0.txt`, `para_1.txt`, ... (`augment::text::paraphrases` writes them). Only LF
/// ends a line, and a file with more or fewer lines than there are texts is an error: a single
/// surplus line would pair all texts behind it with another's paraphrase. Where the store that the
/// files were made from lies beside them, it must be of the same texts in the same order, as they
/// are or as [`clean`] leaves them. A paraphrase whose length is far from its text's counts as none
/// (UDA's test).
pub(crate) struct Paraphrased {
    /// By the digest of the text: so a labelled text that is among the unlabelled ones has those of
    /// it, and texts may be left out afterwards.
    of: HashMap<Digest, Vec<String>>,
    /// What tells these paraphrases of these texts from any others.
    digest: Digest,
    is_checked: bool,
}

/// What paraphrases there are of some texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) texts: usize,
    /// Texts with a paraphrase that differs from them; the others are used as they are.
    pub(crate) with: usize,
    /// Paraphrases of all these texts.
    pub(crate) paraphrases: usize,
    /// Those of them that are the text itself: they were refused, or changed nothing.
    pub(crate) unchanged: usize,
}

/// Keeps in a run's folder which paraphrases it draws from, or makes sure that they are those that
/// it began with; each is named by its path. Fails in all of several processes unless they have the
/// same.
pub(crate) fn keep<'a>(
    dir: &Path,
    all: impl IntoIterator<Item = (&'a Path, &'a Paraphrased)>,
) -> Result<()> {
    let mut began = Began::default();
    for (path, paraphrased) in all {
        // Each machine may have them in a folder of its own.
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let words = format!("paraphrases in {name}");
        began.add(path.display().to_string(), words, paraphrased.digest);
    }
    began.keep(dir, PARAPHRASES)
}

impl Paraphrased {
    /// Reads the paraphrases of the texts of a file, all of them in its order.
    pub(crate) fn read(path: &Path, texts: &TextSet) -> Result<Self> {
        let originals: Vec<&str> =
            texts.examples().iter().map(|example| &*example.texts.a).collect();
        let sources = Sources::of(folder_of(path))?;
        let is_checked = sources.is_some();
        let cleaned = match sources {
            Some(sources) => as_made(&sources, texts, &originals)?,
            None => None,
        };
        let digests: Vec<Digest> =
            originals.iter().map(|text| Digest::of(text.as_bytes())).collect();
        let mut told: Vec<String> = digests.iter().map(Digest::to_string).collect();
        let mut of: HashMap<Digest, Vec<String>> = HashMap::with_capacity(originals.len());
        for file in copies(path)? {
            let read = fs::read_to_string(&file);
            let read = read.with_context(|| format!("cannot read {}", file.display()))?;
            told.push(Digest::of(read.as_bytes()).to_string());
            let whole = read.strip_suffix('\n').unwrap_or(&read);
            let lines: Vec<&str> =
                if read.is_empty() { Vec::new() } else { whole.split('\n').collect() };
            ensure!(
                lines.len() == originals.len(),
                "{}: {} lines for {} texts of {}: a paraphrase a line is wanted, in the order of \
                 the texts; make the file anew of the same texts",
                file.display(),
                lines.len(),
                originals.len(),
                texts.name()
            );
            for (i, line) in lines.into_iter().enumerate() {
                let text = cleaned.as_ref().map_or(originals[i], |cleaned| &*cleaned[i]);
                // The original where the paraphrase is no good: it counts as a draw of its own.
                let kept = accepted(text, line.trim());
                of.entry(digests[i]).or_default().push(kept.to_owned());
            }
        }
        Ok(Self { of, digest: Digest::of_lines(told), is_checked })
    }

    /// Whether a store that this version reads said which texts the paraphrases were made of.
    pub(crate) fn is_checked(&self) -> bool {
        self.is_checked
    }

    /// What there is of these texts.
    pub(crate) fn counts(&self, texts: &TextSet) -> Counts {
        let count = texts.examples().len();
        let mut counts = Counts { texts: count, with: 0, paraphrases: 0, unchanged: 0 };
        for example in texts.examples() {
            let text = &*example.texts.a;
            let Some(all) = self.of.get(&Digest::of(text.as_bytes())) else { continue };
            let unchanged = all.iter().filter(|made| is_itself(text, made)).count();
            counts.with += usize::from(unchanged < all.len());
            counts.paraphrases += all.len();
            counts.unchanged += unchanged;
        }
        counts
    }

    /// The same in words.
    pub(crate) fn told(&self, texts: &TextSet) -> String {
        let Counts { texts, with, paraphrases, unchanged } = self.counts(texts);
        let share = 100.0 * unchanged as f64 / paraphrases.max(1) as f64;
        format!(
            "{with} of the {texts} unlabelled texts have one, and the others are used as they are; \
             of {paraphrases} paraphrases {unchanged} ({share:.1} %) were refused or changed \
             nothing, and the text itself stands in their place"
        )
    }

    /// One of the paraphrases of a text; none if it has none.
    pub(crate) fn draw(&self, text: &str, rng: &mut Rng) -> Option<&str> {
        let all = self.of.get(&Digest::of(text.as_bytes()))?;
        Some(&all[rng.below(all.len())])
    }
}

/// Whether a paraphrase is its text, but for white space and for what [`clean`] takes out.
fn is_itself(text: &str, made: &str) -> bool {
    let is = |text: &str| one_line(text).split_whitespace().eq(made.split_whitespace());
    is(text) || is(&clean(text))
}

/// The texts as they were when the store was made of them, where they were cleaned before; `None`
/// where they are as they were. An error if they are others.
fn as_made(sources: &Sources, texts: &TextSet, originals: &[&str]) -> Result<Option<Vec<String>>> {
    if sources.are(originals) {
        return Ok(None);
    }
    let cleaned: Vec<String> = originals.iter().map(|text| clean(text)).collect();
    if sources.are(&cleaned) {
        return Ok(Some(cleaned));
    }
    let short: Vec<&str> = cleaned.iter().map(String::as_str).collect();
    let first = match sources.first_other(&[originals, &short]) {
        None => String::new(),
        Some(at) => match texts.examples().get(at) {
            Some(example) => {
                let begins: String = one_line(&example.texts.a).chars().take(BEGINS).collect();
                format!(" (the first that does not fit is {}, `{begins}`)", example.id)
            }
            None => format!(" (from text {} of the store on they are missing)", at + 1),
        },
    };
    bail!(
        "{}: made of {} texts that are not the {} of {} as they are here, or stand in another \
         order{first}: make the paraphrases anew of the same file, or, if line i of each file is \
         known to belong to text i, move this file away",
        sources.path().display(),
        sources.count(),
        originals.len(),
        texts.name()
    )
}

/// Where the store lies that the paraphrases at a path were made from: in the folder, or beside the
/// file.
fn folder_of(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) }
}

/// What is missing beside the paraphrases at a path whose texts no store names.
pub(crate) fn missing_store(path: &Path) -> String {
    match folder_of(path).join(STORE).exists() {
        true => format!("no {STORE} that this version reads"),
        false => format!("no {STORE}"),
    }
}

/// Characters of a text that an error shows at most.
const BEGINS: usize = 60;

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
    use augment::text::TextError;
    use augment::text::back_translation::{BackTranslation, Translator};
    use augment::text::paraphrases::{Amount, Made, Paraphrases};
    use data_pipeline::text::{Example, Target, Texts};

    use super::*;

    fn set(texts: &[&str]) -> TextSet {
        let example = |(i, a): (usize, &&str)| Example {
            id: format!("toy.txt/{}", i + 1),
            texts: Texts { a: (*a).to_owned(), b: None },
            target: Target::None,
        };
        TextSet::new("toy", texts.iter().enumerate().map(example).collect(), vec![]).expect("a set")
    }

    /// Says each line in capital letters.
    struct Loud;

    impl Translator for Loud {
        fn name(&self) -> String {
            "loud".to_owned()
        }

        fn translate(
            &mut self,
            lines: &[String],
            _: f64,
            _: &mut Rng,
        ) -> Result<Vec<String>, TextError> {
            Ok(lines.iter().map(|line| line.to_uppercase()).collect())
        }
    }

    /// Makes a folder of paraphrases of these texts, one each.
    fn made(folder: &Path, texts: &[&str]) {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        let mut pipeline = BackTranslation::new(Loud, Loud, 0.9);
        let made = Made::new(&pipeline, Amount { batch: 2, ..Amount::default() }, &texts);
        let mut store = Paraphrases::open(&folder.join(STORE), made.expect("settings"));
        let store = store.as_mut().expect("a store");
        store.fill(&mut pipeline, &texts, |_| {}).expect("made");
        store.export_copies(folder).expect("written");
    }

    #[test]
    fn a_store_of_other_texts_is_refused_with_the_first_that_does_not_fit() {
        let texts = ["the first long text", "the second<br />long text", "the third long text"];
        let folder = tempfile::tempdir().expect("a folder");
        let drawn = |text: &str| {
            let read = Paraphrased::read(folder.path(), &set(&texts)).expect("paraphrases");
            assert!(read.is_checked());
            read.draw(text, &mut Rng::new(1)).map(str::to_owned)
        };
        made(folder.path(), &texts);
        assert_eq!(drawn(texts[1]).as_deref(), Some("THE SECOND<BR />LONG TEXT"));
        // Of the same texts, cleaned before.
        made(&folder.path().join("clean"), &texts.map(clean).each_ref().map(|t| &**t));
        let clean = folder.path().join("clean");
        let read = Paraphrased::read(&clean, &set(&texts)).expect("paraphrases");
        let paraphrase = read.draw(texts[1], &mut Rng::new(1));
        assert_eq!(paraphrase, Some("THE SECOND LONG TEXT"));
        for (others, told) in [
            (
                vec![texts[0], texts[2], texts[1]],
                "first that does not fit is toy.txt/2, `the third",
            ),
            (vec![texts[0], "the changed long text", texts[2]], "is toy.txt/2, `the changed"),
            (vec![texts[0], texts[1]], "from text 3 of the store on they are missing"),
            (vec![texts[0], texts[1], texts[2], "one more"], "is toy.txt/4, `one more`"),
        ] {
            for folder in [folder.path(), &clean] {
                let error = Paraphrased::read(folder, &set(&others)).err().expect("others");
                let error = error.to_string();
                assert!(error.contains(told) && error.contains("another order"), "{error}");
            }
        }
        // A file of the folder by its name: the store is beside it.
        let file = folder.path().join("para_0.txt");
        let read = Paraphrased::read(&file, &set(&texts)).expect("paraphrases");
        assert!(read.is_checked());
        let other = set(&[texts[0], texts[2], texts[1]]);
        let error = Paraphrased::read(&file, &other).err().expect("others").to_string();
        assert!(error.contains("is toy.txt/2, `the third"), "{error}");
        // An older store has no hash of each text.
        let path = folder.path().join(STORE);
        let store = fs::read_to_string(&path).expect("a store");
        let start = store.find("\"hashes\"").expect("hashes");
        let end = start + store[start..].find("],").expect("their end") + 2;
        fs::write(&path, store.replacen(&store[start..end], "", 1)).expect("written");
        let other = set(&[texts[0], texts[2], texts[1]]);
        let error = Paraphrased::read(folder.path(), &other).err().expect("others").to_string();
        assert!(error.contains("another order: make"), "{error}");
        assert_eq!(drawn(texts[0]).as_deref(), Some("THE FIRST LONG TEXT"));
        // One of another version says nothing that is understood.
        fs::write(&path, "{\"version\": 99}\n").expect("written");
        assert!(!Paraphrased::read(folder.path(), &other).expect("unchecked").is_checked());
        for path in [folder.path(), &file] {
            assert_eq!(missing_store(path), "no paraphrases.jsonl that this version reads");
        }
        fs::remove_file(&path).expect("removed");
        assert_eq!(missing_store(folder.path()), "no paraphrases.jsonl");
    }

    #[test]
    fn a_line_belongs_to_the_text_of_its_number() {
        let long = "a text of more than ten letters";
        let texts = set(&[long, "short"]);
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
        let counts = Counts { texts: 2, with: 1, paraphrases: 4, unchanged: 2 };
        assert_eq!((read.counts(&texts), read.is_checked()), (counts, false));
        // Of other texts there are none.
        let others = set(&["no such text", long]);
        let counts = Counts { texts: 2, with: 1, paraphrases: 2, unchanged: 0 };
        assert_eq!(read.counts(&others), counts);
        let other = Paraphrased::read(folder.path(), &others).expect("as many texts");
        let run = tempfile::tempdir().expect("a folder");
        keep(run.path(), [(folder.path(), &read)]).expect("kept");
        keep(run.path(), [(folder.path(), &read)]).expect("the same");
        let error = keep(run.path(), [(folder.path(), &other)]).expect_err("others").to_string();
        assert!(error.contains("no longer those with which"), "{error}");
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
        assert!(error.contains("3 lines for 2 texts of toy"), "{error}");
        let empty = tempfile::tempdir().expect("a folder");
        let error = Paraphrased::read(empty.path(), &texts).err().expect("refused").to_string();
        assert!(error.contains("no para_0.txt"), "{error}");
    }
}
