//! What a file of weights keeps beside its tensors: texts in the header of a safetensors file
//! (`__metadata__`).
//!
//! | key | meaning |
//! |---|---|
//! | `architecture` | the net by its name in timm, as `tf_efficientnet_lite0` |
//! | `symmetric_padding` | where the padding is not that of the net's name: `true` for half the kernel on every side, `false` for TensorFlow's |
//! | `bn_eps` | where it is not that of the net's name: what batch norm adds to variances, as `0.001` |
//! | `preprocess` | what an image needs, a [`Preprocess`] as JSON: `{"size":224,"crop":0.875,"interpolation":"bicubic","mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5]}`, with `"squash":true` where images are brought to a square whatever their shape |
//! | `classes` | the names of the classes in the order of the logits, a JSON list of texts |
//! | `dataset` | what the weights were trained on, as `imagenet-1k` |
//! | `licence` | the licence of the weights |
//! | `source` | where they come from |
//! | `sha256` | of the file that they were converted from |
//!
//! Other keys are kept and mean nothing here.

use std::collections::BTreeMap;

use crate::Preprocess;

/// The net by its name in timm.
pub const ARCHITECTURE: &str = "architecture";
/// Whether the net pads on every side, where its name says otherwise.
pub const SYMMETRIC_PADDING: &str = "symmetric_padding";
/// What batch norm adds to variances, where the net's name says otherwise.
pub const BN_EPS: &str = "bn_eps";
/// What an image needs, a [`Preprocess`] as JSON.
pub const PREPROCESS: &str = "preprocess";
/// The names of the classes, a JSON list.
pub const CLASSES: &str = "classes";
/// What the weights were trained on.
pub const DATASET: &str = "dataset";
/// The licence of the weights.
pub const LICENCE: &str = "licence";
/// Where they come from.
pub const SOURCE: &str = "source";
/// The checksum of the file that they were converted from.
pub const SHA256: &str = "sha256";

/// The texts of a header.
pub type Meta = BTreeMap<String, String>;

/// What an image needs, if the header says so.
///
/// # Errors
/// A text that says what is wrong, if it says so wrongly.
pub fn preprocess(meta: &Meta) -> Result<Option<Preprocess>, String> {
    let Some(text) = meta.get(PREPROCESS) else { return Ok(None) };
    let read = serde_json::from_str::<Preprocess>(text).map_err(|e| e.to_string());
    let checked = read.and_then(|read| read.check().map(|()| Some(read)));
    checked.map_err(|fault| format!("its `{PREPROCESS}` cannot be used: {fault}"))
}

/// The names of the classes, if the header has them.
///
/// # Errors
/// A text that says what is wrong, if it is no list of texts.
pub fn classes(meta: &Meta) -> Result<Option<Vec<String>>, String> {
    let Some(text) = meta.get(CLASSES) else { return Ok(None) };
    let read = serde_json::from_str(text).map(Some);
    read.map_err(|e| format!("its `{CLASSES}` are no list of names: {e}"))
}

/// Writes what an image needs into a header.
pub fn set_preprocess(meta: &mut Meta, preprocess: &Preprocess) {
    let text = serde_json::to_string(preprocess).expect("plain data");
    meta.insert(PREPROCESS.to_owned(), text);
}

/// Writes the names of the classes into a header.
pub fn set_classes(meta: &mut Meta, classes: &[String]) {
    meta.insert(CLASSES.to_owned(), serde_json::to_string(classes).expect("plain data"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Interpolation;

    #[test]
    fn what_is_set_is_read_and_a_faulty_text_is_named() {
        let (mean, std) = (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]);
        let it = Preprocess {
            size: 224,
            crop: 0.875,
            squash: false,
            interpolation: Interpolation::Bilinear,
            mean,
            std,
        };
        let mut meta = Meta::new();
        assert_eq!((preprocess(&meta), classes(&meta)), (Ok(None), Ok(None)));
        set_preprocess(&mut meta, &it);
        let names = ["a, b".to_owned(), "ü".to_owned()];
        set_classes(&mut meta, &names);
        assert_eq!(preprocess(&meta), Ok(Some(it)));
        assert_eq!(classes(&meta), Ok(Some(names.to_vec())));
        let zero = meta[PREPROCESS].replace("0.229", "0");
        meta.insert(PREPROCESS.to_owned(), zero);
        assert!(preprocess(&meta).expect_err("a deviation of 0").contains("preprocess"));
        meta.insert(CLASSES.to_owned(), "a, b".to_owned());
        assert!(classes(&meta).expect_err("no JSON").contains("classes"));
    }
}
