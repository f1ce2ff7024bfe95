//! Writes what frames bring beside their pictures into their samples: captions and dynamic HDR metadata.
//!
//! The libraries are not asked to, although some could. x265 copies a message into the memory that an earlier
//! message of the same picture buffer needed, whatever its length (3.5); it writes metadata of Dolby Vision
//! only together with a decoder model. SVT-AV1 puts messages before the picture that is coded, which need not
//! be the one that is shown. The price is that the buffer model of a library does not count these bytes: in a
//! stream of constant rate they take the place of filler, and everywhere else they are counted with the
//! sample.

use super::nal;
use retake_compression::encoder::EncoderSettings;
use retake_media::{Codec, PixelBuffer};

/// The number of `cc_data_pkt` that one message of captions holds; its field has five bits.
const MOST_CAPTIONS: usize = 31;

/// The kinds of side data that go into the samples of an encode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    captions: bool,
    hdr10_plus: bool,
    rpu: bool,
}

impl Wanted {
    pub(super) fn new(codec: Codec, settings: &EncoderSettings) -> Self {
        Self {
            captions: matches!(codec, Codec::H264 | Codec::Hevc | Codec::Av1),
            hdr10_plus: matches!(codec, Codec::Hevc | Codec::Av1) && settings.keeps_hdr10_plus(),
            rpu: codec == Codec::Hevc && settings.controls.dolby_vision.is_some(),
        }
    }

    /// Returns the side data of a frame that go into its sample; `None` where there are none.
    pub(super) fn of(self, picture: &PixelBuffer) -> Option<SideData> {
        let known = picture.attachments();
        if known.is_empty() {
            return None;
        }
        let captions = known.captions().filter(|_| self.captions);
        let hdr10_plus = known.hdr10_plus().filter(|message| self.hdr10_plus && !message.is_empty());
        let rpu = known.dolby_vision_rpu().filter(|rpu| self.rpu && !rpu.is_empty());
        let mut messages = captions.map_or_else(Vec::new, |captions| caption_messages(&captions));
        messages.extend(hdr10_plus.map(|message| message.to_vec()));
        let found = SideData { messages, rpu: rpu.map(|rpu| rpu.to_vec()) };
        (!found.messages.is_empty() || found.rpu.is_some()).then_some(found)
    }
}

/// The side data of one frame.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SideData {
    /// Messages of ITU-T T.35, from the country code on.
    pub(super) messages: Vec<Vec<u8>>,
    /// Metadata of Dolby Vision, from their prefix on.
    pub(super) rpu: Option<Vec<u8>>,
}

/// Returns captions as messages of ITU-T T.35 (ATSC A/53 part 4, 6.2). Bytes that make no whole
/// `cc_data_pkt` are left out.
fn caption_messages(captions: &[u8]) -> Vec<Vec<u8>> {
    let (packets, _) = captions.as_chunks::<3>();
    let message = |packets: &[[u8; 3]]| {
        // The country is the United States, the provider ATSC, and what follows are captions.
        let mut message = vec![0xB5, 0x00, 0x31, b'G', b'A', b'9', b'4', 0x03];
        // process_cc_data_flag and the number of packets, then em_data, which is reserved.
        message.extend([0x40 | packets.len() as u8, 0xFF]);
        message.extend(packets.as_flattened());
        message.push(0xFF);
        message
    };
    packets.chunks(MOST_CAPTIONS).map(message).collect()
}

/// How NAL units of a codec are named.
pub(super) struct NalNames {
    /// Returns the kind of a unit that is not empty.
    pub(super) kind: fn(&[u8]) -> u8,
    /// Returns whether units of a kind hold a part of the picture.
    pub(super) is_slice: fn(u8) -> bool,
    /// Returns the header of a unit of messages that stand before this slice.
    pub(super) message_header: fn(&[u8]) -> Vec<u8>,
    pub(super) filler: u8,
}

/// Returns a payload of NAL units with the side data of its frame: messages before its first slice, metadata
/// of Dolby Vision behind all else.
pub(super) fn insert_nals(sample: Vec<u8>, side: &SideData, names: &NalNames) -> Result<Vec<u8>, String> {
    let mut units: Vec<Vec<u8>> =
        nal::units(&sample).map(|unit| unit.map(<[u8]>::to_vec)).collect::<Result<_, _>>()?;
    let first = units.iter().position(|unit| (names.is_slice)((names.kind)(unit)));
    let first = first.ok_or("the library gave a sample without a picture")?;
    let messages: Vec<Vec<u8>> = side
        .messages
        .iter()
        .map(|message| message_unit((names.message_header)(&units[first]), message))
        .collect();
    let rpu = side.rpu.as_ref().map(|rpu| rpu_unit(rpu));
    let added: usize = messages.iter().chain(&rpu).map(|unit| nal::LENGTH_BYTES + unit.len()).sum();
    give_way(&mut units, added, names);
    units.splice(first..first, messages);
    units.extend(rpu);
    let mut made = Vec::with_capacity(sample.len() + added);
    units.iter().for_each(|unit| nal::push(&mut made, unit));
    Ok(made)
}

/// Takes as many bytes from filler as are there, at most `bytes`.
fn give_way(units: &mut [Vec<u8>], mut bytes: usize, names: &NalNames) {
    for unit in units.iter_mut().filter(|unit| (names.kind)(unit) == names.filler) {
        let filling = unit.iter().filter(|byte| **byte == 0xFF).count();
        // A unit of filler keeps one byte of it, so that it stays one.
        let taken = bytes.min(filling.saturating_sub(1));
        if let Some(at) = unit.iter().position(|byte| *byte == 0xFF) {
            unit.drain(at..at + taken);
        }
        bytes -= taken;
    }
}

/// Returns a unit with one message of type 4, `user_data_registered_itu_t_t35`.
fn message_unit(header: Vec<u8>, message: &[u8]) -> Vec<u8> {
    let mut body = vec![4];
    body.extend(std::iter::repeat_n(0xFF, message.len() / 255));
    body.push((message.len() % 255) as u8);
    body.extend(message);
    body.push(0x80);
    escaped(header, &body)
}

/// Returns the unit of metadata of Dolby Vision, whose header is always the same.
fn rpu_unit(rpu: &[u8]) -> Vec<u8> {
    escaped(vec![0x7C, 0x01], rpu)
}

/// Appends a body to a header, with emulation prevention.
fn escaped(mut unit: Vec<u8>, body: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    for &byte in body {
        if zeros >= 2 && byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        unit.push(byte);
    }
    unit
}

/// Returns the OBUs of messages, one each (AV1, 5.8.2).
pub(super) fn metadata_obus(side: &SideData) -> Vec<u8> {
    const METADATA_WITH_SIZE: u8 = 5 << 3 | 2;
    const ITUT_T35: u8 = 4;
    let mut made = Vec::new();
    for message in &side.messages {
        made.push(METADATA_WITH_SIZE);
        let mut size = message.len() + 2;
        while size > 127 {
            made.push(size as u8 | 128);
            size >>= 7;
        }
        made.push(size as u8);
        made.push(ITUT_T35);
        made.extend(message);
        made.push(0x80); // trailing bits
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitstream::{avc, hevc};

    fn joined(units: &[&[u8]]) -> Vec<u8> {
        let mut data = Vec::new();
        units.iter().for_each(|unit| nal::push(&mut data, unit));
        data
    }

    /// [EF-9]: more captions than one message holds become several, and nothing of them is lost.
    #[test]
    fn captions_that_fill_more_than_one_message_are_all_there() {
        let captions: Vec<u8> = (0..40 * 3).collect();
        let messages = caption_messages(&[&captions[..], &[1, 2]].concat());
        assert_eq!(messages.iter().map(|message| message[8] & 31).collect::<Vec<_>>(), [31, 9]);
        let packets: Vec<u8> =
            messages.iter().flat_map(|message| message[10..message.len() - 1].to_vec()).collect();
        assert_eq!(packets, captions);
        assert!(messages.iter().all(|message| message.starts_with(b"\xB5\x00\x31GA94\x03")));
    }

    /// Messages stand before the first slice and behind what must come first; metadata of Dolby Vision are
    /// the last unit; neither holds a start code.
    #[test]
    fn units_stand_where_decoders_look_for_them() {
        let message = [&[0xB5; 254][..], &[0, 0, 1]].concat();
        let side = SideData { messages: vec![message.clone()], rpu: Some(vec![25, 0, 0, 0, 0x80]) };
        let (parameters, first, second) = ([0x4E, 2, 1, 0x80], [0x26, 2, 9], [0x26, 2, 8]);
        let sample = joined(&[&parameters, &first, &second]);
        let made = insert_nals(sample, &side, &hevc::NAMES).unwrap();
        let made: Vec<_> = nal::units(&made).collect::<Result<_, _>>().unwrap();
        assert_eq!([made[0], made[2], made[3]], [&parameters[..], &first, &second]);
        // The unit has the temporal layer of the slice.
        assert_eq!(made[1][..5], [0x4E, 2, 4, 255, 2]);
        assert_eq!(nal::unescape(&made[1][5..]), [&message[..], &[0x80]].concat());
        assert_eq!(made[4], [0x7C, 1, 25, 0, 0, 3, 0, 0x80]);
        for unit in made {
            assert!(!unit.windows(3).any(|bytes| bytes[..2] == [0, 0] && bytes[2] < 3), "{unit:?}");
        }
        assert!(insert_nals(joined(&[&parameters]), &side, &hevc::NAMES).is_err());
    }

    /// In a stream of constant rate a sample is as long with side data as without, where there is filler.
    #[test]
    fn filler_gives_way() {
        let side = SideData { messages: vec![vec![0xB5; 20]], rpu: None };
        let filler = [&[12][..], &[0xFF; 200], &[0x80]].concat();
        let sample = joined(&[&[0x65, 1], &filler]);
        let made = insert_nals(sample.clone(), &side, &avc::NAMES).unwrap();
        assert_eq!(made.len(), sample.len());
        let short = joined(&[&[0x65, 1], &[12, 0xFF, 0xFF, 0x80]]);
        assert!(insert_nals(short.clone(), &side, &avc::NAMES).unwrap().len() > short.len());
    }

    #[test]
    fn long_messages_have_long_sizes() {
        let side = SideData { messages: vec![vec![0xB5; 200]], rpu: None };
        let made = metadata_obus(&side);
        assert_eq!(made[..5], [0x2A, 202 & 127 | 128, 1, 4, 0xB5]);
        assert_eq!((made.len(), made.last()), (1 + 2 + 202, Some(&0x80)));
    }
}
