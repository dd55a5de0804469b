//! Setup from end to end, with small made-up wheels and a stand-in for pip: nothing here needs a
//! network.

use super::{Setup, check, has_cuda};
use crate::fetch::Cache;
use crate::files::sha256;
use crate::wheels::{Wheel, Wheels};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A folder with a workspace root, a cache, an index of wheels and a Python that serves from it.
struct Bench {
    folder: tempfile::TempDir,
    setup: Setup,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["root", "index"] {
            fs::create_dir(at(name)).expect("a folder");
        }
        let torch = [
            ("torch/include/torch/headeronly/version.h", header("2.11.0")),
            ("torch/lib/libtorch_cpu.so", "cpu".into()),
            ("torch/lib/libtorch_cuda.so", "cuda".into()),
            ("torch/lib/libtorch_python.so", "not needed".into()),
            ("torch/lib/libstatic.a", "not needed".into()),
        ];
        let (torch, sum) = wheel(&at("index"), "torch", &torch);
        let (gpu, gpu_sum) =
            wheel(&at("index"), "gpu", &[("nvidia/lib/libgpu.so.1", "gpu".into())]);
        let make = |project: &str, sha256: &str, take: &[&str]| Wheel {
            project: project.into(),
            version: "2.11.0".into(),
            sha256: sha256.into(),
            megabytes: 1,
            unpacked_megabytes: 1,
            take: take.iter().map(|t| (*t).into()).collect(),
        };
        let wheels = Wheels {
            cpu: vec![make(&torch, &sum, &["torch/include/", "torch/lib/libtorch_cpu.so"])],
            cuda: vec![
                make(&torch, &sum, &["torch/lib/libtorch_cuda.so"]),
                make(&gpu, &gpu_sum, &["nvidia/lib/"]),
            ],
        };
        // Its arguments end in `--dest FOLDER PROJECT===VERSION`.
        let python = script(
            &at("python"),
            &format!(
                "for a; do before=$dest; dest=$last; last=$a; done\n\
                 echo \"${{last%%=*}}\" >> {log}\n\
                 sleep 0.05\n\
                 cp {index}/${{last%%=*}}.whl \"$dest\"",
                log = at("calls").display(),
                index = at("index").display()
            ),
        );
        let cache = Cache { folder: at("cache"), python, wheels };
        let setup = Setup { root: at("root"), users: None, cache, target: at("target") };
        Bench { folder, setup }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What was asked of pip, one project a line.
    fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.at("calls"))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// What is left in the cache.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.setup.cache.folder).expect("a cache");
        let mut names: Vec<String> = entries
            .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn error(&self, cuda: bool) -> String {
        format!("{:#}", self.setup.run(cuda).expect_err("this setup cannot work"))
    }
}

fn header(version: &str) -> String {
    let names = ["MAJOR", "MINOR", "PATCH"];
    version
        .split('.')
        .zip(names)
        .map(|(n, name)| format!("#define TORCH_VERSION_{name} {n}\n"))
        .collect()
}

fn wheel(index: &Path, project: &str, entries: &[(&str, String)]) -> (String, String) {
    let path = index.join(format!("{project}.whl"));
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).expect("a file"));
    for (name, text) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(text.as_bytes()).expect("its text");
    }
    zip.finish().expect("a zip file");
    (project.into(), sha256(&path).expect("its checksum"))
}

fn script(path: &Path, body: &str) -> PathBuf {
    // Written by another process: a file that this one has open for writing while another test
    // forks cannot be run.
    let text = format!("#!/bin/sh\n{body}\n");
    let mut writer = std::process::Command::new("sh")
        .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("a shell");
    writer.stdin.take().expect("its input").write_all(text.as_bytes()).expect("the script");
    assert!(writer.wait().expect("an end").success());
    assert_eq!(fs::metadata(path).expect("the script").permissions().mode() & 0o111, 0o111);
    path.into()
}

/// A libtorch as a user may have unpacked it.
fn users(folder: &Path, version: &str) -> PathBuf {
    for (name, text) in [
        ("include/torch/headeronly/version.h", header(version)),
        ("lib/libtorch_cpu.so", "cpu".into()),
    ] {
        fs::create_dir_all(folder.join(name).parent().expect("a folder")).expect("a folder");
        fs::write(folder.join(name), text).expect("a file");
    }
    folder.into()
}

#[test]
fn fetches_once_what_is_needed_and_links_it() {
    let bench = Bench::new();
    let found = bench.setup.run(false).expect("a setup");
    assert_eq!(fs::read_to_string(found.join("lib/libtorch_cpu.so")).expect("the library"), "cpu");
    assert_eq!(
        bench.at("root/.libtorch").canonicalize().expect("the link"),
        found.canonicalize().expect("itself")
    );
    let lib: Vec<_> = fs::read_dir(found.join("lib")).expect("lib").collect();
    assert_eq!(lib.len(), 1, "only what is needed: {lib:?}");
    assert_eq!(bench.left(), ["libtorch-2.11.0", "lock"]);

    bench.setup.run(false).expect("a second setup");
    fs::remove_file(bench.at("root/.libtorch")).expect("the link"); // As in a second clone.
    bench.setup.run(false).expect("a setup of a second clone");
    assert_eq!(bench.calls(), ["torch"], "fetched once");
}

#[test]
fn many_at_once_fetch_once() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..6).map(|_| scope.spawn(|| bench.setup.cache.find_or_fetch(true))).collect();
        for one in all {
            check(&one.join().expect("no panic").expect("a libtorch"), true).expect("a whole one");
        }
    });
    assert_eq!(bench.calls(), ["torch", "torch", "gpu"]);
}

#[test]
fn half_a_fetch_is_never_taken_for_a_whole_one() {
    let bench = Bench::new();
    let torch = users(&bench.at("cache/libtorch-2.11.0/torch"), "2.11.0");
    fs::create_dir_all(bench.at("cache/part-killed/unpacked/torch/lib")).expect("a folder");
    fs::write(torch.join("lib/libtorch_cpu.so"), "c").expect("half a library");
    assert!(bench.setup.find(false).expect("no error").is_none());
    let found = bench.setup.run(false).expect("a setup");
    assert_eq!(fs::read_to_string(found.join("lib/libtorch_cpu.so")).expect("the library"), "cpu");
    assert_eq!(bench.left(), ["libtorch-2.11.0", "lock"]);
}

#[test]
fn the_gpu_part_joins_a_cache_in_use() {
    let bench = Bench::new();
    let cpu = bench.setup.run(false).expect("a setup");
    let before = fs::metadata(cpu.join("lib/libtorch_cpu.so")).expect("the library");
    assert!(!has_cuda(&cpu));
    let both = bench.setup.run(true).expect("a setup with the GPU part");
    assert_eq!(cpu.canonicalize().expect("a path"), both.canonicalize().expect("a path"));
    assert!(has_cuda(&both) && both.join("../nvidia/lib/libgpu.so.1").exists());
    let after = fs::metadata(both.join("lib/libtorch_cpu.so")).expect("the library");
    assert_eq!(
        (before.ino(), before.mtime_nsec()),
        (after.ino(), after.mtime_nsec()),
        "left untouched"
    );
    assert_eq!(bench.left(), ["libtorch-2.11.0", "lock"]);
}

#[test]
fn a_wrong_checksum_names_file_and_sums_and_leaves_nothing() {
    let bench = Bench::new();
    wheel(&bench.at("index"), "torch", &[("torch/lib/libtorch_cpu.so", "other".into())]);
    let found = sha256(&bench.at("index/torch.whl")).expect("a checksum");
    let error = bench.error(false);
    for part in ["torch.whl", &bench.setup.cache.wheels.cpu[0].sha256, &found, "LIBTORCH"] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    assert_eq!(bench.left(), ["lock"]);
}

#[test]
fn each_trouble_names_its_way_out() {
    let cases = [
        ("echo '/usr/bin/python3: No module named pip' >&2; exit 1", "apt install python3-pip"),
        (
            "echo 'WARNING: Retrying: Temporary failure in name resolution' >&2\n\
             echo 'ERROR: No matching distribution found for torch===2.11.0' >&2; exit 1",
            "name resolution",
        ),
        (
            "echo 'ERROR: No matching distribution found' >&2; exit 1",
            "set LIBTORCH to an unpacked libtorch",
        ),
        (
            "echo 'ERROR: Could not install: [Errno 28] No space left on device' >&2; exit 1",
            "TUTOR_CACHE",
        ),
        ("exit 0", "left no wheel"),
    ];
    for (body, expected) in cases {
        let mut bench = Bench::new();
        bench.setup.cache.python = script(&bench.at("broken"), body);
        let error = bench.error(false);
        assert!(error.contains(expected), "{expected:?} is missing in: {error}");
        assert_eq!(bench.left(), ["lock"], "after {body}");
    }

    let mut bench = Bench::new();
    bench.setup.cache.python = bench.at("no-python");
    assert!(bench.error(false).contains("no-python was not found"));
    bench.setup.cache.wheels.cpu[0].unpacked_megabytes = 1 << 40;
    let error = bench.error(false);
    assert!(error.contains("not enough room") && error.contains("TUTOR_CACHE"), "{error}");
}

#[test]
fn libtorch_of_the_user_is_checked_and_used() {
    let mut bench = Bench::new();
    let own = bench.at("own");
    bench.setup.users = Some(own.clone());
    assert!(bench.error(false).contains("is not a libtorch"));
    users(&own, "2.4.1");
    let error = bench.error(false);
    assert!(error.contains("libtorch 2.4.1") && error.contains("2.11"), "{error}");
    users(&own, "2.11.1");
    assert_eq!(bench.setup.run(false).expect("a setup"), own);
    assert_eq!(
        bench.at("root/.libtorch").canonicalize().expect("the link"),
        own.canonicalize().expect("itself")
    );
    assert!(bench.error(true).contains("for CPU only"));
    assert!(bench.calls().is_empty(), "nothing is fetched");
    bench.setup.users = None;
    assert_eq!(
        bench.setup.run(false).expect("a setup"),
        own.canonicalize().expect("a path"),
        "the link is kept"
    );
}

#[test]
fn bindings_are_built_anew_when_the_link_moves() {
    let mut bench = Bench::new();
    let built = bench.at("target/release/build/torch-sys-0a1b");
    let other = bench.at("target/release/build/cc-0a1b");
    for folder in [&built, &other] {
        fs::create_dir_all(folder).expect("a folder");
    }
    bench.setup.run(false).expect("a setup");
    assert!(built.exists(), "a new link: nothing was built against another libtorch");
    let own = bench.at("own");
    users(&own, "2.11.0");
    bench.setup.users = Some(own);
    bench.setup.run(false).expect("a setup");
    assert!(!built.exists() && other.exists());
}

#[test]
fn a_folder_in_the_links_place_is_not_touched() {
    let bench = Bench::new();
    fs::create_dir(bench.at("root/.libtorch")).expect("a folder");
    assert!(bench.error(false).contains("a folder where a link belongs"));
}
