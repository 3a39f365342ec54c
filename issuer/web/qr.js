// The code's life on the phone: fetch, count down, renew a few times by itself,
// then ask. The phone's wall clock is never compared with the pass: the server
// says how long the pass has left, and the phone only measures how long ago.
// Each code is asked for with a proof that this is the person's phone: its key
// signs the server's nonce, or, where there is no key, the PIN is typed.
import { able, load, sign } from "./key.js";

const page = document.body;
const box = document.getElementById("code");
const count = document.querySelector("#count strong");
const countEN = document.querySelector("#count span");
const bar = document.querySelector("#bar i");
const said = document.getElementById("said");
const lifetime = 15000;

let left = 0; // renewals
let code = null; // {until, at, wall} of the pass on the screen
let asking = null; // AbortController of the request under way
let lock = null; // wake lock
let nonce = page.dataset.nonce;
let token = ""; // stands for the PIN while this page is open
let typed = ""; // the PIN, until it is sent
let made = 0; // codes on this page so far

function state(name) {
  page.dataset.state = name;
  if (said.dataset[name]) said.textContent = said.dataset[name];
}

// clear takes the code off the screen and out of the page.
function clear() {
  asking?.abort();
  asking = null;
  code = null;
  box.querySelector("svg")?.remove();
}

function stop(name) {
  clear();
  lock?.release().catch(() => {});
  lock = null;
  state(name);
}

// elapsed since the request was sent. Some phones stop one clock while they
// sleep and others set the other: the larger of the two never shows a code too long.
const elapsed = (c) => Math.max(performance.now() - c.at, Date.now() - c.wall, 0);

// proof is what is sent along, null where the PIN must be typed first.
async function proof() {
  if (page.dataset.proof !== "key") {
    if (token) return { token };
    const pin = typed;
    typed = "";
    return pin ? { pin } : null;
  }
  const pair = able ? await load(page.dataset.brand).catch(() => null) : null;
  if (!pair) { // somebody's cookie without their phone
    location.replace(`/b/${page.dataset.brand}/other`);
    return null;
  }
  return { nonce, signature: await sign(pair, "pass", page.dataset.brand, nonce) };
}

function askPIN(wrong) {
  stop("pin");
  document.getElementById("pin-wrong").hidden = !wrong;
  document.querySelector("#pin input").focus();
}

async function ask(mine) {
  const body = await proof();
  if (!body) {
    if (page.dataset.proof !== "key") askPIN(false);
    return null;
  }
  return fetch("/v1/passes", {
    method: "POST", headers: { "Content-Type": "application/json" }, cache: "no-store",
    body: JSON.stringify({ brand: page.dataset.brand, ...body }), signal: mine.signal,
  });
}

async function renew() {
  asking?.abort();
  const mine = (asking = new AbortController());
  let sent = { at: performance.now(), wall: Date.now() };
  const patience = setTimeout(() => mine.abort(), 8000);
  try {
    let response = await ask(mine);
    if (response?.status === 401 && page.dataset.proof === "key") { // the nonce was too old
      nonce = (await response.json()).nonce;
      sent = { at: performance.now(), wall: Date.now() };
      response = await ask(mine);
      if (response?.status === 401) return location.replace(`/b/${page.dataset.brand}/other`);
    }
    if (!response || mine !== asking) return;
    if (response.status === 401 || response.status === 422) {
      token = "";
      return askPIN(response.status === 422);
    }
    if (response.status === 403) return location.replace(`/b/${page.dataset.brand}/qr`);
    if (response.status === 429) return stop("busy");
    if (!response.ok) return stop("offline");
    const pass = await response.json();
    if (mine !== asking) return;
    nonce = pass.nonce;
    token = pass.token ?? "";
    const drawing = new DOMParser().parseFromString(pass.svg, "image/svg+xml").documentElement;
    box.querySelector("svg")?.remove();
    box.append(document.importNode(drawing, true));
    code = { ...sent, until: pass.left };
    page.dataset.made = ++made;
    state("valid");
    said.textContent = said.dataset.renewed;
    tick();
    try {
      lock ??= await navigator.wakeLock?.request("screen");
    } catch { /* the screen may sleep then: nothing else depends on it */ }
  } catch {
    if (mine === asking) stop("offline");
  } finally {
    clearTimeout(patience);
    if (mine === asking) asking = null;
  }
}

function start() {
  left = Number(page.dataset.renewals);
  clear();
  state("loading");
  renew();
}

function tick() {
  if (!code) return;
  const ms = code.until - elapsed(code);
  if (ms > 0) {
    const n = Math.min(15, Math.ceil(ms / 1000));
    count.textContent = page.dataset.countdown.replace("{n}", n);
    countEN.textContent = page.dataset.countdownEn.replace("{n}", n);
    bar.style.width = (100 * ms) / lifetime + "%";
    return;
  }
  // Over. Nobody looks at a hidden page: it makes no codes.
  if (document.hidden || left <= 0) return stop("expired");
  left--;
  clear();
  state("loading");
  renew();
}

setInterval(tick, 200);
document.getElementById("retry").addEventListener("click", start);
document.getElementById("pin").addEventListener("submit", (event) => {
  event.preventDefault();
  typed = event.target.elements.pin.value;
  event.target.reset();
  start();
});
document.addEventListener("visibilitychange", () => {
  lock = null; // browsers release it when the page is hidden
  tick();
});
addEventListener("pagehide", clear);
addEventListener("pageshow", (event) => {
  if (event.persisted) start(); // back from the browser's memory: never the old code
});
start();
