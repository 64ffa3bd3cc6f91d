// The Recordings tab: files in, progress while they are watched, questions about them, and the original.

import { clock, duration, el, fill } from "./dom.js";
import { get, told } from "./api.js";
import { settle } from "./notices.js";
import { icon } from "./icons.js";
import { inScope, offerOthers, recordingId, scope, streamName } from "./session.js";
import { Conversation } from "./conversation.js";
import { Strip } from "./evidence.js";
import { forgetting, forgotten } from "./forget.js";
import { originals } from "./originals.js";
import { Upload, underWay } from "./upload.js";

const MISSED = 5; // seconds of a file that may be missing at its end though it was watched whole

export class RecordingsTab {
  constructor({ show }) {
    this.entries = new Map(); // stream id → {streamId, seconds, upload, node, talk, …}
    this.chosen = null;
    this.input = el("input", { type: "file", multiple: true, accept: "video/*,audio/*,.mkv", class: "unseen", id: "files",
      onchange: () => {
        this.take([...this.input.files]);
        this.input.value = "";
      } });
    this.drop = el("label", { class: "drop", for: "files" },
      icon("film"),
      el("strong", {}, "Drop recordings here, or choose files"),
      el("span", {}, "Video or sound, in any common format. They are watched on this server, and nowhere else."));
    this.list = el("ul", { class: "recordings", "aria-label": "Recordings" });
    this.others = el("div", {});
    this.talkPlace = el("div", { class: "recording-talk" });
    this.strip = new Strip("Moments of this recording", { empty: "Moments gather here while it is watched." });
    this.video = el("video", { controls: true, playsinline: true, preload: "metadata", "aria-label": "The original recording" });
    this.playerNote = el("p", { class: "quiet-text" });
    this.title = el("h2", { id: "recording-title", tabindex: "-1" });
    this.detail = el("div", { class: "recording", hidden: true },
      this.title,
      el("div", { class: "recording-parts" },
        el("section", { class: "recording-left", "aria-labelledby": "recording-title" },
          el("div", { class: "card player" }, this.video, this.playerNote),
          el("section", { class: "card", "aria-label": "Moments" }, this.strip.node)),
        this.talkPlace));
    this.node = el("div", { class: "recordings-tab" },
      el("section", { class: "card shelf", "aria-label": "Your recordings" }, this.drop, this.input, this.list, this.others),
      this.detail);
    this.show = show;
    originals.playedBy((streamId, seconds) => this.play(streamId, seconds));
    this.acceptDrops();
    scope.addEventListener("change", () => this.refresh());
    forgotten.addEventListener("forgotten", ({ detail }) => {
      if (detail.stream_id && detail.start === undefined) this.remove(detail.stream_id);
      this.refresh();
    });
    this.goOn();
  }

  /** What was under way when the page was reloaded. */
  goOn() {
    for (const [streamId, state] of Object.entries(underWay())) {
      const entry = this.entry(streamId, null);
      if (state === "watching") this.upload(entry);
      else this.drawFailed(entry, "The page was reloaded while this was being sent; drop the file again.");
    }
  }

  acceptDrops() {
    const over = (is) => this.drop.classList.toggle("over", is);
    this.node.addEventListener("dragover", (event) => {
      event.preventDefault();
      over(true);
    });
    this.node.addEventListener("dragleave", (event) => !this.node.contains(event.relatedTarget) && over(false));
    this.node.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      this.take([...event.dataTransfer.files]);
    });
  }

  /** Called whenever the tab comes to the front. */
  async refresh() {
    try {
      const { streams } = await get("/v1/streams");
      settle("streams");
      const kept = inScope(streams).filter((one) => one.source !== "webrtc");
      const known = new Set(kept.map((one) => one.stream_id));
      for (const [id, entry] of this.entries) {
        if (!known.has(id) && !entry.upload && !entry.problem) this.remove(id);
      }
      for (const stream of kept.reverse()) this.entry(stream.stream_id, stream.seconds);
      const others = streams.filter((one) => one.source !== "webrtc").length - kept.length;
      fill(this.others, !this.entries.size && others > 0 && offerOthers(others));
    } catch (failure) {
      told("streams", failure);
    }
  }

  take(files) {
    for (const file of files) {
      const streamId = recordingId(file);
      originals.keep(streamId, file);
      const entry = this.entry(streamId, null);
      this.choose(streamId);
      this.watchOnce(entry, file);
    }
  }

  /** One that is remembered to its end is only played. */
  async watchOnce(entry, file) {
    if (entry.upload) return;
    if (entry.seconds && !entry.problem) {
      const lasts = await originals.lasts(entry.streamId);
      if (entry.upload || lasts === null || lasts <= entry.seconds + MISSED) return;
    }
    this.upload(entry, file);
  }

  upload(entry, file = null) {
    entry.problem = null;
    entry.upload = new Upload(entry.streamId, {
      changed: (state) => this.drawProgress(entry, state),
      moment: (moment) => this.chosen === entry.streamId && this.strip.add(moment, { follow: true }),
      answered: (answer) => entry.talk.answered(answer),
      done: (replay) => {
        entry.upload = null;
        entry.seconds = replay.stream_time;
        entry.bar = null;
        this.drawEntry(entry);
        if (this.chosen === entry.streamId) this.fillStrip(entry.streamId);
      },
      failed: (text) => {
        entry.upload = null;
        this.drawFailed(entry, text);
        this.refresh();
      },
    });
    entry.upload.start(file);
  }

  entry(streamId, seconds) {
    let entry = this.entries.get(streamId);
    if (!entry) {
      entry = { streamId, seconds, upload: null, problem: null, node: el("li", {}), talk: this.talkOf(streamId) };
      this.entries.set(streamId, entry);
      this.list.prepend(entry.node);
      this.drawEntry(entry);
    } else if (!entry.upload && seconds && entry.seconds !== seconds) {
      entry.seconds = seconds;
      this.drawEntry(entry);
    }
    return entry;
  }

  talkOf(streamId) {
    const talk = new Conversation({
      label: "Questions about this recording",
      stream: () => ({ streamId }),
      empty: "Ask what was said, shown or written in it. Every answer takes you to the second it rests on.",
      examples: ["What was it about?", "What was written on the screen?", "Who said what, and when?"],
    });
    talk.timed = false; // a recording is watched faster than anybody asks
    return talk;
  }

  remove(streamId) {
    this.entries.get(streamId)?.node.remove();
    this.entries.delete(streamId);
    if (this.chosen === streamId) {
      this.chosen = null;
      this.detail.hidden = true;
    }
  }

  drawEntry(entry) {
    const name = streamName(entry.streamId);
    fill(entry.node,
      el("button", { class: "recording-row", type: "button", "aria-pressed": String(this.chosen === entry.streamId),
        onclick: () => this.choose(entry.streamId) },
      icon("film"), el("span", { class: "recording-name", dir: "auto" }, name),
      entry.seconds ? el("span", { class: "quiet-text" }, clock(entry.seconds)) : null),
      entry.upload ? el("button", { class: "bare", type: "button", "aria-label": `Stop watching ${name}`, title: "Stop",
        onclick: () => entry.upload?.stop().catch((failure) => told("stop", failure)) }, icon("stop"))
      : el("button", { class: "bare", type: "button", "aria-label": `Forget ${name}`,
        onclick: () => (entry.seconds ? forgetting({ stream_id: entry.streamId }, `all of ${name}`)
          : this.remove(entry.streamId)) }, icon("bin")),
      entry.problem && el("p", { class: "problem", role: "alert" }, entry.problem));
  }

  drawProgress(entry, { label, share, eta }) {
    if (!entry.bar) {
      this.drawEntry(entry);
      entry.bar = el("progress", { max: 1, "aria-label": `Progress of ${streamName(entry.streamId)}` });
      entry.word = el("span", { class: "quiet-text" });
    }
    if (!entry.bar.isConnected) entry.node.append(el("div", { class: "progress" }, entry.bar, entry.word));
    if (share === null) entry.bar.removeAttribute("value");
    else entry.bar.value = share;
    entry.word.textContent = eta === null || eta === undefined ? label : `${label}, ${duration(eta)} left`;
  }

  drawFailed(entry, text) {
    entry.bar = null;
    entry.problem = text;
    this.drawEntry(entry);
  }

  choose(streamId) {
    this.showOriginal(streamId);
    if (this.chosen === streamId) return;
    this.chosen = streamId;
    for (const entry of this.entries.values()) {
      entry.node.querySelector(".recording-row")?.setAttribute("aria-pressed", String(entry.streamId === streamId));
    }
    this.detail.hidden = false;
    this.title.textContent = streamName(streamId);
    fill(this.talkPlace, this.entries.get(streamId).talk.node);
    this.strip.clear();
    this.fillStrip(streamId);
  }

  /** Plays it, if this page was given the file: perhaps since it was chosen. */
  showOriginal(streamId) {
    const url = originals.url(streamId);
    this.video.hidden = !url;
    if (!url) this.video.removeAttribute("src");
    else if (this.video.src !== url) this.video.src = url;
    this.playerNote.textContent = url
      ? "The original plays from your own file. Lookback keeps what it understood and a few pictures, not the recording."
      : "The recording itself is not kept on the server. Drop the same file again to play it here.";
  }

  async fillStrip(streamId) {
    if (!this.entries.get(streamId)?.seconds) return; // Nothing is remembered of it yet.
    try {
      const { moments } = await get(`/v1/streams/${encodeURIComponent(streamId)}/timeline`);
      if (this.chosen !== streamId) return;
      for (const moment of moments) this.strip.add(moment);
    } catch (failure) {
      if (failure.status !== 404) told("streams", failure);
    }
  }

  play(streamId, seconds) {
    this.show();
    this.entry(streamId, null);
    this.choose(streamId);
    const begin = () => {
      this.video.currentTime = seconds;
      this.video.play().catch(() => {});
    };
    if (this.video.readyState >= 1) begin();
    else this.video.addEventListener("loadedmetadata", begin, { once: true });
    this.video.scrollIntoView({ block: "nearest" });
    this.video.focus();
  }
}
