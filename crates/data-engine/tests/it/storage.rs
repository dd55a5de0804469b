//! Tables in storage that speaks S3.
//!
//! The server is moto's: `MOTO_PYTHON` names a Python with `xtask/peers/s3-requirements.txt`.
//! Without it the test says that it is skipped.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use data_engine::parts::{read, write};
use datafusion::arrow::array::{ArrayRef, BooleanArray};
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::cluster::free_port;
use crate::needed::skip;
use crate::tables::table;

struct Server {
    child: Child,
    endpoint: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn server() -> Option<Server> {
    let Ok(python) = std::env::var("MOTO_PYTHON") else {
        skip("MOTO_PYTHON names no Python with xtask/peers/s3-requirements.txt");
        return None;
    };
    let port = free_port();
    let mut command = Command::new(python);
    command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let server = Server { child, endpoint: format!("http://127.0.0.1:{port}") };
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(60), "the server does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(server)
}

impl Server {
    fn store(&self) -> impl ObjectStore + use<> {
        let builder = AmazonS3Builder::new().with_bucket_name("tutor").with_region("us-east-1");
        let builder = builder.with_access_key_id("key").with_secret_access_key("secret");
        let builder = builder.with_endpoint(&self.endpoint).with_allow_http(true);
        builder.build().expect("a bucket")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_data-engine"));
        let variables = [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ENDPOINT", self.endpoint.as_str()),
        ];
        command.args(arguments).envs(variables).output().expect("the program starts")
    }
}

/// A name as it is.
fn key(name: &str) -> object_store::path::Path {
    object_store::path::Path::parse(name).expect("a name")
}

/// Puts a file into the bucket.
async fn put(store: &impl ObjectStore, name: &str, file: &Path) {
    let bytes = std::fs::read(file).expect("a table");
    store.put(&key(name), bytes.into()).await.expect("put");
}

#[test]
fn tables_are_read_from_buckets() {
    let Some(server) = server() else { return };
    // A bucket is made by a plain request.
    let made = std::process::Command::new(std::env::var("MOTO_PYTHON").expect("it is there"))
        .args([
            "-c",
            "import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], method='PUT'))",
        ])
        .arg(format!("{}/tutor", server.endpoint))
        .status();
    assert!(made.expect("started").success());
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let rows: Vec<(String, String, f32)> = (0..3000)
        .map(|i| (format!("{i:05}"), format!("c{}", i % 7), (i * 37 % 1009) as f32 / 1009.0))
        .collect();
    let rows: Vec<(&str, &str, f32)> =
        rows.iter().map(|(id, label, p)| (id.as_str(), label.as_str(), *p)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let store = server.store();
    for (i, rows) in rows.chunks(1000).enumerate() {
        let name = format!("part-{:05}-of-00003.parquet", i + 1);
        write(&path(&name), rows).expect("written");
        runtime.block_on(put(&store, &format!("labels [a] 5%20/{name}"), &path(&name)));
        // Of a sub-folder, and of another one whose name begins alike.
        runtime.block_on(put(&store, &format!("labels [a] 5%20/old/{name}"), &path(&name)));
        runtime.block_on(put(&store, &format!("labels [a] 5%202/{name}"), &path(&name)));
    }
    let select = |from: &str, out: &str| {
        let out = path(out).to_str().expect("UTF-8").to_owned();
        server.run(&["select", "--per-class", "50", "--out", &out, from])
    };
    let far = select("s3://tutor/labels [a] 5%20", "far");
    assert!(far.status.success(), "{}", String::from_utf8_lossy(&far.stderr));
    let near = select(folder.path().to_str().expect("UTF-8"), "near");
    assert!(near.status.success(), "{}", String::from_utf8_lossy(&near.stderr));
    assert_eq!(far.stdout, near.stdout);
    let [far, near] = ["far", "near"].map(|name| read(&path(name)).expect("rows"));
    assert!(far.len() > 300 && far == near);

    let one = server.run(&["describe", "s3://tutor/labels [a] 5%20/part-00002-of-00003.parquet"]);
    assert!(String::from_utf8_lossy(&one.stdout).contains("\"rows\": 1000"), "{one:?}");
    let said = |output: Output| String::from_utf8(output.stderr).expect("UTF-8");
    let part = "labels [a] 5%20/part-00002-of-00003.parquet";
    runtime.block_on(async { store.delete(&key(part)).await }).expect("deleted");
    let missing = said(select("s3://tutor/labels [a] 5%20", "out"));
    assert!(missing.contains("there is no part-00002-of-00003.parquet"), "{missing}");
    let nothing = said(select("s3://tutor/nothing", "out"));
    assert!(nothing.contains("there is no .parquet file"), "{nothing}");
    // Of files that differ, or are damaged, the names in the bucket are said.
    std::fs::write(path("damaged"), "no table").expect("written");
    for (name, file) in [("a", "part-00001-of-00003.parquet"), ("b", "damaged")] {
        runtime.block_on(put(&store, &format!("mixed/{name}.parquet"), &path(file)));
    }
    let damaged = said(select("s3://tutor/mixed", "out"));
    assert!(damaged.contains("s3://tutor/mixed/b.parquet: its footer"), "{damaged}");
    let labels: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    table(&path("differs"), vec![("label", labels)]);
    runtime.block_on(put(&store, "mixed/b.parquet", &path("differs")));
    let differs = said(server.run(&["describe", "s3://tutor/mixed"]));
    for part in ["mixed/b.parquet: column label holds Boolean", "s3://tutor/mixed/a.parquet Utf8"] {
        assert!(differs.contains(part), "{differs}");
    }
    let bucket = said(select("s3://other/labels", "out"));
    assert!(bucket.contains("AWS_ENDPOINT") && bucket.lines().count() == 1, "{bucket}");
    assert!(!path("out").exists());
}
