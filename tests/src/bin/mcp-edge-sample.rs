//! The image of `deploy/compose.yaml` that plays Cognito and Plane. Everybody knows its passwords: not for production.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "telling whoever started it what happens is its log"
)]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};
use rcgen::SanType;
use service::Shutdown;
use stack::{
    Outcome, Trouble,
    certificate::Authority,
    cognito::{Called, CognitoDouble, CognitoOptions},
    plane::{PlaneDouble, PlaneOptions, Sample},
    proxy::fresh_key,
    trouble::While,
};
use url::Url;

/// What each part of a probe may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// A Cognito and a Plane to try MCP Edge with. Not for production: its users and passwords are public.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an authority, a certificate, and secrets, once: what is there stays.
    Prepare(Prepare),
    /// Play Cognito, with the users alice and bob.
    SignIn(SignIn),
    /// Play Plane, which believes whatever `X-Auth-Request-Email` says.
    Plane {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Load a page over plain http: 0 when it answers with success. For health checks.
    Probe {
        /// Its address.
        url: Url,
    },
}

#[derive(Debug, Args)]
struct Prepare {
    /// The folder for what several programs read: `ca.pem`, `client-secret` and `cookie-secret`.
    #[arg(long)]
    shared: PathBuf,
    /// The proxy's folder: `edge.pem` and `edge.key`, for localhost.
    #[arg(long)]
    edge: PathBuf,
    /// Traefik's folder: `front.pem` and `front.key`, for localhost and the names.
    #[arg(long)]
    front: PathBuf,
    /// Host names that Traefik answers to.
    names: Vec<String>,
}

#[derive(Debug, Args)]
struct SignIn {
    /// Where the issuer listens: discovery and keys.
    #[arg(long)]
    listen: SocketAddr,
    /// Where the OAuth domain listens: sign-in page and tokens.
    #[arg(long)]
    listen_domain: SocketAddr,
    /// The origin programs know both by.
    #[arg(long)]
    programs_url: String,
    /// The origin browsers know the OAuth domain by.
    #[arg(long)]
    browsers_url: String,
    /// File with the app client's secret.
    #[arg(long)]
    client_secret_file: PathBuf,
    /// A callback URL of the app client.
    #[arg(long = "callback")]
    callbacks: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Prepare(prepare) => prepare.run(),
        Command::SignIn(sign_in) => sign_in.run().await,
        Command::Plane { listen } => plane(listen).await,
        Command::Probe { url } => probe(&url),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("mcp-edge-sample: {trouble}");
            ExitCode::FAILURE
        }
    }
}

impl Prepare {
    fn run(&self) -> Outcome {
        let keys = [self.edge.join("edge.key"), self.front.join("front.key")];
        // Written last: with it, everything is there.
        let done = self.shared.join("ca.pem");
        if done.exists() && keys.iter().all(|key| key.exists()) {
            println!("{} kept as it is", self.shared.display());
            return Ok(());
        }
        // Its images have no other place to write to.
        let authority = Authority::within(&self.edge)?;
        let files = authority.issue("edge")?;
        copy(&files.cert_file, &self.edge.join("edge.pem"))?;
        copy(&files.key_file, &self.edge.join("edge.key"))?;
        let names: Result<Vec<_>, _> =
            self.names.iter().map(|name| name.as_str().try_into().map(SanType::DnsName)).collect();
        let names = names.while_doing("name the certificate")?;
        let files = authority.issue_with("front", |params| params.subject_alt_names.extend(names))?;
        copy(&files.cert_file, &self.front.join("front.pem"))?;
        copy(&files.key_file, &self.front.join("front.key"))?;
        // 43 and 32 characters: what a secret of Cognito looks like, and the size oauth2-proxy wants.
        let secrets = [("client-secret", 43), ("cookie-secret", 32)];
        for (name, length) in secrets {
            let key = fresh_key("")?;
            let text: String = key.chars().filter(char::is_ascii_alphanumeric).cycle().take(length).collect();
            let path = self.shared.join(name);
            own(fs::write(&path, text), &path)?;
        }
        copy(&authority.file(), &done)?;
        println!("{} prepared", self.shared.display());
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Outcome {
    own(fs::copy(from, to).map(|_| ()), to)
}

/// For all to read what is public, for the owner alone the rest.
fn own(written: std::io::Result<()>, path: &Path) -> Outcome {
    let mode = if path.extension().is_some_and(|kind| kind == "pem") { 0o644 } else { 0o600 };
    let set = || fs::set_permissions(path, fs::Permissions::from_mode(mode));
    written.and_then(|()| set()).while_doing(format_args!("write {}", path.display()))
}

impl SignIn {
    async fn run(&self) -> Outcome {
        let shutdown = Shutdown::on_signals().while_doing("listen for signals")?;
        let secret = fs::read_to_string(&self.client_secret_file);
        let secret = secret.while_doing(format_args!("read {}", self.client_secret_file.display()))?;
        let called = Called { programs: self.programs_url.clone(), browsers: self.browsers_url.clone() };
        let options = CognitoOptions {
            pool_id: "eu-central-1_Sample001".to_owned(),
            client_id: "sampleclient".to_owned(),
            client_secret: Some(secret.trim().to_owned()),
            redirect_uris: self.callbacks.clone(),
            issuer_address: self.listen,
            domain_address: self.listen_domain,
            called: Some(called),
            ..CognitoOptions::default()
        };
        let double = CognitoDouble::start(options).await?;
        println!(
            "sample sign-in, not for production: issuer {}, users alice and bob, password {}",
            double.issuer_url(),
            CognitoDouble::PASSWORD
        );
        shutdown.wait().await;
        Ok(())
    }
}

async fn plane(address: SocketAddr) -> Outcome {
    let shutdown = Shutdown::on_signals().while_doing("listen for signals")?;
    let options = PlaneOptions { sample: Sample::Company, address, ..PlaneOptions::default() };
    let double = PlaneDouble::start(options).await.while_doing("start the sample Plane")?;
    println!("sample Plane, not for production: {}", double.url());
    shutdown.wait().await;
    Ok(())
}

/// By hand: an HTTP client would want certificate authorities, which its images lack, even to ask over plain http.
fn probe(url: &Url) -> Outcome {
    let addresses = url.socket_addrs(|| None).while_doing(format_args!("find {url}"))?;
    let mut stream = TcpStream::connect(addresses.as_slice()).while_doing("connect")?;
    let limits =
        stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    limits.while_doing("limit the time")?;
    let host = url.host_str().unwrap_or_default();
    let request = format!("GET {} HTTP/1.0\r\nhost: {host}\r\n\r\n", url.path());
    stream.write_all(request.as_bytes()).while_doing("ask")?;
    let mut answer = Vec::new();
    stream.take(64).read_to_end(&mut answer).while_doing("read the answer")?;
    let answer = String::from_utf8_lossy(&answer);
    match answer.split_ascii_whitespace().nth(1) {
        Some(status) if answer.starts_with("HTTP/1.") && status.starts_with('2') => Ok(()),
        status => Err(Trouble::new(format!("{url} answers {}", status.unwrap_or("nothing")))),
    }
}
