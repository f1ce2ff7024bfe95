//! AAC as transport streams carry it: each packet has a header of its own (ADTS), and the track no
//! configuration. Other containers want the configuration once, and packets without headers.

use crate::input::Input;
use retake_media::AudioFormat;
use std::collections::BTreeMap;

/// Packets that are looked at to find the first of each track.
const MOST: usize = 4096;

/// Finds the tracks whose packets have such headers, and gives their formats the configuration that is in
/// them. The input must read these tracks alone, and gives out all of their packets afterwards.
pub(crate) fn find(input: &mut Input, formats: &mut [(u32, &mut AudioFormat)]) -> Vec<u32> {
    let mut missing: BTreeMap<u32, &mut AudioFormat> = formats
        .iter_mut()
        .filter(|(_, format)| format.codec == "aac" && format.config.is_empty())
        .map(|(track, format)| (*track, &mut **format))
        .collect();
    let mut found = Vec::new();
    if missing.is_empty() {
        return found;
    }
    input.record();
    for _ in 0..MOST {
        // an error shows again when the packets are read
        let Ok(Some(packet)) = input.read() else { break };
        if let Some(format) = missing.remove(&packet.stream())
            && let Some(Header { config, .. }) = header(packet.data())
        {
            format.config = config.to_vec();
            found.push(packet.stream());
        }
        if missing.is_empty() {
            break;
        }
    }
    input.replay();
    found
}

/// Returns the packet without its header.
pub(crate) fn without_header(packet: &[u8]) -> &[u8] {
    header(packet).map_or(packet, |header| &packet[header.length..])
}

/// Returns the configuration that the header of a packet states, if it has one.
pub(crate) fn configuration(packet: &[u8]) -> Option<[u8; 2]> {
    header(packet).map(|header| header.config)
}

/// Whether a packet begins like one with a header, and has none.
pub(crate) fn is_damaged(packet: &[u8]) -> bool {
    matches!(packet, [0xff, second, ..] if second & 0xf0 == 0xf0) && header(packet).is_none()
}

struct Header {
    length: usize,
    /// The AudioSpecificConfig of ISO 14496-3.
    config: [u8; 2],
}

/// Reads a header (ISO 13818-7, 6.2). Returns `None` where there is none, where channels are described
/// elsewhere, and where a packet holds several blocks, because those cannot be told apart without decoding.
fn header(packet: &[u8]) -> Option<Header> {
    let [0xff, second, third, fourth, _, _, seventh, ..] = *packet else { return None };
    let length = if second & 1 == 1 { 7 } else { 9 };
    let (object, rate) = ((third >> 6) + 1, third >> 2 & 15);
    let channels = (third & 1) << 2 | fourth >> 6;
    let sound = second & 0xf6 == 0xf0 && rate < 13 && channels > 0 && seventh & 3 == 0;
    let config = (u16::from(object) << 11 | u16::from(rate) << 7 | u16::from(channels) << 3).to_be_bytes();
    (sound && packet.len() > length).then_some(Header { length, config })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AAC-LC of 48 kHz in stereo, which every description of the format has as 0x1190.
    #[test]
    fn a_header_has_the_configuration() {
        let packet = [0xff, 0xf1, 0x4c, 0x80, 0x01, 0x3f, 0xfc, 0xde, 0x02];
        assert_eq!(header(&packet).unwrap().config, [0x11, 0x90]);
        assert_eq!(without_header(&packet), [0xde, 0x02]);
        for short in 0..packet.len() - 1 {
            assert_eq!(without_header(&packet[..short]), &packet[..short]);
        }
        assert!(is_damaged(&packet[..5]) && is_damaged(&[0xff, 0xff, 0, 0]) && !is_damaged(&packet));
        assert!(!is_damaged(&[0x21, 0x10]) && !is_damaged(&[0xff]) && !is_damaged(&[]));
        assert_eq!(without_header(&[0x21, 0x10, 0x05, 0, 0, 0, 0, 0]).len(), 8);
    }
}
