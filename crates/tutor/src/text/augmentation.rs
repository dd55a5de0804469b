//! How a text is changed before a network sees it, as a recipe says it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use augment::text::switchout::{Decay, SwitchOut};
use augment::text::tfidf::{Document, TfIdf};
use augment::text::uniform;
use augment::text::words;
use data_pipeline::digest::Digest;
use data_pipeline::text::{Layout, Sequence, TextSet, TextView, Texts, Tokenizer};
use serde::{Deserialize, Serialize};

use super::paraphrased::{self, Paraphrased};

/// A change of a text. Words that are not replaced, and what stands between them, stay as they are
/// spelled; those of the unlabelled texts that replace others are in lower case without accents.
///
/// | kind | key | meaning | range |
/// |---|---|---|---|
/// | `none` | | as it is | |
/// | `tf-idf` | `probability` | mean share of words that others replace, those first that tell documents apart least (UDA, section 2.2) | \[0, 1\] |
/// | `uniform` | `probability` | share of words that any other replaces (UDA's released code) | \[0, 1\] |
/// | `switchout` | `tau`, `decay` | a random number of tokens becomes any other ([`SwitchOut`]) | above 0 |
/// | `paraphrases` | `path` | a paraphrase, drawn anew in each epoch, of a file or folder ([`Paraphrased`]) | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum TextPolicy {
    None {},
    TfIdf {
        probability: f64,
    },
    Uniform {
        probability: f64,
    },
    #[serde(rename = "switchout")]
    SwitchOut {
        tau: f64,
        #[serde(default)]
        decay: Decay,
    },
    Paraphrases {
        path: PathBuf,
    },
}

impl TextPolicy {
    /// What is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            TextPolicy::None {} | TextPolicy::Paraphrases { .. } => Ok(()),
            TextPolicy::TfIdf { probability } | TextPolicy::Uniform { probability } => {
                match (0.0..=1.0).contains(probability) {
                    true => Ok(()),
                    false => Err(format!("probability: is {probability}; it must be in [0, 1]")),
                }
            }
            TextPolicy::SwitchOut { tau, decay } => {
                let faults = SwitchOut { tau: *tau, decay: *decay }.faults();
                faults.into_iter().next().map_or(Ok(()), |fault| Err(fault.to_string()))
            }
        }
    }

    /// The file or folder that it reads, looked for below `data` first.
    pub(crate) fn file(&self, data: Option<&Path>) -> Option<PathBuf> {
        let TextPolicy::Paraphrases { path } = self else { return None };
        let below = data.map(|data| data.join(path)).filter(|below| below.exists());
        Some(below.unwrap_or_else(|| path.clone()))
    }

    /// What it is, in few words.
    pub(crate) fn words(&self) -> String {
        match self {
            TextPolicy::None {} => "unchanged".to_owned(),
            TextPolicy::TfIdf { probability } => format!("TF-IDF, probability {probability}"),
            TextPolicy::Uniform { probability } => format!("uniform, probability {probability}"),
            TextPolicy::SwitchOut { tau, .. } => format!("SwitchOut, temperature {tau}"),
            TextPolicy::Paraphrases { path } => format!("paraphrases of {}", path.display()),
        }
    }
}

/// A text by the digests of its parts.
type Name = (Digest, Option<Digest>);

/// A text in the words of the statistics, and where they stand in it.
struct LookedUp {
    document: Document,
    places: Places,
}

impl LookedUp {
    fn of(texts: &Texts, statistics: &TfIdf) -> Self {
        let (all, places) = all_words(texts);
        Self { document: statistics.document(&all), places }
    }

    fn name(texts: &Texts) -> Name {
        let digest = |text: &String| Digest::of(text.as_bytes());
        (digest(&texts.a), texts.b.as_ref().map(digest))
    }
}

/// The bytes of a text and of a second one that each word is made of, those of the second one
/// behind the `first` of the first.
struct Places {
    ranges: Vec<Range<u32>>,
    first: usize,
}

/// The words of a text and of a second one, and where they stand.
fn all_words(texts: &Texts) -> (Vec<String>, Places) {
    let mut found = words::places(&texts.a);
    let first = found.len();
    found.extend(texts.b.iter().flat_map(|b| words::places(b)));
    // They are kept of every text of a run.
    let small = |Range { start, end }: Range<usize>| start as u32..end as u32;
    let (all, ranges) = found.into_iter().map(|(word, place)| (word, small(place))).unzip();
    (all, Places { ranges, first })
}

/// Puts other words at some positions, which rise, where [`all_words`] found the old ones. All else
/// stays as it is spelled.
fn put<'w>(
    texts: &mut Texts,
    places: &Places,
    changes: impl IntoIterator<Item = (usize, &'w str)>,
) {
    let (first, second): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|(i, _)| *i < places.first);
    spliced(&mut texts.a, &places.ranges, &first);
    if let Some(b) = &mut texts.b {
        spliced(b, &places.ranges, &second);
    }
}

/// A new word is a word by itself: a space stands on each side of it, unless there is one or the
/// text ends.
fn spliced(text: &mut String, ranges: &[Range<u32>], changes: &[(usize, &str)]) {
    if changes.is_empty() {
        return;
    }
    let (mut new, mut done) = (String::with_capacity(text.len() + 16), 0);
    let mut after_new = false;
    for &(i, word) in changes {
        let [start, end] = [ranges[i].start, ranges[i].end].map(|byte| byte as usize);
        let between = text.get(done..start).unwrap_or_default();
        if after_new && !between.starts_with(char::is_whitespace) {
            new.push(' ');
        }
        new.push_str(between);
        if !new.is_empty() && !new.ends_with(char::is_whitespace) {
            new.push(' ');
        }
        new.push_str(word);
        (done, after_new) = (end.max(done), true);
    }
    let rest = &text[done..];
    if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
        new.push(' ');
    }
    new.push_str(rest);
    *text = new;
}

/// What changes of texts are made by: the statistics of the unlabelled texts, once a run, and the
/// paraphrases that were read.
pub(crate) struct Changes {
    statistics: Arc<TfIdf>,
    looked_up: Arc<HashMap<Name, LookedUp>>,
    paraphrases: HashMap<PathBuf, Arc<Paraphrased>>,
    data: Option<PathBuf>,
}

impl Changes {
    /// Counts the words of the unlabelled texts, a second text appended to the first, and reads
    /// what the policies want. `data` is where paraphrases are looked for first.
    pub(crate) fn of<'a>(
        unlabeled: &TextSet,
        policies: impl IntoIterator<Item = &'a TextPolicy>,
        data: Option<&Path>,
    ) -> Result<Self> {
        let policies: Vec<&TextPolicy> = policies.into_iter().collect();
        let mut paraphrases = HashMap::new();
        for file in policies.iter().filter_map(|policy| policy.file(data)) {
            if let Entry::Vacant(place) = paraphrases.entry(file) {
                let read = Arc::new(Paraphrased::read(place.key(), unlabeled)?);
                place.insert(read);
            }
        }
        Ok(Self::counted(unlabeled, &policies, paraphrases, data))
    }

    /// The same of a single policy, with the paraphrases that were read if it draws from some: they
    /// may be of more texts than these, or of fewer.
    pub(crate) fn with(
        unlabeled: &TextSet,
        policy: &TextPolicy,
        paraphrased: Option<Arc<Paraphrased>>,
    ) -> Self {
        let paraphrases = policy.file(None).zip(paraphrased).into_iter().collect();
        Self::counted(unlabeled, &[policy], paraphrases, None)
    }

    fn counted(
        unlabeled: &TextSet,
        policies: &[&TextPolicy],
        paraphrases: HashMap<PathBuf, Arc<Paraphrased>>,
        data: Option<&Path>,
    ) -> Self {
        let texts = || unlabeled.examples().iter().map(|example| &example.texts);
        let statistics = Arc::new(TfIdf::of(texts().map(|texts| all_words(texts).0)));
        // Texts come again in every epoch: their words are found once.
        let again = policies.iter().any(|policy| matches!(policy, TextPolicy::TfIdf { .. }));
        let look_up = |texts| (LookedUp::name(texts), LookedUp::of(texts, &statistics));
        let looked_up = Arc::new(texts().filter(|_| again).map(look_up).collect());
        Self { statistics, looked_up, paraphrases, data: data.map(Path::to_owned) }
    }

    /// Keeps in a run's folder which paraphrases it draws from, or makes sure that they are those
    /// that it began with.
    pub(crate) fn keep(&self, dir: &Path) -> Result<()> {
        let all = self.paraphrases.iter().map(|(path, read)| (path.as_path(), &**read));
        paraphrased::keep(dir, all)
    }

    /// The view of a policy that was given to [`of`](Self::of) or [`with`](Self::with), with this
    /// tokenizer.
    pub(crate) fn view(&self, policy: &TextPolicy, tokenizer: &Tokenizer) -> TextView {
        match *policy {
            TextPolicy::None {} => TextView::Plain,
            TextPolicy::TfIdf { probability } => {
                let (statistics, looked_up) = (self.statistics.clone(), self.looked_up.clone());
                TextView::Words(Arc::new(move |texts: &mut Texts, rng| {
                    let new;
                    let LookedUp { document, places } =
                        if let Some(known) = looked_up.get(&LookedUp::name(texts)) {
                            known
                        } else {
                            new = LookedUp::of(texts, &statistics);
                            &new
                        };
                    put(texts, places, statistics.changes(document, probability, rng));
                }))
            }
            TextPolicy::Uniform { probability } => {
                let known = self.statistics.clone();
                TextView::Words(Arc::new(move |texts: &mut Texts, rng| {
                    let (all, places) = all_words(texts);
                    let changes = uniform::changes(all.len(), known.words(), probability, rng);
                    put(texts, &places, changes);
                }))
            }
            TextPolicy::SwitchOut { tau, decay } => {
                let (switch, size) = (SwitchOut { tau, decay }, tokenizer.size() as u32);
                let specials = tokenizer.specials();
                TextView::Tokens(Arc::new(move |sequence: &mut Sequence, rng| {
                    let fixed = |id| specials.is_special(id);
                    switch.replace(&mut sequence.ids, fixed, size, rng);
                }))
            }
            TextPolicy::Paraphrases { .. } => {
                let file = policy.file(self.data.as_deref()).expect("a policy of a file");
                let known = self.paraphrases.get(&file).expect("a policy that was announced");
                let known = known.clone();
                TextView::Words(Arc::new(move |texts: &mut Texts, rng| {
                    if let Some(text) = known.draw(&texts.a, rng) {
                        text.clone_into(&mut texts.a);
                    }
                }))
            }
        }
    }
}

/// A text as it is and as a view changes it, in tokens.
pub(crate) fn pair(
    texts: &Texts,
    view: &TextView,
    (tokenizer, layout): (&Tokenizer, Layout),
    key: augment::rng::Key,
) -> Result<[Sequence; 2]> {
    let mut encoder = data_pipeline::text::Encoder::new(tokenizer);
    let plain = layout.sequence(texts, &mut encoder)?;
    let changed = match view {
        TextView::Plain => plain.clone(),
        TextView::Words(change) => {
            let mut texts = texts.clone();
            change(&mut texts, &mut key.rng());
            layout.sequence(&texts, &mut encoder)?
        }
        TextView::Tokens(change) => {
            let mut sequence = plain.clone();
            change(&mut sequence, &mut key.rng());
            sequence
        }
    };
    Ok([plain, changed])
}

/// The share of a sequence's tokens that another one lacks, each token as often as it occurs.
pub(crate) fn share_changed([plain, changed]: &[Sequence; 2]) -> f64 {
    let mut left: HashMap<u32, usize> = HashMap::new();
    changed.ids.iter().for_each(|id| *left.entry(*id).or_default() += 1);
    let kept = plain.ids.iter().filter(|id| match left.get_mut(id) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    });
    1.0 - kept.count() as f64 / plain.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use data_pipeline::text::{Casing, Example, Keep, Target};

    use super::*;

    fn set(texts: &[&str]) -> TextSet {
        let example = |(i, a): (usize, &&str)| Example {
            id: i.to_string(),
            texts: Texts { a: (*a).to_owned(), b: None },
            target: Target::None,
        };
        TextSet::new("toy", texts.iter().enumerate().map(example).collect(), vec![]).expect("a set")
    }

    fn changed(policy: &TextPolicy, set: &TextSet) -> Vec<[Sequence; 2]> {
        let pieces = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsat\non\nmat\ndog\na\nand\n";
        let tokenizer = Tokenizer::from_vocabulary(pieces, Casing::default()).expect("it");
        let changes = Changes::of(set, [policy], None).expect("statistics");
        let view = changes.view(policy, &tokenizer);
        let layout = Layout { longest: 16, keep: Keep::End };
        let key = |i| augment::rng::Key { seed: 1, epoch: 0, index: i as u64, view: 1 };
        let texts = set.examples().iter().map(|example| &example.texts).enumerate();
        texts
            .map(|(i, texts)| pair(texts, &view, (&tokenizer, layout), key(i)).expect("it"))
            .collect()
    }

    #[test]
    fn both_texts_of_a_pair_are_changed_and_stay_apart() {
        let texts = ["the cat sat on the mat", "the dog sat", "a cat and a dog", "a mat and a cat"];
        let example = |(i, a): (usize, &&str)| Example {
            texts: Texts { a: (*a).to_owned(), b: Some(texts[(i + 1) % 4].to_owned()) },
            ..Example::default()
        };
        let examples = texts.iter().enumerate().map(example).collect();
        let set = TextSet::new("pairs", examples, vec![]).expect("a set");
        for policy in [
            TextPolicy::Uniform { probability: 1.0 },
            TextPolicy::TfIdf { probability: 0.9 },
            TextPolicy::SwitchOut { tau: 0.01, decay: Decay::Times },
        ] {
            let mut changes = [0, 0];
            for [plain, changed] in changed(&policy, &set) {
                assert_eq!((plain.first, plain.len()), (changed.first, changed.len()));
                for (at, (before, after)) in plain.ids.iter().zip(&changed.ids).enumerate() {
                    changes[usize::from(at >= plain.first as usize)] += u32::from(before != after);
                    // The ends of both texts are there as they were.
                    assert_eq!(*before == 3, *after == 3, "{policy:?}: {changed:?}");
                }
            }
            assert!(changes.iter().all(|count| *count > 0), "{policy:?}: {changes:?}");
        }
    }

    /// A text that was counted is looked up by its digest, another one when it is seen; both become
    /// what their words become.
    #[test]
    fn tf_idf_gives_known_and_other_texts_the_same_words() {
        let set = set(&TEXTS);
        let policy = TextPolicy::TfIdf { probability: 0.5 };
        let known = Changes::of(&set, [&policy], None).expect("statistics");
        let none = Changes::of(&set, [&TextPolicy::None {}], None).expect("statistics");
        assert_eq!((known.looked_up.len(), none.looked_up.len()), (3, 0));
        let tokenizer =
            Tokenizer::from_vocabulary("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", Casing::default());
        let tokenizer = tokenizer.expect("it");
        let views = [&known, &none].map(|changes| changes.view(&policy, &tokenizer));
        for text in TEXTS.iter().chain(&["The  zebra sat on a mat, alone"]) {
            for seed in 0..20 {
                let mut expected = words::words(text);
                let rng = || augment::rng::Rng::new(seed);
                known.statistics.replace(&mut expected, 0.5, &mut rng());
                for view in &views {
                    let TextView::Words(change) = view else { panic!("a view of words") };
                    let mut texts = Texts { a: (*text).to_owned(), b: None };
                    change(&mut texts, &mut rng());
                    assert_eq!(words::words(&texts.a), expected);
                }
            }
        }
    }

    /// What is not replaced keeps its spelling, for vocabularies that tell cases and accents apart.
    #[test]
    fn words_that_stay_are_spelled_as_before() {
        let set = set(&["the cat sat on the mat", "the dog sat", "a cat and a dog"]);
        let tokenizer =
            Tokenizer::from_vocabulary("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", Casing::default());
        let tokenizer = tokenizer.expect("it");
        let written = Texts {
            a: "  The Café's\u{a0}CAT, sat\u{200b}\n(on a Mat)!".to_owned(),
            b: Some("Né à  Zürich: 你好".to_owned()),
        };
        let changed = |policy: &TextPolicy, seed| {
            let changes = Changes::of(&set, [policy], None).expect("statistics");
            let view = changes.view(policy, &tokenizer);
            let TextView::Words(change) = &view else { panic!("a view of words") };
            let mut texts = written.clone();
            change(&mut texts, &mut augment::rng::Rng::new(seed));
            texts
        };
        for policy in [0.0, 1.0].map(|probability| {
            [TextPolicy::TfIdf { probability }, TextPolicy::Uniform { probability }]
        }) {
            for (seed, policy) in policy.iter().flat_map(|one| (0..20).map(move |i| (i, one))) {
                let found = changed(policy, seed);
                let is_off = matches!(
                    policy,
                    TextPolicy::TfIdf { probability: 0.0 }
                        | TextPolicy::Uniform { probability: 0.0 }
                );
                assert_eq!(found == written, is_off, "{policy:?}: {found:?}");
                // As many words as before, each at its place.
                let count = |texts: &Texts| {
                    (
                        words::words(&texts.a).len(),
                        texts.b.as_deref().map(|b| words::words(b).len()),
                    )
                };
                assert_eq!(count(&found), count(&written), "{policy:?}: {found:?}");
            }
        }
        let mut texts = Texts { a: "A film, no?".to_owned(), b: Some("Né".to_owned()) };
        let (all, places) = all_words(&texts);
        assert_eq!(all, ["a", "film", ",", "no", "?", "ne"]);
        put(&mut texts, &places, [(1, "cat"), (2, "the"), (5, "dog")]);
        assert_eq!((&*texts.a, texts.b.as_deref()), ("A cat the no?", Some("dog")));
    }

    const TEXTS: [&str; 3] = ["the cat sat on the mat", "the dog sat", "a cat and a dog"];

    #[test]
    fn policies_change_words_and_never_what_is_no_text() {
        let set = set(&TEXTS);
        for policy in [
            TextPolicy::TfIdf { probability: 0.9 },
            TextPolicy::Uniform { probability: 1.0 },
            TextPolicy::SwitchOut { tau: 0.01, decay: Decay::Times },
        ] {
            let pairs = changed(&policy, &set);
            for [plain, changed] in &pairs {
                let ends = |s: &Sequence| (s.ids[0], s.ids[s.len() - 1]);
                assert_eq!((ends(plain), plain.len()), ((2, 3), changed.len()), "{policy:?}");
                assert_eq!(ends(changed), (2, 3), "{policy:?}");
            }
            assert!(pairs.iter().any(|pair| share_changed(pair) > 0.2), "{policy:?}");
        }
        // All words of the second text are alike: none is replaced.
        let pairs = changed(&TextPolicy::TfIdf { probability: 0.9 }, &set);
        assert_eq!(share_changed(&pairs[1]), 0.0);
        for pair in changed(&TextPolicy::None {}, &set) {
            assert_eq!(share_changed(&pair), 0.0);
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let fault = |policy: TextPolicy| policy.check().expect_err("refused");
        assert!(fault(TextPolicy::TfIdf { probability: 1.5 }).contains("1.5"));
        assert!(fault(TextPolicy::Uniform { probability: f64::NAN }).contains("NaN"));
        assert!(fault(TextPolicy::SwitchOut { tau: 0.0, decay: Decay::Over }).contains("tau"));
        assert!(TextPolicy::TfIdf { probability: 1.0 }.check().is_ok());
    }
}
