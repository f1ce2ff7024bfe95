//! Every encoder of this build, end to end.

use crate::common::{FRAMES, Studio, encoders, picture_hashes, probe};

#[test]
fn every_encoder_meets_a_quality_objective() {
    let Some(studio) = Studio::open() else { return };
    for encoder in encoders() {
        for container in ["mp4", "mkv"] {
            let name = format!("{}.{container}", encoder.name);
            let run = studio.encode(&format!("film.mkv -o {name} {} --metric psnr -q 35", encoder.flags));
            assert_eq!(run.summary()["outcome"], "satisfied");
            let film = studio.path(&name);
            assert_eq!(probe(&film, "-select_streams v -show_entries stream=codec_name"), [encoder.ffmpeg]);
            assert_eq!(picture_hashes(&film).len() as u64, FRAMES, "{name}");
            let measured = studio.retake(&format!("measure film.mkv {name} --metric psnr -q 35"));
            assert_eq!(measured.code, 0, "{name}: {measured:?}");
        }
    }
}

/// With the default metric, and with every other one of this build.
#[test]
fn every_metric_can_be_the_objective() {
    let Some(studio) = Studio::open() else { return };
    let list: serde_json::Value = serde_json::from_str(&studio.retake("encoders --json").out).unwrap();
    let metrics = list["metrics"].as_array().unwrap();
    assert!(metrics.len() >= 3, "{metrics:?}");
    for metric in metrics {
        let metric = metric.as_str().unwrap();
        let floor = match metric {
            "vmaf" => 75.0,
            "ssim" => 0.94,
            "ssimulacra2" => 50.0,
            _ => 35.0,
        };
        let name = format!("{metric}.mp4");
        studio.encode(&format!("film.mkv -o {name} {} --metric {metric} -q {floor}", crate::common::fast()));
        let measured = studio.retake(&format!("measure film.mkv {name} --metric {metric} -q {floor}"));
        assert_eq!(measured.code, 0, "{measured:?}");
    }
}

/// `retake encode IN -o OUT` does the right thing with no other flag.
#[test]
fn no_flags_at_all() {
    let Some(studio) = Studio::open() else { return };
    studio.render("-i film.mkv -t 2 -map 0 -c copy", "short.mkv");
    let run = studio.retake("encode short.mkv -o out.mp4");
    assert!([0, 3].contains(&run.code), "{run:?}");
    assert!(run.err.is_empty(), "{run:?}");
    let measured = studio.retake("measure short.mkv out.mp4");
    assert_eq!(measured.code, 0, "{measured:?}");
}

/// Section 14: an encoder tells its id and every property, to people and to programs.
#[test]
fn an_encoder_tells_its_properties() {
    let Some(studio) = Studio::open() else { return };
    for encoder in encoders() {
        let name = &encoder.name;
        let all: serde_json::Value =
            serde_json::from_str(&studio.retake(&format!("encoders {name} --json")).out).unwrap();
        assert_eq!(all["id"], format!("org.retake.encoder.{name}"));
        assert_eq!(all["properties"]["AverageBitRate"]["PropertyType"], "Number");
        assert_eq!(all["properties"]["EncoderID"]["ReadWriteStatus"], "ReadOnly");
        let text = studio.retake(&format!("encoders {name}")).out;
        for property in all["properties"].as_object().unwrap().keys() {
            assert!(text.contains(property.as_str()), "{name}: {property}");
        }
    }
}

/// Where x264 has one reference and no B frames, FFmpeg takes every I picture for a sync sample, though the
/// file says otherwise, and our own verification reads by FFmpeg: it must not take that for damage. The file
/// marks the sync samples of the encode alone.
#[test]
fn i_pictures_of_one_reference_are_no_damage() {
    let Some(studio) = Studio::open() else { return };
    if !encoders().iter().any(|encoder| encoder.name == "x264") {
        return;
    }
    let cut = "testsrc2=s=160x96:r=24,trim=end_frame=4[a];mandelbrot=s=160x96:r=24,trim=end_frame=40[b];[a][b]concat";
    studio.render(&format!("-filter_complex {cut} -c:v ffv1"), "cut.mkv");
    let flags = "--encoder x264 --preset veryfast --crf 30 --encoder-options bframes=0 --encoder-options scenecut=100";
    studio.encode(&format!("cut.mkv -o out.mp4 {flags}"));
    let film = studio.path("out.mp4");
    assert_eq!(picture_hashes(&film).len(), 44);
    let pictures = probe(&film, "-select_streams v -show_entries frame=pict_type");
    assert!(pictures.iter().filter(|picture| *picture == "I").count() > 1, "{pictures:?}");
}
