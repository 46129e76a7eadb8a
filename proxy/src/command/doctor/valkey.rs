//! Valkey: whether it answers and lets us do what the proxy does; and whether the vault's keys open what is in it.

use std::{future::Future, time::Duration};

use ::aws_lc_rs::rand;
use bytes::Bytes;
use futures_util::{StreamExt, future::join_all, stream::BoxStream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

use crate::{
    command::keys_status::KeysStatus,
    config::{self, Config},
    edge,
    store::{Store, StoreDown, valkey::Valkey},
};
use service::probe::{Finding, Trial, causes};

/// How long the record that is written may stay, should the doctor be killed.
const BRIEF: Duration = Duration::from_secs(10);
/// How long records are counted; there may be millions.
const COUNT_FOR: Duration = Duration::from_secs(10);
/// How long a plain connection may take.
const CONNECT_FOR: Duration = Duration::from_secs(5);
/// How long an answer to a plain question may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// How long the proxy's own client may take to fail: a pause, a connection, and a sign-in that nobody answers.
const FAIL_WITHIN: Duration = Duration::from_secs(15);

/// How often something is published until it is heard, and how long each time is waited for.
const HEAR_ATTEMPTS: usize = 10;
const HEAR_WITHIN: Duration = Duration::from_millis(200);

/// What is said of a server that does not answer, or that there is no way to.
const AWAY: [&str; 4] = ["timed out", "onnection refused", "nreachable", "o route to host"];
/// What helps against a silence.
const WAKE_UP: &str = "Look at its process, its log and its disk; restart it, or fail over to a replica. User and password were not tried.";

/// The rights that are needed.
const RIGHTS: &str = "The ACL user needs its keys and channels (~PREFIX* &PREFIX*) and +get +set +del +getdel +pexpire +eval +evalsha +time +publish +subscribe +ping +hello +select +info +client; see docs/valkey.md.";

/// The store and the keys of the vault.
pub(super) async fn probe(config: &Config) -> Vec<Finding> {
    let keys = Trial::new("vault-keys", "looked at the vault's keys");
    let Some(settings) = &config.valkey else {
        let trial = Trial::new("valkey", "looked for valkey.url");
        let alone = trial.warn(
            "there is none: sessions are in the memory of one process, and end with it",
            "Good for one replica and for trying things. Otherwise set valkey.url (PROXY_VALKEY__URL).",
        );
        let keys = if config.vault.keys_are_ephemeral {
            keys.warn("they are made up anew at each start", "Nothing to do while sessions are in memory.")
        } else {
            keys.ok("they are configured; there are no records to count")
        };
        return vec![alone, keys];
    };
    let named = Named::by(settings);
    let trial =
        Trial::new("valkey", format!("connected to {}, wrote, read and deleted a record", named.shown));
    let (trial, store) = match connect(trial, settings, &named).await {
        Ok(connected) => connected,
        Err(finding) => return vec![finding, keys.skip("no records can be counted, see valkey")],
    };
    let refused = refused(&store).await;
    let valkey = if refused.is_empty() {
        trial.ok("everything the proxy does is allowed")
    } else {
        let named: Vec<String> = refused.iter().map(|(step, said)| format!("{step} ({said})")).collect();
        trial.fail(format!("refused: {}", named.join("; ")), advice(&refused, &settings.prefix))
    };
    vec![valkey, count(keys, &store, config).await]
}

/// What `valkey.url` names.
struct Named {
    /// Scheme, host and port, without user and password.
    shown: String,
    /// Host and port of the server, or of each sentinel or node that is named; there may be others.
    places: Vec<String>,
    /// Whether that is all there is.
    single: bool,
}

impl Named {
    fn by(settings: &config::Valkey) -> Self {
        let Ok(url) = Url::parse(settings.url.expose()) else {
            return Self { shown: "valkey.url".to_owned(), places: Vec::new(), single: false };
        };
        let usual = if url.scheme().ends_with("-sentinel") { 26379 } else { 6379 };
        let first = format!("{}:{}", url.host_str().unwrap_or_default(), url.port().unwrap_or(usual));
        let shown = format!("{}://{first}", url.scheme());
        let others =
            url.query_pairs().filter(|(name, _)| name == "node").map(|(_, place)| place.into_owned());
        let places = std::iter::once(first).chain(others).collect();
        Self { shown, places, single: !url.scheme().contains('-') }
    }

    /// Whether anything listens there: at one of several.
    async fn reached(&self) -> Result<(), String> {
        let tried = join_all(self.places.iter().map(|place| reached(place))).await;
        let mut refused = tried.iter().filter_map(|tried| tried.as_ref().err());
        if refused.clone().count() < tried.len() {
            return Ok(());
        }
        Err(refused.next().cloned().unwrap_or_else(|| "no connection: no host".to_owned()))
    }

    /// Whether nothing that listens there says anything.
    async fn is_silent(&self) -> bool {
        join_all(self.places.iter().map(|place| is_silent(place))).await.iter().all(|silent| *silent)
    }
}

async fn connect(trial: Trial, settings: &config::Valkey, named: &Named) -> Result<(Trial, Valkey), Finding> {
    let reached = named.reached().await;
    let unreachable = |trial: Trial, said: &str| {
        trial
            .fail(said, "Check that it runs, the host and port in valkey.url, and the rules for connections.")
    };
    // Of several nodes another may do.
    if named.single
        && let Err(said) = &reached
    {
        return Err(unreachable(trial, said));
    }
    let store = match edge::open_valkey(settings).await {
        Ok(store) => store,
        Err(error) => return Err(trial.fail(causes(&error), "Check valkey.url and valkey.ca_file.")),
    };
    if store.ping().await.is_ok() {
        return Ok((trial, store));
    }
    Err(match reached {
        Err(said) => unreachable(trial, &said),
        Ok(()) if named.is_silent().await => {
            trial.fail("it takes connections, but never says anything: it hangs, or is stopped", WAKE_UP)
        }
        Ok(()) => unwelcome(trial, &store, named).await,
    })
}

/// Something answers, and we are not connected nevertheless: what the proxy's own client says of it.
async fn unwelcome(trial: Trial, store: &Valkey, named: &Named) -> Finding {
    let failure = store.next_failure(FAIL_WITHIN).await;
    let said = failure.map_or_else(|| "timed out".to_owned(), |failure| failure.source.to_string());
    // By its words: of what sentinels lead to, the client tells every failure as one of the same kind.
    if !named.single && AWAY.iter().any(|words| said.contains(words)) {
        return trial.fail(
            format!("it answers, but not the primary that the sentinels name, or a node of the cluster: that one hangs, or cannot be reached from here ({said})"),
            WAKE_UP,
        );
    }
    trial.fail(
        format!("it takes connections, but not ours ({said})"),
        "Check user and password in valkey.url, sentinelUsername and sentinelPassword where sentinels want any, and TLS: rediss:// where it speaks TLS, redis:// where not, and valkey.ca_file for a private authority.",
    )
}

/// Whether anything listens at a host and port.
async fn reached(place: &str) -> Result<(), String> {
    match tokio::time::timeout(CONNECT_FOR, TcpStream::connect(place)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("no connection: {error}")),
        Err(_) => Err("no connection: nothing answers".to_owned()),
    }
}

/// Whether nobody there says anything to a question that every Valkey answers: with a refusal if it wants a password, and
/// by closing if it speaks TLS.
async fn is_silent(place: &str) -> bool {
    // Who is not there says nothing either.
    let connected = tokio::time::timeout(CONNECT_FOR, TcpStream::connect(place)).await;
    let Ok(Ok(mut tcp)) = connected else { return true };
    if tcp.write_all(b"PING\r\n").await.is_err() {
        return false;
    }
    tokio::time::timeout(ANSWER_WITHIN, tcp.read(&mut [0; 16])).await.is_err()
}

/// What of the proxy's doings is not allowed, and what was said.
async fn refused(store: &dyn Store) -> Vec<(&'static str, String)> {
    let mut random = [0; 8];
    // Without random bytes two doctors at once would share a name, no more.
    let _ = rand::fill(&mut random);
    let key = format!("doctor:{:016x}", u64::from_le_bytes(random));
    let (key, value) = (key.as_str(), || Bytes::from_static(b"doctor"));
    let mut refused = Vec::new();
    note(&mut refused, "set", store.put(key, value(), BRIEF)).await;
    note(&mut refused, "get", store.get(key)).await;
    note(&mut refused, "pexpire", store.expire(key, BRIEF)).await;
    note(&mut refused, "eval", store.swap(key, b"doctor", value(), BRIEF)).await;
    note(&mut refused, "getdel", store.take(key)).await;
    note(&mut refused, "time", store.allow(key, Duration::from_millis(1), BRIEF)).await;
    note(&mut refused, "del", store.delete(key)).await;
    let channel = store.subscribe(key).await;
    note(&mut refused, "publish", store.publish(key, value())).await;
    match channel {
        Err(error) => refused.push(("subscribe", error.source.to_string())),
        // What cannot be said cannot be heard.
        Ok(_) if refused.iter().any(|(step, _)| *step == "publish") => {}
        Ok(messages) => {
            if !heard(store, key, messages).await {
                refused.push(("subscribe", "what is published does not come".to_owned()));
            }
        }
    }
    refused
}

/// Whether what is published comes to a subscriber. A refused subscription may be no error, and one that has just begun
/// may miss the first message.
async fn heard(store: &dyn Store, channel: &str, mut messages: BoxStream<'static, Bytes>) -> bool {
    for _ in 0..HEAR_ATTEMPTS {
        let _ = store.publish(channel, Bytes::from_static(b"doctor")).await;
        if let Ok(Some(_)) = tokio::time::timeout(HEAR_WITHIN, messages.next()).await {
            return true;
        }
    }
    false
}

async fn note<T>(
    refused: &mut Vec<(&'static str, String)>,
    step: &'static str,
    tried: impl Future<Output = Result<T, StoreDown>>,
) {
    if let Err(error) = tried.await {
        refused.push((step, error.source.to_string()));
    }
}

fn advice(refused: &[(&str, String)], prefix: &str) -> String {
    let said = |word: &str| refused.iter().any(|(_, said)| said.contains(word));
    let deaf = refused.iter().any(|(step, _)| *step == "subscribe");
    if deaf || said("NOPERM") || said("ermissions") {
        RIGHTS.replace("PREFIX", prefix)
    } else if said("READONLY") {
        "It is a replica: valkey.url must name the primary, or the sentinels that know it.".to_owned()
    } else if said("OOM") {
        "It is full: give it more memory, and set maxmemory-policy noeviction.".to_owned()
    } else {
        "See Valkey's own log.".to_owned()
    }
}

/// Which keys the records need.
async fn count(trial: Trial, store: &Valkey, config: &Config) -> Finding {
    let status = tokio::time::timeout(COUNT_FOR, KeysStatus::of(store, &config.vault.keys)).await;
    let status = match status {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => {
            let said = error.source.to_string();
            return trial.ok(format!(
                "they are configured; the records could not be counted ({said}, +scan is needed)"
            ));
        }
        Err(_) => return trial.ok("they are configured; there are many records, which `keys status` counts"),
    };
    let named = |keys: Vec<(&str, usize)>| -> String {
        let each: Vec<String> =
            keys.iter().map(|(id, records)| format!("{id} ({records} records)")).collect();
        each.join(", ")
    };
    if status.lacks_a_key() {
        return trial.fail(
            format!("records need keys that are not configured: {}", named(status.still_needed(false))),
            "Put their lines back into vault.keys_file: until then these sessions are answered 503. See `keys status`.",
        );
    }
    let older = status.still_needed(true);
    if older.is_empty() {
        trial.ok("they are configured, and every record is sealed with the first")
    } else {
        trial.ok(format!("every record can be opened; these older keys are still needed: {}", named(older)))
    }
}
