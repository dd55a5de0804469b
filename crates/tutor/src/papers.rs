//! The papers, one folder each. A new one is a line in the list below.

mod label_propagation;
mod noisy_student;
mod ssl_table;
#[cfg(test)]
mod toy;

use anyhow::{Context, Result, anyhow};

use crate::recipe::edit::{self, Override, nearest};
use crate::recipe::head::Head;
use crate::run::experiment::{Experiment, Paper};

const PAPERS: &[Paper] = &[
    noisy_student::PAPER,
    ssl_table::PAPER,
    label_propagation::PAPER,
    #[cfg(test)]
    toy::PAPER,
];

/// Reads a recipe, applies `--quick` and the overrides, and checks the result.
///
/// A quick run is on generated images where the recipe's own data have to be brought, unless they
/// are there.
pub(crate) fn resolve(
    text: &str,
    quick: bool,
    data_is_there: bool,
    overrides: &[Override],
) -> Result<Box<dyn Experiment>> {
    let mut table = edit::resolved(text, quick, data_is_there, overrides)?;
    let head = Head::take(&mut table)?;
    let kinds = || PAPERS.iter().map(|paper| paper.kind);
    let paper = PAPERS.iter().find(|paper| paper.kind == head.kind).with_context(|| {
        let hint = nearest(&head.kind, kinds()).unwrap_or_default();
        anyhow!("kind: there is no kind of recipe {:?}; did you mean {hint}?", head.kind)
    })?;
    (paper.read)(head, &table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::catalog::{self, RECIPES};

    #[test]
    fn every_recipe_reads_both_ways_and_bears_its_name() {
        for (name, text) in RECIPES {
            for quick in [false, true] {
                let recipe = resolve(text, quick, false, &[])
                    .unwrap_or_else(|e| panic!("{name}: {e:#}"))
                    .to_toml()
                    .expect("text");
                let again = resolve(&recipe, false, false, &[]).expect("the resolved text");
                assert_eq!(again.head().name, *name);
                assert_eq!(recipe, again.to_toml().expect("text"), "{name}");
            }
        }
    }

    #[test]
    fn one_recipe_a_paper_is_the_default() {
        let text = catalog::find("noisy-student").expect("a default");
        assert!(text.contains("noisy-student/digits"));
        let error = catalog::find("noisy-student/digit").expect_err("unknown").to_string();
        assert!(error.contains("noisy-student/digits"), "{error}");
    }

    #[test]
    fn a_misspelt_kind_or_key_is_refused_with_the_nearest() {
        let text = catalog::find("ssl-benchmark").expect("a recipe");
        let refused = |text: &str| match resolve(text, false, false, &[]) {
            Ok(_) => panic!("not refused"),
            Err(error) => format!("{error:#}"),
        };
        let error = refused(&text.replace("\"ssl-table\"", "\"ssl-tabel\""));
        assert!(error.contains("did you mean ssl-table?"), "{error}");
        let error = refused(&text.replace("[train]", "[trian]"));
        assert!(error.contains("did you mean `train`?"), "{error}");
        let error = refused(&text.replace("kind = \"ssl-table\"", ""));
        assert!(error.contains("missing field `kind`"), "{error}");
    }
}
