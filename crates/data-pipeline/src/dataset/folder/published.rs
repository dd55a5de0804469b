//! Published data sets in files of their own format, which recipes read by their kind.

use crate::error::DataError;
use std::path::Path;

/// A data set by files that it consists of, any of these lists.
struct Published {
    name: &'static str,
    files: &'static [&'static [&'static str]],
    /// The `kind` of a recipe's data that reads it.
    kind: &'static str,
}

const ALL: [Published; 5] = [
    Published {
        name: "CIFAR-10",
        files: &[
            &["data_batch_1"],
            &["data_batch_1.bin"],
            &["test_batch", "batches.meta"],
            &["test_batch.bin"],
        ],
        kind: "cifar10",
    },
    Published {
        name: "CIFAR-100",
        files: &[&["train", "test", "meta"], &["train.bin", "test.bin", "fine_label_names.txt"]],
        kind: "cifar100",
    },
    Published {
        name: "STL-10",
        files: &[&["train_X.bin"], &["test_X.bin"], &["unlabeled_X.bin"]],
        kind: "stl10",
    },
    Published {
        name: "SVHN",
        files: &[&["train_32x32.mat"], &["test_32x32.mat"], &["extra_32x32.mat"]],
        kind: "svhn",
    },
    Published {
        name: "MNIST",
        files: &[
            &["train-images-idx3-ubyte"],
            &["train-images-idx3-ubyte.gz"],
            &["t10k-images-idx3-ubyte"],
            &["t10k-images-idx3-ubyte.gz"],
        ],
        kind: "mnist",
    },
];

/// Fails if a folder without image files is such a data set, or has one directly below it.
pub(super) fn refuse(dir: &Path) -> Result<(), DataError> {
    let (_, below) = super::listing::children(dir)?;
    for dir in std::iter::once(dir).chain(below.iter().map(|dir| &**dir)) {
        let there =
            |files: &&'static [&'static str]| files.iter().all(|name| dir.join(name).is_file());
        let found = ALL.iter().find(|set| set.files.iter().any(there));
        if let Some(Published { name, kind, .. }) = found {
            let fault = format!(
                "this is {name} as it is published, which has no image files: recipes with \
                 `kind = \"{kind}\"` in `[data]` read it"
            );
            let way_out = "run one of them with `--data` or $TUTOR_DATA";
            return Err(DataError::Missing { path: dir.to_path_buf(), fault, way_out });
        }
    }
    Ok(())
}
