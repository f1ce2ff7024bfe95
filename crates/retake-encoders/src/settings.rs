//! Checks [`EncoderSettings`] as all encoders must, and lowers them to the structure that a shim takes.
#![allow(unsafe_code)]

use crate::controls;
use crate::library::Library;
use crate::options::refusal;
use crate::raw::{RawOption, RawPass, RawRate, RawSettings};
use crate::warm_up;
use retake_compression::encoder::{EncoderError, EncoderInfo, EncoderSettings, RateControl};
use retake_media::{Range, Rational};
use std::ffi::CString;
use std::ptr::null;

/// Settings as a shim takes them, with the strings that they point to.
pub(crate) struct Lowered {
    raw: RawSettings,
    _preset: CString,
    _profile: Option<CString>,
    _options: Vec<RawOption>,
    _strings: Vec<CString>,
    _statistics: Vec<u8>,
}

impl Lowered {
    /// Checks the settings and lowers them.
    pub(crate) fn new(library: &Library, settings: &EncoderSettings) -> Result<Self, EncoderError> {
        let Library { spec, info, .. } = library;
        let refuse = |setting: &str, reason: String| EncoderError::Settings {
            encoder: info.name,
            setting: setting.to_owned(),
            reason,
        };
        check(info, settings)
            .and_then(|()| controls::check(info, settings))
            .map_err(|(setting, reason)| refuse(setting, reason))?;
        (spec.check)(settings).map_err(|(setting, reason)| refuse(setting, reason))?;

        let mut strings = Vec::new();
        for (key, value) in &settings.options {
            if let Some(reason) = refusal(spec.refused, key) {
                return Err(refuse(key, format!("cannot be given: {reason}")));
            }
            for text in [key.trim().trim_start_matches("--"), value.trim()] {
                strings.push(CString::new(text).map_err(|_| refuse(key, "contains a zero byte".to_owned()))?);
            }
        }
        let options: Vec<RawOption> = strings
            .chunks_exact(2)
            .map(|pair| RawOption { key: pair[0].as_ptr(), value: pair[1].as_ptr() })
            .collect();
        let preset = if settings.preset.is_empty() { info.default_preset } else { &settings.preset };
        let preset = CString::new(preset).map_err(|_| refuse("preset", "contains a zero byte".to_owned()))?;
        let profile = settings.controls.profile.as_deref().map(CString::new).transpose();
        let profile = profile.map_err(|_| refuse("profile", "contains a zero byte".to_owned()))?;
        let mut raw = lower(library, settings);
        if library.avcodec.is_some() && raw.controls.level == 0 {
            let level = spec.codec.level(settings.width, settings.height, settings.frame_rate.to_f64());
            raw.controls.level = level.map_or(0, |level| level as i32);
        }
        // The heap blocks behind these stay where they are when `Lowered` moves.
        raw.preset = preset.as_ptr();
        raw.controls.profile = profile.as_ref().map_or(null(), |profile| profile.as_ptr());
        raw.options = options.as_ptr();
        raw.option_count = options.len();
        Ok(Self {
            raw,
            _preset: preset,
            _profile: profile,
            _options: options,
            _strings: strings,
            _statistics: Vec::new(),
        })
    }

    /// Returns the settings for the library's first pass.
    pub(crate) fn first_pass(mut self) -> Self {
        self.raw.pass = RawPass::First;
        self
    }

    /// Returns the settings for the second pass, with the statistics of the first.
    pub(crate) fn second_pass(mut self, statistics: Vec<u8>) -> Self {
        self.raw.statistics = statistics.as_ptr();
        self.raw.statistics_size = statistics.len();
        self._statistics = statistics;
        self
    }

    /// Returns the structure for the shim, which is alive as long as `self`.
    pub(crate) fn raw(&self) -> &RawSettings {
        &self.raw
    }
}

/// The number of frames between key frames that the libraries can count without overflow.
const LONGEST_INTERVAL: u32 = 1 << 24;

fn lower(library: &Library, settings: &EncoderSettings) -> RawSettings {
    let info = &library.info;
    let colour = settings.colour;
    let aspect = settings.pixel_aspect_ratio;
    let (sar_num, sar_den) = if aspect.is_positive() { reduce(aspect.num, aspect.den) } else { (0, 0) };
    let mastering = settings.mastering_display.map_or([0; 10], |display| {
        let xy =
            display.primaries_gbr.as_flattened().iter().chain(&display.white_point).map(|v| i32::from(*v));
        let luminance =
            [display.max_luminance, display.min_luminance].map(|v| i32::try_from(v).unwrap_or(i32::MAX));
        let mut values = [0; 10];
        for (to, from) in values.iter_mut().zip(xy.chain(luminance)) {
            *to = from;
        }
        values
    });
    let light = settings.content_light;
    let bits = |rate: u64| rate.min(i64::MAX as u64) as i64;
    let (rate, quality, bit_rate) = match settings.rate {
        RateControl::Quality(value) => (RawRate::Quality, info.quality.snap(value), 0),
        RateControl::AverageBitRate(rate) => (RawRate::Average, 0.0, bits(rate)),
        RateControl::ConstantBitRate(rate) => (RawRate::Constant, 0.0, bits(rate)),
        RateControl::Lossless => (RawRate::Lossless, 0.0, 0),
    };
    RawSettings {
        width: settings.width as i32,
        height: settings.height as i32,
        bit_depth: settings.format.bit_depth() as i32,
        chroma: settings.format.chroma_subsampling().idc().into(),
        pairs: (!settings.format.is_planar()).into(),
        fps_num: settings.frame_rate.num,
        fps_den: settings.frame_rate.den,
        sar_num,
        sar_den,
        primaries: colour.primaries.into(),
        transfer: colour.transfer.into(),
        matrix: colour.matrix.into(),
        range: match (colour.range, colour.range_known) {
            (_, false) => -1,
            (Range::Limited, true) => 0,
            (Range::Full, true) => 1,
        },
        chroma_location: colour.chroma_location.into(),
        has_mastering: settings.mastering_display.is_some().into(),
        has_content_light: light.is_some().into(),
        mastering,
        max_content: light.map_or(0, |light| light.max_content.into()),
        max_frame_average: light.map_or(0, |light| light.max_frame_average.into()),
        rate,
        key_interval: match settings.controls.intra_only {
            true => 1,
            false => settings.max_key_frame_interval.min(LONGEST_INTERVAL) as i32,
        },
        threads: settings.threads.min(1024) as i32,
        reconstruct: ((settings.reconstruct || settings.controls.frame_errors) && info.reconstructs).into(),
        quality,
        bit_rate,
        limit_rate: settings.limit.map_or(0, |limit| limit.bits_per_second as i64),
        limit_window: settings.limit.map_or(0, |limit| limit.window_bits as i64),
        preset: null(),
        options: null(),
        option_count: 0,
        pass: if settings.controls.first_pass.is_some() { RawPass::Second } else { RawPass::Only },
        statistics: null(),
        statistics_size: 0,
        controls: controls::lower(info, settings, warm_up::lengths(library, settings).sent),
        avcodec: library.avcodec.as_deref().map_or(null(), std::ptr::from_ref),
    }
}

/// Reduces a pixel aspect ratio, because ratios are 16-bit numbers in H.264 and HEVC.
fn reduce(num: i32, den: i32) -> (i32, i32) {
    let Rational { mut num, mut den } = Rational::new(num, den).reduced();
    while num > 0xffff || den > 0xffff {
        (num, den) = ((num / 2).max(1), (den / 2).max(1));
    }
    (num, den)
}

/// Refuses settings that no encoder takes, by the name of the setting and the reason.
fn check(info: &EncoderInfo, settings: &EncoderSettings) -> Result<(), (&'static str, String)> {
    let (width, height) = (settings.width, settings.height);
    if width < 2 || height < 2 || width > 16384 || height > 16384 {
        return Err(("size", format!("{width}×{height} is not between 2×2 and 16384×16384")));
    }
    if !info.formats.contains(&settings.format) {
        let reason = format!("the linked library takes {:?}, not {:?}", info.formats, settings.format);
        return Err(("format", reason));
    }
    if !settings.frame_rate.is_positive() {
        return Err(("frame rate", format!("{} is not a positive fraction", settings.frame_rate)));
    }
    if settings.threads == 0 {
        return Err(("threads", "at least 1 is needed".to_owned()));
    }
    if !settings.preset.is_empty() && !info.presets.iter().any(|preset| preset.name == settings.preset) {
        let names: Vec<&str> = info.presets.iter().map(|preset| preset.name.as_str()).collect();
        return Err(("preset", format!("'{}' is not one of {}", settings.preset, names.join(", "))));
    }
    match settings.rate {
        RateControl::ConstantBitRate(_) if !info.controls.constant_bit_rate => {
            return Err(("rate control", "this encoder has no constant bit rate".to_owned()));
        }
        RateControl::AverageBitRate(_) if info.controls.no_average_bit_rate => {
            return Err((
                "rate control",
                "this encoder keeps to no average bit rate: ask for a quality".to_owned(),
            ));
        }
        RateControl::Lossless if !info.controls.lossless => {
            return Err(("rate control", "this encoder has no lossless coding".to_owned()));
        }
        RateControl::Quality(value) if !(info.quality.min..=info.quality.max).contains(&value) => {
            return Err((
                "quality",
                format!("{value} is not between {} and {}", info.quality.min, info.quality.max),
            ));
        }
        RateControl::AverageBitRate(rate) | RateControl::ConstantBitRate(rate)
            if !(1000..=4_000_000_000).contains(&rate) =>
        {
            return Err(("bit rate", format!("{rate} bit/s is not between 1 kbit/s and 4 Gbit/s")));
        }
        _ => {}
    }
    if let Some(limit) = settings.limit {
        // SVT-AV1 has a cap of constant quality, which windows exceed twofold with 1.4 and sevenfold with
        // 2.3; VP9's buffer overflows as well.
        if !info.controls.rate_limit {
            let reason =
                "this encoder overshoots limits many times over: leave it out, or choose x264 or x265";
            return Err(("limit", reason.to_owned()));
        }
        if !(1000..=4_000_000_000).contains(&limit.bits_per_second)
            || !(1000..=1 << 40).contains(&limit.window_bits)
        {
            return Err(("limit", "the rate and the window have to be at least 1000 bits".to_owned()));
        }
        if matches!(settings.rate, RateControl::ConstantBitRate(_) | RateControl::Lossless) {
            return Err(("limit", "goes with a quality or an average bit rate only".to_owned()));
        }
        if matches!(settings.rate, RateControl::AverageBitRate(rate) if rate > limit.bits_per_second) {
            return Err((
                "limit",
                "is below the average bit rate: lower the average, or raise the limit".to_owned(),
            ));
        }
    }
    Ok(())
}

/// Requires sides of whole blocks of chroma, because H.264 and HEVC crop in steps of those.
pub(crate) fn even_sides(encoder: &str, settings: &EncoderSettings) -> Result<(), (&'static str, String)> {
    let (width, height) = (settings.width, settings.height);
    let (across, down) = settings.format.chroma_block().unwrap_or((1, 1));
    let (even_width, even_height) = (width - width % across, height - height % down);
    if (width, height) == (even_width, even_height) {
        return Ok(());
    }
    let chroma = settings.format.chroma_subsampling();
    Err((
        "size",
        format!(
            "{width}×{height} has an odd side, which {encoder} cannot signal with {chroma} chroma: crop or scale to \
             {even_width}×{even_height}, or choose vp9"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::reduce;

    #[test]
    fn aspect_ratios_are_reduced_and_fit() {
        assert_eq!(reduce(64, 48), (4, 3));
        assert_eq!(reduce(1, 1), (1, 1));
        let (num, den) = reduce(1_000_001, 999_983);
        assert!(num <= 0xffff && den <= 0xffff && num > 30_000);
    }
}
