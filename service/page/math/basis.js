// The continuum's parameters as functions of t in [0, 1], from the coefficients that the service gives out.

/** P_k(2t − 1) for k = 0..degree, by the three-term recurrence. */
export function legendre(t, degree) {
  const x = 2 * t - 1;
  const values = [1, x];
  for (let k = 1; k < degree; k += 1) values.push(((2 * k + 1) * x * values[k] - k * values[k - 1]) / (k + 1));
  return values.slice(0, degree + 1);
}

/** Weights of the coefficients at t, as pairs of index and weight. */
export function weightsAt(basis, t) {
  if (basis.family === "legendre") return legendre(t, basis.degree).map((weight, index) => [index, weight]);
  if (basis.family === "piecewise_linear") {
    const place = t * basis.cells;
    const cell = Math.max(0, Math.min(Math.floor(place), basis.cells - 1));
    return [[cell, 1 - (place - cell)], [cell + 1, place - cell]];
  }
  throw new RangeError(`a basis of ${basis.family} is not known to this page`);
}

/** One array-valued function: coefficients, each nested or flat, become flat arrays once. */
export class Expansion {
  constructor(basis, coefficients) {
    this.basis = basis;
    this.shape = shapeOf(coefficients[0]);
    this.coefficients = coefficients.map((one) => Float64Array.from([one].flat(Infinity)));
  }

  /** The value at t, flat, row by row. */
  at(t) {
    const value = new Float64Array(this.coefficients[0].length);
    for (const [index, weight] of weightsAt(this.basis, t)) {
      const part = this.coefficients[index];
      for (let i = 0; i < value.length; i += 1) value[i] += weight * part[i];
    }
    return value;
  }
}

function shapeOf(value) {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : [];
}
