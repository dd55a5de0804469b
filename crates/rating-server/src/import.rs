//! Files of responses, transcripts and other tools' ratings.

use crate::error::{Error, Result};
use crate::items::{self, Imported, Row};
use crate::numbered::Numbers;
use crate::repeated::Answered;
use crate::settings::Settings;
use crate::{decisions, imported, talks};
use eval_ssa::import::{self, Defaults, Mapping, responses_csv, responses_json, responses_jsonl};
use eval_ssa::{Adjudication, Item, Judgment, Pair, Preference, Rating, System, transcripts};
use metrics::words::counted;
use rusqlite::Connection;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::path::Path;

/// What a file held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// Items to be rated, gold items included.
    pub items: Vec<Item>,
    /// Pairs to be compared.
    pub pairs: Vec<Pair>,
    /// What is known of systems.
    pub systems: Vec<System>,
    /// Answers that were given elsewhere.
    pub ratings: Vec<Rating>,
    /// Choices between the responses of pairs that were made elsewhere.
    pub preferences: Vec<Preference>,
    /// What automatic judges say.
    pub judgments: Vec<Judgment>,
    /// Decisions on items without a majority.
    pub adjudications: Vec<Adjudication>,
    /// Whether the items come from a tool that keeps only their texts: then one that is in the
    /// project with the same texts is the same item.
    pub texts_only: bool,
    /// Whether a later answer of a rater takes the place of an earlier one: the tool corrects
    /// answers where they stand, and says when.
    pub newest_counts: bool,
    /// Those of the items, by their places, whose ids are only numbers of rows: what is in the
    /// project already is known by its contents, and the others get numbers that are free.
    pub numbered: Vec<usize>,
    /// Whether the items are of transcripts, which number their conversations each in its own file:
    /// then one whose number another conversation has in the project gets a number that is free.
    pub of_transcripts: bool,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

impl Records {
    /// Adds all of it.
    ///
    /// # Errors
    /// [`Error::Invalid`] names what cannot be added.
    pub(crate) fn add(&self, db: &Connection, settings: &Settings, now: i64) -> Result<Imported> {
        let seed = settings.seed;
        let mut described = 0;
        for system in &self.systems {
            described += usize::from(items::describe(db, seed, system)?);
        }
        let mut done = self.add_items(db, seed, now)?;
        done += imported::ratings(db, settings, &self.ratings, self.newest_counts, now)?;
        done += imported::preferences(db, settings, &self.preferences, now)?;
        let judged = imported::judgments(db, &self.judgments, now)?;
        let decided = decisions::add(db, &self.adjudications, now)?;
        done.added += described + judged + decided;
        done.known += (self.systems.len() - described)
            + (self.judgments.len() - judged)
            + (self.adjudications.len() - decided);
        Ok(done)
    }

    /// Adds items and pairs.
    fn add_items(&self, db: &Connection, seed: u64, now: i64) -> Result<Imported> {
        let spellings = items::spellings(db)?;
        let spelled = |item: &Item| match spellings.get(&item.system) {
            Some(system) => Item { system: system.clone(), ..item.clone() },
            None => item.clone(),
        };
        let mut all: Vec<Item> = self.items.iter().map(spelled).collect();
        let mut done = Imported::default();
        if self.of_transcripts {
            (all, done.renumbered) = talks::numbered(db, &all)?;
        }
        let numbered: HashSet<usize> = self.numbered.iter().copied().collect();
        let named = all.iter().enumerate().filter(|(at, _)| !numbered.contains(at));
        let mut numbers = Numbers::beside(named.map(|(_, item)| item.id.clone()).collect());
        let (mut rows, mut answered) = (Vec::new(), Answered::default());
        for (at, mut item) in all.into_iter().enumerate() {
            if self.texts_only && items::has_text(db, &item)? {
                done.known += 1;
                continue;
            }
            if numbered.contains(&at) {
                match numbers.of(db, &item)? {
                    Some(id) => item.id = id,
                    None => {
                        done.known += 1;
                        continue;
                    }
                }
            }
            done.again += usize::from(answered.has_other(db, &item)?);
            rows.push(Row::item(&item)?);
        }
        rows.extend(self.pairs.iter().map(Row::pair).collect::<Result<Vec<_>>>()?);
        done += items::add(db, seed, &rows, now)?;
        Ok(done)
    }
}

/// Another tool in which people rated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Label Studio's JSON export, which holds the responses as well.
    LabelStudio,
    /// Potato's `annotated_instances.jsonl`, `user_state.json` or JSONL export.
    Potato,
    /// doccano's JSONL export of text classification, one file a rater.
    Doccano,
}

/// Reads the ratings of another tool. `rater` is whose they are where the file does not say it:
/// otherwise the name of doccano's file or of Potato's folder. Label Studio's always says it, but
/// by numbers that are those of one server: there `rater` names the server, and `user 1` becomes
/// `rater/user 1`. Files without responses refer to items that are in the project already; where a
/// file with responses does not say whose they are, they are `system`'s.
///
/// # Errors
/// [`Error::Input`] names the file and the place in it; [`Error::Invalid`] when `rater` is empty.
pub fn read_tool(
    path: &Path,
    tool: Tool,
    rater: Option<&str>,
    system: Option<&str>,
) -> Result<Records> {
    let failed = |problem: String| Error::Input { file: path.to_owned(), problem };
    if rater.is_some_and(|rater| rater.trim().is_empty()) {
        return Err(Error::invalid(
            "the name of the rater, or of Label Studio's server, is empty: give one by --rater, or \
             leave it out",
        ));
    }
    let text = text(path)?;
    let name =
        |path: Option<&std::ffi::OsStr>| path.and_then(|name| name.to_str()).map(str::to_owned);
    let mapping = Mapping::default();
    let read = match tool {
        Tool::LabelStudio => import::label_studio(&text, &mapping),
        Tool::Potato => {
            let folder = name(path.parent().and_then(Path::file_name));
            import::potato(&text, rater.or(folder.as_deref()), &mapping)
        }
        Tool::Doccano => {
            let stem = name(path.file_stem()).unwrap_or_default();
            import::doccano(&text, rater.unwrap_or(&stem), &mapping)
        }
    };
    let read = read.map_err(|error| failed(error.to_string()))?;
    let (mut items, mut ratings, mut notes) = (read.items, read.ratings, read.notes);
    if let (Tool::LabelStudio, Some(server)) = (tool, rater) {
        for rating in &mut ratings {
            rating.rater = format!("{server}/{}", rating.rater);
        }
    }
    let nameless = items.iter_mut().filter(|item| item.system == import::UNKNOWN);
    let mut count = 0;
    for item in nameless {
        match system {
            Some(system) => system.clone_into(&mut item.system),
            None => count += 1,
        }
    }
    if count > 0 {
        let (responses, were) =
            (counted(count, "response"), if count == 1 { "was" } else { "were" });
        notes.push(format!(
            "{responses} without a system {were} given to {:?}: name theirs by --system",
            import::UNKNOWN
        ));
    }
    let newest_counts = tool == Tool::LabelStudio;
    Ok(Records { items, ratings, notes, texts_only: true, newest_counts, ..Records::default() })
}

/// Reads conversations in the format of the Meena paper's repository, as turns of a system to be
/// rated: those of `speaker`, or else of whom the headings name. The system is named `system`, or
/// else as the speaker.
///
/// # Errors
/// [`Error::Input`] names the file, and the line or the speakers that it has.
pub fn read_transcripts(
    path: &Path,
    system: Option<&str>,
    speaker: Option<&str>,
) -> Result<Records> {
    let failed = |problem: String| Error::Input { file: path.to_owned(), problem };
    let text = text(path)?;
    let conversations = transcripts::parse(&text).map_err(|error| failed(error.to_string()))?;
    let mut items = Vec::new();
    for conversation in &conversations {
        let speaker = speaker.unwrap_or(&conversation.name);
        items.extend(conversation.items(system.unwrap_or(speaker), speaker, usize::MAX));
    }
    if items.is_empty() {
        let turns = conversations.iter().flat_map(|conversation| &conversation.turns);
        let speakers: std::collections::BTreeSet<&str> =
            turns.map(|turn| turn.speaker.as_str()).collect();
        let speakers: Vec<&str> = speakers.into_iter().collect();
        return Err(failed(format!(
            "no turn to be rated: say whose turns are, by --speaker ({})",
            speakers.join(", ")
        )));
    }
    Ok(Records { items, of_transcripts: true, ..Records::default() })
}

/// Why a file that an export writes is not read back, and what to import in its place.
fn written_only(name: &str, text: &str) -> Option<&'static str> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let first = serde_json::from_str::<serde_json::Value>(first).unwrap_or_default();
    let has = |field: &str| first.get(field).is_some();
    if name.ends_with("labels.jsonl") && has("label") && !has("response") {
        return Some(
            "it holds texts with the labels that people gave them, of which `tutor fit --text` \
             makes a classifier: import items.jsonl and ratings.jsonl, which the labels follow from",
        );
    }
    (name == "study.json" && has("required")).then_some(
        "it says how many votes each response gets, which a study is made with (`tutor rate init \
         --votes`): import the other files of its folder",
    )
}

/// Reads a file by its name: `systems.jsonl`, `pairs.jsonl`, `ratings.jsonl`, `preferences.jsonl`,
/// `judgments.jsonl`, `adjudications.jsonl`, items as lines of JSON, or responses as CSV, lines of
/// JSON or a list of JSON objects; in upper case too. `system` is whose responses they are where
/// the file does not say it.
///
/// # Errors
/// [`Error::Input`] names the file and the line.
pub fn read_records(path: &Path, system: Option<&str>) -> Result<Records> {
    let failed = |problem: String| Error::Input { file: path.to_owned(), problem };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.to_lowercase();
    if name.ends_with(".parquet") {
        let fault = "tables in Parquet are not read: import ratings.jsonl, or CSV or lines of JSON";
        return Err(failed(fault.to_owned()));
    }
    let text = text(path)?;
    if let Some(fault) = written_only(&name, &text) {
        return Err(failed(fault.to_owned()));
    }
    if name.ends_with("systems.jsonl") {
        return Ok(Records { systems: lines(&text).map_err(failed)?, ..Records::default() });
    }
    if name.ends_with("pairs.jsonl") {
        return Ok(Records { pairs: lines(&text).map_err(failed)?, ..Records::default() });
    }
    if name.ends_with("ratings.jsonl") {
        return Ok(Records { ratings: lines(&text).map_err(failed)?, ..Records::default() });
    }
    if name.ends_with("preferences.jsonl") {
        return Ok(Records { preferences: lines(&text).map_err(failed)?, ..Records::default() });
    }
    if name.ends_with("adjudications.jsonl") {
        let adjudications = lines(&text).map_err(failed)?;
        return Ok(Records { adjudications, ..Records::default() });
    }
    if name.ends_with("judgments.jsonl") {
        return Ok(Records { judgments: lines(&text).map_err(failed)?, ..Records::default() });
    }
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let is_item = serde_json::from_str::<serde_json::Value>(first)
        .is_ok_and(|line| line.get("id").is_some() && line.get("turn").is_some());
    if is_item {
        return Ok(Records { items: lines(&text).map_err(failed)?, ..Records::default() });
    }
    let is_list = text.trim_start().starts_with('[');
    let defaults = Defaults { system: system.map(str::to_owned), ..Defaults::default() };
    let mapping = Mapping::default();
    let read = match name.rsplit_once('.').map(|(_, end)| end) {
        Some("csv" | "tsv") => responses_csv(&text, &defaults, &mapping),
        Some("json") if is_list => responses_json(&text, &defaults, &mapping),
        Some("jsonl" | "ndjson" | "json") => responses_jsonl(&text, &defaults, &mapping),
        _ => {
            let fault = "the name ends neither in .csv nor in .jsonl, .tsv, .ndjson or .json";
            return Err(failed(fault.to_owned()));
        }
    };
    let read = read.map_err(|error| failed(error.to_string()))?;
    if read.items.is_empty() {
        return Err(failed("there is no response in it".to_owned()));
    }
    let (items, numbered, notes) = (read.items, read.numbered, read.notes);
    Ok(Records { items, numbered, notes, ..Records::default() })
}

/// The text of a file.
fn text(path: &Path) -> Result<String> {
    let failed = |problem: String| Error::Input { file: path.to_owned(), problem };
    if path.is_dir() {
        return Err(failed("it is a folder: name the files in it".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        failed("it is no text in UTF-8 (a spreadsheet writes that as \"CSV UTF-8\")".to_owned())
    })?;
    // Some editors mark a text in UTF-8.
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Lines of JSON; only a line feed ends a line.
fn lines<T: DeserializeOwned>(text: &str) -> std::result::Result<Vec<T>, String> {
    let full = (1..).zip(text.split('\n')).filter(|(_, line)| !line.trim().is_empty());
    full.map(|(number, line)| {
        serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every server of Label Studio has a `user 1`.
    #[test]
    fn users_of_two_servers_are_two_raters() {
        let folder = tempfile::tempdir().expect("a folder");
        let export = |name: &str, choice: &str, day: u32| {
            let path = folder.path().join(name);
            let result =
                format!(r#"{{"from_name": "sensible", "value": {{"choices": ["{choice}"]}}}}"#);
            let text = format!(
                r#"[{{"id": 7, "data": {{"response": "Hi.", "context": ["Hello?"]}},
                    "annotations": [{{"completed_by": 1, "updated_at": "2026-05-0{day}T10:00:00Z",
                      "result": [{result}]}}]}}]"#
            );
            std::fs::write(&path, text).expect("a file");
            path
        };
        let (first, second) = (export("a.json", "yes", 1), export("b.json", "no", 2));
        let read = |path: &Path, server: Option<&str>| {
            read_tool(path, Tool::LabelStudio, server, Some("mine"))
        };
        let settings = Settings { votes: 3, ..Settings::default() };
        let path = folder.path().join("s.db");
        let project = crate::Project::create(&path, &settings, None).expect("new");
        let add = |path: &Path, server: Option<&str>| {
            project.add_records(&read(path, server).expect("an export"))
        };
        assert_eq!(add(&first, None).expect("a response and its rating").added, 2);
        let done = add(&second, Some("lab")).expect("another server's");
        assert_eq!((done.added, done.replaced), (1, 0));
        assert_eq!(project.raters().expect("raters").len(), 2);
        let named = read(&second, Some("lab")).expect("an export");
        assert_eq!(named.ratings[0].rater, "lab/user 1");
        // Without a name the second one would be a correction of the first.
        assert_eq!(add(&second, None).expect("a correction").replaced, 1);
        let said = read(&second, Some(" ")).expect_err("no name").to_string();
        assert!(said.contains("--rater"), "{said}");
    }

    /// Earlier versions kept names of systems with the spaces around them.
    #[test]
    fn a_system_of_the_study_keeps_its_spelling() {
        let folder = tempfile::tempdir().expect("a folder");
        let csv = folder.path().join("one.csv");
        std::fs::write(&csv, "context,response\nDo you ski?,No\n").expect("a file");
        let mut old = read_records(&csv, Some("one")).expect("a response");
        old.items[0].system = " one".to_owned();
        let path = folder.path().join("s.db");
        let project = crate::Project::create(&path, &Settings::default(), None).expect("new");
        assert_eq!(project.add_records(&old).expect("as it was").added, 1);
        std::fs::write(&csv, "context,response\nDo you ski?,No\nAnd you?,Yes\n").expect("a file");
        let new = read_records(&csv, Some(" one ")).expect("two responses");
        let done = project.add_records(&new).expect("one more");
        assert_eq!((done.added, done.known), (1, 1));
        let study = project.study(crate::Names::Own).expect("a study");
        assert!(study.items.iter().all(|item| item.system == " one"), "{:?}", study.items);
        assert_eq!(study.items.len(), 2);
    }

    #[test]
    fn files_are_read_by_their_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path
        };
        let csv = write("mine.csv", "context,response\nDo you ski?,\"Yes, often\"\n");
        let read = read_records(&csv, Some("mine")).expect("responses");
        assert_eq!((read.items.len(), &*read.items[0].response), (1, "Yes, often"));
        assert!(read_records(&csv, None).expect_err("whose?").to_string().contains("mine.csv"));
        let upper = write("MINE.CSV", "context,response\nDo you ski?,No\n");
        assert_eq!(read_records(&upper, Some("mine")).expect("responses").items.len(), 1);
        let list = write("mine.json", "[{\"context\": [\"Hi!\"],\n \"response\": \"Hey\"}]");
        let from_list = read_records(&list, Some("mine")).expect("a list");
        assert_eq!((from_list.items.len(), &*from_list.items[0].response), (1, "Hey"));
        let open = write("open.csv", "context,response\nHi,\"unclosed\nfoo,bar\n");
        let said = read_records(&open, Some("mine")).expect_err("an open quote").to_string();
        assert!(said.contains("open.csv: line 2: ") && said.contains("quote"), "{said}");
        let item = serde_json::to_string(&read.items[0]).expect("plain data");
        let items = write("items.jsonl", &format!("{item}\n\n{item}\n"));
        assert_eq!(read_records(&items, None).expect("items").items.len(), 2);
        let wrong = write("systems.jsonl", "{\"name\": \"a\"}\n{\"nome\": \"b\"}\n");
        assert!(read_records(&wrong, None).expect_err("a typo").to_string().contains("line 2"));
        // Of what an export writes, some files are for other programs, and say so.
        let labels = "{\"item\": \"a\", \"text\": \"Hey\", \"label\": \"sensible\"}\n";
        for (name, text, way_out) in [
            ("labels.jsonl", labels, "import items.jsonl and ratings.jsonl"),
            ("study.json", "{\"required\":3}\n", "--votes"),
            ("ratings.parquet", "PAR1", "import ratings.jsonl"),
        ] {
            let said = read_records(&write(name, text), Some("mine")).expect_err(name).to_string();
            assert!(said.contains(name) && said.contains(way_out), "{said}");
        }
        let own = "{\"context\": [\"Hi!\"], \"response\": \"Hey\", \"label\": \"x\"}";
        let own = read_records(&write("my-labels.jsonl", own), Some("mine")).expect("responses");
        assert_eq!(own.items.len(), 1);
        let latin = folder.path().join("latin.csv");
        std::fs::write(&latin, b"context,response\nCaf\xe9?,ja\n").expect("a file");
        let said = read_records(&latin, Some("mine")).expect_err("Latin-1").to_string();
        assert!(said.contains("latin.csv") && said.contains("CSV UTF-8"), "{said}");
        let said = read_records(folder.path(), Some("mine")).expect_err("a folder").to_string();
        assert!(said.contains("name the files"), "{said}");
    }
}
