// A job while it runs: how far it is, what it does, and the objective falling.

import { announceSoon } from "../core/announce.js";
import { clear, el, section } from "../core/dom.js";
import { duration, number, percent } from "../core/format.js";
import { finite } from "../math/prediction.js";
import { fallingSpec } from "../charts/specs.js";
import { Chart } from "../charts/vega.js";

const PHASES = {
  starts: "random starts at the coarsest depth", discrete: "training the networks", continuum: "training the continuum", follow_back: "following the limit back to the depths",
  sharpen: "minimising on where errors hide an order", diagnostics: "measuring what converges", evaluation: "evaluating", diagnosis: "measuring the weights", plots: "drawing the plots",
};
const MOST_POINTS = 2000;

/** What a job is doing, in words. */
export function phaseText(progress) {
  const phase = PHASES[progress.phase] ?? progress.phase;
  return progress.model ? `${phase}: ${progress.model}` : phase;
}

export function progressBar(fraction, label) {
  return el("progress", { max: "1", value: String(fraction), "aria-label": label });
}

/** The part of a job's page that lives while the job does. */
export class LiveProgress {
  constructor(signal) {
    this.signal = signal;
    this.rows = [];
    this.seen = -1;
    this.start = null;
    this.line = el("p", {}, "");
    this.bar = progressBar(0, "Progress");
    this.place = el("div");
    this.element = section("Progress", { class: "card" }, this.bar, this.line, this.place);
    this.chart = null;
  }

  update(job) {
    const progress = job.progress;
    if (job.status === "queued") this.#say("Waiting for a worker.");
    else if (job.status === "cancelling") this.#say("The fit is being stopped.");
    else if (progress === null) this.#say("A worker has it; the first iteration is on its way.");
    if (progress === null || progress === undefined) {
      this.bar.removeAttribute("value");
      return;
    }
    this.bar.setAttribute("value", String(progress.fraction));
    const left = finite(progress.eta_s);
    const parts = [percent(progress.fraction), phaseText(progress), left === null ? null : `about ${duration(left)} left`];
    const text = parts.filter(Boolean).join(" · ");
    if (job.status === "running") this.line.textContent = progress.objective === null || progress.objective === undefined ? text : `${text} · E = ${number(progress.objective, 6)}`;
    announceSoon(`${percent(progress.fraction)}, ${phaseText(progress)}`);
    this.#point(job, progress);
  }

  #say(text) {
    if (this.line.textContent !== text) {
      this.line.textContent = text;
      announceSoon(text);
    }
  }

  #point(job, progress) {
    const objective = finite(progress.objective);
    if (objective === null || job.revision === this.seen) return;
    this.seen = job.revision;
    this.start ??= new Date(job.started_at ?? job.updated_at);
    this.rows.push({ x: Math.max(0, (new Date(job.updated_at) - this.start) / 1000), objective, model: progress.model ?? "model" });
    if (this.rows.length > MOST_POINTS) this.rows.splice(0, this.rows.length - MOST_POINTS);
    if (this.rows.length < 2) return;
    this.draw();
  }

  draw() {
    const { rows } = this;
    const log = rows.every((row) => row.objective > 0) && Math.max(...rows.map((row) => row.objective)) > 5 * Math.min(...rows.map((row) => row.objective));
    const description = `${rows.length} readings; from ${number(rows[0].objective)} to ${number(rows.at(-1).objective)}.`;
    if (this.chart === null || this.log !== log) {
      this.log = log;
      this.chart = new Chart({ title: "Objective so far", description, make: (width) => fallingSpec({ rows: this.rows, x: "seconds since it began", log, points: true })(width) });
      clear(this.place).append(this.chart.element);
      this.chart.start(this.signal);
    } else {
      this.chart.describe(description);
      this.chart.replace("falling", rows.map((row) => ({ ...row })));
    }
  }
}
