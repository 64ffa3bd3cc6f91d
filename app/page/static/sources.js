// The camera, screen and microphone of a session: opened, switched, lost, and found again.

import { notice, settle } from "./notices.js";
import { devices, openCamera, openMicrophone, openScreen, refusal } from "./media.js";

const KINDS = ["camera", "microphone", "screen"];
const WITHOUT = {
  camera: "Lookback listens only.",
  microphone: "Lookback watches only; you can type your questions.",
};

export class Sources {
  /** `changed()` when something went on or off; `use(kind, track)` gives the session its new track. */
  constructor(stage, { changed, use }) {
    Object.assign(this, { stage, changed, use });
    this.tracks = { camera: null, screen: null, microphone: null };
    this.missed = new Set(); // gone by themselves, and taken up again when they are back
  }

  get video() {
    return this.tracks.screen || this.tracks.camera;
  }

  get audio() {
    return this.tracks.microphone;
  }

  get any() {
    return KINDS.some((kind) => this.tracks[kind]);
  }

  /** What is really being recorded of each. */
  get on() {
    const { camera, screen, microphone } = this.tracks;
    return { camera: Boolean(camera), screen: Boolean(screen), microphone: Boolean(microphone?.enabled) };
  }

  async list() {
    this.stage.list(await devices());
  }

  /** Opens camera and microphone; what cannot be had is said, and the rest is used. */
  async open(wanted) {
    KINDS.forEach((kind) => settle(kind));
    await Promise.all(["camera", "microphone"].filter((kind) => wanted[kind]).map(async (kind) => {
      try {
        this.hold(kind, await this.opened(kind));
      } catch (error) {
        notice(kind, `${refusal(error, kind)} ${WITHOUT[kind]}`);
      }
    }));
    if (!this.any) {
      settle("microphone");
      notice("camera", "Neither camera nor microphone could be used: allow them beside the address bar, then start again.");
    }
    await this.list();
    return this.any;
  }

  opened(kind) {
    if (kind === "screen") return openScreen();
    return kind === "camera" ? openCamera(this.stage.deviceId(kind)) : openMicrophone(this.stage.deviceId(kind));
  }

  /** A track of ours. Should it end by itself, the device is gone. */
  hold(kind, track) {
    this.tracks[kind] = track;
    this.missed.delete(kind);
    track.addEventListener("ended", () => {
      if (this.tracks[kind] !== track) return;
      this.tracks[kind] = null;
      if (kind !== "screen") {
        this.missed.add(kind);
        notice(kind, `The ${kind} is gone; plug it in again and it goes on.`);
      }
      this.pass(kind);
      this.changed();
    });
  }

  pass(kind) {
    return kind === "microphone" ? this.use("audio", this.audio) : this.use("video", this.video);
  }

  /** The devices changed: what had gone may be back. */
  async comeBack() {
    await this.list();
    for (const kind of [...this.missed]) {
      try {
        this.hold(kind, await this.opened(kind));
      } catch {
        continue; // The notice still says what is missing.
      }
      settle(kind, `The ${kind} is back.`);
      await this.pass(kind);
      this.changed();
    }
  }

  /** A microphone is muted, so that it is at once back; a camera is let go, and its light goes out. */
  async switch(kind) {
    settle(kind);
    if (kind === "microphone" && this.audio) this.audio.enabled = !this.audio.enabled;
    else if (this.tracks[kind]) this.release(kind);
    else await this.take(kind);
    this.changed();
  }

  async take(kind) {
    try {
      this.hold(kind, await this.opened(kind));
      await this.pass(kind);
    } catch (error) {
      notice(kind, refusal(error, kind), { stays: kind !== "screen" });
    }
  }

  /** Another camera or microphone was picked. */
  async change(kind) {
    if (!this.tracks[kind]) return;
    this.drop(kind);
    await this.take(kind);
    this.changed();
  }

  drop(kind) {
    const track = this.tracks[kind];
    this.tracks[kind] = null;
    this.missed.delete(kind);
    track?.stop();
  }

  release(kind) {
    this.drop(kind);
    this.pass(kind);
  }

  releaseAll() {
    KINDS.forEach((kind) => this.drop(kind));
  }
}
