//! Readers on small files in the real formats.

use data_pipeline::dialog::*;
use data_pipeline::text::read::{OnBadInput, Tally};
use std::path::Path;

fn read_with(
    format: DialogFormat,
    name: &str,
    bytes: &[u8],
    options: &DialogReadOptions,
) -> Result<(Vec<Message>, Tally), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read_all(&[DialogSource { path, format, part: None }], options).map_err(|e| e.to_string())
}

fn read(format: DialogFormat, name: &str, text: &str) -> Vec<Message> {
    read_with(format, name, text.as_bytes(), &DialogReadOptions::default()).unwrap().0
}

/// (conversation, id, parent, author, text).
fn shown(messages: &[Message]) -> Vec<(&str, &str, Option<&str>, &str, &str)> {
    let all = messages.iter();
    all.map(|m| (&*m.conversation, &*m.id, m.parent.as_deref(), &*m.author, &*m.text)).collect()
}

#[test]
fn lines_of_messages() {
    let found = read(
        DialogFormat::JsonLines,
        "a.jsonl",
        "{\"id\": 2, \"parent\": \"1\", \"conversation\": \"c\", \"author\": \"x\", \"text\": \"é\\n\"}\n\n\
         {\"id\": \"1\", \"parent\": null, \"text\": \"\", \"score\": 3, \"part\": \"test\"}\r\n",
    );
    assert_eq!(shown(&found), [("c", "2", Some("1"), "x", "é\n"), ("", "1", None, "", "")]);
    assert_eq!((found[0].part, found[1].part), (None, Some(DialogPart::Test)));
}

#[test]
fn bad_lines_are_errors_or_counted() {
    let lines: [(&[u8], &str); 5] = [
        (b"{\"id\": \"1\"}", "missing field `text`"),
        (b"{\"id\": [], \"text\": \"a\"}", "`id` is neither"),
        (b"{\"id\": \"1\", \"text\": \"a\"", "EOF while parsing an object at column 23"),
        (b"\xff\xfe", "no UTF-8"),
        (b"{\"id\": \"\", \"text\": \"a\"}", "`id` is empty"),
    ];
    let good = b"{\"id\": \"1\", \"text\": \"good\"}\n".to_vec();
    let format = DialogFormat::JsonLines;
    for (line, fault) in lines {
        let bytes = [&good[..], line, b"\n", &good].concat();
        let error = read_with(format, "a.jsonl", &bytes, &DialogReadOptions::default());
        let error = error.unwrap_err();
        assert!(error.contains(fault) && error.contains("a.jsonl line 2"), "{error}");
        let skip = DialogReadOptions { on_bad: OnBadInput::Skip, ..Default::default() };
        let (found, tally) = read_with(format, "a.jsonl", &bytes, &skip).unwrap();
        assert_eq!((found.len(), tally.skipped.values().sum::<u64>()), (2, 1), "{fault}");
    }
    let nothing = read_with(format, "a.jsonl", b"", &DialogReadOptions::default()).unwrap_err();
    assert!(nothing.contains("no message"), "{nothing}");
    // A line of a megabyte, where less is allowed.
    let long =
        [b"{\"id\": \"1\", \"text\": \"", &b"a".repeat(1 << 20)[..], b"\"}\n", &good].concat();
    let short = DialogReadOptions { longest: 1 << 16, on_bad: OnBadInput::Skip };
    assert_eq!(read_with(format, "a.jsonl", &long, &short).unwrap().0.len(), 1);
}

#[test]
fn daily_dialog() {
    let text =
        "The kitchen stinks . __eou__ I'll throw out the garbage .\nHi ! __eou__ Hi ! __eou__\n";
    let found = read(DialogFormat::DailyDialog, "dialogues_text.txt", text);
    let first = "daily-dialog/dialogues_text/000001";
    assert_eq!(
        shown(&found)[..2],
        [
            (first, "0000", None, "A", "The kitchen stinks."),
            (first, "0001", Some("0000"), "B", "I'll throw out the garbage."),
        ]
    );
    assert_eq!(found.len(), 4);
    let table = "Hi ! __eou__ Hello ! __eou__\t1\t3 4\t4 2\n";
    let found = read(DialogFormat::DailyDialog, "test.tsv", table);
    assert_eq!((found.len(), &*found[1].text), (2, "Hello!"));
}

#[test]
fn topical_chat() {
    let text = r#"{"t_1": {"article_url": "u", "config": "C", "content": [
        {"message": "Did you know?", "agent": "agent_1", "sentiment": "Neutral",
         "knowledge_source": ["FS1"], "turn_rating": "Good"},
        {"message": "I did.", "agent": "agent_2", "sentiment": "Neutral",
         "knowledge_source": ["FS1"], "turn_rating": "Good"}],
        "conversation_rating": {"agent_1": "Good"}}}"#;
    let found = read(DialogFormat::TopicalChat, "test_freq.json", text);
    let name = "topical-chat/test_freq/t_1";
    assert_eq!(
        shown(&found),
        [
            (name, "0000", None, "agent_1", "Did you know?"),
            (name, "0001", Some("0000"), "agent_2", "I did.")
        ]
    );
    let options = DialogReadOptions::default();
    let error = read_with(DialogFormat::TopicalChat, "a.json", b"{\"a\": [", &options).unwrap_err();
    assert!(error.contains("a.json line 1"), "{error}");
}

#[test]
fn irc_with_links() {
    let folder = tempfile::tempdir().unwrap();
    let raw = "[03:01] <ann> which app opens rar?\n=== bob has joined #ubuntu\n\
               [03:02] <bob> try\u{85}unrar\n[03:02]  * cat waves at all\n[03:03] <ann> thanks\n\
               [03:04] <dan> unrelated\n";
    std::fs::write(folder.path().join("log.raw.txt"), raw).unwrap();
    let links = "0 0 -\n0 2 -\n2 4 -\n0 4 -\n3 3 -\n1 5 -\n";
    std::fs::write(folder.path().join("log.annotation.txt"), links).unwrap();
    std::fs::write(folder.path().join("README.md"), "not a log").unwrap();
    let source = DialogSource {
        path: folder.path().into(),
        format: DialogFormat::Irc,
        part: Some(DialogPart::Train),
    };
    let (found, tally) = read_all(std::slice::from_ref(&source), &Default::default()).unwrap();
    let name = "irc/log/00000";
    assert_eq!(
        shown(&found),
        [
            (name, "00000", None, "ann", "which app opens rar?"),
            (name, "00002", Some("00000"), "bob", "try\u{85}unrar"),
            ("irc/log/00003", "00003", None, "cat", "waves at all"),
            (name, "00004", Some("00002"), "ann", "thanks"),
            ("irc/log/00001", "00005", Some("00001"), "dan", "unrelated"),
        ]
    );
    assert!(found.iter().all(|message| message.part == Some(DialogPart::Train)));
    assert_eq!(tally.skipped["a link to a line that is no message"], 1);
    std::fs::remove_file(folder.path().join("log.raw.txt")).unwrap();
    let error = read_all(&[source], &Default::default()).unwrap_err().to_string();
    assert!(error.contains("log.raw.txt"), "{error}");
}

#[test]
fn transcripts_of_meena() {
    let text = "\nMeena Conversation 1\nHuman: Hi!\nMeena: Note: it is late.\nMeena: Really.\n\n\n\
                Human Conversation 1\nHuman: Hey\n\"\n";
    let found = read(DialogFormat::Transcripts, "meena.txt", text);
    let name = "transcripts/meena/Meena/000001";
    assert_eq!(
        shown(&found),
        [
            (name, "0000", None, "Human", "Hi!"),
            (name, "0001", Some("0000"), "Meena", "Note: it is late."),
            (name, "0002", Some("0001"), "Meena", "Really."),
            ("transcripts/meena/Human/000001", "0000", None, "Human", "Hey"),
        ]
    );
    let options = DialogReadOptions::default();
    let error = read_with(DialogFormat::Transcripts, "a.txt", b"A story: it is.\n", &options);
    assert!(error.unwrap_err().contains("a.txt line 1"));
}

#[test]
fn convokit() {
    let text = "{\"id\": \"u1\", \"conversation_id\": \"u0\", \"text\": \"Yes.\", \"speaker\": \"b\", \
                \"meta\": {}, \"reply-to\": \"u0\", \"timestamp\": 1}\n\
                {\"id\": \"u0\", \"root\": \"u0\", \"text\": null, \"user\": {\"id\": \"a\"}, \
                \"reply_to\": null}\n\
                {\"id\": \"u2\", \"root\": \"u0\", \"conversation_id\": \"u0\", \"text\": \"No.\", \
                \"user\": \"c\", \"speaker\": \"c\", \"reply_to\": \"u0\", \"reply-to\": \"u1\"}\n";
    let found = read(DialogFormat::Convokit, "utterances.jsonl", text);
    let name = "convokit/utterances/u0";
    let expected = [
        (name, "u1", Some("u0"), "b", "Yes."),
        (name, "u0", None, "a", ""),
        (name, "u2", Some("u1"), "c", "No."),
    ];
    assert_eq!(shown(&found), expected);
}

#[test]
fn reddit() {
    let text = "{\"id\": \"c2\", \"parent_id\": \"t1_c1\", \"link_id\": \"t3_s\", \"author\": \"b\", \
                \"body\": \"a &gt; b\", \"score\": 1}\n\
                {\"id\": \"c1\", \"parent_id\": \"t3_s\", \"link_id\": \"t3_s\", \"author\": \"a\", \
                \"body\": \"[deleted]\"}\n{\"id\": \"s\", \"title\": \"A submission\"}\n\
                {\"id\": \"c3\", \"parent_id\": 443, \"link_id\": \"t3_s\", \"body\": \"x\"}\n";
    let options = DialogReadOptions::default();
    let (found, tally) =
        read_with(DialogFormat::Reddit, "RC.jsonl", text.as_bytes(), &options).unwrap();
    let name = "reddit/s";
    assert_eq!(
        shown(&found),
        [
            (name, "c2", Some("c1"), "b", "a > b"),
            (name, "c1", None, "a", ""),
            (name, "c3", Some("cb"), "", "x")
        ]
    );
    assert_eq!(tally.skipped["a record that is no message"], 1);
}

#[test]
fn what_reddit_took_away_has_no_text_and_entities_are_characters() {
    let comment = |body: &str| {
        let line = format!("{{\"id\": \"c\", \"link_id\": \"t3_s\", \"body\": \"{body}\"}}\n");
        read(DialogFormat::Reddit, "RC.jsonl", &line)[0].text.clone()
    };
    for gone in [
        "[deleted]",
        "[removed]",
        "[deleted by user]",
        "[ Removed by Reddit ]",
        "[ Removed by reddit in response to a copyright notice. ]",
    ] {
        assert_eq!(comment(gone), "", "{gone}");
    }
    assert_eq!(comment("[removed] the lid"), "[removed] the lid");
    let entities =
        "a&amp;nbsp;b &amp;#x200B; it&#39;s &lt;3 &amp;gt; &amp;lt; R&amp;amp;B &nothing;";
    assert_eq!(comment(entities), "a\u{a0}b \u{200b} it's <3 > < R&B &nothing;");
}

/// Half a surrogate pair, which Python's `json` writes, is no reason to lose a line.
#[test]
fn lines_with_halves_of_characters() {
    let text = |escaped: &str| {
        let line = format!("{{\"id\": \"1\", \"text\": \"{escaped}\"}}\n");
        read(DialogFormat::JsonLines, "a.jsonl", &line)[0].text.clone()
    };
    assert_eq!(text(r"so \ud83d sad"), "so \u{fffd} sad");
    assert_eq!(text(r"\ude00 \ud83d\ude00\ud83d"), "\u{fffd} \u{1f600}\u{fffd}");
    assert_eq!(text(r"\ud83d\ud83d\ude00"), "\u{fffd}\u{1f600}");
    assert_eq!(text(r"a \\ud83d \n é\\"), "a \\ud83d \n é\\");
}

#[test]
fn an_array_is_no_message() {
    let options = DialogReadOptions::default();
    let line = b"[\"1\", null, \"c\", \"ann\", \"hello there\", \"train\"]\n";
    let error = read_with(DialogFormat::JsonLines, "a.jsonl", line, &options).unwrap_err();
    assert!(error.contains("a.jsonl line 1: no object"), "{error}");
}

/// Dumps are packed with windows of up to 2 GiB.
#[test]
fn reddit_dumps_with_large_windows() {
    for window in [0xa8u8, 0x90, 0x88] {
        let mut file = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, window, 0x59, 0x00, 0x00];
        file.extend(b"{\"id\":\"a\"}\n");
        assert_eq!(file.len(), 20);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("RC_2012-12.zst");
        std::fs::write(&path, file).unwrap();
        let source = DialogSource { path: path.clone(), format: DialogFormat::Reddit, part: None };
        let mut each = |_| Ok(());
        let tally = source.read(&path, &Default::default(), &mut each).unwrap();
        assert_eq!((tally.lines, tally.skipped["a record that is no message"]), (1, 1));
    }
}

#[test]
fn blocks_of_lines() {
    let found = read(DialogFormat::Blocks, "a.txt", "\nHi.\nHello.\n \n\nBye.\n");
    let [first, second] = ["blocks/a/00000001", "blocks/a/00000002"];
    assert_eq!(
        shown(&found),
        [
            (first, "0000", None, "A", "Hi."),
            (first, "0001", Some("0000"), "B", "Hello."),
            (second, "0000", None, "A", "Bye."),
        ]
    );
}

#[test]
fn tables() {
    let text =
        "conversation,author,text\nc,a,\"Hi, you\"\nc,b,\"two\nlines\"\nd,a,Bye\nc,b,Again\n";
    let found = read(DialogFormat::Csv, "a.csv", text);
    assert_eq!(
        shown(&found),
        [
            ("csv/a/c", "000000000001", None, "a", "Hi, you"),
            ("csv/a/c", "000000000002", Some("000000000001"), "b", "two\nlines"),
            ("csv/a/d", "000000000003", None, "a", "Bye"),
            // The same name again, behind another conversation.
            ("csv/a/c", "000000000004", None, "b", "Again"),
        ]
    );
    let found = read(DialogFormat::Csv, "a.csv", "text\nHi\nHello\n");
    let (first, second) = ("000000000001", "000000000002");
    assert_eq!(
        shown(&found),
        [("csv/a", first, None, "", "Hi"), ("csv/a", second, Some(first), "", "Hello")]
    );
    let found = read(DialogFormat::Csv, "a.tsv", "text\tid\tparent\tpart\nHi\t2\t1\ttest\n");
    assert_eq!(shown(&found), [("", "2", Some("1"), "", "Hi")]);
    assert_eq!(found[0].part, Some(DialogPart::Test));
    let rows = "text;author\n\"Hi; you\";a, b\n";
    for above in ["", "sep=;\n", "\n \nsep=;\n\n"] {
        let text = &format!("{above}{rows}");
        let found = read(DialogFormat::Csv, "a.csv", text);
        assert_eq!(shown(&found), [("csv/a", first, None, "a, b", "Hi; you")]);
    }
    let options = DialogReadOptions::default();
    for (text, fault) in [("a,b\n1,2\n", "no column `text`"), ("text,part\na,dev\n", "line 2")] {
        let error = read_with(DialogFormat::Csv, "a.csv", text.as_bytes(), &options).unwrap_err();
        assert!(error.contains(fault), "{error}");
    }
}

/// A quote in a `.tsv` is a character; in a `.csv` a stray one takes no other rows with it.
#[test]
fn tables_lose_no_rows_and_no_ends_of_texts() {
    let tsv = "id\tparent\ttext\n1\t\t\"Well, said I\n2\t1\tSo?\n3\t2\tYes\" it is\n";
    let found = read(DialogFormat::Csv, "a.tsv", tsv);
    let texts: Vec<&str> = found.iter().map(|message| &*message.text).collect();
    assert_eq!(texts, ["\"Well, said I", "So?", "Yes\" it is"]);
    let wide = "id\ttext\n1\ta\n2\tb\tc\n";
    let stray = "id,text\n1,\"open\n2,fine\n3,\"quoted, \"\"too\"\"\"\n";
    let commas = "id,text\n1,\"a, b\"\n2,a, b\n";
    for (name, text, fault, kept) in [
        ("a.tsv", wide, "line 3: 3 columns, the first line has 2", 1),
        ("a.csv", stray, "line 2: a cell begins with a quote", 2),
        ("a.csv", commas, "line 3: 3 columns, the first line has 2", 1),
    ] {
        let options = DialogReadOptions::default();
        let error = read_with(DialogFormat::Csv, name, text.as_bytes(), &options).unwrap_err();
        assert!(error.contains(fault), "{error}");
        let skip = DialogReadOptions { on_bad: OnBadInput::Skip, ..options };
        let (found, tally) = read_with(DialogFormat::Csv, name, text.as_bytes(), &skip).unwrap();
        assert_eq!((found.len(), tally.skipped.values().sum::<u64>()), (kept, 1), "{text}");
    }
    let twice = read_with(DialogFormat::Csv, "a.csv", b"text,text\na,b\n", &Default::default());
    assert!(twice.unwrap_err().contains("several columns are named `text`"));
}

/// Pandas makes floats of numbers with gaps, and words of the gaps. What is no number stays as it
/// is written; such parents are found when trees are made.
#[test]
fn parents_are_read_as_pandas_writes_them() {
    let csv = "id,parent,text\n10,None,a\n11,10.0,b\n12,nan,c\n";
    let lines = "{\"id\": 10, \"parent\": \"None\", \"text\": \"a\"}\n\
                 {\"id\": 11.0, \"parent\": 10.0, \"text\": \"b\"}\n\
                 {\"id\": \"12.0\", \"parent\": null, \"text\": \"c\"}\n";
    for (format, name, text, parent, last) in [
        (DialogFormat::Csv, "a.csv", csv, "10.0", "12"),
        (DialogFormat::JsonLines, "a.jsonl", lines, "10", "12.0"),
    ] {
        let found = read(format, name, text);
        let ids: Vec<_> = found.iter().map(|m| (&*m.id, m.parent.as_deref())).collect();
        assert_eq!(ids, [("10", None), ("11", Some(parent)), (last, None)], "{name}");
    }
    // Two names of numbered headings.
    let found = read(DialogFormat::Csv, "a.csv", "id,parent,text\n1,,a\n1.0,1,b\n");
    let ids: Vec<_> = found.iter().map(|m| &*m.id).collect();
    assert_eq!(ids, ["1", "1.0"]);
}

#[test]
fn files_that_are_packed_otherwise_say_how_to_unpack_them() {
    for (bytes, way_out) in [
        (&b"BZh91AY&SY"[..], "bzip2 (unpack it first"),
        (&b"\xfd7zXZ\0\0"[..], "xz (unpack it first"),
    ] {
        let error = read_with(DialogFormat::Reddit, "RC", bytes, &Default::default());
        let error = error.unwrap_err();
        assert!(error.contains(way_out), "{error}");
    }
}

/// Files of one name in two folders, or with one name up to the first dot.
#[test]
fn conversations_of_files_that_are_called_alike_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["train/talk.txt", "test/talk.txt", "other.a.txt", "other.b.txt", "alone.txt"];
    for (number, name) in texts.iter().enumerate() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("Hello {number}.\nBye {number}.\n")).unwrap();
    }
    let source = |name: &str| DialogSource {
        path: folder.path().join(name),
        format: DialogFormat::Blocks,
        part: None,
    };
    let names = |sources: &[DialogSource]| {
        let (messages, _) = read_all(sources, &Default::default()).unwrap();
        let mut names: Vec<String> = messages.into_iter().map(|m| m.conversation).collect();
        names.dedup();
        names
    };
    let found = names(&texts.map(source));
    let expected = ["train/talk.txt", "test/talk.txt", "other.a.txt", "other.b.txt", "alone"];
    assert_eq!(found, expected.map(|name| format!("blocks/{name}/00000001")));
    // Alone a file has its short name, whatever is beside it; named twice it is one.
    assert_eq!(names(&[source(texts[0])]), ["blocks/talk/00000001"]);
    let again = source("test/../train/talk.txt");
    assert_eq!(names(&[source(texts[0]), again]), ["blocks/talk/00000001"]);
}

/// Every corpus of ConvoKit has an `utterances.jsonl`, and most number their utterances from 0.
#[test]
fn corpora_with_the_same_ids_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let source = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        let line = |id: u8, parent: &str, text: &str| {
            format!(
                "{{\"id\": \"u{id}\", \"conversation_id\": \"u0\", \"reply-to\": {parent}, \
                 \"speaker\": \"s\", \"text\": \"{text} in {name}\"}}\n"
            )
        };
        let lines = [line(0, "null", "What is it"), line(1, "\"u0\"", "It is a thing")].concat();
        std::fs::write(path.join("utterances.jsonl"), lines).unwrap();
        DialogSource { path, format: DialogFormat::Convokit, part: None }
    };
    let sources = ["movies", "cars"].map(source);
    let (messages, _) = read_all(&sources, &Default::default()).unwrap();
    let name = |name: &str| format!("convokit/{name}/utterances.jsonl/u0");
    assert_eq!(
        (&messages[0].conversation, &messages[2].conversation),
        (&name("movies"), &name("cars"))
    );
    let dialogs = Dialogs::new(messages, &DialogSplit::default()).unwrap();
    let found = dialogs.select(&Filters::default(), &super::checks()).unwrap();
    let pairs = [
        (vec!["What is it in cars"], "It is a thing in cars"),
        (vec!["What is it in movies"], "It is a thing in movies"),
    ];
    assert_eq!(super::shown(&found), pairs);
    assert_eq!(found.funnel.kept, 4);
}

#[test]
fn a_path_to_nothing_says_so() {
    let path = Path::new("/nowhere/at/all").to_path_buf();
    let source = DialogSource { path, format: DialogFormat::Blocks, part: None };
    let error = read_all(&[source], &Default::default()).unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all"), "{error}");
}
