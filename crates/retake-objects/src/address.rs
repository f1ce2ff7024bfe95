//! Addresses of objects, as users write them.

use object_store::path::Path;
use std::io;

/// The parts of `s3://bucket/key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub bucket: String,
    pub key: Path,
}

impl Address {
    /// Takes an address apart. One that would lead to another object than it says is refused: the key of an
    /// object may be any text, and a part of the libraries below leaves out what looks empty to it.
    pub(crate) fn parse(text: &str) -> io::Result<Self> {
        let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
        let rest = text.strip_prefix("s3://").ok_or_else(|| refused("an address begins with s3://"))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if bucket.is_empty() || bucket.len() > 255 || bucket.starts_with('.') || !bucket.bytes().all(usual) {
            return Err(refused("this is no name of a bucket: s3://BUCKET/KEY is wanted"));
        }
        if key.is_empty() || key.len() > 1024 {
            return Err(refused("the key of an object has 1 to 1024 bytes: s3://BUCKET/KEY is wanted"));
        }
        let parsed = Path::parse(key).ok().filter(|parsed| parsed.as_ref() == key);
        let Some(key) = parsed else {
            return Err(refused("the key has a part that is empty, '.', '..' or has control characters"));
        };
        Ok(Self { bucket: bucket.to_owned(), key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_where_it_says() {
        for (text, bucket, key) in [
            ("s3://films/a.mkv", "films", "a.mkv"),
            ("s3://my.films-1/a/b c/wh?t #1%20.mkv", "my.films-1", "a/b c/wh?t #1%20.mkv"),
            ("s3://films/s3://films/a", "", ""),
            ("s3://films//a", "", ""),
            ("s3://films/a/", "", ""),
            ("s3://films/../a", "", ""),
            ("s3://films/./a", "", ""),
            ("s3://films/a\nb", "", ""),
            ("s3://films", "", ""),
            ("s3://films/", "", ""),
            ("s3:///a", "", ""),
            ("s3://user:word@host/a", "", ""),
            ("s3://../a", "", ""),
            ("file:///a", "", ""),
        ] {
            match Address::parse(text) {
                Ok(address) => {
                    assert_eq!((address.bucket.as_str(), address.key.as_ref()), (bucket, key), "{text}");
                }
                Err(_) => assert_eq!(bucket, "", "{text}"),
            }
        }
    }
}
