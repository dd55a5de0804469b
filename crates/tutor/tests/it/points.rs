//! Methods on points of the plane: pictures of how boundaries spread.

use crate::tutor::{refused, result, run, run_folder};

#[test]
fn boundaries_are_drawn_while_they_spread() {
    let dir = tempfile::tempdir().expect("a folder");
    let arguments = ["run", "label-propagation", "--quick", "--seeds", "2", "--threads", "1"];
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    let result = result(&folder);
    let names: Vec<_> =
        result["rows"].as_array().expect("rows").iter().map(|row| row["name"].as_str()).collect();
    assert_eq!(names.len(), 6, "two shapes of three methods: {names:?}");
    assert_eq!(result["comparisons"].as_array().map(Vec::len), Some(4));
    for shape in ["two-moons", "circles"] {
        let sheet = image::open(folder.join(format!("seed-1/{shape}.png"))).expect("a sheet");
        let film = image::open(folder.join(format!("seed-1/{shape}-uda.png"))).expect("a film");
        assert!(sheet.width() > 5 * film.width() && sheet.height() > 3 * film.height());
        let field = image::open(folder.join(format!("seed-2/{shape}/uda/fields/00000005.png")));
        assert!(field.expect("a field").color().channel_count() == 1);
    }
    let page = std::fs::read_to_string(folder.join("report.html")).expect("the page");
    assert!(page.contains("How the boundary spreads"));
    assert_eq!(page.matches("data:image/png;base64,").count(), 8, "six films and two sheets");

    // The same command gives the same bits.
    let again = run_folder(dir.path(), &run(dir.path(), &[&arguments[..], &["--fresh"]].concat()));
    let weights =
        |run: &std::path::Path| std::fs::read(run.join("seed-2/circles/vat/final.safetensors"));
    assert_eq!(weights(&folder).expect("weights"), weights(&again).expect("weights"));
    let said = refused(dir.path(), &["predict", "runs/label-propagation/latest", "."]);
    assert!(said.contains("cannot be shown new samples"), "{said}");
}

#[test]
fn settings_that_cannot_work_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = refused(
        dir.path(),
        &["run", "label-propagation", "--set", "points.noise=-1", "--set", "net.hidden=[]"],
    );
    assert!(said.contains("points.noise") && said.contains("net.hidden"), "{said}");
}
