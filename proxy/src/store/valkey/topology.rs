//! Real Valkey servers for tests, put together in each of the ways we support.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use service::Secret;

use super::server::{Server, free_port};
use super::{Valkey, ValkeySettings};

/// A user with no more rights than the documentation asks for, on what begins with `test:`.
const USER: &str = "edge on >s3cret resetkeys resetchannels -@all ~test:* &test:* \
    +get +set +del +getdel +pexpire +eval +evalsha +time +publish +subscribe +ping \
    +hello +select +info +client +cluster +role +scan";

fn user() -> Vec<&'static str> {
    std::iter::once("--user").chain(USER.split_whitespace()).collect()
}

/// A folder of one's own, gone with what it holds when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("valkey-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        std::fs::write(self.file(name), content).unwrap();
        self.file(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One server that speaks TLS under a certificate of its own authority, with the ACL user `edge`.
pub(crate) struct Guarded {
    pub(crate) server: Server,
    tls_port: u16,
    folder: Folder,
}

impl Guarded {
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        certify(&folder);
        let tls_port = free_port();
        let file = |name: &str| folder.file(name).display().to_string();
        let (cert, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
        let arguments = [
            ["--tls-port", &tls_port.to_string()],
            ["--tls-cert-file", &cert],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &ca],
            ["--tls-auth-clients", "no"],
        ];
        let server = Server::start_with(&[arguments.as_flattened(), &user()].concat());
        Self { server, tls_port, folder }
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.file("ca.pem")
    }

    /// Settings for `user:password`, trusting only `ca_file`.
    pub(crate) fn settings(&self, who: &str, ca_file: &Path) -> ValkeySettings {
        let url = format!("rediss://{who}@127.0.0.1:{}", self.tls_port);
        ValkeySettings { url: Secret::new(url), ca_file: Some(ca_file.to_owned()), ..self.server.settings() }
    }

    pub(crate) async fn connect(&self, prefix: &str) -> Valkey {
        let settings = self.settings("edge:s3cret", &self.ca_file());
        Valkey::connect(&ValkeySettings { prefix: prefix.to_owned(), ..settings }).await.unwrap()
    }
}

/// Writes the certificate of a new authority (`ca.pem`) and one it signed for loopback (`server.pem`, `server.key`).
fn certify(folder: &Folder) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    folder.write("ca.pem", &authority.self_signed(&key).unwrap().pem());
    let authority = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    folder.write("server.pem", &certificate.signed_by(&key, &authority).unwrap().pem());
    folder.write("server.key", &key.serialize_pem());
}

/// A primary, its replica and a sentinel that watches them.
pub(crate) struct Sentinels {
    pub(crate) primary: Server,
    pub(crate) replica: Server,
    sentinel: Server,
    _folder: Folder,
}

impl Sentinels {
    pub(crate) async fn start() -> Self {
        let folder = Folder::new();
        let primary = Server::start_with(&[["--repl-diskless-sync-delay", "0"].as_slice(), &user()].concat());
        let of = primary.port().to_string();
        let replica = Server::start_with(&[["--replicaof", "127.0.0.1", &of].as_slice(), &user()].concat());
        // A sentinel asks for replicas only now and then, so they must be there before it is.
        primary.wait_for("INFO replication", &["connected_slaves:1", "state=online"]).await;
        let sentinel = Server::start_by(|port| {
            let lines = format!(
                "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor main 127.0.0.1 {of} 1\n\
                 sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 5000\n",
                folder.0.display(),
            );
            let file = folder.write(&format!("sentinel-{port}.conf"), &lines);
            vec![file.display().to_string(), "--sentinel".to_owned()]
        });
        sentinel.wait_for("SENTINEL replicas main", &[&replica.port().to_string()]).await;
        Self { primary, replica, sentinel, _folder: folder }
    }

    pub(crate) async fn connect(&self, prefix: &str) -> Valkey {
        let port = self.sentinel.port();
        let url = format!("valkey-sentinel://edge:s3cret@127.0.0.1:{port}?sentinelServiceName=main");
        let settings = ValkeySettings { url: Secret::new(url), ..self.primary.settings() };
        Valkey::connect(&ValkeySettings { prefix: prefix.to_owned(), ..settings }).await.unwrap()
    }
}

/// Three primaries that share the slots.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
    _folder: Folder,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let folder = Folder::new();
        let slots = ["0 5460", "5461 10922", "10923 16383"];
        let nodes: Vec<Server> = slots.iter().map(|range| node(&folder, range)).collect();
        let (first, others) = nodes.split_first().unwrap();
        for (epoch, node) in nodes.iter().enumerate() {
            node.say(&format!("CLUSTER SET-CONFIG-EPOCH {}", epoch + 1));
        }
        for other in others {
            let bus = bus_port(other);
            let met = first.say(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", other.port()));
            assert!(met.starts_with("+OK"), "{met}");
        }
        for node in &nodes {
            node.wait_for("CLUSTER INFO", &["cluster_state:ok", "cluster_known_nodes:3"]).await;
        }
        Self { nodes, _folder: folder }
    }

    pub(crate) async fn connect(&self, prefix: &str) -> Valkey {
        let [first, second, _] = self.nodes.as_slice() else { panic!("a cluster of three") };
        let (one, two) = (first.port(), second.port());
        let url = format!("valkey-cluster://edge:s3cret@127.0.0.1:{one}?node=127.0.0.1:{two}");
        let settings = ValkeySettings { url: Secret::new(url), ..first.settings() };
        Valkey::connect(&ValkeySettings { prefix: prefix.to_owned(), ..settings }).await.unwrap()
    }
}

fn node(folder: &Folder, slots: &str) -> Server {
    let server = Server::start_by(|port| {
        let nodes = folder.file(&format!("nodes-{port}.conf")).display().to_string();
        let arguments = [
            ["--port", &port.to_string()],
            ["--bind", "127.0.0.1"],
            ["--save", ""],
            ["--cluster-enabled", "yes"],
            ["--cluster-config-file", &nodes],
            // The usual one is 10,000 above the port, which may be more than there are.
            ["--cluster-port", &free_port().to_string()],
            // A node learns its address from others, which is too late for the first client.
            ["--cluster-announce-ip", "127.0.0.1"],
            ["--cluster-node-timeout", "2000"],
        ];
        arguments.as_flattened().iter().copied().chain(user()).map(str::to_owned).collect()
    });
    assert!(server.say(&format!("CLUSTER ADDSLOTSRANGE {slots}")).starts_with("+OK"));
    server
}

fn bus_port(node: &Server) -> String {
    let answer = node.say("CONFIG GET cluster-port");
    answer.lines().last().unwrap_or_default().to_owned()
}
