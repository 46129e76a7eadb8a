//! Records in Valkey (or Redis 6.2 and later): standalone, behind sentinels, or a cluster.
//!
//! Every command has a deadline and none waits for a connection: while the server is away each call fails at once, and
//! the client goes on connecting for ever. An ACL user needs `GET SET DEL GETDEL PEXPIRE EVAL EVALSHA PUBLISH SUBSCRIBE
//! PING` on the prefix, and `HELLO SELECT INFO CLIENT` for the connection itself; behind sentinels also `ROLE`, on a
//! cluster `CLUSTER`, and `SCAN` for `keys status`.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::clients::{Client, SubscriberClient, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface, KeysInterface, PubsubInterface};
use fred::types::config::{
    ConnectionConfig, Options, PerformanceConfig, ReconnectPolicy, UnresponsiveConfig,
};
use fred::types::{Builder, ClientState, Expiration, SetOptions, Value};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use service::{Secret, traces};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tracing::Instrument;

use self::script::Script;
use self::walk::Progress;
use super::{RATE_PATIENCE, Store, StoreDown, Walk};

mod address;
mod script;
mod trust;
mod walk;

#[cfg(test)]
pub(crate) mod server;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) mod topology;

pub use self::address::{InvalidSettings, readable};

/// How many commands may wait for their answers; beyond it they fail at once.
const MAX_WAITING: usize = 10_000;
/// How many messages a slow subscriber may be behind; it misses what is older.
const BACKLOG: usize = 1024;
/// Pauses between attempts to connect: first and longest, before jitter, in milliseconds.
const RECONNECT_AFTER: (u32, u32) = (50, 2_000);
/// Up to this many milliseconds are added to such a pause, so that replicas do not return in step.
const RECONNECT_JITTER: u32 = 200;
/// How often the subscription's connection is asked for a sign of life, since it may be silent for days.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// After how long a client that has given up for good (a URL or setting the server refuses) is started again.
const RESTART_AFTER: Duration = Duration::from_secs(5);

/// How to reach Valkey.
#[derive(Debug, Clone)]
pub struct ValkeySettings {
    /// `redis`, `rediss` (TLS), `valkey` or `valkeys` (TLS), with `-cluster` or `-sentinel` appended where it is one:
    /// `rediss://user:password@host:6380/0`, `redis-sentinel://host:26379/0?sentinelServiceName=main&node=other:26379`,
    /// `redis-cluster://host:6379?node=other:6379`. User and password are also those of replicas and cluster nodes;
    /// sentinels that want any get `sentinelUsername` and `sentinelPassword`.
    pub url: Secret,
    /// PEM file with the certificates that TLS trusts, for servers and sentinels; none: the system's.
    pub ca_file: Option<PathBuf>,
    /// Put before every key and channel, so that one Valkey can serve several deployments.
    pub prefix: String,
    /// How long connecting may take, TLS and sign-in included.
    pub connect_timeout: Duration,
    /// How long a command may take.
    pub command_timeout: Duration,
}

/// A store in Valkey. Dropping it closes the connections.
pub struct Valkey {
    client: WithOptions<Client>,
    subscriber: SubscriberClient,
    prefix: String,
    swap: Script,
    delete_if: Script,
    allow: Script,
    /// Set while a connection to a server that has become read-only is being replaced.
    leaving: Arc<AtomicBool>,
    _tasks: JoinSet<()>,
}

impl Valkey {
    /// Starts connecting, and waits for the first connection at most `connect_timeout`. A server that is down is no
    /// error: every call reports it until it is there.
    ///
    /// # Errors
    /// When the URL cannot be one of a Valkey server, or the file of certificates is of no use.
    pub async fn connect(settings: &ValkeySettings) -> Result<Self, InvalidSettings> {
        let builder = builder(settings)?;
        let client = builder.build().map_err(|_| InvalidSettings::Refused)?;
        let mut subscriber = builder.clone();
        // In RESP3 a subscribed connection still answers commands, such as a heartbeat.
        subscriber.with_config(|config| config.version = fred::types::RespVersion::RESP3);
        let subscriber = subscriber.build_subscriber_client().map_err(|_| InvalidSettings::Refused)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(stay_connected(client.clone()));
        tasks.spawn(stay_connected(subscriber.clone()));
        tasks.spawn(resubscribe(subscriber.clone()));
        tasks.spawn(heartbeat(subscriber.clone()));
        if tokio::time::timeout(settings.connect_timeout, client.wait_for_connect()).await.is_err() {
            tracing::warn!("valkey does not answer yet");
        }
        let options = Options {
            // A command that was sent may have been done: only the caller knows whether to send it again.
            max_attempts: Some(1),
            timeout: Some(settings.command_timeout),
            fail_fast: true,
            ..Options::default()
        };
        Ok(Self {
            client: client.with_options(&options),
            subscriber,
            prefix: settings.prefix.clone(),
            swap: Script::new(script::SWAP),
            delete_if: Script::new(script::DELETE_IF),
            allow: Script::new(script::ALLOW),
            leaving: Arc::default(),
            _tasks: tasks,
        })
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Why the next attempt to connect fails; nothing, if none fails within `patience`.
    pub(crate) async fn next_failure(&self, patience: Duration) -> Option<StoreDown> {
        let mut failures = self.client.error_rx();
        let failure = tokio::time::timeout(patience, failures.recv()).await.ok()?;
        failure.ok().map(|(error, _)| StoreDown { operation: "connect", source: error.into() })
    }

    /// Runs one operation, and turns every failure into the one that callers know.
    async fn run<T>(
        &self,
        operation: &'static str,
        command: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreDown> {
        let span = traces::part(|| {
            tracing::info_span!(
                target: traces::TARGET,
                "valkey",
                otel.kind = "client",
                otel.name = operation,
                otel.status_code = tracing::field::Empty,
                // The nearest of the names that the semantic conventions have.
                db.system.name = "redis",
                db.operation.name = operation,
                error.type = tracing::field::Empty,
            )
        });
        // Scripts take no `fail_fast` option, hence here. One that is overtaken by a disconnect waits out its deadline.
        let answer = if self.client.state() == ClientState::Connected {
            command.instrument(span.clone()).await
        } else {
            Err(Error::new(ErrorKind::IO, "not connected"))
        };
        answer.map_err(|error| {
            traces::failed(&span, error.kind().to_str());
            if error.details().starts_with("READONLY") {
                self.leave();
            }
            StoreDown { operation, source: error.into() }
        })
    }

    /// Connects anew: after a failover the old primary may still answer, but only takes reads.
    fn leave(&self) {
        if self.leaving.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::warn!("valkey has become read-only, looking for its new primary");
        let (client, leaving) = (Client::clone(&self.client), Arc::clone(&self.leaving));
        tokio::spawn(async move {
            let _ = client.force_reconnection().await;
            leaving.store(false, Ordering::Release);
        });
    }
}

fn builder(settings: &ValkeySettings) -> Result<Builder, InvalidSettings> {
    let mut config = address::of(&settings.url, settings.ca_file.as_deref())?;
    // Not the commands' own flag: whether to give up when the very first attempt to connect fails.
    config.fail_fast = false;
    let (first, longest) = RECONNECT_AFTER;
    let mut policy = ReconnectPolicy::new_exponential(0, first, longest, 2);
    policy.set_jitter(RECONNECT_JITTER);
    let mut builder = Builder::from_config(config);
    builder.set_policy(policy);
    builder.set_performance_config(PerformanceConfig {
        default_command_timeout: settings.command_timeout,
        broadcast_channel_capacity: BACKLOG,
        ..PerformanceConfig::default()
    });
    builder.set_connection_config(ConnectionConfig {
        connection_timeout: settings.connect_timeout,
        internal_command_timeout: settings.connect_timeout,
        max_command_attempts: 1,
        max_command_buffer_len: MAX_WAITING,
        reconnect_on_auth_error: true,
        unresponsive: UnresponsiveConfig {
            // A peer that vanished without a word is found by a command that nobody answers.
            max_timeout: Some(settings.command_timeout * 2),
            interval: settings.command_timeout / 2,
        },
        ..ConnectionConfig::default()
    });
    Ok(builder)
}

impl StoreDown {
    /// Whether there was no answer in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        let cause = self.source.downcast_ref::<Error>();
        cause.is_some_and(|cause| *cause.kind() == ErrorKind::Timeout)
    }
}

/// Keeps a client connected. It does so itself; this starts it again when it has given up for good.
async fn stay_connected(client: impl ClientLike) {
    loop {
        match client.connect().await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::error!(%error, "valkey refuses the connection"),
            Err(error) => tracing::error!(%error, "the valkey client has stopped"),
        }
        tokio::time::sleep(RESTART_AFTER).await;
    }
}

/// Subscribes again after every reconnect. Not by `resubscribe_all`: it says SUBSCRIBE and PSUBSCRIBE also of nothing,
/// which the server refuses, and the refusals are then taken for the answers of later commands.
async fn resubscribe(subscriber: SubscriberClient) {
    let mut reconnects = subscriber.reconnect_rx();
    loop {
        match reconnects.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => {
                let channels: Vec<_> = subscriber.tracked_channels().into_iter().collect();
                if channels.is_empty() {
                    continue;
                }
                if let Err(error) = subscriber.subscribe(channels).await {
                    tracing::warn!(%error, "valkey subscriptions are not renewed");
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}

async fn heartbeat(subscriber: SubscriberClient) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        // A missing answer closes the connection, see `UnresponsiveConfig`.
        let _: Result<Value, Error> = subscriber.ping(None).await;
    }
}

/// Milliseconds to live. Zero is refused by the server, and would mean "for ever" nowhere here.
fn milliseconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).max(1)
}

fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[async_trait]
impl Store for Valkey {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        self.run("get", self.client.get(self.key(key))).await
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), StoreDown> {
        let ttl = Some(Expiration::PX(milliseconds(ttl)));
        self.run("put", self.client.set(self.key(key), value, ttl, None, false)).await
    }

    async fn put_new(&self, key: &str, value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        let ttl = Some(Expiration::PX(milliseconds(ttl)));
        let only_new = Some(SetOptions::NX);
        let done: Option<String> =
            self.run("put_new", self.client.set(self.key(key), value, ttl, only_new, false)).await?;
        Ok(done.is_some())
    }

    async fn swap(&self, key: &str, expected: &[u8], value: Bytes, ttl: Duration) -> Result<bool, StoreDown> {
        let arguments = vec![expected.into(), Value::Bytes(value), milliseconds(ttl).into()];
        self.run("swap", self.swap.run(&*self.client, self.key(key), arguments)).await
    }

    async fn take(&self, key: &str) -> Result<Option<Bytes>, StoreDown> {
        self.run("take", self.client.getdel(self.key(key))).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreDown> {
        self.run("delete", self.client.del(self.key(key))).await
    }

    async fn delete_if(&self, key: &str, expected: &[u8]) -> Result<bool, StoreDown> {
        let arguments = vec![expected.into()];
        self.run("delete_if", self.delete_if.run(&*self.client, self.key(key), arguments)).await
    }

    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreDown> {
        self.run("expire", self.client.pexpire(self.key(key), milliseconds(ttl), None)).await
    }

    async fn allow(
        &self,
        key: &str,
        interval: Duration,
        tolerance: Duration,
    ) -> Result<Option<Duration>, StoreDown> {
        let arguments = vec![microseconds(interval).max(1).into(), microseconds(tolerance).into()];
        let asked = self.allow.run(&*self.client, self.key(key), arguments);
        let late = |_| Err(Error::new(ErrorKind::Timeout, "no answer in time"));
        let asked = async { tokio::time::timeout(RATE_PATIENCE, asked).await.unwrap_or_else(late) };
        let refused: i64 = self.run("allow", asked).await?;
        Ok(u64::try_from(refused).ok().filter(|wait| *wait > 0).map(Duration::from_micros))
    }

    async fn publish(&self, channel: &str, message: Bytes) -> Result<(), StoreDown> {
        self.run("publish", self.client.publish(self.key(channel), Value::Bytes(message))).await
    }

    async fn subscribe(&self, channel: &str) -> Result<BoxStream<'static, Bytes>, StoreDown> {
        let channel = self.key(channel);
        // Listen before subscribing, so that no message falls in between.
        let messages = self.subscriber.message_rx();
        let subscribed = async {
            self.subscriber.subscribe(channel.clone()).await?;
            // The client does not wait for the server's word. What is answered after it on the same connection has it.
            self.subscriber.ping::<Value>(None).await
        };
        self.run("subscribe", subscribed).await?;
        let messages = stream::unfold((messages, channel), |(mut messages, channel)| async {
            loop {
                match messages.recv().await {
                    Ok(message) if message.channel == channel.as_str() => {
                        let bytes = message.value.into_bytes().unwrap_or_default();
                        return Some((bytes, (messages, channel)));
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        Ok(messages.boxed())
    }

    async fn ping(&self) -> Result<(), StoreDown> {
        let answer: Value = self.run("ping", self.client.ping(None)).await?;
        match answer.as_str().as_deref() {
            Some("PONG") => Ok(()),
            _ => Err(StoreDown {
                operation: "ping",
                source: Error::new(ErrorKind::Protocol, "not a pong").into(),
            }),
        }
    }
}

impl Walk for Valkey {
    fn names(&self, prefix: &str) -> BoxStream<'_, Result<String, StoreDown>> {
        let pattern = walk::pattern(&self.key(prefix));
        let pages = stream::try_unfold(None, move |progress: Option<Progress>| {
            let pattern = pattern.clone();
            async move {
                let mut progress = match progress {
                    Some(progress) => progress,
                    None => self.run("names", Progress::start(&self.client)).await?,
                };
                let page = self.run("names", progress.page(&self.client, &pattern)).await?;
                Ok(page.map(|page| (page, Some(progress))))
            }
        });
        let own = |name: String| Ok(name.strip_prefix(&self.prefix).unwrap_or(&name).to_owned());
        pages.map_ok(move |page| stream::iter(page.into_iter().map(own))).try_flatten().boxed()
    }
}
