//! Films by libaom, end to end. Other tests leave it out, because it is slow.

use crate::common::{FRAMES, Studio, picture_hashes, probe, psnr, with_slow_ones};

/// A floor is held by every frame, as FFmpeg measures it, and one process or two, one take at once or two
/// make the same film. Its pictures are of ten bits, and another decoder finds as many as there were.
#[test]
fn the_floor_holds_and_bytes_are_the_same_everywhere() {
    if !with_slow_ones().iter().any(|encoder| encoder.name == "libaom") {
        eprintln!("SKIPPED: this build has no libaom");
        return;
    }
    let Some(studio) = Studio::open() else { return };
    let job = "film.mkv {} -e libaom -p 6 --depth 10 --metric psnr -q 34 --floor min --passes 8";
    let run = studio.encode(&job.replace("{}", "-o one.mkv --jobs 1"));
    assert_eq!(run.summary()["outcome"], "satisfied");
    let folder = studio.path("one.mkv").parent().unwrap().to_owned();
    let graph = "[0:v]format=yuv420p[a];[1:v]format=yuv420p[b];[a][b]psnr=stats_file=-";
    let found = psnr(&folder, "one.mkv", "film.mkv", graph);
    assert_eq!(found.len() as u64, FRAMES);
    // the command looks at luma of ten bits, FFmpeg's average at all planes of eight
    assert!(found.iter().all(|&frame| frame > 33.5), "{found:?}");
    let film = studio.path("one.mkv");
    let stream = probe(&film, "-select_streams v -show_entries stream=codec_name,pix_fmt");
    assert_eq!(stream, ["av1,yuv420p10le"]);
    assert_eq!(picture_hashes(&film).len() as u64, FRAMES);
    studio.encode(&job.replace("{}", "-o two.mkv --jobs 2 --isolate"));
    assert!(studio.read("one.mkv") == studio.read("two.mkv"), "two processes at once");
}

/// A wrong value is one line that says what is wrong with it.
#[test]
fn what_cannot_be_had_is_one_line() {
    if !with_slow_ones().iter().any(|encoder| encoder.name == "libaom") {
        eprintln!("SKIPPED: this build has no libaom");
        return;
    }
    let Some(studio) = Studio::open() else { return };
    let refused = |flags: &str, words: &[&str]| {
        studio.retake(&format!("encode film.mkv -o out.mkv -e libaom {flags}")).refused(2, words);
    };
    refused("--encoder-options enable-fwd-kf=1", &["enable-fwd-kf", "closed groups"]);
    refused("--encoder-options row_mt=1", &["row_mt", "threads"]);
    refused("--encoder-options film-grain-table=a", &["film-grain-table", "no files"]);
    refused("--encoder-options sharpness=many", &["sharpness", "many"]);
    refused("--encoder-options lag-in-frames=49", &["lag-in-frames", "0 to 48"]);
    refused("--encoder-options nothing=1", &["nothing", "no such option"]);
    refused("-p 7", &["preset", "7"]);
    refused("--crf 64", &["64", "63"]);
}
