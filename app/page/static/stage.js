// The picture and its switches: what the camera shows, and what is on.

import { el, fill, store } from "./dom.js";
import { eye, icon } from "./icons.js";
import { screenSupported } from "./media.js";

const STATES = {
  off: "Asleep",
  connecting: "Connecting",
  listening: "Listening",
  hearing: "Hearing you",
  thinking: "Thinking",
  speaking: "Speaking",
  lost: "Reconnecting",
};

/** `on` has start, afresh, stop, camera, screen, microphone, voice, hush, push(held), device(kind, id). */
export class Stage {
  constructor(on, caption) {
    this.on = on;
    this.pushed = false; // whether the server answers only while a button is held
    this.video = el("video", { muted: true, autoplay: true, playsinline: true, "aria-label": "What Lookback sees" });
    this.video.muted = true;
    this.sound = el("audio", { autoplay: true });
    this.word = el("span", { class: "state-word" });
    this.state = el("p", { class: "state", role: "status" }, el("i", { "aria-hidden": "true" }), this.word);
    this.startButton = el("button", { class: "primary large", type: "button", onclick: on.start }, icon("live"), "Start watching");
    this.again = el("p", { class: "resting-note", hidden: true });
    this.resting = el("div", { class: "resting" },
      eye(),
      el("p", { class: "resting-title" }, "I watch and listen, so you can ask later."),
      el("p", {}, "Start, show me things, talk as you would. Then ask where the keys went."),
      this.startButton,
      this.again,
      el("p", { class: "resting-note" }, "Nothing is recorded before you start, and nothing leaves this server."));
    this.dark = el("p", { class: "dark-note", hidden: true }, "No picture: listening only");
    this.hush = el("button", { class: "hush", type: "button", hidden: true, title: "Or press Escape", onclick: on.hush },
      icon("stop"), "Hush");
    this.frame = el("div", { class: "picture" }, this.video, this.dark, caption, this.resting, this.state, this.hush);
    this.camera = this.toggle("camera", "Camera");
    this.screen = this.toggle("screen", "Screen");
    this.screen.hidden = !screenSupported();
    this.microphone = this.toggle("microphone", "Microphone");
    this.voice = this.toggle("voice", "Voice");
    this.push = this.pushButton();
    this.stopButton = el("button", { class: "stop", type: "button", hidden: true, onclick: on.stop }, icon("stop"), "Stop recording");
    this.pickers = { camera: this.picker("camera", "Camera"), microphone: this.picker("microphone", "Microphone") };
    this.node = el("section", { class: "stage", "aria-label": "Camera and microphone" },
      this.frame,
      el("div", { class: "controls", role: "group", "aria-label": "Switches" },
        this.camera, this.screen, this.microphone, this.voice, this.devices(), this.push, this.stopButton),
      this.sound);
    this.show("off");
  }

  toggle(name, label) {
    return el("button", { class: "toggle", type: "button", "aria-pressed": "false", onclick: () => this.on[name]() },
      icon(name), el("span", {}, label));
  }

  /** Held with the pointer, or with Space or Enter while it has the focus; T anywhere else. */
  pushButton() {
    const button = el("button", { class: "plain push", type: "button", hidden: true, title: "Or hold T" }, "Hold to talk");
    const held = (is) => {
      if (button.classList.contains("held") === is) return;
      button.classList.toggle("held", is);
      this.on.push(is);
    };
    this.held = held;
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      held(true);
    });
    for (const kind of ["pointerup", "pointercancel", "blur"]) button.addEventListener(kind, () => held(false));
    button.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && held(true));
    button.addEventListener("keyup", (event) => [" ", "Enter"].includes(event.key) && held(false));
    return button;
  }

  /** Which camera and microphone: unfolds over the page, and closes when it is left. */
  devices() {
    const details = el("details", { class: "devices" },
      el("summary", { class: "toggle" }, icon("devices"), el("span", {}, "Devices")),
      el("div", { class: "pickers card" }, this.pickers.camera.node, this.pickers.microphone.node));
    document.addEventListener("pointerdown", (event) => !details.contains(event.target) && (details.open = false));
    details.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !details.open) return;
      event.stopPropagation(); // here it does not silence the answer
      details.open = false;
      details.querySelector("summary").focus();
    });
    return details;
  }

  picker(kind, label) {
    const select = el("select", { id: `pick-${kind}`, onchange: () => {
      store(`device.${kind}`, select.value);
      this.on.device(kind, select.value);
    } });
    return { select, node: el("div", { class: "field" }, el("label", { for: `pick-${kind}` }, label), select) };
  }

  list(devices) {
    for (const [kind, { select }] of Object.entries(this.pickers)) {
      const chosen = select.value || store(`device.${kind}`);
      const found = devices[kind];
      fill(select, found.length
        ? found.map((one) => el("option", { value: one.id }, one.label))
        : el("option", { value: "" }, `No ${kind} found`));
      select.disabled = !found.length;
      if (found.some((one) => one.id === chosen)) select.value = chosen;
    }
  }

  deviceId(kind) {
    return this.pickers[kind].select.value || store(`device.${kind}`) || "";
  }

  /** The state in one word, and for those who do not see it, spoken. */
  show(state) {
    if (this.word.textContent === STATES[state]) return;
    this.node.dataset.state = state;
    this.word.textContent = STATES[state] || state;
    document.querySelector("#lookback")?.setAttribute("data-state", state);
    this.hush.hidden = state !== "speaking";
  }

  /** What the next session goes on with; null for nothing. */
  goesOn(name) {
    this.again.hidden = !name;
    fill(this.again, `Goes on with ${name} and all it remembers. `,
      el("button", { class: "link", type: "button", onclick: this.on.afresh }, "Start afresh"));
  }

  /** Whether a session is on, and which of its sources. */
  live(is, { camera = false, screen = false, microphone = false } = {}) {
    this.resting.hidden = is;
    this.stopButton.hidden = !is;
    this.push.hidden = !is || !microphone || !this.pushed;
    this.dark.hidden = !is || camera || screen;
    this.video.hidden = !is || !(camera || screen);
    this.video.classList.toggle("mirrored", camera && !screen);
    for (const [name, on] of Object.entries({ camera, screen, microphone })) this.press(name, on);
    this.microphone.disabled = !is;
    this.screen.disabled = !is;
    this.camera.disabled = !is;
  }

  press(name, on) {
    this[name].setAttribute("aria-pressed", String(on));
  }

  watch(track) {
    this.video.srcObject = track ? new MediaStream([track]) : null;
    if (track) this.video.play().catch(() => {});
  }
}
