//! The Odoo URL: scheme, host, port, nothing else.
//!
//! Promises: a password never travels in clear (HTTPS unless loopback) and never stands in the
//! URL. Does not resolve names.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::error::{Fault, Show};
use super::super::file::Text;
use super::super::settings::OdooUrl;
use super::Checker;

impl Checker<'_> {
    pub(super) fn odoo_url(&mut self, text: &Text) -> Option<OdooUrl> {
        let written = text.get_ref().trim();
        let span = text.span();
        let lower = written.to_ascii_lowercase();
        let (secure, rest) = if lower.starts_with("https://") {
            (true, written.get(8..)?)
        } else if lower.starts_with("http://") {
            (false, written.get(7..)?)
        } else {
            return self.fault(
                span,
                "this URL has no scheme",
                "write \"https://odoo.example.com\"",
            );
        };
        if rest.contains('@') {
            // The line may hold a password: show the key only.
            let message = "this URL contains a user or password".to_owned();
            let fault = Fault::at(self.source, &span, message, Show::KeyOnly)
                .help("write scheme and host only; the login and the key have keys of their own");
            self.faults.push(fault);
            return None;
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return self.fault(
                span,
                "this URL has a path",
                "write scheme, host and perhaps a port: Odoo's paths are added",
            );
        }
        let Some((host, port)) = split_port(authority) else {
            return self.fault(
                span,
                "this URL has no usable host or port",
                "write \"https://odoo.example.com\" or \"http://localhost:8069\"",
            );
        };
        let loopback = is_loopback(&host);
        if !secure && !loopback {
            return self.fault(
                span,
                format!("{host} would get the API key and buyers' addresses unencrypted"),
                "write https://, or point to this host itself (http://localhost:8069)",
            );
        }
        let scheme = if secure { "https" } else { "http" };
        let text = match port {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        };
        Some(OdooUrl { text, loopback })
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`; the host comes back in lower case.
fn split_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']')?;
        let (host, rest) = authority.split_at_checked(end.checked_add(1)?)?;
        let inner = host.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse::<Ipv6Addr>().ok()?;
        match rest {
            "" => (host, None),
            _ => (host, Some(rest.strip_prefix(':')?)),
        }
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':');
    if host.is_empty() || !host.chars().all(plain) || host.starts_with(['.', '-']) {
        return None;
    }
    let port = match port {
        None => None,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => Some(port),
            _ => return None,
        },
    };
    Some((host.to_ascii_lowercase(), port))
}

fn is_loopback(host: &str) -> bool {
    // RFC 6761: names under localhost. never leave this host; `odoo` resolves them itself.
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
    }
    host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_host_is_loopback() {
        for host in ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", "[::2]"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn hosts_and_ports() {
        assert_eq!(split_port("Odoo.Example"), Some(("odoo.example".to_owned(), None)));
        assert_eq!(split_port("[::1]:8069"), Some(("[::1]".to_owned(), Some(8069))));
        for bad in ["", ":80", "a:0", "a:70000", "a:b", "a b", "[zz]", "[::1]80", "::1", "ä.de"] {
            assert_eq!(split_port(bad), None, "{bad}");
        }
    }
}
