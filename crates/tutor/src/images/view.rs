//! Augmentation policies as the loader takes them.

use std::sync::Arc;

use augment::policy::Policy;
use data_pipeline::loader::View;

/// A policy as a view of an image.
pub(crate) fn view(policy: &Policy) -> View {
    let policy = policy.clone();
    Arc::new(move |image, rng, scratch, _| policy.apply_in_place(image, rng, scratch))
}
