//! Integration tests of the program, as a user meets it: by its command line.

mod afterwards;
mod big_recipes;
mod data_dialog;
mod electra;
mod finetune;
mod fit;
mod folders;
mod meena;
mod methods;
#[path = "../../../web-server/browser/needed.rs"]
mod needed;
mod numbers;
mod own_images;
mod own_pairs;
mod own_texts;
mod paraphrases;
mod pictures;
mod points;
mod pretrain;
mod rate;
mod rate_imports;
mod rate_walk;
mod refusals;
mod resume;
mod runs;
mod serve;
mod settings;
mod spread_labels;
mod ssa;
mod stored_views;
mod text_tools;
mod together;
mod translation;
mod tutor;
mod uda_text;
mod weights;
