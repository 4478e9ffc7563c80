"""The one gate for every order: manual, closing and emergency ones too."""

from collections.abc import Iterator

from tradingd.commands import Approved
from tradingd.events import OrderRefused, OrderRequested
from tradingd.risk.context import RiskContext, is_reducing
from tradingd.risk.rules import RULES, WELL_FORMED, Broken, Rule


def review(order: OrderRequested, context: RiskContext) -> Approved | OrderRefused:
    """The order approved, or the first rule of `RULES` that refuses it."""
    for rule in _rules_for(order, context):
        broken = rule.check(order, context)
        if broken:
            return _refusal(order, rule, broken)
    return Approved(order)


def _rules_for(order: OrderRequested, context: RiskContext) -> Iterator[Rule]:
    yield WELL_FORMED  # only such an order can be weighed
    reducing = is_reducing(context, order)
    yield from (rule for rule in RULES if rule.binds_reducing or not reducing)


def _refusal(order: OrderRequested, rule: Rule, broken: Broken) -> OrderRefused:
    return OrderRefused(
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        rule=rule.name,
        limit=_number(broken.limit),
        value=_number(broken.value),
        text=broken.text,
        reason=order.reason,
    )


def _number(value: float | None) -> float | None:
    """Rules count in integers too; what is journalled has one form, so that it is read back as it was written."""
    return None if value is None else float(value)
