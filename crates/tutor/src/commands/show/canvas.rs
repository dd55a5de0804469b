//! One picture out of rows of images with labels.

use augment::image::Image;
use augment::sheet::SheetRow;
use font8x8::UnicodeFonts;

/// A letter is 8 by 8 pixels.
const LETTER: usize = 8;
/// Room between things.
const GAP: usize = 8;
/// Images are enlarged by whole factors to about this.
const SIDE: usize = 96;
const BACK: [u8; 3] = [236, 236, 234];
const INK: [u8; 3] = [40, 40, 44];
const FAINT: [u8; 3] = [110, 110, 116];

/// The sheets of several images, one below the other: the name, the image itself, then the rows.
pub(super) fn draw(sheets: &[(String, Image, Vec<SheetRow>)]) -> Image {
    let layouts: Vec<Layout> = sheets.iter().map(Layout::new).collect();
    let width = layouts.iter().map(|layout| layout.width).max().unwrap_or(1);
    let height = layouts.iter().map(|layout| layout.height).sum::<usize>().max(1);
    let mut canvas = Canvas { width, height, pixels: BACK.repeat(width * height) };
    let mut top = 0;
    for ((name, image, rows), layout) in sheets.iter().zip(&layouts) {
        layout.draw(&mut canvas, top, name, image, rows);
        top += layout.height;
    }
    Image::new(width, height, 3, canvas.pixels)
}

/// By which an image is enlarged.
fn factor(image: &Image) -> usize {
    (SIDE / image.width().max(image.height())).max(1)
}

/// Where things of one sheet stand.
struct Layout {
    /// Of the names of rows.
    margin: usize,
    cell: [usize; 2],
    width: usize,
    height: usize,
}

/// Height of a name's line.
const TITLE: usize = LETTER + 3 * GAP;

impl Layout {
    fn new((name, image, rows): &(String, Image, Vec<SheetRow>)) -> Self {
        let images =
            || rows.iter().flat_map(|row| &row.cells).map(|cell| &cell.image).chain([image]);
        let widest = images().map(|image| image.width() * factor(image)).max().unwrap_or(1);
        let highest = images().map(|image| image.height() * factor(image)).max().unwrap_or(1);
        let label = rows.iter().flat_map(|row| &row.cells).map(|c| c.label.chars().count()).max();
        let letters = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let margin = GAP + letters.max(8) * LETTER + GAP;
        let cell = [widest.max(label.unwrap_or(0) * LETTER) + GAP, highest + LETTER + 4 + GAP];
        let columns = rows.iter().map(|row| row.cells.len()).max().unwrap_or(1).max(1);
        let width = (margin + columns * cell[0]).max(GAP + name.chars().count() * LETTER) + GAP;
        Self { margin, cell, width, height: TITLE + (rows.len() + 1) * cell[1] + GAP }
    }

    fn draw(&self, canvas: &mut Canvas, top: usize, name: &str, image: &Image, rows: &[SheetRow]) {
        canvas.text(GAP, top + GAP, name, INK);
        let mut y = top + TITLE;
        canvas.text(GAP, y, "original", INK);
        canvas.image(self.margin, y, image);
        y += self.cell[1];
        for row in rows {
            canvas.text(GAP, y, &row.name, INK);
            for (column, cell) in row.cells.iter().enumerate() {
                let x = self.margin + column * self.cell[0];
                canvas.image(x, y, &cell.image);
                let below = y + cell.image.height() * factor(&cell.image) + 3;
                canvas.text(x, below, &cell.label, FAINT);
            }
            y += self.cell[1];
        }
    }
}

struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        if x < self.width && y < self.height {
            self.pixels[(y * self.width + x) * 3..][..3].copy_from_slice(&colour);
        }
    }

    /// Every pixel of the image as a square.
    fn image(&mut self, left: usize, top: usize, image: &Image) {
        let (channels, factor) = (image.channels(), factor(image));
        for (i, pixel) in image.pixels().chunks_exact(channels).enumerate() {
            let colour = if channels == 1 { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] };
            let (x, y) = (left + i % image.width() * factor, top + i / image.width() * factor);
            for (dx, dy) in (0..factor).flat_map(|dy| (0..factor).map(move |dx| (dx, dy))) {
                self.set(x + dx, y + dy, colour);
            }
        }
    }

    fn text(&mut self, left: usize, top: usize, text: &str, colour: [u8; 3]) {
        for (i, letter) in text.chars().enumerate() {
            let unknown = || font8x8::BASIC_FONTS.get('?').unwrap_or_default();
            let rows = font8x8::BASIC_FONTS.get(letter).unwrap_or_else(unknown);
            for (dy, row) in rows.iter().enumerate() {
                for dx in (0..LETTER).filter(|dx| row >> dx & 1 == 1) {
                    self.set(left + i * LETTER + dx, top + dy, colour);
                }
            }
        }
    }
}
