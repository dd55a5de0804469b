//! A model that says again what was said, a word every 50 milliseconds, for trying the page and
//! clients: `cargo run -p chat-server --example stub`, with another address as its argument.

#[path = "../tests/it/stub.rs"]
mod stub;

use chat_server::{ServeOptions, serve};
use std::io::Write;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = ServeOptions::default();
    if let Some(address) = std::env::args().nth(1) {
        options.address = address.parse()?;
    }
    let model = stub::Stub { pace: Duration::from_millis(50), ..stub::Stub::default() };
    let server = serve(vec![model.maker()], &options)?;
    writeln!(std::io::stdout(), "{}", server.url())?;
    server.run_until_signal();
    Ok(())
}
