//! Label propagation: the labels of some samples spread to those whose features are near theirs,
//! without any training.
//!
//! Samples and their nearest neighbours are a graph, and the labels spread over it as in "Learning
//! with Local and Global Consistency" (Zhou et al. 2004): Z = (I − αS)⁻¹ Y, where Y has a 1 for
//! each label. The graph is that of Iscen et al. 2019 (arXiv 1904.04717, section 3.2): the affinity
//! of a sample and one of its k nearest is the third power of the cosine of their features, or 0
//! where that is negative; W is the sum of these affinities and of their transpose, and
//! S = D^(−1/2) W D^(−1/2), with the row sums D of W.
//!
//! ```
//! use ssl_core::spreading::Neighbours;
//! use torch::Tensor;
//! // Two groups of directions, and a label in each.
//! let features = Tensor::from_slice(&[1.0f32, 0.0, 0.9, 0.1, 0.1, 0.9, 0.0, 1.0]).view([4, 2]);
//! let z = Neighbours::of(&features, 1).spread(&[Some(0), None, None, Some(1)], 2, 0.9);
//! assert_eq!(Vec::<i64>::try_from(z.argmax(1, false))?, [0, 0, 1, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use torch::{Kind, Tensor, no_grad};

/// Samples and their nearest neighbours.
pub struct Neighbours {
    /// The nearest of each sample, int64 `[n, k]`.
    nearest: Tensor,
    /// Half of S: that of the affinities to these, float64 `[n, k]`. The other half is its
    /// transpose.
    weights: Tensor,
}

/// How many rows of similarities are in memory at once, and columns of labels.
const ROWS: i64 = 512;
const COLUMNS: i64 = 16;

/// The search for Z ends where what is left of a column is so much smaller than its Y, or after so
/// many steps.
const TOLERANCE: f64 = 1e-8;
const STEPS: usize = 1000;

impl Neighbours {
    /// Finds the neighbours of samples with these features, `[n, width]`: the `k` nearest others of
    /// each, or all where there are fewer.
    /// Panics if there are no two samples, or `k` is 0.
    pub fn of(features: &Tensor, k: i64) -> Self {
        let n = features.size()[0];
        assert!(n > 1 && k > 0, "{k} neighbours of {n} samples");
        let k = k.min(n - 1);
        no_grad(|| {
            let x = features.to_kind(Kind::Double);
            let length = x.square().sum_dim_intlist([1].as_slice(), true, Kind::Double).sqrt();
            let x = x / length.clamp_min(f64::MIN_POSITIVE);
            let near = |first: i64| {
                let count = ROWS.min(n - first);
                let own = Tensor::arange_start(first, first + count, (Kind::Int64, x.device()));
                let cosines = x.narrow(0, first, count).matmul(&x.tr());
                // No sample is its own neighbour.
                cosines.scatter_value(1, &own.unsqueeze(1), -2.0).topk(k, 1, true, true)
            };
            let (cosines, nearest): (Vec<_>, Vec<_>) =
                (0..n).step_by(ROWS as usize).map(near).unzip();
            let nearest = Tensor::cat(&nearest, 0);
            let affinities = Tensor::cat(&cosines, 0).clamp_min(0.0).pow_tensor_scalar(3);
            let flat = nearest.reshape([-1]);
            let own = affinities.sum_dim_intlist([1].as_slice(), false, Kind::Double);
            let degrees = own.index_add(0, &flat, &affinities.reshape([-1]));
            // A sample without a neighbour that is like it has no weights either.
            let scale = degrees.clamp_min(f64::MIN_POSITIVE).rsqrt();
            let of_nearest = scale.index_select(0, &flat).view_as(&affinities);
            Self { nearest, weights: affinities * of_nearest * scale.unsqueeze(1) }
        })
    }

    /// S z for `[n, columns]`.
    fn times(&self, z: &Tensor) -> Tensor {
        let (size, columns) = (self.nearest.size(), z.size()[1]);
        let flat = self.nearest.reshape([-1]);
        let weights = self.weights.unsqueeze(2);
        let of_nearest = z.index_select(0, &flat).view([size[0], size[1], columns]);
        let from = (of_nearest * &weights).sum_dim_intlist([1].as_slice(), false, Kind::Double);
        from.index_add(0, &flat, &(z.unsqueeze(1) * weights).reshape([-1, columns]))
    }

    /// What spreads from the samples that have a label: float64 `[n, classes]`, each row larger for
    /// a class the more of its label came there; all 0 where nothing did. `alpha`, from 0 to below
    /// 1, says how far labels spread: by conjugate gradients. Panics if there is not a label or
    /// `None` for each sample, or one is not below `classes`.
    pub fn spread(&self, labels: &[Option<u32>], classes: i64, alpha: f64) -> Tensor {
        let n = self.nearest.size()[0];
        assert_eq!(labels.len() as i64, n, "labels of {n} samples");
        assert!((0.0..1.0).contains(&alpha), "alpha is {alpha}");
        let mut given = vec![0.0; (n * classes) as usize];
        for (row, label) in labels.iter().enumerate() {
            if let Some(label) = *label {
                assert!(i64::from(label) < classes, "label {label} of {classes} classes");
                given[row * classes as usize + label as usize] = 1.0;
            }
        }
        let given = Tensor::from_slice(&given).view([n, classes]).to_device(self.nearest.device());
        let columns = |first| {
            let count = COLUMNS.min(classes - first);
            self.solve(&given.narrow(1, first, count), alpha)
        };
        let found: Vec<_> = (0..classes).step_by(COLUMNS as usize).map(columns).collect();
        Tensor::cat(&found, 1)
    }

    /// (I − αS)⁻¹ y, each column for itself.
    fn solve(&self, y: &Tensor, alpha: f64) -> Tensor {
        no_grad(|| {
            let squares =
                |r: &Tensor| r.square().sum_dim_intlist([0].as_slice(), true, Kind::Double);
            let (mut z, mut rest) = (y.zeros_like(), y.copy());
            let (mut step, mut left) = (rest.copy(), squares(&rest));
            let enough = &left * (TOLERANCE * TOLERANCE);
            for _ in 0..STEPS {
                if !bool::try_from(left.gt_tensor(&enough).any()).expect("one value") {
                    break;
                }
                let product = &step - alpha * self.times(&step);
                let along = (&step * &product).sum_dim_intlist([0].as_slice(), true, Kind::Double);
                // A column that is done has nothing left to divide.
                let size = &left / along.clamp_min(f64::MIN_POSITIVE);
                z += &step * &size;
                rest -= product * size;
                let now = squares(&rest);
                step = &rest + step * (&now / left.clamp_min(f64::MIN_POSITIVE));
                left = now;
            }
            z
        })
    }
}
