"""Helpers for PyTorch models. Imports torch, so import this module only where torch is installed."""

import torch

from .errors import TrainerError


def pick_device(wanted):
    """The torch device for a job's `device`: "auto" takes a GPU when there is one.

    Raises TrainerError: "unsupported" for a device that this machine does not have.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wanted == "cpu" or (wanted.split(":")[0] == "cuda" and torch.cuda.is_available()):
        return torch.device(wanted)
    raise TrainerError("unsupported", "this machine does not have the job's device")


def load_parameters(module, parameters):
    """Copies arrays by name into the module's parameters and floating-point buffers.

    Raises TrainerError: "layout" when names or shapes differ.
    """
    state = _float_state(module)
    if set(state) != set(parameters):
        raise TrainerError("layout", "the model has other parameters than the job")
    with torch.no_grad():
        for name, tensor in state.items():
            values = torch.from_numpy(parameters[name])
            if tensor.shape != values.shape:
                raise TrainerError("layout", f"{name} has another shape than the job's")
            tensor.copy_(values)


def parameters_of(module):
    """The module's parameters and floating-point buffers as float32 arrays by name."""
    return {
        name: tensor.detach().to(device="cpu", dtype=torch.float32).numpy().copy()
        for name, tensor in _float_state(module).items()
    }


def _float_state(module):
    # Counters such as BatchNorm's num_batches_tracked are integers; a job's layout holds floats only.
    return {name: tensor for name, tensor in module.state_dict().items() if tensor.is_floating_point()}
