use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use service::{ManualClock, Secret};

use super::*;
use crate::caller::Credential;

fn question(user: &str, session: u64, path: &str) -> Question {
    let account = Credential::ApiKey(Secret::new(user)).account();
    Question { account, session, path: path.to_owned() }
}

/// Plane as far as it matters here: counts what it is asked, and answers after everybody had a turn.
#[derive(Default)]
struct Asked(AtomicUsize);

impl Asked {
    async fn reply(&self, text: &str) -> Result<Vec<u8>, PlaneError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        Ok(text.as_bytes().to_vec())
    }

    async fn refusal(&self) -> Result<Vec<u8>, PlaneError> {
        self.reply("").await?;
        Err(PlaneError::TimedOut)
    }

    fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const NOT_KEPT: Duration = Duration::ZERO;

#[tokio::test]
async fn the_same_question_at_the_same_time_is_asked_once_and_later_anew() {
    let (answers, clock, plane) = (Answers::new(), ManualClock::at(0), Asked::default());
    let ask = || answers.answer(question("alice", 1, "/a/"), NOT_KEPT, &clock, plane.reply("a"));
    let got = join_all((0..20).map(|_| ask())).await;
    assert!(got.into_iter().all(|answer| answer.unwrap() == "a"));
    assert_eq!(plane.times(), 1);
    ask().await.unwrap();
    assert_eq!(plane.times(), 2);
}

#[tokio::test]
async fn users_questions_and_sessions_share_nothing() {
    let (answers, clock, plane) = (Answers::new(), ManualClock::at(0), Asked::default());
    let questions = [
        question("alice", 1, "/a/"),
        question("bob", 1, "/a/"),
        question("alice", 1, "/b/"),
        question("alice", 2, "/a/"),
    ];
    for _ in 0..2 {
        let ask = |(number, question): (usize, &Question)| {
            let (question, text) = (question.clone(), number.to_string());
            let (answers, clock, plane) = (&answers, &clock, &plane);
            async move { answers.answer(question, MINUTE, clock, plane.reply(&text)).await.unwrap() }
        };
        assert_eq!(join_all(questions.iter().enumerate().map(ask)).await, ["0", "1", "2", "3"]);
    }
    assert_eq!(plane.times(), 4, "the second time all were kept");
}

#[tokio::test]
async fn an_answer_is_kept_for_as_long_as_the_one_who_asks_allows() {
    let (answers, clock, plane) = (Answers::new(), ManualClock::at(1000), Asked::default());
    let ask = |keep| answers.answer(question("alice", 1, "/a/"), keep, &clock, plane.reply("a"));
    ask(MINUTE).await.unwrap();
    clock.advance(Duration::from_secs(59));
    ask(MINUTE).await.unwrap();
    assert_eq!(plane.times(), 1);
    ask(Duration::from_secs(30)).await.unwrap();
    assert_eq!(plane.times(), 2, "too old for this one");
    ask(MINUTE).await.unwrap();
    assert_eq!(plane.times(), 2, "what was asked meanwhile does for all");
    clock.advance(MINUTE);
    ask(MINUTE).await.unwrap();
    ask(NOT_KEPT).await.unwrap();
    assert_eq!(plane.times(), 4);
}

#[tokio::test]
async fn a_failure_reaches_all_who_wait_and_nobody_later() {
    let (answers, clock, plane) = (Answers::new(), ManualClock::at(0), Asked::default());
    let ask = || answers.answer(question("alice", 1, "/a/"), MINUTE, &clock, plane.refusal());
    let got = join_all((0..3).map(|_| ask())).await;
    assert!(got.iter().all(|answer| matches!(answer, Err(PlaneError::TimedOut))));
    assert_eq!(plane.times(), 1);
    let good = answers.answer(question("alice", 1, "/a/"), MINUTE, &clock, plane.reply("a")).await;
    assert_eq!(good.unwrap(), "a");
}

#[tokio::test]
async fn who_leaves_does_not_take_the_others_answer_along() {
    let (answers, clock, plane) = (Answers::new(), ManualClock::at(0), Asked::default());
    let ask = || answers.answer(question("alice", 1, "/a/"), NOT_KEPT, &clock, plane.reply("a"));
    let mut first = Box::pin(ask());
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = Box::pin(ask());
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    assert_eq!(second.await.unwrap(), "a");
}

#[test]
fn what_is_kept_is_never_printed() {
    let answer = Answer { body: "secret plans".into(), asked: SystemTime::UNIX_EPOCH };
    assert_eq!(format!("{answer:?}"), "12 bytes");
}
