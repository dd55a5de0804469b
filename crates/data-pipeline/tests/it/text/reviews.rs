//! UDA's sets. IMDb is also counted on published files; the others are tested on files in their
//! format alone.

use crate::published;
use data_pipeline::dataset::{Part, Samples};
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Reviews, clean};
use std::fs;

#[test]
fn published_reviews_are_all_read() {
    let Some(folder) = published("imdb") else { return };
    let read = |part| Reviews::Imdb.read(&folder, part, OnBadInput::Error).unwrap();
    for part in [Part::Train, Part::Test] {
        let set = read(part);
        let positive = (0..set.len()).filter(|&i| set.label(i) == Some(1)).count();
        assert_eq!((set.len(), positive), (4000, 2000));
        assert!(set.examples().iter().all(|e| !e.texts.a.contains("<br />")));
    }
    // UDA's rule: the first 10 of each class, in turn.
    let set = read(Part::Train);
    let first = set.first_by_class(20).unwrap();
    let labels: Vec<_> = first.iter().map(|&i| set.label(i as usize).unwrap()).collect();
    assert_eq!(labels, [0, 1].repeat(10));
    assert!(first.iter().all(|&i| i < 20), "{first:?}");
    let extra = read(Part::Extra);
    assert!(extra.classes().is_empty() && extra.label(0).is_none());
    let short = extra.notes()[0].clone();
    let count: usize =
        short.split(['(', ' ']).filter_map(|word| word.parse().ok()).next_back().unwrap();
    assert_eq!(extra.len() + count, 14_000, "{short}");
    assert!((100..1000).contains(&count), "{short}");
}

#[test]
fn unlabelled_reviews_are_long_before_they_are_cleaned() {
    let folder = tempfile::tempdir().unwrap();
    let text = |length: usize| format!("<br />{}", "é".repeat(length - 6));
    let rows = format!(
        "content\tlabel\tid\n\"good \"\"film\"\"\tyes\"\tpos\t0_9\n{}\tunsup\t1_0\n{}\tunsup\t2_0\nbad\tneg\t3_1\n",
        text(499),
        text(500)
    );
    fs::write(folder.path().join("train.csv"), rows).unwrap();
    let read = |part| Reviews::Imdb.read(folder.path(), part, OnBadInput::Error).unwrap();
    let train = read(Part::Train);
    let texts: Vec<_> =
        train.examples().iter().map(|e| (e.texts.a.as_str(), e.id.as_str())).collect();
    assert_eq!(texts, [("good \"film\"\tyes", "imdb/0_9"), ("bad", "imdb/3_1")]);
    let extra = read(Part::Extra);
    let ids: Vec<String> = (0..extra.len()).map(|i| extra.id(i)).collect();
    assert_eq!(ids, ["imdb/0_9", "imdb/2_0", "imdb/3_1"]);
    assert!(extra.notes()[0].contains("fewer than 500 characters (once)"));
}

/// The archive as it is published: a review a file.
#[test]
fn folders_of_reviews() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("train/neg/10_2.txt", "bad".to_owned()),
        ("train/neg/9_1.txt", "worse<br />".to_owned()),
        ("train/pos/0_9.txt", "good\u{85}".to_owned()),
        ("train/unsup/0_0.txt", "short".to_owned()),
        ("train/unsup/1_0.txt", "z".repeat(500)),
        ("train/labeledBow.feat", "no review".to_owned()),
        ("test/pos/0_10.txt", "fine".to_owned()),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let read = |part| Reviews::Imdb.read(folder.path(), part, OnBadInput::Error).unwrap();
    let train = read(Part::Train);
    let rows: Vec<_> =
        train.examples().iter().map(|e| (e.texts.a.as_str(), e.id.as_str())).collect();
    let ids = ["imdb/neg_9_1.txt", "imdb/neg_10_2.txt", "imdb/pos_0_9.txt"];
    assert_eq!(rows, [("worse ", ids[0]), ("bad", ids[1]), ("good\u{85}", ids[2])]);
    assert_eq!((train.label(0), train.label(2)), (Some(0), Some(1)));
    assert_eq!((read(Part::Test).len(), read(Part::Extra).len()), (1, 4));
    fs::write(folder.path().join("train/pos/1_9.txt"), b"\xff").unwrap();
    let error = Reviews::Imdb.read(folder.path(), Part::Train, OnBadInput::Error).unwrap_err();
    assert!(error.to_string().contains("pos/1_9.txt"), "{error}");
    let skipped = Reviews::Imdb.read(folder.path(), Part::Train, OnBadInput::Skip).unwrap();
    assert_eq!((skipped.len(), skipped.notes().len()), (3, 1));
}

#[test]
fn other_sets_have_classes_from_1_and_titles() {
    let folder = tempfile::tempdir().unwrap();
    let read = |set: Reviews, text: &str| {
        fs::write(folder.path().join("train.csv"), text).unwrap();
        set.read(folder.path(), Part::Train, OnBadInput::Error)
    };
    let yelp = read(
        Reviews::Yelp5,
        "\"5\",\"Dr. \"\"G\"\" is\\n\\ngood, really\"\n\"1\",\"two\nlines\"\n",
    )
    .unwrap();
    let texts: Vec<_> = yelp.examples().iter().map(|e| e.texts.a.as_str()).collect();
    assert_eq!(texts, ["Dr. \"G\" is  good, really", "two\nlines"]);
    assert_eq!((yelp.label(0), yelp.label(1)), (Some(4), Some(0)));
    for (set, last) in
        [(Reviews::Amazon2, 2), (Reviews::Amazon5, 5), (Reviews::Dbpedia, 14), (Reviews::AgNews, 4)]
    {
        let found = read(set, &format!("{last},\"The title\",\"The text\"\n1,t,x\n")).unwrap();
        let texts = &found.examples()[0].texts;
        assert_eq!((texts.a.as_str(), texts.b.as_deref()), ("The text", Some("The title")));
        assert_eq!((found.label(0), found.classes().len()), (Some(last - 1), last as usize));
    }
    let error = read(Reviews::Yelp2, "3,text\n").unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("class 1 to 2, here it is `3`"), "{error}");
    let named = "\"Class Index\",Title,Description\n3,t,x\n";
    let set = read(Reviews::AgNews, named).unwrap();
    assert_eq!(
        (set.len(), set.notes()),
        (1, &["left out: a first line of names (once)".to_owned()][..])
    );
    let error = read(Reviews::AgNews, "1,t,x\n1,only a title\n").unwrap_err().to_string();
    assert!(error.contains("line 2: 2 columns, the first line has 3"), "{error}");
    let error = Reviews::Yelp2.read(folder.path(), Part::Test, OnBadInput::Error).unwrap_err();
    assert!(error.to_string().contains("no test.csv of yelp-2"), "{error}");
}

#[test]
fn texts_are_cleaned_as_uda_does() {
    let cases = [
        ("a<br /><br />b", "a  b"),
        ("<a href=\"x\">y</a> &quot;z&quot;<p>", "y \"z\" "),
        ("broken <a href=end", "broken end"),
        ("two <a href=1>x</a><a href=2>y</a>", "two xy"),
        ("</a> alone stays", "</a> alone stays"),
        ("a\\nb\\c", "a b c"),
    ];
    for (text, cleaned) in cases {
        assert_eq!(clean(text), cleaned);
    }
}
