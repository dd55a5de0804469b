//! Pre-training on one's own files: ELECTRA, its ablations or a masked language model, in a
//! published size or another. What is kept lies in a folder as published networks have it, for
//! `tutor finetune`, `tutor fit --text`, `tutor show replaced` and other programs.
//!
//! `tutor pretrain` writes the recipe ([`plan`]).

pub(crate) mod plan;
mod recipe;
mod seed;
mod summary;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::corpus::Corpus;
use data_pipeline::text::read::Tally;
use toml::Table;

use crate::recipe::edit;
use crate::recipe::head::Head;
use crate::run::experiment::{Experiment, Findings, Paper};
use crate::run::note::note;
use crate::run::seeds::Run;
use crate::text::pretraining;
use crate::text::tokens::{self, Making, Step, Tokens};
use recipe::{Recipe, Vocabulary};

pub(super) const PAPER: Paper = Paper { kind: "pretraining", read };

struct OwnPretraining {
    head: Head,
    recipe: Recipe,
    /// The files, once they are found.
    corpus: Option<Corpus>,
}

fn read(head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let mut recipe: Recipe = edit::read(own)?;
    if let Vocabulary::Made { tokens, .. } = recipe.vocabulary {
        pretraining::of_made_vocabulary(own, &mut recipe.pretrain, tokens)?;
    }
    recipe.check(&head.name)?;
    head.check_expectations(&[(recipe.row(), None)])?;
    Ok(Box::new(OwnPretraining { head, recipe, corpus: None }))
}

impl Experiment for OwnPretraining {
    fn head(&self) -> &Head {
        &self.head
    }

    fn to_toml(&self) -> Result<String> {
        self.head.to_toml(&self.recipe)
    }

    fn open(&mut self, dir: Option<&Path>) -> Result<()> {
        self.recipe.text.anchor(dir)?;
        if let Some(vocabulary) = self.recipe.vocabulary.given() {
            let (tokenizer, nets) = (vocabulary.open()?, &self.recipe.pretrain);
            tokenizer.check_fits(nets.encoder.vocabulary as usize)?;
            let mask = i64::from(tokenizer.specials().mask);
            ensure!(
                mask == nets.mask,
                "pretrain.mask: is {}, and [MASK] is {mask} in {}",
                nets.mask,
                vocabulary.path.display()
            );
        }
        self.corpus = Some(Corpus::open(&self.recipe.text.files, self.recipe.text.reading())?);
        Ok(())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let recipe = &self.recipe;
        let (tokens, read) = self.tokens(&run.dir.join("text"))?;
        let about = self.about(&tokens, &read);
        let mut nets = recipe.pretrain.clone();
        if let Vocabulary::Made { .. } = recipe.vocabulary {
            // Texts may have fewer pieces than were asked for.
            nets.encoder.vocabulary = tokens.tokenizer.size() as i64;
        }
        let outcomes =
            run.each_seed(|one| seed::run(recipe, &nets, &tokens, one), summary::line)?;
        let mut result = summary::result((&self.head, recipe), run, &about, &outcomes)?;
        let left_out = read.left_out().map(|reason| format!("Left out of the texts: {reason}."));
        result.notes.extend(left_out);
        Ok(Findings { result, sections: summary::sections(recipe, &outcomes) })
    }
}

/// How often is said how far the making of tokens has come.
const PATIENCE: Duration = Duration::from_secs(10);

impl OwnPretraining {
    /// Makes vocabulary and tokens, unless they are there.
    fn tokens(&self, dir: &Path) -> Result<(Tokens, Tally)> {
        let recipe = &self.recipe;
        let vocabulary = match &recipe.vocabulary {
            Vocabulary::Made { tokens, .. } => *tokens,
            Vocabulary::Of(_) | Vocabulary::OfCased(_) => 0,
        };
        let files = tokens::Files {
            corpus: self.corpus.as_ref().context("the files are found before the run")?,
            held_out: recipe.text.held_out,
            given: recipe.vocabulary.given(),
            casing: recipe.vocabulary.casing(),
        };
        let making = Making { vocabulary, segments: recipe.sequences, workers: 0 };
        let mut said = Instant::now();
        let progress = |step: Step<'_>| {
            if said.elapsed() < PATIENCE {
                return;
            }
            said = Instant::now();
            let mb = |read: &Tally| format!("{:.0} MB of text read", read.bytes as f64 / 1e6);
            note(&match step {
                Step::Vocabulary(read) => format!("vocabulary: {}", mb(read)),
                Step::Tokens(built) => {
                    let made = built.tokens as f64 / 1e6;
                    format!("tokens: {}, {made:.1} million tokens made", mb(&built.read))
                }
            });
        };
        Tokens::of_files(&files, dir, making, progress)
    }

    /// What is learned from, in words.
    fn about(&self, tokens: &Tokens, read: &Tally) -> String {
        let Tokens { tokenizer, running, held_out } = tokens;
        format!(
            "{} documents of {} files: {} sequences of {} tokens in all to learn from, {} sequences \
             of {} documents held out of it, a vocabulary of {}",
            read.documents,
            read.files,
            running.len(),
            running.tokens(),
            held_out.len(),
            read.documents / self.recipe.text.held_out,
            tokenizer.size()
        )
    }
}
