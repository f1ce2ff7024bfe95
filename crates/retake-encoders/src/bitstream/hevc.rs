//! Makes the `hvcC` record of HEVC (ISO/IEC 14496-15, 8.3.3), and the payloads of samples.

use super::bits::Bits;
use super::nal;
use super::side_data::NalNames;

const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const ACCESS_UNIT_DELIMITER: u8 = 35;
const PREFIX_SEI: u8 = 39;

const FILLER: u8 = 38;

/// Slices have the numbers below those of parameter sets. Messages have the layer and the temporal layer of
/// their slice.
pub(super) const NAMES: NalNames = NalNames {
    kind,
    is_slice: |kind| kind < VPS,
    message_header: |slice| vec![PREFIX_SEI << 1 | slice[0] & 1, slice.get(1).copied().unwrap_or(1)],
    filler: FILLER,
};

fn kind(unit: &[u8]) -> u8 {
    unit[0] >> 1 & 63
}

/// Returns whether a unit is unregistered user data: the encoder's settings as text, which differ between
/// takes.
fn is_user_data(unit: &[u8]) -> bool {
    const USER_DATA: u8 = 5;
    kind(unit) == PREFIX_SEI && unit.get(2) == Some(&USER_DATA)
}

/// Returns whether a unit stays in samples; parameter sets do not, because they are in the configuration
/// record.
pub(super) fn belongs_in_samples(unit: &[u8]) -> bool {
    !matches!(kind(unit), VPS | SPS | PPS | ACCESS_UNIT_DELIMITER) && !is_user_data(unit)
}

/// Returns the SEI messages among the headers, behind their lengths. They are HDR metadata, which must be
/// wherever decoding can start.
pub(super) fn sync_prefix(headers: &[u8]) -> Result<Vec<u8>, String> {
    nal::keep(headers, &[], |unit| kind(unit) == PREFIX_SEI && !is_user_data(unit))
}

/// Returns the record, from the parameter sets among the headers.
pub(super) fn config(headers: &[u8]) -> Result<Vec<u8>, String> {
    let sets = |wanted: u8| -> Result<Vec<&[u8]>, String> {
        let units: Vec<&[u8]> = nal::units(headers).collect::<Result<_, _>>()?;
        Ok(units.into_iter().filter(|unit| kind(unit) == wanted).collect())
    };
    let sps = *sets(SPS)?.first().ok_or("the library gave no SPS")?;
    let raw = nal::unescape(sps);
    let format = Format::read(&raw).ok_or("the library gave an SPS that ends too early")?;

    let mut record = vec![1];
    record.extend(format.profile_tier_level);
    record.extend([0xf0, 0]); // it promises nothing about spatial segmentation
    record.push(0xfc); // nor about parallelism
    record.extend([0xfc | format.chroma, 0xf8 | format.luma_depth, 0xf8 | format.chroma_depth]);
    record.extend([0, 0]); // the average frame rate is not given
    record.push(format.layers << 3 | u8::from(format.nested) << 2 | 3);
    record.push(3);
    for wanted in [VPS, SPS, PPS] {
        let units = sets(wanted)?;
        record.push(0x80 | wanted); // all sets of this kind are here, none in samples
        record.extend((units.len() as u16).to_be_bytes());
        for unit in units {
            let length = u16::try_from(unit.len())
                .map_err(|_| "the library gave a parameter set of an impossible size")?;
            record.extend(length.to_be_bytes());
            record.extend(unit);
        }
    }
    Ok(record)
}

struct Format {
    profile_tier_level: [u8; 12],
    layers: u8,
    nested: bool,
    chroma: u8,
    luma_depth: u8,
    chroma_depth: u8,
}

impl Format {
    /// Reads an SPS without emulation prevention.
    fn read(sps: &[u8]) -> Option<Self> {
        let profile_tier_level = *sps.get(3..)?.first_chunk::<12>()?;
        let layers_minus_1 = sps[2] >> 1 & 7;
        let mut bits = Bits::new(&sps[15..]);
        skip_layers(&mut bits, layers_minus_1)?;
        bits.exp_golomb()?; // sps_seq_parameter_set_id
        let chroma = bits.exp_golomb()?;
        if chroma == 3 {
            bits.read(1)?;
        }
        bits.exp_golomb()?; // width
        bits.exp_golomb()?; // height
        if bits.flag()? {
            for _ in 0..4 {
                bits.exp_golomb()?; // conformance window
            }
        }
        Some(Self {
            profile_tier_level,
            layers: layers_minus_1 + 1,
            nested: sps[2] & 1 == 1,
            chroma: chroma as u8 & 3,
            luma_depth: bits.exp_golomb()? as u8 & 7,
            chroma_depth: bits.exp_golomb()? as u8 & 7,
        })
    }
}

/// Skips the part of `profile_tier_level` about temporal layers.
fn skip_layers(bits: &mut Bits<'_>, layers_minus_1: u8) -> Option<()> {
    if layers_minus_1 == 0 {
        return Some(());
    }
    let mut present = Vec::new();
    for layer in 0..8 {
        let flags = bits.read(2)?;
        if layer < layers_minus_1 {
            present.push(flags);
        }
    }
    for flags in present {
        for _ in 0..(if flags & 2 != 0 { 11 } else { 0 }) + (flags & 1) {
            bits.read(8)?;
        }
    }
    Some(())
}
