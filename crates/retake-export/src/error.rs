//! Why an export did not come to its end: enums by cause, each with a stable number.
//!
//! Messages say what is wrong in words of the library. How a user mends it depends on the face that they use
//! (flags of a command, calls of a builder), and is added there, by variant.

use crate::job::ladder::LadderError;
use crate::job::tracks::TrackError;
use crate::sound::request::AudioError;
use retake_asset::WriterError;
use retake_compression::encoder::EncoderError;
use retake_compression::property::PropertyError;
use retake_compression::units::FrameRange;
use retake_libav::{Container, ErrorKind as MediaErrorKind, FilmRange, MediaError};
use retake_media::Codec;
use retake_media::codes;
use retake_quality::{MetricKind, QualityError};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why an export did not come to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The request contradicts itself or cannot be met. The user's to mend.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The source, the output container, or FFmpeg's libraries.
    #[error(transparent)]
    Media(MediaError),
    /// An encoder.
    #[error("{range}: {source}")]
    Encoder {
        /// The frames of the take.
        range: FrameRange,
        /// What the encoder said.
        source: EncoderError,
    },
    /// A metric.
    #[error("{range}: {source}")]
    Quality {
        /// The frames of the take.
        range: FrameRange,
        /// What the metric said.
        source: QualityError,
    },
    /// The asset writer.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// A file of the job could not be read or written.
    #[error("{path}: {doing}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A stored take is not what was written, or does not decode to what was scored: a defect of disk, memory
    /// or an encoder.
    #[error("{path}: a stored take is damaged ({source})")]
    DamagedTake {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Takes were handed out again and again, and never came back.
    #[error("{range}: given up after {attempts} attempts: {reason}")]
    LostTake {
        /// The frames of the take.
        range: FrameRange,
        /// How often it was handed out.
        attempts: u32,
        /// What the executor said the last time.
        reason: String,
    },
    /// A batch system did not do what it was asked to.
    #[error("the batch system: {doing}: {reason}")]
    BatchSystem {
        /// What it was asked to do.
        doing: &'static str,
        /// What it said.
        reason: String,
    },
    /// What a worker in another process said of a take.
    #[error("{message}")]
    Worker {
        /// Its error, in words.
        message: String,
        /// Its error's number.
        code: i32,
        /// Who can mend it.
        fault: Fault,
    },
    /// The finished film is not what was encoded: a defect in an encoder, a container library or memory.
    /// Nothing was put in place.
    #[error("the written film failed verification: {0}; the job folder keeps all takes")]
    Verification(String),
    /// The user stopped it. All finished takes are kept.
    #[error("stopped; all finished takes are kept")]
    Stopped,
    /// An invariant of this crate is broken.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Who can mend what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Who asked: the request, the source, or a setting of the encoder is wrong.
    Request,
    /// Who runs the machine, or who wrote the program: disk, memory, a library, this crate.
    System,
}

/// What is wrong with a request. Nothing was encoded, and nothing that was there has changed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The variants of a stream.
    #[error(transparent)]
    Ladder(#[from] LadderError),
    /// There is something at the output already.
    #[error("{output}: exists already")]
    OutputExists {
        /// The output.
        output: PathBuf,
    },
    /// The output is a folder.
    #[error("{output}: is a folder: name a file")]
    OutputIsFolder {
        /// The output.
        output: PathBuf,
    },
    /// What is at the output is no file: a device, a pipe, or a link that leads nowhere.
    #[error("{output}: is not a plain file, and cannot be replaced: name another")]
    OutputIsNoFile {
        /// The output.
        output: PathBuf,
    },
    /// The system does not let the output be made: its folder cannot be written, or its name is too long.
    #[error("{output}: cannot be made there ({reason}): name another place")]
    OutputCannotBeMade {
        /// The output.
        output: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The folder of the output does not exist.
    #[error("{output}: the folder {folder} does not exist: make it first")]
    OutputFolderMissing {
        /// The output.
        output: PathBuf,
        /// The folder that should hold it.
        folder: PathBuf,
    },
    /// A stream is many files, which a store cannot put in place at once.
    #[error("{output}: playlists are not made in an object store: make them in a folder, and copy that")]
    StreamOfObjects {
        /// The output.
        output: PathBuf,
    },
    /// The output would replace the source.
    #[error("{output}: input and output are the same file")]
    OutputIsInput {
        /// The output.
        output: PathBuf,
    },
    /// Something that is not the media of a stream lies where the media of this stream go.
    #[error(
        "{media}: is in the way: the segments of {output} go into a folder of this name; move it, or name another output"
    )]
    MediaInTheWay {
        /// The folder of media.
        media: PathBuf,
        /// The playlist.
        output: PathBuf,
    },
    /// The pictures of the source are no colours before its Dolby Vision metadata (profile 5) are applied.
    #[error(
        "{input}: only Dolby Vision (profile 5) shows its colours: choose a copy in HDR10, HLG or profile 8"
    )]
    NeedsDolbyVision {
        /// The source.
        input: PathBuf,
    },
    /// The container that the output's name asks for cannot hold the codec.
    #[error("{output}: this container cannot hold {codec}: choose {}, or another codec", holders(*codec))]
    ContainerCannotHold {
        /// The output.
        output: PathBuf,
        /// The codec.
        codec: Codec,
    },
    /// Frames of the source are closer to each other than the container can say.
    #[error(
        "{output}: some frames are {:.4} ms apart, and this container tells times apart from {:.4} ms on: {}",
        step * 1000.0,
        least * 1000.0,
        if *coarse { "choose .mp4" } else { "the clock of the source must be wrong" }
    )]
    ContainerTooCoarse {
        /// The output.
        output: PathBuf,
        /// The shortest step between two frames, in seconds.
        step: f64,
        /// The shortest step that the container has, in seconds.
        least: f64,
        /// Whether other containers have a finer clock.
        coarse: bool,
    },
    /// All frames of the source are further from each other than those of any film.
    #[error(
        "{input}: its frames are {:.1} hours apart and more: the clock of the source must be wrong", step / 3600.0
    )]
    FramesTooFar {
        /// The source.
        input: PathBuf,
        /// The shortest step between two frames, in seconds.
        step: f64,
    },
    /// A track of the source has a gap that the container cannot express.
    #[error(
        "{output}: in track {track} of the source nothing comes for {:.1} hours, and this container cannot state more than {:.1} hours there: choose .mkv, or make a film of each part",
        gap / 3600.0,
        most / 3600.0
    )]
    GapTooLong {
        /// The output.
        output: PathBuf,
        /// The number of the track in the source, from 0.
        track: u32,
        /// The gap, in seconds.
        gap: f64,
        /// The longest gap that the container can express there, in seconds.
        most: f64,
    },
    /// What is asked for of the sound cannot be.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A file of chapters has a line that is none.
    #[error("{}: line {line}: {problem}", .file.display())]
    Chapters {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A tag that no client can give a film.
    #[error(
        "'{name}' is no tag that a film can be given: it says what only the writer of the file knows, or is no name"
    )]
    Tag {
        /// The name of the tag.
        name: String,
    },
    /// What is asked for of tracks cannot be.
    #[error(transparent)]
    Tracks(#[from] TrackError),
    /// A number that has to be 1 or more is 0.
    #[error("{what}: at least 1 is needed")]
    Zero {
        /// Which number.
        what: Count,
    },
    /// One plain pass was asked for, and several passes.
    #[error("a plain encode is one pass, and {passes} were asked for")]
    PlainIsOnePass {
        /// Passes asked for.
        passes: u32,
    },
    /// The encoder has no preset of this name.
    #[error("{encoder} has no preset '{preset}': choose one of {}", known.join(", "))]
    UnknownPreset {
        /// The encoder.
        encoder: &'static str,
        /// What was asked for.
        preset: String,
        /// Its presets, slow to fast.
        known: Vec<String>,
    },
    /// It is nothing that can become of grain.
    #[error("'{text}' is none of off, auto or a level from 1 to 50")]
    GrainLevel {
        /// What was said.
        text: String,
    },
    /// The encoder cannot have grain synthesised.
    #[error("{encoder} cannot have grain synthesised: AV1 can (SVT-AV1)")]
    NoGrain {
        /// The encoder.
        encoder: &'static str,
    },
    /// A floor that no film can be asked to reach.
    #[error(
        "a floor of {floor} is outside the metric's scale: a number above 0 is needed{}",
        scale.as_ref().map_or(String::new(), |(best, words)| format!(", and below {best}: the scale is {words}"))
    )]
    FloorOutOfScale {
        /// The floor.
        floor: f64,
        /// The best score of the metric, and its scale in words, where the metric is known.
        scale: Option<(f64, String)>,
    },
    /// A tolerance that is not above 0.
    #[error("a tolerance of {tolerance} cannot be asked for: a number above 0 is needed")]
    ToleranceOutOfRange {
        /// The tolerance.
        tolerance: f64,
    },
    /// A tolerance is about a floor, and there is none.
    #[error("a tolerance belongs to a floor, and none was asked for")]
    ToleranceWithoutFloor,
    /// A quality that is not on the encoder's own scale.
    #[error("{quality} is outside {encoder}'s scale: {best} (best) to {worst}")]
    QualityOutOfScale {
        /// The quality.
        quality: f64,
        /// The encoder.
        encoder: &'static str,
        /// The best quality that it has.
        best: f64,
        /// The worst.
        worst: f64,
    },
    /// A size that no film of so many frames fits into.
    #[error("{size} bytes are too few for a film of {frames} frames: allow more, at least {least}")]
    SizeTooSmall {
        /// The size.
        size: u64,
        /// Frames of the film.
        frames: u64,
        /// Fewer bytes than any encoder and container can do with.
        least: u64,
    },
    /// A size that leaves no room for the video.
    #[error(
        "the other tracks and the container alone take {others} of {size} bytes: allow more, or leave tracks out"
    )]
    SizeTooSmallForOthers {
        /// The size.
        size: u64,
        /// What all but the video takes.
        others: u64,
    },
    /// Nobody says how long the film is, which a rate or a size needs.
    #[error(
        "{input}: the container does not say how long the film is: ask for a quality instead of a bit rate or a size"
    )]
    LengthUnknown {
        /// The source.
        input: PathBuf,
    },
    /// Not even one take fits into the memory.
    #[error(
        "one take of this film with {encoder} needs about {} MB, and {memory} bytes are allowed: allow more, or choose a faster preset",
        needed.div_ceil(1_000_000)
    )]
    MemoryTooSmall {
        /// The memory that is allowed, in bytes.
        memory: u64,
        /// The encoder.
        encoder: &'static str,
        /// What one take needs, in bytes.
        needed: u64,
    },
    /// The folder for the job holds other things.
    #[error("{folder}: this folder holds other things than a job: name a new or an empty folder")]
    ForeignFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder for the job, or something in it, may have been put there by somebody else.
    #[error("{path}: {reason}: a job's folder and its files have to be yours alone")]
    UntrustedFolder {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A client's name for an export is none that a folder could have.
    #[error(
        "'{name}' is no name for an export: it needs 1 to 150 bytes, no dot in front, and no characters of paths"
    )]
    ExportName {
        /// The name.
        name: String,
    },
    /// The folder that should hold the job folder does not exist.
    #[error("{folder}: the folder {parent} does not exist: make it first")]
    JobFolderMissing {
        /// The job folder.
        folder: PathBuf,
        /// The folder that it should be in.
        parent: PathBuf,
    },
    /// Another process works on this job.
    #[error("another retake is working on this job ({folder}): wait for it, or stop it")]
    JobFolderBusy {
        /// The job folder.
        folder: PathBuf,
    },
    /// The folder was left by a version whose jobs this one cannot carry on.
    #[error(
        "the job folder {folder} belongs to another version of retake ({found}), and cannot be carried on"
    )]
    JobOfOtherVersion {
        /// The job folder.
        folder: PathBuf,
        /// What was found there, and what was expected.
        found: String,
    },
    /// The output was finished by a version whose account of it this one cannot read.
    #[error(
        "{output}: was finished by another version of retake, which left its job folder {folder}: remove that folder"
    )]
    FinishedByOtherVersion {
        /// The finished film.
        output: PathBuf,
        /// The job folder that is left over.
        folder: PathBuf,
    },
    /// The folder belongs to a job with other settings.
    #[error(
        "the job folder {folder} was begun with other settings ({differences}): give those again to carry on"
    )]
    JobOfOtherSettings {
        /// The job folder.
        folder: PathBuf,
        /// Names and values that differ.
        differences: String,
    },
    /// The source is not the one that the job began with.
    #[error("the source has changed since this job began (frame {frame} is another one)")]
    SourceChanged {
        /// The first frame that is another one.
        frame: u64,
    },
    /// No frame can lie in the range of the source.
    #[error("the range {range} has no frames: it must end behind its beginning")]
    EmptyRange {
        /// The range.
        range: FilmRange,
    },
    /// The source has no frames.
    #[error("{input}: has no frames")]
    NoFrames {
        /// The source.
        input: PathBuf,
    },
    /// Nothing came through standard input.
    #[error("standard input is empty: a film has to be piped into it")]
    EmptyInput,
    /// What came through standard input is not a film that can be read.
    #[error("{0}")]
    BadStandardInput(String),
    /// The encoder does not take these settings, or not with this film.
    #[error(transparent)]
    Encoder(EncoderError),
    /// The metric does not take this film.
    #[error(transparent)]
    Metric(QualityError),
    /// A property that the encoder does not have, or a value that it does not take.
    #[error(transparent)]
    Property(PropertyError),
    /// The encoder has nothing that a property asks for.
    #[error("{0}")]
    PropertyRefused(String),
    /// There is no property of this name.
    #[error("{name}: there is no property of this name")]
    UnknownProperty {
        /// The name.
        name: String,
    },
    /// A property that has no meaning for an export, because something else decides about it there.
    #[error("{name} cannot be set for an export: {reason}")]
    PropertyNotForExports {
        /// The property.
        name: &'static str,
        /// What decides instead.
        reason: &'static str,
    },
    /// A property and another part of the request speak about the same thing.
    #[error("{name} contradicts {other}, which was asked for too: leave one of them out")]
    PropertyContradicts {
        /// The property.
        name: &'static str,
        /// The other part of the request.
        other: Asked,
    },
    /// The records of the job cannot be kept where they are to be.
    #[error("{path}: the records of the job would replace what is there ({reason})")]
    RecordsInTheWay {
        /// The file.
        path: PathBuf,
        /// What is there.
        reason: String,
    },
    /// The records of an earlier job are of no use for this one.
    #[error("the records are those of another job: {differences}")]
    RecordsDoNotFit {
        /// What is different, with both values.
        differences: String,
    },
    /// The records of an earlier job do not say enough.
    #[error("the records are of no use here: {reason}")]
    RecordsInsufficient {
        /// What they lack.
        reason: &'static str,
    },
    /// The executor does not have the encoder of this job.
    #[error("the executor of takes does not have {encoder}: it has {}", has.join(", "))]
    ExecutorLacksEncoder {
        /// Name and version of the encoder.
        encoder: String,
        /// Those that it has.
        has: Vec<String>,
    },
    /// The library of an executor that computes scores has another version than that of the export.
    #[error("the job scores {metric} by {needs}, and the executor has {has}")]
    ExecutorScoresOtherwise {
        /// The metric.
        metric: MetricKind,
        /// The library of the job.
        needs: String,
        /// The library of the executor.
        has: String,
    },
    /// A path leads out of the folder that all machines share.
    #[error("{path}: is not below {root}, the place that all machines share")]
    OutsideSharedRoot {
        /// The path.
        path: PathBuf,
        /// The folder.
        root: PathBuf,
    },
    /// The object store does not let takes be kept where they are to be shared.
    #[error("{root}: takes cannot be kept there ({reason})")]
    SharedRootRefused {
        /// The address.
        root: PathBuf,
        /// What the store said.
        reason: String,
    },
    /// An array has no take of this number.
    #[error("there is no take {index} in an array of {count}")]
    NoSuchIndex {
        /// The number, from 0.
        index: u32,
        /// How many takes there are.
        count: usize,
    },
    /// A command for arrays does not say where its take stands.
    #[error(
        "'{command}' has to hold {{file}}, and {{index}} for a command that runs one take, or {{count}} or {{last}} for one that runs an array"
    )]
    ArrayCommand {
        /// The command.
        command: String,
    },
    /// The programs of a batch system are not there.
    #[error("{reason}")]
    NoBatchSystem {
        /// What the system said.
        reason: String,
    },
    /// Two films of different sizes cannot be compared.
    #[error(
        "{reference} is {}×{} and {film} is {}×{}: only films of one size can be compared",
        sizes[0].0, sizes[0].1, sizes[1].0, sizes[1].1
    )]
    SizesDiffer {
        /// The source film.
        reference: PathBuf,
        /// The film to score.
        film: PathBuf,
        /// Width and height of both.
        sizes: [(u32, u32); 2],
    },
    /// A film is to be compared at the size of its source, and nothing scales it.
    #[error("scores at the size of the source are for films that are scaled, and this one is not")]
    ScoresUnscaled,
    /// A film that is not scored is to be scored at some size.
    #[error("scores at the size of the source: one plain pass is not scored at all")]
    ScoresOfPlain,
    /// The picture of a film has another shape than that of its source.
    #[error(
        "{reference} is {}×{} and {film} is {}×{}, which is another shape: they cannot be compared",
        sizes[0].0, sizes[0].1, sizes[1].0, sizes[1].1
    )]
    ShapesDiffer {
        /// The source film.
        reference: PathBuf,
        /// The film to score.
        film: PathBuf,
        /// Width and height of both.
        sizes: [(u32, u32); 2],
    },
    /// A job is worked on by one version of the program alone, because another one may come to other bytes.
    #[error(
        "the job is one of version {job}, and the worker is version {worker}: use the same on all machines"
    )]
    WorkerOfOtherVersion {
        /// The version that began the job.
        job: String,
        /// The worker's.
        worker: &'static str,
    },
    /// A graph of filters may open and write any file, and a worker of another machine touches none outside
    /// of its root.
    #[error("takes on other machines run no graph of filters, because a graph may open and write any file")]
    GraphElsewhere,
    /// Texts are drawn with the fonts of a machine, so that another one might make other pictures.
    #[error("takes on other machines draw no texts into pictures, because machines may have other fonts")]
    BurnElsewhere,
    /// Two films of different lengths cannot be compared.
    #[error(
        "{shorter} ends after {frames} frames, but {longer} goes on: frames are paired by index, so both need as many"
    )]
    LengthsDiffer {
        /// The film that ends first.
        shorter: PathBuf,
        /// The other.
        longer: PathBuf,
        /// Frames of the shorter one.
        frames: u64,
    },
}

/// The numbers of a request that have to be 1 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Count {
    /// Passes allowed.
    #[error("passes")]
    Passes,
    /// Takes at once.
    #[error("takes at once")]
    Jobs,
    /// Threads of each encoder.
    #[error("threads")]
    Threads,
    /// Bits in a second.
    #[error("bits in a second")]
    BitRate,
    /// Bits in a second at most.
    #[error("the most bits in a second")]
    MaxBitRate,
}

/// What a property may contradict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Asked {
    /// A preset by name.
    #[error("the preset")]
    Preset,
    /// Settings in the encoder's own words.
    #[error("the encoder's own options")]
    EncoderOptions,
    /// Threads of each encoder.
    #[error("the number of threads")]
    Threads,
    /// What the film has to reach.
    #[error("the target")]
    Target,
    /// The highest rate.
    #[error("the highest bit rate")]
    MaxBitRate,
    /// What quality is measured with.
    #[error("the metric")]
    Metric,
    /// Passes allowed.
    #[error("the number of passes")]
    Passes,
}

impl From<MediaError> for ExportError {
    fn from(error: MediaError) -> Self {
        match error {
            // a reader is interrupted by the stop flag alone
            MediaError::Interrupted { .. } => Self::Stopped,
            other => Self::Media(other),
        }
    }
}

impl RequestError {
    /// The stable number of the whole class: a parameter that is not valid.
    #[doc(alias = "kVTParameterErr")]
    pub const fn code(&self) -> i32 {
        match self {
            Self::OutputExists { .. } => codes::FILE_ALREADY_EXISTS,
            Self::ContainerCannotHold { .. }
            | Self::ContainerTooCoarse { .. }
            | Self::FramesTooFar { .. }
            | Self::GapTooLong { .. } => codes::FORMAT_UNSUPPORTED,
            Self::UnknownProperty { .. } => codes::PROPERTY_NOT_SUPPORTED,
            Self::Property(error) => error.code(),
            Self::Audio(AudioError::NotHeld { .. } | AudioError::NoDecoder { .. }) => {
                codes::FORMAT_UNSUPPORTED
            }
            Self::Encoder(error) => error.code(),
            Self::Metric(error) => error.code(),
            _ => codes::PARAMETER,
        }
    }
}

impl ExportError {
    /// The stable number of the error, as the original has it where it has one.
    #[doc(alias = "AVError")]
    pub fn code(&self) -> i32 {
        match self {
            Self::Request(error) => error.code(),
            Self::Encoder { source, .. } => source.code(),
            Self::Quality { source, .. } => source.code(),
            Self::Writer(error) => error.code(),
            Self::Media(MediaError::CannotHold { .. }) => codes::FORMAT_UNSUPPORTED,
            Self::Media(_) => codes::DECODE_FAILED,
            Self::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => codes::DISK_FULL,
            Self::Stopped => codes::OPERATION_INTERRUPTED,
            Self::File { .. }
            | Self::DamagedTake { .. }
            | Self::LostTake { .. }
            | Self::BatchSystem { .. }
            | Self::Verification(_)
            | Self::Internal(_) => codes::WRITER_UNKNOWN,
            Self::Worker { code, .. } => *code,
        }
    }

    /// Who can mend it.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Request(_)
            | Self::Media(MediaError::Open { .. })
            | Self::Encoder { source: EncoderError::Settings { .. }, .. } => Fault::Request,
            Self::Media(error) => match error.kind() {
                MediaErrorKind::BadInput | MediaErrorKind::Unsupported => Fault::Request,
                MediaErrorKind::Io | MediaErrorKind::Internal => Fault::System,
            },
            Self::Worker { fault, .. } => *fault,
            _ => Fault::System,
        }
    }

    pub(crate) fn file(path: impl Into<PathBuf>, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, doing, source }
    }

    /// Whether it only says that something else made a take or a thread stop.
    pub(crate) fn is_consequence(&self) -> bool {
        matches!(self, Self::Stopped)
    }
}
/// Returns the endings of names of files that hold a codec.
fn holders(codec: Codec) -> String {
    let endings = [Container::Mp4, Container::Mov, Container::Mkv].into_iter();
    let holding = endings.filter(|container| container.can_hold(codec));
    let names: Vec<String> =
        holding.map(|container| format!(".{}", container.name().to_ascii_lowercase())).collect();
    names.join(" or ")
}
