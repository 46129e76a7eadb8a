//! The services as processes: addresses, names and paths of containers become those of this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    time::Duration,
};

use stack::{
    Outcome, Trouble,
    ports::free_port,
    process::{PATIENCE, Process, environment, our_binary, tool},
    scratch::Scratch,
    trouble::While,
};

use super::file::{ComposeFile, Service};

/// Every port that something in the stack listens on.
const PORTS: [u16; 12] = [4180, 6379, 8000, 8082, 8211, 8443, 8444, 8445, 9000, 9001, 9211, 9443];

/// The running stack. Dropping it stops everything.
pub(super) struct Running {
    ports: BTreeMap<u16, u16>,
    scratch: Scratch,
    processes: Vec<Process>,
}

impl Running {
    /// Starts every service, each when those it needs are ready.
    pub(super) async fn start() -> Outcome<Self> {
        let file = ComposeFile::read()?;
        let ports: Outcome<BTreeMap<u16, u16>> =
            PORTS.into_iter().map(|port| Ok((port, free_port()?))).collect();
        let mut running = Self { ports: ports?, scratch: Scratch::new("compose")?, processes: Vec::new() };
        let volumes: BTreeSet<String> =
            file.services.values().flat_map(Service::volumes).map(|(volume, _)| volume).collect();
        for volume in volumes {
            fs::create_dir(running.scratch.path().join(volume)).while_doing("make a volume")?;
        }
        let mut there = BTreeSet::new();
        while there.len() < file.services.len() {
            let is_next = |(name, service): &(&String, &Service)| {
                !there.contains(*name) && service.needs().iter().all(|(needed, _)| there.contains(needed))
            };
            let next = file.services.iter().find(is_next);
            let (name, service) = next.ok_or_else(|| Trouble::new("services need each other in a circle"))?;
            running.launch(&file, name, service).await?;
            there.insert(name.clone());
        }
        Ok(running)
    }

    /// The origin behind a published port.
    pub(super) fn published(&self, port: u16) -> String {
        format!("https://localhost:{}", self.ports[&port])
    }

    /// What clients must trust.
    pub(super) fn authority(&self) -> Outcome<String> {
        fs::read_to_string(self.scratch.path().join("sample/ca.pem")).while_doing("read the authority")
    }

    async fn launch(&mut self, file: &ComposeFile, name: &str, service: &Service) -> Outcome {
        let program = program(service)?;
        let mut words = service.command();
        if service.image.starts_with("valkey/") {
            assert_eq!(words.remove(0), "valkey-server");
            words.extend(["--bind".to_owned(), "127.0.0.1".to_owned()]);
        }
        for (from, to) in service.mounted_files() {
            let text = fs::read_to_string(&from).while_doing(format_args!("read {}", from.display()))?;
            let here = self.mounted(name, &to);
            fs::write(&here, self.here(file, name, service, &text)).while_doing("write a mounted file")?;
        }
        let words: Vec<String> = words.iter().map(|word| self.here(file, name, service, word)).collect();
        let variables = service.environment().into_iter();
        let variables: BTreeMap<String, String> =
            variables.map(|(key, value)| (key, self.here(file, name, service, &value))).collect();
        let mut process = Process::start(name, program.as_os_str(), words, &variables)?;
        if service.raw["restart"] == "no" {
            let status = process.wait_ended().await?;
            return if status.success() { Ok(()) } else { Err(process.trouble("failed")) };
        }
        let check = service.health_check();
        let check: Vec<String> = check.iter().map(|word| self.here(file, name, service, word)).collect();
        process.wait_for("healthy", async |_| self.is_healthy(service, &check, &variables).await).await?;
        self.processes.push(process);
        Ok(())
    }

    /// What the service's own health check says; without one, that it is.
    async fn is_healthy(
        &self,
        service: &Service,
        check: &[String],
        variables: &BTreeMap<String, String>,
    ) -> Option<()> {
        let Some((first, arguments)) = check.split_first() else { return Some(()) };
        if first == "valkey-cli" {
            assert_eq!(arguments, ["ping"]);
            return self.valkey_answers();
        }
        let asks = PathBuf::from(first);
        let asks = if asks.is_absolute() { asks } else { program(service).ok()? };
        let mut process = Process::start("health check", asks.as_os_str(), arguments, variables).ok()?;
        process.wait_ended_within(PATIENCE).await.ok()?.success().then_some(())
    }

    fn valkey_answers(&self) -> Option<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[&6379])).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.write_all(b"PING\r\n").ok()?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).ok()?;
        (&answer == b"+PONG").then_some(())
    }

    /// A file that the service sees at `path`.
    fn mounted(&self, name: &str, path: &str) -> PathBuf {
        self.scratch.path().join(format!("{name}{}", path.replace('/', "-")))
    }

    /// A text of the compose file or of a mounted file, for this machine.
    fn here(&self, file: &ComposeFile, name: &str, service: &Service, text: &str) -> String {
        let scratch = self.scratch.path();
        let mut text = text.to_owned();
        // A folder that it does not mount is not there.
        for (volume, path) in service.volumes() {
            text = text.replace(&path, &scratch.join(volume).display().to_string());
        }
        for (_, path) in service.mounted_files() {
            text = text.replace(&path, &self.mounted(name, &path).display().to_string());
        }
        for binary in ["mcp-edge-proxy", "plane-mcp-adapter", "mcp-edge-sample"] {
            let path = our_binary(binary, "").map(|path| path.display().to_string()).unwrap_or_default();
            text = text.replace(&format!("/usr/local/bin/{binary}"), &path);
        }
        for (port, here) in &self.ports {
            if text == port.to_string() {
                text = here.to_string();
            }
            for other in file.services.keys() {
                text = text.replace(&format!("{other}:{port}"), &format!("127.0.0.1:{here}"));
            }
            text = text.replace(&format!(":{port}"), &format!(":{here}"));
        }
        let names =
            [("sign-in.sample", "localhost"), ("plane.sample", "localhost"), ("0.0.0.0:", "127.0.0.1:")];
        // Who Traefik is to oauth2-proxy.
        let names = names.into_iter().chain([("172.16.0.0/12", "127.0.0.0/8")]);
        names.fold(text, |text, (from, to)| text.replace(from, to))
    }
}

/// The program in a service's image.
fn program(service: &Service) -> Outcome<PathBuf> {
    let (image, _) = service.image.rsplit_once(':').unwrap_or((&service.image, ""));
    match image {
        "mcp-edge-proxy" | "plane-mcp-adapter" | "mcp-edge-sample" => our_binary(image, ""),
        "mcp-edge-sample-oauth2-proxy" => tool("oauth2-proxy", "OAUTH2_PROXY"),
        "traefik" => tool("traefik", "TRAEFIK"),
        "valkey/valkey" => match environment("VALKEY_SERVER") {
            Some(path) => Ok(path.into()),
            None => tool("valkey-server", "VALKEY_SERVER"),
        },
        other => Err(Trouble::new(format!("nothing here plays the image {other}"))),
    }
}
