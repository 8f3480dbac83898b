//! Who is alive: every rank holds a TCP connection to rank 0, which tells all when one breaks.
//!
//! MPI itself cannot say it: a call whose peer has died waits for ever. A process that ends in whatever way has its
//! connections closed by the system at once; one whose machine is gone is silent, and counts as lost after [`SILENCE`].

use crate::carrier::Answer;
use gradus_nn::group::{Group, GroupError, gather_texts};
use std::{
    collections::hash_map::RandomState,
    env,
    hash::BuildHasher,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, ToSocketAddrs},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    thread,
    time::{Duration, Instant},
};

/// How long a rank may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// How often each says that it is alive.
const TICK: Duration = Duration::from_secs(1);
/// How often news are looked for.
const LOOK: Duration = Duration::from_millis(20);
/// How long ranks may take to connect.
const PATIENCE: Duration = Duration::from_secs(30);
/// Names the address at which other machines reach rank 0, where its host's name does not.
const ADDRESS: &str = "GRADUS_MPI_ADDRESS";

/// What goes over a connection.
#[derive(Clone, Copy)]
enum News {
    /// This rank is alive.
    Alive,
    /// It has dropped its group after so many jobs.
    Left(usize, u64),
    /// It is dead.
    Lost(usize),
}

/// The bytes of each: kind, rank, number.
const LEN: usize = 13;

impl News {
    fn encode(self) -> [u8; LEN] {
        let (kind, rank, number) = match self {
            News::Alive => (0, 0, 0),
            News::Left(rank, jobs) => (1, rank, jobs),
            News::Lost(rank) => (2, rank, 0),
        };
        let mut bytes = [kind; LEN];
        bytes[1..5].copy_from_slice(&(rank as u32).to_le_bytes());
        bytes[5..].copy_from_slice(&number.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; LEN]) -> News {
        let rank = u32::from_le_bytes(bytes[1..5].try_into().expect("4 bytes")) as usize;
        let number = u64::from_le_bytes(bytes[5..].try_into().expect("8 bytes"));
        match bytes[0] {
            1 => News::Left(rank, number),
            2 => News::Lost(rank),
            _ => News::Alive,
        }
    }
}

/// A connection to a rank.
struct Peer {
    rank: usize,
    stream: TcpStream,
    bytes: Vec<u8>,
    heard: Instant,
    /// Whether it has left, after which it may close the connection.
    left: bool,
}

impl Peer {
    fn new(rank: usize, stream: TcpStream) -> std::io::Result<Peer> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(None)?;
        stream.set_nonblocking(true)?;
        Ok(Peer { rank, stream, bytes: Vec::new(), heard: Instant::now(), left: false })
    }

    fn tell(&mut self, news: News) {
        // A connection that takes nothing is seen to be broken when it is read.
        let _ = self.stream.write_all(&news.encode());
    }

    /// What it says, and why it is dead if it is.
    fn hear(&mut self) -> (Vec<News>, Option<String>) {
        let mut buffer = [0; 1024];
        let mut dead = None;
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => dead = Some("its process has ended or has closed the connection".to_owned()),
                Ok(count) => {
                    self.bytes.extend_from_slice(&buffer[..count]);
                    self.heard = Instant::now();
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => dead = Some(format!("its connection is broken: {error}")),
            }
            break;
        }
        if self.heard.elapsed() > SILENCE {
            dead = Some(format!("no sign of life for {} seconds", SILENCE.as_secs()));
        }
        let (whole, rest) = self.bytes.as_chunks::<LEN>();
        let (news, rest) = (whole.iter().map(News::decode).collect(), rest.to_vec());
        self.bytes = rest;
        (news, dead)
    }
}

/// The connections of a rank and the thread that looks at them.
pub(crate) struct Watch {
    streams: Vec<TcpStream>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    /// Connects all ranks to rank 0, whose address they learn by the group.
    pub(crate) fn start(
        group: &mut dyn Group,
        host: &str,
        answers: Sender<Answer>,
    ) -> Result<Watch, GroupError> {
        let failed = |what: &str, error: std::io::Error| GroupError::new(format!("{what}: {error}"));
        let rank = group.rank();
        let mut peers = Vec::new();
        if rank == 0 {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))
                .map_err(|error| failed("no port to watch the other ranks from", error))?;
            let port = listener.local_addr().map_err(|error| failed("no port", error))?.port();
            // Random, so that nobody else is taken for a rank.
            let token = RandomState::new().hash_one(port);
            let address = env::var(ADDRESS).unwrap_or_else(|_| host.to_owned());
            gather_texts(group, &format!("{address}\t{host}\t{port}\t{token}"))?;
            let found = accept(&listener, token, group.size(), &mut peers);
            let problem = found.err().map_or_else(String::new, |error| error.to_string());
            agree(group, &problem)?;
        } else {
            let text = gather_texts(group, "")?.swap_remove(0);
            let parts: Vec<&str> = text.split('\t').collect();
            let [address, of, port, token] = parts[..] else {
                return Err(GroupError::new(format!("rank 0 says {text:?}, which is no address")));
            };
            let (port, token) = (port.parse().unwrap_or_default(), token.parse().unwrap_or_default());
            let found = connect(if of == host { "127.0.0.1" } else { address }, address, port, token, rank);
            let problem = match found {
                Ok(peer) => {
                    peers.push(peer);
                    String::new()
                }
                Err(error) => format!(
                    "rank {rank} on {host} does not reach rank 0 at {address}, port {port}: {error}; {ADDRESS} names \
                     another address"
                ),
            };
            agree(group, &problem)?;
        }
        let streams = peers.iter().map(|peer| peer.stream.try_clone()).collect::<Result<Vec<_>, _>>();
        let streams = streams.map_err(|error| failed("connections are not to be shared", error))?;
        let stop = Arc::new(AtomicBool::new(false));
        let of_thread = Arc::clone(&stop);
        thread::Builder::new()
            .name("gradus-watch".into())
            .spawn(move || look(rank, peers, &answers, &of_thread))
            .map_err(|error| failed("no thread to watch the other ranks", error))?;
        Ok(Watch { streams, stop })
    }

    /// Tells the others that this rank has left, after so many jobs.
    pub(crate) fn leave(&mut self, rank: usize, jobs: u64) {
        for stream in &mut self.streams {
            let _ = stream.write_all(&News::Left(rank, jobs).encode());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for stream in &self.streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// The first problem of any rank is that of all.
fn agree(group: &mut dyn Group, problem: &str) -> Result<(), GroupError> {
    match gather_texts(group, problem)?.into_iter().find(|text| !text.is_empty()) {
        Some(text) => Err(GroupError::new(text)),
        None => Ok(()),
    }
}

/// Rank 0's connections, in the order of the ranks.
fn accept(listener: &TcpListener, token: u64, size: usize, peers: &mut Vec<Peer>) -> std::io::Result<()> {
    let until = Instant::now() + PATIENCE;
    listener.set_nonblocking(true)?;
    while peers.len() + 1 < size {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(Duration::from_secs(2)))?;
                let mut hello = [0; 12];
                let known = stream.read_exact(&mut hello).is_ok() && hello[4..] == token.to_le_bytes();
                if known {
                    let rank = u32::from_le_bytes(hello[..4].try_into().expect("4 bytes"));
                    peers.push(Peer::new(rank as usize, stream)?);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if Instant::now() > until {
                    let all = format!("only {} of {} ranks connect to rank 0", peers.len(), size - 1);
                    return Err(std::io::Error::new(ErrorKind::TimedOut, all));
                }
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(error),
        }
    }
    peers.sort_by_key(|peer| peer.rank);
    Ok(())
}

fn connect(near: &str, far: &str, port: u16, token: u64, rank: usize) -> std::io::Result<Peer> {
    let mut last = std::io::Error::new(ErrorKind::NotFound, "the name has no address");
    for name in [near, far] {
        let addresses = match (name, port).to_socket_addrs() {
            Ok(addresses) => addresses,
            Err(error) => {
                last = error;
                continue;
            }
        };
        for address in addresses {
            match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
                Ok(mut stream) => {
                    let mut hello = (rank as u32).to_le_bytes().to_vec();
                    hello.extend(token.to_le_bytes());
                    stream.write_all(&hello)?;
                    return Peer::new(0, stream);
                }
                Err(error) => last = error,
            }
        }
    }
    Err(last)
}

/// Reads what the peers say, tells them what rank 0 has to, and ends with the first that is lost.
fn look(rank: usize, mut peers: Vec<Peer>, answers: &Sender<Answer>, stop: &AtomicBool) {
    let mut ticked = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if ticked.elapsed() > TICK {
            peers.iter_mut().for_each(|peer| peer.tell(News::Alive));
            ticked = Instant::now();
        }
        for at in 0..peers.len() {
            let (news, dead) = peers[at].hear();
            let mut lost = dead.filter(|_| !peers[at].left).map(|why| (peers[at].rank, why));
            for news in news {
                match news {
                    News::Alive => {}
                    News::Left(who, jobs) => {
                        peers[at].left |= who == peers[at].rank;
                        lost = lost.filter(|_| !peers[at].left);
                        for peer in peers.iter_mut().filter(|peer| rank == 0 && peer.rank != who) {
                            peer.tell(news);
                        }
                        let _ = answers.send(Answer::Left(who, jobs));
                    }
                    News::Lost(who) => lost = Some((who, "rank 0 has lost the connection to it".to_owned())),
                }
            }
            if let Some((who, why)) = lost {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                if rank == 0 {
                    peers.iter_mut().for_each(|peer| peer.tell(News::Lost(who)));
                }
                let _ = answers.send(Answer::Lost(who, why));
                return;
            }
        }
        thread::sleep(LOOK);
    }
}
