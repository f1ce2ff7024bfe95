//! Adds each column's share to the sums of its block, row by row, in loops over whole rows that compilers
//! turn into vectors.

use crate::planes::Sample;

/// Adds the squared differences of two rows to the sums of their columns.
pub(super) fn add_errors<S: Sample>(sums: &mut [u32], a: &[S], b: &[S]) {
    for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
        *sum += a.squared_difference(b);
    }
}

/// Adds the magnitudes of the spatial high pass at the middle of three rows: sixteen times the sample less
/// the 3×3 binomial around it. The first and the last column have no neighbours and add nothing. `column` is
/// scratch of a row's length.
pub(super) fn add_high_pass<S: Sample>(sums: &mut [u32], column: &mut [i16], rows: [&[S]; 3]) {
    let [above, here, below] = rows;
    for (((sum, &a), &h), &b) in column.iter_mut().zip(above).zip(here).zip(below) {
        *sum = a.wide() + 2 * h.wide() + b.wide();
    }
    let inner = column.len().saturating_sub(2);
    let (left, middle, right) = (&column[..inner], &column[1..], &column[2.min(column.len())..]);
    let neighbours = left.iter().zip(middle).zip(right);
    for ((sum, &h), ((&l, &m), &r)) in sums.iter_mut().skip(1).zip(here.iter().skip(1)).zip(neighbours) {
        let high = 16 * h.wide() - (l + 2 * m + r);
        *sum += u32::from(high.unsigned_abs());
    }
}

/// Adds the magnitudes of the change from one row to the next in time; with a row before those two, of the
/// change of the change.
pub(super) fn add_change<S: Sample>(sums: &mut [u32], here: &[S], before: &[S], earlier: Option<&[S]>) {
    match earlier {
        None => {
            for ((sum, &h), &b) in sums.iter_mut().zip(here).zip(before) {
                *sum += u32::from((h.wide() - b.wide()).unsigned_abs());
            }
        }
        Some(earlier) => {
            for (((sum, &h), &b), &e) in sums.iter_mut().zip(here).zip(before).zip(earlier) {
                *sum += u32::from((h.wide() - 2 * b.wide() + e.wide()).unsigned_abs());
            }
        }
    }
}

/// Adds the high pass for large pictures, which covers the sums of 2×2 samples and the two rings of samples
/// around them with the weights 12, −3 (sides), −2 (corners) and −1 (second ring without its corners). `rows`
/// are six, the pair in the middle. The sum goes to the left column of the pair.
pub(super) fn add_high_pass_of_pairs<S: Sample>(sums: &mut [u32], rows: [&[S]; 6]) {
    let width = rows[0].len();
    let pair = |rows: (&[S], &[S]), x: usize| i32::from(rows.0[x].wide()) + i32::from(rows.1[x].wide());
    let (inner, ring, far) = ((rows[2], rows[3]), (rows[1], rows[4]), (rows[0], rows[5]));
    for x in (2..width.saturating_sub(3)).step_by(2) {
        let both = |rows, at: usize, other: usize| pair(rows, at) + pair(rows, other);
        let high = 12 * both(inner, x, x + 1)
            - 3 * (both(ring, x, x + 1) + both(inner, x - 1, x + 2))
            - 2 * both(ring, x - 1, x + 2)
            - (both(far, x - 1, x) + both(far, x + 1, x + 2))
            - (both(inner, x - 2, x + 3) + both(ring, x - 2, x + 3));
        sums[x] += high.unsigned_abs();
    }
}

/// Adds the change in time of sums of 2×2 samples, for large pictures; it takes two rows of each picture.
pub(super) fn add_change_of_pairs<S: Sample>(
    sums: &mut [u32],
    here: [&[S]; 2],
    before: [&[S]; 2],
    earlier: Option<[&[S]; 2]>,
) {
    let quad = |rows: [&[S]; 2], x: usize| {
        rows[0][x].wide() + rows[0][x + 1].wide() + rows[1][x].wide() + rows[1][x + 1].wide()
    };
    for x in (0..here[0].len().saturating_sub(1)).step_by(2) {
        let change = match earlier {
            None => quad(here, x) - quad(before, x),
            Some(earlier) => quad(here, x) - 2 * quad(before, x) + quad(earlier, x),
        };
        sums[x] += u32::from(change.unsigned_abs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_pass_by_hand() {
        let (dark, dot): ([u8; 5], [u8; 5]) = ([10; 5], [10, 10, 30, 10, 10]);
        let (mut sums, mut scratch) = ([0; 5], [0; 5]);
        add_high_pass(&mut sums, &mut scratch, [&dark, &dot, &dark]);
        assert_eq!(sums, [0, 2 * 20, 12 * 20, 2 * 20, 0]);
        let mut sums = [0; 5];
        add_high_pass(&mut sums, &mut scratch, [&dot, &dark, &dark]);
        assert_eq!(sums, [0, 20, 2 * 20, 20, 0]);
    }

    #[test]
    fn high_pass_of_pairs_by_hand() {
        let dark = [5_u16; 8];
        // The weight of each sample around the pair at 2 and 3 comes from the picture with a dot there.
        let weight = |row: usize, x: usize| {
            let mut dot = dark;
            dot[x] += 1;
            let mut sums = [0; 8];
            add_high_pass_of_pairs(
                &mut sums,
                std::array::from_fn(|r| if r == row { &dot[..] } else { &dark }),
            );
            sums[2]
        };
        let expected = [
            [0, 1, 1, 1, 1, 0],
            [1, 2, 3, 3, 2, 1],
            [1, 3, 12, 12, 3, 1],
            [1, 3, 12, 12, 3, 1],
            [1, 2, 3, 3, 2, 1],
            [0, 1, 1, 1, 1, 0],
        ];
        for (row, weights) in expected.iter().enumerate() {
            for (x, &expected) in weights.iter().enumerate() {
                assert_eq!(weight(row, x), expected, "row {row}, column {x}");
            }
        }
    }

    #[test]
    fn change_by_hand() {
        let rows: [[u8; 2]; 3] = [[9, 200], [5, 0], [4, 255]];
        let mut sums = [0; 2];
        add_change(&mut sums, &rows[0], &rows[1], None);
        assert_eq!(sums, [4, 200]);
        add_change(&mut sums, &rows[0], &rows[1], Some(&rows[2]));
        assert_eq!(sums, [4 + 3, 200 + 455]);
        let mut sums = [0; 2];
        add_change_of_pairs(&mut sums, [&rows[0]; 2], [&rows[1]; 2], None);
        assert_eq!(sums, [2 * 204, 0]);
    }
}
