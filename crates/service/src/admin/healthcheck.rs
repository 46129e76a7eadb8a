//! The client's side, for containers that hold no other program that could ask.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// What connecting, asking and each part of the answer may take: more than `/readyz` gives its checks.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks the process on this machine whose admin listener is at `listen` for `/readyz` (`ready`) or `/livez`.
///
/// # Errors
/// When it does not answer, or with another status than 200: then with what it said.
pub fn healthcheck(listen: SocketAddr, ready: bool) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&reachable(listen), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let path = if ready { "/readyz" } else { "/livez" };
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nhost: {listen}\r\nconnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let said = answer.split_once("\r\n\r\n").map_or(answer.as_str(), |(_, body)| body);
    Err(io::Error::other(format!("{path} says: {}", said.trim())))
}

/// Who listens on every address is asked at loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
