//! `--on restate://…` has an engine make the film: the same bytes, whatever is killed on the way.
//!
//! The server comes from `scripts/restate-server`. Without it the test says so and passes.
#![cfg(all(feature = "restate", target_os = "linux"))]

use crate::common::{Studio, fast, signal, until};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// An engine and a worker. They end with the value.
struct Engine {
    server: PathBuf,
    place: tempfile::TempDir,
    ports: [u16; 4],
    films: PathBuf,
    daemons: Vec<Child>,
}

fn server() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/restate-server");
    let found = Command::new("bash").arg(script).stderr(Stdio::null()).output().ok()?;
    let path = PathBuf::from(String::from_utf8(found.stdout).ok()?.trim());
    let there = found.status.success() && path.exists();
    if !there {
        eprintln!("SKIPPED: no restate-server (npm installs it, or set RETAKE_RESTATE_SERVER)");
    }
    there.then_some(path)
}

impl Engine {
    fn start(films: &Path) -> Option<Self> {
        let server = server()?;
        // the ports are free again when the listeners go, and nobody else takes them so soon
        let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = [0, 1, 2, 3].map(|number: usize| listeners[number].local_addr().unwrap().port());
        drop(listeners);
        let place = tempfile::tempdir().unwrap();
        let mut engine = Self { server, place, ports, films: films.to_owned(), daemons: Vec::new() };
        engine.start_server();
        engine.start_worker();
        let deployment = format!("{{\"uri\":\"http://127.0.0.1:{}\"}}", engine.ports[3]);
        until("the engine knows the worker", || engine.post(engine.ports[1], "/deployments", &deployment));
        Some(engine)
    }

    fn start_server(&mut self) {
        let at = |port: u16| format!("127.0.0.1:{port}");
        let mut server = Command::new(&self.server);
        server.arg("--no-logo").env("RESTATE_BASE_DIR", self.place.path().join("engine"));
        server.env("RESTATE_INGRESS__BIND_ADDRESS", at(self.ports[0]));
        server.env("RESTATE_ADMIN__BIND_ADDRESS", at(self.ports[1]));
        server.env("RESTATE_BIND_ADDRESS", at(self.ports[2]));
        server.env("RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE", "128MB").env("RESTATE_DISABLE_TELEMETRY", "true");
        let log = fs::File::options().create(true).append(true).open(self.place.path().join("log")).unwrap();
        server.stdin(Stdio::null()).stderr(log.try_clone().unwrap()).stdout(log);
        // node starts the program itself, which has to go with it
        std::os::unix::process::CommandExt::process_group(&mut server, 0);
        self.daemons.insert(0, server.spawn().unwrap());
    }

    fn start_worker(&mut self) {
        let mut worker = Command::new(env!("CARGO_BIN_EXE_retake"));
        worker.args(["worker", "--listen", &format!("127.0.0.1:{}", self.ports[3]), "--jobs", "2"]);
        worker.arg("--root").arg(&self.films).stderr(Stdio::piped()).stdin(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut worker, 0);
        let mut worker = worker.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(worker.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("waits for calls"), "{line}");
        self.daemons.push(worker);
    }

    /// Kills the server (0) or the worker (1).
    fn kill(&mut self, number: usize) {
        let mut daemon = self.daemons.remove(number);
        signal(group(&daemon), "KILL");
        daemon.wait().unwrap();
    }

    /// A request of HTTP, as plain as it can be; whether it was answered well.
    fn post(&self, port: u16, path: &str, text: &str) -> bool {
        use std::io::{Read, Write};
        let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else { return false };
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: engine\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{text}",
            text.len()
        );
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 2")
    }

    fn address(&self) -> String {
        format!("restate://127.0.0.1:{}", self.ports[0])
    }

    fn status(&self, studio: &Studio, job: &str) -> Option<Value> {
        let run = studio.retake(&format!("status {} {job} --json", self.address()));
        serde_json::from_str(&run.out).ok()
    }
}

/// A process with all that it started.
fn group(child: &Child) -> String {
    format!("-{}", child.id())
}

impl Drop for Engine {
    fn drop(&mut self) {
        while !self.daemons.is_empty() {
            self.kill(0);
        }
    }
}

/// Worker and server are killed in the middle; then an export is given up, and carried on.
#[test]
fn an_engine_makes_the_bytes_that_threads_make() {
    let Some(studio) = Studio::open() else { return };
    let Some(mut engine) = Engine::start(&studio.path(".")) else { return };
    let flags = format!("{} --metric psnr -q 36", fast());
    studio.encode(&format!("film.mkv -o threads.mp4 {flags}"));
    let on = format!("--on {} --shared-root .", engine.address());
    let detached = |output: &str| {
        let run = studio.retake(&format!("encode film.mkv -o {output} {flags} {on} --detach"));
        assert_eq!(run.code, 0, "{run:?}");
        run.out.trim().to_owned()
    };
    let job = detached("out.mp4");
    let done = |engine: &Engine, job: &str| {
        engine.status(&studio, job).is_some_and(|status| status["done"].as_u64() > Some(0))
    };
    until("a take is done", || done(&engine, &job) || studio.path("out.mp4").exists());
    engine.kill(1);
    engine.start_worker();
    engine.kill(0);
    engine.start_server();
    let address = engine.address();
    let attach = |job: &str| studio.retake(&format!("attach {address} {job} --json"));
    let mut ended = None;
    until("the export has ended", || {
        // a server that has just begun knows nothing yet
        ended = Some(attach(&job)).filter(|run| run.code == 0);
        ended.is_some()
    });
    let finished = ended.unwrap().events().pop().unwrap();
    assert_eq!(finished["event"], "finished", "{finished}");
    assert!(studio.read("out.mp4") == studio.read("threads.mp4"));
    assert!(!studio.path("out.mp4.retake").exists());
    // the same command finds the film, and tells how it went
    let again = studio.retake(&format!("encode film.mkv -o out.mp4 {flags} {on} --json"));
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.summary()["video_bytes"], finished["video_bytes"]);

    let job = detached("other.mp4");
    until("it has begun", || studio.path("other.mp4.retake").exists() || studio.path("other.mp4").exists());
    let cancelled = studio.retake(&format!("cancel {} {job}", engine.address()));
    assert_eq!(cancelled.code, 0, "{cancelled:?}");
    let attached = attach(&job);
    assert!(attached.code == 130 || studio.path("other.mp4").exists(), "{attached:?}");
    let carried_on = studio.retake(&format!("encode film.mkv -o other.mp4 {flags} {on} --quiet"));
    assert_eq!(carried_on.code, 0, "{carried_on:?}");
    assert!(studio.read("other.mp4") == studio.read("threads.mp4"));

    // a worker that is asked to end does, when what it runs has ended
    signal(group(&engine.daemons[1]), "TERM");
    let mut worker = engine.daemons.remove(1);
    until("the worker ends", || worker.try_wait().unwrap().is_some());
    assert!(worker.wait().unwrap().success());
}

/// What cannot be is refused with its cause: nowhere an engine, no worker, no such export, no way to say it.
#[test]
fn what_an_engine_cannot_do_is_told() {
    let Some(studio) = Studio::open() else { return };
    let encode = |on: &str, flags: &str| {
        studio.retake(&format!("encode film.mkv -o out.mp4 {} --on {on} {flags}", fast()))
    };
    encode("restate://nowhere", "").refused(2, &["restate://nowhere", "restate://127.0.0.1:8080"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let run = encode(&format!("restate://127.0.0.1:{port}"), "");
    assert!(run.code == 1 && run.err.contains("cannot be reached"), "{run:?}");
    encode(&format!("restate://127.0.0.1:{port}"), "--restart").refused(2, &["--restart"]);
    fs::create_dir(studio.path("other")).unwrap();
    encode(&format!("restate://127.0.0.1:{port}"), "--shared-root other").refused(2, &["is not below"]);
    assert!(!studio.path("out.mp4.retake").exists());
}
