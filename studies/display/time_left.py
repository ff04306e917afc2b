"""The time that is left of a run, by what was expected and by the run's own pace."""

import time
from collections.abc import Mapping

from studies.display.words import duration

SECONDS_TO_TRUST = 30.0
"""After so much work as expected, the run's own pace corrects what is expected of the rest."""


class TimeLeft:
    """Wall time of the studies to come; what nothing is known about is never guessed."""

    def __init__(self, expected: Mapping[str, float | None]) -> None:
        """Expect seconds by the name of the study, None where nothing is known about it yet."""
        self._later = dict(expected)
        self._expected_done = self._elapsed = 0.0

    def begin(self, study_name: str, seconds: float | None) -> None:
        """Start a study; `seconds` are expected of it by now, None: what was expected at first."""
        planned = self._later.pop(study_name, None)
        self._left = planned if seconds is None else seconds
        self._trained = 0
        self._began = self._last_trained = time.monotonic()

    def trained(self, trainings: int, seconds_each: float | None) -> None:
        """Count trainings as done, each expected to take `seconds_each`."""
        now = time.monotonic()
        self._trained += trainings
        if seconds_each is not None:
            self.drop(trainings, seconds_each)
            self._expected_done += trainings * seconds_each
            self._elapsed += now - self._last_trained
        self._last_trained = now

    def drop(self, trainings: int, seconds_each: float) -> None:
        """Expect no more of trainings that nobody will do."""
        if self._left is not None:
            self._left = max(0.0, self._left - trainings * seconds_each)

    def text(self, missing: int) -> str:
        """Return what is left of the run, else of its study, of which trainings are `missing`."""
        trust = min(1.0, self._expected_done / SECONDS_TO_TRUST)
        pace = self._elapsed / self._expected_done if self._expected_done else 1.0
        correction = trust * pace + 1 - trust
        if self._left is not None:
            left = self._left * correction
        elif self._trained:
            left = (time.monotonic() - self._began) / self._trained * missing
        else:
            return "time not known yet"
        later = [seconds for seconds in self._later.values() if seconds is not None]
        if len(later) < len(self._later):
            return f"{duration(left)} left of this stage"
        return f"{duration(left + sum(later) * correction)} left"
