//! Takes in an object store: no folder is shared, and the film is the one of threads, whatever is lost.
//!
//! The server comes from `scripts/object-server`. Without it the tests say so and pass.
#![cfg(all(feature = "objects", target_os = "linux"))]

use crate::common::{Run, Running, Studio, fast};
use retake_testing::object_server::{Network, ObjectServer, Proxy, SECRET};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

pub(crate) const FLOOR: &str = "--metric psnr -q 36 --jobs 2";
pub(crate) const SOURCE: &str = "s3://films/in/film.mkv";

/// A studio whose film is an object, a server, and the film as threads make it of the object.
pub(crate) struct Set {
    pub studio: Studio,
    pub server: ObjectServer,
    pub film: Vec<u8>,
}

impl Set {
    pub(crate) fn open() -> Option<Self> {
        let (studio, server) = (Studio::open()?, ObjectServer::start()?);
        server.put("in/film.mkv", &studio.read("film.mkv"));
        server.put("jobs/dear.txt", b"dear");
        fs::create_dir(studio.path("temporary")).unwrap();
        studio.encode(&format!("film.mkv -o threads.mp4 {} {FLOOR}", fast()));
        let film = studio.read("threads.mp4");
        Some(Self { studio, server, film })
    }

    fn command(&self, port: u16, arguments: &str, on: &str) -> Command {
        let mut command = self.studio.command(&format!("encode {arguments} {} {FLOOR} --json", fast()));
        command.args(["--shared-root", "s3://films/jobs", "--on", on]);
        command.envs(ObjectServer::variables(port)).env("TMPDIR", self.studio.path("temporary"));
        command
    }

    /// All that is in the store once a job is over, and what is left on this machine.
    pub(crate) fn is_tidy(&self, films: &[&str]) {
        let [keys, uploads] = self.server.keys();
        let mut wanted = [films, &["in/film.mkv", "jobs/dear.txt"]].concat();
        wanted.sort_unstable();
        assert_eq!((keys, uploads), (wanted.iter().map(|key| (*key).to_owned()).collect(), vec![]));
        let names = self.studio.names();
        assert!(names.iter().all(|name| !name.contains("retake")), "job folders were left: {names:?}");
        let left: Vec<_> = fs::read_dir(self.studio.path("temporary")).unwrap().flatten().collect();
        assert!(left.is_empty(), "workers left {left:?}");
    }

    /// The keys of the job with this in them.
    pub(crate) fn keys(&self, part: &str) -> Vec<String> {
        let [keys, _] = self.server.keys();
        keys.into_iter().filter(|key| key.contains("retake-") && key.contains(part)).collect()
    }
}

/// A worker that shares nothing with the export but the store.
fn worker() -> String {
    format!(
        "{} worker --root s3://films/jobs --array {{file}} --index {{index}}",
        env!("CARGO_BIN_EXE_retake")
    )
}

fn done(mut command: Command) -> Run {
    let run = Run::of(command.output().unwrap());
    assert!(run.code == 0 || run.code == 3, "{run:?}");
    assert!(!run.err.contains(SECRET) && !run.out.contains(SECRET), "{run:?}");
    run
}

fn kept(run: &Run) -> usize {
    run.events().iter().filter(|event| event["event"] == "take_finished" && event["kept"] == true).count()
}

/// Source, takes and film are objects: the film has the bytes of the one of threads, nothing is left but what
/// was there, and nothing that is secret has come into the store.
#[test]
fn takes_travel_through_the_store() {
    let Some(set) = Set::open() else { return };
    let to = format!("{SOURCE} -o s3://films/out/film.mp4");
    let on = format!("array:{}", worker());
    let mut running = Running::start(set.command(set.server.port(), &to, &on));
    assert!(running.until(&mut |event| event["event"] == "take_finished"));
    for kind in ["/job.json", "/source.json", "/takes/", "/index/", "/arrays/"] {
        let keys = set.keys(kind);
        assert!(!keys.is_empty(), "nothing of {kind}: {:?}", set.server.keys());
        for bytes in keys.iter().filter_map(|key| set.server.get(key)) {
            let is_in = |secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_in(SECRET) && !is_in("AKIDEXAMPLE"), "credentials are in {kind}");
        }
    }
    let (run, events, _) = running.end();
    assert!(run.code == 0 || run.code == 3, "{run:?}");
    assert!(!format!("{run:?}{events:?}").contains(SECRET));
    assert!(set.server.get("out/film.mp4").unwrap() == set.film);
    set.is_tidy(&["out/film.mp4"]);
    // the film may be a file, and the array be told by its address
    let by_address = worker().replace("{file}", "s3://films/jobs/{file}");
    done(set.command(set.server.port(), &format!("{SOURCE} -o out.mp4"), &format!("array:{by_address}")));
    assert!(set.studio.read("out.mp4") == set.film);
    set.is_tidy(&["out/film.mp4"]);
}

/// Kills an export half-way and gives the same command again: here, or as on another machine that has nothing
/// of it, when a take was lost and another one damaged meanwhile.
fn is_carried_on(elsewhere: bool) {
    let Some(set) = Set::open() else { return };
    let (port, on) = (set.server.port(), format!("array:{}", worker()));
    let to = format!("{SOURCE} -o s3://films/out.mp4");
    let mut running = Running::start(set.command(port, &to, &on));
    let mut takes = 0;
    assert!(running.until(&mut |event| {
        takes += usize::from(event["event"] == "take_finished");
        takes == 3
    }));
    running.signal("KILL");
    running.end();
    let there = set.keys("/takes/");
    assert!(there.len() >= 3, "{there:?}");
    if elsewhere {
        let names = set.studio.names();
        let folder = names.iter().find(|name| name.contains("retake")).expect("there is a job folder");
        fs::remove_dir_all(set.studio.path(folder)).unwrap();
        set.server.remove(&there[0]);
        let mut bytes = set.server.get(&there[1]).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        set.server.put(&there[1], &bytes);
    }
    let run = done(set.command(port, &to, &on));
    assert!(kept(&run) > 0, "of {there:?} none was kept");
    assert!(set.server.get("out.mp4").unwrap() == set.film);
    set.is_tidy(&["out.mp4"]);
}

#[test]
fn a_killed_export_is_carried_on() {
    is_carried_on(false);
}

/// All that the job folder held is brought from the store; of its takes those that were lost or damaged alone
/// are made again.
#[test]
fn a_killed_export_is_carried_on_from_the_store_alone() {
    is_carried_on(true);
}

/// Each kind of object is lost or damaged once, while workers need it: that costs time alone.
#[test]
fn objects_that_are_lost_or_damaged_cost_time_alone() {
    let Some(set) = Set::open() else { return };
    let on = format!("array:{}", worker());
    let command = set.command(set.server.port(), &format!("{SOURCE} -o s3://films/out.mp4"), &on);
    let mut running = Running::start(command);
    let (mut damaged, over) = (Vec::new(), AtomicBool::new(false));
    thread::scope(|scope| {
        let vandal = scope.spawn(|| {
            let mut kinds =
                vec!["/source.json", "/index/", ".take", "/job.json", "-0.json", "/arrays/", ".run"];
            while !over.load(Ordering::Relaxed) {
                kinds.retain(|kind| {
                    let Some(key) = set.keys(kind).pop() else { return true };
                    match damaged.len() % 2 {
                        0 => set.server.put(&key, b"not what was there"),
                        _ => set.server.remove(&key),
                    }
                    damaged.push(key);
                    false
                });
                thread::sleep(Duration::from_millis(20));
            }
        });
        while running.until(&mut |_| false) {}
        over.store(true, Ordering::Relaxed);
        vandal.join().unwrap();
    });
    let (run, ..) = running.end();
    assert!(run.code == 0 || run.code == 3, "{run:?} {damaged:?}");
    assert!(damaged.len() >= 6, "{damaged:?}");
    assert!(set.server.get("out.mp4").unwrap() == set.film);
}

/// A worker that is killed when it has put its take into the store and said nothing, or while the store
/// cannot be reached, costs its take some time; what it left on its machine is removed by the next.
#[test]
fn a_worker_that_is_killed_while_it_puts_its_take_is_forgotten() {
    let Some(set) = Set::open() else { return };
    let proxy = Proxy::start(&set.server);
    proxy.mute_at("PUT /films/jobs/retake-");
    let first = set.studio.path("first");
    let through = format!("AWS_ENDPOINT_URL=http://127.0.0.1:{}", proxy.port());
    // the first worker hears nothing any more from its first upload on
    let on = format!(
        "array:if mkdir {}; then exec timeout -s KILL 10 env {through} {worker}; fi; exec {worker}",
        first.display(),
        worker = worker(),
    );
    done(set.command(set.server.port(), &format!("{SOURCE} -o s3://films/out.mp4"), &on));
    assert!(first.exists());
    assert!(set.server.get("out.mp4").unwrap() == set.film);
    set.is_tidy(&["out.mp4"]);
}

/// A store that goes away for a while costs time alone, for the export and for its workers.
#[test]
fn a_store_that_comes_back_costs_time_alone() {
    let Some(set) = Set::open() else { return };
    let proxy = Proxy::start(&set.server);
    let on = format!("array:{}", worker());
    let mut running =
        Running::start(set.command(proxy.port(), &format!("{SOURCE} -o s3://films/out.mp4"), &on));
    assert!(running.until(&mut |event| event["event"] == "take_finished"));
    proxy.set(Network::Cut);
    thread::sleep(Duration::from_secs(10));
    proxy.set(Network::Sound);
    let (run, ..) = running.end();
    assert!(run.code == 0 || run.code == 3, "{run:?}");
    assert!(set.server.get("out.mp4").unwrap() == set.film);
    set.is_tidy(&["out.mp4"]);
}

/// Of two exports of one film the later one takes the job over, and the earlier one ends in one line.
#[test]
fn of_two_exports_the_later_one_makes_the_film() {
    let Some(set) = Set::open() else { return };
    let (port, on) = (set.server.port(), format!("array:sleep 0.5; {}", worker()));
    let command = |folder: &str| {
        let mut command = set.command(port, &format!("{SOURCE} -o s3://films/out.mp4"), &on);
        let folder: PathBuf = set.studio.path(folder);
        fs::create_dir(&folder).unwrap();
        command.current_dir(folder);
        command
    };
    let mut earlier = Running::start(command("one"));
    assert!(earlier.until(&mut |event| event["event"] == "take_finished"));
    let later = thread::scope(|scope| {
        let later = scope.spawn(|| done(command("two")));
        let (run, ..) = earlier.end();
        run.refused(2, &["another retake is working on this job", "s3://films/jobs/retake-"]);
        later.join().unwrap()
    });
    assert!(kept(&later) > 0, "{later:?}");
    assert!(set.server.get("out.mp4").unwrap() == set.film);
    set.is_tidy(&["out.mp4"]);
}

/// A signal ends an export and its workers, and leaves its takes in the store.
#[test]
fn a_stopped_export_keeps_its_takes() {
    let Some(set) = Set::open() else { return };
    let (port, on) = (set.server.port(), format!("array:{}", worker()));
    let to = format!("{SOURCE} -o s3://films/out.mp4");
    let mut running = Running::start(set.command(port, &to, &on));
    assert!(running.until(&mut |event| event["event"] == "take_finished"));
    running.signal("TERM");
    let (run, ..) = running.end();
    // what it had no time to remove on a busy machine is removed by the next run
    assert!(run.err.contains("stopped"), "{run:?}");
    assert!(!set.keys("/takes/").is_empty());
    assert!(kept(&done(set.command(port, &to, &on))) > 0);
    assert!(set.server.get("out.mp4").unwrap() == set.film);
    set.is_tidy(&["out.mp4"]);
}

/// What cannot work is told in one line before any work.
#[test]
fn a_place_that_cannot_be_is_told_in_one_line() {
    let Some(set) = Set::open() else { return };
    let (port, on) = (set.server.port(), format!("array:{}", worker()));
    let refused = |input: &str, root: &str, words: &[&str]| {
        let flags = format!("encode {input} -o s3://films/out.mp4 {} {FLOOR} --shared-root {root}", fast());
        let mut command = set.studio.command(&flags);
        command.args(["--on", &on]).envs(ObjectServer::variables(port));
        Run::of(command.output().unwrap()).refused(2, words);
    };
    refused(SOURCE, "s3://nowhere/jobs", &["s3://nowhere/jobs", "no bucket 'nowhere'", "--shared-root"]);
    refused(SOURCE, "s3://films/../jobs", &["s3://films/../jobs", "'..'"]);
    // no machine but this one would find the source
    refused("film.mkv", "s3://films/jobs", &["film.mkv", "is not below s3://films/jobs"]);
    set.is_tidy(&[]);
}

/// A worker that is refused by the store tells its machine and why, with the frames and a remedy; the takes
/// of others are kept.
#[test]
fn a_worker_that_is_refused_is_told_in_one_line() {
    let Some(set) = Set::open() else { return };
    let port = set.server.port();
    let to = format!("{SOURCE} -o s3://films/out.mp4");
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    // the service that tells a machine who it is: nothing listens there
    let nobody = "env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY AWS_METADATA_ENDPOINT=http://127.0.0.1:9";
    let worker = worker();
    let elsewhere = worker.replace("s3://films/jobs", "s3://nowhere/jobs");
    for (command, why) in
        [(format!("{nobody} {worker}"), "no credentials"), (elsewhere, "no bucket 'nowhere'")]
    {
        let run = Run::of(set.command(port, &to, &format!("array:{command}")).output().unwrap());
        assert!(!run.err.contains(SECRET), "{run:?}");
        let remedy = "the same command carries on";
        run.refused(1, &["frames ", "3 attempts", &format!("on {}", machine.trim()), why, remedy]);
    }
    done(set.command(port, &to, &format!("array:{worker}")));
    assert!(set.server.get("out.mp4").unwrap() == set.film);
    set.is_tidy(&["out.mp4"]);
}
