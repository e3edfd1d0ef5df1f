from service.awake_clock import AwakeClock

STEP = 1.0


def test_only_what_lies_between_ticks_too_far_apart_is_sleep() -> None:
    now = [100.0]
    clock = AwakeClock(STEP, lambda: now[0])
    now[0] += STEP
    assert clock.tick() == 0.0
    now[0] += 8 + STEP
    assert clock.tick() == 8.0
    assert clock() == 101.0 + STEP
    now[0] += 0.5
    assert clock() == 101.5 + STEP
    assert clock.tick() == 0.0
