//! The master keys and what is derived from them.
//!
//! ```text
//! master key (id, 32 bytes) ─▶ HKDF-SHA256 ─▶ one key per act (seal, mac, sign) and purpose (session, grant, …)
//! ```
//!
//! No derived key has two roles. The first master key is the current one: it seals, signs and hashes; every listed key
//! still opens, verifies and matches, so that keys are rotated by putting a new one in front and dropping the last one
//! when nothing made with it is left. A ring in use can be given the next list (`rotation`).

use std::fmt;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::NONCE_LEN;
use aws_lc_rs::constant_time;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use service::Secret;

use self::master::MasterKey;
pub use self::master::random;
pub use self::rotation::UnsafeRotation;

mod master;
mod parse;
mod rotation;

#[cfg(test)]
mod tests;

/// First byte of every sealed blob. Another layout gets another number.
const VERSION: u8 = 1;

/// What a derived key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Sessions in the vault (seal).
    Session,
    /// A sign-in under way: what the consent form and the state record carry (seal).
    Transaction,
    /// The grant of a session, with the last answer of the token endpoint (seal).
    Grant,
    /// What is remembered of sessions (seal), and of whom (mac).
    History,
    /// The browser's cookie (mac).
    Cookie,
    /// Remembered approvals (seal).
    Approval,
    /// Codes, refresh tokens and client secrets, of which only this hash is stored (mac).
    Digest,
    /// Our access tokens (sign).
    AccessToken,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Session => b"session",
            Self::Transaction => b"transaction",
            Self::Grant => b"grant",
            Self::History => b"history",
            Self::Cookie => b"cookie",
            Self::Approval => b"approval",
            Self::Digest => b"digest",
            Self::AccessToken => b"access-token",
        }
    }
}

/// Why there is no key ring. Holds positions, never key material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// No key is listed.
    #[error("no key is listed")]
    Empty,
    /// An entry has no colon between id and key.
    #[error("key {0} is not of the form id:base64")]
    Shape(usize),
    /// An id is not 1 to 16 letters, digits, `_` or `-`.
    #[error("key {0} has an id that is not 1 to 16 letters, digits, '_' or '-'")]
    Id(usize),
    /// A key is not base64 of 32 bytes.
    #[error("key {0} is not base64 of exactly 32 bytes")]
    Length(usize),
    /// Two keys have one id.
    #[error("key {0} has the id of an earlier one")]
    Repeated(usize),
    /// A passphrase is shorter than 32 characters.
    #[error("a passphrase needs at least 32 characters")]
    ShortPassphrase,
}

/// Why a sealed blob could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Sealed with a key that is not in the ring: it may be opened again once the key is back, so keep the blob.
    #[error("sealed with a key that is not configured")]
    UnknownKey,
    /// Not a blob of ours, changed, or sealed for another purpose or other associated data.
    #[error("seal is broken")]
    Broken,
}

/// What was under a seal.
pub struct Opened {
    /// The bytes that were sealed.
    pub plain: Vec<u8>,
    /// Whether the current key sealed it; if not, seal it anew when it is next written.
    pub current: bool,
}

/// The master keys, current one first. Never empty. Shared by all that seals and signs; they can be replaced, and every
/// single act goes by the keys of its moment.
pub struct KeyRing(ArcSwap<Masters>);

struct Masters {
    current: MasterKey,
    older: Vec<MasterKey>,
}

impl KeyRing {
    /// Reads a list of `id:base64-of-32-bytes`, separated by lines or commas, current key first. Blank entries and
    /// lines that begin with `#` are skipped; both base64 alphabets are read, with or without padding.
    ///
    /// # Errors
    /// The first entry that does not fit.
    pub fn parse(list: &Secret) -> Result<Self, InvalidKeys> {
        let mut keys = parse::entries(list)?.into_iter().map(|(id, bytes)| MasterKey::new(id, &bytes));
        let current = keys.next().ok_or(InvalidKeys::Empty)?;
        Ok(Self(ArcSwap::from_pointee(Masters { current, older: keys.collect() })))
    }

    /// Makes the one key of a ring out of a passphrase (HKDF, no stretching: it must be random, not remembered).
    ///
    /// # Errors
    /// When it has fewer than 32 characters.
    pub fn from_passphrase(passphrase: &Secret) -> Result<Self, InvalidKeys> {
        if passphrase.expose().chars().count() < 32 {
            return Err(InvalidKeys::ShortPassphrase);
        }
        Ok(Self::unnamed(passphrase.expose().as_bytes()))
    }

    /// A random key that dies with the process, and with it everything it sealed: for tests and trials.
    #[must_use]
    pub fn ephemeral() -> Self {
        Self::unnamed(&random::<32>())
    }

    /// Makes a new entry for [`KeyRing::parse`].
    #[must_use]
    pub fn generate_line() -> Secret {
        let id = URL_SAFE_NO_PAD.encode(random::<6>());
        Secret::new(format!("{id}:{}", URL_SAFE_NO_PAD.encode(random::<32>())))
    }

    /// A ring of one key whose id is derived from it, so that another key has another id.
    fn unnamed(material: &[u8]) -> Self {
        let masters = Masters { current: MasterKey::unnamed(material), older: Vec::new() };
        Self(ArcSwap::from_pointee(masters))
    }

    /// Seals `plain` with the current key (AES-256-GCM). `associated` is not stored, and must be the same on opening:
    /// give the record's key, so that a blob moved to another record does not open.
    ///
    /// The blob is `version | key id length | key id | nonce (12) | ciphertext and tag`. Nonces are random: one master
    /// key is good for 2^32 blobs of a purpose.
    #[must_use]
    pub fn seal(&self, purpose: Purpose, associated: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce = random::<NONCE_LEN>();
        let masters = self.0.load();
        let header = blob_header(masters.current.id());
        let sealed = masters.current.seal(purpose, nonce, &[&header, associated].concat(), plain);
        [header.as_slice(), nonce.as_slice(), sealed.as_slice()].concat()
    }

    /// Opens what [`KeyRing::seal`] made, with whichever key made it.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] when that key is not in the ring, else [`SealError::Broken`].
    pub fn open(&self, purpose: Purpose, associated: &[u8], blob: &[u8]) -> Result<Opened, SealError> {
        let parts = split_blob(blob).ok_or(SealError::Broken)?;
        let masters = self.0.load();
        let key = masters.all().find(|key| key.id().as_bytes() == parts.id).ok_or(SealError::UnknownKey)?;
        let associated = [parts.header, associated].concat();
        let plain = key.open(purpose, *parts.nonce, &associated, parts.sealed).ok_or(SealError::Broken)?;
        Ok(Opened { plain, current: key.id() == masters.current.id() })
    }

    /// HMAC-SHA256 of `data` under the current key. For look-ups that must survive a rotation use [`KeyRing::macs`],
    /// for comparisons [`KeyRing::mac_matches`].
    #[must_use]
    pub fn mac(&self, purpose: Purpose, data: &[u8]) -> [u8; 32] {
        self.0.load().current.mac(purpose, data)
    }

    /// HMAC-SHA256 of `data` under every key, current one first.
    pub fn macs(&self, purpose: Purpose, data: &[u8]) -> impl Iterator<Item = [u8; 32]> {
        let masters = self.0.load();
        masters.all().map(|key| key.mac(purpose, data)).collect::<Vec<_>>().into_iter()
    }

    /// Whether any key of the ring made `mac` out of `data`; each comparison takes constant time.
    #[must_use]
    pub fn mac_matches(&self, purpose: Purpose, data: &[u8], mac: &[u8]) -> bool {
        self.macs(purpose, data).any(|own| constant_time::verify_slices_are_equal(&own, mac).is_ok())
    }

    /// The keys that sign our access tokens with their ids, current one first.
    #[must_use]
    pub fn signing_keys(&self) -> Vec<(String, [u8; 32])> {
        self.0.load().all().map(|key| (key.id().to_owned(), key.signing())).collect()
    }

    /// The ids of the keys, current one first.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.0.load().all().map(|key| key.id().to_owned()).collect()
    }

    /// The id of the key that made `blob`; none when it is no sealed blob.
    #[must_use]
    pub fn sealed_with(blob: &[u8]) -> Option<&str> {
        let id = std::str::from_utf8(split_blob(blob)?.id).ok()?;
        (!id.is_empty()).then_some(id)
    }
}

impl Masters {
    fn all(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.older)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// The parts of a sealed blob.
struct Parts<'a> {
    id: &'a [u8],
    header: &'a [u8],
    nonce: &'a [u8; NONCE_LEN],
    sealed: &'a [u8],
}

fn blob_header(id: &str) -> Vec<u8> {
    // Ids have at most 16 bytes, see `parse`.
    let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
    [&[VERSION, length], id.as_bytes()].concat()
}

fn split_blob(blob: &[u8]) -> Option<Parts<'_>> {
    let ([version, length], rest) = blob.split_first_chunk::<2>()?;
    let id = rest.get(..usize::from(*length))?;
    let (header, rest) = blob.split_at_checked(2 + id.len())?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
    (*version == VERSION).then_some(Parts { id, header, nonce, sealed })
}
