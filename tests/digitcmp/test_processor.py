"""On which processors matrix products lag behind convolutions."""

import platform
from pathlib import Path

import pytest
import torch

from digitcmp.stack.processor import matrix_products_lag


@pytest.mark.parametrize(
    ("vectors", "vendor", "lag"),
    [
        ("AVX2", "AuthenticAMD", False),
        ("AVX512", "AuthenticAMD", True),
        ("AVX512", "GenuineIntel", False),
        ("DEFAULT", "", False),
    ],
)
def test_only_with_amds_wide_vectors(
    vectors: str, vendor: str, lag: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: vectors)
    monkeypatch.setattr(Path, "read_text", lambda path: f"processor: 0\nvendor_id: {vendor}\n")
    assert matrix_products_lag.__wrapped__() == lag


@pytest.mark.parametrize(("processor", "lag"), [("AMD64 AuthenticAMD", True), ("Intel64", False)])
def test_without_linux(processor: str, lag: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: Path) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(platform, "processor", lambda: processor)
    assert matrix_products_lag.__wrapped__() == lag
