//! Matrices with few numbers other than 0 in a row.

use torch::{Device, Kind, Tensor};

/// A matrix by rows (CSR), in host memory.
#[derive(Clone, Debug)]
pub struct SparseRows {
    /// Where each row begins in `columns` and `values`, and their length.
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
    width: usize,
}

impl SparseRows {
    /// A matrix `[rows.len(), width]` with a (column, value) for each entry that is not 0. Panics
    /// if a column is not below `width`.
    ///
    /// ```
    /// use torch::{Kind, Tensor};
    /// use train::SparseRows;
    /// let rows = SparseRows::new(&[vec![(1, 2.0)], vec![], vec![(0, 1.0), (2, 3.0)]], 3);
    /// let ones = Tensor::ones([3, 1], (Kind::Double, torch::Device::Cpu));
    /// let sums = Vec::<f64>::try_from(rows.times(&ones).view([3])).unwrap();
    /// assert_eq!(sums, [2.0, 0.0, 4.0]);
    /// ```
    pub fn new(rows: &[Vec<(u32, f32)>], width: usize) -> Self {
        let mut starts = vec![0];
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for row in rows {
            for &(column, value) in row {
                assert!((column as usize) < width, "column {column} of {width}");
                columns.push(column);
                values.push(value);
            }
            starts.push(columns.len());
        }
        Self { starts, columns, values, width }
    }

    /// Rows and columns.
    pub fn size(&self) -> (usize, usize) {
        (self.starts.len() - 1, self.width)
    }

    /// This matrix times a dense one `[width, k]`: float64 `[rows, k]`.
    pub fn times(&self, dense: &Tensor) -> Tensor {
        let (from, k) = flat(dense, self.width);
        let (rows, _) = self.size();
        let mut product = vec![0.0; rows * k];
        for (i, sum) in product.chunks_exact_mut(k).enumerate() {
            for (column, value) in self.row(i) {
                add(sum, &from[column * k..][..k], value);
            }
        }
        Tensor::from_slice(&product).view([rows as i64, k as i64])
    }

    /// The transpose of this matrix times a dense one `[rows, k]`: float64 `[width, k]`.
    pub fn transposed_times(&self, dense: &Tensor) -> Tensor {
        let (from, k) = flat(dense, self.size().0);
        let mut product = vec![0.0; self.width * k];
        for (i, row) in from.chunks_exact(k).enumerate() {
            for (column, value) in self.row(i) {
                add(&mut product[column * k..][..k], row, value);
            }
        }
        Tensor::from_slice(&product).view([self.width as i64, k as i64])
    }

    /// The numbers of a row, by column.
    fn row(&self, i: usize) -> impl Iterator<Item = (usize, f64)> {
        let at = self.starts[i]..self.starts[i + 1];
        let values = &self.values[at.clone()];
        self.columns[at]
            .iter()
            .zip(values)
            .map(|(column, value)| (*column as usize, f64::from(*value)))
    }
}

/// The numbers of a matrix with so many rows, and how many columns it has.
fn flat(dense: &Tensor, rows: usize) -> (Vec<f64>, usize) {
    let (found, k) = dense.size2().expect("a matrix");
    assert!(
        found as usize == rows && k > 0,
        "a matrix [{found}, {k}] where {rows} rows are needed"
    );
    let dense = dense.to_kind(Kind::Double).to_device(Device::Cpu).contiguous();
    (Vec::<f64>::try_from(dense.reshape([-1])).expect("float64"), k as usize)
}

fn add(sum: &mut [f64], row: &[f64], factor: f64) {
    sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * value);
}
