"use strict";

const { report, schemas } = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const EXPOSURES = {
  tool: "Tool", used: "Composite or resource", reachable: "Reachable", excluded: "Excluded", undecided: "Undecided",
};
const RISKS = { read: "Read", write: "Write", destructive: "Destructive" };
const tokens = new Map(report.tools.map((tool) => [tool.name, tool.tokens]));
const number = (value) => value.toLocaleString("en-US");

// An element with properties and children. Texts become text nodes: nothing of the specs is read as HTML.
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key in made && !key.startsWith("aria")) made[key] = value; else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

function tag(text, kind = "") { return element("span", { className: `tag ${kind}` }, text); }

function risk(value) { return value ? tag(RISKS[value], value) : element("span", { className: "muted" }, "–"); }

function exposure(value) {
  const made = element("span", { className: "dot" }, EXPOSURES[value]);
  made.style.setProperty("--fill", `var(--${value})`);
  return made;
}

function figures() {
  const { total } = report;
  const share = (count) => `${Math.round((count * 100) / Math.max(1, total.operations))} % of the API`;
  const extra = report.operations.filter((operation) => operation.undocumented).length;
  const rows = [
    ["Operations", total.operations, extra ? `and ${extra} that the specs lack` : "in the specs"],
    ["Exposed", total.exposed, share(total.exposed)],
    ["Reachable", total.reachable, share(total.reachable)],
    ["Excluded", total.excluded, share(total.excluded)],
    ["Undecided", total.undecided, total.undecided ? "decide them" : "all are decided"],
    ["Tools", total.tools, `${number(total.tokens)} tokens in ${report.toolsets.length} toolsets`],
    ["Prompts", total.prompts, "each listed where its tools can be called"],
  ];
  byId("figures").append(...rows.map(([name, value, note]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, number(value), element("small", {}, note)))));
  const bad = report.findings.length > 0;
  byId("findings").append(element("div", { className: `verdict ${bad ? "bad" : "good"}` },
    bad ? `${number(report.findings.length)} finding(s) to mend:` : "Nothing to mend: no lint finding, no missing reason, nothing undecided.",
    bad && element("ul", {}, ...report.findings.slice(0, 50).map((finding) => element("li", {}, finding)))));
}

// The operations of one area in a treemap block, as rectangles in order of exposure.
function drawMap() {
  const map = byId("map");
  const held = document.activeElement?.dataset?.area;
  const areas = new Map();
  for (const operation of report.operations) {
    if (!areas.has(operation.area)) areas.set(operation.area, []);
    areas.get(operation.area).push(operation);
  }
  const order = Object.keys(EXPOSURES);
  const items = [...areas].map(([area, operations]) => ({ area, operations, weight: operations.length }));
  const { width, height } = map.getBoundingClientRect();
  map.replaceChildren();
  for (const { item, x, y, width: wide, height: high } of squarify(items, 0, 0, width, height)) {
    const counts = order.map((kind) => [kind, item.operations.filter((operation) => operation.exposure === kind).length]);
    const told = counts.filter(([, count]) => count > 0).map(([kind, count]) => `${count} ${EXPOSURES[kind].toLowerCase()}`);
    const block = element("button", {
      type: "button", className: "block",
      "aria-label": `${item.area}: ${item.operations.length} operations, ${told.join(", ")}`,
      "aria-pressed": String(byId("area").value === item.area),
    });
    block.dataset.area = item.area;
    Object.assign(block.style, { left: `${x}px`, top: `${y}px`, width: `${wide}px`, height: `${high}px` });
    const head = high > 44 && wide > 46 ? 18 : 2;
    const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    drawing.setAttribute("aria-hidden", "true");
    const sorted = item.operations.slice().sort((one, other) => order.indexOf(one.exposure) - order.indexOf(other.exposure));
    cells(sorted.length, wide - 6, high - head - 4).forEach((cell, index) => {
      const shape = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const size = { x: cell.x + 3.5, y: cell.y + head, width: Math.max(1, cell.width - 1), height: Math.max(1, cell.height - 1), rx: 1.5 };
      for (const [key, value] of Object.entries(size)) shape.setAttribute(key, value.toFixed(1));
      shape.setAttribute("class", `f-${sorted[index].exposure}`);
      const name = document.createElementNS("http://www.w3.org/2000/svg", "title");
      name.textContent = sorted[index].id;
      shape.append(name);
      drawing.append(shape);
    });
    block.append(drawing);
    if (head > 2) block.append(element("span", { "aria-hidden": "true" }, item.area, element("b", {}, String(item.operations.length))));
    block.addEventListener("click", () => {
      const area = byId("area");
      area.value = area.value === item.area ? "" : item.area;
      selectTab(byId("tab-operations"));
      filterOperations();
    });
    map.append(block);
    if (held === item.area) block.focus();
  }
}

function drawLegend() {
  byId("legend").append(...Object.entries(EXPOSURES).filter(([kind]) => kind !== "undecided" || report.total.undecided > 0).map(([kind, name]) => {
    const mark = element("i", { "aria-hidden": "true" });
    mark.style.setProperty("--fill", `var(--${kind})`);
    return element("li", {}, mark, name);
  }));
}

// The schema behind a type: what is inside lists and maps, where it has a name.
function nameIn(type) {
  let inner = type;
  for (let again = true; again;) {
    again = false;
    if (inner.startsWith("[") && inner.endsWith("]")) { inner = inner.slice(1, -1); again = true; }
    if (inner.startsWith("map(") && inner.endsWith(")")) { inner = inner.slice(4, -1); again = true; }
  }
  return Object.hasOwn(schemas, inner) ? inner : null;
}

function field(name, type, required, place) {
  const shown = type.length > 160 ? `${type.slice(0, 160)} …` : type;
  const text = [name && element("span", {}, name), name && ": ", element("span", { className: "muted" }, shown),
    required && element("span", { className: "muted" }, " required"), place && element("span", { className: "muted" }, ` in ${place}`)];
  const schema = nameIn(type);
  if (!schema || schemas[schema].length === 0) return element("li", { title: type }, ...text);
  const details = element("details", {}, element("summary", {}, ...text));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(fields(schemas[schema]));
  });
  return element("li", {}, details);
}

function fields(list) {
  return element("ul", { className: "fields" }, ...list.map(([name, type, required]) => field(name, type, required)));
}

function fact(title, ...children) {
  return element("div", {}, element("h3", {}, title), ...children);
}

// A paragraph in which what stands between backticks is code.
function paragraph(text) {
  return element("p", {}, ...text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part)));
}

function operationDetail(operation) {
  const takes = operation.takes.map(([name, place, type, required]) => field(name || "content", type, required, place));
  const tags = [
    risk(operation.risk), tag(operation.account ? "account level" : "workspace level"), operation.paged && tag("paged"),
    operation.deprecated && tag("deprecated"), operation.undocumented && tag("not in the specs"), operation.default && tag("default profile"),
    operation.toolset && tag(`toolset ${operation.toolset}`),
  ];
  const tools = operation.tools.map((name) => report.tools.find((tool) => tool.name === name)).filter(Boolean);
  // The description of a composite is about more than this operation.
  const text = operation.reason ?? operation.summary ?? (operation.exposure === "tool" ? tools[0]?.description : null);
  const hints = (tool) => Object.entries(tool.annotations ?? {}).filter(([, value]) => value === true).map(([key]) => key.replace("Hint", ""));
  return element("div", { className: "facts" },
    element("div", { className: "wide" },
      element("p", {}, element("code", {}, `${operation.method} ${operation.path}`)),
      text && paragraph(operation.reason ? `Excluded: ${text}` : text),
      operation.because && paragraph(`Classed as read because: ${operation.because}`),
      element("div", { className: "tags" }, ...tags)),
    fact("Takes", takes.length ? element("ul", { className: "fields" }, ...takes) : paragraph("Nothing.")),
    fact("Gives", operation.gives ? element("ul", { className: "fields" }, field("", operation.gives, false)) : paragraph("Nothing.")),
    (tools.length > 0 || operation.resource) && element("div", { className: "wide" }, element("h3", {}, "Called by"),
      element("ul", {}, ...tools.map((tool) => element("li", {}, element("code", {}, tool.name), ` ${number(tool.tokens)} tokens, ${tool.risk}; annotations: ${hints(tool).join(", ") || "none"}`)),
        operation.resource && element("li", {}, "resource ", element("code", {}, operation.resource)))));
}

function toolDetail(tool) {
  const list = (title, values) => values.length > 0 && fact(title, element("ul", { className: "fields" }, ...values.map((value) => element("li", {}, value))));
  const hints = Object.entries(tool.annotations ?? {}).filter(([key]) => key.endsWith("Hint"));
  return element("div", { className: "facts" },
    element("div", { className: "wide" }, paragraph(tool.description),
      tool.because && paragraph(`Classed as read because: ${tool.because}`),
      element("div", { className: "tags" }, ...hints.map(([key, value]) => tag(`${key.replace("Hint", "")}: ${value}`)), tool.guarded && tag("guards itself"), tool.confirm && tag(`asks: ${tool.confirm}`))),
    list("Operations", tool.operations), list("Other names", tool.aliases), list("Hidden parameters", tool.hidden),
    list("Fixed values", tool.fixed.map(([name, value]) => `${name} = ${value}`)), list("Arguments cut by depth", tool.cut));
}

// A row whose first cell has a button that shows more below the row.
function expandable(id, name, cells, detail) {
  const button = element("button", { type: "button", className: "open", "aria-expanded": "false" }, ...name);
  const row = element("tr", {}, element("td", {}, button), ...cells);
  let more = null;
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    if (!more) {
      more = element("tr", { className: "detail", id }, element("td", { colSpan: cells.length + 1 }, detail()));
      button.setAttribute("aria-controls", id);
      row.after(more);
    }
    more.hidden = !open;
  });
  return { row, hide(hidden) {
    row.hidden = hidden;
    if (more) more.hidden = hidden || button.getAttribute("aria-expanded") !== "true";
  } };
}

const cell = (...children) => element("td", {}, ...children);
const count = (value) => element("td", { className: "number" }, value ? number(value) : "–");
let operationRows = [];
let toolRows = [];

function drawOperations() {
  operationRows = report.operations.map((operation, index) => {
    const [area, ...rest] = operation.id.split(".");
    const cost = operation.exposure === "tool" ? tokens.get(operation.tools[0]) : 0;
    const callers = operation.tools.slice(0, 2).join(", ") + (operation.tools.length > 2 ? ` and ${operation.tools.length - 2} more` : "");
    const made = expandable(`operation-${index}`, [element("span", {}, element("em", {}, `${area}.`), rest.join("."))], [
      cell(element("span", { className: "method" }, operation.method)), cell(exposure(operation.exposure)), cell(risk(operation.risk)),
      cell(element("span", { className: callers ? "id" : "muted" }, callers || (operation.exposure === "reachable" ? "executors" : "–"))), count(cost),
    ], () => operationDetail(operation));
    const words = [operation.id, operation.path, ...operation.tools, operation.reason, operation.summary, operation.resource];
    return { ...made, operation, words: words.filter(Boolean).join(" ").toLowerCase() };
  });
  document.querySelector("#operations tbody").append(...operationRows.map(({ row }) => row));
}

function drawTools() {
  toolRows = report.tools.map((tool, index) => {
    const made = expandable(`tool-${index}`, [element("span", {}, tool.name)], [
      cell(tool.toolset, tool.default && " ", tool.default && tag("default")), cell(risk(tool.risk)), count(tool.operations.length), count(tool.tokens),
    ], () => toolDetail(tool));
    return { ...made, tool, words: [tool.name, tool.title, tool.description, ...tool.aliases].join(" ").toLowerCase() };
  });
  document.querySelector("#tools tbody").append(...toolRows.map(({ row }) => row));
}

const terms = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

function filterOperations() {
  const asked = terms(byId("search").value);
  const wanted = Object.fromEntries(["area", "exposure", "risk", "method"].map((key) => [key, byId(key).value]));
  let found = 0;
  for (const entry of operationRows) {
    const matches = Object.entries(wanted).every(([key, value]) => !value || (entry.operation[key] ?? "none") === value)
      && asked.every((term) => entry.words.includes(term));
    entry.hide(!matches);
    found += matches;
  }
  byId("count").textContent = `${number(found)} of ${number(operationRows.length)} operations`;
  byId("none").hidden = found > 0;
  for (const block of byId("map").children) block.setAttribute("aria-pressed", String(block.dataset.area === wanted.area));
}

function filterTools() {
  const asked = terms(byId("tool-search").value);
  const toolset = byId("tool-toolset").value, wanted = byId("tool-risk").value;
  let found = 0, cost = 0;
  for (const entry of toolRows) {
    const matches = (!toolset || entry.tool.toolset === toolset) && (!wanted || entry.tool.risk === wanted) && asked.every((term) => entry.words.includes(term));
    entry.hide(!matches);
    if (matches) { found += 1; cost += entry.tool.tokens; }
  }
  byId("tool-count").textContent = `${number(found)} of ${number(toolRows.length)} tools, ${number(cost)} tokens`;
}

function options(id, values, all) {
  byId(id).append(element("option", { value: "" }, all), ...values.map(([value, name]) => element("option", { value }, name)));
}

// Columns of numbers begin behind the texts.
function table(name, heads, rows, texts = 2) {
  return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `${name}, scrolls sideways` }, element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map((head, index) => element("th", { scope: "col", className: index >= texts ? "number" : "" }, head)))),
    element("tbody", {}, ...rows)));
}

function drawGroups() {
  const row = (group) => {
    const { counts } = group;
    const chart = element("div", { className: "bar-chart", role: "img", "aria-label": `${counts.read} read, ${counts.write} write, ${counts.destructive} destructive` });
    for (const kind of Object.keys(RISKS)) {
      const part = element("i");
      part.style.setProperty("--fill", `var(--${kind})`);
      part.style.flexGrow = String(counts[kind]);
      chart.append(part);
    }
    return element("tr", {}, cell(element("span", { className: "id" }, group.name), " ", group.default && tag("default")), cell(chart),
      ...[counts.tools, counts.tokens, counts.operations, counts.exposed, counts.reachable, counts.excluded, counts.read, counts.write, counts.destructive].map(count));
  };
  const heads = ["Name", "By risk", "Tools", "Tokens", "Operations", "Exposed", "Reachable", "Excluded", "Read", "Write", "Destructive"];
  byId("view-groups").append(element("h3", { className: "sub" }, "Presets"), table("Presets", heads, report.presets.map(row)),
    element("h3", { className: "sub" }, "Toolsets"), table("Toolsets", heads, report.toolsets.map(row)));
}

function drawPrompts() {
  const names = (values) => element("td", { className: "id" }, values.join(", "));
  const rows = report.prompts.map((prompt) => element("tr", {}, element("td", { className: "id", title: prompt.description }, prompt.name),
    names(prompt.tools), names(prompt.optional), names(prompt.embeds), element("td", { className: "number" }, number(prompt.tokens))));
  byId("view-prompts").append(
    element("p", { className: "hint" }, "A prompt is listed where each tool that it needs can be called. What it embeds is read when it is asked for."),
    table("Prompts", ["Prompt", "Needs", "Names besides", "Embeds", "Tokens"], rows, 4));
}

function drawPairs() {
  const plain = (values) => element("tr", {}, ...values.map((value, index) => element("td", { className: index > 1 ? "number" : "id" }, value)));
  const shaped = report.tools.filter((tool) => tool.cut.length || tool.fixed.length);
  byId("view-pairs").append(
    element("h3", { className: "sub" }, "Pairs that a search may confuse"),
    element("p", { className: "hint" }, "How well the words of one tool find the other, in hundredths of how well they find the tool itself."),
    table("Pairs", ["Tool", "Other", "Likeness"], report.confusable.map((pair) => plain([pair.tool, pair.other, `${pair.score} %`]))),
    element("h3", { className: "sub" }, "Schemas cut by depth, and fixed values"),
    table("Cut schemas", ["Tool", "Cut arguments and fixed values"], shaped.map((tool) => element("tr", {}, element("td", { className: "id" }, tool.name),
      element("td", { className: "id" }, [...tool.cut.map((name) => `${name} …`), ...tool.fixed.map(([name, value]) => `${name} = ${value}`)].join(", "))))));
}

function selectTab(tab) {
  for (const other of document.querySelectorAll("[role=tab]")) {
    const selected = other === tab;
    other.setAttribute("aria-selected", String(selected));
    other.tabIndex = selected ? 0 : -1;
    byId(other.getAttribute("aria-controls")).hidden = !selected;
  }
}

function listen() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => selectTab(tab));
    tab.addEventListener("keydown", (event) => {
      const moves = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 };
      if (!(event.key in moves)) return;
      event.preventDefault();
      const next = tabs[(moves[event.key] + tabs.length) % tabs.length];
      selectTab(next);
      next.focus();
    });
  });
  for (const [id, filter] of [["filters", filterOperations], ["tool-filters", filterTools]]) {
    byId(id).addEventListener("input", filter);
    byId(id).addEventListener("submit", (event) => event.preventDefault());
    byId(id).addEventListener("reset", () => setTimeout(filter));
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    selectTab(byId("tab-operations"));
    byId("search").focus();
  });
  const themes = { auto: "Auto", light: "Light", dark: "Dark" };
  byId("theme").addEventListener("click", () => {
    const names = Object.keys(themes);
    const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
    document.documentElement.dataset.theme = next;
    byId("theme-name").textContent = themes[next];
    byId("theme").setAttribute("aria-label", `Color theme: ${next === "auto" ? "automatic" : next}`);
  });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (width !== innerWidth) { width = innerWidth; requestAnimationFrame(drawMap); }
  });
}

const named = (values) => [...new Set(values)].sort().map((value) => [value, value]);
options("area", named(report.operations.map((operation) => operation.area)), "All areas");
options("exposure", Object.entries(EXPOSURES), "All");
options("risk", [...Object.entries(RISKS), ["none", "None"]], "All");
options("method", named(report.operations.map((operation) => operation.method)), "All");
options("tool-toolset", named(report.tools.map((tool) => tool.toolset)), "All toolsets");
options("tool-risk", Object.entries(RISKS), "All");
figures();
drawLegend();
drawOperations();
drawTools();
drawGroups();
drawPrompts();
drawPairs();
drawMap();
listen();
filterOperations();
filterTools();
