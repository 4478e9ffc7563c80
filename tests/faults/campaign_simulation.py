"""Whole lives of the daemon in memory: core, recovery, encodings, venue; market, disk and operators by the seed.

A second bookkeeper follows each durable commit, each recovered state is compared with what it was before, and the end
with re-execution and with a run without any fault. It has been seen to fail: facts skipped on recovery, effects before
their commit was durable, a commit that was not synced, rows that were not counted, orders submitted twice after a
snapshot and after a warm start, halts dropped, marks of losses forgotten, a limit that looks away, and seven other
faults that were put into the code by hand were each noticed within 170 seeds.
"""

from pathlib import Path

from simulated.audit import Audit
from simulated.checks import check_whole
from simulated.disk import Disk
from simulated.faults import Died, Faults, Kind
from simulated.journal import Reader
from simulated.outside import Outside
from simulated.scenario import Scenario
from simulated.shell import Process, World

from tradingd.core.state import State
from tradingd.daemon.recovery import RecoveryError
from tradingd.events import Resumption

SEEDS = 10_000


class Campaign:
    def __init__(self, folder: Path) -> None:
        pass

    def close(self) -> None:
        pass

    def run(self, seed: int, folder: Path) -> str:
        """Process after process until the feeds are done and the operator has been heard."""
        scenario = Scenario(seed)
        faults = Faults(scenario.plan)
        disk = Disk(faults)
        world = World(scenario, disk, Outside(disk), Audit(), scenario.settings)
        while (state := lived(world)) is None:
            world.reconfigure()
        reader = Reader(disk)
        world.outside.check_seen(reader)
        world.audit.agrees_with(state.ledger)
        warmed = Resumption.WARMED in world.how
        check_whole(reader, disk.log.durable, scenario.market, state, undisturbed=not warmed)
        return "warmed" if warmed else "recovered" if faults.happened else "undisturbed"


def lived(world: World) -> State | None:
    """The state at the end of all; None where the process died or was stopped before."""
    try:
        process = Process(world)
        return process.state if process.run() else None
    except RecoveryError as error:
        raise AssertionError(str(error)) from error
    except Died as died:
        if died.kind is Kind.POWER:
            world.disk.cut_power(world.scenario.rng)
    except OSError:
        pass  # the disk failed while the journal was opened
    return None
