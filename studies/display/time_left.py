"""The time that is left of a run, by what was expected and by the run's own pace."""

import time
from collections.abc import Mapping

from studies.display.words import duration

SECONDS_TO_TRUST = 30.0
"""After so much work as expected, the run's own pace corrects what is expected of the rest."""


class TimeLeft:
    """Wall time of the studies of a run; what nothing is known about is never guessed."""

    def __init__(self, expected: Mapping[str, float | None]) -> None:
        """Expect seconds by the name of the study, None where nothing is known about it yet."""
        self._left = dict(expected)
        self._expected_done = self._elapsed = 0.0
        self._last_trained: float | None = None

    def begin(self, study_name: str, seconds: float | None) -> None:
        """Start a study; `seconds` are expected of it by now, None: what was expected at first."""
        if seconds is not None or study_name not in self._left:
            self._left[study_name] = seconds
        if self._last_trained is None:
            self._last_trained = time.monotonic()

    def trained(
        self, study_name: str, trainings: int, missing: int, seconds_each: float | None
    ) -> None:
        """Count trainings as done, each expected to take `seconds_each`; `missing` are left."""
        now = time.monotonic()
        assert self._last_trained is not None
        if seconds_each is not None:
            if self._left.get(study_name) is None:
                self._left[study_name] = (missing + trainings) * seconds_each
            self.drop(study_name, trainings, seconds_each)
            self._expected_done += trainings * seconds_each
            self._elapsed += now - self._last_trained
        self._last_trained = now
        if missing <= 0:
            # What was expected too much of it is not left.
            self._left[study_name] = 0.0

    def drop(self, study_name: str, trainings: int, seconds_each: float) -> None:
        """Expect no more of trainings that nobody will do."""
        left = self._left.get(study_name)
        if left is not None:
            self._left[study_name] = max(0.0, left - trainings * seconds_each)

    def text(self) -> str:
        """Return what is left of the run, as far as that is known."""
        trust = min(1.0, self._expected_done / SECONDS_TO_TRUST)
        pace = self._elapsed / self._expected_done if self._expected_done else 1.0
        known = [seconds for seconds in self._left.values() if seconds is not None]
        left = sum(known) * (trust * pace + 1 - trust)
        if len(known) == len(self._left):
            return f"{duration(left)} left"
        return f"at least {duration(left)} left" if left else "time not known yet"
