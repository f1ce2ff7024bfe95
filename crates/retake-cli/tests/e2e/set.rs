//! `--set`: properties, as sessions have them, in an export.

use crate::common::{Studio, encoders, fast, probe};

/// What is set is in the stream that is made, and part of the job: another value is another job.
#[test]
fn a_property_changes_the_film() {
    let Some(studio) = Studio::open() else { return };
    let Some(x264) = encoders().iter().find(|encoder| encoder.name == "x264") else {
        eprintln!("SKIPPED: no x264 in this build");
        return;
    };
    let encode = |name: &str, flags: &str| {
        studio.encode(&format!("film.mkv -o {name} {} --crf 40 {flags}", x264.flags));
        let path = studio.path(name);
        probe(&path, "-select_streams v -show_entries stream=profile,color_primaries")
    };
    let plain = encode("plain.mp4", "");
    let set = encode(
        "set.mp4",
        "--set ProfileLevel=H264_Main_AutoLevel --set MaxKeyFrameInterval=12 --set ColorPrimaries=ITU_R_2020",
    );
    assert_ne!(plain, set);
    let words = set.join(" ");
    assert!(words.contains("Main") && words.contains("bt2020"), "{words}");
    // nothing set is nothing changed
    encode("again.mp4", "--set AllowTemporalCompression=true");
    assert!(studio.read("plain.mp4") == studio.read("again.mp4"));
}

/// A property that asks for a part of the request is the same as the flag for it.
#[test]
fn properties_stand_for_flags() {
    let Some(studio) = Studio::open() else { return };
    let encode = |name: &str, flags: &str| {
        let run = studio.retake(&format!("encode film.mkv -o {name} {} {flags}", fast()));
        assert!([0, 3].contains(&run.code), "{run:?}");
        (run.code, studio.read(name))
    };
    let by_flags = encode("flags.mp4", "--metric psnr -q 34 --tolerance 1 --passes 2");
    let by_properties = encode(
        "properties.mp4",
        "--set QualityMetric=psnr --set QualityTolerance=1 --set QualityFloor=34 --set MaxPassCount=2",
    );
    assert!(by_flags == by_properties);
}

/// What an export cannot be told is refused by name, with the reason and before anything is made.
#[test]
fn what_cannot_be_set_is_refused_by_name() {
    let Some(studio) = Studio::open() else { return };
    let before = studio.names();
    let cases: [(&str, &[&str]); 8] = [
        ("--set Warp=9", &["--set", "Warp", "retake encoders"]),
        ("--set Warp", &["--set", "KEY=VALUE"]),
        ("--set AllowFrameReordering=perhaps", &["--set", "AllowFrameReordering", "perhaps"]),
        ("--set MaxKeyFrameInterval=-1", &["--set", "MaxKeyFrameInterval"]),
        ("--set RealTime=true", &["--set", "RealTime", "cannot be set for an export"]),
        ("--set PixelTransferProperties={}", &["--set", "PixelTransferProperties", "not scaled"]),
        ("--set AverageBitRate=500000 --bitrate 1M", &["--set", "AverageBitRate", "--bitrate"]),
        ("--set NumberOfPendingFrames=1", &["--set", "NumberOfPendingFrames"]),
    ];
    for (flags, words) in cases {
        let run = studio.retake(&format!("encode film.mkv -o out.mp4 {} {flags}", fast()));
        run.refused(2, words);
        assert_eq!(studio.names(), before, "{flags}");
    }
}
