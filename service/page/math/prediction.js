// What the minimum at a depth is expected to be, from the continuum alone: E_n ≈ E_∞ + C₁/n.

/** The expectation at depth n with the error of its slope, and what was trained there; or why there is none. */
export function expectedMinimum(minima, n) {
  const limit = finite(minima?.continuum);
  const slope = finite(minima?.predicted_slope);
  const row = (minima?.depths ?? []).find((one) => one.depth === n);
  const trained = finite(row?.objective);
  if (limit === null || slope === null) {
    const reasons = minima?.withheld ?? {};
    const reason = reasons[limit === null ? "continuum" : "predicted_slope"] ?? "the study has no such prediction";
    return { value: null, error: null, trained, reason };
  }
  const error = finite(minima.predicted_slope_error);
  return { value: limit + slope / n, error: error === null ? null : error / n, trained, reason: null };
}

/** Points of the curve over the depths that are shown. */
export function expectedCurve(minima, depths) {
  return depths.map((n) => ({ depth: n, value: expectedMinimum(minima, n).value })).filter((point) => point.value !== null);
}

/** Depths that a slider steps through: each one at first, then in steps that grow with the depth. */
export function sliderDepths(most) {
  const depths = [];
  for (let n = 2; n <= most; n += n < 32 ? 1 : n < 64 ? 2 : n < 128 ? 4 : 8) depths.push(n);
  return depths;
}

export function finite(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
