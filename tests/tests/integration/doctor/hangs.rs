//! A Valkey of several parts, one of which takes connections and says nothing: no password is blamed for it.

use std::time::{Duration, Instant};

use stack::{
    ports::free_port,
    scratch::Scratch,
    valkey::{Sentinels, Valkey},
};

use super::{Patient, stack};

impl Patient {
    /// What is said of the Valkey at `url`, where nothing else is wrong.
    async fn valkey_at(&mut self, url: &str) -> String {
        self.environment.insert("PROXY_VALKEY__URL".to_owned(), url.to_owned());
        self.examine().await.assert_only("valkey", &["vault-keys"])
    }
}

/// A node of a cluster with the slots of `range`, and the port at which others find it.
async fn node(folder: &Scratch, range: &str) -> (Valkey, String) {
    let bus = free_port().unwrap().to_string();
    let file = folder.path().join(format!("nodes-{bus}.conf")).display().to_string();
    let arguments = [
        ["--cluster-enabled", "yes"],
        ["--cluster-port", &bus],
        ["--cluster-config-file", &file],
        ["--cluster-announce-ip", "127.0.0.1"],
        // Longer than a test: the others go on believing in one that hangs.
        ["--cluster-node-timeout", "600000"],
    ];
    let node = Valkey::start_with(arguments.as_flattened()).await.unwrap();
    assert_eq!(node.command(&format!("CLUSTER ADDSLOTSRANGE {range}")).unwrap(), "+OK");
    (node, bus)
}

/// Two nodes that share the slots, and their URL.
async fn cluster(folder: &Scratch) -> ([Valkey; 2], String) {
    let ((first, _), (second, bus)) = (node(folder, "0 8191").await, node(folder, "8192 16383").await);
    for (epoch, node) in [(1, &first), (2, &second)] {
        node.command(&format!("CLUSTER SET-CONFIG-EPOCH {epoch}")).unwrap();
    }
    assert_eq!(first.command(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", second.port())).unwrap(), "+OK");
    for node in [&first, &second] {
        let started = Instant::now();
        while !node.report("CLUSTER INFO").unwrap().contains("cluster_state:ok") {
            assert!(started.elapsed() < Duration::from_secs(60), "the nodes do not find each other");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let url = first.url().replace("redis://", "redis-cluster://");
    ([first, second], url)
}

#[tokio::test]
async fn sentinels_or_a_primary_of_theirs_that_hang_are_named_and_no_password() {
    let stack = stack().await;
    let mut patient = Patient::of(&stack);
    let mut sentinels = Sentinels::start().await.unwrap();
    let wrong = sentinels.url().replace("://", "://edge:a-wrong-password@");
    let said = patient.valkey_at(&wrong).await;
    assert!(said.contains("user and password") && !said.contains("hang"), "{said}");

    // Both: one of them would be made the primary.
    sentinels.replica.freeze(true).unwrap();
    sentinels.primary.freeze(true).unwrap();
    let said = patient.valkey_at(&sentinels.url()).await;
    assert!(said.contains("hangs") && said.contains("primary") && !said.contains("Check user"), "{said}");

    // Nobody becomes the primary, and the sentinel still names the one that is gone.
    sentinels.primary.stop();
    let said = patient.valkey_at(&sentinels.url()).await;
    assert!(said.contains("cannot be reached") && !said.contains("Check user"), "{said}");

    sentinels.freeze(true).unwrap();
    let said = patient.valkey_at(&sentinels.url()).await;
    assert!(said.contains("hangs") && !said.contains("Check user"), "{said}");
}

#[tokio::test]
async fn a_cluster_or_a_node_of_it_that_hangs_is_named_and_no_password() {
    let stack = stack().await;
    let mut patient = Patient::of(&stack);
    let folder = Scratch::new("cluster").unwrap();
    let ([first, second], url) = cluster(&folder).await;
    let said = patient.valkey_at(&url.replace("://", "://edge:a-wrong-password@")).await;
    assert!(said.contains("user and password") && !said.contains("hang"), "{said}");

    second.freeze(true).unwrap();
    let said = patient.valkey_at(&url).await;
    assert!(said.contains("node of the cluster") && said.contains("hangs"), "{said}");
    assert!(!said.contains("Check user"), "{said}");

    first.freeze(true).unwrap();
    let said = patient.valkey_at(&url).await;
    assert!(said.contains("hangs") && !said.contains("Check user"), "{said}");
}
