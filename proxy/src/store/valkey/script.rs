//! The operations Valkey has no command for. Each touches one key, so that it runs on a cluster.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use fred::error::Error;
use fred::interfaces::LuaInterface;
use fred::types::{FromValue, Value};

/// Replaces a value: expected, new, milliseconds to live.
pub(super) const SWAP: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
     redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1";

/// Deletes a value: expected.
pub(super) const DELETE_IF: &str =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('DEL', KEYS[1])";

/// Counts one use: microseconds that it costs, microseconds that may be owed. Answers 0, or after how many microseconds it
/// would pass. The time is the server's, so that replicas whose clocks differ count alike.
pub(super) const ALLOW: &str = "local time = redis.call('TIME') \
     local now = time[1] * 1000000 + time[2] \
     local owes = math.max((tonumber(redis.call('GET', KEYS[1]) or '') or 0) - now, 0) \
     local due = math.min(owes, ARGV[1] + ARGV[2]) \
     local keep = function() \
     redis.call('SET', KEYS[1], string.format('%.0f', now + due), 'PX', math.ceil(due / 1000)) end \
     if due > tonumber(ARGV[2]) then if due < owes then keep() end return math.ceil(due - ARGV[2]) end \
     due = due + ARGV[1] keep() return 0";

/// A script, sent by its hash as long as the server remembers it.
pub(super) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        // Not for security: it is the name Valkey gives to scripts.
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        Self { text, hash: hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect() }
    }

    /// Runs the script on one key. A server that does not know it (new, restarted, flushed) is sent its text, which it
    /// remembers.
    pub(super) async fn run<T: FromValue>(
        &self,
        client: &impl LuaInterface,
        key: String,
        arguments: Vec<Value>,
    ) -> Result<T, Error> {
        match client.evalsha(self.hash.as_str(), key.as_str(), arguments.clone()).await {
            Err(error) if error.details().starts_with("NOSCRIPT") => {
                client.eval(self.text, key.as_str(), arguments).await
            }
            answer => answer,
        }
    }
}
