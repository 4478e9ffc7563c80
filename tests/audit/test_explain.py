"""From a fill back to the tick; from an input on to what it caused; and why nothing was traded."""

from pathlib import Path

import pytest
from audited_day import write_day
from small_day import held, journal_of, play, prepared, tell

from tradingd.audit.errors import AuditError
from tradingd.audit.explain import Explanation, explain
from tradingd.audit.points import Position, parse_position
from tradingd.daemon.daemon import Daemon
from tradingd.events import BODY_TYPES, Body, Decision, OrderFilled, OrderRefused, OrderRequested, Signal
from tradingd.journal.reader import JournalReader


def first_of(reader: JournalReader, kind: type[Body], condition: str = "true") -> Position:
    query = f"SELECT seq, n FROM facts WHERE type = '{kind.__name__}' AND {condition} ORDER BY seq, n LIMIT 1"
    return Position(*reader.sql(query).row(0))


def types(found: Explanation) -> list[str]:
    return [step.type for step in found.chain]


def test_a_fill_is_followed_back_to_its_ticks(reader: JournalReader) -> None:
    at = first_of(reader, OrderFilled)
    found = explain(reader, at)
    assert found.answer == "a decision wanted another position"
    assert found.chain[0].position == str(at)
    kinds = types(found)
    wanted = ["OrderFilled", "OrderAccepted", "OrderRequested", "Decision", "Signal", "Bar", "Trade"]
    places = [kinds.index(kind) for kind in wanted[:-1]]
    assert places == sorted(places)
    assert kinds[-2] in ("Trade", "Quote")
    assert [step.link for step in found.chain][-3:] == ["first of it", "last of it", "closed by"]
    positions = [parse_position(step.position) for step in found.chain if step.link != "posted"]
    assert max(positions) == at


def test_the_chain_of_a_fill_names_facts_that_belong_together(reader: JournalReader) -> None:
    at = first_of(reader, OrderFilled)
    steps = {step.type: step for step in explain(reader, at).chain}
    order = parse_position(steps["OrderRequested"].position)
    assert f"{order.seq}-{order.n}" in steps["OrderFilled"].text
    decision, signal = (parse_position(steps[kind].position) for kind in ("Decision", "Signal"))
    assert signal.seq == decision.seq
    assert signal < decision < order


def test_a_fill_of_a_stop_goes_over_the_order_that_it_protects(reader: JournalReader) -> None:
    stops = "cl_ord_id IN (SELECT cl_ord_id FROM order_requested WHERE reason = 'stop_loss' AND parent IS NOT NULL)"
    found = explain(reader, first_of(reader, OrderFilled, stops))
    assert "as its stop loss" in found.answer
    assert types(found).count("OrderRequested") >= 1


def test_a_refusal_names_the_rule_and_its_numbers(reader: JournalReader) -> None:
    found = explain(reader, first_of(reader, OrderRefused))
    assert "the rule max_notional refused the order; the limit is 26000, it would have been" in found.answer
    kinds = types(found)
    assert kinds.index("Decision") < kinds.index("Signal") < kinds.index("Bar")


def test_a_decision_says_what_became_of_it(reader: JournalReader) -> None:
    answers = [explain(reader, Position(*row)).answer for row in decisions(reader)]
    assert any(answer == "it was traded" for answer in answers)
    assert any("the rule max_notional refused" in answer for answer in answers)
    assert any("the target is still" in answer for answer in answers)


def decisions(reader: JournalReader) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = reader.sql("SELECT seq, n FROM decision ORDER BY seq, n LIMIT 60").rows()
    return found


def test_a_bar_without_an_order_says_why(reader: JournalReader) -> None:
    quiet = (
        "SELECT seq, n FROM bars WHERE timeframe = 0 AND seq NOT IN (SELECT seq FROM signal) ORDER BY seq DESC LIMIT 1"
    )
    found = explain(reader, Position(*reader.sql(quiet).row(0)))
    assert found.answer == "nothing was traded: cross saw it and wanted nothing else than before"
    assert "still" in [step.link for step in found.chain]
    unused = (
        "SELECT seq, n FROM bars WHERE timeframe = 1 AND instrument = 1 AND seq NOT IN (SELECT seq FROM signal) LIMIT 1"
    )
    assert "coin saw it" in explain(reader, Position(*reader.sql(unused).row(0))).answer


def test_a_bar_that_moved_a_strategy_leads_to_its_signal(reader: JournalReader) -> None:
    at = first_of(reader, Signal)
    bar = next(step for step in explain(reader, at).chain if step.type == "Bar")
    found = explain(reader, parse_position(bar.position))
    assert found.answer == "it changed what a strategy wants"
    assert str(at) in [step.position for step in found.chain]


def test_an_input_tells_all_that_it_caused(reader: JournalReader) -> None:
    at = first_of(reader, Decision)
    found = explain(reader, Position(at.seq))
    caused = [step.position for step in found.chain[1:]]
    assert str(at) in caused
    assert caused == sorted(caused, key=parse_position)
    quiet = reader.sql("SELECT max(seq) FROM ticks WHERE seq NOT IN (SELECT seq FROM bars UNION SELECT seq FROM facts)")
    assert explain(reader, Position(quiet.item())).answer.startswith("it caused nothing")


@pytest.mark.parametrize("kind", sorted(BODY_TYPES))
def test_every_type_of_event_has_an_explanation(kind: str, reader: JournalReader) -> None:
    rows = reader.sql(f"SELECT seq, n FROM facts WHERE type = '{kind}' ORDER BY seq DESC, n LIMIT 1").rows()
    for row in rows:
        found = explain(reader, Position(*row))
        assert found.answer
        assert found.chain[0].type == kind


def test_an_event_that_there_is_not_is_refused(reader: JournalReader) -> None:
    at = first_of(reader, OrderRequested)
    with pytest.raises(AuditError, match=rf"there is no event {at.seq}\.99: input {at.seq} caused {at.seq}\.1 to"):
        explain(reader, Position(at.seq, 99))
    with pytest.raises(AuditError, match="there is no input 999999"):
        explain(reader, Position(999_999))


def test_an_order_of_an_operator_leads_to_the_operator(tmp_path: Path) -> None:
    p, feed = held(prepared(write_day(tmp_path)), 15)

    async def flatten(daemon: Daemon) -> None:
        await feed.reached[15].wait()
        await tell(daemon, "flatten", "enough")
        feed.let_go[15].set()

    play(p, flatten)
    with JournalReader.open(journal_of(tmp_path / "small.toml")) as reader:
        order = first_of(reader, OrderRequested, "(payload->>'reason') = 'flatten'")
        found = explain(reader, order)
    assert found.answer == "the order was for flatten"
    assert "says flatten: enough" in found.chain[-1].text
