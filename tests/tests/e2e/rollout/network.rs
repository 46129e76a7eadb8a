//! What a cluster does with the endpoints of a Service: whoever spreads requests over them learns of a change a moment later.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use stack::chain::Chain;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::{Instant, sleep_until},
};

/// From a pod's change to the node's rules: the endpoint controller's batch, and the watch of who applies it.
pub(super) const LATE: Duration = Duration::from_secs(1);

/// The ready pods of one Service, as told to those who use it.
#[derive(Debug, Clone)]
pub(super) struct Endpoints(UnboundedSender<(Instant, Vec<SocketAddr>)>);

impl Endpoints {
    /// Lets `apply` take each list of addresses, a moment late.
    pub(super) fn new(apply: impl Fn(&[SocketAddr]) + Send + 'static) -> Self {
        let (sender, mut receiver) = unbounded_channel::<(Instant, Vec<SocketAddr>)>();
        tokio::spawn(async move {
            while let Some((due, addresses)) = receiver.recv().await {
                sleep_until(due).await;
                apply(&addresses);
            }
        });
        Self(sender)
    }

    /// These are the endpoints now.
    pub(super) fn set(&self, addresses: Vec<SocketAddr>) {
        // Whoever listened may be gone when the test ends.
        let _ = self.0.send((Instant::now() + LATE, addresses));
    }
}

/// The address of a Service inside the cluster: each new connection goes to an endpoint of the moment, and then stays there
/// whatever becomes of the endpoints. Nothing is tried twice.
#[derive(Debug)]
pub(super) struct ClusterAddress {
    /// Where it listens.
    pub(super) address: SocketAddr,
    endpoints: Arc<Mutex<Vec<SocketAddr>>>,
}

impl ClusterAddress {
    /// Listens for connections to the given endpoints.
    pub(super) async fn start(endpoints: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endpoints = Arc::new(Mutex::new(endpoints));
        let known = Arc::clone(&endpoints);
        tokio::spawn(async move {
            for turn in 0.. {
                let Ok((near, _)) = listener.accept().await else { return };
                let endpoint = {
                    let known = known.lock().unwrap();
                    known.get(turn % known.len().max(1)).copied()
                };
                tokio::spawn(carry(near, endpoint));
            }
        });
        Self { address, endpoints }
    }

    /// What is told of changes.
    pub(super) fn endpoints(&self) -> Endpoints {
        let known = Arc::clone(&self.endpoints);
        Endpoints::new(move |addresses| *known.lock().unwrap() = addresses.to_vec())
    }
}

async fn carry(mut near: TcpStream, endpoint: Option<SocketAddr>) {
    let Some(endpoint) = endpoint else { return };
    let Ok(mut far) = TcpStream::connect(endpoint).await else { return };
    // Without delay, as packets are.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let _ = copy_bidirectional(&mut near, &mut far).await;
}

/// Traefik, told of pods as its provider for Kubernetes tells it: each by its own address.
pub(super) fn traefik(chain: &Chain) -> Endpoints {
    let dynamic = chain.dynamic.clone();
    let edge = dynamic.lines().find(|line| line.trim_start().starts_with("edge: {loadBalancer")).unwrap();
    let (before, rest) = edge.split_once('[').unwrap();
    let (_, after) = rest.split_once(']').unwrap();
    let (edge, before, after) = (edge.to_owned(), before.to_owned(), after.to_owned());
    let change = chain.traefik.changes();
    Endpoints::new(move |addresses| {
        let servers: Vec<String> =
            addresses.iter().map(|address| format!("{{url: \"http://{address}\"}}")).collect();
        let line = format!("{before}[{}]{after}", servers.join(", "));
        change(&dynamic.replace(&edge, &line)).unwrap();
    })
}
