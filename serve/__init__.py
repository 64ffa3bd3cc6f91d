"""The running system: three Ray Serve deployments and the HTTP gateway in front of them.

In come recordings, observations and questions over HTTP; out go moments into memory, and answers
with their evidence. Perception, Memory and Reasoning are separate deployments (`deployments.py`);
the gateway (`gateway.py`) runs one stream pipeline per stream next to the media (`session.py`).
Open `application.py` first: it wires the four together.
"""

from serve.settings import Settings

__all__ = ["Settings"]
