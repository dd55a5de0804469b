//! The constants of every corruption at five severities, for three sizes of image.
//!
//! ImageNet-C's and CIFAR-10-C's are the authors'; those for digits, and all of `rotate` and
//! `translate`, are ours (where digits have none of their own, they share CIFAR's).

use super::blur::{Defocus, Glass, Motion};
use super::elastic::Elastic;
use super::kinds::{Corruption, Scale, Severity};
use super::pixels::Saturation;
use super::spatter::{Liquid, Spatter};
use super::weather::{Fog, Frost, Snow};

/// The one constant of a corruption: a deviation, a rate, a share, a factor, degrees, or
/// (`translate`) a share of the side. 0 for those with several constants, which have functions of
/// their own below.
pub fn constant(corruption: Corruption, scale: Scale, severity: Severity) -> f64 {
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
        Corruption::JpegCompression => [
            [25.0, 18.0, 15.0, 10.0, 7.0],
            [80.0, 65.0, 58.0, 50.0, 40.0],
            [60.0, 40.0, 25.0, 15.0, 10.0],
        ],
        Corruption::DefocusBlur
        | Corruption::GlassBlur
        | Corruption::MotionBlur
        | Corruption::ZoomBlur
        | Corruption::Snow
        | Corruption::Frost
        | Corruption::Fog
        | Corruption::ElasticTransform
        | Corruption::Saturate
        | Corruption::Spatter => [[0.0; 5]; 3],
    };
    pick(scale, image_net, cifar, digits)[severity.index()]
}

/// Defocus blur's constants.
pub fn defocus(scale: Scale, severity: Severity) -> Defocus {
    let image_net = [(3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)];
    let cifar = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)];
    let digits = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (0.5, 0.8), (1.0, 0.2)];
    let (radius, softness) = pick(scale, image_net, cifar, digits)[severity.index()];
    Defocus { radius, softness }
}

/// Glass blur's constants.
pub fn glass(scale: Scale, severity: Severity) -> Glass {
    let image_net = [(0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)];
    let cifar = [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)];
    let (sigma, reach, passes) = pick(scale, image_net, cifar, cifar)[severity.index()];
    Glass { sigma, reach, passes }
}

/// Motion blur's constants.
pub fn motion(scale: Scale, severity: Severity) -> Motion {
    let image_net = [(10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)];
    let cifar = [(6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)];
    let digits = [(3, 0.5), (3, 0.7), (3, 0.9), (3, 1.2), (3, 1.5)];
    let (radius, sigma) = pick(scale, image_net, cifar, digits)[severity.index()];
    Motion { radius, sigma }
}

/// Factors of enlargement: from 1 to before an end, in steps.
pub fn zooms(scale: Scale, severity: Severity) -> Vec<f64> {
    let image_net = [(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)];
    let cifar = [(1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)];
    let (end, step): (f64, f64) = pick(scale, image_net, cifar, image_net)[severity.index()];
    // As numpy's arange counts and steps: rounding may let the end itself in.
    let count = ((end - 1.0) / step).ceil() as usize;
    let step = (1.0 + step) - 1.0;
    (0..count).map(|i| 1.0 + i as f64 * step).collect()
}

/// Snow's constants.
pub fn snow(scale: Scale, severity: Severity) -> Snow {
    let image_net = [
        (0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
        (0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
        (0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
    ];
    let cifar = [
        (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
        (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
    ];
    let digits = [
        (0.1, 0.2, 1.0, 0.6, 2, 1.0, 0.95),
        (0.1, 0.2, 1.0, 0.5, 2, 1.0, 0.9),
        (0.15, 0.3, 1.25, 0.55, 2, 1.0, 0.9),
        (0.25, 0.3, 1.25, 0.6, 2, 1.5, 0.85),
        (0.3, 0.3, 1.25, 0.65, 3, 2.0, 0.8),
    ];
    let (mean, deviation, zoom, threshold, radius, sigma, mix) =
        pick(scale, image_net, cifar, digits)[severity.index()];
    Snow { mean, deviation, zoom, threshold, smear: Motion { radius, sigma }, mix }
}

/// Fog's constants.
pub fn fog(scale: Scale, severity: Severity) -> Fog {
    let image_net = [(1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)];
    let cifar = [(0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)];
    let (thickness, decay) = pick(scale, image_net, cifar, cifar)[severity.index()];
    Fog { thickness, decay }
}

/// Frost's constants.
pub fn frost(scale: Scale, severity: Severity) -> Frost {
    let image_net = [(1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)];
    let cifar = [(1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)];
    let (image, ice) = pick(scale, image_net, cifar, cifar)[severity.index()];
    Frost { image, ice }
}

/// The elastic transform's constants. Those of ImageNet-C stand for a side of 244 in the authors'
/// code, as here for the side itself.
pub fn elastic(scale: Scale, severity: Severity) -> Elastic {
    let image_net = [
        (2.0, 0.7, 0.1),
        (2.0, 0.08, 0.2),
        (0.05, 0.01, 0.02),
        (0.07, 0.01, 0.02),
        (0.12, 0.01, 0.02),
    ];
    let cifar = [
        (0.0, 0.0, 0.08),
        (0.05, 0.2, 0.07),
        (0.08, 0.06, 0.06),
        (0.1, 0.04, 0.05),
        (0.1, 0.03, 0.03),
    ];
    let (strength, sigma, jitter) = pick(scale, image_net, cifar, cifar)[severity.index()];
    // 244 pixels for images of 224.
    let stretch = pick(scale, 244.0 / 224.0, 1.0, 1.0);
    Elastic { strength: stretch * strength, sigma: stretch * sigma, jitter: stretch * jitter }
}

/// How the saturation changes.
pub fn saturate(scale: Scale, severity: Severity) -> Saturation {
    let image_net = [(0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)];
    let cifar = [(0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)];
    let (factor, offset) = pick(scale, image_net, cifar, cifar)[severity.index()];
    Saturation { factor, offset }
}

/// Spatter's constants.
pub fn spatter(scale: Scale, severity: Severity) -> Spatter {
    let image_net = [
        (0.65, 0.3, 4.0, 0.69, 0.6, false),
        (0.65, 0.3, 3.0, 0.68, 0.6, false),
        (0.65, 0.3, 2.0, 0.68, 0.5, false),
        (0.65, 0.3, 1.0, 0.65, 1.5, true),
        (0.67, 0.4, 1.0, 0.65, 1.5, true),
    ];
    let cifar = [
        (0.62, 0.1, 0.7, 0.7, 0.5, false),
        (0.65, 0.1, 0.8, 0.7, 0.5, false),
        (0.65, 0.3, 1.0, 0.69, 0.5, false),
        (0.65, 0.1, 0.7, 0.69, 0.6, true),
        (0.65, 0.1, 0.5, 0.68, 0.6, true),
    ];
    let (mean, deviation, sigma, threshold, weight, mud) =
        pick(scale, image_net, cifar, cifar)[severity.index()];
    let liquid = match mud {
        true => Liquid::Mud { softness: weight },
        false => Liquid::Water { strength: weight },
    };
    Spatter { mean, deviation, sigma, threshold, liquid }
}

fn pick<T>(scale: Scale, image_net: T, cifar: T, digits: T) -> T {
    match scale {
        Scale::ImageNet224 => image_net,
        Scale::Cifar32 => cifar,
        Scale::Digits8 => digits,
    }
}
