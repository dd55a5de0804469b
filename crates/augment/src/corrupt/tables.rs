//! The constants of every corruption at five severities, for three sizes of image.
//!
//! ImageNet-C's and CIFAR-10-C's are the authors'; those for digits, and all of `rotate` and `translate`, are ours.

use super::{Corruption, Scale, Severity};

/// The one constant of a corruption: a deviation, a rate, a share, a factor, degrees, or (`translate`) a share of the side.
/// 0 for defocus, which has two ([`defocus`]).
pub(super) fn constant(corruption: Corruption, scale: Scale, severity: Severity) -> f64 {
    let [image_net, cifar, digits] = match corruption {
        Corruption::GaussianNoise => [
            [0.08, 0.12, 0.18, 0.26, 0.38],
            [0.04, 0.06, 0.08, 0.09, 0.10],
            [0.08, 0.16, 0.24, 0.32, 0.4],
        ],
        Corruption::ShotNoise => [
            [60.0, 25.0, 12.0, 5.0, 3.0],
            [500.0, 250.0, 100.0, 75.0, 50.0],
            [60.0, 25.0, 12.0, 5.0, 3.0],
        ],
        Corruption::ImpulseNoise => [
            [0.03, 0.06, 0.09, 0.17, 0.27],
            [0.01, 0.02, 0.03, 0.05, 0.07],
            [0.02, 0.05, 0.09, 0.14, 0.2],
        ],
        Corruption::SpeckleNoise => [
            [0.15, 0.2, 0.35, 0.45, 0.6],
            [0.06, 0.1, 0.12, 0.16, 0.2],
            [0.15, 0.2, 0.35, 0.45, 0.6],
        ],
        Corruption::GaussianBlur => {
            [[1.0, 2.0, 3.0, 4.0, 6.0], [0.4, 0.6, 0.7, 0.8, 1.0], [0.3, 0.45, 0.6, 0.8, 1.0]]
        }
        Corruption::Brightness => {
            [[0.1, 0.2, 0.3, 0.4, 0.5], [0.05, 0.1, 0.15, 0.2, 0.3], [0.1, 0.2, 0.3, 0.4, 0.5]]
        }
        Corruption::Contrast => {
            [[0.4, 0.3, 0.2, 0.1, 0.05], [0.75, 0.5, 0.4, 0.3, 0.15], [0.6, 0.45, 0.3, 0.2, 0.12]]
        }
        Corruption::Pixelate => [
            [0.6, 0.5, 0.4, 0.3, 0.25],
            [0.95, 0.9, 0.85, 0.75, 0.65],
            [7.0 / 8.0, 6.0 / 8.0, 5.0 / 8.0, 4.0 / 8.0, 3.0 / 8.0],
        ],
        Corruption::Rotate => [[6.0, 12.0, 18.0, 24.0, 30.0]; 3],
        // On 8 pixels: a half, three quarters, 1, 1 1/4, 1 1/2 pixels.
        Corruption::Translate => [[0.0625, 0.09375, 0.125, 0.15625, 0.1875]; 3],
        Corruption::DefocusBlur => [[0.0; 5]; 3],
    };
    pick(scale, image_net, cifar, digits)[severity.index()]
}

/// Radius of the disk, and deviation of the kernel that softens its edge.
pub(super) fn defocus(scale: Scale, severity: Severity) -> (f64, f64) {
    let image_net = [(3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)];
    let cifar = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)];
    let digits = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (0.5, 0.8), (1.0, 0.2)];
    pick(scale, image_net, cifar, digits)[severity.index()]
}

fn pick<T>(scale: Scale, image_net: T, cifar: T, digits: T) -> T {
    match scale {
        Scale::ImageNet224 => image_net,
        Scale::Cifar32 => cifar,
        Scale::Digits8 => digits,
    }
}
