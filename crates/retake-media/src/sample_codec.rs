//! Writes a sample as bytes, in the one form that Retake has for it. Frame silos and take files hold it, each
//! as the payload of a record; [`put_time`] and [`put_kind`] are the forms of a time and a kind in all other
//! files.
//!
//! All numbers are little-endian. `docs/storage-format.md` has the layout. The form is exact and has no
//! second way to say the same: the bytes that [`decode`] accepts are exactly those that [`encode_head`]
//! writes for the decoded sample, so that all others are refused rather than guessed at. Lengths in the bytes
//! must not size an allocation before as many bytes have been seen.

use crate::{Sample, SampleAttachments, SampleKind, Time};
use thiserror::Error;

/// The version of the form, which is its first byte. It must be raised when the form changes.
pub const SAMPLE_VERSION: u8 = 1;

/// The number of bytes of a time: value (i64), timescale (i32), flags (u32), epoch (i64).
pub const TIME_BYTES: usize = 24;

/// The head has version, three times, kind, number of the description, length of the attachments.
const HEAD_BYTES: usize = 1 + 3 * TIME_BYTES + 1 + 4 + 4;

/// A sample as it was written, with the number that its writer gave to its format description.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSample {
    /// The compressed frame and its times.
    pub sample: Sample,
    /// The number of the format description that it is decoded with, in a numbering of the writer's own.
    pub format: u32,
    /// The attachments of the sample.
    pub attachments: SampleAttachments,
}

/// States why a sample cannot be written as bytes, or bytes are not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SampleCodecError {
    /// The bytes are of another version of the form.
    #[error("the sample is in version {0} of its form, and this Retake reads version {SAMPLE_VERSION}")]
    Version(u8),
    /// The bytes end too early.
    #[error("the sample is cut off")]
    CutOff,
    /// Four numbers are no time.
    #[error("the sample has a time that is none")]
    Time,
    /// A number stands for no kind of sample.
    #[error("the sample is of kind {0}, which there is not")]
    Kind(u8),
    /// The bytes of attachments are none that a writer makes.
    #[error("the sample's attachments are damaged")]
    Attachments,
    /// An error against the source is not a number, so the sample cannot be written.
    #[error("an attachment holds something that is not a number")]
    NotANumber,
    /// The attachments have more bytes than a length of 32 bits can state, so the sample cannot be written.
    #[error("the sample has too many attachments")]
    TooLarge,
}

/// Returns the bytes of a sample that precede its compressed frame. The payload of a record is these, and
/// then [`Sample::data`], which need not be copied for it.
///
/// # Errors
/// Returns [`SampleCodecError::NotANumber`] or [`SampleCodecError::TooLarge`].
pub fn encode_head(
    sample: &Sample,
    format: u32,
    attachments: &SampleAttachments,
) -> Result<Vec<u8>, SampleCodecError> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.push(SAMPLE_VERSION);
    for time in [sample.pts, sample.dts, sample.duration] {
        put_time(&mut head, time);
    }
    put_kind(&mut head, sample.kind);
    head.extend(format.to_le_bytes());
    let said = encode_attachments(attachments)?;
    head.extend(u32::try_from(said.len()).map_err(|_| SampleCodecError::TooLarge)?.to_le_bytes());
    head.extend(said);
    Ok(head)
}

/// Returns the sample of a payload; it takes the bytes over for the compressed frame.
///
/// # Errors
/// Returns [`SampleCodecError`] for all bytes but those of [`encode_head`] and the compressed frame behind
/// them.
pub fn decode(mut payload: Vec<u8>) -> Result<StoredSample, SampleCodecError> {
    use SampleCodecError::CutOff;
    let bytes = &mut &payload[..];
    match take(bytes).ok_or(CutOff)? {
        [SAMPLE_VERSION] => {}
        [other] => return Err(SampleCodecError::Version(other)),
    }
    let mut time = || {
        let time = take(bytes).ok_or(CutOff)?;
        time_of(time).ok_or(SampleCodecError::Time)
    };
    let (pts, dts, duration) = (time()?, time()?, time()?);
    let [kind] = take(bytes).ok_or(CutOff)?;
    let kind = kind_of(kind).ok_or(SampleCodecError::Kind(kind))?;
    let format = u32::from_le_bytes(take(bytes).ok_or(CutOff)?);
    let length = u32::from_le_bytes(take(bytes).ok_or(CutOff)?);
    let length = usize::try_from(length).map_err(|_| CutOff)?;
    let (said, data) = bytes.split_at_checked(length).ok_or(CutOff)?;
    let attachments = decode_attachments(said).ok_or(SampleCodecError::Attachments)?;
    let head = payload.len() - data.len();
    payload.drain(..head);
    let sample = Sample { data: payload, pts, dts, duration, kind };
    Ok(StoredSample { sample, format, attachments })
}

/// Writes a time. One that is not valid is written as [`Time::INVALID`], whatever else is in it.
pub fn put_time(out: &mut Vec<u8>, time: Time) {
    out.extend(bytes_of(Time::from_parts(time.value(), time.timescale(), time.flags(), time.epoch())));
}

/// Takes the time off the front of `bytes`; `None` where they are too short or no time.
pub fn take_time(bytes: &mut &[u8]) -> Option<Time> {
    take(bytes).and_then(time_of)
}

/// Writes a kind of sample.
pub fn put_kind(out: &mut Vec<u8>, kind: SampleKind) {
    out.push(match kind {
        SampleKind::Sync => 0,
        SampleKind::Reference => 1,
        SampleKind::Disposable => 2,
    });
}

/// Takes the kind off the front of `bytes`; `None` where they are too short or no kind.
pub fn take_kind(bytes: &mut &[u8]) -> Option<SampleKind> {
    take(bytes).and_then(|[kind]| kind_of(kind))
}

fn kind_of(kind: u8) -> Option<SampleKind> {
    match kind {
        0 => Some(SampleKind::Sync),
        1 => Some(SampleKind::Reference),
        2 => Some(SampleKind::Disposable),
        _ => None,
    }
}

fn bytes_of(time: Time) -> [u8; TIME_BYTES] {
    let mut bytes = [0; TIME_BYTES];
    bytes[..8].copy_from_slice(&time.value().to_le_bytes());
    bytes[8..12].copy_from_slice(&time.timescale().to_le_bytes());
    bytes[12..16].copy_from_slice(&time.flags().to_le_bytes());
    bytes[16..].copy_from_slice(&time.epoch().to_le_bytes());
    bytes
}

fn time_of(stored: [u8; TIME_BYTES]) -> Option<Time> {
    let bytes = &mut &stored[..];
    let value = i64::from_le_bytes(take(bytes)?);
    let timescale = i32::from_le_bytes(take(bytes)?);
    let flags = u32::from_le_bytes(take(bytes)?);
    let time = Time::from_parts(value, timescale, flags, i64::from_le_bytes(take(bytes)?));
    // Parts that contradict each other must be refused, because they would give another time than the one
    // that was written.
    (bytes_of(time) == stored).then_some(time)
}

/// Takes the first bytes off the front of `bytes`.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, back) = bytes.split_first_chunk()?;
    *bytes = back;
    Some(*front)
}

const HAS_TOKEN: u16 = 1 << 15;

/// Returns the attachments that are either stated or not, in the order of their bits.
fn switches(attachments: &mut SampleAttachments) -> [&mut bool; 10] {
    let SampleAttachments {
        partial_sync,
        earlier_display_times_allowed,
        has_redundant_coding,
        display_immediately,
        do_not_display,
        ends_previous_duration,
        reset_decoder,
        drain_decoder,
        permanent_empty_media,
        display_empty_media_immediately,
        temporal_layer: _,
        long_term_reference: _,
        mean_squared_errors: _,
        trim_at_start: _,
        trim_at_end: _,
    } = attachments;
    [
        partial_sync,
        earlier_display_times_allowed,
        has_redundant_coding,
        display_immediately,
        do_not_display,
        ends_previous_duration,
        reset_decoder,
        drain_decoder,
        permanent_empty_media,
        display_empty_media_immediately,
    ]
}

/// Returns the bytes of attachments; there are none where nothing is stated.
fn encode_attachments(attachments: &SampleAttachments) -> Result<Vec<u8>, SampleCodecError> {
    let mut copy = attachments.clone();
    // an invalid time is how bytes say that there is none
    copy.trim_at_start = copy.trim_at_start.filter(|trim| trim.is_valid());
    copy.trim_at_end = copy.trim_at_end.filter(|trim| trim.is_valid());
    if copy.is_empty() {
        return Ok(Vec::new());
    }
    let set = switches(&mut copy).into_iter().enumerate().filter(|(_, set)| **set);
    let mut bits = set.fold(0u16, |bits, (bit, _)| bits | 1 << bit);
    if attachments.long_term_reference.is_some() {
        bits |= HAS_TOKEN;
    }
    let mut out = bits.to_le_bytes().to_vec();
    out.extend(attachments.temporal_layer.to_le_bytes());
    out.extend(attachments.long_term_reference.unwrap_or(0).to_le_bytes());
    for trim in [attachments.trim_at_start, attachments.trim_at_end] {
        put_time(&mut out, trim.unwrap_or(Time::INVALID));
    }
    for error in attachments.mean_squared_errors.as_flattened() {
        if !error.is_finite() {
            return Err(SampleCodecError::NotANumber);
        }
        out.extend(error.to_le_bytes());
    }
    Ok(out)
}

fn decode_attachments(mut bytes: &[u8]) -> Option<SampleAttachments> {
    let mut attachments = SampleAttachments::default();
    if bytes.is_empty() {
        return Some(attachments);
    }
    let bytes = &mut bytes;
    let bits = u16::from_le_bytes(take(bytes)?);
    let switches = switches(&mut attachments);
    if bits & !HAS_TOKEN >= 1 << switches.len() {
        return None;
    }
    switches.into_iter().enumerate().for_each(|(bit, set)| *set = bits & (1 << bit) != 0);
    attachments.temporal_layer = u32::from_le_bytes(take(bytes)?);
    let token = u64::from_le_bytes(take(bytes)?);
    attachments.long_term_reference = (bits & HAS_TOKEN != 0).then_some(token);
    if attachments.long_term_reference.is_none() && token != 0 {
        return None;
    }
    attachments.trim_at_start = Some(take_time(bytes)?).filter(|trim| trim.is_valid());
    attachments.trim_at_end = Some(take_time(bytes)?).filter(|trim| trim.is_valid());
    while !bytes.is_empty() {
        let errors = [take(bytes)?, take(bytes)?, take(bytes)?].map(f64::from_le_bytes);
        if !errors.iter().all(|error| error.is_finite()) {
            return None;
        }
        attachments.mean_squared_errors.push(errors);
    }
    // Attachments that state nothing have no bytes, so a form of them is none that a writer makes.
    (!attachments.is_empty()).then_some(attachments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Makes every kind of time: numeric ones with all flags and epochs, and the implied ones.
    fn time() -> impl Strategy<Value = Time> {
        let numeric = (any::<i64>(), 1i32.., 0u32..2, any::<i64>());
        prop_oneof![
            4 => numeric.prop_map(|(value, scale, rounded, epoch)| {
                Time::from_parts(value, scale, 1 | rounded << 1, epoch)
            }),
            1 => (0u32..16, any::<i64>()).prop_map(|(flags, epoch)| {
                Time::from_parts(0, 0, 1 | flags << 1, epoch)
            }),
            1 => prop::sample::select(vec![
                Time::INVALID, Time::INDEFINITE, Time::POSITIVE_INFINITY, Time::NEGATIVE_INFINITY, Time::ZERO,
            ]),
        ]
    }

    fn trim() -> impl Strategy<Value = Option<Time>> {
        prop::option::of(time()).prop_map(|trim| trim.filter(|trim| trim.is_valid()))
    }

    fn attachments() -> impl Strategy<Value = SampleAttachments> {
        let errors = prop::collection::vec(
            prop::array::uniform3(prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL),
            0..3,
        );
        let said = (any::<[bool; 10]>(), any::<u32>(), any::<Option<u64>>(), trim(), trim(), errors);
        let said = said.prop_map(|(set, temporal_layer, long_term_reference, start, end, errors)| {
            let mut said = SampleAttachments {
                temporal_layer,
                long_term_reference,
                mean_squared_errors: errors,
                trim_at_start: start,
                trim_at_end: end,
                ..SampleAttachments::default()
            };
            switches(&mut said).into_iter().zip(set).for_each(|(switch, set)| *switch = set);
            said
        });
        prop_oneof![1 => Just(SampleAttachments::default()), 2 => said]
    }

    fn stored() -> impl Strategy<Value = StoredSample> {
        let kind =
            prop::sample::select(vec![SampleKind::Sync, SampleKind::Reference, SampleKind::Disposable]);
        let data = prop::collection::vec(any::<u8>(), 0..40);
        (data, (time(), time(), time()), kind, any::<u32>(), attachments()).prop_map(
            |(data, (pts, dts, duration), kind, format, attachments)| StoredSample {
                sample: Sample { data, pts, dts, duration, kind },
                format,
                attachments,
            },
        )
    }

    fn encode(stored: &StoredSample) -> Vec<u8> {
        let mut bytes = encode_head(&stored.sample, stored.format, &stored.attachments).unwrap();
        bytes.extend(&stored.sample.data);
        bytes
    }

    /// Returns all parts of a time, because its equality is of the instant alone.
    fn parts(time: Time) -> (i64, i32, u32, i64) {
        (time.value(), time.timescale(), time.flags(), time.epoch())
    }

    /// Returns all times of a sample.
    fn times(stored: &StoredSample) -> [(i64, i32, u32, i64); 5] {
        let StoredSample { sample, attachments, .. } = stored;
        let trim = |trim: Option<Time>| trim.unwrap_or(Time::INVALID);
        let (start, end) = (trim(attachments.trim_at_start), trim(attachments.trim_at_end));
        [sample.pts, sample.dts, sample.duration, start, end].map(parts)
    }

    proptest! {
        /// Everything comes back: all times with flags and epochs, kinds, attachments, bytes.
        #[test]
        fn a_sample_comes_back_whole(stored in stored()) {
            let again = decode(encode(&stored)).unwrap();
            prop_assert_eq!(times(&again), times(&stored));
            prop_assert_eq!(again, stored);
        }

        /// A head that is cut off is refused; a frame that is cut off must be noticed by the container.
        #[test]
        fn a_head_that_is_cut_off_is_refused(stored in stored()) {
            let bytes = encode(&stored);
            for length in 0..bytes.len() - stored.sample.data.len() {
                prop_assert_eq!(decode(bytes[..length].to_vec()), Err(SampleCodecError::CutOff));
            }
        }

        /// A flipped bit is refused, or gives exactly the bytes that another sample is written as.
        #[test]
        fn a_flipped_bit_is_never_guessed_at(stored in stored(), bit in any::<prop::sample::Index>()) {
            let mut bytes = encode(&stored);
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = decode(bytes.clone()) {
                prop_assert_eq!(encode(&other), bytes);
            }
        }

        /// Any bytes behind a sound front cause no panic, and never more memory than there are bytes.
        #[test]
        fn noise_is_never_guessed_at(stored in stored(), front in 0usize..90, noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = encode(&stored);
            bytes.truncate(front);
            bytes.extend(noise);
            if let Ok(other) = decode(bytes.clone()) {
                prop_assert_eq!(encode(&other), bytes);
            }
        }
    }

    /// The layout is, byte for byte, the one in `docs/storage-format.md`.
    #[test]
    fn the_layout_is_as_it_is_described() {
        let sample = Sample {
            data: vec![0xaa, 0xbb],
            pts: Time::new(1001, 30_000).with_epoch(2),
            dts: Time::new(-1, 1),
            duration: Time::INVALID,
            kind: SampleKind::Disposable,
        };
        let attachments = SampleAttachments {
            ends_previous_duration: true,
            temporal_layer: 3,
            mean_squared_errors: vec![[1.0, 0.0, 0.0]],
            ..SampleAttachments::default()
        };
        let bytes = encode(&StoredSample { sample, format: 7, attachments });
        let mut expected = vec![1];
        expected.extend([0xe9, 3, 0, 0, 0, 0, 0, 0, 0x30, 0x75, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        expected
            .extend([255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([0; 24]);
        expected.extend([2, 7, 0, 0, 0, 86, 0, 0, 0]);
        expected.extend([0x20, 0, 3, 0, 0, 0]);
        expected.extend([0; 8 + 24 + 24]);
        expected.extend([0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        expected.extend([0; 16]);
        expected.extend([0xaa, 0xbb]);
        assert_eq!(bytes, expected);
    }

    /// A trim that is stated to be invalid comes back as none, also where nothing else is stated.
    #[test]
    fn an_invalid_trim_is_none() {
        let time = Time::ZERO;
        let sample = Sample { data: vec![1], pts: time, dts: time, duration: time, kind: SampleKind::Sync };
        let invalid = SampleAttachments { trim_at_end: Some(Time::INVALID), ..SampleAttachments::default() };
        let bytes = encode(&StoredSample { sample, format: 0, attachments: invalid });
        assert_eq!(decode(bytes).unwrap().attachments, SampleAttachments::default());
    }

    /// Each cause has an error of its own.
    #[test]
    fn what_is_wrong_is_named() {
        let sample = Sample {
            data: vec![9],
            pts: Time::ZERO,
            dts: Time::ZERO,
            duration: Time::ZERO,
            kind: SampleKind::Sync,
        };
        let attachments = SampleAttachments { reset_decoder: true, ..SampleAttachments::default() };
        let sound =
            encode(&StoredSample { sample: sample.clone(), format: 0, attachments: attachments.clone() });
        let with = |at: usize, value: u8| {
            let mut bytes = sound.clone();
            bytes[at] = value;
            decode(bytes).err()
        };
        assert_eq!(with(0, 2), Some(SampleCodecError::Version(2)));
        assert_eq!(with(1 + 12, 0), Some(SampleCodecError::Time), "a number that says that it is none");
        assert_eq!(with(73, 3), Some(SampleCodecError::Kind(3)));
        assert_eq!(with(81, 255), Some(SampleCodecError::CutOff), "a length of gigabytes");
        assert_eq!(with(82, 0), Some(SampleCodecError::Attachments), "attachments that say nothing");
        assert_eq!(with(83, 0x40), Some(SampleCodecError::Attachments), "a bit that stands for nothing");
        for wrong in [f64::NAN, f64::INFINITY] {
            let attachments =
                SampleAttachments { mean_squared_errors: vec![[0.0, wrong, 0.0]], ..attachments.clone() };
            assert_eq!(encode_head(&sample, 0, &attachments), Err(SampleCodecError::NotANumber));
        }
    }
}
