//! Checks the controls of a session against those that an encoder obeys, and lowers them for its shim.

use crate::raw::RawControls;
use retake_compression::encoder::{
    Controls, EncoderInfo, EncoderSettings, FrameOptions, ProfileSupport, RateBuffer, RateControl,
};
use retake_media::PixelFormat;
use std::ptr::null;

/// The name of a setting, and the reason why it is refused.
pub(crate) type Refusal = (&'static str, String);

/// Refuses controls that the encoder's [`ControlSupport`](retake_compression::encoder::ControlSupport) lacks,
/// and those that contradict each other.
pub(crate) fn check(info: &EncoderInfo, settings: &EncoderSettings) -> Result<(), Refusal> {
    let (controls, has) = (&settings.controls, &info.controls);
    let supported = [
        ("open_gop", controls.open_gop, has.open_gop),
        ("look_ahead", controls.look_ahead.is_some(), has.look_ahead.is_some()),
        ("low_latency", controls.low_latency, has.low_latency),
        ("no_spatial_adaptation", controls.no_spatial_adaptation, has.spatial_adaptation),
        ("spatial_adaptation", controls.spatial_adaptation, has.adapts_on_request),
        ("base_qp", controls.base_qp, has.base_qp),
        ("quality_ceiling", controls.quality_ceiling.is_some(), has.quality_ceiling),
        ("cabac", controls.cabac.is_some(), has.cabac),
        ("slice_bytes", controls.slice_bytes.is_some(), has.slice_bytes),
        ("frame_errors", controls.frame_errors, has.frame_errors),
        ("base_layer_share", controls.base_layer_share.is_some(), has.base_layer_share),
        ("long_term_references", controls.long_term_references, has.long_term_references),
        ("first_pass", controls.first_pass.is_some(), has.first_pass),
        ("fields", two_fields(controls), has.fields.is_some()),
        ("more_before", controls.more_before, has.steady_start),
        ("more_after", controls.more_after, has.steady_end),
        ("no_dynamic_hdr", controls.no_dynamic_hdr, has.hdr10_plus),
        ("dolby_vision", controls.dolby_vision.is_some(), has.dolby_vision),
        ("film_grain", controls.film_grain.is_some(), has.film_grain.is_some()),
    ];
    for (name, asked, obeyed) in supported {
        if asked && !obeyed {
            return Err((name, "this encoder does not have it: leave it out".to_owned()));
        }
    }
    if let Some(support) = has.fields.as_ref().filter(|_| two_fields(controls))
        && !support.fits(settings.width, settings.height)
    {
        let (rows, pixels) = (support.row_step, support.pixels);
        let reason = format!("needs a height that is a multiple of {rows}, and at most {pixels} pixels");
        return Err(("fields", reason));
    }
    within("film_grain", controls.film_grain, has.film_grain)?;
    within("references", controls.references, has.references)?;
    within("min_qp", controls.min_qp, has.qp_bounds)?;
    within("max_qp", controls.max_qp, has.qp_bounds)?;
    if matches!((controls.min_qp, controls.max_qp), (Some(min), Some(max)) if min > max) {
        return Err(("min_qp", "is above max_qp".to_owned()));
    }
    if let Some(profile) = &controls.profile {
        let Some(support) = has.profiles.iter().find(|support| support.name == profile) else {
            let names: Vec<&str> = has.profiles.iter().map(|support| support.name).collect();
            return Err(("profile", format!("'{profile}' is not one of: {}", names.join(", "))));
        };
        if !support.has(settings.format) {
            return Err(("profile", wrong_pictures(support, settings.format)));
        }
        let fields = has.fields.as_ref().filter(|_| two_fields(controls));
        if fields.is_some_and(|fields| fields.not_in_profiles.contains(&support.name)) {
            return Err(("fields", format!("{profile} has none")));
        }
    }
    if let Some(level) = controls.level.filter(|level| !has.levels.contains(level)) {
        let names: Vec<String> = has.levels.iter().map(u32::to_string).collect();
        return Err(("level", format!("{level} is not one of: {}", names.join(", "))));
    }
    let layers = controls.temporal_layers.unwrap_or(1);
    if layers > has.temporal_layers.max(1) {
        return Err(("temporal_layers", format!("this encoder has at most {}", has.temporal_layers.max(1))));
    }
    if let Some(share) = controls.base_layer_share
        && (layers < 2 || !(share > 0.0 && share < 1.0))
    {
        return Err(("base_layer_share", "is a share between 0 and 1 of two temporal layers".to_owned()));
    }
    if controls.long_term_references && !controls.low_latency {
        return Err(("long_term_references", "needs low_latency".to_owned()));
    }
    if controls.spatial_adaptation && controls.no_spatial_adaptation {
        return Err(("spatial_adaptation", "is excluded by no_spatial_adaptation".to_owned()));
    }
    if let Some(ceiling) = controls.quality_ceiling {
        if !matches!(settings.rate, RateControl::AverageBitRate(_)) || controls.buffer.is_some() {
            return Err((
                "quality_ceiling",
                "goes with an average bit rate without a buffer only".to_owned(),
            ));
        }
        if !(info.quality.min..=info.quality.max).contains(&ceiling) {
            return Err((
                "quality_ceiling",
                format!("{ceiling} is not between {} and {}", info.quality.min, info.quality.max),
            ));
        }
    }
    if let Some(aperture) = controls.clean_aperture
        && aperture.rectangle(settings.width, settings.height).is_none()
    {
        return Err(("clean_aperture", "does not lie within the picture".to_owned()));
    }
    if controls.first_pass == Some(0) {
        return Err(("first_pass", "is the most frames that may come: at least 1".to_owned()));
    }
    if controls.first_pass.is_some()
        && (!matches!(settings.rate, RateControl::Quality(_))
            || controls.base_qp
            || !controls.may_hold_all()
            || layers > 1)
    {
        return Err((
            "first_pass",
            "goes with a constant quality only, and with nothing that needs frames at once".to_owned(),
        ));
    }
    if controls.base_qp && matches!(settings.rate, RateControl::Lossless) {
        return Err(("base_qp", "nothing is quantized where nothing is lost".to_owned()));
    }
    check_buffer(info, settings)
}

/// Returns why a stream of such pictures is not of a profile.
fn wrong_pictures(profile: &ProfileSupport, format: PixelFormat) -> String {
    let (least, most) = profile.depths;
    let depths = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let chroma: Vec<&str> = profile.chroma.iter().map(|chroma| chroma.name()).collect();
    format!(
        "streams are signalled as {} with {depths} bit and {}, and frames are {} with {} bit: choose another profile",
        profile.name,
        chroma.join(" or "),
        format.chroma_subsampling(),
        format.bit_depth()
    )
}

fn two_fields(controls: &Controls) -> bool {
    controls.fields.is_some_and(|fields| fields.count == 2)
}

fn within(name: &'static str, value: Option<u32>, range: Option<(u32, u32)>) -> Result<(), Refusal> {
    match (value, range) {
        (None, _) => Ok(()),
        (Some(_), None) => Err((name, "this encoder does not have it: leave it out".to_owned())),
        (Some(value), Some((min, max))) if (min..=max).contains(&value) => Ok(()),
        (Some(value), Some((min, max))) => {
            Err((name, format!("{value} is not a whole number from {min} to {max}")))
        }
    }
}

fn check_buffer(info: &EncoderInfo, settings: &EncoderSettings) -> Result<(), Refusal> {
    let refuse = |reason: &str| Err(("buffer", reason.to_owned()));
    let Some(RateBuffer { max_rate, seconds, initial }) = settings.controls.buffer else {
        return match settings.rate {
            RateControl::ConstantBitRate(_) => refuse("a constant bit rate needs one"),
            _ => Ok(()),
        };
    };
    match settings.rate {
        RateControl::ConstantBitRate(rate) if rate != max_rate => {
            return refuse("of a constant bit rate fills at that rate: give it as max_rate");
        }
        RateControl::AverageBitRate(_) if !info.controls.variable_bit_rate => {
            return refuse("this encoder does not keep to one beside an average bit rate: leave it out");
        }
        RateControl::AverageBitRate(rate) if rate > max_rate => {
            return refuse("max_rate is below the average bit rate");
        }
        // An encoder that keeps to limits keeps to a buffer at a quality as well: sessions of several passes
        // encode units of a variable rate so.
        RateControl::Quality(_) if !info.controls.rate_limit => {
            return refuse("goes with a constant or average bit rate only");
        }
        RateControl::Lossless => return refuse("leaves no room for what loses nothing"),
        _ => {}
    }
    if settings.controls.low_latency {
        return refuse("low_latency has its own: leave one of them out");
    }
    if settings.limit.is_some() {
        return Err(("limit", "there is a buffer already: leave one of them out".to_owned()));
    }
    if !(1000..=4_000_000_000).contains(&max_rate)
        || !(0.01..=600.0).contains(&seconds)
        || !(0.0..=1.0).contains(&initial)
    {
        return refuse("holds 0.01 to 600 seconds of at least 1 kbit/s, and begins between 0 and 1");
    }
    Ok(())
}

/// Refuses options of a frame that do not fit the settings that the encode was opened with.
pub(crate) fn check_frame(
    controls: &Controls,
    scale: Option<(u32, u32)>,
    options: &FrameOptions,
) -> Result<(), Refusal> {
    if options.base_qp.is_some() != controls.base_qp {
        return Err((
            "base_qp",
            "is given with every frame or with none, as the encode was opened".to_owned(),
        ));
    }
    within("base_qp", options.base_qp, scale)?;
    if !controls.long_term_references && (options.refresh || !options.acknowledged.is_empty()) {
        let name = if options.refresh { "refresh" } else { "acknowledged" };
        return Err((name, "needs an encode that was opened with long_term_references".to_owned()));
    }
    Ok(())
}

/// Returns the pixels off the left, top, right and bottom of the picture that its clean aperture leaves out;
/// `None` where it leaves out nothing, or an edge goes through a block of chroma.
pub(crate) fn crop(settings: &EncoderSettings) -> Option<[u32; 4]> {
    let (width, height) = (settings.width, settings.height);
    let [left, top, across, down] = settings.controls.clean_aperture?.rectangle(width, height)?;
    let edges = [left, top, f64::from(width) - left - across, f64::from(height) - top - down]
        .map(|edge| edge.max(0.0));
    let (across, down) = settings.format.chroma_block().unwrap_or((1, 1));
    // The row of chroma of a field is every second one.
    let down = if two_fields(&settings.controls) { 2 * down } else { down };
    let steps = [across, down, across, down].map(f64::from);
    let whole = edges.iter().zip(steps).all(|(edge, step)| edge % step == 0.0);
    (whole && edges != [0.0; 4]).then(|| edges.map(|edge| edge as u32))
}

/// Returns the controls as a shim takes them, without the string; `warm_up` frames are sent before
/// those that count.
pub(crate) fn lower(info: &EncoderInfo, settings: &EncoderSettings, warm_up: u32) -> RawControls {
    let controls = &settings.controls;
    let number =
        |value: Option<u32>, none: i32| value.map_or(none, |value| value.min(i32::MAX as u32) as i32);
    let look_ahead =
        controls.look_ahead.zip(info.controls.look_ahead).map(|(frames, (min, max))| frames.clamp(min, max));
    let buffer = controls.buffer;
    RawControls {
        no_reordering: controls.no_reordering.into(),
        // Behind frames that do not count, the first that does must be an IDR picture all the same.
        open_gop: (controls.open_gop && (warm_up == 0 || info.controls.forced_in_open_gop)).into(),
        references: number(controls.references, 0),
        look_ahead: number(look_ahead, -1),
        max_delay: number(controls.max_delay, -1),
        low_latency: controls.low_latency.into(),
        min_qp: number(controls.min_qp, -1),
        max_qp: number(controls.max_qp, -1),
        no_spatial_adaptation: controls.no_spatial_adaptation.into(),
        spatial_adaptation: controls.spatial_adaptation.into(),
        base_qp: controls.base_qp.into(),
        level: number(controls.level, 0),
        cabac: controls.cabac.map_or(-1, i32::from),
        slice_bytes: number(controls.slice_bytes, 0),
        layers: number(controls.temporal_layers, 1).max(1),
        long_term: controls.long_term_references.into(),
        more_before: controls.more_before.into(),
        more_after: controls.more_after.into(),
        fields: match controls.fields.and_then(|fields| fields.top_first()) {
            None => 0,
            Some(true) => 1,
            Some(false) => 2,
        },
        film_grain: number(controls.film_grain, 0),
        crop: crop(settings).unwrap_or_default().map(|pixels| pixels as i32),
        limit_kept_by_caller: controls.limit_kept_by_caller.into(),
        // The library must know the number of frames that it sees.
        frame_count: match controls.frame_count {
            0 => 0,
            frames => frames.saturating_add(warm_up.into()).min(i64::MAX as u64) as i64,
        },
        buffer_rate: buffer.map_or(0, |buffer| buffer.max_rate as i64),
        buffer_bits: buffer.map_or(0, |buffer| (buffer.max_rate as f64 * buffer.seconds) as i64),
        buffer_initial: buffer.map_or(0.0, |buffer| buffer.initial),
        ceiling: controls.quality_ceiling.map_or(-1.0, |ceiling| info.quality.snap(ceiling)),
        base_share: controls.base_layer_share.unwrap_or(-1.0),
        profile: null(),
    }
}
