"""Which hosts are kept free of searches, so that reruns have them for themselves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from storage.hosts import HostLocks
from studies.search.rounds import Chain, Work
from studies.workers.hosts import Host


@dataclass
class Reruns:
    """Spreads the reruns of each model evenly over hosts of one processor model.

    While searches wait for workers, one host at a time is kept for reruns, and none where there is
    only one host. Hosts that no search needs are kept for reruns, too.
    """

    chains: Sequence[Chain]
    """In the order of the models."""
    locks: HostLocks
    kept: set[str] = field(default_factory=set)
    """Names of the hosts to which no search is sent."""
    take_turns: bool = True
    """Whether the models take turns; otherwise the first one goes first."""
    _sent: dict[Chain, Counter[str]] = field(default_factory=dict)

    @property
    def are_left(self) -> bool:
        """Whether reruns can be sent, or hosts are kept for them."""
        return bool(self.kept) or any(chain.reruns_left for chain in self.chains)

    def keep(
        self,
        hosts: Sequence[Host],
        busy: set[str],
        searches_wait: bool,
        is_sent_again: bool = False,
    ) -> None:
        """Decide which hosts to keep.

        `busy` are those with trainings of this driver, `searches_wait` says whether a search has
        trainings that no worker was free for, `is_sent_again` whether a rerun that was sent before
        is to be sent again, to any host.
        """
        alike = self._alike(hosts)
        wanted = [
            name for name in alike
            if is_sent_again or any(self._may_take(chain, name, alike) for chain in self.chains)
        ]  # fmt: skip
        # First those that are kept already, then those with nothing to do.
        wanted.sort(key=lambda name: (name not in self.kept, name in busy))
        if len(hosts) == 1 and any(chain.searches for chain in self.chains):
            wanted = []
        elif searches_wait:
            wanted = wanted[:1]
        else:
            wanted = [name for name in wanted if name in self.kept or name not in busy]
        kept = {name for name in wanted if self.locks.reserve(name)}
        # What goes on there is not to be disturbed.
        occupied = self.kept & busy
        for name in self.kept - kept - occupied:
            self.locks.release(name)
        self.kept = kept | occupied

    def next_work(self, host: str, hosts: Sequence[Host]) -> Work | None:
        """Return the next rerun for a host: the models take turns, seed by seed, or do not."""
        alike = self._alike(hosts)
        may = [chain for chain in self.chains if self._may_take(chain, host, alike)]
        if not may:
            return None
        chain = max(may, key=lambda chain: chain.reruns_left) if self.take_turns else may[0]
        work = chain.next_rerun()
        if work is not None:
            self._sent.setdefault(chain, Counter())[host] += 1
        return work

    def release(self) -> None:
        """Free all hosts."""
        for name in self.kept:
            self.locks.release(name)
        self.kept = set()

    def _alike(self, hosts: Sequence[Host]) -> list[str]:
        """Return the hosts with the processor that most of them have."""
        processors = Counter(host.processor for host in hosts if host.processor is not None)
        if len(hosts) == 1:
            return [hosts[0].name]
        most = processors.most_common(1)[0][0] if processors else ""
        return [host.name for host in hosts if host.processor == most]

    def _may_take(self, chain: Chain, host: str, alike: Sequence[str]) -> bool:
        """Return whether a host may do the next rerun of a chain, so that all end with as many."""
        sent = self._sent.get(chain, Counter())
        share = 1
        while sum(max(0, share - sent[name]) for name in alike) < chain.reruns_left:
            share += 1
        return chain.reruns_left > 0 and host in alike and sent[host] < share
