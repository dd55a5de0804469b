//! The folder of a stage: final weights, the mark that they are final, the record.

use std::fs;
use std::io::Write;

use serde_json::json;
use torch::{Device, Init, Params, Role};
use train::{StageDir, record};

use crate::lab;

fn weights(value: f64) -> Params {
    let make = |s: &mut torch::Scope<'_>| s.tensor("w", &[3], Role::Weight, Init::Const(value));
    Params::build(Device::Cpu, make).1
}

#[test]
fn a_finished_stage_is_known_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs/teacher");
    let stage = StageDir::open(&path).unwrap();
    assert_eq!(stage.done().unwrap(), None);
    stage.finish(&weights(2.5), &json!({ "accuracy": 0.9, "steps": 400 })).unwrap();
    let done = stage.done().unwrap().unwrap();
    assert_eq!(done.summary["accuracy"], 0.9);

    let read = torch::store::load(&stage.final_path()).unwrap();
    let own = weights(0.0);
    own.load(&read.tensors).unwrap();
    assert_eq!(own.get("w").unwrap().double_value(&[1]), 2.5);
}

#[test]
fn a_mark_without_its_weights_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let stage = StageDir::open(folder.path()).unwrap();
    let finish = || stage.finish(&weights(2.5), &()).unwrap();
    finish();
    let mut bytes = fs::read(stage.final_path()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(stage.final_path(), bytes).unwrap();
    assert_eq!(stage.done().unwrap(), None);
    finish();
    assert!(stage.done().unwrap().is_some());
    fs::remove_file(stage.final_path()).unwrap();
    assert_eq!(stage.done().unwrap(), None);
    finish();
    fs::write(folder.path().join("done.json"), "{").unwrap();
    assert_eq!(stage.done().unwrap(), None);
}

#[test]
fn final_weights_are_those_of_the_mark_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let read = || StageDir::final_weights(folder.path());
    let message = read().unwrap_err().to_string();
    assert!(message.contains("final.safetensors is not there"), "{message}");
    let stage = StageDir::open(folder.path()).unwrap();
    stage.finish(&weights(2.5), &()).unwrap();
    assert_eq!(read().unwrap().tensors["w"].double_value(&[1]), 2.5);

    let whole = fs::read(stage.final_path()).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(stage.final_path(), damaged).unwrap();
    let message = read().unwrap_err().to_string();
    assert!(message.contains("other bytes than done.json"), "{message}");
    fs::write(stage.final_path(), &whole[..whole.len() - 1]).unwrap();
    assert!(read().is_err());

    fs::write(stage.final_path(), whole).unwrap();
    fs::write(folder.path().join("done.json"), "{").unwrap();
    let message = read().unwrap_err().to_string();
    assert!(message.contains("done.json: "), "{message}");

    // Killed after the weights and before the mark.
    fs::remove_file(folder.path().join("done.json")).unwrap();
    assert!(read().is_ok());
}

#[test]
fn a_record_is_read_up_to_its_last_whole_line() {
    let folder = tempfile::tempdir().unwrap();
    lab::run(folder.path(), &lab::setup(5), &mut ()).unwrap();
    let path = folder.path().join(record::FILE);
    let rows = record::read(&path).unwrap();
    assert!(rows.is_sorted_by(|a, b| a.step <= b.step && a.seconds <= b.seconds));
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    file.write_all(b"{\"step\":6,\"sec").unwrap();
    assert_eq!(record::read(&path).unwrap(), rows);
    file.write_all(b"\n").unwrap();
    let message = record::read(&path).unwrap_err().to_string();
    assert!(message.contains("metrics.jsonl: line 5"), "{message}");
    let nan = "{\"step\":1,\"seconds\":0.5,\"note/kept\":null}\n";
    fs::write(&path, nan).unwrap();
    assert_eq!(record::read(&path).unwrap()[0].values["note/kept"], None);
}

#[test]
fn a_record_that_lost_its_end_keeps_its_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let setup = lab::setup(12);
    lab::run(folder.path(), &setup, &mut lab::StopAt(8)).unwrap();
    let path = folder.path().join(record::FILE);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 3]).unwrap();
    lab::run(folder.path(), &setup, &mut ()).unwrap();
    let steps: Vec<_> = lab::record(folder.path()).iter().map(|r| r.0).collect();
    // The row of step 8 is lost, and the rows from 9 on are there.
    assert_eq!(steps, [2, 4, 5, 6, 10, 10, 12, 12]);
}
