"""What the world outside of the process has been told: no crash takes it back."""

from simulated.disk import Disk
from simulated.journal import Reader
from simulated.stored import entries, size_of

from tradingd.commit import Commit
from tradingd.events import Event, OperatorCommand, OrderRequested
from tradingd.journal.head import Head


class Outside:
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.told: dict[str, int] = {}  # seq of acknowledged commands by name
        self._heads: dict[int, bytes] = {}
        self._seen: dict[tuple[int, int], Event] = {}
        self._orders: dict[str, OrderRequested] = {}
        self._durable_bytes = self._durable_seq = 0

    def perform(self, commit: Commit) -> None:
        """Effects of facts that have to be on the disk by now, whatever happens to the machine."""
        assert commit.last_seq <= self._durable(), "effects of a commit that is not durable"
        for event in commit.events:
            assert (event.seq, event.n) not in self._seen, f"told twice: {event}"
            self._seen[event.seq, event.n] = event
            if isinstance(event.body, OrderRequested):
                known = self._orders.setdefault(event.body.cl_ord_id, event.body)
                assert known == event.body, f"sent under one id: {known} and {event.body}"

    def _durable(self) -> int:
        """The newest seq that would be there if the power went now."""
        new = list(entries(self._disk.log.durable[self._durable_bytes :]))
        self._durable_bytes += size_of(iter(new))
        self._durable_seq = new[-1][0].last_seq if new else self._durable_seq
        return self._durable_seq

    def acknowledge(self, head: Head, commit: Commit) -> None:
        self._heads[head.commit_no] = head.digest
        for event in commit.events:
            if isinstance(event.body, OperatorCommand):
                self.told[event.body.reason] = event.seq

    def check_kept(self, reader: Reader) -> None:
        """What was acknowledged is in the journal as it was."""
        found = reader.digests()
        lost = [number for number, digest in self._heads.items() if found.get(number) != digest]
        assert not lost, f"commits {lost} were acknowledged, and are missing or others"

    def check_seen(self, reader: Reader) -> None:
        """Nothing was told that is not in the journal."""
        self.check_kept(reader)
        events = {(event.seq, event.n): event for commit in reader.recorded() for event in commit.events}
        for place, event in self._seen.items():
            assert events.get(place) == event, f"told outside, and not in the journal: {event}"
        for name, seq in self.told.items():
            body = events[seq, 0].body
            assert isinstance(body, OperatorCommand) and body.reason == name, f"{name} is not at seq {seq}"
