//! Encoders that break: what a session says of it, to whom, and how it ends.

use retake::encoder::{ControlSupport, EncodedFrame, EncoderSettings, Output, QualityScale};
use retake::property::Property;
use retake::session::{CompressionSession, EncodedOutcome, Outcomes, SessionError, SessionHandle};
use retake::{
    Codec, Encoder, EncoderError, EncoderFactory, EncoderInfo, FormatDescription, FrameOptions, PixelBuffer,
    PixelBufferPool, PixelFormat, Registry, Sample, SampleKind, SourceFrame, Time,
};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

/// How long a test waits for what has to come. It only ends tests that fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// What goes wrong, at the frame of the encode that has this number where there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// No encode opens.
    Open,
    /// No second encode opens.
    Reopen,
    Send(u64),
    Receive(u64),
    /// The end of the encode fails, before which no sample came.
    Finish,
    /// The call with the frame does not return before the gate is opened.
    Hang(u64),
    /// The sample comes twice.
    Twice(u64),
    /// A sample of a frame comes that was never sent.
    Unknown(u64),
    /// The sample never comes, though the encode ends.
    Missing(u64),
    /// Samples come at the end alone.
    Late,
    /// The sample comes behind the one that follows it, with their own times.
    Reordered(u64),
    /// The sample has no bytes.
    Empty(u64),
    /// The sample has no decode time.
    Timeless(u64),
}

/// Shut until it is opened.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn pass(&self) {
        let shut = |open: &mut bool| !*open;
        drop(self.1.wait_timeout_while(self.0.lock().unwrap(), PATIENCE, shut).unwrap());
    }
}

/// Where an encoder hangs: whether it does yet, and for how long.
#[derive(Default)]
struct Hanging {
    hung: Gate,
    freed: Gate,
}

struct Failing {
    info: EncoderInfo,
    fault: Fault,
    opened: AtomicUsize,
    gate: Arc<Hanging>,
}

impl EncoderFactory for Failing {
    fn info(&self) -> &EncoderInfo {
        &self.info
    }

    fn memory(&self, _: &EncoderSettings) -> u64 {
        0
    }

    fn delay(&self, _: &EncoderSettings) -> u32 {
        0
    }

    fn open(&self, _: &EncoderSettings) -> Result<Box<dyn Encoder>, EncoderError> {
        let opened = self.opened.fetch_add(1, Ordering::Relaxed);
        if self.fault == Fault::Open || self.fault == Fault::Reopen && opened > 0 {
            return Err(EncoderError::Open { encoder: "failing", reason: "as it is meant to".to_owned() });
        }
        Ok(Box::new(Encode {
            fault: self.fault,
            gate: self.gate.clone(),
            format: FormatDescription::video(Codec::H264, 32, 16),
            sent: 0,
            ready: VecDeque::new(),
            held: Vec::new(),
            finished: false,
        }))
    }
}

struct Encode {
    fault: Fault,
    gate: Arc<Hanging>,
    format: FormatDescription,
    sent: u64,
    ready: VecDeque<EncodedFrame>,
    held: Vec<EncodedFrame>,
    finished: bool,
}

impl Encode {
    fn broken(&self) -> EncoderError {
        EncoderError::Malfunction {
            encoder: "failing",
            frame: self.sent,
            reason: "as it is meant to".to_owned(),
        }
    }
}

impl Encoder for Encode {
    fn format(&self) -> &FormatDescription {
        &self.format
    }

    fn send(
        &mut self,
        _: &PixelBuffer,
        pts: Time,
        duration: Time,
        _: FrameOptions,
    ) -> Result<(), EncoderError> {
        let index = self.sent;
        if self.fault == Fault::Send(index) {
            return Err(self.broken());
        }
        if self.fault == Fault::Hang(index) {
            self.gate.hung.open();
            self.gate.freed.pass();
        }
        self.sent += 1;
        let kind = if index == 0 { SampleKind::Sync } else { SampleKind::Reference };
        let sample = Sample { data: vec![1; 9], pts, dts: pts, duration, kind };
        let mut frame = EncodedFrame { sample, index, qp: 20.0, error: None, token: None, layer: 0 };
        let twin = EncodedFrame { sample: frame.sample.clone(), ..frame };
        match self.fault {
            Fault::Missing(at) if at == index => return Ok(()),
            Fault::Empty(at) if at == index => frame.sample.data.clear(),
            Fault::Timeless(at) if at == index => frame.sample.dts = Time::INVALID,
            Fault::Unknown(at) if at == index => self.ready.push_back(EncodedFrame { index: 99, ..twin }),
            Fault::Twice(at) if at == index => self.ready.push_back(twin),
            Fault::Reordered(at) if at == index => {
                self.held.push(frame);
                return Ok(());
            }
            Fault::Late | Fault::Finish => {
                self.held.push(frame);
                return Ok(());
            }
            _ => {}
        }
        self.ready.push_back(frame);
        if matches!(self.fault, Fault::Reordered(_)) {
            self.ready.extend(self.held.drain(..));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        if self.fault == Fault::Finish {
            return Err(self.broken());
        }
        self.finished = true;
        self.ready.extend(self.held.drain(..));
        Ok(())
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        if let Some(frame) = self.ready.front()
            && self.fault == Fault::Receive(frame.index)
        {
            return Err(self.broken());
        }
        let none = if self.finished { Output::End } else { Output::Pending };
        Ok(self.ready.pop_front().map_or(none, Output::Frame))
    }
}

fn registry(fault: Fault) -> (Registry, Arc<Hanging>) {
    let gate = Arc::new(Hanging::default());
    let info = EncoderInfo {
        name: "failing",
        codec: Codec::H264,
        version: "1".to_owned(),
        formats: vec![PixelFormat::I420],
        presets: Vec::new(),
        default_preset: "",
        quality: QualityScale { min: 0.0, max: 51.0, step: 1.0, usual: 23.0 },
        reconstructs: false,
        steers: false,
        reorders: false,
        licence: "MIT",
        controls: ControlSupport::default(),
    };
    let mut registry = Registry::new();
    registry.add(Arc::new(Failing { info, fault, opened: AtomicUsize::new(0), gate: gate.clone() }));
    (registry, gate)
}

type Pull = (CompressionSession<u64>, Outcomes<u64>);

fn session(fault: Fault) -> Pull {
    CompressionSession::builder(&registry(fault).0, 32, 16, Codec::H264).build_pull().unwrap()
}

fn encode(session: &SessionHandle<u64>, frame: u64) -> Result<(), SessionError> {
    let picture = PixelBufferPool::new(PixelFormat::I420, 32, 16).take().freeze();
    let pts = Time::new(i64::try_from(frame).unwrap(), 25);
    session.encode(SourceFrame::new(&picture, pts).duration(Time::new(1, 25)), frame).map(drop)
}

/// Every outcome that came: the frame, and the code where it has no sample.
fn outcomes(outcomes: Outcomes<u64>) -> Vec<(u64, i32)> {
    let code = |outcome: EncodedOutcome<u64>| {
        (outcome.token, outcome.into_sample().map_or_else(|error| error.code(), |_| 0))
    };
    outcomes.map(code).collect()
}

/// EF-6, EF-15, CS-12, CS-15: an encoder that fails in mid-stream, or breaks its contract. The code is told
/// by every call from then on; each accepted frame has exactly one outcome; what was out before stays out;
/// the end of the session is clean.
#[test]
fn failures_in_mid_stream_are_told_once_for_each_frame() {
    for (fault, code, intact) in [
        (Fault::None, 0, 6),
        (Fault::Late, 0, 6),
        (Fault::Reopen, 0, 6),
        (Fault::Send(3), -12912, 3),
        (Fault::Receive(3), -12912, 3),
        (Fault::Finish, -12912, 0),
        (Fault::Twice(3), -17691, 4),
        (Fault::Unknown(3), -17691, 3),
        (Fault::Missing(3), -17691, 5),
        (Fault::Reordered(3), -17691, 4),
        (Fault::Empty(3), -17691, 3),
        (Fault::Timeless(3), -17691, 3),
    ] {
        let pull = session(fault);
        let accepted: Vec<u64> = (0..6).filter(|&frame| encode(&pull.0, frame).is_ok()).collect();
        let completed = pull.0.complete_frames().err().map_or(0, |error| error.code());
        assert_eq!(completed, code, "{fault:?}");
        if code != 0 {
            assert_eq!(encode(&pull.0, 6).unwrap_err().code(), code, "{fault:?}");
            assert_eq!(pull.0.prepare().unwrap_err().code(), code, "{fault:?}");
        }
        let (session, told) = pull;
        drop(session);
        let told = outcomes(told);
        let mut frames: Vec<u64> = told.iter().map(|(frame, _)| *frame).collect();
        frames.sort_unstable();
        assert_eq!(frames, accepted, "{fault:?}: one outcome for each");
        assert_eq!(told.iter().filter(|(_, code)| *code == 0).count(), intact, "{fault:?}: {told:?}");
        assert!(told.iter().all(|(_, told)| *told == 0 || *told == code), "{fault:?}: {told:?}");
    }
}

/// EF-15, CS-5: an encoder that does not open. Nothing is accepted, so that nothing is owed; another attempt
/// is another answer.
#[test]
fn an_encoder_that_does_not_open_accepts_nothing() {
    let pull = session(Fault::Open);
    for frame in 0..3 {
        assert_eq!(pull.0.prepare().unwrap_err().code(), -12907);
        assert_eq!(encode(&pull.0, frame).unwrap_err().code(), -12907);
    }
    pull.0.complete_frames().unwrap();
    let (session, told) = pull;
    drop(session);
    assert_eq!(outcomes(told), []);
}

/// EF-15: an encoder that opens once alone. The frame that needs another encode, and those behind it, are
/// told why; what was out stays out.
#[test]
fn an_encoder_that_does_not_open_again_ends_the_session() {
    let pull = session(Fault::Reopen);
    (0..3).for_each(|frame| encode(&pull.0, frame).unwrap());
    pull.0.complete_frames().unwrap();
    // No encode goes on from a quality to a rate.
    pull.0.set(Property::AverageBitRate(1_000_000)).unwrap();
    let accepted = (3..6).filter(|&frame| encode(&pull.0, frame).is_ok()).count();
    assert_eq!(pull.0.complete_frames().unwrap_err().code(), -12907);
    let (session, told) = pull;
    drop(session);
    let told = outcomes(told);
    assert_eq!(told[..3], [(0, 0), (1, 0), (2, 0)]);
    assert_eq!(told.len(), 3 + accepted);
    assert!(accepted > 0 && told[3..].iter().all(|(_, code)| *code == -12907), "{told:?}");
}

/// A7, CS-13, CS-15, resolution 14: an encoder that hangs. Invalidating the session returns within a second
/// all the same; each pending frame has its one outcome by then, and none comes after, also when the encoder
/// returns.
#[test]
fn an_encoder_that_hangs_does_not_hold_up_the_end() {
    let (registry, gate) = registry(Fault::Hang(2));
    let (send, told) = mpsc::channel();
    let session = CompressionSession::builder(&registry, 32, 16, Codec::H264)
        .on_output(move |outcome: EncodedOutcome<u64>| {
            let code = outcome.result.as_ref().map_or_else(SessionError::code, |_| 0);
            send.send((outcome.token, code)).unwrap();
        })
        .build()
        .unwrap();
    (0..5).for_each(|frame| encode(&session, frame).unwrap());
    let out = |told: &mpsc::Receiver<_>| told.recv_timeout(PATIENCE).unwrap();
    assert_eq!([out(&told), out(&told)], [(0, 0), (1, 0)]);
    gate.hung.pass();
    let completing = session.handle();
    let waiting = std::thread::spawn(move || completing.complete_frames().unwrap_err().code());
    let begun = Instant::now();
    session.invalidate();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [(2, -12903), (3, -12903), (4, -12903)]);
    assert_eq!(waiting.join().unwrap(), -12903, "whoever waits goes on");
    session.invalidate();
    assert_eq!(encode(&session, 5).unwrap_err().code(), -12903);
    gate.freed.open();
    drop(session);
    assert_eq!(told.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected), "nothing comes after");
}

/// EF-11, EF-6, EF-15: an encoder that holds back more frames than the client allows. The call that waits for
/// a frame which the encoder keeps returns, and so do the others that wait: the session has failed, says why,
/// and each accepted frame has its one outcome. Whoever asks for less gets all frames.
#[test]
fn a_session_does_not_wait_for_a_frame_that_its_encoder_keeps() {
    for most in [0i32, 1, 3] {
        let pull = session(Fault::Late);
        pull.0.set(Property::MaxFrameDelayCount(most)).unwrap();
        // In a thread of its own, so that a session that waits for itself fails the test.
        let (done, returned) = mpsc::channel();
        let handle = pull.0.handle();
        std::thread::spawn(move || {
            let sent = (0..=most as u64).map(|frame| encode(&handle, frame));
            let sent: Vec<_> = sent.map(|result| result.map_err(|error| error.code())).collect();
            done.send((sent, handle.complete_frames().map_err(|error| error.to_string()))).unwrap();
        });
        let (sent, completed) = returned.recv_timeout(PATIENCE).expect("the session waits for itself");
        // the frame that is waited with was accepted: its outcome tells the rest
        assert!(sent.iter().all(Result::is_ok), "{most}: {sent:?}");
        let reason = completed.unwrap_err();
        assert!(reason.contains("MaxFrameDelayCount"), "{most}: {reason}");
        let (session, told) = pull;
        assert_eq!(encode(&session, 9).unwrap_err().code(), -17691, "{most}");
        drop(session);
        let expected: Vec<_> = (0..=most as u64).map(|frame| (frame, -17691)).collect();
        assert_eq!(outcomes(told), expected, "{most}");
    }
    let pull = session(Fault::Late);
    pull.0.set(Property::MaxFrameDelayCount(6)).unwrap();
    (0..6).for_each(|frame| encode(&pull.0, frame).unwrap());
    pull.0.complete_frames().unwrap();
    drop(pull.0);
    assert_eq!(outcomes(pull.1), (0..6).map(|frame| (frame, 0)).collect::<Vec<_>>());
}

/// CS-17, EF-15: a handler that panics ends its session, and nobody who waits for its frames waits for ever.
#[test]
fn a_handler_that_panics_is_a_failure_of_the_session() {
    let (registry, _) = registry(Fault::None);
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = seen.clone();
    let session = CompressionSession::builder(&registry, 32, 16, Codec::H264)
        .on_output(move |outcome: EncodedOutcome<u64>| {
            counted.fetch_add(1, Ordering::Relaxed);
            assert_ne!(outcome.token, 2, "the handler fails as it is meant to");
        })
        .build()
        .unwrap();
    (0..5).for_each(|frame| drop(encode(&session, frame)));
    assert_eq!(session.complete_frames().unwrap_err().code(), -17691);
    assert_eq!(encode(&session, 6).unwrap_err().code(), -17691);
    session.invalidate();
    assert_eq!(session.complete_frames().unwrap_err().code(), -12903);
    assert_eq!(seen.load(Ordering::Relaxed), 3);
}
