//! Makes pictures for the tests: invented ones, and real ones through an FFmpeg that is not ours.
#![allow(dead_code, clippy::unwrap_used)]

use retake_media::{PixelBuffer, PixelBufferPool, PixelFormat, PixelStorage};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

/// One size and format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) format: PixelFormat,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Shape {
    pub(crate) fn new(format: PixelFormat, width: u32, height: u32) -> Self {
        Self { format, width, height }
    }

    /// Makes a picture whose samples are those of `sample(plane, x, y)`.
    pub(crate) fn picture(self, sample: impl Fn(usize, usize, usize) -> u16) -> PixelBuffer {
        let mut buffer = PixelBufferPool::new(self.format, self.width, self.height).take();
        for plane in 0..3 {
            let (width, height) = self.format.plane_size(self.width, self.height, plane);
            for y in 0..height as usize {
                let row = buffer.row_mut(plane, y);
                for x in 0..width as usize {
                    let value = sample(plane, x, y);
                    match self.format.bytes_per_sample() {
                        1 => row[x] = value as u8,
                        _ => row[2 * x..][..2].copy_from_slice(&value.to_le_bytes()),
                    }
                }
            }
        }
        buffer.freeze()
    }

    /// Makes frame `index` of a film of blobs that drift over a fine texture, with noise of at most ± `noise`
    /// 8-bit steps.
    pub(crate) fn frame(self, index: usize, noise: u32) -> PixelBuffer {
        let scale = 1_u32 << (self.format.bit_depth() - 8);
        self.picture(|plane, x, y| {
            let (u, v) = (x as f64 + 3.0 * index as f64, y as f64 + 1.5 * index as f64);
            let blobs = 50.0 * (u / 23.0).sin() * (v / 17.0).cos();
            let texture = f64::from(hash(x / 2 + 5 * index, y / 2, plane, 0) % 25);
            let value = ((110.0 + blobs + texture) * f64::from(scale)) as i32;
            let spread = 2 * noise * scale + 1;
            let error = (hash(x, y, plane, index + 1) % spread) as i32 - (noise * scale) as i32;
            (value + error).clamp(0, 256 * scale as i32 - 1) as u16
        })
    }

    /// Returns the same picture in memory with other strides and a border of arbitrary bytes.
    pub(crate) fn padded(self, picture: &PixelBuffer, extra: [usize; 3]) -> PixelBuffer {
        struct Planes([Vec<u16>; 3]);
        impl PixelStorage for Planes {
            fn plane(&self, plane: usize) -> &[u8] {
                bytemuck::cast_slice(&self.0[plane])
            }
        }
        let mut strides = [0; 3];
        let planes = [0, 1, 2].map(|plane| {
            let row_bytes = picture.row(plane, 0).len();
            strides[plane] = (row_bytes + extra[plane]).next_multiple_of(2);
            let mut bytes = Vec::new();
            for row in picture.rows(plane) {
                bytes.extend_from_slice(row);
                bytes.resize(bytes.len() + strides[plane] - row_bytes, 0xA5);
            }
            bytes.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]])).collect()
        });
        PixelBuffer::new(self.format, self.width, self.height, strides, Arc::new(Planes(planes)))
    }

    /// Reads raw tightly packed planar pictures, one after the other.
    pub(crate) fn unpack(self, raw: &[u8]) -> Vec<PixelBuffer> {
        let pool = PixelBufferPool::new(self.format, self.width, self.height);
        let size = self.format.picture_bytes(self.width, self.height) as usize;
        let picture = |mut raw: &[u8]| {
            let mut buffer = pool.take();
            for plane in 0..3 {
                let rows = self.format.plane_size(self.width, self.height, plane).1;
                for y in 0..rows as usize {
                    let row = buffer.row_mut(plane, y);
                    let (now, rest) = raw.split_at(row.len());
                    row.copy_from_slice(now);
                    raw = rest;
                }
            }
            buffer.freeze()
        };
        raw.chunks_exact(size).map(picture).collect()
    }
}

/// Makes a number of four, the same each time.
pub(crate) fn hash(a: usize, b: usize, c: usize, d: usize) -> u32 {
    let mut state = (a as u64) << 42 ^ (b as u64) << 21 ^ (c as u64) << 16 ^ d as u64;
    for _ in 0..2 {
        state = (state ^ (state >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    (state >> 33) as u32
}

/// Finds an FFmpeg with libvmaf, xpsnr and libx264: `RETAKE_FFMPEG`, or the static one that the scoring tool
/// keeps in the user's cache.
pub(crate) fn ffmpeg() -> Option<Ffmpeg> {
    let cached = || {
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        let libs = std::fs::read_dir(cache.join("retake-score/lib")).ok()?;
        let mut found = libs.flatten().flat_map(|python| {
            let binaries = python.path().join("site-packages/imageio_ffmpeg/binaries");
            std::fs::read_dir(binaries).into_iter().flatten().flatten().map(|file| file.path())
        });
        found.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ffmpeg")))
    };
    let Some(program) = std::env::var_os("RETAKE_FFMPEG").map(PathBuf::from).or_else(cached) else {
        eprintln!("SKIPPED: no FFmpeg with libvmaf and xpsnr; set RETAKE_FFMPEG to one");
        return None;
    };
    Some(Ffmpeg(program))
}

pub(crate) struct Ffmpeg(PathBuf);

impl Ffmpeg {
    /// Runs it in a folder and insists on success.
    pub(crate) fn run(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.0);
        let output =
            command.current_dir(folder).args(["-v", "error", "-y"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }
}
