//! Data sets from their official addresses: resumed where a download broke off, checked, unpacked.
//!
//! The checksums are those that the publishers, or torchvision where a publisher has none, give for the files of the
//! download; files that a person brings along are never held against them.

mod download;
mod unpack;

use crate::error::DataError;
use crate::pseudo_labels::hex;
use md5::Md5;
use sha2::{Digest, Sha256};
use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// What to try when a download fails.
const WAY_OUT: &str = "try again: it goes on where it broke off; or get the file in another way and name its folder with \
                       --data DIR or $TUTOR_DATA";

/// A published checksum, in lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// MD5.
    Md5(String),
    /// SHA-256.
    Sha256(String),
}

impl Checksum {
    /// Fails with found and expected value if `path` does not have this checksum.
    fn check(&self, path: &Path) -> Result<Result<(), String>, DataError> {
        let (name, expected, found) = match self {
            Self::Md5(expected) => ("md5", expected, digest::<Md5>(path)?),
            Self::Sha256(expected) => ("sha256", expected, digest::<Sha256>(path)?),
        };
        if found == *expected {
            Ok(Ok(()))
        } else {
            Ok(Err(format!("{name} {expected} expected, {found} found")))
        }
    }
}

/// One file to be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Addresses of the same bytes, the official one first; the others are tried when it fails.
    pub urls: Vec<String>,
    /// Where the file goes, relative to the data folder.
    pub path: String,
    /// The published checksum.
    pub checksum: Checksum,
    /// For a .tar.gz: the one folder inside, which takes the archive's place.
    pub unpack: Option<String>,
}

/// A data set that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name to ask for.
    pub name: String,
    /// What it is, how large, and on which terms.
    pub about: String,
    /// Its files.
    pub files: Vec<RemoteFile>,
}

/// All data sets that can be fetched.
pub fn sources() -> Vec<Source> {
    let source =
        |name: &str, about: &str, files| Source { name: name.into(), about: about.into(), files };
    let svhn = |part: &str, md5: &str| RemoteFile {
        urls: vec![format!("http://ufldl.stanford.edu/housenumbers/{part}_32x32.mat")],
        path: format!("svhn/{part}_32x32.mat"),
        checksum: Checksum::Md5(md5.into()),
        unpack: None,
    };
    let mnist = |file: &str, md5: &str| RemoteFile {
        urls: vec![
            format!("http://yann.lecun.com/exdb/mnist/{file}"),
            format!("https://ossci-datasets.s3.amazonaws.com/mnist/{file}"),
        ],
        path: format!("mnist/{file}"),
        checksum: Checksum::Md5(md5.into()),
        unpack: None,
    };
    let cifar10 = RemoteFile {
        urls: vec!["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz".into()],
        path: "cifar-10-binary.tar.gz".into(),
        checksum: Checksum::Md5("c32a1d4ab5d03f1284b67883e8d87530".into()),
        unpack: Some("cifar-10-batches-bin".into()),
    };
    vec![
        source(
            "cifar10",
            "CIFAR-10, binary version, 170 MB; no explicit licence, cite Krizhevsky 2009",
            vec![cifar10],
        ),
        source(
            "svhn",
            "SVHN, cropped digits, train and test, 246 MB; non-commercial use, cite Netzer et al. 2011",
            vec![
                svhn("train", "e26dedcc434d2e4c54c9b2d4a06d8373"),
                svhn("test", "eb5a983be6a315427106f1b164d9cef3"),
            ],
        ),
        source(
            "svhn-extra",
            "SVHN, the 531,131 extra images, 1.3 GB; non-commercial use, cite Netzer et al. 2011",
            vec![svhn("extra", "a93ce644f1a588dc4d68dda5feec44a7")],
        ),
        source(
            "mnist",
            "MNIST, 12 MB; no explicit licence, cite LeCun et al. 1998",
            vec![
                mnist("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
                mnist("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
                mnist("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
                mnist("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
            ],
        ),
    ]
}

/// How patient a download is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often in a row an address may fail without giving a byte before it is given up.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles with each further one.
    pub pause: Duration,
    /// How long an address may say nothing.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts: 4, pause: Duration::from_secs(1), silence: Duration::from_secs(60) }
    }
}

/// How far a download is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The file's path below the data folder.
    pub path: &'a str,
    /// Bytes that are here, those of earlier attempts included.
    pub here: u64,
    /// Bytes of the whole file, if the server says so.
    pub total: Option<u64>,
}

/// Brings a data set into `dir`. What is there already and right is left as it is; what is there and wrong is an error, since
/// it may be somebody's own file. A half-finished file has the ending `.part` and is gone on with. Fails, naming address,
/// file and the way out, if no address gives a file with the right checksum, or if another process fetches into `dir`.
pub fn fetch(
    source: &Source,
    dir: &Path,
    patience: Patience,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), DataError> {
    let way_out = "name a folder that may be written to, with --data DIR or $TUTOR_DATA";
    std::fs::create_dir_all(dir).map_err(DataError::io(dir, way_out))?;
    let lock = File::open(dir).map_err(DataError::io(dir, way_out))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let fault = "another process is fetching into this folder".into();
            return Err(DataError::Missing {
                path: dir.into(),
                fault,
                way_out: "wait for it to end",
            });
        }
        // Some network file systems have no locks; a single fetch works without.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, "the data folder cannot be locked")
        }
    }
    for file in &source.files {
        if present(file, dir)? {
            continue;
        }
        let path = dir.join(&file.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(DataError::io(parent, way_out))?;
        }
        if !path.is_file() {
            download::download(file, &path, patience, progress)?;
        }
        if let Some(folder) = &file.unpack {
            unpack::unpack(&path, &dir.join(folder), folder)?;
        }
    }
    Ok(())
}

/// Checks everything that [`fetch`] brought into `dir`; the error names the first file that is missing or differs.
pub fn verify(source: &Source, dir: &Path) -> Result<(), DataError> {
    for file in &source.files {
        if !present(file, dir)? {
            let fault = "not there".into();
            let path = dir.join(file.unpack.as_ref().unwrap_or(&file.path));
            return Err(DataError::Missing { path, fault, way_out: "fetch the data set" });
        }
    }
    Ok(())
}

/// Whether a file, or the folder it was unpacked to, is there. Fails if it is but differs.
fn present(file: &RemoteFile, dir: &Path) -> Result<bool, DataError> {
    if let Some(folder) =
        file.unpack.as_ref().map(|folder| dir.join(folder)).filter(|folder| folder.exists())
    {
        unpack::verify(&folder)?;
        return Ok(true);
    }
    let path = dir.join(&file.path);
    if !path.exists() {
        return Ok(false);
    }
    match file.checksum.check(&path)? {
        // An archive still has to be unpacked.
        Ok(()) => Ok(file.unpack.is_none()),
        Err(fault) => Err(DataError::Fetch {
            url: file.urls.first().cloned().unwrap_or_default(),
            path,
            fault: format!("the file that is there is not the official one: {fault}"),
            way_out: "move it away to fetch it anew; a file of your own can be used where it is",
        }),
    }
}

/// The digest of a file in hexadecimal digits.
fn digest<D: Digest>(path: &Path) -> Result<String, DataError> {
    let mut file = File::open(path).map_err(DataError::io(path, "fetch it again"))?;
    let (mut digest, mut buffer) = (D::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(DataError::io(path, "check the disk"))? {
            0 => return Ok(hex(&digest.finalize())),
            n => digest.update(&buffer[..n]),
        }
    }
}
