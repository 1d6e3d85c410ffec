"""Recognises exercise: a fitted recogniser (`recogniser`), run over a recording (`recognise`)."""
