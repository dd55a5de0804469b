//! Tests of the report as a whole: the file keeps what it was given, claims stay within their
//! intervals, and the page stands alone whatever it was given.

mod expectations;
mod pages;
mod results;
mod samples;
mod schema;
mod terminal;
