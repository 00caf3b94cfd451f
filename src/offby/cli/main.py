"""The command `offby`: a group of commands, each in a file of its own.

The commands parse and print; the library does the work. Heavy modules are imported
inside the commands, so that `offby --help` answers at once.
"""

from typing import Any

import click

from offby.cli.compare import compare
from offby.cli.describe import describe
from offby.cli.doctor import doctor
from offby.cli.evaluate import evaluate
from offby.cli.explain import explain
from offby.cli.fit import fit
from offby.cli.losses import losses
from offby.cli.predict import predict


class _Commands(click.Group):
    """A group that ends with code 130 on Ctrl-C (click alone gives 1)."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            click.echo("\nStopped. Nothing was written.", err=True)
            ctx.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="offby")
def main() -> None:
    """Losses that know how far off you are.

    Nothing is sent anywhere: there is no telemetry and no network access.
    """


for command in (compare, fit, predict, evaluate, describe, explain, losses, doctor):
    main.add_command(command)


if __name__ == "__main__":
    main()
