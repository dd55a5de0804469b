//! Who may depend on whom.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The layers: each package of the workspace with those it may know. An arrow only ever points
/// down.
const ARROWS: &[(&str, &[&str])] = &[
    ("atomic-file", &[]),
    ("augment", &["atomic-file"]),
    ("chat-server", &["eval-ssa", "web-server"]),
    ("eval-ssa", &["atomic-file", "augment", "metrics"]),
    ("metrics", &[]),
    ("rating-server", &["atomic-file", "eval-ssa", "metrics", "web-server"]),
    ("report", &["atomic-file", "metrics"]),
    ("data-pipeline", &["atomic-file", "augment", "weights"]),
    ("data-engine", &["augment", "data-pipeline"]),
    ("web-server", &[]),
    ("weights", &["atomic-file"]),
    ("torch", &["atomic-file", "weights"]),
    ("train", &["atomic-file", "metrics", "torch"]),
    ("vision-models", &["torch", "weights"]),
    ("ssl-core", &["torch", "train"]),
    ("electra", &["atomic-file", "torch", "train", "weights"]),
    ("dialog-models", &["atomic-file", "torch", "train", "weights"]),
    ("xtask", &[]),
];

/// What tests alone may know beside that: toy data to try methods on.
const TEST_ARROWS: &[(&str, &[&str])] = &[("ssl-core", &["augment", "data-pipeline"])];

/// These two see everything but each other and xtask.
const ABOVE_ALL: [&str; 2] = ["tutor", "benches"];

/// Plain Rust, usable where there is no libtorch.
const HOST_WING: [&str; 12] = [
    "atomic-file",
    "augment",
    "chat-server",
    "eval-ssa",
    "metrics",
    "rating-server",
    "report",
    "data-pipeline",
    "data-engine",
    "web-server",
    "weights",
    "xtask",
];

/// The packages that bring libtorch.
const LIBTORCH: [&str; 2] = ["tch", "torch-sys"];

/// How the names of packages begin that only `data-engine`, a workspace of its own, may bring: they
/// take as long to build as all the rest.
const APART: [&str; 3] = ["arrow", "ballista", "datafusion"];

/// Faults in what `cargo metadata` says.
pub(super) fn faults(metadata: &Value) -> Vec<String> {
    let empty = Vec::new();
    let list = |value: &Value| value.as_array().unwrap_or(&empty).clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = list(&metadata["packages"]);
    let names: BTreeMap<String, String> =
        packages.iter().map(|p| (text(&p["id"]), text(&p["name"]))).collect();
    let ours: Vec<&Value> = packages.iter().filter(|p| p["source"].is_null()).collect();
    let our_names: BTreeSet<String> = ours.iter().map(|p| text(&p["name"])).collect();
    let mut faults = Vec::new();
    let is_apart = |name: &&String| APART.iter().any(|start| name.starts_with(start));
    for name in names.values().filter(is_apart) {
        faults.push(format!("{name} is part of the main build: it belongs to data-engine"));
    }

    for package in &ours {
        let name = text(&package["name"]);
        if package["features"].as_object().is_some_and(|f| !f.is_empty()) {
            faults.push(format!("{name} has features: what varies is a value at run time"));
        }
        let above = ABOVE_ALL.contains(&name.as_str());
        let allowed = ARROWS.iter().find(|(n, _)| *n == name).map(|(_, allowed)| *allowed);
        if allowed.is_none() && !above {
            faults.push(format!(
                "{name} has no place in the layers: give it one in xtask/src/tidy/graph.rs"
            ));
        }
        let of_tests = TEST_ARROWS.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, n)| n);
        for (dependency, kind) in
            list(&package["dependencies"]).iter().map(|d| (text(&d["name"]), text(&d["kind"])))
        {
            let in_tests = kind == "dev" && of_tests.contains(&dependency.as_str());
            let down = match allowed {
                Some(allowed) => allowed.contains(&dependency.as_str()) || in_tests,
                None => above && dependency != "xtask" && !ABOVE_ALL.contains(&dependency.as_str()),
            };
            if our_names.contains(&dependency) && !down {
                faults.push(format!("{name} depends on {dependency}: no arrow goes there"));
            }
            if LIBTORCH.contains(&dependency.as_str()) && name != "torch" {
                faults.push(format!("{name} depends on {dependency}: only torch does"));
            }
        }
    }

    let nodes = list(&metadata["resolve"]["nodes"]);
    let edges: BTreeMap<String, Vec<String>> = nodes
        .iter()
        .map(|n| (text(&n["id"]), list(&n["dependencies"]).iter().map(text).collect()))
        .collect();
    for package in
        ours.iter().filter(|p| HOST_WING.contains(&p["name"].as_str().unwrap_or_default()))
    {
        let mut open = vec![text(&package["id"])];
        let mut reached = BTreeSet::new();
        while let Some(id) = open.pop() {
            if reached.insert(id.clone()) {
                open.extend(edges.get(&id).into_iter().flatten().cloned());
            }
        }
        let reached = reached.iter().filter_map(|id| names.get(id));
        for library in reached.filter(|n| LIBTORCH.contains(&n.as_str())) {
            faults.push(format!(
                "{} reaches {library}: the host wing is plain Rust",
                text(&package["name"])
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    /// Packages with their dependencies, as `cargo metadata` would describe them.
    fn check(packages: &[(&str, &[&str])], expected: &[&str]) {
        let ours = |name: &str| !["tch", "image", "datafusion"].contains(&name);
        let package = |(name, dependencies): &(&str, &[&str])| {
            let source = if ours(name) { json!(null) } else { json!("registry") };
            let dependencies: Vec<_> = dependencies.iter().map(|d| json!({ "name": d })).collect();
            json!({ "id": name, "name": name, "source": source, "features": {}, "dependencies": dependencies })
        };
        let node = |(name, dependencies): &(&str, &[&str])| json!({ "id": name, "dependencies": dependencies });
        let metadata = json!({
            "packages": packages.iter().map(package).collect::<Vec<_>>(),
            "resolve": { "nodes": packages.iter().map(node).collect::<Vec<_>>() },
        });
        let faults = super::faults(&metadata);
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.contains(expected), "{expected:?} is missing in {fault:?}");
        }
    }

    #[test]
    fn arrows_point_down() {
        check(
            &[
                ("tch", &[]),
                ("torch", &["tch"]),
                ("train", &["torch"]),
                ("tutor", &["train", "torch"]),
            ],
            &[],
        );
        check(&[("torch", &["train"]), ("train", &[])], &["torch depends on train"]);
        check(
            &[("torch", &[]), ("vision-models", &[]), ("ssl-core", &["vision-models"])],
            &["no arrow"],
        );
        check(&[("tutor", &[]), ("benches", &["tutor"])], &["benches depends on tutor"]);
        check(&[("novelty", &[])], &["no place in the layers"]);
    }

    #[test]
    fn engines_stay_out_of_the_main_build() {
        check(&[("datafusion", &[]), ("image", &["datafusion"])], &["belongs to data-engine"]);
    }

    #[test]
    fn libtorch_stays_behind_torch() {
        check(&[("tch", &[]), ("train", &["tch"])], &["only torch"]);
        check(
            &[("tch", &[]), ("image", &["tch"]), ("augment", &["image"])],
            &["augment reaches tch"],
        );
    }
}
