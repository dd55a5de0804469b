//! Checks that settings lie in their ranges; the error names the first that does not.

use train::Schedule;

fn fault<T>(key: &str, value: impl std::fmt::Display, must: &str) -> Result<T, String> {
    Err(format!("{key} is {value}; it must be {must}"))
}

/// Above a bound, and finite.
pub(crate) fn above(key: &str, value: f64, bound: f64) -> Result<(), String> {
    if value.is_finite() && value > bound {
        return Ok(());
    }
    fault(key, value, &format!("above {bound}"))
}

/// At least 0, and finite.
pub(crate) fn not_negative(key: &str, value: f64) -> Result<(), String> {
    if value.is_finite() && value >= 0.0 { Ok(()) } else { fault(key, value, "at least 0") }
}

/// In [0, 1].
pub(crate) fn fraction(key: &str, value: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { fault(key, value, "in [0, 1]") }
}

/// In [0, 1).
pub(crate) fn rate(key: &str, value: f64) -> Result<(), String> {
    if (0.0..1.0).contains(&value) { Ok(()) } else { fault(key, value, "in [0, 1)") }
}

/// A schedule that makes sense.
pub(crate) fn schedule(key: &str, value: &Schedule) -> Result<(), String> {
    value.check().map_err(|e| format!("{key}: {e}"))
}
