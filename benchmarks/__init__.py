"""Measurements that go into docs/figures.md; not part of the product."""
