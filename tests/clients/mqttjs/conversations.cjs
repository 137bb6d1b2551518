// node conversations.cjs NAME URL VERSION ROOT: MQTT.js holds one conversation with a broker. VERSION is 4 for
// MQTT 3.1.1 and 5 for 5.0, ROOT a first topic level of its own. It ends well, or with what went wrong.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const mqtt = require("mqtt");

const [name, url, versionText, root] = process.argv.slice(2);
const version = Number(versionText);
const DEADLINE = 15_000;
const clients = [];

/** The options of a client: `keep` its session, and whatever MQTT.js itself knows. */
function options(id, { keep = false, ...more } = {}) {
  const session = keep && version === 5 ? { properties: { sessionExpiryInterval: 60 } } : {};
  // With AUTHORITY, the address is one of TLS.
  const ca = process.env.AUTHORITY ? { ca: fs.readFileSync(process.env.AUTHORITY) } : {};
  return { protocolVersion: version, clientId: root + id, clean: !keep, reconnectPeriod: 0, ...session, ...ca, ...more };
}

/** A client with an inbox: `next()` gives the packets of its messages, one after the other. */
async function connect(id, more) {
  const client = mqtt.connect(url, options(id, more));
  clients.push(client);
  const arrived = [];
  const waiting = [];
  client.on("message", (topic, payload, packet) => {
    const take = waiting.shift();
    if (take) take(packet);
    else arrived.push(packet);
  });
  client.next = () =>
    arrived.length ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiting.push(resolve));
  client.arrived = arrived;
  client.connack = await new Promise((resolve, reject) => {
    client.once("connect", resolve);
    client.once("error", reject);
  });
  return client;
}

async function texts(client, count) {
  const found = [];
  while (found.length < count) found.push(String((await client.next()).payload));
  return found;
}

const numbers = (count) => Array.from({ length: count }, (_, number) => String(number));

const conversations = {
  async publish_and_subscribe() {
    const subscriber = await connect("s");
    const publisher = await connect("p");
    for (const qos of [0, 1, 2]) {
      const [granted] = await subscriber.subscribeAsync(`${root}/${qos}`, { qos });
      assert.equal(granted.qos, qos);
      await publisher.publishAsync(`${root}/${qos}`, "12", { qos: 2 });
      const got = await subscriber.next();
      assert.deepEqual([got.topic, String(got.payload), got.qos, got.retain], [`${root}/${qos}`, "12", qos, false]);
    }
  },

  async wildcards() {
    const client = await connect("s");
    await client.subscribeAsync(`${root}/+/level`);
    await client.subscribeAsync(`${root}/all/#`);
    const topics = ["7/level", "7/8/level", "8/level", "all", "all/of/it", "level"];
    for (const topic of topics) await client.publishAsync(`${root}/${topic}`, topic);
    await client.publishAsync(`${root}/all/end`, "end");
    assert.deepEqual(await texts(client, 5), ["7/level", "8/level", "all", "all/of/it", "end"]);
  },

  async unsubscribing() {
    const client = await connect("s");
    await client.subscribeAsync([`${root}/a`, `${root}/b`]);
    await client.unsubscribeAsync(`${root}/a`);
    await client.publishAsync(`${root}/a`, "a");
    await client.publishAsync(`${root}/b`, "b");
    assert.deepEqual(await texts(client, 1), ["b"]);
  },

  async a_retained_message() {
    const publisher = await connect("p");
    await publisher.publishAsync(`${root}/state`, "on", { qos: 1, retain: true });
    const subscriber = await connect("s");
    await subscriber.subscribeAsync(`${root}/#`, { qos: 1 });
    const got = await subscriber.next();
    assert.deepEqual([String(got.payload), got.qos, got.retain], ["on", 1, true]);
    await publisher.publishAsync(`${root}/state`, "", { qos: 1, retain: true });
    assert.equal((await subscriber.next()).payload.length, 0);
    const late = await connect("l");
    await late.subscribeAsync(`${root}/#`, { qos: 1 });
    await publisher.publishAsync(`${root}/later`, "later", { qos: 1 });
    assert.deepEqual(await texts(late, 1), ["later"]);
  },

  async a_will() {
    const watcher = await connect("s");
    await watcher.subscribeAsync(`${root}/will`, { qos: 1 });
    const will = { topic: `${root}/will`, payload: Buffer.from("gone"), qos: 1, retain: false };
    const polite = await connect("q", { will: { ...will, payload: Buffer.from("never said") } });
    await polite.endAsync();
    const doomed = await connect("w", { will });
    doomed.stream.destroy();
    assert.deepEqual(await texts(watcher, 1), ["gone"]);
  },

  async a_shared_subscription() {
    const members = [await connect("1"), await connect("2")];
    for (const member of members) await member.subscribeAsync(`$share/group/${root}`, { qos: 1 });
    const publisher = await connect("p");
    for (const number of numbers(20)) await publisher.publishAsync(root, number, { qos: 1 });
    // Who asks for a message waits until it comes, so the members are asked for their inboxes at last.
    const got = () => members.map((member) => member.arrived.map((packet) => String(packet.payload)));
    while (got().flat().length < 20) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(got().flat().sort(), numbers(20).sort());
    assert.ok(got().every((share) => share.length > 0));
  },

  async a_large_payload() {
    const payload = Buffer.alloc(1 << 20, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
    const client = await connect("s");
    await client.subscribeAsync(root, { qos: 2 });
    for (const qos of [0, 1, 2]) {
      await client.publishAsync(root, payload, { qos });
      assert.ok(payload.equals((await client.next()).payload));
    }
  },

  async many_messages_in_order() {
    const subscriber = await connect("s");
    const publisher = await connect("p");
    for (const qos of [1, 2]) {
      await subscriber.subscribeAsync(`${root}/${qos}`, { qos });
      const sent = numbers(1000).map((number) => publisher.publishAsync(`${root}/${qos}`, number, { qos }));
      assert.deepEqual(await texts(subscriber, 1000), numbers(1000));
      await Promise.all(sent);
    }
  },

  async a_session_with_queued_messages() {
    const first = await connect("s", { keep: true });
    assert.equal(first.connack.sessionPresent, false);
    await first.subscribeAsync(`${root}/#`, { qos: 2 });
    await first.endAsync();
    const publisher = await connect("p");
    for (const number of numbers(20)) await publisher.publishAsync(`${root}/${number}`, number, { qos: 2 });
    const again = await connect("s", { keep: true });
    assert.equal(again.connack.sessionPresent, true);
    assert.deepEqual(await texts(again, 20), numbers(20));
  },

  async coming_back_by_itself() {
    const client = await connect("s", { keep: true, reconnectPeriod: 10, resubscribe: false });
    await client.subscribeAsync(root, { qos: 1 });
    const back = new Promise((resolve) => client.once("connect", resolve));
    client.stream.destroy();
    assert.equal((await back).sessionPresent, true);
    await (await connect("p")).publishAsync(root, "still here", { qos: 1 });
    assert.deepEqual(await texts(client, 1), ["still here"]);
  },

  async a_known_user() {
    await connect("s", { username: "tank", password: "secret" });
  },

  async a_wrong_password() {
    const code = version === 5 ? 0x86 : 4;
    await assert.rejects(connect("s", { username: "tank", password: "wrong" }), { code });
  },

  async properties() {
    const given = {
      payloadFormatIndicator: true,
      contentType: "text/plain",
      responseTopic: `${root}/answer`,
      correlationData: Buffer.from([0, 255]),
      userProperties: { b: ["1", "3"], a: "2" },
    };
    const client = await connect("s");
    await client.subscribeAsync(root, { qos: 1, properties: { subscriptionIdentifier: 300 } });
    await client.publishAsync(root, "hello", { qos: 1, properties: { ...given, messageExpiryInterval: 100 } });
    const { messageExpiryInterval, subscriptionIdentifier, ...got } = (await client.next()).properties;
    assert.deepEqual({ ...got, userProperties: { ...got.userProperties } }, given);
    assert.equal(subscriptionIdentifier, 300);
    assert.ok([99, 100].includes(messageExpiryInterval));
  },

  async request_and_response() {
    const [asks, answers] = [await connect("q"), await connect("a")];
    await asks.subscribeAsync(`${root}/answer`, { qos: 1 });
    await answers.subscribeAsync(`${root}/ask`, { qos: 1 });
    const correlationData = Buffer.from("7");
    await asks.publishAsync(`${root}/ask`, "1+1", { properties: { responseTopic: `${root}/answer`, correlationData } });
    const { properties } = await answers.next();
    await answers.publishAsync(properties.responseTopic, "2", {
      properties: { correlationData: properties.correlationData },
    });
    const answer = await asks.next();
    assert.deepEqual([String(answer.payload), String(answer.properties.correlationData)], ["2", "7"]);
  },
};

async function main() {
  const late = setTimeout(() => {
    console.error(`${name} has not ended within ${DEADLINE} ms`);
    process.exit(1);
  }, DEADLINE);
  await conversations[name]();
  clearTimeout(late);
  for (const client of clients) await client.endAsync(true);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
