// A button that pins a moment: it is kept whole whatever the budget says, until it is unpinned.

import { el, fill } from "./dom.js";
import { send, told } from "./api.js";
import { settle } from "./notices.js";
import { icon } from "./icons.js";

/** Told when a moment was pinned or unpinned, so that every button of it shows it. */
const pins = new EventTarget();

/** `what` names the moment to those who do not see where the button stands. */
export function pinButton(momentId, pinned, { what, brief = false }) {
  const button = el("button", { class: brief ? "bare pin" : "plain pin", type: "button" });
  button.dataset.moment = momentId;
  const show = (now) => {
    button.setAttribute("aria-pressed", String(now));
    button.setAttribute("aria-label", `Keep ${what}`);
    button.title = now ? "Kept whole, whatever the budget says. Press to keep it no longer." : "Keep it whole, whatever the budget says.";
    fill(button, icon("pin"), !brief && el("span", {}, now ? "Kept" : "Keep this moment"));
  };
  const changed = ({ detail }) => {
    if (!button.isConnected) pins.removeEventListener("pinned", changed);
    else if (detail.momentId === momentId) show(detail.pinned);
  };
  pins.addEventListener("pinned", changed);
  button.addEventListener("click", async () => {
    const wanted = button.getAttribute("aria-pressed") !== "true";
    button.disabled = true;
    try {
      await send(wanted ? "POST" : "DELETE", `/v1/moments/${encodeURIComponent(momentId)}/pin`);
      settle("pin");
      pins.dispatchEvent(new CustomEvent("pinned", { detail: { momentId, pinned: wanted } }));
    } catch (failure) {
      told("pin", failure);
    } finally {
      button.disabled = false;
      button.focus();
    }
  });
  show(pinned);
  return button;
}

/** Tell every button which of these moments are pinned. */
export function showPins(momentIds, pinned) {
  const kept = new Set(pinned);
  for (const momentId of momentIds) {
    pins.dispatchEvent(new CustomEvent("pinned", { detail: { momentId, pinned: kept.has(momentId) } }));
  }
}
