"""`offby explain`: write the explainer page."""

from pathlib import Path

import click

from offby.cli.errors import as_sentences
from offby.cli.files import check_page, write


@click.command()
@click.argument(
    "comparison",
    required=False,
    type=click.Path(path_type=Path),
    metavar="[COMPARISON]",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("explain.html"),
    show_default=True,
    help="Page to write.",
)
@click.option("--open/--no-open", "open_page", default=False, help="Show the page.")
def explain(comparison: Path | None, out: Path, open_page: bool) -> None:
    """Write a page on which you can move a prediction and see what each loss does.

    COMPARISON is the JSON file that offby compare writes beside its report. With it,
    the page opens on a row of your own data, as predicted under each loss.
    """
    with as_sentences():
        if comparison is not None and out.resolve() == comparison.resolve():
            raise ValueError(
                f"--out must not be the comparison itself, got {str(out)!r} for both; "
                "choose another name"
            )
        check_page(out)
        from offby import explain as explainer

        read = None if comparison is None else explainer.read(comparison)
        write(out, explainer.render(read))
    click.echo(f"The page is {out}.")
    if open_page:
        click.launch(str(out))
