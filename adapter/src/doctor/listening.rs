//! Whether an adapter runs where the configuration says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use service::SystemClock;
use service::probe::{Finding, NoAnswer, Trial, get};
use url::Url;

use crate::config::{Config, Trust, http_client};

/// Asks both listeners.
pub(super) async fn probe(config: &Config) -> Finding {
    let (listen, admin) = (reachable(config.server.listen), reachable(config.server.admin_listen));
    let trial = Trial::new("listening", format!("asked {listen}/healthz and {admin}/readyz"));
    if listen.port() == 0 || admin.port() == 0 {
        return trial.skip("the system chooses a port at each start");
    }
    let Ok(http) = http_client(&Trust::System, super::plane::LIMIT) else {
        return trial.skip("no client could be made");
    };
    let ask = async |address: SocketAddr, path: &str| {
        let url = Url::parse(&format!("http://{address}{path}")).map_err(|error| error.to_string())?;
        let answer = get(&http, url, &SystemClock).await.map_err(|NoAnswer { said, .. }| said)?;
        Ok::<_, String>((answer.status, String::from_utf8_lossy(answer.body()).into_owned()))
    };
    match (ask(listen, "/healthz").await, ask(admin, "/readyz").await) {
        (Ok((200, _)), Ok((200, _))) => trial.ok("an adapter is there, and ready"),
        (Ok((200, _)), Ok((503, said))) => trial.fail(
            format!("an adapter is there, and not ready: {}", service::probe::printable(&said)),
            "It cannot check ID tokens, see jwks; its own log says more.",
        ),
        (Err(_), Err(_)) => trial.skip(
            "nothing listens there: no adapter runs here with this configuration (run the doctor beside it, such as in its pod)",
        ),
        (public, admin) => {
            let said = |answer: Result<(u16, String), String>| {
                answer.map_or_else(|said| said, |(status, _)| format!("status {status}"))
            };
            trial.fail(
                format!("/healthz: {}; /readyz: {}", said(public), said(admin)),
                "Another program has one of the addresses, or the adapter runs with another configuration: compare server.listen and server.admin_listen.",
            )
        }
    }
}

/// Where a program that listens everywhere can be reached from here.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}
