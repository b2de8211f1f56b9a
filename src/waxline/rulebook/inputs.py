"""Read the inputs of one worked example by name; what is missing, not understood or never read is reported, not guessed."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

LABELS = frozenset({"symbol", "asset", "case", "pair", "asset_class", "note", "name", "comment", "currency", "contract", "market", "underlying", "margin_mode"})
"""Inputs that only say what is meant; adapters may read them, nobody has to."""

CASH = frozenset({"usd", "usdt", "usdc", "busd", "dai", "fdusd", "tusd"})
LONG = frozenset({"long", "buy", "bid", "1", "+1", "l"})
SHORT = frozenset({"short", "sell", "ask", "-1", "s"})
OPERATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
EXPRESSION_MAX = 200
ASSET = re.compile(r"[A-Za-z][A-Za-z0-9]{1,9}")
WORDS = frozenset({"fee", "fees", "leverage", "margin", "interest", "debt", "size", "delta", "index", "mark", "oracle", "quantity", "step", "tick"})
"""Words that stand for a figure of the account and never for an asset."""
FRACTIONS = frozenset(
    {"mmr", "mmr_prev", "mmr_n", "mmr_used", "imr", "mmf", "imf", "base_imf", "mm_rate", "im_rate", "base_mm", "base_im", "haircut", "collateral_rate"}
    | {"conversion_ratio", "default_rate_unlisted", "maintenance_ratio", "max_portion", "taker", "taker_fee", "liq_fee"}
)
"""Inputs that are a part of something: outside 0..1 they are a slip, such as 5 for 5 %."""

ABOVE_ZERO = frozenset(
    {"leverage", "max_leverage", "entry", "mark", "index", "oracle", "price", "entry_price", "mark_price", "oracle_price", "collateral_price", "debt_price"}
)
"""Inputs that divide or multiply everything: a leverage, a price."""

MAINTENANCE_OF = {"imr": "mmr", "imf": "mmf", "im_rate": "mm_rate", "base_im": "base_mm"}
"""Initial rate and the maintenance rate that it is never below."""


class UnknownInput(Exception):
    """Say which input of an example is missing or not understood; the example is then reported as unknown."""


class Inputs(Mapping[str, Any]):
    """Give the inputs of an example to an adapter and remember which of them were read.

    `wanted`: the names of the published results. `published`: results that other examples of the same file publish for the same venue
    and source, for pages that spread one account over several examples.
    """

    def __init__(self, values: Mapping[str, Any], wanted: Iterable[str] = (), published: Mapping[str, Any] | None = None, where: str = "") -> None:
        self.values_given = dict(values)
        self.wanted = frozenset(wanted)
        self.published = dict(published or {})
        self.where = where
        self.read: set[str] = set()
        self.inner: list[Inputs] = []

    def __getitem__(self, name: str) -> Any:
        """Return one input as it was written."""
        self.read.add(name)
        return self.values_given[name]

    def __iter__(self) -> Any:
        """Iterate over the names of all inputs."""
        return iter(self.values_given)

    def __len__(self) -> int:
        """Return the number of inputs."""
        return len(self.values_given)

    def first(self, *names: str) -> str | None:
        """Return the first of `names` that is given and not null, None if none is; all given ones count as read."""
        given = [name for name in names if name in self.values_given]
        self.read.update(given)
        return next((name for name in given if self.values_given[name] is not None), None)

    def has(self, *names: str) -> bool:
        """Tell whether one of the names is given."""
        return any(self.values_given.get(name) is not None for name in names)

    def number(self, *names: str, default: float | None = None) -> float:
        """Return an input as a float; a text may be a number, "5 %" or a sum such as "qty*entry/leverage"."""
        name = self.first(*names)
        if name is None:
            if default is None:
                raise UnknownInput(f"missing input: {self.where}{names[0]}")
            return default
        return float(self._exact(name))

    def exact(self, *names: str, default: int | None = None) -> Any:
        """Return an input as an exact fraction; null or absent gives `default`."""
        name = self.first(*names)
        if name is None:
            if default is None:
                raise UnknownInput(f"missing input: {self.where}{names[0]}")
            return Fraction(default)
        return self._exact(name)

    def whole(self, *names: str) -> int:
        """Return an input that must be a whole number, of any size."""
        value = self.exact(*names)
        if value.denominator != 1:
            raise UnknownInput(f"input {self.where}{names[0]} must be a whole number")
        return int(value)

    def optional(self, *names: str) -> float | None:
        """Return an input as a float, None where it is absent or null."""
        name = self.first(*names)
        return None if name is None else float(self._exact(name))

    def flag(self, *names: str, default: bool = False) -> bool:
        """Return a yes/no input."""
        name = self.first(*names)
        if name is None:
            return default
        value = self.values_given[name]
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "yes", "on", "false", "no", "off"):
            return str(value).lower() in ("true", "yes", "on")
        raise UnknownInput(f"input {self.where}{name} must be true or false")

    def text(self, *names: str, default: str = "") -> str:
        """Return an input as a text."""
        name = self.first(*names)
        return default if name is None else str(self.values_given[name])

    def side(self, *names: str, default: float | None = None) -> float:
        """Return +1 for long or buy, -1 for short or sell."""
        name = self.first(*(names or ("side", "direction", "position_side")))
        if name is None:
            if default is None:
                raise UnknownInput(f"missing input: {self.where}side")
            return default
        word = str(self.values_given[name]).strip().lower()
        if word in LONG or word in SHORT:
            return 1.0 if word in LONG else -1.0
        raise UnknownInput(f"input {self.where}{name} must be long or short, was {word!r}")

    def numbers(self, *names: str) -> list[float]:
        """Return an input as a list of floats; a single number becomes a list of one."""
        name = self.first(*names)
        if name is None:
            raise UnknownInput(f"missing input: {self.where}{names[0]}")
        value = self.values_given[name]
        if isinstance(value, Mapping):
            value = list(value.values())
        return [float(self._of(item, name)) for item in value] if isinstance(value, list) else [float(self._exact(name))]

    def exacts(self, *names: str) -> list[Any]:
        """Return an input as a list of exact fractions; a single number becomes a list of one."""
        name = self.first(*names)
        if name is None:
            raise UnknownInput(f"missing input: {self.where}{names[0]}")
        value = self.values_given[name]
        return [self._of(item, name) for item in value] if isinstance(value, list) else [self._exact(name)]

    def rows(self, *names: str) -> list[Inputs]:
        """Return an input that is a list of sections (a single section becomes a list of one), each to be read by name."""
        name = self.first(*names)
        if name is None:
            raise UnknownInput(f"missing input: {self.where}{names[0]}")
        value = self.values_given[name]
        rows = value if isinstance(value, list) else [value]
        if not all(isinstance(row, Mapping) for row in rows):
            raise UnknownInput(f"input {self.where}{name} must be a list of sections")
        found = [Inputs(row, self.wanted, self.published, f"{self.where}{name}[{n}].") for n, row in enumerate(rows)]
        self.inner += found
        return found

    def table(self, *names: str) -> list[list[float | None]]:
        """Return an input that is a list of rows of numbers; null stays None."""
        name = self.first(*names)
        if name is None:
            raise UnknownInput(f"missing input: {self.where}{names[0]}")
        value = self.values_given[name]
        if not isinstance(value, list) or not value or not all(isinstance(row, list) and row for row in value):
            raise UnknownInput(f"input {self.where}{name} must be a table of numbers")
        return [[None if item is None else float(self._of(item, name)) for item in row] for row in value]

    def section(self, name: str) -> Inputs:
        """Return an input that is a section, to be read by name."""
        return self.rows(name)[0]

    def by_name(self, name: str) -> dict[str, float]:
        """Return an input that is a section of numbers only, {"btc": 2.0}; raises UnknownInput where it is missing or something else."""
        if name not in self.values_given:
            raise UnknownInput(f"missing input: {self.where}{name}")
        section = self[name]
        if not isinstance(section, Mapping):
            raise UnknownInput(f"input {self.where}{name} must be a section of names and numbers")
        return {str(key): float(self._of(value, f"{name}.{key}")) for key, value in section.items()}

    def named(self, pattern: str) -> dict[str, str]:
        """Return {what the group of the pattern matches: name of the input} for inputs not read so far; they count as read."""
        found = {}
        for name in self.values_given:
            match = re.fullmatch(pattern, name)
            if match and name not in self.read:
                found[match[1]] = name
        self.read.update(found.values())
        return found

    def amounts(self) -> dict[str, float]:
        """Return the plain numbers not read so far whose names can be assets ({"btc": 2.0}); they count as read."""
        found = {}
        for name, value in self.values_given.items():
            taken = name in self.read or name in LABELS or name.lower() in WORDS or not ASSET.fullmatch(name)
            if not taken and not isinstance(value, (list, Mapping, bool)) and value is not None:
                found[name] = float(self._exact(name))
                self.read.add(name)
        return found

    def amount(self) -> tuple[str, float]:
        """Return name and value of the one plain number not read so far, such as ("btc", 6000.0)."""
        found = self.amounts()
        if len(found) != 1:
            names = ", ".join(found)
            raise UnknownInput(f"one amount expected, found {names}" if found else "missing input: an amount (such as btc: 1)")
        return next(iter(found.items()))

    def unread(self) -> list[str]:
        """Return the inputs nobody read, labels left out."""
        names = [f"{self.where}{name}" for name in self.values_given if name not in self.read and name not in LABELS]
        return names + [name for row in self.inner for name in row.unread()]

    def _exact(self, name: str) -> Fraction:
        return self._of(self.values_given[name], name)

    def _of(self, value: Any, name: str) -> Fraction:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise UnknownInput(f"input {self.where}{name} must be a number")
        found = self._number(value, name)
        if name in FRACTIONS and not 0 <= found <= 1:
            raise UnknownInput(f"input {self.where}{name} must be in [0, 1], was {value}: give a fraction, 0.05 for 5 %")
        if name in ABOVE_ZERO and found <= 0:
            raise UnknownInput(f"input {self.where}{name} must be above 0, was {value}")
        return found

    def _number(self, value: Any, name: str) -> Fraction:
        if isinstance(value, str):
            return self._calculated(value, name)
        try:
            # The shortest decimal that gives this float is what the file says: 9087312e27 is meant exactly.
            return Fraction(Decimal(repr(value)))
        except (InvalidOperation, ValueError, OverflowError) as error:
            raise UnknownInput(f"input {self.where}{name} must be a finite number") from error

    def _calculated(self, text: str, name: str) -> Fraction:
        plain = text.strip().replace("_", "") if re.fullmatch(r"[\d_.eE+\- ]+", text.strip()) else text.strip()
        percent = plain.endswith("%")
        try:
            return Fraction(Decimal(plain.rstrip("% "))) / (100 if percent else 1)
        except (InvalidOperation, ValueError, OverflowError):
            pass
        try:
            if len(text) > EXPRESSION_MAX:
                raise ValueError(text)
            return self._evaluated(ast.parse(text.strip(), mode="eval").body, text)
        except (SyntaxError, ValueError, TypeError, ZeroDivisionError, RecursionError) as error:
            raise UnknownInput(f"input {self.where}{name} is not a number: {text!r}") from error

    def _evaluated(self, node: ast.AST, text: str) -> Fraction:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            return Fraction(Decimal(repr(node.value)))
        if isinstance(node, ast.Name) and node.id in self.values_given and self.values_given[node.id] != text:
            self.read.add(node.id)
            return self._exact(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._evaluated(node.operand, text)
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
            result: Fraction = OPERATIONS[type(node.op)](self._evaluated(node.left, text), self._evaluated(node.right, text))
            return result
        raise ValueError(text)


def worth(asset: str, inputs: Inputs, default: float | None = None) -> float:
    """Return the price of an asset: `<asset>_price`, else `price`, else 1 for dollars, else `default`."""
    name = inputs.first(f"{asset}_price", f"price_{asset}")
    if name is not None:
        return inputs.number(name)
    if asset in CASH:
        return 1.0
    return inputs.number("price", "mark", default=default)


def refuse_initial_below_maintenance(values: Any, where: str = "") -> None:
    """Raise UnknownInput where an initial rate is below the maintenance rate beside it, in the inputs or in any section of them."""
    if isinstance(values, list):
        for n, item in enumerate(values):
            refuse_initial_below_maintenance(item, f"{where}[{n}]")
    if not isinstance(values, Mapping):
        return
    inputs = Inputs(values, where=f"{where}." if where else "")
    for initial, maintenance in MAINTENANCE_OF.items():
        if inputs.has(initial) and inputs.has(maintenance):
            for high, low in zip(inputs.exacts(initial), inputs.exacts(maintenance), strict=False):
                if high < low:
                    raise UnknownInput(f"input {inputs.where}{initial} must not be below {maintenance} {float(low):g}, was {float(high):g}")
    for name, item in values.items():
        refuse_initial_below_maintenance(item, f"{inputs.where}{name}")
