//! Pairs that `tutor data dialog` made before the run: what of the recipe follows from them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::dialog::{BpeSize, DialogPart, Filters, MadeDialogs, PairLengths};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::recipe::Recipe;
use crate::run::files;

/// Keys that say how pairs are made.
const MAKING: [&str; 4] = ["split", "filters", "classifier", "vocabulary"];

/// Keys that follow from the pairs, as a recipe may state them all the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Stated {
    lengths: Option<Table>,
    vocabulary: Option<Value>,
}

impl Stated {
    /// Takes them out of the keys of a recipe whose pairs are made already; nothing of another one.
    pub(super) fn take(own: &mut Table) -> Result<Option<Self>> {
        let kind = own.get("data").and_then(|data| data.get("kind"));
        if kind.and_then(Value::as_str) != Some("made") {
            return Ok(None);
        }
        let given: Vec<&str> = MAKING.into_iter().filter(|key| own.contains_key(*key)).collect();
        ensure!(
            given.is_empty(),
            "{}: data.kind is made: the pairs were filtered, split and put into token ids by the \
             options of `tutor data dialog` when they were made: leave {} out",
            given.join(", "),
            if given.len() == 1 { "it" } else { "them" }
        );
        // Until the pairs are open.
        own.insert("vocabulary".to_owned(), Table::try_from(BpeSize::default())?.into());
        let lengths = match own.get("lengths") {
            Some(Value::Table(lengths)) => Some(lengths.clone()),
            _ => None,
        };
        let net = own.get_mut("net").and_then(Value::as_table_mut);
        let vocabulary = net.and_then(|net| net.remove("vocabulary"));
        Ok(Some(Self { lengths, vocabulary }))
    }

    /// The keys of the recipe as they were stated.
    pub(super) fn restore(&self, own: &mut Table) {
        MAKING.iter().for_each(|key| drop(own.remove(*key)));
        own.remove("lengths");
        own.extend(self.lengths.clone().map(|lengths| ("lengths".to_owned(), lengths.into())));
        if let Some(net) = own.get_mut("net").and_then(Value::as_table_mut) {
            net.remove("vocabulary");
            net.extend(self.vocabulary.clone().map(|tokens| ("vocabulary".to_owned(), tokens)));
        }
    }

    /// Refuses pairs that are not as it was stated.
    pub(super) fn compare(&self, facts: &PairsInfo, folder: &Path) -> Result<()> {
        let folder = folder.display();
        if let Some(stated) = &self.vocabulary {
            ensure!(
                stated.as_integer() == Some(facts.tokens as i64),
                "net.vocabulary: is {stated}, and the vocabulary of the pairs in {folder} has {} \
                 tokens: leave the key out",
                facts.tokens
            );
        }
        let PairLengths { context, response } = facts.lengths;
        for (key, made) in [("context", context), ("response", response)] {
            let Some(stated) = self.lengths.as_ref().and_then(|lengths| lengths.get(key)) else {
                continue;
            };
            ensure!(
                stated.as_integer() == Some(made as i64),
                "lengths.{key}: is {stated}, and the pairs in {folder} were made with --{key} \
                 {made}: leave the key out, or make them anew with --{key} {stated}"
            );
        }
        Ok(())
    }
}

/// What is known of pairs that were made; a run keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PairsInfo {
    /// The digest of tokenizer and pairs.
    digest: String,
    /// Token ids of the vocabulary.
    tokens: usize,
    filters: Filters,
    lengths: PairLengths,
}

const FILE: &str = "pairs.json";

impl PairsInfo {
    pub(super) fn of(made: &MadeDialogs) -> Self {
        Self {
            digest: made.digest().to_string(),
            tokens: made.tokenizer().size(),
            filters: made.options().filters.clone(),
            lengths: made.options().lengths,
        }
    }

    /// How many pairs there are and how they were made, in words.
    pub(super) fn in_words(&self, made: &MadeDialogs) -> String {
        let pairs = |part| made.pairs(part).len();
        format!(
            "{} pairs to train on, {} to validate and {} to test; {} tokens; contexts of at most \
             {} and responses of at most {} tokens",
            pairs(DialogPart::Train),
            pairs(DialogPart::Validation),
            pairs(DialogPart::Test),
            self.tokens,
            self.lengths.context,
            self.lengths.response
        )
    }

    /// Those that a run has kept in its folder.
    pub(super) fn kept(run: &Path) -> Result<Self> {
        let file = run.join(FILE);
        let kept: Option<Self> = files::found_before(&file)?;
        kept.with_context(|| format!("{} is not there: run the same command again", file.display()))
    }

    /// Keeps them in a run's folder, or makes sure that they are those with which the run began.
    pub(super) fn keep(&self, run: &Path, folder: &Path) -> Result<()> {
        let file = run.join(FILE);
        let before: Option<Self> = files::found_before(&file)?;
        ensure!(
            before.is_none_or(|before| before == *self),
            "the pairs in {} are not those with which {} began, by its {FILE}: bring the old ones \
             back, or begin anew with --fresh",
            folder.display(),
            run.display()
        );
        files::keep(&file, self)
    }

    /// Gives a recipe the values that follow from the pairs.
    pub(super) fn fill(&self, recipe: &mut Recipe) {
        recipe.vocabulary = BpeSize { tokens: self.tokens, ..BpeSize::default() };
        recipe.net.vocabulary = self.tokens as i64;
        recipe.filters = self.filters.clone();
        recipe.lengths = self.lengths;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_follow_are_compared_and_come_back_as_they_were_stated() {
        let text = "[data]\nkind = 'made'\npath = 'x'\n[net]\nhidden = 32\nvocabulary = 400\n\
                    [lengths]\ncontext = 64\n";
        let whole: Table = text.parse().expect("TOML");
        let mut own = whole.clone();
        let stated = Stated::take(&mut own).expect("no fault").expect("made pairs");
        assert!(own.contains_key("vocabulary") && own["net"].get("vocabulary").is_none());
        own.insert("filters".to_owned(), Table::new().into());
        stated.restore(&mut own);
        assert_eq!(own, whole);
        let facts = |tokens, context| PairsInfo {
            digest: String::new(),
            tokens,
            filters: Filters::default(),
            lengths: PairLengths { context, response: 32 },
        };
        let compare = |tokens, context| {
            let found = stated.compare(&facts(tokens, context), Path::new("dir"));
            found.map_err(|error| error.to_string())
        };
        assert_eq!(compare(400, 64), Ok(()));
        let error = compare(512, 64).expect_err("another vocabulary");
        assert!(
            error.contains("net.vocabulary: is 400") && error.contains("512 tokens"),
            "{error}"
        );
        let error = compare(400, 32).expect_err("shorter contexts");
        assert!(
            error.contains("lengths.context: is 64") && error.contains("--context 32"),
            "{error}"
        );
    }

    #[test]
    fn how_pairs_are_made_is_not_said_twice() {
        let mut own: Table = "data = { kind = 'made', path = 'x' }\nsplit = {}\nvocabulary = {}"
            .parse()
            .expect("TOML");
        let error = Stated::take(&mut own).expect_err("two keys").to_string();
        assert!(error.starts_with("split, vocabulary: ") && error.ends_with("them out"), "{error}");
        let mut own: Table = "data = { kind = 'embedded' }\nsplit = {}".parse().expect("TOML");
        assert!(Stated::take(&mut own).expect("no fault").is_none());
    }
}
