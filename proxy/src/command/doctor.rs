//! `doctor`: tries everything the proxy depends on, as the proxy would use it, and says for each what was tried, what it
//! means and what to do. Nobody is signed in, nothing of a session is read, and no secret is printed.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, builder::NonEmptyStringValueParser};
use service::{
    Clock, EXIT_BAD_CONFIG, SystemClock,
    config::Problems,
    probe::{Finding, Report, Trial},
};

use crate::{
    config::Config,
    reload::{Source, load},
};

mod certificate;
mod cognito;
mod public_url;
mod upstream;
mod valkey;

/// What is said of what no probe looks at.
const NOT_PROBED: &[&str] = &["Plane, which only the adapter knows: `plane-mcp-adapter doctor` asks it"];

/// `doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
    /// PEM bundle that the certificate of `server.public_url` is checked against, instead of the system's: for a
    /// private authority.
    #[arg(long)]
    ca_file: Option<PathBuf>,
    /// Instead, tell why the last sessions of a user ended: by `cognito:username` or `sub`, or one session by its id as it
    /// stands in the log. Exits 1 when none is known, and 69 when it cannot be told.
    #[arg(
        long,
        value_name = "USER|SID",
        conflicts_with = "ca_file",
        // A session's id may begin with a hyphen.
        allow_hyphen_values = true,
        value_parser = NonEmptyStringValueParser::new()
    )]
    why: Option<String>,
}

/// Tries everything and prints what came of it.
#[must_use]
pub fn doctor(doctor: &Doctor, source: &Source) -> ExitCode {
    if let Some(who) = &doctor.why {
        return super::why::why(who, doctor.json, source);
    }
    let place = match &source.file {
        Some(file) => format!("read {} and the environment", file.display()),
        None => "read the environment; there is no file".to_owned(),
    };
    let trial = Trial::new("configuration", place);
    let config = match load(source) {
        Ok((_, config)) => config,
        Err(problems) => {
            Report::new(vec![refused(trial, &problems)], NOT_PROBED).print(doctor.json);
            return ExitCode::from(EXIT_BAD_CONFIG);
        }
    };
    let configuration = trial.ok("every key is known, and every value can be used");
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return super::fail(&error),
    };
    let report = Report::new(runtime.block_on(examine(configuration, &config, doctor)), NOT_PROBED);
    report.print(doctor.json);
    if report.has_failure() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// All probes that need more than the configuration. Those that need nothing of each other run at once.
async fn examine(configuration: Finding, config: &Config, doctor: &Doctor) -> Vec<Finding> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ca_file = doctor.ca_file.as_deref();
    let shown = async {
        let certificate = certificate::probe(config, ca_file, clock.as_ref());
        let public_url = public_url::probe(config, ca_file, certificate.is_failure(), clock.as_ref()).await;
        [certificate, public_url]
    };
    let (cognito, valkey, shown, upstreams) =
        tokio::join!(cognito::probe(config, &clock), valkey::probe(config), shown, upstream::probe(config));
    let mut findings = vec![configuration];
    findings.extend(cognito);
    findings.extend(valkey);
    findings.extend(shown);
    findings.extend(upstreams);
    findings
}

fn refused(trial: Trial, problems: &Problems) -> Finding {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    trial.fail("the proxy would not start", all.join("\n"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        doctor: Doctor,
    }

    #[test]
    fn a_session_s_id_may_begin_with_a_hyphen() {
        let line = Line::try_parse_from(["", "--why", "-nJyvW1aTfGwXzHh8mJ0zQ", "--json"]).unwrap();
        assert_eq!((line.doctor.why.as_deref(), line.doctor.json), (Some("-nJyvW1aTfGwXzHh8mJ0zQ"), true));
        assert!(Line::try_parse_from(["", "--why", ""]).is_err());
    }
}
