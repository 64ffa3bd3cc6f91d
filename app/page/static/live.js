// The Live tab: a session with the agent, and what comes back from it.

import { el, plural, store } from "./dom.js";
import { get, sentence, server, told } from "./api.js";
import { notice, settle } from "./notices.js";
import { heldLive, holdLive, inScope, mine, newLiveId, scope, streamName, timeOf } from "./session.js";
import { follow } from "./follow.js";
import { Conversation } from "./conversation.js";
import { Strip } from "./evidence.js";
import { Stage } from "./stage.js";
import { Transcript } from "./transcript.js";
import { UNSUPPORTED, alreadyAllowed, supported } from "./media.js";
import { Sources } from "./sources.js";
import { WhipSession } from "./whip.js";
import { light } from "./light.js";
import { forgotten } from "./forget.js";

const RESUME_WITHIN = 10 * 60 * 1000; // ms after which a reloaded page no longer goes on by itself
const RESUME = "resume";
const ENDED_BY_PAGE = "ended by the sender";
const TROUBLE = "trouble";
const CAUGHT_UP = 3600; // seconds of a stream's end that are shown of what was before
const RECALLED = 40; // questions and answers of it

export class LiveTab {
  constructor() {
    this.session = null;
    this.streamId = null;
    this.voiceOn = store("voice") !== "off";
    this.transcript = new Transcript();
    this.stage = new Stage({
      start: () => this.start({ streamId: this.last?.stream_id }),
      afresh: () => this.start(),
      stop: () => {
        settle("call");
        this.stop();
      },
      camera: () => this.sources.switch("camera"),
      screen: () => this.sources.switch("screen"),
      microphone: () => this.sources.switch("microphone"),
      voice: () => this.switchVoice(),
      hush: () => this.session?.control({ stop: true }),
      push: (held) => this.session?.control({ push: held }),
      device: (kind) => this.sources.change(kind),
    }, this.transcript.caption);
    this.sources = new Sources(this.stage, {
      changed: () => this.shown(),
      use: (kind, track) => this.session?.use(kind, track),
    });
    this.stage.live(false);
    this.stage.press("voice", this.voiceOn);
    this.strip = new Strip("Timeline of this session", { empty: "Pictures gather here while Lookback watches." });
    this.lag = el("p", { class: "quiet-text lag" });
    this.talk = new Conversation({
      label: "Conversation",
      stream: () => this.askable(),
      empty: "Ask aloud or in writing. Every answer shows what it rests on.",
      examples: ["What did I show you last?", "What was said about tomorrow?", "Where did I leave my keys?"],
    });
    this.node = el("div", { class: "live" },
      el("div", { class: "live-left" },
        this.stage.node,
        el("section", { class: "card live-strip", "aria-labelledby": "strip-title" },
          el("div", { class: "row between" }, el("h2", { id: "strip-title" }, "Timeline"), this.lag),
          this.strip.node),
        this.transcript.node),
      el("div", { class: "live-right" }, this.talk.node));
    this.listen();
  }

  listen() {
    server.addEventListener("back", () => this.catchUp());
    forgotten.addEventListener("forgotten", async () => {
      if (!this.session) await this.lastStream();
      this.redraw();
    });
    scope.addEventListener("change", () => !this.session && this.lastStream());
    this.lastStream();
    if (!supported()) {
      this.stage.startButton.disabled = true;
      notice("unsupported", UNSUPPORTED);
      return;
    }
    this.sources.list();
    navigator.mediaDevices.addEventListener("devicechange", () => this.sources.comeBack());
    document.addEventListener("keydown", (event) => this.key(event, true));
    document.addEventListener("keyup", (event) => this.key(event, false));
    window.addEventListener("pagehide", () => this.session?.abandon());
    this.resume();
    this.askMode();
  }

  /** Holding to talk means something only where the server waits for it. */
  async askMode() {
    try {
      const { settings } = await get("/v1/settings");
      this.stage.pushed = settings.some((one) => one.name === "answer_mode" && one.value === "push");
      this.shown();
    } catch (failure) {
      told("streams", failure);
    }
  }

  /** T is held to talk, unless something is being written. */
  key(event, down) {
    if (!this.session || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && down) this.session.control({ stop: true });
    const talks = event.key?.toLowerCase() === "t" && this.stage.pushed && !event.repeat;
    if (talks && !event.target.closest("input, textarea, select, dialog")) this.stage.held(down);
  }

  /** What a typed question is about; one that is typed at once waits to know what there is. */
  async askable() {
    await this.looked;
    if (this.streamId) return { streamId: this.streamId };
    if (scope.everything) return {};
    const rest = this.others ? ", or see “Show everyone’s”" : "";
    return { problem: `There is nothing to look back on yet: start watching, or drop a recording in Recordings${rest}.` };
  }

  /** Before a session: the newest one stays to be asked about, and our own is what goes on. */
  lastStream() {
    this.looked = this.findLast();
    return this.looked;
  }

  async findLast() {
    try {
      const { streams } = await get("/v1/streams");
      const live = streams.filter((one) => one.source === "webrtc").reverse();
      this.others = streams.length > inScope(streams).length;
      this.last = live.find((one) => mine(one.stream_id)) ?? null;
      this.stage.goesOn(this.last && streamName(this.last.stream_id));
      if (this.session) return;
      const [latest] = [...(scope.everything ? live : [this.last].filter(Boolean)), ...inScope(streams)];
      this.reached = latest?.seconds ?? 0;
      if ((latest?.stream_id ?? null) === this.streamId) return;
      this.streamId = latest?.stream_id ?? null;
      this.talk.clear();
      this.redraw();
    } catch (failure) {
      told("streams", failure);
    }
  }

  /** A stream that is known goes on, unless another tab of ours is at it. */
  async start({ streamId = null, wanted = { camera: true, microphone: true } } = {}) {
    this.stage.startButton.disabled = true;
    const some = await this.sources.open(wanted);
    await this.looked;
    const known = streamId && !(await heldLive(streamId)) ? streamId : null;
    this.stage.startButton.disabled = false;
    if (!some) return;
    this.begin(known ?? newLiveId());
    if (this.reached) this.catchUp();
    await this.session.start({ video: this.sources.video, audio: this.sources.audio });
  }

  begin(streamId) {
    this.streamId = streamId;
    this.reached = this.last?.stream_id === streamId ? this.last.seconds : 0;
    this.lost = 0; // seconds of sound
    this.state = null; // what the server says it is doing
    this.talk.clear();
    this.transcript.clear();
    this.strip.clear();
    this.release = holdLive(streamId);
    this.session = new WhipSession(streamId);
    this.hear(this.session);
    this.stage.show("connecting");
    this.shown();
    this.unfollow = follow(streamId, (kind, body) => this.onEvent(kind, body), () => this.catchUp());
  }

  hear(session) {
    const current = (run) => (event) => this.session === session && run(event);
    session.addEventListener("connected", current(() => {
      settle("call", "Live again, with the same memory.");
      this.talk.broken();
      if (this.state) this.stage.show(this.state);
    }));
    session.addEventListener("lost", current((event) => {
      this.stage.show("lost");
      this.transcript.partial("");
      const failure = event.detail;
      const full = failure?.status === 507 || failure?.status === 503;
      notice("call", full ? sentence(failure) : "The live connection broke; it is being made again.", { tone: "wait" });
    }));
    session.addEventListener("refused", current((event) => {
      notice("call", sentence(event.detail));
      this.stop();
    }));
    session.addEventListener("opened", current(() => session.control({ voice: this.voiceOn })));
    session.addEventListener("heard", current((event) => {
      this.stage.sound.srcObject = event.detail;
      this.stage.sound.muted = !this.voiceOn;
      this.stage.sound.play().catch(() => notice("sound", "The browser holds the voice back.",
        { action: { text: "Let it speak", run: () => this.stage.sound.play() } }));
    }));
  }

  async stop() {
    const session = this.session;
    this.session = null;
    this.unfollow?.();
    this.release?.();
    this.sources.releaseAll();
    this.stage.sound.srcObject = null;
    this.transcript.partial("");
    this.shown();
    this.stage.show("off");
    sessionStorage.removeItem(RESUME);
    await session?.stop();
    this.lastStream();
  }

  switchVoice() {
    this.voiceOn = !this.voiceOn;
    store("voice", this.voiceOn ? "on" : "off");
    this.stage.press("voice", this.voiceOn);
    this.stage.sound.muted = !this.voiceOn;
    this.session?.control({ voice: this.voiceOn });
  }

  /** What is on, on the page and for the reload that may come. */
  shown() {
    const live = Boolean(this.session);
    const { on, video, audio } = this.sources;
    this.stage.watch(video);
    this.stage.live(live, on);
    light(live && (on.camera || on.screen || on.microphone), live);
    if (live) {
      sessionStorage.setItem(RESUME, JSON.stringify({ streamId: this.streamId, at: Date.now(),
        wanted: { camera: on.camera, microphone: Boolean(audio) } }));
    }
  }

  /** A page that was reloaded while it was live goes on with the same stream. */
  async resume() {
    const had = JSON.parse(sessionStorage.getItem(RESUME) || "null");
    sessionStorage.removeItem(RESUME);
    if (!had || (await heldLive(had.streamId))) return; // a tab made from this one has what it had
    const name = streamName(had.streamId);
    if (Date.now() - had.at < RESUME_WITHIN && (await alreadyAllowed())) {
      notice(RESUME, `The page was reloaded; going on with ${name}.`, { tone: "good" });
      await this.start(had);
    } else {
      notice(RESUME, `The page was reloaded while it was live.`,
        { action: { text: `Go on with ${name}`, run: () => this.start(had) } });
    }
  }

  onEvent(kind, body) {
    if (kind === "observation") this.transcript.observe(body);
    else if (kind === "partial") this.transcript.partial(body.text);
    else if (kind === "moment") {
      settle(TROUBLE, "That works again.");
      this.strip.add(body, { follow: true });
      this.talk.recall(talkOf(body.observations));
    }
    else if (kind === "progress") this.progress(body);
    else if (kind === "received") this.lost = body.lost_audio;
    else if (kind === "state" && body.state !== "failed") this.isNow(body.state);
    else if (kind === "state") this.trouble(body.message || "Something failed");
    else if (kind === "missed") this.catchUp();
    else if (kind === "ended") this.sessionEnded(body);
    this.talk.onEvent(kind, body);
  }

  /** What the server does is shown while we are connected to it. */
  isNow(state) {
    this.state = state;
    if (this.session?.connected) this.stage.show(state);
  }

  progress({ stream_time: time, lag, dropped }) {
    this.reached = time;
    this.transcript.reached(time);
    this.lag.textContent = howFar(timeOf(this.streamId, time), { lag, dropped, lost: this.lost });
  }

  /** A part failed while the session goes on; the next moment remembered says that it is over. */
  trouble(message) {
    if (!this.talk.failed(`That did not work: ${message}.`)) {
      notice(TROUBLE, `It goes on watching, but ${message}.`, { tone: "wait" });
    }
  }

  /** The server ended it. If neither we nor another page of ours asked for that, it is begun again. */
  sessionEnded({ reason }) {
    const { session } = this;
    if (!session?.location) return;
    session.location = null;
    if (reason === ENDED_BY_PAGE) {
      notice("call", "This session went on in another tab.");
      this.stop();
    } else if (!this.sources.any) {
      notice("call", "Nothing was on for a while, so the session ended.");
      this.stop();
    } else {
      session.again();
    }
  }

  redraw() {
    this.strip.clear();
    this.transcript.clear();
    this.lag.textContent = "";
    return this.catchUp();
  }

  /** What happened while nobody told us. */
  async catchUp() {
    if (!this.streamId) return;
    try {
      const { streamId } = this;
      const start = Math.max(0, this.reached - CAUGHT_UP);
      const { moments } = await get(`/v1/streams/${encodeURIComponent(streamId)}/timeline?start=${start}`);
      if (this.streamId !== streamId) return;
      for (const moment of moments) this.strip.add(moment);
      const seen = inOrder(moments.flatMap((one) => one.observations));
      for (const one of seen) this.transcript.add(one);
      this.talk.recall(talkOf(seen).slice(-RECALLED));
      this.strip.toEnd();
    } catch (failure) {
      if (failure.code === "stream_not_found" && !this.session) this.streamId = null;
      else if (failure.code !== "stream_not_found") told("streams", failure);
    }
  }
}

/** A typed question and its answer are of one second: statement, question, answer. */
const inOrder = (seen) => [...seen].sort((a, b) => a.start - b.start || b.role.localeCompare(a.role));

const talkOf = (seen) => inOrder(seen).filter((one) => one.role === "question" || one.role === "answer");

/** How far perception is, and what it had to let go. */
export function howFar(time, { lag, dropped, lost }) {
  return [time, lag >= 1 && `${lag.toFixed(1)} s behind`, dropped > 0 && `${plural(dropped, "frame")} skipped`,
    lost >= 0.1 && `${lost.toFixed(1)} s of sound lost`].filter(Boolean).join(", ");
}
