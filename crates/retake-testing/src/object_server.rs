//! A server of objects for tests, and a proxy in front of it that fails as networks do.
//!
//! The server is the one that `scripts/object-server` names. What lies in it is put there and looked at by
//! plain requests, so that no client under test is its own witness.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The secret of the credentials that [`ObjectServer::variables`] have: it must appear nowhere.
pub const SECRET: &str = "ThisIsTheSecretKey0123456789abcdefGHIJKL";

/// How long a server may take to start on a machine that does much else.
const START: Duration = Duration::from_secs(120);

/// Somebody whose objects these are: the server believes what is said, and checks no signature.
const OWNER: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/s3/aws4_request, \
                     SignedHeaders=host, Signature=0";

/// A server with one bucket, `films`. It ends with the value.
pub struct ObjectServer {
    child: Child,
    port: u16,
}

/// What a server answers.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

fn program() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/object-server");
    let found = Command::new("bash").arg(script).stderr(Stdio::null()).output().ok()?;
    let path = PathBuf::from(String::from_utf8(found.stdout).ok()?.trim());
    (found.status.success() && path.exists()).then_some(path)
}

impl ObjectServer {
    /// Starts one; `None`, with a visible word, where there is none.
    #[allow(clippy::missing_panics_doc)] // a test's panic is its answer
    pub fn start() -> Option<Self> {
        let Some(program) = program() else {
            eprintln!(
                "SKIPPED: no server of objects (scripts/object-server installs moto, or set RETAKE_OBJECT_SERVER)"
            );
            return None;
        };
        // the port is free again when the listener goes, and nobody else takes it so soon
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = port.expect("a port is free").port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { child: command.spawn().expect("the server starts"), port };
        let began = Instant::now();
        while server.request("PUT", "/films", "", b"").is_none_or(|answer| answer.status != 200) {
            assert!(began.elapsed() < START, "the server of objects does not answer");
            thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    /// The port at which it answers.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The variables of the environment that lead a client to a port, which is the server's or a proxy's.
    pub fn variables(port: u16) -> [(&'static str, String); 6] {
        [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_CONFIG_FILE", "/dev/null".into()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into()),
        ]
    }

    /// Puts an object into the bucket.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.put_with(key, "", bytes);
    }

    fn put_with(&self, key: &str, headers: &str, bytes: &[u8]) {
        let answer = self.request("PUT", &format!("/films/{key}"), headers, bytes);
        assert!(answer.is_some_and(|answer| answer.status == 200), "{key} cannot be put");
    }

    /// Makes an object, with all that was noted of it, one that no upload in parts has made: as with a server
    /// that has forgotten the upload when it is asked once more to finish it.
    #[allow(clippy::missing_panics_doc)] // a test's panic is its answer
    pub fn forget_upload(&self, key: &str) {
        let answer = self.request("GET", &format!("/films/{key}"), "", b"").expect("the server answers");
        let noted = answer.head.lines().filter(|line| line.starts_with("x-amz-meta-"));
        let headers: String = noted.map(|line| format!("{}\r\n", line.trim_end())).collect();
        self.put_with(key, &headers, &answer.body);
    }

    /// The bytes of an object of the bucket, if it is there.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        let answer = self.request("GET", &format!("/films/{key}"), "", b"").expect("the server answers");
        (answer.status == 200).then_some(answer.body)
    }

    /// Removes an object of the bucket, if it is there.
    #[allow(clippy::missing_panics_doc)] // a test's panic is its answer
    pub fn remove(&self, key: &str) {
        let answer = self.request("DELETE", &format!("/films/{key}"), "", b"");
        assert!(answer.is_some_and(|answer| answer.status == 204), "{key} cannot be removed");
    }

    /// The keys of all objects, and of uploads in parts that were neither finished nor given up.
    pub fn keys(&self) -> [Vec<String>; 2] {
        ["/films?list-type=2", "/films?uploads"].map(|path| {
            let answer = self.request("GET", path, "", b"").expect("the server answers");
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
            keys.map(|(key, _)| key.to_owned()).collect()
        })
    }

    fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: application/octet-stream\r\n\
             authorization: {OWNER}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let body = answer.split_off(end + 4);
        let head = String::from_utf8(answer).ok()?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, head, body })
    }
}

impl Drop for ObjectServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a proxy does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Network {
    /// All goes through.
    Sound,
    /// Connections are cut, and new ones closed at once.
    Cut,
    /// Requests reach the server, and nothing comes back.
    Mute,
}

/// A proxy in front of a server. It ends with the value.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    network: AtomicU8,
    /// How the request begins behind which nothing is answered any more.
    last_request: Mutex<Option<Vec<u8>>>,
    /// Bytes from the server, and to it.
    down: AtomicU64,
    up: AtomicU64,
    over: AtomicBool,
}

/// How long a thread of a proxy sees nothing of what has changed.
const TICK: Duration = Duration::from_millis(10);

impl Proxy {
    /// Starts one in front of a server.
    #[allow(clippy::missing_panics_doc)] // a test's panic is its answer
    pub fn start(server: &ObjectServer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        listener.set_nonblocking(true).expect("a listener can be asked");
        let shared = Arc::new(Shared {
            network: AtomicU8::new(Network::Sound as u8),
            last_request: Mutex::new(None),
            down: AtomicU64::new(0),
            up: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let (all, to) = (shared.clone(), server.port);
        thread::spawn(move || {
            while !all.over.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((client, _)) if !all.is(Network::Cut) => connect(client, to, &all),
                    Ok(_) => {}
                    Err(_) => thread::sleep(TICK),
                }
            }
        });
        Self { port, shared }
    }

    /// The port at which it answers.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what becomes of all that comes from now on.
    pub fn set(&self, network: Network) {
        self.shared.network.store(network as u8, Ordering::Relaxed);
    }

    /// From the first request on that begins so, nothing comes back: it is [`Network::Mute`] then.
    pub fn mute_at(&self, request: &str) {
        *self.shared.last_request() = Some(request.as_bytes().to_vec());
    }

    /// The bytes that have come from the server so far.
    pub fn down(&self) -> u64 {
        self.shared.down.load(Ordering::Relaxed)
    }

    /// The bytes that have gone to the server so far.
    pub fn up(&self) -> u64 {
        self.shared.up.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn last_request(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        // every change is whole
        self.last_request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mute_if_last(&self, bytes: &[u8]) {
        let mut last = self.last_request();
        if last.as_ref().is_some_and(|request| bytes.starts_with(request)) {
            *last = None;
            self.network.store(Network::Mute as u8, Ordering::Relaxed);
        }
    }

    fn is(&self, network: Network) -> bool {
        self.network.load(Ordering::Relaxed) == network as u8
    }
}

fn connect(client: TcpStream, to: u16, shared: &Arc<Shared>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { return };
    let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { return };
    let (up, down) = (shared.clone(), shared.clone());
    thread::spawn(move || pass(client, server_too, &up, &up.up, false));
    thread::spawn(move || pass(server, client_too, &down, &down.down, true));
}

fn pass(mut from: TcpStream, mut to: TcpStream, shared: &Shared, count: &AtomicU64, answers: bool) {
    let mut buffer = vec![0; 64 << 10];
    if from.set_nonblocking(false).and_then(|()| from.set_read_timeout(Some(TICK))).is_err() {
        return;
    }
    while !shared.over.load(Ordering::Relaxed) && !shared.is(Network::Cut) {
        if answers && shared.is(Network::Mute) {
            thread::sleep(TICK);
            continue;
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            // what came while this thread waited is an answer, too
            Ok(_) if answers && shared.is(Network::Mute) => break,
            Ok(read) => {
                if !answers {
                    shared.mute_if_last(&buffer[..read]);
                }
                count.fetch_add(read as u64, Ordering::Relaxed);
                if to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
