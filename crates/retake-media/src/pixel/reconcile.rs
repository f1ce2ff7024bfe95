//! Chooses the buffers that a session's pool gives out.

use super::PixelBufferAttributes;

/// The outcome of a client's and an encoder's requirements.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconciled {
    /// The attributes of the pool, with one format; `None` if the client wants no pool.
    pub pool: Option<PixelBufferAttributes>,
    /// Whether the encoder takes buffers of the pool as they are. If it does not, each must be converted.
    #[doc(alias = "kVTCompressionPropertyKey_PixelBufferPoolIsShared")]
    pub shared: bool,
}

impl PixelBufferAttributes {
    /// Returns the attributes of a session's pool, by rules PB-14, PB-15 and PB-20. `encoder` has the formats
    /// that it takes, the preferred one first, and the size of the session. Where both can be met at once,
    /// the pool meets both, in the first common format of the encoder's order. Where they cannot, the pool
    /// follows the client, and the encoder fills in only what the client left open. `client` is `None` if it
    /// wants no pool, and the default attributes if it leaves the choice to the encoder.
    pub fn reconcile(client: Option<&Self>, encoder: &Self) -> Reconciled {
        let Some(client) = client else { return Reconciled { pool: None, shared: false } };
        let (mut pool, shared) = match Self::resolve(&[encoder, client]) {
            Ok(both) => (both, true),
            Err(_) => (client.completed_by(encoder), false),
        };
        pool.formats.truncate(1);
        Reconciled { pool: Some(pool), shared }
    }

    fn completed_by(&self, other: &Self) -> Self {
        let formats = if self.formats.is_empty() { &other.formats } else { &self.formats };
        Self {
            formats: formats.clone(),
            width: self.width.or(other.width),
            height: self.height.or(other.height),
            ..self.clone()
        }
    }
}
