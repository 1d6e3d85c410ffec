"""Keeps secrets out of logs and tracebacks, whichever library words them.

Our own messages hold none. MLflow, SQLAlchemy, Alembic, psycopg and httpx put addresses into their
errors and log records, so every record and traceback of the process is cleaned when it is made.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from types import TracebackType

CREDENTIALS = re.compile(r"(?<=://)[^\s'\"<>]*@")
"""User and password in any URL, also one that no setting names."""

BEARER = re.compile(r"(?i)(?<=bearer )[A-Za-z0-9\-._~+/]{8,}=*")
HIDDEN = "***"

SHORTEST = 4
"""Characters: a shorter text occurs in many words, and replacing it would show where it stands."""

Clean = Callable[[str], str]


def cleaner(secrets: Iterable[str]) -> Clean:
    """Return a function that replaces secrets, and credentials in URLs, in a text."""
    # The longest first: a URL holds its password.
    known = sorted({s for s in secrets if len(s) >= SHORTEST}, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, known))) if known else None

    def clean(text: str) -> str:
        hidden = pattern.sub(HIDDEN, text) if pattern is not None else text
        return BEARER.sub(HIDDEN, CREDENTIALS.sub(f"{HIDDEN}@", hidden))

    return clean


def clean_traceback(error: BaseException, clean: Clean) -> str:
    """Return an error's traceback without secrets."""
    return clean("".join(traceback.format_exception(error)))


def install(clean: Clean) -> None:
    """Clean every log record and every uncaught error's traceback from now on."""
    make = logging.getLogRecordFactory()
    if getattr(make, "cleans", False):
        return

    def make_clean(*args: object, **kwargs: object) -> logging.LogRecord:
        record: logging.LogRecord = make(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return record
        if (cleaned := clean(message)) != message:
            record.msg, record.args = cleaned, ()
        if record.exc_info and record.exc_info[1] is not None:
            # A formatter takes this text before it words the error itself.
            record.exc_text = clean_traceback(record.exc_info[1], clean).rstrip()
            record.exc_info = None
        return record

    make_clean.cleans = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make_clean)
    sys.excepthook = _hook(clean)
    threading.excepthook = _thread_hook(clean)


def _hook(
    clean: Clean,
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def show(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        sys.stderr.write(clean_traceback(error, clean))

    return show


def _thread_hook(clean: Clean) -> Callable[[threading.ExceptHookArgs], None]:
    def show(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            sys.stderr.write(clean_traceback(args.exc_value, clean))

    return show
