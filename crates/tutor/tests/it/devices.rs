//! What devices compute, compared and timed; here, where there may be no GPU, on the CPU.

use std::path::Path;

use serde_json::Value;

use crate::tutor::{refused, run};

fn json(dir: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(dir.join(name)).expect("it was written");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn methods_are_compared_and_what_is_left_out_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let compare = ["parity", "--device", "cpu", "--only", "method ", "--json", "found.json"];
    let said = run(dir.path(), &compare);
    let found = json(dir.path(), "found.json");
    assert_eq!(found["agrees"], true, "{said}");
    let named = |list: &str| -> Vec<String> {
        let list = found[list].as_array().expect("a list").iter();
        list.map(|case| case["name"].as_str().expect("a name").to_owned()).collect()
    };
    let (compared, left_out) = (named("compared"), named("left_out"));
    for method in ["uda", "fixmatch", "flexmatch", "freematch", "softmatch", "adamatch"] {
        assert!(compared.contains(&format!("method {method}")), "{method}: {compared:?}");
    }
    assert_eq!(left_out, ["method vat", "method lga-vat"]);
    assert!(said.contains("not compared: its search"), "{said}");
    assert!(compared.len() > 20, "{compared:?}");

    let found = refused(dir.path(), &["parity", "--device", "cpu", "--only", "nothing at all"]);
    assert!(found.contains("--only"), "{found}");
    if torch::device::load_cuda().is_err() {
        let found = refused(dir.path(), &["parity", "--device", "cuda"]);
        assert!(found.to_lowercase().contains("cuda"), "{found}");
    }
}

#[test]
fn a_step_on_images_is_timed() {
    let dir = tempfile::tempdir().expect("a folder");
    let few = "--net small-net --labeled 4 --unlabeled 8 --device cpu --steps 2 --json found.json";
    let measured = |more: &str| {
        let words = format!("measure images {few} {more}");
        let said = run(dir.path(), &words.split_whitespace().collect::<Vec<_>>());
        (said, json(dir.path(), "found.json"))
    };
    let number = |found: &Value, key: &str| found[key].as_f64().expect("a number");
    let (said, uda) = measured("--method uda --precision float32 --peak 100");
    assert!(said.contains("of uda in float32, 4 + 8 images of 8 x 8"), "{said}");
    assert!(said.contains("% of its peak"), "{said}");
    let images = number(&uda, "images_per_second") * number(&uda, "step_seconds");
    assert!((images - 12.0).abs() < 1e-6, "{uda}");
    assert_eq!((&uda["seen"], &uda["steps"]), (&20.into(), &2.into()));
    assert!(number(&uda, "peak_bytes") > 4.0 * number(&uda, "parameters"), "{uda}");

    let (said, from_host) = measured("--method uda --precision bfloat16 --from-host");
    assert!(said.contains("in bfloat16") && said.contains("from the host"), "{said}");
    assert_eq!(from_host["step_operations"], uda["step_operations"]);
    let (_, supervised) = measured("--method supervised --image-size 16");
    assert_eq!((&supervised["seen"], &supervised["unlabeled"]), (&4.into(), &0.into()));
    // 4 images of four times as many pixels instead of 20, but for the linear layer.
    let ratio = number(&supervised, "step_operations") / number(&uda, "step_operations");
    assert!((ratio - 16.0 / 20.0).abs() < 0.01, "{ratio}");

    let ask = |method: &str| refused(dir.path(), &["measure", "images", "--method", method]);
    assert!(ask("fixmutch").contains("`fixmatch`"), "{}", ask("fixmutch"));
}
