"""Write the story of an account as text."""

from __future__ import annotations

from waxline.analysis.account_story import LISTED_PARTS, Event, Story
from waxline.units import format_frac, format_price_usd, format_usd

LEAST_USD = 0.01
"""Amounts below a cent are rounding and are not told."""
STAGES = {
    "margin_call": "margin call: equity is close to the requirement",
    "top_up": "owner adds {usd} from the reserve",
    "cancel": "equity meets the requirement: the account is liquidated, its resting orders are cancelled",
    "close_in_book": "{closes} {what} in {market} at {price} on average, {usd}",
    "collateral_sale": "sells {what} in {market} at {price} on average, {usd}",
    "takeover": "fund or vault takes over {what} of {market} at {price}, {usd}",
    "hedge_sale": "sells {what}, no longer hedged, in {market} at {price} on average, {usd}",
    "reduction": "{closes} {what} in {market} by choice at {price} on average, {usd}",
    "deleveraging": "deleveraged: {what} of {market} closed at {price}, {usd}",
    "pool_liquidation": "a keeper or the pool takes {what}, {usd}, to be sold in {market}",
    "payment": "{payer} pays {shortfall} that the account lacks",
    "bad_debt": "{shortfall} remain unpaid",
    "socialised": "{shortfall} are spread over users",
}


def story_text(story: Story) -> str:
    """Return the story: who, what it had, a line per event, the end, what took its slack, what it looked like from outside."""
    name = f" {story.name}" if story.name else ""
    lines = [f"account {story.account}{name}: {story.kind} on {story.venue}" + (f", stands for {story.people:,.0f} people" if story.people > 1.0 else "")]
    before = [f"equity {money(story.equity_before_usd)}"]
    if story.slack_before_usd is not None:
        before.append(f"{money(story.slack_before_usd)} above its requirement ({format_frac(story.slack_before_frac or 0.0)} of its exposure)")
    lines.append(f"{'before':>19}  {', '.join(before)}")
    told = [event for event in story.events if event.stage not in ("payment", "bad_debt") or event.shortfall_usd >= LEAST_USD]
    lines += [line for event in told for line in event_lines(event)]
    if not story.events:
        lines.append(f"{'':19}  nothing happened to it")
    end = [f"equity {money(story.equity_end_usd)}"]
    if story.liquidated_usd > 0.0:
        end.append(f"{money(story.liquidated_usd)} closed or sold by force")
    if story.negative_usd >= LEAST_USD:
        end.append(f"short of {money(story.negative_usd)}")
    lines.append(f"{'end':>19}  {', '.join(end)}")
    if any(event.cost_usd is not None for event in story.events):
        verb = "cost" if story.cost_usd >= 0.0 else "gained"
        lines.append(f"{'cost':>19}  what was forced {verb} {money(abs(story.cost_usd))} against the mid just before the first of it")
    if story.causes:
        parts = ", ".join(f"{label} {format_frac(part)}" for label, part in list(story.causes.items())[:LISTED_PARTS])
        generation = f"; generation {story.generation:.1f}" if story.generation else ""
        lines.append(f"{'took its slack':>19}  {parts}{generation}")
    lines.append(f"{'seen from outside':>19}  {story.observed}")
    return "\n".join(lines)


def event_lines(event: Event) -> list[str]:
    """Return the line of an event and, where known, a second one with limit, slack, the other side and the cost."""
    when = clock(event.from_s) if event.to_s == event.from_s else f"{clock(event.from_s)} to {clock(event.to_s)}"
    asset = event.market.split("-")[2] if event.market else ""
    words = {
        "closes": "sells" if event.market and "-spot-" in event.market else "closes a long of" if event.side < 0 else "closes a short of",
        "what": f"{event.quantity:,.6g} {asset}",
        "market": event.market or "",
        "price": format_price_usd(event.price_usd) if event.price_usd is not None else "",
        "usd": money(event.notional_usd),
        "shortfall": money(event.shortfall_usd),
        "payer": f"the {event.payer}" if event.payer else "",
    }
    lines = [f"{when:>19}  {STAGES[event.stage].format(**words)}"]
    more = []
    if event.equity_usd is not None and event.stage in ("margin_call", "cancel", "takeover"):
        more.append(f"equity {money(event.equity_usd)}")
    if event.slack_usd is not None and event.stage in ("margin_call", "top_up"):
        more.append(f"{money(event.slack_usd)} above its requirement at the last record")
    if event.limit_usd is not None:
        more.append(f"limit {format_price_usd(event.limit_usd)}")
    if event.before_usd is not None and event.cost_usd is not None:
        more.append(f"mid before {format_price_usd(event.before_usd)}, {'cost' if event.cost_usd >= 0.0 else 'gained'} {money(abs(event.cost_usd))}")
    if event.others:
        against = "bought by" if event.side < 0 else "sold by"
        more.append(f"{against} " + ", ".join(f"{who} {format_frac(part)}" for who, part in list(event.others.items())[:LISTED_PARTS]))
    if event.shortfall_usd > 0.0 and event.stage in ("takeover", "deleveraging"):
        who = "its owner" if event.payer == "winners" else f"the {event.payer}"
        more.append(f"{money(event.shortfall_usd)} of loss borne by {who}")
    return [*lines, f"{'':19}  {'; '.join(more)}"] if more else lines


def clock(t_s: int) -> str:
    """Return a time from t = 0 as +m:ss or -m:ss."""
    return f"{'-' if t_s < 0 else '+'}{abs(t_s) // 60}:{abs(t_s) % 60:02d}"


def money(usd: float | None) -> str:
    """Return an amount for people, such as 1.2 M USD."""
    return "not recorded" if usd is None else f"{format_usd(usd)} USD"
