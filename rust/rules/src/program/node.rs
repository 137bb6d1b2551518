//! An expression that runs.

use crate::functions::Function;
use crate::occasion::Attribute;
use crate::sql::{Operator, Span};
use crate::state::StateKind;
use crate::value::Value;

/// An expression that runs, and where it is written.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) span: Span,
}

/// What it does.
#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Constant(Value<'static>),
    Attribute(Attribute),
    /// A field of the payload, by its place among those that are read.
    Payload(usize),
    /// A level of the topic, counted from 1, or from the end.
    TopicLevel(Box<Node>),
    /// The item of `FOREACH`.
    Item,
    Member(Box<Node>, Box<str>),
    Index(Box<Node>, Box<Node>),
    Array(Vec<Node>),
    Object(Vec<(Box<str>, Node)>),
    Negative(Box<Node>),
    Not(Box<Node>),
    And(Vec<Node>),
    /// With each whether it remembers something: that runs also if the others have decided, so that
    /// `changed(a) OR changed(b)` sees every `b`. What stands behind `AND` is for those messages alone that get there.
    Or(Vec<(Node, bool)>),
    /// A comparison, arithmetic or `||`.
    Binary(Box<Node>, Operator, Box<Node>),
    IsNull(Box<Node>),
    In(Box<Node>, Vec<Node>),
    InArray(Box<Node>, Box<Node>),
    Between(Box<Node>, Box<Node>, Box<Node>),
    Like(Box<Node>, Box<Node>),
    Case(Option<Box<Node>>, Vec<(Node, Node)>, Option<Box<Node>>),
    Call(&'static Function, Vec<Node>),
    /// A function of Python's, by its place among those that were named.
    Extern(usize, Vec<Node>),
    /// A function of what was before, by the place of its memory.
    State(usize, StateKind, Vec<Node>),
    /// A column that remembers something and is named more than once: it is run once, and its place says where what it gave
    /// is.
    Shared(usize, Box<Node>),
    /// What an aggregate gives for the group.
    Aggregate(usize),
    /// What was kept of the group's last message.
    Kept(usize),
    /// Something about the group's window or silence.
    Window(WindowField),
}

impl Node {
    /// Whether it says the same of every message of a topic.
    pub(crate) fn is_of_topic(&self) -> bool {
        match &self.kind {
            NodeKind::Constant(_) | NodeKind::Attribute(Attribute::Topic) => true,
            NodeKind::TopicLevel(level) => level.is_of_topic(),
            _ => false,
        }
    }
}

/// What is known of a window, or of a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowField {
    Start,
    End,
    LastSeen,
    SilentFor,
}

impl WindowField {
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("window_start", Self::Start),
        ("window_end", Self::End),
        ("last_seen", Self::LastSeen),
        ("silent_for", Self::SilentFor),
    ];
}
