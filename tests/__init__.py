"""Tests: packages that mirror the product's, and what several of them need in `support`."""
