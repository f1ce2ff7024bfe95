//! Tests the properties that every metric must have, on made-up pictures.

#![allow(clippy::unwrap_used)]

mod common;

use common::Shape;
use proptest::prelude::*;
use retake_media::{PixelBuffer, PixelFormat};
use retake_quality::{MetricKind, Pooling, QualityError, Scorer, ScorerSettings, Scores, available};

fn settings(metric: MetricKind, shape: Shape) -> ScorerSettings {
    ScorerSettings::new(metric, shape.width, shape.height, shape.format, 25.0)
}

fn score<'a>(
    settings: &ScorerSettings,
    pairs: impl IntoIterator<Item = (&'a PixelBuffer, &'a PixelBuffer)>,
) -> Result<Scores, QualityError> {
    let mut scorer = Scorer::new(settings)?;
    for (reference, picture) in pairs {
        scorer.push(reference, picture)?;
    }
    scorer.finish()
}

fn mean(settings: &ScorerSettings, source: &[PixelBuffer], film: &[PixelBuffer]) -> f64 {
    score(settings, source.iter().zip(film)).unwrap().estimate(Pooling::Mean).value
}

fn shapes() -> impl Strategy<Value = Shape> {
    let format = prop_oneof![
        4 => Just(PixelFormat::I420),
        4 => Just(PixelFormat::I010),
        1 => Just(PixelFormat::I422),
        1 => Just(PixelFormat::I410),
        1 => Just(PixelFormat::Y8),
        1 => Just(PixelFormat::Y10),
    ];
    (format, 40..460_u32, 40..120_u32).prop_map(|(format, width, height)| Shape::new(format, width, height))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn identical_pictures_score_best_and_noise_costs(shape in shapes()) {
        let film = |noise| [0, 1, 2].map(|index| shape.frame(index, noise));
        let source = film(0);
        for metric in available() {
            let settings = settings(metric, shape);
            let found = [0, 2, 8, 24].map(|noise| mean(&settings, &source, &film(noise)));
            // The least is libvmaf's 97.4 for a first frame without motion, and at least that for the others.
            let least = if metric == MetricKind::Vmaf { 97.0 } else { metric.best() - 1e-9 };
            prop_assert!(found[0] >= least && found[0] <= metric.best(), "{metric} {shape:?}: {found:?}");
            prop_assert!(found.windows(2).all(|pair| pair[0] > pair[1]), "{metric} {shape:?}: {found:?}");
        }
    }

    #[test]
    fn padding_is_not_looked_at(shape in shapes(), extra in prop::array::uniform3(0..70_usize)) {
        let (source, film) = ([0, 1].map(|i| shape.frame(i, 0)), [0, 1].map(|i| shape.frame(i, 9)));
        let padded = |film: &[PixelBuffer; 2]| film.each_ref().map(|picture| shape.padded(picture, extra));
        for metric in available() {
            let settings = settings(metric, shape);
            let tight = score(&settings, source.iter().zip(&film)).unwrap();
            prop_assert_eq!(tight, score(&settings, padded(&source).iter().zip(&padded(&film))).unwrap());
        }
    }

    #[test]
    fn no_size_panics(width in 1..60_u32, height in 1..60_u32, ten in any::<bool>()) {
        let format = if ten { PixelFormat::I010 } else { PixelFormat::I420 };
        let shape = Shape::new(format, width, height);
        let (source, film) = ([0, 1, 2].map(|i| shape.frame(i, 0)), [0, 1, 2].map(|i| shape.frame(i, 3)));
        for metric in available() {
            match score(&settings(metric, shape), source.iter().zip(&film)) {
                Ok(scores) => prop_assert!(scores.complete().unwrap().iter().all(|score| score.is_finite())),
                Err(QualityError::TooSmall { least, .. }) => prop_assert!(width.min(height) < least),
                Err(error) => prop_assert!(false, "{metric} {shape:?}: {error}"),
            }
        }
    }
}

/// Over many films of frames of changing quality, estimates from one frame in three miss the mean by as much
/// as they claim, and by no more.
#[test]
fn estimates_are_as_good_as_they_say() {
    let shape = Shape::new(PixelFormat::I420, 96, 64);
    for metric in available() {
        let (mut within, mut misses, mut errors) = (0, 0.0, 0.0);
        let films = 12;
        for film in 0..films {
            let pairs: Vec<_> = (0..48)
                .map(|index| {
                    // Good and bad frames alternate in a rhythm, over a level that drifts.
                    let noise = 3 + [0, 4, 2, 4][index % 4] + (index as u32 + 7 * film) % 16 / 4;
                    (
                        shape.frame(index + 100 * film as usize, 0),
                        shape.frame(index + 100 * film as usize, noise),
                    )
                })
                .collect();
            let pairs = || pairs.iter().map(|(reference, picture)| (reference, picture));
            let truth = score(&settings(metric, shape), pairs()).unwrap().estimate(Pooling::Mean).value;
            let sampled = ScorerSettings { stride: 3, phase: film % 3, ..settings(metric, shape) };
            let estimate = score(&sampled, pairs()).unwrap().estimate(Pooling::Mean);
            let miss = estimate.value - truth;
            within += u32::from(miss.abs() <= 3.0 * estimate.standard_error + 1e-9);
            misses += miss / f64::from(films);
            errors += estimate.standard_error / f64::from(films);
        }
        assert!(within + 1 >= films, "{metric}: {within} of {films} within three standard errors");
        assert!(misses.abs() <= errors + 1e-9, "{metric} is biased: {misses} where the error is {errors}");
    }
}

#[test]
fn pictures_that_do_not_fit_are_refused() {
    let shape = Shape::new(PixelFormat::I420, 64, 48);
    let picture = shape.frame(0, 0);
    let others = [Shape::new(PixelFormat::I420, 64, 50), Shape::new(PixelFormat::I010, 64, 48)];
    let mut scorer = Scorer::new(&settings(MetricKind::Psnr, shape)).unwrap();
    for other in others.map(|shape| shape.frame(0, 0)) {
        for (reference, picture) in [(&other, &picture), (&picture, &other)] {
            assert!(matches!(scorer.push(reference, picture), Err(QualityError::Mismatch { frame: 0, .. })));
        }
    }
    scorer.push(&picture, &picture).unwrap();
    assert!(scorer.lead_in(&picture).is_err(), "a lead-in comes first");
    assert_eq!(scorer.finish().unwrap().psnr_y, [100.0]);
}

#[test]
fn scores_of_different_pictures_are_not_merged() {
    let shape = Shape::new(PixelFormat::I420, 64, 48);
    let (source, film) = (shape.frame(0, 0), shape.frame(0, 5));
    let scored = |picture| score(&settings(MetricKind::Xpsnr, shape), [(&source, picture)]).unwrap();
    let mut scores = scored(&film);
    assert_eq!(scores.merge(&scored(&film)), Ok(()));
    assert!(scores.merge(&scored(&source)).is_err());
    let other = score(&settings(MetricKind::Psnr, shape), [(&source, &film)]).unwrap();
    assert!(scores.merge(&other).is_err());
    let nothing = score(&settings(MetricKind::Xpsnr, shape), []).unwrap();
    assert!(scores.merge(&nothing).is_err() && nothing.frames.is_empty());
}
