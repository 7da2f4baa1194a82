//! A proxy in front of a server: counts round trips at the socket, and makes a link as long as asked.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A proxy that lives as long as the test's process.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    round_trips: AtomicU64,
    connections: AtomicU64,
}

impl Proxy {
    /// Starts a proxy. Each byte takes half of `round_trip` in either direction; bytes that follow one
    /// another closely travel together, as on a real link.
    ///
    /// # Errors
    /// If no port is free.
    pub fn start(server: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let counted = counts.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                counted.connections.fetch_add(1, Ordering::SeqCst);
                // A refused connection ends the client's, too: it sees what it would without a proxy.
                if let Ok(server) = TcpStream::connect(server) {
                    let joined = join(&client, &server, &counted, round_trip / 2);
                    drop(joined);
                }
            }
        });
        Ok(Self { address, counts })
    }

    /// How often the client spoke and then waited for an answer.
    pub fn round_trips(&self) -> u64 {
        self.counts.round_trips.load(Ordering::SeqCst)
    }

    /// How many connections were made.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::SeqCst)
    }
}

fn join(
    client: &TcpStream,
    server: &TcpStream,
    counts: &Arc<Counts>,
    delay: Duration,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let asking = Arc::new(AtomicBool::new(false));
    let (asked, answered) = (asking.clone(), asking);
    let counts = counts.clone();
    forward(client.try_clone()?, server.try_clone()?, delay, move || {
        asked.store(true, Ordering::SeqCst);
    });
    forward(server.try_clone()?, client.try_clone()?, delay, move || {
        if answered.swap(false, Ordering::SeqCst) {
            counts.round_trips.fetch_add(1, Ordering::SeqCst);
        }
    });
    Ok(())
}

/// Carries bytes one way: one thread reads and notes when, another writes when their time has come.
fn forward(mut from: TcpStream, to: TcpStream, delay: Duration, seen: impl Fn() + Send + 'static) {
    let (sender, receiver): (Sender<(Instant, Vec<u8>)>, Receiver<_>) = channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length) = from.read(&mut buffer) {
            let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            seen();
            if sender
                .send((Instant::now() + delay, bytes.to_vec()))
                .is_err()
            {
                break;
            }
        }
    });
    thread::spawn(move || {
        let mut to = to;
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // The other side has nothing more to say, or is gone: so it is told.
        let _closed = to.shutdown(Shutdown::Write);
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::BufRead;

    #[test]
    fn it_counts_questions_with_their_answers_and_makes_the_link_long() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut answers = stream.try_clone().unwrap();
            for line in io::BufReader::new(stream).lines() {
                answers
                    .write_all(format!("{}\n", line.unwrap()).as_bytes())
                    .unwrap();
            }
        });
        let proxy = Proxy::start(server, Duration::from_millis(10)).unwrap();
        let mut client = TcpStream::connect(proxy.address).unwrap();
        let mut answers = io::BufReader::new(client.try_clone().unwrap());
        let started = Instant::now();
        for question in ["one\n", "two\n", "three\n"] {
            client.write_all(question.as_bytes()).unwrap();
            let mut answer = String::new();
            answers.read_line(&mut answer).unwrap();
            assert_eq!(answer, question);
        }
        assert!(started.elapsed() >= Duration::from_millis(30));
        assert_eq!((proxy.round_trips(), proxy.connections()), (3, 1));
    }
}
