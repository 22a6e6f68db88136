"""Property tests of the schemas draw the same examples every time, however slow the machine."""

from hypothesis import settings

settings.register_profile("schemas", derandomize=True, deadline=None)
settings.load_profile("schemas")
