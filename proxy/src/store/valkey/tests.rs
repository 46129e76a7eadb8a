use std::time::Instant;

use super::server::Server;
use super::topology::{Cluster, Guarded, Sentinels};
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn value() -> Bytes {
    Bytes::from_static(b"x")
}

/// Waits for `valkey` to answer again.
async fn answers(valkey: &Valkey) {
    for _ in 0..1_000 {
        if valkey.ping().await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("valkey does not answer: {:?}", valkey.ping().await);
}

#[tokio::test]
async fn a_server_that_hangs_is_down_after_the_command_timeout_and_usable_when_it_goes_on() {
    let server = Server::start();
    let settings = ValkeySettings { command_timeout: Duration::from_millis(300), ..server.settings() };
    let valkey = Valkey::connect(&settings).await.unwrap();
    valkey.put("a", value(), MINUTE).await.unwrap();
    server.freeze();
    let asked = Instant::now();
    let failed = valkey.get("a").await.unwrap_err();
    assert_eq!(failed.operation, "get");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert!(valkey.swap("a", b"x", value(), MINUTE).await.is_err());
    server.thaw();
    answers(&valkey).await;
    assert_eq!(valkey.get("a").await.unwrap(), Some(value()));
}

#[tokio::test]
async fn a_server_that_is_gone_fails_at_once_and_is_used_again_when_it_is_back() {
    let mut server = Server::start();
    let valkey = server.connect().await;
    let mut ended = valkey.subscribe("ended").await.unwrap();
    valkey.put("a", value(), MINUTE).await.unwrap();
    assert!(valkey.swap("a", b"x", value(), MINUTE).await.unwrap());
    server.kill();
    while valkey.client.state() == ClientState::Connected {
        // Fails, or waits out its deadline, until the client has noticed.
        assert!(valkey.get("a").await.is_err());
    }
    let asked = Instant::now();
    for _ in 0..100 {
        assert!(valkey.get("a").await.is_err());
        assert!(valkey.delete_if("a", b"x").await.is_err());
    }
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    server.revive();
    answers(&valkey).await;
    assert_eq!(valkey.get("a").await.unwrap(), None, "the server has forgotten everything");
    valkey.put("a", value(), MINUTE).await.unwrap();
    assert!(valkey.swap("a", b"x", value(), MINUTE).await.unwrap(), "also its scripts");
    hear(&valkey, &mut ended).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_no_error_on_connecting() {
    let mut server = Server::start();
    server.kill();
    let settings = ValkeySettings { connect_timeout: Duration::from_millis(200), ..server.settings() };
    let valkey = Valkey::connect(&settings).await.unwrap();
    assert!(valkey.ping().await.is_err());
    server.revive();
    answers(&valkey).await;
}

#[tokio::test]
async fn a_read_only_server_and_a_full_one_are_down() {
    let server = Server::start();
    let valkey = server.connect().await;
    valkey.put("a", value(), MINUTE).await.unwrap();
    server.say("CONFIG SET maxmemory 1");
    assert!(valkey.put("b", value(), MINUTE).await.is_err());
    assert_eq!(valkey.get("a").await.unwrap(), Some(value()), "what is there is read");
    server.say("CONFIG SET maxmemory 0");
    server.say("REPLICAOF 127.0.0.1 1");
    let failed = valkey.put("b", value(), MINUTE).await.unwrap_err();
    assert!(failed.source.to_string().contains("READONLY"), "{}", failed.source);
    server.say("REPLICAOF NO ONE");
    answers(&valkey).await;
    valkey.put("b", value(), MINUTE).await.unwrap();
}

#[tokio::test]
async fn a_password_is_used_and_a_wrong_one_is_an_outage_that_ends_when_it_fits() {
    let server = Server::start_with(&["--requirepass", "right"]);
    let with = |password: &str| ValkeySettings {
        url: Secret::new(server.url().replace("redis://", &format!("valkey://default:{password}@"))),
        connect_timeout: Duration::from_millis(500),
        ..server.settings()
    };
    let valkey = Valkey::connect(&with("right")).await.unwrap();
    valkey.put("a", value(), MINUTE).await.unwrap();
    let refused = Valkey::connect(&with("wrong")).await.unwrap();
    let error = refused.get("a").await.unwrap_err();
    assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
}

#[tokio::test]
async fn over_tls_only_the_named_authority_is_trusted() {
    let (guarded, other) = (Guarded::start(), Guarded::start());
    let with = |who: &str, ca_file: &std::path::Path| ValkeySettings {
        connect_timeout: Duration::from_millis(500),
        ..guarded.settings(who, ca_file)
    };
    Valkey::connect(&with("edge:s3cret", &guarded.ca_file())).await.unwrap().ping().await.unwrap();
    let stranger = Valkey::connect(&with("edge:s3cret", &other.ca_file())).await.unwrap();
    assert!(stranger.ping().await.is_err());
    let wrong = Valkey::connect(&with("edge:wrong", &guarded.ca_file())).await.unwrap();
    assert!(wrong.ping().await.is_err());
    let missing = guarded.ca_file().with_file_name("missing.pem");
    let refused = Valkey::connect(&with("edge:s3cret", &missing)).await.err();
    assert_eq!(refused, Some(InvalidSettings::CaFile));
    let plain = ValkeySettings { ca_file: Some(guarded.ca_file()), ..guarded.server.settings() };
    assert_eq!(Valkey::connect(&plain).await.err(), Some(InvalidSettings::NoTls));
}

/// Says something on a channel until it is heard there.
async fn hear(valkey: &Valkey, ended: &mut BoxStream<'static, Bytes>) {
    let heard = async {
        loop {
            let _ = valkey.publish("ended", value()).await;
            if tokio::time::timeout(Duration::from_millis(50), ended.next()).await.is_ok() {
                return;
            }
        }
    };
    // The subscription has a connection of its own, which may come back later.
    tokio::time::timeout(Duration::from_secs(20), heard).await.expect("the subscription is renewed");
}

#[tokio::test]
async fn a_replica_that_takes_over_is_found_with_what_it_had() {
    let mut sentinels = Sentinels::start().await;
    let valkey = sentinels.connect("test:").await;
    let mut ended = valkey.subscribe("ended").await.unwrap();
    valkey.put("a", value(), MINUTE).await.unwrap();
    sentinels.replica.wait_for("KEYS *", &["test:a"]).await;
    sentinels.primary.kill();
    sentinels.replica.wait_for("INFO replication", &["role:master"]).await;
    answers(&valkey).await;
    assert_eq!(valkey.get("a").await.unwrap(), Some(value()));
    assert!(valkey.swap("a", b"x", value(), MINUTE).await.unwrap(), "it takes writes and scripts");
    hear(&valkey, &mut ended).await;
}

#[tokio::test]
async fn a_cluster_that_lost_a_node_is_down_and_used_again_when_it_is_back() {
    let mut cluster = Cluster::start().await;
    let valkey = cluster.connect("test:").await;
    let keys: Vec<String> = (0..12).map(|number| format!("key-{number}")).collect();
    for key in &keys {
        valkey.put(key, value(), MINUTE).await.unwrap();
    }
    cluster.nodes[2].kill();
    let of_keys = futures_util::future::join_all(keys.iter().map(|key| valkey.get(key))).await;
    assert!(of_keys.iter().any(Result::is_err), "some keys were there");
    assert!(valkey.names("").try_collect::<Vec<_>>().await.is_err(), "a walk leaves no node out");
    cluster.nodes[2].revive();
    for key in &keys {
        while valkey.put(key, value(), MINUTE).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(valkey.names("").try_collect::<Vec<_>>().await.unwrap().len(), keys.len());
}

#[tokio::test]
async fn every_key_and_channel_begins_with_the_prefix() {
    let server = Server::start();
    let valkey = server.connect().await;
    valkey.put("session:a", value(), MINUTE).await.unwrap();
    assert!(valkey.put_new("lock:a", value(), MINUTE).await.unwrap());
    let _ended = valkey.subscribe("ended").await.unwrap();
    for text in ["test:session:a", "test:lock:a"] {
        assert!(server.say("KEYS *").contains(text));
    }
    assert!(server.say("PUBSUB CHANNELS").contains("test:ended"));
}

/// An answer that nobody waited for would be taken for that of the next command on the connection.
#[tokio::test]
async fn a_subscriber_says_nothing_that_the_server_refuses_at_first_and_after_a_reconnect() {
    let server = Server::start();
    let valkey = server.connect().await;
    let mut ended = valkey.subscribe("ended").await.unwrap();
    hear(&valkey, &mut ended).await;
    server.say("CLIENT KILL TYPE pubsub");
    hear(&valkey, &mut ended).await;
    let _other = valkey.subscribe("other").await.unwrap();
    let refused = server.say("INFO errorstats");
    assert!(!refused.contains("errorstat_"), "{refused}");
    assert!(server.say("INFO commandstats").contains("cmdstat_subscribe"));
}

#[tokio::test]
async fn only_urls_of_a_valkey_server_are_taken() {
    let parse = |url: &str| address::of(&Secret::new(url), None);
    for good in [
        "redis://127.0.0.1",
        "valkey://user:p%40ss@valkey:6380/2",
        "rediss://valkey.example:6380",
        "valkeys://valkey.example",
        "redis-sentinel://one:26379/0?sentinelServiceName=main&node=two:26379",
        "rediss-cluster://one:6379?node=two:6379",
    ] {
        assert!(parse(good).is_ok(), "{good}");
    }
    for (bad, why) in [
        ("127.0.0.1:6379", InvalidSettings::Shape),
        ("", InvalidSettings::Shape),
        ("http://valkey", InvalidSettings::Scheme),
        ("redis+unix:///run/valkey.sock", InvalidSettings::Scheme),
        ("redis://", InvalidSettings::Shape),
        ("redis-sentinel://one:26379", InvalidSettings::SentinelService),
        ("redis://valkey/users", InvalidSettings::Parts),
    ] {
        assert_eq!(parse(bad).err(), Some(why), "{bad}");
    }
}
