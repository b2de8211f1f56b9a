"""Show the rules of a venue, or list the venues that have some."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    venue: Annotated[str | None, typer.Argument(metavar="[VENUE]", help="Venue, such as binance. Without one: a line per venue.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole file as JSON, tiers and sources included.")] = False,
) -> None:
    """Show what a venue does to whom: trigger, first amount, worst price, takeover, deleveraging, per kind of account."""
    import json

    from waxline.rulebook.rules_text import rules_dict, rules_text
    from waxline.scenario.venue_rules import names, venue_rules

    if venue is not None:
        rules = venue_rules(venue)
        typer.echo(json.dumps(rules_dict(rules), ensure_ascii=False, allow_nan=False) if as_json else rules_text(rules))
        return
    every = [venue_rules(name) for name in names()]
    if as_json:
        typer.echo(json.dumps([{"venue": rules.venue, "as_of": str(rules.as_of), "regimes": [row.name for row in rules.regimes]} for rules in every]))
        return
    for rules in every:
        kinds = ", ".join(row.name for row in rules.regimes) or "calculators only"
        typer.echo(f"{rules.venue:<12} {rules.as_of}  {len(rules.tiers):>3} tier tables  {len(rules.collateral):>3} collateral rows  {kinds}")
