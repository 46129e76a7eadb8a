//! `make demo`: the whole thing on one machine, a scripted client that signs in, and a word on how to connect real ones.

use std::net::TcpListener;

use crate::{
    stack::Stack,
    trouble::{Outcome, Trouble},
};

mod script;
mod words;

pub use script::{Findings, play};
pub use words::{findings, how_to_connect, started};

/// The user who signs in.
pub const USER: &str = "alice";

/// Ports tried, from the wanted one on, before giving up.
const PORTS_TRIED: u16 = 50;

/// Starts everything, the edge on `port` or the next free one.
///
/// # Errors
/// When a part does not come up.
pub async fn start(port: u16) -> Outcome<Stack> {
    Stack::builder().port(free_from(port)?).start().await
}

fn free_from(port: u16) -> Outcome<u16> {
    let mut candidates = port..=port.saturating_add(PORTS_TRIED);
    let free = candidates.find(|candidate| TcpListener::bind(("127.0.0.1", *candidate)).is_ok());
    free.ok_or_else(|| {
        Trouble::new(format!("the ports from {port} on are all taken: choose another with --port"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_makes_way_to_the_next() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_from(port).unwrap(), port);
    }
}
