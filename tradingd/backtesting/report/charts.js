"use strict";
// The charts. What they show lies in `report`, columns of numbers; `showTrade` is what the table of trades calls.

const report = JSON.parse(document.getElementById("data").textContent);
const LWC = LightweightCharts;
const LINES = ["one", "two", "three"];
const MARK_PX = 12; // where a trade has less room, only its entry has a mark
const assets = report.assets;
let repaints = []; // of what is being drawn: the chart of prices is drawn anew for each instrument
const repainted = [repaints];

const element = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const faded = (name) => colour(name) + "33";
const percent = (value) => (value * 100).toFixed(2) + "%";

function decimals(least, most) {
  const form = new Intl.NumberFormat("en", { minimumFractionDigits: least, maximumFractionDigits: most });
  return (value) => form.format(value);
}

function painted(paint) {
  repaints.push(paint);
  paint();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => repainted.flat().forEach((paint) => paint()));

function newChart(id) {
  const place = element(id);
  // the page scrolls under the wheel, a chart zooms where Ctrl is held
  place.addEventListener("wheel", (event) => event.ctrlKey || event.stopPropagation(), { capture: true });
  const chart = LWC.createChart(place, {
    autoSize: true,
    handleScroll: { vertTouchDrag: false },
    layout: { attributionLogo: false, fontFamily: "system-ui, sans-serif", panes: { enableResize: false } },
    timeScale: { timeVisible: report.bar_s < 86400, secondsVisible: report.bar_s < 60, minBarSpacing: 0.02 },
  });
  painted(() => chart.applyOptions(chartColours()));
  return chart;
}

function chartColours() {
  return {
    layout: {
      background: { color: colour("ground") },
      textColor: colour("quiet"),
      panes: { separatorColor: colour("line"), separatorHoverColor: colour("line") },
    },
    grid: { vertLines: { color: colour("raised") }, horzLines: { color: colour("raised") } },
    crosshair: { mode: LWC.CrosshairMode.Normal },
    rightPriceScale: { borderColor: colour("line"), minimumWidth: 76 },
    timeScale: { borderColor: colour("line") },
  };
}

function addLine(chart, tone, options, pane = 0, kind = LWC.LineSeries) {
  const series = chart.addSeries(kind, { lastValueVisible: false, priceLineVisible: false, lineWidth: 2, crosshairMarkerVisible: false, ...options }, pane);
  painted(() => series.applyOptions({ color: colour(tone) }));
  return series;
}

const points = (time, values) =>
  values.flatMap((value, i) => (value === null ? [] : [{ time: time[i], value }]));

// A line that ends and begins again: where it ends, one point that can not be seen has the value that comes next.
function broken(time, values) {
  const made = [];
  for (let i = 0; i < values.length; i++) {
    if (values[i] !== null) made.push({ time: time[i], value: values[i] });
    else if (i > 0 && values[i - 1] !== null) made.push(hidden(time[i], values.slice(i).find((value) => value !== null)));
  }
  return made;
}

const hidden = (time, value) => (value === undefined ? { time } : { time, value, color: "transparent" });

// --- what the cross-hair is at -----------------------------------------------------------------------------------------

function legend(id, chart, time, entries) {
  const at = new Map(time.map((each, i) => [each, i]));
  const parts = entries.map((entry) => legendPart(id, entry));
  const show = (i) => parts.forEach((part, k) => (part.textContent = entries[k].text(i)));
  chart.subscribeCrosshairMove((event) => show(at.get(event.time) ?? time.length - 1));
  show(time.length - 1);
  // so that a line does not wrap, and the chart not jump, where a text gets shorter
  for (const part of parts) part.style.minWidth = part.getBoundingClientRect().width + "px";
}

function legendPart(id, { tone, series }) {
  const part = document.createElement(series ? "button" : "span");
  const text = document.createElement("span");
  if (tone) part.append(keyOf(tone));
  part.append(text);
  if (series) canBeHidden(part, series);
  element(id).append(part);
  return text;
}

function keyOf(tone) {
  const key = document.createElement("i");
  key.style.color = "var(--" + tone + ")";
  return key;
}

function canBeHidden(part, series) {
  part.type = "button";
  part.title = "shows or hides it";
  part.setAttribute("aria-pressed", "true");
  part.addEventListener("click", () => {
    series.applyOptions({ visible: !series.options().visible });
    part.setAttribute("aria-pressed", String(series.options().visible));
  });
}

const said = (name, value, form) => name + " " + (value === null || value === undefined ? "–" : form(value));
const money = decimals(report.money_decimals, report.money_decimals);
const moment = (s) => new Date(s * 1000).toISOString().replace("T", " ").slice(0, report.bar_s >= 86400 ? 10 : report.bar_s >= 60 ? 16 : 19);

// --- price -------------------------------------------------------------------------------------------------------------

const trades = report.trades;
const countTrades = trades.side.length;
const tradesOf = assets.map(() => []); // of each instrument, in the order in which they began
trades.asset.forEach((asset, i) => tradesOf[asset].push(i));
const priceRepaints = [];
repainted.push(priceRepaints);
let shown = 0; // the instrument
let candles, priceChart, candleSeries, markers, way;

function showAsset(n) {
  shown = n;
  priceChart?.remove();
  element("price-legend").replaceChildren();
  element("price-asset").value = n;
  const before = repaints;
  repaints = priceRepaints;
  repaints.length = 0;
  drawPrices(assets[n]);
  repaints.push(showMarkers);
  repaints = before;
}

function drawPrices(asset) {
  const price = decimals(asset.precision, asset.precision);
  candles = asset.candles;
  priceChart = newChart("price-chart");
  candleSeries = addCandles(asset.precision);
  markers = LWC.createSeriesMarkers(candleSeries, []);
  way = addLine(priceChart, "mark", { lineStyle: LWC.LineStyle.Dashed, lineWidth: 2, autoscaleInfoProvider: () => null });
  const drawn = Object.entries(asset.lines).map(([name, values], i) => drawLine(name, values, LINES[i % LINES.length]));
  const rests = Object.entries(asset.protection).map(([name, values]) => drawRest(name, values));
  legend("price-legend", priceChart, candles.time, [
    { text: (i) => moment(candles.time[i]) },
    ...["open", "high", "low", "close"].map((name) => ({ text: (i) => said(name, asset.candles[name][i], price) })),
    ...[...drawn, ...rests].map(({ name, values, tone, series }) => ({ tone, series, text: (i) => said(name, values[i], price) })),
  ]);
  priceChart.timeScale().subscribeVisibleLogicalRangeChange(showMarkersSoon);
  priceChart.timeScale().fitContent();
}

function addCandles(precision) {
  const format = { type: "price", precision, minMove: 10 ** -precision };
  const series = priceChart.addSeries(LWC.CandlestickSeries, { priceFormat: format, priceLineVisible: false });
  painted(() => series.applyOptions(candleColours()));
  series.setData(candles.time.map((time, i) => ({ time, open: candles.open[i], high: candles.high[i], low: candles.low[i], close: candles.close[i] })));
  return series;
}

// Candles that rise are hollow, so that colour is not all that tells them from those that fall.
function candleColours() {
  const [up, down] = [colour("win"), colour("loss")];
  return { upColor: colour("ground"), downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down };
}

function drawLine(name, values, tone) {
  const series = addLine(priceChart, tone, { lineWidth: 1 });
  series.setData(points(candles.time, values));
  return { name, values, tone, series };
}

function drawRest(name, values) {
  const tone = name === "stop" ? "stop" : "take";
  const series = addLine(priceChart, tone, { lineWidth: 1, lineType: LWC.LineType.WithSteps, lineStyle: LWC.LineStyle.Dashed });
  series.setData(broken(candles.time, values));
  return { name: name.replace("_", " "), values, tone, series };
}

// The first of these trades that a candle or one after it belongs to.
function firstTradeFrom(own, candle) {
  let [low, high] = [0, own.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (trades.last[own[middle]] < candle) low = middle + 1;
    else high = middle;
  }
  return low;
}

function tradesBetween(from, to) {
  const [own, found] = [tradesOf[shown], []];
  for (let k = firstTradeFrom(own, from); k < own.length && trades.first[own[k]] <= to; k++) found.push(own[k]);
  return found;
}

function entryMarker(i, size, withText) {
  const isLong = trades.side[i] === "long";
  return {
    time: candles.time[trades.first[i]],
    position: isLong ? "belowBar" : "aboveBar",
    shape: isLong ? "arrowUp" : "arrowDown",
    color: colour("mark"),
    size,
    text: withText ? i + 1 + " " + (trades.profit[i] > 0 ? "+" : "") + percent(trades.return[i]) : "",
  };
}

function exitMarker(i) {
  const won = trades.profit[i] > 0;
  return {
    time: candles.time[trades.last[i]],
    position: "atPriceMiddle",
    price: trades.exit_price[i],
    shape: won ? "circle" : "square",
    color: colour(won ? "win" : "loss"),
    size: 0.6,
  };
}

function showMarkers() {
  const range = priceChart.timeScale().getVisibleLogicalRange() ?? { from: 0, to: candles.time.length };
  const inView = tradesBetween(range.from, range.to);
  const room = element("price-chart").clientWidth / inView.length;
  markers.setMarkers(room < 1 ? [] : inView.flatMap((i) => marksOf(i, room)).sort((a, b) => a.time - b.time));
  element("price-note").textContent = "Trades in view: " + inView.length.toLocaleString("en") + ". " + keyOfMarks(room);
}

function keyOfMarks(room) {
  if (room < 1) return "Zoom in for their marks.";
  return room < MARK_PX ? "Arrow: entry; zoom in for exits." : "Arrow: entry, circle: won, square: lost.";
}

function marksOf(i, room) {
  if (room < MARK_PX) return [entryMarker(i, 0.4, false)];
  const entry = entryMarker(i, 1, room > 90);
  return trades.exit[i] === null ? [entry] : [entry, exitMarker(i)];
}

let markersDue = false;
function showMarkersSoon() {
  if (markersDue) return;
  markersDue = true;
  requestAnimationFrame(() => {
    markersDue = false;
    showMarkers();
  });
}

element("price-whole").addEventListener("click", () => priceChart.timeScale().fitContent());
element("price-of").hidden = assets.length === 1;
element("price-asset").append(...assets.map(({ name }, n) => new Option(name, n)));
element("price-asset").addEventListener("change", (event) => showAsset(Number(event.target.value)));
showAsset(0);

function showTrade(i) {
  if (trades.asset[i] !== shown) showAsset(trades.asset[i]);
  const [first, last] = [trades.first[i], trades.last[i]];
  const around = Math.max(20, last - first);
  priceChart.timeScale().setVisibleLogicalRange({ from: first - around, to: last + around });
  way.setData(wayOf(i, first, last));
  element("price").scrollIntoView({ block: "start" });
}

function wayOf(i, first, last) {
  const end = trades.exit_price[i] ?? candles.close[last];
  if (first === last) return [{ time: candles.time[first], value: trades.entry_price[i] }];
  return [{ time: candles.time[first], value: trades.entry_price[i] }, { time: candles.time[last], value: end }];
}

// --- equity ------------------------------------------------------------------------------------------------------------

const curve = report.curve;
const equityChart = newChart("equity-chart");
const moneyFormat = { type: "custom", formatter: (value) => value.toLocaleString("en", { maximumSignificantDigits: 6 }), minMove: 10 ** -report.money_decimals };
const percentFormat = { type: "custom", formatter: (value) => (value * 100).toLocaleString("en", { maximumFractionDigits: 2 }) + "%", minMove: 0.0001 };
const heldSeries = addLine(equityChart, "held", { lineWidth: 1, priceFormat: moneyFormat });
heldSeries.setData(points(curve.time, curve.held ?? []));
const equitySeries = addLine(equityChart, "mark", { priceFormat: moneyFormat });
equitySeries.setData(points(curve.time, curve.equity));
const begin = equitySeries.createPriceLine({ price: curve.initial, lineStyle: LWC.LineStyle.Dotted, lineWidth: 1, axisLabelVisible: false, title: "" });
painted(() => begin.applyOptions({ color: colour("quiet") }));
addArea(equityChart, "loss", percentFormat, 1).setData(points(curve.time, curve.below));
addArea(equityChart, "three", percentFormat, 2).setData(points(curve.time, curve.exposure));
[4, 1.4, 1.4].forEach((share, i) => equityChart.panes()[i].setStretchFactor(share));

function addArea(chart, tone, priceFormat, pane) {
  const series = chart.addSeries(LWC.BaselineSeries, { baseValue: { type: "price", price: 0 }, lineWidth: 1, priceFormat, priceLineVisible: false, lastValueVisible: false }, pane);
  painted(() => series.applyOptions({
    topLineColor: colour(tone), bottomLineColor: colour(tone),
    topFillColor1: faded(tone), topFillColor2: faded(tone), bottomFillColor1: faded(tone), bottomFillColor2: faded(tone),
  }));
  return series;
}

legend("equity-legend", equityChart, curve.time, [
  { text: (i) => moment(curve.time[i]) },
  { tone: "mark", text: (i) => said("equity", curve.equity[i], money) + " " + report.currency },
  ...(curve.held ? [{ tone: "held", series: heldSeries, text: (i) => said("holding the instrument", curve.held[i], money) }] : []),
  { tone: "loss", text: (i) => said("drawdown", curve.below[i], percent) },
  { tone: "three", text: (i) => said(curve.bars_per_mean > 1 ? "mean exposure" : "exposure", curve.exposure[i], percent) },
]);

const canBeLogarithmic = [...curve.equity, ...(curve.held ?? [])].every((value) => value > 0);
element("equity-log").disabled = !canBeLogarithmic;
if (!canBeLogarithmic) element("equity-note").textContent = "not all of it is above 0, so there is no logarithm";
element("equity-log").addEventListener("click", (event) => {
  const on = event.target.getAttribute("aria-pressed") !== "true";
  event.target.setAttribute("aria-pressed", String(on));
  equityChart.priceScale("right", 0).applyOptions({ mode: on ? LWC.PriceScaleMode.Logarithmic : LWC.PriceScaleMode.Normal });
});
element("equity-whole").addEventListener("click", () => equityChart.timeScale().fitContent());
equityChart.timeScale().fitContent();

// --- rolling -----------------------------------------------------------------------------------------------------------

function showRolling({ time, sharpe, sortino, volatility, beta }) {
  const chart = newChart("rolling-chart");
  chart.applyOptions({ timeScale: { timeVisible: false } });
  const draw = (tone, values, pane, options) => {
    const series = addLine(chart, tone, { lineWidth: 1, ...options }, pane);
    series.setData(broken(time, values));
    return series;
  };
  const sortinoSeries = draw("two", sortino, 0);
  atZero(draw("mark", sharpe, 0));
  draw("one", volatility, 1, { priceFormat: percentFormat });
  const hasBeta = beta.some((value) => value !== null);
  if (hasBeta) atZero(draw("three", beta, 2));
  chart.panes().forEach((pane, i) => pane.setStretchFactor(i === 0 ? 3 : 1.4));
  const ratio = (value) => value.toFixed(2);
  legend("rolling-legend", chart, time, [
    { text: (i) => moment(time[i]).slice(0, 10) },
    { tone: "mark", text: (i) => said("Sharpe", sharpe[i], ratio) },
    { tone: "two", series: sortinoSeries, text: (i) => said("Sortino", sortino[i], ratio) },
    { tone: "one", text: (i) => said("volatility", volatility[i], percent) },
    ...(hasBeta ? [{ tone: "three", text: (i) => said("beta to holding", beta[i], ratio) }] : []),
  ]);
  chart.timeScale().fitContent();
}

function atZero(series) {
  const zero = series.createPriceLine({ price: 0, lineStyle: LWC.LineStyle.Dotted, lineWidth: 1, axisLabelVisible: false, title: "" });
  painted(() => zero.applyOptions({ color: colour("quiet") }));
}

if (report.rolling) showRolling(report.rolling);
else element("rolling-chart").remove();
