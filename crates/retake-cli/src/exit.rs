//! This module reports errors as one line and an exit code. The library names the cause; the remedy in flags
//! is added here, because the library must not know any flag.

use crate::output;
use retake::batch::BatchError;
use retake::filters::{FilterError, FilterStep};
use retake::{
    Asked, AudioError, Count, ExportError, Fault, MediaError, RecordsError, RequestError, TrackError,
    TrackFlag,
};
use std::process::ExitCode;

/// This code is for mistakes that the user can correct: wrong input, contradictory options.
pub(crate) const USAGE: u8 = 2;
/// This code says that the film is done, but the objective was not met everywhere.
pub(crate) const UNMET: u8 = 3;
/// This code says that a signal stopped the run.
pub(crate) const STOPPED: u8 = 130;

/// A mistake in the request that only this layer can notice.
#[derive(Debug)]
pub(crate) struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// A signal stopped a run that leaves no state to carry on with.
#[derive(Debug)]
pub(crate) struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

/// Shortens clap's message about a mistake to one line.
pub(crate) fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let mistake = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
    let mistake = mistake.collect::<Vec<_>>().join(" ");
    format!("{} (see `retake --help`, `retake encode --help`)", mistake.trim_start_matches("error: "))
}

/// Prints an error and returns its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    // the library's errors name their causes in their own text, so only the first message is printed
    output::complain(&format!("retake: {}\n", output::one_line(&message(error))));
    ExitCode::from(code(error))
}

/// Returns the error of a refused request, if it is one.
fn request(error: &anyhow::Error) -> Option<&RequestError> {
    match error.downcast_ref::<ExportError>() {
        Some(ExportError::Request(error)) => Some(error),
        _ => error.downcast_ref(),
    }
}

pub(crate) fn message(error: &anyhow::Error) -> String {
    if let Some(refused) = request(error) {
        let flag = flag(refused).map_or(String::new(), |flag| format!("{flag}: "));
        let remedy = remedy(refused).map_or(String::new(), |remedy| format!(": {remedy}"));
        return format!("{flag}{refused}{remedy}");
    }
    if let Some(ExportError::Media(MediaError::Filter { file, source })) = error.downcast_ref() {
        let flag = source.step().map_or(String::new(), |step| format!("{}: ", filter_flag(step)));
        let remedy = filter_remedy(source).map_or(String::new(), |remedy| format!(": {remedy}"));
        return format!("{flag}{}: {source}{remedy}", file.display());
    }
    if let Some(refused) = error.downcast_ref::<BatchError>() {
        let remedy = match refused {
            BatchError::SameOutput { .. } => ", by fields of --output as in 'FOLDER/{folder}/{stem}.{ext}'",
            _ => "",
        };
        return format!("{refused}{remedy}");
    }
    let remedy = match error.downcast_ref::<ExportError>() {
        Some(ExportError::Media(MediaError::CannotHold { .. })) => "; --codec chooses another codec",
        Some(ExportError::Media(MediaError::NoSuchVideo { .. })) => "; --video names one of them",
        Some(ExportError::Media(MediaError::References { .. })) => {
            "; --allow-references lets a playlist open them, if you trust it"
        }
        Some(ExportError::Stopped) => ": run the same command again to carry on",
        Some(ExportError::DamagedTake { .. }) => ": run the same command again to encode it anew",
        Some(ExportError::LostTake { .. } | ExportError::BatchSystem { .. }) => {
            "; all finished takes are kept, and the same command carries on, here or elsewhere (--on)"
        }
        Some(ExportError::File { path, .. }) if retake::objects::object_address(path).is_some() => {
            "; all finished takes are kept, and the same command carries on"
        }
        Some(ExportError::Verification(_)) => ": run the same command again",
        _ => match error.downcast_ref::<RecordsError>() {
            Some(RecordsError::OtherFilm { .. }) => ": name the records themselves if they are meant",
            Some(RecordsError::Newer { .. }) => ": use the newer program",
            _ => "",
        },
    };
    format!("{error}{remedy}")
}

/// Returns the flag that asks for a step of filters.
fn filter_flag(step: FilterStep) -> &'static str {
    match step {
        FilterStep::Deinterlace => "--deinterlace",
        FilterStep::Detelecine => "--detelecine",
        FilterStep::FrameRate => "--fps",
        FilterStep::Turn => "--rotate",
        FilterStep::Crop => "--crop",
        FilterStep::Denoise => "--denoise",
        FilterStep::Scale => "--scale",
        FilterStep::ToneMap => "--tonemap",
        FilterStep::Burn => "--burn",
        FilterStep::Graph => "--filter",
        // the conversion behind all of them has no flag of its own
        _ => "filters",
    }
}

/// Returns the remedy, in flags, of filters that cannot be used.
fn filter_remedy(error: &FilterError) -> Option<&'static str> {
    Some(match error {
        FilterError::Missing { .. } => {
            "install an FFmpeg that was built with it (zscale comes with libzimg, ass with libass)"
        }
        FilterError::DetelecineDepth { .. } => "--deinterlace makes whole frames of deeper ones",
        FilterError::HoldsBack { .. } => "a filter that needs all of the film is not possible here",
        _ => return None,
    })
}

/// Returns the flag, with its value, that caused the refusal.
fn flag(error: &RequestError) -> Option<String> {
    Some(match error {
        RequestError::Zero { what } => match what {
            Count::Passes => "--passes 0".into(),
            Count::Jobs => "--jobs 0".into(),
            Count::Threads => "--threads 0".into(),
            Count::BitRate => "--bitrate 0".into(),
            Count::MaxBitRate => "--max-bitrate 0".into(),
            _ => return None,
        },
        RequestError::PlainIsOnePass { passes } => format!("--crf with --passes {passes}"),
        RequestError::FloorOutOfScale { floor, .. } => format!("--quality {floor}"),
        RequestError::ToleranceOutOfRange { tolerance } => format!("--tolerance {tolerance}"),
        RequestError::ToleranceWithoutFloor => "--tolerance".into(),
        RequestError::QualityOutOfScale { quality, .. } => format!("--crf {quality}"),
        RequestError::SizeTooSmall { size, .. } | RequestError::SizeTooSmallForOthers { size, .. } => {
            format!("--size {size}")
        }
        RequestError::Audio(AudioError::Loudness { .. } | AudioError::LoudnessOfCopies) => {
            "--loudness".into()
        }
        RequestError::Audio(_) => "--audio".into(),
        RequestError::Tracks(TrackError::NoSuchTrack { flag, .. }) => match flag {
            TrackFlag::Audio => "--audio".into(),
            TrackFlag::Subtitles => "--subtitles".into(),
            TrackFlag::Tracks => "--tracks".into(),
            TrackFlag::Default => "--default".into(),
            TrackFlag::Forced => "--forced".into(),
            _ => return None,
        },
        RequestError::Chapters { .. } => "--chapters".into(),
        RequestError::Tag { .. } => "--tag".into(),
        RequestError::Ladder(_) => "--ladder".into(),
        RequestError::EmptyRange { .. } => "--from, --to".into(),
        RequestError::MemoryTooSmall { memory, .. } => format!("--memory {memory}"),
        RequestError::SharedRootRefused { .. } => "--shared-root, --root".into(),
        RequestError::RecordsDoNotFit { .. } => "--again".into(),
        RequestError::ArrayCommand { .. } | RequestError::NoBatchSystem { .. } => "--on".into(),
        RequestError::ForeignFolder { .. } | RequestError::JobFolderMissing { .. } => "--work-dir".into(),
        RequestError::NoGrain { .. } => "--grain".into(),
        RequestError::UnknownPreset { preset, .. } => format!("--preset {preset}"),
        RequestError::Property(_)
        | RequestError::PropertyRefused(_)
        | RequestError::UnknownProperty { .. }
        | RequestError::PropertyNotForExports { .. }
        | RequestError::PropertyContradicts { .. } => "--set".into(),
        _ => return None,
    })
}

/// Returns the remedy, in flags.
fn remedy(error: &RequestError) -> Option<String> {
    Some(match error {
        RequestError::OutputExists { .. } => "use --overwrite to replace it".into(),
        RequestError::RecordsInTheWay { .. } => {
            "use --overwrite to replace it, --keep-records FILE for another file, or --keep-records no".into()
        }
        RequestError::Audio(AudioError::LoudnessOfCopies) => "give --audio CODEC or --audio auto with it".into(),
        RequestError::PlainIsOnePass { .. } => "leave --passes out, or give --passes 1".into(),
        RequestError::ToleranceWithoutFloor => "give --quality with it".into(),
        RequestError::JobOfOtherSettings { .. } => {
            "or use --restart to begin anew, or --work-dir for another folder".into()
        }
        RequestError::JobOfOtherVersion { .. } | RequestError::SourceChanged { .. } => {
            "use --work-dir for another folder and keep what is there, or --restart to begin anew".into()
        }
        RequestError::UntrustedFolder { .. } => {
            "remove it if you know it, or use --work-dir for another folder".into()
        }
        RequestError::GapTooLong { .. } => "--from and --to take a part".into(),
        RequestError::EmptyInput => "as in `... | retake encode - -o film.mp4`".into(),
        RequestError::ScoresUnscaled => "give --scale or --ladder with --score-at source, or leave it out".into(),
        RequestError::ScoresOfPlain => "leave --score-at out, or give --quality, --bitrate or --size".into(),
        RequestError::SizesDiffer { .. } => "--scale as it was made, or --score-at source".into(),
        RequestError::GraphElsewhere => "leave out --filter, or --on: all other filters run everywhere".into(),
        RequestError::BurnElsewhere => "leave out --burn, or --on; --add-subtitles adds them as a track".into(),
        RequestError::OutsideSharedRoot { .. } => {
            "give --shared-root a folder that holds source and job folder, or an address that holds source and film, and \
             each worker its --root"
                .into()
        }
        RequestError::NoBatchSystem { .. } => "are its programs in the PATH?".into(),
        RequestError::UnknownProperty { .. } => "see `retake encoders NAME`".into(),
        RequestError::PropertyContradicts { other, .. } => match other {
            Asked::Preset => "it is --preset".into(),
            Asked::EncoderOptions => "they are --encoder-options".into(),
            Asked::Threads => "it is --threads".into(),
            Asked::Target => "it is --quality, --bitrate, --size or --crf".into(),
            Asked::MaxBitRate => "it is --max-bitrate".into(),
            Asked::Metric => "it is --metric".into(),
            Asked::Passes => "it is --passes".into(),
            _ => return None,
        },
        _ => return None,
    })
}

pub(crate) fn code(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() || error.is::<RecordsError>() || request(error).is_some() {
        return USAGE;
    }
    if let Some(error) = error.downcast_ref::<BatchError>() {
        return if matches!(error, BatchError::Stopped) { STOPPED } else { USAGE };
    }
    if error.is::<Stopped>() {
        return STOPPED;
    }
    match error.downcast_ref::<ExportError>() {
        Some(ExportError::Stopped) => STOPPED,
        Some(error) if error.fault() == Fault::Request => USAGE,
        _ => 1,
    }
}
