//! Rotations by quarter turns, to be recognised as a task without labels (Gidaris et al. 2018,
//! arXiv 1803.07728).

use torch::{Kind, Tensor};

/// Images `[n, c, h, w]`, square, rotated by 0, 90, 180 and 270 degrees, one rotation after the
/// other `[4n, c, h, w]`, with the number of the turn, int64 `[4n]`. Panics on images that are not
/// square.
pub fn rotations(images: &Tensor) -> (Tensor, Tensor) {
    let size = images.size();
    assert!(size.len() == 4 && size[2] == size[3], "square images to be turned, not {size:?}");
    let turned: Vec<Tensor> = (0..4).map(|turns| images.rot90(turns, [2, 3])).collect();
    let turns = Tensor::arange(4, (Kind::Int64, images.device()));
    (Tensor::cat(&turned, 0), turns.repeat_interleave_self_int(size[0], 0, None))
}
