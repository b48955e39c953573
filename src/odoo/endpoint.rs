//! Where Odoo is and how we may talk to it.
//!
//! Promises: plain HTTP only to this host, TLS 1.2 or newer, system CAs plus an optional private
//! CA, no redirect, no proxy from the environment, no repetition inside the HTTP library. Does not
//! connect: a wrong host name or key shows in [`super::Client::probe`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Url};
use secrecy::{ExposeSecret, SecretString};

use super::probe::Dialect;

/// Odoo's own default for `limit_time_real`; the server does not tell its value.
pub const DEFAULT_LIMIT_TIME_REAL_SECS: u64 = 120;
const ANSWER_MARGIN_SECS: u64 = 15;
const CONNECT_TIMEOUT_SECS: u64 = 10;
/// Below what nginx and Odoo's threaded server keep idle connections open (75 s, 5 s and more).
const POOL_IDLE_SECS: u64 = 4;
const MAX_RESPONSE_BYTES: usize = 32 << 20;
const TCP_KEEPALIVE_SECS: u64 = 30;

/// One Odoo database and the user we are there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Root of the server, e.g. `https://erp.example.com`; a path prefix is kept.
    pub url: String,
    /// Database name.
    pub database: String,
    /// Login of the integration user.
    pub login: String,
    /// API key of that user.
    pub api_key: SecretString,
    /// PEM file with a private CA, trusted in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// For DNS, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Odoo's `limit_time_real`: after it an unanswered call can no longer be running.
    pub limit_time_real: Duration,
    /// How much longer an answer may take than that: a call may wait for a free worker.
    pub answer_margin: Duration,
    /// Larger (unpacked) answers are given up.
    pub max_response_bytes: usize,
    /// Fixes the dialect instead of asking the server which one it has.
    pub dialect: Option<Dialect>,
    /// This URL and database answered in an earlier life of the daemon: then "no such database" is
    /// a server in trouble and not a wrong setting.
    pub answered_before: bool,
}

/// A setting that cannot work, found before the first connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Not a URL. Write it as `https://host[:port]`.
    #[error("odoo.url is not a URL: write it as https://host[:port]")]
    Url,
    /// Another scheme than `https` or `http`.
    #[error("odoo.url must begin with https:// (or http:// on this host)")]
    Scheme,
    /// `http` to another host: the key and buyer data would travel in clear. Use `https`.
    #[error("odoo.url is plain http to another host: use https, or http only to localhost")]
    PlainHttp,
    /// User name, password, query or fragment in the URL. The key belongs into the credentials.
    #[error("odoo.url may hold neither user, password, query nor fragment")]
    UrlParts,
    /// The database name is empty or cannot stand in an HTTP header.
    #[error("odoo.database is empty or holds control characters")]
    Database,
    /// The login is empty.
    #[error("odoo.login is empty")]
    Login,
    /// The API key is empty or cannot stand in an HTTP header. Paste it again.
    #[error("the Odoo API key is empty or holds characters that no key has")]
    ApiKey,
    /// The CA file cannot be read.
    #[error("odoo.ca_file {path} cannot be read")]
    CaFile {
        /// The file as configured.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The CA file holds no PEM certificate.
    #[error("odoo.ca_file {path} holds no PEM certificate")]
    CaPem {
        /// The file as configured.
        path: PathBuf,
    },
    /// The HTTP client could not be built: usually no CA certificates on this host (install
    /// `ca-certificates`).
    #[error("cannot set up HTTPS: is the package ca-certificates installed?")]
    Http(#[source] reqwest::Error),
}

// === impl Endpoint ===

impl Endpoint {
    /// An endpoint with the default limits.
    pub fn new(
        url: impl Into<String>,
        database: impl Into<String>,
        login: impl Into<String>,
        api_key: SecretString,
    ) -> Self {
        Self {
            url: url.into(),
            database: database.into(),
            login: login.into(),
            api_key,
            ca_file: None,
            connect_timeout: Duration::from_secs(CONNECT_TIMEOUT_SECS),
            limit_time_real: Duration::from_secs(DEFAULT_LIMIT_TIME_REAL_SECS),
            answer_margin: Duration::from_secs(ANSWER_MARGIN_SECS),
            max_response_bytes: MAX_RESPONSE_BYTES,
            dialect: None,
            answered_before: false,
        }
    }

    /// How long a call may take from the first byte to the last.
    pub fn answer_timeout(&self) -> Duration {
        self.limit_time_real.saturating_add(self.answer_margin)
    }

    /// Checks everything that can be checked without connecting; the URL without a trailing slash.
    pub(super) fn checked_url(&self) -> Result<Url, EndpointError> {
        let mut url = Url::parse(&self.url).map_err(|_| EndpointError::Url)?;
        let host = url.host_str().ok_or(EndpointError::Url)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => return Err(EndpointError::PlainHttp),
            _ => return Err(EndpointError::Scheme),
        }
        let extra = !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some();
        if extra {
            return Err(EndpointError::UrlParts);
        }
        if self.database.is_empty() || self.database.chars().any(char::is_control) {
            return Err(EndpointError::Database);
        }
        if self.login.is_empty() {
            return Err(EndpointError::Login);
        }
        let key = self.api_key.expose_secret();
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(EndpointError::ApiKey);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(url)
    }

    /// The HTTP client for `url`, which [`Self::checked_url`] gave.
    pub(super) fn http_client(&self, url: &Url) -> Result<reqwest::Client, EndpointError> {
        let plain = url.scheme() == "http";
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("odoo-spoold/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.connect_timeout)
            .timeout(self.answer_timeout())
            .pool_idle_timeout(Duration::from_secs(POOL_IDLE_SECS))
            .tcp_keepalive(Duration::from_secs(TCP_KEEPALIVE_SECS))
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .https_only(!plain)
            .tls_version_min(reqwest::tls::Version::TLS_1_2);
        if plain {
            // No CA store is needed, nor may DNS send "localhost" somewhere else.
            builder = builder.tls_certs_only([]);
            if let Some(name) = url.host_str().filter(|host| is_loopback_name(host)) {
                let local = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
                builder = builder.resolve_to_addrs(name, &local.map(|ip| SocketAddr::new(ip, 0)));
            }
        } else if let Some(path) = &self.ca_file {
            let pem = std::fs::read(path)
                .map_err(|source| EndpointError::CaFile { path: path.clone(), source })?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|found| !found.is_empty())
                .ok_or_else(|| EndpointError::CaPem { path: path.clone() })?;
            builder = builder.tls_certs_merge(certificates);
        }
        builder.build().map_err(EndpointError::Http)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => is_loopback_name(host),
    }
}

fn is_loopback_name(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint::new(url, "db", "bot", SecretString::from("abcdef0123456789"))
    }

    fn check(url: &str) -> Result<(), EndpointError> {
        endpoint(url).checked_url().map(|_| ())
    }

    #[test]
    fn plain_http_only_to_this_host() {
        for url in [
            "http://127.0.0.1:8069",
            "http://127.8.9.1",
            "http://[::1]:8069/",
            "http://[::ffff:127.0.0.1]",
            "http://localhost:8069",
            "http://LOCALHOST",
            "http://odoo.localhost",
            "http://2130706434",
            "https://erp.example.com",
            "https://10.0.0.5:8443/prefix/",
        ] {
            assert!(check(url).is_ok(), "{url}");
        }
        for url in [
            "http://10.0.0.5",
            "http://192.168.1.4:8069",
            "http://erp.example.com",
            "http://localhost.example.com",
            "http://notlocalhost",
            "http://0.0.0.0",
            "http://128.0.0.1",
            "http://[fe80::1]",
            "http://167772161",
        ] {
            assert!(matches!(check(url), Err(EndpointError::PlainHttp)), "{url}");
        }
    }

    #[test]
    fn nothing_but_host_port_and_path_in_the_url() {
        for url in ["https://u@h", "https://u:p@h", "https://h/?db=x", "https://h/#x"] {
            assert!(matches!(check(url), Err(EndpointError::UrlParts)), "{url}");
        }
        assert!(matches!(check("ftp://localhost"), Err(EndpointError::Scheme)));
        assert!(matches!(check("erp.example.com"), Err(EndpointError::Url)));
        let kept = endpoint("https://h/prefix/").checked_url().unwrap();
        assert_eq!(kept.as_str(), "https://h/prefix");
    }

    #[test]
    fn key_database_and_login_must_fit() {
        let with = |change: fn(&mut Endpoint)| {
            let mut endpoint = endpoint("https://h");
            change(&mut endpoint);
            endpoint.checked_url()
        };
        assert!(matches!(with(|e| e.database.clear()), Err(EndpointError::Database)));
        assert!(matches!(with(|e| e.database = "a\nb".into()), Err(EndpointError::Database)));
        assert!(matches!(with(|e| e.login.clear()), Err(EndpointError::Login)));
        assert!(matches!(
            with(|e| e.api_key = SecretString::from("a b\n")),
            Err(EndpointError::ApiKey)
        ));
    }

    #[test]
    fn a_ca_file_without_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let mut endpoint = endpoint("https://h");
        endpoint.ca_file = Some(path.clone());
        let url = endpoint.checked_url().unwrap();
        assert!(matches!(endpoint.http_client(&url), Err(EndpointError::CaFile { .. })));
        std::fs::write(&path, "not a certificate").unwrap();
        assert!(matches!(endpoint.http_client(&url), Err(EndpointError::CaPem { .. })));
    }

    #[test]
    fn the_key_does_not_show() {
        let shown = format!("{:?}", endpoint("https://h"));
        assert!(!shown.contains("abcdef"), "{shown}");
    }
}
