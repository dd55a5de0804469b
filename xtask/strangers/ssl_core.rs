//! A stranger's program on the crate ssl-core.

use ssl_core as _;

fn main() {
    println!("trained");
}
