"""Points in time on the command line."""

from datetime import UTC, datetime
from typing import Any

import click


class Moment(click.ParamType):
    """A point in time, UTC, as 2025-10-10T20:15 or with seconds."""

    name = "utc time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2025-10-10T20:15", param, ctx)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
