//! The PROXY protocol, versions 1 and 2: the address of a client that a proxy connects for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest header of version 1, with its line end.
const LONGEST_LINE: usize = 107;
/// The longest header of version 2 behind its first 16 bytes: addresses and what proxies add to them.
const LONGEST_BLOCK: usize = 4096;
/// How a header of version 2 begins.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads a header and not a byte more. `None` means that the proxy speaks for itself or does not say whom
/// for, so that the connection's own address holds.
pub(crate) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    match stream.read_u8().await? {
        b'P' => read_line(stream).await,
        b'\r' => read_block(stream).await,
        _ => Err(invalid("no PROXY header")),
    }
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut line = vec![b'P'];
    // Byte by byte, because what follows belongs to somebody else.
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST_LINE {
            return Err(invalid("a PROXY header that does not end"));
        }
        line.push(stream.read_u8().await?);
    }
    let line =
        std::str::from_utf8(&line[..line.len() - 2]).map_err(|_| invalid("a PROXY header of no text"))?;
    let mut words = line.split(' ');
    let family = (words.next(), words.next());
    if let (Some("PROXY"), Some("UNKNOWN")) = family {
        return Ok(None);
    }
    let wrong = || invalid("a PROXY header that cannot be read");
    let mut word = || words.next().ok_or_else(wrong);
    let (source, target, port, target_port) = (word()?, word()?, word()?, word()?);
    if words.next().is_some() || target_port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    let port = port.parse().map_err(|_| wrong())?;
    let address: IpAddr = match family {
        (Some("PROXY"), Some("TCP4")) if target.parse::<Ipv4Addr>().is_ok() => {
            source.parse::<Ipv4Addr>().map_err(|_| wrong())?.into()
        }
        (Some("PROXY"), Some("TCP6")) if target.parse::<Ipv6Addr>().is_ok() => {
            source.parse::<Ipv6Addr>().map_err(|_| wrong())?.into()
        }
        _ => return Err(wrong()),
    };
    Ok(Some(SocketAddr::new(address, port)))
}

async fn read_block(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut head = [0u8; 15];
    stream.read_exact(&mut head).await?;
    if head[..11] != SIGNATURE[1..] {
        return Err(invalid("no PROXY header"));
    }
    let (version_and_command, family) = (head[11], head[12]);
    let length = usize::from(u16::from_be_bytes([head[13], head[14]]));
    if length > LONGEST_BLOCK {
        return Err(invalid("a PROXY header that is too long"));
    }
    let mut block = vec![0u8; length];
    stream.read_exact(&mut block).await?;
    match version_and_command {
        0x20 => return Ok(None), // LOCAL: the proxy itself, to see whether we live
        0x21 => {}
        _ => return Err(invalid("a PROXY header of an unknown version or command")),
    }
    let port = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
    match family {
        0x11 if length >= 12 => {
            let source: [u8; 4] = block[..4].try_into().map_err(|_| invalid("a PROXY header that is cut"))?;
            Ok(Some(SocketAddr::new(Ipv4Addr::from(source).into(), port(8))))
        }
        0x21 if length >= 36 => {
            let source: [u8; 16] =
                block[..16].try_into().map_err(|_| invalid("a PROXY header that is cut"))?;
            Ok(Some(SocketAddr::new(Ipv6Addr::from(source).into(), port(32))))
        }
        0x11 | 0x21 => Err(invalid("a PROXY header that is too short")),
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => Ok(None), // other transports have no address that we could name
        _ => Err(invalid("a PROXY header of an unknown family")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (io::Result<Option<SocketAddr>>, Vec<u8>) {
        let mut rest = bytes;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let result = runtime.block_on(read_header(&mut rest));
        (result, rest.to_vec())
    }

    fn block(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn headers_name_the_client_and_leave_what_follows() {
        let (address, rest) = read(b"PROXY TCP4 1.2.3.4 5.6.7.8 1000 1883\r\n\x10\x0c");
        assert_eq!(address.unwrap(), Some("1.2.3.4:1000".parse().unwrap()));
        assert_eq!(rest, b"\x10\x0c");
        let (address, _) = read(b"PROXY TCP6 ::1 ::2 1000 1883\r\n");
        assert_eq!(address.unwrap(), Some("[::1]:1000".parse().unwrap()));
        assert_eq!(read(b"PROXY UNKNOWN whatever\r\n").0.unwrap(), None);
        let v4 = block(0x21, 0x11, &[1, 2, 3, 4, 5, 6, 7, 8, 3, 232, 7, 91, 0xff]);
        assert_eq!(read(&v4).0.unwrap(), Some("1.2.3.4:1000".parse().unwrap()));
        assert_eq!(read(&block(0x20, 0, &[])).0.unwrap(), None);
    }

    #[test]
    fn everything_else_is_refused() {
        let long = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        let cases: [&[u8]; 7] = [
            b"",
            b"\x10\x0c\0\x04MQTT",
            b"PROXY TCP4 1.2.3.4\r\n",
            b"PROXY TCP4 ::1 ::2 1 2\r\n",
            b"PROXY TCP9 1.2.3.4 5.6.7.8 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 70000\r\n",
            &long,
        ];
        for case in cases {
            assert!(read(case).0.is_err(), "{case:?}");
        }
        assert!(read(&block(0x31, 0x11, &[0; 12])).0.is_err());
        assert!(read(&block(0x21, 0x11, &[0; 11])).0.is_err());
        assert!(read(&block(0x21, 0x21, &[0; 20])).0.is_err());
    }
}
