// Binds this phone: by its own key where the browser has them, by itself, with
// a PIN where the brand's pages open by one. The form cannot be sent before it
// is known which: on a slow phone a PIN is typed faster than a key is made, and
// the phone would be bound without it.
import { able, make, sign } from "./key.js";

const form = document.getElementById("bind");
const send = form.querySelector("button");
const pin = form.dataset.pin === "true";

async function attach() {
  const { brand, nonce } = form.dataset;
  const { pair, key } = await make(brand);
  form.elements.key.value = key;
  form.elements.nonce.value = nonce;
  form.elements.signature.value = await sign(pair, "device", brand, nonce);
}

function withoutKey() {
  for (const name of ["key", "nonce", "signature"]) form.elements[name].value = "";
  document.getElementById("choose-pin").hidden = false;
  document.getElementById("plain").hidden = false;
  send.disabled = false;
}

if (!able) {
  withoutKey();
} else {
  try {
    await attach();
    send.disabled = false;
    if (!pin && !document.getElementById("problem")) {
      const fields = document.getElementById("choose-pin");
      fields.hidden = true;
      for (const input of fields.querySelectorAll("input")) input.disabled = true;
      form.requestSubmit();
    }
  } catch {
    withoutKey(); // private windows may refuse to keep a key
  }
}
