//! `conversations NAME HOST PORT VERSION ROOT`: rumqttc holds one conversation with a broker. VERSION is 3.1.1 or
//! 5.0, ROOT a first topic level of its own, HOST may be the path of a Unix socket. It ends well, or with what
//! went wrong.

mod conversations;
mod peer;

use std::time::Duration;

use conversations::Scene;
use peer::{Broker, Outcome};

const DEADLINE: Duration = Duration::from_secs(15);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, host, port, version, root] = arguments.as_slice() else {
        return Err("conversations NAME HOST PORT VERSION ROOT".into());
    };
    let is_5 = match version.as_str() {
        "3.1.1" => false,
        "5.0" => true,
        _ => return Err(format!("there is no version {version}").into()),
    };
    let broker = Broker { host: host.clone(), port: port.parse()?, is_5 };
    tokio::time::timeout(DEADLINE, Scene { broker, root: root.clone() }.play(name)).await?
}
