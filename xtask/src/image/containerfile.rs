//! What the last stage of a Containerfile says of the image. What it does not know is an error, so that nothing is left out.

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

/// The last stage.
#[derive(Debug, Default)]
pub(super) struct Stage {
    arguments: Vec<(String, String)>,
    labels: Map<String, Value>,
    ports: Map<String, Value>,
    environment: Vec<String>,
    user: Option<String>,
    signal: Option<String>,
    entrypoint: Option<Value>,
    command: Option<Value>,
}

impl Stage {
    /// Reads the text of a Containerfile.
    pub(super) fn last(text: &str) -> Result<Self> {
        let mut stage = Self::default();
        for line in lines(text) {
            let (instruction, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
            stage.take(instruction, rest.trim()).with_context(|| format!("`{line}`"))?;
        }
        Ok(stage)
    }

    fn take(&mut self, instruction: &str, rest: &str) -> Result<()> {
        match instruction {
            "FROM" => *self = Self::default(),
            "ARG" => {
                let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
                self.arguments.push((name.to_owned(), value.to_owned()));
            }
            "LABEL" => {
                for (name, value) in self.pairs(rest)? {
                    self.labels.insert(name, value.into());
                }
            }
            "ENV" => {
                let pairs = self.pairs(rest)?;
                self.environment.extend(pairs.into_iter().map(|(name, value)| format!("{name}={value}")));
            }
            "EXPOSE" => {
                for port in rest.split_whitespace() {
                    let port = if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") };
                    self.ports.insert(port, json!({}));
                }
            }
            "USER" => self.user = Some(rest.to_owned()),
            "STOPSIGNAL" => self.signal = Some(rest.to_owned()),
            "ENTRYPOINT" => self.entrypoint = Some(words(rest)?),
            "CMD" => self.command = Some(words(rest)?),
            // The root directory is made by the script that the stage before runs; and a health check has no place in an image
            // of the specification.
            "COPY" | "RUN" | "WORKDIR" | "HEALTHCHECK" => {}
            other => bail!("`{other}` is not known here"),
        }
        Ok(())
    }

    /// Pairs of names and values, those in quotes too, with the values of arguments put in.
    fn pairs(&self, text: &str) -> Result<Vec<(String, String)>> {
        let mut text = text.to_owned();
        for (name, value) in &self.arguments {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        let (mut pairs, mut rest) = (Vec::new(), text.as_str());
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=').context("a name without a value")?;
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').context("a quote that does not end")?,
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            if name.contains(['$', '"', '\\', ' ']) || value.contains(['$', '\\']) {
                bail!("`{name}={value}` is more than is understood here");
            }
            pairs.push((name.to_owned(), value.to_owned()));
            rest = after.trim_start();
        }
        Ok(pairs)
    }

    /// The configuration of a container.
    pub(super) fn config(&self) -> Value {
        let fields = [
            ("User", self.user.clone().map(Value::from)),
            ("ExposedPorts", Some(Value::Object(self.ports.clone()))),
            ("Env", Some(json!(self.environment))),
            ("Entrypoint", self.entrypoint.clone()),
            ("Cmd", self.command.clone()),
            ("Labels", Some(self.labels())),
            ("StopSignal", self.signal.clone().map(Value::from)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
    }

    pub(super) fn labels(&self) -> Value {
        Value::Object(self.labels.clone())
    }
}

/// The instructions, each on one line, without comments.
fn lines(text: &str) -> Vec<String> {
    let (mut lines, mut open): (Vec<String>, bool) = (Vec::new(), false);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (part, goes_on) = line.strip_suffix('\\').map_or((line, false), |part| (part.trim_end(), true));
        match lines.last_mut().filter(|_| open) {
            Some(last) => {
                last.push(' ');
                last.push_str(part);
            }
            None => lines.push(part.to_owned()),
        }
        open = goes_on;
    }
    lines
}

/// A command as a list of words: the other form needs a shell, which the image does not have.
fn words(text: &str) -> Result<Value> {
    let words: Vec<String> = serde_json::from_str(text).context("it is no list of words in JSON")?;
    Ok(json!(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_of_the_repository_is_understood() {
        let stage = Stage::last(include_str!("../../../deploy/Containerfile")).unwrap();
        let config = stage.config();
        assert_eq!(config["User"], "65532:65532");
        assert_eq!(config["ExposedPorts"], json!({ "8000/tcp": {} }));
        assert_eq!(config["Entrypoint"], json!(["/usr/bin/databricks-mcp-server"]));
        assert_eq!((&config["Cmd"], &config["StopSignal"]), (&json!(["http"]), &json!("SIGTERM")));
        assert_eq!(config["Labels"]["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
        assert!(config["Labels"]["io.modelcontextprotocol.server.name"].is_string());
        assert_eq!(config["Env"], json!(["DATABRICKS_MCP_LISTEN=0.0.0.0:8000"]));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for wrong in ["VOLUME /data", "CMD http", "ENV A=$B", "LABEL a=\"b", "LABEL a"] {
            assert!(Stage::last(&format!("FROM scratch\n{wrong}\n")).is_err(), "{wrong}");
        }
        assert_eq!(Stage::last("FROM a\nUSER x\nFROM b\n").unwrap().config()["User"], Value::Null);
    }
}
