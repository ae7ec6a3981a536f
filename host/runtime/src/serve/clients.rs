//! Clients of a server's sockets: each on a thread of its own, so many at once and no more.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::Server;

/// Most clients of a socket that are answered at the same time.
const MOST: usize = 32;
/// How long to wait where a client cannot be taken, as when there are too many.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes clients until the server is gone, on a thread of this name.
pub(super) fn serve<C: Send + 'static>(
    name: &str,
    server: &Arc<Server>,
    accept: impl Fn() -> io::Result<C> + Send + 'static,
    answer: impl Fn(&Arc<Server>, C) + Copy + Send + 'static,
) -> io::Result<()> {
    let server = Arc::downgrade(server);
    let count = Arc::new(AtomicUsize::new(0));
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
        while server.strong_count() > 0 {
            if count.load(Ordering::SeqCst) >= MOST {
                thread::sleep(PAUSE);
                continue;
            }
            let Ok(client) = accept() else {
                // Of descriptors there may be enough later.
                thread::sleep(PAUSE);
                continue;
            };
            let (server, place) = (server.clone(), Place::new(&count));
            let answered = thread::Builder::new().spawn(move || {
                let _place = place;
                if let Some(server) = server.upgrade() {
                    answer(&server, client);
                }
            });
            // Without a thread the client sees its connection end.
            drop(answered);
        }
    });
    spawned.map(drop)
}

/// One of the clients that are being answered, for as long as it lives.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
