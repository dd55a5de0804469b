//! The page's pictures: curves, confusion matrices, disputed images, pseudo-labels and robustness.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, GrayImage, ImageEncoder as _, RgbImage};
use maud::{Markup, html};

use super::super::plots;
use super::super::result::RunResult;
use super::super::tables;
use super::super::visuals::{Confusion, Disagreements, Guess, Tile, Visuals};
use super::super::words::count;
use super::key;

/// Above this many classes a matrix gives way to a list of the most frequent mistakes.
const MATRIX_CLASSES: usize = 20;
/// Tiles shown at most.
const TILES: usize = 48;
/// Longest side of an embedded picture, pixels.
const TILE_SIDE: usize = 128;

/// Training loss and validation accuracy.
pub(super) fn curves(visuals: &Visuals) -> Result<Option<Markup>> {
    let curves = &visuals.curves;
    let loss = plots::curves(curves, "training loss over steps", false, |p| p.train_loss)?;
    let label = "validation accuracy over steps";
    let accuracy = plots::curves(curves, label, true, |p| p.validation)?;
    if loss.is_none() && accuracy.is_none() {
        return Ok(None);
    }
    let names = plots::models(curves);
    let colours = (0..names.len()).map(|i| plots::colour(i, names.len()));
    let many = names.len() < curves.len();
    Ok(Some(html! {
        (key(names.iter().copied().zip(colours)))
        div.plots {
            @if let Some(plot) = &accuracy { figure { b { "Validation accuracy, %" } (plot) } }
            @if let Some(plot) = loss { figure { b { "Training loss" } (plot) } }
        }
        p.caption {
            @if many && names.len() > plots::MANY { "Lines are means over seeds. " }
            @else if many { "Thin lines are seeds, thick ones their mean. " }
            @if accuracy.is_some() { "Accuracy is drawn from where a curve first comes near its end. " }
            @if names.contains(&"teacher") {
                "Losses of teacher and students are not on one scale: students learn from noised images "
                "and soft labels."
            } @else {
                "Losses of different methods are not on one scale."
            }
        }
    }))
}

/// Matrices side by side, or lists of mistakes when there are many classes.
pub(super) fn confusions(visuals: &Visuals) -> Option<Markup> {
    visuals.confusions.first()?;
    let most = visuals.confusions.iter().flat_map(|c| c.mistakes(1)).map(|m| m.2).max();
    let most = most.unwrap_or(1) as f64;
    Some(html! {
        div.plots { @for c in &visuals.confusions {
            figure {
                b { (c.model) } " " span.soft { (c.part) ", " (count(wrong(c))) " mistakes" }
                @if c.counts.len() <= MATRIX_CLASSES { (matrix(c, visuals, most)) }
                @else { (mistakes(c, visuals)) }
            }
        } }
        @if visuals.confusions.iter().any(|c| c.counts.len() <= MATRIX_CLASSES) {
            p.caption { "Rows are true classes, columns predictions. Blue: right, as a share of the class. "
                "Red: mistakes, on one scale for all matrices." }
        }
    })
}

fn wrong(c: &Confusion) -> u64 {
    c.mistakes(usize::MAX).iter().map(|m| m.2).sum()
}

fn matrix(c: &Confusion, visuals: &Visuals, most: f64) -> Markup {
    html! {
        div.scroll { table.matrix {
            thead { tr { th {} @for g in 0..c.counts.len() { th { (visuals.class(g)) } } } }
            tbody { @for (t, row) in c.counts.iter().enumerate() {
                @let total = row.iter().sum::<u64>().max(1) as f64;
                tr {
                    th { (visuals.class(t)) }
                    @for (g, &n) in row.iter().enumerate() {
                        @let share = if t == g { 0.75 * n as f64 / total } else { n as f64 / most };
                        @let tone = if t == g { "hit" } else { "miss" };
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

fn mistakes(c: &Confusion, visuals: &Visuals) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { "true class" } th { "taken for" } th { "times" } } }
            tbody { @for (truth, guess, n) in c.mistakes(15) {
                tr { td { (visuals.class(truth)) } td { (visuals.class(guess)) } td { (count(n)) } }
            } }
        } }
    }
}

/// Images that teacher and student name differently.
pub(super) fn disagreements(visuals: &Visuals) -> Result<Option<Markup>> {
    let Some(d) = &visuals.disagreements else { return Ok(None) };
    let tiles = d.tiles.iter().take(TILES).map(|t| tile(t, visuals)).collect::<Result<Vec<_>>>()?;
    let share = 100.0 * d.differing as f64 / d.compared.max(1) as f64;
    Ok(Some(html! {
        p {
            b style="color:var(--teacher)" { (d.teacher) } " and "
            b style="color:var(--student)" { (d.student) }
            " (seed " (d.seed) ") name " (count(d.differing)) " of " (count(d.compared))
            " unlabelled images differently (" (format!("{share:.1}")) " %)." (who_is_right(d))
        }
        @if !tiles.is_empty() {
            div.tiles { @for t in &tiles { (t) } }
            @if (tiles.len() as u64) < d.differing {
                p.caption { "Showing " (tiles.len()) " of " (count(d.differing)) "." }
            }
        }
    }))
}

fn who_is_right(d: &Disagreements) -> String {
    let (Some(student), Some(teacher)) = (d.student_right, d.teacher_right) else {
        return " The true classes are not known.".into();
    };
    let neither = d.differing.saturating_sub(student + teacher);
    format!(
        " The true classes, which no training saw, side with the student {} times, with the teacher \
         {}, with neither {}.",
        count(student),
        count(teacher),
        count(neither)
    )
}

fn tile(tile: &Tile, visuals: &Visuals) -> Result<Markup> {
    let small = tile.width.max(tile.height) <= TILE_SIDE / 2;
    let opinion = |role: &str, guess: &Guess| {
        html! {
            div class={ (role) } {
                span.right[tile.truth == Some(guess.class)] { (visuals.class(guess.class)) }
                span { (format!("{:.0}", 100.0 * guess.confidence)) " %" }
            }
        }
    };
    Ok(html! {
        div.tile {
            img.small[small] src=(data_uri(tile)?) alt="an unlabelled image";
            (opinion("t", &tile.teacher))
            (opinion("s", &tile.student))
            @if let Some(truth) = tile.truth {
                @if truth != tile.teacher.class && truth != tile.student.class {
                    div.truth { span { "truth: " (visuals.class(truth)) } }
                }
            }
        }
    })
}

/// The image as a PNG within a `data:` address, made smaller when it is large.
fn data_uri(tile: &Tile) -> Result<String> {
    let (w, h) = (tile.width as u32, tile.height as u32);
    let want = tile.width * tile.height * tile.channels;
    ensure!(
        want > 0 && tile.pixels.len() == want,
        "a picture of {}x{}x{} holds {} bytes",
        tile.height,
        tile.width,
        tile.channels,
        tile.pixels.len()
    );
    let image = match tile.channels {
        1 => GrayImage::from_raw(w, h, tile.pixels.clone()).map(DynamicImage::from),
        3 => RgbImage::from_raw(w, h, tile.pixels.clone()).map(DynamicImage::from),
        n => anyhow::bail!("a picture has {n} channels; 1 and 3 can be shown"),
    };
    let mut image = image.context("a picture of the wrong size")?;
    if tile.width.max(tile.height) > TILE_SIDE {
        image = image.thumbnail(TILE_SIDE as u32, TILE_SIDE as u32);
    }
    let mut png = Vec::new();
    let encoder = PngEncoder::new(&mut png);
    encoder.write_image(image.as_bytes(), image.width(), image.height(), image.color().into())?;
    Ok(embedded(&png))
}

/// A PNG as the address of an image within the page.
pub(in super::super) fn embedded(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", base64::engine::general_purpose::STANDARD.encode(png))
}

/// Filter, balance and quality of the pseudo-labels of each generation.
pub(super) fn pseudo_labels(visuals: &Visuals) -> Option<Markup> {
    let table = tables::pseudo_labels(visuals)?;
    Some(html! {
        (super::table(&table, None, false))
        div.panels.wide { @for p in &visuals.pseudo_labels {
            @if !p.per_class.is_empty() {
                figure {
                    b { (p.teacher) " → " (p.student) } " " span.soft { "seed " (p.seed) }
                    (plots::class_bars(&p.per_class, |c| visuals.class(c)))
                }
            }
        } }
        p.caption { "Bars are classes: solid for different images kept, faint for duplicates added to "
            "balance them. Whether labels are right is known only where the truth was held back." }
    })
}

/// Accuracy under corruption and flip rates, teacher against student.
pub(super) fn robustness(result: &RunResult) -> Result<Option<Markup>> {
    let Some(r) = &result.robustness else { return Ok(None) };
    let all = r.corruptions.iter().flat_map(|c| c.teacher.iter().chain(&c.student).copied());
    let span = plots::range(all).map(plots::padded);
    let panels = match span {
        Some(y) => {
            let y = y.start.max(0.0)..y.end.min(100.5);
            r.corruptions.iter().map(|c| plots::severities(c, y.clone())).collect::<Result<_>>()?
        }
        None => Vec::new(),
    };
    let names =
        [(r.teacher.as_str(), plots::SERIES[0].0), (r.student.as_str(), plots::SERIES[1].0)];
    Ok(Some(html! {
        @if !r.setting.is_empty() { p { (r.setting) } }
        p { (summary("Mean corruption error (mCE)", r.mce)) (summary("Mean flip rate (mFR)", r.mfr))
            "Relative to the teacher: 100 is as robust as the teacher, less is better."
            @if let Some(left_out) = r.left_out() { " " (left_out) } }
        (key(names))
        @if !panels.is_empty() {
            h3 { "Accuracy (%) over severity" }
            div.panels { @for (c, panel) in r.corruptions.iter().zip(&panels) {
                figure { b { (c.name.replace('_', " ")) } (panel) }
            } }
        }
        @if let Some(table) = tables::corruptions(r) { (super::table(&table, None, true)) }
        @if let Some(table) = tables::flips(r) {
            h3 { "Flip rates along small shifts" }
            (super::table(&table, None, true))
        }
    }))
}

fn summary(name: &str, value: Option<f64>) -> Markup {
    html! { @if let Some(v) = value { (name) " " b { (format!("{v:.1}")) } ". " } }
}
