//! A request body on its way through: counted, timed, never gathered. Why it broke off is kept for the answer.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::error::Error;

// 0 is a body of which more is to come.
const TOO_LARGE: u8 = 1;
const TOO_SLOW: u8 = 2;
const GONE: u8 = 3;
const ENDED: u8 = 4;

/// How much of a body nobody wants is read, and for how long, so that its connection can be kept.
const READ_OUT: (usize, Duration) = (2 * 1024 * 1024, Duration::from_secs(1));

/// Reads what is left of a body that was not wanted, within bounds; says whether it reached the end.
pub async fn read_out(body: Incoming) -> bool {
    let (bytes, patience) = READ_OUT;
    let mut limited = Limited::new(body, bytes);
    let reading = async {
        loop {
            match limited.frame().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return false,
                None => return true,
            }
        }
    };
    tokio::time::timeout(patience, reading).await.unwrap_or(false)
}

/// How a body ended, if it did; shared between the body and the step that answers.
#[derive(Debug, Clone, Default)]
pub struct Verdict(Arc<AtomicU8>);

impl Verdict {
    /// The error the client's body caused, if it was the body.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        match self.0.load(Ordering::Acquire) {
            TOO_LARGE => Some(Error::BodyTooLarge),
            TOO_SLOW => Some(Error::BodyTooSlow),
            GONE => Some(Error::ClientGone),
            _ => None,
        }
    }

    /// Whether the body arrived whole.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.load(Ordering::Acquire) == ENDED
    }

    fn end(&self) {
        self.0.store(ENDED, Ordering::Release);
    }

    fn break_off(&self, why: u8, said: &'static str) -> BrokenOff {
        self.0.store(why, Ordering::Release);
        BrokenOff(said)
    }
}

/// The request body ended before its end.
#[derive(Debug, thiserror::Error)]
#[error("request body {0}")]
pub struct BrokenOff(&'static str);

/// The client's body, bounded in size and in the time between its parts.
#[derive(Debug)]
pub struct RequestBody {
    inner: Incoming,
    left: u64,
    patience: Duration,
    timer: Pin<Box<Sleep>>,
    verdict: Verdict,
}

impl RequestBody {
    /// Bounds `inner` to `limit` bytes and `patience` between two frames.
    #[must_use]
    pub fn new(inner: Incoming, limit: u64, patience: Duration) -> Self {
        let timer = Box::pin(tokio::time::sleep(patience));
        let verdict = Verdict::default();
        if inner.is_end_stream() {
            verdict.end();
        }
        Self { inner, left: limit, patience, timer, verdict }
    }

    /// Where it will stand how the body ended.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(left) = this.left.checked_sub(size) else {
                    return Poll::Ready(Some(Err(this.verdict.break_off(TOO_LARGE, "too large"))));
                };
                this.left = left;
                this.timer.as_mut().reset(Instant::now() + this.patience);
                // A body of known length is not asked again after its last byte.
                if this.inner.is_end_stream() {
                    this.verdict.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(this.verdict.break_off(GONE, "broke off")))),
            Poll::Ready(None) => {
                this.verdict.end();
                Poll::Ready(None)
            }
            Poll::Pending => match this.timer.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err(this.verdict.break_off(TOO_SLOW, "too slow")))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
