//! The set of contexts of this crate.

use eval_ssa::{Chatbot, Context, GenericBot, Label, respond};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn proportions_are_those_of_the_mini_turing_benchmark() {
    let contexts = Context::own();
    let with = |turns| contexts.iter().filter(|context| context.turns.len() == turns).count();
    assert_eq!((with(1), with(2), with(3)), (107, 169, 224));
    assert_eq!(contexts.len(), 500);
    for (turns, published) in [(1, 315.0), (2, 500.0), (3, 662.0)] {
        let expected: f64 = published / 1477.0 * 500.0;
        assert!((with(turns) as f64 - expected).abs() < 1.0, "{turns} turns: {expected}");
    }
    let mut kinds = BTreeMap::new();
    for context in &contexts {
        *kinds.entry(context.kind.as_str()).or_insert(0) += 1;
    }
    assert!(kinds.len() >= 10 && kinds.values().all(|count| *count >= 10), "{kinds:?}");
}

#[test]
fn no_two_contexts_are_nearly_the_same() {
    let contexts = Context::own();
    let words: Vec<BTreeSet<String>> = contexts
        .iter()
        .map(|context| eval_ssa::proxies::words(&context.turns.join(" ")).into_iter().collect())
        .collect();
    for (i, a) in words.iter().enumerate() {
        for (j, b) in words[..i].iter().enumerate() {
            let shared = a.intersection(b).count() as f64 / a.union(b).count() as f64;
            let (one, other) = (&contexts[i].turns, &contexts[j].turns);
            assert!(shared < 0.5, "{one:?} is much like {other:?}");
        }
    }
    let mut openings = BTreeMap::new();
    for context in &contexts {
        let opening: Vec<&str> = context.turns[0].split(' ').take(3).collect();
        *openings.entry(opening.join(" ")).or_insert(0) += 1;
    }
    assert!(openings.values().all(|count| *count <= 9), "{openings:?}");
}

#[test]
fn turns_alternate_and_end_with_the_other_speaker() {
    for context in Context::own() {
        let turns = context.as_turns();
        assert_eq!(turns.last().map(|turn| turn.speaker.as_str()), Some("A"));
        assert!(turns.windows(2).all(|pair| pair[0].speaker != pair[1].speaker));
        assert!(turns.iter().all(|turn| turn.text == turn.text.trim() && turn.text.len() < 200));
    }
}

#[test]
fn files_with_faults_name_the_line() {
    let fault = |text: &str| Context::parse(text).unwrap_err().to_string();
    let good = r#"{"id":"a","turns":["Hi!"]}"#;
    assert!(fault(&format!("{good}\n\n{good}")).contains("line 3"));
    assert!(fault(r#"{"id":"a","turns":[]}"#).contains("needs turns"));
    assert!(fault(r#"{"id":"a","turns":["Hi!"," "]}"#).contains("none may be empty"));
    assert!(fault(r#"{"id":"a","turn":["Hi!"]}"#).contains("unknown field"));
}

/// Whatever raters think of it otherwise, the control is never specific.
#[test]
fn generic_bot_answers_every_context() {
    let contexts = Context::own();
    let items = respond(&mut GenericBot, &contexts, 7).unwrap();
    assert_eq!(items.len(), 500);
    let asked = items.iter().filter(|item| item.response == "I don't know").count();
    assert!(asked > 250 && items.iter().any(|item| item.response == "ok"), "{asked}");
    assert!(items.iter().zip(&contexts).all(|(item, c)| item.conversation == c.id));
    assert_eq!((items[299].turn, items[299].seed), (3, Some(306)));
    let generic = eval_ssa::proxies::measure(&items).generic;
    assert_eq!(generic, Some(1.0));
    assert_eq!(Label::Sensible.ssa(), 0.5);

    struct Broken;
    impl Chatbot for Broken {
        fn name(&self) -> &str {
            "broken"
        }
        fn reply(
            &mut self,
            _: &[eval_ssa::Turn],
            _: u64,
        ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
            Err("out of order".into())
        }
    }
    let error = respond(&mut Broken, &contexts, 0).unwrap_err().to_string();
    assert_eq!(error, "broken has no response to own-001: out of order");
}
