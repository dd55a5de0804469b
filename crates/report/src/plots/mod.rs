//! The plots of a report as inline SVG: curves and lines by plotters, the others drawn by
//! hand. Colours are plain attributes that the page's style turns into those for dark
//! ground.

pub(crate) mod colours;
pub(crate) mod curves;
mod frame;
pub(crate) mod intervals;
pub(crate) mod lines;
mod names;
pub(crate) mod scatter;
pub(crate) mod strips;

pub(crate) use frame::{padded, range};
