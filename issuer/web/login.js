// Opens a person's own data by the phone's key, without typing. The form cannot
// be sent before it is signed, however slow the phone is.
import { able, load, sign } from "./key.js";

const form = document.getElementById("by-key");
const { brand, nonce } = form.dataset;
const pair = able ? await load(brand).catch(() => null) : null;
if (!pair) {
  location.replace(`/b/${brand}/other`);
} else {
  form.elements.nonce.value = nonce;
  form.elements.signature.value = await sign(pair, "login", brand, nonce);
  form.querySelector("button").disabled = false;
  if (!document.getElementById("problem")) form.requestSubmit();
}
