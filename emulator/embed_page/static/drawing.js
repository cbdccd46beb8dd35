// Puts a report into the page. All text goes in as text: nothing that a token or a row says can become markup.

const MONEY = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR", maximumFractionDigits: 0 });
const SVG = "http://www.w3.org/2000/svg";
const MONTH = new Intl.DateTimeFormat("en-IE", { month: "short", year: "2-digit", timeZone: "UTC" });
const CHART = { width: 520, height: 240, left: 44, bottom: 26, top: 20, bar: 0.62 };
const LINES = 4; // of the chart's grid, above its foot

/** Show the report with its rows, and as whom it was opened. */
export function drawReport(report) {
  document.title = report.name;
  write("name", report.name);
  drawFigures(report.rows);
  drawChart(sums(report.rows, (row) => row.month, "revenue"));
  drawRows(report.rows);
  const identity = report.identity;
  write("username", identity?.username ?? "none");
  write("roles", identity?.roles?.join(", ") || "none");
  write("customData", identity?.customData ?? "none");
  write("access", report.canEdit ? "view and edit" : "view");
  write("expiration", report.expiration);
  show("report");
}

/** How often this page was loaded with a token, and how often that was renewed. */
export function drawCounts(loads, renewals) {
  Object.assign(document.body.dataset, { loads, renewals });
  write("counts", `${loads} / ${renewals}`);
}

/** An error in words, in place of the report. */
export function drawError(error) {
  const title = element("h1", error.message === "TokenExpired" ? "This report has to be opened again" : "This report can't be shown");
  const code = element("p", `${error.message}, ${error.errorCode}`);
  document.getElementById("notice").replaceChildren(title, element("p", error.detailedMessage), code);
  show("notice");
}

function show(id) {
  for (const part of ["report", "notice"]) document.getElementById(part).hidden = part !== id;
}

function drawFigures(rows) {
  const revenue = total(rows, "revenue");
  const margin = total(rows, "margin");
  const customers = new Set(rows.map((row) => row.customer)).size;
  const figures = [["Revenue", MONEY.format(revenue)], ["Margin", MONEY.format(margin)],
    ["Margin in %", `${((100 * margin) / revenue).toFixed(1)} %`], ["Customers", String(customers)]];
  const cards = figures.map(([label, value]) => element("p", element("span", label), element("strong", value)));
  document.getElementById("figures").replaceChildren(...cards);
}

function drawChart(byMonth) {
  const top = ceiling(Math.max(...byMonth.values()));
  const chart = document.getElementById("chart");
  chart.setAttribute("viewBox", `0 0 ${CHART.width} ${CHART.height}`);
  chart.replaceChildren(...gridLines(top), ...bars(byMonth, top));
}

function gridLines(top) {
  return Array.from({ length: LINES + 1 }, (_, at) => (top * at) / LINES).flatMap((value) => {
    const y = heightOf(value, top);
    return [
      shape("line", { x1: CHART.left, x2: CHART.width, y1: y, y2: y }),
      shape("text", { x: CHART.left - 6, y: y + 4, class: "scale" }, thousands(value)),
    ];
  });
}

function bars(byMonth, top) {
  const step = (CHART.width - CHART.left) / byMonth.size;
  return [...byMonth].flatMap(([month, revenue], at) => {
    const middle = CHART.left + step * (at + 0.5);
    const [y, width] = [heightOf(revenue, top), step * CHART.bar];
    return [
      shape("rect", { x: middle - width / 2, y, width, height: heightOf(0, top) - y, rx: 3 }),
      shape("text", { x: middle, y: CHART.height - 8, class: "month" }, MONTH.format(new Date(`${month}-01`))),
      shape("text", { x: middle, y: y - 6, class: "value" }, thousands(revenue)),
    ];
  });
}

/** Where a value lies, from the chart's upper edge. */
function heightOf(value, top) {
  return CHART.height - CHART.bottom - ((CHART.height - CHART.bottom - CHART.top) * value) / top;
}

/** The chart's upper end: so much above the value that the grid's lines stand at round figures. */
function ceiling(value) {
  const unit = 10 ** Math.floor(Math.log10(value / LINES));
  return LINES * unit * [1, 2, 2.5, 5, 10].find((round) => LINES * unit * round >= value);
}

function thousands(value) {
  return value ? `${Math.round(value / 1000)}k` : "0";
}

function drawRows(rows) {
  const key = (row) => JSON.stringify([row.customer, row.product]);
  const margins = sums(rows, key, "margin");
  const lines = [...sums(rows, key, "revenue")].map(([group, revenue]) => line(...JSON.parse(group), revenue, margins.get(group)));
  document.getElementById("rows").replaceChildren(...lines);
  document.getElementById("sum").replaceChildren(line("Total", "", total(rows, "revenue"), total(rows, "margin")));
}

function line(customer, product, revenue, margin) {
  return element("tr", ...[customer, product, MONEY.format(revenue), MONEY.format(margin)].map((text) => element("td", text)));
}

function sums(rows, keyOf, column) {
  const found = new Map();
  for (const row of rows) found.set(keyOf(row), (found.get(keyOf(row)) ?? 0) + row[column]);
  return found;
}

function total(rows, column) {
  return rows.reduce((sum, row) => sum + row[column], 0);
}

function write(id, text) {
  document.getElementById(id).textContent = text;
}

function element(tag, ...content) {
  const made = document.createElement(tag);
  made.append(...content);
  return made;
}

function shape(tag, attributes, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}
