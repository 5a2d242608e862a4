"""Makes loaders/dsp/rpeaks.npz: trains the R-peak network of loaders/dsp/rpeaks.py on DS1 and writes its weights.

python -m benchmarks.train_rpeaks --records-dir DIR --out loaders/dsp/rpeaks.npz
python -m benchmarks.train_rpeaks --records-dir DIR --out folds.npz --folds 4      (cross-validation within DS1)

Both leads of each record are learned from, as recordings of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.common import make_parser, run_program
from loaders.datasets.splits import DS1
from loaders.dsp.rpeaks import DILATIONS, RATE, STRIDE, condition
from loaders.io.wfdb_record import read_wfdb
from toolbox.metrics.ec57 import OTHER, PAIRED

CROP = 10 * RATE  # samples of an example
NEAR, FAR = 0.05, 0.1  # s: up to NEAR from a beat the answer is yes, beyond FAR no, between the two it does not matter
BATCH = 48
NOISE = 0.03  # share of examples that hold no heart at all


class Net(nn.Module):
    """The network of rpeaks.probability without the logistic function: (batch, 1, n) -> (batch, n // STRIDE)."""

    def __init__(self, first: int = 16, width: int = 16) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, first, 15, padding=7, bias=False)
        self.layers = nn.ModuleList(
            nn.Conv1d(width if k else first, width, 5, padding=2 * dilation, dilation=dilation)
            for k, dilation in enumerate(DILATIONS)
        )
        self.last = nn.Conv1d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.max_pool1d(self.first(x).abs(), STRIDE)
        for k, layer in enumerate(self.layers):
            answer = F.relu(layer(hidden))
            hidden = hidden + answer if k else answer
        return self.last(hidden)[:, 0]

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights as loaders.dsp.rpeaks reads them."""
        own = {name: value.numpy() for name, value in self.state_dict().items()}
        out = {"first": own["first.weight"][:, 0].T, "last": own["last.weight"][0, :, 0], "offset": own["last.bias"][0]}
        for k in range(len(self.layers)):
            out |= {f"kernel{k}": own[f"layers.{k}.weight"].transpose(2, 1, 0), f"bias{k}": own[f"layers.{k}.bias"]}
        return out


@dataclass
class Example:
    """One lead: conditioned signal, times of beats in s, and stretches of flutter, where no answer is right."""

    signal: np.ndarray
    beats: np.ndarray
    flutter: list[tuple[float, float]]


def examples(folder: Path, names: list[str]) -> list[Example]:
    """Both leads of the records."""
    out = []
    for name in names:
        record = read_wfdb(folder / name)
        beats = [t for t, s in zip(record.sample, record.symbol, strict=True) if PAIRED.get(s, OTHER) < OTHER]
        edges = {s: record.sample[record.symbol == s] / record.fs for s in "[]"}
        for lead in range(len(record.leads)):
            signal = condition(record.signal[:, lead], record.fs)
            out.append(Example(signal, np.array(beats) / record.fs, list(zip(edges["["], edges["]"], strict=True))))
    return out


def noise(rng: np.random.Generator) -> np.ndarray:
    """(CROP,) of white, pink or red noise as `condition` would give it: a lead that is off."""
    spectrum = np.fft.rfft(rng.standard_normal(CROP + 4 * RATE))
    hertz = np.fft.rfftfreq(CROP + 4 * RATE, 1 / RATE)
    coloured = np.fft.irfft(spectrum / np.maximum(hertz, 0.1) ** rng.uniform(0, 2))
    return condition(coloured / np.abs(coloured).max(), RATE)[4 * RATE :][:CROP]


def crop(example: Example, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten seconds from anywhere, at another pace and height, at times with noise, wander or a step of the gain: the
    signal, the answers and how much each counts."""
    middle = (np.arange(CROP // STRIDE) * STRIDE + STRIDE // 2) / RATE
    if rng.random() < NOISE:
        return noise(rng), np.zeros(len(middle), dtype=np.float32), np.ones(len(middle), dtype=np.float32)
    pace = np.exp(rng.uniform(-0.3, 0.3))
    start = rng.uniform(0, len(example.signal) - CROP * pace - 2)
    at = start + np.arange(CROP) * pace
    whole = at.astype(int)
    part = (at - whole).astype(np.float32)
    x = example.signal[whole] * (1 - part) + example.signal[whole + 1] * part
    x = x * np.float32(np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.5:
        x += np.float32(rng.exponential(0.06)) * rng.standard_normal(CROP).astype(np.float32)
    if rng.random() < 0.3:
        wander = np.cumsum(rng.standard_normal(CROP))
        wander -= np.linspace(wander[0], wander[-1], CROP)
        x += (rng.exponential(0.15) * wander / wander.std()).astype(np.float32)
    if rng.random() < 0.2:
        x[rng.integers(CROP) :] *= np.float32(np.exp(rng.normal(0, 0.4)))

    def here(seconds: np.ndarray) -> np.ndarray:
        return (seconds - start / RATE) / pace

    beats = here(example.beats)
    beats = beats[(beats > -1) & (beats < CROP / RATE + 1)]
    apart = np.abs(middle[:, None] - beats).min(axis=1) if len(beats) else np.full(len(middle), np.inf)
    counts = (apart <= NEAR) | (apart >= FAR)
    for on, off in example.flutter:
        counts &= (middle < here(np.array(on))) | (middle > here(np.array(off)))
    return x, (apart <= NEAR).astype(np.float32), counts.astype(np.float32)


def train(given: list[Example], seed: int, steps: int, rate: float = 4e-3) -> Net:
    """A network trained for `steps` batches."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.2)
    for step in range(steps):
        drawn = [crop(given[rng.integers(len(given))], rng) for _ in range(BATCH)]
        x, y, weight = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
        losses = F.binary_cross_entropy_with_logits(net(x[:, None]), y, reduction="none")
        loss = (losses * weight).sum() / weight.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 200 == 0:
            print(f"step {step + 1}: loss {loss.item():.4f}", flush=True)
    return net


def main() -> None:
    """Train on all of DS1, or on all but each fold in turn."""
    parser = make_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folds", type=int, default=0, help="train once without each k-th record instead of on all")
    args = parser.parse_args()
    torch.set_num_threads(1)
    arrays: dict[str, np.ndarray] = {}
    for fold in range(args.folds or 1):
        names = [name for k, name in enumerate(DS1) if not args.folds or k % args.folds != fold]
        net = train(examples(args.records_dir, names), args.seed + fold, args.steps)
        arrays |= {(f"{fold}/" if args.folds else "") + name: value for name, value in net.arrays().items()}
    halves: dict[str, Any] = {name: value.astype(np.float16) for name, value in arrays.items()}
    np.savez_compressed(args.out, **halves)
    print(f"written {args.out}, {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    run_program(main)
