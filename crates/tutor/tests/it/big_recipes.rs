//! Every recipe that is meant for a GPU takes three steps here: its views, its batch and the parts
//! of it as they are, with a small net and few images, in little memory.

use std::fs;
use std::path::Path;

use augment::rng::Rng;

use crate::folders::picture;
use crate::tutor::{result, run, run_folder};

const SMALL: &str = "{kind='small-net',width=8}";

/// Runs a recipe with changes and checks the most memory that it took, in MiB.
#[track_caller]
fn three_steps(recipe: &str, options: &[&str], changes: &[&str], most: u64) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut arguments = vec!["run", recipe, "--seeds", "1"];
    arguments.extend(options);
    let changes = changes.iter().chain(&["precision=float32", "evaluate.batch=32"]);
    arguments.extend(changes.flat_map(|change| ["--set", change]));
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    let taken = result(&folder)["cost"]["peak_rss_bytes"].as_u64().expect("bytes") >> 20;
    assert!(taken > 50, "{recipe}: {taken} MiB cannot be all");
    assert!(taken <= most, "{recipe} took {taken} MiB, more than {most}");
}

/// Generated images in the place of a data set.
fn images(side: usize) -> String {
    format!(
        "data={{kind='synthetic',side={side},channels=3,classes=10,labels_per_class=4,unlabeled=60,validation=20,test=20}}"
    )
}

#[test]
fn methods_on_cifar10_and_svhn() {
    let net = format!("net={SMALL}");
    for recipe in
        ["uda/cifar10", "uda/cifar10-2020", "uda/svhn", "uda/svhn-2020", "fixmatch/cifar10"]
    {
        let changes = [&images(32), &net, "train.steps=3"];
        three_steps(recipe, &["--rows", "all"], &changes, 2048);
    }
}

#[test]
fn noisy_student_on_cifar10_and_svhn() {
    let (net, generations) =
        (format!("teacher.net={SMALL}"), format!("generations=[{{net={SMALL}}}]"));
    for recipe in ["noisy-student/cifar10", "noisy-student/svhn"] {
        let changes = [
            &images(32),
            &net,
            &generations,
            "teacher.train.steps=3",
            "student.train.steps=3",
            "labeling.select.min_confidence=0.0",
            "labeling.select.per_class=10",
            "robustness.images=2",
            "robustness.sequences=1",
        ];
        three_steps(recipe, &[], &changes, 2048);
    }
}

/// An EfficientNet of few channels and one block a stage, of which rows may set the variant.
const NARROW: &str = "{kind='efficientnet',variant='b0',width=0.1,depth=0.1}";

/// A net that makes little of large images at once.
const COARSE: &str = "{kind='small-net',width=8,stem_stride=2,stages=2,blocks=0}";

/// Folders of two classes where the recipes on ImageNet look for theirs; images are decoded when
/// their turn comes.
fn imagenet(dir: &Path) {
    let mut rng = Rng::new(4);
    let folders = [("imagenet/train/red", 0, 50), ("imagenet/train/blue", 1, 50)];
    let others = [("imagenet/val/red", 0, 4), ("imagenet/val/blue", 1, 4), ("unlabeled", 0, 60)];
    for (folder, class, images) in folders.into_iter().chain(others) {
        let folder = dir.join(folder);
        fs::create_dir_all(&folder).expect("made");
        for i in 0..images {
            picture(&folder.join(format!("{i}.png")), class, &mut rng);
        }
    }
}

/// Steps of one or two parts instead of a thousand; a part has as many images as the recipe's, and
/// they have its sizes.
#[test]
fn noisy_student_on_imagenet() {
    let data = tempfile::tempdir().expect("a folder");
    imagenet(data.path());
    let teacher = format!("teacher.net={COARSE}");
    let generations = format!("generations=[{{net={COARSE},unlabeled_ratio=28}}]");
    let shared = [
        teacher.as_str(),
        &generations,
        "labeling.select.min_confidence=0.0",
        "labeling.select.per_class=10",
        "robustness.images=1",
        "robustness.sequences=1",
        "teacher.train.steps=3",
        "student.train.steps=3",
    ];
    let parts = [
        "teacher.train.batch=32",
        "teacher.train.accumulate=1",
        "student.train.batch=4",
        "student.train.accumulate=2",
        "student.fix_resolution.frozen=[]",
        "student.fix_resolution.train.steps=3",
        "student.fix_resolution.train.batch=16",
        "student.fix_resolution.train.accumulate=2",
    ];
    let options = ["--data", data.path().to_str().expect("a path")];
    three_steps("noisy-student/imagenet", &options, &[&shared[..], &parts].concat(), 6144);
}

#[test]
fn students_of_one_teacher_on_imagenet() {
    let (data, teacher) = (images(64), format!("teacher.net={COARSE}"));
    let generations = format!("generations=[{{net={NARROW}}}]");
    let changes = [
        data.as_str(),
        &teacher,
        &generations,
        "labeling.select.min_confidence=0.0",
        "labeling.select.per_class=10",
        "robustness.images=1",
        "robustness.sequences=1",
        "teacher.train.steps=3",
        "teacher.train.batch=4",
        "teacher.augment=[{kind='random-resized-crop',size=64}]",
        "student.train.steps=3",
        "student.train.batch=32",
        "student.train.accumulate=2",
    ];
    // The first student, at 224 pixels, and one of the rows, at 380.
    let options = ["--unset", "teacher.weights", "--rows", "b4"];
    three_steps("noisy-student/imagenet-students", &options, &changes, 6144);
}

/// What the test above takes as the recipe's parts is what the recipe says; and no part is large.
#[test]
fn parts_of_a_step_are_small() {
    let recipe = |name: &str| -> toml::Table {
        let path = format!("{}/recipes/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a recipe").parse().expect("TOML")
    };
    // The largest number of unlabelled images for a labelled one, and the largest side of an image.
    for (name, section, labeled, ratio, side) in [
        ("noisy-student/imagenet", "teacher", 32, 0, 600),
        ("noisy-student/imagenet", "student", 2, 28, 475),
        ("noisy-student/imagenet-students", "student", 16, 3, 600),
    ] {
        let table = recipe(name);
        let train = &table[section]["train"];
        let number = |key: &str| train[key].as_integer().expect("a whole number");
        let part = number("batch") / number("accumulate");
        assert_eq!((number("batch"), part), (2048, labeled), "{name}");
        // Three bytes a pixel from the loader, four bytes each on the device.
        let bytes = part * (1 + ratio) * side * side * 3 * (1 + 4);
        assert!(bytes < 1 << 30, "{name}: {bytes} bytes of images in a part");
        assert_eq!(table["data"]["on_demand"].as_bool(), Some(true), "{name}");
    }
}
