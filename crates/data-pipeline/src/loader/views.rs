//! Batches of images: each image is augmented once per view, and the images of a view are stacked.

use super::collate::{Collate, Items};
use crate::error::DataError;
use augment::Image;
use augment::rng::Rng;
use augment::scratch::Scratch;
use ndarray::Array4;
use std::sync::Arc;

/// How an image becomes what the network sees, in place: an augmentation policy, or nothing at all.
/// It is told the number of the step, for augmentation that changes during a run, and must be a
/// pure function of what it is given.
pub type View = Arc<dyn Fn(&mut Image, &mut Rng, &mut Scratch, u64) + Send + Sync>;

/// The view that leaves an image as it is.
pub fn plain() -> View {
    Arc::new(|_, _, _, _| {})
}

/// The views made of each image, all of one size within a view; without any, no image is read.
///
/// The data of a batch are for each view the images `[b, height, width, channels]`. View `v` of a
/// draw takes its random numbers from [`Drawn::key(v)`](super::Drawn::key).
#[derive(Clone)]
pub struct Views(pub Vec<View>);

/// The memory in which a worker augments images.
pub struct ViewScratch {
    image: Image,
    scratch: Scratch,
}

impl ViewScratch {
    /// What augmentation works in.
    pub fn scratch(&mut self) -> &mut Scratch {
        &mut self.scratch
    }
}

impl Default for ViewScratch {
    fn default() -> Self {
        Self { image: Image::filled(1, 1, 1, 0), scratch: Scratch::new() }
    }
}

impl Collate for Views {
    type Item = Image;
    type Batch = Vec<Array4<u8>>;
    type Scratch = ViewScratch;

    fn collate(
        &self,
        items: Items<'_, Image>,
        room: &mut ViewScratch,
    ) -> Result<Vec<Array4<u8>>, DataError> {
        let expected = items.len();
        let mut stacks: Vec<Stack> = self.0.iter().map(|_| Stack::default()).collect();
        if stacks.is_empty() {
            return Ok(Vec::new());
        }
        for drawn in items {
            let drawn = drawn?;
            for (number, (view, stack)) in self.0.iter().zip(&mut stacks).enumerate() {
                room.image.clone_from(&drawn.item);
                view(&mut room.image, &mut drawn.key(number).rng(), &mut room.scratch, drawn.step);
                stack.push(&room.image, expected).map_err(|sizes| {
                    DataError::Request(format!(
                        "{} does not fit into its batch: {sizes} (set a common size)",
                        drawn.id()
                    ))
                })?;
            }
        }
        Ok(stacks.into_iter().map(Stack::into_array).collect())
    }

    fn bytes(batch: &Vec<Array4<u8>>) -> u64 {
        batch.iter().map(|view| view.len() as u64).sum()
    }
}

/// Images of one size, growing into `[b, height, width, channels]`.
#[derive(Default)]
struct Stack {
    shape: [usize; 3],
    count: usize,
    bytes: Vec<u8>,
}

impl Stack {
    fn push(&mut self, image: &Image, expected: usize) -> Result<(), String> {
        let shape = [image.height(), image.width(), image.channels()];
        if self.count == 0 {
            self.shape = shape;
            self.bytes.reserve_exact(expected * image.pixels().len());
        } else if shape != self.shape {
            return Err(format!("{shape:?} beside {:?} (height, width, channels)", self.shape));
        }
        self.count += 1;
        self.bytes.extend_from_slice(image.pixels());
        Ok(())
    }

    fn into_array(self) -> Array4<u8> {
        let [h, w, c] = self.shape;
        Array4::from_shape_vec((self.count, h, w, c), self.bytes)
            .expect("every image had the same size")
    }
}
