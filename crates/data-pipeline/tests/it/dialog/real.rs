//! The real data sets, where `TUTOR_DATA` names their folder.

use data_pipeline::dialog::*;
use std::path::PathBuf;

fn read(below: &str, format: DialogFormat) -> Option<Vec<Message>> {
    let path = PathBuf::from(std::env::var_os("TUTOR_DATA")?).join(below);
    let there = path.exists() || below.contains('*');
    let source = DialogSource { path, format, part: None };
    there.then(|| read_all(&[source], &DialogReadOptions::default()).unwrap().0)
}

fn conversations(messages: &[Message]) -> usize {
    let names = messages.iter().map(|message| message.conversation.as_str());
    names.collect::<std::collections::BTreeSet<_>>().len()
}

/// Conversations and messages as the data's own description counts them.
#[test]
fn as_many_as_the_data_has() {
    for (below, format, expected) in [
        ("dailydialog/dialogues_text.txt", DialogFormat::DailyDialog, (8096, 62_142)),
        ("dailydialog/validation.tsv", DialogFormat::DailyDialog, (995, 8025)),
        ("dailydialog/test.tsv", DialogFormat::DailyDialog, (996, 7716)),
        ("topical-chat/test_freq.json", DialogFormat::TopicalChat, (539, 11_760)),
        ("topical-chat/valid_rare.json", DialogFormat::TopicalChat, (539, 11_692)),
    ] {
        let Some(found) = read(below, format) else { return };
        assert_eq!((conversations(&found), found.len()), expected, "{below}");
    }
    for (below, expected) in [("meena", 93), ("human", 95), ("mitsuku.first17", 17)] {
        let below = format!("meena-transcripts/{below}.txt");
        let found = read(&below, DialogFormat::Transcripts).unwrap();
        assert_eq!(conversations(&found), expected, "{below}");
    }
    let irc = read("irc-disentanglement/dev", DialogFormat::Irc).unwrap();
    assert!((2000..2700).contains(&irc.len()), "{}", irc.len());
}
