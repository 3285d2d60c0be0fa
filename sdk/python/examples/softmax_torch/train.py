#!/usr/bin/python3
"""Softmax regression in PyTorch, on a GPU when there is one.

The model has the tensors weight [features, classes] and bias [classes], so a job can start from the same file as the
built-in trainer `softmax`.
"""

import pathlib
import sys

# The SDK of this checkout; not needed where carnet_trainer is installed.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import torch  # noqa: E402

from carnet_trainer import (  # noqa: E402
    Evaluation,
    Fit,
    TrainerError,
    batches,
    read_csv,
    read_settings,
    serve,
    trainer,
)
from carnet_trainer.pytorch import load_parameters, parameters_of, pick_device  # noqa: E402


class SoftmaxModule(torch.nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(features, classes))
        self.bias = torch.nn.Parameter(torch.zeros(classes))

    def forward(self, x):
        return x @ self.weight + self.bias


@trainer(name="softmax-torch", version="1.0")
class Softmax:
    def start(self, job):
        settings = read_settings(job.settings, required=["learning_rate"], batch_size=0, features_scale=1.0)
        self.learning_rate = settings["learning_rate"]
        self.batch_size = settings["batch_size"]
        self.scale = settings["features_scale"]
        if self.learning_rate <= 0 or self.batch_size < 0:
            raise TrainerError("settings", "expected learning_rate above 0 and batch_size of at least 0")
        shape = job.layout.get("weight", ())
        if len(shape) != 2 or job.layout != {"bias": shape[1:], "weight": shape}:
            raise TrainerError("layout", "expected the tensors weight [features, classes] and bias [classes]")
        self.features, self.classes = shape
        self.device = pick_device(job.device)

    def fit(self, parameters, context):
        torch.manual_seed(context.seed % 2**63)
        model, x, y = self.prepare(parameters, context)
        optimizer = torch.optim.SGD(model.parameters(), lr=self.learning_rate)
        rows = batches(len(x), self.batch_size, context.seed)
        total = 0.0
        for step in range(1, context.steps + 1):
            batch = torch.from_numpy(next(rows)).to(self.device)
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            total += loss.item()
            context.progress(step, loss.item())
        return Fit(parameters_of(model), examples=len(x), metrics={"loss": total / context.steps})

    def evaluate(self, parameters, context):
        model, x, y = self.prepare(parameters, context)
        with torch.no_grad():
            logits = model(x)
            loss = torch.nn.functional.cross_entropy(logits, y).item()
            accuracy = (logits.argmax(dim=1) == y).double().mean().item()
        return Evaluation(examples=len(x), metrics={"loss": loss, "accuracy": accuracy})

    def prepare(self, parameters, context):
        x, y = read_csv(context.data, self.features, self.classes, self.scale)
        model = SoftmaxModule(self.features, self.classes)
        load_parameters(model, parameters)
        return (
            model.to(self.device),
            torch.from_numpy(x).to(device=self.device, dtype=torch.float32),
            torch.from_numpy(y).to(self.device),
        )


if __name__ == "__main__":
    sys.exit(serve(Softmax))
