//! Keeps headers that are costly to get for the next encode with the same settings.

use retake_compression::encoder::{EncoderSettings, RateControl};
use std::sync::{Mutex, PoisonError};

/// Jobs have one group of settings, and perhaps one for probes, so few headers suffice.
const KEPT: usize = 8;

static HEADERS: Mutex<Vec<(String, Vec<u8>)>> = Mutex::new(Vec::new());

/// Returns the headers for these settings: those of an earlier encode, or else the answer of `get`. They can
/// be shared because headers never depend on the rate.
pub(crate) fn cached<E>(
    encoder: &str,
    settings: &EncoderSettings,
    get: impl FnOnce() -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, E> {
    let settings =
        EncoderSettings { rate: RateControl::Quality(0.0), reconstruct: false, ..settings.clone() };
    let key = format!("{encoder} {settings:?}");
    let known = || HEADERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, headers)) = known().iter().find(|(known, _)| *known == key) {
        return Ok(headers.clone());
    }
    let headers = get()?;
    let mut list = known();
    if list.len() == KEPT {
        list.remove(0);
    }
    list.push((key, headers.clone()));
    Ok(headers)
}
