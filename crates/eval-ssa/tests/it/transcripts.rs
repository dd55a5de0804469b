//! Published conversations: a made-up file with all that the real ones hold, and the real ones
//! where they are there.

use eval_ssa::transcripts::{describe, parse};
use std::io::Write;
use std::path::{Path, PathBuf};

#[test]
fn a_file_with_everything_is_read() {
    let found = parse(include_str!("../data/meena.txt")).unwrap();
    assert_eq!(found.len(), 2);
    let first = &found[0];
    let turns: Vec<(&str, &str)> =
        first.turns.iter().map(|turn| (turn.speaker.as_str(), turn.text.as_str())).collect();
    assert_eq!(
        turns,
        [
            ("Human", "Hi!"),
            ("Meena", "Hello: nice to meet you! :)"),
            ("Human", "What is this? [image is shown]"),
            ("Human", "And who is <REDACTED_NAME>?"),
            ("Meena", "No idea, sorry.\""),
        ]
    );
    let items = first.items("meena", "Meena", 2);
    let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["meena/1/1", "meena/1/4"]);
    assert_eq!((items[1].turn, items[1].context.len()), (4, 2));
    assert!(items[1].context.iter().all(|turn| turn.speaker == "A"));
    // No name of a system reaches a rater.
    let shown = serde_json::to_string(&items[1].context).unwrap();
    assert!(!shown.contains("Meena"));

    let described = describe(&found).unwrap();
    assert_eq!((described.conversations, described.turns, described.greeted), (2, 7, 1));
    assert_eq!((described.in_a_row, described.redacted, described.notes), (1, 1, 1));
    assert_eq!((described.length, described.within_protocol), ([2.0, 3.5, 5.0], 0));
    assert_eq!(described.speakers["Meena"], (3, 3.0));
    assert_eq!(describe(&[]), None);
}

#[test]
fn faults_name_the_line() {
    let fault = |text: &str| parse(text).unwrap_err().to_string();
    assert!(
        fault("Human: Hi!").starts_with("line 1 of the transcripts: a turn before any heading")
    );
    assert!(fault("Meena Conversation 1\nHuman: Hi!\nno speaker here").contains("line 3"));
    assert!(fault("Meena Conversation 1\n\nMeena Conversation 2\nHuman: Hi!").contains("line 1"));
    // A turn may speak of conversations.
    let text = "A Conversation 1\nHuman: about Conversation 7\n";
    assert_eq!(parse(text).unwrap()[0].turns[0].text, "about Conversation 7");
}

/// Says that something is left out, even where the test harness keeps output to itself.
fn skip(what: &str) {
    let line = format!("SKIPPED: published conversations: {what}\n");
    // Without anybody to read it, nothing is lost.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The folder that `TUTOR_DATA` names, or else `../shared/data` beside the workspace if that is
/// there.
fn data() -> Option<PathBuf> {
    let named = std::env::var_os("TUTOR_DATA").filter(|folder| !folder.is_empty());
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    named.map(PathBuf::from).or_else(|| beside.is_dir().then_some(beside))
}

/// The published files, where there are any.
#[test]
fn published_conversations_are_read_whole() {
    let Some(folder) = data() else {
        return skip("TUTOR_DATA is not set, and there is no ../shared/data");
    };
    let folder = folder.join("meena-transcripts");
    let expected =
        [("human.txt", 95, 1483), ("meena.txt", 93, 1818), ("mitsuku.first17.txt", 17, 292)];
    for (name, conversations, turns) in expected {
        let file = folder.join(name);
        let Ok(text) = std::fs::read_to_string(&file) else {
            skip(&format!("{} cannot be read", file.display()));
            continue;
        };
        let found = parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let described = describe(&found).unwrap();
        assert_eq!((described.conversations, described.turns), (conversations, turns));
        assert_eq!((described.greeted, described.speakers.len()), (conversations, 2));
        assert!((14.0..=28.0).contains(&described.length[1]), "{name}: {described:?}");
        let numbers: Vec<u32> = found.iter().map(|conversation| conversation.number).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{name}: {numbers:?}");
    }
}
