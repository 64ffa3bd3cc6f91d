// Requests to the server. A failure is a sentence, and what passes by itself is waited for.

import { notice, settle } from "./notices.js";

/** "back": the server answers again after it did not. "unauthorized": it wants its token. */
export const server = new EventTarget();

const PROBE_EVERY = 2000; // ms between looks whether the server is back
const TRIES = 4;
const OUTAGE = "outage";
const STARTING = "deployment";
let probing = false;

export class Failure extends Error {
  constructor(status, code, message, retryAfter = 0) {
    super(message);
    Object.assign(this, { status, code, retryAfter });
  }
}

export function sentence(failure) {
  if (!(failure instanceof Failure)) return `Something unforeseen happened: ${failure.message}.`;
  const said = {
    0: "The server cannot be reached; it is tried again every few seconds.",
    401: "This server wants its token.",
    413: "That is larger than this server takes.",
    429: "Lookback has more questions than it can hold; try again in a moment.",
    503: "A part of Lookback is restarting; what it remembered is safe.",
    507: "The disk is full: nothing new is remembered until there is room, and what was remembered stays.",
  }[failure.status];
  return said || capital(failure.message);
}

/** A failure as a notice. What passes by itself has one of its own, which goes when it is over. */
export function told(key, failure, options) {
  if (failure.status === 0) outage();
  else if (failure.status === 503) notice(STARTING, sentence(failure), { tone: "wait" });
  else notice(key, sentence(failure), options);
}

function capital(text) {
  const cut = text.length > 300 ? `${text.slice(0, 300)} …` : text;
  const first = /^\S+\.\w+:/.test(cut) ? cut.charAt(0) : cut.charAt(0).toUpperCase(); // a file keeps its name
  return first + cut.slice(1) + (/[.!?…]$/.test(cut) ? "" : ".");
}

export async function failureOf(response) {
  const again = Number(response.headers.get("Retry-After")) || 0;
  let error = {};
  try {
    error = (await response.json()).error || {};
  } catch {
    error = { code: "error", message: `the server answered ${response.status}` };
  }
  return new Failure(response.status, error.code, error.message || "", again);
}

/** The response, once it is a good one. Reading, and what a restarting part refused, is tried again. */
export async function send(method, path, { json, signal, tries = TRIES } = {}) {
  const options = { method, signal, headers: {}, credentials: "same-origin" };
  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers["Content-Type"] = "application/json";
  }
  for (let attempt = 1; ; attempt += 1) {
    const failure = await attemptOnce(path, options);
    if (!(failure instanceof Failure)) return failure;
    const passing = failure.status === 503 || (failure.status === 0 && method === "GET");
    if (failure.status === 401) await signedIn(failure, attempt);
    else if (passing && attempt < tries) await waited(failure, attempt, signal);
    else throw failure;
  }
}

export async function get(path, options) {
  return (await send("GET", path, options)).json();
}

export async function post(path, json, options) {
  return (await send("POST", path, { json, ...options })).json();
}

async function attemptOnce(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    outage();
    return new Failure(0, "unreachable", "the server cannot be reached");
  }
  if (response.ok) {
    settle(STARTING, "Everything answers again.");
    return response;
  }
  return failureOf(response);
}

async function signedIn(failure, attempt) {
  if (attempt > 1) throw failure;
  await new Promise((resolve) =>
    server.dispatchEvent(new CustomEvent("unauthorized", { detail: resolve })));
}

async function waited(failure, attempt, signal) {
  const seconds = failure.retryAfter || 2 ** (attempt - 1);
  if (failure.status === 503) {
    notice(STARTING, `A part of Lookback is restarting; trying again in ${seconds} s.`, { tone: "wait" });
  }
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  signal?.throwIfAborted();
}

/** The server is gone: say so, and look for it until it is back. */
export function outage() {
  if (probing) return;
  probing = true;
  notice(OUTAGE, sentence(new Failure(0)), { tone: "wait" });
  const probe = async () => {
    try {
      const response = await fetch("/healthz", { cache: "no-store" });
      if (!response.ok) {
        notice(OUTAGE, "The server is back and loading its models; one moment.", { tone: "wait" });
        throw new Failure(response.status);
      }
      probing = false;
      settle(OUTAGE, "Connected again; nothing that was remembered is lost.");
      server.dispatchEvent(new Event("back"));
    } catch {
      setTimeout(probe, PROBE_EVERY);
    }
  };
  setTimeout(probe, PROBE_EVERY);
}

/** The parts that do not answer right now. */
export async function unwell() {
  try {
    const { deployments = {} } = await (await fetch("/healthz", { cache: "no-store" })).json();
    return Object.keys(deployments).filter((name) => !deployments[name]);
  } catch {
    return ["the server"];
  }
}

/** Server-sent events of a POST: calls `on(kind, body)` for each. Rejects when the stream breaks. */
export async function events(path, json, on, signal) {
  const response = await send("POST", path, { json, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      outage();
      throw new Failure(0, "unreachable", "the connection broke");
    }
    if (part.done) return;
    held += part.value.replaceAll("\r\n", "\n");
    const blocks = held.split("\n\n");
    held = blocks.pop();
    for (const block of blocks) dispatch(block, on);
  }
}

function dispatch(block, on) {
  let kind = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) kind = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  if (data.length) on(kind, JSON.parse(data.join("\n")));
}
