//! Elastic transform: a jittered affine map, then smooth random displacements (after Simard et al.
//! 2003).
//!
//! The authors' transform (the package `imagecorruptions` leaves the affine map out and has
//! constants of its own). Places are read exactly, as by OpenCV from 5 on; before, it rounded the
//! affine map's to 32nds of a pixel, which moves values of a photograph by up to 3.

use super::grid::{Edge, Grid};
use crate::image::Image;

/// The constants of the elastic transform, as shares of the side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elastic {
    /// By which displacements are multiplied.
    pub strength: f64,
    /// Deviation of the kernel that smooths them.
    pub sigma: f64,
    /// Greatest shift of each of the three points that fix the affine map.
    pub jitter: f64,
}

/// Bends an image. `jitter`: shifts (x, y) of the three points, each from -1 to 1; `dx`, `dy`:
/// displacements from -1 to 1 of the image's size. Places beyond the edge are mirrored.
pub fn elastic(
    image: &Image,
    constants: &Elastic,
    jitter: [[f64; 2]; 3],
    dx: &Grid,
    dy: &Grid,
) -> Image {
    let (width, height) = (image.width(), image.height());
    let side = width.min(height) as f64;
    let smooth = |field: &Grid| {
        let strength = constants.strength * side;
        field.blurred(constants.sigma * side, 3.0, Edge::Reflect).map(|v| v * strength)
    };
    let (dx, dy) = (smooth(dx), smooth(dy));
    let jitter = jitter.map(|point| point.map(|v| v * constants.jitter * side));
    let back = source_of(width, height, jitter);
    let channels: Vec<Grid> = Grid::channels(image)
        .into_iter()
        .map(|channel| {
            let mut turned = channel.clone();
            for (i, value) in turned.values.iter_mut().enumerate() {
                let (x, y) = ((i % width) as f64, (i / width) as f64);
                let [a, b, c, d, e, f] = back;
                *value = channel.sample(a * x + b * y + c, d * x + e * y + f, Edge::Mirror);
            }
            let mut bent = turned.clone();
            for (i, value) in bent.values.iter_mut().enumerate() {
                let (x, y) = ((i % width) as f64, (i / width) as f64);
                *value = turned.sample(x + dx.values[i], y + dy.values[i], Edge::Reflect);
            }
            bent
        })
        .collect();
    Grid::image(&channels)
}

/// The map from target to source of the affine map that moves three points around the centre by
/// `jitter`.
fn source_of(width: usize, height: usize, jitter: [[f64; 2]; 3]) -> [f64; 6] {
    let (cx, cy) = ((width / 2) as f64, (height / 2) as f64);
    let reach = (width.min(height) / 3) as f64;
    // In the order of the reference, whose first coordinate is the centre's row.
    let from = [[cy + reach, cx + reach], [cy + reach, cx - reach], [cy - reach, cx - reach]];
    let to: [[f64; 2]; 3] =
        std::array::from_fn(|i| [from[i][0] + jitter[i][0], from[i][1] + jitter[i][1]]);
    // The map back takes `to` to `from`: with barycentric coordinates it needs no matrix inverse.
    let [p, q, r] = to;
    let area = (q[0] - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (q[1] - p[1]);
    if area.abs() < 1e-9 {
        return [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    }
    let axis = |k: usize| {
        let (fp, fq, fr) = (from[0][k], from[1][k], from[2][k]);
        let a = ((fq - fp) * (r[1] - p[1]) - (fr - fp) * (q[1] - p[1])) / area;
        let b = ((fr - fp) * (q[0] - p[0]) - (fq - fp) * (r[0] - p[0])) / area;
        [a, b, fp - a * p[0] - b * p[1]]
    };
    let ([a, b, c], [d, e, f]) = (axis(0), axis(1));
    [a, b, c, d, e, f]
}
