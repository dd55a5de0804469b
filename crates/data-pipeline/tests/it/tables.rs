//! Tables of files and labels over a folder of images.

use crate::folders::{picture, save, skipping};
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, Summary};
use std::path::Path;

/// A folder `images` with five images, and a table beside it.
fn folder(name: &str, table: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for i in 1..=4 {
        save(dir.path(), &format!("images/{i}.png"), &picture(4, 4, i));
    }
    save(dir.path(), "images/more, deep/5.jpg", &picture(4, 4, 5));
    std::fs::write(dir.path().join(name), table).unwrap();
    dir
}

/// Each image with its class.
fn pairs(set: &FolderSet) -> Vec<(String, String)> {
    let class = |i| set.label(i).map_or("-", |label| &set.classes()[label as usize]);
    (0..set.len()).map(|i| (set.id(i), class(i).to_owned())).collect()
}

fn over(dir: &Path, name: &str, options: &FolderOptions) -> Result<FolderSet, String> {
    let options = FolderOptions { labels: Some(dir.join(name)), ..options.clone() };
    FolderSet::open(&dir.join("images"), &options).map_err(|error| error.to_string())
}

#[test]
fn every_form_of_a_table_says_the_same() {
    let expected =
        [("1.png", "cat"), ("2.png", "dog"), ("more, deep/5.jpg", "cat"), ("3.png", "-")];
    let forms = [
        ("a.csv", "file,label\n1.png,cat\n./2.png,dog\n\"more, deep/5.jpg\",cat\n3.png,\n"),
        ("a.csv", "1.png,cat\n2.png,dog\n\"more, deep/5.jpg\",cat\n3.png,\n"),
        (
            "a.csv",
            "\u{feff}Label; split ;File_Name\r\ncat;x;1.png\r\ndog;x;2.png\r\ncat;y;more, deep\\5.jpg\r\n;;3.png\r\n",
        ),
        ("a.tsv", "image\tclass\n1.png\tcat\n2.png\tdog\nmore, deep/5.jpg\tcat\n3.png\n\n"),
        // Without endings.
        ("a.csv", "id,label\n1,cat\n2,dog\n\"more, deep/5\",cat\n3,\n"),
        (
            "a.jsonl",
            "{\"file_name\": \"1.png\", \"label\": \"cat\"}\n{\"file_name\": \"2.png\", \"label\": \"dog\"}\n\
             {\"label\": \"cat\", \"file_name\": \"more, deep/5.jpg\"}\n\n{\"file_name\": \"3.png\", \"label\": null}\n",
        ),
    ];
    for (name, table) in forms {
        let dir = folder(name, table);
        let set = over(dir.path(), name, &FolderOptions::default()).expect(table);
        let pairs: Vec<_> = pairs(&set);
        for ((id, class), (file, label)) in pairs.iter().zip(expected) {
            let stem = file.rsplit_once('.').unwrap().0;
            assert!(
                (id == file || id.trim_start_matches("./") == stem) && class == label,
                "{table}: {pairs:?}"
            );
        }
        assert_eq!(pairs.len(), 4, "{table}");
        let (labeled, unlabeled) = set.by_label();
        assert_eq!((labeled.len(), unlabeled.map(|set| set.len())), (3, Some(1)));
        assert_eq!(labeled.item(1).unwrap().pixels(), picture(4, 4, 2).as_raw());
    }
}

#[test]
fn labels_may_stand_for_none_and_be_one_number() {
    let dir = folder("a.csv", "file,label\n1.png,0\n2.png,00\n3.png,-1\n4.png,0.0\n");
    let options = FolderOptions { no_label: vec!["-1".to_owned()], ..Default::default() };
    let set = over(dir.path(), "a.csv", &options).unwrap();
    assert_eq!(set.classes(), ["0", "0.0", "00"]);
    assert_eq!(pairs(&set)[2], ("3.png".to_owned(), "-".to_owned()));
    for name in ["0.0", "00"] {
        let told = format!("`{name}` differs from `0` in how the same number is written alone");
        assert!(set.notes().iter().any(|note| note.contains(&told)), "{:?}", set.notes());
    }
    let set = over(dir.path(), "a.csv", &FolderOptions::default()).unwrap();
    assert_eq!(set.classes().len(), 4);
    // The same of folders.
    let root = dir.path().join("classes");
    for (name, image) in [("cat", "1.png"), ("dog", "2.png"), ("unsup", "3.png")] {
        std::fs::create_dir_all(root.join(name)).unwrap();
        let from = dir.path().join("images").join(image);
        std::fs::copy(from, root.join(name).join("1.png")).unwrap();
    }
    let options = FolderOptions { no_label: vec!["unsup".to_owned()], ..Default::default() };
    let set = FolderSet::open(&root, &options).unwrap();
    assert_eq!((set.classes().len(), set.label(2)), (2, None));
    let fixed = Some(set.classes().to_vec());
    let known = FolderOptions { classes: fixed.clone(), ..options };
    assert_eq!(FolderSet::open(&root, &known).unwrap().label(2), None);
    let error = FolderSet::open(&root, &FolderOptions { classes: fixed, ..Default::default() });
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("unsup: no class of this name") && error.contains("--no-label"),
        "{error}"
    );
}

#[test]
fn what_a_table_does_not_name_is_unlabelled_on_demand() {
    let dir = folder("images/labels.csv", "file,label\n1.png,7\n2.png,10\n4.png,7\n");
    let root = dir.path().join("images");
    let options = FolderOptions { unlisted: true, ..Default::default() };
    // By the table, by the folder that holds it, and by both.
    let both = FolderOptions { labels: Some(root.join("labels.csv")), ..options.clone() };
    std::fs::rename(root.join("more, deep"), root.join("deep")).unwrap();
    let by_table = FolderSet::open(&root.join("labels.csv"), &options).unwrap();
    let by_both = FolderSet::open(&root, &both).unwrap();
    let expected =
        [("1.png", "7"), ("2.png", "10"), ("4.png", "7"), ("3.png", "-"), ("deep/5.jpg", "-")];
    let expected = expected.map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!((pairs(&by_table), pairs(&by_both)), (expected.to_vec(), expected.to_vec()));
    assert_eq!(by_table.classes(), ["7", "10"], "sorted by number");
    let summary = Summary::of(&by_both);
    assert_eq!((summary.unlabeled, summary.unlisted), (2, 2));
    std::fs::rename(root.join("deep/5.jpg"), root.join("5.jpg")).unwrap();
    std::fs::remove_dir(root.join("deep")).unwrap();
    let by_folder = FolderSet::open(&root, &options).unwrap();
    assert_eq!(by_folder.len(), 5);
    assert_eq!(FolderSet::open(&root, &FolderOptions::default()).unwrap().len(), 3);
    // What another table or folder of the experiment has is not taken.
    std::fs::write(root.join("test.csv"), "3.png,7\n").unwrap();
    let exclude = vec![root.join("test.csv"), root.join("5.jpg")];
    let without = FolderSet::open(&root.join("labels.csv"), &FolderOptions { exclude, ..options });
    assert_eq!(without.unwrap().len(), 3);
    // As unlabelled images, a table stands for the files that it names.
    let options = FolderOptions { labeled: false, ..Default::default() };
    let named = FolderSet::open(&root.join("labels.csv"), &options).unwrap();
    assert_eq!((named.len(), named.label(0), named.classes().len()), (3, None, 0));
}

#[test]
fn faults_of_a_table_are_named_by_line() {
    let rows: String = (0..20).map(|i| format!("{}.png,{}\n", i % 4 + 1, i % 2)).collect();
    let cases = [
        (
            "1.png,cat\n2.png,dog\n1.png,dog\n",
            "a.csv line 3: 1.png is `dog` here and `cat` in line 1",
        ),
        ("file,label\n1.png,cat\n9.png,dog\n", "a.csv line 3: 1 of 2 files are not there, 9.png"),
        ("file,label\n1.png,cat\n2.png,cat\n", "`cat` is the only class"),
        ("file,label\n1.png,\n2.png,\n", "no image has a label"),
        ("what,label\nx,cat\n", "a.csv line 1: neither a file nor a header with one: what, label"),
        ("file,what\n1.png,cat\n", "a.csv line 1: no column of labels among file, what"),
        ("1.png,cat,x\n", "a.csv line 1: 3 columns without names"),
        ("file,label\n1.png,cat,x\n", "a.csv line 2: 3 cells, the first line has 2"),
        ("file,label\n", "no file is listed"),
        ("", "no file is listed"),
        ("file,label\n,cat\n", "a.csv line 2: the cell of the file is empty"),
    ];
    for (table, expected) in cases {
        let dir = folder("a.csv", table);
        let error = over(dir.path(), "a.csv", &FolderOptions::default()).expect_err(table);
        assert!(error.contains(expected), "{table}: {error}");
    }
    let cases = [
        ("{\"file_name\": \"1.png\"\n", "a.jsonl line 1: "),
        ("{\"file_name\": \"1.png\", \"label\": [1]}\n", "a.jsonl line 1: the label is [1]"),
        ("{\"label\": 1}\n", "a.jsonl line 1: no `file_name`"),
    ];
    for (table, expected) in cases {
        let dir = folder("a.jsonl", table);
        let error = over(dir.path(), "a.jsonl", &FolderOptions::default()).expect_err(table);
        assert!(error.contains(expected), "{table}: {error}");
    }
    // A few that are not there are left out on demand; a line again is noted.
    let dir = folder("a.csv", &format!("{rows}gone.png,1\n"));
    assert!(over(dir.path(), "a.csv", &FolderOptions::default()).is_err());
    assert!(over(dir.path(), "a.csv", &skipping()).is_err(), "1 of 5 is too many");
    for i in 10..20 {
        save(dir.path(), &format!("images/{i}.png"), &picture(4, 4, i));
    }
    let more: String = (10..20).map(|i| format!("{i}.png,{}\n", i % 2)).collect();
    std::fs::write(dir.path().join("a.csv"), format!("{rows}gone.png,1\n{more}")).unwrap();
    let set = over(dir.path(), "a.csv", &skipping()).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (14, 1));
    assert!(set.skipped()[0].fault.contains("line 21"), "{:?}", set.skipped());
    assert!(set.notes()[0].contains("16 lines"), "{:?}", set.notes());
    // A class that the training images do not have.
    let classes = Some(vec!["0".to_owned(), "2".to_owned()]);
    let error = over(dir.path(), "a.csv", &FolderOptions { classes, ..skipping() }).unwrap_err();
    assert!(error.contains("line 2: no class `1` among 0, 2"), "{error}");
    let error = over(dir.path(), "images", &FolderOptions::default()).unwrap_err();
    assert!(error.contains("images: is a folder"), "{error}");
}

#[test]
fn names_may_lack_their_ending_or_their_folder() {
    let open = |table: &str| {
        let dir = folder("a.csv", table);
        let root = dir.path().join("images");
        save(&root, "left/img_1.jpg", &picture(4, 4, 6));
        save(&root, "left/twice.jpg", &picture(4, 4, 7));
        save(&root, "right/twice.jpg", &picture(4, 4, 8));
        save(&root, "3.jpg", &picture(4, 4, 9));
        over(dir.path(), "a.csv", &FolderOptions::default())
    };
    // Without a header as well.
    let set = open("1,cat\n2,dog\n").unwrap();
    assert_eq!(pairs(&set)[1], ("2".into(), "dog".into()));
    assert!(set.notes().is_empty());
    for name in ["img_1", "img_1.jpg"] {
        let set = open(&format!("id,label\n1.png,cat\n{name},dog\n5.jpg,dog\n")).unwrap();
        assert_eq!(set.len(), 3);
        let note = &set.notes()[0];
        assert!(note.starts_with("2 names of ") && note.contains("left/img_1.jpg"), "{note}");
    }
    let cases = [
        ("twice.jpg", "; twice.jpg may be ", "left/twice.jpg or "),
        ("twice", "; twice may be ", "right/twice.jpg: write the path with its ending"),
        ("3", "; 3 may be ", "images/3.png: write"),
        ("left/1.png", "1 of 2 files are not there, left/1.png", ""),
    ];
    for (name, told, more) in cases {
        let error = open(&format!("file,label\n1.png,cat\n{name},dog\n")).unwrap_err();
        assert!(error.contains(told) && error.contains(more), "{name}: {error}");
    }
    // One picture by two names is one picture.
    let set = open("file,label\n1.png,cat\n1,cat\n./2.png,dog\n2,\n").unwrap();
    assert_eq!(pairs(&set), [("1.png".into(), "cat".into()), ("2.png".into(), "dog".into())]);
    assert!(set.notes()[0].starts_with("2 lines of "), "{:?}", set.notes());
    let error = open("file,label\n1.png,cat\n2,dog\n1,dog\n").unwrap_err();
    assert!(error.contains("line 4: 1 is `dog` here and as 1.png `cat` in line 2"), "{error}");
    // A picture does not get two lines by two names.
    let error = open("file,label\nleft/img_1.jpg,cat\nimg_1,dog\n").unwrap_err();
    assert!(error.contains("another line names") && error.contains("left/img_1.jpg"), "{error}");
}

#[test]
fn labels_that_differ_in_case_are_named() {
    let dir = folder("a.csv", "file,label\n1.png,ZERO\n2.png,zero\n3.png,one\n");
    let set = over(dir.path(), "a.csv", &FolderOptions::default()).unwrap();
    assert_eq!(set.classes().len(), 3);
    let note = "the class `zero` differs from `ZERO` in upper case alone: they are two classes";
    assert_eq!(set.notes(), [note]);
}

#[test]
fn names_with_spaces_at_their_ends_are_found() {
    for (name, table) in [
        ("a.csv", "file,label\n lead.jpg,cat\ntrail .png , dog\n 1.png , cat \n lead2,dog\n"),
        ("a.csv", " lead.jpg,cat\ntrail .png ,dog\n 1.png,cat\n lead2,dog\n"),
        (
            "a.jsonl",
            "{\"file\": \" lead.jpg\", \"label\": \"cat\"}\n{\"file\": \"trail .png \", \"label\": \
             \" dog\"}\n{\"file\": \" 1.png \", \"label\": \"cat\"}\n{\"file\": \" lead2\", \"label\": \
             \"dog\"}\n",
        ),
    ] {
        let dir = folder(name, table);
        let images = dir.path().join("images");
        save(&images, " lead.jpg", &picture(4, 4, 6));
        save(&images, " lead2.jpg", &picture(4, 4, 7));
        std::fs::copy(images.join("2.png"), images.join("trail .png ")).unwrap();
        let set = over(dir.path(), name, &FolderOptions::default()).expect(table);
        let expected =
            [(" lead.jpg", "cat"), ("trail .png ", "dog"), ("1.png", "cat"), (" lead2", "dog")];
        assert_eq!(pairs(&set), expected.map(|(a, b)| (a.to_owned(), b.to_owned())), "{table}");
        assert_eq!(set.notes(), [""; 0]);
    }
}

#[test]
fn a_table_that_is_no_text_is_told_for_what_it_is() {
    let cases: [(&str, &[u8], &str); 5] = [
        ("a.parquet", b"PAR1\x15\0\x80", "a.parquet: is a Parquet file, where a CSV file or"),
        ("a.csv", b"PK\x03\x04\x14\0\x80", "a.csv: is a ZIP archive, where a CSV file or"),
        ("a.csv", b"\x89PNG\r\n\x1a\n", "a.csv: is a PNG image, where a CSV file or lines"),
        ("a.csv", b"\xff\xfef\0", "a.csv at byte 0: no UTF-8 text (save it as UTF-8)"),
        ("a.csv", b"file,label\n\xe9.png,a\n", "a.csv at byte 11: no UTF-8 text"),
    ];
    for (name, bytes, expected) in cases {
        let dir = folder(name, "");
        std::fs::write(dir.path().join(name), bytes).unwrap();
        let error = over(dir.path(), name, &FolderOptions::default()).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn lines_that_end_in_cr_lf_are_counted_alike() {
    for end in ["\n", "\r\n"] {
        let lines = ["file,label", "1.png,cat", "2.png,dog", "gone.png,dog", ""];
        let dir = folder("a.csv", &lines.join(end));
        let error = over(dir.path(), "a.csv", &FolderOptions::default()).unwrap_err();
        assert!(error.contains("a.csv line 4: 1 of 3 files are not there"), "{error}");
    }
}

#[test]
fn a_name_that_is_nearly_that_of_a_file_or_class_is_told() {
    let cases = [
        ("1.PNG", "; `1.png` differs from it in upper case alone"),
        ("cafe\u{301}.png", "; `caf\u{e9}.png` differs from it in the Unicode form of letters"),
        ("MORE, deep/5.jpg", "; `more, deep/5.jpg` differs from it in upper case alone"),
        ("left/1.png", "images ("),
    ];
    for (name, told) in cases {
        let dir = folder("a.csv", &format!("file,label\n2.png,cat\n\"{name}\",dog\n"));
        save(&dir.path().join("images"), "caf\u{e9}.png", &picture(4, 4, 6));
        std::fs::rename(dir.path().join("a.csv"), dir.path().join("images/a.csv")).unwrap();
        let images = dir.path().join("images");
        // Folder and table name one place, which is told once.
        let options = FolderOptions { labels: Some(images.join("a.csv")), ..Default::default() };
        let error = FolderSet::open(&images, &options).unwrap_err().to_string();
        assert!(error.contains(told), "{name}: {error}");
        assert_eq!(error.matches("/images").count(), 2, "the table and its folder: {error}");
    }
    let classes = Some(vec!["cat".to_owned(), "dog".to_owned()]);
    let options = FolderOptions { classes, ..Default::default() };
    let dir = folder("a.csv", "file,label\n1.png,Cat\n2.png,dog\n");
    let error = over(dir.path(), "a.csv", &options).unwrap_err();
    assert!(error.contains("no class `Cat` among cat, dog; `cat` differs from it in"), "{error}");
    save(dir.path(), "test/Cat/1.png", &picture(4, 4, 1));
    let error = FolderSet::open(&dir.path().join("test"), &options).unwrap_err().to_string();
    assert!(error.contains("; `cat` differs from it in upper case alone (rename the folder)"));
    assert!(!error.contains("--no-label"), "{error}");
}

#[test]
fn a_table_beside_class_folders_is_never_passed_over_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for name in ["part_1/a.png", "part_1/b.png", "part_2/c.png"] {
        save(root, name, &picture(4, 4, 1));
    }
    let open = |table: &str| {
        std::fs::write(root.join("metadata.csv"), table).unwrap();
        FolderSet::open(root, &FolderOptions::default()).map_err(|error| error.to_string())
    };
    // By their names alone, as in HAM10000.
    let error = open("image_id,diagnosis\na,nv\nb,mel\nc,nv\n").unwrap_err();
    assert!(error.contains("metadata.csv, by which part_1/a.png is `nv`"), "{error}");
    assert!(error.contains("part_1/b.png is `mel`"), "{error}");
    assert!(error.contains("in place of the folder, or by `--labels` for the labelled"), "{error}");
    let set = FolderSet::open(&root.join("metadata.csv"), &FolderOptions::default()).unwrap();
    assert_eq!((set.len(), set.classes().len()), (3, 2));
    // The same labels as the folders, no labels, and none of the files.
    let set = open("file,label\npart_1/a.png,part_1\n").unwrap();
    assert_eq!((set.classes().len(), set.notes().len()), (2, 0));
    for (table, why) in [
        ("file_name,text\npart_1/a.png,a dog\n", "no column of labels among file_name, text"),
        ("file,label\nx.png,nv\n", "none of its files is there"),
    ] {
        let set = open(table).unwrap();
        let note = &set.notes()[0];
        assert_eq!(set.classes(), ["part_1", "part_2"]);
        assert!(note.contains("metadata.csv is not read") && note.contains(why), "{note}");
    }
    std::fs::remove_dir_all(root.join("part_2")).unwrap();
    let error = open("image_id,diagnosis\na,nv\nb,mel\n").unwrap_err();
    assert!(error.contains("metadata.csv, by which"), "{error}");
}

#[test]
fn a_table_that_splits_images_as_their_folders_do_is_no_other_one() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for name in ["cat/a.png", "cat/b.png", "dog/c.png", "dog/d.png"] {
        save(root, name, &picture(4, 4, 1));
    }
    let open = |name: &str, table: &str| {
        std::fs::write(root.join(name), table).unwrap();
        let set = FolderSet::open(root, &FolderOptions::default()).map_err(|e| e.to_string());
        std::fs::remove_file(root.join(name)).unwrap();
        set
    };
    // The names of the folders, other words for them, and some of the images alone.
    for table in [
        "file,label\ncat/a.png,Cat\ncat/b.png,cat \ndog/c.png,DOG\ndog/d.png,dog\n",
        "file,label\ncat/a.png,0\ncat/b.png,00\ndog/c.png,1\n",
        "file,label\na,chat\nb,Chat\nd,chien\n",
    ] {
        let set = open("labels.csv", table).unwrap();
        assert_eq!((set.classes(), set.notes().len()), (&["cat", "dog"].map(String::from)[..], 0));
    }
    for (table, told) in [
        ("file,label\ncat/a.png,x\ncat/b.png,y\n", "cat/a.png is `x` and cat/b.png is `y`"),
        ("file,label\ncat/a.png,x\ndog/c.png,X\n", "cat/a.png is `x` and dog/c.png is `X`"),
    ] {
        let error = open("labels.csv", table).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
    // What `tutor predict` wrote of these images is no truth about them.
    let rows = "id,label,confidence,p_cat,p_dog\ncat/a.png,dog,0.6,0.4,0.6\ncat/b.png,cat,1,1,0\n";
    let note = &open("labels.csv", rows).unwrap().notes()[0].clone();
    assert!(note.contains("labels.csv is not read") && note.contains("confidence"), "{note}");
    let row = |id: &str, label: &str| {
        format!("{{\"id\": \"{id}\", \"label\": \"{label}\", \"confidence\": 0.9}}\n")
    };
    let rows = row("cat/a.png", "dog") + &row("cat/b.png", "cat");
    assert_eq!(open("labels.jsonl", &rows).unwrap().notes().len(), 1);
}

#[test]
fn the_only_table_beside_several_folders_is_looked_at_whatever_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for name in ["part_1/a.png", "part_1/b.png", "part_2/c.png"] {
        save(root, name, &picture(4, 4, 1));
    }
    // The columns of HAM10000.
    let rows = "lesion_id,image_id,dx,age\nL1,a,nv,30\nL2,b,mel,40\nL3,c,nv,50\n";
    std::fs::write(root.join("HAM10000_metadata.csv"), rows).unwrap();
    let open = || FolderSet::open(root, &FolderOptions::default());
    let error = open().unwrap_err().to_string();
    assert!(error.contains("HAM10000_metadata.csv, by which part_1/a.png is `nv`"), "{error}");
    let whole = FolderSet::open(&root.join("HAM10000_metadata.csv"), &FolderOptions::default());
    assert_eq!(whole.unwrap().classes(), ["mel", "nv"]);
    // Of two tables none is chosen.
    std::fs::write(root.join("notes.csv"), "what,when\n").unwrap();
    assert_eq!(open().unwrap().classes(), ["part_1", "part_2"]);
    std::fs::remove_file(root.join("HAM10000_metadata.csv")).unwrap();
    let note = &open().unwrap().notes()[0].clone();
    assert!(note.contains("notes.csv is not read"), "{note}");
}
