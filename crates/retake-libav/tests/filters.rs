//! Filtered films give out the pictures that the `ffmpeg` program makes by the same filters, from the start
//! and in exact ranges, wherever these begin.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_libav::{
    Burn, Crop, Deinterlace, Denoise, FilmInfo, FilterError, FilterStep, FindingKind, FrameEntry, FrameIndex,
    FrameReader, MediaError, PictureFilters, RangeReader, ReaderOptions, SeekTrust, ToneMap, Turn, probe,
    survey, survey_range,
};
use retake_media::{PixelBuffer, PixelFormat, Rational};
use retake_testing::pgs::{Shown, sup};
use retake_testing::turned_by;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn plain(path: &Path) -> FilmInfo {
    survey(probe(path).unwrap(), &|| false).unwrap()
}

fn filtered(path: &Path, filters: &PictureFilters) -> FilmInfo {
    plain(path).with_filters(filters, &|| false).unwrap()
}

fn graph(text: &str) -> PictureFilters {
    PictureFilters { graph: Some(text.into()), ..PictureFilters::default() }
}

/// The checksums and the times of all frames that `ffmpeg` makes of a film.
fn made(path: &Path, filters: &str, pixels: &str) -> (Vec<u32>, Vec<f64>) {
    let out = ffmpeg(&[
        "-copyts",
        "-i",
        path.to_str().unwrap(),
        "-map",
        "0:v:0",
        "-vf",
        filters,
        "-sws_flags",
        "bicubic+accurate_rnd+full_chroma_int+bitexact",
        "-pix_fmt",
        pixels,
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "1:90000",
        "-f",
        "framecrc",
        "-",
    ]);
    let text = String::from_utf8(out).unwrap();
    let base = text.lines().find_map(|line| line.strip_prefix("#tb 0: ")).unwrap().to_owned();
    let (num, den) = base.split_once('/').unwrap();
    let tick = num.parse::<f64>().unwrap() / den.parse::<f64>().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut fields = line.split(',').map(str::trim);
            let pts: f64 = fields.nth(2).unwrap().parse().unwrap();
            let sum = fields.nth(2).unwrap().strip_prefix("0x").unwrap();
            (u32::from_str_radix(sum, 16).unwrap(), pts * tick)
        })
        .unzip()
}

/// All frames from the start: checksums, times in seconds, and the index.
fn read(info: &FilmInfo, format: PixelFormat) -> (Vec<u32>, Vec<f64>, Arc<FrameIndex>) {
    let mut reader = FrameReader::open(info, ReaderOptions { format, threads: 1 }).unwrap();
    let (mut sums, mut times) = (Vec::new(), Vec::new());
    let mut index = FrameIndex::new(info.video.time_base);
    while let Some(frame) = reader.next().unwrap() {
        assert_eq!(frame.index, sums.len() as u64);
        sums.push(checksum(&frame.picture));
        times.push(info.video.time(frame.pts).seconds());
        index.frames.push(FrameEntry::from(&frame));
    }
    assert!(reader.next().unwrap().is_none(), "nothing follows the end");
    (sums, times, Arc::new(index))
}

/// Reads ranges all over a film, and compares them with what was read from its start.
fn check_ranges(info: &FilmInfo, sums: &[u32], index: &Arc<FrameIndex>, what: &str) -> u32 {
    let (count, mut fallbacks) = (sums.len() as u64, 0);
    let trust = SeekTrust::new();
    let parts = [
        count * 2 / 3..count * 2 / 3 + 5,
        count / 5..count / 5 + 4,
        count / 2..count / 2 + 3,
        count - 3..count,
        0..2,
    ];
    for part in parts.map(|part| part.start..part.end.min(count)) {
        let options = ReaderOptions { format: info.video.format, threads: 1 };
        let mut reader =
            RangeReader::open(info, index.clone(), part.clone(), options, trust.clone()).unwrap();
        for number in part {
            let frame = reader.next().unwrap().unwrap_or_else(|| panic!("{what}: no frame {number}"));
            assert_eq!(checksum(&frame.picture), sums[number as usize], "{what}: {number}");
        }
        fallbacks += reader.fallbacks();
    }
    fallbacks
}

/// Compares a film behind filters with what `ffmpeg` makes of it.
fn check(path: &Path, filters: &PictureFilters, words: &str, pixels: &str) -> (FilmInfo, u32) {
    let info = filtered(path, filters);
    let what = format!("{} by {filters}", path.display());
    let (expected, shown) = made(path, words, pixels);
    let (sums, times, index) = read(&info, info.video.format);
    assert_eq!(times.len(), shown.len(), "{what}");
    for (number, (time, shown)) in times.iter().zip(&shown).enumerate() {
        assert!((time - shown).abs() < 2e-5, "{what}: frame {number} at {time}, not {shown}");
    }
    for (number, (found, sum)) in sums.iter().zip(&expected).enumerate() {
        assert!(found == sum, "{what}: another picture {number}");
    }
    assert!(sums.windows(2).any(|pair| pair[0] != pair[1]), "{what}: the film tells nothing");
    let fallbacks = check_ranges(&info, &sums, &index, &what);
    (info, fallbacks)
}

#[test]
fn pictures_by_themselves_are_those_of_ffmpeg() {
    let Some(studio) = Studio::open() else { return };
    let path = studio.render(
        "-f lavfi -i testsrc2=s=320x240:r=25:d=4 -c:v libx264 -preset ultrafast -g 12 -bf 2 -aspect 16:9",
        "film.mp4",
    );
    let base = PictureFilters::default();
    let crop = PictureFilters { crop: "200:100:60:40".parse().ok(), ..base.clone() };
    let (info, fallbacks) = check(&path, &crop, "crop=200:100:60:40", "yuv420p");
    assert_eq!((info.video.width, info.video.height, fallbacks), (200, 100, 0));
    assert_eq!(info.video.pixel_aspect_ratio, Rational::new(4, 3));
    let scale = PictureFilters { scale: "160x-2".parse().ok(), ..base.clone() };
    let (info, _) = check(&path, &scale, "zscale=160:120:filter=spline36", "yuv420p");
    assert_eq!((info.video.width, info.video.height), (160, 120));
    assert_eq!(info.video.pixel_aspect_ratio, Rational::new(4, 3));
    assert_eq!(info.unfiltered().width, 320);
    // 320x240 at 4:3 is shown at 16:9, and so is 160x90.
    let both = PictureFilters { scale: "160x90".parse().ok(), ..base.clone() };
    let (info, _) = check(&path, &both, "zscale=160:90:filter=spline36", "yuv420p");
    assert_eq!(info.video.pixel_aspect_ratio, Rational::new(1, 1));
    for (turn, words) in [
        (Turn::Quarter, "transpose=clock"),
        (Turn::Half, "hflip,vflip"),
        (Turn::ThreeQuarters, "transpose=cclock"),
        (Turn::MirrorAcross, "hflip"),
        (Turn::MirrorDown, "vflip"),
    ] {
        let turned = PictureFilters { turn: Some(turn), ..base.clone() };
        let (info, _) = check(&path, &turned, words, "yuv420p");
        let across = words.starts_with("transpose");
        assert_eq!((info.video.width, info.video.height), if across { (240, 320) } else { (320, 240) });
        let aspect = if across { Rational::new(3, 4) } else { Rational::new(4, 3) };
        assert_eq!(info.video.pixel_aspect_ratio, aspect, "{words}");
    }
    // In one order, whatever the fields are: turned, cropped, scaled.
    let all = PictureFilters {
        turn: Some(Turn::Quarter),
        crop: "160:200:40:60".parse().ok(),
        scale: "80x-2".parse().ok(),
        ..base
    };
    let (info, _) =
        check(&path, &all, "transpose=clock,crop=160:200:40:60,zscale=80:100:filter=spline36", "yuv420p");
    assert!(info.filters() == Some(&all) && info.video.frames_hint == Some(100));
}

/// A film that is to be turned for display is turned by `--rotate auto`, as `ffmpeg` turns it by itself.
#[test]
fn a_turned_film_is_set_upright() {
    let Some(studio) = Studio::open() else { return };
    studio.render("-f lavfi -i testsrc2=s=160x96:r=25:d=0.4 -c:v libx264 -preset ultrafast", "flat.mp4");
    let flat = studio.path("flat.mp4");
    for degrees in [90, 180, 270] {
        let path = studio.path(&format!("{degrees}.mp4"));
        turned_by(&flat, &path, degrees);
        let upright = PictureFilters { turn: Some(Turn::Auto), ..PictureFilters::default() };
        let (info, _) = check(&path, &upright, "null", "yuv420p");
        assert_eq!((info.video.rotation, info.video.display_matrix), (0, None), "{degrees}");
        assert_ne!(info.unfiltered().rotation, 0, "{degrees}");
    }
}

/// What filters remember is the same in exact ranges, or the film is read from its start.
#[test]
fn filters_with_memory_give_the_same_frames_everywhere() {
    let Some(studio) = Studio::open() else { return };
    let path = studio.render(
        "-f lavfi -i testsrc2=s=160x96:r=25:d=6,noise=c0s=20:allf=t -c:v libx264 -preset ultrafast -g 12",
        "film.mp4",
    );
    let base = PictureFilters::default();
    let (_, fallbacks) =
        check(&path, &graph("tblend=all_mode=average"), "tblend=all_mode=average", "yuv420p");
    assert_eq!(fallbacks, 0, "48 pictures are more than it remembers");
    let denoise = PictureFilters { denoise: Some(Denoise::Light), ..base.clone() };
    check(&path, &denoise, "hqdn3d=2:1:2:3", "yuv420p");
    for (rate, words, count) in
        [("30", "fps=30", 180), ("12.5", "fps=25/2", 75), ("23.976", "fps=24000/1001", 144)]
    {
        let fps = PictureFilters { frame_rate: rate.parse().ok(), ..base.clone() };
        let (info, fallbacks) = check(&path, &fps, words, "yuv420p");
        assert_eq!(info.video.frame_rate, rate.parse::<retake_libav::FrameRate>().unwrap().get());
        assert_eq!(info.video.frames_hint, Some(count), "{rate}");
        assert_eq!(fallbacks, 0, "{rate}");
    }
    // Four frames of five are left out, by their number, so that only the start of the film is a beginning.
    let path = studio
        .render("-f lavfi -i testsrc2=s=160x96:r=100:d=6 -c:v libx264 -preset ultrafast -g 12", "long.mp4");
    let select = "select=not(mod(n\\,5))";
    let (info, fallbacks) = check(&path, &graph(select), select, "yuv420p");
    assert!(fallbacks > 0 && info.entry_points(retake_media::Time::new(1, 1), 1).is_empty());
}

#[test]
fn fields_become_whole_frames() {
    let Some(studio) = Studio::open() else { return };
    for (name, order) in [("top", "top:setfield=tff"), ("bottom", "bottom:setfield=bff")] {
        let (interleave, set) = order.split_once(':').unwrap();
        let path = studio.render(
            &format!(
                "-f lavfi -i testsrc2=s=160x96:r=50:d=4 -vf tinterlace=interleave_{interleave},{set} -pix_fmt yuv420p -c:v \
                 libx264 -preset ultrafast -g 12 -flags +ilme+ildct -x264-params {}=1",
                if name == "top" { "tff" } else { "bff" }
            ),
            &format!("{name}.mkv"),
        );
        assert!(plain(&path).video.fields.is_some());
        let whole =
            |deinterlace| PictureFilters { deinterlace: Some(deinterlace), ..PictureFilters::default() };
        for (deinterlace, words) in [(Deinterlace::Auto, "bwdif=0:-1:1"), (Deinterlace::Yes, "bwdif=0:-1:0")]
        {
            let (info, fallbacks) = check(&path, &whole(deinterlace), words, "yuv420p");
            assert_eq!((info.video.fields, fallbacks), (None, 0), "{name}");
        }
        // A film of whole frames has none to make.
        if name == "top" {
            let film = studio
                .render("-f lavfi -i testsrc2=s=160x96:r=25:d=1 -c:v libx264 -preset ultrafast", "whole.mkv");
            check(&film, &whole(Deinterlace::Auto), "null", "yuv420p");
        }
        // Scaling mixes fields, which is told.
        let scaled =
            filtered(&path, &PictureFilters { scale: "80x48".parse().ok(), ..PictureFilters::default() });
        let told = scaled
            .findings
            .iter()
            .any(|found| found.kind == FindingKind::Filtered && found.detail.contains("fields"));
        assert!(told && scaled.video.fields.is_none());
    }
}

#[test]
fn telecined_frames_are_found_again() {
    let Some(studio) = Studio::open() else { return };
    let path = studio.render(
        "-f lavfi -i testsrc2=s=160x96:r=24000/1001:d=5 -vf telecine -pix_fmt yuv420p -c:v mpeg2video -qscale:v 2 -flags \
         +ilme+ildct -top 1",
        "film.mkv",
    );
    let filters = PictureFilters { detelecine: true, ..PictureFilters::default() };
    let words = "fieldmatch=order=auto:combmatch=full,bwdif=0:-1:1,decimate";
    let (info, _) = check(&path, &filters, words, "yuv420p");
    assert_eq!(info.video.frame_rate, Rational::new(24000, 1001));
    assert_eq!(info.video.fields, None);
    let frames = info.video.frames_hint.unwrap();
    assert!((118..=121).contains(&frames), "{frames}");
}

/// A range of a film is filtered as if there were nothing else, and keeps its times.
#[test]
fn a_part_of_a_film_is_filtered() {
    let Some(studio) = Studio::open() else { return };
    let path = studio
        .render("-f lavfi -i testsrc2=s=160x96:r=25:d=5 -c:v libx264 -preset ultrafast -g 12", "film.mp4");
    let cut = || survey_range(probe(&path).unwrap(), (31..93).into(), &|| false).unwrap();
    for (filters, words, rate) in [
        (
            PictureFilters { crop: "100:60:20:20".parse().ok(), ..PictureFilters::default() },
            "crop=100:60:20:20",
            25.0,
        ),
        (graph("tblend=all_mode=average"), "tblend=all_mode=average", 25.0),
        (PictureFilters { frame_rate: "10".parse().ok(), ..PictureFilters::default() }, "fps=10", 10.0),
    ] {
        let info = cut().with_filters(&filters, &|| false).unwrap();
        let (sums, times, index) = read(&info, info.video.format);
        let (expected, shown) =
            made(&path, &format!("trim=start_frame=31:end_frame=93,setpts=PTS-STARTPTS,{words}"), "yuv420p");
        assert!(sums == expected, "{filters}: other pictures, {} of {}", sums.len(), expected.len());
        for (time, shown) in times.iter().zip(shown) {
            assert!((time - shown - 31.0 / 25.0).abs() < 1e-4, "{filters}: {time} {shown}");
        }
        assert_eq!(info.video.frame_rate.to_f64(), rate);
        assert_eq!(info.time_range(), cut().time_range(), "{filters}");
        check_ranges(&info, &sums, &index, &filters.to_string());
    }
}

#[test]
fn high_dynamic_range_becomes_standard() {
    let Some(studio) = Studio::open() else { return };
    let made_hdr = |transfer: &str, name: &str, x265: &str| {
        studio.render(
            &format!(
                "-f lavfi -i testsrc2=s=160x96:r=25:d=0.4 -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc {transfer} \
                 -colorspace bt2020nc -color_range tv -c:v libx265 -preset ultrafast -x265-params \
                 log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc{x265}"
            ),
            name,
        )
    };
    let display = ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=800,200";
    for (transfer, name, x265, peak) in
        [("smpte2084", "pq.mkv", display, 8.0), ("arib-std-b67", "hlg.mkv", "", 10.0)]
    {
        let path = made_hdr(transfer, name, x265);
        for (curve, word) in [(ToneMap::Hable, "hable"), (ToneMap::Mobius, "mobius")] {
            let filters = PictureFilters { tone_map: Some(curve), ..PictureFilters::default() };
            let words = format!(
                "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap={word}:desat=0:peak={peak},\
                 zscale=t=bt709:m=bt709:r=tv"
            );
            let (info, _) = check(&path, &filters, &words, "yuv420p10le");
            let colour = info.video.colour;
            assert_eq!((colour.primaries, colour.transfer, colour.matrix), (1, 1, 1), "{name}");
            assert!(info.video.mastering_display.is_none() && info.video.content_light.is_none());
            let told = info.findings.iter().find(|found| found.kind == FindingKind::Filtered).unwrap();
            assert_eq!(told.to_string().contains("HDR10 metadata"), name == "pq.mkv", "{told}");
        }
    }
    let path = studio.render("-f lavfi -i testsrc2=s=160x96:r=25:d=0.4 -c:v ffv1", "sdr.mkv");
    let filters = PictureFilters { tone_map: Some(ToneMap::Hable), ..PictureFilters::default() };
    let refused = plain(&path).with_filters(&filters, &|| false);
    assert!(matches!(refused, Err(MediaError::Filter { source: FilterError::NoHighRange, .. })));
}

/// Fewer bits and less chroma are made as without filters, of what comes out of them.
#[test]
fn depth_and_chroma_change_behind_filters() {
    let Some(studio) = Studio::open() else { return };
    let path =
        studio.render("-f lavfi -i testsrc2=s=160x96:r=25:d=0.4 -pix_fmt yuv422p10le -c:v ffv1", "film.mkv");
    let base = PictureFilters::default();
    for (filters, words) in [
        (PictureFilters { crop: "100:60:20:20".parse().ok(), ..base.clone() }, "crop=100:60:20:20"),
        (
            PictureFilters { scale: "80x48".parse().ok(), ..base },
            "zscale=80:48:filter=spline36,format=yuv422p10le",
        ),
    ] {
        let info = filtered(&path, &filters);
        let (sums, ..) = read(&info, PixelFormat::I420);
        let (expected, _) = made(&path, words, "yuv420p");
        assert!(sums == expected, "{filters}");
    }
    // Luma alone keeps its values, whatever range FFmpeg takes it for.
    for (pixels, range) in [("gray", "tv"), ("gray", "pc"), ("gray10le", "tv")] {
        let film = format!(
            "-f lavfi -i testsrc2=s=160x96:r=25:d=0.2 -pix_fmt {pixels} -color_range {range} -c:v ffv1"
        );
        let path = studio.render(&film, "gray.mkv");
        let nothing = filtered(&path, &graph("null"));
        for format in [PixelFormat::I420, PixelFormat::Y8, PixelFormat::Y10, PixelFormat::I010] {
            assert!(read(&nothing, format).0 == read(&plain(&path), format).0, "{pixels} {range} {format:?}");
        }
    }
}

/// Bars are found where they are in all of the film, and nothing that is ever seen is cut off: words in a bar
/// for a fifth of a second, between two sync frames.
#[test]
fn bars_are_cropped_and_nothing_else() {
    let Some(studio) = Studio::open() else { return };
    let auto = PictureFilters { crop: Some(Crop::Auto), ..PictureFilters::default() };
    let bars = "-f lavfi -i testsrc2=s=320x136:r=25:d=6 -vf pad=360:240:20:52";
    let path = studio.render(&format!("{bars} -c:v libx264 -preset ultrafast -g 250"), "bars.mp4");
    let info = filtered(&path, &auto);
    assert_eq!(info.filters().unwrap().crop, "320:136:20:52".parse().ok());
    let told = info.findings.iter().find(|found| found.kind == FindingKind::Filtered).unwrap();
    assert!(told.to_string().contains("320:136:20:52") && told.to_string().contains("150 frames"), "{told}");
    check(
        &path,
        &PictureFilters { crop: info.filters().unwrap().crop, ..PictureFilters::default() },
        "crop=320:136:20:52",
        "yuv420p",
    );
    let words = "drawbox=x=100:y=210:w=60:h=12:c=white:t=fill:enable=between(n\\,70\\,74)";
    let path = studio.render(&format!("{bars},{words} -c:v libx264 -preset ultrafast -g 250"), "words.mp4");
    assert_eq!(filtered(&path, &auto).filters().unwrap().crop, "320:170:20:52".parse().ok());
    let wide = "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264 -preset ultrafast";
    let path = studio.render(wide, "whole.mp4");
    let info = filtered(&path, &auto);
    assert_eq!((info.filters().unwrap().crop, info.video.width, info.video.height), (None, 160, 90));
    let path = studio.render("-f lavfi -i color=black:s=160x90:r=25:d=1 -c:v libx264", "black.mp4");
    assert_eq!(filtered(&path, &auto).filters().unwrap().crop, None);
    // What is kept is told of the picture as it is after it was turned.
    let turned = PictureFilters { turn: Some(Turn::Quarter), ..auto };
    assert_eq!(
        filtered(&studio.path("bars.mp4"), &turned).filters().unwrap().crop,
        "136:320:52:20".parse().ok()
    );
}

#[test]
fn what_cannot_be_is_refused_by_its_cause() {
    let Some(studio) = Studio::open() else { return };
    let path =
        studio.render("-f lavfi -i testsrc2=s=160x90:r=25:d=0.2 -c:v libx264 -preset ultrafast", "film.mp4");
    let refused = |filters: &PictureFilters| match plain(&path).with_filters(filters, &|| false) {
        Err(MediaError::Filter { source, .. }) => source,
        Err(other) => panic!("{filters}: {other}"),
        Ok(_) => panic!("{filters} was taken"),
    };
    let crop = |text: &str| PictureFilters { crop: text.parse().ok(), ..PictureFilters::default() };
    assert!(matches!(refused(&crop("90:80:61:0")), FilterError::CropUneven { across: 2, down: 2, .. }));
    assert!(matches!(refused(&crop("100:80:62:0")), FilterError::CropOutside { of_width: 160, .. }));
    assert!(matches!(refused(&crop("999999:999999:999999:0")), FilterError::CropOutside { .. }));
    assert!(matches!(refused(&crop("8:8:0:0")), FilterError::OutOfSizes { .. }));
    let scale = PictureFilters { scale: "16384p".parse().ok(), ..PictureFilters::default() };
    assert!(matches!(refused(&scale), FilterError::OutOfSizes { .. }));
    for (text, says) in [
        ("nosuchfilter", "nosuchfilter"),
        ("scale=w=", ""),
        ("hflip;vflip", "one video"),
        ("split", "one video"),
        ("color=red", "one video"),
        ("nullsink", "one video"),
        ("anull", "one video"),
        ("[a]hflip[b", ""),
        ("", "filter"),
    ] {
        match refused(&graph(text)) {
            FilterError::Refused { step: FilterStep::Graph, detail, .. } => {
                assert!(detail.contains(says), "{text}: {detail}");
            }
            other => panic!("{text}: {other}"),
        }
    }
    // A film that is filtered is not filtered once more, and facts of it are enough for another process.
    let hflip = PictureFilters { turn: Some(Turn::MirrorAcross), ..PictureFilters::default() };
    let info = filtered(&path, &hflip);
    assert!(matches!(info.clone().with_filters(&hflip, &|| false), Err(MediaError::Internal { .. })));
    let text = serde_json::to_string(&info.facts()).unwrap();
    let other = probe(&path).unwrap().with_facts(serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(read(&other, PixelFormat::I420).0, read(&info, PixelFormat::I420).0);
}

/// Subtitles are drawn as FFmpeg draws them, at the times that they have in the film, whatever its clock says
/// and wherever reading begins.
#[test]
fn subtitles_are_drawn_where_they_are_shown() {
    let Some(studio) = Studio::open() else { return };
    if !has_filter("ass") {
        eprintln!("SKIPPED: this ffmpeg has no libass");
        return;
    }
    let file = studio.path("text.srt");
    let text =
        "1\n00:00:00,400 --> 00:00:01,800\nFirst\n\n2\n00:00:02,400 --> 00:00:03,600\n<i>Second</i>\n\n";
    std::fs::write(&file, text).unwrap();
    let pictures = "-f lavfi -i testsrc2=s=320x180:r=25:d=4 -c:v libx264 -preset ultrafast -g 12";
    studio.render(pictures, "pictures.mkv");
    let film = studio.render(
        &format!("-i {} -i {} -c:v copy -c:s srt", studio.path("pictures.mkv").display(), file.display()),
        "film.mkv",
    );
    let late = studio.render(
        &format!("-i {} -c copy -output_ts_offset 7.123", studio.path("pictures.mkv").display()),
        "late.ts",
    );
    // FFmpeg's other filter of subtitles opens films, and draws a fraction of a pixel elsewhere
    studio.render(&format!("-i {}", file.display()), "text.ass");
    let words = format!("ass={}", studio.path("text.ass").display());
    let burn = |burn: Burn| PictureFilters { burn: Some(burn), ..PictureFilters::default() };
    let (plain_sums, _) = made(&film, "null", "yuv420p");
    let (drawn, _) = made(&film, &words, "yuv420p");
    let differs: Vec<usize> = (0..100).filter(|&frame| plain_sums[frame] != drawn[frame]).collect();
    assert_eq!(differs, (10..45).chain(60..90).collect::<Vec<_>>());
    for from in [Burn::File(file.clone()), Burn::Track(1)] {
        check(&film, &burn(from.clone()), &words, "yuv420p");
        // a part of the film has the texts that are shown in it
        let part = survey_range(probe(&film).unwrap(), (31..93).into(), &|| false).unwrap();
        let part = part.with_filters(&burn(from), &|| false).unwrap();
        let (sums, _, index) = read(&part, part.video.format);
        assert!(sums == drawn[31..93], "other pictures in a part");
        check_ranges(&part, &sums, &index, "a part");
    }
    let info = filtered(&late, &burn(Burn::File(file.clone())));
    let (sums, _, index) = read(&info, info.video.format);
    assert!(sums == drawn, "other pictures on another clock");
    check_ranges(&info, &sums, &index, "on another clock");
    let refused = plain(&film).with_filters(&burn(Burn::Track(0)), &|| false);
    assert!(matches!(refused, Err(MediaError::Filter { source: FilterError::NoSuchTexts { .. }, .. })));
}

/// Whether the `ffmpeg` program has a filter.
fn has_filter(name: &str) -> bool {
    let list = String::from_utf8(ffmpeg(&["-filters"])).unwrap();
    list.lines().any(|line| line.split_whitespace().nth(1) == Some(name))
}

/// The part of two pictures in which luma differs: left, top, and what is behind right and bottom.
fn differing(one: &PixelBuffer, other: &PixelBuffer) -> Option<[usize; 4]> {
    let bytes = one.format().bytes_per_sample();
    let mut found: Option<[usize; 4]> = None;
    for (y, (a, b)) in one.rows(0).zip(other.rows(0)).enumerate() {
        for (x, _) in a.chunks(bytes).zip(b.chunks(bytes)).enumerate().filter(|(_, (a, b))| a != b) {
            let [left, top, right, bottom] = found.unwrap_or([x, y, x, y]);
            found = Some([left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)]);
        }
    }
    found
}

/// All pictures of a film.
fn pictures(info: &FilmInfo, format: PixelFormat) -> Vec<PixelBuffer> {
    let mut reader = FrameReader::open(info, ReaderOptions { format, threads: 1 }).unwrap();
    std::iter::from_fn(|| reader.next().unwrap()).map(|frame| frame.picture).collect()
}

/// Y, Cb and Cr of a pixel.
fn pixel(picture: &PixelBuffer, x: usize, y: usize) -> [i32; 3] {
    let (across, down) = picture.format().chroma_block().unwrap();
    let (across, down) = (across as usize, down as usize);
    let sample = |plane: usize, x: usize, y: usize| match picture.format().bytes_per_sample() {
        1 => i32::from(picture.row(plane, y)[x]),
        _ => i32::from(u16::from_le_bytes(picture.row(plane, y)[2 * x..2 * x + 2].try_into().unwrap())),
    };
    [sample(0, x, y), sample(1, x / across, y / down), sample(2, x / across, y / down)]
}

fn near(found: [i32; 3], wanted: [i32; 3], by: i32, what: &str) {
    let close = found.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= by);
    assert!(close, "{what}: {found:?} is not {wanted:?}");
}

const YELLOW: [u8; 3] = [180, 60, 150];
const BLUE: [u8; 3] = [60, 200, 110];

/// A film of 100 frames, 25 a second, with two boxes: the one ends by itself, the other at the next, which
/// goes in the last second.
fn with_boxes(studio: &Studio, canvas: (u16, u16), scale: u16) -> PathBuf {
    let shown = |from, until, x: u16, y: u16| Shown {
        from,
        until,
        place: (x * scale, y * scale, 64 * scale, 20 * scale),
        colours: [YELLOW, BLUE],
        alpha: 128,
    };
    let boxes = [shown(0.4, Some(1.8), 40, 130), shown(2.4, None, 100, 20), shown(2.8, Some(3.6), 200, 150)];
    let name = format!("boxes-{}.sup", canvas.1);
    std::fs::write(studio.path(&name), sup(canvas, &boxes)).unwrap();
    let film =
        "-f lavfi -i testsrc2=s=320x180:r=25:d=4 -pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 12";
    studio.render(film, "pictures.mkv");
    let [pictures, boxes] = ["pictures.mkv", &name].map(|name| studio.path(name).display().to_string());
    studio.render(
        &format!("-i {pictures} -i {boxes} -map 0 -map 1 -c copy"),
        &format!("boxes-{}.mkv", canvas.1),
    )
}

/// Where boxes are, and in which frames.
const BOXES: [(std::ops::Range<usize>, [usize; 4]); 3] =
    [(10..45, [40, 130, 104, 150]), (60..70, [100, 20, 164, 40]), (70..90, [200, 150, 264, 170])];

/// Checks that boxes are there, in their places and colours, and nothing else.
fn check_boxes(drawn: &[PixelBuffer], plain: &[PixelBuffer], slack: usize, by: i32, what: &str) {
    assert_eq!((drawn.len(), plain.len()), (100, 100), "{what}");
    for (number, (picture, before)) in drawn.iter().zip(plain).enumerate() {
        let expected = BOXES.iter().find(|(frames, _)| frames.contains(&number)).map(|(_, place)| *place);
        let found = differing(picture, before);
        let (Some(found), Some(expected)) = (found, expected) else {
            assert_eq!(found, expected, "{what}: frame {number}");
            continue;
        };
        let close = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= slack);
        assert!(close, "{what}: frame {number} differs in {found:?}, not {expected:?}");
        let [left, top, ..] = expected;
        let step = 1 << (picture.format().bit_depth() - 8);
        let [yellow, blue] = [YELLOW, BLUE].map(|colour| colour.map(|value| i32::from(value) * step));
        near(pixel(picture, left + 16, top + 10), yellow, by * step, what);
        let under = pixel(before, left + 48, top + 10);
        let mixed = [0, 1, 2].map(|plane| (under[plane] * 127 + blue[plane] * 128) / 255);
        near(pixel(picture, left + 48, top + 10), mixed, (by + 1) * step, what);
    }
}

/// Subtitles that are pictures are laid over the film: in their colours, places and times, to the sample, in
/// exact ranges and in parts of the film as from its start, and whatever filters come before and behind.
#[test]
fn pictures_of_subtitles_are_drawn_where_they_are_shown() {
    let Some(studio) = Studio::open() else { return };
    let film = with_boxes(&studio, (320, 180), 1);
    let burn = || PictureFilters { burn: Some(Burn::Track(1)), ..PictureFilters::default() };
    let before = pictures(&plain(&film), PixelFormat::I420);
    let info = filtered(&film, &burn());
    // The palette went through red, green and blue of eight bits.
    check_boxes(&pictures(&info, PixelFormat::I420), &before, 0, 2, "PGS");
    let deep = pictures(&plain(&film), PixelFormat::I010);
    check_boxes(&pictures(&info, PixelFormat::I010), &deep, 0, 2, "PGS in ten bits");
    let (sums, _, index) = read(&info, PixelFormat::I420);
    assert_eq!(check_ranges(&info, &sums, &index, "PGS"), 0);
    let facts = serde_json::to_string(&info.facts()).unwrap();
    let other = probe(&film).unwrap().with_facts(serde_json::from_str(&facts).unwrap()).unwrap();
    assert_eq!(read(&other, PixelFormat::I420).0, sums, "by its facts");
    for part in [31..93, 62..69] {
        let range = (part.start as u64..part.end as u64).into();
        let cut = survey_range(probe(&film).unwrap(), range, &|| false).unwrap();
        let cut = cut.with_filters(&burn(), &|| false).unwrap();
        let (found, _, index) = read(&cut, PixelFormat::I420);
        assert!(found == sums[part.clone()], "other pictures in {part:?}");
        check_ranges(&cut, &found, &index, "a part");
    }
    // A canvas of twice the size, whose boxes are scaled.
    let large = with_boxes(&studio, (640, 360), 2);
    check_boxes(&pictures(&filtered(&large, &burn()), PixelFormat::I420), &before, 1, 2, "a larger canvas");
    // Filters before and behind: boxes lie where they lie in the film, and what comes behind sees them.
    let crop = PictureFilters { crop: "240:160:30:20".parse().ok(), ..burn() };
    let cropped = pictures(&filtered(&film, &crop), PixelFormat::I420);
    near(pixel(&cropped[20], 40 + 16 - 30, 130 + 10 - 20), YELLOW.map(i32::from), 2, "cropped");
    let flip = PictureFilters { graph: Some("hflip".into()), ..burn() };
    let info = filtered(&film, &flip);
    let flipped = pictures(&info, PixelFormat::I420);
    near(pixel(&flipped[20], 319 - 56, 140), YELLOW.map(i32::from), 2, "turned over");
    let (sums, _, index) = read(&info, PixelFormat::I420);
    assert_eq!(sums.len(), 100);
    check_ranges(&info, &sums, &index, "turned over");
    let rate = PictureFilters { graph: Some("fps=50".into()), ..burn() };
    assert_eq!(pictures(&filtered(&film, &rate), PixelFormat::I420).len(), 200);
    // At the size without scaling they are drawn, too.
    let scale = PictureFilters { scale: "90p".parse().ok(), ..burn() };
    let info = filtered(&film, &scale).with_unscaled().unwrap();
    assert_eq!(info.unscaled_size(), Some((320, 180)));
    let mut reader =
        FrameReader::open(&info, ReaderOptions { format: PixelFormat::I420, threads: 1 }).unwrap();
    let frames: Vec<_> = std::iter::from_fn(|| reader.next().unwrap()).collect();
    let unscaled: Vec<_> = frames.iter().filter_map(|frame| frame.unscaled.clone()).collect();
    check_boxes(&unscaled, &before, 0, 2, "without scaling");
    near(pixel(&frames[20].picture, 28, 70), YELLOW.map(i32::from), 2, "scaled");
}

/// Those of broadcasts and DVDs are drawn as well.
#[test]
fn other_pictures_of_subtitles_are_drawn() {
    let Some(studio) = Studio::open() else { return };
    let film = with_boxes(&studio, (320, 180), 1).display().to_string();
    // DVDs have sixteen colours, and FFmpeg takes the nearest of its own.
    let nearest = [210, 16, 146];
    for (codec, name, colour) in [("dvbsub", "dvb.ts", YELLOW.map(i32::from)), ("dvdsub", "dvd.mkv", nearest)]
    {
        let flags = format!("-fix_sub_duration -i {film} -map 0 -c:v copy -c:s {codec}");
        let path = studio.render(&flags, name);
        let before = pictures(&plain(&path), PixelFormat::I420);
        let burn = PictureFilters { burn: Some(Burn::Track(1)), ..PictureFilters::default() };
        let info = filtered(&path, &burn);
        let drawn = pictures(&info, PixelFormat::I420);
        let shown: Vec<Option<[usize; 4]>> =
            drawn.iter().zip(&before).map(|(picture, before)| differing(picture, before)).collect();
        for (number, (found, picture)) in shown.iter().zip(&drawn).enumerate() {
            // Formats round times, so that the frames at both ends may have it or not.
            let inner = BOXES.iter().find(|(frames, _)| (frames.start + 1..frames.end - 1).contains(&number));
            let outer = BOXES.iter().any(|(frames, _)| (frames.start - 1..frames.end + 1).contains(&number));
            match (found, inner) {
                (Some(found), Some((_, [left, top, right, bottom]))) => {
                    let inside = found[0] >= *left && found[1] >= *top;
                    assert!(
                        inside && found[2] <= *right && found[3] <= *bottom,
                        "{name}: {number}: {found:?}"
                    );
                    near(pixel(picture, left + 16, top + 10), colour, 3, name);
                }
                (found, inner) => assert!(outer || (found.is_none() && inner.is_none()), "{name}: {number}"),
            }
        }
        let (sums, _, index) = read(&info, PixelFormat::I420);
        check_ranges(&info, &sums, &index, name);
    }
}

/// Damaged subtitles are no panic, take no memory that they claim, and leave the pictures of the film.
#[test]
fn damaged_pictures_of_subtitles_are_left_out() {
    let Some(studio) = Studio::open() else { return };
    let film = with_boxes(&studio, (320, 180), 1);
    let good = std::fs::read(studio.path("boxes-180.sup")).unwrap();
    let video = studio.path("pictures.mkv").display().to_string();
    let mut told = 0;
    for seed in 0..24_usize {
        let mut bad = good.clone();
        // Heads of segments stay, so that FFmpeg still finds packets to copy.
        let mut at = 0;
        let mut number = seed;
        while at + 13 <= bad.len() {
            let length = usize::from(u16::from_be_bytes([bad[at + 11], bad[at + 12]]));
            if length > 0 && number.is_multiple_of(3) {
                let place = at + 13 + (number * 7) % length;
                bad[place] = bad[place].wrapping_mul(31).wrapping_add(0xF5);
            }
            number += 1;
            at += 13 + length;
        }
        let name = format!("bad-{seed}.sup");
        std::fs::write(studio.path(&name), bad).unwrap();
        let flags = format!("-i {video} -i {} -map 0 -map 1 -c copy", studio.path(&name).display());
        let path = studio.render(&flags, &format!("bad-{seed}.mkv"));
        let burn = PictureFilters { burn: Some(Burn::Track(1)), ..PictureFilters::default() };
        let info = filtered(&path, &burn);
        let damaged = |finding: &retake_libav::Finding| {
            finding.kind == FindingKind::Filtered
                && finding.to_string().contains("damaged, and what cannot be read")
        };
        told += u32::from(info.findings.iter().any(damaged));
        let drawn = pictures(&info, PixelFormat::I420);
        assert_eq!(drawn.len(), 100, "{seed}");
    }
    assert!(told > 0, "{}: no damage was told", film.display());
}

/// Frames that are scaled have the picture beside them that `ffmpeg` makes by the same filters without
/// scaling, from the start and in exact ranges, and are known again by both.
#[test]
fn pictures_without_scaling_lie_beside_the_scaled_ones() {
    let Some(studio) = Studio::open() else { return };
    let source = "-f lavfi -i testsrc2=s=320x180:r=25:d=3 -vf noise=alls=12:allf=t:all_seed=4 -pix_fmt yuv420p \
                  -c:v libx264 -preset ultrafast -g 12";
    let path = studio.render(source, "film.mkv");
    let filters = PictureFilters {
        crop: "240:160:40:10".parse().ok(),
        denoise: Some(Denoise::Medium),
        scale: "80p".parse().ok(),
        ..PictureFilters::default()
    };
    let scaled = filtered(&path, &filters);
    let info = scaled.clone().with_unscaled().unwrap();
    assert_eq!((info.unscaled_size(), info.video.width, info.video.height), (Some((240, 160)), 120, 80));
    assert_eq!(scaled.unscaled_size(), None);
    let (words, _) = made(&path, "crop=240:160:40:10,hqdn3d=3:2:4:5", "yuv420p");
    let (small, _, alone) = read(&scaled, PixelFormat::I420);
    let options = ReaderOptions { format: PixelFormat::I420, threads: 1 };
    let mut reader = FrameReader::open(&info, options).unwrap();
    let mut index = FrameIndex::new(info.video.time_base);
    while let Some(frame) = reader.next().unwrap() {
        let number = frame.index as usize;
        assert_eq!(checksum(&frame.picture), small[number], "{number}");
        assert_eq!(checksum(frame.unscaled.as_ref().unwrap()), words[number], "{number}");
        assert_ne!(frame.hash(), alone.frames[number].hash, "{number} is known by both");
        index.frames.push(FrameEntry::from(&frame));
    }
    assert_eq!(index.frames.len(), 75);
    check_ranges(&info, &small, &Arc::new(index.clone()), "beside");
    for range in [50..53, 20..24] {
        let index = Arc::new(index.clone());
        let mut reader = RangeReader::open(&info, index, range.clone(), options, SeekTrust::new()).unwrap();
        for number in range {
            let frame = reader.next().unwrap().unwrap();
            assert_eq!(checksum(frame.unscaled.as_ref().unwrap()), words[number as usize], "{number}");
        }
    }
    // Nothing lies beside what is not scaled.
    let whole = PictureFilters { scale: None, ..filters };
    assert_eq!(filtered(&path, &whole).with_unscaled().unwrap().unscaled_size(), None);
}
