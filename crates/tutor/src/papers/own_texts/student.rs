//! What a student learns from: the labelled texts, and unlabelled ones with the classes that a
//! teacher gave them (Xie et al. 2020, Self-training with Noisy Student).

use std::sync::Arc;

use anyhow::Result;
use data_pipeline::dataset::Samples;
use data_pipeline::text::{Example, Target, TextSet};

use crate::run::predictions::Predictions;

/// Labelled texts, repeated until they are about `share` of all, and unlabelled ones with the most
/// probable class of each.
pub(super) fn texts(
    labeled: &TextSet,
    (unlabeled, said): (&TextSet, &Predictions),
    share: f64,
) -> Result<Arc<TextSet>> {
    let wanted = share / (1.0 - share) * unlabeled.len() as f64;
    let times = (wanted / labeled.len() as f64).round().max(1.0) as usize;
    let mut examples: Vec<Example> = Vec::new();
    for _ in 0..times {
        examples.extend_from_slice(labeled.examples());
    }
    examples.extend(
        unlabeled.examples().iter().zip(said.top()).map(|(example, (class, _))| Example {
            target: Target::Class(class),
            ..example.clone()
        }),
    );
    let name = format!("{} and pseudo-labelled texts", labeled.name());
    Ok(Arc::new(TextSet::new(name, examples, labeled.classes().to_vec())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labelled_texts_are_repeated_to_their_share() {
        let example =
            |id: usize, target| Example { id: id.to_string(), target, ..Example::default() };
        let set = |n: usize, target| {
            let examples = (0..n).map(|id| example(id, target)).collect();
            TextSet::new("set", examples, vec!["a".into(), "b".into()]).unwrap()
        };
        let (labeled, unlabeled) = (set(2, Target::Class(0)), set(18, Target::None));
        let said = Predictions::new(2, [0.2, 0.8].repeat(18)).unwrap();
        let count = |share| {
            let found = texts(&labeled, (&unlabeled, &said), share).unwrap();
            let of = |class| (0..found.len()).filter(|&i| found.label(i) == Some(class)).count();
            (of(0), of(1))
        };
        assert_eq!(count(0.1), (2, 18));
        assert_eq!(count(0.25), (6, 18));
        // Every labelled text is there at least once.
        assert_eq!(count(0.01), (2, 18));
    }
}
