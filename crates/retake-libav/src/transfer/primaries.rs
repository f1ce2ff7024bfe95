//! Converts light between the colour primaries of H.273.

/// The coordinates x and y of red, green, blue and white.
type Chromaticities = [[f64; 2]; 4];
pub(super) type Matrix = [[f64; 3]; 3];

pub(super) const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

const D65: [f64; 2] = [0.3127, 0.3290];
const C: [f64; 2] = [0.310, 0.316];

/// Returns a line of table 2 of H.273.
fn chromaticities(code: u8) -> Option<Chromaticities> {
    Some(match code {
        1 => [[0.640, 0.330], [0.300, 0.600], [0.150, 0.060], D65],
        4 => [[0.67, 0.33], [0.21, 0.71], [0.14, 0.08], C],
        5 => [[0.64, 0.33], [0.29, 0.60], [0.15, 0.06], D65],
        6 | 7 => [[0.630, 0.340], [0.310, 0.595], [0.155, 0.070], D65],
        8 => [[0.681, 0.319], [0.243, 0.692], [0.145, 0.049], C],
        9 => [[0.708, 0.292], [0.170, 0.797], [0.131, 0.046], D65],
        10 => [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0 / 3.0, 1.0 / 3.0]],
        11 => [[0.680, 0.320], [0.265, 0.690], [0.150, 0.060], [0.314, 0.351]],
        12 => [[0.680, 0.320], [0.265, 0.690], [0.150, 0.060], D65],
        22 => [[0.630, 0.340], [0.295, 0.605], [0.155, 0.077], D65],
        _ => return None,
    })
}

/// Returns the shares of red, green and blue in luminance.
pub(super) fn luminance(code: u8) -> Option<[f64; 3]> {
    chromaticities(code).map(|known| to_xyz(known)[1])
}

/// Returns the matrix from red, green and blue of one kind to those of another. White stays white (Bradford),
/// as in zimg.
pub(super) fn between(from: u8, to: u8) -> Option<Matrix> {
    let (from, to) = (chromaticities(from)?, chromaticities(to)?);
    let white = match from[3] == to[3] {
        true => IDENTITY,
        false => adaptation(from[3], to[3]),
    };
    Some(product(inverse(to_xyz(to)), product(white, to_xyz(from))))
}

fn xyz([x, y]: [f64; 2]) -> [f64; 3] {
    // Pure X and pure Z of the XYZ primaries have no luminance, so they keep their own scale.
    if y == 0.0 { [x, 0.0, 1.0 - x] } else { [x / y, 1.0, (1.0 - x - y) / y] }
}

fn to_xyz([red, green, blue, white]: Chromaticities) -> Matrix {
    let columns = [red, green, blue].map(xyz);
    let matrix = [0, 1, 2].map(|row| columns.map(|column| column[row]));
    let amounts = times(inverse(matrix), xyz(white));
    matrix.map(|row| [0, 1, 2].map(|column| row[column] * amounts[column]))
}

fn adaptation(from: [f64; 2], to: [f64; 2]) -> Matrix {
    const CONES: Matrix = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]];
    let (before, after) = (times(CONES, xyz(from)), times(CONES, xyz(to)));
    let mut gains = IDENTITY;
    for i in 0..3 {
        gains[i][i] = after[i] / before[i];
    }
    product(inverse(CONES), product(gains, CONES))
}

pub(super) fn product(a: Matrix, b: Matrix) -> Matrix {
    [0, 1, 2].map(|i| [0, 1, 2].map(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

fn times(matrix: Matrix, vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
}

/// Inverts by minors, because all matrices here are far from singular.
fn inverse(m: Matrix) -> Matrix {
    let minor = |i: usize, j: usize| {
        let (a, b, c, d) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3);
        m[a][c] * m[b][d] - m[a][d] * m[b][c]
    };
    let whole: f64 = (0..3).map(|j| m[0][j] * minor(0, j)).sum();
    [0, 1, 2].map(|i| [0, 1, 2].map(|j| minor(j, i) / whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BT.2087 prints these numbers for BT.709 in BT.2020, and the luma weights of both are known.
    #[test]
    fn known_matrices() {
        let near = |found: [f64; 3], printed: [f64; 3]| {
            found.iter().zip(printed).all(|(found, printed)| (found - printed).abs() < 6e-5)
        };
        let [red, green, blue] = between(1, 9).unwrap();
        assert!(near(red, [0.6274, 0.3293, 0.0433]), "{red:?}");
        assert!(near(green, [0.0691, 0.9195, 0.0114]), "{green:?}");
        assert!(near(blue, [0.0164, 0.0880, 0.8956]), "{blue:?}");
        assert!(near(luminance(1).unwrap(), [0.2126, 0.7152, 0.0722]));
        assert!(near(luminance(9).unwrap(), [0.2627, 0.6780, 0.0593]));
    }

    /// White is white in all, and a round trip changes nothing.
    #[test]
    fn white_stays_and_all_comes_back() {
        let codes: Vec<u8> = (0..=255).filter(|&code| chromaticities(code).is_some()).collect();
        for (from, to) in codes.iter().flat_map(|from| codes.iter().map(move |to| (*from, *to))) {
            let there = between(from, to).unwrap();
            assert!(times(there, [1.0; 3]).iter().all(|one| (one - 1.0).abs() < 1e-9), "{from} to {to}");
            let back = product(between(to, from).unwrap(), there);
            let off = back.as_flattened().iter().zip(IDENTITY.as_flattened());
            assert!(off.into_iter().all(|(a, b)| (a - b).abs() < 1e-9), "{from} to {to}");
        }
    }
}
