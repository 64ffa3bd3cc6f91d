// One recording on its way: uploaded, waiting, watched. It says how far it is until it is done, also
// to the page after a reload.

import { Failure, get, send, sentence } from "./api.js";
import { follow } from "./follow.js";

const LOOK_EVERY = 1000; // ms
const UNDER_WAY = "lookback.recordings"; // {stream id: "sending" or "watching"}, until it is done

/** What this tab had under way before it was reloaded. */
export function underWay() {
  return JSON.parse(sessionStorage.getItem(UNDER_WAY) || "{}");
}

function note(streamId, state) {
  const all = underWay();
  if (state) all[streamId] = state;
  else delete all[streamId];
  sessionStorage.setItem(UNDER_WAY, JSON.stringify(all));
}

export class Upload {
  /** `on`: changed({label, share, eta}), moment, answered, done(replay), failed(sentence). */
  constructor(streamId, on) {
    Object.assign(this, { streamId, on });
    this.answered = new Set(); // seconds of the questions that the page was told the answers of
    this.path = `/v1/streams/${encodeURIComponent(streamId)}/replay`;
  }

  /** Without a file it is on the server already. */
  async start(file = null) {
    const unfollow = follow(this.streamId, (kind, body) => this.heard(kind, body));
    try {
      if (file) {
        note(this.streamId, "sending");
        await this.sendFile(file);
      }
      note(this.streamId, "watching");
      const replay = await this.watched();
      replay.answers.forEach((answer) => this.answer(answer));
      this.on.done(replay);
    } catch (failure) {
      this.on.failed(sentence(failure));
    } finally {
      note(this.streamId, null);
      unfollow();
    }
  }

  /** What was watched so far stays. */
  async stop() {
    if (this.request) this.request.abort();
    else await send("DELETE", this.path);
  }

  heard(kind, body) {
    if (kind === "moment") this.on.moment(body);
    if (kind === "answer" && body.trigger !== "asked") this.answer(body);
  }

  answer(body) {
    const at = body.utterance?.start;
    if (this.answered.has(at)) return;
    this.answered.add(at);
    this.on.answered(body);
  }

  /** Fetch tells nothing of what is on its way; this older request does. */
  sendFile(file) {
    const form = new FormData();
    form.append("wall_start", new Date(file.lastModified || Date.now()).toISOString());
    form.append("file", file, file.name);
    const request = this.request = new XMLHttpRequest();
    const began = Date.now();
    this.on.changed({ label: "Sending", share: 0, eta: null });
    request.upload.addEventListener("progress", (event) => {
      const share = event.lengthComputable ? event.loaded / event.total : null;
      const eta = share > 0.02 ? ((Date.now() - began) / 1000) * (1 / share - 1) : null;
      this.on.changed({ label: "Sending", share, eta });
    });
    return new Promise((resolve, reject) => {
      request.addEventListener("load", () => (request.status === 202 || request.status === 409
        ? resolve() : reject(failureOf(request))));
      request.addEventListener("loadend", () => { this.request = null; });
      request.addEventListener("abort", () => reject(new Failure(500, "stopped", "sending was stopped")));
      request.addEventListener("error", () => reject(
        new Failure(0, "unreachable", "the recording could not be sent")));
      request.open("POST", this.path);
      request.send(form);
    });
  }

  async watched() {
    for (;;) {
      let replay;
      try {
        replay = await get(this.path);
      } catch (failure) {
        if (failure.status !== 404) throw failure;
        throw new Failure(500, "lost", "the server was restarted meanwhile: what was watched is kept; "
          + "drop the file again for the rest");
      }
      if (replay.state === "done" || replay.state === "stopped") return replay;
      if (replay.state === "failed") throw new Failure(500, replay.error.code, replay.error.message);
      const share = replay.state === "running" && replay.seconds ? replay.stream_time / replay.seconds : null;
      this.on.changed({ label: replay.state === "waiting" ? "Waiting its turn" : "Watching", share, eta: replay.eta });
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
  }
}

function failureOf(request) {
  let error = { code: "error", message: `the server answered ${request.status}` };
  try {
    error = JSON.parse(request.responseText).error;
  } catch {
    // What is no JSON keeps the plain words above.
  }
  return new Failure(request.status, error.code, error.message);
}
