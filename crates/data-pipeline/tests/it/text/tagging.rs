//! Words with tags.

use super::small;
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Encoder, TaggedColumns, TaggedSentence, TaggedSet};
use proptest::prelude::*;
use std::fs;

fn read(
    text: impl AsRef<[u8]>,
    columns: &TaggedColumns,
    on_bad: OnBadInput,
) -> Result<TaggedSet, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.conll");
    fs::write(&path, text).unwrap();
    TaggedSet::read(&path, columns, on_bad).map_err(|error| error.to_string())
}

const FILE: &str = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n\nPeter\tNNP\tB-NP\tB-PER\nBlackburn\tNNP\tI-NP\tI-PER";

#[test]
fn sentences_of_conll() {
    let set = read(FILE, &TaggedColumns::default(), OnBadInput::Error).unwrap();
    assert_eq!(set.tags, ["O", "B-ORG", "B-PER", "I-PER"]);
    let words: Vec<_> = set.sentences.iter().map(|s| s.words.join(" ")).collect();
    assert_eq!(words, ["EU rejects", "Peter Blackburn"]);
    let tags: Vec<_> = set.sentences.iter().map(|s| s.tags.clone().unwrap()).collect();
    assert_eq!(tags, [[1, 0], [2, 3]]);
    // Other columns, tags of the training sentences, none at all.
    let columns = TaggedColumns { tag: Some(1), ..TaggedColumns::default() };
    assert_eq!(read(FILE, &columns, OnBadInput::Error).unwrap().tags, ["NNP", "VBZ"]);
    let fixed = TaggedColumns { tags: Some(set.tags.clone()), ..TaggedColumns::default() };
    assert_eq!(
        read("x I-PER\n", &fixed, OnBadInput::Error).unwrap().sentences[0].tags,
        Some(vec![3])
    );
    let untagged = TaggedColumns { untagged: true, ..TaggedColumns::default() };
    let set = read("one\ntwo\n\nthree\n", &untagged, OnBadInput::Error).unwrap();
    assert_eq!((set.sentences.len(), &set.sentences[1].tags), (2, &None));
}

#[test]
fn a_number_sign_is_a_word_where_it_has_the_columns_of_one() {
    let words = |text: &str| {
        let set = read(text, &TaggedColumns::default(), OnBadInput::Error).unwrap();
        set.sentences.iter().map(|s| s.words.join(" ")).collect::<Vec<_>>()
    };
    let conll2000 = "paid VBD B-VP\n# # B-NP\n1.9 CD I-NP\n\n# # B-NP\n2 CD I-NP\n";
    assert_eq!(words(conll2000), ["paid # 1.9", "# 2"]);
    let conll_u =
        "# newdoc\n# sent_id = 1\na X O\n\n# text = b\nb X O\n# a remark of ours\nc X O\n";
    assert_eq!(words(conll_u), ["a", "b c"]);
    // As many cells as words have, and no tag of theirs.
    assert_eq!(words("a O\n\n# newdoc\nb O\n"), ["a", "b"]);
    assert_eq!(words("a X O\n\n# sent_id 12\nb X O\n"), ["a", "b"]);
    assert_eq!(words("a O\n\n# O\nb O\n"), ["a", "# b"]);
    // Of the first line of a file, too.
    assert_eq!(words("# O\nb O\n"), ["# b"]);
    assert_eq!(words("# newdoc\nb O\n\n# O\nc O\n"), ["b", "# c"]);
    assert_eq!(words("# O\nb X O\n"), ["b"]);
    assert_eq!(words("# B-X\nb O\n\nc B-X\n"), ["# b", "c"]);
}

#[test]
fn between_tabs_a_word_may_hold_spaces() {
    let text = "New York\tB-LOC\n\u{a0}\tO\nis O\n";
    let set = read(text, &TaggedColumns::default(), OnBadInput::Error).unwrap();
    assert_eq!(set.sentences[0].words, ["New York", "\u{a0}", "is"]);
    assert_eq!(set.tags, ["O", "B-LOC"]);
}

#[test]
fn bad_lines_spoil_their_sentence() {
    let columns = TaggedColumns::default();
    let text = "a O\nword\nb O\n\nc O\n";
    let error = read(text, &columns, OnBadInput::Error).unwrap_err();
    let fault = "too few columns for a word and its tag: 1";
    assert!(error.contains(&format!("a.conll line 2: {fault}")), "{error}");
    let set = read(text, &columns, OnBadInput::Skip).unwrap();
    assert_eq!((set.sentences.len(), set.sentences[0].words.join(" ")), (1, "c".into()));
    assert_eq!(set.tally.skipped.values().sum::<u64>(), 1);
}

/// Sentences to measure may have tags that those to learn from do not have.
#[test]
fn tags_of_the_file_follow_those_that_are_given() {
    let tags = ["B-A", "O"].map(str::to_owned).to_vec();
    let columns = TaggedColumns { tags: Some(tags), ..TaggedColumns::default() };
    let set = read("a O\nb B-Y\nc B-X\n", &columns, OnBadInput::Error).unwrap();
    assert_eq!(set.tags, ["B-A", "O", "B-X", "B-Y"]);
    assert_eq!(set.sentences[0].tags, Some(vec![1, 3, 2]));
    // A first line is a word by a tag that is given, too.
    assert_eq!(read("# B-A\nb O\n", &columns, OnBadInput::Error).unwrap().tags.len(), 2);
}

#[test]
fn a_sentence_a_line_is_no_word_a_line() {
    let columns = TaggedColumns { untagged: true, ..TaggedColumns::default() };
    let error = read("It is good.\nIt was not bad.\n", &columns, OnBadInput::Error).unwrap_err();
    assert!(error.contains("a.conll line 2: 4 columns, and 3 above (write a word"), "{error}");
    let set = read("It is good.\nIt was not bad.\n", &columns, OnBadInput::Skip).unwrap();
    assert_eq!((set.sentences.len(), set.tally.skipped.values().sum::<u64>()), (0, 1));
    let set = read("a X O\nb\n\nc X\n", &columns, OnBadInput::Error).unwrap();
    assert_eq!(set.sentences.len(), 2, "further columns may be missing");
    let other = TaggedColumns { word: 1, ..columns };
    let error = read("X a\nX\n\n", &other, OnBadInput::Error).unwrap_err();
    assert!(error.contains("line 2: too few columns for a word: 1"), "{error}");
}

/// The columns behind the words are told of, and what they seem to be is no sentence.
#[test]
fn what_stands_behind_the_words_of_a_file_without_tags_is_told_of() {
    let columns = TaggedColumns { untagged: true, ..TaggedColumns::default() };
    let refused = |text: &str| read(text, &columns, OnBadInput::Error).unwrap_err();
    for text in ["John lives in Berlin\n", "\nJohn lives in Berlin\n\nMary sings in Rome\n"] {
        let error = refused(text);
        assert!(error.contains("a single word would be read, in column 1"), "{error}");
        assert!(error.contains("`lives in Berlin`") && error.contains("blank line"), "{error}");
        let set = read(text, &columns, OnBadInput::Skip).unwrap();
        assert_eq!((set.sentences.len(), set.further), (0, None));
        assert_eq!(set.tally.skipped["a file with a sentence a line"], 1);
    }
    let further = |text: &str| {
        let set = read(text, &columns, OnBadInput::Error).unwrap();
        set.further.map(|further| (further.count, further.example))
    };
    // Lines of equally many words may be words with further columns.
    assert_eq!(further("It is good\nIt was bad\n"), Some((2, "is good".to_owned())));
    assert_eq!(further("EU\nrejects VBZ B-VP\n\nx\n"), Some((2, "VBZ B-VP".to_owned())));
    assert_eq!(further("one\ntwo\n\nthree\n"), None);
    assert_eq!(further("one\n\nthree X\n"), Some((1, "X".to_owned())), "not all have some");
    let (count, example) = further(&format!("a {}\n\nb\nc\n", "é ".repeat(99))).unwrap();
    assert_eq!((count, example.chars().count()), (99, 60));
    let set = read("a X O\n", &TaggedColumns::default(), OnBadInput::Error).unwrap();
    assert_eq!((set.sentences.len(), set.further), (1, None), "there are tags");
}

#[test]
fn a_spoilt_sentence_counts_as_one() {
    let columns = TaggedColumns { word: 1, untagged: true, ..TaggedColumns::default() };
    for text in ["1 a x\n2\n\n3 c\n", "1 a x\n2\n\n3 c y\n"] {
        let set = read(text, &columns, OnBadInput::Skip).unwrap();
        assert_eq!(set.sentences.len(), 1, "{text}");
        assert_eq!(set.sentences[0].words, ["c"]);
        assert_eq!(set.tally.skipped["a sentence with a line that cannot be read"], 1);
        assert_eq!(set.tally.skipped.len(), 1);
    }
}

#[test]
fn lines_of_conll_u_without_a_word_of_their_own_are_left_out() {
    let line = |number: &str, word: &str, tag: &str| {
        format!("{number}\t{word}\t_\t{tag}\t_\t_\t_\t_\t_\t_\n")
    };
    let text = [
        line("1-2", "du", "_"),
        line("1", "de", "ADP"),
        line("2", "le", "DET"),
        line("2.1", "rien", "NOUN"),
        line("3", "soir", "NOUN"),
    ]
    .concat();
    let columns = TaggedColumns { word: 1, tag: Some(3), ..TaggedColumns::default() };
    let untagged = TaggedColumns { word: 1, untagged: true, ..TaggedColumns::default() };
    for columns in [&columns, &untagged] {
        let set = read(&text, columns, OnBadInput::Error).unwrap();
        assert_eq!(set.sentences[0].words, ["de", "le", "soir"]);
        let left_out: Vec<_> = set.tally.left_out().collect();
        let expected =
            ["a multiword token of CoNLL-U, whose words follow", "an empty node of CoNLL-U"];
        assert_eq!(left_out, expected.map(|reason| format!("{reason} (once)")));
    }
    assert_eq!(read(&text, &columns, OnBadInput::Error).unwrap().tags, ["ADP", "DET", "NOUN"]);
    // Words of other files may look so.
    let other = TaggedColumns { word: 1, ..TaggedColumns::default() };
    let set = read("x 1-2 O\n1-2 y O\n", &other, OnBadInput::Error).unwrap();
    assert_eq!(set.sentences[0].words, ["1-2", "y"]);
    let numbers = TaggedColumns { tag: Some(3), ..TaggedColumns::default() };
    let set = read(&text, &numbers, OnBadInput::Error).unwrap();
    assert_eq!(set.sentences[0].words, ["1-2", "1", "2", "2.1", "3"]);
}

/// What a pipe gives is read once.
#[cfg(unix)]
#[test]
fn words_with_tags_come_from_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success(), "mkfifo");
    let writing = std::thread::spawn({
        let path = path.clone();
        move || fs::write(path, FILE)
    });
    let set = TaggedSet::read(&path, &TaggedColumns::default(), OnBadInput::Error).unwrap();
    assert_eq!(set.sentences.len(), 2);
    writing.join().unwrap().unwrap();
}

#[test]
fn words_have_places() {
    let tokenizer = small(&["eu"]);
    let specials = tokenizer.specials();
    let mut encoder = Encoder::new(&tokenizer);
    let words = ["EU", "abc", "\u{200b}", "x-y"].map(str::to_owned).to_vec();
    let sentence = TaggedSentence { words, tags: None };
    let whole = sentence.sequence(64, &mut encoder).unwrap();
    assert_eq!(whole.places, [1, 2, 5, 6]);
    assert_eq!(whole.sequence.ids[5], specials.unk, "a word of which nothing is left");
    assert_eq!((whole.sequence.len(), whole.sequence.first), (10, 10));
    let cut = sentence.sequence(5, &mut encoder).unwrap();
    assert_eq!((cut.places, cut.sequence.len()), (vec![1, 2], 5));
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes: Vec<u8>, untagged: bool, word in 0usize..3) {
        let columns = TaggedColumns { untagged, word, ..TaggedColumns::default() };
        let skipping = read(&bytes, &columns, OnBadInput::Skip);
        prop_assert!(skipping.is_ok(), "{:?}", skipping);
        let _ = read(&bytes, &columns, OnBadInput::Error);
    }

    #[test]
    fn places_are_those_of_words(words in proptest::collection::vec("[a-z.]{1,6}", 0..12), longest in 2usize..40) {
        let tokenizer = small(&[]);
        let sentence = TaggedSentence { words, tags: None };
        let made = sentence.sequence(longest, &mut Encoder::new(&tokenizer)).unwrap();
        prop_assert!(made.sequence.len() <= longest);
        prop_assert!(made.places.len() <= sentence.words.len());
        prop_assert!(made.places.iter().all(|&place| (place as usize) < made.sequence.len() - 1));
        prop_assert!(made.places.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
