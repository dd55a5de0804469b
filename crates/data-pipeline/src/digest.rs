//! Digests of contents, as hexadecimal digits.

use crate::error::DataError;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sha2::digest::Output;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

/// A digest of a sample's content as it is stored: the first 16 bytes of its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(u128);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// The digest of these bytes one after the other.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut digest = <Sha256 as sha2::Digest>::new();
        parts.iter().for_each(|part| sha2::Digest::update(&mut digest, part));
        Self::first_half(digest)
    }

    /// The digest of these texts, each as a line.
    pub fn of_lines(lines: impl IntoIterator<Item = String>) -> Self {
        let mut digest = <Sha256 as sha2::Digest>::new();
        for line in lines {
            sha2::Digest::update(&mut digest, line.as_bytes());
            sha2::Digest::update(&mut digest, b"\n");
        }
        Self::first_half(digest)
    }

    fn first_half(digest: Sha256) -> Self {
        let whole: [u8; 32] = sha2::Digest::finalize(digest).into();
        let (first, _) = whole.split_at(16);
        Self(first.iter().fold(0, |number, &byte| number << 8 | u128::from(byte)))
    }

    /// As bytes, for files of bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// From what [`Digest::to_bytes`] gave.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for Digest {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits);
        number.map(Self).ok_or_else(|| format!("`{text}` is no digest of 32 hexadecimal digits"))
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// The digest of a file in hexadecimal digits.
pub(crate) fn of_file<D>(path: &Path) -> Result<String, DataError>
where
    D: sha2::Digest,
    Output<D>: fmt::LowerHex,
{
    let mut file = File::open(path).map_err(DataError::io(path, "fetch it again"))?;
    let (mut digest, mut buffer) = (D::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(DataError::io(path, "check the disk"))? {
            0 => return Ok(format!("{:x}", digest.finalize())),
            n => digest.update(&buffer[..n]),
        }
    }
}
