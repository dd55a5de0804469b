//! Integration tests: losses against numpy (golden/README.md), the rules for teachers, and one
//! check that every method passes.

mod adapter;
mod first_steps;
mod golden;
mod lab;
mod labeling;
mod methods;
mod noise;
mod passes;
mod sharpen;
mod spreading;
mod together;
mod tsa;
mod uda_text;
mod uninformed;
