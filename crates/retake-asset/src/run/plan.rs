//! From the state to what the sink needs to know: what the first samples tell of the film.

use crate::boxes::description::Description;
use crate::boxes::entry;
use crate::boxes::movie::TrackHeader;
use crate::sink::{Cut, Intervals, SinkPlan, SinkTrack};
use crate::state::associations::references;
use crate::state::clock::{movie_timescale, timescale};
use crate::state::track::TrackId;
use crate::state::{Session, WriterState};
use crate::types::media::MediaType;
use crate::types::options::OtherTracks;
use retake_libav::TrackFormat;
use retake_media::{Codec, FormatDescription, Time};

/// FFmpeg's name of what a track is called in ISO files.
const HANDLER: &str = "handler_name";

/// Where segments are to end.
pub(super) fn cut(state: &WriterState) -> Cut {
    let session = session_start(state);
    let boundaries = state.segment_boundaries();
    let next = boundaries.map(|(interval, start)| (start.unwrap_or(session) + interval, interval));
    let number = state.options().initial_movie_fragment_sequence_number;
    Cut { session, next, track: state.deciding_track().index(), number }
}

fn session_start(state: &WriterState) -> Time {
    match state.session() {
        Session::None => Time::ZERO,
        Session::Started { start } | Session::Ended { start, .. } => start,
    }
}

/// The film as the first samples of its tracks let it be begun.
pub(super) fn plan(state: &WriterState) -> SinkPlan {
    let (options, destination) = (state.options(), state.destination());
    let tracks: Vec<SinkTrack> = state.track_ids().map(|id| track(state, id)).collect();
    let movie_timescale = match options.movie_time_scale {
        0 => {
            let copied = options.other_tracks.iter().flat_map(OtherTracks::sample_rates);
            movie_timescale(tracks.iter().map(|track| track.timescale).chain(copied))
        }
        scale => scale,
    };
    SinkPlan {
        container: destination.container,
        output: destination.file.clone(),
        temporary: options.directory_for_temporary_files.clone(),
        fast_start: options.fast_start,
        intervals: intervals(state),
        combinable: options.produces_combinable_fragments,
        tracks,
        tags: options.metadata.clone(),
        movie_timescale,
        session: session_start(state),
        other_tracks: options.other_tracks.clone(),
    }
}

fn track(state: &WriterState, id: TrackId) -> SinkTrack {
    let setup = &state.track(id).setup;
    let options = setup.options.clone();
    // what the first sample says of itself is better than what an encoder could say before it
    let said = state.waiting(id).find_map(|sample| sample.format.as_deref().cloned());
    // an input without a hint that was finished without a sample leaves no track, and needs a format that can
    // be written
    let unknown = || TrackFormat::Video(FormatDescription::video(Codec::H264, 16, 16));
    let format = said.map(TrackFormat::Video).or_else(|| setup.format.clone()).unwrap_or_else(unknown);
    let scale = match &format {
        TrackFormat::Audio(sound) => sound.sample_rate,
        // players expect the clock of the frames that are counted
        TrackFormat::Timecode(format) => format.frame_duration().timescale().unsigned_abs(),
        _ if options.media_time_scale > 0 => options.media_time_scale,
        _ => timescale(state.waiting(id)),
    };
    let group = state.groups().iter().position(|group| group.contains(&id));
    let header = TrackHeader {
        enabled: options.enabled,
        // the muxer knows what the copied track is among the others
        as_copied: options.stands_for.is_some(),
        alternate_group: group.map_or(0, |group| group as u16 + 1),
        volume: options.preferred_volume,
        size: options.natural_size,
        language_code: options.language_code.clone(),
        language_tag: options.extended_language_tag,
        references: references(state.associations(), id),
        entry: match &format {
            TrackFormat::Video(video) => entry::boxes(video, state.destination().container),
            _ => Vec::new(),
        },
        description: Description::of(&format, state.destination().container),
    };
    let mut tags = options.metadata;
    let named = tags.iter().any(|(name, _)| name == HANDLER);
    if header.description.is_some() && !named {
        // else it had the name of the data that the muxer takes it for
        tags.push((HANDLER.into(), MediaType::of(&format).to_string()));
    }
    SinkTrack {
        format,
        encoded: setup.encodes(),
        timescale: scale,
        frame_rate: options.frame_rate,
        display_matrix: options.transform,
        language: options.language_code,
        reorder_delay: options.reorder_delay,
        tags,
        stands_for: options.stands_for,
        header,
    }
}

/// How often fragments end, if there are any.
fn intervals(state: &WriterState) -> Option<Intervals> {
    let options = state.options();
    let others = options.movie_fragment_interval.filter(|_| state.destination().container.is_iso())?;
    Some(Intervals {
        first: options.initial_movie_fragment_interval.unwrap_or(others),
        others,
        number: options.initial_movie_fragment_sequence_number,
        duration: options.overall_duration_hint,
    })
}
