//! Something that might have happened: for trials and tests.

use crate::occasion::{Attribute, Event, Occasion};
use crate::value::{Object, Value};

/// A message or an event that somebody made up, or that happened before.
#[derive(Debug, Clone)]
pub struct Sample {
    event: Event,
    topic: String,
    payload: Vec<u8>,
    content_type: Option<String>,
    /// Everything else.
    attributes: Vec<(Attribute, Value<'static>)>,
}

impl Sample {
    /// One of these attributes, by their names; `event` is `message_published` if it is not among them. A payload that is
    /// neither a text nor bytes is made to JSON.
    pub fn new(attributes: Object<'static>) -> Result<Self, String> {
        let mut sample = Self {
            event: Event::MessagePublished,
            topic: String::new(),
            payload: Vec::new(),
            content_type: None,
            attributes: Vec::new(),
        };
        for (name, value) in attributes.0 {
            let Some(attribute) = Attribute::named(&name) else {
                return Err(format!("there is no `{name}` on which a rule could run"));
            };
            match (attribute, value) {
                (Attribute::Event, Value::Text(name)) => {
                    let named = Event::ALL
                        .into_iter()
                        .find(|event| event.name() == name)
                        .or_else(|| Event::named(&name));
                    sample.event = named.ok_or_else(|| format!("there is no event `{name}`"))?;
                }
                (Attribute::Topic, Value::Text(topic)) => sample.topic = topic.into_owned(),
                (Attribute::Payload, Value::Text(text)) => sample.payload = text.into_owned().into_bytes(),
                (Attribute::Payload, Value::Bytes(bytes)) => sample.payload = bytes.into_owned(),
                (Attribute::Payload, Value::Missing) => {}
                (Attribute::Payload, value) => sample.payload = crate::format::to_json(&value).into_bytes(),
                (Attribute::Properties, Value::Object(properties)) => {
                    if let Some(Value::Text(name)) = properties.get("content_type") {
                        sample.content_type = Some(name.clone().into_owned());
                    }
                    sample.attributes.push((attribute, Value::Object(properties)));
                }
                (attribute, value) => sample.attributes.push((attribute, value)),
            }
        }
        Ok(sample)
    }

    /// What time tells: nothing has happened.
    pub fn timer() -> Self {
        Self {
            event: Event::Timer,
            topic: String::new(),
            payload: Vec::new(),
            content_type: None,
            attributes: Vec::new(),
        }
    }
}

impl Occasion for Sample {
    fn event(&self) -> Event {
        self.event
    }

    fn topic(&self) -> &str {
        &self.topic
    }

    fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    fn get(&self, attribute: Attribute) -> Value<'_> {
        match attribute {
            Attribute::Topic if Attribute::Topic.belongs_to(self.event) => Value::Text((&*self.topic).into()),
            _ => {
                let found = self.attributes.iter().find(|(known, _)| *known == attribute);
                found.map(|(_, value)| value.clone()).unwrap_or_default()
            }
        }
    }
}
