//! Networks that translate, as a user trains them and makes paraphrases with them.

use std::fs;
use std::path::Path;

use crate::tutor::{began_with_another, killed, refused, result, run, run_folder};

const QUICK: [&str; 5] = ["run", "translation", "--quick", "--threads", "1"];

#[test]
fn a_run_trains_both_directions_and_paraphrases_are_made_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = dir.path();
    let folder = run_folder(at, &run(at, &QUICK));
    let found = result(&folder);
    let rows = found["rows"].as_array().expect("rows");
    for metric in ["BLEU of test", "chrF2 of test"] {
        let of = rows.iter().filter(|row| row["metric"] == metric);
        let names: Vec<&str> = of.map(|row| row["name"].as_str().expect("a name")).collect();
        assert_eq!(names, ["en-fr", "fr-en"], "{metric}");
    }
    let page = fs::read_to_string(folder.join("report.html")).expect("the page");
    for words in ["Translations side by side", "What the trainings took", "nrefs:1|case:mixed"] {
        assert!(page.contains(words), "{words}");
    }
    // The same score by the command, for the file that the run keeps.
    let translated = folder.join("seed-1/fr-en/test.txt");
    assert_eq!(fs::read_to_string(&translated).expect("it").lines().count(), 200);

    // Both directions by name: the folder of the run, then the row.
    let text = "A small dog runs in the park. The woman sings near the river.";
    fs::write(at.join("texts.txt"), format!("{text}\n{text}\n")).expect("written");
    let name = |row: &str| format!("{}/{row}", folder.display());
    let (forward, backward) = (name("en-fr"), name("fr-en"));
    let augment = |out: &str, forward: &str| {
        let all = [
            "augment",
            "text",
            "--policy",
            "back-translation",
            "texts.txt",
            out,
            "--forward",
            forward,
            "--backward",
            &backward,
            "--device",
            "cpu",
        ];
        run(at, &all)
    };
    let said = augment("by-name", &forward);
    assert!(said.contains("2 paraphrases: 1 of each of 2 texts"), "{said}");
    let of_seed = format!("{}/seed-1/en-fr", folder.display());
    augment("by-seed", &of_seed);
    augment("by-folder", &format!("{of_seed}/hub"));
    let read = |out: &str| fs::read(at.join(out).join("paraphrases.jsonl")).expect("paraphrases");
    assert!(read("by-name") == read("by-seed") && read("by-name") == read("by-folder"));
    let unknown = name("en-de");
    let all = [
        "augment",
        "text",
        "--policy",
        "back-translation",
        "texts.txt",
        "out",
        "--forward",
        &unknown,
        "--backward",
        &backward,
    ];
    let said = refused(at, &all);
    assert!(said.contains("en-de"), "{said}");
    // The folders say out of which language they translate and into which.
    for (first, second, language, words) in [
        (
            "fr-en",
            "en-fr",
            "en",
            "the texts are in en, and --forward translates fr into en: exchange",
        ),
        ("en-fr", "en-fr", "en", "--forward translates en into fr, and --backward en into fr"),
    ] {
        let folders = [first, second].map(name);
        let mut all = all;
        (all[7], all[9]) = (&folders[0], &folders[1]);
        let said = refused(at, &[&all[..], &["--language", language]].concat());
        assert!(said.contains(words), "{said}");
    }
    assert!(!at.join("out").exists());
}

#[test]
fn killed_at_some_moment_it_ends_with_the_same_bits() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = dir.path();
    let averaged = ["--set", "train.ema={decay=0.9}"];
    let whole = [&QUICK[..], &averaged, &["--out", "whole"]].concat();
    let broken = [&QUICK[..], &averaged, &["--out", "broken"]].concat();
    let whole = run_folder(at, &run(at, &whole));
    let files = ["vocabulary/vocab.json", "en-fr/checkpoints/step-", "fr-en/checkpoints/step-"];
    killed(at, &broken, "broken", &files);
    run(at, &broken);
    let arguments = broken;
    let broken = at.join("broken/translation/latest");
    for file in [
        "vocabulary/source.spm",
        "vocabulary/vocab.json",
        "seed-1/en-fr/final.safetensors",
        "seed-1/fr-en/hub/model.safetensors",
        "seed-1/fr-en/test.txt",
    ] {
        let read = |run: &Path| fs::read(run.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(read(&whole) == read(&broken), "{file}");
    }
    assert_eq!(result(&whole)["rows"], result(&broken)["rows"]);
    let said = began_with_another(at, &broken, &arguments, "train");
    assert!(said.contains("the sentences of train are no longer those"), "{said}");
}

#[test]
fn what_cannot_run_is_refused_by_its_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = |change: &str| refused(dir.path(), &[&QUICK[..], &["--set", change]].concat());
    for (change, words) in [
        ("net.vocabularies=[5,5]", "vocabulary.tokens"),
        ("longest=1000", "net.positions"),
        ("beam.max_tokens=1000", "net.positions"),
        ("smoothing=1.0", "smoothing"),
        ("train.swa={from=0.5,every=1}", "train.swa"),
        ("vocabulary.tokens=40", "no room"),
    ] {
        let said = said(change);
        assert!(said.contains(words), "{change}: {said}");
    }
}
