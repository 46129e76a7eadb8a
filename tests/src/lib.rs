//! The stack under test and in the demo: doubles of the outside world and builders of the real programs.
//!
//! - [`stack`]: everything together on free ports, one builder; what most tests start from.
//! - Real programs: [`proxy`], [`adapter`] and [`valkey`], each a [`process`] with its log kept in memory.
//! - The people and programs in front: [`browser`] (a cookie jar that fills in forms) and [`client`] (an MCP client whose
//!   steps can be taken one by one, and wrongly).
//! - A real browser: [`chromium`], for what only an engine can tell about the pages.
//! - The world behind: [`cognito`] and [`plane`], doubles of the real ones, and [`echo`], an upstream that tells what it saw.
//! - [`evaluation`]: questions that the tools must be able to answer.
//! - [`forwarder`]: a token for programs that know no OAuth.
//! - [`chain`]: the whole chain of real programs, what the end-to-end tests start from.
//! - Real programs of others, for the end-to-end tests: [`traefik`], [`oauth2_proxy`], [`prometheus`], and [`provider`], an OpenID provider in
//!   Cognito's place; [`collector`], which takes traces.
//! - [`wire`]: bytes on a TLS connection, as no client library would send them.
//! - [`scrape`]: what a program's metrics say.
//! - [`load`]: requests without a pause, while a test does something to the servers.
//! - [`mod@bench`]: the same programs beside their peers, measured.
//! - [`demo`]: the same parts, started for a person to look at.
//! - Small things: [`certificate`], [`ports`], [`scratch`], [`settings`], [`trouble`].
//!
//! Dropping a handle stops what it stands for; a handle dropped by a failing test prints the log of its process.
pub mod adapter;
pub mod bench;
pub mod browser;
pub mod certificate;
pub mod chain;
pub mod chromium;
pub mod client;
pub mod cognito;
pub mod collector;
pub mod demo;
pub mod echo;
pub mod evaluation;
pub mod forwarder;
pub mod load;
pub mod oauth2_proxy;
pub mod plane;
pub mod ports;
pub mod process;
pub mod program;
pub mod prometheus;
pub mod provider;
pub mod proxy;
pub mod scrape;
pub mod scratch;
pub mod settings;
pub mod stack;
pub mod traefik;
pub mod trouble;
pub mod valkey;
pub mod wire;

pub use trouble::{Outcome, Trouble};
