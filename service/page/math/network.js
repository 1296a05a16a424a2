// The continuum at any depth n: K and b sampled at i/n, then n steps of the study's own integrator. Nothing is trained.

import { ACTIVATIONS, OUTPUTS } from "./activations.js";
import { Expansion } from "./basis.js";

/** Explicit methods: what a stage is fed (a), its weight (b), and where in the step it reads K and b (c). */
const METHODS = {
  euler: { a: [[]], b: [1], c: [0] },
  midpoint: { a: [[], [0.5]], b: [0, 1], c: [0, 0.5] },
  rk4: { a: [[], [0.5], [0, 0.5], [0, 0, 1]], b: [1 / 6, 1 / 3, 1 / 3, 1 / 6], c: [0, 0.5, 0.5, 1] },
};
const FLOW_STEPS = 256;

export class ContinuumModel {
  /** `parameters` of `GET …/results/parameters?model=continuum`, and the resolved specification of its job. */
  constructor(parameters, spec) {
    const { basis, coefficients } = parameters;
    this.parameters = parameters;
    this.network = spec.network;
    this.K = new Expansion(basis, coefficients.K);
    this.b = new Expansion(basis, coefficients.b);
    this.V = coefficients.V ? new Expansion(basis, coefficients.V) : null;
    this.activation = ACTIVATIONS[spec.network.activation];
    this.output = OUTPUTS[spec.network.output];
    this.width = coefficients.b[0].length;
    this.dimension = parameters.state_dim;
  }

  /** Why this model cannot be run here, or null. */
  get withheld() {
    if (!(this.network.integrator in METHODS))
      return `A layer of this study is a step of ${this.network.integrator}, which solves an equation; this page does not. Evaluate the job with \`depths\` instead.`;
    if (this.activation === undefined || this.output === undefined)
      return "This page is older than the study: it does not know its activation or output.";
    return null;
  }

  /** Standardised inputs (features) as the first state (d), from those of the user. */
  lift(input) {
    const { mean, scale } = this.parameters.standardisation;
    return input.map((value, column) => (mean === null ? value : (value - mean[column]) / scale[column]));
  }

  /** States X_0 … X_n of each input, standardised already, at depth n. */
  states(n, inputs) {
    const at = Array.from({ length: n }, (_, i) => this.#read(i / n));
    const last = at[n - 1];
    const method = METHODS[this.network.integrator];
    // off the nodes a stage reads the line between two of them, and beyond the last its value
    const read = (i, c) => (c === 0 ? at[i] : between(at[i], at[i + 1] ?? last, c));
    return this.#integrate(n, inputs, method, read);
  }

  /** States of the continuum itself at n + 1 equal times, by a fine Runge–Kutta method. */
  flow(n, inputs, steps = FLOW_STEPS) {
    const each = Math.max(1, Math.ceil(steps / n));
    const all = this.#integrate(n * each, inputs, METHODS.rk4, (i, c) => this.#read((i + c) / (n * each)));
    return all.map((states) => states.filter((_, i) => i % each === 0));
  }

  /** h(W X + c) of one state, in the user's units. */
  predict(state) {
    const { W, c, standardisation } = this.parameters;
    const z = c.map((offset, row) => W[row].reduce((sum, weight, column) => sum + weight * state[column], offset));
    const { target_mean: mean, target_scale: scale } = standardisation;
    const h = this.output(z);
    return mean === null || scale === null ? h : h.map((value, i) => value * scale[i] + mean[i]);
  }

  #read(t) {
    return { K: this.K.at(t), b: this.b.at(t), V: this.V === null ? null : this.V.at(t) };
  }

  #integrate(steps, inputs, method, read) {
    const h = (this.network.horizon ?? 1) / steps;
    const layers = Array.from({ length: steps }, (_, i) => method.c.map((c) => read(i, c)));
    return inputs.map((input) => {
      let x = Float64Array.from({ length: this.dimension }, (_, i) => input[i] ?? 0);
      const states = [x];
      for (const stages of layers) {
        const slopes = [];
        stages.forEach((theta, j) => slopes.push(this.#slope(theta, moved(x, slopes, method.a[j], h))));
        x = moved(x, slopes, method.b, h);
        states.push(x);
      }
      return states;
    });
  }

  /** σ(K x + b), or V σ(K x + b). */
  #slope({ K, b, V }, x) {
    const d = this.dimension;
    const inner = Float64Array.from({ length: this.width }, (_, row) => {
      let sum = b[row];
      for (let column = 0; column < d; column += 1) sum += K[row * d + column] * x[column];
      return this.activation(sum);
    });
    if (V === null) return inner;
    return Float64Array.from({ length: d }, (_, row) => {
      let sum = 0;
      for (let column = 0; column < this.width; column += 1) sum += V[row * this.width + column] * inner[column];
      return sum;
    });
  }
}

function moved(x, slopes, weights, h) {
  const next = Float64Array.from(x);
  weights.forEach((weight, j) => {
    if (weight !== 0) for (let i = 0; i < next.length; i += 1) next[i] += h * weight * slopes[j][i];
  });
  return next;
}

function between(one, other, c) {
  const mix = (a, b) => (a === null ? null : a.map((value, i) => value + c * (b[i] - value)));
  return { K: mix(one.K, other.K), b: mix(one.b, other.b), V: mix(one.V, other.V) };
}
