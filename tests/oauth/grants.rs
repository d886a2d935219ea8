//! `--grants`: what the rules of a file leave to callers, by their groups, scopes and names.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Outcome;
use crate::house::House;
use crate::issuer::{Issuer, Key, with};

const RULES: &str = "\
group_claims: [groups, realm_access.roles]
rules:
  - principal: u-robot
    tools: [list_clusters, start_cluster]
    ceiling: write
  - group: [analysts, interns]
    read_only: true
    toolsets: [sql, jobs]
  - group: engineers
    scope: databricks.write
    ceiling: write
default:
  toolsets: [compute]
  ceiling: read
";

async fn house(issuer: &Issuer, rules: &Path) -> Result<House, Box<dyn Error>> {
    House::of(issuer, &["--grants", rules.to_str().ok_or("a path that is not text")?]).await
}

#[tokio::test]
async fn the_first_rule_that_fits_decides() -> Outcome {
    let folder = tempfile::tempdir()?;
    let rules = folder.path().join("grants.yaml");
    std::fs::write(&rules, RULES)?;
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = house(&issuer, &rules).await?;
    let token = |scope: &str, name: &str, value: Value| issuer.sign(&with(issuer.claims(scope), name, value));
    let all = "databricks.destructive";

    let robot = token(all, "sub", json!("u-robot"))?;
    assert_eq!(house.tools(&robot, "/mcp").await?, ["list_clusters", "start_cluster"]);
    assert_eq!(house.tools(&robot, "/mcp/readonly").await?, ["list_clusters"], "a path takes away more");

    let analyst = token(all, "groups", json!(["all", "analysts"]))?;
    let tools = house.tools(&analyst, "/mcp").await?;
    assert!(tools.contains(&"list_jobs".to_owned()), "{tools:?}");
    assert!(!tools.contains(&"delete_job".to_owned()) && !tools.contains(&"list_clusters".to_owned()), "{tools:?}");
    let refused = house.call(&analyst, "delete_job", json!({"job_id": "1"})).await?;
    assert!(refused.status != 200 || refused.json()["error"].is_object(), "{refused:?}");

    // A nested claim; the rule wants group and scope.
    let engineer = |scope| token(scope, "realm_access", json!({"roles": ["engineers"]}));
    assert_eq!(
        house.call(&engineer("databricks.write")?, "start_cluster", json!({"cluster_id": "x"})).await?.status,
        200
    );
    let tools = house.tools(&engineer("databricks.read")?, "/mcp").await?;
    assert!(tools.contains(&"list_clusters".to_owned()) && !tools.contains(&"list_jobs".to_owned()), "{tools:?}");

    // Where the rule allows no more, no token would help, and none is asked for; where the token does, one is.
    let delete = json!({"job_id": "1"});
    let by_rule = house.call(&engineer("databricks.write databricks.destructive")?, "delete_job", delete).await?;
    assert_eq!((by_rule.status, by_rule.header("www-authenticate")), (403, None), "{by_rule:?}");
    let robot = issuer.sign(&with(issuer.claims("databricks.read"), "sub", json!("u-robot")))?;
    let by_token = house.call(&robot, "start_cluster", json!({"cluster_id": "x"})).await?;
    assert!(by_token.status == 403 && by_token.challenge().contains("insufficient_scope"), "{by_token:?}");

    // Of somebody whose groups are not in the token, it is not known whether they are interns.
    let many = token(all, "_claim_names", json!({"groups": "src1"}))?;
    let refused = house.call(&many, "list_clusters", json!({})).await?;
    assert!(refused.status == 403 && refused.body.contains("too many"), "{refused:?}");
    // A rule gives no scope.
    assert_eq!(house.status(&token("openid", "groups", json!(["analysts"]))?).await?, 403);
    Ok(())
}

#[tokio::test]
async fn without_a_default_everybody_else_is_refused_and_changes_are_noticed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let rules = folder.path().join("grants.yaml");
    std::fs::write(&rules, "rules: [{group: admins}]")?;
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = house(&issuer, &rules).await?;
    let admin = issuer.sign(&with(issuer.claims("databricks.read"), "groups", json!(["admins"])))?;
    let other = issuer.token("databricks.read")?;
    assert_eq!((house.status(&admin).await?, house.status(&other).await?), (200, 403));
    // What cannot be read changes nothing.
    std::fs::write(&rules, "rules: [{groop: others}]")?;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!((house.status(&admin).await?, house.status(&other).await?), (200, 403));
    std::fs::write(&rules, "rules: [{group: others}]\ndefault: {read_only: true}")?;
    let start = Instant::now();
    while house.status(&other).await? != 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "the change is not noticed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Some issuers know no scopes but their own.
#[tokio::test]
async fn scopes_of_the_issuer_can_stand_for_those_of_the_server() -> Outcome {
    let folder = tempfile::tempdir()?;
    let rules = folder.path().join("grants.yaml");
    std::fs::write(&rules, "scopes: {all-apis: write, sql: read}\ndefault: {}")?;
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = house(&issuer, &rules).await?;
    assert_eq!(house.status(&issuer.token("offline_access all-apis")?).await?, 200);
    let refused = house.call(&issuer.token("databricks.destructive")?, "list_clusters", json!({})).await?;
    assert!(refused.status == 403 && refused.challenge().ends_with("scope=\"sql\""), "{refused:?}");
    let more = house.call(&issuer.token("sql")?, "start_cluster", json!({"cluster_id": "x"})).await?;
    assert!(more.status == 403 && more.challenge().ends_with("scope=\"sql all-apis\""), "{more:?}");
    let most = house.call(&issuer.token("all-apis")?, "delete_job", json!({"job_id": "1"})).await?;
    assert_eq!((most.status, most.header("www-authenticate")), (403, None), "no scope allows it: {most:?}");
    let metadata = house.get("/.well-known/oauth-protected-resource").await?;
    assert_eq!(metadata.json()["scopes_supported"], json!(["sql", "all-apis"]));
    Ok(())
}

#[tokio::test]
async fn keys_have_rules_by_their_names() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (rules, keys) = (folder.path().join("grants.yaml"), folder.path().join("keys.yaml"));
    std::fs::write(&rules, "rules: [{principal: ci, toolsets: [jobs]}]\ndefault: {read_only: true}")?;
    // The SHA-256 of `one` and `two`.
    let hashes = [
        ("ci", "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"),
        ("ada", "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"),
    ];
    let entries =
        hashes.map(|(name, hash)| format!("- {{name: {name}, sha256: {hash}, tools: [list_jobs, delete_job]}}"));
    std::fs::write(&keys, format!("keys:\n{}", entries.join("\n")))?;
    let paths = [&rules, &keys].map(|path| path.to_str().unwrap_or_default());
    let house = House::open(&["--auth", "bearer", "--keys", paths[1], "--grants", paths[0]]).await?;
    assert_eq!(house.tools("one", "/mcp").await?, ["delete_job", "list_jobs"]);
    assert_eq!(house.tools("two", "/mcp").await?, ["list_jobs"]);
    let nobody = House::open(&["--grants", paths[0]]).await;
    assert!(nobody.is_err_and(|error| error.to_string().contains("nobody is asked who calls")));
    Ok(())
}
