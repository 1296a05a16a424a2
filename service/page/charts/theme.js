// The look of every chart, from the page's own colours, so that light and dark follow the page.

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Colours of series, told apart by people who see few of them; shape or dash says the same once more. */
export const series = () => [1, 2, 3, 4, 5, 6].map((index) => colour(`--series-${index}`));

export const ink = () => colour("--ink");
export const quietInk = () => colour("--ink-quiet");
export const line = () => colour("--line");

export const SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"];
export const DASHES = [[1, 0], [6, 3], [2, 3], [8, 3, 2, 3], [4, 2], [1, 2]];

/** The configuration that every specification is compiled with. */
export function theme() {
  const text = { labelColor: quietInk(), titleColor: ink(), labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500 };
  const font = getComputedStyle(document.body).fontFamily;
  return {
    font,
    axis: { ...text, gridColor: line(), domainColor: line(), tickColor: line(), gridOpacity: 0.7, labelOverlap: true, titlePadding: 8 },
    legend: { ...text, orient: "bottom", direction: "horizontal", columns: 3, symbolStrokeWidth: 2, symbolSize: 80, title: null, labelLimit: 260 },
    header: text,
    title: { color: ink(), fontSize: 13, anchor: "start", fontWeight: 600 },
    text: { color: ink(), fontSize: 12 },
    view: { stroke: null },
    range: { category: series(), symbol: SHAPES },
    line: { strokeWidth: 2 },
    point: { size: 60, filled: true, opacity: 1 },
  };
}
