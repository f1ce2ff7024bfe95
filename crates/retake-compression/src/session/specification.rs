use super::SessionError;
use crate::encoder::{EncoderFactory, NoSuchEncoder, Registry};
use retake_media::Codec;
use std::sync::Arc;

/// Which encoder a session is to have. The default leaves the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias = "kVTVideoEncoderSpecification")]
pub struct EncoderSpecification {
    /// Exactly this encoder: its id ([`EncoderEntry::id`](super::EncoderEntry::id)) or its short name.
    #[doc(alias = "kVTVideoEncoderSpecification_EncoderID")]
    pub encoder: Option<String>,
    /// Whether hardware may be used. True by default; there is none yet.
    #[doc(alias = "kVTVideoEncoderSpecification_EnableHardwareAcceleratedVideoEncoder")]
    pub enable_hardware: bool,
    /// Hardware or nothing.
    #[doc(alias = "kVTVideoEncoderSpecification_RequireHardwareAcceleratedVideoEncoder")]
    pub require_hardware: bool,
    /// The graphics processor that has to encode.
    #[doc(alias = "kVTVideoEncoderSpecification_RequiredEncoderGPURegistryID")]
    pub required_gpu: Option<u64>,
    /// Low latency: one sync frame, then predicted frames; no look-ahead, no reordering. An encoder that
    /// cannot is not found.
    #[doc(alias = "kVTVideoEncoderSpecification_EnableLowLatencyRateControl")]
    pub low_latency: bool,
}

impl Default for EncoderSpecification {
    fn default() -> Self {
        Self {
            encoder: None,
            enable_hardware: true,
            require_hardware: false,
            required_gpu: None,
            low_latency: false,
        }
    }
}

impl EncoderSpecification {
    /// CS-2: the encoder that meets it.
    pub(crate) fn find(
        &self,
        registry: &Registry,
        codec: Codec,
    ) -> Result<Arc<dyn EncoderFactory>, SessionError> {
        let not_found = |reason: String| Err(SessionError::EncoderNotFound(reason));
        if self.require_hardware || self.required_gpu.is_some() {
            return not_found("hardware is required, and no encoder here is hardware".to_owned());
        }
        if let Some(wanted) = &self.encoder {
            let name = wanted.strip_prefix(super::ID_PREFIX).unwrap_or(wanted);
            let factory = match registry.find(name) {
                Ok(factory) => factory,
                Err(NoSuchEncoder::Unknown { .. }) => return not_found(format!("'{wanted}' is unknown")),
                Err(error) => return not_found(format!("{name} {error}")),
            };
            let info = factory.info();
            if info.codec != codec {
                return not_found(format!("{name} writes {}, not {codec}", info.codec));
            }
            if self.low_latency && !info.controls.low_latency {
                return not_found(format!("{name} has no low latency"));
            }
            return Ok(factory);
        }
        let names: Vec<&str> = registry
            .encoders()
            .filter(|info| info.codec == codec && (!self.low_latency || info.controls.low_latency))
            .map(|info| info.name)
            .collect();
        let found = names.first().and_then(|name| registry.by_name(name));
        let mode = if self.low_latency { " with low latency" } else { "" };
        found.ok_or_else(|| SessionError::EncoderNotFound(format!("none for {codec}{mode} in this build")))
    }
}
