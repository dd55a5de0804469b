//! Message trees in any order, with faults, and what the filters drop.

use super::{checks, message, selected, shown};
use data_pipeline::dialog::*;
use data_pipeline::error::DataError;

/// A conversation about a film: eight messages, some of them with a fault.
fn film() -> Vec<Message> {
    vec![
        message("c", Some("b"), "x", "I like it too!"),
        message("a", None, "y", "Have you seen the film?"),
        message("b", Some("a"), "x", "Yes, it was great."),
        message("d", Some("a"), "HelperBot", "Thanks for posting here."),
        message("e", Some("d"), "z", "This is a reply to a bot."),
        message("f", Some("zz"), "z", "My parent is missing."),
        message("g", Some("b"), "x", "see http://x.org now"),
        message("h", Some("g"), "y", "That link is dead, sadly."),
    ]
}

#[test]
fn two_pairs_in_every_order() {
    let all = film();
    let expected = selected(all.clone(), &Filters::default());
    let (a, b) = ("Have you seen the film?", "Yes, it was great.");
    assert_eq!(shown(&expected), [(vec![a], b), (vec![a, b], "I like it too!")]);
    let count = |reason| expected.funnel.count(reason);
    assert_eq!((count(Reason::Bot), count(Reason::Url)), (1, 1));
    assert_eq!((count(Reason::DroppedWithAncestor), count(Reason::MissingParent)), (2, 1));
    assert_eq!((expected.funnel.messages, expected.funnel.kept, expected.funnel.pairs), (8, 3, 2));
    assert_eq!(expected.funnel.dropped[&Reason::Url].examples, ["see http://x.org now"]);
    for turn in 0..all.len() {
        let mut other = all.clone();
        other.rotate_left(turn);
        assert_eq!(selected(other.clone(), &Filters::default()), expected);
        other.reverse();
        assert_eq!(selected(other, &Filters::default()), expected);
    }
}

#[test]
fn a_message_that_names_itself_as_its_parent_begins_a_conversation() {
    let messages = vec![
        message("0", Some("0"), "", "Have you seen the film?"),
        message("1", Some("0"), "", "Yes, it was great."),
    ];
    let found = selected(messages, &Filters::default());
    assert_eq!(shown(&found), [(vec!["Have you seen the film?"], "Yes, it was great.")]);
    assert_eq!(found.funnel.count(Reason::Cycle), 0);
}

/// Programs write an accent as one character with its letter, or as one of its own.
#[test]
fn texts_are_the_same_however_accents_are_written() {
    let one = "Là où l’été était né hélas";
    let two = "La\u{300} ou\u{300} l’e\u{301}te\u{301} e\u{301}tait ne\u{301} he\u{301}las";
    let of = |name: &str, answer: &str| {
        let first = message("0", None, "", "Où es-tu donc allé hier après-midi ?");
        let reply = message("1", Some("0"), "", answer);
        [first, reply].map(|message| Message { conversation: name.into(), ..message })
    };
    let messages = [of("a", one), of("b", two)].concat();
    let mut found = selected(messages, &Filters::default());
    assert_eq!(found.pairs.len(), 2);
    assert_eq!(found.pairs[0].response, found.pairs[1].response);
    found.remove_near_duplicates();
    assert_eq!((found.pairs.len(), &*found.pairs[0].response), (1, one));
}

#[test]
fn parents_that_pandas_made_floats_of_are_found() {
    let messages = vec![
        message("12", None, "", "Have you seen the film?"),
        message("13", Some("12.0"), "", "Yes, it was great."),
    ];
    let found = selected(messages, &Filters::default());
    assert_eq!(shown(&found), [(vec!["Have you seen the film?"], "Yes, it was great.")]);
}

#[test]
fn a_missing_parent_is_named() {
    let found = selected(
        vec![message("12", None, "", "Hello there."), message("13", Some("t12"), "", "Hi you.")],
        &Filters::default(),
    );
    let missing = &found.funnel.dropped[&Reason::MissingParent].examples;
    assert_eq!(*missing, ["`13` replies to `t12`, which is not there: Hi you."]);
}

#[test]
fn cycles_give_nothing() {
    let mut messages = vec![
        message("a", Some("b"), "", "One of two parents here"),
        message("b", Some("a"), "", "The other of two parents"),
        message("c", Some("b"), "", "What hangs below them both"),
        message("s", Some("s"), "", "A reply to itself alone"),
    ];
    let found = selected(messages.clone(), &Filters::default());
    assert_eq!(found.pairs, []);
    // Who names itself replies to nobody, and is the first of a tree.
    assert_eq!((found.funnel.count(Reason::Cycle), found.funnel.kept), (2, 1));
    assert_eq!(found.funnel.count(Reason::DroppedWithAncestor), 1);
    messages.reverse();
    assert_eq!(selected(messages, &Filters::default()), found);
}

#[test]
fn chains_may_be_very_deep() {
    let n = 100_000;
    let at = |i: usize| format!("{i:06}");
    let reply = |i: usize| {
        let parent = i.checked_sub(1).map(at);
        let text = format!("chain link {}", "x".repeat(1 + i % 40));
        message(&at(i), parent.as_deref(), "", &text)
    };
    // The deepest comes first.
    let messages: Vec<Message> = (0..n).rev().map(reply).collect();
    let filters = Filters { max_occurrences: u32::MAX, ..Filters::default() };
    let found = selected(messages, &filters);
    assert_eq!(found.pairs.len(), n - 1);
    for (i, pair) in found.pairs.iter().enumerate() {
        assert_eq!(pair.context.len(), (i + 1).min(7));
    }
}

#[test]
fn of_messages_with_one_id_one_is_kept() {
    let mut messages = vec![
        message("a", None, "x", "Have you seen the film?"),
        message("b", Some("a"), "x", ""),
        message("b", Some("a"), "x", "Yes, it was great."),
        message("b", Some("a"), "x", "Yes, it was."),
    ];
    let found = selected(messages.clone(), &Filters::default());
    assert_eq!(shown(&found), [(vec!["Have you seen the film?"], "Yes, it was great.")]);
    let count = |reason| found.funnel.count(reason);
    assert_eq!((count(Reason::DuplicateId), count(Reason::ConflictingId)), (1, 1));
    let conflicting = &found.funnel.dropped[&Reason::ConflictingId].examples;
    assert_eq!(*conflicting, ["another text of `b`: Yes, it was."]);
    messages.reverse();
    assert_eq!(selected(messages.clone(), &Filters::default()), found);
    messages.iter_mut().for_each(|message| message.conversation = "talk".into());
    let found = selected(messages, &Filters::default());
    let conflicting = &found.funnel.dropped[&Reason::ConflictingId].examples;
    assert_eq!(*conflicting, ["another text of `b` in `talk`: Yes, it was."]);
}

#[test]
fn frequent_texts_are_dropped_from_the_hundred_and_first_on() {
    let times = |n: usize| {
        let mut messages = Vec::new();
        for i in 0..n {
            let mut root = message("a", None, "", &format!("This is number {}", "i".repeat(i + 9)));
            let mut reply = message("b", Some("a"), "", "The same answer.");
            root.conversation = i.to_string();
            reply.conversation = i.to_string();
            messages.extend([root, reply]);
        }
        selected(messages, &Filters::default())
    };
    assert_eq!(times(100).pairs.len(), 100);
    let found = times(101);
    assert_eq!((found.pairs.len(), found.funnel.count(Reason::TooFrequent)), (0, 101));
}

#[test]
fn quotations_and_repetitions() {
    let (asked, quoted) =
        ("Have you seen the film?", "> Have you seen the film?\n\nYes, I really have.");
    let messages = vec![
        message("a", None, "", asked),
        message("b", Some("a"), "", quoted),
        message("c", Some("a"), "", "have you seen the film?"),
        message("d", Some("a"), "", "Have you seen the film?"),
        message("e", Some("a"), "", "a\u{0}b\u{7} word\tand   more\n words"),
    ];
    let found = selected(messages, &Filters::default());
    let pairs = [(vec![asked], "Yes, I really have."), (vec![asked], "ab word and more words")];
    // `c` differs in one of its four trigrams: 0.75 of them are its parent's.
    assert_eq!(found.funnel.count(Reason::RepeatsParent), 1);
    assert_eq!(found.funnel.quotes_removed, 1);
    assert_eq!(
        shown(&found),
        [pairs[0].clone(), (vec![asked], "have you seen the film?"), pairs[1].clone()]
    );
}

#[test]
fn near_duplicates_are_removed_from_training_first() {
    let conversation = |name: &str, part, texts: [&str; 2]| {
        let parents = [None, Some("0")];
        (0..2)
            .map(move |i| Message {
                conversation: name.into(),
                part: Some(part),
                ..message(["0", "1"][i], parents[i], "", texts[i])
            })
            .collect::<Vec<_>>()
    };
    let (long, other) =
        (["Where have you been all day?", "I was at home."], ["Hi there", "How are you?"]);
    let messages = [
        conversation("a", DialogPart::Train, long),
        conversation("b", DialogPart::Train, ["where have YOU been, all day", "i was at HOME"]),
        conversation("c", DialogPart::Test, long),
        conversation(
            "d",
            DialogPart::Validation,
            ["Where have you been all day?", "I was at school."],
        ),
        conversation("e", DialogPart::Train, other),
        conversation("f", DialogPart::Train, ["Hello there", "How are you?"]),
    ]
    .concat();
    let dialogs = Dialogs::new(messages, &DialogSplit::default()).unwrap();
    let mut found = dialogs.select(&Filters::default(), &checks()).unwrap();
    assert_eq!(found.pairs.len(), 6);
    found.remove_near_duplicates();
    let names: Vec<&str> = found.pairs.iter().map(|pair| &*pair.conversation).collect();
    assert_eq!((names, found.funnel.near_duplicates), (vec!["c", "d", "e", "f"], 2));
    assert_eq!(found.part(DialogPart::Train).count(), 2);
}

/// Answers that differ in signs alone are other answers; case and punctuation make none.
#[test]
fn signs_that_mean_something_are_no_duplicates() {
    let kept = |question: &str, answers: &[&str]| {
        let answer = |(i, answer): (usize, &&str)| {
            let name = format!("c{i}");
            let of = |m: Message| Message { conversation: name.clone(), ..m };
            [of(message("0", None, "", question)), of(message("1", Some("0"), "", answer))]
        };
        let messages = answers.iter().enumerate().flat_map(answer).collect();
        let filters = Filters { min_alphabetic: 0.0, min_subwords: 1, ..Filters::default() };
        let mut found = selected(messages, &filters);
        assert_eq!(found.pairs.len(), answers.len());
        found.remove_near_duplicates();
        found.pairs.len()
    };
    let question = "Which of all these languages do you like best?";
    assert_eq!(kept(question, &["C++", "C#", "C", "c.", "c++!"]), 3);
    assert_eq!(kept(question, &["C++ or C", "C or C++"]), 2);
    assert_eq!(kept(question, &["👍", "👎", "👍", "!", "?"]), 4);
    assert_eq!(kept(question, &["I like #rust", "I like rust", "i like rust 👍"]), 1);
}

#[test]
fn safety_is_asked_last_and_many_at_a_time() {
    /// Counts what it is asked; fails at one text.
    #[derive(Default)]
    struct Judge(std::sync::Mutex<Vec<usize>>);
    impl Safety for Judge {
        fn are_unsafe(&self, texts: &[&str]) -> Result<Vec<bool>, DataError> {
            self.0.lock().unwrap().push(texts.len());
            match texts.contains(&"who judges this one") {
                true => Err(DataError::Request("it cannot be judged".into())),
                false => Ok(texts.iter().map(|text| text.contains("bad")).collect()),
            }
        }
    }
    let mut messages = vec![
        message("a", None, "", "How do you do?"),
        message("b", Some("a"), "", "see http://x.org now"),
        message("c", Some("a"), "", "a bad one that is"),
        message("d", Some("c"), "", "and what answers it"),
        message("e", Some("a"), "", "Very well indeed."),
    ];
    let judge = Judge::default();
    let checks = Checks { subwords: &words_as_subwords, safety: &judge };
    let select = |messages: Vec<Message>, filters: &Filters| {
        let dialogs = Dialogs::new(messages, &DialogSplit::default()).unwrap();
        dialogs.select(filters, &checks)
    };
    let found = select(messages.clone(), &Filters::default()).unwrap();
    assert_eq!(found.funnel.count(Reason::Unsafe), 1);
    assert_eq!(found.funnel.count(Reason::DroppedWithAncestor), 1);
    assert_eq!(shown(&found), [(vec!["How do you do?"], "Very well indeed.")]);
    assert_eq!(*judge.0.lock().unwrap(), [4], "one question, without what was dropped before");

    let lenient = Filters { offensive: false, ..Filters::default() };
    assert_eq!(select(messages.clone(), &lenient).unwrap().pairs.len(), 3);
    assert_eq!(judge.0.lock().unwrap().len(), 1, "nobody is asked");

    messages.push(message("f", Some("a"), "", "who judges this one"));
    let error = select(messages, &Filters::default()).unwrap_err();
    assert!(error.to_string().contains("it cannot be judged"), "{error}");
}
