//! The image of `deploy/compose.yaml` that plays Cognito and Plane. Everybody knows its passwords: not for production.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "telling whoever started it what happens is its log"
)]

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::PathBuf, process::ExitCode};

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
    /// Load a page: 0 when it answers with success. For health checks.
    Probe {
        /// Its address.
        url: String,
    },
}

#[derive(Debug, Args)]
struct Prepare {
    /// The folder for `ca.pem`, `edge.pem`, `edge.key`, `client-secret` and `cookie-secret`.
    folder: PathBuf,
    /// Host names the certificate is for, beside localhost.
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
        Command::Probe { url } => probe(&url).await,
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
        // Written last: with it, everything is there.
        let done = self.folder.join("ca.pem");
        if done.exists() {
            println!("{} kept as it is", self.folder.display());
            return Ok(());
        }
        let authority = Authority::new()?;
        let names: Result<Vec<_>, _> =
            self.names.iter().map(|name| name.as_str().try_into().map(SanType::DnsName)).collect();
        let names = names.while_doing("name the certificate")?;
        let files = authority.issue_with("edge", |params| params.subject_alt_names.extend(names))?;
        self.copy(&files.cert_file, "edge.pem")?;
        self.copy(&files.key_file, "edge.key")?;
        // 43 and 32 characters: what a secret of Cognito looks like, and the size oauth2-proxy wants.
        let secrets = [("client-secret", 43), ("cookie-secret", 32)];
        for (name, length) in secrets {
            let key = fresh_key("")?;
            let text: String = key.chars().filter(char::is_ascii_alphanumeric).cycle().take(length).collect();
            self.own(fs::write(self.folder.join(name), text), name)?;
        }
        self.copy(&authority.file(), "ca.pem")?;
        println!("{} prepared", self.folder.display());
        Ok(())
    }

    fn copy(&self, from: &PathBuf, name: &str) -> Outcome {
        self.own(fs::copy(from, self.folder.join(name)).map(|_| ()), name)
    }

    /// For all to read what is public, for the owner alone the rest.
    fn own(&self, written: std::io::Result<()>, name: &str) -> Outcome {
        let mode = if name.ends_with(".pem") { 0o644 } else { 0o600 };
        let set = || fs::set_permissions(self.folder.join(name), fs::Permissions::from_mode(mode));
        written.and_then(|()| set()).while_doing(format_args!("write {name}"))
    }
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

async fn probe(url: &str) -> Outcome {
    let http = reqwest::Client::builder().no_proxy().build().while_doing("build a client")?;
    let answer = http.get(url).send().await.while_doing("ask")?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(Trouble::new(format!("{url} answers {status}"))),
    }
}
