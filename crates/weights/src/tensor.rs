//! One tensor on the host: what its numbers are, its shape, its bytes.

use bytes::Bytes;
use half::{bf16, f16};

/// What the numbers of a tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the safetensors format")]
pub enum Dtype {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

impl Dtype {
    /// Every kind.
    pub const ALL: [Dtype; 13] = {
        use Dtype::*;
        [F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, Bool]
    };

    /// Bytes of one number.
    pub fn width(self) -> usize {
        match self {
            Dtype::F64 | Dtype::I64 | Dtype::U64 => 8,
            Dtype::F32 | Dtype::I32 | Dtype::U32 => 4,
            Dtype::F16 | Dtype::BF16 | Dtype::I16 | Dtype::U16 => 2,
            Dtype::I8 | Dtype::U8 | Dtype::Bool => 1,
        }
    }

    /// Whether the numbers are floating-point ones.
    pub fn is_float(self) -> bool {
        matches!(self, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16)
    }
}

/// A tensor: its numbers lie one after the other, little-endian, the last dimension fastest.
#[derive(Clone, PartialEq, Eq)]
pub struct TensorData {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Bytes,
}

impl TensorData {
    /// A tensor of these bytes, or `None` if their number is not that of the shape.
    pub fn new(dtype: Dtype, shape: Vec<usize>, bytes: impl Into<Bytes>) -> Option<Self> {
        let bytes = bytes.into();
        (byte_count(dtype, &shape)? == bytes.len()).then_some(Self { dtype, shape, bytes })
    }

    /// A tensor of float32. Panics if the number of values is not that of the shape.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self::new(Dtype::F32, shape, bytes).expect("as many values as the shape has")
    }

    /// What the numbers are.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The shape; empty for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many numbers there are.
    pub fn count(&self) -> usize {
        self.bytes.len() / self.dtype.width()
    }

    /// The numbers' bytes. They may be part of a larger piece of memory and lie at any address.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// All numbers as float32, rounded to it where they are wider.
    pub fn to_f32(&self) -> Vec<f32> {
        fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes.chunks_exact(N).map(|c| value(c.try_into().expect("N bytes"))).collect()
        }
        let bytes = &self.bytes;
        match self.dtype {
            Dtype::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
            Dtype::F32 => each(bytes, f32::from_le_bytes),
            Dtype::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Dtype::BF16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32),
            Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32),
            Dtype::I16 => each(bytes, |b| i16::from_le_bytes(b).into()),
            Dtype::I8 => each(bytes, |b| i8::from_le_bytes(b).into()),
            Dtype::U64 => each(bytes, |b| u64::from_le_bytes(b) as f32),
            Dtype::U32 => each(bytes, |b| u32::from_le_bytes(b) as f32),
            Dtype::U16 => each(bytes, |b| u16::from_le_bytes(b).into()),
            Dtype::U8 => each(bytes, |[b]| b.into()),
            Dtype::Bool => each(bytes, |[b]| if b == 0 { 0.0 } else { 1.0 }),
        }
    }

    /// The same numbers under another shape, or `None` if it has another number of them.
    pub fn reshaped(&self, shape: Vec<usize>) -> Option<Self> {
        Self::new(self.dtype, shape, self.bytes.clone())
    }

    /// Entries `range` of the first dimension. Panics if there are fewer, or no dimension.
    pub fn rows(&self, range: std::ops::Range<usize>) -> Self {
        let row = byte_count(self.dtype, &self.shape[1..]).expect("part of what there is");
        let mut shape = self.shape.clone();
        shape[0] = range.len();
        let bytes = self.bytes.slice(range.start * row..range.end * row);
        Self { dtype: self.dtype, shape, bytes }
    }

    /// These tensors one after the other along their first dimension, or `None` if they differ in
    /// another dimension or in kind, or there are none.
    pub fn concatenated(parts: &[&TensorData]) -> Option<Self> {
        let first = parts.first()?;
        let rest = first.shape.get(1..)?;
        let mut shape = first.shape.clone();
        shape[0] = 0;
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.bytes.len()).sum());
        for part in parts {
            if part.dtype != first.dtype || part.shape.get(1..) != Some(rest) {
                return None;
            }
            shape[0] += part.shape[0];
            bytes.extend_from_slice(&part.bytes);
        }
        Self::new(first.dtype, shape, bytes)
    }
}

impl std::fmt::Debug for TensorData {
    /// Kind and shape, not the numbers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}{:?}", self.dtype, self.shape)
    }
}

/// Bytes of a tensor of this shape, or `None` if that is beyond any memory.
pub(crate) fn byte_count(dtype: Dtype, shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(dtype.width(), |all, &n| all.checked_mul(n))
}

/// Turns each number's bytes around: between little- and big-endian.
pub(crate) fn swap_bytes(bytes: &[u8], width: usize) -> Vec<u8> {
    bytes.chunks_exact(width).flat_map(|number| number.iter().rev().copied()).collect()
}

/// Where the numbers of a strided tensor lie, counted in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

impl Layout {
    /// How many numbers of its storage this reaches into, or `None` if that cannot be counted.
    pub(crate) fn reach(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let last =
            self.shape.iter().zip(&self.strides).try_fold(self.offset, |at, (&n, &stride)| {
                at.checked_add((n - 1).checked_mul(stride)?)
            });
        last?.checked_add(1)
    }

    /// Whether the numbers lie one after the other.
    pub(crate) fn is_contiguous(&self) -> bool {
        let mut next = Some(1_usize);
        self.shape.iter().zip(&self.strides).rev().all(|(&n, &stride)| {
            let fits = n == 1 || Some(stride) == next;
            next = next.and_then(|all| all.checked_mul(n.max(1)));
            fits
        }) || self.shape.contains(&0)
    }

    /// The bytes of the tensor in `storage`, whose numbers have `width` bytes; `reach` must have
    /// been checked against it. Shares the storage where it can.
    pub(crate) fn gather(&self, storage: &Bytes, width: usize) -> Bytes {
        let count: usize = self.shape.iter().product();
        if count == 0 {
            return Bytes::new();
        }
        if self.is_contiguous() {
            return storage.slice(self.offset * width..(self.offset + count) * width);
        }
        let mut out = Vec::with_capacity(count * width);
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        loop {
            out.extend_from_slice(&storage[at * width..(at + 1) * width]);
            // The last dimension runs fastest; a full one starts again and moves the one before it.
            let mut dimension = self.shape.len();
            loop {
                let Some(d) = dimension.checked_sub(1) else { return out.into() };
                dimension = d;
                index[d] += 1;
                at += self.strides[d];
                if index[d] < self.shape[d] {
                    break;
                }
                at -= self.strides[d] * index[d];
                index[d] = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn u8s(layout: &Layout, storage: &[u8]) -> Vec<u8> {
        layout.gather(&Bytes::copy_from_slice(storage), 1).to_vec()
    }

    #[test]
    fn transposed_expanded_and_empty_tensors_are_gathered() {
        let storage = [0, 1, 2, 3, 4, 5, 6];
        let layout = |offset, shape: &[usize], strides: &[usize]| Layout {
            offset,
            shape: shape.to_vec(),
            strides: strides.to_vec(),
        };
        assert_eq!(u8s(&layout(1, &[2, 3], &[3, 1]), &storage), [1, 2, 3, 4, 5, 6]);
        assert_eq!(u8s(&layout(1, &[3, 2], &[1, 3]), &storage), [1, 4, 2, 5, 3, 6]);
        assert_eq!(u8s(&layout(2, &[2, 2], &[0, 1]), &storage), [2, 3, 2, 3]);
        assert_eq!(u8s(&layout(6, &[], &[]), &storage), [6]);
        assert_eq!(u8s(&layout(9, &[0, 4], &[4, 1]), &storage), [0_u8; 0]);
        assert_eq!(layout(1, &[3, 2], &[1, 3]).reach(), Some(7));
        assert_eq!(layout(1, &[usize::MAX, 3], &[2, 1]).reach(), None);
        // The stride of a dimension of one number does not matter.
        assert!(layout(0, &[2, 1, 3], &[3, 99, 1]).is_contiguous());
        assert!(!layout(0, &[2, 3], &[1, 2]).is_contiguous());
    }

    #[test]
    fn rows_are_cut_and_put_together() {
        let all = TensorData::from_f32(vec![4, 2], &[0., 1., 2., 3., 4., 5., 6., 7.]);
        let (a, b) = (all.rows(0..1), all.rows(1..4));
        assert_eq!((b.shape(), b.to_f32()[0]), (&[3, 2][..], 2.0));
        assert_eq!(TensorData::concatenated(&[&a, &b]), Some(all.clone()));
        let other = all.reshaped(vec![2, 4]).expect("as many");
        assert_eq!(TensorData::concatenated(&[&a, &other]), None);
        assert!(TensorData::new(Dtype::F32, vec![3], vec![0; 8]).is_none());
        assert!(TensorData::new(Dtype::F32, vec![usize::MAX, 8], vec![]).is_none());
    }

    proptest! {
        /// Gathering a permuted tensor is indexing it.
        #[test]
        fn permuted_dimensions_are_followed(
            [a, b, c] in [1_usize..4, 1..4, 1..4], order in 0_usize..6, offset in 0_usize..3,
        ) {
            let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
            let (sizes, strides) = ([a, b, c], [b * c, c, 1]);
            let shape = orders[order].map(|d| sizes[d]).to_vec();
            let strides = orders[order].map(|d| strides[d]).to_vec();
            let storage: Vec<u8> = (0..(offset + a * b * c) as u8).collect();
            let layout = Layout { offset, shape: shape.clone(), strides: strides.clone() };
            let mut expected = Vec::new();
            for i in 0..shape[0] {
                for j in 0..shape[1] {
                    for k in 0..shape[2] {
                        let at = i * strides[0] + j * strides[1] + k * strides[2];
                        expected.push((offset + at) as u8);
                    }
                }
            }
            prop_assert_eq!(layout.reach(), Some(storage.len()));
            prop_assert_eq!(u8s(&layout, &storage), expected);
        }
    }
}
