"""What the command lines of the benchmarks have in common."""

import argparse
import importlib.util
import sys
from collections.abc import Callable
from typing import NoReturn

from jaxdl.errors import InputError, require


def without_options(main: Callable[[], object], description: str | None) -> NoReturn:
    """Run a benchmark that takes no options: `--help` says what it does, and any other word is refused."""
    layout = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=description, formatter_class=layout).parse_args()
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


def need(package: str, extra: str) -> None:
    """Refuse to begin without a peer.

    Raises:
      InputError: a package that is not installed.
    """
    remedy = f"pip install -c constraints.txt -e '.[{extra}]'"
    found = importlib.util.find_spec(package) is not None
    require(found, package, "no such package", "an installed one", remedy)
