use super::EncodedOutcome;
use std::sync::mpsc::Receiver;

/// The outcomes of a session, in decode order, for whoever asks. Ends when the session is over.
pub struct Outcomes<T = ()> {
    receiver: Receiver<EncodedOutcome<T>>,
}

impl<T> Outcomes<T> {
    pub(super) fn new(receiver: Receiver<EncodedOutcome<T>>) -> Self {
        Self { receiver }
    }

    /// The next outcome; waits for it. None when the session is over and everything was taken.
    pub fn receive(&self) -> Option<EncodedOutcome<T>> {
        self.receiver.recv().ok()
    }

    /// The next outcome, if it is there already.
    pub fn try_receive(&self) -> Option<EncodedOutcome<T>> {
        self.receiver.try_recv().ok()
    }
}

impl<T> Iterator for Outcomes<T> {
    type Item = EncodedOutcome<T>;

    fn next(&mut self) -> Option<EncodedOutcome<T>> {
        self.receive()
    }
}
