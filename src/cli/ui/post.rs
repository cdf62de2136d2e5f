//! Messages from the threads of the ui to the one that draws. Each wakes it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::model::{Act, AskedQuestion, HostPicture, Shown};
use crate::control::lead::Overview;
use crate::core::ids::SessionKey;

/// What happened.
pub(super) enum UiMessage {
    Looked(Box<Result<Overview, String>>),
    Heard(String, HostPicture),
    Screen(SessionKey, Shown),
    Acted { id: u64, act: Act, said: String, question: Option<String>, is_bad: bool },
    Asked(SessionKey, Result<AskedQuestion, String>),
    Printed(u64, Option<Vec<String>>),
    End { is_interrupt: bool },
    Resumed,
    Resized,
}

/// Where threads put them.
#[derive(Clone)]
pub(super) struct Post {
    messages: Sender<UiMessage>,
    wake: Arc<UnixStream>,
}

impl Post {
    pub(super) fn send(&self, message: UiMessage) {
        // After the end nobody reads.
        let _ = self.messages.send(message);
        let _ = (&*self.wake).write(b"!");
    }
}

/// Where they are read.
pub(super) struct PostBox {
    messages: Receiver<UiMessage>,
    pub(super) woken: UnixStream,
}

impl PostBox {
    pub(super) fn new() -> std::io::Result<(Self, Post)> {
        let (woken, wake) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let (sender, messages) = channel();
        Ok((Self { messages, woken }, Post { messages: sender, wake: Arc::new(wake) }))
    }

    /// All that is there.
    pub(super) fn take(&self) -> Vec<UiMessage> {
        let mut spent = [0; 256];
        while (&self.woken).read(&mut spent).is_ok_and(|count| count == spent.len()) {}
        self.messages.try_iter().collect()
    }
}
