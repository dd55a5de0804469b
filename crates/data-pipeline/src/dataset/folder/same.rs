//! Which images are the same: by their pixels, whatever the files are that hold them.

use super::known;
use super::set::FolderSet;
use crate::dataset::Samples;
use crate::dataset::fingerprint::Contents;
use crate::digest::Digest;
use crate::error::DataError;
use crate::parallel;
use std::collections::{HashMap, HashSet};

/// An image of one of several sets: the number of the set, and of the image in it.
type Place = (usize, usize);

/// Ids, labels and contents of the images of several sets, for
/// [`duplicates`](crate::dataset::fingerprint::duplicates). Contents are equal where two images
/// have the same pixels in full size, decoded as the options of their sets say but for the size:
/// turned upright or not, grey or colour. Format, compression and metadata of the files do not
/// count.
///
/// Images that are equal are also equal when they are made smaller. So only those that
/// [`FolderSet::decode_all`] found to be equal in the size to learn from, and whose files differ,
/// are decoded again, in full size. Of a set that has not been decoded, every image is.
///
/// Fails if an image cannot be read or decoded.
pub fn contents(sets: &[&FolderSet]) -> Result<Vec<Contents>, DataError> {
    let mut alike: HashMap<Digest, Vec<Place>> = HashMap::new();
    let mut contents: Vec<Contents> = Vec::with_capacity(sets.len());
    for (number, set) in sets.iter().enumerate() {
        let shown = set.shown()?;
        let places = shown.iter().enumerate();
        places.for_each(|(i, &digest)| alike.entry(digest).or_default().push((number, i)));
        contents.push((0..set.len()).map(|i| (set.id(i), set.label(i), shown[i])).collect());
    }
    let alike = alike.into_values().filter(|places| places.len() > 1);
    let doubtful: Vec<Place> =
        alike.filter(|places| !is_one_file(sets, places)).flatten().collect();
    let full = parallel::map(doubtful.len(), |i| {
        let (set, image) = doubtful[i];
        sets[set].in_full(image)
    });
    for ((set, image), digest) in doubtful.into_iter().zip(full) {
        contents[set][image].2 = digest?;
    }
    Ok(contents)
}

/// Whether images are known to be copies of one file.
fn is_one_file(sets: &[&FolderSet], places: &[Place]) -> bool {
    let file = |&(set, image): &Place| sets[set].known.files.get().map(|files| files[image]);
    let files: Option<HashSet<Digest>> = places.iter().map(file).collect();
    files.is_some_and(|files| files.len() == 1)
}

impl FolderSet {
    /// Digests of the images as they are learned from. Decodes all of them unless
    /// [`decode_all`](Self::decode_all) has.
    fn shown(&self) -> Result<&[Digest], DataError> {
        if let Some(known) = self.known.shown.get() {
            return Ok(known);
        }
        let digests = self.map(|i, bytes| {
            let image = self.options.decode.bytes(bytes?).map_err(|fault| self.bad(i, fault))?;
            Ok(known::digest(&image))
        });
        let digests = digests.into_iter().collect::<Result<Vec<_>, DataError>>()?;
        Ok(self.known.shown.get_or_init(|| digests))
    }

    /// The digest of an image in full size.
    fn in_full(&self, index: usize) -> Result<Digest, DataError> {
        Ok(known::digest(&self.in_own_size(index)?))
    }
}
