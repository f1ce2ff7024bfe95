//! Whatever ranges other scouts have read, what comes of a film is what one reader finds from its start on.

use super::super::journal::{Journal, Subject, commits};
use super::super::scout::{Scout, ScoutPlan, Scouted};
use super::super::{FilmMap, ScoutedFrame, range_file};
use super::*;
use crate::testing::Studio;
use proptest::prelude::*;
use retake_compression::units::{FrameRange, UnitRule};
use retake_libav::{FilmPosition, FilmRange, FindingKind, FrameIndex, probe, survey, survey_range};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Seek;
use std::path::Path;
use std::thread;

/// Pictures that change all the time, with cuts, which do not lie where sync frames are.
const PICTURES: &str =
    "-f lavfi -i testsrc2=s=128x96:r=25:d=8,negate=enable='lt(mod(n\\,70)\\,37)' -pix_fmt yuv420p";

/// A film, how it is rendered, and whether ranges of it can be joined.
const FILMS: [(&str, &str, bool); 8] = [
    ("h264.mp4", "-c:v libx264 -preset veryfast -g 15 -bf 3 -x264-params open-gop=1", true),
    ("closed.mkv", "-c:v libx264 -preset veryfast -g 20 -bf 2", true),
    (
        "hevc.mkv",
        "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=16:bframes=3:open-gop=1",
        true,
    ),
    (
        "vp9.webm",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 18 -auto-alt-ref 1 -lag-in-frames 8",
        true,
    ),
    ("mpeg2.ts", "-c:v mpeg2video -g 12 -bf 2 -q:v 4", true),
    ("every.mov", "-c:v mjpeg -q:v 6", true),
    // frames of all lengths, as a camera of a telephone gives them
    (
        "variable.mkv",
        "-vf setpts=PTS+mod(N*7\\,5)*0.006/TB -fps_mode vfr -c:v libx264 -preset veryfast -g 14 -bf 3",
        true,
    ),
    // it is refreshed bit by bit, so that no frame is a beginning
    ("refresh.mp4", "-c:v libx264 -preset veryfast -g 20 -x264-params intra-refresh=1", false),
];

fn plan(least: f64) -> RangePlan {
    RangePlan { scouts: 64, after: 0, memory: u64::MAX, least: Time::from_seconds(least, 1000), times: 1 }
}

fn look(path: &Path) -> FilmInfo {
    survey(probe(path).unwrap(), &|| false).unwrap()
}

fn options(film: &FilmInfo) -> ReaderOptions {
    ReaderOptions { format: film.video.format, threads: 1 }
}

/// All frames as one reader finds them, and what it found on the way.
fn one_by_one(film: &FilmInfo) -> (Vec<FrameEntry>, Vec<Finding>) {
    let (mut reader, mut frames) = (FrameReader::open(film, options(film)).unwrap(), Vec::new());
    while let Some(frame) = reader.next().unwrap() {
        frames.push(FrameEntry::from(&frame));
    }
    (frames, reader.findings())
}

/// Frames, findings, and those of the frames that came from ranges which others have read.
type Fed = (Vec<FrameEntry>, Vec<Finding>, Vec<FrameEntry>);

/// All frames in turn, of which others have read these ranges: the same, whether those are here, on other
/// machines, or both.
fn fed(film: &FilmInfo, plan: RangePlan, read: &[bool], whole: bool) -> Fed {
    let here = fed_by(film, plan, (read, &[false]), whole);
    for there in [&[true][..], &[true, false]] {
        assert!(fed_by(film, plan, (read, there), whole) == here, "read elsewhere: {there:?}");
    }
    here
}

/// As [`fed`]; which of the ranges are read elsewhere is told in turn.
fn fed_by(film: &FilmInfo, plan: RangePlan, (read, there): (&[bool], &[bool]), whole: bool) -> Fed {
    let (ranges, stop) = (Ranges::new(film, options(film), plan, None), StopFlag::new());
    ranges.read_before(read, there);
    let mut feed = Feed::open(&ranges).unwrap();
    let (mut frames, mut elsewhere) = (Vec::new(), Vec::new());
    while let Some(fed) = feed.next(whole, &stop).unwrap() {
        assert!(
            !whole || fed.frame.as_ref().map(FrameEntry::from) == Some(fed.entry),
            "it has another picture"
        );
        frames.push(fed.entry);
        elsewhere.extend(fed.elsewhere.then_some(fed.entry));
    }
    (frames, feed.findings(), elsewhere)
}

impl Ranges<'_> {
    /// Reads those of the ranges that are asked for, before anybody reads the film in order, and some of them
    /// elsewhere.
    fn read_before(&self, read: &[bool], there: &[bool]) {
        let reads = read.iter().zip(there.iter().cycle()).enumerate().take(self.entries.len());
        for (number, (_, there)) in reads.filter(|(_, (read, _))| **read) {
            let found = if *there {
                let machine = Machine { film: self.film, options: self.options, first: &[] };
                let found = machine.read(&self.entries, number, self.frames, &|| false);
                found.and_then(|found| self.found(*found, number))
            } else {
                self.read(number, &StopFlag::new())
            };
            self.lock().begun.insert(number, Some(found));
        }
        self.lock().next = self.entries.len();
    }
}

/// What a machine makes of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Read,
    Lost,
    /// It says nothing as long as anybody waits.
    Never,
}

/// A machine that reads ranges into files; all but these first ones.
struct Machine<'a> {
    film: &'a FilmInfo,
    options: ReaderOptions,
    first: &'a [Fate],
}

impl Elsewhere for Machine<'_> {
    fn at_once(&self) -> usize {
        3
    }

    fn read(
        &self,
        entries: &Arc<[EntryPoint]>,
        number: usize,
        frames: usize,
        over: &dyn Fn() -> bool,
    ) -> Option<Box<FoundRange>> {
        match self.first.get(number) {
            Some(Fate::Lost) => return None,
            Some(Fate::Never) => {
                while !over() {
                    thread::yield_now();
                }
                return None;
            }
            Some(Fate::Read) | None => {}
        }
        let (found, _) = read_range(self.film, self.options, (entries, number), frames, over)?;
        let mut file = tempfile::tempfile().unwrap();
        range_file::write(&file, &found).unwrap();
        file.rewind().unwrap();
        let back = range_file::read(file, frames).unwrap();
        assert!(back.frames == found.frames && back.compared == found.compared && back.ended == found.ended);
        Some(Box::new(back))
    }
}

#[test]
fn ranges_are_joined_to_the_film_that_one_reader_finds() {
    let Some(studio) = Studio::open() else { return };
    for (name, how, joins) in FILMS {
        let Some(path) = studio.try_render(&format!("{PICTURES} {how}"), name) else { continue };
        let film = look(&path);
        let (frames, findings) = one_by_one(&film);
        assert_eq!(frames.len(), 200, "{name}");
        for whole in [false, true] {
            let (found, told, elsewhere) = fed(&film, plan(1.0), &[true; 64], whole);
            let elsewhere = elsewhere.len();
            assert!(found == frames, "{name}: other frames");
            assert_eq!(told, findings, "{name}");
            // all but the first range
            assert_eq!(elsewhere > 100, joins, "{name}: {elsewhere} frames came from ranges");
        }
    }
}

/// A part of a film is divided as all of it is.
#[test]
fn ranges_of_a_part_of_a_film_are_joined() {
    let Some(studio) = Studio::open() else { return };
    for (name, how, _) in &FILMS[..2] {
        let path = studio.render(&format!("{PICTURES} {how}"), name);
        let at = |thousandths: i64| FilmPosition::Time(Time::new(thousandths, 1000));
        let range = FilmRange::new(at(1330), Some(at(7100)));
        let film = survey_range(probe(&path).unwrap(), range, &|| false).unwrap();
        let (frames, findings) = one_by_one(&film);
        let (found, told, elsewhere) = fed(&film, plan(1.0), &[true; 64], false);
        assert!(found == frames && told == findings, "{name}");
        let elsewhere = elsewhere.len();
        assert!(elsewhere > 50 && found.len() < 150, "{name}: {elsewhere} of {}", found.len());
    }
}

/// A film that begins with frames that its container does not show.
#[test]
fn ranges_behind_an_edit_list_are_joined() {
    let Some(studio) = Studio::open() else { return };
    let whole = studio.render(&format!("{PICTURES} {}", FILMS[0].1), "whole.mp4");
    let cut = studio.render(&format!("-ss 1.1 -i {} -c copy", whole.display()), "cut.mp4");
    let film = look(&cut);
    let (frames, findings) = one_by_one(&film);
    let (found, told, elsewhere) = fed(&film, plan(1.0), &[true; 64], false);
    assert!(found == frames && told == findings);
    assert!(elsewhere.len() > 50, "{} of {}", elsewhere.len(), found.len());
}

/// What is found on the way through ranges is found on the way through the film.
#[test]
fn changes_on_the_way_are_told_as_one_reader_tells_them() {
    let Some(studio) = Studio::open() else { return };
    let part = |size: &str, more: &str, name: &str| {
        let source = format!("-f lavfi -i testsrc2=s={size}:r=25:d=3 -pix_fmt yuv420p");
        studio.render(&format!("{source} -c:v libx264 -preset veryfast -g 12 -bf 2{more}"), name)
    };
    let stereo = " -x264-params frame-packing=3";
    let parts = [
        part("128x96", "", "a.ts"),
        part("160x96", stereo, "b.ts"),
        part("128x96", "", "c.ts"),
        part("96x96", stereo, "d.ts"),
    ];
    let list = studio.path("list.txt");
    fs::write(&list, parts.map(|part| format!("file '{}'\n", part.display())).concat()).unwrap();
    let path = studio.render(&format!("-f concat -safe 0 -i {} -c copy", list.display()), "sizes.mkv");
    let film = look(&path);
    let (frames, findings) = one_by_one(&film);
    let sizes = findings.iter().find(|finding| finding.kind == FindingKind::Size).unwrap();
    assert!(sizes.count > 75, "{findings:?}");
    let stereo = findings.iter().find(|finding| finding.kind == FindingKind::Stereo).unwrap();
    assert!(stereo.count >= 10, "{findings:?}");
    let (found, told, elsewhere) = fed(&film, plan(1.0), &[true; 64], false);
    assert!(found == frames, "other frames");
    assert_eq!(told, findings);
    assert!(elsewhere.len() > 50, "{}", elsewhere.len());
}

/// The first part of this film says of its transfer function what holds for the second, too, which does not
/// repeat it. Who begins to read there does not hear of it.
#[test]
fn what_is_said_once_is_not_lost() {
    let Some(studio) = Studio::open() else { return };
    let part = |more: &str, name: &str| {
        let source = "-f lavfi -i testsrc2=s=128x96:r=25:d=3 -vf setparams=color_trc=bt709 -pix_fmt yuv420p \
                      -color_trc bt709 -c:v libx265";
        let how = "-preset ultrafast -x265-params log-level=none:bframes=2:keyint=12";
        studio.try_render(&format!("{source} {how}{more}"), name)
    };
    let (Some(first), Some(second)) = (part(":atc-sei=18", "a.ts"), part("", "b.ts")) else { return };
    let list = studio.path("list.txt");
    fs::write(&list, [first, second].map(|part| format!("file '{}'\n", part.display())).concat()).unwrap();
    let path = studio.render(&format!("-f concat -safe 0 -i {} -c copy", list.display()), "once.mkv");
    let film = look(&path);
    let (frames, findings) = one_by_one(&film);
    let (found, told, elsewhere) = fed(&film, plan(0.9), &[true; 64], false);
    assert!(found == frames, "other frames");
    assert_eq!(told, findings);
    assert!(!elsewhere.is_empty() && elsewhere.len() < 100, "{}", elsewhere.len());
}

/// Where there is damage, one reader goes on to the end, because what is made of damage depends on all before
/// it. The container is whole, so that nobody knows of it beforehand.
///
/// Damage over the beginning of a sample is noticed by every decoder, because the length of the sample's
/// first NAL unit then points behind the sample. Damage within a NAL unit may decode as a valid picture that
/// is another one: whoever reads it cannot know, so that ranges behind it may be joined to the same frames.
#[test]
fn behind_damage_one_reader_goes_on() {
    let Some(studio) = Studio::open() else { return };
    let path = studio.render(&format!("{PICTURES} {}", FILMS[0].1), "sound.mp4");
    let sound = fs::read(&path).unwrap();
    let starts = starts_of_nal_units(&sound);
    assert!(starts.len() >= 200, "{} NAL units", starts.len());
    let damaged = studio.path("damaged.mp4");
    let (mut within, mut joined) = (0, 0);
    for place in [3, 5, 6, 7] {
        let near = sound.len() * place / 10;
        let start = starts[starts.partition_point(|start| *start < near)];
        for (from, noticed) in [(start, true), (near, false)] {
            let mut bytes = sound.clone();
            bytes[from..from + 400].iter_mut().enumerate().for_each(|(i, byte)| *byte ^= i as u8 | 0x41);
            fs::write(&damaged, &bytes).unwrap();
            let film = look(&damaged);
            let (frames, findings) = one_by_one(&film);
            let (found, told, elsewhere) = fed(&film, plan(1.0), &[true; 64], false);
            assert!(found == frames, "damage at {place}: other frames");
            assert_eq!(told, findings, "damage at {place}");
            let damage = findings.iter().filter(|finding| finding.kind.is_damage());
            let first = damage.filter_map(|finding| finding.times).map(|times| times.0).reduce(f64::min);
            println!("damage at {place}, first noticed at {first:?} s: {} from ranges", elsewhere.len());
            assert!(first.is_some() || !noticed, "damage at {place}: {findings:?}");
            let Some(first) = first else { continue };
            let shown = |frame: &FrameEntry| film.video.time(frame.pts - frames[0].pts).seconds();
            let behind: Vec<f64> = elsewhere.iter().map(shown).filter(|time| *time >= first).collect();
            assert!(behind.is_empty(), "damage at {first} s, and {behind:?} from ranges");
            within += u64::from(!noticed);
            joined += u64::from(!elsewhere.is_empty());
        }
    }
    assert!(within > 0 && joined > 0, "{within} noticed within NAL units, {joined} joined before damage");
}

/// Where the NAL units of an MP4 film begin that has nothing but one track of H.264: the samples lie in
/// `mdat` one after the other, and each unit begins with its length in 4 bytes (ISO/IEC 14496-15, 5.3.3).
fn starts_of_nal_units(film: &[u8]) -> Vec<usize> {
    let number = |at: usize| u32::from_be_bytes(film[at..at + 4].try_into().unwrap()) as usize;
    let mut mdat = 0;
    while &film[mdat + 4..mdat + 8] != b"mdat" {
        mdat += number(mdat);
    }
    let (mut at, end) = (mdat + 8, mdat + number(mdat));
    let mut starts = Vec::new();
    while at < end {
        starts.push(at);
        at += 4 + number(at);
    }
    assert_eq!(at, end);
    starts
}

/// The samples of this film say once, in the first, how all are to be decoded: behind a seek they become
/// garbage. No range of it is believed.
#[test]
fn a_film_that_cannot_be_sought_in_is_read_by_one_reader() {
    let Some(path) = retake_testing::clip("cockatoo-444.mp4") else { return };
    let film = look(&path);
    assert!(!film.entry_points(Time::new(1, 2), 1).is_empty(), "it has no entry points");
    let (frames, findings) = one_by_one(&film);
    let (found, told, elsewhere) = fed(&film, plan(0.5), &[true; 64], false);
    assert!(found == frames && told == findings);
    assert_eq!(elsewhere, []);
}

/// What a scout makes of a film: units, index, findings, and all commits of the journal.
#[derive(Debug, PartialEq)]
struct Scouting {
    map: (Vec<FrameRange>, Vec<FrameEntry>, Vec<Finding>, bool),
    journal: Vec<Vec<u8>>,
}

/// Checks that every unit comes once, by its number: with all of its frames, or in the index that it comes
/// with. Where it `refuses`, it does not want the frames of two units of five.
#[derive(Default)]
struct Listener {
    refuses: bool,
    numbers: BTreeMap<usize, u64>,
    open: Option<(u64, Vec<FrameEntry>)>,
    handed: Vec<(FrameRange, Vec<FrameEntry>)>,
    alone: Vec<FrameRange>,
}

impl Scouted for Listener {
    fn decoded(&mut self, _: u64) {}

    fn begin(&mut self, number: usize, start: u64, _: Option<u64>) -> bool {
        assert!(self.open.is_none());
        if self.refuses && number % 5 < 2 {
            return false;
        }
        assert_eq!(self.numbers.insert(number, start), None);
        self.open = Some((start, Vec::new()));
        true
    }

    fn frame(&mut self, frame: ScoutedFrame) {
        let (start, frames) = self.open.as_mut().unwrap();
        assert_eq!(frame.frame.index, *start + frames.len() as u64);
        frames.push(FrameEntry::from(&frame.frame));
    }

    fn end(&mut self) {
        let (start, frames) = self.open.take().unwrap();
        self.handed.push((FrameRange::new(start, start + frames.len() as u64), frames));
    }

    fn written(&mut self, units: &[(usize, FrameRange)], index: &FrameIndex) {
        for &(number, unit) in units {
            assert!(unit.end <= index.frames.len() as u64);
            assert_eq!(self.numbers.insert(number, unit.start), None);
            self.alone.push(unit);
        }
    }
}

/// How a film is scouted.
#[derive(Debug, Clone)]
struct Way {
    streaming: bool,
    hands_on: bool,
    /// Whether frames of some units are not wanted when they could be handed on.
    refuses: bool,
    least: f64,
    read: Vec<bool>,
    /// Which of them are read elsewhere, in turn.
    there: Vec<bool>,
    scouts: usize,
    /// Whether a machine reads ranges, too, and what it makes of the first ones.
    machine: Option<Vec<Fate>>,
}

impl Way {
    /// One reader alone.
    const LINEAR: Self = Self {
        streaming: true,
        hands_on: true,
        refuses: false,
        least: 1.0,
        read: Vec::new(),
        there: Vec::new(),
        scouts: 0,
        machine: None,
    };
}

fn scout(film: &FilmInfo, journal: &Path, rule: UnitRule, way: &Way) -> (Scouting, Listener) {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(journal).unwrap();
    let subject = Subject { source: "film".into(), cuts: None, rule };
    let (log, map): (Journal, FilmMap) =
        Journal::open(file, journal, &subject, film.video.time_base).unwrap();
    let known = map.index.frames.len() as u64;
    let held = super::super::scout::held_back(rule, way.streaming);
    let plan_of = ScoutPlan { rule, shortest: 6, streaming: way.streaming, permits: held as usize + 8 };
    let first = way.machine.as_deref();
    let machine = first.map(|first| Machine { film, options: options(film), first });
    let elsewhere = machine.as_ref().map(|machine| machine as &dyn Elsewhere);
    let of_ranges = RangePlan { scouts: way.scouts, ..plan(way.least) };
    let ranges = Ranges::new(film, options(film), of_ranges, elsewhere);
    if !way.read.is_empty() {
        ranges.read_before(&way.read, &way.there);
    }
    let stop = StopFlag::new();
    let (plan, hands_on, cores) = (plan_of, way.hands_on, || usize::MAX);
    let scout = Scout { plan, ranges, cores: &cores, hands_on, cuts: None, journal: log, map, stop: &stop };
    let mut listener = Listener { refuses: way.refuses, ..Listener::default() };
    let map = scout.run(&mut listener).unwrap();
    let mut units: Vec<FrameRange> = listener.handed.iter().map(|(unit, _)| *unit).collect();
    units.extend(&listener.alone);
    units.sort();
    let new: Vec<FrameRange> = map.units.iter().copied().filter(|unit| unit.start >= known).collect();
    assert_eq!(units, new, "each unit comes once");
    for (&number, &start) in &listener.numbers {
        assert_eq!(map.units[number].start, start, "unit {number}");
    }
    for (unit, frames) in &listener.handed {
        assert!(
            frames[..] == map.index.frames[unit.start as usize..unit.end as usize],
            "{unit}: other frames"
        );
    }
    let map = (map.units, map.index.frames, map.findings, map.complete);
    (Scouting { map, journal: commits(journal) }, listener)
}

const RULES: [UnitRule; 2] = [UnitRule { longest: 30, window: 0 }, UnitRule { longest: 12, window: 36 }];

/// Whatever others have read, however frames are handed on, and wherever an earlier run was killed, index,
/// units, findings and journal are those of one reader.
#[test]
fn index_and_units_are_those_of_one_scout() {
    let Some(studio) = Studio::open() else { return };
    let (mut films, mut journals) = (Vec::new(), Vec::new());
    for (name, how, _) in [FILMS[0], FILMS[2], FILMS[3], FILMS[6]] {
        let Some(path) = studio.try_render(&format!("{PICTURES} {how}"), name) else { continue };
        let film = look(&path);
        let mut kept = Vec::new();
        let linear = RULES.map(|rule| {
            let streaming = rule.window == 0;
            let way = Way { streaming, least: 1.0, ..Way::LINEAR };
            let journal = studio.path(&format!("{name}-{}", rule.longest));
            kept.push(journal.clone());
            let (found, listener) = scout(&film, &journal, rule, &way);
            assert!(listener.alone.is_empty() && found.map.0.len() > 5, "{name}");
            found
        });
        films.push((film, linear));
        journals.push(kept);
    }
    let count = films.len();
    let some = || prop::collection::vec(any::<bool>(), 1..20);
    let way = (0..2usize, any::<(bool, bool)>(), 0.4f64..3.0, some(), some());
    // about a fifth of the ways show what is counted below, and five of forty came up by chance
    let config = ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() };
    let alone = Cell::new(0);
    proptest!(config, |(film in 0..count, (rule, (hands_on, refuses), least, read, there) in way, cut in 0.0f64..1.0, resumed in any::<bool>())| {
        let (source, linear) = &films[film];
        let way = Way { streaming: rule == 0, hands_on, refuses, least, read, there, scouts: 64, machine: None };
        let journal = studio.path("journal");
        let _ = fs::remove_file(&journal);
        if resumed {
            let bytes = fs::read(&journals[film][rule]).unwrap();
            fs::write(&journal, &bytes[..(bytes.len() as f64 * cut) as usize]).unwrap();
        }
        let (found, listener) = scout(source, &journal, RULES[rule], &way);
        prop_assert!(found == linear[rule], "{:?}", way);
        alone.set(alone.get() + usize::from(hands_on && !refuses && !listener.alone.is_empty()));
    });
    let alone = alone.get();
    assert!(alone > 5, "in {alone} cases a range was joined while frames were handed on");
}

/// With threads of their own, too, which come in any order, here and on machines that lose ranges, or never
/// tell of them.
#[test]
fn any_number_of_scouts_finds_the_same() {
    let Some(studio) = Studio::open() else { return };
    let path = studio.render(&format!("{PICTURES} {}", FILMS[0].1), "film.mp4");
    let film = look(&path);
    let found = |scouts: usize, rule: usize, hands_on: bool, machine: Option<&[Fate]>| {
        let machine = machine.map(<[Fate]>::to_vec);
        let way = Way { streaming: rule == 0, hands_on, least: 0.7, scouts, machine, ..Way::LINEAR };
        let journal = studio.path("journal");
        let _ = fs::remove_file(&journal);
        scout(&film, &journal, RULES[rule], &way).0
    };
    for rule in [0, 1] {
        let linear = found(0, rule, true, None);
        for scouts in [1, 2, 3, 7] {
            for hands_on in [true, false] {
                assert!(found(scouts, rule, hands_on, None) == linear, "{scouts} scouts");
            }
        }
        for (scouts, first) in [
            (0, &[][..]),
            (2, &[]),
            (0, &[Fate::Read, Fate::Read, Fate::Lost]),
            (1, &[Fate::Lost]),
            (0, &[Fate::Never]),
            (1, &[Fate::Read, Fate::Never, Fate::Never]),
        ] {
            for hands_on in [true, false] {
                let found = found(scouts, rule, hands_on, Some(first));
                assert!(found == linear, "{scouts} scouts, and a machine: {first:?}");
            }
        }
    }
}

/// What comes from elsewhere is believed as far as it can be one of this film: everything else is as if there
/// were no range.
#[test]
fn a_damaged_file_of_a_range_is_none() {
    let Some(studio) = Studio::open() else { return };
    let path = studio.render(&format!("{PICTURES} {}", FILMS[0].1), "film.mp4");
    let film = look(&path);
    let ranges = Ranges::new(&film, options(&film), plan(1.0), None);
    let (found, _) =
        read_range(&film, options(&film), (&ranges.entries, 1), ranges.frames, &|| false).unwrap();
    let write = |range: &FoundRange| {
        let file = fs::File::create(studio.path("range")).unwrap();
        range_file::write(&file, range).unwrap();
        fs::read(studio.path("range")).unwrap()
    };
    let read = |bytes: &[u8], most: usize| {
        fs::write(studio.path("range"), bytes).unwrap();
        range_file::read(fs::File::open(studio.path("range")).unwrap(), most)
    };
    let sound = write(&found);
    assert!(read(&sound, found.frames.len()).unwrap().frames == found.frames);
    assert!(read(&sound, found.frames.len() - 1).is_err(), "it has more frames than are wanted");
    for place in (0..sound.len()).step_by(sound.len() / 97) {
        let mut damaged = sound.clone();
        damaged[place] ^= 0x10;
        assert!(read(&damaged, 1000).is_err(), "a byte at {place} is another one");
        assert!(read(&sound[..place], 1000).is_err(), "it ends at {place}");
    }
    // whole files that are none of this film
    let entries = &ranges.entries[..ranges.entries.len() - 1];
    let (other, _) = read_range(&film, options(&film), (entries, 0), ranges.frames, &|| false).unwrap();
    assert!(ranges.found(other, 0).is_none(), "it was divided in another way");
    assert!(ranges.found(FoundRange { frames: VecDeque::new(), ..found }, 1).is_none(), "it has no frames");
}
