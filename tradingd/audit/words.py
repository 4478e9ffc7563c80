"""Events in plain words, one line each."""

from collections.abc import Callable
from typing import Any

from tradingd import events as e
from tradingd.audit.points import time_text
from tradingd.audit.runs import Names
from tradingd.columns import (
    AGGRESSOR_BUY,
    AGGRESSOR_SELL,
    BAR_CLOSE,
    BAR_OPEN,
    BAR_RANGE,
    FRAME,
    INELIGIBLE,
    QUOTE,
    TIMEFRAMES,
)
from tradingd.grid import grid_of
from tradingd.kernels.calls import PRICES

DONE = {e.Side.BUY: "bought", e.Side.SELL: "sold"}
WISH = {e.Side.BUY: "buy", e.Side.SELL: "sell"}


def in_words(body: e.AnyBody, names: Names) -> str:
    return " ".join(_WORDS[type(body)](body, names).split())


def number(value: float) -> str:
    """The shortest text that is still the number; a price never becomes 1e+06."""
    return f"{value:.12g}"


def _prices(body: e.Signal | e.Decision) -> str:
    named = ((name.replace("_", " "), getattr(body, name)) for name in PRICES)
    return "".join(f", {name} {number(price)}" for name, price in named if price is not None)


# --- inputs -----------------------------------------------------------------------------------------------------------


def _run_started(body: e.RunStarted, _: Names) -> str:
    return f"run {body.epoch} of journal {body.journal_id} started, memory {body.resumed}"


def _run_stopped(body: e.RunStopped, _: Names) -> str:
    return f"the run stopped: {body.reason}"


def _feed_status(body: e.FeedStatus, _: Names) -> str:
    return f"feed {body.feed}: {body.state} {body.detail}"


def _gap(body: e.Gap, names: Names) -> str:
    where = "" if body.instrument is None else f" of {names.instrument(body.instrument)}"
    return f"feed {body.feed} missed {body.missed or 'some'} messages{where}: {body.detail}"


def _input_rejected(body: e.InputRejected, _: Names) -> str:
    return f"feed {body.feed}, {body.where}: {body.reason}: {body.text!r}"


def _funding_rate(body: e.FundingRate, names: Names) -> str:
    return f"feed {body.feed}: funding of {names.instrument(body.instrument)} at {body.rate:.6%}"


def _clock_advanced(_body: e.ClockAdvanced, _: Names) -> str:
    return "nothing arrived, time went on"


def _operator_command(body: e.OperatorCommand, _: Names) -> str:
    return f"{body.actor} says {body.command}" + (f": {body.reason}" if body.reason else "")


def _snapshot_taken(body: e.SnapshotTaken, _: Names) -> str:
    return f"the state after seq {body.at_seq} was written to {body.file}"


def _anchor_status(body: e.AnchorStatus, _: Names) -> str:
    return f"anchor {body.anchor}: {body.state}, {body.text}"


# --- decisions --------------------------------------------------------------------------------------------------------


def _late_tick(body: e.LateTick, names: Names) -> str:
    closed = time_text(body.ts_closed_ns)
    return f"came too late for the bars of {names.instrument(body.instrument)}, closed up to {closed}"


def _signal(body: e.Signal, names: Names) -> str:
    return (
        f"{body.strategy} wants {body.target:+.4g} of its share in {names.instrument(body.instrument)} "
        f"(confidence {body.confidence:.3g}) at a close of {number(body.price)}{_prices(body)}"
    )


def _decision(body: e.Decision, names: Names) -> str:
    what = f"{body.target:+.4g} of equity in {names.instrument(body.instrument)} at {number(body.price)}"
    return f"{what}, voted by {', '.join(body.voters) or 'nobody'} ({body.rule}){_prices(body)}"


# --- orders -----------------------------------------------------------------------------------------------------------


def _order_requested(body: e.OrderRequested, names: Names) -> str:
    prices = (("stop", body.stop_px), ("limit", body.price))
    at = ", ".join(f"{name} {number(price)}" for name, price in prices if price is not None) or "market"
    text = f"{WISH[body.side]} {number(body.quantity)} {names.instrument(body.instrument)}"
    text += f" at {at}, for {body.reason.replace('_', ' ')}"
    text += ", only to reduce" if body.reduce_only else ""
    bracket = [("stop", body.stop_loss), ("take profit", body.take_profit), ("trailing by", body.trail)]
    return text + "".join(f", {name} {number(price)}" for name, price in bracket if price is not None)


def _order_refused(body: e.OrderRefused, names: Names) -> str:
    order = f"{WISH[body.side]} {number(body.quantity)} {names.instrument(body.instrument)}"
    return f"{order}, for {body.reason.replace('_', ' ')}, refused by {body.rule}: {body.text}{_numbers(body)}"


def _numbers(body: e.OrderRefused) -> str:
    known = [(name, getattr(body, name)) for name in ("limit", "value")]
    text = ", ".join(f"{name} {number(value)}" for name, value in known if value is not None)
    return f" ({text})" if text else ""


def _order_accepted(body: e.OrderAccepted, _: Names) -> str:
    return f"the venue has order {body.cl_ord_id}"


def _order_rejected(body: e.OrderRejected, _: Names) -> str:
    return f"the venue rejected order {body.cl_ord_id}: {body.text}"


def _cancel_requested(body: e.CancelRequested, _: Names) -> str:
    return f"order {body.cl_ord_id} is to be cancelled: {body.reason}"


def _order_canceled(body: e.OrderCanceled, _: Names) -> str:
    return f"order {body.cl_ord_id} is cancelled" + (f": {body.text}" if body.text else "")


def _order_expired(body: e.OrderExpired, _: Names) -> str:
    return f"order {body.cl_ord_id} has expired" + (f": {body.text}" if body.text else "")


def _order_filled(body: e.OrderFilled, names: Names) -> str:
    what = f"{DONE[body.side]} {number(body.last_qty)} {names.instrument(body.instrument)} at {number(body.last_px)}"
    left = f"{number(body.leaves_qty)} left" if body.leaves_qty else "filled"
    return f"{what}, {left}, fee {names.instrument_money(body.fee, body.instrument)}, order {body.cl_ord_id}"


# --- money and limits -------------------------------------------------------------------------------------------------


def _position_changed(body: e.PositionChanged, names: Names) -> str:
    lots = grid_of(names.settings.instruments[body.instrument].lot_size)
    realized = f", realised {names.instrument_money(body.realized, body.instrument)}" if body.realized else ""
    cost = f" that cost {names.instrument_money(body.cost, body.instrument)}" if body.lots else ""
    return f"the position in {names.instrument(body.instrument)} is {number(lots.value(body.lots))}{cost}{realized}"


def _account_changed(body: e.AccountChanged, names: Names) -> str:
    change = names.money(body.change, body.currency)
    return f"{body.reason} {change}, which leaves {names.money(body.balance, body.currency)}"


def _halted(body: e.Halted, _: Names) -> str:
    return f"no new exposure, by {body.rule} ({body.by}): {body.text}"


def _resumed(body: e.Resumed, _: Names) -> str:
    return f"new exposure is allowed again by {body.by}" + (f": {body.reason}" if body.reason else "")


def _limit_changed(body: e.LimitChanged, _: Names) -> str:
    return f"{body.by} changed {body.rule} from {body.old} to {body.new}"


def _anomaly(body: e.Anomaly, _: Names) -> str:
    return f"{body.what}: {body.detail}"


def _core_failed(body: e.CoreFailed, _: Names) -> str:
    return f"the core failed, which is a bug: {body.error}"


_WORDS: dict[type[e.Body], Callable[[Any, Names], str]] = {
    e.RunStarted: _run_started,
    e.RunStopped: _run_stopped,
    e.FeedStatus: _feed_status,
    e.Gap: _gap,
    e.InputRejected: _input_rejected,
    e.FundingRate: _funding_rate,
    e.ClockAdvanced: _clock_advanced,
    e.OperatorCommand: _operator_command,
    e.SnapshotTaken: _snapshot_taken,
    e.AnchorStatus: _anchor_status,
    e.LateTick: _late_tick,
    e.Signal: _signal,
    e.Decision: _decision,
    e.OrderRequested: _order_requested,
    e.OrderRefused: _order_refused,
    e.OrderAccepted: _order_accepted,
    e.OrderRejected: _order_rejected,
    e.CancelRequested: _cancel_requested,
    e.OrderCanceled: _order_canceled,
    e.OrderExpired: _order_expired,
    e.OrderFilled: _order_filled,
    e.PositionChanged: _position_changed,
    e.AccountChanged: _account_changed,
    e.Halted: _halted,
    e.Resumed: _resumed,
    e.LimitChanged: _limit_changed,
    e.Anomaly: _anomaly,
    e.CoreFailed: _core_failed,
}


# --- rows of columns --------------------------------------------------------------------------------------------------

Row = dict[str, Any]  # of the journal's table `ticks` or `bars`; an absent number is None


def tick_in_words(row: Row, names: Names) -> str:
    source = names.sources[row["source"]]
    if row["kind"] == FRAME:
        return f"a raw frame of {source}"
    price = _PRICES.get(row["kind"], _trade)(row)
    unfit = " (makes no bar and fills nothing)" if row["flags"] & INELIGIBLE else ""
    return f"{names.instrument(row['instrument'])} from {source}: {price}{unfit}"


def _trade(row: Row) -> str:
    sides = {AGGRESSOR_BUY: ", by a buyer", AGGRESSOR_SELL: ", by a seller"}
    return f"{_level(row['price'], row['size'])}{sides.get(row['flags'] & 3, '')}"


def _quote(row: Row) -> str:
    return f"bid {_level(row['price'], row['size'])}, ask {_level(row['ask_price'], row['ask_size'])}"


def _open(row: Row) -> str:
    return f"a bar opens at {number(row['price'])}"


def _range(row: Row) -> str:
    return f"its low is {number(row['price'])}, its high {number(row['ask_price'])}"


def _close(row: Row) -> str:
    return f"it closes at {number(row['price'])}, volume {number(row['size'])}"


_PRICES = {QUOTE: _quote, BAR_OPEN: _open, BAR_RANGE: _range, BAR_CLOSE: _close}


def _level(price: float | None, size: float | None) -> str:
    if price is None and size is None:
        return "as before"
    return f"{'?' if size is None else number(size)} at {'?' if price is None else number(price)}"


def bar_in_words(row: Row, names: Names) -> str:
    prices = " ".join(number(row[name]) for name in ("open", "high", "low", "close"))
    traded = f", {row['trades']} {'tick' if row['trades'] == 1 else 'ticks'}, volume {number(row['volume'])}"
    which = f"{TIMEFRAMES[row['timeframe']]} bar of {names.instrument(row['instrument'])}"
    return f"{which} from {time_text(row['ts_open_ns'])}: {prices}{traded}"
