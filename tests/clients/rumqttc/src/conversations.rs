//! What is said with the broker.

use std::collections::HashSet;

use crate::peer::{Broker, Outcome, Peer, Properties, Settings};

/// Where a conversation takes place.
pub(crate) struct Scene {
    pub(crate) broker: Broker,
    pub(crate) root: String,
}

impl Scene {
    pub(crate) async fn play(&self, name: &str) -> Outcome {
        match name {
            "publish_and_subscribe" => self.publish_and_subscribe().await,
            "wildcards" => self.wildcards().await,
            "unsubscribing" => self.unsubscribing().await,
            "a_retained_message" => self.a_retained_message().await,
            "a_will" => self.a_will().await,
            "a_shared_subscription" => self.a_shared_subscription().await,
            "a_large_payload" => self.a_large_payload().await,
            "many_messages_in_order" => self.many_messages_in_order().await,
            "a_session_with_queued_messages" => self.a_session_with_queued_messages().await,
            "coming_back_by_itself" => self.coming_back_by_itself().await,
            "a_known_user" => self.a_known_user().await,
            "a_wrong_password" => self.a_wrong_password().await,
            "properties" => self.properties().await,
            "request_and_response" => self.request_and_response().await,
            _ => Err(format!("there is no conversation {name}").into()),
        }
    }

    async fn connect(&self, id: &str) -> Outcome<Peer> {
        self.connect_with(id, Settings::default()).await
    }

    async fn connect_with(&self, id: &str, settings: Settings) -> Outcome<Peer> {
        self.broker.connect(format!("{}{id}", self.root), settings).await
    }

    fn topic(&self, rest: &str) -> String {
        format!("{}/{rest}", self.root)
    }

    async fn publish_and_subscribe(&self) -> Outcome {
        let (mut subscriber, mut publisher) = (self.connect("s").await?, self.connect("p").await?);
        for qos in 0..=2 {
            let topic = self.topic(&qos.to_string());
            subscriber.subscribe(&topic, qos).await?;
            publisher.publish(&topic, 2, false, b"12").await?;
            let got = subscriber.next().await?;
            assert_eq!((got.topic, &got.payload[..], got.qos, got.retain), (topic, &b"12"[..], qos, false));
        }
        Ok(())
    }

    async fn wildcards(&self) -> Outcome {
        let mut client = self.connect("s").await?;
        client.subscribe(&self.topic("+/level"), 1).await?;
        client.subscribe(&self.topic("all/#"), 1).await?;
        for topic in ["7/level", "7/8/level", "8/level", "all", "all/of/it", "level", "all/end"] {
            client.publish(&self.topic(topic), 1, false, topic.as_bytes()).await?;
        }
        assert_eq!(texts(&mut client, 5).await?, ["7/level", "8/level", "all", "all/of/it", "all/end"]);
        Ok(())
    }

    async fn unsubscribing(&self) -> Outcome {
        let mut client = self.connect("s").await?;
        client.subscribe(&self.topic("a"), 1).await?;
        client.subscribe(&self.topic("b"), 1).await?;
        client.unsubscribe(&self.topic("a")).await?;
        client.publish(&self.topic("a"), 1, false, b"a").await?;
        client.publish(&self.topic("b"), 1, false, b"b").await?;
        assert_eq!(texts(&mut client, 1).await?, ["b"]);
        Ok(())
    }

    async fn a_retained_message(&self) -> Outcome {
        let (topic, everything) = (self.topic("state"), self.topic("#"));
        let mut publisher = self.connect("p").await?;
        publisher.publish(&topic, 1, true, b"on").await?;
        let mut subscriber = self.connect("s").await?;
        subscriber.subscribe(&everything, 1).await?;
        let got = subscriber.next().await?;
        assert_eq!((&got.payload[..], got.qos, got.retain), (&b"on"[..], 1, true));
        publisher.publish(&topic, 1, true, b"").await?;
        assert!(subscriber.next().await?.payload.is_empty());
        let mut late = self.connect("l").await?;
        late.subscribe(&everything, 1).await?;
        publisher.publish(&self.topic("later"), 1, false, b"later").await?;
        assert_eq!(texts(&mut late, 1).await?, ["later"]);
        Ok(())
    }

    async fn a_will(&self) -> Outcome {
        let topic = self.topic("will");
        let mut watcher = self.connect("s").await?;
        watcher.subscribe(&topic, 1).await?;
        let polite = Settings { will: Some((topic.clone(), "never said")), ..Settings::default() };
        self.connect_with("q", polite).await?.disconnect().await?;
        drop(self.connect_with("w", Settings { will: Some((topic, "gone")), ..Settings::default() }).await?);
        assert_eq!(texts(&mut watcher, 1).await?, ["gone"]);
        Ok(())
    }

    async fn a_shared_subscription(&self) -> Outcome {
        let mut members = [self.connect("1").await?, self.connect("2").await?];
        for member in &mut members {
            member.subscribe(&format!("$share/group/{}", self.root), 1).await?;
        }
        let mut publisher = self.connect("p").await?;
        for number in 0..20 {
            publisher.publish(&self.root, 1, false, number.to_string().as_bytes()).await?;
        }
        let mut got = [HashSet::new(), HashSet::new()];
        while got[0].len() + got[1].len() < 20 {
            for (member, share) in members.iter_mut().zip(&mut got) {
                share.extend(member.arrived().map(|message| message.payload));
            }
            tokio::task::yield_now().await;
        }
        assert!(got.iter().all(|share| !share.is_empty()));
        assert!(got[0].is_disjoint(&got[1]));
        Ok(())
    }

    async fn a_large_payload(&self) -> Outcome {
        let payload: Vec<u8> = (0..1 << 20).map(|index: u32| index as u8).collect();
        let mut client = self.connect("s").await?;
        client.subscribe(&self.root, 2).await?;
        for qos in 0..=2 {
            client.publish(&self.root, qos, false, &payload).await?;
            assert!(client.next().await?.payload == payload);
        }
        Ok(())
    }

    async fn many_messages_in_order(&self) -> Outcome {
        let (mut subscriber, mut publisher) = (self.connect("s").await?, self.connect("p").await?);
        for qos in 1..=2 {
            let topic = self.topic(&qos.to_string());
            subscriber.subscribe(&topic, qos).await?;
            for number in 0..1000 {
                publisher.start(&topic, qos, false, number.to_string().as_bytes()).await?;
            }
            assert_eq!(texts(&mut subscriber, 1000).await?, numbers(1000));
            for _ in 0..1000 {
                publisher.acknowledgement().await?;
            }
        }
        Ok(())
    }

    async fn a_session_with_queued_messages(&self) -> Outcome {
        let keep = || Settings { keep: true, ..Settings::default() };
        let mut first = self.connect_with("s", keep()).await?;
        assert!(!first.session_present);
        first.subscribe(&self.topic("#"), 2).await?;
        first.disconnect().await?;
        let mut publisher = self.connect("p").await?;
        for number in numbers(20) {
            publisher.publish(&self.topic(&number), 2, false, number.as_bytes()).await?;
        }
        let mut again = self.connect_with("s", keep()).await?;
        assert!(again.session_present);
        assert_eq!(texts(&mut again, 20).await?, numbers(20));
        Ok(())
    }

    /// The connection is taken away by a client of the same name.
    async fn coming_back_by_itself(&self) -> Outcome {
        let keep = |comes_back| Settings { keep: true, comes_back, ..Settings::default() };
        let mut first = self.connect_with("s", keep(true)).await?;
        first.subscribe(&self.root, 1).await?;
        let second = self.connect_with("s", keep(false)).await?;
        assert!(second.session_present);
        assert!(first.is_connected().await?);
        self.connect("p").await?.publish(&self.root, 1, false, b"still here").await?;
        assert_eq!(texts(&mut first, 1).await?, ["still here"]);
        Ok(())
    }

    async fn a_known_user(&self) -> Outcome {
        let login = Some(("tank", "secret"));
        self.connect_with("s", Settings { login, ..Settings::default() }).await.map(drop)
    }

    async fn a_wrong_password(&self) -> Outcome {
        let login = Some(("tank", "wrong"));
        match self.connect_with("s", Settings { login, ..Settings::default() }).await {
            Ok(_) => Err("it was let in".into()),
            Err(error) => {
                assert!(error.to_string().contains("BadUserNamePassword"), "{error}");
                Ok(())
            }
        }
    }

    async fn properties(&self) -> Outcome {
        let given = Properties {
            payload_format_indicator: Some(1),
            response_topic: Some(self.topic("answer")),
            correlation_data: Some(vec![0, 255].into()),
            user_properties: [("b", "1"), ("a", "2"), ("b", "3")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            content_type: Some("text/plain".to_owned()),
            message_expiry_interval: Some(100),
            ..Properties::default()
        };
        let (mut subscriber, mut publisher) = (self.connect("s").await?, self.connect("p").await?);
        subscriber.subscribe(&self.root, 1).await?;
        publisher.publish_with(&self.root, "hello", given.clone()).await?;
        let got = subscriber.next().await?.properties;
        assert!(matches!(got.message_expiry_interval, Some(99 | 100)));
        assert_eq!(Properties { message_expiry_interval: Some(100), ..got }, given);
        Ok(())
    }

    async fn request_and_response(&self) -> Outcome {
        let (mut asks, mut answers) = (self.connect("q").await?, self.connect("a").await?);
        asks.subscribe(&self.topic("answer"), 1).await?;
        answers.subscribe(&self.topic("ask"), 1).await?;
        let request = Properties {
            response_topic: Some(self.topic("answer")),
            correlation_data: Some("7".into()),
            ..Properties::default()
        };
        asks.publish_with(&self.topic("ask"), "1+1", request).await?;
        let asked = answers.next().await?.properties;
        let response = Properties { correlation_data: asked.correlation_data, ..Properties::default() };
        answers.publish_with(&asked.response_topic.ok_or("no response topic")?, "2", response).await?;
        let answer = asks.next().await?;
        assert_eq!(answer.payload, b"2");
        assert_eq!(answer.properties.correlation_data, Some("7".into()));
        Ok(())
    }
}

fn numbers(count: u32) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

async fn texts(peer: &mut Peer, count: usize) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    while found.len() < count {
        found.push(String::from_utf8(peer.next().await?.payload)?);
    }
    Ok(found)
}
