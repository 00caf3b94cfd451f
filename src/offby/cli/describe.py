"""`offby describe`: what a model file says of its model."""

import json
from pathlib import Path

import click

from offby.cli import models, terminal
from offby.cli.errors import as_sentences


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def describe(model: Path, as_json: bool) -> None:
    """Say what the model in the file MODEL was trained on, and how good it is.

    Exit code: 0; 2 if there is no such model.
    """
    with as_sentences():
        models.check_model(model)
        from offby.models import describe as said_by

        about = said_by(model)
    if as_json:
        click.echo(json.dumps(about.to_dict(), indent=2, ensure_ascii=False))
    else:
        terminal.print_about(about, model)
