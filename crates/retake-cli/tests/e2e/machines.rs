//! `--on` runs takes on other machines: the same bytes wherever they run, whatever becomes of the machines,
//! and nothing is left when the job has ended.
#![cfg(target_os = "linux")]

use crate::common::{Run, Running, Studio, encoders, fast, ffmpeg, signal, until, workers_of};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A worker of the folder that a studio is, which a machine sees at another place.
fn worker(studio: &Studio) -> String {
    let retake = env!("CARGO_BIN_EXE_retake");
    let there = studio.path("there");
    if !there.exists() {
        std::os::unix::fs::symlink(studio.path("."), &there).unwrap();
    }
    format!("{retake} worker --root {} --array {{file}} --index {{index}}", there.display())
}

fn encode(studio: &Studio, out: &str, flags: &str, on: &str) -> Command {
    let mut command = studio.command(&format!("encode film.mkv -o {out} --json {flags}"));
    command.args(["--on", on]);
    command
}

fn done(mut command: Command) -> Run {
    let run = Run::of(command.output().unwrap());
    assert!(run.code == 0 || run.code == 3, "{run:?}");
    run
}

const FLOOR: &str = "--metric psnr -q 36";

/// Every encoder makes by a command for each take what it makes on threads, the first one in several passes.
#[test]
fn a_command_for_each_take_makes_the_bytes_that_threads_make() {
    let Some(studio) = Studio::open() else { return };
    let worker = format!("array:{}", worker(&studio));
    for (number, encoder) in encoders().iter().enumerate() {
        let goal = if number == 0 { FLOOR } else { "--crf 40" };
        let flags = format!("{} {goal} --jobs 2", encoder.flags);
        let name = |how: &str| format!("{number}{how}.mkv");
        studio.encode(&format!("film.mkv -o {} {flags}", name("threads")));
        done(encode(&studio, &name("machines"), &flags, &worker));
        assert!(studio.read(&name("threads")) == studio.read(&name("machines")), "{} {goal}", encoder.name);
    }
    // workers read the film through the same filters
    let flags = format!("{} {FLOOR} --jobs 2 --scale 160x-2 --denoise light", fast());
    studio.encode(&format!("film.mkv -o filtered.mkv {flags}"));
    done(encode(&studio, "elsewhere.mkv", &flags, &worker));
    assert!(studio.read("filtered.mkv") == studio.read("elsewhere.mkv"), "filtered");
}

/// A worker that dies costs its take, which is run again; one that dies again and again ends the job, which
/// is carried on elsewhere.
#[test]
fn a_worker_that_dies_costs_one_take() {
    let Some(studio) = Studio::open() else { return };
    let flags = format!("{} {FLOOR} --jobs 2", fast());
    studio.encode(&format!("film.mkv -o threads.mp4 {flags}"));
    let worker = worker(&studio);
    // of every take the first worker dies
    let dies = format!(
        "array:test -e tried-{{index}} || {{ : {{file}} >tried-{{index}}; kill -SEGV $$; }}; exec {worker}"
    );
    done(encode(&studio, "out.mp4", &flags, &dies));
    assert!(studio.path("tried-0").exists());
    assert!(studio.read("out.mp4") == studio.read("threads.mp4"));
    let always = format!("array:echo out of cheese >&2; kill -SEGV $$; {worker}");
    let run = Run::of(encode(&studio, "never.mp4", &flags, &always).output().unwrap());
    assert_eq!(run.code, 1, "{run:?}");
    for word in ["frames ", "3 attempts", "segmentation fault", "out of cheese"] {
        assert!(run.err.contains(word), "{word}: {run:?}");
    }
    let again = studio.encode(&format!("film.mkv -o never.mp4 {flags}"));
    assert_eq!(again.code, 0, "{again:?}");
    assert!(studio.read("never.mp4") == studio.read("threads.mp4"));
}

/// A long film is scouted by ranges, and machines read them, too: the film is the one of threads, whether all
/// ranges come back or none does.
#[test]
fn machines_read_ranges_of_a_long_film() {
    let Some(studio) = Studio::open() else { return };
    let pictures = "-f lavfi -i testsrc2=s=128x96:r=8:d=75 -pix_fmt yuv420p";
    ffmpeg(&studio.path("."), &format!("{pictures} -c:v libx264 -preset ultrafast -g 4 -bf 0 long.mkv"));
    let (worker, flags) = (worker(&studio), format!("{} --crf 40 --passes 1 --jobs 3", fast()));
    studio.encode(&format!("long.mkv -o threads.mkv {flags}"));
    // each worker that is to read a range writes that down, and dies or goes on; behind the head of an
    // array's file, a line says what an index stands for
    let work = "import json,sys; line=open(sys.argv[1]).readlines()[1:][int(sys.argv[2])]; \
                sys.exit('range' not in json.loads(line))";
    for end in ["true", "kill -9 $$"] {
        let (out, note) = (format!("{}.mkv", &end[..4]), format!("asked-{}", &end[..4]));
        let first = format!("if python3 -c \"{work}\" {{file}} {{index}}; then touch {note}; {end}; fi");
        let mut command = studio.command(&format!("encode long.mkv -o {out} --json {flags}"));
        command.args(["--on", &format!("array:{first}; exec {worker}")]);
        done(command);
        assert!(studio.path(&note).exists(), "no worker was asked for a range");
        assert!(studio.read(&out) == studio.read("threads.mkv"), "{end}");
    }
}

/// What a machine lacks is told with its name, before anything is lost.
#[test]
fn a_machine_that_cannot_is_told() {
    let Some(studio) = Studio::open() else { return };
    let flags = format!("{} {FLOOR} --jobs 1", fast());
    let elsewhere = studio.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let retake = env!("CARGO_BIN_EXE_retake");
    let line =
        format!("array:{retake} worker --root {} --array {{file}} --index {{index}}", elsewhere.display());
    let run = Run::of(encode(&studio, "out.mp4", &flags, &line).output().unwrap());
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("frames ") && run.err.contains("elsewhere"), "{run:?}");
    assert!(!run.err.contains('\n') || run.err.trim().lines().count() == 1, "{run:?}");
}

/// A machine on which `takes` is a file system without room, which is one of its own to root alone.
fn full(worker: &str) -> Option<String> {
    let mut try_out = Command::new("unshare");
    try_out.args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).stderr(Stdio::null());
    if !try_out.status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: file systems cannot be mounted here");
        return None;
    }
    let mount = "mount -t tmpfs -o nr_inodes=1,mode=700 tmpfs out.mp4.retake/takes";
    Some(format!("exec unshare -m sh -c '{mount} && exec \"$@\"' full {worker}"))
}

/// A disk without room costs the takes of its machine, which are run elsewhere. If all disks are full, one
/// line tells machine, frames and cause; what is finished is kept, and the same command carries on.
#[test]
fn a_full_disk_costs_the_takes_of_its_machine() {
    let Some(studio) = Studio::open() else { return };
    let flags = format!("{} {FLOOR} --jobs 2", fast());
    studio.encode(&format!("film.mkv -o threads.mp4 {flags}"));
    let worker = worker(&studio);
    let Some(full) = full(&worker) else { return };
    let once = format!("array:mkdir tried && {full}; exec {worker}");
    done(encode(&studio, "out.mp4", &flags, &once));
    assert!(studio.path("tried").exists());
    assert!(studio.read("out.mp4") == studio.read("threads.mp4"));
    fs::remove_file(studio.path("out.mp4")).unwrap();
    let later = format!("array:ls out.mp4.retake/takes | grep -q 'take$' && {full}; exec {worker}");
    let run = Run::of(encode(&studio, "out.mp4", &flags, &later).output().unwrap());
    assert_eq!(run.code, 1, "{run:?}");
    for word in ["frames ", "No space left", "on "] {
        assert!(run.err.contains(word), "{word}: {run:?}");
    }
    assert_eq!(run.err.trim().lines().count(), 1, "{run:?}");
    let run = done(encode(&studio, "out.mp4", &flags, &format!("array:{worker}")));
    assert!(run.events().iter().any(|event| event["kept"] == true), "{run:?}");
    assert!(studio.read("out.mp4") == studio.read("threads.mp4"));
}

/// A worker of another version refuses, by name, and what was finished before is kept.
#[test]
fn a_worker_of_another_version_is_told() {
    let Some(studio) = Studio::open() else { return };
    let flags = format!("{} {FLOOR} --jobs 1", fast());
    let worker = worker(&studio);
    // what it is asked says that another version asks
    let ours = format!("\"program\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let other = ours.replace(env!("CARGO_PKG_VERSION"), "0.0.9");
    let other = format!("array:sed -i 's/{ours}/{other}/' {{file}}; exec {worker}");
    let run = Run::of(encode(&studio, "out.mp4", &flags, &other).output().unwrap());
    assert_eq!(run.code, 1, "{run:?}");
    for word in ["frames ", "0.0.9", env!("CARGO_PKG_VERSION")] {
        assert!(run.err.contains(word), "{word}: {run:?}");
    }
    assert_eq!(run.err.trim().lines().count(), 1, "{run:?}");
}

#[test]
fn what_is_no_place_for_takes_is_refused() {
    let Some(studio) = Studio::open() else { return };
    let refused = |on: &str, words: &[&str]| {
        let run = Run::of(encode(&studio, "out.mp4", fast(), on).output().unwrap());
        run.refused(2, words);
    };
    refused("moon", &["--on moon", "slurm", "array:"]);
    refused("array:echo", &["--on", "{file}", "{index}"]);
    let mut nowhere = encode(&studio, "out.mp4", fast(), "slurm");
    nowhere.env("PATH", "/nonexistent");
    Run::of(nowhere.output().unwrap()).refused(2, &["sbatch"]);
    let mut outside = encode(&studio, "out.mp4", fast(), "array:x {file} {index}");
    fs::create_dir(studio.path("other")).unwrap();
    outside.args(["--shared-root", "other"]);
    Run::of(outside.output().unwrap()).refused(2, &["is not below", "--shared-root"]);
    assert!(!studio.path("out.mp4.retake").exists());
}

/// Slurm with two nodes on this machine. All of it ends with the value.
struct Cluster {
    folder: tempfile::TempDir,
    daemons: Vec<std::process::Child>,
}

impl Cluster {
    fn start() -> Option<Self> {
        let has = |program: &str| {
            let found = Command::new(program).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
            found.is_ok_and(|status| status.success())
        };
        if !["slurmctld", "slurmd"].into_iter().all(has) {
            eprintln!("SKIPPED: no Slurm (Debian's slurm-wlm)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display();
        // the ports are free again when the listeners go, and nobody else takes them so soon
        let listeners: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        drop(listeners);
        let user = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap();
        let user = user.trim();
        let text = format!(
            "ClusterName=retake\nSlurmctldHost=localhost\nSlurmctldPort={}\nAuthType=auth/none\n\
             CredType=cred/none\nSlurmUser={user}\nSlurmdUser={user}\nStateSaveLocation={place}/state\n\
             SlurmdSpoolDir={place}/spool-%n\nSlurmctldPidFile={place}/ctld.pid\n\
             SlurmdPidFile={place}/%n.pid\nSlurmctldLogFile={place}/ctld.log\nSlurmdLogFile={place}/%n.log\n\
             ProctrackType=proctrack/pgid\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/none\n\
             MpiDefault=none\nSelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nReturnToService=2\n\
             KillWait=2\nSchedulerParameters=sched_min_interval=0,batch_sched_delay=0\n\
             NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={} CPUs=1\n\
             NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={} CPUs=1\n\
             PartitionName=p Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP\n",
            ports[0], ports[1], ports[2]
        );
        fs::create_dir(folder.path().join("state")).unwrap();
        fs::write(folder.path().join("slurm.conf"), text).unwrap();
        let mut cluster = Self { folder, daemons: Vec::new() };
        for (program, arguments) in [
            ("slurmctld", &["-D", "-c"][..]),
            ("slurmd", &["-D", "-N", "n1"]),
            ("slurmd", &["-D", "-N", "n2"]),
        ] {
            let mut daemon = cluster.command(program);
            daemon.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
            cluster.daemons.push(daemon.spawn().unwrap());
        }
        let began = Instant::now();
        loop {
            let nodes = cluster.command("sinfo").args(["--noheader", "--format=%t %D"]).output().unwrap();
            if String::from_utf8_lossy(&nodes.stdout).trim() == "idle 2" {
                return Some(cluster);
            }
            if began.elapsed() > Duration::from_secs(60) {
                eprintln!("SKIPPED: Slurm does not start here: {}", String::from_utf8_lossy(&nodes.stderr));
                return None;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn conf(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", self.conf()).stdin(Stdio::null());
        command
    }

    fn queue(&self) -> String {
        let queue = self.command("squeue").args(["--noheader", "--array", "--format=%j %K %t"]).output();
        String::from_utf8(queue.unwrap().stdout).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.command("scancel").args(["--full", "--state=RUNNING"]).status();
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Slurm makes the bytes that threads make, though a worker is killed, the export is killed and carried on,
/// and a node is lost; nothing is left in the queue.
#[test]
fn slurm_makes_the_bytes_that_threads_make() {
    let Some(studio) = Studio::open() else { return };
    let Some(cluster) = Cluster::start() else { return };
    let flags = format!("{} {FLOOR}", fast());
    studio.encode(&format!("film.mkv -o threads.mp4 {flags}"));
    let slurm = || {
        let mut command = encode(&studio, "out.mp4", &flags, "slurm");
        command.env("SLURM_CONF", cluster.conf());
        command
    };
    let mut running = Running::start(slurm());
    assert!(running.until(&mut |event: &Value| event["event"] == "take_finished"));
    running.signal("KILL");
    running.end();
    let mut running = Running::start(slurm());
    let folder = studio.path(".").canonicalize().unwrap().display().to_string();
    until("a worker runs", || !workers_of(&folder).is_empty() || !studio.path("out.mp4.retake").exists());
    for process in workers_of(&folder) {
        signal(process, "KILL");
    }
    running.until(&mut |event: &Value| event["event"] == "finished");
    let (run, ..) = running.end();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(studio.read("out.mp4") == studio.read("threads.mp4"));
    assert!(!studio.path("out.mp4.retake").exists());
    until("nothing is left in the queue", || cluster.queue().is_empty());
    // an interrupted export takes its array with it
    fs::remove_file(studio.path("out.mp4")).unwrap();
    let running = Running::start(slurm());
    until("something is queued", || !cluster.queue().is_empty());
    running.signal("INT");
    let (run, ..) = running.end();
    assert_eq!(run.code, 130, "{run:?}");
    until("nothing is left in the queue", || cluster.queue().is_empty());
}

/// Where all nodes are drained, takes would wait for ever: that is told in the words of the queue, and the
/// film is made when the nodes are back.
#[test]
fn takes_that_no_node_runs_are_told() {
    let Some(studio) = Studio::open() else { return };
    let Some(cluster) = Cluster::start() else { return };
    let flags = format!("{} {FLOOR}", fast());
    studio.encode(&format!("film.mkv -o threads.mp4 {flags}"));
    let state = |state: &str| {
        let mut control = cluster.command("scontrol");
        let done = control.args(["update", "nodename=n1,n2", state, "reason=test"]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    state("state=drain");
    let mut command = encode(&studio, "out.mp4", &flags, "slurm");
    command.env("SLURM_CONF", cluster.conf());
    let mut running = Running::start(command);
    assert!(running.until(&mut |event: &Value| event["event"] == "waiting"));
    let told = running.events.last().unwrap()["reason"].as_str().unwrap().to_owned();
    assert!(told.starts_with("job ") && told.contains(": PENDING (") && told.contains("DRAINED"), "{told}");
    state("state=resume");
    let (run, ..) = running.end();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(studio.read("out.mp4") == studio.read("threads.mp4"));
    until("nothing is left in the queue", || cluster.queue().is_empty());
}

/// Nodes of Slurm that share nothing with the export but an object store make the bytes that threads make.
#[cfg(feature = "objects")]
#[test]
fn slurm_needs_no_shared_folder() {
    use retake_testing::object_server::ObjectServer;
    let (Some(studio), Some(server)) = (Studio::open(), ObjectServer::start()) else { return };
    let Some(cluster) = Cluster::start() else { return };
    let flags = format!("{} {FLOOR}", fast());
    studio.encode(&format!("film.mkv -o threads.mp4 {flags}"));
    server.put("film.mkv", &studio.read("film.mkv"));
    let temporary = studio.path("temporary");
    fs::create_dir(&temporary).unwrap();
    let on = "--shared-root s3://films/jobs --on slurm";
    let mut command =
        studio.command(&format!("encode s3://films/film.mkv -o s3://films/out.mp4 {flags} {on}"));
    command.env("SLURM_CONF", cluster.conf()).env("TMPDIR", &temporary);
    command.envs(ObjectServer::variables(server.port()));
    done(command);
    assert!(server.get("out.mp4").unwrap() == studio.read("threads.mp4"));
    assert_eq!(server.keys(), [vec!["film.mkv".to_owned(), "out.mp4".to_owned()], vec![]]);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "workers left something");
    until("nothing is left in the queue", || cluster.queue().is_empty());
}
