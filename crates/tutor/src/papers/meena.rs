//! Meena: from conversations to pairs, the Evolved Transformer beside the plain one, and what they
//! reply by sample-and-rank.

mod made;
mod recipe;
mod replies;
mod section;
mod seed;
mod summary;
mod sweep;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use data_pipeline::dialog::{DialogTokenizer, Dialogs};
use toml::Table;
use torch::Device;
use train::StageDir;

use crate::dialog::corpus::{self, Content, Corpus, CorpusConfig};
use crate::dialog::pairs::{Making, Prepared, vocabulary};
use crate::dialog::responder::Responder;
use crate::dialog::training::Network;
use crate::recipe::head::Head;
use crate::recipe::paths::{from_anywhere, utf8};
use crate::recipe::{edit, row};
use crate::run::began;
use crate::run::experiment::{Experiment, Findings, Paper, Predictor};
use crate::run::note::note;
use crate::run::result::of_first_seed;
use crate::run::seeds::Run;
use crate::run::stage::Trained;
use crate::run::{agreement, files, interrupt, processes};
use made::{PairsInfo, Stated};
use recipe::Recipe;

pub(super) const PAPER: Paper = Paper { kind: "meena", read };

struct Meena {
    head: Head,
    /// Values that follow from pairs that are made already are defaults until these are open.
    recipe: Recipe,
    /// What the recipe states of pairs that are made already; nothing where the run makes them.
    stated: Option<Stated>,
    /// The conversations, once they are open.
    corpus: Option<Corpus>,
}

fn read(mut head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let mut own = own.clone();
    let stated = Stated::take(&mut own)?;
    let mut recipe: Recipe = edit::read(&own)?;
    if let CorpusConfig::Made { path } = &mut recipe.data {
        *path = from_anywhere(utf8(path)?)?.into();
    }
    let tokens = recipe.vocabulary.tokens as i64;
    let given = own.get("net").and_then(|net| net.get("vocabulary"));
    ensure!(
        given.is_none_or(|given| given.as_integer() == Some(tokens)),
        "net.vocabulary: follows from vocabulary.tokens and is {tokens}: leave it out"
    );
    recipe.net.vocabulary = tokens;
    if let Some(classifier) = &mut recipe.classifier {
        classifier.weights = from_anywhere(&classifier.weights)?;
    }
    row::choose(&mut head, &mut recipe.rows, &[])?;
    recipe.check(&head.name)?;
    head.check_expectations(&row::compared(&recipe.rows))?;
    Ok(Box::new(Meena { head, recipe, stated, corpus: None }))
}

impl Meena {
    /// Pairs that the run makes of messages.
    fn made_of(&self, dialogs: &Dialogs, run: &Run<'_>) -> Result<Prepared> {
        let recipe = &self.recipe;
        let (filters, lengths) = (&recipe.filters, recipe.lengths);
        let making = Making { filters, vocabulary: recipe.vocabulary, lengths };
        let guard = recipe.guard(run.device)?;
        if let Some(own) = guard.identity() {
            let weights = ("weights of the classifier of messages".to_owned(), own.to_owned());
            agreement::on_data(&[weights].into())?;
            let file = run.dir.join("classifier.json");
            let before: Option<String> = files::found_before(&file)?;
            ensure!(
                before.is_none_or(|before| before == own),
                "the run was begun with another classifier of messages than the one that is there \
                 now: bring it back, or begin anew by --fresh"
            );
            files::keep(&file, &own)?;
        }
        let made = Prepared::make(dialogs, run.dir, making, &guard);
        // Its network is not needed any more.
        drop(guard);
        // A classifier that was interrupted is no error of the conversations.
        processes::each(interrupt::check)?;
        let data = made?;
        ensure!(
            data.tokenizer.size() <= recipe.vocabulary.tokens,
            "the vocabulary in {} has {} tokens and the networks know {}: delete it",
            vocabulary(run.dir).display(),
            data.tokenizer.size(),
            recipe.vocabulary.tokens
        );
        Ok(data)
    }
}

impl Experiment for Meena {
    fn head(&self) -> &Head {
        &self.head
    }

    fn rows(&self) -> Vec<(String, String)> {
        row::listed(&self.recipe.rows)
    }

    fn to_toml(&self) -> Result<String> {
        match &self.stated {
            None => self.head.to_toml(&self.recipe),
            Some(stated) => {
                let mut own = Table::try_from(&self.recipe).context("a recipe's own keys")?;
                stated.restore(&mut own);
                self.head.to_toml(&own)
            }
        }
    }

    /// Beside it says what pairs there are that were made already.
    fn missing(&self, dir: Option<&Path>) -> Result<Vec<String>> {
        let (CorpusConfig::Made { path }, Some(stated)) = (&self.recipe.data, &self.stated) else {
            return Ok(self.recipe.data.missing(dir));
        };
        let folder = match corpus::below(path, dir) {
            Ok(folder) => folder,
            Err(error) => return Ok(vec![format!("data.path: {error:#}")]),
        };
        if !folder.exists() {
            let way_out = "`tutor data dialog … --out` makes it";
            return Ok(vec![format!("data.path: {} is not there: {way_out}", folder.display())]);
        }
        let opened = self.recipe.data.open(dir, &self.recipe.split)?;
        if let Content::Made(made) = &opened.content {
            let facts = PairsInfo::of(made);
            stated.compare(&facts, made.folder())?;
            note(&format!("data.path: {}", facts.in_words(made)));
        }
        Ok(Vec::new())
    }

    fn shares(&self, processes: usize) -> Result<()> {
        for (name, row) in self.recipe.trainings()? {
            processes::check_batch("train", &row.train, processes)
                .with_context(|| format!("row {name}"))?;
        }
        Ok(())
    }

    fn open(&mut self, dir: Option<&Path>) -> Result<()> {
        let corpus = self.recipe.data.open(dir, &self.recipe.split)?;
        if let (Content::Made(made), Some(stated)) = (&corpus.content, &self.stated) {
            let facts = PairsInfo::of(made);
            stated.compare(&facts, made.folder())?;
            facts.fill(&mut self.recipe);
            self.recipe.check(&self.head.name)?;
        }
        self.corpus = Some(corpus);
        Ok(())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let recipe = &self.recipe;
        let corpus = self.corpus.as_ref().context("conversations are opened before the run")?;
        let data = match &corpus.content {
            Content::Messages(dialogs) => {
                recipe.data.refuse_renamed(run.dir)?;
                corpus.began().keep(run.dir, began::FILE)?;
                self.made_of(dialogs, run)?
            }
            Content::Made(made) => {
                if processes::group().is_some() {
                    corpus.began().agree()?;
                }
                PairsInfo::of(made).keep(run.dir, made.folder())?;
                Prepared::of_made(made, run.dir)?
            }
        };
        let first = run.started.seeds.first().copied();
        let outcomes = run.each_seed(
            |one| seed::run(recipe, &data, Some(one.seed) == first, one),
            |found| summary::line(found),
        )?;
        sweep::write(run, &outcomes)?;
        let mut sections = section::sections(recipe, &data, &outcomes);
        let sweep = sweep::section(&outcomes);
        sections.extend(sweep.map(|section| of_first_seed(section, outcomes.len())));
        let result = summary::result(&self.head, recipe, run, &corpus.about, (&data, &outcomes))?;
        Ok(Findings { result, sections })
    }

    /// Without a `model`, the row whose perplexity on the validation part is lowest.
    fn predictor(
        &self,
        seed: &Path,
        model: Option<&str>,
        device: Device,
    ) -> Result<Box<dyn Predictor>> {
        let run = seed.parent().unwrap_or(Path::new("."));
        let mut recipe = self.recipe.clone();
        if self.stated.is_some() {
            PairsInfo::kept(run)?.fill(&mut recipe);
        }
        let rows = recipe.trainings()?;
        let name = match model {
            Some(name) => name.to_owned(),
            None => seed::best(&rows, seed)?,
        };
        let names = || rows.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let found = rows.iter().find(|(known, _)| *known == name);
        let (_, recipe) = found
            .with_context(|| format!("--model: there is no row {name}; there are {}", names()))?;
        let folder = seed.join(&name);
        let weights = StageDir::final_weights(&folder)?;
        let network = Network::new(&recipe.network(), device);
        let loaded = network.params().load(&weights.tensors);
        loaded.with_context(|| folder.join("final.safetensors").display().to_string())?;
        let tokenizer = DialogTokenizer::open(&vocabulary(run))?;
        let turns = Some(recipe.filters.max_turns);
        let net = network.for_replies();
        Ok(Box::new(Responder::new(name, net, tokenizer, recipe.lengths, turns)))
    }
}
