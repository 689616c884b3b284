// The connector's side of the stack: JSON is read and written by something that knows JSON.
//
//   connector.mjs register FILE HOST PORT   PUT the file's configuration, with the database's address and password replaced
//   connector.mjs wait FILE SECONDS         until the task runs and the initial snapshot is in the topics
//   connector.mjs state FILE                the task's state, in one word
//   connector.mjs setting FILE NAME         one setting of the file
//
// CONNECT_URL names the worker; CONNECTOR_PASSWORD takes the place of the file's; with PGSSLROOTCERT the database's link is encrypted.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const [command, file, ...args] = process.argv.slice(2);
const { name, config } = JSON.parse(readFileSync(file, "utf8"));
const commands = { register, wait, state, setting };

try {
  await commands[command](...args);
} catch (error) {
  console.error(`stack: ${error.message}`);
  process.exitCode = 1;
}

async function register(host, port) {
  // The file carries the host names of docker-compose.yml.
  const password = process.env.CONNECTOR_PASSWORD || config["database.password"];
  const authority = process.env.PGSSLROOTCERT;
  const encrypted = authority ? { "database.sslmode": "verify-full", "database.sslrootcert": authority } : {};
  const wanted = { ...config, "database.hostname": host, "database.port": port, "database.password": password, ...encrypted };
  const present = await connect("GET", "/config");
  if (sameSettings(present, { ...wanted, name })) {
    await restartIfFailed();
    return;
  }
  // PUT creates or replaces; POST would be refused the second time.
  await connect("PUT", "/config", wanted);
  console.error(`stack: connector ${name} ${present ? "updated" : "registered"}`);
  if (present) await until(10, async () => sameSettings(await taskSettings(), wanted));
}

function sameSettings(some, others) {
  return some && Object.entries(others).every(([key, value]) => some[key] === value);
}

async function taskSettings() {
  const tasks = await connect("GET", "/tasks");
  return tasks?.[0]?.config;
}

// A task that failed stays failed, even when its cause is gone.
async function restartIfFailed() {
  if ((await taskState()).state !== "FAILED") return;
  await connect("POST", "/restart?includeTasks=true&onlyFailed=true");
  await until(10, async () => (await taskState()).state !== "FAILED");
}

async function wait(seconds) {
  const ready = await until(Number(seconds), async () => {
    const { state, trace } = await taskState();
    if (state === "FAILED") throw new Error(`connector ${name} failed:\n${firstLines(trace)}`);
    return state === "RUNNING" && (await snapshotIsInTopics());
  });
  if (!ready) throw new Error(`connector ${name} is not ready after ${seconds} s (task ${(await taskState()).state})`);
}

// The REST interface answers 201 and "connector RUNNING" for a connector whose only task is dead: look at the task.
async function taskState() {
  const status = await connect("GET", "/status");
  const connectorFailed = status?.connector.state === "FAILED" && status.connector;
  return connectorFailed || status?.tasks[0] || { state: "UNASSIGNED" };
}

// Connect stores a source offset only when Kafka has acknowledged that record and all before it. While the stored one
// still belongs to the snapshot it says so; the first one of the stream (a heartbeat comes every second) does not.
async function snapshotIsInTopics() {
  const stored = await connect("GET", "/offsets");
  const offset = stored?.offsets[0]?.offset;
  return Boolean(offset) && !("snapshot" in offset && offset.last_snapshot_record !== true);
}

async function state() {
  console.log((await taskState()).state);
}

function setting(key) {
  console.log(config[key]);
}

// One request about this connector; nothing, if the worker does not know it or is just rebalancing.
async function connect(method, path, body) {
  const response = await fetch(`${process.env.CONNECT_URL}/connectors/${name}${path}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : {};
  if (method === "GET" && [404, 409, 500].includes(response.status)) return undefined;
  throw new Error(`Connect refuses ${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
}

async function until(seconds, condition) {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) return false;
    await sleep(100);
  }
  return true;
}

function firstLines(trace) {
  const lines = (trace ?? "").split("\n");
  // The frames between tell nobody anything; what caused it does.
  return lines.filter((line, i) => i < 3 || line.startsWith("Caused by")).slice(0, 8).map((line) => `  | ${line}`).join("\n");
}
