// Regions of decision for two inputs: the sampled network's prediction on a lattice around the samples.

const CELLS = 36;
const REACH = 2.6;

export class Decision {
  /** For models with two inputs that predict classes; null for others. */
  static of(model, samples, names) {
    if (model.parameters.input_dim !== 2 || model.network.output === "identity") return null;
    return new Decision(model, samples, names ?? ["first input", "second input"]);
  }

  constructor(model, samples, names) {
    this.model = model;
    const most = Math.max(REACH, ...samples.inputs.flat().map((value) => 1.15 * Math.abs(value)));
    this.size = (2 * most) / CELLS;
    this.corners = Array.from({ length: CELLS }, (_, i) => -most + i * this.size);
    this.lattice = this.corners.flatMap((x) => this.corners.map((y) => [x + this.size / 2, y + this.size / 2]));
    const outputs = model.parameters.c.length;
    this.binary = outputs <= 2;
    // named as the samples are, which share colours and shapes with the regions
    this.labels = samples.names ?? (outputs === 1 ? ["-1", "1"] : Array.from({ length: outputs }, (_, i) => String(i)));
    this.axes = names.map((name) => `${name}, standardised`);
    this.description = `The class that the sampled network predicts on a lattice of ${CELLS} × ${CELLS} inputs; stronger where it is surer.`;
    this.samples = samples.own ? samples.inputs.map(([x, y], i) => ({ x, y, label: samples.labels[i] ?? "" })) : [];
  }

  /** The cells at depth n. */
  cells(n) {
    const final = this.model.states(n, this.lattice).map((states) => states.at(-1));
    return this.lattice.map(([x, y], i) => {
      const half = this.size / 2;
      return { x: x - half, x2: x + half, y: y - half, y2: y + half, ...this.#decided(this.model.predict(final[i])) };
    });
  }

  #decided(h) {
    if (h.length === 1) return { label: this.labels[h[0] > 0.5 ? 1 : 0], share: Math.max(h[0], 1 - h[0]) };
    const share = Math.max(...h);
    return { label: this.labels[h.indexOf(share)], share };
  }
}
