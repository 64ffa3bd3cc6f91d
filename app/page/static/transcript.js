// What is heard and seen, as it happens: the words being said, what is in view, and the lines before.

import { clock, el, fill, followEnd, insertByTime } from "./dom.js";
import { icon, KINDS } from "./icons.js";

const LINES = 150;
const IN_VIEW = 12; // seconds after which what was seen is no longer "now"

const said = (seen) => (seen.speaker ? `${seen.speaker}: ` : "") + seen.text.replaceAll("\n", " / ");

export class Transcript {
  constructor() {
    this.view = el("ul", { class: "chips", "aria-label": "In view now" });
    this.lines = el("ol", { class: "lines", tabindex: "0", hidden: true });
    this.empty = el("p", { class: "quiet-text" }, "What is said and seen will be written here.");
    this.saying = el("p", { class: "saying", hidden: true, dir: "auto" });
    this.seenAt = 0;
    this.known = new Set(); // lines that are there: what was missed is read again
    this.node = el("section", { class: "card heard", "aria-labelledby": "heard-title" },
      el("h2", { id: "heard-title" }, "Heard and seen"),
      this.view,
      el("div", { class: "lines-frame", role: "log", "aria-label": "Heard and seen", "aria-live": "off" },
        this.empty, this.lines),
      this.saying);
    /** Where the words being said are shown over the picture. */
    this.caption = el("p", { class: "caption", "aria-hidden": "true", hidden: true, dir: "auto" });
  }

  clear() {
    this.lines.replaceChildren();
    this.known.clear();
    fill(this.view);
    this.none(true);
    this.partial("");
  }

  /** A list of nothing is no place for the keyboard to stop at. */
  none(is) {
    this.empty.hidden = !is;
    this.lines.hidden = is;
  }

  partial(text) {
    for (const place of [this.saying, this.caption]) {
      place.hidden = !text;
      place.textContent = text ? `${text} …` : "";
    }
  }

  observe(seen) {
    if (seen.kind === "speech" && seen.role !== "answer") this.partial("");
    if (seen.kind === "vision") this.inView(seen);
    this.add(seen);
  }

  add(seen) {
    const key = `${seen.kind} ${seen.start} ${seen.text}`;
    if (this.known.has(key)) return;
    this.known.add(key);
    this.none(false);
    followEnd(this.lines, () => {
      insertByTime(this.lines, el("li", { class: seen.role === "statement" ? null : `${seen.role}-line` },
        el("span", { class: "around-time" }, clock(seen.start)),
        el("span", { class: "around-kind" }, icon(seen.kind),
          el("span", { class: "unseen" }, `${KINDS[seen.kind] || ""}: `)),
        el("span", { class: "around-text", dir: "auto" }, said(seen))), seen.start);
      if (this.lines.childElementCount > LINES) this.lines.firstElementChild.remove();
    });
  }

  inView(seen) {
    this.seenAt = seen.end;
    const labels = seen.text.split(/, (?![^(]*\))/).slice(0, 6);
    fill(this.view, labels.map((label) => el("li", { class: "tag" }, label.slice(0, 80))));
  }

  /** The stream has come this far: what was in view long ago is not any more. */
  reached(seconds) {
    if (seconds - this.seenAt > IN_VIEW) fill(this.view);
  }
}
