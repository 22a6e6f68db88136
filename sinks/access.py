"""The role of those who read the history and never write it, where the server keeps roles."""

import logging

from sinks.store import Store, StoreBusyError, StoreError

log = logging.getLogger(__name__)

ROLE = "plimsoll_analyst"
STATEMENTS = (
    f"CREATE ROLE IF NOT EXISTS {ROLE} SETTINGS readonly = 1, max_execution_time = 60 MAX 600, "
    "max_memory_usage = 4000000000",
    "GRANT SELECT ON `{database}`.* TO " + ROLE,
)


def grant_analysts(store: Store) -> bool:
    """Create the role and let it read this database; whether the store lets us.

    chDB has no users, and a sink's own user need not manage access: then it is left to whoever
    does. `GRANT plimsoll_analyst TO alice` makes an analyst.
    """
    database = store.query("SELECT currentDatabase() AS name")[0]["name"]
    try:
        for statement in STATEMENTS:
            store.create(statement.replace("{database}", database))
    except StoreBusyError:
        raise
    except StoreError as error:
        log.info("no role for analysts: %s", error)
        return False
    return True
