//! Points of the plane in two classes: the smallest data on which methods can be seen to work.

use augment::rng::Rng;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// What two classes lie on, at the scale of scikit-learn's functions of these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Two interleaved half circles of radius 1.
    TwoMoons,
    /// A circle of radius 1 and one of half of it around the same centre.
    Circles,
}

impl Shape {
    /// Its name in recipes, files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Shape::TwoMoons => "two-moons",
            Shape::Circles => "circles",
        }
    }

    /// `n` points `[x, y]` at random places of the curves, classes 0 and 1 in turn; `noise` is the
    /// standard deviation by which each is moved in both directions.
    ///
    /// ```
    /// use augment::rng::Rng;
    /// use data_pipeline::dataset::points::Shape;
    /// let mut rng = Rng::new(1);
    /// let points = Shape::Circles.points(4, 0.0, &mut rng);
    /// let radii = points.map(|[x, y]| (x.hypot(y) * 100.0).round() / 100.0).collect::<Vec<_>>();
    /// assert_eq!(radii, [1.0, 0.5, 1.0, 0.5]);
    /// ```
    pub fn points(
        self,
        n: usize,
        noise: f64,
        rng: &mut Rng,
    ) -> impl Iterator<Item = [f64; 2]> + use<'_> {
        (0..n).map(move |i| {
            let (x, y) = match (self, i % 2) {
                (Shape::TwoMoons, 0) => on_circle(PI * rng.unit(), 1.0),
                (Shape::TwoMoons, _) => {
                    let (x, y) = on_circle(PI * rng.unit(), 1.0);
                    (1.0 - x, 0.5 - y)
                }
                (Shape::Circles, 0) => on_circle(2.0 * PI * rng.unit(), 1.0),
                (Shape::Circles, _) => on_circle(2.0 * PI * rng.unit(), 0.5),
            };
            [x + noise * rng.normal(), y + noise * rng.normal()]
        })
    }
}

fn on_circle(angle: f64, radius: f64) -> (f64, f64) {
    (radius * angle.cos(), radius * angle.sin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_those_of_scikit_learn() {
        let points = |shape: Shape| shape.points(200, 0.0, &mut Rng::new(3)).collect::<Vec<_>>();
        for (i, [x, y]) in points(Shape::TwoMoons).into_iter().enumerate() {
            let (centre, upper) = if i % 2 == 0 { ([0.0, 0.0], true) } else { ([1.0, 0.5], false) };
            let (dx, dy) = (x - centre[0], y - centre[1]);
            assert!((dx.hypot(dy) - 1.0).abs() < 1e-12 && (dy >= -1e-12) == upper, "{x} {y}");
        }
        for (i, [x, y]) in points(Shape::Circles).into_iter().enumerate() {
            let radius = if i % 2 == 0 { 1.0 } else { 0.5 };
            assert!((x.hypot(y) - radius).abs() < 1e-12, "{x} {y}");
        }
    }
}
