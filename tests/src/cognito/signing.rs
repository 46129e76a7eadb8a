//! The pool's keys, and every wrong way to sign a token.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::{
    encoding::AsDer,
    hmac, rand,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use crate::trouble::{Outcome, Trouble, While};

/// How a token is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forgery {
    /// Properly.
    None,
    /// By a key the pool never had, under the `kid` of the right one.
    StrangersKey,
    /// By a key the pool never had, under a `kid` it never published.
    UnknownKeyId,
    /// Properly, but without `kid`.
    NoKeyId,
    /// `alg: none` and an empty signature.
    AlgNone,
    /// `alg: HS256` with the published RSA key (its PEM text) as the secret.
    HmacOverPublicKey,
    /// Properly, with these members added to the header.
    Header(Value),
}

/// An RSA key and its id.
#[derive(Debug)]
pub(super) struct SigningKey {
    kid: String,
    pair: Arc<KeyPair>,
}

/// RSA keys that pools of one process share, because making one takes a tenth of a second. Their ids are never shared, so
/// a pool does not know another's tokens all the same. Neighbouring pools, and a pool before and after a rotation, have
/// different keys; the last key is the stranger's.
static SHARED_KEYS: [Mutex<Option<Arc<KeyPair>>>; 5] = [const { Mutex::new(None) }; 5];

/// Which of them strangers sign with.
const STRANGER: usize = 4;

/// The keys of the pool: one for each kind of token, and those of before.
#[derive(Debug)]
pub(super) struct KeyRing {
    pub(super) id: SigningKey,
    pub(super) access: SigningKey,
    retired: Vec<SigningKey>,
    stranger: SigningKey,
    /// Which pair of the shared keys signs now: 0 or 1.
    turn: usize,
}

impl KeyRing {
    pub(super) fn generate() -> Outcome<Self> {
        static POOLS: AtomicUsize = AtomicUsize::new(0);
        let turn = POOLS.fetch_add(1, Ordering::Relaxed) % 2;
        let (id, access) = (SigningKey::shared(2 * turn)?, SigningKey::shared(2 * turn + 1)?);
        Ok(Self { id, access, retired: Vec::new(), stranger: SigningKey::shared(STRANGER)?, turn })
    }

    /// New keys sign from now on; the old stay published until withdrawn.
    pub(super) fn rotate(&mut self) -> Outcome {
        self.turn = 1 - self.turn;
        let (id, access) = (SigningKey::shared(2 * self.turn)?, SigningKey::shared(2 * self.turn + 1)?);
        self.retired.push(std::mem::replace(&mut self.id, id));
        self.retired.push(std::mem::replace(&mut self.access, access));
        Ok(())
    }

    pub(super) fn withdraw_retired(&mut self) {
        self.retired.clear();
    }

    pub(super) fn jwks(&self) -> Value {
        let published = [&self.id, &self.access].into_iter().chain(&self.retired);
        json!({ "keys": published.map(SigningKey::jwk).collect::<Vec<_>>() })
    }

    /// A token signed by `key`, which is one of this ring, in the given way.
    pub(super) fn sign(&self, key: &SigningKey, claims: &Value, forgery: &Forgery) -> Outcome<String> {
        let kid = &key.kid;
        match forgery {
            Forgery::None => key.sign(&json!({ "kid": kid, "alg": "RS256" }), claims),
            Forgery::StrangersKey => self.stranger.sign(&json!({ "kid": kid, "alg": "RS256" }), claims),
            Forgery::UnknownKeyId => {
                self.stranger.sign(&json!({ "kid": self.stranger.kid, "alg": "RS256" }), claims)
            }
            Forgery::NoKeyId => key.sign(&json!({ "alg": "RS256" }), claims),
            Forgery::AlgNone => Ok(format!("{}.", message(&json!({ "kid": kid, "alg": "none" }), claims))),
            Forgery::HmacOverPublicKey => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, key.public_pem()?.as_bytes());
                let message = message(&json!({ "kid": kid, "alg": "HS256" }), claims);
                let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, message.as_bytes()));
                Ok(format!("{message}.{tag}"))
            }
            Forgery::Header(members) => {
                let mut header = json!({ "kid": kid, "alg": "RS256" });
                change(&mut header, members);
                key.sign(&header, claims)
            }
        }
    }
}

impl SigningKey {
    /// The shared key of that number, made when first wanted, under an id of its own.
    fn shared(number: usize) -> Outcome<Self> {
        let place = SHARED_KEYS.get(number).ok_or_else(|| Trouble::new("no such RSA key"))?;
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = match &*place {
            Some(pair) => Arc::clone(pair),
            None => Arc::new(KeyPair::generate(KeySize::Rsa2048).while_doing("make an RSA key")?),
        };
        *place = Some(Arc::clone(&pair));
        Ok(Self { kid: key_id(), pair })
    }

    fn jwk(&self) -> Value {
        let public = self.pair.public_key();
        json!({
            "kid": self.kid, "alg": "RS256", "kty": "RSA", "use": "sig",
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        })
    }

    fn public_pem(&self) -> Outcome<String> {
        let der = self.pair.public_key().as_der().while_doing("encode a public key")?;
        let text = STANDARD.encode(der.as_ref());
        Ok(format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"))
    }

    fn sign(&self, header: &Value, claims: &Value) -> Outcome<String> {
        let message = message(header, claims);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = rand::SystemRandom::new();
        self.pair
            .sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
            .while_doing("sign a token")?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Puts members of `changes` in the place of those of `object`; null takes one away.
pub(super) fn change(object: &mut Value, changes: &Value) {
    let (Some(object), Some(changes)) = (object.as_object_mut(), changes.as_object()) else { return };
    for (name, value) in changes {
        match value {
            Value::Null => object.remove(name),
            value => object.insert(name.clone(), value.clone()),
        };
    }
}

/// `N` random bytes.
#[expect(
    clippy::expect_used,
    reason = "the operating system's random source does not fail once the process runs"
)]
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("random bytes");
    bytes
}

/// A random UUID (RFC 9562 section 5.4).
pub(super) fn uuid() -> String {
    let value = u128::from_be_bytes(random()) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let (a, b, c) = (value >> 96, (value >> 80) & 0xffff, (value >> 64) & 0xffff);
    let (d, e) = ((value >> 48) & 0xffff, value & 0xffff_ffff_ffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
}

/// A key id as Cognito's are: base64 of 32 bytes, and always one that is not safe in a path or query.
fn key_id() -> String {
    loop {
        let kid = STANDARD.encode(random::<32>());
        if kid.contains('+') && kid.contains('/') {
            return kid;
        }
    }
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}
