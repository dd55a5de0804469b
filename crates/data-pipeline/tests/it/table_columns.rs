//! Tables with more columns than files and labels, labels that are none, and paths of elsewhere.

use crate::folders::{picture, save};
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet};
use data_pipeline::text::OwnTexts;
use std::path::Path;

/// Four pictures, `images/1.png` to `images/4.png`, below a folder.
fn four() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for i in 1..=4 {
        save(dir.path(), &format!("images/{i}.png"), &picture(4, 4, i));
    }
    dir
}

fn open(dir: &Path, name: &str, table: &str) -> Result<FolderSet, String> {
    std::fs::write(dir.join(name), table).unwrap();
    FolderSet::open(&dir.join(name), &FolderOptions::default()).map_err(|error| error.to_string())
}

/// A table in which the four pictures have these cells.
fn table(header: &str, cells: [&str; 4]) -> String {
    let rows = (1..).zip(cells).map(|(i, cells)| format!("images/{i}.png,{cells}\n"));
    format!("file,{header}\n{}", rows.collect::<String>())
}

fn notes(set: FolderSet) -> String {
    set.notes().join("\n")
}

#[test]
fn rows_of_several_parts_are_refused() {
    let dir = four();
    let refused = [
        ("label,split", ["a,train", "b,train", "a,test", "b,"]),
        ("label,Subset", ["a,Training", "b,Validation", "a,Training", "b,Training"]),
        ("label,is_valid", ["a,True", "b,False", "a,False", "b,False"]),
    ];
    for (header, cells) in refused {
        let error = open(dir.path(), "a.csv", &table(header, cells)).unwrap_err();
        assert!(error.contains("is not read, and by it the labelled rows are of"), "{error}");
        assert!(error.contains("--labeled or --text, --validation and --test"), "{error}");
    }
    let rows: String = ["train", "test"]
        .iter()
        .zip(1..)
        .map(|(split, i)| {
            format!("{{\"file\": \"images/{i}.png\", \"label\": {i}, \"split\": \"{split}\"}}\n")
        })
        .collect();
    let error = open(dir.path(), "a.jsonl", &rows).unwrap_err();
    assert!(error.contains("the column `split` is not read"), "{error}");
    // Rows without a label are of no part: this is how tables of few labels are published.
    let few = ["a,train", "b,train", ",unlabeled", "none,test"];
    let options = FolderOptions { no_label: vec!["none".to_owned()], ..FolderOptions::default() };
    std::fs::write(dir.path().join("b.csv"), table("label,split", few)).unwrap();
    let set = FolderSet::open(&dir.path().join("b.csv"), &options).unwrap();
    assert_eq!((set.len(), notes(set)), (4, String::new()));
    let learned = ["a,labeled", "b,labeled", "a,unlabeled", "b,unlabeled"];
    let noted = notes(open(dir.path(), "b.csv", &table("label,split", learned)).unwrap());
    assert!(noted.contains("labelled rows of all its values count"), "{noted}");
    // Where classes are given, nothing is learned.
    let classes = Some(["a", "b"].map(str::to_owned).to_vec());
    let options = FolderOptions { classes, ..FolderOptions::default() };
    let noted = notes(FolderSet::open(&dir.path().join("a.csv"), &options).unwrap());
    assert!(noted.contains("are measured on, `False`, `True`"), "{noted}");
    // One part alone, and what need not be a part.
    let one =
        open(dir.path(), "a.csv", &table("label,split", ["a,test", "b,test", "a,test", "b,test"]));
    assert_eq!(notes(one.unwrap()), "");
    let folds = open(dir.path(), "a.csv", &table("label,fold", ["a,0", "b,1", "a,2", "b,0"]));
    let noted = notes(folds.unwrap());
    assert!(noted.contains("`fold`") && noted.contains("`0`, `1`, `2`"), "{noted}");
    // Of unlabelled pictures none is learned from by its label.
    let options = FolderOptions { labeled: false, ..FolderOptions::default() };
    assert_eq!(FolderSet::open(&dir.path().join("a.jsonl"), &options).unwrap().notes(), [""; 0]);
}

#[test]
fn tables_of_texts_are_refused_likewise() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let own = OwnTexts { text: "text".into(), label: Some("label".into()), ..OwnTexts::default() };
    let read = |rows: &str| {
        std::fs::write(&path, format!("text,label,split\n{rows}")).unwrap();
        own.read(std::slice::from_ref(&path)).map_err(|error| error.to_string())
    };
    let error = read("fine,a,train\ndull,b,train\nwarm,a,test\n").unwrap_err();
    assert!(error.contains("the column `split` is not read"), "{error}");
    assert!(read("fine,a,train\ndull,b,train\n").is_ok());
    let few = read("fine,a,train\ndull,b,train\nwarm,,unlabeled\nwet,,test\n").unwrap();
    assert_eq!((few.len(), few.notes().join("")), (4, String::new()));
    let classes = Some(["a", "b"].map(str::to_owned).to_vec());
    let measured = OwnTexts { classes, ..own.clone() };
    std::fs::write(&path, "text,label,split\nfine,a,train\nwarm,a,test\n").unwrap();
    let noted = measured.read(std::slice::from_ref(&path)).unwrap().notes().join("");
    assert!(noted.contains("are measured on, `test`, `train`"), "{noted}");
    // Without labels there is nothing that a test row would tell.
    let unlabelled = OwnTexts { label: None, ..own.clone() };
    std::fs::write(&path, "text,label,split\nfine,a,train\nwarm,a,test\n").unwrap();
    assert!(unlabelled.read(std::slice::from_ref(&path)).is_ok());
}

#[test]
fn other_columns_of_labels_and_groups_of_pictures_are_noted() {
    let dir = four();
    let cases = [
        ("class,class_name", ["0,c0", "0,c0", "1,c1", "1,c1"], "`class`; `class_name` may be"),
        ("label,label_name", ["0,c0", "0,c0", "1,c1", "1,c1"], "`label`; `label_name` may be"),
        ("Patient_ID,label", ["p,a", "p,b", "q,a", "r,b"], "the column `Patient_ID` of "),
        ("lesion,label", ["p,a", "p,b", "q,a", "r,b"], ""),
        // A picture each.
        ("patient,label", ["p,a", "s,b", "q,a", "r,b"], ""),
    ];
    for (header, cells, told) in cases {
        let noted = notes(open(dir.path(), "a.csv", &table(header, cells)).unwrap());
        assert!(noted.contains(told) && noted.is_empty() == told.is_empty(), "{header}: {noted}");
    }
    // A test part, of which no label is held out.
    std::fs::write(dir.path().join("a.csv"), table(cases[2].0, cases[2].1)).unwrap();
    let classes = Some(["a", "b"].map(str::to_owned).to_vec());
    let options = FolderOptions { classes, ..FolderOptions::default() };
    assert_eq!(notes(FolderSet::open(&dir.path().join("a.csv"), &options).unwrap()), "");
}

#[test]
fn several_labels_in_a_cell_and_numbers_to_be_predicted_are_no_classes() {
    let dir = four();
    let refused = [
        (
            ["a", "\"[0, 1]\"", "a", "b"],
            "line 3: the label is [0, 1], several labels of one picture",
        ),
        (["a", "\"['x', 'y']\"", "a", "b"], "line 3: the label is ['x', 'y'], several labels"),
        (["20.5", "21", "20", "1e3"], "line 2: the label is 20.5; labels must be whole numbers"),
    ];
    for (cells, told) in refused {
        let error = open(dir.path(), "a.csv", &table("label", cells)).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
    // One word among the numbers makes all of them names; 0.0 is a whole number.
    assert_eq!(
        open(dir.path(), "a.csv", &table("label", ["2.5", "many", "2", "2"])).unwrap().len(),
        4
    );
    assert!(open(dir.path(), "a.csv", &table("label", ["0.0", "1.0", "0.0", "1.0"])).is_ok());
    // A list of one label is that label, an empty one none; of a few numbers each may be a class.
    let lists = ["['a']", "[]", "\"[\"\"b\"\"]\"", "a"];
    let set = open(dir.path(), "a.csv", &table("label", lists)).unwrap();
    assert_eq!(set.classes(), ["a", "b"]);
    assert_eq!([0, 1, 2, 3].map(|i| set.label(i)), [Some(0), None, Some(1), Some(0)]);
    let stars = open(dir.path(), "a.csv", &table("label", ["0.5", "1.0", "0.5", "1.0"])).unwrap();
    assert_eq!(stars.classes(), ["0.5", "1.0"]);
    assert!(notes(stars).contains("are numbers, as 0.5, and taken for names of 2 classes"));
    let cases = [
        (["A|B", "A", "B", "A"], "1 label reads as several labels in one cell"),
        (["A;B", "B;C", "A ; C", "A"], "3 labels read as several labels in one cell"),
        // No label besides has the part `yes`.
        (["A|yes", "A", "B", "A"], ""),
    ];
    for (cells, told) in cases {
        let noted = notes(open(dir.path(), "a.csv", &table("label", cells)).unwrap());
        assert!(noted.contains(told) && noted.is_empty() == told.is_empty(), "{noted}");
    }
}

#[test]
fn lines_of_json_without_a_label_tell_their_keys() {
    let dir = four();
    let rows: String = (1..=4)
        .map(|i| format!("{{\"image\": \"images/{i}.png\", \"choice\": \"c\"}}\n"))
        .collect();
    let error = open(dir.path(), "a.jsonl", &rows).unwrap_err();
    assert!(error.contains("line 1: no column of labels among "), "{error}");
    assert!(error.contains("choice") && error.contains("image"), "{error}");
    assert!(error.contains("labels are read from `label`, `labels`, `class`"), "{error}");
}

#[test]
fn paths_of_another_machine_are_found_by_how_they_end() {
    let dir = four();
    let start = [
        "/mnt/other/data/",
        "C:\\Users\\me\\",
        "d:/data/",
        "file:///C:/data/",
        "file:///mnt/other%20one/",
        "\\\\server\\share\\",
    ];
    for start in start {
        let rows: String = (1..=4).map(|i| format!("{start}images/{i}.png,{}\n", i % 2)).collect();
        let set = open(dir.path(), "a.csv", &format!("file,label\n{rows}")).expect(start);
        assert_eq!(set.len(), 4, "{start}");
        assert_eq!(set.path(3), dir.path().join("images/4.png"), "{start}");
        let noted = notes(set);
        assert!(noted.starts_with("4 paths of ") && noted.contains("by how they end"), "{noted}");
    }
    // An address of a file that is there is no other machine's.
    let place = dir.path().join("images").display().to_string();
    let rows: String = (1..=4).map(|i| format!("file://{place}/{i}.png,{}\n", i % 2)).collect();
    assert_eq!(notes(open(dir.path(), "a.csv", &format!("file,label\n{rows}")).unwrap()), "");
    // Two paths with one end are not one picture; what is nowhere is refused with what helps.
    let rows = "/a/images/1.png,0\n/b/images/1.png,1\n/a/images/2.png,1\n";
    let error = open(dir.path(), "a.csv", &format!("file,label\n{rows}")).unwrap_err();
    assert!(error.contains("2 of 3 files are not there, /a/images/1.png"), "{error}");
    // The longest end counts, and the name of a file alone says nothing of its folder.
    let rows = "/x/1.png,1\n/a/images/2.png,1\n";
    let error = open(dir.path(), "a.csv", &format!("file,label\n{rows}")).unwrap_err();
    assert!(error.contains("1 of 2 files are not there, /x/1.png"), "{error}");
    save(dir.path(), "5.png", &picture(4, 4, 5));
    save(dir.path(), "6.png", &picture(4, 4, 6));
    for (rows, is_read) in [("/a/5.png,0\n/a/6.png,1\n", true), ("/a/5.png,0\n/b/6.png,1\n", false)]
    {
        let read = open(dir.path(), "a.csv", &format!("file,label\n{rows}"));
        assert_eq!(read.is_ok(), is_read, "{rows}");
    }
    let rows = "/a/images/8.png,0\n/a/images/9.png,1\n";
    let error = open(dir.path(), "a.csv", &format!("file,label\n{rows}")).unwrap_err();
    assert!(error.contains("take the start that the paths share away"), "{error}");
}
