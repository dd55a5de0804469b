//! Limits on how often something may be asked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many are remembered; more make room for themselves.
const MOST: usize = 50_000;

/// A bucket of tokens for each key: one is taken for a request, and they grow back.
///
/// ```
/// use web_server::buckets::Buckets;
///
/// let buckets = Buckets::new(2.0, 0.1);
/// assert!(buckets.take("a").is_ok() && buckets.take("a").is_ok() && buckets.take("b").is_ok());
/// let wait = buckets.take("a").expect_err("a third one at once");
/// assert!(wait.as_secs_f64() <= 10.0);
/// ```
pub struct Buckets {
    burst: f64,
    per_second: f64,
    all: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Buckets {
    /// Buckets of `burst` tokens, at least 1, of which `per_second` grow back in a second.
    pub fn new(burst: f64, per_second: f64) -> Self {
        Self { burst, per_second, all: Mutex::default() }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// After how long there will be one, where there is none now.
    pub fn take(&self, key: &str) -> Result<(), Duration> {
        self.take_at(key, Instant::now())
    }

    /// Puts back a token that was taken for what turned out not to count.
    pub fn give_back(&self, key: &str) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((level, _)) = all.get_mut(key) {
            *level = (*level + 1.0).min(self.burst);
        }
    }

    fn take_at(&self, key: &str, now: Instant) -> Result<(), Duration> {
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
        if borne {
            return Ok(());
        }
        let seconds = (1.0 - now_in) / self.per_second;
        Err(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let buckets = Buckets::new(2.0, 1.0);
        let start = Instant::now();
        let take = |ms| buckets.take_at("a", start + Duration::from_millis(ms));
        assert!(take(0).is_ok() && take(0).is_ok());
        assert_eq!(take(0), Err(Duration::from_secs(1)));
        assert_eq!(take(900).expect_err("not yet").as_millis(), 100);
        assert!(take(1100).is_ok() && take(1200).is_err());
        assert!(buckets.take_at("b", start).is_ok());
    }

    #[test]
    fn a_token_is_put_back() {
        let buckets = Buckets::new(1.0, 1e-6);
        buckets.give_back("a");
        for _ in 0..3 {
            assert!(buckets.take("a").is_ok());
            buckets.give_back("a");
        }
        assert!(buckets.take("a").is_ok() && buckets.take("a").is_err());
    }
}
