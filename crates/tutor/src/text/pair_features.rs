//! What a linear classifier sees of two texts that are judged together: the features of each, what
//! both have or how far they are apart, and how alike they are. A sum of the first two alone could
//! not tell whether two texts speak of the same.

/// The number of features of a pair, where each of its texts has so many.
pub(super) const fn width(of_one: usize) -> usize {
    3 * of_one + 1
}

/// The terms of a pair: those of the first text, those of the second, those that are in both with
/// the geometric mean of their weights, and the cosine of the two. Rows are of length 1 or empty,
/// and their columns rise to below `width`.
pub(super) fn of_terms(a: &[(u32, f32)], b: &[(u32, f32)], width: u32) -> Vec<(u32, f32)> {
    let mut row = a.to_vec();
    row.extend(b.iter().map(|(term, weight)| (width + term, *weight)));
    let mut cosine = 0.0;
    for (term, ours) in a {
        if let Ok(at) = b.binary_search_by_key(term, |(other, _)| *other) {
            let product = ours * b[at].1;
            cosine += product;
            row.push((2 * width + term, product.sqrt()));
        }
    }
    if cosine > 0.0 {
        row.push((3 * width, cosine));
    }
    row
}

/// The directions of a pair: the coordinates of the first text, those of the second, how far these
/// are apart one by one, and the cosine of the two. Both are of length 1 or 0.
pub(super) fn of_directions(u: &[f32], v: &[f32]) -> Vec<f32> {
    let apart = u.iter().zip(v).map(|(u, v)| (u - v).abs());
    let cosine: f32 = u.iter().zip(v).map(|(u, v)| u * v).sum();
    u.iter().chain(v).copied().chain(apart).chain([cosine]).collect()
}

#[cfg(test)]
mod tests {
    use augment::rng::{Key, Rng};

    use super::*;

    #[test]
    fn what_both_texts_have_is_a_feature_of_its_own() {
        let (a, b) = ([(0, 0.6), (2, 0.8)], [(1, 0.6), (2, 0.8)]);
        let row = of_terms(&a, &b, 4);
        let columns: Vec<u32> = row.iter().map(|(column, _)| *column).collect();
        assert_eq!(columns, [0, 2, 5, 6, 10, 12]);
        assert!((row[4].1 - 0.8).abs() < 1e-6 && (row[5].1 - 0.64).abs() < 1e-6, "{row:?}");
        assert_eq!(of_terms(&a, &[], 4), a);
        let apart = of_directions(&[1.0, 0.0], &[0.0, -1.0]);
        assert_eq!(apart, [1.0, 0.0, 0.0, -1.0, 1.0, 1.0, 0.0]);
    }

    const WIDTH: u32 = 20;

    /// Some terms of a text, of length 1.
    fn text(rng: &mut Rng) -> Vec<(u32, f32)> {
        let terms: Vec<u32> = (0..WIDTH).filter(|_| rng.below(3) == 0).collect();
        let weights: Vec<f32> = terms.iter().map(|_| 0.1 + rng.below(90) as f32 / 100.0).collect();
        let length = weights.iter().map(|weight| weight * weight).sum::<f32>().sqrt();
        terms.into_iter().zip(weights).map(|(term, weight)| (term, weight / length)).collect()
    }

    #[test]
    fn turned_pairs_share_the_same_and_equal_texts_are_most_alike() {
        for index in 0..200 {
            let rng = &mut Key { seed: 1, epoch: 0, index, view: 0 }.rng();
            let (a, b) = (text(rng), text(rng));
            let (ours, turned) = (of_terms(&a, &b, WIDTH), of_terms(&b, &a, WIDTH));
            let shared = |row: &[(u32, f32)]| -> Vec<(u32, f32)> {
                row.iter().copied().filter(|(column, _)| *column >= 2 * WIDTH).collect()
            };
            assert_eq!(shared(&ours), shared(&turned));
            assert!(ours.is_sorted_by(|(left, _), (right, _)| left < right), "{ours:?}");
            let last = super::width(WIDTH as usize) as u32 - 1;
            assert!(ours.iter().all(|(column, weight)| *column <= last && *weight < 1.0001));
            if let Some((column, cosine)) = of_terms(&a, &a, WIDTH).pop() {
                assert!(column == last && (cosine - 1.0).abs() < 1e-5, "{column} {cosine}");
            }
        }
    }
}
