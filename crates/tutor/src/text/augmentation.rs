//! How a text is changed before a network sees it, as a recipe says it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use augment::text::switchout::{Decay, SwitchOut};
use augment::text::tfidf::{Document, TfIdf};
use augment::text::uniform;
use augment::text::words::words;
use data_pipeline::digest::Digest;
use data_pipeline::text::{Layout, Sequence, TextSet, TextView, Texts, Tokenizer};
use serde::{Deserialize, Serialize};

use super::paraphrased::Paraphrased;

/// A change of a text.
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

/// A text in the words of the statistics, those of a second one behind the `first` of the first.
struct LookedUp {
    document: Document,
    first: usize,
}

impl LookedUp {
    fn of(texts: &Texts, statistics: &TfIdf) -> Self {
        let (all, first) = all_words(texts);
        Self { document: statistics.document(&all), first }
    }

    fn name(texts: &Texts) -> Name {
        let digest = |text: &String| Digest::of(text.as_bytes());
        (digest(&texts.a), texts.b.as_ref().map(digest))
    }
}

/// The words of a text and of a second one, and how many the first has.
fn all_words(texts: &Texts) -> (Vec<String>, usize) {
    let mut all = words(&texts.a);
    let first = all.len();
    all.extend(texts.b.iter().flat_map(|b| words(b)));
    (all, first)
}

/// Puts words where [`all_words`] found them.
fn put<W: AsRef<str>>(texts: &mut Texts, mut words: impl Iterator<Item = W>, first: usize) {
    let join = |text: &mut String, words: &mut dyn Iterator<Item = W>| {
        text.clear();
        for (i, word) in words.enumerate() {
            text.push_str(if i > 0 { " " } else { "" });
            text.push_str(word.as_ref());
        }
    };
    join(&mut texts.a, &mut words.by_ref().take(first));
    if let Some(b) = &mut texts.b {
        join(b, &mut words);
    }
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
        let texts = || unlabeled.examples().iter().map(|example| &example.texts);
        let statistics = Arc::new(TfIdf::of(texts().map(|texts| all_words(texts).0)));
        // Texts come again in every epoch: their words are found once.
        let again = policies.iter().any(|policy| matches!(policy, TextPolicy::TfIdf { .. }));
        let look_up = |texts| (LookedUp::name(texts), LookedUp::of(texts, &statistics));
        let looked_up = Arc::new(texts().filter(|_| again).map(look_up).collect());
        let mut paraphrases = HashMap::new();
        for file in policies.into_iter().filter_map(|policy| policy.file(data)) {
            if let Entry::Vacant(place) = paraphrases.entry(file) {
                let read = Arc::new(Paraphrased::read(place.key(), unlabeled)?);
                place.insert(read);
            }
        }
        Ok(Self { statistics, looked_up, paraphrases, data: data.map(Path::to_owned) })
    }

    /// The view of a policy that was given to [`of`](Self::of), with this tokenizer.
    pub(crate) fn view(&self, policy: &TextPolicy, tokenizer: &Tokenizer) -> TextView {
        match *policy {
            TextPolicy::None {} => TextView::Plain,
            TextPolicy::TfIdf { probability } => {
                let (statistics, looked_up) = (self.statistics.clone(), self.looked_up.clone());
                TextView::Words(Arc::new(move |texts: &mut Texts, rng| {
                    let new;
                    let LookedUp { document, first } =
                        if let Some(known) = looked_up.get(&LookedUp::name(texts)) {
                            known
                        } else {
                            new = LookedUp::of(texts, &statistics);
                            &new
                        };
                    let words = statistics.replaced(document, probability, rng);
                    put(texts, words.into_iter(), *first);
                }))
            }
            TextPolicy::Uniform { probability } => {
                let known = self.statistics.clone();
                TextView::Words(Arc::new(move |texts: &mut Texts, rng| {
                    let (mut all, first) = all_words(texts);
                    uniform::replace(&mut all, known.words(), probability, rng);
                    put(texts, all.iter(), first);
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
                let mut expected = words(text);
                let rng = || augment::rng::Rng::new(seed);
                known.statistics.replace(&mut expected, 0.5, &mut rng());
                for view in &views {
                    let TextView::Words(change) = view else { panic!("a view of words") };
                    let mut texts = Texts { a: (*text).to_owned(), b: None };
                    change(&mut texts, &mut rng());
                    assert_eq!(texts.a, expected.join(" "));
                }
            }
        }
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
        // All words of the second text are alike (O-22): none is replaced.
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
