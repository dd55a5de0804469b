//! Boundaries of methods on points of the plane, moment by moment.

use maud::{Markup, html};

use super::html::pictures::embedded;
use super::visuals::Visuals;
use super::words::count;

/// Films side by side, and below them all methods at the same moments.
pub(super) fn section(visuals: &Visuals) -> Option<Markup> {
    visuals.strips.first()?;
    Some(html! {
        @for strip in &visuals.strips {
            h3 { (strip.title) }
            div.films { @for film in &strip.films {
                figure { b { (film.name) } " " span.soft { (film.about) } img src=(embedded(&film.png)) alt=(film.name); }
            } }
            img.sheet src=(embedded(&strip.sheet)) alt={ (strip.title) ", moments of learning" };
            @let names: Vec<_> = strip.films.iter().map(|film| film.name.as_str()).collect();
            @let steps: Vec<_> = strip.steps.iter().map(|&step| count(step)).collect();
            p.caption { "Rows: " (names.join(", ")) ". Columns: after " (steps.join(", ")) " steps." }
        }
        p.caption {
            "Large points have a label, small ones have none. Colour is the class that the network gives to a place, the "
            "stronger the surer; the dark line is where it has no preference. Pictures are of the first seed."
        }
    })
}
