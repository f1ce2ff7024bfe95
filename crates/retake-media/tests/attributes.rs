//! The requirements of a client and an encoder become one (12.1 "resolve attributes", 12.4).

use PixelFormat::{Argb, Bgra, I010, I420, I420Full, Nv12, Nv12Full, P010};
use proptest::prelude::*;
use proptest::sample::subsequence;
use retake_media::{
    Attachment, AttachmentMode, AttachmentValue, ExtendedPixels, PixelBufferAttributes, PixelFormat,
    Rational, Reconciled,
};

fn formats(formats: &[PixelFormat]) -> PixelBufferAttributes {
    PixelBufferAttributes { formats: formats.to_vec(), ..PixelBufferAttributes::default() }
}

fn encoder(formats: &[PixelFormat]) -> PixelBufferAttributes {
    let sized = PixelBufferAttributes::of(formats[0], 1280, 720);
    PixelBufferAttributes { formats: formats.to_vec(), ..sized }
}

/// Returns the pool that the two agree on, and whether it is shared.
fn reconcile(
    client: &PixelBufferAttributes,
    encoder: &PixelBufferAttributes,
) -> (PixelBufferAttributes, bool) {
    let Reconciled { pool, shared } = PixelBufferAttributes::reconcile(Some(client), encoder);
    (pool.expect("the client wants one"), shared)
}

/// A13: the table of 12.4 holds row by row.
#[test]
fn a13_reconciliation_table() {
    let both = encoder(&[Nv12, Nv12Full]);
    let pool = |format| PixelBufferAttributes::of(format, 1280, 720);
    // The client requires nothing specific.
    assert_eq!(reconcile(&formats(&[]), &both), (pool(Nv12), true));
    // The client requires 420f.
    assert_eq!(reconcile(&formats(&[Nv12Full]), &both), (pool(Nv12Full), true));
    // The client requires BGRA.
    assert_eq!(reconcile(&formats(&[Bgra]), &both), (pool(Bgra), false));
    // The client accepts BGRA and 420v, the encoder 420v.
    assert_eq!(reconcile(&formats(&[Bgra, Nv12]), &encoder(&[Nv12])), (pool(Nv12), true));
    // The client requires another size.
    let other = PixelBufferAttributes { width: Some(1920), height: Some(1080), ..formats(&[]) };
    assert_eq!(reconcile(&other, &both), (PixelBufferAttributes::of(Nv12, 1920, 1080), false));
    // The client requires an alignment of 64, the encoder of 16.
    let client = PixelBufferAttributes { row_alignment: Some(64), ..formats(&[]) };
    let likes = PixelBufferAttributes { row_alignment: Some(16), ..both.clone() };
    assert_eq!(
        reconcile(&client, &likes),
        (PixelBufferAttributes { row_alignment: Some(64), ..pool(Nv12) }, true)
    );
    // The client adds keys for surfaces and Metal.
    let preserved = [("IOSurfaceProperties", AttachmentValue::Text(String::new()))];
    let preserved = preserved.map(|(key, value)| (key.to_owned(), value)).into();
    let client = PixelBufferAttributes { preserved, ..formats(&[]) };
    let expected = PixelBufferAttributes { preserved: client.preserved.clone(), ..pool(Nv12) };
    assert_eq!(reconcile(&client, &both), (expected, true));
}

/// PB-14: without attributes there is no pool. By the mapping below table 12.4, an encoder of planar pictures
/// does not share bi-planar ones.
#[test]
fn a13_what_the_table_leaves_to_rules() {
    let planar = encoder(&[I420, I010]);
    let none = PixelBufferAttributes::reconcile(None, &planar);
    assert_eq!(none, Reconciled { pool: None, shared: false });
    assert_eq!(reconcile(&formats(&[Nv12]), &planar), (PixelBufferAttributes::of(Nv12, 1280, 720), false));
    // The format f420 is y420 in another range, which the colour tells the encoder.
    assert_eq!(
        reconcile(&formats(&[I420Full]), &planar),
        (PixelBufferAttributes::of(I420Full, 1280, 720), true)
    );
    // The encoder's order of preference counts among common formats, the client's where none is common.
    assert_eq!(reconcile(&formats(&[I010, I420]), &planar).0.formats, [I420]);
    assert_eq!(reconcile(&formats(&[P010, Bgra]), &planar).0.formats, [P010]);
    // The missing half of a size is filled in (PB-20).
    let wide = PixelBufferAttributes { width: Some(1920), ..formats(&[Nv12]) };
    assert_eq!(reconcile(&wide, &planar), (PixelBufferAttributes::of(Nv12, 1920, 720), false));
}

/// Spec 12.1: attributes are merged by kind, and fail with the error of their kind.
#[test]
fn attributes_are_resolved_or_refused() {
    let resolve = |a: &PixelBufferAttributes, b: &PixelBufferAttributes| {
        PixelBufferAttributes::resolve(&[a, b]).map_err(|error| error.code())
    };
    let a = PixelBufferAttributes {
        extended: ExtendedPixels { left: 8, top: 1, right: 0, bottom: 2 },
        row_alignment: Some(48),
        plane_alignment: Some(4096),
        ..PixelBufferAttributes::of(Nv12, 64, 48)
    };
    let b = PixelBufferAttributes {
        extended: ExtendedPixels { left: 2, top: 4, right: 3, bottom: 0 },
        row_alignment: Some(64),
        ..formats(&[Argb, Nv12])
    };
    let merged = resolve(&a, &b).unwrap();
    assert_eq!(merged.extended, ExtendedPixels { left: 8, top: 4, right: 3, bottom: 2 });
    assert_eq!((merged.row_alignment, merged.plane_alignment), (Some(192), Some(4096)));
    assert_eq!((merged.formats, merged.width, merged.height), (vec![Nv12], Some(64), Some(48)));

    assert_eq!(resolve(&a, &formats(&[Bgra])), Err(-6680));
    assert_eq!(resolve(&a, &PixelBufferAttributes { height: Some(50), ..b.clone() }), Err(-6681));
    assert_eq!(resolve(&a, &PixelBufferAttributes { row_alignment: Some(0), ..b.clone() }), Err(-6682));
    assert_eq!(resolve(&a, &PixelBufferAttributes { row_alignment: Some(65521), ..b.clone() }), Err(-6682));
    let metal = |value| PixelBufferAttributes {
        preserved: [("Metal".to_owned(), AttachmentValue::Bool(value))].into(),
        ..formats(&[])
    };
    assert_eq!(resolve(&metal(true), &metal(false)), Err(-6682));
    assert_eq!(resolve(&metal(true), &metal(true)), Ok(metal(true)));
    let shaped = |num, mode| {
        let mut attributes = formats(&[]);
        attributes.attachments.set(Attachment::PixelAspectRatio(Rational::new(num, 3)), mode);
        attributes
    };
    let (along, not) = (AttachmentMode::Propagate, AttachmentMode::DoNotPropagate);
    assert_eq!(resolve(&shaped(4, along), &shaped(4, not)), Err(-6682));
    assert_eq!(resolve(&shaped(4, along), &formats(&[])), Ok(shaped(4, along)));
}

fn wishes() -> impl Strategy<Value = PixelBufferAttributes> {
    let formats = subsequence(vec![Nv12, Nv12Full, Bgra, I420], 0..=4).prop_shuffle();
    let size = || prop::option::of(prop_oneof![Just(64_u32), Just(66)]);
    let alignment = || prop::option::of(prop::sample::select(vec![1_usize, 3, 16, 48, 64]));
    (formats, size(), size(), alignment(), alignment()).prop_map(
        |(formats, width, height, row_alignment, plane_alignment)| PixelBufferAttributes {
            formats,
            width,
            height,
            row_alignment,
            plane_alignment,
            ..PixelBufferAttributes::default()
        },
    )
}

/// Returns whether buffers of `pool` meet the requirements of `wish`.
fn meets(pool: &PixelBufferAttributes, wish: &PixelBufferAttributes) -> bool {
    let aligned = |got: Option<usize>, asked: Option<usize>| {
        asked.is_none_or(|asked| got.is_some_and(|got| got % asked == 0))
    };
    (wish.formats.is_empty() || wish.formats.contains(&pool.formats[0]))
        && (wish.width.is_none() || wish.width == pool.width)
        && (wish.height.is_none() || wish.height == pool.height)
        && aligned(pool.row_alignment, wish.row_alignment)
        && aligned(pool.plane_alignment, wish.plane_alignment)
}

proptest! {
    /// PB-15: the client always gets what it requires; the pool is shared exactly if a pool that serves both
    /// is possible, and then serves both.
    #[test]
    fn the_client_gets_what_it_asked_for(client in wishes(), likes in wishes()) {
        let likes = PixelBufferAttributes {
            formats: if likes.formats.is_empty() { vec![Nv12] } else { likes.formats.clone() },
            width: Some(64),
            height: Some(66),
            ..likes
        };
        let (pool, shared) = reconcile(&client, &likes);
        prop_assert!(meets(&pool, &client));
        prop_assert_eq!(shared, meets(&pool, &likes));
        // No other format or size would have served both, and alignments can always be met.
        let common = client.formats.is_empty() || client.formats.iter().any(|format| likes.formats.contains(format));
        let sizes = client.width != Some(66) && client.height != Some(64);
        prop_assert_eq!(shared, common && sizes);
    }

    /// Resolving gives the same in any order but for the order of formats, and repeating it changes nothing.
    #[test]
    fn resolving_has_no_order(a in wishes(), b in wishes(), c in wishes()) {
        let sorted = |all: &[&PixelBufferAttributes]| {
            PixelBufferAttributes::resolve(all).map(|mut merged| {
                merged.formats.sort_by_key(|format| format.four_cc());
                merged
            })
        };
        let forth = sorted(&[&a, &b, &c]);
        prop_assert_eq!(forth.is_ok(), sorted(&[&c, &a, &b]).is_ok());
        if let Ok(merged) = forth {
            prop_assert_eq!(Ok(merged.clone()), sorted(&[&c, &b, &a]));
            prop_assert_eq!(Ok(merged.clone()), sorted(&[&merged, &a, &b, &c]));
        }
    }
}
