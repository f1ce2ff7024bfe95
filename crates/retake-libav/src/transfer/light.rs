//! Converts colour primaries and transfer functions: samples become light, light of other primaries, and
//! samples again.

use super::curve::{Curve, scene_gain, screen_gain};
use super::primaries::{self, IDENTITY, Matrix};

/// The number of unknown properties in H.273.
const UNKNOWN: u8 = 2;

/// A change of the light that samples stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Light {
    from: Curve,
    to: Curve,
    /// The matrix for red, green and blue.
    primaries: Matrix,
    /// The shares of luminance, before and after, for HLG.
    weights: [[f64; 3]; 2],
}

/// Primaries and transfer function, as H.273 numbers them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tags {
    pub(super) primaries: u8,
    pub(super) transfer: u8,
}

impl Light {
    /// Returns the change between two kinds of samples; `None` where they mean the same, or one is not known.
    /// Where primaries change, an unknown curve is taken for the usual one.
    pub(super) fn between(from: Tags, to: Tags) -> Result<Option<Self>, String> {
        let differ = |a: u8, b: u8, same: fn(u8) -> u8| a != UNKNOWN && b != UNKNOWN && same(a) != same(b);
        let other_primaries = differ(from.primaries, to.primaries, primaries_of);
        let other_curve = differ(from.transfer, to.transfer, curve_of);
        if !other_primaries && !other_curve {
            return Ok(None);
        }
        let refuse = |what: &str, from: u8, to: u8| {
            format!("{what} {from} cannot be converted to {to}: say nothing, and it is kept")
        };
        let matrix = match other_primaries {
            true => primaries::between(from.primaries, to.primaries)
                .ok_or_else(|| refuse("colour primaries", from.primaries, to.primaries))?,
            false => IDENTITY,
        };
        let [before, after] = match other_curve {
            true => [from.transfer, to.transfer],
            false if from.transfer == UNKNOWN => [if to.transfer == UNKNOWN { 1 } else { to.transfer }; 2],
            false => [from.transfer; 2],
        };
        let curves = Curve::of(before).zip(Curve::of(after));
        let (before, after) =
            curves.ok_or_else(|| refuse("transfer function", from.transfer, to.transfer))?;
        let known = |code| primaries::luminance(code).or(primaries::luminance(9)).unwrap_or([1.0 / 3.0; 3]);
        let own = if from.primaries == UNKNOWN { to.primaries } else { from.primaries };
        let other = if to.primaries == UNKNOWN { own } else { to.primaries };
        Ok(Some(Self { from: before, to: after, primaries: matrix, weights: [known(own), known(other)] }))
    }
}

/// Returns one of the code points that mean the same primaries.
fn primaries_of(code: u8) -> u8 {
    if code == 7 { 6 } else { code }
}

/// Returns one of the code points that mean the same curve.
fn curve_of(code: u8) -> u8 {
    if matches!(code, 6 | 14 | 15) { 1 } else { code }
}

/// Tabulates a function: so many steps between a number and its double, and straight lines from one step to
/// the next.
struct Table(Vec<f32>);

impl Table {
    const STEP_BITS: u32 = 10;
    /// The number of the mantissa's bits below a step.
    const REST: u32 = f32::MANTISSA_DIGITS - 1 - Self::STEP_BITS;
    const LEAST: f32 = 1.0 / (1_u32 << 30) as f32;
    /// More than the brightest light.
    const MOST: f32 = 128.0;

    fn new(function: impl Fn(f64) -> f64) -> Self {
        let (first, last) = (Self::LEAST.to_bits() >> Self::REST, Self::MOST.to_bits() >> Self::REST);
        let steps = (first..=last + 1).map(|step| f32::from_bits(step << Self::REST));
        Self(steps.map(|number| function(f64::from(number)) as f32).collect())
    }

    fn at(&self, number: f32) -> f32 {
        // Smaller numbers, and NaN, lie on a straight line to zero.
        if number.is_nan() || number < Self::LEAST {
            return number.max(0.0) / Self::LEAST * self.0[0];
        }
        let bits = number.min(Self::MOST).to_bits();
        let index = ((bits >> Self::REST) - (Self::LEAST.to_bits() >> Self::REST)) as usize;
        let part = (bits & ((1 << Self::REST) - 1)) as f32 / (1_u32 << Self::REST) as f32;
        let (low, high) = (self.0[index], self.0[index + 1]);
        low + (high - low) * part
    }
}

/// A change with its tables.
pub(super) struct LightTables {
    pub(super) light: Light,
    to_light: Table,
    to_sample: Table,
    /// The gains of HLG by luminance, before and after.
    gains: [Option<Table>; 2],
    matrix: [[f32; 3]; 3],
    weights: [[f32; 3]; 2],
}

impl LightTables {
    pub(super) fn new(light: Light) -> Self {
        let gain = |curve: Curve, gain: fn(f64) -> f64| (curve == Curve::Hlg).then(|| Table::new(gain));
        Self {
            light,
            to_light: Table::new(|sample| light.from.light(sample)),
            to_sample: Table::new(|amount| light.to.sample(amount)),
            gains: [gain(light.from, screen_gain), gain(light.to, scene_gain)],
            matrix: light.primaries.map(|row| row.map(|factor| factor as f32)),
            weights: light.weights.map(|weights| weights.map(|weight| weight as f32)),
        }
    }

    /// Changes rows of green, blue and red, which lie from 0 to 1 but for excesses; afterwards they lie from
    /// `least` to `most`.
    pub(super) fn change(&self, [greens, blues, reds]: &mut [Vec<f32>; 3], [least, most]: [f32; 2]) {
        for ((green, blue), red) in greens.iter_mut().zip(blues).zip(reds) {
            let mut rgb = [*red, *green, *blue].map(|sample| odd(&self.to_light, sample));
            if let Some(gain) = &self.gains[0] {
                let gain = gain.at(dot(self.weights[0], rgb));
                rgb = rgb.map(|amount| amount * gain);
            }
            rgb = self.matrix.map(|row| dot(row, rgb));
            if let Some(gain) = &self.gains[1] {
                let gain = gain.at(dot(self.weights[1], rgb));
                rgb = rgb.map(|amount| amount * gain);
            }
            [*red, *green, *blue] = rgb.map(|amount| odd(&self.to_sample, amount).clamp(least, most));
        }
    }
}

/// Maps a light by a table. Negative light, which no screen makes, is mapped as the same of the other sign,
/// as zimg does.
fn odd(table: &Table, number: f32) -> f32 {
    table.at(number.abs()).copysign(number)
}

fn dot([a, b, c]: [f32; 3], [x, y, z]: [f32; 3]) -> f32 {
    a * x + b * y + c * z
}
