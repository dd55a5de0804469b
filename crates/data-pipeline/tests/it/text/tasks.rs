//! Labelled texts in token ids, in batches, and class names.

use super::{small, uncased};
use data_pipeline::dataset::Samples;
use data_pipeline::loader::{Loader, Stream};
use data_pipeline::sampler::Order;
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{
    Casing, Encoder, Example, Keep, Layout, OwnTexts, Pack, Packed, Target, TextSet, TextView,
    TextViews, Texts, class_by_name,
};
use proptest::prelude::*;
use std::sync::Arc;

fn example(id: usize, a: &str, b: Option<&str>, class: u32) -> Example {
    let texts = Texts { a: a.into(), b: b.map(str::to_owned) };
    Example { id: id.to_string(), texts, target: Target::Class(class) }
}

fn set(classes: &[u32]) -> TextSet {
    let examples = classes.iter().enumerate().map(|(i, &class)| {
        example(i, &"word ".repeat(1 + i % 7), (i % 3 == 0).then_some("second"), class)
    });
    TextSet::new("toy", examples.collect(), ["x", "y", "z"].map(str::to_owned).to_vec()).unwrap()
}

/// Classes are compared by name, in whatever order a reader has them.
#[test]
fn class_ids_belong_to_the_checkpoint() {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let checkpoint = names(&["contradiction", "entailment", "neutral"]);
    let gold = ["contradiction", "entailment", "neutral", "contradiction"];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("task.csv");
    // A table may have the labels in any order, and may lack some.
    for left_out in ["nothing", "contradiction", "entailment"] {
        let rows = gold.iter().rev().filter(|gold| **gold != left_out);
        let rows: String = rows.map(|gold| format!("text,{}\n", gold.to_uppercase())).collect();
        std::fs::write(&path, format!("t,y\n{rows}")).unwrap();
        let own = OwnTexts {
            text: "t".into(),
            label: Some("y".into()),
            classes: Some(checkpoint.clone()),
            respelled: true,
            ..OwnTexts::default()
        };
        let set = own.read(std::slice::from_ref(&path)).unwrap();
        let found: Vec<&str> =
            (0..set.len()).map(|i| &*checkpoint[set.label(i).unwrap() as usize]).collect();
        let wanted: Vec<&str> =
            gold.iter().rev().copied().filter(|gold| *gold != left_out).collect();
        assert_eq!(found, wanted);
        // Spelt otherwise it is another class, unless that is asked for.
        let error = OwnTexts { respelled: false, ..own.clone() }.read(std::slice::from_ref(&path));
        assert!(error.unwrap_err().to_string().contains("line 2: no class `"));
        std::fs::write(&path, "t,y\ntext,neutral\ntext,pos\n").unwrap();
        let error = own.read(std::slice::from_ref(&path)).unwrap_err().to_string();
        assert!(
            error.contains("line 3: no class `pos`") && error.contains("--label-map"),
            "{error}"
        );
        let skips = OwnTexts { on_bad: OnBadInput::Skip, ..own };
        assert_eq!(skips.read(std::slice::from_ref(&path)).unwrap().len(), 1);
    }
    let found = |classes: &[&str], label: &str| class_by_name(&names(classes), label);
    assert_eq!(found(&["Not Entailment", "ENTAILMENT"], "not_entailment"), Some(0));
    assert_eq!(found(&["Not Entailment", "ENTAILMENT"], "entailment"), Some(1));
    assert_eq!(found(&["LABEL_0", "LABEL_1"], "LABEL_1"), Some(1));
    assert_eq!(found(&["negative", "positive"], "pos"), None);
    // Of two that are meant as well none is, unless one is named to the letter.
    assert_eq!(found(&["neg", "Neg"], "NEG"), None);
    assert_eq!(found(&["neg", "Neg"], "Neg"), Some(1));
}

/// Section 1.6: the first of each class in the order of the file, in turn.
#[test]
fn labelled_subsets_are_the_first_of_each_class() {
    let set = set(&[2, 0, 0, 1, 2, 1, 0, 2, 1]);
    assert_eq!(set.first_by_class(6).unwrap(), [1, 3, 0, 2, 5, 4]);
    let chosen = set.select(&[1, 3, 0]);
    assert_eq!((chosen.len(), chosen.id(1), chosen.label(2)), (3, "3".into(), Some(2)));
    let error = |n| set.first_by_class(n).unwrap_err().to_string();
    assert!(error(5).contains("5 is no multiple of its 3 classes; take 6, for example"));
    assert!(error(12).contains("class `x` has 3 examples, 4 are needed"));
}

#[test]
fn sets_check_and_turn() {
    let bad = TextSet::new("t", vec![example(0, "a", None, 3)], vec!["x".into()]).unwrap_err();
    assert_eq!(bad.to_string(), "set `t`: 0 has class 3 of 1");
    let turned = set(&[0, 1, 2, 0]).with_turned_pairs();
    assert_eq!(turned.len(), 6, "two of the four are pairs");
    let last = &turned.examples()[5];
    assert_eq!((last.texts.a.as_str(), last.id.as_str()), ("second", "3/turned"));
    assert_eq!(last.target, Target::Class(0));
    let digests = turned.digests().unwrap().unwrap();
    assert_ne!(digests[0], digests[4]);
    // Texts that differ in white space alone have other bytes and the same words.
    let spaced = ["a b", " a\u{a0} b\n", "a  b ", "ab"];
    let examples = spaced.iter().map(|text| example(0, text, None, 0)).collect();
    let spaced = TextSet::new("t", examples, vec!["x".into()]).unwrap();
    let [exact, words] = [spaced.digests().unwrap().unwrap(), spaced.word_digests()];
    assert!(exact[0] != exact[1] && exact[0] != exact[2]);
    assert!(words[0] == words[1] && words[0] == words[2] && words[0] != words[3]);
    assert!(set(&[0]).without_targets().label(0).is_none());
    assert!(set(&[0]).scores().is_err());
}

#[test]
fn texts_that_are_too_long_are_cut() {
    let tokenizer = small(&[]);
    let mut encoder = Encoder::new(&tokenizer);
    let mut check = |longest, keep, a: &str, b: Option<&str>, expected: &str| {
        let texts = Texts { a: a.into(), b: b.map(str::to_owned) };
        let sequence = Layout { longest, keep }.sequence(&texts, &mut encoder).unwrap();
        let tokens: Vec<String> =
            sequence.ids.iter().map(|&id| tokenizer.token(id).unwrap()).collect();
        assert_eq!(tokens.join(" ").replace("[CLS]", "^").replace("[SEP]", "|"), expected);
    };
    let one = "1 2 3 4 5 6 7 8 9";
    check(11, Keep::Start, one, None, "^ 1 2 3 4 5 6 7 8 9 |");
    check(6, Keep::Start, one, None, "^ 1 2 3 4 |");
    check(6, Keep::End, one, None, "^ 6 7 8 9 |");
    check(6, Keep::Ends { start: 1 }, one, None, "^ 1 7 8 9 |");
    check(6, Keep::Ends { start: 9 }, one, None, "^ 1 2 3 4 |");
    // From the longer one, of equals from the second.
    check(9, Keep::End, one, Some("a b"), "^ 6 7 8 9 | a b |");
    check(9, Keep::Start, one, Some("a b c d e"), "^ 1 2 3 | a b c |");
    check(10, Keep::End, one, Some("a b c d e"), "^ 6 7 8 9 | c d e |");
    check(6, Keep::Start, one, Some(" "), "^ 1 2 3 4 |");
    check(6, Keep::Start, "", Some("a b c d"), "^ | a b c |");
    // Transformers' pairs have two segments whatever is in them.
    let layout = Layout { longest: 6, keep: Keep::Start };
    let mut texts = Texts { a: one.into(), b: Some("\u{200b}".into()) };
    let whole = layout.whole_sequence(&texts, &mut encoder).unwrap();
    let sep = tokenizer.specials().sep;
    assert_eq!((whole.len(), whole.first, &whole.ids[4..]), (6, 5, &[sep, sep][..]));
    // Of an odd room the longer text has a token more there, of equals the second.
    for (a, b, expected) in [
        ("1 2 3 4 5 6", "a b c d e f g", "^ 1 2 | a b c |"),
        ("1 2 3 4 5 6 7", "a b c d e f", "^ 1 2 3 | a b |"),
        ("1 2 3", "a b c", "^ 1 2 | a b c |"),
        ("1 2 3 4 5 6", "a", "^ 1 2 3 4 | a |"),
    ] {
        let layout = Layout { longest: 8, keep: Keep::Start };
        let texts = Texts { a: a.into(), b: Some(b.into()) };
        let ids = layout.whole_sequence(&texts, &mut encoder).unwrap().ids;
        let tokens: Vec<String> = ids.iter().map(|&id| tokenizer.token(id).unwrap()).collect();
        assert_eq!(tokens.join(" ").replace("[CLS]", "^").replace("[SEP]", "|"), expected);
    }
    texts.b = None;
    let alone = layout.sequence(&texts, &mut encoder).unwrap();
    assert_eq!(layout.whole_sequence(&texts, &mut encoder).unwrap(), alone);
    let texts = Texts { a: "x".into(), b: None };
    assert!(Layout { longest: 4, keep: Keep::Start }.sequence(&texts, &mut encoder).is_err());
}

#[test]
fn encoded_sets_make_batches() {
    let classes: Vec<u32> = (0..300).map(|i| i % 3).collect();
    let texts = Arc::new(set(&classes));
    let tokenizer = small(&["word", "second"]);
    let layout = Layout { longest: 8, keep: Keep::End };
    let encoded = texts.encode(&tokenizer, layout).unwrap();
    let mut encoder = Encoder::new(&tokenizer);
    for (i, example) in texts.examples().iter().enumerate() {
        let alone = layout.sequence(&example.texts, &mut encoder).unwrap();
        assert_eq!(encoded.item(i).unwrap(), alone);
        assert_eq!((encoded.label(i), encoded.id(i)), (texts.label(i), texts.id(i)));
        assert_eq!(encoded.size(i), alone.len() as u32);
    }
    let stream = Stream {
        set: Arc::new(encoded),
        entries: (0..300).collect(),
        collate: Pack,
        batch: 7,
        seed: 2,
        order: Order::Bucketed,
    };
    let steps = |workers| -> Vec<_> {
        Loader::builder(vec![stream.clone()])
            .steps(0..100)
            .workers(workers)
            .start()
            .map(Result::unwrap)
            .collect()
    };
    assert!(steps(0) == steps(3));
    for step in steps(1) {
        let batch = &step.batches[0];
        let labels: Vec<u32> = batch.indices.iter().map(|i| i % 3).collect();
        assert_eq!((&batch.labels, batch.data.sequences()), (&labels, 7));
        assert_eq!(batch.data.keys[0].epoch, batch.epochs[0]);
    }
}

/// Views change texts by their own random numbers, whoever makes the batch.
#[test]
fn views_of_texts() {
    let set = Arc::new(set(&[0, 1, 2, 0, 1]));
    let tokenizer = Arc::new(small(&["word", "second"]));
    let layout = Layout { longest: 16, keep: Keep::End };
    let draw = TextView::Words(Arc::new(|texts, rng| texts.a = format!("{}", rng.below(10))));
    let views = vec![TextView::Plain, draw.clone(), draw];
    let collate = TextViews { tokenizer: tokenizer.clone(), layout, views };
    let steps = |workers| -> Vec<_> {
        let stream = Stream::shuffled(set.clone(), collate.clone(), 4, 3);
        Loader::builder(vec![stream])
            .steps(0..9)
            .workers(workers)
            .start()
            .map(Result::unwrap)
            .collect()
    };
    let made = steps(0);
    assert!(made == steps(1) && made == steps(3));
    let mut encoder = Encoder::new(&tokenizer);
    let (mut same, mut all) = (0, 0);
    for step in &made {
        let batch = &step.batches[0];
        let [plain, one, two] = &batch.data[..] else { panic!("three views") };
        let mut start = 0;
        for (row, &index) in batch.indices.iter().enumerate() {
            let expected =
                layout.sequence(&set.item(index as usize).unwrap(), &mut encoder).unwrap();
            let end = start + plain.lengths[row] as usize;
            assert_eq!(plain.ids[start..end], expected.ids);
            start = end;
            assert_eq!([plain, one, two].map(|packed| packed.keys[row].view), [0, 1, 2]);
        }
        let drawn = |packed: &Packed| -> Vec<u32> {
            packed.starts()[..4].iter().map(|&start| packed.ids[start as usize + 1]).collect()
        };
        same += drawn(one).iter().zip(drawn(two)).filter(|(a, b)| *a == b).count();
        all += 4;
    }
    assert!(same * 3 < all, "views draw for themselves: {same} of {all} are the same");
}

/// The memory of one tokenizer is of no use to another.
#[test]
fn memory_belongs_to_a_tokenizer() {
    let (one, two) = (small(&["word"]), small(&[]));
    let mut ids = vec![];
    let mut encoder = Encoder::new(&one);
    encoder.push("word", &mut ids).unwrap();
    let mut encoder = Encoder::with(&two, encoder.into_memory());
    ids.clear();
    assert_eq!(encoder.push("word", &mut ids).unwrap(), 4);
}

#[test]
fn the_published_vocabulary_makes_known_sequences() {
    let Some(tokenizer) = uncased(Casing::default()) else { return };
    let texts = Texts { a: "Hello, world!".into(), b: Some("don't".into()) };
    let layout = Layout { longest: 128, keep: Keep::Start };
    let sequence = layout.sequence(&texts, &mut Encoder::new(&tokenizer)).unwrap();
    assert_eq!(sequence.ids, [101, 7592, 1010, 2088, 999, 102, 2123, 1005, 1056, 102]);
    assert_eq!(sequence.first, 6);
}

proptest! {
    #[test]
    fn cut_texts_fit(a in 0usize..50, b in 0usize..50, longest in 5usize..60, start in 0usize..60) {
        for keep in [Keep::Start, Keep::End, Keep::Ends { start }] {
            let mut of_a: Vec<u32> = (0..a as u32).collect();
            let mut of_b: Vec<u32> = (100..100 + b as u32).collect();
            Layout { longest, keep }.fit(&mut of_a, &mut of_b);
            let room = longest - if b == 0 { 2 } else { 3 };
            prop_assert_eq!(of_a.len() + of_b.len(), room.min(a + b));
            if a + b > room && b > 0 {
                // What was cut is as long as the other, or a token longer.
                prop_assert!(of_a.len() == a || of_b.len() == b || of_a.len().abs_diff(of_b.len()) <= 1);
            }
            prop_assert!(of_a.windows(2).all(|pair| pair[0] < pair[1]), "the order stays");
        }
    }
}

/// What changes tokens sees the sequence that was cut, and no special token is moved.
#[test]
fn views_of_tokens() {
    let set = Arc::new(set(&[0, 1]));
    let tokenizer = Arc::new(small(&["word", "second"]));
    let layout = Layout { longest: 16, keep: Keep::End };
    let last: TextView =
        TextView::Tokens(Arc::new(|sequence, _| sequence.ids[1] = sequence.len() as u32));
    let views = vec![TextView::Plain, last];
    let collate = TextViews { tokenizer, layout, views };
    let stream = Stream::shuffled(set, collate, 2, 3);
    let step = Loader::builder(vec![stream]).steps(0..1).start().next().unwrap().unwrap();
    let [plain, changed] = &step.batches[0].data[..] else { panic!("two views") };
    let mut expected = plain.ids.clone();
    for (&start, &length) in plain.starts().iter().zip(&plain.lengths) {
        expected[start as usize + 1] = length;
    }
    assert_eq!((&changed.ids, &changed.lengths), (&expected, &plain.lengths));
}
