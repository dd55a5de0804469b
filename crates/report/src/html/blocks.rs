//! The blocks of a section as markup.

use anyhow::Result;
use maud::{Markup, html};

use super::parts::{key, table};
use super::pictures;
use crate::plots::{self, colours, curves, lines, scatter, strips};
use crate::section::{BarChart, Block, Curves, IntervalPlot, LinePlot, ScatterPlot, Section};
use crate::words::{capitalised, heading};

/// All that a section shows, without its heading.
///
/// # Errors
/// When a plot cannot be drawn or a picture not be encoded.
pub(super) fn section(section: &Section) -> Result<Markup> {
    let blocks = section.blocks.iter().map(block).collect::<Result<Vec<_>>>()?;
    Ok(html! { @for b in &blocks { (b) } })
}

fn block(block: &Block) -> Result<Markup> {
    Ok(match block {
        Block::Heading(words) => html! { h3 { (words) } },
        Block::Text(words) => html! { p { (words) } },
        Block::Caption(words) => html! { p.caption { (words) } },
        Block::Key(names) => {
            key(&colours::key(&names.iter().map(String::as_str).collect::<Vec<_>>()))
        }
        Block::Table(t) => table(t, None),
        Block::Curves(c) => learning(c)?,
        Block::Plot(p) => plot(p)?,
        Block::Scatter(p) => points(p),
        Block::Panels(p) => panels(p)?,
        Block::Intervals(p) => intervals(p),
        Block::Bars(charts) => bars(charts),
        Block::Matrices(m) => pictures::matrices(m),
        Block::Figures(f) => pictures::figures(f),
        Block::Tiles(t) => pictures::tiles(t)?,
    })
}

/// The metric and the training loss over steps.
fn learning(curves: &Curves) -> Result<Markup> {
    let (metric, loss) = (curves::metric(curves)?, curves::loss(curves)?);
    if metric.is_none() && loss.is_none() {
        return Ok(html! { p.caption { "No curve was measured." } });
    }
    let names = curves::names(&curves.curves);
    let many = names.len() < curves.curves.len();
    Ok(html! {
        (key(&colours::key(&names)))
        div.plots {
            @if let Some(plot) = &metric {
                figure { b { (capitalised(&heading(&curves.metric, &curves.unit))) } (plot) }
            }
            @if let Some(plot) = loss { figure { b { "Training loss" } (plot) } }
        }
        p.caption {
            @if many && names.len() > curves::MANY { "Lines are means over seeds. " }
            @else if many { "Thin lines are seeds, thick ones their mean. " }
            @if metric.is_some() {
                (capitalised(&curves.metric)) " is drawn from where a curve first comes near its end. "
            }
            @if let Some(note) = &curves.note { (note) }
        }
    })
}

fn plot(plot: &LinePlot) -> Result<Markup> {
    let drawn = lines::plot(plot)?;
    let names = lines::names(std::slice::from_ref(plot));
    Ok(html! {
        @if let Some(drawn) = drawn {
            (key(&colours::key(&names)))
            div.plots { figure { b { (plot.title) } " " span.soft { (plot.y_label) } (drawn) } }
        } @else { p.caption { (plot.title) ": no point was measured." } }
    })
}

fn points(plot: &ScatterPlot) -> Markup {
    html! {
        @if let Some(drawn) = scatter::plot(plot) {
            figure.intervals {
                b { (plot.title) } " " span.soft { (plot.y_label) }
                div.scroll tabindex="0" { (drawn) }
            }
        } @else { p.caption { (plot.title) ": no point was measured." } }
    }
}

fn intervals(plot: &IntervalPlot) -> Markup {
    let names: Vec<&str> = plot.series.iter().map(String::as_str).collect();
    html! {
        @if plot.rows.is_empty() { p.caption { (plot.title) ": nothing was measured." } }
        @else {
            @if names.len() > 1 { (key(&colours::key(&names))) }
            figure.intervals { b { (plot.title) } div.scroll tabindex="0" { (plots::intervals::plot(plot)) } }
        }
    }
}

fn panels(plots: &[LinePlot]) -> Result<Markup> {
    let drawn = lines::panels(plots)?;
    let names = lines::names(plots);
    Ok(html! {
        (key(&colours::key(&names)))
        div.panels { @for (plot, drawn) in plots.iter().zip(&drawn) {
            figure { b { (plot.title) } (drawn) }
        } }
        @if let Some(first) = plots.first() {
            p.caption { "Upwards: " (first.y_label) ", on one scale. To the right: " (first.x_label) "." }
        }
    })
}

fn bars(charts: &[BarChart]) -> Markup {
    html! {
        div.panels.wide { @for chart in charts {
            figure {
                b { (chart.title) } " " span.soft { (chart.about) }
                (strips::bars(chart))
            }
        } }
        @if let Some(first) = charts.first() {
            p.caption { "Solid: " (first.parts[0]) ". With the faint part: " (first.parts[1]) "." }
        }
    }
}
