"""`python -m rehabcast` is `rehabcast`, where no script is installed: in a Bento."""

from rehabcast.main import run

run()
