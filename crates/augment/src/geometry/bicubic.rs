//! Bicubic reading through an affine map in double precision, as Pillow does it (Keys' cubic with a
//! = -1).

use super::plane::Plane;

/// The cubic through four values at -1, 0, 1 and 2, at a place between the middle two.
fn cubic([a, b, c, d]: [f64; 4], place: f64) -> f64 {
    let (p2, p3, p4) = (-a + c, 2.0 * (a - b) + c - d, -a + b - c + d);
    b + place * (p2 + place * (p3 + place * p4))
}

/// Columns beyond the edge are the edge's; rows beyond it are the last row that was read, wherever
/// that was. Beyond the image's own edge lies the fill. Fractions are dropped.
pub(super) fn bicubic<const C: usize>(plane: &mut Plane<'_, C>, m: [f64; 6]) {
    let (width, height) = (plane.width, plane.height);
    for (line, target) in plane.target.chunks_exact_mut(width).enumerate() {
        let y_out = line as f64 + 0.5;
        for (column, target) in target.iter_mut().enumerate() {
            let x_out = column as f64 + 0.5;
            let x = m[0] * x_out + m[1] * y_out + m[2];
            let y = m[3] * x_out + m[4] * y_out + m[5];
            if !(x >= 0.0 && x < width as f64 && y >= 0.0 && y < height as f64) {
                *target = plane.fill;
                continue;
            }
            let (x, y) = (x - 0.5, y - 0.5);
            let (left, top) = (x.floor(), y.floor());
            let (dx, dy) = (x - left, y - top);
            let columns: [usize; 4] = std::array::from_fn(|i| {
                (left as i64 - 1 + i as i64).clamp(0, width as i64 - 1) as usize
            });
            let first = (top as i64 - 1).clamp(0, height as i64 - 1) as usize;
            for (channel, out) in target.iter_mut().enumerate() {
                let along = |row: usize| {
                    cubic(columns.map(|x| f64::from(plane.source[row * width + x][channel])), dx)
                };
                let mut rows = [along(first); 4];
                for i in 1..4 {
                    let row = top as i64 - 1 + i as i64;
                    let inside = (0..height as i64).contains(&row);
                    rows[i] = if inside { along(row as usize) } else { rows[i - 1] };
                }
                *out = cubic(rows, dy).clamp(0.0, 255.0) as u8;
            }
        }
    }
}
