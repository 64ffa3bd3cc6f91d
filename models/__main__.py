"""`python -m models packages` prints what brings the weights; `check` finds, joins and checks all."""

from __future__ import annotations

import argparse
import sys

from models import CATALOG, ModelError, find


def main() -> int:
    """Exit status 0, or 1 when a model that is not optional cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    parser.add_argument("command", choices=["packages", "check"])
    if parser.parse_args().command == "packages":
        for package in dict.fromkeys(p for m in CATALOG if not m.library for p in m.packages):
            print(package)
        return 0
    status = 0
    for model in CATALOG:
        try:
            located = find(model.name)
            print(f"{model.name}: {located.path} ({located.source}, {located.bytes} bytes)")
        except ModelError as error:
            print(f"{model.name}: {error}", file=sys.stderr)
            status = status if model.optional else 1
    return status


if __name__ == "__main__":
    sys.exit(main())
