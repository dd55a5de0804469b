//! data-pipeline
