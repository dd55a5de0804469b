//! The real data sets, those that are in the folder that `TUTOR_DATA` names.

use crate::published;
use data_pipeline::dialog::*;

/// The messages of a file or folder, where it is there.
fn read(below: &str, format: DialogFormat) -> Option<Vec<Message>> {
    let source = DialogSource { path: published(below)?, format, part: None };
    Some(read_all(&[source], &DialogReadOptions::default()).unwrap().0)
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
        let Some(found) = read(below, format) else { continue };
        assert_eq!((conversations(&found), found.len()), expected, "{below}");
    }
    for (below, expected) in [("meena", 93), ("human", 95), ("mitsuku.first17", 17)] {
        let below = format!("meena-transcripts/{below}.txt");
        let Some(found) = read(&below, DialogFormat::Transcripts) else { continue };
        assert_eq!(conversations(&found), expected, "{below}");
    }
    if let Some(irc) = read("irc-disentanglement/dev", DialogFormat::Irc) {
        assert!((2000..2700).contains(&irc.len()), "{}", irc.len());
    }
}

/// What is left of DailyDialog's training part says nothing that its test part says.
#[test]
fn official_parts_do_not_overlap() {
    let mut sources = Vec::new();
    for (below, format, part) in [
        ("dailydialog/dialogues_text.txt", DialogFormat::DailyDialog, Some(DialogPart::Train)),
        ("dailydialog/validation.tsv", DialogFormat::DailyDialog, Some(DialogPart::Validation)),
        ("dailydialog/test.tsv", DialogFormat::DailyDialog, Some(DialogPart::Test)),
        ("topical-chat", DialogFormat::TopicalChat, None),
        ("irc-disentanglement/train", DialogFormat::Irc, Some(DialogPart::Train)),
        ("irc-disentanglement/dev", DialogFormat::Irc, Some(DialogPart::Validation)),
        ("irc-disentanglement/test", DialogFormat::Irc, Some(DialogPart::Test)),
    ] {
        let Some(path) = published(below) else { return };
        sources.push(DialogSource { path, format, part });
    }
    let (messages, _) = read_all(&sources, &DialogReadOptions::default()).unwrap();
    let dialogs = Dialogs::new(messages, &DialogSplit::default()).unwrap();
    let mut trainer = BpeTrainer::default();
    dialogs.texts(DialogPart::Train).for_each(|text| trainer.count(&text));
    let tokenizer = trainer.tokenizer(BpeSize::default()).unwrap();
    assert_eq!(tokenizer.size(), 8192);
    let (safety, ids) = (SafetyWords::shipped(), |text: &str| tokenizer.ids(text).unwrap());
    let checks = Checks { subwords: &ids, safety: &safety };
    let mut found = dialogs.select(&Filters::default(), &checks).unwrap();
    found.remove_near_duplicates();
    let long = |pair: &&Pair| pair.response.split(' ').count() >= 8;
    let of = |part: DialogPart| {
        let pairs = found.part(part).filter(long);
        pairs.map(|pair| (pair.context.last().cloned(), pair.response.clone())).collect()
    };
    let [test, validation, train]: [std::collections::BTreeSet<_>; 3] = DialogPart::ALL.map(of);
    assert!(test.len() > 3000 && validation.len() > 3000 && train.len() > 20_000);
    assert!(test.is_disjoint(&train) && validation.is_disjoint(&train));
    assert!(found.funnel.near_duplicates > 3000, "{:?}", found.funnel);
}
