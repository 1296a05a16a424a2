"""The slider's mathematics, run in the browser, against what the service computes for the same depths."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from tests.page.browser import tab
from tests.page.studies import LINE, MOONS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.service import Service

pytestmark = pytest.mark.e2e

EVERY_ACTIVATION = """async (z) => {
  const { ACTIVATIONS } = await import("./page/math/activations.js");
  return Object.fromEntries(Object.entries(ACTIVATIONS).map(([name, f]) => [name, z.map(f)]));
}"""


@pytest.fixture(scope="module")
def continua(service: Service) -> list[str]:
    """Jobs with a continuum alone: by Euler in Legendre's polynomials; by RK4, two layers, piecewise linear."""
    ids = [service.submit({**spec, "discrete": None}) for spec in (MOONS, LINE)]
    for job_id in ids:
        service.wait_for(job_id, "succeeded", within=120)
    return ids


IN_THE_PAGE = """async ([id, inputs, depths]) => {
  const { ContinuumModel } = await import("./page/math/network.js");
  const job = await (await fetch(`v1/jobs/${id}`)).json();
  const parameters = await (await fetch(`v1/jobs/${id}/results/parameters?model=continuum&grid=5`)).json();
  const model = new ContinuumModel(parameters, job.spec);
  const lifted = inputs.map((input) => model.lift(input));
  return {
    withheld: model.withheld,
    grid: parameters.grid.t.map((t) => [[...model.K.at(t)], parameters.grid.K[parameters.grid.t.indexOf(t)].flat()]),
    networks: depths.map((n) => {
      const states = model.states(n, lifted).map((path) => path.map((state) => [...state]));
      return { states, predictions: states.map((path) => model.predict(path.at(-1))) };
    }),
    flow: model.flow(128, lifted, 2048).map((path) => path.map((state) => [...state])),
  };
}"""


@pytest.mark.parametrize(("index", "inputs"), [(0, [[0.5, -0.25], [1.5, 0.3]]), (1, [[0.2], [1.1], [-0.7]])])
def test_the_sampled_network_is_that_of_the_service(
    browser: Browser, url: str, service: Service, continua: list[str], index: int, inputs: list[list[float]]
) -> None:
    job_id, depths = continua[index], [5, 12]
    evaluation = service.submit(
        {
            "kind": "evaluate",
            "job_id": job_id,
            "models": ["continuum"],
            "depths": depths,
            "data": {"source": "inline", "inputs": inputs},
            "outputs": ["predictions", "states"],
        }
    )
    results = service.wait_for(evaluation, "succeeded")["links"]["results"]
    with tab(browser, url) as watched:
        watched.open("#/new")
        found = watched.page.evaluate(IN_THE_PAGE, [job_id, inputs, depths])
    assert found["withheld"] is None
    for own, theirs in found["grid"]:
        assert own == pytest.approx(theirs, abs=1e-12)
    for n, own in zip(depths, found["networks"], strict=True):
        states = service.client.get(f"{results}/states?model=sampled-{n}").json()["states"]
        for sample, path in enumerate(own["states"]):
            for i, state in enumerate(path):
                assert state == pytest.approx(states[i][sample], abs=1e-9)
        predictions = service.client.get(f"{results}/predictions?model=sampled-{n}").json()["predictions"]
        for mine, theirs in zip(own["predictions"], predictions, strict=True):
            assert mine == pytest.approx(theirs, abs=1e-9)
    flow = service.client.get(f"{results}/states?model=continuum").json()["states"]
    assert found["flow"][0][-1] == pytest.approx(flow[-1][0], abs=1e-9)


def normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


KNOWN: dict[str, Any] = {
    "identity": lambda z: z,
    "tanh": math.tanh,
    "sin": math.sin,
    "relu": lambda z: max(z, 0.0),
    "leaky_relu": lambda z: max(z, 0.01 * z),
    "softplus": lambda z: math.log1p(math.exp(-abs(z))) + max(z, 0.0) - math.log(2.0),
    "silu": lambda z: z / (1.0 + math.exp(-z)),
    "gelu": lambda z: z * normal(z),
    "sigmoid": lambda z: 1.0 / (1.0 + math.exp(-z)),
}


def test_activations_are_those_of_the_mathematics(browser: Browser, url: str) -> None:
    points = [-6.0, -3.6, -2.4, -1.0, -0.1, 0.0, 1e-3, 0.7, 2.0, 3.5, 5.0]
    with tab(browser, url) as watched:
        watched.open("#/new")
        found = watched.page.evaluate(EVERY_ACTIVATION, points)
    assert set(found) == set(KNOWN)
    for name, values in found.items():
        assert values == pytest.approx([KNOWN[name](z) for z in points], rel=1e-12, abs=1e-15), name
