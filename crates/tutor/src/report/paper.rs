//! Numbers as papers print them, to stand beside ours: other data and other models, so only the
//! direction of a difference can be compared.

use super::result::{PaperRow, Role};

/// The noise ablation of Noisy Student (Xie et al. 2020, arXiv 1911.04252): top-1 accuracy on
/// ImageNet with EfficientNet-B5 as teacher and as student, with 1.3M unlabelled images under
/// standard augmentation and with 130M under RandAugment. In the two rows without noise, it is taken
/// away for the unlabelled images only.
///
/// `ours` names our rows that stand beside the paper's: supervised teacher, the method, without
/// augmentation, without any noise, noised teacher.
pub(crate) fn noisy_student_noise(ours: [Option<&str>; 5]) -> Vec<PaperRow> {
    let settings = [
        "ImageNet, EfficientNet-B5, 1.3M unlabelled, standard augmentation",
        "ImageNet, EfficientNet-B5, 130M unlabelled, RandAugment",
    ];
    let rows = [
        ("EfficientNet-B5 (supervised)", Role::Baseline, [83.3, 84.0]),
        ("Noisy Student", Role::Method, [83.9, 84.9]),
        ("student without augmentation", Role::Ablation, [83.6, 84.6]),
        ("student without augmentation, stochastic depth, dropout", Role::Ablation, [83.2, 84.3]),
        ("teacher with augmentation, stochastic depth, dropout", Role::Ablation, [83.7, 84.4]),
    ];
    let mut out = Vec::new();
    for ((name, role, values), ours) in rows.into_iter().zip(ours) {
        for (setting, value) in settings.into_iter().zip(values) {
            out.push(PaperRow {
                name: name.into(),
                ours: ours.map(Into::into),
                role,
                setting: setting.into(),
                metric: "top-1 accuracy".into(),
                value,
                unit: "%".into(),
                source: "Xie et al., Self-training with Noisy Student improves ImageNet \
                         classification, arXiv 1911.04252, noise ablation; the rows without \
                         noise lack it on the unlabelled images only"
                    .into(),
            });
        }
    }
    out
}
