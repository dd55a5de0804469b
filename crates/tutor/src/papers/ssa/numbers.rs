//! Estimates as plots and tables have them: in percent.

use eval_ssa::bootstrap::Estimate;
use eval_ssa::regression::Line;
use report::Measured;

/// A share in percent.
pub(super) fn percent(value: f64) -> f64 {
    100.0 * value
}

/// An estimate in percent with the interval to quote.
pub(super) fn measured(estimate: &Estimate) -> Measured {
    // One conversation or context says nothing of others.
    let interval = (estimate.units > 1).then(|| estimate.to_quote().map(percent));
    Measured { value: percent(estimate.value), interval }
}

/// A percentage with its interval, or a dash.
pub(super) fn estimate(estimate: Option<&Estimate>) -> String {
    estimate.map_or_else(|| "–".to_owned(), |estimate| of(&measured(estimate)))
}

/// A percentage with its interval.
pub(super) fn of(measured: &Measured) -> String {
    match measured.interval {
        Some([low, high]) => format!("{:.1} [{low:.1}, {high:.1}]", measured.value),
        None => format!("{:.1}", measured.value),
    }
}

/// Intercept and slope of a line that says something: two points have one by themselves.
pub(super) fn to_draw(line: &Line) -> Option<[f64; 2]> {
    let through = [line.intercept.value?, line.slope.value?];
    (line.points > 2).then_some(through)
}

/// How many points a line goes through, R², slope, intercept, and what a reader has to know.
pub(super) fn line_cells(line: &Line) -> [String; 5] {
    [
        line.points.to_string(),
        format!("{:.3}", line.r_squared),
        format!("{:.4}", line.slope),
        format!("{:.4}", line.intercept),
        line.warnings.join("; "),
    ]
}
