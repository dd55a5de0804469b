//! The researcher's password, kept as an Argon2id hash.

use crate::error::{Error, Result};
use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use web_server::secret::random_bytes;

/// The fewest characters of a password.
pub(crate) const SHORTEST: usize = 10;

/// The longest password that is looked at, in bytes.
const LONGEST: usize = 1000;

/// The hash to be stored, with its salt and cost.
pub(crate) fn hash(password: &str) -> Result<String> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(Error::Invalid(format!("a password has at least {SHORTEST} characters")));
    }
    let salt = SaltString::encode_b64(&random_bytes::<16>()).expect("16 bytes are a salt");
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|error| Error::Invalid(error.to_string()))?.to_string())
}

/// Whether the password belongs to the hash. Takes tens of milliseconds, as it should.
pub(crate) fn verify(password: &str, hash: &str) -> bool {
    password.len() <= LONGEST
        && PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_fits() {
        let stored = hash("correct horse").expect("long enough");
        assert!(stored.starts_with("$argon2id$"));
        assert!(verify("correct horse", &stored));
        assert!(!verify("correct horsf", &stored));
        assert!(!verify("correct horse", "nonsense"));
        assert!(hash("short").is_err());
    }
}
