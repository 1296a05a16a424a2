"""`model.py`: the code of one network, with what it needs and no more, so that it can be read at a sitting."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from service.contract.train.results import LegendreBasis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.export.network import Network

VALUES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "identity": "z",
        "tanh": "torch.tanh(z)",
        "sin": "torch.sin(z)",
        "relu": "torch.relu(z)",
        "leaky_relu": "torch.maximum(z, 0.01 * z)",
        "softplus": "torch.nn.functional.softplus(z, threshold=40.0) - math.log(2.0)",
        "silu": "z * torch.sigmoid(z)",
        "gelu": "z * torch.special.ndtr(z)",
        "sigmoid": "torch.sigmoid(z)",
    }
)
"""σ(z) of each activation."""
SLOPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "identity": "torch.ones_like(z)",
        "tanh": "1.0 - torch.tanh(z) ** 2",
        "sin": "torch.cos(z)",
        "relu": "(z > 0.0).to(z)",
        "leaky_relu": "0.01 + 0.99 * (z > 0.0).to(z)",
        "softplus": "torch.sigmoid(z)",
        "silu": "torch.sigmoid(z) * (1.0 + z * (1.0 - torch.sigmoid(z)))",
        "gelu": "torch.special.ndtr(z) + z * torch.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)",
        "sigmoid": "torch.sigmoid(z) * (1.0 - torch.sigmoid(z))",
    }
)
"""σ'(z), which Newton's method takes in implicit layers."""


def model_code(network: Network) -> str:
    """Return the text of `model.py`. No name that a user gave is in it: names are read with the weights."""
    value, slope = VALUES[network.activation], SLOPES[network.activation]
    implicit = network.integrator == "implicit_euler"
    return str(
        _template().render(
            network=network,
            value=value,
            slope=slope,
            layered="self.K, self.b, self.V" if network.two_layer else "self.K, self.b",
            continuum=network.depth is None,
            legendre=isinstance(network.basis, LegendreBasis),
            implicit=implicit,
            math="math." in value + (slope if implicit else ""),
            left="1.0 / 15.0" if network.smooth else "1.0",
            scaled=network.standardisation.mean is not None,
            restored=network.output == "identity" and network.standardisation.target_mean is not None,
        )
    )


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("service.export"),
        autoescape=False,  # noqa: S701 - Python, of enumerations and numbers
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("model.py.jinja")
