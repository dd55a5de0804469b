//! Four ways of reading a source through an affine map, each with the arithmetic that Pillow uses in its case.

/// A source and a target of `width` by `height` pixels of `C` bytes.
pub(super) struct Plane<'a, const C: usize> {
    pub(super) source: &'a [[u8; C]],
    pub(super) target: &'a mut [[u8; C]],
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) fill: [u8; C],
}

/// The pixel that holds a coordinate; none left of 0.
fn cell(coordinate: f64, side: usize) -> Option<usize> {
    if coordinate < 0.0 { None } else { Some(coordinate as usize).filter(|&i| i < side) }
}

/// The two indices around a place from -1/2 on, kept within `side`, and the share of the second.
fn neighbours(place: f64, side: usize) -> (usize, usize, f64) {
    // A whole part by cast, as `floor` is a function call on processors without the instruction for it.
    let whole = if place < 0.0 { -1 } else { place as i32 };
    (whole.max(0) as usize, ((whole + 1) as usize).min(side - 1), place - f64::from(whole))
}

impl<const C: usize> Plane<'_, C> {
    /// Nearest, no mixing of axes: the columns are found once. Positions are summed up, as the reference does.
    pub(super) fn scaled(&mut self, m: [f64; 6], columns: &mut Vec<u32>) {
        let mut x = m[2] + m[0] * 0.5;
        columns.clear();
        for _ in 0..self.width {
            columns.push(cell(x, self.width).map_or(u32::MAX, |column| column as u32));
            x += m[0];
        }
        let mut y = m[5] + m[4] * 0.5;
        for target in self.target.chunks_exact_mut(self.width) {
            match cell(y, self.height) {
                None => target.fill(self.fill),
                Some(line) => {
                    let row = &self.source[line * self.width..][..self.width];
                    for (target, &column) in target.iter_mut().zip(&*columns) {
                        *target = *row.get(column as usize).unwrap_or(&self.fill);
                    }
                }
            }
            y += m[4];
        }
    }

    /// Nearest in 16.16 fixed point.
    pub(super) fn fixed_point(&mut self, m: [f64; 6]) {
        let fix = |v: f64| (v * 65536.0 + 0.5).floor() as i64;
        let (a, b, d, e) = (fix(m[0]), fix(m[1]), fix(m[3]), fix(m[4]));
        let mut c = fix(m[2] + m[0] * 0.5 + m[1] * 0.5);
        let mut f = fix(m[5] + m[3] * 0.5 + m[4] * 0.5);
        let (width, height) = (self.width as u64, self.height as u64);
        for target in self.target.chunks_exact_mut(self.width) {
            let (mut x, mut y) = (c, f);
            for target in target {
                // A negative cell wraps to a huge one, so one comparison checks both ends.
                let (column, line) = ((x >> 16) as u64, (y >> 16) as u64);
                let inside = column < width && line < height;
                *target =
                    if inside { self.source[(line * width + column) as usize] } else { self.fill };
                x += a;
                y += d;
            }
            c += b;
            f += e;
        }
    }

    /// Nearest for coordinates that fixed point cannot hold.
    pub(super) fn floating_point(&mut self, m: [f64; 6]) {
        let mut c = m[2] + m[0] * 0.5 + m[1] * 0.5;
        let mut f = m[5] + m[3] * 0.5 + m[4] * 0.5;
        for target in self.target.chunks_exact_mut(self.width) {
            let (mut x, mut y) = (c, f);
            for target in target {
                *target = match (cell(x, self.width), cell(y, self.height)) {
                    (Some(column), Some(line)) => self.source[line * self.width + column],
                    _ => self.fill,
                };
                x += m[0];
                y += m[3];
            }
            c += m[1];
            f += m[4];
        }
    }

    /// Bilinear; beyond the outermost pixel centres the edge pixel is repeated, beyond the edge lies the fill. Fractions are dropped.
    pub(super) fn bilinear(&mut self, m: [f64; 6]) {
        let (width, height) = (self.width as f64, self.height as f64);
        for (line, target) in self.target.chunks_exact_mut(self.width).enumerate() {
            let y_out = line as f64 + 0.5;
            for (column, target) in target.iter_mut().enumerate() {
                let x_out = column as f64 + 0.5;
                let x = m[0] * x_out + m[1] * y_out + m[2];
                let y = m[3] * x_out + m[4] * y_out + m[5];
                if !(x >= 0.0 && x < width && y >= 0.0 && y < height) {
                    *target = self.fill;
                    continue;
                }
                let (x, y) = (x - 0.5, y - 0.5);
                let (x0, x1, dx) = neighbours(x, self.width);
                let (y0, y1, dy) = neighbours(y, self.height);
                let (upper, lower) =
                    (&self.source[y0 * self.width..], &self.source[y1 * self.width..]);
                *target = std::array::from_fn(|channel| {
                    let mix = |from: f64, to: f64, share: f64| from + (to - from) * share;
                    let of = |row: &[[u8; C]], x: usize| f64::from(row[x][channel]);
                    let above = mix(of(upper, x0), of(upper, x1), dx);
                    let below = mix(of(lower, x0), of(lower, x1), dx);
                    mix(above, below, dy) as u8
                });
            }
        }
    }
}
