"""Measurements that anyone can run: `python -m tests.benchmarks`. No test depends on them."""
