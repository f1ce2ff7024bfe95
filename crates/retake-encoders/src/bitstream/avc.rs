//! Makes the `avcC` record of H.264 (ISO/IEC 14496-15, 5.3.3), and the payloads of samples.

use super::bits::Bits;
use super::nal;
use super::side_data::NalNames;
use retake_compression::encoder::EncoderSettings;

const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;

const FILLER: u8 = 12;

pub(super) const NAMES: NalNames = NalNames {
    kind,
    is_slice: |kind| (1..=5).contains(&kind),
    message_header: |_| vec![SEI],
    filler: FILLER,
};

fn kind(unit: &[u8]) -> u8 {
    unit[0] & 31
}

/// Returns whether a unit stays in samples. Parameter sets do not, because they are in the configuration
/// record. Of SEI messages, unregistered user data does not, because it is the encoder's settings as text,
/// which differ between takes.
pub(super) fn belongs_in_samples(unit: &[u8]) -> bool {
    const USER_DATA: u8 = 5;
    match kind(unit) {
        SPS | PPS | ACCESS_UNIT_DELIMITER => false,
        SEI => unit.get(1) != Some(&USER_DATA),
        _ => true,
    }
}

/// The flags of Constrained High (ISO/IEC 14496-10, A.2.4.2): frames alone, and no B slices.
const CONSTRAINED_HIGH: u8 = 0x0c;

/// Returns the record, from one SPS and one PPS among the headers. x264 does not know Constrained High, whose
/// flags are therefore set here.
pub(super) fn config(headers: &[u8], settings: &EncoderSettings) -> Result<Vec<u8>, String> {
    let (mut sps, mut pps) = (None, None);
    for unit in nal::units(headers) {
        let unit = unit?;
        match kind(unit) {
            SPS => sps = Some(unit),
            PPS => pps = Some(unit),
            _ => {}
        }
    }
    let (Some(sps), Some(pps)) = (sps, pps) else {
        return Err("the library gave no SPS and PPS".to_owned());
    };
    if sps.len() < 4 || sps.len() > 0xffff || pps.len() > 0xffff {
        return Err("the library gave an SPS or PPS of an impossible size".to_owned());
    }
    let mut sps = sps.to_vec();
    if settings.controls.profile.as_deref() == Some("constrained-high") {
        sps[2] |= CONSTRAINED_HIGH;
    }
    let mut record = vec![1, sps[1], sps[2], sps[3], 0xfc | 3, 0xe0 | 1];
    record.extend((sps.len() as u16).to_be_bytes());
    record.extend(&sps);
    record.push(1);
    record.extend((pps.len() as u16).to_be_bytes());
    record.extend(pps);
    if matches!(sps[1], 100 | 110 | 122 | 144 | 244) {
        let raw = nal::unescape(&sps[4..]);
        let format =
            high_profile_format(&mut Bits::new(&raw)).ok_or("the library gave an SPS that ends too early")?;
        record.extend([0xfc | format[0], 0xf8 | format[1], 0xf8 | format[2], 0]);
    }
    Ok(record)
}

/// Returns `chroma_format_idc` and both bit depths minus eight.
fn high_profile_format(bits: &mut Bits<'_>) -> Option<[u8; 3]> {
    bits.exp_golomb()?; // seq_parameter_set_id
    let chroma = bits.exp_golomb()?;
    if chroma == 3 {
        bits.read(1)?;
    }
    Some([chroma as u8 & 3, bits.exp_golomb()? as u8 & 7, bits.exp_golomb()? as u8 & 7])
}
