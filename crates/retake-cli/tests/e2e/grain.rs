//! `--grain`: grain is taken out of the film and synthesised by decoders, and all that is said of the film is
//! said of the pictures that these show.

use crate::common::{Studio, between, encoders, fast, ffmpeg, psnr, video_bytes};

const SIZE: (usize, usize) = (320, 192);

/// Two seconds of a picture that moves slowly, with noise of about eight steps and without.
fn films(studio: &Studio) {
    for (name, noise) in [("clean.mkv", ""), ("grain.mkv", ",noise=c0s=14:c0f=t:all_seed=11")] {
        let pictures = "mandelbrot=s=320x192:r=24:start_scale=0.3:end_scale=0.1:end_pts=48";
        studio.render(
            &format!(
                "-f lavfi -i {pictures} -frames:v 48 -vf format=yuv420p,gblur=2{noise} -c:v libx264 -preset veryfast -crf 4"
            ),
            name,
        );
    }
}

/// The energy of what lies between neighbours in luma, in the mean of all frames: that of grain, where there
/// is some.
fn fine(studio: &Studio, film: &str) -> f64 {
    let bytes = ffmpeg(&studio.path("."), &format!("-i {film} -f rawvideo -pix_fmt gray -"));
    let (width, height) = SIZE;
    assert_eq!(bytes.len(), 48 * width * height, "{film}");
    let mut sum = 0.0;
    for row in bytes.chunks_exact(width) {
        let second = |three: &[u8]| f64::from(three[0]) - 2.0 * f64::from(three[1]) + f64::from(three[2]);
        sum += row.windows(3).map(|three| second(three).powi(2)).sum::<f64>();
    }
    sum / (48 * (width - 2) * height) as f64
}

fn svt() -> Option<&'static str> {
    let found = encoders().iter().find(|encoder| encoder.name == "svt-av1");
    if found.is_none() {
        eprintln!("SKIPPED: this build has no SVT-AV1");
    }
    found.map(|encoder| encoder.flags.as_str())
}

/// What decoders show has about as much grain as the source, for a small part of the bits that coding it
/// takes; as few bits without synthesis show none.
#[test]
fn grain_is_synthesised_for_few_bits() {
    let (Some(studio), Some(flags)) = (Studio::empty(), svt()) else { return };
    films(&studio);
    let encode = |name: &str, words: &str| {
        let run = studio.encode(&format!("grain.mkv -o {name} {flags} {words}"));
        (run, video_bytes(&studio.path(name)).0, fine(&studio, name))
    };
    let source = fine(&studio, "grain.mkv");
    let (_, coded, _) = encode("coded.mkv", "--crf 20 --passes 1");
    let (run, bytes, shown) = encode("auto.mkv", "--crf 20 --passes 1 --grain auto");
    between("bits", bytes as f64 / coded as f64, 0.0, 0.5);
    between("energy of grain", shown / source, 0.5, 1.5);
    let told = |note: &String| note.contains("level 50 for the noise") && note.contains("scores compare");
    assert!(run.notes().iter().any(told), "{:?}", run.notes());
    let (_, few, plain) = encode("few.mkv", "--crf 55 --passes 1");
    between("few bits", few as f64 / bytes as f64, 0.0, 1.2);
    between("grain in few bits", plain / source, 0.0, 0.3);
    // a level is taken as it is, and a film without grain is left alone
    let (run, _, less) = encode("level.mkv", "--crf 20 --passes 1 --grain 50");
    assert!(run.notes().iter().any(|note| note.contains("(level 50)")), "{:?}", run.notes());
    between("energy at the same level", less / shown, 0.99, 1.01);
    let plain = format!("clean.mkv -o NAME {flags} --crf 30 --passes 1");
    let run = studio.encode(&plain.replace("NAME", "clean-auto.mkv --grain auto"));
    assert!(run.notes().iter().any(|note| note.contains("grain: none is taken out")), "{:?}", run.notes());
    studio.encode(&plain.replace("NAME", "clean-off.mkv --grain off"));
    assert!(studio.read("clean-auto.mkv") == studio.read("clean-off.mkv"));
}

/// Scores are those of the pictures that decoders show, verification holds for them, and the same film comes
/// of it whoever runs the takes. Another level is another job.
#[test]
fn scores_are_of_what_decoders_show() {
    let (Some(studio), Some(flags)) = (Studio::empty(), svt()) else { return };
    films(&studio);
    let job =
        |name: &str, grain: &str| format!("grain.mkv -o {name} {flags} --metric psnr -q 24 --grain {grain}");
    let run = studio.encode(&format!("{} --jobs 1", job("one.mkv", "auto")));
    studio.encode(&format!("{} --jobs 2 --isolate", job("two.mkv", "auto")));
    assert!(studio.read("one.mkv") == studio.read("two.mkv"));
    // The program applies grain, too. Without it the pictures are about 1.5 dB nearer to the source.
    let graph = "[0:v]extractplanes=y[a];[1:v]extractplanes=y[b];[a][b]psnr=stats_file=-";
    let shown = psnr(&studio.path("."), "one.mkv", "grain.mkv", graph);
    assert_eq!(shown.len(), 48);
    let bare = "-export_side_data film_grain -i one.mkv -i grain.mkv -lavfi";
    let bare = ffmpeg(&studio.path("."), &format!("{bare} {graph} -f null -"));
    assert!(bare != ffmpeg(&studio.path("."), &format!("-i one.mkv -i grain.mkv -lavfi {graph} -f null -")));
    let mean = shown.iter().sum::<f64>() / shown.len() as f64;
    let told = run.summary()["quality"]["mean"].as_f64().unwrap();
    between("the score that was told, less that of the program", told - mean, -0.02, 0.02);
    studio.retake(&format!("encode {}", job("one.mkv", "20"))).refused(2, &["one.mkv", "exists"]);
}

/// What cannot be is one line that names the flag.
#[test]
fn wrong_grain_is_refused_in_one_line() {
    let Some(studio) = Studio::open() else { return };
    for grain in ["51", "0", "much"] {
        let run = studio.retake(&format!("encode film.mkv -o out.mkv {} --grain {grain}", fast()));
        run.refused(2, &["--grain", &format!("'{grain}'"), "off, auto or a level from 1 to 50"]);
    }
    if encoders().iter().any(|encoder| encoder.name == "x264") {
        let run = studio.retake("encode film.mkv -o out.mkv -e x264 --grain auto");
        run.refused(2, &["--grain", "x264 cannot have grain synthesised", "SVT-AV1"]);
    }
    if let Some(flags) = svt() {
        let twice = "--grain 10 --encoder-options film-grain=8";
        let run = studio.retake(&format!("encode film.mkv -o out.mkv {flags} {twice}"));
        run.refused(2, &["film-grain", "leave out one"]);
    }
    assert!(!studio.path("out.mkv").exists());
}
