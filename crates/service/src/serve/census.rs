//! Who hears what becomes of connections.

use std::fmt::Debug;
use std::sync::Arc;

/// Hears what becomes of a listener's connections, to count them. Called on the serving threads: it must not block.
pub trait Census: Debug + Send + Sync + 'static {
    /// One is accepted.
    fn opened(&self) {}

    /// One of those that were opened is closed.
    fn closed(&self) {}

    /// One is not served, or not yet.
    fn refused(&self, _: Refused) {}
}

/// Counts nothing.
impl Census for () {}

/// Why a connection is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// As many are served as [`Limits::connections`](super::Limits::connections) allows: it waits until one of them ends.
    Limit,
    /// Its address, or the network around it, has as many as one may have: it is closed.
    Address,
}

impl Refused {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Limit, Self::Address];

    /// A fixed word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Address => "address",
        }
    }
}

/// An open connection, for the census.
pub(super) struct Open(Arc<dyn Census>);

impl Open {
    pub(super) fn new(census: &Arc<dyn Census>) -> Self {
        census.opened();
        Self(Arc::clone(census))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed();
    }
}
