//! The largest singular values and vectors of a sparse matrix.

use torch::{Kind, Tensor, no_grad};

use super::sparse::SparseRows;

/// A singular value decomposition cut off behind its largest values.
#[derive(Debug)]
pub struct TruncatedSvd {
    /// The right singular vectors: float64 `[width, k]`, in the order of the values.
    pub components: Tensor,
    /// The singular values, falling: float64 `[k]`.
    pub values: Tensor,
}

/// Vectors more than are asked for, while they are looked for.
const MORE: i64 = 10;
/// How often the range is multiplied by the matrix and its transpose.
const ITERATIONS: usize = 5;

impl TruncatedSvd {
    /// The `k` largest of a matrix, fewer where it has fewer rows or columns; its projections
    /// (`rows.times(&components)`) are those of scikit-learn's `TruncatedSVD`, up to the sign of a
    /// column. Starts from torch's generator of the CPU. Halko, Martinsson and Tropp, Finding
    /// structure with randomness (2011), algorithm 4.4. Panics if the matrix has no row or column,
    /// or `k` is 0.
    pub fn of(rows: &SparseRows, k: usize) -> Self {
        let (n, width) = rows.size();
        let most = n.min(width);
        assert!(most > 0 && k > 0, "{k} components of a matrix [{n}, {width}]");
        let k = k.min(most) as i64;
        let looked = (k + MORE).min(most as i64);
        no_grad(|| {
            let orthogonal = |x: &Tensor| Tensor::linalg_qr(x, "reduced").0;
            let alone = torch::rng::exclusive();
            let start = Tensor::randn([width as i64, looked], (Kind::Double, torch::Device::Cpu));
            drop(alone);
            let mut range = orthogonal(&rows.times(&start));
            for _ in 0..ITERATIONS {
                let right = orthogonal(&rows.transposed_times(&range));
                range = orthogonal(&rows.times(&right));
            }
            // Of range^T rows = (right small)^T, small is a matrix that is quickly decomposed.
            let (right, small) = Tensor::linalg_qr(&rows.transposed_times(&range), "reduced");
            let (left, values, _) = small.svd(true, true);
            Self {
                components: right.matmul(&left.narrow(1, 0, k)).contiguous(),
                values: values.narrow(0, 0, k),
            }
        })
    }
}
