//! One master key, and the only place that calls the cipher, the hash and the random source.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Purpose;

/// Separates our derivations from those of any other program that is given the same master key.
const DERIVATION: &[u8] = b"mcp-edge/1";

/// `N` bytes from the system's cryptographic random source.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(
        clippy::expect_used,
        reason = "AWS-LC's RAND_bytes aborts the process rather than fail, see openssl/rand.h"
    )]
    rand::fill(&mut bytes).expect("RAND_bytes does not return without having filled the buffer");
    bytes
}

/// A master key with its name. It is kept only in the extracted form that the others are derived from.
pub(super) struct MasterKey {
    id: String,
    prk: Prk,
}

/// Length of every derived key.
struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        32
    }
}

impl MasterKey {
    pub(super) fn new(id: String, material: &[u8]) -> Self {
        Self { id, prk: Salt::new(HKDF_SHA256, DERIVATION).extract(material) }
    }

    /// A key whose id is derived from itself, so that another key has another id.
    pub(super) fn unnamed(material: &[u8]) -> Self {
        let mut key = Self::new(String::new(), material);
        let digest = key.derive("id", b"");
        key.id = digest.first_chunk::<6>().map(|id| URL_SAFE_NO_PAD.encode(id)).unwrap_or_default();
        key
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn seal(
        &self,
        purpose: Purpose,
        nonce: [u8; NONCE_LEN],
        associated: &[u8],
        plain: &[u8],
    ) -> Vec<u8> {
        let mut sealed = plain.to_vec();
        #[expect(clippy::expect_used, reason = "AES-GCM refuses only plaintexts of 2^36 bytes and more")]
        self.sealing(purpose)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), &mut sealed)
            .expect("a record is shorter than 64 GiB");
        sealed
    }

    pub(super) fn open(
        &self,
        purpose: Purpose,
        nonce: [u8; NONCE_LEN],
        associated: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let mut plain = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length =
            self.sealing(purpose).open_in_place(nonce, Aad::from(associated), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }

    pub(super) fn mac(&self, purpose: Purpose, data: &[u8]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.derive("mac", purpose.label()));
        let mut mac = [0; 32];
        // A SHA-256 tag has 32 bytes, as many as are taken.
        mac.iter_mut().zip(hmac::sign(&key, data).as_ref()).for_each(|(to, from)| *to = *from);
        mac
    }

    pub(super) fn signing(&self) -> [u8; 32] {
        self.derive("sign", Purpose::AccessToken.label())
    }

    fn sealing(&self, purpose: Purpose) -> LessSafeKey {
        #[expect(clippy::expect_used, reason = "AES-256-GCM takes every key of 32 bytes")]
        let key = UnboundKey::new(&AES_256_GCM, &self.derive("seal", purpose.label()))
            .expect("derived keys have 32 bytes");
        LessSafeKey::new(key)
    }

    fn derive(&self, act: &str, label: &[u8]) -> [u8; 32] {
        let mut key = [0; 32];
        let info = [DERIVATION, b" ", act.as_bytes(), b" ", label];
        #[expect(
            clippy::expect_used,
            reason = "HKDF-SHA256 refuses only outputs of more than 255 * 32 bytes"
        )]
        self.prk
            .expand(&info, KeyLength)
            .and_then(|okm| okm.fill(&mut key))
            .expect("the buffer has the length asked for");
        key
    }
}
