// Forgetting asks first, says what it will take, and shows the receipt.

import { bytes, el, fill, plural } from "./dom.js";
import { send, sentence } from "./api.js";
import { icon } from "./icons.js";

/** Told when something was forgotten, so that what shows it goes as well. */
export const forgotten = new EventTarget();

const COUNTED = [["moments", "moment"], ["observations", "observation"], ["keyframes", "picture"],
  ["streams", "stream"]];

/** Resolves true once `selection` is forgotten and its receipt was read; false when it is kept. */
export function forgetting(selection, what) {
  return new Promise((resolve) => {
    let gone = false;
    const body = el("div", {});
    const dialog = el("dialog", { class: "sheet narrow", role: "alertdialog", "aria-labelledby": "forget-title",
      "aria-describedby": "forget-what" }, body);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(gone);
    });
    const problem = el("p", { class: "problem", role: "alert" });
    const sure = el("button", { class: "primary danger", type: "button" }, icon("bin"), "Forget for good");
    sure.addEventListener("click", async () => {
      sure.disabled = true;
      fill(sure, el("span", { class: "spinner", "aria-hidden": "true" }), "Forgetting …");
      try {
        const reply = await (await send("DELETE", "/v1/memory", { json: selection })).json();
        gone = true;
        forgotten.dispatchEvent(new CustomEvent("forgotten", { detail: selection }));
        receipt(body, reply.forgotten, dialog);
      } catch (failure) {
        sure.disabled = false;
        fill(sure, icon("bin"), "Try again");
        fill(problem, sentence(failure));
      }
    });
    fill(body,
      el("h2", { id: "forget-title" }, "Forget this?"),
      el("p", { id: "forget-what" },
        `Lookback will forget ${what}: words, pictures and everything drawn from them. This cannot be undone.`),
      problem,
      el("div", { class: "row end" },
        el("button", { class: "plain", type: "button", autofocus: true, onclick: () => dialog.close() }, "Keep it"),
        sure));
    document.querySelector("#lookback").append(dialog);
    dialog.showModal();
  });
}

function receipt(body, counted, dialog) {
  const done = el("button", { class: "primary", type: "button", onclick: () => dialog.close() }, "Done");
  fill(body,
    el("h2", { id: "forget-title" }, "Forgotten"),
    el("p", { id: "forget-what" }, "It is gone from every table, index and picture store. Your receipt:"),
    el("dl", { class: "receipt" },
      COUNTED.filter(([name]) => counted[name]).map(([name, one]) =>
        el("div", {}, el("dt", {}, plural(2, one).slice(2)), el("dd", {}, counted[name]))),
      el("div", {}, el("dt", {}, "freed"), el("dd", {}, bytes(counted.bytes))),
      el("div", {}, el("dt", {}, "memory version"), el("dd", {}, counted.version))),
    el("div", { class: "row end" }, done));
  done.focus();
}
