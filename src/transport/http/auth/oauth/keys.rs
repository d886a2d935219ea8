//! The keys of an issuer (RFC 7517), and the signatures that they verify (RFC 7515).
//!
//! The algorithm is pinned by the type of the key: a key for RSA verifies nothing but signatures of RSA, whatever a token
//! says. What needs a shared secret (`HS256` and its like) and what is not signed (`none`) has no place here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Map, Value};

use super::json;

/// An issuer has a handful; one of more is not waited for.
const MOST_KEYS: usize = 128;
/// A token that names no key is tried with so many.
const MOST_TRIED: usize = 4;

/// A way of signing.
#[derive(Debug)]
pub(super) struct Algorithm {
    name: &'static str,
    kind: Kind,
    means: Means,
}

/// A type of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

#[derive(Debug)]
enum Means {
    Rsa(&'static RsaParameters),
    Curve(&'static dyn VerificationAlgorithm),
}

static ALGORITHMS: [Algorithm; 10] = [
    Algorithm { name: "RS256", kind: Kind::Rsa, means: Means::Rsa(&RSA_PKCS1_2048_8192_SHA256) },
    Algorithm { name: "RS384", kind: Kind::Rsa, means: Means::Rsa(&RSA_PKCS1_2048_8192_SHA384) },
    Algorithm { name: "RS512", kind: Kind::Rsa, means: Means::Rsa(&RSA_PKCS1_2048_8192_SHA512) },
    Algorithm { name: "PS256", kind: Kind::Rsa, means: Means::Rsa(&RSA_PSS_2048_8192_SHA256) },
    Algorithm { name: "PS384", kind: Kind::Rsa, means: Means::Rsa(&RSA_PSS_2048_8192_SHA384) },
    Algorithm { name: "PS512", kind: Kind::Rsa, means: Means::Rsa(&RSA_PSS_2048_8192_SHA512) },
    Algorithm { name: "ES256", kind: Kind::P256, means: Means::Curve(&ECDSA_P256_SHA256_FIXED) },
    Algorithm { name: "ES384", kind: Kind::P384, means: Means::Curve(&ECDSA_P384_SHA384_FIXED) },
    Algorithm { name: "EdDSA", kind: Kind::Ed25519, means: Means::Curve(&ED25519) },
    // The same by the name that RFC 9864 gives it.
    Algorithm { name: "Ed25519", kind: Kind::Ed25519, means: Means::Curve(&ED25519) },
];

impl Algorithm {
    /// The algorithm of this name, if signatures by it are taken.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        ALGORITHMS.iter().find(|algorithm| algorithm.name == name)
    }

    /// The names of all.
    pub(super) fn names() -> String {
        ALGORITHMS.iter().map(|algorithm| algorithm.name).collect::<Vec<_>>().join(", ")
    }
}

/// What is said to be signed, and by which key.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    pub(super) algorithm: &'static Algorithm,
    pub(super) key: Option<&'a str>,
    pub(super) message: &'a [u8],
    pub(super) signature: &'a [u8],
}

/// What a set of keys makes of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// One of the keys has made it.
    Good,
    /// None of them has, and newer keys will not change that: why.
    Bad(&'static str),
    /// The key is not among these; it may be among newer ones.
    Unknown,
}

/// The keys of an issuer that verify signatures.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, if it says one.
    algorithm: Option<String>,
    kind: Kind,
    /// The modulus of RSA, else the public key.
    value: Vec<u8>,
    /// The exponent of RSA.
    exponent: Vec<u8>,
}

impl KeySet {
    /// Reads a JWKS document. Keys of other types and for other uses are left out.
    ///
    /// # Errors
    /// For what is no such document, and where no key is left.
    pub(super) fn read(document: &[u8]) -> Result<Self, String> {
        let document = json::object(document).map_err(|error| format!("it cannot be read: {error}"))?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or("it has no list of `keys`")?;
        if keys.len() > MOST_KEYS {
            return Err(format!("it has {} keys, and {MOST_KEYS} are the most", keys.len()));
        }
        let keys: Vec<_> = keys.iter().filter_map(|key| Key::read(key.as_object()?)).collect();
        if keys.is_empty() {
            return Err(format!("it has no key for signatures by any of {}", Algorithm::names()));
        }
        Ok(Self { keys })
    }

    /// Whether one of the keys has signed this.
    pub(super) fn verify(&self, signed: &Signed<'_>) -> Verdict {
        let fits = |key: &&Key| key.fits(signed.algorithm);
        let Some(id) = signed.key else {
            let fitting: Vec<_> = self.keys.iter().filter(fits).collect();
            return match fitting.len() > MOST_TRIED {
                true => {
                    Verdict::Bad("the token does not say by `kid` which key has signed it, and the issuer has many")
                }
                false if fitting.iter().any(|key| key.verifies(signed)) => Verdict::Good,
                false => Verdict::Unknown,
            };
        };
        let mut named = self.keys.iter().filter(|key| key.id.as_deref() == Some(id)).peekable();
        if named.peek().is_none() {
            return Verdict::Unknown;
        }
        let mut fitting = named.filter(fits).take(MOST_TRIED).peekable();
        if fitting.peek().is_none() {
            return Verdict::Bad("the key that the token names is not for the algorithm that it names");
        }
        match fitting.any(|key| key.verifies(signed)) {
            true => Verdict::Good,
            false => Verdict::Bad("the signature of the token is not by the key that it names"),
        }
    }
}

impl Key {
    fn read(key: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if let Some(operations) = key.get("key_ops")
            && !operations.as_array()?.iter().any(|operation| operation == "verify")
        {
            return None;
        }
        let coordinate = |name: &str, length: usize| bytes(name).filter(|bytes| bytes.len() == length);
        let point = |length: usize| Some([vec![4], coordinate("x", length)?, coordinate("y", length)?].concat());
        let (kind, value) = match (text("kty")?, text("crv")) {
            ("RSA", _) => (Kind::Rsa, number(bytes("n")?)),
            ("EC", Some("P-256")) => (Kind::P256, point(32)?),
            ("EC", Some("P-384")) => (Kind::P384, point(48)?),
            ("OKP", Some("Ed25519")) => (Kind::Ed25519, coordinate("x", 32)?),
            _ => return None,
        };
        let exponent = if kind == Kind::Rsa { number(bytes("e")?) } else { Vec::new() };
        Some(Self {
            id: text("kid").map(str::to_owned),
            algorithm: text("alg").map(str::to_owned),
            kind,
            value,
            exponent,
        })
    }

    fn fits(&self, algorithm: &Algorithm) -> bool {
        let is_same = |name: &str| Algorithm::named(name).is_some_and(|known| known.name == algorithm.name);
        let is_edwards = self.kind == Kind::Ed25519;
        // Its two names are the same algorithm.
        self.kind == algorithm.kind && (is_edwards || self.algorithm.as_deref().is_none_or(is_same))
    }

    fn verifies(&self, signed: &Signed<'_>) -> bool {
        match signed.algorithm.means {
            Means::Rsa(parameters) => RsaPublicKeyComponents { n: &self.value, e: &self.exponent }
                .verify(parameters, signed.message, signed.signature)
                .is_ok(),
            Means::Curve(algorithm) => {
                UnparsedPublicKey::new(algorithm, &self.value).verify(signed.message, signed.signature).is_ok()
            }
        }
    }
}

/// A number without the zeros before it, which some issuers write.
fn number(bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.into_iter().skip(zeros).collect()
}
