//! A TCP proxy before a real Odoo: closed, cutting answers off, or forwarding.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::lab::Lab;

/// The port is closed until [`Proxy::open`].
pub struct Proxy {
    port: u16,
    odoo: u16,
    host: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    closed: AtomicBool,
    /// Answers to creating orders that are still to be cut off.
    cuts: AtomicUsize,
    /// Answers that were.
    cut: AtomicUsize,
}

impl Proxy {
    pub fn before(lab: &Lab) -> Self {
        let url = lab.text("url");
        let (host, odoo) = url.trim_start_matches("http://").split_once(':').unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        Self { port, odoo: odoo.parse().unwrap(), host: host.to_owned(), state: Arc::default() }
    }

    pub fn url(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }

    /// Forwards from now on; the answers to the next `cuts` calls that create orders never arrive.
    pub fn open(&self, cuts: usize) {
        self.state.cuts.store(cuts, Ordering::SeqCst);
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        let (state, odoo) = (Arc::clone(&self.state), self.odoo);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if state.closed.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(client), state) = (client, Arc::clone(&state)) else { continue };
                std::thread::spawn(move || {
                    // Either side may go away at any time.
                    let _ended = forward(client, odoo, &state);
                });
            }
        });
    }

    /// Answers that were cut off.
    pub fn cut(&self) -> usize {
        self.state.cut.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn forward(mut client: TcpStream, odoo: u16, state: &State) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", odoo))?;
    server.set_read_timeout(Some(Duration::from_secs(60)))?;
    let request = request(&mut client)?;
    server.write_all(&request)?;
    let text = String::from_utf8_lossy(&request);
    let creates = text.contains("/sale.order/load ") || text.contains("\"sale.order\",\"load\"");
    let mut buffer = [0; 16 * 1024];
    loop {
        let got = server.read(&mut buffer)?;
        let cut = |left: usize| left.checked_sub(1);
        if creates && state.cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, cut).is_ok() {
            // Odoo has answered, so it has committed.
            state.cut.fetch_add(1, Ordering::SeqCst);
            return client.shutdown(Shutdown::Both);
        }
        if got == 0 {
            return client.shutdown(Shutdown::Both);
        }
        client.write_all(&buffer[..got])?;
    }
}

/// One whole request; it asks for no second one on this connection.
fn request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let got = client.read(&mut buffer)?;
        if got == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&buffer[..got]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        if bytes.len() >= end + 4 + length {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut whole = format!("{head}\r\nConnection: close\r\n\r\n").into_bytes();
            whole.extend_from_slice(&bytes[end + 4..]);
            return Ok(whole);
        }
    }
}
