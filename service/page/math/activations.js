// The activations σ, componentwise, to double precision; names as in a specification.

const LEAK = 0.01;

function sigmoid(z) {
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}

/** erfc(x): the Maclaurin series near 0, a continued fraction beyond (Abramowitz and Stegun 7.1.6, 7.1.14). */
export function erfc(x) {
  const size = Math.abs(x);
  let value;
  if (size < 2.5) {
    let term = size;
    let sum = size;
    for (let k = 1; Math.abs(term) > 1e-18 * Math.abs(sum); k += 1) {
      term *= (2 * size * size) / (2 * k + 1);
      sum += term;
      if (k > 200) break;
    }
    value = 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-size * size) * sum;
  } else {
    let fraction = size;
    for (let k = 120; k >= 1; k -= 1) fraction = size + k / 2 / fraction;
    value = Math.exp(-size * size) / (Math.sqrt(Math.PI) * fraction);
  }
  return x < 0 ? 2 - value : value;
}

export const ACTIVATIONS = {
  identity: (z) => z,
  tanh: Math.tanh,
  sin: Math.sin,
  relu: (z) => Math.max(z, 0),
  leaky_relu: (z) => Math.max(z, LEAK * z),
  softplus: (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - Math.LN2, // vanishes at 0
  silu: (z) => z * sigmoid(z),
  gelu: (z) => z * 0.5 * erfc(-z / Math.SQRT2),
  sigmoid,
};

/** The outputs h of z = W X + c: class probabilities, the probability of 1, or the number itself. */
export const OUTPUTS = {
  identity: (z) => [...z],
  softmax: (z) => {
    const top = Math.max(...z);
    const parts = z.map((one) => Math.exp(one - top));
    const sum = parts.reduce((a, b) => a + b, 0);
    return parts.map((part) => part / sum);
  },
  logistic: (z) => z.map(sigmoid),
};
