//! Answers that are shared and kept. Parallel identical requests of one account are one request to Plane; names and
//! lists that change rarely are kept for as long as whoever asks allows. Nothing is ever shared between accounts.
//!
//! What is not kept is asked anew as soon as the answer came: somebody who just changed something in Plane and asks
//! again must see it.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use moka::future::Cache;
use service::Clock;

use super::PlaneError;
use crate::caller::Account;

/// Bytes kept for all accounts together; beyond it what is used least goes first.
const KEPT_BYTES: u64 = 64 * 1024 * 1024;
/// Nothing is kept for longer, whatever was asked for: this frees the memory of those who left.
const LONGEST: Duration = Duration::from_secs(600);

/// Whose answer to what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) account: Account,
    /// [`Session::id`](super::session::Session::id); 0 with an API key. A session that turned out to be somebody else's
    /// takes what was answered in it along.
    pub(super) session: u64,
    pub(super) path: String,
}

#[derive(Clone)]
struct Answer {
    body: Bytes,
    /// When it was asked for, which is the latest moment it can be sure to describe.
    asked: SystemTime,
}

/// The answers of all accounts.
#[derive(Debug)]
pub(super) struct Answers {
    /// Brings together who asks the same at the same time. Has no capacity: an answer lives on only with those who
    /// waited for it.
    under_way: Cache<Question, Answer>,
    kept: Cache<Question, Answer>,
}

impl Answers {
    pub(super) fn new() -> Self {
        let weight = |question: &Question, answer: &Answer| {
            u32::try_from(question.path.len() + answer.body.len()).unwrap_or(u32::MAX)
        };
        Self {
            under_way: Cache::builder().max_capacity(0).build(),
            kept: Cache::builder().max_capacity(KEPT_BYTES).weigher(weight).time_to_live(LONGEST).build(),
        }
    }

    /// The kept answer, when it is not older than `keep`; else the answer of the same question under way; else that of
    /// `ask`. Failures are told to all who wait and kept for nobody.
    pub(super) async fn answer(
        &self,
        question: Question,
        keep: Duration,
        clock: &dyn Clock,
        ask: impl Future<Output = Result<Vec<u8>, PlaneError>>,
    ) -> Result<Bytes, PlaneError> {
        if !keep.is_zero()
            && let Some(kept) = self.kept.get(&question).await
            && clock.now().duration_since(kept.asked).is_ok_and(|age| age < keep)
        {
            return Ok(kept.body);
        }
        let ask = async {
            let asked = clock.now();
            ask.await.map(|body| Answer { body: body.into(), asked })
        };
        let answer = self.under_way.try_get_with(question.clone(), ask).await;
        let answer = answer.map_err(|failure| PlaneError::clone(&failure))?;
        if !keep.is_zero() {
            self.kept.insert(question, answer.clone()).await;
        }
        Ok(answer.body)
    }
}

/// Somebody's data: never printed.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.body.len())
    }
}

#[cfg(test)]
mod tests;
