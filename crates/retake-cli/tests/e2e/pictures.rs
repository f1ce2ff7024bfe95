//! What a picture is besides its samples: depth, size, shape, rotation, colours, HDR.

use crate::common::{Studio, between, encoders, fast, picture_hashes, probe};
use std::path::Path;
use std::process::Command;

fn video(film: &Path, entries: &str) -> String {
    probe(film, &format!("-select_streams v:0 -show_entries stream={entries}")).join(" ")
}

#[test]
fn ten_bits_stay_ten_bits() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=192x108:r=25:d=1 -pix_fmt yuv420p10le -c:v ffv1", "ten.mkv");
    for encoder in encoders() {
        for container in ["mp4", "mkv"] {
            let name = format!("{}.{container}", encoder.name);
            let run = studio.encode(&format!("ten.mkv -o {name} {} --metric psnr -q 36", encoder.flags));
            let expected = if encoder.ten_bit { "yuv420p10le" } else { "yuv420p" };
            assert_eq!(video(&studio.path(&name), "pix_fmt"), expected, "{name}");
            let said = run.notes().iter().any(|note| note.contains("8 bits"));
            assert_eq!(said, !encoder.ten_bit, "{name}: {:?}", run.notes());
            let measured = studio.retake(&format!("measure ten.mkv {name} --metric psnr -q 36"));
            assert_eq!(measured.code, 0, "{name}: {measured:?}");
        }
    }
    for needed in ["svt-av1", "x265", "x264"] {
        if let Some(encoder) = encoders().iter().find(|encoder| encoder.name == needed) {
            assert!(encoder.ten_bit, "{needed}");
        }
    }
}

/// `--pixel-format source`: 4:2:2 of ten bits, 4:4:4 and luma alone are kept by encoders that code them,
/// through takes, scores and verification; another decoder finds each plane near its source. Without it,
/// chroma becomes 4:2:0, and that is said.
#[test]
fn chroma_is_kept_where_it_is_asked_for() {
    let Some(studio) = Studio::empty() else { return };
    let cases = [
        ("x264", "yuv422p10le", "mp4", "yuv422p10le"),
        ("x265", "yuv444p", "mkv", "yuv444p"),
        // FFmpeg makes gray in full range, and decodes H.264 without chroma to pictures with neutral chroma.
        ("x264", "gray", "mkv", "yuvj420p"),
        ("vp9", "yuv444p10le", "mp4", "yuv444p10le"),
    ];
    for (name, pixels, container, expected) in cases {
        let Some(encoder) = encoders().iter().find(|encoder| encoder.name == name) else {
            eprintln!("SKIPPED: no {name} in this build");
            continue;
        };
        let source = format!("{pixels}.mkv");
        studio.render(
            &format!("-f lavfi -i testsrc2=s=192x108:r=25:d=1.2 -pix_fmt {pixels} -c:v ffv1 -level 3"),
            &source,
        );
        let film = format!("{name}-{pixels}.{container}");
        let flags = format!("{} --metric xpsnr -q 38 --pixel-format source", encoder.flags);
        let run = studio.encode(&format!("{source} -o {film} {flags}"));
        let about = |note: &String| note.contains("4:2:0") || note.contains("reduced");
        assert!(!run.notes().iter().any(about), "{film}: {:?}", run.notes());
        let path = studio.path(&film);
        assert_eq!(video(&path, "pix_fmt"), expected, "{film}");
        for (plane, psnr) in plane_psnr(&path, &studio.path(&source)) {
            assert!(psnr > 30.0, "{film}: plane {plane} has {psnr} dB");
        }
        let measured = studio.retake(&format!("measure {source} {film} --metric xpsnr -q 38"));
        assert_eq!(measured.code, 0, "{film}: {measured:?}");
    }
    if let Some(encoder) = encoders().iter().find(|encoder| encoder.name == "x264") {
        let run =
            studio.encode(&format!("yuv422p10le.mkv -o usual.mp4 {} --crf 30 --passes 1", encoder.flags));
        assert_eq!(video(&studio.path("usual.mp4"), "pix_fmt"), "yuv420p10le");
        assert!(run.notes().iter().any(|note| note == "4:2:2 is reduced to 4:2:0"), "{:?}", run.notes());
        let refused = studio.retake("encode yuv422p10le.mkv -o no.mp4 -e x264 --pixel-format yuv411p");
        refused.refused(2, &["--pixel-format", "yuv422p"]);
    }
    if let Some(encoder) = encoders().iter().find(|encoder| encoder.name == "svt-av1") {
        let flags = format!("{} --pixel-format yuv422p10", encoder.flags);
        let refused = studio.retake(&format!("encode yuv422p10le.mkv -o no.mp4 {flags}"));
        refused.refused(2, &["--pixel-format yuv422p10", "svt-av1 codes 4:2:0 8 bit"]);
    }
}

/// Returns the PSNR of each plane of a film against its source, as FFmpeg finds it.
fn plane_psnr(film: &Path, source: &Path) -> Vec<(String, f64)> {
    let log = film.with_extension("psnr");
    let filter =
        format!("[0:v]settb=1/25,setpts=N[a];[1:v]settb=1/25,setpts=N[b];[a][b]psnr=f={}", log.display());
    let run = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(film)
        .arg("-i")
        .arg(source)
        .args(["-lavfi", &filter, "-f", "null", "-"])
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = std::fs::read_to_string(&log).unwrap();
    let numbers = text.split_whitespace().filter_map(|word| word.strip_prefix("psnr_")?.split_once(':'));
    let numbers = numbers.filter(|(plane, _)| ["y", "u", "v"].contains(plane));
    numbers.map(|(plane, db)| (plane.to_owned(), db.parse().unwrap_or(f64::INFINITY))).collect()
}

/// A film of two fields a frame stays one where the encoder has fields, and the loss is said where it has
/// none.
#[test]
fn fields_stay_fields() {
    let Some(studio) = Studio::empty() else { return };
    for (order, first) in [("interleave_top", 1), ("interleave_bottom", 0)] {
        let source = format!("{order}.mkv");
        studio.render(
            &format!(
                "-f lavfi -i testsrc2=s=192x112:r=50:d=1 -vf tinterlace={order},setfield={} -pix_fmt yuv420p -c:v ffv1 \
                 -field_order {}",
                if first == 1 { "tff" } else { "bff" },
                if first == 1 { "tt" } else { "bb" }
            ),
            &source,
        );
        for encoder in encoders() {
            for container in ["mp4", "mkv"] {
                let name = format!("{order}-{}.{container}", encoder.name);
                let run = studio.encode(&format!("{source} -o {name} {} --metric psnr -q 34", encoder.flags));
                let film = studio.path(&name);
                let frame = "-select_streams v:0 -read_intervals %+#1 -show_entries frame=interlaced_frame,top_field_first";
                let fields = probe(&film, frame).join(" ");
                let kept = encoder.name == "x264";
                assert!(
                    fields.contains(&if kept { format!("1,{first}") } else { "0,0".to_owned() }),
                    "{name}: {fields}"
                );
                let said = run
                    .notes()
                    .iter()
                    .any(|note| note.contains("interlaced") && note.contains("whole frames"));
                assert_eq!(said, !kept, "{name}: {:?}", run.notes());
                let measured = studio.retake(&format!("measure {source} {name} --metric psnr -q 34"));
                assert_eq!(measured.code, 0, "{name}: {measured:?}");
            }
        }
    }
}

/// Odd sizes keep their size, or the loss is said.
#[test]
fn odd_sizes() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(
        "-f lavfi -i testsrc2=s=354x198:r=25:d=1 -vf scale=177:99,format=yuv420p -c:v ffv1",
        "odd.mkv",
    );
    for encoder in encoders() {
        let name = format!("{}.mp4", encoder.name);
        let run = studio.encode(&format!("odd.mkv -o {name} {} --metric psnr -q 34", encoder.flags));
        let size = video(&studio.path(&name), "width,height");
        if size != "177,99" {
            assert_eq!(size, "176,98", "{name}");
            let notes = run.notes();
            assert!(
                notes.iter().any(|note| note.contains("177") && note.contains("176")),
                "{name}: {notes:?}"
            );
        }
        assert_eq!(picture_hashes(&studio.path(&name)).len(), 25, "{name}");
    }
}

/// Sizes that are no multiple of a block, tiny and narrow ones.
#[test]
fn unusual_sizes() {
    let Some(studio) = Studio::empty() else { return };
    for size in ["178x102", "64x64", "66x200", "16x16"] {
        let source = format!("{size}.mkv");
        studio
            .render(&format!("-f lavfi -i testsrc2=s={size}:r=25:d=0.6 -pix_fmt yuv420p -c:v ffv1"), &source);
        for encoder in encoders() {
            let name = format!("{size}-{}.mp4", encoder.name);
            let run = studio
                .retake(&format!("encode {source} -o {name} {} --metric psnr -q 30 --json", encoder.flags));
            if run.code == 2 {
                // encoders have a smallest size
                run.refused(2, &[&encoder.name]);
                assert!(!studio.names().iter().any(|left| left.starts_with(&name)), "{:?}", studio.names());
                eprintln!("{}: {}", encoder.name, run.err.trim());
                continue;
            }
            assert_eq!(run.code, 0, "{name}: {run:?}");
            assert_eq!(video(&studio.path(&name), "width,height"), size.replace('x', ","), "{name}");
            assert_eq!(picture_hashes(&studio.path(&name)).len(), 15, "{name}");
        }
    }
}

/// A film of one frame, and of two.
#[test]
fn very_short_films() {
    let Some(studio) = Studio::empty() else { return };
    for frames in [1, 2] {
        studio.render(
            &format!("-f lavfi -i testsrc2=s=160x90:r=25 -frames:v {frames} -pix_fmt yuv420p -c:v ffv1"),
            "short.mkv",
        );
        for encoder in encoders() {
            for target in ["--metric psnr -q 34", "--crf 40"] {
                let name = format!("{}.mp4", encoder.name);
                studio.encode(&format!("short.mkv -o {name} {} {target} --overwrite", encoder.flags));
                assert_eq!(picture_hashes(&studio.path(&name)).len(), frames, "{name} {target}");
            }
        }
    }
}

#[test]
fn rotation_is_kept_or_the_loss_is_said() {
    let Some(studio) = Studio::open() else { return };
    studio.render("-i film.mkv -t 1 -map 0:v -c copy", "plain.mp4");
    retake_testing::turned(&studio.path("plain.mp4"), &studio.path("turned.mp4"));
    let turned = |name: &str| probe(&studio.path(name), "-show_entries stream_side_data=rotation").join("");
    let rotation = turned("turned.mp4");
    assert!(!rotation.is_empty(), "the source is rotated");
    for encoder in encoders() {
        for container in ["mp4", "mkv"] {
            let name = format!("{}.{container}", encoder.name);
            let run = studio.encode(&format!("turned.mp4 -o {name} {} --crf 40", encoder.flags));
            let kept = turned(&name) == rotation;
            let said = run.notes().iter().any(|note| note.contains("rotation"));
            assert!(kept || (said && container == "mkv"), "{name}: {:?}", run.notes());
        }
    }
}

#[test]
fn shape_and_colours_are_kept() {
    let Some(studio) = Studio::empty() else { return };
    let cases = [
        ("4/3", "tv", "bt709", "bt709", "bt709"),
        ("8/9", "tv", "smpte170m", "smpte170m", "smpte170m"),
        ("1/1", "tv", "bt2020nc", "smpte2084", "bt2020"),
        ("1/1", "pc", "bt709", "iec61966-2-1", "bt709"),
    ];
    for (shape, range, space, transfer, primaries) in cases {
        studio.render(
            &format!(
                "-f lavfi -i testsrc2=s=160x90:r=25:d=0.5 -vf setsar={shape},setparams=range={range}:colorspace={space}:\
                 color_trc={transfer}:color_primaries={primaries} -pix_fmt yuv420p -c:v ffv1 -color_range {range} \
                 -colorspace {space} -color_trc {transfer} -color_primaries {primaries}"
            ),
            "source.mkv",
        );
        let entries = "sample_aspect_ratio,color_range,color_space,color_transfer,color_primaries";
        let expected = video(&studio.path("source.mkv"), entries);
        assert!([range, space, transfer, primaries].iter().all(|word| expected.contains(word)), "{expected}");
        for encoder in encoders() {
            for container in ["mp4", "mkv"] {
                let name = format!("{}.{container}", encoder.name);
                studio.encode(&format!("source.mkv -o {name} {} --crf 40 --overwrite", encoder.flags));
                assert_eq!(video(&studio.path(&name), entries), expected, "{name}");
            }
        }
    }
}

/// Numbers of a list such as `red_x=34000/50000`.
fn number(text: &str, name: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    let value = value.unwrap_or_else(|| panic!("no {name} in {text}"));
    match value.split_once('/') {
        Some((a, b)) => a.parse::<f64>().unwrap() / b.parse::<f64>().unwrap(),
        None => value.parse().unwrap(),
    }
}

#[test]
fn hdr10_metadata_is_kept() {
    let Some(studio) = Studio::empty() else { return };
    let known = String::from_utf8(crate::common::ffmpeg(&studio.path("."), "-encoders")).unwrap();
    if !known.contains("libx265") {
        eprintln!("SKIPPED: this ffmpeg cannot make an HDR10 source: it has no libx265");
        return;
    }
    studio.render(
        "-f lavfi -i testsrc2=s=192x108:r=25:d=1 -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -x265-params \
         log-level=error:hdr10=1:repeat-headers=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:\
master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400",
        "hdr.mkv",
    );
    let encoders = encoders().iter().filter(|encoder| encoder.ten_bit);
    for encoder in encoders {
        for container in ["mp4", "mkv"] {
            let name = format!("{}.{container}", encoder.name);
            studio.encode(&format!("hdr.mkv -o {name} {} --crf 40", encoder.flags));
            let film = studio.path(&name);
            assert_eq!(
                video(&film, "pix_fmt,color_space,color_transfer,color_primaries"),
                "yuv420p10le,bt2020nc,smpte2084,bt2020",
                "{name}"
            );
            let said = probe(
                &film,
                "-of default=noprint_wrappers=1 -select_streams v:0 -show_entries stream_side_data",
            )
            .join("\n");
            let near = |what: &str, expected: f64, error: f64| {
                between(&format!("{name}: {what}"), number(&said, what), expected - error, expected + error);
            };
            near("red_x", 0.68, 2e-5);
            near("green_y", 0.69, 2e-5);
            near("blue_x", 0.15, 2e-5);
            near("white_point_y", 0.329, 2e-5);
            near("max_luminance", 1000.0, 0.01);
            near("min_luminance", 0.005, 1e-4);
            near("max_content", 1000.0, 0.0);
            near("max_average", 400.0, 0.0);
        }
    }
}

/// Pictures that nothing can convert are refused before the job begins.
#[test]
fn pictures_of_an_unknown_layout_leave_nothing_behind() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=96x80:d=0.5 -pix_fmt rgb4 -c:v rawvideo", "film.nut");
    let before = studio.names();
    studio
        .retake(&format!("encode film.nut -o out.mp4 {} --crf 40", fast()))
        .refused(2, &["film.nut", "rgb4"]);
    assert_eq!(studio.names(), before);
}
