//! Sources and films in an object store: the same bytes as in files, whatever the network does.
//!
//! The server comes from `scripts/object-server`. Without it the tests say so and pass.
#![cfg(all(feature = "objects", target_os = "linux"))]

use crate::common::{Run, Running, Studio, fast, until};
use retake_testing::object_server::{Network, ObjectServer, Proxy, SECRET};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const FLOOR: &str = "--metric psnr -q 36 --jobs 2";

/// A studio, and a server with its film.
fn open() -> Option<(Studio, ObjectServer)> {
    let (studio, server) = (Studio::open()?, ObjectServer::start()?);
    server.put("in/film.mkv", &studio.read("film.mkv"));
    Some((studio, server))
}

/// A command in the studio that finds the server at a port.
fn command(studio: &Studio, port: u16, arguments: &str) -> Command {
    let mut command = studio.command(arguments);
    command.envs(ObjectServer::variables(port));
    command
}

/// Runs a command that has to succeed, and looks whether it keeps the secret.
fn done(mut command: Command) -> Run {
    let run = Run::of(command.output().unwrap());
    assert!(run.code == 0 || run.code == 3, "{run:?}");
    assert!(!run.err.contains(SECRET) && !run.out.contains(SECRET), "{run:?}");
    run
}

fn encode(studio: &Studio, port: u16, arguments: &str) -> Run {
    done(command(studio, port, &format!("encode {arguments} {} {FLOOR} --json", fast())))
}

fn start(studio: &Studio, port: u16, arguments: &str) -> Running {
    Running::start(command(studio, port, &format!("encode {arguments} {} {FLOOR} --json", fast())))
}

/// Whether a file in a folder, or below it, has these bytes in it. What goes away meanwhile has not.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).into_iter().flatten().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => holds(&path, bytes),
            false => fs::read(path).unwrap_or_default().windows(bytes.len()).any(|window| window == bytes),
        }
    })
}

/// A film is the same whether its source and itself are files or objects, and wherever its takes run.
#[test]
fn a_film_of_objects_is_the_film_of_files() {
    let Some((studio, server)) = open() else { return };
    let port = server.port();
    encode(&studio, port, "film.mkv -o files.mp4");
    let film = studio.read("files.mp4");
    let source = "s3://films/in/film.mkv";
    encode(&studio, port, &format!("{source} -o source.mp4"));
    assert!(studio.read("source.mp4") == film);
    encode(&studio, port, "film.mkv -o s3://films/out/film.mp4");
    assert!(server.get("out/film.mp4").unwrap() == film);
    let run = encode(&studio, port, &format!("{source} -o s3://films/both.mp4 --isolate"));
    assert!(server.get("both.mp4").unwrap() == film);
    assert_eq!(run.summary()["output"], "s3://films/both.mp4");
    // workers of a batch system, which share a folder with the job and not the source
    let worker =
        format!("{} worker --root . --array {{file}} --index {{index}}", env!("CARGO_BIN_EXE_retake"));
    let mut arrays =
        command(&studio, port, &format!("encode {source} -o arrays.mp4 {} {FLOOR} --json", fast()));
    arrays.args(["--shared-root", ".", "--on", &format!("array:{worker}")]);
    done(arrays);
    assert!(studio.read("arrays.mp4") == film);
    let names = studio.names();
    assert!(names.iter().all(|name| !name.contains("retake")), "job folders were left: {names:?}");
    assert_eq!(
        server.keys(),
        [["both.mp4", "in/film.mkv", "out/film.mp4"].map(str::to_owned).to_vec(), vec![]]
    );
    // both can be measured where they are, and a part be cut out
    let score =
        done(command(&studio, port, &format!("measure {source} s3://films/both.mp4 --metric psnr --json")));
    let local = done(command(&studio, port, "measure film.mkv files.mp4 --metric psnr --json"));
    assert_eq!(score.out, local.out);
    encode(&studio, port, &format!("{source} -o part.mp4 --from 2 --to 5"));
    encode(&studio, port, "film.mkv -o part-of-file.mp4 --from 2 --to 5");
    assert!(studio.read("part.mp4") == studio.read("part-of-file.mp4"));
}

/// What is at the output stays there unless it is to be replaced, and who asks again for the same film is
/// told that it is there.
#[test]
fn an_object_is_replaced_only_if_that_is_asked_for() {
    let Some((studio, server)) = open() else { return };
    let port = server.port();
    server.put("out.mp4", b"dear");
    let to = "s3://films/in/film.mkv -o s3://films/out.mp4";
    let refused = command(&studio, port, &format!("encode {to} {}", fast())).output().unwrap();
    Run::of(refused).refused(2, &["s3://films/out.mp4", "--overwrite"]);
    assert!(server.get("out.mp4").unwrap() == b"dear");
    let made = encode(&studio, port, &format!("{to} --overwrite")).summary();
    let film = server.get("out.mp4").unwrap();
    assert!(film.len() > 1000);
    let again = encode(&studio, port, to).summary();
    assert_eq!(again["wall_seconds"], made["wall_seconds"], "it was made again");
    // another film is not the same
    server.put("in/film.mkv", &[studio.read("film.mkv"), vec![0]].concat());
    let other = command(&studio, port, &format!("encode {to} {} {FLOOR}", fast())).output().unwrap();
    Run::of(other).refused(2, &["s3://films/out.mp4", "--overwrite"]);
    assert!(server.get("out.mp4").unwrap() == film);
    assert_eq!(studio.names().into_iter().collect::<Vec<_>>(), ["film.mkv"]);
}

/// Mistakes are told in one line each, before any work.
#[test]
fn what_cannot_be_is_told_in_one_line() {
    let Some((studio, server)) = open() else { return };
    let port = server.port();
    let refused = |arguments: &str, words: &[&str]| {
        let run =
            Run::of(command(&studio, port, &format!("encode {arguments} {}", fast())).output().unwrap());
        assert!(!run.err.contains(SECRET), "{run:?}");
        run.refused(2, words);
    };
    refused("s3://films/none.mkv -o out.mp4", &["s3://films/none.mkv", "no such object"]);
    refused("s3://nowhere/film.mkv -o out.mp4", &["s3://nowhere/film.mkv", "no bucket 'nowhere'"]);
    refused("s3://films/../film.mkv -o out.mp4", &["s3://films/../film.mkv", "'..'"]);
    refused("film.mkv -o s3://nowhere/out.mp4", &["s3://nowhere/out.mp4", "no bucket 'nowhere'"]);
    refused("film.mkv -o s3://films/out/../out.mp4", &["s3://films/out/../out.mp4", "'..'"]);
    refused("film.mkv -o s3://films/out.m3u8", &["s3://films/out.m3u8", "playlists"]);
    refused("s3://films/in/film.mkv -o s3://films/in/film.mkv --overwrite", &["the same file"]);
    server.put("empty.mkv", b"");
    refused("s3://films/empty.mkv -o out.mp4", &["s3://films/empty.mkv", "is empty"]);
    server.put("text.mkv", b"a text");
    refused("s3://films/text.mkv -o out.mp4", &["s3://films/text.mkv", "not a film"]);
    let mut nobody = command(&studio, port, &format!("encode s3://films/in/film.mkv -o out.mp4 {}", fast()));
    nobody.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    // the service that tells a machine who it is: nothing listens there
    nobody.env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9");
    Run::of(nobody.output().unwrap()).refused(2, &["no credentials", "AWS_ACCESS_KEY_ID"]);
    assert_eq!(studio.names().into_iter().collect::<Vec<_>>(), ["film.mkv"]);
}

/// A server that goes away for a while, half-way, costs time alone. What is in the job folder then has no
/// secret in it.
#[test]
fn a_server_that_comes_back_costs_time_alone() {
    let Some((studio, server)) = open() else { return };
    let proxy = Proxy::start(&server);
    encode(&studio, proxy.port(), "film.mkv -o files.mp4");
    let mut running = start(&studio, proxy.port(), "s3://films/in/film.mkv -o s3://films/out.mp4");
    assert!(running.until(&mut |event| event["event"] == "take_finished"));
    proxy.set(Network::Cut);
    assert!(!holds(&studio.path("."), SECRET.as_bytes()));
    std::thread::sleep(Duration::from_secs(2));
    proxy.set(Network::Sound);
    let (run, events, _) = running.end();
    assert!(run.code == 0 || run.code == 3, "{run:?}");
    assert!(!format!("{run:?}{events:?}").contains(SECRET));
    assert!(server.get("out.mp4").unwrap() == studio.read("files.mp4"));
}

/// Killed while the film is sent, or before it is heard that it is in place: there is no half film at any
/// moment, and the same command carries on.
#[test]
fn a_kill_while_the_film_is_put_in_place_leaves_none_or_all_of_it() {
    let Some((studio, server)) = open() else { return };
    encode(&studio, server.port(), "film.mkv -o files.mp4");
    let film = studio.read("files.mp4");
    for whole in [false, true] {
        let proxy = Proxy::start(&server);
        let to = format!("film.mkv -o s3://films/{whole}.mp4");
        // the request that puts all parts in place, or the first part
        let request = if whole { "POST /films/true.mp4?uploadId=" } else { "PUT /films/false.mp4?" };
        proxy.mute_at(request);
        let mut running = start(&studio, proxy.port(), &to);
        assert!(running.until(&mut |event| event["event"] == "verifying"));
        match whole {
            true => until("the film is there", || server.get("true.mp4").is_some()),
            false => until("the film is on its way", || proxy.up() > film.len() as u64),
        }
        running.signal("KILL");
        running.end();
        let there = server.get(&format!("{whole}.mp4"));
        assert_eq!(there.is_some(), whole);
        assert!(there.is_none_or(|there| there == film));
        encode(&studio, server.port(), &to);
        assert!(server.get(&format!("{whole}.mp4")).unwrap() == film, "{whole}");
        assert!(studio.names().iter().all(|name| !name.contains("retake")), "{:?}", studio.names());
    }
}
