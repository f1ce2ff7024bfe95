//! What each track of sound becomes, decided and tried out before the first frame is decoded.

use super::level::{LevelRule, SoundLevel};
use super::request::{AudioChoice, AudioEncoding, AudioError, AudioLayout};
use crate::error::{ExportError, RequestError};
use crate::job::request::Request;
use crate::job::tracks::{TrackFlag, check};
use crate::output::target::OutputKind;
use retake_asset::{SoundCodec, SoundSettings};
use retake_libav::{
    FilmInfo, MediaError, PcmDescription, PcmFormat, PcmOptions, PcmReader, SoundEncoder, TrackInfo,
    TrackKind,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What becomes of all tracks of sound.
pub(crate) struct SoundPlan {
    tracks: Vec<PlannedSound>,
    /// How loud encoded tracks were found to be, by their numbers: measured once.
    levels: Mutex<BTreeMap<u32, Option<SoundLevel>>>,
}

/// A track of sound, and what becomes of it.
pub(crate) struct PlannedSound {
    pub(crate) track: TrackInfo,
    pub(crate) becomes: Becomes,
}

/// What a track of sound becomes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Becomes {
    /// A copy, if the container holds it.
    Copied,
    /// Nothing.
    LeftOut,
    /// Another one.
    Encoded(SoundEncoding),
}

impl Becomes {
    /// How it is encoded, if it is.
    pub(crate) fn encoding(&self) -> Option<&SoundEncoding> {
        match self {
            Self::Encoded(encoding) => Some(encoding),
            Self::Copied | Self::LeftOut => None,
        }
    }
}

/// How a track is decoded, and encoded again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SoundEncoding {
    pub(crate) settings: SoundSettings,
    pub(crate) pcm: PcmOptions,
    pub(crate) level: LevelRule,
}

/// What became of a track of sound that was not copied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SoundSummary {
    /// The number of the track in the source, from 0.
    pub track: u32,
    /// FFmpeg's name of the source's coding format.
    pub source: String,
    /// FFmpeg's name of the new coding format; `None` if the track was left out because that was asked for.
    pub codec: Option<String>,
    /// Bits a second of the new track; `None` where there is no such number.
    pub bit_rate: Option<u64>,
    /// The samples a second of each of its channels.
    pub sample_rate: Option<u32>,
    /// Its channels.
    pub channels: Option<u32>,
    /// How loud it was, and its gain; `None` where its level was left alone.
    pub level: Option<SoundLevel>,
}

impl SoundPlan {
    /// Decides about all tracks of sound of a film.
    ///
    /// # Errors
    /// Returns [`RequestError::Tracks`] for tracks that are not there, and [`RequestError::Audio`] for a
    /// codec that the container does not hold, and for what a decoder or an encoder refuses.
    pub(crate) fn of(request: &Request, film: &FilmInfo, kind: OutputKind) -> Result<Self, ExportError> {
        let (others, output, request) = (&request.tracks, &request.output, &request.audio);
        let named: Vec<_> = request.named().cloned().collect();
        check(&named, film, TrackFlag::Audio).map_err(RequestError::Tracks)?;
        let sounds: Vec<&TrackInfo> =
            film.tracks.iter().filter(|track| track.kind == TrackKind::Audio).collect();
        let mut tracks = Vec::new();
        for track in sounds {
            let unsaid = || if others.keeps(track) { AudioChoice::Copy } else { AudioChoice::Nothing };
            // nobody adds a track to have none
            let added = |said: &AudioChoice| !track.is_beside() || *said != AudioChoice::Nothing;
            let said = request.of(track).filter(added);
            let unsaid = || if track.is_beside() { AudioChoice::Auto } else { unsaid() };
            let becomes = match said.unwrap_or_else(unsaid) {
                AudioChoice::Copy => Becomes::Copied,
                AudioChoice::Nothing => Becomes::LeftOut,
                AudioChoice::Auto if request.loudness.is_none() && kind.holds_sound(&track.codec) => {
                    Becomes::Copied
                }
                choice => Becomes::Encoded(encoding(film, track, choice, request.loudness, output, kind)?),
            };
            tracks.push(PlannedSound { track: track.clone(), becomes });
        }
        Ok(Self { tracks, levels: Mutex::default() })
    }

    /// The tracks that are encoded, in the order of the source.
    pub(crate) fn encoded(&self) -> impl Iterator<Item = (&TrackInfo, &SoundEncoding)> {
        self.tracks.iter().filter_map(|planned| Some((&planned.track, planned.becomes.encoding()?)))
    }

    /// What becomes of a track; a copy, if it is none of sound.
    pub(crate) fn becomes(&self, track: u32) -> &Becomes {
        let planned = self.tracks.iter().find(|planned| planned.track.index == track);
        planned.map_or(&Becomes::Copied, |planned| &planned.becomes)
    }

    /// How loud a track is and its gain, which `measure` finds the first time.
    pub(crate) fn level(
        &self,
        track: u32,
        measure: impl FnOnce() -> Result<Option<SoundLevel>, ExportError>,
    ) -> Result<Option<SoundLevel>, ExportError> {
        // values are put in whole, whatever a panicking holder was doing
        let known = || self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(level) = known().get(&track) {
            return Ok(*level);
        }
        let level = measure()?;
        known().insert(track, level);
        Ok(level)
    }

    /// The bytes that encoded tracks will take, as far as that can be told before, in place of those of the
    /// source: `None` for a track that is copied or not known.
    pub(crate) fn bytes(&self, track: u32, seconds: f64) -> Option<u64> {
        match self.becomes(track) {
            Becomes::Copied => None,
            Becomes::LeftOut => Some(0),
            Becomes::Encoded(SoundEncoding { settings, .. }) => {
                let channels = settings.channel_count();
                let bits = settings.bit_depth.unwrap_or(16);
                let plain = f64::from(settings.sample_rate) * f64::from(channels) * f64::from(bits);
                let rate = match settings.codec {
                    // half of what it takes uncompressed is usual
                    SoundCodec::Flac | SoundCodec::Alac => plain / 2.0,
                    SoundCodec::PcmS24 => plain * 1.5,
                    SoundCodec::PcmF32 => plain * 2.0,
                    SoundCodec::PcmS16 => plain,
                    _ => settings.bit_rate as f64,
                };
                Some((rate * seconds.max(0.0) / 8.0) as u64)
            }
        }
    }

    /// What became of the tracks that were not copied.
    pub(crate) fn summary(&self) -> Vec<SoundSummary> {
        let levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |planned: &PlannedSound| {
            let mut summary = SoundSummary {
                track: planned.track.index,
                source: planned.track.codec.clone(),
                codec: None,
                bit_rate: None,
                sample_rate: None,
                channels: None,
                level: None,
            };
            match &planned.becomes {
                Becomes::Copied => return None,
                Becomes::LeftOut => {}
                Becomes::Encoded(SoundEncoding { settings, .. }) => {
                    summary.codec = Some(settings.codec.name().to_owned());
                    summary.bit_rate = Some(settings.bit_rate).filter(|rate| *rate > 0);
                    summary.sample_rate = Some(settings.sample_rate);
                    summary.channels = Some(settings.channel_count());
                    summary.level = levels.get(&planned.track.index).copied().flatten();
                }
            }
            Some(summary)
        };
        self.tracks.iter().filter_map(told).collect()
    }
}

fn refuse<T>(error: AudioError) -> Result<T, ExportError> {
    Err(RequestError::Audio(error).into())
}

/// How a track is encoded as that was asked for.
fn encoding(
    film: &FilmInfo,
    track: &TrackInfo,
    choice: AudioChoice,
    loudness: Option<f64>,
    output: &Path,
    kind: OutputKind,
) -> Result<SoundEncoding, ExportError> {
    let mut plain = PcmOptions::default();
    plain.format = PcmFormat::F32;
    let source = match PcmReader::open(film, track.index, plain) {
        Ok(reader) => reader.description(),
        Err(error @ (MediaError::NoDecoder { .. } | MediaError::Sound { .. })) => {
            let (track, reason) = (track.to_string(), error.to_string());
            return refuse(AudioError::NoDecoder { track, reason });
        }
        Err(error) => return Err(error.into()),
    };
    let wanted = match choice {
        AudioChoice::Encode(encoding) => encoding,
        _ => AudioEncoding::new(suitable(track, source, kind)),
    };
    let AudioEncoding { codec, layout, .. } = wanted;
    if !kind.holds_sound(codec.name()) {
        let holds = SoundCodec::ALL.map(SoundCodec::name).into_iter();
        let holds = holds.filter(|name| kind.holds_sound(name)).collect();
        return refuse(AudioError::NotHeld { output: output.to_owned(), codec: codec.name(), holds });
    }
    let mut refused = None;
    for settings in candidates(wanted, track, source) {
        match SoundEncoder::open(&settings) {
            Ok(_) => {
                let channels = settings.channel_count();
                let mut pcm = plain;
                pcm.sample_rate = Some(settings.sample_rate);
                (pcm.channels, pcm.layout) = (Some(settings.channels), settings.layout);
                let level = match loudness {
                    Some(loudness) => LevelRule::Loudness(loudness),
                    None if channels < source.channels => LevelRule::NoClipping,
                    None => LevelRule::Keep,
                };
                return Ok(SoundEncoding { settings, pcm, level });
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let reason = match refused {
        Some(MediaError::Sound { detail, .. }) => detail,
        Some(error) => error.to_string(),
        None => "it has no channels".into(),
    };
    let more = (layout.is_none() && source.channels > 2).then(|| {
        format!(
            " (it has {} channels: {}::stereo or {0}::5.1 mixes them to fewer)",
            source.channels,
            codec.name()
        )
    });
    let (track, wanted) = (track.to_string(), AudioChoice::Encode(wanted).to_string());
    refuse(AudioError::Refused { track, wanted, reason: reason + &more.unwrap_or_default() })
}

/// The codec for a track that nobody has chosen one for: its own, if it has to be encoded only for the sake
/// of its loudness.
fn suitable(track: &TrackInfo, source: PcmDescription, kind: OutputKind) -> SoundCodec {
    use SoundCodec::{Aac, Alac, Flac, Opus};
    let held = |codec: &SoundCodec| kind.holds_sound(codec.name());
    let own = SoundCodec::ALL.into_iter().find(|codec| codec.name() == track.codec).filter(held);
    // what decodes to integers, or is stored as it is, has lost nothing yet
    let whole = source.decoded_bits > 0 || track.codec.starts_with("pcm_");
    let order = if whole { [Flac, Alac, Aac, Opus] } else { [Aac, Opus, Flac, Alac] };
    own.or_else(|| order.into_iter().find(held)).unwrap_or(Aac)
}

/// The settings that may be what is wanted, the best first.
fn candidates(wanted: AudioEncoding, track: &TrackInfo, source: PcmDescription) -> Vec<SoundSettings> {
    let AudioEncoding { codec, bit_rate, layout } = wanted;
    let channels = layout.map_or(source.channels, AudioLayout::channels);
    let rate = sample_rate(codec, source.sample_rate);
    let mut settings = SoundSettings::new(codec, rate, channels);
    settings.bit_rate = bit_rate.unwrap_or_else(|| usual_bit_rate(codec, rate, channels));
    let whole = source.decoded_bits > 16 || track.codec == "pcm_f32le" || track.codec == "pcm_f32be";
    settings.bit_depth = match codec {
        SoundCodec::Flac | SoundCodec::Alac => Some(if whole { 24 } else { 16 }),
        _ => None,
    };
    let usual = AudioLayout::of(channels).map(AudioLayout::mask);
    // what loses nothing keeps where channels lie, too
    let own = Some(source.layout).filter(|mask| layout.is_none() && *mask != 0 && codec.is_lossless());
    let with = |layout| {
        let mut settings = settings;
        settings.layout = layout;
        settings
    };
    let plain = if usual.is_none() { Some(settings) } else { None };
    [own, usual].into_iter().flatten().map(|mask| with(Some(mask))).chain(plain).collect()
}

/// The sample rate for sound of another: the same where the codec has it, else the next higher one, else its
/// highest.
fn sample_rate(codec: SoundCodec, source: u32) -> u32 {
    const AAC: [u32; 13] =
        [7350, 8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000];
    const MP3: [u32; 9] = [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
    let rates: &[u32] = match codec {
        SoundCodec::Aac => &AAC,
        SoundCodec::Mp3 => &MP3,
        SoundCodec::Ac3 | SoundCodec::Eac3 => &MP3[6..],
        // it has lower ones, which save next to nothing
        SoundCodec::Opus => &[48_000],
        _ => return source,
    };
    rates.iter().copied().find(|rate| *rate >= source).or(rates.last().copied()).unwrap_or(source)
}

/// The usual bit rate of so many channels, in bits a second; 0 for formats without loss.
fn usual_bit_rate(codec: SoundCodec, rate: u32, channels: u32) -> u64 {
    let channels = u64::from(channels);
    match codec {
        // at low rates a packet has not as much room
        SoundCodec::Aac => (channels * 64_000 + 32_000).min(u64::from(rate) * 4 * channels),
        SoundCodec::Opus => channels * 48_000 + 32_000,
        SoundCodec::Mp3 if rate < 32_000 => channels * 32_000,
        SoundCodec::Mp3 => {
            if channels == 1 {
                128_000
            } else {
                192_000
            }
        }
        SoundCodec::Ac3 | SoundCodec::Eac3 => match channels {
            1 => 128_000,
            2 => 224_000,
            _ => 640_000,
        },
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_that_codecs_have() {
        use SoundCodec::{Aac, Ac3, Flac, Mp3, Opus};
        for (codec, source, rate) in [
            (Aac, 44_100, 44_100),
            (Aac, 37_800, 44_100),
            (Aac, 192_000, 96_000),
            (Opus, 44_100, 48_000),
            (Opus, 96_000, 48_000),
            (Ac3, 22_050, 32_000),
            (Ac3, 96_000, 48_000),
            (Flac, 192_000, 192_000),
            (Mp3, 11_000, 11_025),
        ] {
            assert_eq!(sample_rate(codec, source), rate, "{codec:?} {source}");
        }
        assert_eq!(usual_bit_rate(Aac, 48_000, 2), 160_000);
        assert_eq!(usual_bit_rate(Aac, 8000, 1), 32_000);
        assert_eq!(usual_bit_rate(Opus, 48_000, 2), 128_000);
        assert_eq!(usual_bit_rate(Flac, 48_000, 2), 0);
    }
}
