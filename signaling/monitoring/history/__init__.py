"""The relay's memory: rooms, people, and how it sounded, in a file of its own. The home of sqlite3.

    History     what the rest of the program sees: facts and samples in, answers out
    writer      the thread that writes; store, the file; book, what is open
    reader      the thread that reads; queries, what is asked

Nothing here can hold up the event loop, and no fault in it reaches a call.
"""

from __future__ import annotations

from signaling.monitoring.history.history import History
from signaling.monitoring.history.reader import Busy, Question, Unavailable

__all__ = ["Busy", "History", "Question", "Unavailable"]
