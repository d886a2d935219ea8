//! Serves a sandbox until killed: `cargo run -p databricks-sandbox --example serve -- 8080`.

use std::error::Error;

use databricks_sandbox::{Options, Sandbox};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let sandbox = Sandbox::start(Options::default().with_port(port)).await?;
    std::io::Write::write_all(&mut std::io::stdout(), format!("{} {}\n", sandbox.url(), sandbox.token()).as_bytes())?;
    std::future::pending::<()>().await;
    Ok(())
}
