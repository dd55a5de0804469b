//! The rows that memory gives, whatever the partitions, from one process and from a cluster.

mod cluster;
mod described;
mod dialogs;
mod duplicates;
mod memory;
#[expect(dead_code, reason = "programs are looked for by the tests of other crates")]
#[path = "../../../web-server/browser/needed.rs"]
mod needed;
mod program;
mod schemas;
mod select;
mod storage;
mod tables;
