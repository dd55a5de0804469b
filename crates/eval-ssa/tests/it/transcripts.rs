//! Published conversations: a made-up file with all that the real ones hold, and the real ones
//! where they are there.

use eval_ssa::transcripts::{Conversation, describe, parse};
use std::path::Path;

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

/// The published files, where `TUTOR_DATA` has them.
#[test]
fn published_conversations_are_read_whole() {
    let Some(folder) = std::env::var_os("TUTOR_DATA") else { return };
    let folder = Path::new(&folder).join("meena-transcripts");
    let read = |name: &str| -> Option<Vec<Conversation>> {
        let text = std::fs::read_to_string(folder.join(name)).ok()?;
        Some(parse(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    let expected = [("human.txt", 95, 2), ("meena.txt", 93, 2), ("mitsuku.first17.txt", 17, 2)];
    for (name, conversations, speakers) in expected {
        let Some(found) = read(name) else { continue };
        let described = describe(&found).unwrap();
        assert_eq!((described.conversations, described.speakers.len()), (conversations, speakers));
        assert!((14.0..=28.0).contains(&described.length[1]), "{name}: {described:?}");
        let numbers: Vec<u32> = found.iter().map(|conversation| conversation.number).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{name}: {numbers:?}");
    }
}
