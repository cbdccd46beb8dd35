// Puts a report into the page. All text goes in as text: nothing that a token or a row says can become markup.

const MONEY = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR", maximumFractionDigits: 0 });
const SVG = "http://www.w3.org/2000/svg";
const CHART = { width: 480, height: 220, left: 8, bottom: 24, top: 22 };

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
  const { width, height, left, bottom, top } = CHART;
  const step = (width - left) / byMonth.size;
  const highest = Math.max(...byMonth.values());
  const bars = [...byMonth].flatMap(([month, revenue], at) => {
    const tall = ((height - bottom - top) * revenue) / highest;
    const x = left + at * step;
    const middle = x + step * 0.35;
    return [
      shape("rect", { x, y: height - bottom - tall, width: step * 0.7, height: tall, rx: 3 }),
      shape("text", { x: middle, y: height - 6, class: "month" }, month),
      shape("text", { x: middle, y: height - bottom - tall - 6, class: "value" }, `${Math.round(revenue / 1000)}k`),
    ];
  });
  const chart = document.getElementById("chart");
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.replaceChildren(...bars);
}

function drawRows(rows) {
  const key = (row) => JSON.stringify([row.customer, row.product]);
  const margins = sums(rows, key, "margin");
  const lines = [...sums(rows, key, "revenue")].map(([group, revenue]) => {
    const [customer, product] = JSON.parse(group);
    return element("tr", ...[customer, product, MONEY.format(revenue), MONEY.format(margins.get(group))].map((text) => element("td", text)));
  });
  document.getElementById("rows").replaceChildren(...lines);
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
