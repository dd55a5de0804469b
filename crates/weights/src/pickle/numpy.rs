//! NumPy's arrays, scalars and kinds of numbers, as their pickles describe them.

use std::sync::Arc;

use bytes::Bytes;

use super::budget::Budget;
use super::value::{Object, Value};
use crate::Dtype;
use crate::tensor::{Layout, TensorData, byte_count, swap_bytes};

/// An array or scalar of numbers, if `object` is one. A kind of number stays an object: it is only
/// of use inside of these.
pub(super) fn understood(object: &Object, budget: &mut Budget) -> Option<Value> {
    // NumPy 2 moved the module.
    let name = object.class.strip_prefix("numpy.")?;
    let name = name.strip_prefix("_core.").or_else(|| name.strip_prefix("core.")).unwrap_or(name);
    match (name, &*object.args) {
        ("multiarray._reconstruct", _) => {
            let [_version, shape, dtype, fortran, Value::Bytes(bytes)] =
                object.state.as_ref()?.as_list()?
            else {
                return None;
            };
            let fortran = matches!(fortran, Value::Bool(true) | Value::Int(1));
            array(shape, dtype, fortran, bytes, budget)
        }
        ("numeric._frombuffer", [Value::Bytes(bytes), dtype, shape, order]) => {
            array(shape, dtype, order.as_str() == Some("F"), bytes, budget)
        }
        ("multiarray.scalar", [dtype, Value::Bytes(bytes)]) => scalar(dtype, bytes, budget),
        _ => None,
    }
}

fn array(
    shape: &Value,
    dtype: &Value,
    fortran: bool,
    bytes: &Bytes,
    budget: &mut Budget,
) -> Option<Value> {
    let size = |n: &Value| usize::try_from(n.as_int()?).ok();
    let shape: Vec<usize> = shape.as_list()?.iter().map(size).collect::<Option<_>>()?;
    let (dtype, big_endian) = numbers(dtype)?;
    if byte_count(dtype, &shape)? != bytes.len() {
        return None;
    }
    let width = dtype.width();
    let mut bytes = bytes.clone();
    if big_endian {
        budget.take(bytes.len())?;
        bytes = swap_bytes(&bytes, width).into();
    }
    if fortran {
        budget.take(bytes.len())?;
        let strides = shape.iter().scan(1, |next, &n| {
            let stride = *next;
            *next *= n;
            Some(stride)
        });
        let layout = Layout { offset: 0, strides: strides.collect(), shape: shape.clone() };
        bytes = layout.gather(&bytes, width);
    }
    TensorData::new(dtype, shape, bytes).map(|array| Value::Array(Arc::new(array)))
}

fn scalar(dtype: &Value, bytes: &Bytes, budget: &mut Budget) -> Option<Value> {
    let Value::Array(number) = array(&Value::Tuple([].into()), dtype, false, bytes, budget)? else {
        return None;
    };
    let bytes = number.bytes();
    let mut wide = [0; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(match number.dtype() {
        Dtype::F64 => Value::Float(f64::from_le_bytes(wide)),
        Dtype::F32 | Dtype::F16 | Dtype::BF16 => Value::Float(number.to_f32()[0].into()),
        Dtype::Bool => Value::Bool(wide[0] != 0),
        Dtype::I64 | Dtype::U64 | Dtype::U32 | Dtype::U16 | Dtype::U8 => {
            let value = i64::from_le_bytes(wide);
            if number.dtype() == Dtype::U64 && value < 0 {
                return Some(Value::Long([&wide[..], &[0]].concat().into()));
            }
            Value::Int(value)
        }
        // At most 32 bits, which float64 and so the shift below keep whole.
        Dtype::I32 | Dtype::I16 | Dtype::I8 => {
            let unused = 64 - 8 * bytes.len() as u32;
            Value::Int(i64::from_le_bytes(wide) << unused >> unused)
        }
    })
}

/// What numbers a pickled `numpy.dtype` means, and whether they are big-endian.
fn numbers(dtype: &Value) -> Option<(Dtype, bool)> {
    let object = dtype.as_object().filter(|object| &*object.class == "numpy.dtype")?;
    let code = object.args.first()?.as_str()?;
    let (order, kind) = match code.as_bytes().first()? {
        b'<' | b'>' | b'|' | b'=' => code.split_at(1),
        _ => ("", code),
    };
    let kind = match kind {
        "f8" => Dtype::F64,
        "f4" => Dtype::F32,
        "f2" => Dtype::F16,
        "i8" => Dtype::I64,
        "i4" => Dtype::I32,
        "i2" => Dtype::I16,
        "i1" => Dtype::I8,
        "u8" => Dtype::U64,
        "u4" => Dtype::U32,
        "u2" => Dtype::U16,
        "u1" => Dtype::U8,
        "b1" => Dtype::Bool,
        _ => return None,
    };
    // The state is (version, byte order, sub-array, names, ...).
    let state = object.state.as_ref().and_then(|state| state.as_list());
    let stated = state.and_then(|state| state.get(1)?.as_str()).unwrap_or(order);
    Some((kind, stated == ">"))
}
