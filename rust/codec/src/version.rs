//! The protocol versions, as the Protocol Name and Protocol Level of CONNECT name them.

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Version {
    /// MQTT 3.1: protocol name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1: protocol name `MQTT`, level 4.
    #[default]
    V311,
    /// MQTT 5.0: protocol name `MQTT`, level 5.
    V5,
}

impl Version {
    /// The Protocol Name and Protocol Level of CONNECT.
    pub const fn protocol(self) -> (&'static str, u8) {
        match self {
            Self::V31 => ("MQIsdp", 3),
            Self::V311 => ("MQTT", 4),
            Self::V5 => ("MQTT", 5),
        }
    }

    /// Whether packets of this version carry properties and reason codes.
    pub const fn is_v5(self) -> bool {
        matches!(self, Self::V5)
    }

    /// The version as people write it: `3.1`, `3.1.1` or `5.0`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V31 => "3.1",
            Self::V311 => "3.1.1",
            Self::V5 => "5.0",
        }
    }
}
