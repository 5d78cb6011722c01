//! A TCP proxy for tests that does to connections what networks, load balancers and dying hosts do.
//!
//! It works in threads of its own, so that a test may block. It knows nothing of what it carries, except that connections can be
//! told apart by what their client has said.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "only tests use it"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// What happens to a connection that is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It is connected with the server.
    Passed,
    /// It is accepted, and nothing ever comes.
    Silent,
    /// It is accepted and closed, as a proxy does whose server is away.
    Closed,
    /// It is accepted, its first bytes are read, this is answered, and it is closed.
    Answered(Vec<u8>),
}

/// A proxy before one server, until it is dropped: then its connections are cut.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    opened: Opened,
    links: Vec<Link>,
    next: usize,
    accepted: usize,
    ended: bool,
}

/// A client and a server that are connected.
#[derive(Debug)]
struct Link {
    id: usize,
    client: TcpStream,
    server: TcpStream,
    /// What the client has said.
    said: Vec<u8>,
    /// Nothing passes, not even the end of the connection.
    silent: bool,
}

impl FaultProxy {
    /// A proxy before this server, on a port of its own of the loopback.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server,
            state: Mutex::new(State {
                opened: Opened::Passed,
                links: Vec::new(),
                next: 0,
                accepted: 0,
                ended: false,
            }),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happens from now on to connections that are opened.
    pub fn when_opened(&self, opened: Opened) {
        self.shared.lock().opened = opened;
    }

    /// How many connections were opened so far, whatever happened to them.
    pub fn accepted(&self) -> usize {
        self.shared.lock().accepted
    }

    /// How many connections stand.
    pub fn standing(&self) -> usize {
        self.shared.lock().links.len()
    }

    /// From now on nothing passes on the connections that stand and whose client has said this, in neither direction, and no end
    /// either. An empty text is said by all of them. Answers how many there are.
    pub fn silence(&self, said: &str) -> usize {
        let mut state = self.shared.lock();
        let mut silenced = 0;
        for link in &mut state.links {
            if link.has_said(said) {
                link.silent = true;
                silenced += 1;
            }
        }
        silenced
    }

    /// Everything passes again, what was held back first.
    pub fn heal(&self) {
        let mut state = self.shared.lock();
        state.opened = Opened::Passed;
        for link in &mut state.links {
            link.silent = false;
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Ends the connections that stand, on both sides. Answers how many there were.
    pub fn cut(&self) -> usize {
        let links = std::mem::take(&mut self.shared.lock().links);
        for link in &links {
            link.cut();
        }
        self.shared.changed.notify_all();
        links.len()
    }

    /// Ends them as far as the client can see, as a half-closed link does: the server hears nothing of it.
    pub fn half_close(&self) -> usize {
        let mut state = self.shared.lock();
        for link in &mut state.links {
            link.silent = true;
            let _ = link.client.shutdown(Shutdown::Write);
        }
        state.links.len()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.cut();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Waits while the link is silent. `false` where it was cut.
    fn may_pass(&self, id: usize) -> bool {
        let mut state = self.lock();
        loop {
            match state.links.iter().find(|link| link.id == id) {
                None => return false,
                Some(link) if !link.silent => return true,
                Some(_) => state = self.changed.wait(state).unwrap(),
            }
        }
    }
}

impl Link {
    fn has_said(&self, text: &str) -> bool {
        text.is_empty() || self.said.windows(text.len()).any(|said| said == text.as_bytes())
    }

    fn cut(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    // What is never to be answered, and has to stay open.
    let mut unanswered = Vec::new();
    for client in listener.incoming() {
        let Ok(client) = client else { continue };
        let mut state = shared.lock();
        if state.ended {
            return;
        }
        state.accepted += 1;
        match state.opened.clone() {
            Opened::Passed => {
                drop(state);
                connect(client, shared);
            }
            Opened::Silent => unanswered.push(client),
            Opened::Closed => drop(client),
            Opened::Answered(answer) => {
                thread::spawn(move || give(client, &answer));
            }
        }
    }
}

fn give(mut client: TcpStream, answer: &[u8]) {
    let mut first = [0; 4096];
    if client.read(&mut first).is_ok_and(|read| read > 0) {
        let _ = client.write_all(answer);
        let _ = client.shutdown(Shutdown::Write);
        // Closing with something unread would take the answer away again.
        while client.read(&mut first).is_ok_and(|read| read > 0) {}
    }
}

fn connect(client: TcpStream, shared: &Arc<Shared>) {
    let Ok(server) = TcpStream::connect(shared.server) else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let mut state = shared.lock();
    let id = state.next;
    state.next += 1;
    state.links.push(Link {
        id,
        client: client.try_clone().unwrap(),
        server: server.try_clone().unwrap(),
        said: Vec::new(),
        silent: false,
    });
    drop(state);
    let (forth, back) = (Arc::clone(shared), Arc::clone(shared));
    let (client_again, server_again) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || pass(client, server, id, &forth, true));
    thread::spawn(move || pass(server_again, client_again, id, &back, false));
}

/// Passes on what comes from one side, and its end.
fn pass(mut from: TcpStream, mut to: TcpStream, id: usize, shared: &Shared, is_from_client: bool) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).unwrap_or(0);
        if is_from_client && read > 0 {
            let mut state = shared.lock();
            if let Some(link) = state.links.iter_mut().find(|link| link.id == id) {
                link.said.extend_from_slice(&bytes[..read]);
            }
        }
        if !shared.may_pass(id) {
            return;
        }
        if read == 0 || to.write_all(&bytes[..read]).is_err() {
            let mut state = shared.lock();
            if let Some(at) = state.links.iter().position(|link| link.id == id) {
                state.links.swap_remove(at).cut();
            }
            shared.changed.notify_all();
            return;
        }
    }
}
