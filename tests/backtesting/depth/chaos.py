"""A market maker that does anything that is allowed, out of all that it sees: compiled, and again in plain Python."""

from typing import Any

from tradingd.kernels.depth_book import ask_size, bid_size
from tradingd.strategies.makers.contract import compiled

STATES = ("none", "pending_new", "new", "partially_filled", "filled", "canceled", "rejected", "expired")


@compiled(params={"seed": 1, "calm": 0}, state=lambda p: {"seed": p["seed"]})
def chaos(state: Any, view: Any, params: Any, wanted: Any) -> None:
    own_bid, own_ask = view.own_bid, view.own_ask
    seen = view.position * 7 + int(view.bought * 4.0) + 3 * int(view.sold * 4.0) + int(view.ts_ns % 1000)
    seen += (own_bid.state + 1) * 11 + own_bid.left * 13 + own_bid.ticks + own_bid.lots
    seen += (own_ask.state + 1) * 17 + own_ask.left * 19 + own_ask.ticks + own_ask.lots
    bid, ask = 50, 50
    if view.bid_lots > 0.0:
        bid = view.bid_ticks
        seen += 23 * bid + int(view.bid_lots * 4.0)
        for n in range(-2, 4):
            seen += n * int(4.0 * bid_size(view, bid - n))
    if view.ask_lots > 0.0:
        ask = view.ask_ticks
        seen += 29 * ask + int(view.ask_lots * 4.0)
        for n in range(-2, 4):
            seen += n * int(4.0 * ask_size(view, ask + n))
    state.seed = (state.seed * 1103515245 + seen * 2654435 + 12345) % 2147483648
    luck = state.seed // 8
    if params.calm > 0 and luck % 4 < params.calm:
        return
    luck = luck // 4
    wanted.bid_ticks = bid + luck % 5 - 3
    luck = luck // 5
    wanted.ask_ticks = max(ask - luck % 5 + 3, wanted.bid_ticks + 1)
    luck = luck // 5
    wanted.bid_lots, wanted.ask_lots = luck % 4, luck // 4 % 4
    luck = luck // 16
    wanted.post_only, wanted.requote = luck % 2, luck // 2 % 5 == 0
    luck = luck // 10
    if luck % 6 == 0:
        wanted.take_lots, wanted.take_market = luck // 6 % 9 - 4, luck // 54 % 2
        wanted.take_ticks = bid + luck // 108 % 6 - 2


class Chaos:
    """The same for the reference, from its docstring's point of view: whole numbers, floor division."""

    def __init__(self, seed: int, calm: int) -> None:
        self.seed, self.calm = seed, calm

    def __call__(self, view: dict[str, Any], wanted: dict[str, Any]) -> None:
        book, bid, ask = view["book"], 50, 50
        seen = view["position"] * 7 + int(view["bought"] * 4) + 3 * int(view["sold"] * 4) + view["ts_ns"] % 1000
        for name, by_state, by_left in (("own_bid", 11, 13), ("own_ask", 17, 19)):
            own = view[name]
            seen += STATES.index(own["state"]) * by_state + own["left"] * by_left + own["ticks"] + own["lots"]
        if view["bid_lots"] > 0:
            bid = view["bid_ticks"]
            seen += 23 * bid + int(view["bid_lots"] * 4)
            seen += sum(n * int(4 * book.size("buy", bid - n)) for n in range(-2, 4))
        if view["ask_lots"] > 0:
            ask = view["ask_ticks"]
            seen += 29 * ask + int(view["ask_lots"] * 4)
            seen += sum(n * int(4 * book.size("sell", ask + n)) for n in range(-2, 4))
        self.seed = (self.seed * 1103515245 + seen * 2654435 + 12345) % 2147483648
        luck = self.seed // 8
        if self.calm and luck % 4 < self.calm:
            return
        luck //= 4
        wanted["bid_ticks"] = bid + luck % 5 - 3
        luck //= 5
        wanted["ask_ticks"] = max(ask - luck % 5 + 3, wanted["bid_ticks"] + 1)
        luck //= 5
        wanted["bid_lots"], wanted["ask_lots"] = luck % 4, luck // 4 % 4
        luck //= 16
        wanted["post_only"], wanted["requote"] = luck % 2, luck // 2 % 5 == 0
        luck //= 10
        if luck % 6 == 0:
            wanted["take_lots"], wanted["take_market"] = luck // 6 % 9 - 4, luck // 54 % 2
            wanted["take_ticks"] = bid + luck // 108 % 6 - 2
