"""Property tests draw the same examples on every machine; `make reliability` draws new ones."""

import os

from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("exploring", derandomize=False, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("UNSTUCK_HYPOTHESIS", "steady"))
