//! The options of `http`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::{Args, ValueEnum};

/// Where it listens unless something else is asked for.
const PORT: u16 = 8_000;

/// What `http` takes besides the options of every command.
#[derive(Debug, Clone, Args)]
pub struct HttpOptions {
    /// Address and port, or `unix:PATH` for a socket file. Other machines can reach the server only with `--auth`
    #[arg(long, env = "DATABRICKS_MCP_LISTEN", default_value_t = Address::default(), value_name = "ADDRESS")]
    pub listen: Address,
    /// Who may use the socket file of `--listen unix:PATH`: 600 its owner, 660 its group too, 666 everybody on this machine
    #[arg(long, env = "DATABRICKS_MCP_SOCKET_MODE", default_value_t = SocketMode::default(), value_name = "MODE")]
    pub socket_mode: SocketMode,
    /// The URL by which clients reach the server, e.g. `https://mcp.acme.test/mcp`; tokens must be made out for it
    #[arg(long, env = "DATABRICKS_MCP_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Certificate chain in PEM; the file is read again when it changes
    #[arg(long, env = "DATABRICKS_MCP_TLS_CERT", value_name = "FILE", requires = "tls_key", value_parser = path())]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate in PEM
    #[arg(long, env = "DATABRICKS_MCP_TLS_KEY", value_name = "FILE", requires = "tls_cert", value_parser = path())]
    pub tls_key: Option<PathBuf>,
    /// How callers prove who they are
    #[arg(long, env = "DATABRICKS_MCP_AUTH", value_enum, default_value_t = AuthMode::None)]
    pub auth: AuthMode,
    /// The keys of `--auth bearer`, as a YAML file; it is read again when it changes
    #[arg(long, env = "DATABRICKS_MCP_KEYS", value_name = "FILE", value_parser = path())]
    pub keys: Option<PathBuf>,
    /// The issuer of the tokens of `--auth oauth`, e.g. `https://login.acme.test/realms/data`
    #[arg(long, env = "DATABRICKS_MCP_OAUTH_ISSUER", value_name = "URL")]
    pub oauth_issuer: Option<String>,
    /// Where the issuer's keys are, if its metadata does not say it
    #[arg(long, env = "DATABRICKS_MCP_OAUTH_JWKS", value_name = "URL")]
    pub oauth_jwks: Option<String>,
    /// The audience of the tokens, if it is not the public URL
    #[arg(long, env = "DATABRICKS_MCP_OAUTH_AUDIENCE", value_name = "TEXT")]
    pub oauth_audience: Option<String>,
    /// Keys that seal what callers keep, such as page tokens: a file that several servers share. Without it, each has its own
    #[arg(long, env = "DATABRICKS_MCP_SIGNING_KEYS", value_name = "FILE", value_parser = path())]
    pub signing_keys: Option<PathBuf>,
    /// What clients put before the names of scopes when they ask the issuer for them, e.g. `api://APPLICATION/` at Entra ID
    #[arg(long, env = "DATABRICKS_MCP_OAUTH_SCOPE_PREFIX", value_name = "TEXT")]
    pub oauth_scope_prefix: Option<String>,
    /// What callers may do by their groups, scopes or names, as a YAML file; it is read again when it changes
    #[arg(long, env = "DATABRICKS_MCP_GRANTS", value_name = "FILE", value_parser = path())]
    pub grants: Option<PathBuf>,
    /// As whom the workspace is called
    #[arg(long, env = "DATABRICKS_MCP_CALL_AS", value_enum)]
    pub call_as: Option<CallAs>,
    /// A host name, with or without port, under which clients may address the server, besides loopback and the public URL
    #[arg(long = "allowed-host", env = "DATABRICKS_MCP_ALLOWED_HOSTS", value_delimiter = ',', value_name = "HOST")]
    pub allowed_hosts: Vec<String>,
    /// An origin of web pages that may call the server, e.g. `https://app.acme.test`; they get CORS headers
    #[arg(
        long = "allowed-origin",
        env = "DATABRICKS_MCP_ALLOWED_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub allowed_origins: Vec<String>,
    /// Give clients of the revisions before 2026-07-28 no sessions: needed where several servers share the requests
    #[arg(long, env = "DATABRICKS_MCP_NO_SESSIONS", value_parser = clap::builder::FalseyValueParser::new())]
    pub no_sessions: bool,
    /// Serve the HTTP+SSE transport of 2024-11-05 on `/sse` and `/messages` as well
    #[arg(long, env = "DATABRICKS_MCP_LEGACY_SSE", value_parser = clap::builder::FalseyValueParser::new())]
    pub legacy_sse: bool,
    /// Address and port for `/metrics` alone; without it, callers find `/metrics` beside `/mcp` and prove who they are
    #[arg(long, env = "DATABRICKS_MCP_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// How many calls of one caller may be under way
    #[arg(long, env = "DATABRICKS_MCP_MAX_CALLS", default_value_t = 64, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_calls: u32,
    /// How many open streams and how many sessions one caller may have
    #[arg(long, env = "DATABRICKS_MCP_MAX_STREAMS", default_value_t = 64, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_streams: u32,
    /// How many connections may be open at once; others wait
    #[arg(long, env = "DATABRICKS_MCP_MAX_CONNECTIONS", default_value_t = 4_096, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,
    /// How long calls may go on when the server is told to stop
    #[arg(long, env = "DATABRICKS_MCP_DRAIN_SECONDS", default_value_t = 20, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(0..=3_600))]
    pub drain_seconds: u32,
}

fn path() -> impl TypedValueParser<Value = PathBuf> {
    clap::builder::OsStringValueParser::new().map(PathBuf::from)
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Address and port.
    Tcp(SocketAddr),
    /// The file of a Unix socket.
    Unix(PathBuf),
}

impl Default for Address {
    fn default() -> Self {
        Self::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT))
    }
}

impl Address {
    /// Whether nobody but this machine reaches it.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err("`unix:` is followed by the path of the socket file".to_owned()),
                path if cfg!(unix) => Ok(Self::Unix(path.into())),
                _ => Err("this system has no socket files; give address and port".to_owned()),
            };
        }
        let text = text.replace("localhost:", "127.0.0.1:");
        text.parse().map(Self::Tcp).map_err(|_| {
            format!(
                "`{text}` is no address with a port, such as `127.0.0.1:{PORT}` or `[::1]:{PORT}`, and no `unix:PATH`"
            )
        })
    }
}

/// The mode of a socket file: who may connect to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketMode(u32);

impl SocketMode {
    /// The bits of its permissions.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }
}

impl Default for SocketMode {
    fn default() -> Self {
        Self(0o600)
    }
}

impl std::fmt::Display for SocketMode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:o}", self.0)
    }
}

impl FromStr for SocketMode {
    type Err = String;

    /// To connect takes the right to write, which goes with that to read. All else means nothing on a socket, so it is a mistake.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().trim_start_matches('0') {
            "600" => Ok(Self(0o600)),
            "660" => Ok(Self(0o660)),
            "666" => Ok(Self(0o666)),
            _ => Err(format!("`{text}` is no mode of a socket file: give 600, 660 or 666")),
        }
    }
}

/// How callers prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthMode {
    /// Not at all: only this machine can reach the server
    None,
    /// By a key of `--keys`
    Bearer,
    /// By a token of `--oauth-issuer` that is made out for this server
    Oauth,
    /// By the proxy of a Databricks App, in which the server runs
    App,
}

/// As whom the workspace is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CallAs {
    /// As the identity that the server is configured with
    Service,
    /// As the caller, by exchanging the caller's token at Databricks (needs `--auth oauth` and a federation policy)
    Exchange,
    /// As the user whose token the proxy of a Databricks App forwards (needs `--auth app`)
    Forwarded,
    /// As the owner of the Databricks token that the caller sends in the header `X-Databricks-Token`
    Header,
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::{Address, HttpOptions, SocketMode};

    #[test]
    fn the_documentation_has_every_flag_with_its_variable_and_default() {
        let page = include_str!("../../../docs/http.md");
        let rows = page.lines().map(|line| line.split('|').skip(1).map(str::trim).collect::<Vec<_>>());
        let written: Vec<_> = rows
            .filter_map(|row| match row.as_slice() {
                [flag, variable, default, ..] if variable.starts_with("`DATABRICKS_MCP_") => {
                    Some([flag, variable, default].map(|cell| cell.to_string()))
                }
                _ => None,
            })
            .collect();
        let command = HttpOptions::augment_args(clap::Command::new("http"));
        let code = |text: String| format!("`{text}`");
        let expected: Vec<_> = command
            .get_arguments()
            .map(|argument| {
                let flag = code(format!("--{}", argument.get_long().expect("every option has a flag")));
                let variable = argument.get_env().expect("every option has a variable").to_string_lossy();
                let defaults = argument.get_default_values().iter().filter(|_| argument.get_action().takes_values());
                let defaults: Vec<_> = defaults.map(|value| code(value.to_string_lossy().into_owned())).collect();
                [flag, code(variable.into_owned()), defaults.join(", ")]
            })
            .collect();
        assert_eq!(written, expected, "the table of flags in docs/http.md differs from `HttpOptions`");
        for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
            for value in argument.get_possible_values() {
                let row = format!("| `{}` |", value.get_name());
                assert!(page.contains(&row), "no table of docs/http.md has a row for `{}`", value.get_name());
            }
        }
    }

    #[test]
    fn a_socket_file_has_a_mode_that_means_something() {
        for mode in ["600", "660", "666"] {
            assert_eq!(mode.parse::<SocketMode>().map(|mode| mode.to_string()).as_deref(), Ok(mode));
        }
        assert_eq!("0660".parse::<SocketMode>().map(SocketMode::bits), Ok(0o660));
        for odd in ["", "0", "777", "755", "640", "606", "400", "4660", "rw", "660 x", "0x1b0"] {
            assert!(odd.parse::<SocketMode>().is_err(), "{odd}");
        }
    }

    #[test]
    fn addresses_are_read_and_written() {
        for (text, is_local) in [
            ("127.0.0.1:8000", true),
            ("[::1]:0", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("0.0.0.0:8000", false),
            ("[::]:8000", false),
            ("192.0.2.1:80", false),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!((address.to_string().as_str(), address.is_local()), (text, is_local));
        }
        assert_eq!("localhost:81".parse(), "127.0.0.1:81".parse::<Address>());
        assert!("unix:/run/mcp.sock".parse::<Address>().is_ok_and(|address| address.is_local()) == cfg!(unix));
        for wrong in ["", "8000", "127.0.0.1", "acme.test:80", "unix:", "127.0.0.1:99999"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
