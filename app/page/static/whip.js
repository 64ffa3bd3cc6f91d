// A WebRTC session by WHIP (RFC 9725) that comes back by itself when the network or the server was gone.

import { Failure, failureOf, send, server } from "./api.js";

const GATHERING = 2000; // ms to collect addresses; those found until then are offered
const LOST_AFTER = 4000; // ms without a connection until a new one is made
const CONNECTING = 15000; // ms a new one may take
const DELAYS = [0, 500, 1000, 2000, 4000, 8000]; // ms before each try; the last repeats

/** Events: connected, lost, refused (detail: Failure), heard (detail: MediaStream), opened. */
export class WhipSession extends EventTarget {
  constructor(streamId) {
    super();
    this.streamId = streamId;
    this.tracks = { audio: null, video: null };
    this.senders = { audio: null, video: null };
    this.location = null;
    this.stopped = false;
    this.attempt = 0;
    this.timers = new Set();
  }

  get connected() {
    return this.peer?.connectionState === "connected";
  }

  async start(tracks) {
    this.tracks = { ...this.tracks, ...tracks };
    await this.connect();
  }

  /** A track comes, changes or goes. A kind that the session began without needs a new session. */
  async use(kind, track) {
    this.tracks[kind] = track;
    if (this.senders[kind]) await this.senders[kind].replaceTrack(track);
    else if (track) await this.again(0);
  }

  control(message) {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(message));
  }

  async stop() {
    this.stopped = true;
    this.clearTimers();
    await this.release(); // while the server still has the session: hanging up ends it too
    this.hangUp();
  }

  /** The page is going away: nothing can be waited for. */
  abandon() {
    this.stopped = true;
    if (this.location) fetch(this.location, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  async connect() {
    this.clearTimers();
    const peer = new RTCPeerConnection({ iceServers: await iceServers() });
    if (this.stopped) return peer.close();
    this.peer = peer;
    this.offerTracks(peer);
    peer.addEventListener("connectionstatechange", () => this.peer === peer && this.changed());
    try {
      await peer.setLocalDescription(await peer.createOffer());
      await gathered(peer);
      const answer = await this.post(peer.localDescription.sdp);
      if (this.peer !== peer || this.stopped) return this.stopped ? this.release() : undefined;
      await peer.setRemoteDescription({ type: "answer", sdp: answer });
      this.after(CONNECTING, () => peer.connectionState !== "connected" && this.again());
    } catch (error) {
      if (this.peer === peer && !this.stopped) this.failed(error);
    }
    return undefined;
  }

  offerTracks(peer) {
    this.channel = peer.createDataChannel("control");
    this.channel.addEventListener("open", () => this.dispatchEvent(new Event("opened")));
    this.senders = { audio: null, video: null };
    if (this.tracks.audio) {
      this.senders.audio = peer.addTransceiver(this.tracks.audio, { direction: "sendrecv" }).sender;
    }
    if (this.tracks.video) {
      this.senders.video = peer.addTransceiver(this.tracks.video, { direction: "sendonly" }).sender;
    }
    peer.addEventListener("track", (event) => {
      if (event.track.kind !== "audio") return;
      this.dispatchEvent(new CustomEvent("heard", { detail: new MediaStream([event.track]) }));
    });
  }

  async post(sdp) {
    await this.release();
    let response;
    try {
      response = await fetch(`/whip?stream_id=${encodeURIComponent(this.streamId)}`, {
        method: "POST",
        headers: { "Content-Type": "application/sdp" },
        body: sdp,
      });
    } catch {
      throw new Failure(0, "unreachable", "the server cannot be reached");
    }
    if (!response.ok) throw await failureOf(response);
    this.location = response.headers.get("Location");
    return response.text();
  }

  changed() {
    const state = this.peer.connectionState;
    if (state === "connected") {
      this.attempt = 0;
      this.clearTimers();
      this.dispatchEvent(new Event("connected"));
    } else if (state === "failed" || state === "closed") {
      this.dispatchEvent(new Event("lost"));
      this.again();
    } else if (state === "disconnected") {
      this.dispatchEvent(new Event("lost"));
      this.after(LOST_AFTER, () => this.peer.connectionState !== "connected" && this.again());
    }
  }

  failed(failure) {
    if (failure.status === 401) {
      server.dispatchEvent(new CustomEvent("unauthorized", { detail: () => this.again(0) }));
      return;
    }
    // A session of ours that nobody took leave of, before a reload or a lost network.
    if (failure.status === 409) this.location = `/whip/${encodeURIComponent(this.streamId)}`;
    const passing = !(failure instanceof Failure) || [0, 409, 429, 500, 503].includes(failure.status);
    if (passing) {
      this.dispatchEvent(new CustomEvent("lost", { detail: failure }));
      this.again();
      return;
    }
    this.stopped = true;
    this.hangUp();
    this.dispatchEvent(new CustomEvent("refused", { detail: failure }));
  }

  async again(delay = DELAYS[Math.min(this.attempt, DELAYS.length - 1)]) {
    this.attempt += 1;
    this.hangUp();
    this.clearTimers();
    if (!this.stopped) this.after(delay, () => this.connect());
  }

  hangUp() {
    const peer = this.peer;
    this.peer = null;
    peer?.close();
  }

  /** Let the server have its side back; if it is gone, so is that. */
  async release() {
    const location = this.location;
    this.location = null;
    if (location) await send("DELETE", location, { tries: 1 }).catch(() => {});
  }

  after(delay, run) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, delay);
    this.timers.add(timer);
  }

  clearTimers() {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }
}

async function gathered(peer) {
  if (peer.iceGatheringState === "complete") return;
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHERING);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/** The server names them in Link headers: <stun:host>; rel="ice-server"; username="…". */
async function iceServers() {
  try {
    const response = await send("OPTIONS", "/whip", { tries: 1 });
    return links(response.headers.get("Link") || "");
  } catch {
    return [];
  }
}

const LINK = /<([^>]+)>((?:\s*;\s*[\w-]+=(?:"(?:[^"\\]|\\.)*"|[^;,\s"]+))*)/g;
const PARAMETER = /([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,\s"]+))/g;

export function links(header) {
  const servers = [];
  for (const [, url, rest] of header.matchAll(LINK)) {
    const given = Object.fromEntries([...rest.matchAll(PARAMETER)]
      .map(([, name, quoted, bare]) => [name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, "$1") ?? bare]));
    if (given.rel !== "ice-server") continue;
    servers.push({
      urls: url,
      ...(given.username && { username: given.username, credential: given.credential || "" }),
    });
  }
  return servers;
}
