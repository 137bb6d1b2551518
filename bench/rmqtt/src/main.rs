//! A broker of rmqtt with its defaults: `bench-rmqtt PORT tcp|websocket`.

use rmqtt::Result;
use rmqtt::context::ServerContext;
use rmqtt::net::Builder;
use rmqtt::server::MqttServer;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let builder =
        Builder::new().name("bench").laddr(format!("127.0.0.1:{}", arguments[1]).parse()?).bind()?;
    let listener = if arguments[2] == "websocket" { builder.ws()? } else { builder.tcp()? };
    MqttServer::new(ServerContext::new().build().await).listener(listener).build().run().await
}
