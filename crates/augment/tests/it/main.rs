//! Integration tests: parity with Pillow, the papers' tables, policies as data, corruptions and
//! metrics, text.

mod back_translation;
mod corruptions;
mod draws;
mod exact;
mod fields;
mod golden;
mod golden_policies;
mod levels;
mod metrics;
mod named;
mod picture;
mod policies;
mod sequences;
mod text;
