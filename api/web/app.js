// The page at /: it places an order and shows its saga from the events of GET /orders/{id}/events.
"use strict";

const $ = (id) => document.getElementById(id);

// make returns an element with text and attributes. The text never becomes markup.
function make(name, text = "", attributes = {}) {
  const e = document.createElement(name);
  e.textContent = text;
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  return e;
}

// ---- the API ---------------------------------------------------------------------------------------------------------

function headers(more = {}) {
  return token() ? { ...more, Authorization: "Bearer " + token() } : more;
}

// token is the pasted token, without the word Bearer.
const token = () => $("token")?.value.trim().replace(/^bearer\s+/i, "") ?? "";

// call returns the response and its body. It throws a problem (RFC 9457) unchanged.
async function call(method, path, body, more = {}) {
  if (body !== undefined) more = { ...more, "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(path, { method, headers: headers(more), body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw { title: "No response", detail: "The API cannot be reached. It is safe to send the same order again under the same key." };
  }
  const json = await response.json().catch(() => ({ title: "Unreadable response", status: response.status }));
  if (!response.ok) throw json;
  return { response, json };
}

// events calls on({event, data}) for each server-sent event of an order, until the event "end" or until signal is aborted.
// It uses fetch because EventSource cannot send a token. It resumes a broken connection where it broke.
async function events(order, on, signal) {
  let last = "", wait = 2000;
  while (!signal.aborted) {
    try {
      const more = last ? { "Last-Event-ID": last } : {};
      const response = await fetch(`/orders/${order}/events`, { headers: headers({ ...more, Accept: "text/event-stream" }), signal });
      if (!response.ok) {
        const problem = await response.json();
        if (response.status < 500 && response.status !== 429) throw Object.assign(problem, { final: true });
        throw problem;
      }
      for await (const block of blocks(response.body)) {
        const e = parse(block);
        if (e.retry) wait = e.retry;
        if (e.id) last = e.id;
        if (!e.data) continue;
        on({ event: e.event, data: JSON.parse(e.data) });
        if (e.event === "end") return;
      }
    } catch (e) {
      if (signal.aborted) return;
      if (e.final) throw e;
      say("The connection broke. Reconnecting.");
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

// blocks yields the events of a stream. Blank lines separate them.
async function* blocks(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r", "");
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) yield text.slice(0, end);
  }
}

function parse(block) {
  const e = { event: "message", data: "" };
  for (const line of block.split("\n")) {
    const [, name, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
    if (name === "data") e.data += value;
    else if (name === "retry") e.retry = Number(value);
    else if (name) e[name] = value;
  }
  return e;
}

// decimals are those of ISO 4217, by currency. The browser's own differ for some (HUF).
const decimals = JSON.parse(document.body.dataset.decimals);

function money({ amount, currency }) {
  const digits = decimals[currency];
  const format = { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat("en", format).format(amount / 10 ** digits);
}

// ---- the form --------------------------------------------------------------------------------------------------------

// The gateway's test payment methods, as Stripe documents them.
const methods = [
  ["pm_card_visa", "Visa", "succeeds"],
  ["pm_card_chargeDeclined", "Declined", "for no given reason"],
  ["pm_card_chargeDeclinedInsufficientFunds", "Insufficient funds", "declined"],
  ["pm_card_chargeDeclinedExpiredCard", "Expired card", "declined"],
  ["pm_card_chargeDeclinedStolenCard", "Stolen card", "declined"],
  ["pm_card_mastercard", "Mastercard", "succeeds"],
];

// introduce shows the user of the token in the field and fills in the user. Only the API verifies the token.
function introduce() {
  sessionStorage.setItem("token", token());
  $("token").removeAttribute("aria-invalid");
  $("user").readOnly = false;
  $("who").value = "";
  if (!token()) return;
  const claims = claimsOf(token());
  if (!claims) return void ($("who").value = "This is not a JSON Web Token.");
  const scopes = String(claims.scope ?? "").split(" ");
  if (!scopes.includes("orders:operator") && /^[1-9]\d*$/.test(claims.sub)) {
    $("user").value = claims.sub;
    $("user").readOnly = true;
  }
  const until = new Date(claims.exp * 1000), valid = until > new Date() ? "valid until " + until.toLocaleString() : "expired";
  $("who").value = `Token for ${claims.sub ?? "no user"}, scope ${claims.scope || "none"}, ${claims.exp ? valid : "no expiry"}`;
}

// claimsOf returns the claims of a token, or null if it cannot be read.
function claimsOf(text) {
  try {
    const base64 = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))));
  } catch {
    return null;
  }
}

const catalog = new Map(); // products by ID
let sent = null; // the last request, to repeat it

async function loadProducts() {
  const list = $("products");
  try {
    const { json } = await call("GET", "/catalog/products?limit=100");
    const chosen = basket();
    catalog.clear();
    for (const p of json.products) catalog.set(p.id, p);
    list.replaceChildren(...json.products.map((p) => row(p, chosen.get(p.id) ?? 0)));
    if (!catalog.size) list.replaceChildren(make("li", "The catalog is empty. `make demo` fills it.", { class: "quiet" }));
  } catch (problem) {
    list.replaceChildren(make("li", problem.detail ?? problem.title, { class: "quiet" }));
  }
  list.setAttribute("aria-busy", "false");
  sum();
}

function row(p, quantity) {
  const li = make("li", "", { class: "product", "data-product": p.id });
  const text = make("div");
  text.append(make("label", p.name, { for: "q-" + p.id }), make("small", `${money(p.price)} · ${p.stock} in stock`, { id: "s-" + p.id }));
  li.append(text, make("input", "", {
    type: "number", id: "q-" + p.id, min: 0, max: 10000, step: 1, value: quantity, inputmode: "numeric", "aria-describedby": "s-" + p.id,
  }));
  return li;
}

// basket is the chosen quantity of each product. An invalid quantity is sent unchanged, so that the API rejects it.
function basket() {
  const chosen = new Map();
  for (const input of $("products").querySelectorAll("input")) {
    if (input.value !== "" && Number(input.value) !== 0) chosen.set(input.id.slice(2), Number(input.value));
  }
  return chosen;
}

function sum() {
  const chosen = basket(), sums = new Map();
  for (const [id, n] of chosen) {
    const { amount, currency } = catalog.get(id).price;
    sums.set(currency, (sums.get(currency) ?? 0) + amount * n);
  }
  $("basket").replaceChildren(...[...chosen].map(([id, n]) => make("li", `${n} × ${catalog.get(id).name}`)));
  $("sum").value = [...sums].map(([currency, amount]) => money({ amount, currency })).join(" + ") || "–";
  for (const li of $("products").querySelectorAll(".product")) li.classList.toggle("chosen", chosen.has(li.dataset.product));
}

// filter hides what does not match, but never what is in the basket.
function filter() {
  const written = (text) => text.normalize("NFKC").toLowerCase();
  const words = written($("filter").value).split(/\s+/), chosen = basket();
  for (const li of $("products").querySelectorAll(".product")) {
    const p = catalog.get(li.dataset.product);
    const text = written(`${p.name} ${p.category} ${p.id}`);
    li.hidden = !chosen.has(p.id) && !words.every((w) => text.includes(w));
  }
}

const newKey = () => { $("key").value = "page-" + Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join(""); };

function complain(problem) {
  const box = $("problem");
  box.replaceChildren(make("b", problem.title ?? "Something went wrong"));
  if (problem.detail) box.append(": " + problem.detail + ". ");
  if (problem.type) box.append(make("a", "How to solve it", { href: problem.type }));
  if (problem.errors) {
    const list = make("ul");
    list.append(...problem.errors.map((e) => make("li", `${e.pointer ?? e.header ?? e.parameter ?? ""} ${e.detail}`)));
    box.append(list);
  }
  if ($("token") && (problem.status === 401 || problem.status === 403)) {
    $("token").setAttribute("aria-invalid", "true");
    $("token").focus();
  }
}

// place sends an order and watches it. It does not wait for the outcome, which arrives as an event.
async function place(request) {
  $("problem").replaceChildren();
  $("place").disabled = $("repeat").disabled = true;
  try {
    const before = await stocks(request.body.items.map((i) => i.productId));
    const { response, json } = await call("POST", "/orders", request.body, { "Idempotency-Key": request.key, Prefer: "respond-async" });
    sent = request;
    $("repeat").hidden = false;
    const replayed = response.headers.get("Idempotency-Replayed") === "true";
    history.replaceState(null, "", "#" + json.id);
    watch(json.id, { before, key: request.key, replayed, response: `${response.status} ${response.statusText}` });
    newKey();
    $("saga").focus({ preventScroll: true });
    $("saga").scrollIntoView({ block: "nearest" });
  } catch (problem) {
    complain(problem);
    // The response to a repeated order that was refused is the refusal. The order can still be watched.
    if (problem.orderId && problem.reason) {
      watch(problem.orderId, { before: new Map(), key: request.key, replayed: true, response: `${problem.status} ${problem.title}` });
    }
  } finally {
    $("place").disabled = $("repeat").disabled = false;
  }
}

// stocks returns how many units of each product can be bought now.
async function stocks(ids) {
  const stock = (id) => call("GET", "/catalog/products/" + encodeURIComponent(id)).then((r) => [id, r.json.stock], () => [id, "?"]);
  return new Map(await Promise.all(ids.map(stock)));
}

// ---- the saga --------------------------------------------------------------------------------------------------------

// The plan: each step with its undo. The fence is opposite the pivot, because exactly one of the two happens.
const plan = [
  { step: "PriceItems", about: "asks the catalog for the prices" },
  { step: "CreateOrder", about: "writes the order, PENDING", undo: "FinishOrder", undoAbout: "writes FAILED or CANCELLED, last" },
  { step: "ReserveStock", about: "holds all lines or none", undo: "ReleaseStock", undoAbout: "returns held or sold units" },
  { step: "ChargePayment", about: "creates the payment, then confirms it", undo: "RefundPayment", undoAbout: "cancels the payment or refunds it" },
  { step: "CommitStock", about: "turns the hold into a sale" },
  { step: "ConfirmOrder", about: "the pivot: from here only forward", undo: "CloseOrder", undoAbout: "the fence: it will never be confirmed", pivot: true },
  { step: "PublishEvent", about: "announces how the order ended" },
];

// forward and back are the orders in which boxes light up.
const forward = plan.map((p) => p.step);
const back = ["CloseOrder", "RefundPayment", "ReleaseStock", "FinishOrder", "PublishEvent"];

// marks maps the type of a timeline entry to a box and its new state.
const marks = {
  CREATED: () => ["CreateOrder", "done"],
  PRICED: () => ["PriceItems", "done"], // it was created without prices, because the catalog did not respond
  CONFIRMED: () => ["ConfirmOrder", "done"],
  CLOSING: () => ["CloseOrder", "undone"],
  FAILED: () => ["FinishOrder", "undone"],
  CANCELLED: () => ["FinishOrder", "undone"],
  STEP_DONE: (r) => r.step === "Fence" ? ["CloseOrder", "undone"] : [r.step, "done"],
  STEP_REFUSED: (r) => [r.step, "refused"],
  STEP_NOT_DONE: (r) => [r.step, "refused"],
  STEP_FELL_BACK: (r) => [r.step, "now"],
  NEEDS_ATTENTION: (r) => [r.step, "attention"],
  HEALED: (r) => [r.step, "now"],
  GIVEN_UP: (r) => [r.step, "skipped"],
  COMMAND: (r) => [r.step, boxOf(r.step)?.dataset.state], // what it does is in the next entries
  UNDONE: (r) => [r.step, "undone"],
  SKIPPED: (r) => [r.step, "skipped"],
};
const signs = { done: "✓", undone: "↺", refused: "✕", attention: "!", now: "…", never: "–", skipped: "–", sent: "→" };
const spoken = { done: "done", undone: "done", refused: "refused", attention: "needs attention, still being retried", now: "at work", never: "not needed", skipped: "given up", sent: "on its way" };

function drawPlan() {
  $("steps").replaceChildren(...plan.map((p, i) => {
    const li = make("li", "", p.pivot ? { class: "pivot" } : {});
    li.append(box(p.step, p.about, String(i + 1)), p.undo ? box(p.undo, p.undoAbout, "↺") : make("span", "", { class: "box empty" }));
    return li;
  }));
}

function box(name, about, sign) {
  const e = make("div", "", { class: "box", "data-step": name, "data-state": "" });
  const words = make("b");
  words.append(...name.split(/(?=[A-Z])/).flatMap((word, i) => i ? [make("wbr"), word] : [word])); // may break between words
  e.append(make("i", sign, { "aria-hidden": "true" }), words, make("small", about));
  return e;
}

const boxOf = (name) => document.querySelector(`.box[data-step="${name}"]`);

function mark(name, state, detail = "") {
  const e = boxOf(name);
  if (!e) return;
  e.dataset.state = state;
  e.querySelector("i").textContent = signs[state] ?? "";
  e.querySelector("b").setAttribute("aria-label", `${name}: ${spoken[state] ?? state}`);
  if (detail) e.querySelector("small").textContent = detail;
}

const say = (text) => { $("news").textContent = text; };

let watching = new AbortController();

// watch shows an order's saga from its beginning. It plays the events slowly enough to follow; the times shown are real.
function watch(id, { before, key, replayed, response }) {
  watching.abort();
  const mine = watching = new AbortController();
  drawPlan();
  $("entries").replaceChildren();
  $("facts").hidden = false;
  $("cancel").disabled = false;
  $("cancel").onclick = () => cancel(id);
  $("saga").dataset.replayed = Boolean(replayed);
  const state = { id, before, key, replayed, response, entries: [], order: null, after: null, unwinding: false };
  status("PENDING");
  say(replayed ? "An earlier request with this key placed the order; this is the same order." : "Placed.");
  mark("PriceItems", "now");
  facts(state);

  const pace = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 260;
  let playing = Promise.resolve();
  const play = (e) => {
    playing = playing.then(async () => {
      if (mine.signal.aborted) return;
      await show(state, e);
      if (pace && e.event === "entry") await new Promise((done) => setTimeout(done, pace));
    });
  };
  events(id, play, mine.signal).catch((problem) => { status(""); say("This order cannot be watched."); complain(problem); });
  link(id);
}

async function show(state, { event, data }) {
  if (event === "entry") return entry(state, data);
  if (event !== "order" && event !== "end") return;
  state.order = data;
  if (event === "end") await end(state);
  facts(state);
}

function entry(state, r) {
  state.entries.push(r);
  const [name, what] = marks[r.type]?.(r) ?? [];
  const problem = ["refused", "attention", "now"].includes(what);
  const text = { STEP_FELL_BACK: "no response; being retried", NEEDS_ATTENTION: "still broken; retried every minute" }[r.type];
  if (name && what) mark(name, what, text ?? (problem ? r.detail : ""));
  if (what === "refused" || r.type === "CLOSING") state.unwinding = true;
  next(state.unwinding ? back : forward);
  if (state.unwinding) for (const f of forward) if (f !== "PublishEvent" && ["", "now"].includes(boxOf(f).dataset.state)) mark(f, "never");
  say(sentence(r, name));
  const began = Math.min(...state.entries.map((x) => Date.parse(x.at)));
  $("entries").replaceChildren(...state.entries.map((x) => {
    const tr = make("tr");
    tr.append(...[Date.parse(x.at) - began, x.type, x.step ?? "", x.detail ?? ""].map((v) => make("td", String(v))));
    return tr;
  }));
}

// next lights up the box after the last finished one.
function next(sequence) {
  const last = sequence.findLastIndex((s) => ["done", "undone", "never", "skipped"].includes(boxOf(s).dataset.state));
  const following = sequence[last + 1];
  if (following && boxOf(following).dataset.state === "") mark(following, "now");
}

function sentence(r, name) {
  switch (r.type) {
    case "STEP_REFUSED": return `${r.step} was refused${r.detail ? ": " + r.detail : ""}. Everything done so far is now undone.`;
    case "STEP_NOT_DONE": return `${r.step} was stopped${r.detail ? ": " + r.detail : ""}. Everything done so far is now undone.`;
    case "CLOSING": return "The fence is closed: this order can never be confirmed. The undos follow.";
    case "UNDONE": return `${r.step}: undone.`;
    case "STEP_FELL_BACK": return `${r.step} is broken; it is retried until it succeeds.`;
    case "HEALED": return `${r.step} no longer needs attention.`;
    case "GIVEN_UP": return `${r.step} was given up.`;
    case "SKIPPED": return `${r.step} was skipped by an operator, who must do by hand what it would have done.`;
    case "COMMAND": return `A command was accepted${r.detail ? ": " + r.detail : r.step ? " for " + r.step : ""}.`;
    case "NEEDS_ATTENTION": return `${r.step} has been broken for a while. Operators are alerted, and it is retried every minute.`;
    case "CONFIRMED": return "Confirmed: the order has passed the point of no return.";
    default: return name ? `${name}: done.` : r.type;
  }
}

async function end(state) {
  const o = state.order;
  state.after = await stocks(o.items.map((i) => i.productId));
  mark("PublishEvent", "sent", o.status === "CONFIRMED" ? "ORDER_CONFIRMED is on its way to RabbitMQ" : "ORDER_CANCELLED is on its way to RabbitMQ");
  for (const p of plan) for (const name of [p.step, p.undo]) if (name && ["", "now"].includes(boxOf(name).dataset.state)) mark(name, "never");
  status(o.status);
  $("cancel").disabled = true;
  say(o.status === "CONFIRMED"
    ? `Confirmed. ${money(o.total)} charged, the stock is sold.`
    : `${o.status}: ${o.message || o.reason}. No stock is held, no money is kept.`);
  for (const [id, stock] of state.after) {
    const small = $("s-" + id), p = catalog.get(id);
    if (small && p) small.textContent = `${money(p.price)} · ${stock} in stock`;
  }
}

function status(s) {
  $("saga").dataset.status = s;
  $("badge").dataset.status = s;
  $("badge").textContent = s;
  $("badge").hidden = !s;
}

function facts({ id, before, after, key, replayed, response, order, entries }) {
  const rows = [["Order", id]];
  if (key) rows.push(["Idempotency-Key", key]);
  if (response) rows.push(["Response", response + (replayed ? ", Idempotency-Replayed: true" : "")]);
  if (order?.total) rows.push(["Total", money(order.total)]);
  if (after) {
    rows.push(["Money", order.status === "CONFIRMED" ? `${money(order.total)} charged once` : "nothing kept"]);
    for (const item of order.items) {
      const was = before.get(item.productId), is = after.get(item.productId);
      rows.push(["Stock", `${item.name || item.productId} × ${item.quantity}: ` + (was === undefined ? `${is}` : was === is ? `${was} before and after` : `${was} → ${is}`)]);
    }
    const times = entries.map((r) => Date.parse(r.at));
    rows.push(["Took", `${Math.max(...times) - Math.min(...times)} ms from the first entry to the last; shown more slowly`]);
  }
  $("details").replaceChildren(...rows.flatMap(([k, v]) => [make("dt", k), make("dd", v, /Order|Key/.test(k) ? { class: "mono" } : {})]));
}

// link finds the saga in the Web UI, which the API names in the header Link of responses about the order.
async function link(id) {
  const { response } = await call("GET", "/orders/" + id).catch(() => ({}));
  const url = response?.headers.get("Link")?.match(/<(https?:[^>]+)>; rel="monitor"/)?.[1];
  $("workflow").hidden = !url;
  if (url) $("workflow").href = url;
}

async function cancel(id) {
  $("cancel").disabled = true;
  try {
    await call("POST", `/orders/${id}/cancel`, { reason: "from the page" });
    say("Cancellation accepted: everything is being undone.");
  } catch (problem) {
    $("cancel").disabled = problem.status === 409; // confirmed first
    complain(problem);
  }
}

// ---- the start ------------------------------------------------------------------------------------------------------

function begin() {
  $("methods").replaceChildren(...methods.map(([value, name, about], i) => {
    const label = make("label"), text = make("span", name), radio = make("input", "", { type: "radio", name: "method", value });
    radio.checked = i === 0;
    text.append(make("small", about));
    label.append(radio, text);
    label.title = value;
    return label;
  }));
  drawPlan();
  newKey();
  loadProducts();
  $("products").addEventListener("input", sum);
  $("filter").addEventListener("input", filter);
  $("order").addEventListener("submit", (e) => {
    e.preventDefault();
    place({ key: $("key").value, body: {
      userId: Number($("user").value),
      items: [...basket()].map(([productId, quantity]) => ({ productId, quantity })),
      paymentMethod: document.querySelector("input[name=method]:checked").value,
    } });
  });
  $("repeat").addEventListener("click", () => place(sent));
  if ($("token")) {
    $("token").value = sessionStorage.getItem("token") ?? "";
    introduce();
    $("token").addEventListener("input", () => {
      introduce();
      $("problem").replaceChildren();
      if (claimsOf(token()) && !$("saga").dataset.status) resume();
    });
  }
  resume();
}

// resume watches the order in the address, once there is a token if one is needed.
function resume() {
  const id = location.hash.slice(1);
  if (/^[0-9a-f-]{36}$/.test(id) && (token() || !$("token"))) watch(id, { before: new Map() });
}

begin();
