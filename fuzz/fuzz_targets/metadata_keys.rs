#![no_main]
retake_fuzz::target!(metadata_keys);
