//! What is done with a trained network: labels for new pictures, scores, files for other programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use image::{ImageBuffer, Rgb};
use torch::Device;
use torch::graph::Array;
use vision_models::{EfficientNetConfig, NetConfig};
use weights::meta::{self, Meta};
use weights::{Interpolation, Preprocess, TensorData};

use crate::folders::folders;
use crate::tutor::{call, differs_a_little_in_bfloat16, refused, run};

/// Trains a small net on the folders of the module `folders`; gives its run.
pub(crate) fn trained(dir: &Path) -> &'static str {
    folders(dir);
    let keys = [
        "data.labeled=labeled",
        "data.unlabeled=unlabeled",
        "train.steps=30",
        "cadence.evaluate=30",
        "evaluate.batch=8",
        "workers=1",
    ];
    let mut arguments = vec!["run", "fixmatch/folder"];
    keys.iter().for_each(|key| arguments.extend(["--set", key]));
    run(dir, &arguments);
    "runs/fixmatch/latest"
}

fn lines(dir: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(dir.join(name)).expect(name);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn labelling_goes_on_where_it_was_stopped_and_tells_what_it_saw() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let latest = trained(dir);
    let deep: ImageBuffer<Rgb<u16>, Vec<u16>> =
        ImageBuffer::from_fn(20, 24, |x, y| Rgb([60_000, 16_000 + 9 * x as u16, y as u16]));
    deep.save(dir.join("unlabeled/z-deep.png")).expect("written");
    // Its header is whole.
    let half = fs::read(dir.join("unlabeled/00.png")).expect("a picture");
    fs::write(dir.join("unlabeled/00-half.png"), &half[..half.len() / 2]).expect("written");

    let called = call(dir, &["predict", latest, "unlabeled", "--out", "all.csv"]);
    assert!(called.success, "{}", called.err);
    for told in [
        "1 file left out, no image but ",
        "1 file left out, damaged: ",
        "1 picture was brought from 16 bits to 8",
    ] {
        assert!(called.err.contains(told), "{told}: {}", called.err);
    }
    let all = lines(dir, "all.csv");
    assert_eq!(all.len(), 42, "40 pictures and the deep one");
    differs_a_little_in_bfloat16(dir, &[latest, "unlabeled"], 41);
    assert!(!dir.join("all.csv.part").exists());

    // What cannot be written to its place leaves all that was said in the part file.
    fs::create_dir(dir.join("again.csv")).expect("made");
    refused(dir, &["predict", latest, "unlabeled", "--out", "again.csv"]);
    fs::remove_dir(dir.join("again.csv")).expect("removed");
    let part = lines(dir, "again.csv.part");
    assert_eq!(part.len(), 1 + 42, "a line that says what it is about, and one a picture");
    // As if it had been killed, in the middle of a line; what is taken up is not asked again. The
    // first picture is the half one.
    let mut kept = part[..11].to_vec();
    let marked = r#"{"said":{"probabilities":[0.25,0.75]}}"#.to_owned();
    kept[2] = marked;
    let text = kept.join("\n") + "\n" + &part[11][..5];
    fs::write(dir.join("again.csv.part"), &text).expect("written");
    let called = call(dir, &["predict", latest, "unlabeled", "--out", "again.csv"]);
    assert!(called.err.contains("10 of 42 images were done before"), "{}", called.err);
    assert!(called.err.contains("1 file left out, damaged: "), "also of before: {}", called.err);
    let again = lines(dir, "again.csv");
    assert_eq!(again[1], "00.png,red,0.75,0.25,0.75", "{again:?}");
    let close = |a: &str, b: &str| {
        a.split(',').zip(b.split(',')).all(|(a, b)| match (a.parse::<f32>(), b.parse::<f32>()) {
            (Ok(a), Ok(b)) => (a - b).abs() < 1e-5,
            _ => a == b,
        })
    };
    assert_eq!(again.len(), all.len());
    assert!(again[2..].iter().zip(&all[2..]).all(|(a, b)| close(a, b)), "{again:?}\n{all:?}");

    // Of a picture that is another one under its name, of other pictures, or of another network,
    // nothing is taken up.
    fs::write(dir.join("new.csv.part"), &text).expect("written");
    fs::copy(dir.join("unlabeled/00.png"), dir.join("unlabeled/02.png")).expect("copied");
    let called = call(dir, &["predict", latest, "unlabeled", "--out", "new.csv"]);
    assert!(called.success && !called.err.contains("done before"), "{}", called.err);
    assert!(called.err.contains("begun anew"), "{}", called.err);
    fs::write(dir.join("other.csv.part"), text).expect("written");
    fs::remove_file(dir.join("unlabeled/z-deep.png")).expect("removed");
    let called = call(dir, &["predict", latest, "unlabeled", "--out", "other.csv"]);
    assert!(called.success && !called.err.contains("done before"), "{}", called.err);
    assert!(lines(dir, "other.csv")[1..].iter().all(|line| !line.contains(",0.75,0.25,0.75")));

    // Rows of Parquet files that a pattern names.
    fs::create_dir(dir.join("rows")).expect("made");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data-pipeline/tests/golden");
    fs::copy(golden.join("hf_images.parquet"), dir.join("rows/test-0.parquet")).expect("copied");
    let rows = ["predict", latest, "rows/test-*.parquet", "--out", "rows.csv"];
    run(dir, &rows);
    assert_eq!(lines(dir, "rows.csv").len(), 9);

    // Only the sure ones.
    let arguments = ["predict", latest, "unlabeled", "--threshold", "0.9", "--out", "sure.jsonl"];
    let said = run(dir, &arguments);
    let rows: Vec<serde_json::Value> = lines(dir, "sure.jsonl")
        .iter()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(rows.len(), 40);
    let mut empty = 0;
    for row in &rows {
        let certain = row["confidence"].as_f64().expect("a number") >= 0.9;
        assert_eq!(row["label"].is_null(), !certain, "{row}");
        empty += usize::from(!certain);
        let p = |class: &str| row["probabilities"][class].as_f64().expect("a number");
        assert!((p("red") + p("blue") - 1.0).abs() < 1e-5, "{row}");
    }
    let told = format!("sure.jsonl: {} images labelled by ", 40 - empty);
    assert!(said.starts_with(&told), "{said}");
    assert!(said.contains(&format!("{empty} below 0.9 left without a label")), "{said}");
    let all_empty = ["predict", latest, "unlabeled", "--threshold", "1", "--out", "none.parquet"];
    run(dir, &all_empty);
    let bytes = fs::read(dir.join("none.parquet")).expect("labels");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let error = refused(dir, &["predict", latest, "unlabeled", "--threshold", "2"]);
    assert!(error.contains("from 0 to 1"), "{error}");
    let error = refused(dir, &["predict", latest, "unlabeled", "--out", "nodir/a.csv"]);
    assert!(error.contains("there is no folder nodir; make it"), "{error}");
}

/// What is said of a score, without the first line, which says of what.
fn score(said: &str) -> &str {
    said.split_once('\n').expect("lines").1
}

#[test]
fn an_export_is_scored_as_its_run_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let latest = trained(dir);
    let own = "own.safetensors";
    run(dir, &["export", latest, "--safetensors", own, "--onnx", "own.onnx"]);
    assert!(fs::metadata(dir.join("own.onnx")).expect("a file").len() > 100_000);
    let of_run = run(dir, &["eval", latest, "scored"]);
    for said in ["accuracy ", " % of 16 images", "balanced accuracy", "expected calibration error "]
    {
        assert!(of_run.contains(said), "{said}: {of_run}");
    }
    assert!(of_run.contains("\n  red ") && of_run.contains("\n  blue "), "{of_run}");
    // No judge of texts: that is said before it is asked what its classes mean.
    run(dir, &["rate", "init", "study.db"]);
    let error = refused(dir, &["rate", "judge", "study.db", "eye", "--run", latest]);
    assert!(error.contains("is shown images, and responses are texts"), "{error}");
    let error = refused(dir, &["run", latest]);
    assert!(error.contains("is the folder of a run: name its recipe, "), "{error}");
    // Without the run, and what it learned from.
    for gone in ["runs", "labeled"] {
        fs::rename(dir.join(gone), dir.join(format!("{gone}-away"))).expect("moved");
    }
    let of_export = run(dir, &["eval", "--weights", own, "scored"]);
    assert_eq!(score(&of_export), score(&of_run));
    // Labels from a table.
    fs::write(dir.join("scored/labels.csv"), "file,label\nred/1.png,red\nblue/2.png,blue\n")
        .expect("written");
    let table = run(dir, &["eval", "--weights", own, "scored/labels.csv"]);
    assert!(table.contains("% of 2 images"), "{table}");

    // What has no label is neither scored nor changed.
    fs::create_dir(dir.join("scored/unsure")).expect("made");
    fs::copy(dir.join("scored/red/1.png"), dir.join("scored/unsure/1.png")).expect("copied");
    let robust = ["eval", "scored", "--no-label", "unsure", "--robustness"];
    let robust = [&robust[..], &["--images", "4", "--sequences", "1"]].concat();
    let one = run(dir, &[&robust[..], &["--weights", own]].concat());
    assert!(one.contains("robustness of 4 images and 1 sequence at 32x32 pixels"), "{one}");
    let numbers = |text: &str, name: &str| -> Vec<f64> {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name}: {text}"));
        line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    let fog = numbers(&one, "fog");
    assert_eq!(fog.len(), 6, "five severities and their mean");
    assert!((fog[..5].iter().sum::<f64>() / 5.0 - fog[5]).abs() < 0.01, "{one}");
    // A net beside itself sees the same images, so it is as good as itself.
    fs::copy(dir.join(own), dir.join("copy.safetensors")).expect("copied");
    let weights = ["--weights", own, "--weights", "copy.safetensors"];
    let two = run(dir, &[&robust[..], &weights].concat());
    assert_eq!(numbers(&two, "fog"), [fog[5]; 2], "{two}");
    for name in ["gaussian_noise", "jpeg_compression", "rotate", "mean"] {
        let both = numbers(&two, name);
        assert!(both.len() == 2 && both[0] == both[1], "{name}: {two}");
    }
}

/// Random weights of a narrow net, with what the header is to say.
fn checkpoint(path: &Path, classes: i64, meta: &Meta) {
    let net: NetConfig =
        EfficientNetConfig::new(vision_models::efficientnet::Variant::Lite0).into();
    let model = net.build(Device::Cpu, 3, classes);
    let tensors: BTreeMap<String, TensorData> = model
        .params
        .iter()
        .map(|param| {
            let Array { shape, values } = Array::of(&param.tensor);
            let shape = shape.iter().map(|&n| n as usize).collect();
            (param.name.clone(), TensorData::from_f32(shape, &values))
        })
        .collect();
    weights::save(path, &tensors, meta).expect("written");
}

/// The header says by which name of timm the net is padded, and every file that is made of it keeps
/// that.
#[test]
fn weights_are_run_and_exported_in_the_form_that_they_were_trained_in() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    let (mean, std) = (vec![0.5; 3], vec![0.25; 3]);
    let (size, crop, squash, interpolation) = (32, 0.875, false, Interpolation::Bicubic);
    let preprocess = Preprocess { size, crop, squash, interpolation, mean, std };
    let exported = |architecture: &str| -> (Meta, String) {
        let mut told = Meta::from([(meta::ARCHITECTURE.to_owned(), architecture.to_owned())]);
        meta::set_preprocess(&mut told, &preprocess);
        checkpoint(&dir.join("given.safetensors"), 2, &told);
        let to = ["--safetensors", "net.safetensors", "--onnx", "net.onnx"];
        run(dir, &[&["export", "--weights", "given.safetensors"], &to[..]].concat());
        let onnx = fs::read(dir.join("net.onnx")).expect("it");
        let meta = weights::open(&dir.join("net.safetensors")).expect("a file").meta;
        (meta, String::from_utf8_lossy(&onnx).into_owned())
    };
    let (symmetric, graph) = exported("efficientnet_lite0");
    assert_eq!(symmetric[meta::ARCHITECTURE], "efficientnet_lite0");
    assert!(symmetric["tutor"].contains(r#""symmetric_padding":true"#), "{symmetric:?}");
    assert!(!graph.contains("SAME_UPPER"), "a convolution pads as TensorFlow's do");
    let (same, graph) = exported("tf_efficientnet_lite0");
    assert_eq!(same[meta::ARCHITECTURE], "tf_efficientnet_lite0");
    assert!(!same["tutor"].contains("symmetric_padding") && graph.contains("SAME_UPPER"));
    // What was done to read a file is told, and of two claims of padding the file's own counts.
    let read = weights::open(&dir.join("given.safetensors")).expect("a file");
    let tensors =
        read.tensors.into_iter().map(|(name, tensor)| (format!("module.{name}"), tensor)).collect();
    weights::save(&dir.join("wrapped.safetensors"), &tensors, &read.meta).expect("written");
    let net = ["--net", "efficientnet_lite0"];
    let called =
        call(dir, &[&["eval", "--weights", "wrapped.safetensors", "scored"], &net[..]].concat());
    assert!(called.success, "{}", called.err);
    for told in [
        "wrapped.safetensors: prefix module. removed",
        "its net, unlike efficientnet_lite0, has symmetric_padding = false and bn_eps = 0.001",
    ] {
        assert!(called.err.contains(told), "{told}: {}", called.err);
    }
}

#[test]
fn published_weights_are_scored_without_a_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    let (mean, std) = (vec![0.5; 3], vec![0.25; 3]);
    let (size, crop, squash, interpolation) = (32, 0.875, false, Interpolation::Bicubic);
    let mut told =
        Meta::from([(meta::ARCHITECTURE.to_owned(), "tf_efficientnet_lite0".to_owned())]);
    meta::set_preprocess(&mut told, &Preprocess { size, crop, squash, interpolation, mean, std });
    checkpoint(&dir.join("two.safetensors"), 2, &told);
    let said = run(dir, &["eval", "--weights", "two.safetensors", "scored"]);
    assert!(
        said.starts_with("two.safetensors\naccuracy ") && said.contains("of 16 images"),
        "{said}"
    );
    // The order of the folders decides where nothing names the classes, and that is told.
    let told_order = "classes taken from the folders in this order: blue, red";
    let called = call(dir, &["eval", "--weights", "two.safetensors", "scored"]);
    assert!(called.err.contains(told_order), "{}", called.err);
    fs::create_dir(dir.join("published")).expect("made");
    fs::copy(dir.join("two.safetensors"), dir.join("published/model.safetensors")).expect("copied");
    let config = r#"{"id2label": {"0": "red", "1": "blue"}}"#;
    fs::write(dir.join("published/config.json"), config).expect("written");
    let called = call(dir, &["eval", "--weights", "published", "scored"]);
    assert!(called.success && !called.err.contains("in this order"), "{}", called.err);
    let at = |class: &str| called.out.find(&format!("\n  {class} ")).expect("a recall");
    assert!(at("red") < at("blue"), "{}", called.out);
    // The classes of a head are as many as the folders, unless the file names them.
    checkpoint(&dir.join("three.safetensors"), 3, &told);
    let error = refused(dir, &["eval", "--weights", "three.safetensors", "scored"]);
    assert!(error.contains("tells 3 classes apart") && error.contains("has 2 classes"), "{error}");
    assert!(error.contains("--classes FILE"), "{error}");
    // Names make a folder with some of the classes enough.
    fs::write(dir.join("names.txt"), "red\ngreen\nblue\n").expect("written");
    let three = ["eval", "--weights", "three.safetensors", "scored", "--classes", "names.txt"];
    let said = run(dir, &three);
    assert!(said.contains("over 2 of 3 classes; none of") && said.contains("green"), "{said}");
    let called = call(dir, &[&three[..], &["--present-only"]].concat());
    let note = "the most probable of the 2 classes that are there, of 3";
    assert!(called.success && called.err.contains(note), "{}", called.err);
    for (names, told) in [
        ("red\nblue\n", "--classes names 2 classes, and three.safetensors tells 3 apart"),
        ("red\nblue\nred\n", "`red` is there twice"),
    ] {
        fs::write(dir.join("names.txt"), names).expect("written");
        let error = refused(dir, &three);
        assert!(error.contains(told), "{error}");
    }
    meta::set_classes(&mut told, &["red", "green", "blue"].map(str::to_owned));
    checkpoint(&dir.join("named.safetensors"), 3, &told);
    let said = run(dir, &["eval", "--weights", "named.safetensors", "scored"]);
    assert!(said.contains("over 2 of 3 classes; none of") && said.contains("green"), "{said}");
    fs::rename(dir.join("scored/red"), dir.join("scored/purple")).expect("moved");
    let error = refused(dir, &["eval", "--weights", "named.safetensors", "scored"]);
    assert!(error.contains("purple"), "{error}");
    // What the file does not say.
    checkpoint(&dir.join("bare.safetensors"), 2, &Meta::new());
    let bare = ["eval", "--weights", "bare.safetensors", "scored"];
    assert!(refused(dir, &bare).contains("name that by --net"));
    let called =
        call(dir, &[&bare[..], &["--net", "tf_efficientnet_lite0", "--image-size", "48"]].concat());
    assert!(
        called.success && called.err.contains("does not say what its net is shown"),
        "{}",
        called.err
    );
    let error = refused(dir, &[&bare[..], &["--net", "tf_efficientnet_lite9"]].concat());
    assert!(error.contains("no net tf_efficientnet_lite9"), "{error}");
    let error = refused(dir, &[&bare[..], &["--net", "resnet50"]].concat());
    assert!(error.contains("bare.safetensors"), "{error}");
}
