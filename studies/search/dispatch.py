"""Decide which job is sent where and when: every worker busy, and a host for each rerun."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from distributed import Future

from storage.hosts import HostLocks
from studies.search.deadline import Deadline
from studies.search.durations import Durations
from studies.search.reruns import Reruns
from studies.search.rounds import Chain, Round, Work
from studies.workers.cluster import Cluster
from studies.workers.job import Failed, Reply, attempt

SHORT = 2.0
"""Seconds below which one job waits on each worker while another is done: the driver takes
hundredths of a second to send the next one."""


@dataclass
class Dispatch:
    """Sends the jobs of chains to a cluster and takes back what became of them.

    Searches go in the order of the chains to the hosts that have room. A rerun goes to a host that
    does nothing else. A worker that dies takes the job that waits on it along, so one death proves
    nothing. A job with which too many workers died is a suspect: it is done once more while no
    other is, and fails only then. A job of several groups that fails is done once more as well,
    each group by itself.
    """

    cluster: Cluster
    durations: Durations
    locks: HostLocks
    chains: Sequence[Chain]
    before_rerun: Callable[[], None]
    """Called before a rerun is sent: nothing else of this driver may disturb it."""
    deadline: Deadline | None = None
    """Nothing is sent that cannot end by then, and the models go one after the other."""
    in_flight: dict[Future[Any], tuple[Work, str]] = field(default_factory=dict)
    """Jobs that were sent, each with its host."""
    _unsent: list[Work] = field(default_factory=list)
    """Jobs that no host had room for, or that did not reach a worker that trains."""
    _suspects: deque[Work] = field(default_factory=deque)
    _late: set[Round] = field(default_factory=set)
    """Rounds with a job that was too long for the time that was left."""

    def __post_init__(self) -> None:
        self._reruns = Reruns(self.chains, self.locks)
        self._load = Counter[str]()

    @property
    def is_timing(self) -> bool:
        """Whether a rerun is in flight."""
        return any(work.is_rerun for work, _ in self.in_flight.values())

    def waits_for(self) -> str | None:
        """Return what this run waits for, in a sentence; None where it need not wait."""
        if self.in_flight:
            return None
        if not self.cluster.hosts():
            return "The cluster has no workers: this run waits until one joins."
        if not self.locks.waits:
            return None
        return "Another run times its reruns here, or has yet to make room: this one waits."

    def fill(self) -> bool:
        """Send jobs while there is room for them; return whether any is in flight or left."""
        self._drop_late()
        if self._suspects or any(work.deaths for work, _ in self.in_flight.values()):
            if not self.in_flight:
                self._send_suspect()
            return True
        for chain in self.chains:
            if chain.round is not None:
                chain.proceeds()
        self._send_searches()
        self._send_reruns()
        if self.in_flight or self._unsent:
            return True
        return any(chain.proceeds() for chain in self._open())

    def _open(self) -> Sequence[Chain]:
        """Return the chains that may go on: with a deadline, whole models first."""
        if self.deadline is None:
            return self.chains
        chains: list[Chain] = []
        for chain in self.chains:
            is_due = not chain.has_ended and chain.round not in self._late
            if not is_due or not self.deadline.fits(self._next_seconds(chain)):
                continue
            chains.append(chain)
            if not any(chain.searches for chain in chains) and len(self.cluster.hosts()) == 1:
                # Its reruns have the host for themselves, before others search there.
                break
        return chains

    def _next_seconds(self, chain: Chain) -> float | None:
        """Return the seconds of what a chain begins next, None where it is not known yet."""
        if chain.round is None:
            return chain.first_job
        if chain.reruns_left:
            study = chain.round.study
            return self.durations.of(study.model, study.cells()[0].parameters, is_timed=True)
        return None

    def _is_late(self, work: Work) -> bool:
        """Return whether there is a deadline by which a job cannot end."""
        if self.deadline is None:
            return False
        seconds = self._seconds(work)
        if seconds is not None and seconds < SHORT and not work.is_rerun:
            # It may wait for another one on its worker.
            seconds *= 2
        return not self.deadline.fits(seconds)

    def _drop_late(self) -> None:
        late = [work for work in (*self._unsent, *self._suspects) if self._is_late(work)]
        for work in late:
            self._late.add(work.round)
            (self._unsent if work in self._unsent else self._suspects).remove(work)

    def _send_suspect(self) -> None:
        work = self._suspects[0]
        if work.is_rerun:
            hosts = self.cluster.hosts()
            self._reruns.keep(hosts, set(), searches_wait=False, is_sent_again=True)
            host = next(iter(self._free_hosts()), None)
        else:
            host = self._host_for(work)
        if host is not None:
            self._send(self._suspects.popleft(), host)

    def _send_searches(self) -> None:
        while (work := self._next_search()) is not None:
            if self._is_late(work):
                self._late.add(work.round)
                continue
            host = self._host_for(work)
            if host is None:
                self._unsent.insert(0, work)
                return
            self._send(work, host)

    def _next_search(self) -> Work | None:
        for work in self._unsent:
            if not work.is_rerun:
                self._unsent.remove(work)
                return work
        works = (chain.next_search() for chain in self._open())
        return next((work for work in works if work is not None), None)

    def _seconds(self, work: Work) -> float | None:
        job = work.job
        seconds = self.durations.of(job.model, job.parameters, work.is_rerun)
        return None if seconds is None else seconds * len(job.seeds)

    def _host_for(self, work: Work) -> str | None:
        """Return the host with the most room for a job of a search."""
        seconds = self._seconds(work)
        is_short = seconds is None or seconds < SHORT
        hosts = sorted(self.cluster.hosts(), key=lambda host: self._load[host.name] / host.threads)
        for host in hosts:
            most = (2 if is_short else 1) * host.threads
            has_room = host.name not in self._reruns.kept and self._load[host.name] < most
            if has_room and self.locks.join(host.name):
                return host.name
        return None

    def _send_reruns(self) -> None:
        again = [work for work in self._unsent if work.is_rerun]
        if self.deadline is not None:
            self._reruns.chains, self._reruns.take_turns = self._open(), False
        if not again and not self._reruns.are_left:
            return
        searches_wait = len(again) < len(self._unsent)
        hosts = self.cluster.hosts()
        busy = {host for host, jobs in self._load.items() if jobs}
        self._reruns.keep(hosts, busy, searches_wait, bool(again))
        for host in self._free_hosts():
            if again:
                self._unsent.remove(again[-1])
                self._send(again.pop(), host)
            elif (work := self._reruns.next_work(host, hosts)) is not None:
                self._send(work, host)

    def _free_hosts(self) -> list[str]:
        """Return the hosts kept for reruns on which nothing else is going on."""
        kept = sorted(self._reruns.kept)
        return [host for host in kept if not self._load[host] and self.locks.is_alone(host)]

    def _send(self, work: Work, host: str) -> None:
        job = work.job
        if work.is_rerun:
            self.before_rerun()
        deadline = sum(
            self.durations.deadline(job.model, job.parameters, len(part.seeds))
            for part in job.parts()
        )
        self.in_flight[self.cluster.submit(host, attempt, deadline, job)] = work, host
        self._load[host] += 1

    def ended(self, seconds: float) -> list[tuple[Work, list[Reply] | Failed]]:
        """Wait for up to `seconds`; return the jobs that have ended since the last call."""
        ended: list[tuple[Work, list[Reply] | Failed]] = []
        for future, result in self.cluster.finished(seconds):
            work, host = self.in_flight.pop(future)
            self._load[host] -= 1
            if not self._load[host]:
                self.locks.leave(host)
            if result is None:
                (self._suspects if work.deaths else self._unsent).insert(0, work)
            elif not isinstance(result, Failed):
                ended.append((work, result.replies))
            elif not result.deaths:
                parts = work.apart(work.deaths)
                if len(parts) > 1:
                    self._unsent += parts
                else:
                    ended.append((work, result))
            elif not work.deaths:
                self._suspects += work.apart(result.deaths)
            else:
                attempts = work.deaths + result.deaths
                reason = f"{result.reason}, in each of {attempts} attempts"
                ended.append((work, Failed(reason)))
        return ended

    def close(self) -> None:
        """Forget the jobs in flight, and free the hosts."""
        self.cluster.cancel(list(self.in_flight))
        self._reruns.release()
