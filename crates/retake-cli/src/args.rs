//! The command line, as data.

use clap::{ArgGroup, Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand};
use retake::filters::{
    Burn, Crop, Deinterlace, Denoise, FilterValueError, FrameRate, PictureFilters, Scale, ToneMap, Turn,
};
use retake::property::OutputChroma;
use retake::{
    AddedAudio, AddedSubtitles, AudioRule, ChapterChoice, Effort, FilmPosition, FilmRange, Grain, Ladder,
    MarkRule, ScoreAt, Time, TrackRule,
};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Encode video like a film crew: take, look, and take again only what did not work.
#[derive(Debug, Parser)]
#[command(name = "retake", version, about, max_term_width = 110, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed (encoder, disk, internal); 2 wrong input or contradictory options; \
3 done, but the objective was not met everywhere, or the source could not be read whole; 130 stopped, carry on with the same command.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Encode a film to a quality floor, a bit rate or a size.
    Encode(Box<Encode>),
    /// Encode the films that come into folders, each when it has stopped growing, until a signal comes.
    Watch(Box<Watch>),
    /// List the profiles there are, with the flags that each sets.
    Profiles(Profiles),
    /// List the encoders and metrics of this build, or all about one encoder.
    Encoders(Encoders),
    /// Tell what a film would become under other wishes, from its records alone: bytes, scores, and what
    /// would be encoded again.
    Replan(Replan),
    /// Score a film against its source, per unit and overall, paired by frame index.
    Measure(Measure),
    /// Make a page about a film that was encoded, of the records beside it or of the folder of its job.
    Report(Report),
    /// Score several films against their one source, and show them side by side.
    Compare(Compare),
    /// Run takes of a job that another process owns: those that come through standard input, or one of an
    /// array. `encode --isolate` and `encode --on` start such workers.
    Worker(Worker),
    /// How far an export is that an engine runs.
    #[cfg(feature = "restate")]
    Status(RemoteJob),
    /// Wait for an export that an engine runs, as `encode` does.
    #[cfg(feature = "restate")]
    Attach(RemoteJob),
    /// Give up an export that an engine runs. All finished takes are kept.
    #[cfg(feature = "restate")]
    Cancel(RemoteJob),
}

/// An export that an engine runs.
#[cfg(feature = "restate")]
#[derive(Debug, ClapArgs)]
pub(crate) struct RemoteJob {
    /// The engine: restate://HOST:PORT.
    pub engine: String,
    /// The export, by what `encode --detach` printed.
    pub job: String,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = EXIT_CODES)]
#[command(group = ArgGroup::new("target").args(["quality", "bitrate", "size", "crf"]))]
pub(crate) struct Encode {
    /// The source film, several of them, or folders that are searched for films; '-' reads a film (for
    /// instance y4m) from standard input, and s3://BUCKET/KEY one from an object store, where this build has
    /// that.
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,
    /// The film to make, a file or s3://BUCKET/KEY; its extension chooses the container: mp4, m4v, mov, mkv,
    /// webm; m3u8 for a stream (HLS). Of several films a folder, which ends with /, or names with {stem},
    /// {ext}, {folder} or {codec} in them, as in 'out/{stem}.mp4'; see docs/batch.md.
    #[arg(short, long, value_name = "FILE|FOLDER/")]
    pub output: PathBuf,
    /// Show all flags, rare ones, too.
    #[arg(long)]
    pub help_all: bool,

    /// Every unit reaches this score, with as few bits as possible. On the scale of --metric. This is the
    /// default target.
    #[arg(short, long, value_name = "SCORE", help_heading = "What you want")]
    pub quality: Option<f64>,
    /// An average video bit rate: 4M, 350k.
    #[arg(short, long, value_name = "RATE", value_parser = quantity, help_heading = "What you want")]
    pub bitrate: Option<u64>,
    /// A size of the whole file, never exceeded: 700M, 1.5G (powers of 1000).
    #[arg(short, long, value_name = "BYTES", value_parser = quantity, help_heading = "What you want")]
    pub size: Option<u64>,
    /// The variants of a stream, by rows: 1080p,720p,480p; behind each, where it has its own, a floor
    /// (720p@90) or a bit rate (480p=800k). Or auto: as many as are useful, chosen by measured quality, six
    /// at most (auto:4: four). See docs/streams.md [default: one, as large as the source].
    #[arg(long, value_name = "RUNGS|auto", conflicts_with = "scale", help_heading = "What you want")]
    pub ladder: Option<Ladder>,
    /// One plain pass with this quality on the encoder's own scale (CRF, CQ); give --passes 1 with it.
    #[arg(long, value_name = "N", help_heading = "What you want")]
    pub crf: Option<f64>,
    /// What quality is measured with: vmaf, xpsnr, psnr, ssim, ssimulacra2. Default: vmaf where this build
    /// has it, else xpsnr.
    #[arg(long, value_name = "NAME", help_heading = "What you want")]
    pub metric: Option<String>,
    /// What has to reach the score in each unit: the mean of its frames, the 5th percentile, or every frame.
    #[arg(long, value_name = "mean|p5|min", default_value = "mean", help_heading = "What you want")]
    pub floor: String,
    /// At which size a film that is scaled is compared with its source: its own, with the source scaled like
    /// it (output), or that of the source, to which it is scaled up again (source) [default: output].
    #[arg(long, value_name = "output|source", help_heading = "What you want")]
    pub score_at: Option<ScoreAt>,
    /// Units this much above the floor are left as they are [default: 1 VMAF point, or as much on other
    /// scales].
    #[arg(long, value_name = "SCORE", help_heading = "What you want")]
    pub tolerance: Option<f64>,
    /// The bit rate is not above this in any two seconds, whatever else is asked for.
    #[arg(long, value_name = "RATE", value_parser = quantity, help_heading = "What you want")]
    pub max_bitrate: Option<u64>,
    /// The film begins with the first frame at or after this place of the source: seconds (12.5), a time
    /// (1:02:03.5) or a frame (300f, counted from 0). Default: the start.
    #[arg(long, value_name = "PLACE", value_parser = place, help_heading = "What you want")]
    pub from: Option<FilmPosition>,
    /// The film ends before the first frame at or after this place. Default: the end.
    #[arg(long, value_name = "PLACE", value_parser = place, help_heading = "What you want")]
    pub to: Option<FilmPosition>,

    #[command(flatten, next_help_heading = "Pictures, done in this order")]
    pub pictures: Pictures,

    /// What becomes of the sound: copy, none, auto (what the container cannot hold is encoded), or
    /// CODEC[:RATE[:LAYOUT]], as in aac, opus:96k:stereo or flac; with WHICH= before it, of some tracks: by
    /// number (2), language (eng), mark (default), or several (eng+default). May be given several times; see
    /// docs/tracks.md and docs/sound.md [default: copy].
    #[arg(long, value_name = "[WHICH=]HOW", help_heading = "Sound and other tracks")]
    pub audio: Vec<AudioRule>,
    /// Sound that is encoded gets this loudness by one gain (EBU R 128): -23, -16. Its true peak stays at -1
    /// dBTP or below.
    #[arg(long, value_name = "LUFS", allow_negative_numbers = true, help_heading = "Sound and other tracks")]
    pub loudness: Option<f64>,
    /// Which subtitles go into the film: copy or none, with WHICH= before it of some, as in --subtitles none
    /// --subtitles eng=copy --subtitles forced=copy [default: copy].
    #[arg(long, value_name = "[WHICH=]HOW", help_heading = "Sound and other tracks")]
    pub subtitles: Vec<TrackRule>,
    /// Which tracks of any kind go into the film, where --audio and --subtitles do not say it: copy or none,
    /// with WHICH= before it of some, as in --tracks attachments=none; kinds are video, audio, subtitles,
    /// covers and attachments [default: copy].
    #[arg(long, value_name = "[WHICH=]HOW", help_heading = "Sound and other tracks")]
    pub tracks: Vec<TrackRule>,
    /// The track of its kind that is played or shown where nobody chooses: --default subtitles+deu; with =no
    /// behind it, one that is not. May be given several times [default: as in the source].
    #[arg(long, value_name = "WHICH[=yes|no]", help_heading = "Sound and other tracks")]
    pub default: Vec<MarkRule>,
    /// Subtitles that are shown also to people who understand what is spoken: --forced 4; with =no behind it,
    /// such that are not. May be given several times [default: as in the source].
    #[arg(long, value_name = "WHICH[=yes|no]", help_heading = "Sound and other tracks")]
    pub forced: Vec<MarkRule>,
    /// Add the sound of another file, as in --add-audio dub.m4a:deu:Deutsch: a copy where the container holds
    /// it, else encoded; --audio says more. It begins with INPUT. May be given several times; with --audio
    /// none it takes the place of the sound of INPUT.
    #[arg(long, value_name = "FILE[:LANGUAGE[:NAME]]", help_heading = "Sound and other tracks")]
    pub add_audio: Vec<AddedAudio>,
    /// Add a file of subtitles: SubRip, ASS or WebVTT, as in --add-subtitles text.srt:deu:Deutsch. Its times
    /// count from the start of INPUT. May be given several times.
    #[arg(long, value_name = "FILE[:LANGUAGE[:NAME]]", help_heading = "Sound and other tracks")]
    pub add_subtitles: Vec<AddedSubtitles>,
    /// The chapters of the film: none, or those of a file with a time and a name in each line (0:05:00
    /// Evening), with lines as mkvmerge has them (CHAPTER01=00:05:00.000), or of FFmpeg's metadata [default:
    /// those of the source].
    #[arg(long, value_name = "none|FILE", help_heading = "Sound and other tracks")]
    pub chapters: Option<ChapterChoice>,
    /// A picture that stands for the film, JPEG or PNG, in place of those of the source.
    #[arg(long, value_name = "FILE", help_heading = "Sound and other tracks")]
    pub cover: Option<PathBuf>,
    /// Give the film a tag (title, artist, date ...), or take it away: --tag title=. May be given several
    /// times [default: those of the source].
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, help_heading = "Sound and other tracks")]
    pub tag: Vec<(String, String)>,

    /// h264, hevc, av1 or vp9 [default: av1 where this build has it, else h264].
    #[arg(short, long, value_name = "NAME", conflicts_with = "encoder", help_heading = "Encoder")]
    pub codec: Option<String>,
    /// One of `retake encoders`, or any video encoder of FFmpeg's libraries by its name there:
    /// avcodec:mpeg4; see docs/encoders.md.
    #[arg(short, long, value_name = "NAME", help_heading = "Encoder")]
    pub encoder: Option<String>,
    /// One of the encoder's presets, slow to fast; see `retake encoders NAME`.
    #[arg(short, long, value_name = "NAME", help_heading = "Encoder")]
    pub preset: Option<String>,
    /// Chroma and depth of the film, by FFmpeg's names: yuv420p, yuv422p10, yuv444p, gray ...; `source` keeps
    /// the source's as far as the encoder codes it [default: 4:2:0, which players have, in the source's
    /// depth].
    #[arg(long, value_name = "NAME", value_parser = pixels, help_heading = "Encoder")]
    pub pixel_format: Option<Pixels>,
    /// Bits of each sample of the film: 8 or 10 [default: the source's, as far as the encoder codes them].
    #[arg(long, value_name = "8|10", value_parser = depth, conflicts_with = "pixel_format", help_heading = "Encoder")]
    pub depth: Option<u32>,
    /// What becomes of film grain: off codes it like all else; auto takes it out, as much as is found, and
    /// has decoders synthesise such, which takes few bits (AV1); a level from 1 to 50 says how much. Scores
    /// compare with the source what decoders show.
    #[arg(long, value_name = "off|auto|LEVEL", default_value = "off", help_heading = "Encoder")]
    pub grain: Grain,
    /// A setting in the encoder's own words; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, help_heading = "Encoder")]
    pub encoder_options: Vec<(String, String)>,
    /// A property, as `retake encoders NAME` lists them; may be given several times. Arrays and dictionaries
    /// are JSON.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, help_heading = "Encoder")]
    pub set: Vec<(String, String)>,
    /// Threads of each encoder. Part of the result with some encoders; takes run in parallel anyway [default:
    /// 1].
    #[arg(long, value_name = "N", help_heading = "Encoder")]
    pub threads: Option<u32>,

    /// How much is encoded again to save bytes: hardly anything, what is worth it, or all that helps. A floor
    /// is held with each [default: balanced].
    #[arg(long, value_name = "fast|balanced|smallest", help_heading = "Work")]
    pub effort: Option<Effort>,
    /// Passes allowed, the first one counted [default: 5; 8 with --effort smallest].
    #[arg(long, value_name = "N", help_heading = "Work")]
    pub passes: Option<u32>,
    /// Takes at once [default: as many as cores and memory allow].
    #[arg(short, long, value_name = "N", help_heading = "Work")]
    pub jobs: Option<u32>,
    /// Run each take in a process of its own: a crash of an encoder's library costs one take, which is tried
    /// again.
    #[arg(long, help_heading = "Work")]
    pub isolate: bool,
    /// Run takes on other machines, with the same bytes: `slurm` or `slurm:OPTIONS` (those of sbatch),
    /// `array:COMMAND` with {file}, and {index} or {count} in it, or, where this build has it, the whole
    /// export on an engine: `restate://HOST:PORT`. See docs/many-machines.md.
    #[arg(long, value_name = "WHERE", conflicts_with = "isolate", help_heading = "Work")]
    pub on: Option<String>,
    /// Do not wait for an export that an engine runs: print its name, for `status`, `attach` and `cancel`.
    #[cfg(feature = "restate")]
    #[arg(long, requires = "on", help_heading = "Work")]
    pub detach: bool,
    /// The folder that all machines share, with --on [default: the one that holds source and job folder], or,
    /// where this build has them, an address in an object store: s3://BUCKET/KEY.
    #[arg(long, value_name = "FOLDER", requires = "on", help_heading = "Work")]
    pub shared_root: Option<PathBuf>,
    /// Memory budget: 8G [default: half of the machine's].
    #[arg(short, long, value_name = "BYTES", value_parser = quantity, help_heading = "Work")]
    pub memory: Option<u64>,
    /// Where the state of the job is kept until it is done [default: OUTPUT.retake].
    #[arg(long, value_name = "FOLDER", help_heading = "Work")]
    pub work_dir: Option<PathBuf>,
    /// Begin anew: forget what an earlier run of this job left.
    #[arg(long, help_heading = "Work")]
    pub restart: bool,
    /// Replace an existing output.
    #[arg(short = 'y', long, help_heading = "Work")]
    pub overwrite: bool,
    /// Let a playlist (.m3u8, .mpd, .ffconcat) as INPUT name other files, and open those, too.
    #[arg(long, help_heading = "Work")]
    pub allow_references: bool,
    /// A source that is damaged or incomplete is fine: what can be read is encoded. Without it the exit code
    /// is 3.
    #[arg(long, help_heading = "Work")]
    pub accept_damage: bool,

    /// Begin with the takes of an earlier encode of this source (a film, its records or a job folder): only
    /// what this one still needs is encoded, and those takes that go into the film and were not kept.
    #[arg(long, value_name = "FILM", help_heading = "Work")]
    pub again: Option<PathBuf>,
    /// Keep all takes beside the records, as FILM.retake-takes, so that --again need not encode them.
    #[arg(long, help_heading = "Output")]
    pub keep_takes: bool,
    /// Keep what was found and measured in this file, for reports and other wishes; `no` keeps nothing
    /// [default: beside the film, as FILM.retake.json].
    #[arg(long, value_name = "no|FILE", help_heading = "Output")]
    pub keep_records: Option<PathBuf>,
    /// Make a page about the film, which shows what became of it [default: beside the film, as
    /// FILM.retake.html].
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<Option<PathBuf>>,
    /// Draw the timeline of the film as SVG.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub plot: Option<PathBuf>,
    /// Show the page while the job runs, at http://ADDRESS:PORT. Port 0 takes a free one. At an address that
    /// other machines reach, the page has a secret in its address, which is printed.
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Output")]
    pub serve: Option<std::net::SocketAddr>,
    /// One event per line, as JSON, on standard output.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// A line for every take that runs, and one for every take that is done.
    #[arg(short, long, conflicts_with_all = ["json", "quiet"], help_heading = "Output")]
    pub verbose: bool,
    /// Only errors.
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub quiet: bool,

    #[command(flatten, next_help_heading = "Several films")]
    pub several: Several,
    #[command(flatten, next_help_heading = "Profiles")]
    pub profile: Profile,
    /// The command line, with the flags of a profile.
    #[arg(skip)]
    pub words: Vec<OsString>,
}

impl Encode {
    /// Returns the source of an encode of one film.
    pub(crate) fn input(&self) -> &Path {
        // clap requires one
        self.inputs.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// Returns the address of the engine that runs the whole export, if one does.
    pub(crate) fn engine(&self) -> Option<&str> {
        self.on.as_deref().filter(|on| on.starts_with("restate:"))
    }
}

/// What is about more films than one.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Several {
    /// Search the folders in folders, too. What comes of films keeps its folder.
    #[arg(long)]
    pub recursive: bool,
    /// Leave films alone that the same flags have made of the same source, also with --overwrite and
    /// --restart, which then are about all others.
    #[arg(long)]
    pub skip_done: bool,
}

/// Where flags come from that are not on the command line.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Profile {
    /// Set the flags of this profile, one of `retake profiles`; those that are given beside it win.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The file that has profiles [default: retake/profiles.toml in the folder of settings, which is
    /// XDG_CONFIG_HOME or ~/.config].
    #[arg(long, value_name = "FILE", requires = "profile")]
    pub profiles: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Profiles {
    /// The file that has profiles, beside those that are built in [default: retake/profiles.toml in the
    /// folder of settings, which is XDG_CONFIG_HOME or ~/.config].
    #[arg(long, value_name = "FILE")]
    pub profiles: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub encode: Encode,
    /// A film is encoded when it has not changed for so long.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10.0,
        allow_negative_numbers = true,
        help_heading = "Several films"
    )]
    pub settle: f64,
}

/// Flags of `encode` that few people need: they are shown by `--help-all` alone.
const RARE: &[&str] = &[
    "accept_damage",
    "again",
    "allow_references",
    "detach",
    "detelecine",
    "encoder_options",
    "filter",
    "keep_records",
    "keep_takes",
    "memory",
    "plot",
    "profiles",
    "score_at",
    "serve",
    "shared_root",
    "threads",
    "tolerance",
    "work_dir",
];

/// Commands that have the flags of `encode`.
const ENCODING: [&str; 2] = ["encode", "watch"];

/// Returns the command line as it is shown.
pub(crate) fn command() -> clap::Command {
    let command = Args::command().mut_subcommand("watch", |command| {
        command.mut_arg("inputs", |arg| arg.value_name("FOLDER").help("The folders that films come into"))
    });
    ENCODING.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |command| {
            command.mut_args(|arg| {
                let rare = RARE.contains(&arg.get_id().as_str());
                arg.hide(rare)
            })
        })
    })
}

/// Returns the command `encode` alone.
pub(crate) fn encode_command() -> clap::Command {
    let mut encode = Encode::augment_args(clap::Command::new("encode"));
    // how many values a flag takes is known then
    encode.build();
    encode
}

/// Reads the command line, and adds the flags of the profile that it names.
///
/// # Errors
/// What clap refuses or shows, and a profile that is not there or wrong.
pub(crate) fn parse(mut words: Vec<OsString>) -> anyhow::Result<Args> {
    let encodes = words.get(1).is_some_and(|word| ENCODING.iter().any(|name| word == name));
    let flags = words.iter().position(|word| word == "--").unwrap_or(words.len());
    if encodes && words[..flags].iter().any(|word| word == "--help-all") {
        let mut command = Args::command();
        for name in ENCODING {
            command =
                command.mut_subcommand(name, |command| command.mut_arg("help_all", |arg| arg.hide(true)));
        }
        words.truncate(2);
        words.push("--help".into());
        command.try_get_matches_from(words)?;
        // help is an error to clap
        anyhow::bail!("no help was shown");
    }
    let mut matches = command().try_get_matches_from(&words)?;
    if let Some((name, given)) = matches.subcommand()
        && ENCODING.contains(&name)
        && let Some(profile) = given.get_one::<String>("profile")
    {
        let file = given.get_one::<PathBuf>("profiles").map(PathBuf::as_path);
        // at the end, because a flag whose value may be left out would take the word behind it for one
        let profile = crate::profiles::words(profile, file, &encode_command(), given)?;
        words.splice(flags..flags, profile);
        matches = command().try_get_matches_from(&words)?;
    }
    let mut args = Args::from_arg_matches(&matches)?;
    if let Command::Encode(encode) = &mut args.command {
        encode.words = words;
    }
    Ok(args)
}

/// What is done to the pictures of a source.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Pictures {
    /// The track of video to read, by its number in the source [default: the one that moves, is marked as
    /// default, and is the largest].
    #[arg(long, value_name = "NUMBER")]
    pub video: Option<u32>,
    /// Make whole frames of two fields: of those that say they are made so (auto), or of all (yes).
    #[arg(long, value_name = "auto|yes", num_args = 0..=1, default_missing_value = "auto", value_parser = value::<Deinterlace>)]
    pub deinterlace: Option<Deinterlace>,
    /// Find the 24 frames again that were made 30 for television (3:2 pulldown).
    #[arg(long, conflicts_with = "deinterlace")]
    pub detelecine: bool,
    /// So many frames a second: 25, 23.976, 30000/1001. Frames are repeated or left out.
    #[arg(long, value_name = "RATE", value_parser = value::<FrameRate>)]
    pub fps: Option<FrameRate>,
    /// Turn the picture clockwise (90, 180, 270) or mirror it (hflip, vflip), after it is turned as the film
    /// says; auto does only that.
    #[arg(long, value_name = "TURN", value_parser = value::<Turn>)]
    pub rotate: Option<Turn>,
    /// Keep this part of the picture; auto leaves out black bars that are there in all of the film.
    #[arg(long, value_name = "auto|W:H:X:Y", value_parser = value::<Crop>)]
    pub crop: Option<Crop>,
    /// Remove noise.
    #[arg(long, value_name = "light|medium|strong", value_parser = value::<Denoise>)]
    pub denoise: Option<Denoise>,
    /// Another size: 1080p, 1280x-2 (the height follows), 1280x720, or fit:1280x720, into which it fits.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = value::<Scale>)]
    pub scale: Option<Scale>,
    /// Make SDR (BT.709) of HDR10 or HLG: hable, mobius, reinhard, clip, linear or gamma [default: hable].
    #[arg(long, value_name = "CURVE", num_args = 0..=1, default_missing_value = "hable",
        value_parser = value::<ToneMap>)]
    pub tonemap: Option<ToneMap>,
    /// Draw subtitles into the picture: those of a track, by its number in the source, text or pictures (PGS,
    /// DVB, VobSub), or of a file (SubRip, ASS, WebVTT), whose times count from the start of the source.
    #[arg(long, value_name = "NUMBER|FILE", value_parser = value::<Burn>)]
    pub burn: Option<Burn>,
    /// Anything else, in FFmpeg's words: a graph of filters with one video in and one out.
    #[arg(long, value_name = "GRAPH")]
    pub filter: Option<String>,
}

impl Pictures {
    /// Returns the filters that the flags ask for.
    pub(crate) fn filters(&self) -> PictureFilters {
        PictureFilters {
            deinterlace: self.deinterlace,
            detelecine: self.detelecine,
            frame_rate: self.fps,
            turn: self.rotate,
            crop: self.crop,
            denoise: self.denoise,
            scale: self.scale,
            tone_map: self.tonemap,
            burn: self.burn.clone(),
            graph: self.filter.clone(),
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Encoders {
    /// Tell all about this encoder.
    pub name: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Worker {
    /// The folder of a job whose takes come through standard input.
    #[arg(requires = "source", conflicts_with = "array")]
    pub job: Option<PathBuf>,
    /// The source film of that job.
    #[arg(long, value_name = "FILM", requires = "job")]
    pub source: Option<PathBuf>,
    /// The file of an array of takes, of which one is run.
    #[arg(long, value_name = "FILE")]
    pub array: Option<PathBuf>,
    /// Which one, from 0 [default: what Slurm, HyperQueue, AWS Batch or Kubernetes say in the environment].
    #[arg(long, value_name = "N")]
    pub index: Option<u32>,
    /// Answer the calls of an engine at this address, until a signal comes: then nothing new is begun, and
    /// what runs is ended.
    #[cfg(feature = "restate")]
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with_all = ["array", "job"])]
    pub listen: Option<std::net::SocketAddr>,
    /// Takes at once, with --listen [default: one for each core].
    #[cfg(feature = "restate")]
    #[arg(short, long, value_name = "N", requires = "listen")]
    pub jobs: Option<usize>,
    /// Where the engine takes requests, as this machine reaches it, with --listen: restate://HOST:PORT. With
    /// it, takes begin while this worker still looks through a film; without, when it has.
    #[cfg(feature = "restate")]
    #[arg(long, value_name = "ENGINE", requires = "listen")]
    pub engine: Option<String>,
    /// Answer an engine with this public key alone, with --listen: publickeyv1_...
    #[cfg(feature = "restate")]
    #[arg(long, value_name = "KEY", requires = "listen")]
    pub identity_key: Option<String>,
    /// The folder that all machines share, as this one sees it, or with --array its address in an object
    /// store [default: RETAKE_ROOT]. Nothing outside of it is opened but sources that are objects.
    #[arg(long, value_name = "FOLDER", conflicts_with = "job")]
    pub root: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Replan {
    /// The film, its records (FILM.retake.json), or the folder of a job that was stopped or is running.
    pub film: PathBuf,
    /// Every unit reaches this score. This and the next two may be given several times.
    #[arg(short, long, value_name = "SCORE")]
    pub quality: Vec<f64>,
    /// An average video bit rate: 4M, 350k.
    #[arg(short, long, value_name = "RATE", value_parser = quantity)]
    pub bitrate: Vec<u64>,
    /// A size of the whole file: 700M, 1.5G.
    #[arg(short, long, value_name = "BYTES", value_parser = quantity)]
    pub size: Vec<u64>,
    /// Every whole score from one to another: 88-97.
    #[arg(long, value_name = "FROM-TO", value_parser = scores)]
    pub table: Option<(u32, u32)>,
    /// Units this much above the floor are left as they are, as for `encode`.
    #[arg(long, value_name = "SCORE")]
    pub tolerance: Option<f64>,
    /// The bit rate is not above this in any two seconds. Default: what the earlier encode was given.
    #[arg(long, value_name = "RATE", value_parser = quantity)]
    pub max_bitrate: Option<u64>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Measure {
    /// The source film.
    pub reference: PathBuf,
    /// The film to score.
    pub film: PathBuf,
    /// vmaf, xpsnr, psnr, ssim, ssimulacra2.
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// How the frames of a unit become one score.
    #[arg(long, value_name = "mean|p5|min", default_value = "mean")]
    pub floor: String,
    /// Compare at the size of the source, whatever --scale says, to which films are scaled up; default:
    /// output, at which all have one size.
    #[arg(long, value_name = "output|source")]
    pub score_at: Option<ScoreAt>,
    /// Exit with code 3 when a unit scores less.
    #[arg(short, long, value_name = "SCORE")]
    pub quality: Option<f64>,
    /// The film was made of the source from this place on: seconds (12.5), a time (1:02:03.5) or a frame
    /// (300f).
    #[arg(long, value_name = "PLACE", value_parser = place)]
    pub from: Option<FilmPosition>,
    /// The film was made of the source up to this place.
    #[arg(long, value_name = "PLACE", value_parser = place)]
    pub to: Option<FilmPosition>,
    #[command(flatten, next_help_heading = "Pictures: what was done to those of the source")]
    pub pictures: Pictures,
    /// The longest unit, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0)]
    pub unit: f64,
    /// Let playlists (.m3u8, .mpd, .ffconcat) name other files, and open those, too.
    #[arg(long)]
    pub allow_references: bool,
    /// Films that are damaged or incomplete are fine. Without it the exit code is 3.
    #[arg(long)]
    pub accept_damage: bool,
    /// Make a page of what was measured [default: beside the film, as FILM.measured.html], and beside it a
    /// file with all scores, which ends in json.
    #[arg(long, value_name = "FILE")]
    pub report: Option<Option<PathBuf>>,
    /// Draw the timeline of the film as SVG.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Replace an existing report.
    #[arg(short = 'y', long)]
    pub overwrite: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Report {
    /// The film, its records, or the folder of a job that runs or was stopped.
    pub film: PathBuf,
    /// The page to make [default: beside the film, as FILM.retake.html].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Draw the timeline as SVG; without --output there is no page then.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Replace existing files.
    #[arg(short = 'y', long)]
    pub overwrite: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Compare {
    /// The source film.
    pub reference: PathBuf,
    /// The films to compare; NAME=FILE makes a film a point of the curve NAME, and four points of two curves
    /// give a BD-rate.
    #[arg(value_name = "FILM", num_args = 2..=retake::report::MOST_FILMS, required = true)]
    pub films: Vec<PathBuf>,
    /// The page to make [default: beside the first film, as FILM.compared.html].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// vmaf, xpsnr, psnr, ssim, ssimulacra2.
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// How the frames of a unit become one score.
    #[arg(long, value_name = "mean|p5|min", default_value = "mean")]
    pub floor: String,
    /// Compare at the size of the source, whatever --scale says, to which films are scaled up; default:
    /// output, at which all have one size.
    #[arg(long, value_name = "output|source")]
    pub score_at: Option<ScoreAt>,
    /// The films were made of the source from this place on: seconds (12.5), a time (1:02:03.5) or a frame
    /// (300f).
    #[arg(long, value_name = "PLACE", value_parser = place)]
    pub from: Option<FilmPosition>,
    /// The films were made of the source up to this place.
    #[arg(long, value_name = "PLACE", value_parser = place)]
    pub to: Option<FilmPosition>,
    #[command(flatten, next_help_heading = "Pictures: what was done to those of the source")]
    pub pictures: Pictures,
    /// Let playlists (.m3u8, .mpd, .ffconcat) name other files, and open those, too.
    #[arg(long)]
    pub allow_references: bool,
    /// Replace an existing page.
    #[arg(short = 'y', long)]
    pub overwrite: bool,
}

/// A number with an optional factor: 350k, 4M, 1.5G; with an i, powers of 1024: 8Gi.
fn quantity(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 =
        number.parse().map_err(|_| format!("'{text}' is not a number such as 350k, 4M or 1.5G"))?;
    let factor = match unit.trim_end_matches(['b', 'B']) {
        "" => 1.0,
        "k" | "K" => 1e3,
        "m" | "M" => 1e6,
        "g" | "G" => 1e9,
        "ki" | "Ki" => 1024.0,
        "mi" | "Mi" => 1_048_576.0,
        "gi" | "Gi" => 1_073_741_824.0,
        _ => return Err(format!("'{unit}' is not a factor: use k, M or G")),
    };
    let value = number * factor;
    if !(1.0..=1e18).contains(&value) {
        return Err(format!("'{text}' is out of range"));
    }
    Ok(value as u64)
}

/// Chroma and depth of a film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pixels {
    /// The name as it was given.
    pub name: String,
    pub chroma: OutputChroma,
    /// `None` leaves it to the source.
    pub depth: Option<u32>,
}

fn pixels(text: &str) -> Result<Pixels, String> {
    let of = |chroma, depth| Ok(Pixels { name: text.to_owned(), chroma, depth });
    if text == "source" {
        return of(OutputChroma::Source, None);
    }
    // FFmpeg tells the order of bytes, which a film does not have.
    let name = text.strip_suffix("le").unwrap_or(text);
    let (chroma, depth) = match name.strip_suffix("10") {
        Some(chroma) => (chroma, 10),
        None => (name, 8),
    };
    match chroma {
        "gray" => of(OutputChroma::Monochrome, Some(depth)),
        "yuv420p" => of(OutputChroma::Yuv420, Some(depth)),
        "yuv422p" => of(OutputChroma::Yuv422, Some(depth)),
        "yuv444p" => of(OutputChroma::Yuv444, Some(depth)),
        _ => Err("it is source, or one of gray, yuv420p, yuv422p, yuv444p, with 10 behind it for ten bits"
            .to_owned()),
    }
}

/// A value of a filter.
fn value<T: FromStr<Err = FilterValueError>>(text: &str) -> Result<T, FilterValueError> {
    text.parse()
}

fn depth(text: &str) -> Result<u32, String> {
    match text {
        "8" => Ok(8),
        "10" => Ok(10),
        _ => Err("it is 8 or 10".to_owned()),
    }
}

/// A place in a film: seconds, hours and minutes before them, or the number of a frame.
fn place(text: &str) -> Result<FilmPosition, String> {
    let wrong = || format!("'{text}' is not a place such as 12.5, 1:02:03.5 or 300f");
    if let Some(frame) = text.strip_suffix('f') {
        return frame.parse().map(FilmPosition::Frame).map_err(|_| wrong());
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // Nanoseconds are the finest that a time scale can hold as decimals.
    if fraction.len() > 9 || !digits(fraction) {
        return Err(wrong());
    }
    let mut seconds: i64 = 0;
    let parts: Vec<&str> = whole.split(':').collect();
    for (number, part) in parts.iter().enumerate() {
        let value: u32 = part.parse().ok().filter(|_| digits(part)).ok_or_else(wrong)?;
        // The first part has no limit: 90:00 are ninety minutes.
        if number > 2 || (number > 0 && value > 59) {
            return Err(wrong());
        }
        seconds = seconds * 60 + i64::from(value);
    }
    let scale = 10_i32.pow(fraction.len() as u32);
    let fraction: i64 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| wrong())? };
    Ok(FilmPosition::Time(Time::new(seconds * i64::from(scale) + fraction, scale)))
}

/// Returns the range between two places; `None` without both, which is the whole film.
pub(crate) fn range(from: Option<FilmPosition>, to: Option<FilmPosition>) -> Option<FilmRange> {
    let start = FilmPosition::Time(Time::ZERO);
    (from.is_some() || to.is_some()).then(|| FilmRange::new(from.unwrap_or(start), to))
}

fn scores(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("'{text}' is not a range of whole scores such as 88-97");
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let (from, to): (u32, u32) = from.parse().ok().zip(to.parse().ok()).ok_or_else(wrong)?;
    if (1..=1000).contains(&from) && (from..from.saturating_add(100)).contains(&to) {
        Ok((from, to))
    } else {
        Err(wrong())
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("'{text}' is not KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
        command().debug_assert();
    }

    #[test]
    fn rare_flags_are_flags() {
        let encode = encode_command();
        for id in RARE.iter().filter(|id| cfg!(feature = "restate") || **id != "detach") {
            assert!(encode.get_arguments().any(|arg| arg.get_id() == *id), "{id}");
        }
    }

    #[test]
    fn pixel_formats() {
        let of = |text| pixels(text).map(|pixels| (pixels.chroma, pixels.depth));
        assert_eq!(of("yuv422p10le"), Ok((OutputChroma::Yuv422, Some(10))));
        assert_eq!(of("gray"), Ok((OutputChroma::Monochrome, Some(8))));
        assert_eq!(of("source"), Ok((OutputChroma::Source, None)));
        assert!(["yuv422", "yuv422p12", "rgb24", "10", ""].into_iter().all(|text| of(text).is_err()));
    }

    #[test]
    fn places() {
        let time = |value, scale| Ok(FilmPosition::Time(Time::new(value, scale)));
        assert_eq!(place("12"), time(12, 1));
        assert_eq!(place("0.041708333"), time(41_708_333, 1_000_000_000));
        assert_eq!(place("1:02:03.5"), time(37_235, 10));
        assert_eq!(place("90:00"), time(5400, 1));
        assert_eq!(place("300f"), Ok(FilmPosition::Frame(300)));
        for wrong in ["", "f", "-1", "1:60", "1:2:3:4", "+1", "1e3", "1.+5", "-3f", "1.0000000001", ":5"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn quantities() {
        assert_eq!(quantity("350k"), Ok(350_000));
        assert_eq!(quantity("1.5G"), Ok(1_500_000_000));
        assert_eq!(quantity("8Gi"), Ok(8 << 30));
        assert_eq!(quantity("700MB"), Ok(700_000_000));
        assert!(
            quantity("fast").is_err()
                && quantity("0").is_err()
                && quantity("4X").is_err()
                && quantity("1e30").is_err()
        );
    }
}
