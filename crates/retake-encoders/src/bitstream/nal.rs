//! Reads and writes NAL units behind 4-byte big-endian lengths.

/// The bytes of the length before a unit.
pub(super) const LENGTH_BYTES: usize = 4;

/// Iterates over the units of a payload, in order, without their lengths.
pub(super) fn units(data: &[u8]) -> impl Iterator<Item = Result<&[u8], String>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let unit = split(rest);
        rest = unit.as_ref().map_or(&[], |(_, rest)| rest);
        Some(unit.map(|(unit, _)| unit))
    })
}

fn split(data: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let cut = || "a NAL unit of the library ends before its length says".to_owned();
    let (length, rest) = data.split_first_chunk::<LENGTH_BYTES>().ok_or_else(cut)?;
    let length = u32::from_be_bytes(*length) as usize;
    if length == 0 || length > rest.len() {
        return Err(cut());
    }
    Ok(rest.split_at(length))
}

/// Appends a unit behind its length.
pub(super) fn push(to: &mut Vec<u8>, unit: &[u8]) {
    to.extend((unit.len() as u32).to_be_bytes());
    to.extend(unit);
}

/// Returns `prefix` and those units of a payload that `wanted` is true for.
pub(super) fn keep(data: &[u8], prefix: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, String> {
    let mut kept = Vec::with_capacity(prefix.len() + data.len());
    kept.extend(prefix);
    for unit in units(data) {
        let unit = unit?;
        if wanted(unit) {
            push(&mut kept, unit);
        }
    }
    Ok(kept)
}

/// Returns units that stand behind start codes (ITU-T H.264, annex B) behind lengths.
pub(super) fn from_start_codes(data: &[u8]) -> Vec<u8> {
    let mut units = Vec::with_capacity(data.len() + 16);
    let is_code = |at: usize| data[at..].starts_with(&[0, 0, 1]);
    let mut codes = (0..data.len()).filter(|&at| is_code(at)).peekable();
    while let Some(code) = codes.next() {
        let end = codes.peek().copied().unwrap_or(data.len());
        let unit = &data[code + 3..end];
        // No unit ends with a zero: those that do stand before it are of the next code, or fill the end.
        let length = unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        if length > 0 {
            push(&mut units, &unit[..length]);
        }
    }
    units
}

/// Returns a unit without its emulation prevention bytes.
pub(super) fn unescape(unit: &[u8]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        raw.push(byte);
    }
    raw
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_kept_and_cut_ones_reported() {
        let mut data = Vec::new();
        push(&mut data, &[1, 2, 3]);
        push(&mut data, &[9]);
        assert_eq!(units(&data).collect::<Result<Vec<_>, _>>().unwrap(), [&[1u8, 2, 3][..], &[9]]);
        assert_eq!(keep(&data, &[7], |unit| unit[0] == 9).unwrap(), [7, 0, 0, 0, 1, 9]);
        data.pop();
        assert!(keep(&data, &[], |_| true).is_err());
        assert_eq!(units(&[0, 0]).count(), 1);
    }

    #[test]
    fn start_codes_become_lengths() {
        let stream = [0, 0, 0, 1, 9, 0, 0, 3, 1, 0, 0, 1, 7, 8, 0, 0, 0, 1, 0, 0, 0, 1, 5, 0, 0];
        let mut units = Vec::new();
        for unit in [&[9, 0, 0, 3, 1][..], &[7, 8], &[5]] {
            push(&mut units, unit);
        }
        assert_eq!(from_start_codes(&stream), units);
        assert!(from_start_codes(&[0, 0, 0]).is_empty());
    }

    #[test]
    fn emulation_prevention_is_removed() {
        assert_eq!(unescape(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), [0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(unescape(&[0, 3, 0, 0, 0, 3]), [0, 3, 0, 0, 0]);
    }
}
