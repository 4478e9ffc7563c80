"""The one gate for every order: manual, closing and emergency ones too."""

from tradingd.commands import Approved
from tradingd.events import OrderRefused, OrderRequested
from tradingd.risk.context import RiskContext, is_reducing
from tradingd.risk.rules import RULES, Broken, Rule


def review(order: OrderRequested, context: RiskContext) -> Approved | OrderRefused:
    """The order approved, or the first rule of `RULES` that refuses it."""
    reducing = is_reducing(context, order)
    for rule in RULES:
        if reducing and not rule.binds_reducing:
            continue
        broken = rule.check(order, context)
        if broken:
            return _refusal(order, rule, broken)
    return Approved(order)


def _refusal(order: OrderRequested, rule: Rule, broken: Broken) -> OrderRefused:
    return OrderRefused(
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        rule=rule.name,
        limit=broken.limit,
        value=broken.value,
        text=broken.text,
        reason=order.reason,
    )
