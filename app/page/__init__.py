"""The page: what people see at /, one Gradio component that holds a small application of its own.

In: the gateway's FastAPI application and its hub. Out: the same application with the page at /, its
files at /page, and the settings in force at /v1/settings.
Open `site.py` first, then `static/main.js`: every file there is one part of what is on the screen.
"""

from app.page.site import add_page

__all__ = ["add_page"]
