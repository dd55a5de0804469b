//! The weights in what was saved: a state dictionary by itself, in a training checkpoint, or in a
//! whole module.

use crate::pickle::{Dict, Value};
use crate::torch_file::is_tensor;

/// Keys under which code bases keep weights, the preferred first: averages over training, which are
/// what their authors evaluate and publish (timm's `load_state_dict` takes `state_dict_ema` before
/// `state_dict`, too), then the trained weights.
const KEYS: [&str; 21] = [
    "state_dict_ema",
    "ema_state_dict",
    "model_ema",
    "ema_model",
    "model_ema_state_dict",
    "params_ema",
    "ema",
    "teacher",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "params",
    "weights",
    "module",
    "student",
    "backbone",
    "encoder",
    "shadow",
];

/// What lies beside weights and has tensors too.
const NOT_WEIGHTS: [&str; 9] = [
    "optimizer",
    "optimizers",
    "optimizer_state_dict",
    "optimizer_states",
    "optim",
    "scheduler",
    "lr_scheduler",
    "scaler",
    "amp",
];

/// How many dictionaries deep weights are looked for.
const DEEPEST: usize = 3;
/// More names than any network has.
const MOST: usize = 1_000_000;

/// The weights that were found.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Names and what stands for their tensors.
    pub(crate) tensors: Vec<(String, Value)>,
    /// What was done, in words.
    pub(crate) applied: Vec<String>,
}

/// The part of this name, or the preferred one. The error lists what there is.
pub(crate) fn pick(root: &Value, part: Option<&str>) -> Result<Part, String> {
    let mut found = Vec::new();
    if part.is_none()
        && let Some(tensors) = weights_of(root)?
    {
        return Ok(Part { tensors: tensors.named, applied: tensors.notes });
    }
    if let Some(dict) = root.as_dict() {
        search(dict, "", 1, &mut found)?;
    }
    let named = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let chosen = match part {
        Some(part) => found.iter().position(|(path, _)| path == part),
        None => {
            let rank = |path: &str| KEYS.iter().position(|key| *key == named(path));
            let best = found.iter().filter_map(|(path, _)| rank(path)).min();
            let of_rank = |(_, (path, _)): &(usize, &(String, Weights))| rank(path) == best;
            let mut best = found.iter().enumerate().filter(of_rank).map(|(index, _)| index);
            match (best.next(), best.next()) {
                (Some(first), None) => Some(first),
                _ => None,
            }
        }
    };
    let list = |list: &[String]| list.join(", ");
    let paths: Vec<String> = found.iter().map(|(path, _)| path.clone()).collect();
    let Some(chosen) = chosen else {
        return Err(match (part, paths.as_slice()) {
            (_, []) => format!(
                "it has no weights: {} without tensors by name",
                root.as_dict().map_or(root.kind().to_owned(), |dict| {
                    let keys: Vec<_> = dict.texts().map(|(key, _)| key).take(8).collect();
                    format!("a dict of {}", keys.join(", "))
                })
            ),
            (Some(part), _) => {
                format!("it has no weights under {part}; there are {}", list(&paths))
            }
            (None, _) => format!(
                "it has several sets of weights: choose one by its name, as FILE#{}; there are {}",
                paths[0],
                list(&paths)
            ),
        });
    };
    let (path, weights) = found.swap_remove(chosen);
    let others: Vec<String> = paths.into_iter().filter(|other| *other != path).collect();
    let beside =
        if others.is_empty() { String::new() } else { format!(" (also there: {})", list(&others)) };
    let mut applied = vec![format!("read {path}{beside}")];
    applied.extend(weights.notes);
    Ok(Part { tensors: weights.named, applied })
}

/// Collects the weights in a dictionary and in those inside of it, with their paths.
fn search(
    dict: &Dict,
    above: &str,
    depth: usize,
    found: &mut Vec<(String, Weights)>,
) -> Result<(), String> {
    for (key, value) in dict.texts().filter(|(key, _)| !NOT_WEIGHTS.contains(key)) {
        let path = if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
        if found.len() > 1000 {
            return Err("it has more than a thousand sets of weights".to_owned());
        }
        match (weights_of(value)?, value.as_dict()) {
            (Some(weights), _) => found.push((path, weights)),
            (None, Some(inner)) if depth < DEEPEST => search(inner, &path, depth + 1, found)?,
            _ => {}
        }
    }
    Ok(())
}

/// Tensors by name.
#[derive(Debug)]
struct Weights {
    named: Vec<(String, Value)>,
    notes: Vec<String>,
}

/// The tensors of a state dictionary or of a module, if `value` is one.
fn weights_of(value: &Value) -> Result<Option<Weights>, String> {
    match value {
        Value::Dict(dict) => Ok(of_dict(dict)),
        Value::Object(object) => {
            let mut named = Vec::new();
            if object.state.is_none() || !of_module(value, "", 0, &mut named)? {
                return Ok(None);
            }
            let note = format!("read the tensors of a whole {}, not its code", object.class);
            Ok(Some(Weights { named, notes: vec![note] }))
        }
        _ => Ok(None),
    }
}

/// A dictionary is a state dictionary if at least half of its entries are tensors.
fn of_dict(dict: &Dict) -> Option<Weights> {
    let is_named_tensor =
        |(key, value): &(Value, Value)| key.as_str().is_some() && is_tensor(value);
    let count = dict.entries.iter().filter(|entry| is_named_tensor(entry)).count();
    if count == 0 || 2 * count < dict.entries.len() {
        return None;
    }
    let named: Vec<_> = dict.texts().filter(|(_, value)| is_tensor(value)).collect();
    let others: Vec<&str> =
        dict.texts().filter(|(_, value)| !is_tensor(value)).map(|(key, _)| key).collect();
    let notes = match others.as_slice() {
        [] => Vec::new(),
        _ => vec![format!("left out what is no tensor: {}", others.join(", "))],
    };
    let named = named.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
    Some(Weights { named, notes })
}

/// Collects the tensors of a module that was saved with its class: `torch.nn.Module` keeps them in
/// three dictionaries. Tells whether it is a module.
fn of_module(
    value: &Value,
    above: &str,
    depth: usize,
    named: &mut Vec<(String, Value)>,
) -> Result<bool, String> {
    let state = value.as_object().and_then(|object| object.state.as_ref()?.as_dict());
    let Some(state) = state else { return Ok(false) };
    let part = |key: &str| state.get(key).and_then(|part| part.as_dict());
    let (Some(params), Some(modules)) = (part("_parameters"), part("_modules")) else {
        return Ok(false);
    };
    // Buffers that are no part of the state dictionary are computed anew.
    let passing = match state.get("_non_persistent_buffers_set") {
        Some(Value::Set(names)) => names.to_vec(),
        _ => Vec::new(),
    };
    let buffers = part("_buffers").into_iter().flat_map(|buffers| buffers.texts());
    let buffers =
        buffers.filter(|(name, _)| !passing.iter().any(|other| other.as_str() == Some(*name)));
    for (name, tensor) in params.texts().chain(buffers) {
        if !matches!(tensor, Value::None) {
            named.push((format!("{above}{name}"), tensor.clone()));
        }
    }
    for (name, module) in modules.texts() {
        if depth > 60 || named.len() > MOST {
            return Err("a module of more parts than any network has".to_owned());
        }
        of_module(module, &format!("{above}{name}."), depth + 1, named)?;
    }
    Ok(true)
}
