"""A first study without the service: how a network of growing depth tends to its differential equation.

The problem is known answer C of docs/mathematics.md: two samples, one state, everything trained.
"""

from deeplimit.mathematics import ContinuumOptions, Problem, Regularisation, Training, train

problem = Problem(
    inputs=[[1.0], [-1.0]],
    targets=[[2.0], [-2.0]],
    activation="tanh",
    loss="squared_error",
    regularisation=Regularisation(alpha={"K": 0.05, "b": 0.05, "W": 0.1, "c": 0.1}),
)
result = train(
    problem,
    depths=(8, 16, 32, 64),
    continuum=ContinuumOptions(tolerance=1e-9),
    training=Training(gradient_tolerance=1e-9, starts=4),
)
minima = result.diagnostics.minima

print("  n           E_n        gap      n·gap  predicted by depth n alone")
for row in minima.depths:
    print(f"{row.depth:3d}  {row.objective:.10f}  {row.gap:.3e}  {row.slope:.7f}  {row.predicted_slope:.7f}")
print(f"  ∞  {minima.continuum:.10f}                       {minima.predicted_slope:.7f}")

print("\nThe weights of the deepest network beside the continuum's:")
branch = result.study.verdict_branch
discrete = branch.points[64].parameters
for layer in (0, 32, 63):
    K, _ = branch.continuum.parameters.sample(problem.tensor([layer / 64]))
    print(f"  K_{layer:<2d} = {float(discrete.K[layer]):.6f}   K({layer / 64:.3f}) = {float(K):.6f}")

print("\nWhat can be said of it:")
for statement in result.diagnostics.verdict.statements:
    print("  *", statement)
