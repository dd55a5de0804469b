//! The calls by which PyTorch's pickles describe tensors, read as descriptions.

use crate::Dtype;
use crate::pickle::Value;
use crate::tensor::Layout;

/// The numbers of a storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) dtype: Dtype,
    /// How many there are.
    pub(super) numbers: usize,
    /// Where they begin in what is kept under the key.
    pub(super) first: usize,
}

/// A tensor as a view of a storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    pub(super) storage: Storage,
    pub(super) dtype: Dtype,
    /// In numbers of `dtype`.
    pub(super) layout: Layout,
}

/// Calls that make a tensor of a tensor.
const WRAPPERS: [&str; 3] = [
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2",
];

/// Calls that make a tensor, those that are not read here too.
pub(crate) fn is_tensor(value: &Value) -> bool {
    let Some(object) = value.as_object() else { return value.as_array().is_some() };
    WRAPPERS.contains(&&*object.class)
        || object
            .class
            .strip_prefix("torch._utils._rebuild_")
            .is_some_and(|what| what.ends_with("tensor") || what.contains("tensor_"))
}

/// The view that a value describes; why it describes none otherwise.
pub(super) fn view(value: &Value) -> Result<View, String> {
    let object = value.as_object().ok_or_else(|| format!("it is {}, no tensor", value.kind()))?;
    let malformed =
        || format!("its call of {} has other arguments than PyTorch writes", object.class);
    match (&*object.class, &*object.args) {
        (
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state",
            [inner, ..],
        ) => view(inner),
        // A subclass of a tensor: what makes the tensor, with its arguments.
        ("torch._tensor._rebuild_from_type_v2", [Value::Global(class), _, args, ..]) => {
            let args = args.as_list().ok_or_else(malformed)?;
            described(class, args)?.ok_or_else(malformed)
        }
        (class, args) => described(class, args)?.ok_or_else(malformed),
    }
}

fn described(class: &str, args: &[Value]) -> Result<Option<View>, String> {
    match (class, args) {
        ("torch._utils._rebuild_tensor", [storage, offset, shape, strides])
        | ("torch._utils._rebuild_tensor_v2", [storage, offset, shape, strides, ..]) => {
            let storage = self::storage(storage)?;
            let Some(layout) = layout(offset, shape, strides) else { return Ok(None) };
            Ok(Some(View { dtype: storage.dtype, storage, layout }))
        }
        // Kinds of numbers that have no class of storages.
        ("torch._utils._rebuild_tensor_v3", [storage, offset, shape, strides, _, _, dtype, ..]) => {
            let storage = self::storage(storage)?;
            let Some(layout) = layout(offset, shape, strides) else { return Ok(None) };
            let dtype = match dtype {
                Value::Global(name) => tensor_dtype(name).ok_or_else(|| unread(name))?,
                _ => return Ok(None),
            };
            Ok(Some(View { storage, dtype, layout }))
        }
        (class, _) if class.starts_with("torch._utils._rebuild_tensor") => Ok(None),
        (class, _) => Err(format!(
            "it is made by {class}: quantised, sparse and other special tensors are not read here"
        )),
    }
}

/// The storage that PyTorch's persistent ids describe: the word `storage`, its class, its key,
/// where it was, how many numbers it has, and in files before 1.6 which part of another it is.
pub(super) fn storage(value: &Value) -> Result<Storage, String> {
    let Value::Persistent(id) = value else {
        return Err("its storage is no reference".to_owned());
    };
    let malformed = || "its storage is described in another way than PyTorch does".to_owned();
    let [tag, Value::Global(class), key, _place, numbers, rest @ ..] =
        id.as_list().ok_or_else(malformed)?
    else {
        return Err(malformed());
    };
    let count = |value: &Value| usize::try_from(value.as_int()?).ok();
    let (Some("storage"), Some(key), Some(numbers)) = (tag.as_str(), key.as_str(), count(numbers))
    else {
        return Err(malformed());
    };
    let dtype = storage_dtype(class).ok_or_else(|| unread(class))?;
    let mut storage = Storage { key: key.to_owned(), dtype, numbers, first: 0 };
    if let Some(part) = rest.first().and_then(|part| part.as_list()) {
        let [_, first, numbers] = part else { return Err(malformed()) };
        storage.first = count(first).ok_or_else(malformed)?;
        storage.numbers = count(numbers).ok_or_else(malformed)?;
    }
    Ok(storage)
}

fn unread(kind: &str) -> String {
    format!("its numbers are of kind {kind}, which is not read here")
}

fn layout(offset: &Value, shape: &Value, strides: &Value) -> Option<Layout> {
    let count = |value: &Value| usize::try_from(value.as_int()?).ok();
    let counts = |list: &Value| list.as_list()?.iter().map(count).collect::<Option<Vec<usize>>>();
    let layout =
        Layout { offset: count(offset)?, shape: counts(shape)?, strides: counts(strides)? };
    // PyTorch's own limit is 64 dimensions.
    (layout.shape.len() == layout.strides.len() && layout.shape.len() <= 64).then_some(layout)
}

fn tensor_dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "torch.float64" => Dtype::F64,
        "torch.float32" => Dtype::F32,
        "torch.float16" => Dtype::F16,
        "torch.bfloat16" => Dtype::BF16,
        "torch.int64" => Dtype::I64,
        "torch.int32" => Dtype::I32,
        "torch.int16" => Dtype::I16,
        "torch.int8" => Dtype::I8,
        "torch.uint64" => Dtype::U64,
        "torch.uint32" => Dtype::U32,
        "torch.uint16" => Dtype::U16,
        "torch.uint8" => Dtype::U8,
        "torch.bool" => Dtype::Bool,
        _ => return None,
    })
}

/// The numbers of a storage by the last part of its class's name, as `FloatStorage`.
fn storage_dtype(class: &str) -> Option<Dtype> {
    Some(match class.rsplit('.').next()? {
        "DoubleStorage" => Dtype::F64,
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" | "UntypedStorage" | "_UntypedStorage" => Dtype::U8,
        "BoolStorage" => Dtype::Bool,
        _ => return None,
    })
}
