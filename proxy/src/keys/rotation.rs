//! Giving a ring in use the next list of keys, without a moment in which a replica makes what another cannot read.

use super::{KeyRing, MasterKey, Purpose};

/// Why a list is not taken by a process that runs. Names keys by id, never by content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeRotation {
    /// What was sealed a moment ago could not be opened any more.
    #[error(
        "no longer lists {0}, the key that seals now: leave it in as long as `keys status` finds records of it"
    )]
    CurrentDropped(String),
    /// Another replica may not have read it yet, and could not open what this one seals.
    #[error(
        "begins with {0}, which is new: list it second until every replica has read it, and only then first"
    )]
    NewFirst(String),
    /// What was sealed under this id could not be opened any more.
    #[error("has another key under the id {0}: a new key needs a new id")]
    Changed(String),
}

impl KeyRing {
    /// Whether the keys of `next` can follow these while other replicas still have these, or have them already.
    ///
    /// # Errors
    /// [`UnsafeRotation`].
    pub fn check_next(&self, next: &Self) -> Result<(), UnsafeRotation> {
        let (ours, next) = (self.0.load(), next.0.load());
        let is_same = |one: &MasterKey, other: &MasterKey| {
            one.mac(Purpose::Digest, b"rotation") == other.mac(Purpose::Digest, b"rotation")
        };
        for key in ours.all() {
            match next.all().find(|new| new.id() == key.id()) {
                Some(new) if !is_same(key, new) => return Err(UnsafeRotation::Changed(key.id().to_owned())),
                None if key.id() == ours.current.id() => {
                    return Err(UnsafeRotation::CurrentDropped(key.id().to_owned()));
                }
                _ => {}
            }
        }
        if ours.all().any(|key| key.id() == next.current.id()) {
            Ok(())
        } else {
            Err(UnsafeRotation::NewFirst(next.current.id().to_owned()))
        }
    }

    /// Seals, signs and opens with the keys of `next` from now on, for all that share this ring.
    pub fn follow(&self, next: &Self) {
        self.0.store(next.0.load_full());
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use service::Secret;

    use super::*;

    fn ring(list: &str) -> KeyRing {
        let line = |part: &str| {
            let (id, byte) = part.split_at(1);
            format!("{id}:{}", URL_SAFE_NO_PAD.encode(byte.repeat(32)))
        };
        let lines: Vec<_> = list.split(' ').map(line).collect();
        KeyRing::parse(&Secret::new(lines.join("\n"))).unwrap()
    }

    #[test]
    fn a_new_key_goes_second_then_first_and_the_old_one_goes_last() {
        let steps = ["aA", "aA bB", "bB aA", "bB"];
        for pair in steps.windows(2) {
            let in_use = ring(pair[0]);
            let before = in_use.seal(Purpose::Session, b"name", b"plain");
            in_use.check_next(&ring(pair[1])).unwrap();
            in_use.follow(&ring(pair[1]));
            assert_eq!(in_use.ids(), ring(pair[1]).ids());
            if pair[1] != "bB" {
                assert!(in_use.open(Purpose::Session, b"name", &before).is_ok(), "{pair:?}");
            }
        }
    }

    #[test]
    fn a_list_that_would_lose_something_is_refused() {
        let refused = |from: &str, to: &str| ring(from).check_next(&ring(to)).unwrap_err();
        assert_eq!(refused("aA", "bB"), UnsafeRotation::CurrentDropped("a".to_owned()));
        assert_eq!(refused("aA bB", "bB"), UnsafeRotation::CurrentDropped("a".to_owned()));
        assert_eq!(refused("aA", "bB aA"), UnsafeRotation::NewFirst("b".to_owned()));
        assert_eq!(refused("aA bB", "aA bC"), UnsafeRotation::Changed("b".to_owned()));
        assert_eq!(refused("aA", "aB"), UnsafeRotation::Changed("a".to_owned()));
        assert!(KeyRing::ephemeral().check_next(&ring("aA")).is_err());
    }
}
