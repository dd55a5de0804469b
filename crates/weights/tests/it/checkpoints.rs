//! Weights in training checkpoints and modules.

use weights::{open, open_part};

use crate::golden;

#[test]
fn averaged_weights_are_taken_first_and_others_by_name() {
    for name in ["checkpoint.pth", "checkpoint_legacy.pth"] {
        let path = golden::path(name);
        let read = open(&path).expect("it");
        assert_eq!(read.tensors["module.fc.weight"].to_f32(), [2.0; 4]);
        assert_eq!(read.applied, ["read state_dict_ema (also there: state_dict)"]);
        let plain = open_part(&path, Some("state_dict")).expect("it");
        assert_eq!(plain.tensors["module.fc.weight"].to_f32(), [1.0; 4]);
        assert_eq!(plain.tensors["module.fc.bias"].to_f32(), [1.0; 2]);
        assert_eq!(plain.tensors.len(), 2);
        assert_eq!(plain.applied, ["read state_dict (also there: state_dict_ema)"]);
        let error = open_part(&path, Some("model")).expect_err("none").to_string();
        assert!(error.contains(name) && error.contains("state_dict, state_dict_ema"), "{error}");
    }
}

#[test]
fn a_whole_module_gives_its_tensors_without_its_code() {
    for (name, part) in [("module.pth", "read model"), ("module_legacy.pth", "")] {
        let read = golden::open(name);
        // What `state_dict()` has, in its order 0, 1, 2, …: no passing buffer, no absent parameter.
        let expected = [
            ("body.0.bias", 1.0),
            ("body.0.weight", 0.0),
            ("body.1.bias", 3.0),
            ("body.1.num_batches_tracked", 6.0),
            ("body.1.running_mean", 4.0),
            ("body.1.running_var", 5.0),
            ("body.1.weight", 2.0),
        ];
        let found: Vec<_> =
            read.tensors.iter().map(|(name, t)| (name.as_str(), t.to_f32()[0])).collect();
        assert_eq!(found, expected, "{name}");
        let said = read.applied.join("; ");
        assert!(said.contains(part) && said.contains("not its code"), "{said}");
    }
}

#[test]
fn a_part_of_plain_tensors_is_what_their_names_begin_with() {
    let path = golden::path("module.pth");
    let body = open_part(&path, Some("model")).expect("it");
    assert_eq!(body.tensors.len(), 7);
    let folder = tempfile::tempdir().expect("a folder");
    let flat = folder.path().join("flat.safetensors");
    weights::save(&flat, &body.tensors, &body.meta).expect("saved");
    let first = open_part(&flat, Some("body.0")).expect("it");
    assert_eq!(first.tensors.keys().collect::<Vec<_>>(), ["bias", "weight"]);
    assert_eq!(first.applied, ["read the tensors below body.0"]);
    let error = open_part(&flat, Some("ema")).expect_err("none").to_string();
    assert!(error.contains("they begin with body"), "{error}");
}
