use retake_libav::*; use std::sync::Arc; use std::ops::Range;
#[derive(Default)] pub struct SeekTrust;
pub struct RangeReader(FrameReader, Range<u64>);
impl RangeReader { pub fn open(i:&FilmInfo,_:Arc<FrameIndex>,r:Range<u64>,o:ReaderOptions,_:Arc<SeekTrust>)->Result<Self,MediaError>{Ok(Self(FrameReader::open(i,o)?,r))}
pub fn next(&mut self)->Result<Option<Frame>,MediaError>{ while let Some(f)=self.0.next()? { if f.index>=self.1.end {return Ok(None)} if f.index>=self.1.start {return Ok(Some(f))} } Ok(None)} }
