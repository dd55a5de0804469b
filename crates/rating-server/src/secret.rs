//! Secrets and other random names, the hashes under which they are stored, and the clock.

use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

/// Letters of tokens: 32 of them, none that is easily taken for another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A random name of `letters` letters, five bits each, from the system's generator.
///
/// # Panics
/// When the system has no random numbers.
pub(crate) fn random_name(letters: usize) -> String {
    let mut bytes = vec![0; letters];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

/// A secret of 130 bits.
pub(crate) fn token() -> String {
    random_name(26)
}

/// What is stored of a secret. Secrets are random and long, so one round is enough.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether two secrets are the same, in a time that says nothing of where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    hash(a) == hash(b)
}

/// A number in [0, 2^63) that depends on the parts alone.
pub(crate) fn keyed(seed: u64, parts: &[&[u8]]) -> i64 {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_le_bytes());
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let bytes: [u8; 8] = digest[..8].try_into().expect("a digest has 32 bytes");
    i64::from_le_bytes(bytes) & i64::MAX
}

/// A name of `letters` letters that depends on the parts alone.
pub(crate) fn keyed_name(seed: u64, parts: &[&[u8]], letters: usize) -> String {
    let mut number = keyed(seed, parts);
    let mut name = String::new();
    for _ in 0..letters.min(12) {
        name.push(char::from(LETTERS[usize::try_from(number % 32).unwrap_or_default()]));
        number /= 32;
    }
    name
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time as `2026-01-31T12:00:00.000Z`.
pub(crate) fn iso(ms: i64) -> String {
    let since = std::time::Duration::from_millis(u64::try_from(ms).unwrap_or_default());
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
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
        assert_eq!(keyed_name(1, &[b"a"], 10), keyed_name(1, &[b"a"], 10));
        assert_ne!(keyed_name(1, &[b"a", b"b"], 10), keyed_name(1, &[b"ab"], 10));
        assert_ne!(keyed_name(1, &[b"a"], 10), keyed_name(2, &[b"a"], 10));
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert!(now() > 1_700_000_000_000);
    }
}
