"use strict";
// The table of trades: sorted by any column, filtered, a page at a time.

const PAGE = 50;
const signed = (form) => (value) => (value > 0 ? "+" : "") + form(value);
const pricesOf = assets.map(({ precision }) => decimals(precision, precision + 2));
const fillPrice = (value, i) => pricesOf[trades.asset[i]](value);
const plain = decimals(0, 10);
const COLUMNS = [
  { key: "number", name: "#", form: String },
  ...(assets.length > 1 ? [{ key: "asset", name: "Instrument", form: (n) => assets[n].name, kind: "text" }] : []),
  { key: "side", name: "Side", form: String, kind: "text" },
  { key: "entry", name: "Entry", form: moment, kind: "text" },
  { key: "entry_price", name: "Entry price", form: fillPrice },
  { key: "exit", name: "Exit", form: moment, kind: "text" },
  { key: "exit_price", name: "Exit price", form: fillPrice },
  { key: "quantity", name: "Quantity", form: plain },
  { key: "profit", name: "Profit, " + report.currency, form: signed(money), tone: true },
  { key: "return", name: "Return", form: signed(percent), tone: true },
  { key: "mae", name: "MAE", form: percent },
  { key: "mfe", name: "MFE", form: percent },
  { key: "bars", name: "Bars", form: plain },
  { key: "fees", name: "Fees", form: money },
  { key: "reason", name: "Exit by", form: (value) => value.replace("_", " "), kind: "text" },
];

trades.number = trades.side.map((_, i) => i + 1);
const table = { sorted: "number", falling: false, page: 0, chosen: null };
const cellText = ({ key, form }, i) => (trades[key][i] === null ? (key === "reason" ? "open" : "–") : form(trades[key][i], i));
let texts = null;

// Made when it is first looked for.
function textOf(i) {
  texts ??= trades.side.map((_, k) => COLUMNS.map((column) => cellText(column, k)).join(" ").toLowerCase());
  return texts[i];
}

function isWanted(i) {
  const [side, reason, result] = ["trade-side", "trade-reason", "trade-result"].map((id) => element(id).value);
  const asset = element("trade-asset").value;
  const words = element("trade-text").value.toLowerCase().trim();
  if (asset && trades.asset[i] !== Number(asset)) return false;
  if (side && trades.side[i] !== side) return false;
  if (reason && (trades.reason[i] ?? "open") !== reason) return false;
  if (result && trades.profit[i] > 0 !== (result === "won")) return false;
  return !words || words.split(/\s*,\s*|\s+/).every((word) => textOf(i).includes(word));
}

// What is not there comes last, whichever way it is sorted.
function compare(a, b) {
  const values = trades[table.sorted];
  const [left, right] = [values[a], values[b]];
  if (left === right) return a - b;
  if (left === null || right === null) return left === null ? 1 : -1;
  return (left < right ? -1 : 1) * (table.falling ? -1 : 1);
}

function showTable() {
  const wanted = trades.number.map((number) => number - 1).filter(isWanted).sort(compare);
  const pages = Math.max(1, Math.ceil(wanted.length / PAGE));
  table.page = Math.min(table.page, pages - 1);
  const rows = wanted.slice(table.page * PAGE, (table.page + 1) * PAGE).map(row);
  element("trade-table").tBodies[0].replaceChildren(...rows);
  element("trade-count").textContent = wanted.length.toLocaleString("en") + " of " + countTrades.toLocaleString("en") + " trades";
  element("trade-page").textContent = "page " + (table.page + 1) + " of " + pages;
  element("trade-before").disabled = table.page === 0;
  element("trade-next").disabled = table.page === pages - 1;
}

function row(i) {
  const made = document.createElement("tr");
  made.className = i === table.chosen ? "chosen" : "";
  made.append(...COLUMNS.map((column) => cell(column, i)));
  made.addEventListener("click", () => choose(i));
  return made;
}

function cell(column, i) {
  const made = document.createElement("td");
  if (column.key === "number") made.append(button(cellText(column, i), "Trade " + (i + 1) + " in the chart"));
  else made.textContent = cellText(column, i);
  made.className = column.tone ? (trades[column.key][i] > 0 ? "win" : "loss") : (column.kind ?? "");
  return made;
}

function button(text, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  if (label) made.setAttribute("aria-label", label);
  return made;
}

function choose(i) {
  table.chosen = i;
  showTable();
  showTrade(i);
}

function sortBy(key) {
  table.falling = table.sorted === key && !table.falling;
  table.sorted = key;
  table.page = 0;
  showHead();
  showTable();
}

function showHead() {
  for (const [i, th] of [...element("trade-table").tHead.rows[0].cells].entries()) {
    const isSorted = COLUMNS[i].key === table.sorted;
    th.setAttribute("aria-sort", !isSorted ? "none" : table.falling ? "descending" : "ascending");
    th.firstChild.textContent = COLUMNS[i].name + (!isSorted ? "" : table.falling ? " ▼" : " ▲");
  }
}

function head(column) {
  const th = document.createElement("th");
  th.scope = "col";
  th.className = column.kind ?? "";
  th.append(button(column.name));
  th.firstChild.addEventListener("click", () => sortBy(column.key));
  return th;
}

function turn(pages) {
  table.page += pages;
  showTable();
}

function again() {
  table.page = 0;
  showTable();
}

element("trade-table").tHead.rows[0].append(...COLUMNS.map(head));
for (const reason of new Set(trades.reason.map((each) => each ?? "open"))) {
  element("trade-reason").append(new Option(reason.replace("_", " "), reason));
}
element("trade-of").hidden = assets.length === 1;
element("trade-asset").append(...assets.map(({ name }, n) => new Option(name, n)));
element("trade-filters").addEventListener("input", again);
element("trade-filters").addEventListener("submit", (event) => event.preventDefault());
element("trade-before").addEventListener("click", () => turn(-1));
element("trade-next").addEventListener("click", () => turn(1));
showHead();
showTable();
