//! ssl-core
