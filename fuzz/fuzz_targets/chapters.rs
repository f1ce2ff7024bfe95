#![no_main]
retake_fuzz::target!(chapters);
