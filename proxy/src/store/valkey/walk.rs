//! Walking over the names of all records: a page at a time, and on a cluster one primary after the other.

use fred::clients::{Client, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::config::{Options, Server};
use fred::types::{CustomCommand, Value};

/// How many places of its table a server looks at for one page: well below a millisecond of its time.
const PAGE: u32 = 1_000;

/// A walk under way.
pub(super) struct Progress {
    /// The servers that are left; none stands for the only one there is.
    servers: Vec<Option<Server>>,
    /// Where the last of them goes on.
    cursor: String,
}

impl Progress {
    /// A walk over all servers that hold records.
    pub(super) async fn start(client: &WithOptions<Client>) -> Result<Self, Error> {
        let servers = if client.is_clustered() { primaries(client).await? } else { vec![None] };
        Ok(Self { servers, cursor: "0".to_owned() })
    }

    /// The next page of names, which may be empty; none at the end.
    pub(super) async fn page(
        &mut self,
        client: &WithOptions<Client>,
        pattern: &str,
    ) -> Result<Option<Vec<String>>, Error> {
        let Some(server) = self.servers.last() else { return Ok(None) };
        let options = Options { cluster_node: server.clone(), ..client.options().clone() };
        // On the bare client: of options upon options the inner ones win, and they name no server.
        let bare: &Client = client;
        let page =
            bare.with_options(&options).scan_page(self.cursor.as_str(), pattern, Some(PAGE), None).await?;
        let (cursor, names): (String, Vec<String>) = page;
        if cursor == "0" {
            self.servers.pop();
        }
        self.cursor = cursor;
        Ok(Some(names))
    }
}

/// Every primary of the cluster: one that cannot be reached is an error when its page is asked for, and not left out.
async fn primaries(client: &WithOptions<Client>) -> Result<Vec<Option<Server>>, Error> {
    let slots = CustomCommand::new_static("CLUSTER", None, false);
    let ranges: Vec<Value> = client.custom(slots, vec!["SLOTS"]).await?;
    let mut servers = Vec::new();
    for range in ranges {
        let server =
            primary(range).ok_or_else(|| Error::new(ErrorKind::Protocol, "a primary has no address"))?;
        if !servers.contains(&Some(server.clone())) {
            servers.push(Some(server));
        }
    }
    Ok(servers)
}

/// The primary in `[first slot, last slot, [host, port, …], …]`.
fn primary(range: Value) -> Option<Server> {
    let Value::Array(parts) = range else { return None };
    let Value::Array(node) = parts.into_iter().nth(2)? else { return None };
    let (host, port) = (node.first()?.as_string()?, node.get(1)?.as_u64()?);
    (!host.is_empty()).then_some(Server::new(host, u16::try_from(port).ok()?))
}

/// What matches every name that begins with `prefix`, whatever characters it has.
pub(super) fn pattern(prefix: &str) -> String {
    let mut pattern = String::new();
    for character in prefix.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + "*"
}
