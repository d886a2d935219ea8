//! Transfers of files of volumes past the API: links that are signed, and uploads in parts.
//!
//! A link leads to the sandbox's own storage, which stands for that of a cloud: it takes no Authorization header, and
//! nothing after the link's expiry. Derived: an upload can be completed for as long as the sandbox lives.

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde_json::{Value, json};

use super::volumes;
use crate::error::ApiError;
use crate::ids::mix;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, public, route};
use crate::store::Kind;
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/api/2.0/fs/create-download-url", download_url),
    route("POST", "/api/2.0/fs/create-upload-url", upload_url),
    route("POST", "/api/2.0/fs/create-upload-part-urls", part_urls),
    route("POST", "/api/2.0/fs/files{*path}", multipart),
    public("GET", "/sandbox-storage/files/{link}", get),
    public("PUT", "/sandbox-storage/files/{link}", put),
];

/// Links without an expiry of their own last so long; longer ones are cut.
const LIFE: i64 = 3_600_000;
const MOST_PARTS: i64 = 100;

const LINKS: Kind = Kind { name: "links", missing: |_| ApiError::not_found("The link leads nowhere.") };

/// The parts of an upload by number.
type Parts = BTreeMap<i64, (String, Bytes)>;

#[derive(Debug)]
struct Upload {
    path: String,
    parts: Parts,
}

/// Uploads under way, by session.
#[derive(Debug, Default)]
pub(crate) struct Uploads(BTreeMap<String, Upload>);

/// What a request asks for, wherever it says so: clients of either age use the query or the body.
fn asked(request: &Request, name: &str) -> Result<Option<String>, ApiError> {
    match request.query(name) {
        Some(value) => Ok(Some(value.to_owned())),
        None => Ok(request.fields()?.text(name)?.map(str::to_owned)),
    }
}

fn expiry(workspace: &Workspace, request: &Request) -> Result<i64, ApiError> {
    let latest = workspace.clock.now() + LIFE;
    let Some(text) = asked(request, "expire_time")? else { return Ok(latest) };
    let wrong =
        |_| ApiError::invalid_parameter(format!("Could not parse '{text}' as a timestamp for field expire_time"));
    let asked = text.parse::<jiff::Timestamp>().map_err(wrong)?.as_millisecond();
    // Clients reckon by the real clock; the sandbox has its own.
    let real = jiff::Timestamp::now().as_millisecond();
    Ok((workspace.clock.now() + asked - real).min(latest))
}

/// Makes a link to a file, for one method.
fn link(workspace: &Workspace, method: &str, path: &str, expires: i64, more: Value) -> Value {
    let id = workspace.ids.uuid().replace('-', "");
    let signature = workspace.ids.uuid().replace('-', "");
    let mut link = json!({"method": method, "path": path, "expires": expires, "signature": signature});
    link.merge(more.as_object().cloned().unwrap_or_default());
    LINKS.put(workspace, &id, link);
    let url = format!(
        "{}/sandbox-storage/files/{id}?X-Amz-Expires={}&X-Amz-Signature={signature}",
        workspace.url(),
        LIFE / 1000
    );
    json!({"url": url, "headers": []})
}

fn download_url(workspace: &Workspace, request: &Request) -> Outcome {
    let path = volumes::checked(workspace, &asked(request, "path")?.unwrap_or_default())?;
    volumes::file(workspace, &path)?;
    Ok(Reply::json(link(workspace, "GET", &path, expiry(workspace, request)?, json!({}))))
}

fn upload_url(workspace: &Workspace, request: &Request) -> Outcome {
    let path = volumes::checked(workspace, &asked(request, "path")?.unwrap_or_default())?;
    let mut reply = link(workspace, "PUT", &path, expiry(workspace, request)?, json!({}));
    reply.set("headers", json!([{"name": "x-amz-server-side-encryption", "value": "AES256"}]));
    Ok(Reply::json(reply))
}

/// The session that a body or query names, and that is of this file.
fn session<T>(
    workspace: &Workspace,
    token: &str,
    path: &str,
    body: impl FnOnce(&mut Uploads) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut uploads = lock(&workspace.uploads);
    match uploads.0.get(token) {
        Some(upload) if upload.path == path => body(&mut uploads),
        _ => Err(ApiError::not_found("The upload session does not exist or has ended")),
    }
}

fn part_urls(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let path = volumes::checked(workspace, fields.required_text("path")?)?;
    let token = fields.required_text("session_token")?;
    session(workspace, token, &path, |_| Ok(()))?;
    let (first, count) = (fields.required_integer("start_part_number")?, fields.integer("count")?.unwrap_or(1));
    if !(1..=MOST_PARTS).contains(&count) || !(1..=10_000).contains(&first) {
        return Err(ApiError::invalid_parameter("Part numbers start at 1, and 100 links can be asked for at once"));
    }
    let expires = expiry(workspace, request)?;
    let urls = (first..first + count).map(|part| {
        let mut url = link(workspace, "PUT", &path, expires, json!({"session": token, "part": part}));
        url.set("part_number", part);
        url
    });
    Ok(Reply::json(json!({"upload_part_urls": urls.collect::<Vec<_>>()})))
}

/// The steps of an upload in parts, by the `action` that the query names.
fn multipart(workspace: &Workspace, request: &Request) -> Outcome {
    let path = volumes::path(workspace, request)?;
    let token = request.query("session_token").unwrap_or_default();
    match request.required_query("action")? {
        "initiate-upload" => {
            let overwrite = request.query_flag("overwrite")?;
            volumes::check_free(workspace, &path, overwrite)?;
            let token = workspace.ids.uuid();
            lock(&workspace.uploads).0.insert(token.clone(), Upload { path, parts: Parts::new() });
            Ok(Reply::json(json!({"multipart_upload": {"session_token": token}})))
        }
        "complete-upload" => {
            let fields = request.fields()?;
            let content = session(workspace, token, &path, |uploads| assemble(uploads, token, &fields))?;
            lock(&workspace.files).put(&path, content, workspace.clock.now());
            Ok(Reply::nothing())
        }
        "abort-upload" => session(workspace, token, &path, |uploads| {
            uploads.0.remove(token);
            Ok(Reply::nothing())
        }),
        action => Err(ApiError::invalid_parameter(format!("Unknown action: {action}"))),
    }
}

/// The parts that a client names, one behind the other.
fn assemble(uploads: &mut Uploads, token: &str, fields: &Fields) -> Result<Vec<u8>, ApiError> {
    let named = fields.array("parts")?;
    let upload = uploads.0.get(token).filter(|_| !named.is_empty());
    let upload = upload.ok_or_else(|| ApiError::missing_field("parts"))?;
    let mut content = Vec::new();
    for part in named {
        let number = part.at("part_number").as_i64().unwrap_or(0);
        match upload.parts.get(&number) {
            Some((etag, bytes)) if etag == part.text_at("etag") => content.extend_from_slice(bytes),
            _ => {
                return Err(ApiError::invalid_parameter(format!(
                    "Part {number} was not uploaded, or has another etag"
                )));
            }
        }
    }
    uploads.0.remove(token);
    Ok(content)
}

/// The link that a request follows, or why it is refused.
fn followed(workspace: &Workspace, request: &Request, method: &str) -> Result<Value, Reply> {
    if request.headers.contains_key("authorization") {
        return Err(Reply::of_storage(
            400,
            "InvalidArgument",
            "Only one auth mechanism allowed: the signature of the link or the Authorization header",
        ));
    }
    let link = LINKS.find(workspace, request.parameter("link"));
    let link = link.ok_or_else(|| Reply::of_storage(404, "NoSuchKey", "The specified key does not exist."))?;
    let is_signed = request.query("X-Amz-Signature") == link.at("signature").as_str();
    if !is_signed || link.text_at("method") != method {
        return Err(Reply::of_storage(
            403,
            "SignatureDoesNotMatch",
            "The request signature does not match the signature provided.",
        ));
    }
    if workspace.clock.now() >= link.at("expires").as_i64().unwrap_or(0) {
        return Err(Reply::of_storage(403, "AccessDenied", "Request has expired"));
    }
    Ok(link)
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let link = match followed(workspace, request, "GET") {
        Ok(link) => link,
        Err(refusal) => return Ok(refusal),
    };
    match volumes::file(workspace, link.text_at("path")) {
        Ok(file) => volumes::content(&file, &request.headers),
        Err(_) => Ok(Reply::of_storage(404, "NoSuchKey", "The specified key does not exist.")),
    }
}

fn put(workspace: &Workspace, request: &Request) -> Outcome {
    let link = match followed(workspace, request, "PUT") {
        Ok(link) => link,
        Err(refusal) => return Ok(refusal),
    };
    let hash = request.body.iter().fold(mix(1), |hash, byte| mix(hash ^ u64::from(*byte)));
    let etag = format!("\"{hash:016x}\"");
    let path = link.text_at("path");
    match link.at("part").as_i64() {
        None => lock(&workspace.files).put(path, request.body.clone(), workspace.clock.now()),
        Some(part) => {
            let mut uploads = lock(&workspace.uploads);
            let Some(upload) = uploads.0.get_mut(link.text_at("session")) else {
                return Ok(Reply::of_storage(404, "NoSuchUpload", "The specified upload does not exist."));
            };
            upload.parts.insert(part, (etag.clone(), request.body.clone()));
        }
    }
    Ok(Reply::bytes("application/xml", "").with_header("etag", etag))
}
