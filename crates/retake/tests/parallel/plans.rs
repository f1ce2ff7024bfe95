//! Several passes over parts: one plan for all of them.

use super::{Film, RATE, at, job, joined};
use crate::common::{self, HEIGHT, WIDTH, decode, ffmpeg, luma_error};
use retake::parallel::{Part, Subdivision};
use retake::property::{Property, PropertyKey};
use retake::session::{CompressionSession, NextPass, Outcomes, PassOptions, SessionError, SharedPlan};
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{EncoderInfo, PixelBuffer, SampleBuffer, SourceFrame, Time, TimeRange};
use std::collections::BTreeMap;
use std::sync::Arc;

const BITS: u64 = 160_000;

/// The first half is easy to encode, because it stands still for a second at a time; the second has motion
/// and grain; another scene every two seconds.
fn uneven(frames: usize) -> Film {
    let film = common::render(frames, 2 * RATE, 16);
    let shown = |frame: usize| if frame < frames / 2 { frame / RATE * RATE } else { frame };
    Film((0..frames).map(|frame| film[shown(frame)].clone()).collect())
}

/// Mean squared error of luma in every second, as another decoder shows it.
fn errors(film: &[PixelBuffer], samples: &[SampleBuffer]) -> Vec<f64> {
    let shown = decode(&samples.iter().collect::<Vec<_>>());
    assert_eq!(shown.len(), film.len());
    let errors: Vec<f64> = shown.iter().zip(film).map(|(shown, source)| luma_error(shown, source)).collect();
    errors.chunks(RATE).map(|second| second.iter().sum::<f64>() / second.len() as f64).collect()
}

fn psnr(error: f64) -> f64 {
    10.0 * (255.0f64.powi(2) / error).log10()
}

fn bytes(samples: &[SampleBuffer]) -> f64 {
    samples.iter().map(|sample| sample.sample.data.len()).sum::<usize>() as f64
}

/// How far the bytes are off the rate.
fn off(samples: &[SampleBuffer]) -> f64 {
    bytes(samples) * 8.0 / (BITS as f64 * samples.len() as f64 / RATE as f64) - 1.0
}

/// PA-8, PA-15, MP-32: sessions over an easy part and a hard one share one rate: they meet it together, and
/// give a film that is no worse than that of one session with as many passes: over all of it, in the worst
/// second, and in the worst unit (each has a second). Two sessions with a rate each, as parts without a plan
/// have it, spend on pictures that stand still what the worst second lacks.
#[test]
fn parts_share_the_bits_of_the_whole_film() {
    if !ffmpeg() {
        println!("SKIPPED: no decoder");
        return;
    }
    let film = uneven(6 * RATE);
    let registry = retake::encoders();
    for info in common::encoders().into_iter().filter(|info| matches!(info.name, "x264" | "svt-av1")) {
        let mut properties = vec![Property::AverageBitRate(BITS)];
        if common::has(&common::session(&info), PropertyKey::QualityMetric) {
            properties.push(Property::QualityMetric("psnr".to_owned()));
        }
        let run_at = |film: &Film, parts: u32, rate: u64| {
            let mut properties = properties.clone();
            properties[0] = Property::AverageBitRate(rate);
            let job = job(&registry, &info, &properties);
            let parts = job.subdivision(Subdivision::at_most(parts)).passes(PassOptions::default());
            joined(&parts.run(film, &|_| true).unwrap()).0
        };
        let run = |film: &Film, parts: u32| run_at(film, parts, BITS);
        let (one, two) = (run(&film, 1), run(&film, 2));
        let (alone, shared) = (errors(&film.0, &one), errors(&film.0, &two));
        let name = info.name;
        println!("{name}: one session {:+.2} % {alone:.1?}", off(&one) * 100.0);
        println!("{name}: two parts   {:+.2} % {shared:.1?}", off(&two) * 100.0);
        assert!(off(&two).abs() < 0.02, "{name}: {}", off(&two));
        let mean = |errors: &[f64]| psnr(errors.iter().sum::<f64>() / errors.len() as f64);
        let worst = |errors: &[f64]| psnr(errors.iter().copied().fold(0.0, f64::max));
        // The two do not take the same bytes to the last one, and what bytes are worth differs from encoder
        // to encoder: it is what one session makes of a fifth less and of a fifth more.
        let [less, more] = [4, 6].map(|fifths| run_at(&film, 1, BITS * fifths / 5));
        let doublings = |from: &[SampleBuffer], to: &[SampleBuffer]| (bytes(to) / bytes(from)).log2();
        let (poor, rich) = (errors(&film.0, &less), errors(&film.0, &more));
        for (what, of) in [("mean", mean as fn(&[f64]) -> f64), ("worst second", worst)] {
            let worth = (of(&rich) - of(&poor)) / doublings(&less, &more);
            let size = worth * doublings(&two, &one);
            let gained = of(&shared) + size - of(&alone);
            println!(
                "{name}: {what} {gained:+.2} dB, of which {size:+.2} for bytes, at {worth:.2} a doubling"
            );
            assert!(gained > -0.15, "{name}: {what} {:.2} is {:.2} alone", of(&shared), of(&alone));
        }
        if name == "x264" {
            let apart: Vec<f64> = film
                .0
                .chunks(3 * RATE)
                .flat_map(|half| errors(half, &run(&Film(half.to_vec()), 1)))
                .collect();
            println!("{name}: two rates   {apart:.1?}");
            assert!(worst(&apart) < worst(&shared) - 0.3, "{name}: {:.2} apart", worst(&apart));
        }
    }
}

/// PA-3, PA-15: in several passes, parts begin at scene changes that are near: here another scene begins
/// every 30 frames, and a bound moves by a third of a part at most. Parts of a single pass are equal, and
/// none is shorter than is allowed.
#[test]
fn parts_of_several_passes_begin_at_scene_changes() {
    let film = Film(common::render(152, 30, 4));
    let registry = retake::encoders();
    let info = common::encoders().remove(0);
    let starts = |subdivision: Subdivision, passes: Option<PassOptions>| -> Vec<u64> {
        let mut job = job(&registry, &info, &[]).subdivision(subdivision);
        if let Some(options) = passes {
            job = job.passes(options);
        }
        let parts = job.plan(&film).unwrap();
        assert!(parts.windows(2).all(|pair| pair[0].range.end == pair[1].range.start));
        assert_eq!(parts[parts.len() - 1].range.end, 152);
        parts.iter().map(|part| part.range.start).collect()
    };
    let four = Subdivision::at_most(4);
    assert_eq!(starts(four, None), [0, 38, 76, 114]);
    // the change at 90 is nearer to the third bound than that at 60, and neither is near enough
    assert_eq!(starts(four, Some(PassOptions::default())), [0, 30, 76, 120]);
    let no_shorter = Subdivision { least_frames: 25, ..four };
    assert_eq!(starts(no_shorter, Some(PassOptions::default())), [0, 38, 76, 120]);
    let equal = Subdivision { least_duration: Some(Time::new(152, 4 * RATE as i32)), ..four };
    assert_eq!(starts(equal, Some(PassOptions::default())), [0, 38, 76, 114]);
}

/// A session of a part, with a storage of its own.
struct ByHand {
    part: Part,
    session: CompressionSession,
    outcomes: Outcomes,
    samples: BTreeMap<Time, SampleBuffer>,
    _storage: Arc<MultiPassStorage>,
}

impl ByHand {
    fn new(info: &EncoderInfo, part: Part, more: &[Property]) -> Self {
        let (session, outcomes) = CompressionSession::builder(&retake::encoders(), WIDTH, HEIGHT, info.codec)
            .encoder(info.name)
            .build_pull()
            .unwrap();
        session.set_all(&common::usual(info)).unwrap();
        session
            .set_all(&[Property::MaxKeyFrameInterval(RATE as u32), Property::ExpectedFrameRate(RATE as f64)])
            .unwrap();
        session.set_all(more).unwrap();
        session.set_all(&part.properties(&session.supported_properties().unwrap())).unwrap();
        let storage = MultiPassStorage::create(None, &StorageOptions::default()).unwrap();
        session.set_multi_pass_storage(Some(&storage), PassOptions::default()).unwrap();
        Self { part, session, outcomes, samples: BTreeMap::new(), _storage: storage }
    }

    /// Makes a pass over everything or over ranges, which have to lie in the part.
    fn pass(&mut self, film: &Film, ranges: Option<&[TimeRange]>) -> NextPass {
        let frames = self.part.range.start as usize..self.part.range.end as usize;
        let all = [TimeRange::between(at(frames.start), at(frames.end))];
        assert!(
            ranges
                .into_iter()
                .flatten()
                .all(|range| all[0].start <= range.start && range.end() <= all[0].end())
        );
        self.session.begin_pass().unwrap();
        for index in frames {
            if ranges.unwrap_or(&all).iter().any(|range| range.contains(at(index))) {
                let frame = SourceFrame::new(&film.0[index], at(index)).duration(Time::new(1, RATE as i32));
                self.session.encode(frame, ()).unwrap();
            }
        }
        let next = self.session.end_pass().unwrap();
        while let Some(outcome) = self.outcomes.try_receive() {
            let sample = outcome.into_sample().unwrap().unwrap();
            self.samples.insert(sample.sample.dts, sample);
        }
        next
    }
}

/// PA-10, PA-12, A28: a client that has one thread and runs its sessions one after another, in this order or
/// that, gets the film of `ParallelEncode` with four sessions at once, to the byte; nothing waits for what
/// only the client could do, and ranges lie in the parts that they are asked of.
#[test]
fn a28_sessions_one_after_another_share_a_plan_as_those_side_by_side() {
    let film = uneven(60);
    let registry = retake::encoders();
    let rate = Property::AverageBitRate(BITS);
    // what is planned is the same code for all encoders: these have a fine knob and a coarse one
    for info in common::encoders().into_iter().filter(|info| matches!(info.name, "x264" | "vp9")) {
        let job = job(&registry, &info, std::slice::from_ref(&rate)).passes(PassOptions::default());
        let side_by_side = joined(&job.at_once(4).run(&film, &|_| true).unwrap()).0;
        let plan = SharedPlan::new(4);
        let parts = Subdivision::at_most(4).parts(film.0.len() as u64, None);
        let mut sessions: Vec<ByHand> =
            parts.iter().map(|part| ByHand::new(&info, *part, std::slice::from_ref(&rate))).collect();
        for (index, part) in sessions.iter().enumerate() {
            part.session.share_plan(&plan, index).unwrap();
        }
        // the last part first: only with the first one, which ends the pass last, the plan is made
        for part in sessions.iter_mut().rev() {
            let next = part.pass(&film, None);
            assert!(next == NextPass::Undecided || !part.part.more_before, "{}: {next:?}", info.name);
        }
        let mut asked = true;
        let mut passes = 1;
        while std::mem::take(&mut asked) {
            for part in &mut sessions {
                if let NextPass::Requested(ranges) = part.session.next_pass().unwrap() {
                    assert_eq!(part.session.time_ranges_for_next_pass().unwrap(), ranges);
                    part.pass(&film, Some(&ranges));
                    asked = true;
                }
            }
            passes += 1;
            assert!(passes < 8, "{}: passes end (MP-30)", info.name);
        }
        assert!(passes > 2, "{}: there was nothing to plan", info.name);
        for part in &sessions {
            assert_eq!(part.session.next_pass(), Ok(NextPass::Finished), "{}", info.name);
        }
        let by_hand: Vec<SampleBuffer> =
            sessions.iter().flat_map(|part| part.samples.values().cloned()).collect();
        let data = |samples: &[SampleBuffer]| -> Vec<Vec<u8>> {
            samples.iter().map(|sample| sample.sample.data.clone()).collect()
        };
        assert!(data(&by_hand) == data(&side_by_side), "{}", info.name);
    }
}

/// PA-13: a part whose session failed is given to another one, and the plan is made as if nothing had been.
/// What cannot be is refused: a part that is not there, a plan after passes have begun, other goals, a pass
/// that nobody asked for, and the word of a session that has lost its part.
#[test]
fn a_part_is_given_to_another_session() {
    let film = uneven(4 * RATE);
    let info = &common::encoders()[0];
    let parts = Subdivision::at_most(2).parts(film.0.len() as u64, None);
    let new = |part: usize, rate: u64| ByHand::new(info, parts[part], &[Property::AverageBitRate(rate)]);
    let refused = |result: Result<(), SessionError>| assert_eq!(result.unwrap_err().code(), -12902);
    let whole = |fails: bool| {
        let plan = SharedPlan::new(2);
        let (mut one, mut two) = (new(0, BITS), new(1, BITS));
        one.session.share_plan(&plan, 0).unwrap();
        two.session.share_plan(&plan, 1).unwrap();
        refused(two.session.share_plan(&plan, 2));
        if fails {
            // it has told what it found, and then fails
            assert_eq!(two.pass(&film, None), NextPass::Undecided);
            let again = new(1, BITS);
            again.session.share_plan(&plan, 1).unwrap();
            refused(two.session.next_pass().map(drop));
            // other goals are not planned together, and cost nothing but the session
            let other = new(0, 2 * BITS);
            two = again;
            assert_eq!(two.pass(&film, None), NextPass::Undecided);
            other.session.share_plan(&plan, 0).unwrap();
            other.session.begin_pass().unwrap();
            other.session.encode(SourceFrame::new(&film.0[0], at(0)), ()).unwrap();
            refused(other.session.share_plan(&plan, 0));
            refused(other.session.end_pass().map(drop));
            one.session.share_plan(&plan, 0).unwrap();
        } else {
            assert_eq!(two.pass(&film, None), NextPass::Undecided);
        }
        refused(two.session.begin_pass());
        refused(two.session.time_ranges_for_next_pass().map(drop));
        let first = one.pass(&film, None);
        (first, two.session.next_pass().unwrap())
    };
    let plain = whole(false);
    assert!([&plain.0, &plain.1].iter().any(|next| matches!(next, NextPass::Requested(_))), "{plain:?}");
    assert_eq!(whole(true), plain);
}
