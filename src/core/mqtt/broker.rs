//! Which broker, from the manifest and the environment, and what is unsafe about it. Never shows a password.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Section;
use crate::core::job::DEFAULT_ROOT;

/// The environment variables a broker is named by, as the delegated-job protocol of multi-agent-mux has them. They win over
/// the manifest.
pub const VARIABLES: [&str; 9] = [
    "MQTT_BROKER",
    "MQTT_PORT",
    "MQTT_TLS",
    "MQTT_USERNAME",
    "MQTT_PASSWORD",
    "MQTT_CA_CERTS",
    "MQTT_CERTFILE",
    "MQTT_KEYFILE",
    "MQTT_CLIENT_ID_PREFIX",
];

/// The default prefix of client ids.
const CLIENT_ID_PREFIX: &str = "headcount";

/// The longest host name (RFC 1035).
const LONGEST_HOST: usize = 253;

/// A text that nothing shows but [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the broker alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Where the password is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Password {
    /// There is none.
    #[default]
    None,
    /// Given by the environment.
    Given(Secret),
    /// The first line of this file.
    InFile(PathBuf),
}

/// A broker, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its host: a name or an address, an IPv6 one without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether to speak TLS.
    pub tls: bool,
    /// The user.
    pub username: Option<String>,
    /// The password.
    pub password: Password,
    /// The certificates of the authorities that vouch for the broker; the system's, if none are named.
    pub ca_certs: Option<PathBuf>,
    /// The client's certificate.
    pub certfile: Option<PathBuf>,
    /// The client's key; without it, the key is in `certfile`.
    pub keyfile: Option<PathBuf>,
    /// What client ids begin with.
    pub client_id_prefix: String,
    /// Where the topics of jobs begin.
    pub root: String,
}

/// The broker cannot be named by what was said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// Not the name of a host.
    #[error("{from} is not a host name or address: {shown:?}")]
    Host {
        /// The variable or key.
        from: &'static str,
        /// What it says, shortened.
        shown: String,
    },
    /// Not a port.
    #[error("{from} is not a port from 1 to 65535")]
    Port {
        /// The variable or key.
        from: &'static str,
    },
    /// Neither yes nor no.
    #[error("MQTT_TLS must be 1 or 0")]
    Tls,
    /// A key without a certificate proves nothing.
    #[error("a client key is set, but no client certificate")]
    KeyAlone,
    /// A password without a user cannot be sent.
    #[error("a password is set, but no user name")]
    PasswordAlone,
    /// Certificates and no TLS: one of them is a mistake.
    #[error("certificates are set, but TLS is off")]
    CertificatesWithoutTls,
    /// Not where topics can begin.
    #[error("the root of topics is empty, too long, or has a wildcard, a control character or an empty level")]
    Root,
    /// Not what a client id can begin with.
    #[error("the prefix of client ids has more than 64 characters, or others than A-Z a-z 0-9 . _ -")]
    Prefix,
}

impl Broker {
    /// The broker that the environment and the manifest name; `None` if they name none. An empty variable says nothing.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub fn resolve(section: &Section, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, BrokerError> {
        let variable = |name: &str| variable(name).filter(|text| !text.is_empty());
        let (host, from) = match (variable("MQTT_BROKER"), &section.broker) {
            (Some(host), _) => (host, "MQTT_BROKER"),
            (None, Some(host)) => (host.clone(), "mqtt.broker"),
            (None, None) => return Ok(None),
        };
        let host = bare_host(&host).ok_or_else(|| BrokerError::Host { from, shown: host.chars().take(80).collect() })?;
        let path = |name: &str, said: &Option<PathBuf>| variable(name).map(PathBuf::from).or_else(|| said.clone());
        let ca_certs = path("MQTT_CA_CERTS", &section.ca_certs);
        let certfile = path("MQTT_CERTFILE", &section.certfile);
        let keyfile = path("MQTT_KEYFILE", &section.keyfile);
        let has_certificates = ca_certs.is_some() || certfile.is_some();
        let said = match variable("MQTT_TLS") {
            Some(word) => Some(flag(&word).ok_or(BrokerError::Tls)?),
            None => section.tls,
        };
        // Whoever names certificates means to use them: a password must not go out in the clear by an omission.
        let tls = said.unwrap_or(has_certificates);
        if has_certificates && !tls {
            return Err(BrokerError::CertificatesWithoutTls);
        }
        if keyfile.is_some() && certfile.is_none() {
            return Err(BrokerError::KeyAlone);
        }
        let port = match (variable("MQTT_PORT"), section.port) {
            (Some(text), _) => text.parse().ok().filter(|port| *port > 0).ok_or(BrokerError::Port { from: "MQTT_PORT" })?,
            (None, Some(0)) => return Err(BrokerError::Port { from: "mqtt.port" }),
            (None, Some(port)) => port,
            (None, None) if tls => 8883,
            (None, None) => 1883,
        };
        let username = variable("MQTT_USERNAME").or_else(|| section.username.clone());
        let password = match (variable("MQTT_PASSWORD"), &section.password_file) {
            (Some(text), _) => Password::Given(Secret::new(text)),
            (None, Some(path)) => Password::InFile(path.clone()),
            (None, None) => Password::None,
        };
        if username.is_none() && password != Password::None {
            return Err(BrokerError::PasswordAlone);
        }
        let root = section.root()?;
        let client_id_prefix = variable("MQTT_CLIENT_ID_PREFIX")
            .or_else(|| section.client_id_prefix.clone())
            .unwrap_or_else(|| CLIENT_ID_PREFIX.to_owned());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if client_id_prefix.len() > 64 || !client_id_prefix.chars().all(is_plain) {
            return Err(BrokerError::Prefix);
        }
        Ok(Some(Self { host, port, tls, username, password, ca_certs, certfile, keyfile, client_id_prefix, root }))
    }

    /// What to call it: `host:port`.
    pub fn address(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// What an outsider could do, one line each; nothing of a broker on this machine's loopback.
    pub fn dangers(&self) -> Vec<String> {
        let mut dangers = Vec::new();
        if self.is_loopback() {
            return dangers;
        }
        let address = self.address();
        if !self.tls {
            let also = if self.password == Password::None { "" } else { " and the password" };
            dangers.push(format!(
                "headcount uses the broker {address} without TLS: anyone on the network path can read every event{also}, and change or forge events of jobs without an auth_token"
            ));
        }
        if self.username.is_none() && self.certfile.is_none() {
            dangers.push(format!(
                "no user is set for the broker {address}: if it accepts anonymous clients, anyone can report a job without an auth_token as completed or failed, and read what is published"
            ));
        }
        dangers
    }

    fn is_loopback(&self) -> bool {
        let host = self.host.as_str();
        host.eq_ignore_ascii_case("localhost")
            || host == "::1"
            || (host.starts_with("127.") && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
    }
}

/// A host without the brackets of an IPv6 address; `None` for what can be none, such as a URL.
fn bare_host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let host = bare.unwrap_or(text);
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '%');
    let is_v6 = host.contains("::") || host.matches(':').count() == 7;
    let legal = host.chars().all(|c| is_legal(c) || (is_v6 && c == ':'));
    (!host.is_empty() && host.len() <= LONGEST_HOST && legal && (bare.is_none() || is_v6)).then(|| host.to_owned())
}

fn flag(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

impl Section {
    /// The same, with relative files beside the manifest that names them.
    #[must_use]
    pub fn beside(mut self, manifest: &Path) -> Self {
        let beside = manifest.parent().unwrap_or(Path::new(""));
        let Self { password_file, ca_certs, certfile, keyfile, .. } = &mut self;
        for path in [password_file, ca_certs, certfile, keyfile].into_iter().flatten() {
            *path = beside.join(&*path);
        }
        self
    }

    /// Where the topics of jobs begin, whether or not a broker is named.
    ///
    /// # Errors
    /// [`BrokerError::Root`].
    pub fn root(&self) -> Result<String, BrokerError> {
        let root = self.root.as_deref().unwrap_or(DEFAULT_ROOT);
        if is_root(root) { Ok(root.to_owned()) } else { Err(BrokerError::Root) }
    }
}

fn is_root(root: &str) -> bool {
    let is_level = |level: &str| !level.is_empty() && !level.contains(['+', '#']) && !level.chars().any(char::is_control);
    root.len() <= 256 && !root.starts_with('$') && root.split('/').all(is_level)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn resolve(section: &Section, variables: &[(&str, &str)]) -> Result<Option<Broker>, BrokerError> {
        Broker::resolve(section, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn named(variables: &[(&str, &str)]) -> Result<Broker, BrokerError> {
        let all: Vec<_> = [("MQTT_BROKER", "b.example")].into_iter().chain(variables.iter().copied()).collect();
        resolve(&Section::default(), &all).map(Option::unwrap)
    }

    #[test]
    fn without_a_name_there_is_no_broker_and_an_empty_variable_names_none() {
        assert_eq!(resolve(&Section::default(), &[]), Ok(None));
        assert_eq!(resolve(&Section::default(), &[("MQTT_BROKER", ""), ("MQTT_PORT", "x")]), Ok(None));
    }

    #[test]
    fn the_environment_wins_over_the_manifest_field_by_field() {
        let section = Section {
            broker: Some("from.manifest".into()),
            port: Some(1999),
            username: Some("me".into()),
            password_file: Some("/p".into()),
            root: Some("jobs".into()),
            ..Section::default()
        };
        let broker = resolve(&section, &[]).unwrap().unwrap();
        assert_eq!((broker.address().as_str(), broker.root.as_str()), ("from.manifest:1999", "jobs"));
        assert_eq!(broker.password, Password::InFile("/p".into()));
        let broker = resolve(&section, &[("MQTT_BROKER", "b"), ("MQTT_PASSWORD", "s")]).unwrap().unwrap();
        assert_eq!((broker.address().as_str(), broker.username.as_deref()), ("b:1999", Some("me")));
        assert_eq!(broker.password, Password::Given(Secret::new("s")));
    }

    #[test]
    fn certificates_switch_tls_on_and_its_port_with_it() {
        assert_eq!(named(&[]).map(|it| (it.tls, it.port)), Ok((false, 1883)));
        assert_eq!(named(&[("MQTT_CA_CERTS", "/ca")]).map(|it| (it.tls, it.port)), Ok((true, 8883)));
        assert_eq!(named(&[("MQTT_TLS", "True"), ("MQTT_PORT", "1")]).map(|it| (it.tls, it.port)), Ok((true, 1)));
        assert_eq!(named(&[("MQTT_TLS", "0"), ("MQTT_CA_CERTS", "/ca")]), Err(BrokerError::CertificatesWithoutTls));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (name, value, error) in [
            ("MQTT_PORT", "0", BrokerError::Port { from: "MQTT_PORT" }),
            ("MQTT_PORT", "70000", BrokerError::Port { from: "MQTT_PORT" }),
            ("MQTT_TLS", "maybe", BrokerError::Tls),
            ("MQTT_KEYFILE", "/k", BrokerError::KeyAlone),
            ("MQTT_PASSWORD", "s", BrokerError::PasswordAlone),
            ("MQTT_CLIENT_ID_PREFIX", "a/b", BrokerError::Prefix),
        ] {
            assert_eq!(named(&[(name, value)]), Err(error), "{name}={value}");
        }
        for host in ["mqtt://b", "b:1883", "a b", "a\nb", "[b]", &"x".repeat(300)] {
            assert!(matches!(resolve(&Section::default(), &[("MQTT_BROKER", host)]), Err(BrokerError::Host { .. })), "{host}");
        }
        for root in ["", "a//b", "/a", "a/+", "#", "$SYS/a", "a\nb"] {
            let section = Section { broker: Some("b".into()), root: Some(root.into()), ..Section::default() };
            assert_eq!(resolve(&section, &[]), Err(BrokerError::Root), "{root:?}");
        }
    }

    #[test]
    fn an_ipv6_address_is_taken_with_and_without_brackets() {
        for host in ["::1", "[::1]"] {
            let broker = resolve(&Section::default(), &[("MQTT_BROKER", host)]).unwrap().unwrap();
            assert_eq!((broker.host.as_str(), broker.address().as_str()), ("::1", "[::1]:1883"));
        }
    }

    #[test]
    fn an_open_or_plaintext_broker_that_is_not_here_is_warned_about() {
        assert_eq!(named(&[]).unwrap().dangers().len(), 2);
        assert_eq!(named(&[("MQTT_TLS", "1"), ("MQTT_USERNAME", "me")]).unwrap().dangers(), [""; 0]);
        let plain = named(&[("MQTT_USERNAME", "me"), ("MQTT_PASSWORD", "s3cret")]).unwrap().dangers();
        assert!(matches!(plain.as_slice(), [line] if line.contains("password") && !line.contains("s3cret")), "{plain:?}");
        for here in ["127.0.0.1", "localhost", "::1"] {
            let broker = resolve(&Section::default(), &[("MQTT_BROKER", here)]).unwrap().unwrap();
            assert_eq!(broker.dangers(), [""; 0], "{here}");
        }
        assert!(!resolve(&Section::default(), &[("MQTT_BROKER", "127.evil.example")]).unwrap().unwrap().dangers().is_empty());
    }

    #[test]
    fn a_password_is_never_shown() {
        let broker = named(&[("MQTT_USERNAME", "me"), ("MQTT_PASSWORD", "s3cret")]).unwrap();
        assert!(!format!("{broker:?} {broker:#?}").contains("s3cret"));
    }
}
