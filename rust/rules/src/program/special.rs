//! Functions that are more than a value of their arguments: about the message, what was before, or many messages.

/// One of them, for the documentation.
#[derive(Debug)]
pub struct Special {
    /// Its name.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// What it is about: the heading in the documentation.
    pub group: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it gives, in one or two sentences.
    pub what: &'static str,
    /// Expressions, on which payloads they are run one after the other (each a JSON text, one second apart), and what they
    /// give, as a JSON array; of aggregates the result for all of them. Each is a test.
    pub examples: &'static [(&'static str, &'static [&'static str], &'static str)],
}

/// What an aggregate gathers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AggregateKind {
    Count,
    CountDistinct,
    Sum,
    Average,
    Min,
    Max,
    First,
    Last,
    Deviation,
    DeviationOfAll,
    Variance,
    Spread,
    Collect,
}

impl AggregateKind {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "count" => Self::Count,
            "count_distinct" => Self::CountDistinct,
            "sum" => Self::Sum,
            "avg" | "average" | "mean" => Self::Average,
            "min" => Self::Min,
            "max" => Self::Max,
            "first" | "first_value" => Self::First,
            "last" | "last_value" => Self::Last,
            "stddev" | "stddev_samp" => Self::Deviation,
            "stddev_pop" => Self::DeviationOfAll,
            "variance" | "var" | "var_samp" => Self::Variance,
            "spread" => Self::Spread,
            "collect" => Self::Collect,
            _ => return None,
        })
    }
}

const MESSAGE: &str = "The message";
const STATE: &str = "What was before";
const AGGREGATES: &str = "Aggregates";

/// The topic of the examples.
const NO_PAYLOAD: &[&str] = &["0"];

/// Every one, in the order of the documentation. Examples run on messages of client `c1`, user `ann`, QoS 1, with the topic
/// `sensors/roof/temp`.
pub const SPECIAL: &[Special] = &[
    Special {
        name: "topic",
        aliases: &["topic_level"],
        group: MESSAGE,
        usage: "topic(), topic(n), topic_level(n)",
        what: "The topic, or one level of it: 1 is the first, -1 the last, and what is not there is `null`.",
        examples: &[
            ("topic()", NO_PAYLOAD, r#"["sensors/roof/temp"]"#),
            ("topic_level(2)", NO_PAYLOAD, r#"["roof"]"#),
            ("topic(-1)", NO_PAYLOAD, r#"["temp"]"#),
            ("topic(9)", NO_PAYLOAD, "[null]"),
        ],
    },
    Special {
        name: "payload",
        aliases: &[],
        group: MESSAGE,
        usage: "payload(), payload('path')",
        what: "The payload as a text, or the field at a path in it: `payload('a.b[0]')` is `payload.a.b[0]`.",
        examples: &[
            ("payload('a.b[0]')", &[r#"{"a": {"b": [7]}}"#], "[7]"),
            ("payload()", &["ON"], r#"["ON"]"#),
        ],
    },
    Special {
        name: "clientid",
        aliases: &["client_id"],
        group: MESSAGE,
        usage: "clientid()",
        what: "Who published it, or which client it is about; the same as the field `clientid`.",
        examples: &[("clientid()", NO_PAYLOAD, r#"["c1"]"#), ("clientid", NO_PAYLOAD, r#"["c1"]"#)],
    },
    Special {
        name: "username",
        aliases: &["principal"],
        group: MESSAGE,
        usage: "username()",
        what: "The user name of that client; the same as the field `username`.",
        examples: &[("username()", NO_PAYLOAD, r#"["ann"]"#), ("principal()", NO_PAYLOAD, r#"["ann"]"#)],
    },
    Special {
        name: "qos",
        aliases: &[],
        group: MESSAGE,
        usage: "qos()",
        what: "The QoS of the message; the same as the field `qos`.",
        examples: &[("qos()", NO_PAYLOAD, "[1]"), ("qos = 1", NO_PAYLOAD, "[true]")],
    },
    Special {
        name: "clientip",
        aliases: &["peerhost", "sourceip"],
        group: MESSAGE,
        usage: "clientip()",
        what: "From where that client is connected; the same as the field `peerhost`.",
        examples: &[
            ("clientip()", NO_PAYLOAD, r#"["192.0.2.7"]"#),
            ("peerhost", NO_PAYLOAD, r#"["192.0.2.7"]"#),
        ],
    },
    Special {
        name: "changed",
        aliases: &[],
        group: STATE,
        usage: "changed(x, by = any)",
        what: "Whether the value is another than at the last change of this group; with `by`, whether it is away from it by as much. The first is a change.",
        examples: &[
            ("changed(payload)", &["1", "1", "2", "2"], "[true, false, true, false]"),
            ("changed(payload, 5)", &["10", "12", "16", "20"], "[true, false, true, false]"),
        ],
    },
    Special {
        name: "previous",
        aliases: &["lag"],
        group: STATE,
        usage: "previous(x)",
        what: "The value that the last message of this group had; `null` for the first.",
        examples: &[
            ("previous(payload)", &["1", "2", "3"], r#"[null, "1", "2"]"#),
            ("previous(payload.v)", &[r#"{"v": 1}"#, "{}", r#"{"v": 2}"#], "[null, null, 1]"),
        ],
    },
    Special {
        name: "delta",
        aliases: &[],
        group: STATE,
        usage: "delta(x)",
        what: "By how much the number differs from the one before; `null` for the first.",
        examples: &[
            ("delta(payload)", &["10", "12.5", "12"], "[null, 2.5, -0.5]"),
            ("delta(payload.v)", &[r#"{"v": 1}"#, "{}", r#"{"v": 4}"#], "[null, null, 3]"),
        ],
    },
    Special {
        name: "rate",
        aliases: &[],
        group: STATE,
        usage: "rate(x)",
        what: "By how much the number changes in a second, since the message before; `null` for the first.",
        examples: &[
            ("rate(payload)", &["10", "12", "11"], "[null, 2, -1]"),
            ("round(rate(payload) * 3600)", &["0", "2"], "[null, 7200]"),
        ],
    },
    Special {
        name: "became",
        aliases: &[],
        group: STATE,
        usage: "became(condition)",
        what: "Whether the condition is true now and was not at the last message of this group: an alarm that comes once.",
        examples: &[
            ("became(payload > 30)", &["29", "31", "32", "29", "31"], "[false, true, false, false, true]"),
            ("became(payload = 'ON')", &["ON", "ON", "OFF", "ON"], "[true, false, false, true]"),
        ],
    },
    Special {
        name: "hysteresis",
        aliases: &[],
        group: STATE,
        usage: "hysteresis(x, on, off)",
        what: "True from when the number reaches `on` until it reaches `off`, so that what varies about a limit does not switch all the time. With `on` below `off` it switches on downwards.",
        examples: &[
            (
                "hysteresis(payload, 30, 28)",
                &["29", "30", "29", "28", "29"],
                "[false, true, true, false, false]",
            ),
            ("hysteresis(payload, 2, 4)", &["3", "2", "3", "4"], "[false, true, true, false]"),
        ],
    },
    Special {
        name: "lasting",
        aliases: &[],
        group: STATE,
        usage: "lasting(condition, '30s')",
        what: "Whether the condition has been true at every message of this group for as long.",
        examples: &[
            (
                "lasting(payload > 30, '2s')",
                &["31", "32", "33", "29", "31"],
                "[false, false, true, false, false]",
            ),
            ("became(lasting(payload > 30, '1s'))", &["31", "32", "33"], "[false, true, false]"),
        ],
    },
    Special {
        name: "smooth",
        aliases: &[],
        group: STATE,
        usage: "smooth(x, weight)",
        what: "The number without its noise: exponential smoothing, to which each new one contributes with this weight (0 to 1).",
        examples: &[
            ("smooth(payload, 0.5)", &["10", "20", "20"], "[10, 15, 17.5]"),
            ("smooth(payload, 1)", &["10", "20"], "[10, 20]"),
        ],
    },
    Special {
        name: "count",
        aliases: &[],
        group: AGGREGATES,
        usage: "count(*), count(x), count(DISTINCT x)",
        what: "How many messages there were in the window, how many with a value, or how many different values (at most 10,000 are told apart).",
        examples: &[
            ("count(*)", &[r#"{"v": 1}"#, r#"{"v": 1}"#, "{}"], "3"),
            ("count(payload.v)", &[r#"{"v": 1}"#, r#"{"v": 1}"#, "{}"], "2"),
            ("count(DISTINCT payload.v)", &[r#"{"v": 1}"#, r#"{"v": 1}"#, r#"{"v": 2}"#], "2"),
        ],
    },
    Special {
        name: "count_distinct",
        aliases: &[],
        group: AGGREGATES,
        usage: "count_distinct(x)",
        what: "The same as `count(DISTINCT x)`.",
        examples: &[
            ("count_distinct(payload)", &["1", "2", "1"], "2"),
            ("count_distinct(clientid)", &["1", "2"], "1"),
        ],
    },
    Special {
        name: "sum",
        aliases: &[],
        group: AGGREGATES,
        usage: "sum(x)",
        what: "The sum of the numbers in the window; `null` if there were none.",
        examples: &[("sum(payload)", &["1", "2", "3.5"], "6.5"), ("sum(payload.v)", &["{}"], "null")],
    },
    Special {
        name: "avg",
        aliases: &["average", "mean"],
        group: AGGREGATES,
        usage: "avg(x)",
        what: "The mean of the numbers in the window; `null` if there were none.",
        examples: &[("avg(payload)", &["20", "21", "25"], "22"), ("avg(payload.v)", &["{}"], "null")],
    },
    Special {
        name: "min",
        aliases: &[],
        group: AGGREGATES,
        usage: "min(x)",
        what: "The least value in the window. Of several values of one message it is `least(…)`.",
        examples: &[("min(payload)", &["20", "19", "25"], "19"), ("min(payload.v)", &["{}"], "null")],
    },
    Special {
        name: "max",
        aliases: &[],
        group: AGGREGATES,
        usage: "max(x)",
        what: "The greatest value in the window. Of several values of one message it is `greatest(…)`.",
        examples: &[
            ("max(payload)", &["20", "19", "25"], "25"),
            ("max(payload) - min(payload)", &["3", "9"], "6"),
        ],
    },
    Special {
        name: "first",
        aliases: &["first_value"],
        group: AGGREGATES,
        usage: "first(x)",
        what: "The value of the first message in the window that has one. (Of an array it is `nth(1, array)`.)",
        examples: &[
            ("first(payload)", &["20", "19"], "\"20\""),
            ("first(payload.v)", &["{}", r#"{"v": 2}"#], "2"),
        ],
    },
    Special {
        name: "last",
        aliases: &["last_value"],
        group: AGGREGATES,
        usage: "last(x)",
        what: "The value of the last message in the window that has one. (Of an array it is `nth(-1, array)`.)",
        examples: &[
            ("last(payload)", &["20", "19"], "\"19\""),
            ("last(payload.v)", &[r#"{"v": 2}"#, "{}"], "2"),
        ],
    },
    Special {
        name: "stddev",
        aliases: &["stddev_samp"],
        group: AGGREGATES,
        usage: "stddev(x)",
        what: "The standard deviation of the numbers in the window as a sample; `null` for fewer than two.",
        examples: &[("stddev(payload)", &["2", "4", "6"], "2"), ("stddev(payload)", &["2"], "null")],
    },
    Special {
        name: "stddev_pop",
        aliases: &[],
        group: AGGREGATES,
        usage: "stddev_pop(x)",
        what: "The standard deviation of the numbers in the window as all there are.",
        examples: &[("stddev_pop(payload)", &["2", "6"], "2"), ("stddev_pop(payload)", &["2"], "0")],
    },
    Special {
        name: "variance",
        aliases: &["var", "var_samp"],
        group: AGGREGATES,
        usage: "variance(x)",
        what: "The variance of the numbers in the window as a sample; `null` for fewer than two.",
        examples: &[("variance(payload)", &["2", "4", "6"], "4"), ("variance(payload)", &["2"], "null")],
    },
    Special {
        name: "spread",
        aliases: &[],
        group: AGGREGATES,
        usage: "spread(x)",
        what: "The greatest number in the window less the least.",
        examples: &[("spread(payload)", &["20", "19", "25"], "6"), ("spread(payload)", &["20"], "0")],
    },
    Special {
        name: "collect",
        aliases: &[],
        group: AGGREGATES,
        usage: "collect(x)",
        what: "The values in the window as an array, at most the last 1,000.",
        examples: &[
            ("collect(payload.v)", &[r#"{"v": 1}"#, "{}", r#"{"v": 3}"#], "[1, 3]"),
            ("collect(payload.v)", &["{}"], "[]"),
        ],
    },
];
