//! A network between `dashagg` and the server that a test can break: it swallows packets, refuses, or cuts.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::TestDb;

#[derive(Default)]
struct State {
    stopped: AtomicBool,
    /// New connections are accepted, and nothing is forwarded on them.
    swallow_new: AtomicBool,
    /// New connections are closed at once.
    refuse: AtomicBool,
    links: Mutex<Vec<Arc<Link>>>,
}

struct Link {
    swallow: AtomicBool,
    client: TcpStream,
    server: TcpStream,
}

impl Link {
    fn cut(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

impl Proxy {
    /// In front of the server of `db`.
    pub fn new(db: &TestDb) -> Self {
        let authority = db.url.split_once('@').unwrap().1.split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            while !shared.stopped.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((client, _)) if !shared.refuse.load(Ordering::SeqCst) => {
                        link(client, &authority, &shared);
                    }
                    Ok(_) => {}
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Proxy { port, state }
    }

    /// The URL of the database through this network.
    pub fn url(&self, db: &TestDb) -> String {
        let (head, tail) = db.url.split_once('@').unwrap();
        format!("{head}@127.0.0.1:{}/{}", self.port, tail.split_once('/').unwrap().1)
    }

    /// Existing connections stay open, and nothing comes through any more.
    pub fn swallow_existing(&self) {
        for link in self.state.links.lock().unwrap().iter() {
            link.swallow.store(true, Ordering::SeqCst);
        }
    }

    /// The same for those that are made from now on.
    pub fn swallow_all(&self) {
        self.state.swallow_new.store(true, Ordering::SeqCst);
        self.swallow_existing();
    }

    /// As a server that stops: existing connections are cut, and new ones refused.
    pub fn down(&self) {
        self.state.refuse.store(true, Ordering::SeqCst);
        for link in self.state.links.lock().unwrap().drain(..) {
            link.cut();
        }
    }

    /// As a server that is there again.
    pub fn up(&self) {
        self.state.refuse.store(false, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        self.down();
    }
}

fn link(client: TcpStream, authority: &str, state: &Arc<State>) {
    let server = TcpStream::connect(authority).unwrap();
    for stream in [&client, &server] {
        stream.set_nonblocking(false).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    }
    let link = Arc::new(Link {
        swallow: AtomicBool::new(state.swallow_new.load(Ordering::SeqCst)),
        client: client.try_clone().unwrap(),
        server: server.try_clone().unwrap(),
    });
    state.links.lock().unwrap().push(Arc::clone(&link));
    for (from, to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
        let link = Arc::clone(&link);
        let state = Arc::clone(state);
        thread::spawn(move || pump(from, to, &link, &state));
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, link: &Link, state: &State) {
    let mut buffer = [0; 16 * 1024];
    while !state.stopped.load(Ordering::SeqCst) {
        match from.read(&mut buffer) {
            // A black hole tells neither side of the other's end.
            Ok(0) if link.swallow.load(Ordering::SeqCst) => thread::sleep(Duration::from_millis(20)),
            Ok(0) => break,
            Ok(_) if link.swallow.load(Ordering::SeqCst) => {}
            Ok(n) => {
                if to.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    link.cut();
}
