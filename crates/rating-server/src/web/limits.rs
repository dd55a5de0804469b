//! Limits on requests.

/// How much is borne.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Requests of one rater at once.
    pub rater_burst: f64,
    /// Requests of one rater in a second, in the long run.
    pub rater_per_second: f64,
    /// Attempts to log in from one address (of IPv6, one network of 64 bits) at once; of all who
    /// come through a proxy on this machine, ten times as many wrong passwords.
    pub login_burst: f64,
    /// Attempts to log in from one address in a second, in the long run; of all who come through a
    /// proxy, ten times as many wrong passwords.
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
