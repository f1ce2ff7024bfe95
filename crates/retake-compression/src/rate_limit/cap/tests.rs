//! The cap over an encoder whose sizes are a function of frame and quantizer: no session, no thread.

use super::*;
use crate::encoder::{ControlSupport, Controls, QualityScale};
use proptest::prelude::*;
use retake_media::{
    Codec, Colour, PixelBufferAttributes, PixelFormat, Rational, Sample, SampleKind, WritableBuffer,
};
use std::sync::Mutex;

/// The bytes of a frame, by its number in the film, its quantizer, and whether it begins an encode.
type Sizes = Arc<dyn Fn(u64, u32, bool) -> u64 + Send + Sync>;

/// An encoder with quantizers from 0 to 51 that gives every fourth frame before the three in front of it, and
/// holds back as many frames as it is told.
struct Scripted {
    format: FormatDescription,
    sizes: Sizes,
    qp: u32,
    delay: u64,
    frames: Vec<u64>,
    given: usize,
    pictures: VecDeque<u64>,
    reconstructs: bool,
    finished: bool,
}

fn at(frame: u64) -> Time {
    Time::new(frame as i64, 25)
}

/// The number of a frame in the film.
fn number(pts: Time) -> u64 {
    pts.value() as u64
}

fn format() -> FormatDescription {
    FormatDescription::video(Codec::H264, 16, 16)
}

fn info() -> EncoderInfo {
    EncoderInfo {
        name: "scripted",
        codec: Codec::H264,
        version: String::new(),
        formats: vec![PixelFormat::I420],
        presets: Vec::new(),
        default_preset: "",
        quality: QualityScale { min: 0.0, max: 51.0, step: 1.0, usual: 23.0 },
        reconstructs: true,
        steers: false,
        reorders: true,
        licence: "",
        controls: ControlSupport { qp_bounds: Some((0, 51)), ..ControlSupport::default() },
    }
}

fn settings(rate: RateControl, reconstruct: bool) -> EncoderSettings {
    EncoderSettings {
        width: 16,
        height: 16,
        format: PixelFormat::I420,
        frame_rate: Rational::new(25, 1),
        colour: Colour::default(),
        pixel_aspect_ratio: Rational::new(1, 1),
        mastering_display: None,
        content_light: None,
        preset: String::new(),
        rate,
        limit: None,
        max_key_frame_interval: 0,
        threads: 1,
        reconstruct,
        controls: Controls::default(),
        options: Vec::new(),
    }
}

impl Scripted {
    fn qp(settings: &EncoderSettings) -> u32 {
        let least = settings.controls.min_qp.unwrap_or(0);
        match settings.rate {
            RateControl::Quality(quality) => least.max(quality as u32),
            _ => least.max(20),
        }
    }

    /// The place in decode order of the sample that comes next, if it may come: 0, 4 1 2 3, 8 5 6 7 …
    fn next(&self) -> Option<usize> {
        let place = self.given;
        let last = self.frames.len();
        let index = match place {
            0 => 0,
            _ if (place - 1).is_multiple_of(4) && place + 3 < last => place + 3,
            _ if (place - 1) / 4 * 4 + 4 < last => place - 1,
            _ => place,
        };
        let group_is_known = self.finished || (place.max(1) - 1) / 4 * 4 + 4 < last;
        let late = self.finished || place as u64 + self.delay < last as u64;
        (place < last && group_is_known && late).then_some(index)
    }
}

impl Encoder for Scripted {
    fn format(&self) -> &FormatDescription {
        &self.format
    }

    fn send(&mut self, _: &PixelBuffer, pts: Time, _: Time, _: FrameOptions) -> Result<(), EncoderError> {
        assert!(!self.finished, "a frame comes after the end");
        self.frames.push(number(pts));
        Ok(())
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        self.finished = true;
        Ok(())
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        if let Some(index) = self.pictures.pop_front() {
            let attributes = PixelBufferAttributes::of(PixelFormat::I420, 16, 16);
            let picture = WritableBuffer::create(&attributes).unwrap().freeze();
            return Ok(Output::Picture { index, picture });
        }
        let Some(index) = self.next() else {
            let over = self.finished && self.given == self.frames.len();
            return Ok(if over { Output::End } else { Output::Pending });
        };
        let (frame, sync) = (self.frames[index], index == 0);
        // frames that were dropped leave gaps in presentation times, and none in decode order
        let dts = self.frames[self.given];
        self.given += 1;
        if self.reconstructs {
            self.pictures.push_back(index as u64);
        }
        let sample = Sample {
            data: vec![0; (self.sizes)(frame, self.qp, sync) as usize],
            pts: at(frame),
            dts: Time::new(dts as i64 - 4, 25),
            duration: Time::new(1, 25),
            kind: if sync { SampleKind::Sync } else { SampleKind::Reference },
        };
        let qp = self.qp as f32;
        Ok(Output::Frame(EncodedFrame {
            sample,
            index: index as u64,
            qp,
            error: None,
            token: None,
            layer: 0,
        }))
    }
}

/// What came out for the frames of a film.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Out {
    Sample { index: u64, dts: i64, bytes: usize, sync: bool },
    Picture(u64),
    Dropped(u64),
}

struct Run {
    out: Vec<Out>,
    /// The settings of each encode inside.
    opened: Vec<EncoderSettings>,
}

impl Run {
    /// The most bytes in a window of so many frames, in plain sums over whole ticks.
    fn fullest(&self, before: &[(Time, u64)], after: &[(Time, u64)], frames: i64) -> u64 {
        let known =
            |side: &[(Time, u64)]| side.iter().map(|(dts, bytes)| (dts.value(), *bytes)).collect::<Vec<_>>();
        let own = self.out.iter().filter_map(|out| match out {
            Out::Sample { dts, bytes, .. } => Some((*dts, *bytes as u64)),
            _ => None,
        });
        let all: Vec<(i64, u64)> = known(before).into_iter().chain(own).chain(known(after)).collect();
        let window = |&(start, _): &(i64, u64)| {
            all.iter().filter(|(dts, _)| (start..start + frames).contains(dts)).map(|(_, bytes)| bytes).sum()
        };
        all.iter().map(window).max().unwrap_or(0)
    }

    fn syncs(&self) -> Vec<u64> {
        let sync = |out: &Out| matches!(out, Out::Sample { sync: true, .. });
        self.out.iter().filter(|out| sync(out)).map(Out::index).collect()
    }

    fn samples(&self) -> Vec<u64> {
        self.out.iter().filter(|out| matches!(out, Out::Sample { .. })).map(Out::index).collect()
    }
}

impl Out {
    fn index(&self) -> u64 {
        match self {
            Self::Sample { index, .. } | Self::Picture(index) | Self::Dropped(index) => *index,
        }
    }
}

/// Encodes frames from `first` on. Outputs are taken after every `burst` frames, so that the encoder is more
/// or less far behind.
fn run(
    rate: RateControl,
    (rules, state): (CapRules, CapState),
    sizes: Sizes,
    (first, count): (u64, u64),
    (delay, burst): (u64, u64),
    reconstruct: bool,
) -> Run {
    let opened = Arc::new(Mutex::new(Vec::new()));
    let log = opened.clone();
    let open = move |settings: &EncoderSettings| {
        log.lock().unwrap().push(settings.clone());
        Ok(Scripted {
            format: format(),
            sizes: sizes.clone(),
            qp: Scripted::qp(settings),
            delay,
            frames: Vec::new(),
            given: 0,
            pictures: VecDeque::new(),
            reconstructs: settings.reconstruct,
            finished: false,
        })
    };
    let mut capped =
        RateCapped::new(&info(), settings(rate, reconstruct), rules, state, Box::new(open)).unwrap();
    let picture =
        WritableBuffer::create(&PixelBufferAttributes::of(PixelFormat::I420, 16, 16)).unwrap().freeze();
    let mut out = Vec::new();
    for frame in 0..count {
        let pts = at(first + frame);
        capped.send(&picture, pts, Time::new(1, 25), FrameOptions::default()).unwrap();
        if frame % burst == burst - 1 {
            while let Some(one) = receive(&mut capped) {
                out.push(one);
            }
        }
    }
    capped.finish().unwrap();
    while let Some(one) = receive(&mut capped) {
        out.push(one);
    }
    let opened = opened.lock().unwrap().clone();
    Run { out, opened }
}

fn receive(capped: &mut RateCapped<Scripted>) -> Option<Out> {
    match capped.receive().unwrap() {
        Output::Frame(frame) => Some(Out::Sample {
            index: frame.index,
            dts: frame.sample.dts.value(),
            bytes: frame.sample.data.len(),
            sync: frame.sample.is_sync(),
        }),
        Output::Picture { index, .. } => Some(Out::Picture(index)),
        Output::Dropped { index } => Some(Out::Dropped(index)),
        Output::Pending | Output::End => None,
    }
}

fn limited(bytes: u64) -> CapRules {
    CapRules { limits: vec![DataRateLimit { bytes, seconds: 1.0 }], ..CapRules::default() }
}

/// Sizes that halve with every six quantizers; a sync frame takes five times as much as another.
fn halving(base: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Sizes {
    Arc::new(move |frame, qp, sync| {
        let size = base(frame) * 2f64.powf(f64::from(20i32 - qp as i32) / 6.0);
        (if sync { size * 5.0 } else { size }) as u64
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A10, W2b: whatever frames take, no window holds more than its limit; each frame comes out once, its
    /// picture behind it; and how far the encoder is behind the client changes nothing.
    #[test]
    fn a10_windows_hold_and_delays_do_not_matter(
        seed in prop::collection::vec(1.0..4000.0f64, 1..12), limit in 500u64..40_000, count in 1u64..150,
        delays in prop::collection::vec((0u64..12, 1u64..9), 2..4), reconstruct in any::<bool>(),
        groups in prop::option::of(1u32..60),
    ) {
        let hold_back = groups.map_or(HoldBack::Reordered, |frames| HoldBack::Groups { frames });
        let rules = CapRules { hold_back, ..limited(limit) };
        let film = move |frame: u64| seed[(frame / 13) as usize % seed.len()];
        let sizes = halving(film);
        let rate = RateControl::AverageBitRate(100_000);
        let of = |(delay, burst)| {
            run(rate, (rules.clone(), CapState::default()), sizes.clone(), (0, count), (delay, burst), reconstruct)
        };
        let first = of(delays[0]);
        prop_assert!(first.fullest(&[], &[], 25) <= limit);
        let mut seen: Vec<u64> =
            first.out.iter().filter(|out| !matches!(out, Out::Picture(_))).map(Out::index).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..count).collect::<Vec<_>>());
        let pictures: Vec<u64> =
            first.out.iter().filter(|out| matches!(out, Out::Picture(_))).map(Out::index).collect();
        prop_assert_eq!(pictures, if reconstruct { first.samples() } else { Vec::new() });
        for delay in &delays[1..] {
            prop_assert_eq!(&of(*delay).out, &first.out, "{:?} and {:?}", delay, delays[0]);
        }
        if let Some(frames) = groups.filter(|_| first.samples().len() as u64 == count) {
            let begins: Vec<u64> = (0..count).step_by(frames as usize).collect();
            prop_assert_eq!(first.syncs(), begins, "a group has one sync frame");
        }
    }

    /// W2, MP-26, MP-33: a unit that is held back as a whole begins with its one sync frame, gives a sample
    /// for each frame, and fits between what is before and behind it wherever its coarsest quantizer does.
    #[test]
    fn mp33_a_whole_unit_fits_between_its_neighbours(
        base in 20.0..3000.0f64, limit in 8_000u64..40_000, count in 1u64..120, level in 0.0..0.9f64,
    ) {
        let share = (limit as f64 * level / 25.0) as u64;
        let side = |from: i64| (0..24).map(|frame| (Time::new(from + frame, 25), share)).collect::<Vec<_>>();
        let (before, after) = (side(100 - 28), side(100 + count as i64 - 4));
        let rules = CapRules {
            unfit: Unfit::Emitted,
            hold_back: HoldBack::Whole { frames: count as u32 },
            after: after.clone(),
            ..limited(limit)
        };
        let sizes = halving(move |frame| base * if frame % 7 == 0 { 2.0 } else { 0.7 });
        let state = || CapState::behind(before.iter().copied());
        let rate = RateControl::Quality(10.0);
        let got = run(rate, (rules.clone(), state()), sizes.clone(), (100, count), (3, 2), false);
        let mut samples = got.samples();
        samples.sort_unstable();
        prop_assert_eq!(samples, (0..count).collect::<Vec<_>>());
        prop_assert_eq!(got.syncs(), [0]);
        let unlimited = CapRules { limits: Vec::new(), ..rules };
        let coarsest = run(RateControl::Quality(51.0), (unlimited, state()), sizes, (100, count), (3, 2), false);
        if coarsest.fullest(&before, &after, 25) <= limit {
            prop_assert!(got.fullest(&before, &after, 25) <= limit);
        }
    }
}

/// MP-26: where nothing fits, a pass has a sample for each frame all the same; without passes the frame is
/// dropped, and the limit holds.
#[test]
fn mp26_what_never_fits_is_dropped_or_emitted() {
    let sizes: Sizes = Arc::new(|frame, _, _| if frame == 30 { 9_000 } else { 10 });
    let rate = RateControl::AverageBitRate(100_000);
    for unfit in [Unfit::Dropped, Unfit::Emitted] {
        let rules = CapRules { unfit, ..limited(5_000) };
        let got = run(rate, (rules, CapState::default()), sizes.clone(), (0, 60), (3, 1), false);
        let dropped: Vec<_> = got.out.iter().filter(|out| matches!(out, Out::Dropped(_))).collect();
        assert_eq!(dropped, if unfit == Unfit::Dropped { vec![&Out::Dropped(30)] } else { vec![] });
        assert_eq!(got.fullest(&[], &[], 25) > 5_000, unfit == Unfit::Emitted);
    }
}

/// W4: a group is given what the groups before it left of the average, within bounds; and one that breaks the
/// limit does not make the next one coarse.
#[test]
fn groups_share_an_average() {
    let rate = RateControl::AverageBitRate(100_000);
    let rules = CapRules { hold_back: HoldBack::Groups { frames: 25 }, ..limited(60_000) };
    // 25 frames of 400 bytes are 80000 bits of a second's 100000; those of the third second are too large
    let sizes: Sizes =
        Arc::new(|frame, qp, _| if (50..75).contains(&frame) { 60_000 / u64::from(qp) } else { 400 });
    let got = run(rate, (rules, CapState::default()), sizes, (0, 125), (3, 1), false);
    let told: Vec<_> = got.opened.iter().map(|settings| (settings.rate, settings.controls.min_qp)).collect();
    let average = RateControl::AverageBitRate;
    assert_eq!(told[..3], [(average(100_000), None), (average(120_000), None), (average(140_000), None)]);
    let coarser: Vec<_> = told[3..].iter().take_while(|(_, floor)| floor.is_some()).collect();
    assert!(!coarser.is_empty() && coarser.iter().all(|(rate, _)| *rate == average(140_000)), "{told:?}");
    assert_eq!(told[3 + coarser.len()..], [(average(50_000), None), (average(50_000), None)]);
    assert_eq!(got.syncs(), [0, 25, 50, 75, 100]);
}

/// Without limits the encode inside is all that there is.
#[test]
fn without_limits_nothing_changes() {
    let sizes = halving(|_| 1000.0);
    let rate = RateControl::AverageBitRate(100_000);
    let got = run(rate, (CapRules::default(), CapState::default()), sizes, (0, 90), (3, 1), true);
    assert_eq!((got.opened.len(), got.syncs()), (1, vec![0]));
    assert_eq!(got.out.len(), 180);
}
