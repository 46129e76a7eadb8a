//! `make bench`: the release build beside its peers in one run, as ratios.
//!
//! ```text
//! load ─▶ (straight | MCP Edge | nginx | Traefik + oauth2-proxy) ─▶ upstream
//! ```
//!
//! | part | job |
//! |---|---|
//! | [`upstream`] | what all of them stand before, in a process of its own: a small JSON answer, or a stream of events |
//! | [`load`] | so many connections that ask without a pause |
//! | [`peers`] | the programs, and how each is asked the same |
//! | [`usage`] | their processor time and memory, as the system counts them |
//! | [`rounds`] | who is asked when: each scenario in rounds, in each round everybody |
//! | [`report`] | medians, ratios and spreads, for people and for machines |
//!
//! Everything shares the machine's cores, load and upstream too; so figures of one run are worth something beside each other
//! only, and the processor time a request costs says more than how many there were.

pub mod load;
pub mod peers;
pub mod report;
pub mod rounds;
pub mod scenarios;
pub mod upstream;
pub mod usage;
