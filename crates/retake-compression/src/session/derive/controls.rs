//! What a session asks of an encoder beyond what every encode is determined by.

use super::{Hints, colour, rate, structure};
use crate::encoder::Controls;
use crate::property::{Environment, H264EntropyMode, PropertyKey, Values, parse_profile, set_value};

pub(super) fn controls(environment: &Environment<'_>, values: &Values, hints: &Hints) -> Controls {
    let info = environment.info;
    let support = &info.controls;
    let low_latency = environment.low_latency;
    let profile = set_value!(values, ProfileLevel).and_then(|name| parse_profile(info, name));
    let least = set_value!(values, MinAllowedFrameQP).copied();
    let most = set_value!(values, MaxAllowedFrameQP).copied();
    let ceiling = rate::ceiling(info, values);
    let buffer = rate::buffer(environment, values);
    let has_ceiling = support.quality_ceiling && buffer.is_none();
    // Where an encoder has no ceiling as such, the smallest quantizer is one, because both are on the same
    // scale.
    let floor = ceiling.filter(|_| !has_ceiling).map(|ceiling| ceiling.ceil() as u32);
    let layered = set_value!(values, BaseLayerFrameRateFraction).is_some_and(|&share| share < 1.0)
        || values.has(PropertyKey::BaseLayerFrameRate);
    let delay = set_value!(values, MaxFrameDelayCount).copied().and_then(|delay| u32::try_from(delay).ok());
    Controls {
        intra_only: structure::intra_only(values),
        // Samples under a limit wait for what is shown before them, which would be a delay of its own.
        no_reordering: set_value!(values, AllowFrameReordering) == Some(&false)
            || low_latency
            || delay.is_some() && values.has(PropertyKey::DataRateLimits),
        open_gop: set_value!(values, AllowOpenGOP) == Some(&true),
        references: set_value!(values, ReferenceBufferCount).copied(),
        look_ahead: set_value!(values, SuggestedLookAheadFrameCount).copied().filter(|_| !low_latency),
        max_delay: delay,
        low_latency,
        min_qp: least.max(floor).map(|qp| most.map_or(qp, |most| qp.min(most))).filter(|_| !hints.base_qp),
        max_qp: most.filter(|_| !hints.base_qp),
        spatial_adaptation: set_value!(values, SpatialAdaptiveQPLevel) == Some(&-1)
            && support.adapts_on_request
            && !low_latency,
        no_spatial_adaptation: set_value!(values, SpatialAdaptiveQPLevel) == Some(&0)
            || low_latency && support.spatial_adaptation && !support.adapts_at_rate,
        base_qp: hints.base_qp,
        quality_ceiling: ceiling.filter(|_| has_ceiling),
        buffer,
        profile: profile.as_ref().map(|profile| profile.profile.name.to_owned()),
        level: profile.and_then(|profile| profile.level),
        cabac: set_value!(values, H264EntropyMode).map(|&mode| mode == H264EntropyMode::Cabac),
        slice_bytes: set_value!(values, MaxH264SliceBytes).copied().filter(|&bytes| bytes > 0),
        frame_errors: set_value!(values, CalculateMeanSquaredError) == Some(&true),
        temporal_layers: layered.then_some(2),
        base_layer_share: set_value!(values, BaseLayerBitRateFraction).copied(),
        long_term_references: set_value!(values, EnableLTR) == Some(&true),
        more_before: set_value!(values, MoreFramesBeforeStart) == Some(&true) && support.steady_start,
        more_after: set_value!(values, MoreFramesAfterEnd) == Some(&true) && support.steady_end,
        first_pass: None,
        frame_count: structure::frame_count(values, hints),
        clean_aperture: structure::aperture(environment, values, hints),
        fields: structure::fields(environment, values, hints),
        no_dynamic_hdr: support.hdr10_plus && !colour::keeps_dynamic_hdr(values),
        dolby_vision: colour::dolby_vision(environment, values, hints),
        limit_kept_by_caller: false,
        // Exports ask for it by themselves; no property of sessions does.
        film_grain: None,
    }
}
