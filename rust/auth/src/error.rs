//! Why a password hash or SCRAM credentials were refused.

/// A password hash or SCRAM credentials that cannot be read or made. The text is the end of a sentence that
/// begins with what was read, and never quotes it: it goes to logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// It begins like nothing that is known here.
    #[error("begins with none of {0}")]
    Unknown(&'static str),
    /// It begins well, but does not follow its format.
    #[error("is malformed: {0}")]
    Malformed(&'static str),
    /// It could be checked, but one check would take too long or too much memory.
    #[error("costs too much: {0}")]
    TooCostly(&'static str),
    /// It offers too little protection to be taken.
    #[error("is too weak: {0}")]
    TooWeak(&'static str),
    /// There is no hash for this password.
    #[error("cannot be made: {0}")]
    Password(&'static str),
}

/// Reads the decimal number of a hash: digits only, no leading zero, so that one hash has one text.
pub(crate) fn number(text: &str) -> Result<u32, HashError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    match text.parse() {
        Ok(number) if plain => Ok(number),
        Err(error) if plain && *error.kind() == std::num::IntErrorKind::PosOverflow => Ok(u32::MAX),
        _ => Err(HashError::Malformed("a number is not one")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number("0"), Ok(0));
        assert_eq!(number("4096"), Ok(4096));
        assert_eq!(number("99999999999999999999"), Ok(u32::MAX));
        for text in ["", "+1", "-1", "01", "00", " 1", "1 ", "0x1", "1_0", "١"] {
            assert!(number(text).is_err(), "{text}");
        }
    }
}
