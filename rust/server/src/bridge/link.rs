//! One link of a bridge, from its first byte to its last.

use std::io;
use std::time::Duration;

use hookmq_codec::{DecodeError, Disconnect, Packet, ReasonCode};
use tokio::time::{Instant, sleep_until, timeout};

use crate::bridge::passing::{Passing, Stop};
use crate::bridge::pipe::{Sink, Source};
use crate::bridge::remote::{Terms, notification};

/// Bytes that may wait for one side; then nothing is read from the other.
const MOST_WAITING: usize = 1 << 20;

/// So many times as much may wait for the other broker, if it sends on and on and does not read what it is answered.
const ANSWERS: usize = 4;

/// How long a side may take to read the last bytes.
const FAREWELL: Duration = Duration::from_millis(500);

/// Without Keep Alive: far enough never to come.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Two connections that are joined.
pub(crate) struct Link {
    pub(crate) here: (Source, Sink),
    pub(crate) there: (Source, Sink),
    pub(crate) passing: Passing,
    pub(crate) terms: Terms,
    pub(crate) notify_topic: Option<String>,
    /// How long both sides may take until they are subscribed to.
    pub(crate) patience: Duration,
}

/// What happens to a link.
pub(crate) enum News {
    /// Both sides have the subscriptions: whatever is published from now on passes.
    Ready,
    /// Something for the log.
    Notice(String),
}

/// What the link was woken for.
enum Woken {
    Here(io::Result<()>),
    There(io::Result<()>),
    Wrote(io::Result<()>),
    Silence,
    Over,
}

impl Link {
    /// Passes packets on until a connection ends, which is an error with the reason in words, or until `over`
    /// comes. `tell` is told what happens meanwhile.
    pub(crate) async fn run(
        &mut self,
        over: impl Future<Output = ()>,
        mut tell: impl FnMut(News),
    ) -> Result<(), String> {
        tokio::pin!(over);
        let mut ready = false;
        let keep_alive = match self.terms.keep_alive {
            0 => NEVER,
            seconds => Duration::from_secs(seconds.into()),
        };
        let limit = keep_alive.mul_f64(1.5);
        let began = Instant::now();
        let (mut pinged, mut reading) = (began, true);
        // Since when there has been something to write to the other broker.
        let mut writing = None;
        loop {
            if !ready && self.passing.unsubscribed == 0 {
                ready = true;
                tell(News::Ready);
            }
            let Self { here: (here, to_here), there: (there, to_there), passing, .. } = self;
            let (full_here, full_there) = (is_full(to_here), is_full(to_there));
            // Nobody is silent who is not listened to.
            let listened = std::mem::replace(
                &mut reading,
                !full_here && to_there.wire.bytes.len() < ANSWERS * MOST_WAITING,
            );
            if !listened {
                there.heard = Instant::now();
            }
            writing = to_there.has_work().then(|| writing.unwrap_or_else(Instant::now));
            let silent = pinged.max(to_there.wrote.min(there.heard)) + keep_alive;
            let dead = if reading { there.heard + limit } else { began + NEVER };
            let stuck = writing.map_or(began + NEVER, |since| since.max(to_there.wrote) + limit);
            let late = if ready { began + NEVER } else { began + self.patience };
            let woken = tokio::select! {
                () = &mut over => Woken::Over,
                wrote = to_here.write(), if to_here.has_work() => Woken::Wrote(wrote),
                wrote = to_there.write(), if to_there.has_work() => Woken::Wrote(wrote),
                // When both sides are full, neither may read on because it waits for the other: then one has to begin.
                read = here.read(), if !full_there || full_here => Woken::Here(read),
                read = there.read(), if reading => Woken::There(read),
                () = sleep_until(silent.min(dead).min(stuck).min(late)) => Woken::Silence,
            };
            passing.pressed = full_there;
            match woken {
                Woken::Here(read) => {
                    read.map_err(|error| lost("this broker", &error))?;
                    self.pass_from_here()?;
                }
                Woken::There(read) => {
                    read.map_err(|error| lost("the other broker", &error))?;
                    self.pass_from_there()?;
                }
                Woken::Wrote(wrote) => wrote.map_err(|error| lost("a broker", &error))?,
                Woken::Silence if Instant::now() >= dead => {
                    return Err("nothing came from the other broker for 1.5 times the Keep Alive".to_owned());
                }
                Woken::Silence if Instant::now() >= stuck => {
                    return Err("the other broker read nothing for 1.5 times the Keep Alive".to_owned());
                }
                Woken::Silence if Instant::now() >= late => {
                    let seconds = self.patience.as_secs_f64();
                    return Err(format!("SUBSCRIBE was not answered in {seconds} seconds"));
                }
                Woken::Silence => {
                    pinged = Instant::now();
                    to_there.wire.put(&Packet::PingReq);
                }
                Woken::Over => {
                    self.say_goodbye().await;
                    return Ok(());
                }
            }
            self.passing.take_notices().into_iter().map(News::Notice).for_each(&mut tell);
            if let Some(error) = self.passing.broken.take() {
                // What was acknowledged with it need not come again.
                let _ = timeout(FAREWELL, self.there.1.write_all()).await;
                return Err(error);
            }
        }
    }

    fn pass_from_here(&mut self) -> Result<(), String> {
        let Self { here: (here, to_here), there: (_, to_there), passing, .. } = self;
        while let Some(packet) = here.next().map_err(|error| wrong("this broker", error))? {
            passing.take_here(packet, &mut to_here.wire, &mut to_there.wire).map_err(|Stop(text)| text)?;
        }
        Ok(())
    }

    fn pass_from_there(&mut self) -> Result<(), String> {
        let Self { here: (_, to_here), there: (there, to_there), passing, .. } = self;
        while let Some(packet) = there.next().map_err(|error| wrong("the other broker", error))? {
            passing.take_there(packet, &mut to_here.wire, &mut to_there.wire).map_err(|Stop(text)| text)?;
        }
        Ok(())
    }

    /// Ends both connections in the words of the protocol. What is under way stays in the sessions.
    async fn say_goodbye(&mut self) {
        let Self { here: (here, to_here), there: (_, to_there), terms, notify_topic, .. } = self;
        let last = Packet::Disconnect(Disconnect::new(ReasonCode::Success));
        if let Some(topic) = &notify_topic {
            to_there.wire.put(&notification(topic, *terms, false)); // DISCONNECT takes the Will away
        }
        to_there.wire.put(&last);
        to_here.wire.put(&last);
        let here = async {
            to_here.close().await?;
            // This broker has noted the end when it closes the connection.
            while here.read().await.is_ok() {}
            Ok::<_, io::Error>(())
        };
        let _ = timeout(FAREWELL, async { tokio::join!(to_there.close(), here) }).await;
    }
}

fn is_full(sink: &Sink) -> bool {
    sink.wire.bytes.len() >= MOST_WAITING
}

fn lost(side: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => format!("{side} closed the connection"),
        _ => format!("the connection to {side} was lost: {error}"),
    }
}

fn wrong(side: &str, error: DecodeError) -> String {
    format!("{side} sent something that is not MQTT: {}", error.what)
}
