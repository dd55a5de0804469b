//! Integration tests of the program, as a user meets it: by its command line.

mod folders;
mod methods;
mod own_images;
mod pictures;
mod points;
mod refusals;
mod resume;
mod runs;
mod tutor;
