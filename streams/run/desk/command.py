"""The command that shows where the accounts of a document stand."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("book", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--profile", help="Rules: a name, or a file that ends in .toml.")
@click.option("--shock", help="Beside it the same after a move, such as BTC=-15%,vol=+30%.")
@click.option("--json", "as_json", is_flag=True, help="For programs; money as decimal text.")
@click.option("--explain", metavar="BUCKET", help="The calculation of one bucket, step by step.")
def evaluate(
    book: Path, profile: str | None, shock: str | None, as_json: bool, explain: str | None
) -> None:
    """Show equity, margins, levels, liquidation prices and Greeks of the accounts in a document.

    BOOK is described in docs/evaluate.md and docs/book.schema.json; BUCKET is ACCOUNT/cross or
    ACCOUNT/INSTRUMENT, or an account that has one bucket. Without --profile it is the one that the
    document names, else "default".
    """
    try:
        if explain is None:
            _show(book, profile, shock, as_json)
        else:
            _explain(book, profile, shock, explain, as_json)
    except (ValueError, OverflowError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _show(book: Path, profile: str | None, shock: str | None, as_json: bool) -> None:
    from rich.console import Console

    from streams.run.desk.statement import Appraisal, statement
    from streams.run.desk.views import overview

    rules, documents = _documents(book, profile, shock)
    now, *then = (Appraisal.of(document, rules) for document in documents)
    made = statement(now, shock, then[0] if then else None)
    if as_json:
        _print(made)
        return
    console = Console()
    console.print(f"profile {rules.name}\n", style="dim", highlight=False)
    for block in overview(made):
        console.print(block)


def _explain(
    book: Path, profile: str | None, shock: str | None, bucket: str, as_json: bool
) -> None:
    from rich.console import Console

    from risk.explain import explain
    from streams.run.desk.views import explanation

    rules, documents = _documents(book, profile, shock)
    row = documents[0].bucket_row(bucket)
    name, made = str(documents[0].buckets[row]), []
    for head, one in zip((name, f"{name} after {shock}"), documents, strict=False):
        steps = explain(
            one.book,
            one.market,
            one.rules(rules),
            one.terms,
            rules,
            bucket=row,
            instruments=one.instrument_names,
            assets=one.asset_names,
        )
        made.append((head, steps))
    if as_json:
        keys = ("steps", "shocked_steps")
        every = zip(keys, made, strict=False)
        _print({"bucket": name, **{key: [asdict(s) for s in steps] for key, (_, steps) in every}})
        return
    for head, steps in made:
        Console().print(explanation(head, steps))


def _documents(book: Path, profile: str | None, shock: str | None) -> tuple[Any, list[Any]]:
    """The profile, and the document as it is and, where a shock is asked for, after it."""
    from streams.run.desk.book_file import BookFile
    from streams.run.desk.shock import Shock, shocked
    from streams.state.profiles import load_profile

    document = BookFile.of(book.read_text("utf-8"))
    rules = load_profile(profile or document.profile or "default")
    if shock is None:
        return rules, [document]
    return rules, [document, shocked(document, document.rules(rules), Shock.of(shock))]


def _print(made: Any) -> None:
    click.echo(json.dumps(made, indent=2, ensure_ascii=False))
