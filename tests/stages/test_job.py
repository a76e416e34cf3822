"""The clock of a run: what it tells while the run goes on."""

from __future__ import annotations

from customer_genome.stages.job import Clock


def test_progress_never_goes_back() -> None:
    told: list[tuple[str, float]] = []
    clock = Clock(lambda stage, fraction, message: told.append((stage, fraction)))
    for stage in ("read", "clean", "facts", "clean", "facts", "score", "publish"):
        with clock.stage(stage, "at work"):
            pass
    assert [stage for stage, _ in told] == ["read", "clean", "facts", "clean", "facts", "score", "publish"]
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert set(clock.seconds) == {"read", "clean", "facts", "score", "publish"}
