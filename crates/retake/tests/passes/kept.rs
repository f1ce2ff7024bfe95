//! A storage that outlives its session.

use super::{FRAMES, at_rate, film, send, whole};
use crate::common::{self, decode, ffmpeg};
use retake::property::Property;
use retake::session::NextPass;
use retake::silo::FrameSilo;
use retake::storage::{MultiPassStorage, StorageOptions};
use retake::{EncoderInfo, SampleBuffer};
use std::path::Path;
use std::sync::Arc;

fn open(path: &Path) -> Arc<MultiPassStorage> {
    let options = StorageOptions { do_not_delete: true, ..StorageOptions::default() };
    MultiPassStorage::create(Some(path), &options).unwrap()
}

fn session(info: &EncoderInfo, path: &Path) -> (common::Pull, Arc<MultiPassStorage>) {
    let (pull, storage) = (at_rate(info), open(path));
    pull.0.set(Property::MultiPassStorage(storage.clone())).unwrap();
    (pull, storage)
}

/// MP-25, ST-4, resolution 22: the second pass is made by another session, over the ranges that the first
/// asked for; what it makes takes its place among the samples of the first, decodes, and is what the first
/// session would have made. Another rate, and another encoder, are refused.
#[test]
fn mp25_another_session_makes_the_second_pass() {
    let (frames, folder) = (film(), tempfile::tempdir().unwrap());
    let infos = common::encoders();
    for (number, info) in infos.iter().enumerate() {
        let path = folder.path().join(info.name);
        let silo = FrameSilo::temporary(whole()).unwrap();
        let (pull, storage) = session(info, &path);
        pull.0.begin_pass().unwrap();
        send(&pull, &frames, None).iter().for_each(|sample| silo.add(sample).unwrap());
        let NextPass::Requested(ranges) = pull.0.end_pass().unwrap() else {
            panic!("{}: met its rate at once", info.name)
        };
        pull.0.begin_final_pass().unwrap();
        let expected = send(&pull, &frames, Some(&ranges));
        // this pass is not ended: it is as if the process had died
        drop(pull);
        storage.close().unwrap();
        drop(storage);

        let other = &infos[(number + 1) % infos.len()];
        let wrong = common::session(other).0.set(Property::MultiPassStorage(open(&path))).unwrap_err();
        assert_eq!(wrong.code(), -12213, "{}", other.name);
        let (pull, _) = session(info, &path);
        pull.0.set(Property::AverageBitRate(super::RATE / 2)).unwrap();
        assert_eq!(pull.0.time_ranges_for_next_pass().unwrap(), ranges);
        assert_eq!(pull.0.begin_pass().unwrap_err().code(), -12213, "{}", info.name);
        pull.0.set(Property::AverageBitRate(super::RATE)).unwrap();
        pull.0.begin_final_pass().unwrap();
        silo.set_time_ranges_for_next_pass(&ranges).unwrap();
        let second = send(&pull, &frames, Some(&ranges));
        pull.0.end_final_pass().unwrap();
        assert!(second == expected, "{}", info.name);
        second.iter().for_each(|sample| silo.add(sample).unwrap());
        let merged: Vec<SampleBuffer> = silo.samples(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(merged.len(), FRAMES);
        if ffmpeg() {
            assert_eq!(decode(&merged.iter().collect::<Vec<_>>()).len(), FRAMES, "{}", info.name);
        }
    }
}
