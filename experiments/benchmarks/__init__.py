"""Timings as ratios: variants side by side, interleaved, in one run. Never a part of the tests."""
