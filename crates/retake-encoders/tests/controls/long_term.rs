//! Long-term references serve a receiver that loses frames.

use crate::common::{decode, encoders, ffmpeg, flat, render};
use crate::run::{steps, sync_distances, with};
use retake_compression::encoder::{Controls, FrameOptions};
use retake_media::Sample;

const FRAMES: usize = 60;
/// The receiver acknowledges two frames later what it has, up to here. The frame that it acknowledged last is
/// its last good one; from there to the refresh all is lost.
const ACKNOWLEDGED: usize = 44;
const REFRESH: usize = 50;

/// A38, 6.3: a frame that is asked to refresh after losses needs nothing but the frame that was acknowledged;
/// unknown tokens are ignored.
#[test]
fn a38_a_refresh_needs_the_acknowledged_frame_alone() {
    for factory in encoders() {
        if !factory.info().controls.long_term_references {
            continue;
        }
        let name = factory.info().name;
        for layers in [None, Some(2)] {
            if layers.is_some() && !factory.info().controls.layers_without_reordering {
                continue;
            }
            let controls = Controls {
                low_latency: true,
                long_term_references: true,
                temporal_layers: layers,
                ..Controls::default()
            };
            let settings = with(&*factory, controls);
            let frames = render(&settings, FRAMES, 999, 1);
            let mut known = None;
            let (take, _) = steps(&*factory, &settings, &frames, |index, _, take| {
                let arrived = take.frames.iter().find(|frame| frame.index as usize + 2 == index);
                let token = arrived.and_then(|frame| frame.token).filter(|_| index <= ACKNOWLEDGED);
                known = token.map(|token| (index as u64 - 2, token)).or(known);
                FrameOptions {
                    acknowledged: token.into_iter().chain([999_999]).collect(),
                    refresh: index == REFRESH,
                    ..FrameOptions::default()
                }
            });
            let (acknowledged, _) = known.unwrap_or_else(|| panic!("{name} asks for no acknowledgement"));
            assert!((30..ACKNOWLEDGED as u64).contains(&acknowledged), "{name}: {acknowledged}");
            let mut tokens: Vec<u64> = take.frames.iter().filter_map(|frame| frame.token).collect();
            assert!(tokens.len() > 2, "{name}: {tokens:?}");
            tokens.dedup();
            assert!(
                tokens.is_sorted()
                    && tokens.len() == take.frames.iter().filter(|f| f.token.is_some()).count()
            );
            assert_eq!(sync_distances(&take), [FRAMES as u64], "{name}: a refresh is not a sync frame");
            if !ffmpeg() {
                continue;
            }
            let arrived = |index: u64| index <= acknowledged || index >= REFRESH as u64;
            let kept: Vec<&_> = take.frames.iter().filter(|frame| arrived(frame.index)).collect();
            let samples: Vec<&Sample> = kept.iter().map(|frame| &frame.sample).collect();
            let decoded = decode(&take.format, settings.format, &samples);
            assert_eq!(decoded.len(), kept.len(), "{name}");
            for (picture, frame) in decoded.iter().zip(&kept) {
                let index = frame.index;
                assert!(
                    *picture == flat(&take.pictures[&index]),
                    "{name} {layers:?}: frame {index} needs what was lost"
                );
            }
        }
    }
}

/// 6.3, 6.4: where no frame is acknowledged, or only one before the last sync frame, a refresh is a sync
/// frame.
#[test]
fn a_refresh_without_acknowledgement_is_a_sync_frame() {
    for factory in encoders() {
        if !factory.info().controls.long_term_references {
            continue;
        }
        let controls = Controls { low_latency: true, long_term_references: true, ..Controls::default() };
        let settings = with(&*factory, controls);
        let (take, _) =
            steps(&*factory, &settings, &render(&settings, 50, 999, 1), |index, _, take| FrameOptions {
                force_key_frame: index == 30,
                refresh: index == 10 || index == 40,
                acknowledged: take
                    .frames
                    .iter()
                    .filter(|_| index == 20)
                    .filter_map(|frame| frame.token)
                    .collect(),
                ..FrameOptions::default()
            });
        assert_eq!(sync_distances(&take), [10, 20, 10, 10], "{}", factory.info().name);
    }
}

/// 6.3: where only a buffer of so many frames keeps what was acknowledged, a refresh behind it is a sync
/// frame, and one within it is none; no frame that a receiver may not have is referred to in between.
#[test]
fn an_acknowledgement_ends_with_the_buffer_that_keeps_the_frame() {
    let Some(factory) = encoders().into_iter().find(|factory| factory.info().name == "x264") else { return };
    for (refresh, syncs) in [(16, &[60][..]), (17, &[16 + 1, 43]), (30, &[30, 30])] {
        let controls = Controls { low_latency: true, long_term_references: true, ..Controls::default() };
        let settings = with(&*factory, controls);
        let (take, _) =
            steps(&*factory, &settings, &render(&settings, 60, 999, 1), |index, _, take| FrameOptions {
                refresh: index == refresh,
                acknowledged: take
                    .frames
                    .iter()
                    .filter(|_| index == 1)
                    .filter_map(|frame| frame.token)
                    .collect(),
                ..FrameOptions::default()
            });
        assert_eq!(sync_distances(&take), syncs, "{refresh}");
    }
}
