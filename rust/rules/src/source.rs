//! Where a rule's messages come from.

use crate::error::RuleError;
use crate::occasion::{Event, Occasion};
use crate::program::matches_filter;
use crate::sql::{Source as Written, Span};
use crate::timer::Timer;

/// Where a rule's messages come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Messages that are published to topics that match a filter.
    Topic(String),
    /// Something else that happens.
    Event(Event),
    /// The time.
    Timer(Timer),
}

const EVENTS: &str = "$events/";

impl Source {
    pub(crate) fn of(written: &Written) -> Result<Self, RuleError> {
        match written {
            Written::Timer(text, span) => Ok(Self::Timer(Timer::parse(text, span)?)),
            Written::Named(name, span) => match name.strip_prefix(EVENTS) {
                Some(event) => match Event::named(event) {
                    Some(Event::MessagePublished) => Ok(Self::Topic("#".to_owned())),
                    Some(event) => Ok(Self::Event(event)),
                    None => {
                        let known =
                            Event::ALL.iter().map(|event| event.name()).filter(|name| *name != "timer");
                        let error = RuleError::new(format!("there is no event `{event}`"), span.clone());
                        let error = error.did_you_mean(event, known.clone());
                        let all = || known.collect::<Vec<_>>().join(", ");
                        Err(if error.hint.is_some() {
                            error
                        } else {
                            error.hint(format!("there are {}", all()))
                        })
                    }
                },
                None => check_filter(name, span).map(|()| Self::Topic(name.clone())),
            },
        }
    }

    /// What happens when something comes from it.
    pub fn event(&self) -> Event {
        match self {
            Self::Topic(_) => Event::MessagePublished,
            Self::Event(event) => *event,
            Self::Timer(_) => Event::Timer,
        }
    }

    /// Whether something that happens comes from it.
    pub fn has(&self, occasion: &dyn Occasion) -> bool {
        match self {
            Self::Topic(filter) => {
                occasion.event() == Event::MessagePublished && matches_filter(occasion.topic(), filter)
            }
            Self::Event(event) => occasion.event() == *event,
            Self::Timer(_) => occasion.event() == Event::Timer,
        }
    }

    /// The one topic that it is about, if it is one.
    pub(crate) fn single_topic(&self) -> Option<&str> {
        match self {
            Self::Topic(filter) if !filter.contains(['+', '#']) => Some(filter),
            _ => None,
        }
    }
}

/// What is wrong with a topic filter. [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1]
fn check_filter(filter: &str, span: &Span) -> Result<(), RuleError> {
    let wrong = |what: &str, hint: &str| Err(RuleError::new(what, span.clone()).hint(hint));
    if filter.is_empty() {
        return wrong("the topic filter is empty", "for all topics write \"#\"");
    }
    if filter.len() > 65_535 || filter.contains('\0') {
        return wrong("this can be no topic filter", "it has at most 65,535 bytes and no NUL");
    }
    if filter.starts_with("$share/") {
        return wrong("a rule sees every message, so nothing is shared", "leave out $share/…/");
    }
    let levels: Vec<_> = filter.split('/').collect();
    for (index, level) in levels.iter().enumerate() {
        if level.contains('#') && (*level != "#" || index + 1 < levels.len()) {
            return wrong("# stands alone at the end of a topic filter", "for instance \"sensors/#\"");
        }
        if level.contains('+') && *level != "+" {
            return wrong("+ stands alone in a level of a topic filter", "for instance \"sensors/+/temp\"");
        }
    }
    Ok(())
}
