//! Published weights, as a user meets them.

use std::collections::BTreeMap;
use std::path::Path;

use ::weights::{StateDict, TensorData, open, save};

use crate::tutor::{command, refused, result, run, run_folder};

/// Keeps the tensors of a file under other names, with a head of another size if told.
fn rewritten(from: &Path, to: &Path, prefix: &str, outputs: Option<usize>) {
    let StateDict { tensors, .. } = open(from).expect("the weights of a run");
    let rewrite = |(name, tensor): (String, TensorData)| {
        let mut tensor = tensor;
        if let (Some(outputs), true) = (outputs, name.starts_with("fc.")) {
            let mut shape = tensor.shape().to_vec();
            shape[0] = outputs;
            tensor = TensorData::from_f32(shape.clone(), &vec![0.0; shape.iter().product()]);
        }
        (format!("{prefix}{name}"), tensor)
    };
    let tensors = tensors.into_iter().map(rewrite).collect();
    save(to, &tensors, &BTreeMap::new()).expect("written");
}

#[test]
fn a_teacher_starts_from_weights_behind_a_prefix_and_with_another_head() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = ["run", "noisy-student", "--quick"];
    let first = run_folder(dir.path(), &run(dir.path(), &first));
    let given = first.join("seed-1/teacher/final.safetensors");
    let at = |name: &str| dir.path().join(name);
    rewritten(&given, &at("wrapped.safetensors"), "module.", None);
    rewritten(&given, &at("larger.safetensors"), "module.", Some(1000));
    let started = |file: &str, set: &[&str]| -> Vec<String> {
        let weights = format!("teacher.weights={file}");
        let sets = [weights.as_str()];
        let sets = sets.iter().chain(set).flat_map(|set| ["--set", set]);
        ["run", "noisy-student", "--quick"].into_iter().chain(sets).map(str::to_owned).collect()
    };
    fn strs(all: &[String]) -> Vec<&str> {
        all.iter().map(String::as_str).collect()
    }
    let call = |arguments: Vec<String>| {
        result(&run_folder(dir.path(), &run(dir.path(), &strs(&arguments))))
    };
    let notes = |result: &serde_json::Value| result["notes"].to_string();

    // Taken as they are: the scores are those of the run they come from.
    let same = call(started("wrapped.safetensors", &["teacher.train.steps=0"]));
    assert_eq!(same["rows"][0]["per_seed"], result(&first)["rows"][0]["per_seed"]);
    assert!(notes(&same).contains("wrapped.safetensors (prefix module. removed)"), "{same}");
    // Trained further: a head of another size is a new one, and the report says so.
    let further = call(started("larger.safetensors", &[]));
    assert!(notes(&further).contains("head fc of 1000 outputs replaced"), "{further}");
    // Not trained, there is nothing that a new head could learn from.
    let arguments = started("larger.safetensors", &["teacher.train.steps=0"]);
    let said = refused(dir.path(), &strs(&arguments));
    assert!(said.contains("larger.safetensors") && said.contains("fc.weight is [1000,"), "{said}");
}

#[test]
fn weights_are_listed_shown_and_what_is_not_there_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let called = |arguments: &[&str]| {
        let mut command = command(dir.path(), arguments);
        let out = command.env("TUTOR_CACHE", dir.path().join("cache")).output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.success(), text(&out.stdout) + &text(&out.stderr))
    };
    let (_, listed) = called(&["weights", "list"]);
    assert!(listed.contains("efficientnet-lite0") && listed.contains("17 MB to fetch"), "{listed}");
    let mut homeless = command(dir.path(), &["weights", "list"]);
    ["HOME", "XDG_CACHE_HOME", "TUTOR_CACHE"].iter().for_each(|name| _ = homeless.env_remove(name));
    let out = homeless.output().expect("it starts");
    assert!(out.status.success());
    assert_eq!(String::from_utf8_lossy(&out.stdout), listed, "without a folder for them");
    let (good, said) = called(&["weights", "fetch", "efficientnet-lite9"]);
    assert!(!good && said.contains("efficientnet-lite0, efficientnet-lite1"), "{said}");
    assert!(said.contains("all-MiniLM-L6-v2") && listed.contains("84 MB to fetch"), "{said}");
    let (good, said) = called(&["weights", "show", "all-minilm-l6-v2"]);
    assert!(!good && said.contains("tutor weights fetch all-MiniLM-L6-v2"), "{said}");
    let (good, said) = called(&["weights", "show", "efficientnet-lite0"]);
    assert!(!good && said.contains("tutor weights fetch efficientnet-lite0"), "{said}");
    let tensors = BTreeMap::from([("a.b".to_owned(), TensorData::from_f32(vec![2], &[1.0, 2.0]))]);
    save(&dir.path().join("my.safetensors"), &tensors, &BTreeMap::new()).expect("written");
    let (good, said) = called(&["weights", "show", "my.safetensors"]);
    assert!(good && said.contains("a.b F32[2]"), "{said}");
}
