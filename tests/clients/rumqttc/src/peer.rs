//! A rumqttc client of either version, with what arrives in channels to wait for.

use std::error::Error;

use rumqttc::v5::mqttbytes::v5 as packets5;
use rumqttc::{AsyncClient, Event, Incoming, LastWill, MqttOptions, Transport, v5};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;
pub(crate) type Properties = packets5::PublishProperties;

/// Where the broker is, and which version is spoken there.
pub(crate) struct Broker {
    /// A host, or the path of a Unix socket.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) is_5: bool,
}

#[derive(Default)]
pub(crate) struct Settings {
    /// Whether the session stays when the connection ends.
    pub(crate) keep: bool,
    pub(crate) comes_back: bool,
    /// Topic and payload of a will with QoS 1.
    pub(crate) will: Option<(String, &'static str)>,
    pub(crate) login: Option<(&'static str, &'static str)>,
}

pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) properties: Properties,
}

/// What a connection reports.
enum Report {
    /// CONNACK, with whether there was a session, or why there is no connection.
    Connected(Result<bool, String>),
    Message(Message),
    /// SUBACK, UNSUBACK, PUBACK or PUBCOMP, with the reason codes of a SUBACK in words.
    Acknowledged(String),
}

enum Requests {
    V311(AsyncClient),
    V5(v5::AsyncClient),
}

pub(crate) struct Peer {
    requests: Requests,
    task: JoinHandle<()>,
    connected: UnboundedReceiver<Result<bool, String>>,
    messages: UnboundedReceiver<Message>,
    acknowledged: UnboundedReceiver<String>,
    pub(crate) session_present: bool,
}

impl Broker {
    pub(crate) async fn connect(&self, id: String, settings: Settings) -> Outcome<Peer> {
        let (reports, mut from_task) = unbounded_channel();
        let (requests, task) = if self.is_5 {
            let (client, events) = v5::AsyncClient::new(self.options_5(id, &settings), 10);
            (Requests::V5(client), tokio::spawn(poll_5(events, settings.comes_back, reports)))
        } else {
            let (client, events) = AsyncClient::new(self.options_311(id, &settings), 10);
            (Requests::V311(client), tokio::spawn(poll_311(events, settings.comes_back, reports)))
        };
        let (to_connected, connected) = unbounded_channel();
        let (to_messages, messages) = unbounded_channel();
        let (to_acknowledged, acknowledged) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(report) = from_task.recv().await {
                // Nobody listens any more when the peer has been dropped.
                let _ = match report {
                    Report::Connected(it) => to_connected.send(it).ok(),
                    Report::Message(it) => to_messages.send(it).ok(),
                    Report::Acknowledged(it) => to_acknowledged.send(it).ok(),
                };
            }
        });
        let mut peer = Peer { requests, task, connected, messages, acknowledged, session_present: false };
        peer.session_present = peer.is_connected().await?;
        Ok(peer)
    }

    fn options_311(&self, id: String, settings: &Settings) -> MqttOptions {
        let mut options = MqttOptions::new(id, &self.host, self.port);
        options.set_clean_session(!settings.keep);
        options.set_max_packet_size(LARGEST, LARGEST);
        if self.host.starts_with('/') {
            options.set_transport(Transport::unix());
        }
        if let Some((topic, payload)) = &settings.will {
            options.set_last_will(LastWill::new(topic, *payload, rumqttc::QoS::AtLeastOnce, false));
        }
        if let Some((user, password)) = settings.login {
            options.set_credentials(user, password);
        }
        options
    }

    fn options_5(&self, id: String, settings: &Settings) -> v5::MqttOptions {
        let mut options = v5::MqttOptions::new(id, &self.host, self.port);
        options.set_clean_start(!settings.keep);
        options.set_session_expiry_interval(settings.keep.then_some(60));
        options.set_max_packet_size(Some(LARGEST as u32));
        if self.host.starts_with('/') {
            options.set_transport(Transport::unix());
        }
        if let Some((topic, payload)) = &settings.will {
            let qos = v5::mqttbytes::QoS::AtLeastOnce;
            options.set_last_will(packets5::LastWill::new(topic, *payload, qos, false, None));
        }
        if let Some((user, password)) = settings.login {
            options.set_credentials(user, password);
        }
        options
    }
}

const LARGEST: usize = 2 << 20;

impl Peer {
    /// Waits for a CONNACK, and tells whether there was a session.
    pub(crate) async fn is_connected(&mut self) -> Outcome<bool> {
        Ok(self.connected.recv().await.ok_or("no connection")??)
    }

    pub(crate) async fn subscribe(&mut self, filter: &str, qos: u8) -> Outcome {
        match &self.requests {
            Requests::V311(client) => client.subscribe(filter, rumqttc::qos(qos)?).await?,
            Requests::V5(client) => client.subscribe(filter, qos_5(qos)).await?,
        }
        let granted = self.acknowledgement().await?;
        let name = format!("{:?}", qos_5(qos));
        assert_eq!(granted, format!("[Success({name})]"));
        Ok(())
    }

    pub(crate) async fn unsubscribe(&mut self, filter: &str) -> Outcome {
        match &self.requests {
            Requests::V311(client) => client.unsubscribe(filter).await?,
            Requests::V5(client) => client.unsubscribe(filter).await?,
        }
        self.acknowledgement().await.map(drop)
    }

    /// Publishes, and waits for the end of it where there is one.
    pub(crate) async fn publish(&mut self, topic: &str, qos: u8, retain: bool, payload: &[u8]) -> Outcome {
        self.start(topic, qos, retain, payload).await?;
        if qos > 0 { self.acknowledgement().await.map(drop) } else { Ok(()) }
    }

    /// Publishes without waiting for the acknowledgement.
    pub(crate) async fn start(&mut self, topic: &str, qos: u8, retain: bool, payload: &[u8]) -> Outcome {
        match &self.requests {
            Requests::V311(client) => client.publish(topic, rumqttc::qos(qos)?, retain, payload).await?,
            Requests::V5(client) => client.publish(topic, qos_5(qos), retain, payload.to_vec()).await?,
        }
        Ok(())
    }

    /// Publishes with QoS 1 and properties; only MQTT 5 has them.
    pub(crate) async fn publish_with(&mut self, topic: &str, payload: &str, given: Properties) -> Outcome {
        let Requests::V5(client) = &self.requests else { return Err("3.1.1 has no properties".into()) };
        let payload = payload.as_bytes().to_vec();
        client.publish_with_properties(topic, qos_5(1), false, payload, given).await?;
        self.acknowledgement().await.map(drop)
    }

    pub(crate) async fn acknowledgement(&mut self) -> Outcome<String> {
        Ok(self.acknowledged.recv().await.ok_or("the connection ended")?)
    }

    pub(crate) async fn next(&mut self) -> Outcome<Message> {
        Ok(self.messages.recv().await.ok_or("the connection ended")?)
    }

    /// What is in the inbox already.
    pub(crate) fn arrived(&mut self) -> Option<Message> {
        self.messages.try_recv().ok()
    }

    /// Says DISCONNECT and waits until the broker has closed the connection.
    pub(crate) async fn disconnect(mut self) -> Outcome {
        match &self.requests {
            Requests::V311(client) => client.disconnect().await?,
            Requests::V5(client) => client.disconnect().await?,
        }
        Ok((&mut self.task).await?)
    }
}

/// A peer that is dropped leaves without a word.
impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn qos_5(qos: u8) -> v5::mqttbytes::QoS {
    v5::mqttbytes::qos(qos).expect("0, 1 or 2")
}

async fn poll_311(mut events: rumqttc::EventLoop, comes_back: bool, reports: UnboundedSender<Report>) {
    loop {
        let report = match events.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(it))) => Report::Connected(Ok(it.session_present)),
            Ok(Event::Incoming(Incoming::Publish(it))) => Report::Message(Message {
                topic: it.topic,
                payload: it.payload.to_vec(),
                qos: it.qos as u8,
                retain: it.retain,
                properties: Properties::default(),
            }),
            Ok(Event::Incoming(Incoming::SubAck(it))) => {
                Report::Acknowledged(format!("{:?}", it.return_codes))
            }
            Ok(Event::Incoming(Incoming::UnsubAck(_) | Incoming::PubAck(_) | Incoming::PubComp(_))) => {
                Report::Acknowledged(String::new())
            }
            Ok(_) => continue,
            Err(_) if comes_back => continue,
            Err(error) => Report::Connected(Err(error.to_string())),
        };
        let is_last = matches!(report, Report::Connected(Err(_)));
        if reports.send(report).is_err() || is_last {
            return;
        }
    }
}

async fn poll_5(mut events: v5::EventLoop, comes_back: bool, reports: UnboundedSender<Report>) {
    use v5::mqttbytes::v5::Packet;
    loop {
        let report = match events.poll().await {
            Ok(v5::Event::Incoming(Packet::ConnAck(it))) => Report::Connected(Ok(it.session_present)),
            Ok(v5::Event::Incoming(Packet::Publish(it))) => Report::Message(Message {
                topic: String::from_utf8_lossy(&it.topic).into_owned(),
                payload: it.payload.to_vec(),
                qos: it.qos as u8,
                retain: it.retain,
                properties: it.properties.unwrap_or_default(),
            }),
            Ok(v5::Event::Incoming(Packet::SubAck(it))) => {
                Report::Acknowledged(format!("{:?}", it.return_codes))
            }
            Ok(v5::Event::Incoming(Packet::UnsubAck(_) | Packet::PubAck(_) | Packet::PubComp(_))) => {
                Report::Acknowledged(String::new())
            }
            Ok(_) => continue,
            Err(_) if comes_back => continue,
            Err(error) => Report::Connected(Err(error.to_string())),
        };
        let is_last = matches!(report, Report::Connected(Err(_)));
        if reports.send(report).is_err() || is_last {
            return;
        }
    }
}
