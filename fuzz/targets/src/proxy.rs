//! PROXY headers: what a proxy says about a client, before anything else comes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

// The server keeps it to itself.
#[path = "../../../rust/server/src/proxy.rs"]
mod header;

/// The longest headers that are read, of either version.
const LONGEST: usize = 16 + 4096;

/// All of it is what a connection begins with.
pub fn run(data: &[u8]) {
    let (address, taken) = read(data);
    assert!(taken <= LONGEST, "{taken} bytes were read");
    let Ok(address) = address else { return };
    let header = &data[..taken];
    // Not a byte more is read than the header has, whatever follows; and every one of them is needed.
    assert_eq!(read(header).0.ok(), Some(address));
    assert_eq!(read(&[header, b"\x10\x0c\0\x04MQTT"].concat()).1, taken);
    assert!(read(&header[..taken - 1]).0.is_err());
    if let Some(address) = address {
        for other in [line(address), block(address)] {
            let (again, length) = read(&other);
            assert_eq!((again.ok(), length), (Some(Some(address)), other.len()), "{other:?}");
        }
    }
}

/// What was read, and how many bytes it took.
fn read(data: &[u8]) -> (io::Result<Option<SocketAddr>>, usize) {
    let mut rest = data;
    let result = at_once(header::read_header(&mut rest));
    (result, data.len() - rest.len())
}

/// The result of a future that has nothing to wait for: memory is always ready.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("memory is always ready"),
    }
}

/// The header of version 1 that says this address.
fn line(address: SocketAddr) -> Vec<u8> {
    let family = if address.is_ipv4() { "TCP4" } else { "TCP6" };
    let ip = address.ip();
    format!("PROXY {family} {ip} {ip} {} 1883\r\n", address.port()).into_bytes()
}

/// The header of version 2 that says this address.
fn block(address: SocketAddr) -> Vec<u8> {
    let (family, ip) = match address.ip() {
        IpAddr::V4(ip) => (0x11, ip.octets().to_vec()),
        IpAddr::V6(ip) => (0x21, ip.octets().to_vec()),
    };
    let body = [&ip[..], &ip, &address.port().to_be_bytes(), &1883u16.to_be_bytes()].concat();
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    bytes.push(family);
    bytes.extend((body.len() as u16).to_be_bytes());
    bytes.extend(body);
    bytes
}
