"""Training steps as CUDA graphs: launched once by the processor, replayed by the GPU for every batch.

A step of the networks here is some hundred short kernels, whose launches take longer than their arithmetic. A graph
holds them all: forward, loss, backward, clipping and optimizer, on inputs that always lie in the same place. What
changes from step to step stands outside: the batch is copied in, the learning rate is a number on the device, and the
average of the weights, a launch by itself, follows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import Optimizer

from toolbox.training.step import Forward, OptimizerStep
from toolbox.utils import note

WARM = 3  # batches of one shape in a row that run as they are first: libraries choose kernels, moments are allocated
KEPT = 4  # shapes: --progressive has another in each epoch

Replay = Callable[[], object]
Capture = Callable[[Callable[[], None]], Replay]


def capture_on_cuda(work: Callable[[], None]) -> Replay:
    """Record the kernels of `work` without running them; the result runs them.

    Raises:
        RuntimeError: something in it waits for the device, or cannot be recorded.
    """
    graph, generator = torch.cuda.CUDAGraph(), torch.cuda.default_generators[torch.cuda.current_device()]
    before = generator.clone_state()
    try:
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            work()
    except Exception:
        generator.graphsafe_set_state(before)  # else it would go on to wait for the end of the capture
        raise
    return graph.replay


@dataclass
class Captured:
    """Steps on batches of one shape.

    Attributes:
        inputs, y: the batch, always in the same place.
        replays: by whether the batch is the first of its step, and whether it is the last.
        outputs: of each, logits (B, num_classes) and loss.
        gradients: of the parameters, in the place that the graphs write them to.
    """

    inputs: tuple[Tensor, ...]
    y: Tensor
    replays: dict[tuple[bool, bool], Replay] = field(default_factory=dict)
    outputs: dict[tuple[bool, bool], tuple[Tensor, Tensor]] = field(default_factory=dict)
    gradients: list[Tensor | None] = field(default_factory=list)

    def load(self, inputs: tuple[Tensor, ...], y: Tensor) -> None:
        """Copy a batch in."""
        for place, value in zip((*self.inputs, self.y), (*inputs, y), strict=True):
            place.copy_(value, non_blocking=True)


class GraphedStep:
    """Training steps that are captured once a shape has come a few times, and replayed from then on.

    Uneven batches, and the first of a shape, run as they would without; the weights are the same to the bit.

    Args:
        stepper: steps the optimizer.
        capture: records a function's kernels; see `capture_on_cuda`.
    """

    def __init__(self, stepper: OptimizerStep, capture: Capture = capture_on_cuda) -> None:
        self.stepper = stepper
        self.capture: Capture | None = capture
        self.captured: dict[tuple[torch.Size, ...], Captured] = {}
        self.current: Captured | None = None  # of the step under way, while all its batches were replayed
        self.shape: tuple[torch.Size, ...] = ()
        self.in_a_row = 0
        self.rates: list[Tensor] = []  # of the optimizer's groups, on the device
        self.shown: list[float] = []  # their values

    def __call__(self, forward: Forward, inputs: tuple[Tensor, ...], y: Tensor, last: bool) -> tuple[Tensor, Tensor]:
        """Train on a batch; its logits (B, num_classes) and loss. Arguments as in `OptimizerStep.learn`."""
        shape = tuple(part.shape for part in (*inputs, y))
        self.in_a_row = self.in_a_row + 1 if shape == self.shape else 1
        self.shape = shape
        if self.stepper.waiting == 0:
            self.current = self._find(shape, inputs, y)
        elif self.current is not self.captured.get(shape):
            self.current = None  # the rest of this step runs as it would without; the gradients so far stay
        if self.current is not None:
            try:
                return self._replay(self.current, forward, inputs, y, last)
            except CaptureError as error:
                note(f"steps run without CUDA graphs: {error}")
                self.capture, self.current = None, None
                self.captured.clear()
        return self.stepper.learn(forward, inputs, y, last)

    def _find(self, shape: tuple[torch.Size, ...], inputs: tuple[Tensor, ...], y: Tensor) -> Captured | None:
        """The steps of a shape; None while it has to run as it is."""
        if shape not in self.captured and self.capture is not None and self.in_a_row > WARM:
            if len(self.captured) == KEPT:
                del self.captured[next(iter(self.captured))]
            self.captured[shape] = Captured(tuple(map(torch.empty_like, inputs)), torch.empty_like(y))
        return self.captured.get(shape)

    def _replay(
        self, steps: Captured, forward: Forward, inputs: tuple[Tensor, ...], y: Tensor, last: bool
    ) -> tuple[Tensor, Tensor]:
        stepper = self.stepper
        first, closes = kind = stepper.waiting == 0, stepper.waiting + 1 == stepper.accumulate
        parameters = [p for group in stepper.optimizer.param_groups for p in group["params"]]
        self._show_rates()
        steps.load(inputs, y)
        if kind not in steps.replays:
            assert self.capture is not None
            try:
                steps.replays[kind] = self.capture(lambda: self._work(steps, forward, first, closes))
            except Exception as error:
                raise CaptureError(" ".join(str(error).split())[:160]) from error
            if first:
                steps.gradients = [p.grad for p in parameters]
        if first:
            for parameter, gradient in zip(parameters, steps.gradients, strict=True):
                parameter.grad = gradient  # a batch that ran without had others
        steps.replays[kind]()
        logits, loss = (part.clone() for part in steps.outputs[kind])
        stepper.waiting += 1
        if closes:
            stepper.finish()
        elif last:  # the last group of an epoch may be smaller than the others
            stepper.step()
        return logits, loss

    def _work(self, steps: Captured, forward: Forward, first: bool, closes: bool) -> None:
        """All that is captured: no line here may depend on more than tensors that stay where they are."""
        stepper = self.stepper
        if first:
            stepper.optimizer.zero_grad(set_to_none=True)
        logits, loss = forward(steps.inputs, steps.y)
        loss.backward()
        if closes:
            with capturable(stepper.optimizer):
                stepper.update(stepper.accumulate, self.rates)
        steps.outputs[first, closes] = logits.detach(), loss.detach()

    def _show_rates(self) -> None:
        """Let the device know the learning rates, where they have changed."""
        rates = [float(group["lr"]) for group in self.stepper.optimizer.param_groups]
        if not self.rates:
            device = next(self.stepper.model.parameters()).device
            kind = torch.float32 if device.type == "cuda" else torch.float64
            self.rates = [torch.zeros((), dtype=kind, device=device) for _ in rates]
        if rates != self.shown:
            for place, rate in zip(self.rates, rates, strict=True):
                place.fill_(rate)
            self.shown = rates


class CaptureError(Exception):
    """The steps cannot be captured; nothing was changed."""


@contextlib.contextmanager
def capturable(optimizer: Optimizer) -> Iterator[None]:
    """In this block torch captures the step of `optimizer`, whose state is on the device anyway; not saved."""
    groups = [group for group in optimizer.param_groups if "capturable" in group]
    before = [group["capturable"] for group in groups]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group, value in zip(groups, before, strict=True):
            group["capturable"] = value
