//! Reason codes: value, name and text in one table.

macro_rules! reason_codes {
    ($($value:literal $name:ident $text:literal;)*) => {
        /// A reason code of MQTT 5.0. Values from 0x80 say that something failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum ReasonCode {
            $(#[doc = $text] $name = $value,)*
        }

        impl ReasonCode {
            /// Every reason code, in the order of its value.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code with this value, if the specification has one.
            pub const fn from_value(value: u8) -> Option<Self> {
                match value {
                    $($value => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The specification's name for it.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

reason_codes! {
    0x00 Success "Success";
    0x01 GrantedQoS1 "Granted QoS 1";
    0x02 GrantedQoS2 "Granted QoS 2";
    0x04 DisconnectWithWill "Disconnect with Will Message";
    0x10 NoMatchingSubscribers "No matching subscribers";
    0x11 NoSubscriptionExisted "No subscription existed";
    0x18 ContinueAuthentication "Continue authentication";
    0x19 ReAuthenticate "Re-authenticate";
    0x80 UnspecifiedError "Unspecified error";
    0x81 MalformedPacket "Malformed Packet";
    0x82 ProtocolError "Protocol Error";
    0x83 ImplementationSpecificError "Implementation specific error";
    0x84 UnsupportedProtocolVersion "Unsupported Protocol Version";
    0x85 ClientIdentifierNotValid "Client Identifier not valid";
    0x86 BadUserNameOrPassword "Bad User Name or Password";
    0x87 NotAuthorized "Not authorized";
    0x88 ServerUnavailable "Server unavailable";
    0x89 ServerBusy "Server busy";
    0x8a Banned "Banned";
    0x8b ServerShuttingDown "Server shutting down";
    0x8c BadAuthenticationMethod "Bad authentication method";
    0x8d KeepAliveTimeout "Keep Alive timeout";
    0x8e SessionTakenOver "Session taken over";
    0x8f TopicFilterInvalid "Topic Filter invalid";
    0x90 TopicNameInvalid "Topic Name invalid";
    0x91 PacketIdentifierInUse "Packet Identifier in use";
    0x92 PacketIdentifierNotFound "Packet Identifier not found";
    0x93 ReceiveMaximumExceeded "Receive Maximum exceeded";
    0x94 TopicAliasInvalid "Topic Alias invalid";
    0x95 PacketTooLarge "Packet too large";
    0x96 MessageRateTooHigh "Message rate too high";
    0x97 QuotaExceeded "Quota exceeded";
    0x98 AdministrativeAction "Administrative action";
    0x99 PayloadFormatInvalid "Payload format invalid";
    0x9a RetainNotSupported "Retain not supported";
    0x9b QoSNotSupported "QoS not supported";
    0x9c UseAnotherServer "Use another server";
    0x9d ServerMoved "Server moved";
    0x9e SharedSubscriptionsNotSupported "Shared Subscriptions not supported";
    0x9f ConnectionRateExceeded "Connection rate exceeded";
    0xa0 MaximumConnectTime "Maximum connect time";
    0xa1 SubscriptionIdentifiersNotSupported "Subscription Identifiers not supported";
    0xa2 WildcardSubscriptionsNotSupported "Wildcard Subscriptions not supported";
}

impl ReasonCode {
    /// The byte on the wire.
    pub const fn value(self) -> u8 {
        self as u8
    }

    /// Whether the code says that something failed.
    pub const fn is_error(self) -> bool {
        self.value() >= 0x80
    }

    /// The CONNACK return code by which 3.1 and 3.1.1 say the same, 3 ("server unavailable") where
    /// they have no word of their own.
    pub const fn connect_return_code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::UnsupportedProtocolVersion => 1,
            Self::ClientIdentifierNotValid => 2,
            Self::BadUserNameOrPassword => 4,
            Self::NotAuthorized | Self::Banned | Self::BadAuthenticationMethod => 5,
            _ => 3,
        }
    }

    /// The reverse of [`Self::connect_return_code`], for reading a 3.x CONNACK.
    pub const fn from_connect_return_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Success),
            1 => Some(Self::UnsupportedProtocolVersion),
            2 => Some(Self::ClientIdentifierNotValid),
            3 => Some(Self::ServerUnavailable),
            4 => Some(Self::BadUserNameOrPassword),
            5 => Some(Self::NotAuthorized),
            _ => None,
        }
    }
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (0x{:02x})", self.text(), self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::ReasonCode;

    #[test]
    fn every_value_reads_back() {
        for code in ReasonCode::ALL {
            assert_eq!(ReasonCode::from_value(code.value()), Some(*code));
        }
        assert_eq!(ReasonCode::from_value(0x03), None);
        assert_eq!(ReasonCode::from_value(0xff), None);
    }

    #[test]
    fn return_codes_of_3_x_read_back() {
        for code in 0..=5 {
            let reason = ReasonCode::from_connect_return_code(code).unwrap();
            assert_eq!(reason.connect_return_code(), code);
        }
    }
}
