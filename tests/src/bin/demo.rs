//! `make demo`: starts everything embedded, lets a scripted client sign in, and stays up for real ones.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "telling a person what happens is what it is for"
)]

use std::process::ExitCode;

use clap::Parser;
use service::Shutdown;
use stack::{Outcome, demo, trouble::While};

/// The whole thing on one machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// End after the scripted client: 0 when it is the same user everywhere, else 1.
    #[arg(long)]
    once: bool,
    /// The edge's port; the next free one when it is taken.
    #[arg(long, default_value_t = 8443, env = "DEMO_PORT")]
    port: u16,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("demo: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Whether it was the same user everywhere.
async fn run(arguments: Arguments) -> Outcome<bool> {
    let shutdown = Shutdown::on_signals().while_doing("listen for signals")?;
    let starting = async {
        let stack = demo::start(arguments.port).await?;
        println!("{}", demo::started(&stack));
        let found = demo::play(&stack).await?;
        println!("{}", demo::findings(&found));
        Outcome::Ok((stack, found.same_user()))
    };
    let (stack, same_user) = tokio::select! {
        started = starting => started?,
        () = shutdown.wait() => return Ok(false),
    };
    if !arguments.once {
        println!("{}", demo::how_to_connect(&stack));
        shutdown.wait().await;
        println!("stopping");
    }
    Ok(same_user)
}
