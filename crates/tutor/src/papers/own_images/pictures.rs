//! Small copies of single pictures, for the report.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use augment::resize::{self, Filter};
use augment::scratch::Scratch;
use report::Picture;

use crate::images::subset::Subset;

/// The longer side of a copy at most, in pixels.
const SIDE: usize = 72;

/// Copies of the pictures of these ids that a subset has.
pub(super) fn copies<'a>(
    subset: &Subset,
    ids: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, Picture>> {
    let wanted: BTreeSet<&str> = ids.collect();
    let mut copies = BTreeMap::new();
    for &index in &subset.indices {
        let id = subset.set.id(index as usize);
        if !wanted.contains(id.as_str()) {
            continue;
        }
        let mut image = subset.set.item(index as usize)?;
        let longer = image.width().max(image.height());
        if longer > SIDE {
            let side = |side: usize| (side * SIDE / longer).max(1);
            let (width, height) = (side(image.width()), side(image.height()));
            resize::resize(&mut image, width, height, Filter::Bilinear, &mut Scratch::new());
        }
        let (height, width, channels) = (image.height(), image.width(), image.channels());
        let pixels = image.pixels().to_vec();
        copies.insert(id, Picture { pixels, height, width, channels });
    }
    Ok(copies)
}
