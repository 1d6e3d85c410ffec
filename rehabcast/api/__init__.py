"""What `import rehabcast` offers: the commands' own functions, for notebooks and scripts."""

from __future__ import annotations

import os

from rehabcast.user_home import library_environment

os.environ.update(library_environment())
