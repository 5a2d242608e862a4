"""toolbox.utils.registry: tables of names that import lazily."""

from __future__ import annotations

import subprocess
import sys

import pytest

from loaders import DATASETS
from models import MODELS
from toolbox.utils import Registry, UserError

REGISTRIES = [DATASETS, MODELS]


def test_registry_imports_nothing_before_it_is_asked() -> None:
    code = (
        "import sys; import loaders, models, toolbox.options; list(models.MODELS)\n"
        "models.MODELS.canonical('cnn1d'); assert 'cnn1d_3' in list(models.MODELS)\n"
        "names = ('torch', 'models.cnn1d', 'toolbox.losses', 'loaders.beats.table')\n"
        "print([name for name in names if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"


def test_registry_looks_up_names_and_aliases() -> None:
    table = Registry("thing", {"pure": "posixpath:join", "splits": "posixpath:split"}, aliases={"p": "pure"})
    assert list(table) == ["pure", "splits"]
    assert len(table) == 2
    assert table["pure"] is table["p"] is __import__("posixpath").join
    assert table.canonical("p") == "pure"
    assert table.canonical("splits") == "splits"


def test_registry_is_a_mapping_that_knows_what_it_has() -> None:
    table = Registry("thing", {"pure": "posixpath:join"}, aliases={"p": "pure"})
    assert "pure" in table
    assert "nothing" not in table
    assert table.get("nothing") is None


def test_registry_says_what_is_known_and_what_is_nearest() -> None:
    table = Registry("thing", {"alpha": "posixpath:join", "beta": "posixpath:split"}, aliases={"gamma": "beta"})
    with pytest.raises(UserError, match=r"^unknown thing 'alpa', did you mean 'alpha'\? known: alpha, beta$"):
        table["alpa"]
    with pytest.raises(UserError, match=r"did you mean 'gamma'\?"):
        table["gama"]
    with pytest.raises(UserError, match=r"^unknown thing 'zzz'[;,:.] known: alpha, beta$"):
        table["zzz"]


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_every_name_and_alias_leads_to_something_callable(registry: Registry) -> None:
    assert len(registry) > 0
    for name in [*registry, *registry.aliases]:
        assert callable(registry[name])
        assert registry.canonical(name) in list(registry)
