//! Open texts, and the labels that a seed draws from them.

use std::sync::Arc;

use anyhow::{Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::{Example, Target, TextSet};

use crate::run::began::Began;
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

impl Texts {
    /// Adds them to what a run began with.
    pub(crate) fn add_to(&self, began: &mut Began) {
        for (name, set) in
            [("labelled", &self.labeled), ("unlabelled", &*self.unlabeled), ("test", &*self.test)]
        {
            began.add_each(name, format!("{name} texts"), set.examples());
        }
        let documents = self.running.iter().chain(&self.held_out);
        began.add_each("running", "texts to pre-train on", documents);
    }
}

/// The sentences of a document.
pub(crate) type Document = Vec<String>;

/// `count` texts of a labelled set, as many of each class, drawn by a seed. More labels of the same
/// seed hold the fewer.
pub(crate) fn draw(from: &TextSet, count: usize, seed: u64) -> Result<Arc<TextSet>> {
    let classes = from.classes();
    ensure!(
        count > 0 && count.is_multiple_of(classes.len()),
        "labels: {count} are not the same number of each of the {0} classes of {1}: take a multiple \
         of {0}",
        classes.len(),
        from.name()
    );
    let a_class = count / classes.len();
    let mut chosen = Vec::with_capacity(count);
    let mut rng = augment::rng::Rng::new(seeds::key(seed, "labels"));
    for (class, name) in (0..).zip(classes) {
        let of_class = |e: &&Example| e.target == Target::Class(class);
        let mut all: Vec<&Example> = from.examples().iter().filter(of_class).collect();
        ensure!(
            all.len() >= a_class,
            "labels: {count} are asked for, and {} has {} texts of {name}",
            from.name(),
            all.len()
        );
        rng.shuffle(&mut all);
        chosen.extend(all[..a_class].iter().copied().cloned());
    }
    let name = format!("{count} labels of {}", from.name());
    Ok(Arc::new(TextSet::new(name, chosen, classes.to_vec())?))
}
