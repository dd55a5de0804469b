//! What a report shows besides its numbers, as plain data: sections made of blocks.

mod intervals;
mod lines;
mod pictures;
mod scatter;
mod table;

pub use intervals::{IntervalPlot, IntervalRow, Measured};
pub use lines::{Curve, CurvePoint, Curves, Line, LinePlot, Point, XAxis};
pub use pictures::{
    Bar, BarChart, Figure, Mark, Matrices, Matrix, Picture, Tile, TileColour, TileLine,
};
pub use scatter::ScatterPlot;
pub use table::Table;

use anyhow::Result;

/// A part of the page with a heading of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Its address within the page: lower-case letters, digits and `-`.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// What it shows, from top to bottom.
    pub blocks: Vec<Block>,
}

impl Section {
    /// A section without blocks.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self { id: id.into(), title: title.into(), blocks: Vec::new() }
    }

    /// Adds a block at the end.
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// Checks the blocks that can be at odds with themselves.
    pub(crate) fn check(&self) -> Result<()> {
        self.blocks.iter().try_for_each(Block::check)
    }
}

/// One thing that a section shows. `report.md` has the headings, texts and tables; the page has
/// all.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading below the section's.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A paragraph in small print on how a picture is to be read.
    Caption(String),
    /// Names with the colours of their series: the first name has the first colour of the page, the
    /// last one the second. Plots bring their own; this is for [`Block::Tiles`].
    Key(Vec<String>),
    /// A table.
    Table(Table),
    /// Learning curves: a plot of the metric and one of the loss.
    Curves(Curves),
    /// One plot.
    Plot(LinePlot),
    /// Points with names, and perhaps a line through them.
    Scatter(ScatterPlot),
    /// Small plots side by side, with one vertical scale and one key.
    Panels(Vec<LinePlot>),
    /// Values with intervals, a row for each thing that was measured.
    Intervals(IntervalPlot),
    /// Bar charts side by side.
    Bars(Vec<BarChart>),
    /// Confusion matrices; with many classes, lists of the most frequent mistakes.
    Matrices(Matrices),
    /// Finished pictures.
    Figures(Vec<Figure>),
    /// Small pictures with lines of text.
    Tiles(Vec<Tile>),
}

impl Block {
    fn check(&self) -> Result<()> {
        match self {
            Block::Table(table) => table.check(),
            Block::Plot(plot) => plot.check(),
            Block::Scatter(plot) => plot.check(),
            Block::Intervals(plot) => plot.check(),
            Block::Panels(plots) => plots.iter().try_for_each(LinePlot::check),
            Block::Figures(figures) => figures.iter().try_for_each(Figure::check),
            Block::Tiles(tiles) => tiles.iter().try_for_each(|t| t.picture.check()),
            Block::Heading(_)
            | Block::Text(_)
            | Block::Caption(_)
            | Block::Key(_)
            | Block::Curves(_)
            | Block::Bars(_)
            | Block::Matrices(_) => Ok(()),
        }
    }
}
