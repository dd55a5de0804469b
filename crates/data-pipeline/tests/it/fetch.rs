//! Downloads from a local server that fails in the ways that servers fail.

use data_pipeline::dataset::cifar10::Cifar10;
use data_pipeline::dataset::{Part, Samples};
use data_pipeline::fetch::{Checksum, Patience, PublishedSet, RemoteFile, fetch, sources, verify};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does with its next request; the last item stays.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// As asked, ranges included.
    Right,
    /// As asked, but cut off after so many bytes.
    Cut(usize),
    /// The whole file, whatever range is asked for.
    NoRange,
    /// Only this status.
    Status(u16),
    /// Another file.
    Wrong,
    /// The connection is closed without an answer.
    Nothing,
}

struct Server {
    url: String,
    /// The ranges asked for: the first byte of each request.
    asked: Arc<Mutex<Vec<usize>>>,
}

fn serve(content: Vec<u8>, answers: &[Answer]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, answers) = (asked.clone(), answers.to_vec());
    // The thread ends with the test process.
    std::thread::spawn(move || {
        for (i, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut start = 0;
            for line in BufReader::new(&stream)
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
            {
                if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
                    start = range.trim_end_matches('-').parse().unwrap();
                }
            }
            log.lock().unwrap().push(start);
            let answer = answers[i.min(answers.len() - 1)];
            let total = content.len();
            let (status, from, cut, flip) = match answer {
                Answer::Nothing => continue,
                Answer::Status(status) => {
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    );
                    continue;
                }
                Answer::NoRange => (200, 0, total, false),
                Answer::Right | Answer::Cut(_) if start >= total => {
                    let _ = write!(
                        stream,
                        "HTTP/1.1 416 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    );
                    continue;
                }
                Answer::Cut(bytes) => (if start > 0 { 206 } else { 200 }, start, bytes, false),
                Answer::Right => (if start > 0 { 206 } else { 200 }, start, total, false),
                Answer::Wrong => (200, 0, total, true),
            };
            let mut body = content[from..].to_vec();
            if flip {
                body[0] ^= 1;
            }
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n",
                body.len()
            );
            if status == 206 {
                let _ = write!(stream, "Content-Range: bytes {from}-{}/{total}\r\n", total - 1);
            }
            let _ = write!(stream, "\r\n");
            let _ = stream.write_all(&body[..cut.min(body.len())]);
        }
    });
    Server { url, asked }
}

fn content() -> Vec<u8> {
    (0..200_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect()
}

fn sha256(bytes: &[u8]) -> Checksum {
    Checksum::Sha256(Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect())
}

fn source(urls: &[&str], checksum: Checksum, unpack: Option<&str>) -> PublishedSet {
    let urls = urls.iter().map(|&url| url.to_owned()).collect();
    let file = RemoteFile {
        urls,
        path: "sub/data.bin".into(),
        checksum,
        unpack: unpack.map(str::to_owned),
    };
    PublishedSet { name: "toy".into(), about: "made up".into(), files: vec![file] }
}

const HASTY: Patience =
    Patience { attempts: 3, pause: Duration::from_millis(1), silence: Duration::from_secs(10) };

fn get(source: &PublishedSet, dir: &Path) -> Result<(), String> {
    fetch(source, dir, HASTY, &mut |_| ()).map_err(|error| error.to_string())
}

/// What a first fetch into an empty folder does, and from which bytes it asked.
fn check(answers: &[Answer], expected: Result<(), &str>, asked: &[usize]) {
    let server = serve(content(), answers);
    let dir = tempfile::tempdir().unwrap();
    let source = source(&[&server.url], sha256(&content()), None);
    let result = get(&source, dir.path());
    match (&result, expected) {
        (Ok(()), Ok(())) => {
            assert_eq!(std::fs::read(dir.path().join("sub/data.bin")).unwrap(), content());
            assert!(!dir.path().join("sub/data.bin.part").exists());
            verify(&source, dir.path()).unwrap();
            get(&source, dir.path()).expect("what is there is not fetched again");
        }
        (Err(error), Err(expected)) => {
            let named = error.contains(&server.url)
                && error.contains("data.bin")
                && error.contains("put it there");
            assert!(error.contains(expected) && named, "{answers:?}: {error}");
            assert!(!dir.path().join("sub/data.bin").exists());
        }
        _ => panic!("{answers:?}: {result:?}"),
    }
    assert_eq!(*server.asked.lock().unwrap(), asked, "{answers:?}");
}

#[test]
fn servers_behave_badly() {
    use Answer::*;
    check(&[Right], Ok(()), &[0]);
    check(&[Cut(70_000), Cut(50_000), Right], Ok(()), &[0, 70_000, 120_000]);
    check(&[Cut(70_000), NoRange], Ok(()), &[0, 70_000]);
    check(&[Nothing, Status(503), Right], Ok(()), &[0, 0, 0]);
    check(&[Status(404)], Err("404"), &[0]);
    check(&[Status(500)], Err("500 Internal Server Error (3 times)"), &[0, 0, 0]);
    check(&[Nothing], Err("(3 times)"), &[0, 0, 0]);
    let wrong = "the download is not the official file: sha256 ";
    check(&[Wrong], Err(wrong), &[0]);
    // A file that changed between two pieces is fetched again in one; if that is wrong too, it is
    // given up.
    check(&[Cut(100), Wrong, Right], Ok(()), &[0, 100, 0]);
    check(&[Cut(100), Wrong, Wrong], Err(wrong), &[0, 100, 0]);
    // Every attempt brings something, so there may be many.
    check(&[Cut(30_000)], Ok(()), &[0, 30_000, 60_000, 90_000, 120_000, 150_000, 180_000]);
}

#[test]
fn a_later_fetch_goes_on() {
    let server = serve(content(), &[Answer::Cut(60_000), Answer::Status(404), Answer::Right]);
    let dir = tempfile::tempdir().unwrap();
    let source = source(&[&server.url], sha256(&content()), None);
    assert!(get(&source, dir.path()).unwrap_err().contains("404"));
    assert!(verify(&source, dir.path()).unwrap_err().to_string().contains("not there"));
    let mut seen = Vec::new();
    fetch(&source, dir.path(), HASTY, &mut |progress| seen.push((progress.here, progress.total)))
        .unwrap();
    assert_eq!(*server.asked.lock().unwrap(), [0, 60_000, 60_000]);
    assert_eq!(
        (seen[0], seen[seen.len() - 1]),
        ((60_000, Some(200_000)), (200_000, Some(200_000)))
    );
    // A part that is already whole is only checked.
    std::fs::rename(dir.path().join("sub/data.bin"), dir.path().join("sub/data.bin.part")).unwrap();
    get(&source, dir.path()).unwrap();
}

#[test]
fn mirrors_and_own_files() {
    let (bad, good) =
        (serve(content(), &[Answer::Status(403)]), serve(content(), &[Answer::Right]));
    let dir = tempfile::tempdir().unwrap();
    let source = source(&[&bad.url, &good.url], sha256(&content()), None);
    get(&source, dir.path()).unwrap();
    let path = dir.path().join("sub/data.bin");
    std::fs::write(&path, "my own").unwrap();
    let error = get(&source, dir.path()).unwrap_err();
    assert!(error.contains("not the official one") && error.contains("move it away"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"my own", "the user's file is not overwritten");
    let lock = std::fs::File::open(dir.path()).unwrap();
    lock.lock().unwrap();
    assert!(get(&source, dir.path()).unwrap_err().contains("another process"));
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gz);
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Written into the header directly, since the builder refuses such names.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn archives_are_unpacked_whole() {
    let batch = crate::datasets::cifar_bytes();
    let packed = archive(&[
        ("cifar-10-batches-bin/test_batch.bin", &batch),
        ("cifar-10-batches-bin/readme.html", b"hello"),
    ]);
    let server = serve(packed.clone(), &[Answer::Cut(1000), Answer::Right]);
    let dir = tempfile::tempdir().unwrap();
    let source = source(&[&server.url], sha256(&packed), Some("cifar-10-batches-bin"));
    get(&source, dir.path()).unwrap();
    assert_eq!(Cifar10::open(dir.path(), Part::Test).unwrap().len(), 10_000);
    verify(&source, dir.path()).unwrap();
    let mut left: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(
        left,
        ["cifar-10-batches-bin", "sub"],
        "the archive and the temporary folder are gone"
    );
    assert_eq!(std::fs::read_dir(dir.path().join("sub")).unwrap().count(), 0);

    std::fs::write(dir.path().join("cifar-10-batches-bin/readme.html"), "hullo").unwrap();
    let error = verify(&source, dir.path()).unwrap_err().to_string();
    assert!(error.contains("readme.html: sha256") && error.contains("SHA256SUMS"), "{error}");
    std::fs::remove_file(dir.path().join("cifar-10-batches-bin/SHA256SUMS")).unwrap();
    assert!(get(&source, dir.path()).unwrap_err().contains("was not made by a fetch"));
}

#[test]
fn archives_that_leave_their_folder_are_refused() {
    for name in ["../evil", "/tmp/evil", "cifar-10-batches-bin/../../evil", "elsewhere/evil"] {
        let packed = archive(&[("cifar-10-batches-bin/a", b"a"), (name, b"evil")]);
        let server = serve(packed.clone(), &[Answer::Right]);
        let dir = tempfile::tempdir().unwrap();
        let source = source(&[&server.url], sha256(&packed), Some("cifar-10-batches-bin"));
        let error = get(&source, &dir.path().join("data")).unwrap_err();
        assert!(error.contains("no plain file or folder below"), "{name}: {error}");
        assert!(
            !dir.path().join("data/cifar-10-batches-bin").exists()
                && !dir.path().join("evil").exists()
        );
    }
    // A cut archive with a right checksum leaves nothing behind that looks whole.
    let packed = archive(&[("cifar-10-batches-bin/a", &content())]);
    let packed = &packed[..packed.len() / 2];
    let server = serve(packed.to_vec(), &[Answer::Right]);
    let dir = tempfile::tempdir().unwrap();
    let source = source(&[&server.url], sha256(packed), Some("cifar-10-batches-bin"));
    assert!(get(&source, dir.path()).unwrap_err().contains("damaged"));
    assert!(!dir.path().join("cifar-10-batches-bin").exists());
}

#[test]
fn the_list_of_sources_is_sound() {
    let sources = sources();
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["cifar10", "svhn", "svhn-extra", "mnist"]);
    for file in sources.iter().flat_map(|source| &source.files) {
        let Checksum::Md5(sum) = &file.checksum else { panic!("{file:?}") };
        assert!(
            sum.len() == 32 && sum.bytes().all(|b| b"0123456789abcdef".contains(&b)),
            "{file:?}"
        );
        assert!(
            !file.urls.is_empty() && file.urls.iter().all(|url| url.starts_with("http")),
            "{file:?}"
        );
    }
}

/// MD5 is what most publishers give; RFC 1321 has this value.
#[test]
fn md5_is_checked() {
    let message = b"message digest".to_vec();
    let server = serve(message, &[Answer::Right]);
    let sum = |text: &str| Checksum::Md5(text.into());
    let dir = tempfile::tempdir().unwrap();
    get(&source(&[&server.url], sum("f96b697d7cb7938d525a2f31aaf161d0"), None), dir.path())
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let error =
        get(&source(&[&server.url], sum("f96b697d7cb7938d525a2f31aaf161d1"), None), dir.path())
            .unwrap_err();
    assert!(error.contains(
        "md5 f96b697d7cb7938d525a2f31aaf161d1 expected, f96b697d7cb7938d525a2f31aaf161d0 found"
    ));
}
