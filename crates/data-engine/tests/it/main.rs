//! Selection and descriptions: the rows that memory gives, whatever the partitions.

mod memory;
mod select;
