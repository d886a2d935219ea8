//! Tokens that are not what they seem, and other ways to be taken for somebody.

use ring::hmac;
use serde_json::{Value, json};

use crate::Outcome;
use crate::house::House;
use crate::issuer::{Issuer, Key, encoded, now, with};

#[tokio::test]
async fn every_algorithm_of_a_key_is_taken_and_no_other() -> Outcome {
    for (key, good) in [
        (Key::rsa()?, vec!["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
        (Key::p256()?, vec!["ES256"]),
        (Key::p384()?, vec!["ES384"]),
        (Key::ed25519()?, vec!["EdDSA", "Ed25519"]),
    ] {
        let issuer = Issuer::start(key).await?;
        let house = House::of(&issuer, &[]).await?;
        let claims = issuer.claims("databricks.read");
        let all = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];
        for algorithm in all.into_iter().chain(["none", "NONE", "HS256", "HS512", "ES256K", "rs256", ""]) {
            let token = issuer.key.token(&json!({"alg": algorithm, "kid": "first"}), &claims)?;
            let expected = if good.contains(&algorithm) { 200 } else { 401 };
            assert_eq!(house.status(&token).await?, expected, "{algorithm}");
            // Whatever it is said to be: a signature of nothing is none.
            let (unsigned, _) = token.rsplit_once('.').ok_or("no signature")?;
            for signature in ["", "AA"] {
                assert_eq!(house.status(&format!("{unsigned}.{signature}")).await?, 401, "{algorithm} {signature}");
            }
        }
        // A signature is for its text alone.
        let (token, other) = (issuer.token("databricks.read")?, issuer.token("databricks.destructive")?);
        let parts: Vec<_> = token.split('.').collect();
        let payload = other.split('.').nth(1).ok_or("no payload")?;
        assert_eq!(house.status(&format!("{}.{payload}.{}", parts[0], parts[2])).await?, 401);
    }
    Ok(())
}

#[tokio::test]
async fn the_public_key_is_no_shared_secret() -> Outcome {
    let issuer = Issuer::start(Key::rsa()?).await?;
    let jwk = issuer.key.jwk("first");
    // The issuer may even publish a shared secret by mistake.
    let shared = json!({"kty": "oct", "kid": "first", "alg": "HS256", "k": encoded(b"secret")});
    issuer.publish("/keys", json!({"keys": [jwk, shared]}));
    let house = House::of(&issuer, &[]).await?;
    let message = format!(
        "{}.{}",
        encoded(json!({"alg": "HS256", "kid": "first", "typ": "JWT"}).to_string().as_bytes()),
        encoded(issuer.claims("databricks.destructive").to_string().as_bytes())
    );
    let text = jwk.to_string().into_bytes();
    let modulus = jwk["n"].as_str().unwrap_or_default().as_bytes().to_vec();
    for secret in [issuer.key.public(), text, modulus, b"secret".to_vec(), Vec::new()] {
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        let answer =
            house.call(&format!("{message}.{}", encoded(signature.as_ref())), "list_clusters", json!({})).await?;
        assert_eq!(answer.status, 401);
        assert!(answer.body.contains("not signed by an algorithm that is taken here"), "{}", answer.body);
    }
    assert_eq!(house.status(&issuer.token("databricks.read")?).await?, 200);
    Ok(())
}

#[tokio::test]
async fn claims_must_be_for_this_server_by_its_issuer_and_for_now() -> Outcome {
    let issuer = Issuer::start(Key::ed25519()?).await?;
    let house = House::of(&issuer, &[]).await?;
    let good = issuer.claims("databricks.read");
    for (name, value, expected) in [
        ("aud", json!("https://mcp.acme.test/mcp/"), Ok(())),
        ("aud", json!("https://MCP.acme.test:443/mcp"), Ok(())),
        ("aud", json!(["account", "https://mcp.acme.test/mcp"]), Ok(())),
        ("aud", json!("https://mcp.acme.test"), Err("not made out for this server")),
        ("aud", json!("https://mcp.acme.test/mcp/readonly"), Err("not made out for this server")),
        ("aud", json!("http://mcp.acme.test/mcp"), Err("not made out for this server")),
        ("aud", json!("https://mcp.acme.test/MCP"), Err("not made out for this server")),
        ("aud", json!("https://mcp.acme.test/mcp?x"), Err("not made out for this server")),
        ("aud", json!("https://mcp.acme.test/mcpx"), Err("not made out for this server")),
        ("aud", json!([]), Err("not made out for this server")),
        ("aud", json!(null), Err("not made out for this server")),
        ("aud", json!({"aud": "https://mcp.acme.test/mcp"}), Err("not made out for this server")),
        ("iss", json!(format!("{}/", issuer.url)), Err("not by the issuer")),
        ("iss", json!("https://login.evil.test"), Err("not by the issuer")),
        ("iss", json!([issuer.url]), Err("not by the issuer")),
        ("iss", json!(null), Err("not by the issuer")),
        ("exp", json!(now() - 3_600), Err("has expired")),
        ("exp", json!(now() - 62), Err("has expired")),
        ("exp", json!(now() - 30), Ok(())),
        ("exp", json!(null), Err("`exp` is missing")),
        ("exp", json!("tomorrow"), Err("`exp` of the token is not a time")),
        ("exp", json!(-1), Err("`exp` of the token is not a time")),
        ("exp", json!(now() as f64 + 100.5), Ok(())),
        ("nbf", json!(now() + 3_600), Err("not valid yet")),
        ("nbf", json!(now() + 30), Ok(())),
        ("nbf", json!(true), Err("`nbf` of the token is not a time")),
        ("iat", json!(now() + 3_600), Err("issued in the future")),
        ("iat", json!(null), Ok(())),
        ("sub", json!(null), Err("`sub` is missing")),
        ("sub", json!(" "), Err("`sub` is missing")),
        ("sub", json!("a\nb"), Err("`sub` is missing")),
        ("sub", json!(17), Err("`sub` is missing")),
    ] {
        let token = issuer.sign(&with(good.clone(), name, value.clone()))?;
        let answer = house.call(&token, "list_clusters", json!({})).await?;
        match expected {
            Ok(()) => assert_eq!(answer.status, 200, "{name} {value}: {answer:?}"),
            Err(reason) => {
                assert_eq!(answer.status, 401, "{name} {value}: {answer:?}");
                assert!(answer.challenge().contains("error=\"invalid_token\""), "{answer:?}");
                assert!(answer.body.contains(reason), "{name} {value}: {answer:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_audience_that_was_set_is_the_only_one() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &["--oauth-audience", "1f0c-application"]).await?;
    let good = issuer.claims("databricks.read");
    assert_eq!(house.status(&issuer.sign(&with(good.clone(), "aud", json!("1f0c-application")))?).await?, 200);
    assert_eq!(house.status(&issuer.sign(&with(good.clone(), "aud", json!("1F0C-application")))?).await?, 401);
    assert_eq!(house.status(&issuer.sign(&good)?).await?, 401);
    Ok(())
}

#[tokio::test]
async fn what_is_no_clean_jwt_is_refused() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    let header = json!({"alg": "ES256", "kid": "first"}).to_string();
    let claims = issuer.claims("databricks.read").to_string();
    let good = issuer.key.token_of(&header, &claims)?;
    assert_eq!(house.status(&good).await?, 200);
    let doubled = claims.replacen('{', r#"{"scope":"databricks.destructive","#, 1);
    let escaped = claims.replacen('{', r#"{"\u0061ud":"x","#, 1);
    let deep = claims.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(4_000), "]".repeat(4_000)), 1);
    let signed = |header: &str, claims: &str| issuer.key.token_of(header, claims);
    let evil = Key::p256()?;
    let own = json!({"alg": "ES256", "jwk": evil.jwk("first"), "jku": "https://evil.test/keys", "kid": "first"});
    for token in [
        signed(&header, &doubled)?,
        signed(&header, &escaped)?,
        signed(&header, &deep)?,
        signed(&header, "[]")?,
        signed(&header, "")?,
        signed(r#"{"alg":"ES256","kid":"first","alg":"ES256"}"#, &claims)?,
        signed(r#"{"alg":"ES256","kid":"first","crit":["b64"],"b64":false}"#, &claims)?,
        signed(r#"{"alg":"ES256","kid":"first","crit":[]}"#, &claims)?,
        signed(r#"{"alg":"ES256","kid":"first","typ":"dpop+jwt"}"#, &claims)?,
        signed(r#"{"alg":"ES256","kid":"first","typ":7}"#, &claims)?,
        signed(r#"{"alg":"ES256","kid":7}"#, &claims)?,
        signed(r#"{"alg":["ES256"],"kid":"first"}"#, &claims)?,
        signed(r#"{"kid":"first"}"#, &claims)?,
        evil.token(&own, &issuer.claims("databricks.read"))?,
        evil.token_of(&header, &claims)?,
        format!("{good}."),
        format!("{good}.x"),
        format!("{good}="),
        format!(".{good}"),
        good.replace('.', ".."),
        format!("{good}{}", "A".repeat(17 << 10)),
        "a.b.c.d.e".to_owned(),
    ] {
        let answer = house.call(&token, "list_clusters", json!({})).await?;
        let shown = token.get(..80).unwrap_or(&token);
        assert_eq!(answer.status, 401, "{shown}: {answer:?}");
        assert!(token.len() < 20 || !answer.body.contains(shown), "the token is repeated: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_comes_in_one_header_only() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    let token = issuer.token("databricks.destructive")?;
    let (good, call) = (format!("Authorization: Bearer {token}"), json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
    let status = async |line: &str, lines: &[&str]| -> Result<u16, Box<dyn std::error::Error>> {
        Ok(house.send(line, &[lines, &["MCP-Protocol-Version: 2025-11-25"]].concat(), &call.to_string()).await?.status)
    };
    assert_eq!(status("POST /mcp", &[&good]).await?, 200);
    assert_eq!(status("POST /mcp", &[&format!("authorization: bearer  {token}")]).await?, 200);
    for (line, lines) in [
        (format!("POST /mcp?access_token={token}"), vec![]),
        ("POST /mcp".to_owned(), vec![&*good, &*good]),
        ("POST /mcp".to_owned(), vec![&*good, "Authorization: Basic eDp5"]),
        ("POST /mcp".to_owned(), vec!["Authorization: Bearer"]),
    ] {
        assert_eq!(status(&line, &lines).await?, 401, "{line} {lines:?}");
    }
    for name in ["X-Forwarded-Access-Token", "X-Forwarded-User", "X-Forwarded-Email", "X-Databricks-Token", "Cookie"] {
        assert_eq!(status("POST /mcp", &[&format!("{name}: {token}")]).await?, 401, "{name}");
    }
    let scheme = format!("Authorization: DPoP {token}");
    assert_eq!(status("POST /mcp", &[&scheme]).await?, 401);
    let joined = format!("Authorization: Bearer {token}, Bearer {token}");
    assert_eq!(status("POST /mcp", &[&joined]).await?, 401);
    Ok(())
}

/// Beside a token, headers of a proxy change nobody.
#[tokio::test]
async fn headers_of_a_proxy_are_believed_in_no_mode_but_its_own() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    let good = format!("Authorization: Bearer {}", issuer.token("databricks.read")?);
    let spoofed =
        [&*good, "X-Forwarded-User: root", "X-Forwarded-Email: root@acme.test", "X-Forwarded-Access-Token: x"];
    assert_eq!(house.call_with(&spoofed, "list_clusters", json!({})).await?.status, 200);
    assert_eq!(house.call_with(&spoofed, "delete_job", json!({"job_id": "1"})).await?.status, 403);
    // A proxy's word about the host does not change what the metadata says.
    let lines = ["X-Forwarded-Host: evil.test", "X-Forwarded-Proto: http", "Forwarded: host=evil.test"];
    let metadata = house.send("GET /.well-known/oauth-protected-resource", &lines, "").await?;
    assert_eq!(metadata.json()["resource"], "https://mcp.acme.test/mcp");
    Ok(())
}

#[tokio::test]
async fn a_session_is_for_its_owner() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    let token = |subject: &str| issuer.sign(&with(issuer.claims("databricks.read"), "sub", json!(subject)));
    let (ada, eve) = (token("ada")?, token("eve")?);
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let opened = house.send("POST /mcp", &[&format!("Authorization: Bearer {ada}")], &hello.to_string()).await?;
    let session = format!("Mcp-Session-Id: {}", opened.header("mcp-session-id").ok_or("no session")?);
    let ping = async |token: &str, body: Value| -> Result<u16, Box<dyn std::error::Error>> {
        let lines = [&*format!("Authorization: Bearer {token}"), &session, "MCP-Protocol-Version: 2025-11-25"];
        Ok(house.send("POST /mcp", &lines, &body.to_string()).await?.status)
    };
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(ping(&ada, initialized).await?, 202);
    let request = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
    assert_eq!(ping(&ada, request.clone()).await?, 200);
    assert_eq!(ping(&eve, request.clone()).await?, 404);
    let lines = [&*format!("Authorization: Bearer {eve}"), &session, "Accept: text/event-stream"];
    assert_eq!(house.send("GET /mcp", &lines, "").await?.status, 404);
    house.send("DELETE /mcp", &lines, "").await?;
    // Nor does it stand for the token of its owner.
    let bare = house.send("POST /mcp", &[&session], &request.to_string()).await?;
    assert_eq!(bare.status, 401);
    assert_eq!(ping(&ada, request).await?, 200, "it is still there");
    Ok(())
}
