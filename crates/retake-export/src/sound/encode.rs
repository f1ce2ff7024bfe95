//! A track of sound on its way from the source to the film: decoded, placed, made louder or quieter, encoded.

use super::level::{self, SoundLevel};
use super::placed::PlacedSound;
use super::plan::{SoundEncoding, SoundPlan};
use crate::error::ExportError;
use crate::stop::StopFlag;
use retake_asset::{MediaSample, SoundSamples};
use retake_libav::{Container, FilmInfo, TrackInfo};
use retake_media::{AudioFormat, Time, greatest_common_divisor};

/// Gives out the samples of a track that is encoded. The encoder runs on the thread that asks, so that its
/// bytes depend on nothing else.
pub(crate) struct EncodedSound<'a> {
    pub(crate) track: &'a TrackInfo,
    sound: PlacedSound,
    samples: SoundSamples,
    gain: Option<f32>,
    level: Option<SoundLevel>,
    over: bool,
}

impl<'a> EncodedSound<'a> {
    /// Opens a track; its level is measured where that is not known yet.
    pub(crate) fn open(
        film: &FilmInfo,
        (track, encoding): (&'a TrackInfo, &SoundEncoding),
        plan: &SoundPlan,
        lead: u32,
        stop: &StopFlag,
    ) -> Result<Self, ExportError> {
        let samples = SoundSamples::open(&encoding.settings)?;
        let format = samples.format();
        let form = (format.sample_rate, format.channels, format.layout);
        let open = |lead| PlacedSound::open(film, track.index, encoding.pcm, lead);
        let level = plan.level(track.index, || level::measure(&mut open(0)?, encoding.level, form, stop))?;
        let gain = level.map(|level| level.gain).filter(|gain| *gain != 0.0);
        let gain = gain.map(|gain| 10.0_f64.powf(gain / 20.0) as f32);
        Ok(Self { track, sound: open(lead)?, samples, gain, level, over: false })
    }

    /// The format of the track.
    pub(crate) fn format(&self) -> &AudioFormat {
        self.samples.format()
    }

    /// Returns the next sample; `None` after the last.
    pub(crate) fn next(&mut self, stop: &StopFlag) -> Result<Option<MediaSample>, ExportError> {
        loop {
            if let Some(sample) = self.samples.next_sample() {
                return Ok(Some(sample));
            }
            if self.over {
                return Ok(None);
            }
            stop.check()?;
            let time = self.sound.time();
            match self.sound.next()? {
                Some(mut samples) => {
                    if let Some(gain) = self.gain {
                        samples.iter_mut().for_each(|sample| *sample *= gain);
                    }
                    self.samples.send(&samples, time)?;
                }
                None => {
                    self.samples.finish()?;
                    self.over = true;
                }
            }
        }
    }

    /// Plain sentences about what the track could not keep, once all of it came.
    pub(crate) fn notes(&self) -> Vec<String> {
        let (mut notes, track) = (Vec::new(), self.track);
        let damaged = self.sound.damaged();
        if damaged > 0 {
            let silence = self.sound.silence();
            notes.push(format!(
                "{track}: {damaged} pieces of sound are damaged; with other gaps, {silence:.3} s are silent"
            ));
        }
        match self.level {
            Some(SoundLevel { gain, limited: true, loudness: Some(before), .. }) => notes.push(format!(
                "{track}: its level is changed by {gain:+.2} dB, to {:.1} LUFS: more would take its true peak above {} dBTP",
                before + gain,
                level::TRUE_PEAK
            )),
            Some(SoundLevel { gain, loudness: None, true_peak: None, .. }) if gain < 0.0 => {
                notes.push(format!(
                    "{track}: its level is changed by {gain:+.2} dB, so that the mixed channels do not clip"
                ));
            }
            _ => {}
        }
        notes
    }
}

/// How many samples of silence come before the sound, and by how much the film begins later, so that the
/// sound is where it was to the sample. Where a container does not say what primes the decoder, that is heard
/// in front of the film, and because it counts milliseconds, it has to be a whole number of them.
pub(crate) fn lead(container: Container, format: &AudioFormat) -> (u32, Time) {
    if container.keeps_priming(format) || format.sample_rate == 0 {
        return (0, Time::ZERO);
    }
    let rate = u64::from(format.sample_rate);
    // no divisor of a number is greater than the number
    let step = rate / greatest_common_divisor(rate.into(), 1000) as u64;
    let all = u64::from(format.priming).div_ceil(step).saturating_mul(step);
    let lead = all - u64::from(format.priming);
    let late = Time::new((all * 1000 / rate) as i64, 1000);
    (u32::try_from(lead).unwrap_or(0), late)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FFmpeg writes no delay of AAC to Matroska up to version 7, and that of Opus in all of them.
    #[test]
    fn leads_are_whole_milliseconds_where_a_container_counts_them() {
        let format = |codec: &str, rate, priming| AudioFormat {
            codec: codec.into(),
            sample_rate: rate,
            channels: 2,
            priming,
            config: vec![0x11, 0x90],
            ..AudioFormat::default()
        };
        assert_eq!(lead(Container::Mp4, &format("aac", 48_000, 1024)), (0, Time::ZERO));
        for (rate, priming) in [(48_000, 1024), (44_100, 1024), (22_050, 1024), (11_025, 1024), (32_000, 256)]
        {
            let format = format("aac", rate, priming);
            if Container::Mkv.keeps_priming(&format) {
                continue;
            }
            let (lead, late) = lead(Container::Mkv, &format);
            assert_eq!(u64::from(lead + priming) * 1000, late.value() as u64 * u64::from(rate));
            assert!(late.seconds() < 0.2, "{rate} {late:?}");
        }
        let (late, silent) = (Time::new(22, 1000), 32);
        let aac = format("aac", 48_000, 1024);
        assert!(Container::Mkv.keeps_priming(&aac) || lead(Container::Mkv, &aac) == (silent, late));
        assert_eq!(lead(Container::Mkv, &format("pcm_s16le", 48_000, 0)), (0, Time::ZERO));
    }
}
