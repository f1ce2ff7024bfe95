//! The store against a server that speaks as Amazon S3 does, and a network that fails.
#![allow(clippy::unwrap_used)] // everything here is a test

use retake::objects::{Existing, ObjectStore, Objects};
use retake::{MediaError, StopFlag};
use retake_libav::{
    Access, FilmInfo, FrameEntry, FrameIndex, FrameReader, RangeReader, ReaderOptions, SeekTrust, probe,
    probe_with,
};
use retake_objects::{Settings, Store};
use retake_testing::object_server::{Network, ObjectServer, Proxy, SECRET};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

fn store(port: u16, patience: u64) -> Arc<Store> {
    let mut settings = Settings::default();
    settings.patience = Duration::from_secs(patience);
    let variables = ObjectServer::variables(port).into_iter();
    settings.variables = Some(variables.map(|(name, value)| (name.to_owned(), value)).collect());
    Store::with(settings)
}

fn never() -> bool {
    false
}

/// All bytes of an object, in pieces as a demuxer asks for them.
fn read(store: &Store, address: &str) -> io::Result<Vec<u8>> {
    let mut object = store.open(address, &never)?;
    let mut bytes = Vec::new();
    let mut piece = vec![0; 32 << 10];
    while let count @ 1.. = object.read_at(bytes.len() as u64, &mut piece, &never)? {
        bytes.extend_from_slice(&piece[..count]);
    }
    Ok(bytes)
}

/// Bytes that are nowhere the same.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..length).map(step).collect()
}

/// What is read at any place is what lies there, whatever the names and lengths are.
#[test]
fn bytes_are_those_of_the_object() {
    let Some(server) = ObjectServer::start() else { return };
    let store = store(server.port(), 20);
    for length in [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 11 << 20] {
        let bytes = noise(length);
        server.put("a%20b/wh%3Ft%23%2520.bin", &bytes);
        let address = "s3://films/a b/wh?t#%20.bin";
        assert!(read(&store, address).unwrap() == bytes, "{length}");
        let mut object = store.open(address, &never).unwrap();
        assert_eq!(object.length(), length as u64);
        let mut piece = [0; 1000];
        for place in [length / 2, 0, length.saturating_sub(10), length / 3, length] {
            let count = object.read_at(place as u64, &mut piece, &never).unwrap();
            assert_eq!(count > 0, place < length);
            assert!(piece[..count] == bytes[place..place + count], "{length} {place}");
        }
    }
}

/// An object that was replaced is noticed by who reads it, and by who opens it again as the film that it was.
#[test]
fn an_object_that_changes_is_noticed() {
    let Some(server) = ObjectServer::start() else { return };
    let store = store(server.port(), 20);
    server.put("film", &noise(3 << 20));
    let mut object = store.open("s3://films/film", &never).unwrap();
    let mut piece = [0; 10];
    object.read_at(0, &mut piece, &never).unwrap();
    server.put("film", &vec![1; 3 << 20]);
    let changed = object.read_at(2 << 20, &mut piece, &never).unwrap_err();
    assert_eq!(changed.kind(), ErrorKind::StaleNetworkFileHandle, "{changed}");
    let other = store.open("s3://films/film", &never).unwrap();
    assert_ne!(object.identity(), other.identity());

    let Some(films) = films(&["1", "2"]) else { return };
    server.put("a.mkv", &fs::read(films.path().join("1.mkv")).unwrap());
    let access = Access::new().objects(Some(store.clone()));
    let info = probe_with(Path::new("s3://films/a.mkv"), &access).unwrap();
    server.put("a.mkv", &fs::read(films.path().join("2.mkv")).unwrap());
    let opened = FrameReader::open(&info, ReaderOptions { format: info.video.format, threads: 1 });
    assert!(matches!(opened.map(drop), Err(MediaError::SourceChanged { .. })));
}

/// Films of so many seconds.
fn films(seconds: &[&str]) -> Option<tempfile::TempDir> {
    let place = tempfile::tempdir().unwrap();
    for seconds in seconds {
        let source = format!("testsrc2=s=640x360:r=25:d={seconds},noise=alls=40:allf=t");
        let run = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", &source, "-c:v", "mjpeg", "-q:v", "2", "-bitexact"])
            .arg(place.path().join(format!("{seconds}.mkv")))
            .status();
        if !run.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: the ffmpeg program is needed");
            return None;
        }
    }
    Some(place)
}

/// Of two writers that are to keep what is there one wins, with all of its bytes, however close they are; and
/// a writer that may replace does.
#[test]
fn of_two_writers_one_wins() {
    let Some(server) = ObjectServer::start() else { return };
    let store = store(server.port(), 20);
    let place = tempfile::tempdir().unwrap();
    // two parts and one
    let films: Vec<Vec<u8>> = vec![noise(9 << 20), noise(100)];
    for (number, film) in films.iter().enumerate() {
        fs::write(place.path().join(number.to_string()), film).unwrap();
    }
    for round in 0..4 {
        let address = format!("s3://films/out {round}");
        let put = |number: usize, existing| {
            let (store, file) = (store.clone(), place.path().join(number.to_string()));
            let address = address.clone();
            thread::spawn(move || store.put_file(&address, &file, Some("a note"), existing, &never))
        };
        let results = [0, 1].map(|number| put(number, Existing::Keep)).map(|writer| writer.join().unwrap());
        let won: Vec<usize> = (0..2).filter(|&number| results[number].is_ok()).collect();
        let lost = results.iter().filter_map(|result| result.as_ref().err());
        assert_eq!(won.len(), 1, "{results:?}");
        assert!(lost.clone().all(|error| error.kind() == ErrorKind::AlreadyExists), "{results:?}");
        let key = format!("out%20{round}");
        assert!(server.get(&key).unwrap() == films[won[0]], "{round}");
        let found = store.look(&address, &never).unwrap().unwrap();
        assert_eq!(found.length, films[won[0]].len() as u64);
        assert_eq!(found.note.as_deref(), Some("a note"));
        put(1 - won[0], Existing::Replace).join().unwrap().unwrap();
        assert!(server.get(&key).unwrap() == films[1 - won[0]], "{round}");
    }
    assert_eq!(server.keys()[1], Vec::<String>::new(), "an upload was left behind");
    store.try_out("s3://films/never", &never).unwrap();
    assert_eq!((server.keys()[0].len(), server.keys()[1].len()), (4, 0));
    assert_eq!(store.look("s3://films/never", &never).unwrap(), None);
}

/// An answer that gets lost leaves nobody in doubt about who put the object there.
#[test]
fn a_lost_answer_is_no_other_writer() {
    let Some(server) = ObjectServer::start() else { return };
    let proxy = Proxy::start(&server);
    let store = store(proxy.port(), 20);
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("film"), noise(9 << 20)).unwrap();
    proxy.mute_at("POST /films/out?uploadId=");
    let (file, putting) = (place.path().join("film"), store.clone());
    let writer =
        thread::spawn(move || putting.put_file("s3://films/out", &file, None, Existing::Keep, &never));
    let began = Instant::now();
    while server.get("out").is_none() {
        assert!(began.elapsed() < Duration::from_secs(60) && !writer.is_finished());
        thread::sleep(Duration::from_millis(20));
    }
    proxy.set(Network::Cut);
    // asked once more, the server knows of an object alone, and refuses another
    server.forget_upload("out");
    proxy.set(Network::Sound);
    writer.join().unwrap().unwrap();
    assert!(server.get("out").unwrap() == noise(9 << 20));
}

/// A server that is away for a while costs time; one that stays away ends the call in one line, in time; and
/// whoever wants no more waits no more.
#[test]
fn a_server_that_is_away_is_waited_for() {
    let Some(server) = ObjectServer::start() else { return };
    let proxy = Proxy::start(&server);
    let bytes = noise(4 << 20);
    server.put("film", &bytes);
    let patient = store(proxy.port(), 60);
    let mut object = patient.open("s3://films/film", &never).unwrap();
    let mut piece = [0; 100];
    object.read_at(0, &mut piece, &never).unwrap();
    proxy.set(Network::Cut);
    let reader = thread::spawn(move || {
        object.read_at(2 << 20, &mut piece, &never).map(|count| piece[..count].to_vec())
    });
    thread::sleep(Duration::from_secs(2));
    assert!(!reader.is_finished());
    proxy.set(Network::Sound);
    let read = reader.join().unwrap().unwrap();
    assert!(read == bytes[2 << 20..(2 << 20) + read.len()]);

    for network in [Network::Cut, Network::Mute] {
        let hasty = store(proxy.port(), 2);
        proxy.set(network);
        let began = Instant::now();
        let error = hasty.open("s3://films/film", &never).map(drop).unwrap_err().to_string();
        assert!(began.elapsed() < Duration::from_secs(30), "{network:?}: {:?}", began.elapsed());
        assert!(error.contains(&format!("127.0.0.1:{}", proxy.port())), "{network:?}: {error}");
        assert!(!error.contains('\n') && !error.contains(SECRET) && error.len() < 250, "{error}");
        let stop = StopFlag::new();
        let (raised, (told, tell)) = (stop.clone(), channel());
        let patient = patient.clone();
        let waiting = thread::spawn(move || {
            let opened = patient.open("s3://films/film", &|| raised.is_raised()).map(drop);
            told.send(()).unwrap();
            opened
        });
        assert!(tell.recv_timeout(Duration::from_millis(300)).is_err(), "{network:?}: it does not wait");
        stop.raise();
        tell.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
        proxy.set(Network::Sound);
        assert!(self::read(&hasty, "s3://films/film").unwrap() == bytes);
    }
}

/// Each mistake is one line that says which, and nothing that is secret.
#[test]
fn mistakes_are_told_by_name() {
    let Some(server) = ObjectServer::start() else { return };
    let store = store(server.port(), 20);
    for (address, kind, word) in [
        ("s3://films/none.mkv", ErrorKind::NotFound, "there is no such object"),
        ("s3://nowhere/none.mkv", ErrorKind::NotFound, "has no bucket 'nowhere'"),
        ("s3://films/../none", ErrorKind::InvalidInput, "'..'"),
        ("s3://films/", ErrorKind::InvalidInput, "s3://BUCKET/KEY"),
        ("s3://user:word@films/a", ErrorKind::InvalidInput, "no name of a bucket"),
    ] {
        let error = store.open(address, &never).map(drop).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{address}: {text}");
        assert!(text.contains(word) && !text.contains('\n') && !text.contains(SECRET), "{address}: {text}");
    }
    let away = store.try_out("s3://nowhere/film.mp4", &never).unwrap_err().to_string();
    assert!(away.contains("has no bucket 'nowhere'"), "{away}");
    assert_eq!(store.look("s3://films/none", &never).unwrap(), None);
    assert!(!format!("{store:?}").contains(SECRET));
}

/// Who reads a part of a long film exactly gets little more than that from the server, and the same pictures.
#[test]
fn a_part_of_a_film_is_a_part_of_the_bytes() {
    let Some(server) = ObjectServer::start() else { return };
    let Some(place) = films(&["40"]) else { return };
    let file = place.path().join("40.mkv");
    let film = fs::read(&file).unwrap();
    assert!(film.len() > 40 << 20, "{}", film.len());
    server.put("film.mkv", &film);
    let proxy = Proxy::start(&server);
    let local = probe(&file).unwrap();
    let options = ReaderOptions { format: local.video.format, threads: 1 };
    let mut index = FrameIndex::new(local.video.time_base);
    let mut reader = FrameReader::open(&local, options).unwrap();
    while let Some(frame) = reader.next().unwrap() {
        index.frames.push(FrameEntry::from(&frame));
    }
    let index = Arc::new(index);
    let pictures = |info: &FilmInfo| {
        let mut range = RangeReader::open(info, index.clone(), 500..525, options, SeekTrust::new()).unwrap();
        let mut pictures = Vec::new();
        while let Some(frame) = range.next().unwrap() {
            pictures.push(FrameEntry::from(&frame));
        }
        (pictures, range.fallbacks())
    };
    let store = store(proxy.port(), 20);
    let access = Access::new().objects(Some(store.clone()));
    let info = probe_with(Path::new("s3://films/film.mkv"), &access).unwrap();
    let found = pictures(&info);
    assert_eq!(found.0.len(), 25);
    assert_eq!(found, pictures(&local));
    // what was asked for and not waited for may come or not
    let (asked, came, whole) = (store.bytes_fetched(), proxy.down(), film.len() as u64);
    assert!(came > 1 << 20 && came < asked + (1 << 20) && asked < whole / 3, "{came} of {asked} of {whole}");
    // another reader finds the head and the index of the film in memory
    assert_eq!(pictures(&info), found);
    let again = store.bytes_fetched() - asked;
    assert!(again < asked, "{again} after {asked}");
}
