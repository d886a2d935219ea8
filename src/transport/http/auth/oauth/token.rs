//! Access tokens as JWTs (RFC 7519, RFC 9068): their form, and what their claims must say.
//!
//! A token is cut up and its signature is verified (`keys`) before its claims are looked at. Reasons tell a developer what is
//! wrong, and repeat nothing of the token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::json;
use super::keys::{Algorithm, Signed};

/// Longer tokens are refused; those with hundreds of groups have some 8 KiB.
const MOST_BYTES: usize = 16 << 10;
/// How far the clocks of two machines may be apart, in seconds.
const LEEWAY: f64 = 60.0;
/// Longer subjects are refused: OpenID Connect allows 255 characters.
const MOST_SUBJECT_BYTES: usize = 1 << 10;
/// Longer names of callers are cut.
const MOST_NAME_CHARACTERS: usize = 128;
/// The claims that may tell people who it is.
const NAMES: [&str; 3] = ["email", "preferred_username", "upn"];

/// A token that was cut up, and of which nothing is proved yet.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    algorithm: &'static Algorithm,
    key: Option<String>,
    message: &'a [u8],
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// Cuts a token up.
    ///
    /// # Errors
    /// For what is no signed JWT, and for one that is signed in a way that is not taken.
    pub(super) fn of(token: &'a str) -> Result<Self, String> {
        if token.len() > MOST_BYTES {
            return Err(format!("the token is longer than {} KiB", MOST_BYTES >> 10));
        }
        let no_jwt = || "the token is not a JWT: three parts in base64url, separated by dots".to_owned();
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(no_jwt());
        };
        let message = token.get(..header.len() + 1 + payload.len()).ok_or_else(no_jwt)?.as_bytes();
        let decoded = URL_SAFE_NO_PAD.decode(header).map_err(|_| no_jwt())?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| no_jwt())?;
        let header = json::object(&decoded)
            .map_err(|_| "the header of the token is not a JSON object with unique names".to_owned())?;
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(format!("`{name}` in the header of the token is not text")),
        };
        if header.contains_key("crit") {
            return Err("the header of the token has `crit`, and no extension is known here".to_owned());
        }
        if !text("typ")?.is_none_or(is_type) {
            return Err("`typ` of the token is neither `at+jwt` nor `JWT`".to_owned());
        }
        let algorithm = text("alg")?.and_then(Algorithm::named).ok_or_else(|| {
            format!("the token is not signed by an algorithm that is taken here: {}", Algorithm::names())
        })?;
        Ok(Self { algorithm, key: text("kid")?.map(str::to_owned), message, payload, signature })
    }

    /// What is to be verified.
    pub(super) fn signed(&self) -> Signed<'_> {
        Signed {
            algorithm: self.algorithm,
            key: self.key.as_deref(),
            message: self.message,
            signature: &self.signature,
        }
    }

    /// The claims, once the signature is verified.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, String> {
        let wrong = || "the claims of the token are not a JSON object with unique names".to_owned();
        json::object(&URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| wrong())?).map_err(|_| wrong())
    }
}

fn is_type(text: &str) -> bool {
    ["at+jwt", "application/at+jwt", "jwt", "application/jwt"].iter().any(|known| text.eq_ignore_ascii_case(known))
}

/// For whom tokens must be made out, and by whom.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) issuer: String,
    pub(super) audience: Audience,
}

/// For whom tokens must be made out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// The URL of this server as it is compared (RFC 8707).
    Resource(String),
    /// Whatever the issuer calls this server.
    Named(String),
}

impl Audience {
    fn is(&self, audience: &str) -> bool {
        match self {
            Self::Named(name) => audience == name,
            Self::Resource(url) => comparable(audience).is_some_and(|audience| audience == *url),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Resource(text) | Self::Named(text) => text,
        }
    }
}

/// A URL of a resource as it is compared: scheme and host in lower case, no default port, no slash at the end. Clients and
/// issuers write all of these. `None` for what is no `http` URL, and for one with a query or a fragment.
pub(super) fn comparable(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    if rest.contains(['?', '#', '@', '\\', '"']) || rest.contains(|character: char| !character.is_ascii_graphic()) {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.to_ascii_lowercase();
    let authority = authority.strip_suffix(default).unwrap_or(&authority);
    (!authority.is_empty()).then(|| format!("{scheme}://{authority}{}", path.trim_end_matches('/')))
}

/// What a token says of its caller.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) subject: String,
    /// For records; it need not be unique, and some issuers let people choose it.
    pub(super) name: String,
    /// What the issuer has let the client do.
    pub(super) scopes: Vec<String>,
    pub(super) claims: Map<String, Value>,
}

impl Caller {
    /// Whom claims are about, where they hold now, in seconds since 1970.
    ///
    /// # Errors
    /// Where they are not for this server, not by its issuer, or not for this time.
    pub(super) fn of(claims: Map<String, Value>, expected: &Expected, now: f64) -> Result<Self, String> {
        if claims.get("iss").and_then(Value::as_str) != Some(&expected.issuer) {
            return Err(format!("the token is not by the issuer `{}`: see its claim `iss`", expected.issuer));
        }
        let audience = &expected.audience;
        let is_for_us = match claims.get("aud") {
            Some(Value::String(text)) => audience.is(text),
            Some(Value::Array(list)) => list.iter().any(|item| item.as_str().is_some_and(|text| audience.is(text))),
            _ => false,
        };
        if !is_for_us {
            return Err(format!(
                "the token is not made out for this server: its claim `aud` must be or have `{}`",
                audience.text()
            ));
        }
        let time = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => {
                let seconds = value.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
                seconds.map(Some).ok_or_else(|| format!("the claim `{name}` of the token is not a time"))
            }
        };
        let end = time("exp")?.ok_or("the token has no end: the claim `exp` is missing")?;
        if now >= end + LEEWAY {
            return Err("the token has expired".to_owned());
        }
        if time("nbf")?.is_some_and(|start| start > now + LEEWAY) {
            return Err("the token is not valid yet: see its claim `nbf`, and the clocks".to_owned());
        }
        if time("iat")?.is_some_and(|start| start > now + LEEWAY) {
            return Err("the token was issued in the future: see its claim `iat`, and the clocks".to_owned());
        }
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        if subject.trim().is_empty() || subject.len() > MOST_SUBJECT_BYTES || subject.contains(char::is_control) {
            return Err(
                "the token does not say whose it is: the claim `sub` is missing, or is no usable text".to_owned()
            );
        }
        let named =
            NAMES.iter().find_map(|name| claims.get(*name)?.as_str().map(shown).filter(|name| !name.is_empty()));
        Ok(Self {
            subject: subject.to_owned(),
            name: named.unwrap_or_else(|| shown(subject)),
            scopes: scopes(&claims),
            claims,
        })
    }
}

/// The scopes: `scope` has them as one text, `scp` as that or as a list. A token that an application has got for itself has
/// neither at Entra ID, but what the application may do in `roles`.
fn scopes(claims: &Map<String, Value>) -> Vec<String> {
    let of = |value: &Value| -> Vec<String> {
        match value {
            Value::String(text) => text.split_ascii_whitespace().map(str::to_owned).collect(),
            Value::Array(list) => list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        }
    };
    let given: Vec<_> = ["scope", "scp"].iter().filter_map(|name| claims.get(*name)).collect();
    match given.is_empty() {
        true => claims.get("roles").filter(|roles| roles.is_array()).map(of).unwrap_or_default(),
        false => given.into_iter().flat_map(of).collect(),
    }
}

/// A name as it may stand in a record: nothing that moves a cursor or turns text around.
fn shown(name: &str) -> String {
    let turns = |character: char| matches!(character, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = name.chars().filter(|character| !character.is_control() && !turns(*character));
    plain.take(MOST_NAME_CHARACTERS).collect::<String>().trim().to_owned()
}
