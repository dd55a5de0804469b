//! The rows that memory gives, whatever the partitions, from one process and from a cluster.

mod cluster;
mod dialogs;
mod duplicates;
mod memory;
mod select;
mod tables;
