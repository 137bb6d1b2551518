//! WebSockets of pages: one place to which any number of browsers connect.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, interval_at, timeout};

use crate::http::Request;
use crate::websocket::frames::{BINARY, CLOSE, Frames, PING, TEXT, Taken, put_frame, status};

/// The largest message that a page may send, in bytes.
const LARGEST: usize = 1 << 20;

/// Bytes that may wait for one browser.
const OUTBOX: usize = 1 << 20;

/// Bytes read at a time.
const READ: usize = 4 << 10;

/// How often a browser is asked whether it is there, and after how much silence it is given up.
const ASK: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(90);

/// How long a browser may take to read a frame.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same for one that is to be closed.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// How long a browser may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// The status code for a browser that does not keep up: it may come again.
const TOO_SLOW: u16 = 1013;

/// What happens to a WebSocket of a page.
pub enum HubEvent {
    /// It was opened, by this request.
    Open(Request),
    /// The page sent text.
    Text(String),
    /// The page sent bytes.
    Binary(Bytes),
    /// It is over.
    Close,
}

type Observe = Box<dyn Fn(u64, HubEvent) + Send + Sync>;

/// A place for WebSockets. Each has a number, which no other ever has.
pub struct Hub {
    observe: Observe,
    sockets: Mutex<HashMap<u64, Arc<Way>>>,
    next: AtomicU64,
    dropped: AtomicU64,
}

/// What waits for one browser.
#[derive(Default)]
struct Way {
    waiting: Mutex<Waiting>,
    wake: Notify,
    /// Tells who writes to it that it is to be closed.
    closing: Notify,
}

#[derive(Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    /// Frames that later ones of the same key replace: their places, counted from the first that waits.
    keyed: HashMap<Box<str>, usize>,
    bytes: usize,
    /// What was taken off the list is being written.
    writing: bool,
    close: Option<u16>,
}

impl Way {
    /// Queues a frame, in the place of one with the same key. `false` if there is no room, or the end was queued.
    fn push(&self, frame: Bytes, key: Option<&str>) -> bool {
        let waiting = &mut *self.waiting.lock();
        let place =
            key.and_then(|key| waiting.keyed.get(key)).and_then(|place| waiting.frames.get_mut(*place));
        let replaced = place.as_ref().map_or(0, |place| place.len());
        let bytes = waiting.bytes - replaced + frame.len();
        // One is taken however large it is, if nothing else waits.
        if waiting.close.is_some() || bytes > OUTBOX && bytes > frame.len() {
            return false;
        }
        waiting.bytes = bytes;
        if let Some(place) = place {
            *place = frame;
            return true;
        }
        if let Some(key) = key {
            waiting.keyed.insert(key.into(), waiting.frames.len());
        }
        waiting.frames.push_back(frame);
        self.wake.notify_one();
        true
    }

    fn is_waiting(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.writing || !waiting.frames.is_empty()
    }

    /// What was taken is written.
    fn written(&self) {
        self.waiting.lock().writing = false;
    }

    fn close(&self, code: u16) {
        self.waiting.lock().close.get_or_insert(code);
        self.wake.notify_one();
        if code != TOO_SLOW {
            self.closing.notify_one();
        }
    }

    /// Whether it is to be closed, and not because it reads slowly.
    fn is_closing(&self) -> bool {
        self.waiting.lock().close.is_some_and(|code| code != TOO_SLOW)
    }
}

impl Hub {
    /// A place whose events are told to `observe`, which must return at once.
    pub fn new(observe: impl Fn(u64, HubEvent) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            observe: Box::new(observe),
            sockets: Mutex::default(),
            next: AtomicU64::new(1),
            dropped: AtomicU64::new(0),
        })
    }

    /// Sends text or bytes to some or to all; to how many it is on its way. Who does not keep up is closed. With a key it
    /// replaces what waits for them under the same key, so that who reads slowly gets the newest only.
    pub fn send(&self, data: &[u8], text: bool, to: Option<&[u64]>, key: Option<&str>) -> usize {
        let mut frame = BytesMut::new();
        put_frame(&mut frame, if text { TEXT } else { BINARY }, data);
        let frame = frame.freeze();
        let (mut sent, mut slow) = (0, Vec::new());
        {
            let sockets = self.sockets.lock();
            let mut push = |number: u64, way: &Way| {
                if way.push(frame.clone(), key) {
                    sent += 1;
                } else if way.waiting.lock().close.is_none() {
                    way.close(TOO_SLOW);
                    slow.push(number);
                }
            };
            match to {
                None => sockets.iter().for_each(|(number, way)| push(*number, way)),
                Some(numbers) => {
                    let found = |number: &u64| sockets.get(number).map(|way| (*number, way));
                    numbers.iter().filter_map(found).for_each(|(number, way)| push(number, way));
                }
            }
        }
        for number in slow {
            self.dropped.fetch_add(1, Relaxed);
            self.leave(number); // what waits for it is written if it reads after all
        }
        sent
    }

    /// A socket is over. Told once, however that comes.
    fn leave(&self, number: u64) {
        if self.sockets.lock().remove(&number).is_some() {
            (self.observe)(number, HubEvent::Close);
        }
    }

    /// Closes one or all, with a status code of WebSocket.
    pub fn close(&self, to: Option<u64>, code: u16) {
        for (number, way) in self.sockets.lock().iter() {
            if to.is_none_or(|to| to == *number) {
                way.close(code);
            }
        }
    }

    /// Whether something that was sent to one has not been handed to the system yet.
    pub fn is_waiting(&self, number: u64) -> bool {
        let way = self.sockets.lock().get(&number).cloned();
        way.is_some_and(|way| way.is_waiting())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.sockets.lock().len()
    }

    /// How many were closed because they did not keep up.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Serves a WebSocket until it is over.
    pub(crate) async fn serve(&self, io: impl AsyncRead + AsyncWrite + Unpin, request: Request) {
        let number = self.next.fetch_add(1, Relaxed);
        let way = Arc::new(Way::default());
        self.sockets.lock().insert(number, Arc::clone(&way));
        let _guard = Leaving { hub: self, number };
        (self.observe)(number, HubEvent::Open(request));
        let (mut reader, mut writer) = tokio::io::split(io);
        let mut conversation = Conversation::new();
        let mut ask = interval_at(Instant::now() + ASK, ASK);
        let mut heard = Instant::now();
        let code = loop {
            let answer = tokio::select! {
                biased;
                () = way.wake.notified() => {
                    let (frames, code) = take(&way);
                    for frame in frames {
                        if !write(&mut writer, &frame, &way).await {
                            return;
                        }
                    }
                    way.written();
                    match code {
                        Some(code) => break Some(code),
                        None => continue,
                    }
                }
                _ = ask.tick() => {
                    if heard.elapsed() > SILENCE {
                        return;
                    }
                    let mut ping = BytesMut::new();
                    put_frame(&mut ping, PING, b"");
                    ping
                }
                read = conversation.read(&mut reader) => {
                    if !read.is_ok_and(|count| count > 0) {
                        return;
                    }
                    heard = Instant::now();
                    let mut answers = BytesMut::new();
                    if let Err(code) = conversation.take(&mut answers, |event| (self.observe)(number, event)) {
                        break code;
                    }
                    answers
                }
            };
            if !write(&mut writer, &answer, &way).await {
                return;
            }
        };
        let mut end = BytesMut::new();
        let code = code.map(u16::to_be_bytes);
        put_frame(&mut end, CLOSE, code.as_ref().map_or(&[], |code| &code[..]));
        let farewell = async {
            writer.write_all(&end).await?;
            writer.shutdown().await?;
            while reader.read(&mut [0; 1024]).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        let _ = timeout(FAREWELL, farewell).await; // it may be gone already
    }
}

/// Writes to one, if it takes it in time: while it does not, nothing is read from it, nor is it asked whether it is there.
async fn write(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8], way: &Way) -> bool {
    let whole = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    let patience = if way.is_closing() { LAST_PATIENCE } else { PATIENCE };
    let mut whole = std::pin::pin!(timeout(patience, whole));
    let written = tokio::select! {
        biased;
        written = &mut whole => Ok(written),
        () = way.closing.notified() => timeout(LAST_PATIENCE, whole).await,
    };
    matches!(written, Ok(Ok(Ok(()))))
}

/// Takes a WebSocket off the list, however it ends.
struct Leaving<'a> {
    hub: &'a Hub,
    number: u64,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.hub.leave(self.number);
    }
}

fn take(way: &Way) -> (VecDeque<Bytes>, Option<u16>) {
    let mut waiting = way.waiting.lock();
    waiting.bytes = 0;
    waiting.keyed.clear();
    waiting.writing = !waiting.frames.is_empty();
    (std::mem::take(&mut waiting.frames), waiting.close)
}

/// What a browser sends: bytes that were not read as frames yet, and the message so far.
struct Conversation {
    frames: Frames,
    unread: BytesMut,
    message: Vec<u8>,
}

impl Conversation {
    fn new() -> Self {
        Self { frames: Frames::of_messages(LARGEST), unread: BytesMut::new(), message: Vec::new() }
    }

    async fn read(&mut self, reader: &mut (impl AsyncRead + Unpin)) -> std::io::Result<usize> {
        self.unread.reserve(READ);
        reader.read_buf(&mut self.unread).await
    }

    /// Tells of every message that is complete. An error is the status code of the end.
    fn take(&mut self, answers: &mut BytesMut, mut tell: impl FnMut(HubEvent)) -> Result<(), Option<u16>> {
        while !self.unread.is_empty() {
            let Taken { data, used, message, ended } = self.frames.read(&mut self.unread, answers);
            self.message.extend_from_slice(&self.unread[..data]);
            self.unread.advance(used);
            if let Some(kind) = message {
                let data = std::mem::take(&mut self.message);
                tell(match kind {
                    TEXT => HubEvent::Text(String::from_utf8(data).map_err(|_| Some(status::NOT_TEXT))?),
                    _ => HubEvent::Binary(data.into()),
                });
            }
            if let Some(ended) = ended {
                return Err(ended.code);
            }
        }
        Ok(())
    }
}
