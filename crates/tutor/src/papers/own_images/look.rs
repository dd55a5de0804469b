//! What a look at the pictures tells, before anything is chosen.

use std::path::Path;

use data_pipeline::dataset::folder::Summary;
use metrics::words::counted;

/// How many pictures of which parts there are, and what they are.
pub(super) fn data_line(
    labeled: &Summary,
    labels: usize,
    unlabeled: usize,
    others: &[(&str, &Option<Summary>)],
) -> String {
    let sizes: Vec<usize> = labeled.classes.iter().map(|class| class.1).collect();
    let (least, most) = (sizes.iter().min().unwrap_or(&0), sizes.iter().max().unwrap_or(&0));
    let each =
        if least == most { format!("{least} each") } else { format!("{least} to {most} each") };
    let others: String = others
        .iter()
        .filter_map(|(name, look)| Some(format!(", {} {name}", look.as_ref()?.count)))
        .collect();
    let colour = match labeled.grey {
        grey if grey > 0.99 => "grey",
        grey if grey < 0.01 => "colour",
        _ => "grey and colour",
    };
    let kinds: Vec<&str> = labeled.kinds.keys().copied().collect();
    format!(
        "data: {labels} labelled pictures of {} classes ({each}), {unlabeled} unlabelled{others}; \
         width {}, height {}, {colour}, {}",
        labeled.classes.len(),
        labeled.width,
        labeled.height,
        kinds.join(" and ")
    )
}

/// Where the unlabelled pictures come from that no option names: those beside the ones that a table
/// of labels names. `named` is what holds the labelled ones, or the table of those, and `labels` a
/// table beside them.
pub(super) fn unlisted_line(
    (named, labels): (&Path, Option<&Path>),
    labeled: &Summary,
) -> Option<String> {
    if labeled.unlisted == 0 {
        return None;
    }
    let is_table = || {
        let end = named.extension().unwrap_or_default().to_ascii_lowercase();
        named.is_file() && ["csv", "tsv", "jsonl", "ndjson"].iter().any(|known| end == *known)
    };
    let (folder, table) = match labels {
        Some(table) => (named, table),
        None if is_table() => (named.parent().unwrap_or(Path::new("")), named),
        None => return None,
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Some(format!(
        "{} of {} that {} does not name {} unlabelled; --unlabeled names others",
        counted(labeled.unlisted, "picture"),
        folder.display(),
        table.display(),
        if labeled.unlisted == 1 { "is" } else { "are" }
    ))
}

/// That some classes have a single labelled picture, and what follows.
pub(super) fn alone_line(labeled: &Summary) -> Option<String> {
    let alone = labeled.classes.iter().filter(|(_, count)| *count == 1);
    let alone: Vec<&str> = alone.map(|(name, _)| name.as_str()).collect();
    let [first, others @ ..] = &alone[..] else { return None };
    let others = match others.len() {
        0 => String::new(),
        more => format!(" ({} as well)", counted(more, "more class")),
    };
    Some(format!(
        "note: the class `{first}` has one labelled picture{others}, which is trained on: none is \
         left to try anything on; label more if you can"
    ))
}
