//! An issuer of tokens on loopback: metadata, keys that can be changed, and tokens that say whatever a test wants.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::http::{Response, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// The server that tokens are for.
pub(crate) const RESOURCE: &str = "https://mcp.acme.test/mcp";
/// A key of RSA that protects nothing: it was made for these tests, as *ring* makes none.
const RSA: &[u8] = include_bytes!("rsa.der");

/// A key that signs.
pub(crate) enum Key {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair, &'static str),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    pub(crate) fn rsa() -> Result<Self, Box<dyn Error>> {
        Ok(Self::Rsa(RsaKeyPair::from_pkcs8(RSA).map_err(|error| error.to_string())?))
    }

    pub(crate) fn p256() -> Result<Self, Box<dyn Error>> {
        Self::ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    pub(crate) fn p384() -> Result<Self, Box<dyn Error>> {
        Self::ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    }

    fn ecdsa(
        algorithm: &'static ring::signature::EcdsaSigningAlgorithm,
        curve: &'static str,
    ) -> Result<Self, Box<dyn Error>> {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| "no key was made")?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).map_err(|error| error.to_string())?;
        Ok(Self::Ecdsa(pair, curve))
    }

    pub(crate) fn ed25519() -> Result<Self, Box<dyn Error>> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| "no key was made")?;
        Ok(Self::Ed25519(Ed25519KeyPair::from_pkcs8(made.as_ref()).map_err(|error| error.to_string())?))
    }

    /// The public key of RSA as bytes that somebody may take for a shared secret.
    pub(crate) fn public(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => pair.public().as_ref().to_vec(),
            Self::Ecdsa(pair, _) => pair.public_key().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// The public key as it stands in a JWKS.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "kid": id, "use": "sig", "n": encoded(&n), "e": encoded(&e)})
            }
            Self::Ecdsa(pair, curve) => {
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "kid": id, "crv": curve, "x": encoded(x), "y": encoded(y)})
            }
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "kid": id, "crv": "Ed25519", "x": encoded(pair.public_key().as_ref())})
            }
        }
    }

    /// The signature by an algorithm; by the usual one of the key where it is none of its own.
    fn sign(&self, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let padding: &'static dyn ring::signature::RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut signature).map_err(|_| "not signed")?;
                Ok(signature)
            }
            Self::Ecdsa(pair, _) => Ok(pair.sign(&random, message).map_err(|_| "not signed")?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// A token with this header and these claims.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> Result<String, Box<dyn Error>> {
        self.token_of(&header.to_string(), &claims.to_string())
    }

    /// A token of these texts.
    pub(crate) fn token_of(&self, header: &str, claims: &str) -> Result<String, Box<dyn Error>> {
        let algorithm = serde_json::from_str::<Map<String, Value>>(header).unwrap_or_default();
        let message = format!("{}.{}", encoded(header.as_bytes()), encoded(claims.as_bytes()));
        let signature =
            self.sign(algorithm.get("alg").and_then(Value::as_str).unwrap_or_default(), message.as_bytes())?;
        Ok(format!("{message}.{}", encoded(&signature)))
    }
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The time by this machine's clock.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The documents by their paths.
    pub(crate) documents: Map<String, Value>,
    /// The paths that were asked for.
    pub(crate) log: Vec<String>,
    /// Answers with this status.
    pub(crate) status: Option<u16>,
}

/// The issuer; it ends with the test's runtime.
pub(crate) struct Issuer {
    pub(crate) url: String,
    origin: String,
    pub(crate) key: Key,
    state: Arc<Mutex<State>>,
}

impl Issuer {
    /// An issuer with a key named `first`, whose metadata is where OpenID Connect has it.
    pub(crate) async fn start(key: Key) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let handle = move |uri: Uri| async move {
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            state.log.push(uri.path().to_owned());
            let (status, body) = match (state.status, state.documents.get(uri.path())) {
                (Some(status), _) => (status, "{}".to_owned()),
                // A text is a place to go on to.
                (None, Some(Value::String(text))) => {
                    return Response::builder().status(302).header("location", text).body(Body::empty());
                }
                (None, Some(document)) => (200, document.to_string()),
                (None, None) => (404, "{}".to_owned()),
            };
            Response::builder().status(status).header("content-type", "application/json").body(Body::from(body))
        };
        let handle = move |uri: Uri| {
            let handle = handle.clone();
            async move { handle(uri).await.unwrap_or_default() }
        };
        tokio::spawn(axum::serve(listener, Router::new().fallback(handle)).into_future());
        let url = format!("{origin}/realms/data");
        let issuer = Self { url, origin, key, state };
        issuer.publish("/realms/data/.well-known/openid-configuration", issuer.metadata());
        issuer.publish("/keys", json!({"keys": [issuer.key.jwk("first")]}));
        Ok(issuer)
    }

    pub(crate) fn metadata(&self) -> Value {
        json!({"issuer": self.url, "jwks_uri": self.at("/keys")})
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a document at a path from now on.
    pub(crate) fn publish(&self, path: &str, document: Value) {
        self.state().documents.insert(path.to_owned(), document);
    }

    /// How often the keys were fetched.
    pub(crate) fn fetches(&self) -> usize {
        self.state().log.iter().filter(|path| *path == "/keys").count()
    }

    /// Claims that are in order, for these scopes.
    pub(crate) fn claims(&self, scope: &str) -> Value {
        json!({
            "iss": self.url, "aud": RESOURCE, "sub": "u-1", "email": "ada@acme.test", "scope": scope,
            "iat": now(), "nbf": now(), "exp": now() + 600,
        })
    }

    /// The algorithm that the key is for.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Rsa(_) => "RS256",
            Key::Ecdsa(_, "P-384") => "ES384",
            Key::Ecdsa(..) => "ES256",
            Key::Ed25519(_) => "EdDSA",
        }
    }

    /// A token with these claims that the issuer would sign.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, Box<dyn Error>> {
        self.key.token(&json!({"alg": self.algorithm(), "kid": "first", "typ": "at+jwt"}), claims)
    }

    /// A token in order, for these scopes.
    pub(crate) fn token(&self, scope: &str) -> Result<String, Box<dyn Error>> {
        self.sign(&self.claims(scope))
    }
}

/// Claims with one that is another, or missing where it is `null`.
pub(crate) fn with(mut claims: Value, name: &str, value: Value) -> Value {
    if let Some(object) = claims.as_object_mut() {
        object.shift_remove(name);
        if !value.is_null() {
            object.insert(name.to_owned(), value);
        }
    }
    claims
}
