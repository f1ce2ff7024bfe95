//! `--on restate://…` has an engine make the film: the same bytes, whatever is killed on the way.
//!
//! The server comes from `scripts/restate-server`. Without it the test says so and passes.
#![cfg(all(feature = "restate", target_os = "linux"))]

use crate::common::{Studio, fast, signal, until};
#[cfg(feature = "objects")]
use crate::object_takes::{FLOOR, SOURCE, Set};
#[cfg(feature = "objects")]
use retake_testing::object_server::{ObjectServer, SECRET};
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
    /// The root of the worker, and the variables that it is started with.
    root: PathBuf,
    variables: Vec<(&'static str, String)>,
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
    fn start(root: &Path, variables: Vec<(&'static str, String)>) -> Option<Self> {
        let server = server()?;
        // the ports are free again when the listeners go, and nobody else takes them so soon
        let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = [0, 1, 2, 3].map(|number: usize| listeners[number].local_addr().unwrap().port());
        drop(listeners);
        let place = tempfile::tempdir().unwrap();
        let root = root.to_owned();
        let mut engine = Self { server, place, ports, root, variables, daemons: Vec::new() };
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
        worker.args(["--engine", &self.address()]);
        worker.envs(self.variables.iter().cloned());
        worker.arg("--root").arg(&self.root).stderr(Stdio::piped()).stdin(Stdio::null());
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
        self.answer(port, path, text).is_ok_and(|answer| answer.starts_with("HTTP/1.1 2"))
    }

    fn answer(&self, port: u16, path: &str, text: &str) -> std::io::Result<String> {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: engine\r\ncontent-type: application/json\r\n\
             accept: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        );
        let mut answer = String::new();
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// How often the engine was asked for a handler of this service, by its own account.
    fn calls(&self, service: &str, handler: &str) -> u64 {
        let query = format!(
            "{{\"query\":\"SELECT count(*) AS n FROM sys_invocation WHERE target_service_name = '{service}' \
             AND target_handler_name = '{handler}'\"}}"
        );
        let answer = self.answer(self.ports[1], "/query", &query).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        // it comes in pieces, each behind a line with its length
        let body: String = body.split("\r\n").skip(1).step_by(2).collect();
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        body["rows"][0]["n"].as_u64().unwrap_or_else(|| panic!("{body}"))
    }

    fn address(&self) -> String {
        format!("restate://127.0.0.1:{}", self.ports[0])
    }

    fn status(&self, studio: &Studio, job: &str) -> Option<Value> {
        let run = studio.retake(&format!("status {} {job} --json", self.address()));
        serde_json::from_str(&run.out).ok()
    }

    /// Whether a take of the job is done.
    fn has_done(&self, studio: &Studio, job: &str) -> bool {
        self.status(studio, job).is_some_and(|status| status["done"].as_u64() > Some(0))
    }

    /// Waits until the export has ended well, and returns what is told then.
    fn ended(&self, studio: &Studio, job: &str) -> Value {
        let mut ended = None;
        until("the export has ended", || {
            // a server that has just begun knows nothing yet
            let run = studio.retake(&format!("attach {} {job} --json", self.address()));
            ended = Some(run).filter(|run| run.code == 0);
            ended.is_some()
        });
        let finished = ended.expect("it has ended").events().pop().expect("an event was told");
        assert_eq!(finished["event"], "finished", "{finished}");
        finished
    }

    /// Asks the worker to end, which it does well when what it runs has ended.
    fn end_worker(&mut self) {
        signal(group(&self.daemons[1]), "TERM");
        let mut worker = self.daemons.remove(1);
        until("the worker ends", || worker.try_wait().unwrap().is_some());
        assert!(worker.wait().unwrap().success());
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
    let Some(mut engine) = Engine::start(&studio.path("."), Vec::new()) else { return };
    let flags = format!("{} --metric psnr -q 36", fast());
    studio.encode(&format!("film.mkv -o threads.mp4 {flags}"));
    let on = format!("--on {} --shared-root .", engine.address());
    let detached = |output: &str| {
        let run = studio.retake(&format!("encode film.mkv -o {output} {flags} {on} --detach"));
        assert_eq!(run.code, 0, "{run:?}");
        run.out.trim().to_owned()
    };
    let job = detached("out.mp4");
    until("a take is done", || engine.has_done(&studio, &job) || studio.path("out.mp4").exists());
    engine.kill(1);
    engine.start_worker();
    engine.kill(0);
    engine.start_server();
    let finished = engine.ended(&studio, &job);
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
    let attached = studio.retake(&format!("attach {} {job} --json", engine.address()));
    assert!(attached.code == 130 || studio.path("other.mp4").exists(), "{attached:?}");
    let carried_on = studio.retake(&format!("encode film.mkv -o other.mp4 {flags} {on} --quiet"));
    assert_eq!(carried_on.code, 0, "{carried_on:?}");
    assert!(studio.read("other.mp4") == studio.read("threads.mp4"));
    engine.end_worker();
}

/// Takes of the first pass are called while the film is looked through, and not again when it has been: those
/// of the two units that learn from no other.
#[test]
fn takes_begin_while_the_film_is_looked_through() {
    let Some(studio) = Studio::open() else { return };
    let Some(mut engine) = Engine::start(&studio.path("."), Vec::new()) else { return };
    let flags = format!("{} --metric psnr -q 36", fast());
    let threads = studio.encode(&format!("film.mkv -o threads.mp4 {flags}"));
    let takes: Vec<u64> = threads.summary()["passes"].as_array().unwrap().iter().map(takes_of).collect();
    assert!(takes.len() > 1, "{takes:?}");
    let on = format!("--on {} --shared-root .", engine.address());
    let run = studio.retake(&format!("encode film.mkv -o out.mp4 {flags} {on}"));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(studio.read("out.mp4") == studio.read("threads.mp4"));
    assert_eq!(engine.calls("RetakeExport", "begin"), 2);
    assert_eq!(engine.calls("RetakeTakes", "run"), takes.iter().sum::<u64>());
    // what was found lies beside the film, as it does where no engine is
    let found = studio.retake("replan out.mp4 --quality 36 --json");
    let expected = studio.retake("replan threads.mp4 --quality 36 --json");
    assert_eq!(found.code, 0, "{found:?}");
    let plans = [found, expected].map(|run| serde_json::from_str::<Value>(&run.out).unwrap());
    for field in ["file_bytes", "mean", "worst", "frames"] {
        assert_eq!(plans[0][0][field], plans[1][0][field], "{field}");
    }
    engine.end_worker();
}

fn takes_of(pass: &Value) -> u64 {
    pass["takes"].as_u64().unwrap()
}

/// The same where no folder is shared: source, takes and film are objects, and each worker that comes has
/// nothing of the job. An export that was given up is carried on; nothing is left in the end.
#[cfg(feature = "objects")]
#[test]
fn an_engine_works_over_an_object_store() {
    let Some(set) = Set::open() else { return };
    let temporary = set.studio.path("temporary");
    let mut variables = ObjectServer::variables(set.server.port()).to_vec();
    variables.push(("TMPDIR", temporary.to_str().unwrap().to_owned()));
    let Some(mut engine) = Engine::start(Path::new("s3://films"), variables) else { return };
    // whoever asks needs no way to the store
    let encode = |engine: &Engine, arguments: &str| {
        let on = format!("--on {} --shared-root s3://films", engine.address());
        set.studio.retake(&format!("encode {arguments} {} {FLOOR} {on}", fast()))
    };
    for (arguments, cause) in [
        ("film.mkv -o s3://films/out/a.mp4".to_owned(), "is not below"),
        (format!("{SOURCE} -o a.mp4"), "is not below"),
        (format!("{SOURCE} -o s3://other/a.mp4"), "is not below"),
        ("s3://films/in/../film.mkv -o s3://films/out/a.mp4".to_owned(), "is not below"),
        (format!("{SOURCE} -o s3://films/out/a.mp4 --work-dir s3://films/job"), "--work-dir"),
    ] {
        encode(&engine, &arguments).refused(2, &[cause]);
    }
    let detached = |engine: &Engine, film: &str| {
        let run = encode(engine, &format!("{SOURCE} -o s3://films/out/{film} --detach"));
        assert_eq!(run.code, 0, "{run:?}");
        run.out.trim().to_owned()
    };
    let job = detached(&engine, "a.mp4");
    until("a take is done", || engine.has_done(&set.studio, &job));
    engine.kill(1);
    engine.start_worker();
    let finished = engine.ended(&set.studio, &job);
    assert!(finished["passes"].as_array().is_some_and(|passes| passes.len() > 1), "{finished}");
    assert!(set.server.get("out/a.mp4").unwrap() == set.film);
    let words = format!("{finished}{:?}", engine.status(&set.studio, &job));
    assert!(!words.contains(SECRET), "{words}");

    // An export that ends before it can be given up says nothing, and another one is begun.
    let mut films = vec!["out/a.mp4".to_owned()];
    let (job, name) = loop {
        let name = format!("b{}.mp4", films.len());
        films.push(format!("out/{name}"));
        assert!(films.len() < 8, "no export was given up before it had ended");
        let job = detached(&engine, &name);
        until("a take is there", || {
            !set.keys("/takes/").is_empty() || set.server.get(&format!("out/{name}")).is_some()
        });
        let cancelled = set.studio.retake(&format!("cancel {} {job}", engine.address()));
        let ended = || set.server.get(&format!("out/{name}")).is_some();
        until("it was given up, or had ended", || !set.keys("/stopping").is_empty() || ended());
        if !ended() {
            assert_eq!(cancelled.code, 0, "{cancelled:?}");
            break (job, name);
        }
        engine.ended(&set.studio, &job);
    };
    let output = format!("{SOURCE} -o s3://films/out/{name} --json");
    let attached = set.studio.retake(&format!("attach {} {job} --json", engine.address()));
    assert_eq!(attached.code, 130, "{attached:?}");
    let carried_on = encode(&engine, &output);
    assert_eq!(carried_on.code, 0, "{carried_on:?}");
    assert!(set.server.get(&format!("out/{name}")).unwrap() == set.film);
    // the same command finds the film
    let again = encode(&engine, &output);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.summary()["video_bytes"], carried_on.summary()["video_bytes"]);

    // no such film, told by the worker
    let missing = encode(&engine, "s3://films/in/other.mkv -o s3://films/out/c.mp4");
    assert!(missing.code == 2 && missing.err.contains("s3://films/in/other.mkv"), "{missing:?}");
    engine.end_worker();
    set.is_tidy(&films.iter().map(String::as_str).collect::<Vec<_>>());
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
    fs::write(studio.path("p.toml"), "[p]\nrestart = true\n").unwrap();
    let profile = "--profile p --profiles p.toml";
    encode(&format!("restate://127.0.0.1:{port}"), profile).refused(2, &["--restart"]);
    let folder = format!("encode film.mkv -o other/ --on restate://127.0.0.1:{port}");
    fs::create_dir(studio.path("other")).unwrap();
    studio.retake(&folder).refused(2, &["--output other/"]);
    studio.retake(&format!("{folder} none.mkv")).refused(2, &["--on restate"]);
    encode(&format!("restate://127.0.0.1:{port}"), "--shared-root other").refused(2, &["is not below"]);
    assert!(!studio.path("out.mp4.retake").exists());
}
