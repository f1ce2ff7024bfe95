//! Filters of pictures: what is shipped is what `ffmpeg` makes of the source by the same filters, whatever
//! machines, kills and passes come between.

use crate::common::{self, RECORDS, Studio, fast, frame_times, picture_hashes, probe};
use retake_testing::pgs::{Shown, sup};
use serde_json::Value;
use std::path::Path;

/// The PSNR of each frame of a film against what `ffmpeg` makes of its source. As many numbers as frames of
/// both mean that none is left over.
fn psnr(studio: &Studio, film: &str, source: &str, filters: &str) -> Vec<f64> {
    let graph = format!(
        "[1:v]{filters},settb=1/24,setpts=N[b];[0:v]settb=1/24,setpts=N[a];[a][b]psnr=stats_file=-:shortest=0"
    );
    common::psnr(&studio.path("."), film, source, &graph)
}

fn video(film: &Path, entries: &str) -> String {
    probe(film, &format!("-select_streams v:0 -show_entries stream={entries}")).join(" ")
}

/// Pictures, sizes, shapes, rates and times are those of the filters, in every container.
#[test]
fn what_is_shipped_is_what_filters_make() {
    let Some(studio) = Studio::open() else { return };
    let flags = format!("{} --crf 4 --passes 1", fast());
    for (name, asked, words, shape, frames) in [
        ("a.mp4", "--crop 200:100:60:40", "crop=200:100:60:40", "200,100,1:1,24/1", 216),
        (
            "b.mkv",
            "--scale 90p --crop 240:180:40:0",
            "crop=240:180:40:0,zscale=120:90:filter=spline36",
            "120,90,1:1,24/1",
            216,
        ),
        ("d.mov", "--scale 160x180", "zscale=160:180:filter=spline36", "160,180,2:1,24/1", 216),
        ("f.mkv", "--fps 30000/1001", "fps=30000/1001", "320,180,1:1,30000/1001", 269),
        (
            "g.m3u8",
            "--filter negate --scale fit:160x160",
            "zscale=160:90:filter=spline36,negate",
            "160,90,1:1,24/1",
            216,
        ),
        ("h.mp4", "--denoise medium --rotate hflip", "hflip,hqdn3d=3:2:4:5", "320,180,1:1,24/1", 216),
    ] {
        studio.encode(&format!("film.mkv -o {name} {flags} {asked}"));
        let path = studio.path(name);
        let found = video(&path, "width,height,sample_aspect_ratio,r_frame_rate");
        assert!(found.starts_with(shape), "{asked}: {found}");
        let values = psnr(&studio, name, "film.mkv", words);
        assert_eq!((values.len(), picture_hashes(&path).len()), (frames, frames), "{asked}");
        assert!(values.iter().all(|&value| value > 38.0), "{asked}: {values:?}");
        // No frame begins elsewhere than it did, and the film is as long as its sound is.
        let (times, base) = frame_times(&path);
        let last = (times[times.len() - 1] - times[0]) as f64 * base.0 as f64 / base.1 as f64;
        let rate = frames as f64 / 9.0;
        assert!((last - (frames as f64 - 1.0) / rate).abs() < 0.04, "{asked}: {last}");
    }
    // Records keep what was asked for, and the film can be measured by the same words.
    let records: Value = serde_json::from_slice(&studio.read(&format!("b.mkv{RECORDS}"))).unwrap();
    let text = records.to_string();
    assert!(text.contains(r#""scale":{"height":90}"#) && text.contains(r#""x":40"#), "{text}");
    let measure = |words: &str| studio.retake(&format!("measure film.mkv b.mkv --metric psnr -q 38 {words}"));
    let measured = measure("--scale 90p --crop 240:180:40:0");
    assert!(measured.code == 0 && measured.out.contains("over 216 frames"), "{measured:?}");
    measure("--crop 240:180:40:0").refused(2, &["240×180", "120×90"]);
}

/// Whatever filters remember, a job comes to the same bytes with any number of takes at once, in processes of
/// their own, and after a kill; one of other filters is another job.
#[test]
fn filtered_films_are_the_same_bytes_however_they_are_made() {
    let Some(studio) = Studio::open() else { return };
    for (number, (filters, floor)) in [
        ("--scale 160x-2", 37),
        ("--denoise light --fps 20 --crop 280:160:20:10", 37),
        ("--denoise light --scale 240x-2 --score-at source", 23),
    ]
    .iter()
    .enumerate()
    {
        let job = |name: &str| format!("film.mkv -o {name} {} --metric psnr -q {floor} {filters}", fast());
        let name = |how: &str| format!("{number}{how}.mp4");
        let run = studio.encode(&format!("{} --jobs 1", job(&name("one"))));
        let retaken = run.events().iter().any(|event| event["event"] == "pass_started" && event["pass"] == 2);
        let expected = studio.read(&name("one"));
        for how in ["--jobs 3", "--isolate --jobs 2"] {
            studio.encode(&format!("{} {how} --overwrite", job(&name("two"))));
            assert!(studio.read(&name("two")) == expected, "{filters}: {how}");
        }
        let mut running = studio.start(&job(&name("out")));
        let mut takes = 0;
        running.until(&mut |event| {
            takes += u32::from(event["event"] == "take_finished");
            takes == 3
        });
        running.signal("KILL");
        running.end();
        assert!(studio.path(&format!("{}.retake", name("out"))).exists(), "done before it was killed");
        let other = job(&name("out")).replace(filters, "--rotate 180");
        studio.retake(&format!("encode {other}")).refused(2, &["other settings", "filtered: rotate 180"]);
        let run = studio.encode(&job(&name("out")));
        assert!(run.events().iter().any(|event| event["kept"] == true), "{filters}");
        assert!(studio.read(&name("out")) == expected, "{filters}");
        assert!(retaken, "{filters}: no unit was encoded again, so that no range was read again");
    }
}

/// Scores at the size of the source are those of the film that `ffmpeg` scales up to it, against the source
/// after all filters but the scaling; and `measure` finds the same.
#[test]
fn scores_at_the_size_of_the_source_are_those_of_the_film_scaled_up() {
    let Some(studio) = Studio::open() else { return };
    let luma = |film: &str, words: &str, size: &str| -> Vec<f64> {
        let graph = format!(
            "[0:v]scale={size}:flags=bicubic+accurate_rnd+full_chroma_int+bitexact,settb=1/24,setpts=N[a];\
             [1:v]{words},settb=1/24,setpts=N[b];[a][b]psnr=stats_file=-:shortest=0"
        );
        let out =
            common::ffmpeg(&studio.path("."), &format!("-i {film} -i film.mkv -lavfi {graph} -f null -"));
        let text = String::from_utf8(out).unwrap();
        let value = |line: &str| {
            let value: f64 = line.split("psnr_y:").nth(1)?.split(' ').next()?.parse().ok()?;
            Some(value.min(100.0))
        };
        text.lines().filter_map(value).collect()
    };
    let lowest = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    for (name, filters, pool, words, size) in [
        ("all.mp4", "--scale 90p", "min", "null", "320:180"),
        (
            "some.mkv",
            "--scale 80x-2 --rotate 90 --crop 160:240:10:40",
            "mean",
            "transpose=1,crop=160:240:10:40",
            "160:240",
        ),
        (
            "half.mkv",
            "--scale 80x-2 --denoise light --crop 240:180:40:0",
            "min",
            "crop=240:180:40:0,hqdn3d=2:1:2:3",
            "240:180",
        ),
    ] {
        let flags = format!("{} --metric psnr -q 24 --passes 2", fast());
        let job = format!("film.mkv -o {name} {flags} --floor {pool} --score-at source {filters}");
        let run = studio.retake(&format!("encode {job} --json"));
        assert!([0, 3].contains(&run.code), "{run:?}");
        let quality = run.summary()["quality"].clone();
        let at: Vec<String> = size.split(':').map(str::to_owned).collect();
        let found: Vec<String> =
            quality["size"].as_array().into_iter().flatten().map(ToString::to_string).collect();
        assert_eq!(found, at, "{quality}");
        let values = luma(name, words, size);
        assert_eq!(values.len(), 216, "{name}");
        match pool {
            "min" => {
                let worst = quality["worst"].as_f64().unwrap();
                assert!((worst - lowest(&values)).abs() < 0.01, "{name}: {worst} is {}", lowest(&values));
            }
            // every third frame is scored
            _ => {
                let told = quality["mean"].as_f64().unwrap();
                assert!((told - mean(&values)).abs() < 0.5, "{name}: {told} is {}", mean(&values));
            }
        }
        // Where films are scaled up, it does not matter how they were scaled.
        let others = filters.replace("--scale 90p", "");
        let measure = format!("measure film.mkv {name} --metric psnr --json --score-at source {others}");
        let measured: Value = serde_json::from_str(&studio.retake(&measure).out).unwrap();
        let (least, all) = (measured["min"].as_f64().unwrap(), measured["mean"].as_f64().unwrap());
        assert!(
            (least - lowest(&values)).abs() < 0.01 && (all - mean(&values)).abs() < 0.01,
            "{name}: {measured}"
        );
    }
    studio.retake("report all.mp4 -o page.html");
    let page = String::from_utf8(studio.read("page.html")).unwrap();
    assert!(page.contains("Scored at") && page.contains("320×180, the size of the source"), "{page}");
    // Scores of one size are none of another.
    let other =
        format!("film.mkv -o all.mp4 {} --metric psnr -q 24 --passes 2 --floor min --scale 90p", fast());
    studio.retake(&format!("encode {other}")).refused(2, &["all.mp4", "exists"]);
    studio.retake("measure film.mkv all.mp4 --metric psnr").refused(2, &["320×180", "160×90", "--score-at"]);
    let other = "measure film.mkv half.mkv --metric psnr --score-at source";
    studio.retake(other).refused(2, &["320×180", "80×60", "another shape"]);
    // Each variant of a stream is compared at the size of the source.
    let ladder = format!("film.mkv -o out.m3u8 {} --metric psnr -q 20 --ladder 180p,90p", fast());
    let run = studio.encode(&format!("{ladder} --score-at source"));
    let variants = run.summary()["variants"].clone();
    assert_eq!(variants[0]["quality"].get("size"), None, "{variants}");
    assert_eq!(variants[1]["quality"]["size"], serde_json::json!([320, 180]), "{variants}");
}

/// Bars are found and told, and what is left of a film in HDR is SDR by its tags.
#[test]
fn what_filters_find_is_told() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(
        "-f lavfi -i testsrc2=s=320x136:r=24:d=2 -vf pad=320:180:0:22 -pix_fmt yuv420p -c:v libx264 -preset ultrafast",
        "bars.mp4",
    );
    let flags = format!("{} --metric psnr -q 30", fast());
    let run = studio.encode(&format!("bars.mp4 -o film.mp4 {flags} --crop auto"));
    assert_eq!(video(&studio.path("film.mp4"), "width,height"), "320,136");
    let told = |note: &String| note.contains("22 rows above, 22 below") && note.contains("320:136:0:22");
    assert!(run.notes().iter().any(told), "{:?}", run.notes());
    let records = String::from_utf8(studio.read(&format!("film.mp4{RECORDS}"))).unwrap();
    assert!(records.contains("320:136:0:22") && records.contains(r#""crop":"auto""#), "{records}");
    assert!(psnr(&studio, "film.mp4", "bars.mp4", "crop=320:136:0:22").iter().all(|&value| value > 26.0));
    studio.render(
        "-f lavfi -i testsrc2=s=320x180:r=24:d=1 -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 \
         -colorspace bt2020nc -c:v libx265 -preset ultrafast -x265-params log-level=none:colorprim=bt2020:transfer=smpte2084:\
         colormatrix=bt2020nc:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=800,200",
        "hdr.mp4",
    );
    for (name, depth) in [("sdr.mp4", "yuv420p"), ("sdr.mkv", "yuv420p10le")] {
        let bits = if depth == "yuv420p" { "--depth 8" } else { "" };
        let run = studio.encode(&format!("hdr.mp4 -o {name} {} --crf 4 --passes 1 --tonemap {bits}", fast()));
        let path = studio.path(name);
        let tags = video(&path, "pix_fmt,color_space,color_transfer,color_primaries");
        assert_eq!(tags, format!("{depth},bt709,bt709,bt709"), "{name}");
        let beside = probe(
            &path,
            "-select_streams v:0 -show_frames -read_intervals %+#1 -show_entries frame_side_data=side_data_type",
        );
        assert!(!beside.join(" ").contains("Mastering"), "{beside:?}");
        assert!(
            run.notes().iter().any(|note| note.contains("standard range, and its HDR10 metadata")),
            "{:?}",
            run.notes()
        );
        let words = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0:peak=8,\
                     zscale=t=bt709:m=bt709:r=tv,format=yuv420p10le";
        let words = if depth == "yuv420p" { format!("{words},format=yuv420p") } else { words.to_owned() };
        let values = psnr(&studio, name, "hdr.mp4", &words);
        assert!(values.len() == 24 && values.iter().all(|&value| value > 38.0), "{name}: {values:?}");
    }
}

/// What cannot be is one line that names the flag, before any work.
#[test]
fn wrong_filters_are_refused_in_one_line() {
    let Some(studio) = Studio::open() else { return };
    let run = |filters: &str| studio.retake(&format!("encode film.mkv -o out.mp4 {} {filters}", fast()));
    for (filters, words) in [
        ("--crop 1:2:3", &["--crop", "WIDTH:HEIGHT:X:Y"][..]),
        ("--crop 400:100:0:0", &["--crop", "film.mkv", "400×100", "320×180"]),
        ("--crop 100:100:1:0", &["--crop", "multiples of 2 across and 2 down"]),
        ("--scale 721p", &["--scale", "1080p"]),
        ("--scale 16384p", &["--scale", "29128×16384"]),
        ("--rotate 45", &["--rotate", "auto, 90"]),
        ("--fps 0", &["--fps", "30000/1001"]),
        ("--denoise much", &["--denoise", "light, medium or strong"]),
        ("--tonemap", &["--tonemap", "no tones to map"]),
        ("--tonemap=bright", &["--tonemap", "hable"]),
        ("--deinterlace=no", &["--deinterlace", "auto or yes"]),
        ("--deinterlace --detelecine", &["--deinterlace", "--detelecine"]),
        ("--filter nosuchfilter", &["--filter", "nosuchfilter"]),
        ("--filter split", &["--filter", "one video"]),
        ("--depth 9", &["--depth", "8 or 10"]),
        ("--scale 90p --score-at film", &["--score-at", "output or source"]),
        ("--score-at source", &["size of the source", "--scale", "--ladder"]),
        ("--scale 90p --crf 30 --passes 1 --score-at source", &["plain pass", "--score-at"]),
        ("--filter hflip --on array:{file}-{index}", &["any file", "--filter"]),
    ] {
        run(filters).refused(2, words);
    }
    let left = studio.all_names();
    assert_eq!(left.into_iter().collect::<Vec<_>>(), ["film.mkv"], "nothing is left behind");
}

/// Subtitles of a track and of a file are drawn into the film as `ffmpeg` draws them, and scores compare with
/// that; the same bytes come of it however takes run, and other texts are another job.
#[test]
fn subtitles_are_drawn_into_the_film() {
    let Some(studio) = Studio::open() else { return };
    if !studio.retake("encode film.mkv -o no.mp4 --burn 2 --crf 40 --passes 1").err.is_empty() {
        eprintln!("SKIPPED: this FFmpeg has no libass");
        return;
    }
    common::ffmpeg(&studio.path("."), "-i film.mkv -map 0:s text.srt");
    let flags = format!("{} --crf 4 --passes 1", fast());
    for (name, burn) in [("track.mp4", "--burn 2"), ("file.mkv", "--burn text.srt")] {
        studio.encode(&format!("film.mkv -o {name} {flags} {burn}"));
        let drawn = psnr(&studio, name, "film.mkv", "subtitles=film.mkv");
        assert!(drawn.len() == 216 && drawn.iter().all(|&value| value > 38.0), "{name}: {drawn:?}");
        let plain = psnr(&studio, name, "film.mkv", "null");
        // the first text is shown from 0.5 s to 2 s, the second from 4 s to 6 s
        let differs: Vec<usize> = (0..216).filter(|&frame| plain[frame] < 40.0).collect();
        assert_eq!(differs, (12..48).chain(96..144).collect::<Vec<_>>(), "{name}: {plain:?}");
    }
    let job = |name: &str| format!("film.mkv -o {name} {} --metric psnr -q 36 --burn text.srt", fast());
    studio.encode(&format!("{} --jobs 1", job("one.mp4")));
    studio.encode(&format!("{} --isolate --jobs 2", job("two.mp4")));
    assert!(studio.read("one.mp4") == studio.read("two.mp4"));
    // scores are those against the source with its texts
    let measure = |burn: &str| studio.retake(&format!("measure film.mkv one.mp4 --metric psnr -q 36 {burn}"));
    assert_eq!(measure("--burn 2").code, 0);
    assert_eq!(measure("").code, 3);
    let other = String::from_utf8(studio.read("text.srt")).unwrap().replace("first", "last");
    std::fs::write(studio.path("text.srt"), other).unwrap();
    studio.retake(&format!("encode {} --jobs 1", job("one.mp4"))).refused(2, &["one.mp4", "exists"]);
    for (flags, words) in [
        ("--burn 1", &["--burn", "film.mkv", "no subtitles 1", "subtitle track 2 (subrip)"][..]),
        ("--burn eng", &["--burn", "number", ".srt"]),
        ("--burn none.srt", &["none.srt", "No such file"]),
        ("--burn 2 --on array:{file}-{index}", &["fonts", "--burn"]),
    ] {
        studio.retake(&format!("encode film.mkv -o out.mp4 {} {flags}", fast())).refused(2, words);
    }
}

/// Subtitles that are pictures are in the film where they are shown, and nowhere else; the same bytes come of
/// it however takes run, and scores compare with the pictures that have them.
#[test]
fn pictures_of_subtitles_are_drawn_into_the_film() {
    let Some(studio) = Studio::open() else { return };
    let shown = |from, until| Shown {
        from,
        until,
        place: (60, 140, 200, 30),
        colours: [[235, 128, 128], [40, 200, 110]],
        alpha: 255,
    };
    std::fs::write(
        studio.path("boxes.sup"),
        sup((320, 180), &[shown(0.5, Some(2.0)), shown(4.0, Some(6.0))]),
    )
    .unwrap();
    studio.render("-i film.mkv -i boxes.sup -map 0:v -map 0:a -map 1 -c copy", "disc.mkv");
    let flags = format!("{} --crf 4 --passes 1", fast());
    studio.encode(&format!("disc.mkv -o drawn.mkv {flags} --burn 2 --subtitles none"));
    // FFmpeg's own filter lays the same pictures over; its program hands them to it some frames late.
    let overlay = "[0:v]settb=1/24,setpts=N[a];[1:v][1:s]overlay=format=yuv420,settb=1/24,setpts=N[b];[a][b]psnr=stats_file=-:shortest=0";
    let ours = common::psnr(&studio.path("."), "drawn.mkv", "disc.mkv", overlay);
    let late = |frame: &usize| [12, 96].iter().any(|start| (*start..start + 8).contains(frame));
    let compared: Vec<f64> = (0..216).filter(|frame| !late(frame)).map(|frame| ours[frame]).collect();
    assert!(compared.iter().all(|&value| value > 36.0), "{ours:?}");
    let plain = psnr(&studio, "drawn.mkv", "disc.mkv", "null");
    let differs: Vec<usize> = (0..216).filter(|&frame| plain[frame] < 30.0).collect();
    assert_eq!(differs, (12..48).chain(96..144).collect::<Vec<_>>(), "{plain:?}");
    let box_of = |frame: usize| {
        let crop = format!(
            "-i drawn.mkv -vf select=eq(n\\,{frame}),crop=80:20:70:145,extractplanes=y -frames:v 1 -f rawvideo -"
        );
        let luma = common::ffmpeg(&studio.path("."), &crop);
        luma.iter().map(|&value| f64::from(value)).sum::<f64>() / luma.len() as f64
    };
    for frame in [12, 47, 96, 143] {
        assert!((box_of(frame) - 235.0).abs() < 2.0, "frame {frame}: {}", box_of(frame));
    }
    assert!((box_of(48) - 235.0).abs() > 5.0, "what follows has no box");
    let job = |name: &str| {
        format!("disc.mkv -o {name} {} --metric psnr -q 36 --burn 2 --crop 300:160:10:20", fast())
    };
    studio.encode(&format!("{} --jobs 1", job("one.mp4")));
    studio.encode(&format!("{} --isolate --jobs 2", job("two.mp4")));
    assert!(studio.read("one.mp4") == studio.read("two.mp4"));
    let measure = |burn: &str| {
        let words = format!("measure disc.mkv one.mp4 --metric psnr -q 36 --crop 300:160:10:20 {burn}");
        studio.retake(&words).code
    };
    assert_eq!((measure("--burn 2"), measure("")), (0, 3));
    // No fonts are needed, so that other machines draw the same.
    let root = studio.path(".").display().to_string();
    let worker =
        format!("{} worker --root {root} --array {{file}} --index {{index}}", env!("CARGO_BIN_EXE_retake"));
    let mut elsewhere = studio.command(&format!("encode {} --jobs 2 --json", job("three.mp4")));
    elsewhere.args(["--on", &format!("array:{worker}")]);
    let run = common::Run::of(elsewhere.output().unwrap());
    assert!(run.code == 0 && studio.read("one.mp4") == studio.read("three.mp4"), "{run:?}");
    let words = ["--burn", "disc.mkv", "no subtitles 1", "subtitle track 2"];
    studio.retake(&format!("encode disc.mkv -o out.mp4 {} --burn 1", fast())).refused(2, &words);
}
