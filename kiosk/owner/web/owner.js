// Follows the live pictures: asks for one after the other, and the server
// answers when there is a new one. Everything else works without script.
"use strict";

const picture = document.getElementById("frames");
const words = document.getElementById("words");
const lost = document.getElementById("lost");
const aiming = picture !== null && picture.dataset.kind === "aim";
let serial = "0";
let over = false;

async function next() {
  const answer = await fetch(picture.dataset.frames + "?after=" + serial, { signal: AbortSignal.timeout(20000) });
  if (over) return;
  if (answer.status === 401 || answer.status === 410) {
    // Logged out, or aim mode has ended: the page says so.
    over = true;
    location.replace(location.pathname + (answer.status === 410 ? "?done=aimed" : ""));
    return;
  }
  if (!answer.ok) throw new Error(answer.statusText);
  lost.hidden = true;
  if (answer.status === 204) return;
  const blob = await answer.blob();
  const facts = answer.headers;
  serial = facts.get("Frame-Serial") || facts.get("Screen-Serial");
  say(decodeURIComponent(facts.get("Frame-Words") || facts.get("Screen-Words") || ""));
  if (aiming) measure(facts);
  const old = picture.src;
  picture.src = URL.createObjectURL(blob);
  await picture.decode();
  URL.revokeObjectURL(old);
}

// A screen reader is told of a change at most every two seconds.
let told = 0;
function say(text) {
  if (text === words.textContent || (aiming && Date.now() - told < 2000)) return;
  told = Date.now();
  words.textContent = text;
}

function measure(facts) {
  const sharp = facts.get("Frame-Sharp");
  document.getElementById("sharp").value = Number(sharp);
  document.getElementById("sharp-text").textContent = sharp;
  document.getElementById("best").textContent = facts.get("Frame-Best");
  const left = Number(facts.get("Frame-Left"));
  document.getElementById("left").textContent = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
}

async function follow() {
  while (!over) {
    try {
      await next();
    } catch {
      if (over) return;
      lost.hidden = false;
      await new Promise((wake) => setTimeout(wake, 1000));
    }
  }
}

if (picture !== null) {
  follow();
  // A page that is closed must not keep visitors waiting; without this it would
  // end some seconds later.
  if (aiming) {
    // Finishing leads to another page: what the ended pictures would open must
    // not come in between.
    addEventListener("submit", () => { over = true; });
    addEventListener("pagehide", () => {
      over = true;
      navigator.sendBeacon("/aim/stop");
    });
  }
}

const volume = document.getElementById("volume");
if (volume !== null) {
  volume.addEventListener("input", () => {
    document.getElementById("volume-text").textContent = volume.value + "%";
  });
}
