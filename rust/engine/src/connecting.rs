//! From a CONNECT to the connection of a session: who is let in, on which terms, and what becomes of a connection
//! that the session had.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytestring::ByteString;
use hookmq_codec::{ConnAck, Connect, Properties, PropertyId, ReasonCode, Version};

use crate::batch::Batch;
use crate::broker::{Broker, DueWill};
use crate::client::Client;
use crate::connection::{Close, Connection};
use crate::hook::Event;
use crate::ledger::Takes;
use crate::link::{Aliases, Link};
use crate::outbox::Outbox;
use crate::packet_ids::PacketIds;
use crate::receipt::Acks;
use crate::session::{PendingWill, Session};
use crate::transport::Transport;

impl Broker {
    /// Takes a client whose CONNECT was read and who was authenticated. The answer is in its outbox when
    /// this returns; an error is the reason for a CONNACK that the caller sends.
    ///
    /// `extra` are properties of CONNACK that are not the engine's: an assigned Client Identifier, the last
    /// data of an enhanced authentication. Without effect before 5.0.
    pub fn connect(
        self: &Arc<Self>,
        mut connect: Connect,
        client: Arc<Client>,
        extra: Properties,
        transport: Arc<dyn Transport>,
        batch: &mut Batch,
    ) -> Result<Connection, Close> {
        if connect.version.is_v5() && connect.will.as_ref().is_some_and(|will| will.retain) {
            self.check_retain(batch)?; // [MQTT-3.2.2-13]
        }
        let expiry = self.session_expiry(&connect, &client, batch);
        let clean_start = connect.clean_start;
        let will = connect.will.take().map(|mut will| {
            let delay = will.properties.number(PropertyId::WillDelayInterval).unwrap_or(0);
            will.topic = ByteString::from(&*will.topic); // keeps no read buffer alive
            will.payload = bytes::Bytes::copy_from_slice(&will.payload);
            Box::new(PendingWill { will, delay })
        });

        let _together = self.together();
        // One lock for look-up and change, so that of two connects with one Client Identifier each sees
        // the other's session whole. [MQTT-3.1.4-3]
        let mut sessions = self.sessions.lock();
        let existing = sessions.get(&client.id).cloned();
        self.admit(&client, existing.as_deref(), (sessions.len(), expiry), batch)?;
        let mut wills = Vec::new();
        let mut resumed = None;
        if let Some(session) = existing {
            let ends = self.take_over(&session, clean_start, &mut wills, batch);
            match ends || clean_start {
                true => wills.extend(self.end_session(&mut sessions, &session, batch)), // [MQTT-3.1.2-4]
                false => resumed = Some(session),
            }
        }
        let session_present = resumed.is_some(); // [MQTT-3.2.2-2] [MQTT-3.2.2-3]
        let session = resumed.unwrap_or_else(|| {
            let session = Session::new(Arc::clone(&client), self.next_serial.fetch_add(1, Relaxed));
            sessions.insert(Arc::clone(&client.id), Arc::clone(&session));
            session
        });
        if session.identify(&client) {
            self.router.invalidate(); // the rules may decide otherwise about it now
        }
        let link_id = self.next_serial.fetch_add(1, Relaxed);
        let mut link = self.link(link_id, &connect, Arc::clone(&client), transport);
        let connack = ConnAck {
            session_present,
            reason: ReasonCode::Success,
            properties: self.connack_properties(&connect, &client, extra, expiry),
        };
        {
            let state = &mut *session.state.lock();
            state.expiry = expiry;
            state.asked_to_be_kept = match connect.version.is_v5() {
                true => connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0) > 0,
                false => expiry > 0,
            };
            match expiry {
                0 => session.keep_no_more(state, batch),
                _ => drop(session.keep(state, None, batch)),
            }
            state.will = will; // a delayed will of the earlier connection is over [MQTT-3.1.3-9]
            state.will_at = None;
            session.keep_will(state, batch);
            // CONNACK says what there is, and what there is no more.
            link.promise(batch.ticket);
            session.attach(state, link, connack, batch);
        }
        self.client_came(&client);
        drop(sessions);

        for will in wills {
            self.publish_will(will, batch);
        }
        batch.counts.connects += 1;
        if self.watches.clients.load(Relaxed) {
            batch.events.push(Event::Connected { client: Arc::clone(&client) });
        }
        Ok(Connection::new(Arc::clone(self), session, link_id, client))
    }

    /// Whether the bounds and the owner of the session let a client in. `existing` is the session with its
    /// Client Identifier, `sessions` how many there are, `expiry` what was granted.
    fn admit(
        &self,
        client: &Client,
        existing: Option<&Session>,
        (sessions, expiry): (usize, u32),
        batch: &mut Batch,
    ) -> Result<(), Close> {
        self.check_ban(client, batch.now)?;
        if !client.listener.own && self.jail.lock().holds(client, batch.now) {
            batch.counts.limit_max_reconnects += 1;
            let what = "this client identifier reconnects too often";
            return Err(Close::new(ReasonCode::ConnectionRateExceeded, what));
        }
        if existing.is_some_and(|session| !session.belongs_to(client)) {
            batch.counts.takeovers_refused += 1;
            let what = "the session of this client identifier belongs to another user";
            return Err(Close::new(ReasonCode::NotAuthorized, what));
        }
        // Who comes back fetches what waits, and that makes room.
        let comes_back = existing.is_some_and(Session::is_durable);
        if expiry > 0 && !batch.stores_as(if comes_back { Takes::Less } else { Takes::More }) {
            batch.counts.store_refused += 1;
            let what = "the session cannot be stored at the moment";
            return Err(Close::new(ReasonCode::ServerUnavailable, what));
        }
        if client.listener.own {
            return Ok(());
        }
        if existing.is_none() && sessions >= self.limits.max_sessions {
            batch.counts.limit_max_sessions += 1;
            return Err(Close::new(ReasonCode::QuotaExceeded, "there are too many sessions"));
        }
        let replaced = existing.filter(|session| session.is_connected()).map(|session| session.client());
        let connected = self.statistics.clients_connected.load(Relaxed) - self.own_clients.load(Relaxed);
        let same = replaced.as_ref().is_some_and(|other| Arc::ptr_eq(&other.listener, &client.listener));
        if connected >= self.limits.max_clients as i64 && replaced.is_none()
            || client.listener.connected() >= client.listener.max_clients && !same
        {
            batch.counts.limit_max_clients += 1;
            return Err(Close::new(ReasonCode::ServerBusy, "too many clients are connected"));
        }
        match self.limits.counts_clients() {
            true => self.presence.lock().check(client, replaced.as_deref(), batch),
            false => Ok(()),
        }
    }

    /// Whether messages are retained at all.
    fn retains_any(&self) -> bool {
        self.limits.max_retained_messages > 0
    }

    /// Says no to who wants a message retained although none is, which was told in the CONNACK.
    pub(crate) fn check_retain(&self, batch: &mut Batch) -> Result<(), Close> {
        if self.retains_any() {
            return Ok(());
        }
        batch.counts.limit_max_retained += 1;
        Err(Close::new(ReasonCode::RetainNotSupported, "retained messages are switched off"))
    }

    /// Session Expiry Interval in seconds that is granted. Before 5.0 a session lasts for ever or not at all.
    fn session_expiry(&self, connect: &Connect, client: &Client, batch: &mut Batch) -> u32 {
        let wanted = match connect.version {
            Version::V5 => connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0),
            _ if connect.clean_start => 0,
            _ => u32::MAX,
        };
        if client.listener.own {
            return wanted;
        }
        batch.counts.limit_max_session_expiry += u64::from(wanted > self.limits.max_session_expiry);
        wanted.min(self.limits.max_session_expiry)
    }

    fn link(&self, id: u64, connect: &Connect, client: Arc<Client>, transport: Arc<dyn Transport>) -> Link {
        let number = |id| connect.properties.number(id);
        let own = usize::from(self.limits.max_inflight);
        let aliases = number(PropertyId::TopicAliasMaximum).unwrap_or(0) as u16;
        Link {
            id,
            transport,
            client,
            outbox: Outbox::default(),
            writing: false,
            blocked: false,
            touched: false,
            greeted: false,
            gate: 0,
            receive_maximum: number(PropertyId::ReceiveMaximum)
                .map_or(own, |theirs| own.min(theirs as usize)),
            max_packet_size: number(PropertyId::MaximumPacketSize).map_or(usize::MAX, |size| size as usize),
            aliases: Aliases::new(aliases.min(self.limits.topic_alias_maximum)),
            explains: number(PropertyId::RequestProblemInformation) != Some(0) && connect.version.is_v5(),
            received: PacketIds::default(),
            acks: Acks::default(),
        }
    }

    fn connack_properties(
        &self,
        connect: &Connect,
        client: &Client,
        extra: Properties,
        expiry: u32,
    ) -> Properties {
        if !connect.version.is_v5() {
            return Properties::new();
        }
        let limits = &*self.limits;
        let max_packet_size = limits.max_packet_size.min(client.listener.max_packet_size);
        let mut properties = extra
            .with(PropertyId::ReceiveMaximum, u32::from(limits.receive_maximum))
            .with(PropertyId::MaximumPacketSize, u32::try_from(max_packet_size).unwrap_or(u32::MAX))
            .with(PropertyId::TopicAliasMaximum, u32::from(limits.topic_alias_maximum));
        if !self.retains_any() {
            properties = properties.with(PropertyId::RetainAvailable, 0);
        }
        if expiry != connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0) {
            properties = properties.with(PropertyId::SessionExpiryInterval, expiry);
        }
        if client.keep_alive != connect.keep_alive {
            properties = properties.with(PropertyId::ServerKeepAlive, u32::from(client.keep_alive));
        }
        properties
    }

    /// Ends the connection that a session has, because its client connects again. Says whether the session
    /// is over with it, as one is that lasts as long as its connection.
    fn take_over(
        &self,
        session: &Arc<Session>,
        clean_start: bool,
        wills: &mut Vec<DueWill>,
        batch: &mut Batch,
    ) -> bool {
        let (link, ends) = {
            let state = &mut *session.state.lock();
            let ends = state.expiry == 0;
            let Some(link) = session.detach(state, batch) else { return ends };
            // A new connection before the delay is over keeps the will back, unless the session ends.
            let delayed = state.will.as_ref().is_some_and(|will| will.delay > 0);
            if !delayed || clean_start || ends {
                let owned = |will| (will, Arc::clone(&link.client), Arc::clone(session));
                wills.extend(state.will.take().map(owned));
                session.keep_will(state, batch);
            }
            (link, ends)
        };
        link.close(ReasonCode::SessionTakenOver); // [MQTT-3.1.4-3]
        self.jail.lock().note(&link.client, batch.now, &self.limits);
        self.client_left(&link.client, ReasonCode::SessionTakenOver, "another connection took over", batch);
        ends
    }
}
