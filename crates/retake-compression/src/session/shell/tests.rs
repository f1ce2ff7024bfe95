//! What the core alone cannot show: who waits for whom. The encoder is scripted, and nothing depends on how
//! fast anything runs.

use super::*;
use crate::encoder::{
    ControlSupport, EncodedFrame, Encoder, EncoderError, EncoderInfo, EncoderSettings, FrameOptions, Output,
    QualityScale,
};
use crate::property::Property;
use crate::session::Emission;
use crate::storage::StorageOptions;
use retake_media::{Codec, FormatDescription, PixelBuffer, PixelBufferPool, PixelFormat, Sample, SampleKind};
use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{JoinHandle, spawn};

/// How long a test waits for what has to come. It only ends tests that fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// An encoder whose samples come out as soon as frames go in, in their order.
struct Immediate {
    info: EncoderInfo,
}

struct Encode {
    format: FormatDescription,
    out: VecDeque<EncodedFrame>,
    sent: u64,
    finished: bool,
}

impl EncoderFactory for Immediate {
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
        let format = FormatDescription::video(Codec::H264, 2, 2);
        Ok(Box::new(Encode { format, out: VecDeque::new(), sent: 0, finished: false }))
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
        let kind = if self.sent == 0 { SampleKind::Sync } else { SampleKind::Reference };
        let sample = Sample { data: vec![0; 9], pts, dts: pts, duration, kind };
        let (index, error, token, layer) = (self.sent, None, None, 0);
        self.out.push_back(EncodedFrame { sample, index, qp: 20.0, error, token, layer });
        self.sent += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        self.finished = true;
        Ok(())
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        let none = if self.finished { Output::End } else { Output::Pending };
        Ok(self.out.pop_front().map_or(none, Output::Frame))
    }
}

/// A session with a storage, and the thread that encodes for it.
struct Session {
    shell: Arc<Shell<u64>>,
    storage: Arc<MultiPassStorage>,
    outcomes: Receiver<u64>,
    thread: JoinHandle<()>,
}

fn session(planner: Planner, mut handler: impl FnMut(u64) + Send + 'static) -> Session {
    let info = EncoderInfo {
        name: "x264",
        codec: Codec::H264,
        version: "1".into(),
        formats: vec![PixelFormat::I420],
        presets: Vec::new(),
        default_preset: "",
        quality: QualityScale { min: 0.0, max: 51.0, step: 0.1, usual: 23.0 },
        reconstructs: false,
        steers: false,
        reorders: false,
        licence: "MIT",
        controls: ControlSupport::default(),
    };
    let (low_latency, width, height, transfers, metrics) = (false, 2, 2, false, Vec::new());
    let setup = Setup { info: info.clone(), low_latency, width, height, transfers, metrics };
    let shell = Arc::new(Shell { planner, ..Shell::new(setup, Arc::new(Immediate { info }), None, false) });
    let (send, outcomes) = mpsc::channel();
    let of_thread = shell.clone();
    let thread = spawn(move || {
        let deliver = Handler::OfSession(Box::new(move |outcome: EncodedOutcome<u64>| {
            handler(outcome.token);
            // what the encoder says of a frame can be asked for before its sample is taken out
            assert_eq!(outcome.qp(), outcome.sample().map(|_| 20.0));
            if matches!(outcome.result, Ok(Emission::Sample { .. })) {
                // the test may have seen enough
                let _ = send.send(outcome.token);
            }
        }));
        run(&of_thread, deliver, None, None);
    });
    let storage = MultiPassStorage::create(None, &StorageOptions::default()).unwrap();
    let storage_of_session = Property::MultiPassStorage(storage.clone());
    // a second pass over everything is asked for, whatever came of the first
    let always = Property::AlwaysRequestSecondPass(true);
    let changes = [storage_of_session, always].map(|property| (property.key(), Some(property.value())));
    shell.change(&changes).unwrap();
    Session { shell, storage, outcomes, thread }
}

fn encode(session: &Session, frame: u64) -> Result<EncodeInfo, SessionError> {
    let picture = PixelBufferPool::new(PixelFormat::I420, 2, 2).create_buffer().unwrap().freeze();
    let pts = Time::new(i64::try_from(frame).unwrap(), 10);
    session.shell.encode(SourceFrame::new(&picture, pts).duration(Time::new(1, 10)), frame)
}

/// A7, CS-14, CS-16, MP-12: a session can be invalidated while it plans the next pass, however long that
/// takes. It is over then, its storage is another session's to have, and the pass ends with the error of a
/// session that is over.
#[test]
fn invalidation_does_not_wait_for_the_planner() {
    let (begun, plans): (Sender<()>, _) = mpsc::channel();
    let (go_on, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let planner: Planner = Box::new(move |passes, kind, goal| {
        begun.send(()).unwrap();
        held.lock().unwrap().recv_timeout(PATIENCE).expect("the session is invalidated meanwhile");
        passes.end(kind, goal)
    });
    let session = session(planner, |_| {});
    session.shell.begin_pass(PassKind::Analysis).unwrap();
    encode(&session, 0).unwrap();
    let of_client = session.shell.clone();
    let client = spawn(move || of_client.end_pass(PassKind::Analysis));
    plans.recv_timeout(PATIENCE).expect("the planner was called");
    // what else is asked has its answer, while the planner stands still
    assert_eq!(encode(&session, 1).unwrap_err().code(), -12902);
    assert!(session.shell.values().is_ok());
    let (invalidated, over) = mpsc::channel();
    let of_other = session.shell.clone();
    let other = spawn(move || {
        let begun = Instant::now();
        of_other.invalidate();
        invalidated.send(begun.elapsed()).unwrap();
    });
    let took = over.recv_timeout(PATIENCE).expect("invalidation waits for the planner");
    assert!(took < Duration::from_secs(1), "A7: {took:?}");
    other.join().unwrap();
    assert_eq!(encode(&session, 1).unwrap_err(), SessionError::Invalidated);
    let identity = StorageIdentity {
        encoder: "x264".into(),
        version: "1".into(),
        codec: Codec::H264,
        width: 2,
        height: 2,
        settings: String::new(),
    };
    assert!(session.storage.attach(&identity).is_ok(), "the storage is free");
    go_on.send(()).unwrap();
    assert_eq!(client.join().unwrap(), Err(SessionError::Invalidated));
    session.thread.join().unwrap();
}

/// ST-7: of a storage that is closed in a later pass, the end of the pass says that it was closed, and not
/// which frames have not come because of that.
#[test]
fn a_storage_that_is_closed_in_a_later_pass() {
    let session = session(Box::new(Passes::end), |_| {});
    session.shell.begin_pass(PassKind::Analysis).unwrap();
    (0..3).for_each(|frame| assert!(encode(&session, frame).is_ok()));
    assert!(matches!(session.shell.end_pass(PassKind::Analysis), Ok(NextPass::Requested(_))));
    session.shell.begin_pass(PassKind::Analysis).unwrap();
    encode(&session, 0).unwrap();
    session.storage.close().unwrap();
    assert_eq!(encode(&session, 1).unwrap_err().code(), -12214);
    assert_eq!(session.shell.end_pass(PassKind::Analysis).unwrap_err().code(), -12214);
    assert_eq!(session.shell.begin_pass(PassKind::Analysis).unwrap_err().code(), -12214);
    session.shell.invalidate();
    session.thread.join().unwrap();
    assert_eq!(session.outcomes.iter().collect::<Vec<_>>(), [0, 1, 2, 0]);
}

/// A handler that panics ends its session: nobody who waits for its frames waits for ever.
#[test]
fn a_handler_that_panics_ends_the_session() {
    let session =
        session(Box::new(Passes::end), |token| assert_ne!(token, 1, "the handler fails as it is meant to"));
    session.shell.begin_pass(PassKind::Analysis).unwrap();
    encode(&session, 0).unwrap();
    let _ = encode(&session, 1);
    assert_eq!(session.shell.complete(Time::INVALID).unwrap_err().code(), -17691);
    assert_eq!(encode(&session, 2).unwrap_err().code(), -17691);
    assert!(session.thread.join().is_err());
    session.shell.invalidate();
    assert_eq!(session.outcomes.iter().collect::<Vec<_>>(), [0]);
}
