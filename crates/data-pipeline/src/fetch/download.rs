//! Downloads one file over HTTP: continues a `.part` file, retries, and gives the file its name
//! only when its checksum is right.

use super::sources::RemoteFile;
use crate::error::DataError;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Response, StatusCode, header};

/// What to try when a download fails.
const WAY_OUT: &str = "try again to continue the download, or get the file in another way and put \
                       it there";

/// How often and how long a download tries.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often in a row an address may fail without sending a byte before it is given up.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles with each further one.
    pub pause: Duration,
    /// How long an address may send nothing.
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
    /// Bytes downloaded so far, including those of earlier attempts.
    pub here: u64,
    /// Bytes of the whole file, if the server says so.
    pub total: Option<u64>,
}

/// Why an attempt did not end with a whole file.
enum Trouble {
    /// Worth another attempt.
    Passing(String),
    /// The address will not give the file.
    Lasting(String),
}

/// Downloads to `path` by way of `path.part`.
pub(super) fn download(
    file: &RemoteFile,
    path: &Path,
    patience: Patience,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), DataError> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut last = None;
    for url in &file.urls {
        match from_address(url, file, &part, patience, progress)? {
            Ok(()) => {
                return std::fs::rename(&part, path)
                    .map_err(DataError::io(path, "check the data folder"));
            }
            Err(fault) => {
                tracing::warn!(url, fault, "download failed");
                last = Some(DataError::Fetch {
                    url: url.clone(),
                    path: path.into(),
                    fault,
                    way_out: WAY_OUT,
                });
            }
        }
    }
    Err(last.unwrap_or_else(|| DataError::Request(format!("{} has no address", file.path))))
}

/// Fills `part` from one address. The outer error is the disk's, the inner one says why the address
/// failed.
fn from_address(
    url: &str,
    file: &RemoteFile,
    part: &Path,
    patience: Patience,
    progress: &mut dyn FnMut(Progress),
) -> Result<Result<(), String>, DataError> {
    let disk =
        || DataError::io(part, "check that the data folder may be written to and has space left");
    let mut out =
        OpenOptions::new().create(true).write(true).truncate(false).open(part).map_err(disk())?;
    let agent = agent(url, patience.silence);
    let (mut failures, mut pause) = (0, patience.pause);
    let mut restarted = false;
    loop {
        let before = out.metadata().map_err(disk())?.len();
        match attempt(&agent, url, file, &mut out, before, progress).map_err(disk())? {
            Ok(()) => match file.checksum.check(part)? {
                Ok(()) => return Ok(Ok(())),
                Err(fault) => {
                    out.set_len(0).map_err(disk())?;
                    if before == 0 || restarted {
                        drop(out);
                        std::fs::remove_file(part).map_err(disk())?;
                        return Ok(Err(format!("the download is not the official file: {fault}")));
                    }
                    // The file may have changed between the pieces.
                    tracing::warn!(url, fault, "the pieces do not fit together, starting again");
                    restarted = true;
                }
            },
            Err(Trouble::Lasting(fault)) => return Ok(Err(fault)),
            Err(Trouble::Passing(fault)) => {
                if out.metadata().map_err(disk())?.len() > before {
                    (failures, pause) = (0, patience.pause);
                }
                failures += 1;
                if failures >= patience.attempts {
                    return Ok(Err(format!("{fault} ({failures} times)")));
                }
                tracing::warn!(url, fault, "download interrupted, trying again");
                std::thread::sleep(pause);
                pause *= 2;
            }
        }
    }
}

fn agent(url: &str, silence: Duration) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(silence))
        .timeout_recv_response(Some(silence))
        .timeout_per_read(Some(silence));
    // A server on this very machine is never behind a proxy.
    let local = ["http://127.", "http://localhost", "http://[::1]"]
        .iter()
        .any(|start| url.starts_with(start));
    if local { config.proxy(None).build().new_agent() } else { config.build().new_agent() }
}

/// One request for what is missing after the first `here` bytes. The outer error is the disk's.
fn attempt(
    agent: &Agent,
    url: &str,
    file: &RemoteFile,
    out: &mut File,
    here: u64,
    progress: &mut dyn FnMut(Progress),
) -> std::io::Result<Result<(), Trouble>> {
    // With compression, ranges would not be ranges of the file.
    let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "identity");
    if here > 0 {
        request = request.header(header::RANGE, format!("bytes={here}-"));
    }
    let response = match request.call() {
        Ok(response) => response,
        Err(error @ (ureq::Error::BadUri(_) | ureq::Error::InvalidProxyUrl)) => {
            return Ok(Err(Trouble::Lasting(error.to_string())));
        }
        Err(error) => return Ok(Err(Trouble::Passing(error.to_string()))),
    };
    let status = response.status();
    let (mut here, total) = match status {
        StatusCode::PARTIAL_CONTENT => match content_range(&response) {
            Some((start, total)) if start == here => (here, total),
            _ => {
                out.set_len(0)?;
                return Ok(Err(Trouble::Passing(
                    "the server sent another range than asked for".into(),
                )));
            }
        },
        // A server without ranges begins at the beginning.
        StatusCode::OK => (0, response.body().content_length()),
        // Nothing is missing, or the file became shorter: the checksum tells.
        StatusCode::RANGE_NOT_SATISFIABLE => return Ok(Ok(())),
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Ok(Err(Trouble::Passing(format!("the server answers {status}"))));
        }
        _ => return Ok(Err(Trouble::Lasting(format!("the server answers {status}")))),
    };
    out.set_len(here)?;
    out.seek(SeekFrom::Start(here))?;
    let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
    let mut buffer = vec![0; 1 << 16];
    progress(Progress { path: &file.path, here, total });
    loop {
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                out.write_all(&buffer[..n])?;
                here += n as u64;
                progress(Progress { path: &file.path, here, total });
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Ok(Err(Trouble::Passing(format!(
                    "the connection broke off at byte {here}: {error}"
                ))));
            }
        }
    }
    if total.is_some_and(|total| here < total) {
        return Ok(Err(Trouble::Passing(format!("the connection ended at byte {here}"))));
    }
    out.sync_all()?;
    Ok(Ok(()))
}

/// The first byte and, if known, the total of `Content-Range: bytes FIRST-LAST/TOTAL`.
fn content_range<B>(response: &Response<B>) -> Option<(u64, Option<u64>)> {
    let value = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}
