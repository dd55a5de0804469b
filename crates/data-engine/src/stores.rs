//! Where tables lie: on disks of the machine, or in storage that speaks S3.

use crate::error::EngineError;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::{BTreeMap, BTreeSet};
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
}

/// The Parquet files that `path` names: a file, or those of a folder, whose names end in
/// `.parquet`, by name.
pub(crate) async fn places(
    path: &Path,
    runtime: &RuntimeEnv,
) -> std::result::Result<Vec<Place>, EngineError> {
    let Some(("s3", name)) = path.to_str().and_then(|text| text.split_once("://")) else {
        return local(path);
    };
    let fault = |fault: String| EngineError::Table {
        path: path.to_path_buf(),
        fault,
        way_out: "name a file or folder as s3://BUCKET/NAME, with AWS_ACCESS_KEY_ID, \
                  AWS_SECRET_ACCESS_KEY, AWS_REGION and, where it is not Amazon's, AWS_ENDPOINT \
                  in the environment"
            .to_owned(),
    };
    // As it is written: there are no escapes.
    let (bucket, name) = name.split_once('/').unwrap_or((name, ""));
    let address = Url::parse(&format!("s3://{bucket}")).map_err(|e| fault(e.to_string()))?;
    let store = runtime.object_store_registry.get_store(&address);
    let store = store.map_err(|error| fault(error.strip_backtrace()))?;
    let prefix = object_store::path::Path::parse(name.trim_end_matches('/'));
    let prefix = prefix.map_err(|error| fault(error.to_string()))?;
    let listed: Vec<_> = store
        .list(Some(&prefix))
        .map_ok(|object| object.location)
        .try_collect()
        .await
        .map_err(|error| fault(first_line(&error)))?;
    // Those of sub-folders are not its own.
    let own = listed.iter().filter(|name| name.parts_count() == prefix.parts_count() + 1);
    let mut names: Vec<String> = own.map(|name| name.to_string()).collect();
    names.retain(|name| name.ends_with(".parquet"));
    names.sort();
    if names.is_empty() && store.head(&prefix).await.is_ok() {
        names.push(prefix.to_string());
    } else {
        let stems = names.iter().filter_map(|name| stem(name.rsplit('/').next()?));
        whole(path, stems, names.len())?;
    }
    let place = |name: &String| {
        let mut address = address.clone();
        // What is no escape must not be taken for one.
        address.set_path(&name.replace('%', "%25"));
        Place { path: format!("s3://{bucket}/{name}").into(), address: address.into() }
    };
    Ok(names.iter().map(place).collect())
}

fn first_line(error: &impl std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// As addresses: in names of files, `*`, `?` and `[` would be patterns.
fn local(path: &Path) -> std::result::Result<Vec<Place>, EngineError> {
    let other = path.to_str().and_then(|text| text.split_once("://"));
    if let Some((scheme, _)) = other.filter(|_| !path.exists()) {
        return Err(EngineError::Table {
            path: path.to_path_buf(),
            fault: format!("nothing is read from {scheme}://"),
            way_out: "name files or folders of this machine by their paths, or s3://BUCKET/NAME"
                .to_owned(),
        });
    }
    crate::parts::files(path)?
        .into_iter()
        .map(|path| {
            let whole = path.canonicalize().map_err(EngineError::io(&path))?;
            let address = Url::from_file_path(&whole).map_err(|()| EngineError::Table {
                path: path.clone(),
                fault: "the name cannot be written as an address".to_owned(),
                way_out: "rename the file".to_owned(),
            })?;
            Ok(Place { path, address: address.into() })
        })
        .collect()
}

/// A name without its ending.
fn stem(name: &str) -> Option<&str> {
    name.strip_suffix(".parquet")
}

/// Fails where a folder has no files of a table, or lacks some.
pub(crate) fn whole<'a>(
    folder: &Path,
    stems: impl Iterator<Item = &'a str>,
    count: usize,
) -> std::result::Result<(), EngineError> {
    let fault = |fault: String, way_out: &str| EngineError::Table {
        path: folder.to_path_buf(),
        fault,
        way_out: way_out.to_owned(),
    };
    if count == 0 {
        let way_out = "name the files, or their folder";
        return Err(fault("there is no .parquet file".to_owned(), way_out));
    }
    match first_missing(stems) {
        Some(missing) => Err(fault(
            format!("there is no {missing}.parquet, though other parts are there"),
            "label that part, or name the files",
        )),
        None => Ok(()),
    }
}

/// The first part that is not there among names such as `part-00002-of-00004`.
fn first_missing<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut sets: BTreeMap<(&str, &str), BTreeSet<usize>> = BTreeMap::new();
    for name in names {
        if let Some((before, of)) = name.rsplit_once("-of-")
            && let Some((set, number)) = before.rsplit_once('-')
            && let (Ok(number), true) = (number.parse(), of.parse::<usize>().is_ok())
        {
            sets.entry((set, of)).or_default().insert(number);
        }
    }
    sets.into_iter().find_map(|((set, of), there)| {
        // Some count from 0.
        let first = usize::from(!there.contains(&0));
        let of_all = first..of.parse::<usize>().ok()? + first;
        let missing = of_all.into_iter().find(|number| !there.contains(number))?;
        Some(format!("{set}-{missing:0width$}-of-{of}", width = of.len()))
    })
}
