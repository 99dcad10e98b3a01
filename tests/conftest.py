"""What holds for every test: time limits are pytest's, since a busy machine makes any single example slow."""

from hypothesis import HealthCheck, settings

settings.register_profile("isocenter", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("isocenter")
