//! `doctor`: tries what the adapter depends on, as the adapter uses it, and says for each what was tried, what it means and
//! what to do. No secret is printed, and nobody's key is made.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use service::config::Problems;
use service::output::print_line;
use service::probe::{Finding, Report, Trial, causes};
use service::reload::Source;
use service::{Clock, EXIT_BAD_CONFIG, Secret, SystemClock};

use crate::config::Config;

mod credential;
mod keys;
mod listening;
mod plane;

/// What no probe looks at, whatever is lent.
const ELSEWHERE: &str = "Cognito's sign-in, Valkey and the public URL, which only the proxy uses: `mcp-edge-proxy doctor` asks them";
/// What none does without a credential.
const AS_A_USER: &str =
    "Plane as a user sees it: --bearer-file with somebody's ID token or API key tries that";

/// Longest credential that is read.
const MAX_BEARER: usize = 16 * 1024;

/// `doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
    /// A file with a Cognito ID token or a Plane API key, to try what its user may: it is sent where a request of theirs
    /// would be, and printed nowhere.
    #[arg(long, value_name = "FILE")]
    bearer_file: Option<PathBuf>,
}

/// Tries everything and prints what came of it. 0: nothing fails; 1: something does; 64: the configuration is bad.
#[must_use]
pub fn doctor(doctor: &Doctor, source: &Source) -> ExitCode {
    let place = match &source.file {
        Some(file) => format!("read {} and the environment", file.display()),
        None => "read the environment; there is no file".to_owned(),
    };
    let trial = Trial::new("configuration", place);
    let config = match Config::read(source) {
        Ok(config) => config,
        Err(problems) => {
            Report::new(vec![refused(trial, &problems)], &[ELSEWHERE, AS_A_USER]).print(doctor.json);
            return ExitCode::from(EXIT_BAD_CONFIG);
        }
    };
    let mut findings = vec![trial.ok("every key is known, and every value can be used")];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            print_line(causes(&error));
            return ExitCode::FAILURE;
        }
    };
    findings.extend(runtime.block_on(examine(&config, doctor)));
    let left: &[_] = if doctor.bearer_file.is_some() { &[ELSEWHERE] } else { &[ELSEWHERE, AS_A_USER] };
    let report = Report::new(findings, left);
    report.print(doctor.json);
    if report.has_failure() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// All probes that need more than the configuration. Those that need nothing of each other run at once.
async fn examine(config: &Config, doctor: &Doctor) -> Vec<Finding> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (keys, listening, plane) =
        tokio::join!(keys::probe(config, &clock), listening::probe(config), plane::probe(config));
    let mut findings = keys;
    findings.push(listening);
    findings.extend(plane);
    if let Some(file) = &doctor.bearer_file {
        let trial = Trial::new("credential", format!("used the credential in {}", file.display()));
        findings.push(match lent(file) {
            Ok(bearer) => credential::probe(trial, config, &clock, &bearer).await,
            Err(said) => trial.fail(said, "It must hold one ID token or one API key, and nothing else."),
        });
    }
    findings
}

fn lent(file: &PathBuf) -> Result<Secret, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("it cannot be read: {error}"))?;
    let text = text.trim();
    let is_one =
        !text.is_empty() && text.len() <= MAX_BEARER && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_one.then(|| Secret::new(text)).ok_or_else(|| "it holds no credential".to_owned())
}

fn refused(trial: Trial, problems: &Problems) -> Finding {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    trial.fail("the adapter would not start", all.join("\n"))
}
