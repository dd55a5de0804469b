//! Numbers and names that follow from what they are for, and the clock.

use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};
use web_server::secret::LETTERS;

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
    fn names_follow_from_their_parts() {
        assert_eq!(keyed_name(1, &[b"a"], 10).len(), 10);
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
