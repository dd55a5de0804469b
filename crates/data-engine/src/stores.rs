//! Where tables lie: on disks of the machine, or in storage that speaks S3.

use crate::error::EngineError;
use crate::names::{first_missing, is_hidden, is_partition, stem};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

/// Opens a bucket when it is first named, by what the environment says of it.
#[derive(Debug, Default)]
pub(crate) struct Stores(DefaultObjectStoreRegistry);

impl ObjectStoreRegistry for Stores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.0.register_store(url, store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if url.scheme() != "s3" {
            return self.0.get_store(url);
        }
        if let Ok(known) = self.0.get_store(url) {
            return Ok(known);
        }
        let bucket = url.host_str().unwrap_or_default();
        let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build();
        let store = Arc::new(store.map_err(|error| DataFusionError::ObjectStore(Box::new(error)))?);
        self.0.register_store(url, store.clone());
        Ok(store)
    }
}

/// A file of a table.
pub(crate) struct Place {
    /// As messages name it.
    pub(crate) path: PathBuf,
    /// As the engine finds it.
    pub(crate) address: String,
    /// The folder that was named; none where the file was.
    pub(crate) folder: Option<PathBuf>,
}

/// The files of what was named, and what a reader of the rows should know beside them.
pub(crate) struct Places {
    pub(crate) files: Vec<Place>,
    pub(crate) note: Option<String>,
}

/// The Parquet files that `path` names: a file, or those of a folder, whose names end in
/// `.parquet`, by name.
pub(crate) async fn places(
    path: &Path,
    runtime: &RuntimeEnv,
) -> std::result::Result<Places, EngineError> {
    let Some(("s3", name)) = path.to_str().and_then(|text| text.split_once("://")) else {
        return local(path);
    };
    let fault = |fault: String| {
        let way_out = "name a file or folder as s3://BUCKET/NAME, with AWS_ACCESS_KEY_ID, \
                       AWS_SECRET_ACCESS_KEY, AWS_REGION and, where it is not Amazon's, \
                       AWS_ENDPOINT in the environment, and AWS_ALLOW_HTTP=true where that is an \
                       http:// address";
        table(path, fault, way_out)
    };
    // As it is written: there are no escapes.
    let (bucket, name) = name.split_once('/').unwrap_or((name, ""));
    let address = Url::parse(&format!("s3://{bucket}")).map_err(|e| fault(e.to_string()))?;
    let store = runtime.object_store_registry.get_store(&address);
    let store = store.map_err(|error| fault(error.strip_backtrace()))?;
    let prefix = Key::parse(name.trim_end_matches('/'));
    let prefix = prefix.map_err(|error| fault(error.to_string()))?;
    // Not the names below sub-folders, which may be very many.
    let listed = store.list_with_delimiter(Some(&prefix)).await;
    let listed = listed.map_err(|error| fault(first_line(&error)))?;
    let mut names: Vec<String> =
        listed.objects.iter().map(|object| object.location.to_string()).collect();
    names.retain(|name| stem(last(name)).is_some());
    names.sort();
    let mut note = None;
    let is_file = names.is_empty() && store.head(&prefix).await.is_ok();
    if is_file {
        names.push(prefix.to_string());
    } else {
        let folders = with_tables(store.as_ref(), &listed.common_prefixes).await;
        note = beside(path, folders.map_err(|error| fault(first_line(&error)))?)?;
        whole(path, names.iter().filter_map(|name| stem(last(name))), names.len())?;
    }
    let place = |name: &String| {
        let mut address = address.clone();
        // What is no escape must not be taken for one.
        address.set_path(&name.replace('%', "%25"));
        let path_of_it = format!("s3://{bucket}/{name}").into();
        let folder = (!is_file).then(|| path.to_path_buf());
        Place { path: path_of_it, address: address.into(), folder }
    };
    Ok(Places { files: names.iter().map(place).collect(), note })
}

/// A name of a bucket without what stands before its last `/`.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// How many names of a sub-folder of a bucket are looked at, as many as one request lists.
const LOOKED_AT: usize = 1000;

/// The names of those sub-folders of a bucket's folder that hold Parquet files, or partitions with
/// some, as far as the first names below each say it: one request each.
async fn with_tables(
    store: &dyn ObjectStore,
    folders: &[Key],
) -> object_store::Result<Vec<String>> {
    const FOLDERS: usize = 1000;
    let seen = folders.iter().filter(|folder| !is_hidden(last(folder.as_ref()))).take(FOLDERS);
    let looked = seen.map(|folder| async move {
        let holds = lists_a_table(store.list(Some(folder)), folder).await?;
        Ok::<_, object_store::Error>(holds.then(|| last(folder.as_ref()).to_owned()))
    });
    let found: Vec<Option<String>> =
        futures::stream::iter(looked).buffered(16).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// Whether one of the first names that a bucket lists below a folder is a Parquet file in it or in
/// partitions below it, as [`holds_a_table`] looks for on disks.
async fn lists_a_table(
    names: impl Stream<Item = object_store::Result<ObjectMeta>> + Unpin,
    folder: &Key,
) -> object_store::Result<bool> {
    let mut names = names.take(LOOKED_AT);
    while let Some(object) = names.try_next().await? {
        let (name, above): (&str, &str) = (object.location.as_ref(), folder.as_ref());
        let below = name.strip_prefix(above).unwrap_or(name).trim_start_matches('/');
        let (between, file) = below.rsplit_once('/').unwrap_or(("", below));
        let is_of_table = between.is_empty() || between.split('/').all(is_partition);
        if stem(file).is_some() && is_of_table {
            return Ok(true);
        }
    }
    Ok(false)
}

fn first_line(error: &impl std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn table(path: &Path, fault: String, way_out: &str) -> EngineError {
    EngineError::Table { path: path.to_path_buf(), fault, way_out: way_out.to_owned() }
}

/// As addresses: in names of files, `*`, `?` and `[` would be patterns.
fn local(path: &Path) -> std::result::Result<Places, EngineError> {
    let other = path.to_str().and_then(|text| text.split_once("://"));
    if let Some((scheme, _)) = other.filter(|_| !path.exists()) {
        let way_out = "name files or folders of this machine by their paths, or s3://BUCKET/NAME";
        return Err(table(path, format!("nothing is read from {scheme}://"), way_out));
    }
    let (files, note) = listed(path)?;
    let folder = path.is_dir().then(|| path.to_path_buf());
    let place = |path: PathBuf| {
        let whole = path.canonicalize().map_err(EngineError::io(&path))?;
        let address = Url::from_file_path(&whole).map_err(|()| {
            let fault = "the name cannot be written as an address".to_owned();
            table(&path, fault, "rename the file")
        })?;
        Ok(Place { path, address: address.into(), folder: folder.clone() })
    };
    let files = files.into_iter().map(place).collect::<std::result::Result<_, EngineError>>()?;
    Ok(Places { files, note })
}

/// A file, or those of a folder that end in `.parquet`, by name.
pub(crate) fn files(path: &Path) -> std::result::Result<Vec<PathBuf>, EngineError> {
    Ok(listed(path)?.0)
}

/// The same, with what should be known beside them.
fn listed(path: &Path) -> std::result::Result<(Vec<PathBuf>, Option<String>), EngineError> {
    if !path.metadata().map_err(EngineError::io(path))?.is_dir() {
        return Ok((vec![path.to_path_buf()], None));
    }
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in path.read_dir().map_err(EngineError::io(path))? {
        let entry = entry.map_err(EngineError::io(path))?.path();
        let name = name(&entry);
        if entry.is_dir() {
            folders.extend((!is_hidden(&name) && holds_a_table(&entry)).then_some(name));
        } else if stem(&name).is_some() && entry.is_file() {
            files.push(entry);
        }
    }
    files.sort();
    folders.sort();
    let note = beside(path, folders)?;
    let names: Vec<String> = files.iter().map(|file| name(file)).collect();
    whole(path, names.iter().filter_map(|name| stem(name)), files.len())?;
    Ok((files, note))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether Parquet files are in a folder, or in partitions below it. One that cannot be read does
/// not hold any.
fn holds_a_table(folder: &Path) -> bool {
    let Ok(mut entries) = folder.read_dir() else { return false };
    entries.any(|entry| {
        let Ok(path) = entry.map(|entry| entry.path()) else { return false };
        let name = name(&path);
        stem(&name).is_some() && path.is_file() || is_partition(&name) && holds_a_table(&path)
    })
}

/// What to say of sub-folders that hold Parquet files, of which none is read. Fails where they are
/// parts of the folder's table, whose column stands in their names.
fn beside(folder: &Path, folders: Vec<String>) -> std::result::Result<Option<String>, EngineError> {
    const NAMED: usize = 3;
    if let Some(partition) = folders.iter().find(|name| is_partition(name)) {
        return Err(table(
            folder,
            format!("{partition} is a partition of a table, whose value stands in its name alone"),
            "write the table without partitions, that column among the others, or name the files",
        ));
    }
    let more = match folders.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = folders.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    Ok((!named.is_empty()).then(|| {
        let folder = folder.display();
        format!("{folder}: Parquet files of its sub-folders are not read ({named}{more})")
    }))
}

/// Fails where a folder has no files of a table, or lacks some.
fn whole<'a>(
    folder: &Path,
    stems: impl Iterator<Item = &'a str>,
    count: usize,
) -> std::result::Result<(), EngineError> {
    if count == 0 {
        let way_out = "name the files, or their folder";
        return Err(table(folder, "there is no .parquet file".to_owned(), way_out));
    }
    match first_missing(stems) {
        Some(missing) => Err(table(
            folder,
            format!("there is no {missing}.parquet, though other parts are there"),
            "label that part, or name the files",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use object_store::memory::InMemory;
    use object_store::throttle::{ThrottleConfig, ThrottledStore};
    use std::cell::Cell;
    use std::time::Duration;

    fn run<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(work)
    }

    async fn bucket(names: &[String]) -> InMemory {
        let store = InMemory::new();
        for name in names {
            store.put(&Key::parse(name).expect("a name"), "".into()).await.expect("put");
        }
        store
    }

    /// What a bucket with these names gives for an address.
    async fn found(names: &[String], address: &str) -> std::result::Result<Places, EngineError> {
        found_in(names, address, Duration::ZERO).await
    }

    /// The same where this time passes for each name that is listed, if what lies below sub-folders
    /// is listed too.
    async fn found_in(
        names: &[String],
        address: &str,
        wait_list_per_entry: Duration,
    ) -> std::result::Result<Places, EngineError> {
        let store = bucket(names).await;
        let slow = ThrottleConfig { wait_list_per_entry, ..ThrottleConfig::default() };
        let runtime = RuntimeEnvBuilder::new()
            .with_object_store_registry(Arc::new(Stores::default()))
            .build()
            .expect("one");
        let bucket = Url::parse("s3://bucket").expect("an address");
        runtime.register_object_store(&bucket, Arc::new(ThrottledStore::new(store, slow)));
        places(Path::new(address), &runtime).await
    }

    fn paths(places: &Places) -> Vec<&str> {
        places.files.iter().map(|place| place.path.to_str().expect("UTF-8")).collect()
    }

    #[test]
    fn files_of_a_bucket_are_told_by_their_ending_and_those_of_sub_folders_noted() {
        let names = ["a.parquet", "B.PARQUET", "c.csv", "old/d.parquet", "_e/f.parquet"];
        let names = names.map(|name| format!("in/{name}"));
        let found = |names: &[String], address: &str| run(found(names, address));
        let all = found(&names, "s3://bucket/in/").expect("files");
        assert_eq!(paths(&all), ["s3://bucket/in/B.PARQUET", "s3://bucket/in/a.parquet"]);
        let note = all.note.expect("a note");
        assert!(note.contains("s3://bucket/in/: ") && note.contains("not read (old)"), "{note}");
        assert!(all.files.iter().all(|place| place.folder.is_some()));
        let one = found(&names, "s3://bucket/in/c.csv").expect("a file");
        assert_eq!((paths(&one), &one.note), (vec!["s3://bucket/in/c.csv"], &None));
        assert!(one.files[0].folder.is_none());
        let parts = ["part-00002-of-00002.PARQUET".to_owned()];
        let said = found(&parts, "s3://bucket").err().expect("refused").to_string();
        assert!(said.contains("there is no part-00001-of-00002.parquet"), "{said}");
        let hive = ["top.parquet", "year=1/month=2/a.parquet"].map(str::to_owned);
        let said = found(&hive, "s3://bucket").err().expect("refused").to_string();
        assert!(said.contains("year=1 is a partition"), "{said}");
    }

    #[test]
    fn what_lies_below_sub_folders_of_a_bucket_is_not_listed() {
        // A hidden sub-folder is not looked into at all: nothing waits for its names.
        let names = ["_pictures/0.png", "_pictures/1.png", "a.parquet"].map(str::to_owned);
        let listed = run(async {
            let found = found_in(&names, "s3://bucket", Duration::from_secs(86_400));
            tokio::time::timeout(Duration::from_secs(60), found).await
        });
        let listed = listed.expect("nothing was waited for").expect("files");
        assert_eq!((paths(&listed), &listed.note), (vec!["s3://bucket/a.parquet"], &None));
    }

    #[test]
    fn of_a_sub_folder_the_first_names_alone_are_looked_at() {
        let names: Vec<String> = (0..2 * LOOKED_AT).map(|i| format!("pictures/{i}.png")).collect();
        let folder = Key::parse("pictures").expect("a name");
        let seen = Cell::new(0);
        let holds = run(async {
            let store = bucket(&names).await;
            let listed = store.list(Some(&folder)).inspect(|_| seen.set(seen.get() + 1));
            lists_a_table(listed, &folder).await
        });
        assert!(!holds.expect("names"));
        assert_eq!(seen.get(), LOOKED_AT);
    }

    /// On a disk and in a bucket, the same sub-folders are said to hold tables.
    #[test]
    fn a_table_is_in_a_sub_folder_or_in_partitions_below_it() {
        for (file, holds) in [
            ("in/a.parquet", true),
            ("in/year=1/a.parquet", true),
            ("in/year=1/month=2/a.parquet", true),
            ("in/deeper/a.parquet", false),
            ("in/year=1/deeper/a.parquet", false),
            ("in/deeper/year=1/a.parquet", false),
            ("in/a.csv", false),
        ] {
            let folder = Key::parse("in").expect("a name");
            let listed = run(async {
                let store = bucket(&[file.to_owned()]).await;
                lists_a_table(store.list(Some(&folder)), &folder).await
            });
            assert_eq!(listed.expect("names"), holds, "{file} in a bucket");
            let disk = tempfile::tempdir().expect("a folder");
            let path = disk.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(&path, "").expect("written");
            assert_eq!(holds_a_table(&disk.path().join("in")), holds, "{file} on a disk");
        }
    }
}
