//! What may be claimed from a run, in words: the one place that decides it. Page, Markdown and
//! terminal share it, so they cannot disagree.

use metrics::Better;

use crate::result::RunResult;
use crate::row::{Comparison, Row};
use crate::words::{self, number, rounded, seeds, signed, with_unit};

/// What a run's headline comparison allows to be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The interval lies on the good side of 0. Where it is over examples, that holds for the
    /// models as they were trained, and says nothing of other trainings.
    Better,
    /// The interval lies on the bad side of 0; over examples, as above.
    Worse,
    /// The interval contains 0.
    NotShown,
    /// The interval lies on one side of 0, and something else speaks against a claim
    /// ([`Comparison::caveat`]).
    Unequal,
    /// Several seeds, or all examples, have the same difference: the interval has no width, which
    /// is no certainty.
    NoVariation,
    /// One seed: no interval, no claim.
    OneSeed,
    /// A quick run: no claim whatever the numbers.
    Quick,
    /// Nothing was compared.
    Nothing,
}

/// The claim with the words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The claim.
    pub claim: Claim,
    /// One sentence: what was gained, and with which interval.
    pub sentence: String,
    /// The two values that were compared, and for one seed what the number of examples leaves open;
    /// may be empty.
    pub detail: String,
}

/// States the outcome of the headline comparison, claiming no more than its interval allows.
pub fn outcome(result: &RunResult) -> Outcome {
    let compared = result.headline();
    let claim = match compared {
        _ if result.quick => Claim::Quick,
        None => Claim::Nothing,
        Some(c) => claim(c),
    };
    let sentence = match (claim, compared) {
        (Claim::Quick, _) => "This was a quick run: it shows that the path works, and its numbers \
                              support no claim."
            .into(),
        (_, Some(c)) => sentence(claim, c),
        (_, None) => match result.rows.first() {
            Some(row) => format!("Nothing was compared. {}.", words::capitalised(&value(row))),
            None => "Nothing was measured, so that nothing can be claimed.".into(),
        },
    };
    let detail = compared.map(|c| detail(result, c)).unwrap_or_default();
    Outcome { claim, sentence, detail }
}

fn claim(c: &Comparison) -> Claim {
    match c.ci95 {
        None => Claim::OneSeed,
        Some([lo, hi]) if lo <= 0.0 && hi >= 0.0 => Claim::NotShown,
        Some(_) if c.caveat.is_some() => Claim::Unequal,
        Some(_) if c.is_the_same_in_all() => Claim::NoVariation,
        Some([lo, _]) if (lo > 0.0) == (c.better == Better::Higher) => Claim::Better,
        Some(_) => Claim::Worse,
    }
}

fn sentence(claim: Claim, c: &Comparison) -> String {
    let (left, right, metric) = (&c.left, &c.right, &c.metric);
    let space = if c.unit.is_empty() { "" } else { " " };
    let unit = format!("{space}{}", c.unit);
    let over = c.over();
    match (claim, c.ci95) {
        (Claim::NotShown, Some([lo, hi])) => {
            let [mean, lo, hi] = rounded([c.mean, lo, hi], &c.unit);
            format!(
                "No difference between {left} and {right} in {metric} is shown: {mean}{unit}, \
                 95 % interval over {over} {lo} to {hi} contains 0."
            )
        }
        (Claim::Better | Claim::Worse | Claim::Unequal, Some([lo, hi])) => {
            let (word, noun) = match c.is_gain() {
                true => ("better", "gain"),
                false => ("worse", "loss"),
            };
            // The whole interval lies on one side: its end nearer to 0 comes first.
            let (near, far) = (lo.abs().min(hi.abs()), lo.abs().max(hi.abs()));
            let [mean, near, far] = rounded([c.mean.abs(), near, far], &c.unit);
            let shown = match (&c.caveat, c.examples) {
                (Some(caveat), _) => format!(", which shows no {noun}: {caveat}"),
                (None, Some(_)) => format!(
                    ": the {noun} is shown at this level for these models as they were trained, \
                     and says nothing of other trainings"
                ),
                (None, None) => format!(": the {noun} is shown at this level"),
            };
            format!(
                "{left} is {mean}{unit} {word} than {right} in {metric} (95 % interval over {over}: \
                 {near} to {far}){shown}."
            )
        }
        (Claim::NoVariation, Some(_)) => {
            let (word, noun) = match c.is_gain() {
                true => ("better", "gain"),
                false => ("worse", "loss"),
            };
            let [mean] = rounded([c.mean.abs()], &c.unit);
            format!(
                "{left} is {mean}{unit} {word} than {right} in {metric}, which shows no {noun}: the \
                 difference is the same in all {over}, and that is no certainty."
            )
        }
        _ => format!(
            "One seed has no interval, so nothing is shown yet: {left} minus {right} is {}{unit} in \
             {metric}. Run with --seeds 5 to get one.",
            signed(c.mean, &c.unit)
        ),
    }
}

/// A row's value in words.
fn value(row: &Row) -> String {
    let mean = with_unit(row.mean, &row.unit);
    let interval = row.ci95.map(|[lo, hi]| {
        let over = seeds(row.per_seed.len());
        let (lo, hi) = (number(lo, &row.unit), number(hi, &row.unit));
        format!(" (95 % interval over {over}: {lo} to {hi})")
    });
    format!("{} of {}: {mean}{}", row.metric, row.name, interval.unwrap_or_default())
}

/// The two sides, and for one seed what the size of the measured part alone leaves open.
fn detail(result: &RunResult, c: &Comparison) -> String {
    let rows = result.find(&c.left, &c.metric).zip(result.find(&c.right, &c.metric));
    let Some((left, right)) = rows else { return String::new() };
    let side = |r: &Row| format!("{} {}", r.name, with_unit(r.mean, &r.unit));
    let mut out = format!("{}: {}, {}.", words::capitalised(&c.metric), side(left), side(right));
    let open = |r: &Row| {
        let [lo, hi] = words::row_wilson(r.mean, &r.unit, r.examples)?;
        Some(format!("{} between {} and {} %", r.name, number(lo, "%"), number(hi, "%")))
    };
    if let (None, Some(left), Some(right)) = (c.ci95, open(left), open(right)) {
        let part = words::counted_on([c.metric.as_str()]);
        out += &format!(
            " The size of the {part} alone leaves open {left}, {right} (Wilson's 95 % intervals)."
        );
    }
    out
}
