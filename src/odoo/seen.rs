//! What was seen where no connection came about: a name without an address, a closed port, a
//! certificate that ended. In words that name the host, with what a person can do about it.
//!
//! Promises: names the host, its port, days and names of a certificate; nothing that Odoo said.

use std::error::Error;
use std::io;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use reqwest::Url;
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use super::kind::FaultKind;

/// Names of a certificate that are shown at most.
const NAMES_SHOWN: usize = 3;

/// What was seen, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) what: String,
    pub(super) next: &'static str,
}

/// Where it was to go.
struct Place<'a> {
    host: &'a str,
    port: u16,
}

/// What kept `error`, a failed connection, from coming about.
pub(super) fn unconnected(error: &reqwest::Error) -> (FaultKind, Option<Seen>) {
    let layers = layers(error);
    let tls = layers.iter().find_map(|layer| layer.downcast_ref::<rustls::Error>());
    let kind = if tls.is_some() || has_invalid_data(&layers) {
        FaultKind::Tls
    } else {
        FaultKind::Unreachable
    };
    let Some(host) = error.url().and_then(Url::host_str) else { return (kind, None) };
    let port = error.url().and_then(Url::port_or_known_default).unwrap_or_default();
    let place = Place { host, port };
    let seen = match tls {
        Some(tls) => Some(place.tls(tls)),
        None if kind == FaultKind::Tls => None,
        None => place.unreachable(&layers, error.is_timeout()),
    };
    (kind, seen)
}

/// An error and all that it is about. An I/O error's `source()` skips the error inside it.
fn layers<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut found = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        next = cause.source();
        found.push(cause);
        let mut outer = cause.downcast_ref::<io::Error>();
        while let Some(inner) = outer.and_then(io::Error::get_ref) {
            found.push(inner);
            outer = inner.downcast_ref::<io::Error>();
        }
    }
    found
}

/// rustls reports whatever it refuses as invalid data of the connection.
fn has_invalid_data(layers: &[&(dyn Error + 'static)]) -> bool {
    let mut io = layers.iter().filter_map(|layer| layer.downcast_ref::<io::Error>());
    io.any(|error| error.kind() == io::ErrorKind::InvalidData)
}

fn day(time: UnixTime) -> Option<Date> {
    let second = i64::try_from(time.as_secs()).ok()?;
    Some(Timestamp::from_second(second).ok()?.to_zoned(TimeZone::UTC).date())
}

/// `one day`, `29 days`.
fn days(from: UnixTime, to: UnixTime) -> String {
    match to.as_secs().saturating_sub(from.as_secs()) / 86_400 {
        0 => "today".to_owned(),
        1 => "1 day ago".to_owned(),
        more => format!("{more} days ago"),
    }
}

fn shown(day: Option<Date>) -> String {
    day.map_or_else(|| "an unknown day".to_owned(), |day| day.to_string())
}

impl Place<'_> {
    fn tls(&self, error: &rustls::Error) -> Seen {
        let (host, port) = (self.host, self.port);
        let seen = |what: String, next: &'static str| Seen { what, next };
        match error {
            rustls::Error::InvalidCertificate(refused) => self.certificate(refused),
            rustls::Error::InvalidMessage(_) => seen(
                format!("{host} does not speak TLS on port {port}"),
                "does odoo.url say https where http is spoken, or name another port?",
            ),
            rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_) => seen(
                format!("{host} and this host agree on no way to encrypt ({error})"),
                "let the server speak TLS 1.2 or 1.3",
            ),
            other => seen(
                format!("the encrypted connection to {host} failed ({other})"),
                "look at the server's TLS settings",
            ),
        }
    }

    fn certificate(&self, error: &CertificateError) -> Seen {
        let host = self.host;
        let seen = |what: String, next: &'static str| Seen { what, next };
        match error {
            CertificateError::ExpiredContext { time, not_after } => seen(
                format!(
                    "the certificate of {host} expired on {} ({})",
                    shown(day(*not_after)),
                    days(*not_after, *time)
                ),
                "renew it there",
            ),
            CertificateError::NotValidYetContext { time, not_before } => seen(
                format!(
                    "the certificate of {host} is not valid before {}; this host's clock says {}",
                    shown(day(*not_before)),
                    shown(day(*time))
                ),
                "timedatectl",
            ),
            CertificateError::NotValidForNameContext { presented, .. } => seen(
                format!(
                    "the certificate that {host} shows is for {}, not for {host}",
                    names(presented)
                ),
                "correct odoo.url, or put a certificate for this name there",
            ),
            CertificateError::UnknownIssuer => seen(
                format!("nobody whom this host trusts has signed the certificate of {host}"),
                "a private CA goes to odoo.ca_file",
            ),
            CertificateError::Revoked => {
                seen(format!("the certificate of {host} was revoked"), "put another one there")
            }
            other => seen(
                format!("the certificate of {host} is not accepted ({other})"),
                "put another one there; a private CA goes to odoo.ca_file",
            ),
        }
    }

    fn unreachable(&self, layers: &[&(dyn Error + 'static)], timeout: bool) -> Option<Seen> {
        let (host, port) = (self.host, self.port);
        let seen = |what: String, next: &'static str| Some(Seen { what, next });
        let texts = layers.iter().map(ToString::to_string);
        let mut unnamed = texts.filter(|text| {
            text.starts_with("dns error") || text.starts_with("failed to lookup address")
        });
        if let Some(text) = unnamed.next_back() {
            let silent = text.contains("Temporary failure") || text.contains("try again");
            return if silent {
                seen(
                    format!("{host} has no address (DNS: no name server answers)"),
                    "is this host's network up, and its /etc/resolv.conf right?",
                )
            } else {
                seen(
                    format!("{host} has no address (DNS)"),
                    "is odoo.url right, and its name in DNS or /etc/hosts?",
                )
            };
        }
        if timeout {
            return seen(
                format!("{host} does not answer on port {port}"),
                "is it up, and does a firewall let this host through?",
            );
        }
        let kinds = layers.iter().filter_map(|layer| layer.downcast_ref::<io::Error>());
        match kinds.map(io::Error::kind).next_back()? {
            io::ErrorKind::ConnectionRefused => {
                seen(format!("{host} refuses connections on port {port}"), "is Odoo running?")
            }
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                seen(format!("there is no way from this host to {host}"), "is the network up?")
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => seen(
                format!("{host} hangs up on port {port} before a connection stands"),
                "is Odoo, or the proxy before it, just starting?",
            ),
            _ => None,
        }
    }
}

/// The names as a certificate has them: `DnsName("other.test")` becomes `other.test`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, inner)| inner);
        inner.trim_end_matches(')').trim_matches('"').to_owned()
    };
    let shown: Vec<String> = presented.iter().take(NAMES_SHOWN).map(bare).collect();
    match (shown.is_empty(), presented.len().saturating_sub(shown.len())) {
        (true, _) => "no name at all".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixTime {
        let second = text.parse::<Timestamp>().unwrap().as_second();
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(second.unsigned_abs()))
    }

    fn said(error: &CertificateError) -> String {
        let seen = Place { host: "erp.night.test", port: 443 }.certificate(error);
        format!("{}: {}", seen.what, seen.next)
    }

    #[test]
    fn night_p11_certificates_say_what_is_wrong_with_them() {
        let (time, not_after) = (at("2026-11-28T12:00:00Z"), at("2026-10-30T10:00:00Z"));
        assert_eq!(
            said(&CertificateError::ExpiredContext { time, not_after }),
            "the certificate of erp.night.test expired on 2026-10-30 (29 days ago): renew it there"
        );
        let (time, not_before) = (at("2026-11-27T12:00:00Z"), at("2026-11-28T00:00:00Z"));
        assert_eq!(
            said(&CertificateError::NotValidYetContext { time, not_before }),
            "the certificate of erp.night.test is not valid before 2026-11-28; this host's clock \
             says 2026-11-27: timedatectl"
        );
    }

    #[test]
    fn names_of_certificates_are_bare() {
        let presented = ["DnsName(\"a.test\")", "IpAddress(127.0.0.1)"].map(str::to_owned);
        assert_eq!(names(&presented), "a.test, 127.0.0.1");
        let many: Vec<String> = (0..5).map(|n| format!("DnsName(\"{n}.test\")")).collect();
        assert_eq!(names(&many), "0.test, 1.test, 2.test and 2 more");
        assert_eq!(names(&[]), "no name at all");
    }
}
