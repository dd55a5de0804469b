//! Where data sets come from: their files with addresses and published checksums.

use crate::digest;
use crate::error::DataError;
use md5::Md5;
use sha2::Sha256;
use std::path::Path;

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
    pub(super) fn check(&self, path: &Path) -> Result<Result<(), String>, DataError> {
        let (name, expected, found) = match self {
            Self::Md5(expected) => ("md5", expected, digest::of_file::<Md5>(path)?),
            Self::Sha256(expected) => ("sha256", expected, digest::of_file::<Sha256>(path)?),
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
pub struct PublishedSet {
    /// The name to ask for.
    pub name: String,
    /// What it is, how large, and on which terms.
    pub about: String,
    /// Its files.
    pub files: Vec<RemoteFile>,
}

/// All data sets that can be fetched.
pub fn sources() -> Vec<PublishedSet> {
    let source = |name: &str, about: &str, files| PublishedSet {
        name: name.into(),
        about: about.into(),
        files,
    };
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
