//! The rubric, simulated raters and published numbers.

use std::fs;

use crate::tutor::{refused, result, run, run_folder};

#[test]
fn rubric_raters_and_published_numbers() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("data/meena-transcripts");
    fs::create_dir_all(&folder).expect("a folder");
    let text = "Meena Conversation 1\nHuman: Hi!\nMeena: Hello!\nHuman: Bye.\n";
    fs::write(folder.join("meena.txt"), text).expect("a file");
    let quick = ["run", "ssa", "--quick"];
    let with =
        run_folder(dir.path(), &run(dir.path(), &[&quick[..], &["--data", "data"]].concat()));
    let read = |folder: &std::path::Path, name: &str| {
        fs::read_to_string(folder.join(name)).expect("a report")
    };
    let text = read(&with, "report.md");
    assert!(text.contains("| Butterfly stroke | 1 | 1 | 1.0 |"), "{text}");
    assert!(text.contains("| meena.txt | 1 | 3 | 3, 3, 3 | 0 | 1 |"), "{text}");
    assert!(text.contains("| DialoGPT 762M | 48 N |") && text.contains("| 0.93 | P |"), "{text}");
    let page = read(&with, "report.html");
    assert!(page.contains("SSA as published") && !page.contains("NaN"));

    // The same seed gives the same numbers, and no data is no error.
    let without = run_folder(dir.path(), &run(dir.path(), &[&quick[..], &["--fresh"]].concat()));
    assert_eq!(result(&with)["rows"], result(&without)["rows"]);
    assert!(read(&without, "report.md").contains("--data names a folder"));
    let seeds = [&quick[..], &["--fresh", "--seeds", "2"]].concat();
    let two = result(&run_folder(dir.path(), &run(dir.path(), &seeds)));
    let rows = two["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 14, "three systems by labels and raters; four sizes, two intervals");
    let values = |row: usize| rows[row]["per_seed"].as_array().expect("values").clone();
    assert_ne!(values(0)[0], values(0)[1], "each seed draws its own study");
    let said = refused(
        dir.path(),
        &["run", "ssa", "--set", "raters.votes=4", "--set", "coverage.likeness=2"],
    );
    assert!(said.contains("raters.votes") && said.contains("coverage.likeness"), "{said}");
}
