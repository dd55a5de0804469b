//! The rules by which splits are drawn, and the request for a split.

use serde::{Deserialize, Serialize};

/// How a split is drawn. Classes are balanced in the labelled part unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitRule {
    /// UDA, CIFAR-10: the first n samples in file order, not balanced. Unlabelled: everything.
    Uda,
    /// UDA, SVHN: the first n of numpy's permutation with seed 0, not balanced. Unlabelled:
    /// everything.
    UdaSvhn,
    /// UDA's equal split: the first n/classes of each class in file order. Unlabelled: everything.
    UdaBalanced,
    /// FixMatch, MixMatch, ReMixMatch (`create_split`): shuffled within each class by numpy (seeds
    /// 1 to 5; 0 does not shuffle), then drawn so that the labelled part follows the class
    /// frequencies. Validation is the first part of the file, labelled samples included; the rest,
    /// labelled samples included, is unlabelled.
    Fixmatch,
    /// kekmodel/FixMatch-pytorch: n/classes random ones of each class by numpy. Unlabelled:
    /// everything.
    Kekmodel,
    /// USB and TorchSSL: each class shuffled by numpy, the first n/classes labelled. Unlabelled:
    /// the labelled ones, then the rest.
    Usb,
    /// Noisy Student, SVHN: the training part shuffled by numpy with seed 0, the first 4,000 for
    /// validation, the others labelled; the samples after the training part (`extra`) are
    /// unlabelled.
    NoisyStudentSvhn,
    /// Oliver et al. 2018: the training part shuffled by numpy with seed 0, its first part for
    /// validation (5,000 on CIFAR-10, 7,326 on SVHN), n/classes random ones of each class labelled
    /// (theirs are unseeded, so ours are keyed), the rest unlabelled.
    Realistic,
    /// Ours: test and validation parts stratified and the same for every seed; of the rest
    /// n/classes random ones of each class are labelled, and what remains is unlabelled.
    Balanced,
}

impl SplitRule {
    /// Whether labelled samples are among the unlabelled ones too.
    pub fn labeled_in_unlabeled(self) -> bool {
        matches!(
            self,
            Self::Uda
                | Self::UdaSvhn
                | Self::UdaBalanced
                | Self::Fixmatch
                | Self::Kekmodel
                | Self::Usb
        )
    }

    /// Whether labelled samples may be in the validation part. True of `create_split`; the
    /// published results use no such part (it validates on 1 image).
    pub fn labeled_in_validation(self) -> bool {
        self == Self::Fixmatch
    }
}

/// What to draw.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `rule` | | the way of drawing |
/// | `labels` | all that are left | labelled samples in total |
/// | `validation` | 0 (`noisy-student-svhn`: 4,000) | size of the validation part |
/// | `test` | 0 | size of the test part; `balanced` only, for sets without an official one |
/// | `seed` | 0 | the seed; `uda*` and `noisy-student-svhn` ignore it |
/// | `train` | all | how many leading samples are the training part proper |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRequest {
    /// The way of drawing.
    pub rule: SplitRule,
    /// Labelled samples in total; all that are left if `None`.
    #[serde(default)]
    pub labels: Option<usize>,
    /// Size of the validation part; UDA, kekmodel and USB have none.
    #[serde(default)]
    pub validation: usize,
    /// Size of the test part (`balanced` only).
    #[serde(default)]
    pub test: usize,
    /// The seed.
    #[serde(default)]
    pub seed: u64,
    /// How many leading samples are the training part proper; all if `None`. Those after it (SVHN's
    /// extra) are only ever unlabelled.
    #[serde(default)]
    pub train: Option<usize>,
}
