//! What stands in the cells of the researcher's tables.

use eval_ssa::Mode;
use eval_ssa::agreement::Statistic;
use eval_ssa::bootstrap::Estimate;
use eval_ssa::quality::Share;
use maud::{Markup, html};

/// A mode's name.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Static => "static",
        Mode::Interactive => "interactive",
    }
}

/// A percentage with its interval, or a dash.
pub(super) fn percent(estimate: Option<&Estimate>) -> Markup {
    html! {
        @match estimate {
            Some(estimate) => {
                (format!("{:.1} %", 100.0 * estimate.value)) " "
                // One conversation or context says nothing of others.
                @if estimate.units > 1 { span.quiet {
                    @let [low, high] = estimate.to_quote().map(|bound| 100.0 * bound);
                    (format!("[{low:.1}, {high:.1}]"))
                } }
            }
            None => "–",
        }
    }
}

/// So many of so many; a dash where there is nothing to count.
pub(super) fn share(share: Share) -> String {
    match share.of {
        0 => "–".to_owned(),
        of => format!("{} of {of}", share.hits),
    }
}

/// A number, or why there is none.
pub(super) fn statistic(statistic: &Statistic) -> String {
    format!("{statistic:.3}")
}
