//! The listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use super::Census;

/// Connections the kernel keeps for a socket before they are accepted; it drops further ones, which clients retry.
const BACKLOG: i32 = 1024;

/// One listening socket a thread, all on the same address. The kernel spreads connections over them.
#[derive(Debug)]
pub struct Bound {
    addr: SocketAddr,
    listeners: Vec<TcpListener>,
    census: Arc<dyn Census>,
}

impl Bound {
    /// Binds `addr` for `threads` threads; 0 stands for one a core this process may use. With port 0 the kernel
    /// picks one port for all.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn bind(addr: SocketAddr, threads: usize) -> io::Result<Self> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            threads => threads,
        };
        let first = listen(addr)?;
        let addr = first.local_addr()?;
        let mut listeners = vec![first];
        for _ in 1..threads {
            listeners.push(listen(addr)?);
        }
        Ok(Self { addr, listeners, census: Arc::new(()) })
    }

    /// The address, with the port the kernel picked.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Tells `census` of the connections.
    #[must_use]
    pub fn counted_by(self, census: Arc<dyn Census>) -> Self {
        Self { census, ..self }
    }

    /// The sockets, not blocking, and who hears of their connections.
    pub(super) fn into_parts(self) -> (Vec<TcpListener>, Arc<dyn Census>) {
        (self.listeners, self.census)
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // So that a restart can bind while connections of the last process linger in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if addr.is_ipv6() && addr.ip().is_unspecified() {
        // `[::]` takes IPv4 as well, whatever the machine's default is.
        socket.set_only_v6(false)?;
    }
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
