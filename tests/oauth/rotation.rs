//! The keys of the issuer: found, kept, fetched again, and asked for no more often than need be.

use std::time::Duration;

use serde_json::json;

use crate::Outcome;
use crate::house::House;
use crate::issuer::{Issuer, Key};

/// Lets time pass for everything in this process but the clock of tokens.
async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn metadata_is_found_at_every_place() -> Outcome {
    let usual = "/realms/data/.well-known/openid-configuration";
    for path in [
        "/.well-known/oauth-authorization-server/realms/data",
        usual,
        "/.well-known/openid-configuration/realms/data",
        "/realms/data/.well-known/oauth-authorization-server",
    ] {
        let issuer = Issuer::start(Key::p256()?).await?;
        let metadata = issuer.metadata();
        issuer.state().documents.shift_remove(usual);
        issuer.publish(path, metadata);
        let house = House::of(&issuer, &[]).await?;
        assert_eq!(house.status(&issuer.token("databricks.read")?).await?, 200, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn metadata_that_is_not_the_issuers_own_is_not_believed() -> Outcome {
    let usual = "/realms/data/.well-known/openid-configuration";
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = async |metadata| -> Result<u16, Box<dyn std::error::Error>> {
        issuer.publish(usual, metadata);
        let house = House::of(&issuer, &[]).await?;
        let answer = house.call(&issuer.token("databricks.read")?, "list_clusters", json!({})).await?;
        assert!(answer.status == 200 || answer.header("retry-after").is_some(), "{answer:?}");
        Ok(answer.status)
    };
    let keys = issuer.at("/keys");
    issuer.publish("/moved", json!(issuer.at(usual)));
    for (metadata, expected) in [
        (json!({"issuer": issuer.url, "jwks_uri": keys}), 200),
        (json!({"issuer": format!("{}/", issuer.url), "jwks_uri": keys}), 503),
        (json!({"issuer": "https://login.acme.test", "jwks_uri": keys}), 503),
        (json!({"jwks_uri": keys}), 503),
        (json!({"issuer": issuer.url}), 503),
        (json!({"issuer": issuer.url, "jwks_uri": "http://keys.acme.test/"}), 503),
        (json!({"issuer": issuer.url, "jwks_uri": "file:///etc/passwd"}), 503),
        (json!({"issuer": issuer.url, "jwks_uri": issuer.at("/moved")}), 503),
        (json!({"issuer": issuer.url, "jwks_uri": issuer.at("/nowhere")}), 503),
        (json!([]), 503),
        (json!({"issuer": issuer.url, "jwks_uri": keys, "x": "x".repeat(600_000)}), 503),
    ] {
        let shown = metadata.to_string();
        assert_eq!(house(metadata).await?, expected, "{}", shown.get(..200).unwrap_or(&shown));
    }
    Ok(())
}

#[tokio::test]
async fn keys_that_were_set_need_no_metadata() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    issuer.state().documents.retain(|path, _| path == "/keys");
    let house = House::of(&issuer, &["--oauth-jwks", &issuer.at("/keys")]).await?;
    assert_eq!(house.status(&issuer.token("databricks.read")?).await?, 200);
    Ok(())
}

#[tokio::test]
async fn only_keys_for_signatures_count() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let jwk = |name: &str, value| crate::issuer::with(issuer.key.jwk("first"), name, value);
    for (key, expected) in [
        (jwk("use", json!("sig")), 200),
        (jwk("alg", json!("ES256")), 200),
        (jwk("key_ops", json!(["verify"])), 200),
        (jwk("use", json!("enc")), 503),
        (jwk("alg", json!("ES384")), 401),
        (jwk("key_ops", json!(["sign"])), 503),
        (jwk("crv", json!("P-384")), 503),
        (jwk("x", json!("AAAA")), 503),
        (jwk("kty", json!("oct")), 503),
    ] {
        issuer.publish("/keys", json!({"keys": [key, {"kty": "future"}, 7]}));
        let house = House::of(&issuer, &[]).await?;
        assert_eq!(house.status(&issuer.token("databricks.read")?).await?, expected, "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn a_new_key_is_fetched_and_an_old_one_goes() -> Outcome {
    let mut issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    let old = issuer.token("databricks.read")?;
    assert_eq!(house.status(&old).await?, 200);
    // The issuer changes its key, and both hold for a while.
    let (first, second) = (issuer.key.jwk("first"), Key::ed25519()?);
    issuer.key = second;
    issuer.publish("/keys", json!({"keys": [first, issuer.key.jwk("second")]}));
    let new = issuer.key.token(&json!({"alg": "EdDSA", "kid": "second"}), &issuer.claims("databricks.read"))?;
    later(11).await;
    assert_eq!((house.status(&new).await?, house.status(&old).await?), (200, 200));
    assert_eq!(issuer.fetches(), 2);
    // It withdraws the old one, which is noticed without any unknown key.
    issuer.publish("/keys", json!({"keys": [issuer.key.jwk("second")]}));
    later(601).await;
    assert_eq!(house.status(&new).await?, 200);
    for _ in 0..100 {
        if issuer.fetches() == 3 && house.status(&old).await? == 401 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!("the old key is still believed after {} fetches", issuer.fetches()).into())
}

#[tokio::test]
async fn a_key_without_a_name_is_tried() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    issuer.publish("/keys", json!({"keys": [Key::p256()?.jwk("other"), issuer.key.jwk("first")]}));
    let house = House::of(&issuer, &[]).await?;
    let token = issuer.key.token(&json!({"alg": "ES256"}), &issuer.claims("databricks.read"))?;
    assert_eq!(house.status(&token).await?, 200);
    let many: Vec<_> = (0..5)
        .map(|number| Ok(Key::p256()?.jwk(&number.to_string())))
        .collect::<Result<_, Box<dyn std::error::Error>>>()?;
    issuer.publish("/keys", json!({"keys": many}));
    let house = House::of(&issuer, &[]).await?;
    assert_eq!(house.status(&token).await?, 401);
    Ok(())
}

#[tokio::test]
async fn unknown_keys_do_not_flood_the_issuer() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    assert_eq!(house.status(&issuer.token("databricks.read")?).await?, 200);
    let before = issuer.fetches();
    let forged = |number: usize| {
        let header = json!({"alg": "ES256", "kid": format!("none-{number}")});
        issuer.key.token(&header, &issuer.claims("databricks.destructive"))
    };
    for number in 0..40 {
        let tokens = [forged(number)?, forged(number + 100)?, forged(number + 200)?];
        let (a, b, c) = tokio::join!(house.status(&tokens[0]), house.status(&tokens[1]), house.status(&tokens[2]));
        assert_eq!((a?, b?, c?), (401, 401, 401));
    }
    assert_eq!(issuer.fetches(), before, "too soon after the last");
    later(11).await;
    for number in 0..40 {
        assert_eq!(house.status(&forged(number)?).await?, 401);
    }
    assert_eq!(issuer.fetches(), before + 1);
    Ok(())
}

#[tokio::test]
async fn keys_are_kept_while_the_issuer_is_away_though_not_for_ever() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    let token = issuer.token("databricks.read")?;
    assert_eq!(house.status(&token).await?, 200);
    issuer.state().status = Some(500);
    for _ in 0..3 {
        later(3_600).await;
        assert_eq!(house.status(&token).await?, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    later(22 * 3_600).await;
    assert_eq!(house.status(&token).await?, 503);
    issuer.state().status = None;
    later(3).await;
    assert_eq!(house.status(&token).await?, 200);
    Ok(())
}

#[tokio::test]
async fn an_issuer_that_is_away_at_the_start_is_asked_again() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    issuer.state().status = Some(503);
    let house = House::of(&issuer, &[]).await?;
    let token = issuer.token("databricks.read")?;
    for _ in 0..10 {
        assert_eq!(house.status(&token).await?, 503);
    }
    let asked = issuer.state().log.len();
    assert!(asked <= 4, "each place of the metadata once: {asked}");
    issuer.state().status = None;
    later(3).await;
    assert_eq!(house.status(&token).await?, 200);
    Ok(())
}
