"""The plainest market maker: one bid and one ask, at a distance from the touch, with a limit on what it holds."""

from typing import Any

from tradingd.strategies.makers.contract import compiled


@compiled(
    params={"ticks_away": 1, "lots": 1, "position_max": 10, "skew_ticks": 0, "requote": False},
    bounds={
        "ticks_away": (0, 1_000_000),
        "lots": (1, 2**50),
        "position_max": (1, 2**50),
        "skew_ticks": (0, 1_000_000),
    },
)
def touch(state: Any, view: Any, params: Any, wanted: Any) -> None:
    """Quotes `ticks_away` outside of the best bid and ask; no bid at or above `position_max` lots, no ask at or below
    minus that, and nothing while a side of the book is empty.

    Both quotes move down by `skew_ticks` at a position of `position_max`, up at its opposite, and in proportion
    between, rounded down; neither then crosses the other side's best. `requote` cancels and sends at every step.
    """
    wanted.requote = params.requote
    wanted.bid_lots = wanted.ask_lots = 0
    if view.bid_lots == 0.0 or view.ask_lots == 0.0:
        return
    skew = view.position * params.skew_ticks // params.position_max
    wanted.bid_ticks = min(view.bid_ticks - params.ticks_away - skew, view.ask_ticks - 1)
    wanted.ask_ticks = max(view.ask_ticks + params.ticks_away - skew, view.bid_ticks + 1)
    if view.position < params.position_max:
        wanted.bid_lots = params.lots
    if view.position > -params.position_max:
        wanted.ask_lots = params.lots
