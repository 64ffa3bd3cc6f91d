"""The one Gradio component. All it does is to give `static/main.js` a place to stand."""

from __future__ import annotations

import gradio as gr

SHEETS = ("base", "controls", "moments", "light", "live", "talk", "recordings", "memory", "system")

# The theme is set before anything is drawn, so that a dark page does not flash white.
_THEME = """
try { document.documentElement.dataset.theme = localStorage.getItem("lookback.theme") || "auto" }
catch { document.documentElement.dataset.theme = "auto" }
"""

HEAD = "\n".join(
    (
        f"<script>{_THEME}</script>",
        '<link rel="icon" type="image/svg+xml" href="/page/icon.svg">',
        *(f'<link rel="stylesheet" href="/page/{name}.css">' for name in SHEETS),
        '<link rel="modulepreload" href="/page/main.js">',
        '<meta name="theme-color" media="(prefers-color-scheme: light)" content="#faf8f4">',
        '<meta name="theme-color" media="(prefers-color-scheme: dark)" content="#15171a">',
        '<meta name="description" content="Watches, listens, remembers, and answers.">',
    )
)

_WAITING = '<div id="lookback"><p class="waking">Lookback is waking up …</p></div>'

_START = """
import("/page/main.js").then((page) => page.start(element.querySelector("#lookback")))
"""


def blocks() -> gr.Blocks:
    """The page, not yet mounted."""
    page: gr.Blocks = gr.Blocks(title="Lookback", analytics_enabled=False, fill_width=True)
    with page:
        gr.HTML(_WAITING, js_on_load=_START, apply_default_css=False, elem_id="page")
    return page
