//! The page's pictures: confusion matrices, figures and tiles.

use anyhow::{Context, Result};
use base64::Engine as _;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, GrayImage, ImageEncoder as _, RgbImage};
use maud::{Markup, html};

use crate::plots::colours::SERIES;
use crate::section::{Figure, Mark, Matrices, Matrix, Picture, Tile, TileColour, TileLine};
use crate::words::count;

/// Above this many classes a matrix gives way to a list of the most frequent mistakes.
const MATRIX_CLASSES: usize = 20;
/// Mistakes listed at most.
const MISTAKES: usize = 15;
/// Longest side of an embedded small picture, pixels.
const TILE_SIDE: usize = 128;

/// Matrices side by side, or lists of mistakes when there are many classes.
pub(super) fn matrices(matrices: &Matrices) -> Markup {
    let all = &matrices.matrices;
    let most = all.iter().flat_map(|m| m.confusion.mistakes(1)).map(|m| m.2).max();
    let most = most.unwrap_or(1) as f64;
    let few = |m: &Matrix| m.confusion.counts().len() <= MATRIX_CLASSES;
    html! {
        div.plots { @for m in all {
            figure {
                b { (m.title) } " " span.soft { (m.about) ", " (count(wrong(m))) " mistakes" }
                @if few(m) { (matrix(m, matrices, most)) } @else { (mistakes(m, matrices)) }
            }
        } }
        @if all.iter().any(few) {
            p.caption { "Rows are true classes, columns predictions. Blue: right, as a share of the class. "
                "Red: mistakes, on one scale for all matrices." }
        }
    }
}

fn wrong(m: &Matrix) -> u64 {
    m.confusion.mistakes(usize::MAX).iter().map(|m| m.2).sum()
}

fn matrix(m: &Matrix, matrices: &Matrices, most: f64) -> Markup {
    let counts = m.confusion.counts();
    html! {
        div.scroll tabindex="0" { table.matrix {
            thead { tr { th {} @for p in 0..counts.len() { th { (matrices.class(p)) } } } }
            tbody { @for (t, row) in counts.iter().enumerate() {
                @let total = row.iter().sum::<u64>().max(1) as f64;
                tr {
                    th { (matrices.class(t)) }
                    @for (p, &n) in row.iter().enumerate() {
                        @let share = if t == p { 0.75 * n as f64 / total } else { n as f64 / most };
                        @let tone = if t == p { "hit" } else { "miss" };
                        @let depth = if n == 0 { "zero" } else if share > 0.55 { "deep" } else { "" };
                        @let floor = if n == 0 { 0.0 } else { 8.0 };
                        td class={ (tone) " " (depth) }
                            style={ "--a:" (format!("{:.0}", floor + 82.0 * share)) } { (n) }
                    }
                }
            } }
        } }
    }
}

fn mistakes(m: &Matrix, matrices: &Matrices) -> Markup {
    html! {
        div.scroll tabindex="0" { table {
            thead { tr { th { "true class" } th.word { "taken for" } th { "times" } } }
            tbody { @for (truth, prediction, n) in m.confusion.mistakes(MISTAKES) {
                tr {
                    td { (matrices.class(truth)) }
                    td.word { (matrices.class(prediction)) }
                    td { (count(n)) }
                }
            } }
        } }
    }
}

/// Finished pictures: small ones side by side, wide ones each on a line of its own.
pub(super) fn figures(figures: &[Figure]) -> Markup {
    html! {
        @for run in figures.chunk_by(|a, b| a.wide == b.wide) {
            @if run[0].wide {
                @for f in run { figure { (caption(f)) img.sheet src=(embedded(&f.png)) alt=(f.alt); } }
            } @else {
                div.films { @for f in run {
                    figure { (caption(f)) img src=(embedded(&f.png)) alt=(f.alt); }
                } }
            }
        }
    }
}

fn caption(figure: &Figure) -> Markup {
    html! {
        @if !figure.title.is_empty() { b { (figure.title) } " " }
        @if !figure.about.is_empty() { span.soft { (figure.about) } }
    }
}

/// Small pictures with lines of text.
///
/// # Errors
/// When a picture cannot be encoded.
pub(super) fn tiles(tiles: &[Tile]) -> Result<Markup> {
    let tiles = tiles.iter().map(tile).collect::<Result<Vec<_>>>()?;
    Ok(html! { div.tiles { @for t in &tiles { (t) } } })
}

fn tile(tile: &Tile) -> Result<Markup> {
    let picture = &tile.picture;
    let small = picture.width.max(picture.height) <= TILE_SIDE / 2;
    let line = |line: &TileLine| {
        let (right, wrong) = (line.mark == Mark::Right, line.mark == Mark::Wrong);
        let words = html! {
            span.right[right].wrong[wrong] { (line.text) }
            @if !line.value.is_empty() { span { (line.value) } }
        };
        let series = match line.colour {
            TileColour::Soft => return html! { div.soft { (words) } },
            TileColour::First => 0,
            TileColour::Last => 1,
        };
        html! { div.series style={ "--c:" (SERIES[series].0) } { (words) } }
    };
    Ok(html! {
        div.tile {
            img.small[small] src=(data_uri(picture)?) alt=(tile.alt);
            @for l in &tile.lines { (line(l)) }
        }
    })
}

/// The picture as a PNG within a `data:` address, made smaller when it is large.
fn data_uri(picture: &Picture) -> Result<String> {
    let (w, h) = (picture.width as u32, picture.height as u32);
    let pixels = picture.pixels.clone();
    let image = match picture.channels {
        1 => GrayImage::from_raw(w, h, pixels).map(DynamicImage::from),
        _ => RgbImage::from_raw(w, h, pixels).map(DynamicImage::from),
    };
    let mut image = image.context("a picture of the wrong size")?;
    if picture.width.max(picture.height) > TILE_SIDE {
        image = image.thumbnail(TILE_SIDE as u32, TILE_SIDE as u32);
    }
    let mut png = Vec::new();
    let encoder = PngEncoder::new(&mut png);
    encoder.write_image(image.as_bytes(), image.width(), image.height(), image.color().into())?;
    Ok(embedded(&png))
}

/// A PNG as the address of an image within the page.
fn embedded(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", base64::engine::general_purpose::STANDARD.encode(png))
}
