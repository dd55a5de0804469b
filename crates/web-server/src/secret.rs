//! Secrets and other random names, and the hashes under which they are stored.

use sha2::{Digest, Sha256};

/// Letters of random names: 32 of them, none that is easily taken for another.
pub const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Random bytes from the system's generator. Panics when the system has none.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// A random name of `letters` letters, five bits each, from the system's generator. Panics when the
/// system has none.
pub fn random_name(letters: usize) -> String {
    let mut bytes = vec![0; letters];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

/// A secret of 130 bits.
pub fn token() -> String {
    random_name(26)
}

/// What is stored of a secret. Secrets are random and long, so one round is enough.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether two secrets are the same, in a time that says nothing of where they differ.
pub fn same(a: &str, b: &str) -> bool {
    hash(a) == hash(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_length_and_differ() {
        let (a, b) = (token(), token());
        assert_eq!(a.len(), 26);
        assert_ne!(a, b);
        assert!(a.bytes().all(|letter| LETTERS.contains(&letter)));
        assert!(same(&a, &a.clone()) && !same(&a, &b));
        assert_ne!(random_bytes::<16>(), random_bytes::<16>());
    }
}
