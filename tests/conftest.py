"""Data that many tests share, made once a session: small, synthetic, offline."""

import signal

from toolbox.utils import tune_process

tune_process()  # as commander does, before anything imports torch
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; tests send Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from loaders.beats.input_spec import InputSpec  # noqa: E402
from loaders.beats.segment_record import rows_of  # noqa: E402
from loaders.beats.table import Beats  # noqa: E402
from loaders.datasets.build import kaggle_files  # noqa: E402
from loaders.sources.kaggle_csv import FILES  # noqa: E402
from loaders.sources.synthetic import synthesize  # noqa: E402

SMALL = ["--synthetic-patients", "4", "--synthetic-minutes", "4"]
ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT.parent / "shared" / "mitdb"

needs_records = pytest.mark.skipif(
    not RECORDS.is_dir(), reason="needs the MIT-BIH records in ../shared/mitdb beside the checkout"
)


@pytest.fixture(scope="session")
def beats() -> dict[str, Beats]:
    """Synthetic rows of four patients, split as --dataset synthetic splits them."""
    return kaggle_files(Beats.join(rows_of(record, InputSpec()) for record in synthesize(4, 4, 0)), seed=0)


@pytest.fixture(scope="session")
def shared_root(tmp_path_factory: pytest.TempPathFactory, beats: dict[str, Beats]) -> Path:
    """A ROOT whose ecg folder holds CSV files like Kaggle's, of synthetic rows. Tests link to it, none writes to it."""
    root = tmp_path_factory.mktemp("shared")
    (root / "ecg").mkdir()
    for split, name in FILES.items():
        table = np.concatenate([beats[split].x, beats[split].y[:, None]], axis=1)
        np.savetxt(root / "ecg" / name, table, fmt="%.18e", delimiter=",")
    return root


@pytest.fixture
def root(tmp_path: Path, shared_root: Path) -> Path:
    """A ROOT of one's own, with CSV files for --dataset ecg."""
    (tmp_path / "ecg").mkdir()
    for name in FILES.values():
        (tmp_path / "ecg" / name).symlink_to(shared_root / "ecg" / name)
    return tmp_path


@pytest.fixture
def blank_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save figures as empty files: drawing takes most of a small run's time. For tests that look at something else."""
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **_: file.write(b""))


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as docs/api.md and the examples expect it: a run and its export, recordings of WFDB and CSV."""
    from tests.made import make_workplace

    return make_workplace(tmp_path_factory.mktemp("workplace"))
