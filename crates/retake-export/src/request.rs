use retake_compression::encoder::EncoderFactory;
use retake_quality::{MetricKind, Pool};
use std::path::PathBuf;
use std::sync::Arc;

/// What is to be exported, and how.
#[derive(Clone)]
pub struct Request {
    /// The source film; `-` is standard input.
    pub input: PathBuf,
    /// The film to make. Its extension decides the container: `mp4`, `m4v`, `mov`, `mkv`, `webm`. `m3u8` makes a stream for HTTP Live
    /// Streaming: this playlist, and a folder of the same name that ends in `.media`, with further playlists and segments.
    pub output: PathBuf,
    /// The encoder.
    pub encoder: Arc<dyn EncoderFactory>,
    /// One of the encoder's presets; its default one if `None`.
    pub preset: Option<String>,
    /// Further settings in the encoder's own words.
    pub options: Vec<(String, String)>,
    /// What is wanted.
    pub target: Target,
    /// What quality is measured with.
    pub metric: MetricKind,
    /// How the frames of a unit become one score.
    pub pool: Pool,
    /// A cap on the bit rate in any window of two seconds, in bits per second.
    pub max_bit_rate: Option<u64>,
    /// Passes allowed, the first one counted. At least 1.
    pub passes: u32,
    /// Takes at once; as many as cores and memory allow if `None`.
    pub jobs: Option<u32>,
    /// Threads of each encoder. The bytes of some encoders depend on it, so it does not follow the machine. At least 1.
    pub threads: u32,
    /// Memory budget in bytes; half of the machine's memory if `None`.
    pub memory: Option<u64>,
    /// Where the state of the job lives; `OUTPUT.retake` if `None`.
    pub work_dir: Option<PathBuf>,
    /// Forget what an earlier run left in the job folder.
    pub restart: bool,
    /// Replace an existing output.
    pub overwrite: bool,
}

/// What is wanted of the film.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Every unit reaches a score.
    Floor {
        /// On the metric's scale.
        floor: f64,
        /// Units up to this much better are kept; `None` is the metric's own default.
        tolerance: Option<f64>,
    },
    /// An average bit rate of the video, in bits per second.
    BitRate(u64),
    /// The size of the whole file, in bytes; never more.
    Size(u64),
    /// One pass with one quality, on the encoder's scale; its usual one if `None`.
    Plain(Option<f64>),
}

impl Request {
    /// Everything that the result depends on, in one line.
    pub(crate) fn fingerprint(&self) -> String {
        let what = (&self.input, self.encoder.info().name, &self.preset, &self.options, self.target);
        format!("{what:?} {:?}", (self.metric, self.pool, self.max_bit_rate, self.passes, self.threads))
    }

    /// A request with the usual choices: a quality floor on the default metric, five passes, one thread for each take, as many takes as
    /// cores and memory allow.
    pub fn new(
        input: impl Into<PathBuf>,
        output: impl Into<PathBuf>,
        encoder: Arc<dyn EncoderFactory>,
    ) -> Self {
        let metric = retake_quality::default_metric();
        Self {
            input: input.into(),
            output: output.into(),
            encoder,
            preset: None,
            options: Vec::new(),
            target: Target::Floor { floor: metric.default_floor(), tolerance: None },
            metric,
            pool: Pool::Mean,
            max_bit_rate: None,
            passes: 5,
            jobs: None,
            threads: 1,
            memory: None,
            work_dir: None,
            restart: false,
            overwrite: false,
        }
    }
}
