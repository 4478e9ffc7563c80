"""The one gate for every order: manual, closing and emergency ones too."""

from collections.abc import Sequence
from functools import lru_cache

from tradingd.commands import Approved
from tradingd.events import OrderRefused, OrderRequested
from tradingd.risk.context import RiskContext, is_reducing
from tradingd.risk.rules import RULES, WELL_FORMED, Broken, Rule
from tradingd.risk.settings import RiskSettings


def review(order: OrderRequested, context: RiskContext) -> Approved | OrderRefused:
    """The order approved, or the first rule of `RULES` that refuses it."""
    if broken := WELL_FORMED.check(order, context):  # only a well-formed order can be weighed
        return _refusal(order, WELL_FORMED, broken)
    for rule in _rules_for(order, context):
        if broken := rule.check(order, context):
            return _refusal(order, rule, broken)
    return Approved(order)


def _rules_for(order: OrderRequested, context: RiskContext) -> Sequence[Rule]:
    if context.ledger.limits:  # changed while running
        return [rule for rule in RULES if rule.binds_reducing or not is_reducing(context, order)]
    return _rules_of(context.settings, is_reducing(context, order))


@lru_cache(maxsize=64)
def _rules_of(settings: RiskSettings, reducing: bool) -> Sequence[Rule]:
    """Those that are not switched off."""
    binding = (rule for rule in RULES if rule.binds_reducing or not reducing)
    return tuple(rule for rule in binding if not rule.setting or getattr(settings, rule.setting))


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
