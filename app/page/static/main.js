// The page: its header, its four tabs, and what is shared between them. Start reading here.

import { el, fill, store } from "./dom.js";
import { server } from "./api.js";
import { eye, icon } from "./icons.js";
import { notice, noticePlace } from "./notices.js";
import { admitted, browser, scope } from "./session.js";
import { recordingLight } from "./light.js";
import { LiveTab } from "./live.js";
import { RecordingsTab } from "./recordings.js";
import { MemoryTab } from "./memory.js";
import { SystemTab } from "./system.js";

const TABS = [["live", "Live"], ["recordings", "Recordings"], ["memory", "Memory"], ["system", "System"]];
const THEMES = ["auto", "light", "dark"];

/** Builds the page into `root`, which Gradio made. */
export async function start(root) {
  if (root.dataset.started) return;
  root.dataset.started = "yes";
  const tabs = new Tabs();
  fill(root, header(tabs.list), noticePlace(), tabs.place);
  await entered();
  const views = {
    live: new LiveTab(),
    recordings: new RecordingsTab({ show: () => tabs.choose("recordings") }),
    memory: new MemoryTab(),
    system: new SystemTab(),
  };
  tabs.fill(views);
  tabs.choose(tabInAddress(), { anew: true });
  // Back and forward go between tabs: out of the page they would end what is live.
  window.addEventListener("popstate", () => {
    for (const open of document.querySelectorAll("dialog[open]")) open.close();
    tabs.choose(tabInAddress(), { anew: true });
  });
  server.addEventListener("back", () => tabs.view?.refresh?.());
  root.dataset.ready = "yes";
}

function tabInAddress() {
  return TABS.some(([name]) => `#${name}` === location.hash) ? location.hash.slice(1) : "live";
}

/** Let in; a server that is still starting is waited for. */
async function entered() {
  for (;;) {
    try {
      return await admitted();
    } catch {
      notice("entering", "Lookback is still starting; one moment.", { tone: "wait", stays: false });
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

function header(list) {
  return el("header", { class: "top" },
    el("div", { class: "brand" }, eye(), el("h1", {}, "Lookback")),
    list,
    el("div", { class: "top-right" }, recordingLight(), scopeSwitch(), themeButton()));
}

/** Whose streams are shown. The token decides what there is; this, what is looked at. */
function scopeSwitch() {
  const box = el("input", { type: "checkbox", role: "switch", id: "scope", checked: scope.everything,
    onchange: () => scope.choose(box.checked) });
  scope.addEventListener("change", () => { box.checked = scope.everything; });
  return el("div", { class: "scope", title: `This browser is ${browser}` }, box,
    el("label", { for: "scope" }, "Show everyone’s"));
}

function themeButton() {
  const button = el("button", { class: "bare theme", type: "button" });
  const draw = () => {
    const theme = document.documentElement.dataset.theme || "auto";
    fill(button, icon(theme));
    button.setAttribute("aria-label", `Theme: ${theme}`);
    button.title = `Theme: ${theme}`;
  };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    document.documentElement.dataset.theme = next;
    store("theme", next);
    draw();
  });
  draw();
  return button;
}

/** The four tabs, by pointer or arrow keys. */
class Tabs {
  constructor() {
    this.buttons = new Map(TABS.map(([name, label]) => [name, el("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, "aria-selected": "false",
      tabindex: "-1", disabled: true, onclick: () => this.choose(name),
    }, icon(name === "recordings" ? "film" : name), el("span", {}, label))]));
    this.list = el("div", { class: "tabs", role: "tablist", "aria-label": "Parts of the page" }, [...this.buttons.values()]);
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.panels = new Map(TABS.map(([name]) => [name,
      el("div", { class: "panel", role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}`, hidden: true })]));
    this.place = el("div", { class: "panels" }, [...this.panels.values()]);
  }

  fill(views) {
    this.views = views;
    for (const [name, panel] of this.panels) {
      fill(panel, views[name].node);
      this.buttons.get(name).disabled = false;
    }
  }

  /** `anew`: it takes the place of what the address says; else, going back comes back from it. */
  choose(name, { anew = false } = {}) {
    if (this.name === name) return;
    this.view?.hidden?.();
    this.name = name;
    this.view = this.views[name];
    for (const [one, button] of this.buttons) {
      const chosen = one === name;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      this.panels.get(one).hidden = !chosen;
    }
    history[anew ? "replaceState" : "pushState"](null, "", `#${name}`);
    this.view.refresh?.();
  }

  key(event) {
    const names = TABS.map(([name]) => name);
    const index = names.indexOf(this.name);
    const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const name = names[(to + names.length) % names.length];
    this.choose(name);
    this.buttons.get(name).focus();
  }
}
