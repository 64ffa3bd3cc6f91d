// Questions and answers: bubbles that fill as the answer is written, with the evidence under it.

import { clock, el, fill, followEnd } from "./dom.js";
import { Failure, events, sentence, unwell } from "./api.js";
import { icon } from "./icons.js";
import { evidence } from "./evidence.js";

const LONG = 5000; // ms without a word after which the page says why

export class Conversation {
  /** `stream()` gives {streamId} to ask, {} to ask everything, or {problem}: a sentence; or a promise. */
  constructor({ label, stream, empty, examples = [], placeholder = "Ask about anything seen or said" }) {
    this.stream = stream;
    this.timed = true; // whether an answer says how soon it came
    this.pending = null; // the spoken question's answer while it is written
    this.heard = null; // the same until the next one: it may be interrupted while it is spoken
    this.asking = null;
    this.fresh(); // nothing was asked or recalled here
    this.log = el("div", { class: "talk-log", role: "log", "aria-label": label, "aria-live": "polite", tabindex: "0" });
    this.empty = el("div", { class: "talk-empty" }, el("p", {}, empty),
      examples.length > 0 && el("ul", { class: "examples" }, examples.map((text) =>
        el("li", {}, el("button", { class: "chip", type: "button", onclick: () => this.ask(text) }, text)))));
    this.input = el("textarea", { rows: 1, "aria-label": "Your question", placeholder, maxlength: 2000 });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.submit();
      }
    });
    this.button = el("button", { class: "send", type: "submit", "aria-label": "Ask" }, icon("send"));
    const form = el("form", { class: "asker", onsubmit: (event) => { event.preventDefault(); this.submit(); } },
      this.input, this.button);
    fill(this.log, this.empty);
    this.node = el("section", { class: "talk card", "aria-label": label }, this.log, form);
  }

  fresh() {
    this.asked = false; // something, since the page came to be
    this.recalled = -1; // second of the stream of the last one recalled
  }

  clear() {
    this.asking?.abort();
    this.pending = this.heard = null;
    this.fresh();
    fill(this.log, this.empty);
  }

  submit() {
    const text = this.input.value.trim();
    if (!text) {
      this.input.focus();
      return;
    }
    this.input.value = "";
    this.ask(text);
  }

  /** A typed question, answered piece by piece. */
  async ask(text) {
    this.asked = true;
    const answer = this.exchange(text);
    const { streamId, problem } = await this.stream();
    if (problem) {
      answer.fail(problem);
      return;
    }
    const asking = new AbortController();
    this.asking?.abort();
    this.asking = asking;
    try {
      await events("/v1/ask", { question: text, stream: true, ...(streamId && { stream_id: streamId }) },
        (kind, body) => {
          if (kind === "token") answer.token(body.text, Boolean(body.replace));
          else if (kind === "replace") answer.token(body.text, true);
          else if (kind === "answer") answer.finish(body);
          else if (kind === "error") answer.fail(sentence(new Failure(500, body.error.code, body.error.message)));
        }, asking.signal);
      if (!answer.done) answer.fail("The answer broke off; please ask again.");
    } catch (failure) {
      if (failure.name === "AbortError") answer.interrupt();
      else if (failure.code === "stream_not_found") answer.fail("Nothing is remembered of this yet; give it a few seconds.");
      else if (failure.status === 0) answer.fail("The server cannot be reached; please ask again when it is back.");
      else answer.fail(sentence(failure));
    }
  }

  /** What happens on a live stream: spoken questions and their answers. */
  onEvent(kind, body) {
    if (kind === "state" && body.state === "thinking" && body.question) this.spoken(body.question);
    else if (kind === "token") this.pending?.token(body.text, Boolean(body.replace));
    else if (kind === "interrupted") this.heard?.interrupt();
    else if (kind === "answer" && body.trigger !== "asked") this.answered(body);
  }

  /** Whether what failed is the answer that is waited for. */
  failed(message) {
    if (!this.pending || this.pending.done || this.pending.begun) return false;
    this.pending.fail(message);
    return true;
  }

  spoken(question, utterance = null) {
    this.asked = true;
    if (this.pending && !this.pending.done) this.pending.interrupt();
    this.pending = this.exchange(question, { spoken: true, at: utterance?.start ?? null });
    this.heard = this.pending;
  }

  answered(body) {
    const question = body.utterance?.text || body.question;
    if (!this.pending || this.pending.done) this.spoken(question, body.utterance);
    this.pending.finish(body);
    this.pending = null;
  }

  /** What was asked and answered before the page came to be; of its evidence nothing is known. The last
   *  of it may be remembered a little later than the rest: when the session before is over. */
  recall(observations) {
    if (this.asked) return;
    let answer = null;
    const later = observations.filter((seen) => seen.start > this.recalled);
    for (const seen of later) {
      this.recalled = seen.start;
      if (seen.role === "question") {
        answer?.unanswered();
        answer = this.exchange(seen.text, { at: seen.start });
      } else if (seen.role === "answer" && answer) {
        answer.finish({ answer: seen.text, citations: [], abstained: false });
        if (seen.ref === "interrupted") answer.interrupt();
        answer = null;
      }
    }
    answer?.unanswered();
  }

  /** The connection broke: what was being answered will not come any more. */
  broken() {
    if (!this.pending || this.pending.done) return;
    if (this.pending.begun) this.pending.interrupt();
    else this.pending.fail("The connection broke before the answer came; please ask again.");
  }

  /** A question's bubble and the empty answer under it. */
  exchange(text, { spoken = false, at = null } = {}) {
    const bubble = el("div", { class: "bubble asked" },
      spoken && el("span", { class: "spoken", title: "Spoken" }, icon("microphone"), el("span", { class: "unseen" }, "Spoken: ")),
      el("span", { dir: "auto" }, text),
      at !== null && el("span", { class: "bubble-time" }, clock(at)));
    const answer = new AnswerBubble(this.log, !spoken || this.timed);
    followEnd(this.log, () => {
      this.empty.remove();
      this.log.append(bubble, answer.node);
    });
    this.log.scrollTop = this.log.scrollHeight;
    return answer;
  }
}

class AnswerBubble {
  constructor(log, timed) {
    this.log = log;
    this.timed = timed;
    this.done = false;
    this.text = el("p", { class: "answer-text", dir: "auto" });
    this.dots = el("span", { class: "dots", role: "img", "aria-label": "Thinking" }, el("i"), el("i"), el("i"));
    this.below = el("div", { class: "answer-below" });
    this.node = el("div", { class: "bubble answer", "aria-busy": "true" }, this.dots, this.text, this.below);
    this.timer = setTimeout(() => this.long(), LONG);
  }

  /** Nothing came yet: a part that is restarting is named, and waited for. */
  async long() {
    const parts = await unwell();
    if (this.done || this.begun) return;
    fill(this.below, el("p", { class: "answer-note" }, parts.length
      ? `Waiting for ${parts.join(" and ")}, which is starting again …`
      : "Taking longer than usual …"));
    this.timer = setTimeout(() => this.long(), LONG);
  }

  token(text, replace) {
    if (this.done) return;
    clearTimeout(this.timer);
    followEnd(this.log, () => {
      this.dots.remove();
      fill(this.below);
      this.text.textContent = replace ? text : (this.text.textContent + text).trimStart();
    });
  }

  finish(answer) {
    if (this.done) return;
    followEnd(this.log, () => {
      this.end();
      this.text.textContent = answer.answer;
      this.node.classList.toggle("abstained", answer.abstained);
      const seconds = (answer.timings?.first_token_ms || 0) / 1000;
      fill(this.below,
        answer.citations.length > 0 && el("ul", { class: "evidences", "aria-label": "Evidence" },
          answer.citations.map((cited) => el("li", {}, evidence(cited)))),
        this.timed && !answer.abstained && seconds >= 0.1 && el("p", { class: "answer-note" }, `began after ${seconds.toFixed(1)} s`));
    });
  }

  get begun() {
    return Boolean(this.text.textContent);
  }

  interrupt() {
    if (this.node.classList.contains("interrupted")) return;
    this.end();
    this.node.classList.add("interrupted");
    this.below.prepend(el("p", { class: "answer-note" }, "Interrupted"));
  }

  /** A question that nobody answered stands alone. */
  unanswered() {
    if (this.done) return;
    this.end();
    this.node.remove();
  }

  fail(text) {
    if (this.done) return;
    followEnd(this.log, () => {
      this.end();
      this.node.classList.add("failed");
      this.text.textContent = text;
    });
  }

  end() {
    clearTimeout(this.timer);
    if (!this.done) fill(this.below);
    this.done = true;
    this.dots.remove();
    this.node.removeAttribute("aria-busy");
  }
}
