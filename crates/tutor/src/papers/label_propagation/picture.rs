//! How a boundary looks: the field of probabilities, its border, the points; stills and films.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use image::{GrayImage, Rgb, RgbImage, imageops};

use super::shapes::Scene;

/// Pixels of a picture.
pub(super) const WIDTH: u32 = 240;
pub(super) const HEIGHT: u32 = 180;
const ASPECT: f64 = WIDTH as f64 / HEIGHT as f64;
/// Pictures are drawn larger by this, for smooth edges.
const FINE: u32 = 2;

const CLASSES: [[f64; 3]; 2] = [[235.0, 125.0, 40.0], [45.0, 110.0, 190.0]];
const PAPER: [f64; 3] = [250.0, 250.0, 248.0];
const INK: [f64; 3] = [30.0, 30.0, 34.0];

/// Where each pixel of a scene's field lies in the plane, row by row.
pub(super) fn places(scene: &Scene) -> Vec<[f64; 2]> {
    let [left, right, bottom, top] = scene.frame(ASPECT);
    let along = |i: u32, n: u32| (f64::from(i) + 0.5) / f64::from(n);
    let rows = (0..HEIGHT).flat_map(|row| {
        let y = top - along(row, HEIGHT) * (top - bottom);
        (0..WIDTH).map(move |column| [left + along(column, WIDTH) * (right - left), y])
    });
    rows.collect()
}

/// Keeps the probabilities of the second class, one a place, as a grey picture.
pub(super) fn save(path: &Path, second: &[f32]) -> Result<()> {
    let bytes = second.iter().map(|p| (255.0 * p).round() as u8).collect();
    let field =
        GrayImage::from_raw(WIDTH, HEIGHT, bytes).context("a probability for each place")?;
    let mut png = std::io::Cursor::new(Vec::new());
    field.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(atomic_file::write(path, &png.into_inner())?)
}

/// What was saved.
pub(super) fn load(path: &Path) -> Result<GrayImage> {
    Ok(image::open(path).with_context(|| path.display().to_string())?.into_luma8())
}

/// The field in the classes' colours with its border, and the points: unlabelled ones small,
/// labelled ones large.
pub(super) fn draw(field: &GrayImage, scene: &Scene) -> RgbImage {
    let (width, height) = (WIDTH * FINE, HEIGHT * FINE);
    let fine = imageops::resize(field, width, height, imageops::FilterType::Triangle);
    let probability = |x: u32, y: u32| f64::from(fine.get_pixel(x, y).0[0]) / 255.0;
    let mut picture = RgbImage::from_fn(width, height, |x, y| {
        let p = probability(x, y);
        let colour = CLASSES[usize::from(p > 0.5)];
        let strength = 0.55 * (2.0 * p - 1.0).abs();
        let beyond =
            |x: u32, y: u32| (probability(x.min(width - 1), y.min(height - 1)) > 0.5) != (p > 0.5);
        if beyond(x + 1, y) || beyond(x, y + 1) || beyond(x + 1, y + 1) {
            return pixel(INK);
        }
        pixel(mixed(PAPER, colour, strength))
    });
    let [left, right, bottom, top] = scene.frame(ASPECT);
    let place = |[x, y]: [f64; 2]| {
        let across = (x - left) / (right - left) * f64::from(width);
        let down = (top - y) / (top - bottom) * f64::from(height);
        [across, down]
    };
    for &point in &scene.unlabeled.points {
        disc(&mut picture, place(point), 2.4, INK, 0.55);
    }
    for (&point, &class) in scene.labeled.points.iter().zip(&scene.labeled.classes) {
        disc(&mut picture, place(point), 14.0, PAPER, 1.0);
        disc(&mut picture, place(point), 12.0, INK, 1.0);
        disc(&mut picture, place(point), 9.5, CLASSES[usize::from(class)], 1.0);
    }
    imageops::resize(&picture, WIDTH, HEIGHT, imageops::FilterType::Triangle)
}

fn pixel(colour: [f64; 3]) -> Rgb<u8> {
    Rgb(colour.map(|v| v.round() as u8))
}

/// `part` of the second colour, the rest of the first.
fn mixed(first: [f64; 3], second: [f64; 3], part: f64) -> [f64; 3] {
    std::array::from_fn(|i| first[i] + part * (second[i] - first[i]))
}

fn disc(
    picture: &mut RgbImage,
    [across, down]: [f64; 2],
    radius: f64,
    colour: [f64; 3],
    cover: f64,
) {
    let from = |centre: f64| (centre - radius).floor().max(0.0) as u32;
    let to = |centre: f64, end: u32| ((centre + radius).ceil().max(0.0) as u32).min(end);
    for y in from(down)..to(down, picture.height()) {
        for x in from(across)..to(across, picture.width()) {
            let (dx, dy) = (f64::from(x) + 0.5 - across, f64::from(y) + 0.5 - down);
            let inside = (radius - dx.hypot(dy) + 0.5).clamp(0.0, 1.0) * cover;
            let old = picture.get_pixel(x, y).0.map(f64::from);
            picture.put_pixel(x, y, pixel(mixed(old, colour, inside)));
        }
    }
}

/// Pictures below and beside each other.
pub(super) fn sheet(rows: &[Vec<RgbImage>]) -> RgbImage {
    const GAP: u32 = 6;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let size = [columns * (WIDTH + GAP) + GAP, rows.len() as u32 * (HEIGHT + GAP) + GAP];
    let mut sheet = RgbImage::from_pixel(size[0], size[1], Rgb([255; 3]));
    for (y, row) in (0u32..).zip(rows) {
        for (x, picture) in (0u32..).zip(row) {
            let at = [x * (WIDTH + GAP) + GAP, y * (HEIGHT + GAP) + GAP];
            imageops::replace(&mut sheet, picture, i64::from(at[0]), i64::from(at[1]));
        }
    }
    sheet
}

/// A PNG of one picture.
pub(super) fn still(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(png.into_inner())
}

/// An animated PNG: each picture for an eighth of a second, the last for two seconds, again and
/// again. Programs that know no animation show the first picture, so the last comes first of all,
/// outside the animation.
pub(super) fn film(pictures: &[RgbImage]) -> Result<Vec<u8>> {
    let (Some(last), count) = (pictures.last(), pictures.len() as u32) else {
        anyhow::bail!("a film of no pictures");
    };
    // 256 colours are plenty, and a third of the bytes.
    let palette = palette();
    let mut known: HashMap<[u8; 3], u8> = HashMap::new();
    let mut indexed = |picture: &RgbImage| -> Vec<u8> {
        let index = |p: &Rgb<u8>| *known.entry(p.0).or_insert_with(|| nearest(&palette, p.0));
        picture.pixels().map(index).collect()
    };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_animated(count, 0)?;
    encoder.set_sep_def_img(true)?;
    encoder.set_frame_delay(1, 8)?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&indexed(last))?;
    for (i, picture) in (1..).zip(pictures) {
        if i == count {
            writer.set_frame_delay(2, 1)?;
        }
        writer.write_image_data(&indexed(picture))?;
    }
    writer.finish()?;
    Ok(bytes)
}

/// The colours that pictures are made of: a class's tint under more or less ink, and the labelled
/// points' own.
fn palette() -> Vec<[u8; 3]> {
    let mut colours = Vec::new();
    for class in CLASSES {
        for tint in 0..16 {
            let ground = mixed(PAPER, class, 0.55 * f64::from(tint) / 15.0);
            colours.extend((0..7).map(|ink| pixel(mixed(ground, INK, f64::from(ink) / 6.0)).0));
        }
        for other in [PAPER, INK] {
            colours.extend((0..4).map(|part| pixel(mixed(class, other, f64::from(part) / 4.0)).0));
        }
    }
    colours
}

/// The index of the colour of a palette that is nearest to a pixel.
fn nearest(palette: &[[u8; 3]], pixel: [u8; 3]) -> u8 {
    let distance = |colour: &[u8; 3]| -> i32 {
        colour.iter().zip(pixel).map(|(&a, b)| (i32::from(a) - i32::from(b)).pow(2)).sum()
    };
    let found = palette.iter().enumerate().min_by_key(|(_, colour)| distance(colour));
    found.map_or(0, |(index, _)| index as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_begins_with_its_end_for_those_who_know_no_animation() {
        let grey = |v| RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([v; 3]));
        let film = film(&[grey(30), grey(250)]).expect("a film");
        let still = image::load_from_memory(&film).expect("a picture").into_rgb8();
        assert!(still.get_pixel(5, 5).0.iter().all(|&v| v > 240), "{:?}", still.get_pixel(5, 5));
        let decoder = png::Decoder::new(std::io::Cursor::new(&film));
        let reader = decoder.read_info().expect("a header");
        assert_eq!(reader.info().animation_control.expect("an animation").num_frames, 2);
    }

    #[test]
    fn colours_keep_their_places() {
        let palette = palette();
        assert!(palette.len() <= 256);
        for colour in CLASSES.into_iter().chain([PAPER, INK]) {
            let Rgb(wanted) = pixel(colour);
            assert_eq!(palette[usize::from(nearest(&palette, wanted))], wanted);
        }
    }
}
