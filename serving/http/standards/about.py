"""A page about the model in service, which opens in a browser from a card: no patient is on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from markdown_it import MarkdownIt

from contracts.vocabulary import vocabulary
from serving.forecast.audit_status import ServedModel, banner, limits, model_info
from serving.formats.about_words import about_in_words
from serving.formats.formatting import PART_ONLY, groups_outside
from serving.http.calls import Call, Reply
from serving.http.decoding.tasks import chosen

HTML = "text/html; charset=utf-8"
STYLE = (
    "body{max-width:46em;margin:2em auto;padding:0 1em;font:1em/1.5 sans-serif}"
    "table{border-collapse:collapse}td,th{border:1px solid #888;padding:.2em .5em;text-align:left}"
)

CARD = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
"""Reads a model card: what looks like HTML in it is text, and pictures of elsewhere are links."""


def about(call: Call) -> Reply:
    """Show the model's audit, limits of use and card to whoever opens the page.

    Where several tasks are served and none is named, it is a list of their pages.
    """
    task, current = call.query.get("task", ""), call.runtime.champions.current
    if not task and len(current) > 1:
        return Reply(contents([each.served for each in current]).encode(), content_type=HTML)
    snapshot = chosen(call.runtime.champions, task)
    withdrawn = "" if snapshot.withdrawn is None else str(snapshot.withdrawn)
    return Reply(page(snapshot.served, withdrawn).encode(), content_type=HTML)


def contents(served: Sequence[ServedModel]) -> str:
    """Return the page that lists the models in service, one a task."""
    links = "".join(
        f'<li><a href="?task={escape(each.bundle.task.name)}">'
        f"{escape(vocabulary()[each.bundle.task.target.code].name)}</a>"
        f" ({escape(each.bundle.task.condition)})</li>"
        for each in served
    )
    return _document("rehabcast", f"<p>Forecasts of:</p><ul>{links}</ul>")


def page(served: ServedModel, withdrawn: str) -> str:
    """Return the page as HTML; nothing of it is a program."""
    model = model_info(served)
    page = _paragraphs(
        f"Withdrawn, gives no forecasts: {withdrawn}" if withdrawn else "",
        banner(served),
        *about_in_words(served),
    )
    if outside := groups_outside(model):
        page += f"<p>{PART_ONLY}, and not for:</p>{_list(outside)}"
    page += f"<h2>Limits of use</h2>{_list(limits(served))}<h2>Audit</h2>" + _paragraphs(
        f"Audit: {model.audit_outcome}, valid until {model.valid_until[:10]}.",
        f"Report {model.report_digest}, bundle {model.bundle_digest}.",
    )
    return _document(f"rehabcast {model.model_version}", page + CARD.render(served.card))


def _document(title: str, body: str) -> str:
    title = escape(title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1>{body}"
        "</body></html>"
    )


def _paragraphs(*lines: str) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lines if line)


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
