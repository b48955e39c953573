//! One HTTP request: send, time, cap, and what a broken connection means.
//!
//! Knows neither dialect. Promises: never follows, never repeats, never keeps more of an answer
//! than allowed, and says of each failure whether the request may have reached Odoo.

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use super::fault::Fault;
use super::kind::FaultKind;
use super::seen::{Seen, unconnected};

/// A complete answer of whatever status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// The server's clock.
    pub(super) date: Option<Timestamp>,
    pub(super) retry_after: Option<Duration>,
    pub(super) took: Duration,
    /// It came from another host than this one.
    pub(super) elsewhere: bool,
}

impl Answer {
    /// The body as JSON, if it is any.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Sends `request` and reads the whole answer, at most `max_bytes` of it.
pub(super) async fn exchange(request: RequestBuilder, max_bytes: usize) -> Result<Answer, Fault> {
    let sent = Instant::now();
    let response = request.send().await.map_err(|error| no_answer(&error))?;
    let status = response.status();
    let date = header_date(response.headers());
    let elsewhere = response.remote_addr().is_some_and(|peer| is_elsewhere(peer.ip()));
    let retry_after = retry_after(response.headers(), date);
    let body = match read_capped(response, max_bytes).await {
        Ok(body) => body,
        // The status of a refusal says enough, however its page ended.
        Err(_) if !status.is_success() => Vec::new(),
        Err(fault) => return Err(fault),
    };
    Ok(Answer { status: status.as_u16(), body, date, retry_after, took: sent.elapsed(), elsewhere })
}

/// Whether an address is not one of this host: only those can be bound. A container on this host
/// cannot be told from another host.
fn is_elsewhere(peer: IpAddr) -> bool {
    !peer.is_loopback() && UdpSocket::bind((peer, 0)).is_err()
}

async fn read_capped(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > max_bytes => {
                let cause = Some(format!("answer larger than {max_bytes} bytes"));
                return Err(Fault { cause, ..Fault::new(FaultKind::TooLarge, true) });
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) if error.is_timeout() => return Err(Fault::new(FaultKind::Timeout, true)),
            Err(_) => return Err(Fault::bad_answer("half an answer")),
        }
    }
}

/// The request failed before a status line came.
fn no_answer(error: &reqwest::Error) -> Fault {
    if error.is_connect() {
        let (kind, seen) = unconnected(error);
        let fault = Fault { cause: Some(root_cause(error)), ..Fault::new(kind, false) };
        return match seen {
            Some(Seen { what, next }) => Fault { cause: Some(what), remedy: Some(next), ..fault },
            None => fault,
        };
    }
    let (kind, ambiguous) = if error.is_timeout() {
        (FaultKind::Timeout, true)
    } else if error.is_builder() {
        (FaultKind::BadRequest, false)
    } else {
        (FaultKind::ConnectionLost, true)
    };
    Fault { cause: Some(root_cause(error)), ..Fault::new(kind, ambiguous) }
}

/// The innermost text: "Connection refused", "invalid peer certificate: Expired". It comes from
/// this host's own layers and holds neither URL nor anything Odoo said.
fn root_cause(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
}

fn header_date(headers: &HeaderMap) -> Option<Timestamp> {
    parse_date(headers.get(DATE)?.to_str().ok()?)
}

fn parse_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// Seconds, or a date seen from the server's own clock.
fn retry_after(headers: &HeaderMap, date: Option<Timestamp>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = parse_date(text)?.duration_since(date?);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(retry: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Sat, 21 Nov 2026 09:00:00 GMT".parse().unwrap());
        headers.insert(RETRY_AFTER, retry.parse().unwrap());
        headers
    }

    #[test]
    fn dates_and_waits_of_servers() {
        let at: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let date = header_date(&headers("1"));
        assert_eq!(date, Some(at));
        let wait = |text| retry_after(&headers(text), date);
        assert_eq!(wait("90"), Some(Duration::from_secs(90)));
        assert_eq!(wait("Sat, 21 Nov 2026 09:02:00 GMT"), Some(Duration::from_mins(2)));
        assert_eq!(wait("Sat, 21 Nov 2026 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-5"), None);
    }

    #[test]
    fn this_host_is_not_another_one() {
        assert!(!is_elsewhere("127.0.0.1".parse().unwrap()));
        assert!(!is_elsewhere("127.8.8.8".parse().unwrap()));
        assert!(!is_elsewhere("0.0.0.0".parse().unwrap()));
        // An address for documentation: nobody has it.
        assert!(is_elsewhere("192.0.2.7".parse().unwrap()));
    }
}
