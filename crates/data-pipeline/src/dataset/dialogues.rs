//! Conversations that the crate contains: people about films, sports and the like, and a help
//! channel for a computer system, which need no download.
//!
//! Source, licences and changes: `data/README.md`.

/// The messages as a file of [`JsonLines`](crate::dialog::DialogFormat::JsonLines), packed by gzip.
///
/// ```
/// use data_pipeline::dialog::{DialogFormat, DialogReadOptions, DialogSource, read_all};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("dialogues.jsonl.gz");
/// std::fs::write(&path, data_pipeline::dataset::dialogues::FILE).unwrap();
/// let source = DialogSource { path, format: DialogFormat::JsonLines, part: None };
/// let (messages, _) = read_all(&[source], &DialogReadOptions::default())?;
/// assert_eq!(messages.len(), 46_158);
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
pub const FILE: &[u8] = include_bytes!("../../data/dialogues.jsonl.gz");
