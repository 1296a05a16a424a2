// Vega-Lite specifications of the page's own charts. Pictures of a finished study come from the service, where it has them.

import { DASHES, ink, quietInk, series, SHAPES } from "./theme.js";

const depthAxis = (depths) => ({
  field: "depth", type: "quantitative", scale: { type: "log", base: 2, nice: false, padding: 14 },
  axis: { title: "depth n", values: depths, format: "d", grid: false },
});

const narrow = (width) => (width < 420 ? 230 : 280);

/** E_n over the depth, one series a job, with the limit and the prediction as lines; rows have `depth, value, what, job`. */
export function minimaSpec({ rows, limits, curve, depths, jobs }) {
  const colour = { field: "job", type: "nominal", scale: { domain: jobs }, legend: jobs.length > 1 ? {} : null };
  return (width) => ({
    width: width - 70,
    height: narrow(width),
    layer: [
      { data: { values: limits }, mark: { type: "rule", strokeDash: [2, 3] }, encoding: { y: { field: "value", type: "quantitative" }, color: colour } },
      { data: { values: curve }, mark: { type: "line", strokeDash: [6, 3], interpolate: "monotone" },
        encoding: { x: depthAxis(depths), y: { field: "value", type: "quantitative" }, color: colour, detail: { field: "job" } } },
      { data: { values: rows }, mark: { type: "point", size: 80 },
        encoding: { x: depthAxis(depths), y: { field: "value", type: "quantitative", title: "minimum E", scale: { zero: false } }, color: colour,
          shape: { field: "job", type: "nominal", scale: { domain: jobs, range: SHAPES }, legend: jobs.length > 1 ? {} : null } } },
      { data: { name: "chosen", values: [] }, mark: { type: "rule", color: quietInk() }, encoding: { x: depthAxis(depths) } },
      { data: { name: "expected", values: [] }, mark: { type: "point", shape: "diamond", size: 140, filled: false, strokeWidth: 2.5, color: ink() },
        encoding: { x: depthAxis(depths), y: { field: "value", type: "quantitative" } } },
    ],
  });
}

/** Quantities that fall like a power of the depth, on two logarithmic axes; rows have `depth, value, job`. */
export function gapSpec({ rows, depths, jobs, title }) {
  return (width) => ({
    width: width - 80,
    height: narrow(width),
    data: { values: rows },
    mark: { type: "line", point: { size: 70 } },
    encoding: {
      x: depthAxis(depths),
      y: { field: "value", type: "quantitative", scale: { type: "log" }, axis: { title, format: ".1~e", tickCount: 5 } },
      color: { field: "job", type: "nominal", scale: { domain: jobs }, legend: jobs.length > 1 ? {} : null },
      shape: { field: "job", type: "nominal", scale: { domain: jobs, range: SHAPES }, legend: jobs.length > 1 ? {} : null },
      strokeDash: { field: "job", type: "nominal", scale: { domain: jobs, range: DASHES }, legend: jobs.length > 1 ? {} : null },
    },
  });
}

/** The objective as it falls, one series a model; rows have `x, objective, model`. */
export function fallingSpec({ rows, x, log, points = false }) {
  return (width) => ({
    width: width - 80,
    height: narrow(width) - 40,
    data: { name: "falling", values: rows },
    mark: { type: "line", interpolate: "linear", point: points ? { size: 18 } : false },
    encoding: {
      x: { field: "x", type: "quantitative", axis: { title: x, grid: false, tickCount: 6, tickMinStep: 1 }, scale: { nice: false } },
      y: { field: "objective", type: "quantitative", scale: log ? { type: "log", nice: false } : { zero: false }, axis: { title: "objective E", tickCount: 5, format: ".3~g" } },
      color: { field: "model", type: "nominal", sort: null, legend: { symbolType: "stroke" } },
      strokeDash: { field: "model", type: "nominal", sort: null, scale: { range: DASHES }, legend: { symbolType: "stroke" } },
    },
  });
}

/** States in the plane of their first two entries, or one entry over time; rows have `x, y, sample, order, group`. */
export function trajectorySpec({ axes, groups }) {
  const x = { field: "x", type: "quantitative", axis: { title: axes[0], grid: false, tickCount: 6 }, scale: { zero: false } };
  const y = { field: "y", type: "quantitative", axis: { title: axes[1], tickCount: 6 }, scale: { zero: false } };
  const colour = groups.length ? { field: "group", type: "nominal", scale: { domain: groups } } : { value: series()[0] };
  const shape = groups.length ? { shape: { field: "group", type: "nominal", scale: { domain: groups, range: SHAPES } } } : {};
  return (width) => ({
    width: width - 70,
    height: narrow(width) + 40,
    layer: [
      { data: { name: "network", values: [] }, mark: { type: "line", strokeWidth: 2 }, encoding: { x, y, order: { field: "order" }, detail: { field: "sample" }, color: colour } },
      { data: { name: "limit", values: [] }, mark: { type: "line", strokeDash: [2, 3], strokeWidth: 1.4, color: ink() },
        encoding: { x, y, order: { field: "order" }, detail: { field: "sample" } } },
      { data: { name: "starts", values: [] }, mark: { type: "point", filled: false, size: 40, strokeWidth: 1.5 }, encoding: { x, y, color: colour, ...shape } },
    ],
  });
}

/** What is decided where, for two inputs; rows have `x, y, share, label`, `x2` and `y2` the far corner of a cell. */
export function decisionSpec({ axes, labels, binary, samples }) {
  const place = (field, title) => ({ field, type: "quantitative", scale: { nice: false, zero: false, round: true }, axis: { title, grid: false } });
  const x = place("x", axes[0]);
  const y = place("y", axes[1]);
  const legend = { symbolOpacity: 1 }; // the same for colour and shape, which are merged into one
  const color = { field: "label", type: "nominal", scale: { domain: labels }, legend };
  const opacity = { field: "share", type: "quantitative", scale: { domain: binary ? [0.5, 1] : [0, 1], range: [0.12, 0.75] }, legend: null };
  const points = { data: { name: "samples", values: [] }, mark: { type: "point", size: 45, stroke: ink(), strokeWidth: 1 }, encoding: { x, y, color, shape: { field: "label", type: "nominal", scale: { domain: labels, range: SHAPES }, legend } } };
  return (width) => ({
    width: Math.min(width - 70, 420),
    height: Math.min(width - 70, 420) * 0.8,
    layer: [
      { data: { name: "cells", values: [] }, mark: { type: "rect" }, encoding: { x, x2: { field: "x2" }, y, y2: { field: "y2" }, color, opacity } },
      ...(samples.length ? [points] : []),
    ],
  });
}
