//! Numbers of the paper (Adiwardana et al. 2020, arXiv 2001.09977), as far as they are known, each
//! with how well it is supported.

use serde::Serialize;

/// How a number is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Read in the paper itself: its abstract, or a figure's caption.
    Paper,
    /// Read in notes by others that quote or summarise the paper.
    Notes,
    /// Computed from the other two numbers of the row, since SSA is their mean.
    Computed,
    /// From memory, and checked against nothing.
    Memory,
}

/// A percentage with its source.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Known {
    /// The number, in percent.
    pub percent: f64,
    /// How it is known.
    pub source: Source,
}

/// What the paper says of one system.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PublishedRow {
    /// The system.
    pub system: &'static str,
    /// SSA of free conversations.
    pub interactive_ssa: Option<Known>,
    /// Sensibleness of free conversations.
    pub interactive_sensibleness: Option<Known>,
    /// Specificity of free conversations.
    pub interactive_specificity: Option<Known>,
    /// SSA on the paper's static contexts.
    pub static_ssa: Option<Known>,
    /// Sensibleness on them.
    pub static_sensibleness: Option<Known>,
    /// Specificity on them.
    pub static_specificity: Option<Known>,
    /// What else has to be known.
    pub remark: &'static str,
}

const fn known(percent: f64, source: Source) -> Option<Known> {
    Some(Known { percent, source })
}

const NOTHING: PublishedRow = PublishedRow {
    system: "",
    interactive_ssa: None,
    interactive_sensibleness: None,
    interactive_specificity: None,
    static_ssa: None,
    static_sensibleness: None,
    static_specificity: None,
    remark: "",
};

/// The systems of the paper, the best first.
pub const TABLE: [PublishedRow; 8] = [
    PublishedRow {
        system: "Human",
        interactive_ssa: known(86.0, Source::Paper),
        interactive_sensibleness: known(97.0, Source::Notes),
        interactive_specificity: known(75.0, Source::Computed),
        ..NOTHING
    },
    PublishedRow {
        system: "Meena (full)",
        interactive_ssa: known(79.0, Source::Paper),
        interactive_sensibleness: known(87.0, Source::Memory),
        interactive_specificity: known(70.0, Source::Memory),
        remark: "SSA ± 1; tuned decoding, a rule against repetition, a safety layer",
        ..NOTHING
    },
    PublishedRow {
        system: "Meena (base)",
        interactive_ssa: known(72.0, Source::Paper),
        remark: "SSA ± 1; sample-and-rank, N = 20, T = 0.88",
        ..NOTHING
    },
    PublishedRow {
        system: "Mitsuku",
        interactive_ssa: known(56.0, Source::Notes),
        interactive_sensibleness: known(72.0, Source::Notes),
        interactive_specificity: known(40.0, Source::Notes),
        remark: "not run on the static contexts",
        ..NOTHING
    },
    PublishedRow {
        system: "Cleverbot",
        interactive_ssa: known(56.0, Source::Notes),
        static_ssa: known(44.0, Source::Notes),
        remark: "less sensible and more specific than Mitsuku in conversations",
        ..NOTHING
    },
    PublishedRow {
        system: "DialoGPT 762M",
        interactive_ssa: known(48.0, Source::Notes),
        interactive_sensibleness: known(57.0, Source::Notes),
        interactive_specificity: known(39.0, Source::Notes),
        static_ssa: known(51.0, Source::Notes),
        static_sensibleness: known(62.0, Source::Notes),
        static_specificity: known(39.0, Source::Notes),
        remark: "a note prints 49 for specificity in conversations, which does not average to 48; \
                 62 and 39 average to 50.5",
    },
    PublishedRow {
        system: "GenericBot",
        static_ssa: known(35.0, Source::Notes),
        static_sensibleness: known(70.0, Source::Notes),
        static_specificity: known(0.0, Source::Notes),
        remark: "another note misprints 39 for its SSA",
        ..NOTHING
    },
    PublishedRow {
        system: "XiaoIce",
        interactive_ssa: known(31.0, Source::Notes),
        interactive_sensibleness: known(36.0, Source::Memory),
        interactive_specificity: known(25.0, Source::Memory),
        remark: "in Chinese; not run on the static contexts",
        ..NOTHING
    },
];

/// A statement on how two things go together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Correlation {
    /// What stands on the two axes.
    pub between: &'static str,
    /// The coefficient of determination of a straight line.
    pub r_squared: f64,
    /// How it is known.
    pub source: Source,
}

/// The correlations that the paper states.
pub const CORRELATIONS: [Correlation; 3] = [
    Correlation {
        between: "perplexity and interactive SSA",
        r_squared: 0.93,
        source: Source::Paper,
    },
    Correlation { between: "perplexity and static SSA", r_squared: 0.94, source: Source::Notes },
    Correlation { between: "SSA and human-likeness", r_squared: 0.96, source: Source::Notes },
];

/// The one pair of perplexity and interactive SSA (in percent) that is published as numbers; the
/// others are points of a figure.
pub const PERPLEXITY_AND_SSA: (f64, f64) = (10.2, 72.0);

#[cfg(test)]
mod tests {
    use super::*;

    /// SSA is the mean of the two, to the rounding of printed numbers.
    #[test]
    fn rows_average() {
        let check = |row: &PublishedRow, three: [Option<Known>; 3]| {
            if let [Some(ssa), Some(sensible), Some(specific)] = three {
                let mean = (sensible.percent + specific.percent) / 2.0;
                assert!((ssa.percent - mean).abs() <= 0.5, "{}: {mean}", row.system);
            }
        };
        for row in &TABLE {
            let PublishedRow { interactive_ssa, static_ssa, .. } = *row;
            check(
                row,
                [interactive_ssa, row.interactive_sensibleness, row.interactive_specificity],
            );
            check(row, [static_ssa, row.static_sensibleness, row.static_specificity]);
        }
    }
}
