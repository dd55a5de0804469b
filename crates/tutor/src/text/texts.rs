//! Open texts, and the labels that a seed draws from them.

use std::sync::Arc;

use anyhow::{Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::{Example, Target, TextSet};

use crate::run::seeds;

/// Open texts.
pub(crate) struct Texts {
    /// Which they are, in words.
    pub(crate) about: String,
    /// Documents to pre-train on, each as its sentences.
    pub(crate) running: Vec<Document>,
    /// Documents on which pre-training is measured.
    pub(crate) held_out: Vec<Document>,
    /// Texts of which labels are drawn; none of them is in the test part.
    pub(crate) labeled: TextSet,
    /// Texts of which no label is read, for methods that learn from such texts too; those of
    /// `labeled` are among them, as in UDA.
    pub(crate) unlabeled: Arc<TextSet>,
    /// Labelled texts for the result.
    pub(crate) test: Arc<TextSet>,
}

/// The sentences of a document.
pub(crate) type Document = Vec<String>;

impl Texts {
    /// `count` labelled texts, as many of each class, drawn by a seed. More labels of the same seed
    /// hold the fewer.
    pub(crate) fn draw(&self, count: usize, seed: u64) -> Result<Arc<TextSet>> {
        let classes = self.labeled.classes().len();
        ensure!(
            count > 0 && count.is_multiple_of(classes),
            "labels: {count} are not as many of each of the {classes} classes"
        );
        let mut chosen = Vec::with_capacity(count);
        let mut rng = augment::rng::Rng::new(seeds::key(seed, "labels"));
        for class in 0..classes as u32 {
            let of_class = |e: &&Example| e.target == Target::Class(class);
            let mut all: Vec<&Example> = self.labeled.examples().iter().filter(of_class).collect();
            ensure!(
                all.len() >= count / classes,
                "labels: {count} are asked for, and there are {} texts of {}",
                all.len(),
                self.labeled.classes()[class as usize]
            );
            rng.shuffle(&mut all);
            chosen.extend(all[..count / classes].iter().copied().cloned());
        }
        let name = format!("{} labels of {}", count, self.labeled.name());
        Ok(Arc::new(TextSet::new(name, chosen, self.labeled.classes().to_vec())?))
    }
}
