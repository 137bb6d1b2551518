//! Bodies of requests: read whole, as memory and time allow.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use hashbrown::HashMap;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::http::Response;

/// The largest, in bytes.
const MAX_BODY: usize = 16 << 20;

const TOO_LARGE: &str = "the request's body is larger than 16 MiB or was cut off\n";

/// How long one may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// So much of a body is read whatever other bodies there are: connections are bounded, and most bodies are smaller.
const SMALL: usize = 16 << 10;

/// Bytes of bodies at one time beyond that, in all and from one address.
const MOST: usize = 256 << 20;
const MOST_OF_ONE: usize = 64 << 20;

/// What bodies take at this moment, by the address they come from. Counted is what has come, not what was announced: to
/// announce costs nothing.
static TAKEN: Mutex<Option<HashMap<IpAddr, usize>>> = Mutex::new(None);

/// What one body takes of it.
struct Share {
    address: IpAddr,
    bytes: usize,
}

impl Share {
    /// Takes so much that these bytes are in it. `false` if there is no room.
    fn grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(SMALL).saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let mut taken = TAKEN.lock();
        let taken = taken.get_or_insert_default();
        let of_one = taken.get(&self.address).copied().unwrap_or(0);
        if of_one + more > MOST_OF_ONE || taken.values().sum::<usize>() + more > MOST {
            return false;
        }
        taken.insert(self.address, of_one + more);
        self.bytes += more;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut taken = TAKEN.lock();
        let Some(taken) = taken.as_mut() else { return };
        if let Some(of_one) = taken.get_mut(&self.address) {
            *of_one -= self.bytes;
            if *of_one == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// Reads a body.
pub(crate) async fn read(mut body: Body, address: IpAddr) -> Result<Bytes, Response> {
    let too_large = || Response::text(413, TOO_LARGE);
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    let mut share = Share { address: address.to_canonical(), bytes: 0 };
    let whole = async {
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err(too_large()) };
            let Ok(data) = frame.into_data() else { continue }; // trailers
            if read.len() + data.len() > MAX_BODY {
                return Err(too_large());
            }
            if !share.grow(read.len() + data.len()) {
                let text = "too many requests with large bodies come at this moment; try again later\n";
                return Err(Response::text(503, text));
            }
            read.extend_from_slice(&data);
        }
        Ok(read.freeze())
    };
    let late = || Response::text(408, "the request's body did not come in time\n");
    timeout(BODY_TIMEOUT, whole).await.unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_no_more_than_its_part_and_gives_it_back() {
        let [one, other] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        let of = |address| Share { address, bytes: 0 };
        let mut shares: Vec<_> = (0..4).map(|_| of(one)).collect();
        assert!(shares.iter_mut().all(|share| share.grow(MOST_OF_ONE / 4 + SMALL)));
        let mut more = of(one);
        assert!(more.grow(SMALL) && !more.grow(SMALL + 1), "small ones have room");
        assert!(of(other).grow(MAX_BODY), "and so have those of others");
        drop(shares);
        assert!(more.grow(MAX_BODY));
    }
}
