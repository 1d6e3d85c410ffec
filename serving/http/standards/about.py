"""A page about the model in service, which opens in a browser from a card: no patient is on it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from markdown_it import MarkdownIt

from serving.forecast.audit_status import ServedModel, banner, limits, model_info
from serving.formats.formatting import PART_ONLY, groups_outside
from serving.http.calls import Call, Reply

HTML = "text/html; charset=utf-8"
STYLE = (
    "body{max-width:46em;margin:2em auto;padding:0 1em;font:1em/1.5 sans-serif}"
    "table{border-collapse:collapse}td,th{border:1px solid #888;padding:.2em .5em;text-align:left}"
)

CARD = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
"""Reads a model card: what looks like HTML in it is text, and pictures of elsewhere are links."""


def about(call: Call) -> Reply:
    """Show the model's audit, limits of use and card to whoever opens the page."""
    snapshot = call.runtime.champion.current
    withdrawn = "" if snapshot.withdrawn is None else str(snapshot.withdrawn)
    return Reply(page(snapshot.served, withdrawn).encode(), content_type=HTML)


def page(served: ServedModel, withdrawn: str) -> str:
    """Return the page as HTML; nothing of it is a program."""
    model = model_info(served)
    lines = [
        f"Withdrawn, gives no forecasts: {withdrawn}" if withdrawn else "",
        banner(served),
        f"Audit: {model.audit_outcome}, valid until {model.valid_until[:10]}.",
        f"Report {model.report_digest}, bundle {model.bundle_digest}.",
    ]
    page = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
    if outside := groups_outside(model):
        page += f"<p>{PART_ONLY}, and not for:</p>{_list(outside)}"
    page += _list(limits(served))
    title = escape(f"rehabcast {model.model_version}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1>{page}"
        f"{CARD.render(served.card)}</body></html>"
    )


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
