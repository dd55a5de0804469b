//! How a text is changed before a network sees it, as a recipe says it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use augment::text::switchout::{Decay, SwitchOut};
use augment::text::tfidf::TfIdf;
use augment::text::uniform;
use augment::text::words::words;
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

/// What changes of texts are made by: the statistics of the unlabelled texts, once a run, and the
/// paraphrases that were read.
pub(crate) struct Changes {
    statistics: Arc<TfIdf>,
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
        let document = |texts: &Texts| {
            let mut all = words(&texts.a);
            all.extend(texts.b.iter().flat_map(|b| words(b)));
            all
        };
        let all = unlabeled.examples().iter().map(|example| document(&example.texts));
        let statistics = Arc::new(TfIdf::of(all));
        let mut paraphrases = HashMap::new();
        for file in policies.into_iter().filter_map(|policy| policy.file(data)) {
            if let Entry::Vacant(place) = paraphrases.entry(file) {
                let read = Arc::new(Paraphrased::read(place.key(), unlabeled)?);
                place.insert(read);
            }
        }
        Ok(Self { statistics, paraphrases, data: data.map(Path::to_owned) })
    }

    /// The view of a policy that was given to [`of`](Self::of), with this tokenizer.
    pub(crate) fn view(&self, policy: &TextPolicy, tokenizer: &Tokenizer) -> TextView {
        match *policy {
            TextPolicy::None {} => TextView::Plain,
            TextPolicy::TfIdf { probability } => {
                let statistics = self.statistics.clone();
                replacing(move |words, rng| statistics.replace(words, probability, rng))
            }
            TextPolicy::Uniform { probability } => {
                let known = self.statistics.clone();
                replacing(move |words, rng| {
                    uniform::replace(words, known.words(), probability, rng);
                })
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

/// A view that replaces words of a text; those of a pair are one document.
fn replacing(
    replace: impl Fn(&mut [String], &mut augment::rng::Rng) + Send + Sync + 'static,
) -> TextView {
    TextView::Words(Arc::new(move |texts: &mut Texts, rng| {
        let mut all = words(&texts.a);
        let first = all.len();
        all.extend(texts.b.iter().flat_map(|b| words(b)));
        replace(&mut all, rng);
        texts.a = all[..first].join(" ");
        if let Some(b) = &mut texts.b {
            *b = all[first..].join(" ");
        }
    }))
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
