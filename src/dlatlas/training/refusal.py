"""What is said of a network that cannot be trained: one line that names the model, the place and what to do."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlatlas.errors import AtlasError, UntrainableError
from dlatlas.training.halves import memory_wanted
from dlatlas.training.stack import Stack

ADVICE = {
    "control flow": "it decides by the value of a tensor, which differs from run to run; use torch.where",
    ".item()": "it reads the value of a tensor, which differs from run to run; keep it a tensor, use torch.where",
    "tracing tensor": "it reads the value of a tensor, which differs from step to step; keep it a tensor",
    "random operation": "it draws random numbers, such as those of dropout; allowed: a forward pass without chance",
    "inplace arithmetic": "it changes in place a tensor that the runs share; write x = x + y instead of x += y",
    "in-place": "it changes in place a tensor that the runs share; write x = x + y instead of x += y",
}
"""What torch says when a stack of networks cannot be computed as one -> what that is, and what to do."""


@contextmanager
def of_building(stack: Stack) -> Iterator[None]:
    """Names the model in refusals of what is enclosed; other errors are of a run and pass."""
    try:
        yield
    except UntrainableError as error:
        raise UntrainableError(f"model {stack['model']}: {error}", error.whole) from None


@contextmanager
def of_steps(stack: Stack) -> Iterator[None]:
    """Makes whatever is raised in what is enclosed, but for want of memory, a refusal that names the model."""
    with of_building(stack):
        try:
            yield
        except UntrainableError:
            raise
        except Exception as error:
            if memory_wanted(error) is not None:
                raise
            raise UntrainableError(_words(error)) from error


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, AtlasError):
        return text
    advice = next((words for mark, words in ADVICE.items() if mark in text), None)
    said = advice or f"{type(error).__name__}: {text}"
    return f"{place}: {said}" if (place := _place(error)) else said


def _place(error: Exception) -> str:
    """The innermost line that is neither torch's nor this room's, ``mlp.py, line 48, in forward``; empty if none."""
    here, theirs = Path(__file__).parent, {"torch", "functorch", "pytorch_lightning"}
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        code = frame.f_code
        path = Path(code.co_filename)
        if path.parent != here and not theirs & set(path.parts):
            return f"{path.name}, line {line}, in {code.co_name}"
    return ""
