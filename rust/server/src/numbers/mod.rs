//! Numbers over time: what the broker did in the last seconds, hours and day, how long messages took, and the same as
//! text for Prometheus.

mod latency;
mod metrics;
mod process;
mod series;

pub use latency::Latency;
pub use metrics::Metrics;
pub(crate) use process::resident_bytes;
pub(crate) use series::Reading;
pub use series::{NAMES, RATES, Series, Span};
