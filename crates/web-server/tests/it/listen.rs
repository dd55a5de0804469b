//! The socket.

use axum::Router;
use axum::routing::get;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use web_server::listen::Socket;

/// How many connections the system itself lets wait, where it says so.
fn most() -> usize {
    let told = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    told.ok().and_then(|told| told.trim().parse().ok()).unwrap_or(128)
}

#[test]
fn clients_that_come_all_at_once_are_kept_until_they_are_answered() {
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = Socket::bind(here, "listen-test").expect("a free port");
    let limit = Duration::from_secs(10);
    let clients = most().min(600);
    let mut streams: Vec<_> = (0..clients)
        .map(|_| TcpStream::connect_timeout(&socket.address(), limit).expect("a place in the line"))
        .collect();
    for stream in &mut streams {
        stream.set_read_timeout(Some(limit)).expect("a limit");
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).expect("sent");
    }
    let router = Router::new().route("/", get(|| async { "here" }));
    let _serving = socket.serve(router, clients);
    for mut stream in streams {
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        assert!(response.starts_with("HTTP/1.1 200") && response.ends_with("here"), "{response}");
    }
}
