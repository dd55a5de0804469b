//! A run of any paper: its folder, its seeds, its trainings, what it costs and what it says
//! meanwhile. Nothing here knows a paper or a kind of data.

pub(crate) mod agreement;
pub(crate) mod annotator;
pub(crate) mod began;
pub(crate) mod clock;
pub(crate) mod copies;
pub(crate) mod cost;
pub(crate) mod curve;
pub(crate) mod driver;
pub(crate) mod experiment;
pub(crate) mod files;
pub(crate) mod folder;
pub(crate) mod folds;
pub(crate) mod interrupt;
pub(crate) mod lists;
pub(crate) mod measured;
pub(crate) mod memory;
pub(crate) mod note;
pub(crate) mod pace;
pub(crate) mod predictions;
pub(crate) mod processes;
pub(crate) mod progress;
pub(crate) mod result;
pub(crate) mod scores;
pub(crate) mod sections;
pub(crate) mod seeds;
pub(crate) mod stage;
pub(crate) mod trial;
