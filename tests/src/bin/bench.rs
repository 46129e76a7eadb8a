//! `make bench`: measures, prints a table, and writes the report. With `--upstream` it is what the others stand before.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the report is for a person")]

use std::{fs, path::Path, process::ExitCode, thread, time::Instant};

use serde_json::json;
use stack::{
    Outcome, Trouble,
    bench::{
        peers::{self, World},
        report::Compared,
        rounds, upstream,
    },
    oauth2_proxy::OAuth2Proxy,
    traefik::Traefik,
    trouble::While,
};

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let done = match arguments.next().as_deref() {
        Some("--upstream") => upstream::serve(|address| println!("{address}")).await,
        Some(report) => measure(Path::new(report)).await,
        None => Err(Trouble::new("say where the report goes")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("bench: {trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(report: &Path) -> Outcome {
    let began = Instant::now();
    let cores = thread::available_parallelism().while_doing("count the cores")?;
    let version = |text: String| text.lines().next().unwrap_or_default().trim().to_owned();
    let versions = json!({
        "nginx": version(peers::nginx_version()?),
        "traefik": version(Traefik::version()?),
        "oauth2_proxy": version(OAuth2Proxy::version()?),
    });
    let mut world = World::start().await?;
    println!("on {cores} cores, which everybody shares; medians of {} rounds\n", rounds::ROUNDS);
    let (mut compared, mut failed) = (Vec::new(), 0);
    for scenario in world.scenarios()? {
        let one = Compared::new(&scenario, rounds::run(&scenario).await?);
        println!("{one}");
        failed += one.failed();
        compared.push(one.json());
    }
    let seconds = began.elapsed().as_secs();
    let text = json!({ "cores": cores, "versions": versions, "seconds": seconds, "failed": failed, "scenarios": compared });
    let text = serde_json::to_string_pretty(&text).while_doing("write the report")?;
    fs::write(report, text + "\n").while_doing(format_args!("write {}", report.display()))?;
    println!("took {seconds} s, report in {}", report.display());
    if failed == 0 {
        Ok(())
    } else {
        Err(Trouble::new(format!("{failed} of our answers were wrong or did not come")))
    }
}
