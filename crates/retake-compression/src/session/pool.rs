//! The pool that clients draw their pictures from.

use retake_media::{
    ChromaSubsampling, PixelBufferAttributes, PixelBufferPool, PixelFormat, PoolAttributes, Range, Reconciled,
};

/// The pool of a session, by rules PB-14, PB-15, PB-16, PB-17, PB-18, PB-19, PB-20: the same until what the
/// encoder takes has changed.
#[derive(Default)]
pub(super) struct ClientPool {
    current: Option<(PixelBufferAttributes, Option<PixelBufferPool>, bool)>,
}

impl ClientPool {
    /// The pool for what the client and the encoder want, and whether the encoder takes its buffers as they
    /// are. No pool where the client wants none, or asks for buffers that cannot be.
    pub(super) fn pool(
        &mut self,
        client: Option<&PixelBufferAttributes>,
        encoder: PixelBufferAttributes,
    ) -> (Option<PixelBufferPool>, bool) {
        if self.current.as_ref().is_none_or(|(made_for, ..)| *made_for != encoder) {
            let Reconciled { pool, shared } = PixelBufferAttributes::reconcile(client, &encoder);
            let pool = pool
                .and_then(|attributes| PixelBufferPool::create(PoolAttributes::default(), attributes).ok());
            self.current = Some((encoder, pool, shared));
        }
        self.current.as_ref().map_or((None, false), |(_, pool, shared)| (pool.clone(), *shared))
    }
}

/// What an encoder takes as it is: its formats of a depth and a chroma, where these are known, each in both
/// ranges.
pub(super) fn encoder_attributes(
    formats: &[PixelFormat],
    depth: Option<u32>,
    chroma: Option<ChromaSubsampling>,
    width: u32,
    height: u32,
) -> PixelBufferAttributes {
    let fits = |format: &&PixelFormat| {
        depth.is_none_or(|depth| format.bit_depth() == depth)
            && chroma.is_none_or(|chroma| format.chroma_subsampling() == chroma)
    };
    let fitting = formats.iter().filter(fits);
    let mut all: Vec<PixelFormat> = Vec::new();
    for format in fitting.flat_map(|format| [*format, format.with_range(Range::Full)]) {
        if !all.contains(&format) {
            all.push(format);
        }
    }
    PixelBufferAttributes { formats: all, width: Some(width), height: Some(height), ..Default::default() }
}
