//! Limits on how often something may be asked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How much is borne.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Requests of one rater at once.
    pub rater_burst: f64,
    /// Requests of one rater in a second, in the long run.
    pub rater_per_second: f64,
    /// Attempts to log in from one address at once.
    pub login_burst: f64,
    /// Attempts to log in from one address in a second, in the long run.
    pub logins_per_second: f64,
    /// Connections at once.
    pub connections: usize,
    /// The largest request of a rater, in bytes.
    pub rater_bytes: usize,
    /// The largest request of the researcher, in bytes.
    pub admin_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rater_burst: 60.0,
            rater_per_second: 10.0,
            login_burst: 5.0,
            logins_per_second: 0.1,
            connections: 2048,
            rater_bytes: 32 << 10,
            admin_bytes: 1 << 20,
        }
    }
}

/// So many are remembered; more make room for themselves.
const MOST: usize = 50_000;

/// A bucket of tokens for each key: one is taken for a request, and they grow back.
pub(crate) struct Buckets {
    burst: f64,
    per_second: f64,
    all: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Buckets {
    pub(crate) fn new(burst: f64, per_second: f64) -> Self {
        Self { burst, per_second, all: Mutex::default() }
    }

    /// Whether one more is borne now.
    pub(crate) fn take(&self, key: &str) -> bool {
        self.take_at(key, Instant::now())
    }

    fn take_at(&self, key: &str, now: Instant) -> bool {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let level = |(level, at): (f64, Instant)| {
            (level + now.duration_since(at).as_secs_f64() * self.per_second).min(self.burst)
        };
        if all.len() >= MOST && !all.contains_key(key) {
            // Full buckets say nothing; if that is not enough, all begin anew.
            all.retain(|_, bucket| level(*bucket) < self.burst);
            if all.len() >= MOST {
                all.clear();
            }
        }
        let now_in = all.get(key).map_or(self.burst, |bucket| level(*bucket));
        let borne = now_in >= 1.0;
        all.insert(key.to_owned(), (if borne { now_in - 1.0 } else { now_in }, now));
        borne
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let buckets = Buckets::new(2.0, 1.0);
        let start = Instant::now();
        let take = |ms| buckets.take_at("a", start + Duration::from_millis(ms));
        assert!(take(0) && take(0) && !take(0));
        assert!(!take(900));
        assert!(take(1100) && !take(1200));
        assert!(buckets.take_at("b", start));
    }
}
