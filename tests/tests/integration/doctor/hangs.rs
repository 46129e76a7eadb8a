//! A Valkey of several parts, one of which takes connections and says nothing: no password is blamed for it.

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

/// One node that has all the slots.
async fn cluster(folder: &Scratch) -> (Valkey, String) {
    let (bus, file) =
        (free_port().unwrap().to_string(), folder.path().join("nodes.conf").display().to_string());
    let arguments = [
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        &bus,
        "--cluster-config-file",
        &file,
        "--cluster-announce-ip",
        "127.0.0.1",
    ];
    let node = Valkey::start_with(&arguments).await.unwrap();
    assert_eq!(node.command("CLUSTER ADDSLOTSRANGE 0 16383").unwrap(), "+OK");
    let url = node.url().replace("redis://", "redis-cluster://");
    (node, url)
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
async fn a_cluster_that_hangs_is_named_and_no_password() {
    let stack = stack().await;
    let mut patient = Patient::of(&stack);
    let folder = Scratch::new("cluster").unwrap();
    let (node, url) = cluster(&folder).await;
    let said = patient.valkey_at(&url.replace("://", "://edge:a-wrong-password@")).await;
    assert!(said.contains("user and password") && !said.contains("hang"), "{said}");
    node.freeze(true).unwrap();
    let said = patient.valkey_at(&url).await;
    assert!(said.contains("hangs") && !said.contains("Check user"), "{said}");
}
