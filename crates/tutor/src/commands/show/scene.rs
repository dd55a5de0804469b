//! A made-up scene with what augmentation shows itself on: smooth light, saturated colours, edges
//! and fine texture.

use augment::image::Image;
use augment::rng::Rng;

/// A house in the sun, `side` pixels square.
pub(super) fn scene(side: usize) -> Image {
    let mut rng = Rng::new(7);
    let mut pixels = Vec::with_capacity(3 * side * side);
    for row in 0..side {
        for column in 0..side {
            let (x, y) = (column as f64 / side as f64, row as f64 / side as f64);
            let colour = at(x, y);
            pixels.extend(colour.map(|v| (v + 5.0 * rng.normal()).clamp(0.0, 255.0) as u8));
        }
    }
    Image::new(side, side, 3, pixels)
}

fn at(x: f64, y: f64) -> [f64; 3] {
    let within = |left: f64, right: f64, top: f64, bottom: f64| {
        (left..right).contains(&x) && (top..bottom).contains(&y)
    };
    let hill = 0.68 + 0.06 * (7.0 * x).sin();
    let roof = y > 0.34 + (x - 0.36).abs() * 0.9 && y < 0.52;
    if (x - 0.8).hypot(y - 0.2) < 0.1 {
        return [250.0, 220.0, 90.0];
    }
    if within(0.40, 0.48, 0.62, 0.8) {
        return [90.0, 55.0, 30.0];
    }
    if within(0.24, 0.34, 0.58, 0.68) {
        let bar = (x - 0.29).abs() < 0.006 || (y - 0.63).abs() < 0.006;
        return if bar { [240.0; 3] } else { [70.0, 110.0, 160.0] };
    }
    if roof {
        return [190.0, 50.0, 45.0];
    }
    if within(0.19, 0.53, 0.5, 0.8) {
        return [225.0, 205.0, 170.0];
    }
    if y > hill {
        let stripe = if (40.0 * (x + 0.4 * y)).sin() > 0.6 { 25.0 } else { 0.0 };
        return [60.0 + stripe, 130.0 + stripe - 60.0 * (y - hill), 50.0];
    }
    [110.0 + 110.0 * y, 160.0 + 70.0 * y, 230.0]
}
