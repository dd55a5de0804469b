//! Bars, confusion matrices, figures and small pictures, as data.

use anyhow::{Result, ensure};
use metrics::Confusion;
use serde::{Deserialize, Serialize};

/// Bars side by side, each a solid part of a faint whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarChart {
    /// What the chart shows.
    pub title: String,
    /// A few words behind the title; may be empty.
    pub about: String,
    /// What the solid part and what the whole of each bar is, such as `kept` and `used`.
    pub parts: [String; 2],
    /// The bars from left to right.
    pub bars: Vec<Bar>,
}

/// One bar of a [`BarChart`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its name below it, or, where there are many, on pointing at it.
    pub name: String,
    /// The solid part.
    pub solid: u64,
    /// The whole; the faint part is what it has beyond the solid one.
    pub whole: u64,
}

/// Confusion matrices side by side, on one scale of colours.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrices {
    /// Names of the classes, by index; classes beyond the list are shown by number.
    pub classes: Vec<String>,
    /// The matrices.
    pub matrices: Vec<Matrix>,
}

impl Matrices {
    /// The name of a class, or its number where the list is too short.
    pub(crate) fn class(&self, index: usize) -> String {
        self.classes.get(index).cloned().unwrap_or_else(|| index.to_string())
    }
}

/// One of [`Matrices`].
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Which model.
    pub title: String,
    /// Which examples, such as `test part, all 5 seeds`.
    pub about: String,
    /// The counts.
    pub confusion: Confusion,
}

/// A finished picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What it shows; may be empty.
    pub title: String,
    /// A few words behind the title; may be empty.
    pub about: String,
    /// What those who cannot see it are told.
    pub alt: String,
    /// A PNG, also an animated one.
    pub png: Vec<u8>,
    /// Whether it takes a line of its own, as wide as it is; others stand side by side, small.
    pub wide: bool,
}

impl Figure {
    /// Checks that the bytes begin as a PNG does.
    pub(crate) fn check(&self) -> Result<()> {
        let is = self.png.starts_with(b"\x89PNG\r\n\x1a\n");
        ensure!(is, "figure `{}` ({}) is no PNG", self.title, self.alt);
        Ok(())
    }
}

/// A small picture with a few lines of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// The picture.
    pub picture: Picture,
    /// What those who cannot see it are told.
    pub alt: String,
    /// The lines below it.
    pub lines: Vec<TileLine>,
}

/// One line below a [`Tile`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TileLine {
    /// The text at the left.
    pub text: String,
    /// The text at the right; may be empty.
    pub value: String,
    /// Its colour.
    pub colour: TileColour,
    /// Whether what the line says is right.
    pub mark: Mark,
}

/// The colour of a line below a [`Tile`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TileColour {
    /// Soft ink, as of text that matters less.
    #[default]
    Soft,
    /// That of the first name of a key, or of the first row of a table.
    First,
    /// That of the last name of a key, or of the last row of a table.
    Last,
}

/// Whether what a line says is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nothing is known or said about it.
    #[default]
    None,
    /// It is right; a tick is set behind it.
    Right,
    /// It is wrong; a cross is set behind it.
    Wrong,
}

/// A picture as plain bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// `height * width * channels` bytes, row by row, channels last.
    pub pixels: Vec<u8>,
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
}

impl Picture {
    /// Checks that there are as many bytes as the shape says, and 1 or 3 channels.
    pub(crate) fn check(&self) -> Result<()> {
        let (height, width, channels) = (self.height, self.width, self.channels);
        ensure!(
            matches!(channels, 1 | 3),
            "a picture has {channels} channels; 1 and 3 can be shown"
        );
        let want = height * width * channels;
        ensure!(
            want > 0 && self.pixels.len() == want,
            "a picture of {height}x{width}x{channels} holds {} bytes",
            self.pixels.len()
        );
        Ok(())
    }
}
