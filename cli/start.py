"""tradingd start: the daemon in the foreground."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson, ConfigOption, Overrides
from .output import answer, note


def start(
    config: ConfigOption,
    overrides: Overrides = None,
    journal: Annotated[
        Path | None, typer.Option("--journal", "-j", metavar="FOLDER", help="Use this journal instead of the config's.")
    ] = None,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="Stop when all feeds have come to their end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start the daemon: recover the journal, then trade until Ctrl-C, SIGTERM or `tradingd stop`.

    Example: tradingd start -c configs/demo.toml --until-done
    """
    import msgspec

    from tradingd.config.load import load
    from tradingd.daemon.daemon import Daemon
    from tradingd.daemon.logs import set_up_logs
    from tradingd.daemon.prepare import prepare
    from tradingd.daemon.process import prefer_latency

    given = [f"journal.folder={msgspec.json.encode(str(journal.absolute())).decode()}"] if journal else []
    resolved = load(config, [*(overrides or []), *given])
    set_up_logs(resolved.daemon.log_level)
    note("preparing (the first start compiles its kernels: about half a minute)")
    daemon = Daemon(prepare(resolved, config.absolute().parent), until_done=until_done)
    prefer_latency()
    asyncio.run(daemon.run(lambda: note(f"ready: {resolved.name}, journal {resolved.journal.folder}")))
    status = daemon.final_status()
    lines = [
        f"stopped at seq {status.seq}: {daemon.stop_reason}",
        *(f"{a.currency} {a.balance}, equity {a.equity}" for a in status.accounts),
        f"journal {status.journal}",
    ]
    answer(status, lines, as_json)
