//! A study: one database file, and all that can be done with it.

use crate::audit::{self, Entry, TOOL};
use crate::chat::{self, Endpoint};
use crate::error::{Error, Result};
use crate::import::Records;
use crate::items::{self, Imported, Row};
use crate::raters::{self, Deletion, Invitation, NewRater, RaterInfo};
use crate::settings::{self, Settings};
use crate::store::Store;
use crate::texts::Texts;
use crate::{backup, control, guideline, imported, password, seats, secret};
use eval_ssa::{Item, Judgment, Pair, Rating, System};
use rusqlite::Connection;
use std::path::Path;

/// A password that nobody guesses, for whoever gives none.
pub fn new_password() -> String {
    web_server::secret::random_name(16)
}

/// A seed that nobody guesses, for whoever names none.
pub fn new_seed() -> u64 {
    // As many bits as every reader of JSON keeps.
    u64::from_le_bytes(web_server::secret::random_bytes()) >> 11
}

/// A study that is open. Several programs may have the same one open.
pub struct Project {
    store: Store,
    settings: Settings,
    texts: Texts,
}

impl Project {
    /// Makes a project in a new file. `guideline` is the text of an [`eval_ssa::Guideline`];
    /// without it the English one is used.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::Invalid`] names a setting or a fault in the guideline. Then no
    /// file stays.
    pub fn create(path: &Path, settings: &Settings, guideline: Option<&str>) -> Result<Self> {
        settings.check()?;
        let text = match guideline {
            Some(text) => text.to_owned(),
            None => toml::to_string(&eval_ssa::Guideline::english())
                .map_err(|error| Error::Invalid(error.to_string()))?,
        };
        let store = Store::create(path)?;
        let kept = settings.clone();
        let now = secret::now();
        let made = store.write(move |db| {
            settings::put(db, "settings", &kept)?;
            guideline::set(db, &text, kept.seed, now)?;
            audit::log(db, now, TOOL, "project made", &kept.name)
        });
        let project = Self { store, settings: settings.clone(), texts: Texts::default() };
        match made {
            Ok(()) => Ok(project),
            Err(error) => {
                project.discard();
                Err(error)
            }
        }
    }

    /// Closes a project that could not be finished and removes its files.
    pub fn discard(self) {
        let path = self.store.path().as_os_str().to_owned();
        drop(self);
        for end in ["", "-wal", "-shm"] {
            let mut file = path.clone();
            file.push(end);
            // Best effort: the error before is the one to report.
            let _ = std::fs::remove_file(file);
        }
    }

    /// Opens a project.
    ///
    /// # Errors
    /// When there is none, or it is of another kind, or of a newer program.
    pub fn open(path: &Path) -> Result<Self> {
        let store = Store::open(path)?;
        let (settings, texts) = store.read(|db| {
            Ok((settings::get(db, "settings")?, settings::get::<String>(db, "texts")?))
        })?;
        let settings = settings.ok_or_else(|| Error::NotAProject {
            path: path.to_owned(),
            why: "it was not finished".to_owned(),
        })?;
        let texts = texts.map_or_else(|| Ok(Texts::default()), |text| Texts::from_toml(&text))?;
        Ok(Self { store, settings, texts })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    /// The choices that the project was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The page's texts.
    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Puts the page's texts into another language. Missing ones stay English; their names are
    /// returned.
    ///
    /// # Errors
    /// [`Error::Invalid`] names unknown texts.
    pub fn set_texts(&mut self, toml: &str) -> Result<Vec<String>> {
        self.texts = Texts::from_toml(toml)?;
        let text = toml.to_owned();
        self.store.write(move |db| settings::put(db, "texts", &text))?;
        Ok(self.texts.missing().to_vec())
    }

    /// Puts another guideline in force, and returns its version. Raters read it before they go on.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it cannot be read or its version is there already.
    pub fn set_guideline(&self, toml: &str) -> Result<String> {
        self.change_guideline(toml, TOOL)
    }

    pub(crate) fn change_guideline(&self, toml: &str, who: &'static str) -> Result<String> {
        let (text, seed, now) = (toml.to_owned(), self.settings.seed, secret::now());
        self.store.write(move |db| {
            let version = guideline::set(db, &text, seed, now)?;
            audit::log(db, now, who, "guideline", &version)?;
            Ok(version)
        })
    }

    /// Adds items, all of them or none.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the item that cannot be added.
    pub fn add_items(&self, items: &[Item]) -> Result<Imported> {
        self.add(items.iter().map(Row::item).collect::<Result<_>>()?)
    }

    /// Adds pairs for comparison side by side, all of them or none.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the pair that cannot be added.
    pub fn add_pairs(&self, pairs: &[Pair]) -> Result<Imported> {
        self.add(pairs.iter().map(Row::pair).collect::<Result<_>>()?)
    }

    fn add(&self, new: Vec<Row>) -> Result<Imported> {
        let seed = self.settings.seed;
        self.store.write(move |db| items::add(db, seed, &new, secret::now()))
    }

    /// Adds all that a file held, or nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] names what cannot be added.
    pub fn add_records(&self, records: &Records) -> Result<Imported> {
        let (settings, records) = (self.settings.clone(), records.clone());
        self.store.write(move |db| records.add(db, &settings, secret::now()))
    }

    /// Adds ratings that were given elsewhere. Their raters get no link; what an item has beyond
    /// its votes is kept as too late and not counted.
    ///
    /// # Errors
    /// [`Error::Invalid`] names a rating that cannot be added; then none is.
    pub fn add_ratings(&self, ratings: &[Rating]) -> Result<Imported> {
        if ratings.is_empty() {
            return Ok(Imported::default());
        }
        let (ratings, settings) = (ratings.to_vec(), self.settings.clone());
        self.store.write(move |db| imported::ratings(db, &settings, &ratings, false, secret::now()))
    }

    /// Keeps what automatic judges say; a later judgement replaces an earlier one of the same
    /// judge.
    ///
    /// # Errors
    /// [`Error::Invalid`] names a judgement of an item that is not there; then none is kept.
    pub fn add_judgments(&self, judgments: &[Judgment]) -> Result<usize> {
        if judgments.is_empty() {
            return Ok(0);
        }
        let judgments = judgments.to_vec();
        self.store.write(move |db| imported::judgments(db, &judgments, secret::now()))
    }

    /// Keeps what the study's owner says about a system: its description and perplexity.
    ///
    /// # Errors
    /// Those of the database.
    pub fn describe(&self, system: &System) -> Result<()> {
        let (system, seed) = (system.clone(), self.settings.seed);
        self.store.write(move |db| items::describe(db, seed, &system).map(|_| ()))
    }

    /// Lets raters hold conversations with a system, `chats` in all.
    ///
    /// # Errors
    /// Those of the database.
    pub fn offer_chats(&self, name: &str, endpoint: &Endpoint, chats: u32) -> Result<()> {
        let (name, endpoint, seed) = (name.to_owned(), endpoint.clone(), self.settings.seed);
        self.store.write(move |db| chat::offer(db, seed, &name, &endpoint, chats))
    }

    /// Whether the study has this system as the control [`Endpoint::GenericBot`], under whatever
    /// name: raters talk to it as that, or all its responses are that control's.
    ///
    /// # Errors
    /// Those of the database.
    pub fn is_control(&self, system: &str) -> Result<bool> {
        self.store.read(|db| control::is_control(db, system))
    }

    /// Adds a rater. The token is shown this once.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn add_rater(&self, new: &NewRater) -> Result<Invitation> {
        let new = new.clone();
        self.store.write(move |db| raters::add(db, &new, TOOL, secret::now()))
    }

    /// All raters.
    ///
    /// # Errors
    /// Those of the database.
    pub fn raters(&self) -> Result<Vec<RaterInfo>> {
        self.store.read(raters::list)
    }

    /// Deletes a rater; [`Deletion`] says what stays. What goes is overwritten in the file.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn delete_rater(&self, key: &str, deletion: Deletion) -> Result<()> {
        let key = key.to_owned();
        self.store.write(move |db| raters::delete(db, &key, deletion, TOOL, secret::now()))?;
        self.store.truncate_log()
    }

    /// Sets the researcher's password, of at least 10 characters. Open sessions end.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is too short.
    pub fn set_password(&self, password: &str) -> Result<()> {
        let hash = password::hash(password)?;
        self.store.write(move |db| {
            db.execute("DELETE FROM session", [])?;
            settings::put(db, "password", &hash)?;
            audit::log(db, secret::now(), TOOL, "password set", "")
        })
    }

    /// Whether the researcher can log in.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_password(&self) -> Result<bool> {
        self.store.read(|db| Ok(settings::get::<String>(db, "password")?.is_some()))
    }

    /// Writes a copy of the whole project to a new file, while others go on. A copy of the file
    /// itself would lack what is still in the write-ahead log.
    ///
    /// # Errors
    /// [`Error::Exists`], and when the copy cannot be written; then no file stays.
    pub fn backup(&self, to: &Path) -> Result<()> {
        backup::backup(self.store.path(), to)
    }

    /// The newest entries of the log, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn audit(&self, most: u32) -> Result<Vec<Entry>> {
        self.store.read(move |db| audit::newest(db, most))
    }

    /// Looks for seats that were given twice or counted wrongly.
    ///
    /// # Errors
    /// [`Error::Invalid`] says how many.
    pub fn check(&self) -> Result<()> {
        self.store.read(|db| seats::check(db, &self.settings))
    }

    /// Limits the file's growth to so many pages, as a full disk would; for tests.
    #[doc(hidden)]
    pub fn limit_growth(&self, pages: i64) -> Result<()> {
        self.store.limit_growth(pages)
    }

    /// Runs work on the database's connection for writing.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store.write_async(work).await
    }
}
