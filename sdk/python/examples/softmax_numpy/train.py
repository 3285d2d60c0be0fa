#!/usr/bin/python3
"""Softmax regression in numpy: the same numbers as the built-in trainer `softmax`.

The model has the tensors weight [features, classes] and bias [classes].
"""

import pathlib
import sys

# The SDK of this checkout; not needed where carnet_trainer is installed.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import numpy as np  # noqa: E402

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


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@trainer(name="softmax-numpy", version="1.0")
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

    def fit(self, parameters, context):
        x, y = read_csv(context.data, self.features, self.classes, self.scale)
        weight = parameters["weight"].astype(np.float64)
        bias = parameters["bias"].astype(np.float64)
        rows = batches(len(x), self.batch_size, context.seed)
        losses = []
        for step in range(1, context.steps + 1):
            batch = next(rows)
            scores = log_softmax(x[batch] @ weight + bias)
            hits = (np.arange(len(batch)), y[batch])
            losses.append(-scores[hits].mean())
            context.progress(step, losses[-1])
            error = np.exp(scores)
            error[hits] -= 1
            weight -= self.learning_rate * (x[batch].T @ error) / len(batch)
            bias -= self.learning_rate * error.sum(axis=0) / len(batch)
        return Fit({"weight": weight, "bias": bias}, examples=len(x), metrics={"loss": np.mean(losses)})

    def evaluate(self, parameters, context):
        x, y = read_csv(context.data, self.features, self.classes, self.scale)
        scores = log_softmax(x @ parameters["weight"].astype(np.float64) + parameters["bias"])
        loss = -scores[np.arange(len(x)), y].mean()
        accuracy = (scores.argmax(axis=1) == y).mean()
        return Evaluation(examples=len(x), metrics={"loss": loss, "accuracy": accuracy})


if __name__ == "__main__":
    sys.exit(serve(Softmax))
