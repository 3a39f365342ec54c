// Signs with a person's certificate (공인인증서) on the phone: opens the key file
// with its password and signs what the server asks. Of both only the certificate
// and the signature leave the page: the fields for file and password have no name.
const form = document.getElementById("sign");
const files = document.getElementById("files");
const pin = document.getElementById("key-pin");
const problems = ["cert_files", "cert_pin_wrong", "cert_kind", "cert_plain"];

function say(problem) {
  for (const id of [...problems, "problem"]) {
    const notice = document.getElementById(id);
    if (notice) notice.hidden = id !== problem;
  }
  document.getElementById(problem)?.scrollIntoView({ block: "center" });
}

const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");

// parse reads one DER value (X.690) and, where it is a sequence or set, those in it.
function parse(bytes, at = 0) {
  const tag = bytes[at++];
  let length = bytes[at++];
  if (length > 0x80) {
    let n = length - 0x80;
    for (length = 0; n > 0; n--) length = length * 256 + bytes[at++];
  }
  const end = at + length;
  if (!(end <= bytes.length)) throw new Error("cut short");
  const value = { tag, end, bytes: bytes.subarray(at, end), parts: [] };
  if (tag & 0x20) {
    while (at < end) {
      const part = parse(bytes, at);
      value.parts.push(part);
      at = part.end;
    }
  }
  return value;
}

// der reads a file, which may be PEM (RFC 7468).
async function der(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const pem = /-----BEGIN [A-Z ]+-----([^-]+)-----END/.exec(new TextDecoder("latin1").decode(bytes));
  return pem ? Uint8Array.from(atob(pem[1].replaceAll(/\s/g, "")), (c) => c.charCodeAt(0)) : bytes;
}

// choose finds certificate (its third part is a bit string) and sealed key (its
// second one is an octet string) among the files.
async function choose() {
  const found = {};
  for (const file of files.files) {
    try {
      const bytes = await der(file);
      const { parts } = parse(bytes);
      if (parts[2]?.tag === 0x03) found.certificate = bytes;
      else if (parts[1]?.tag === 0x04) found.key = parts;
    } catch { /* some other file */ }
  }
  return found.certificate && found.key ? found : null;
}

const digests = { "2a864886f70d0207": "SHA-1", "2a864886f70d0209": "SHA-256", "2a864886f70d020a": "SHA-384", "2a864886f70d020b": "SHA-512" };
const bits = { "608648016503040102": 128, "608648016503040116": 192, "60864801650304012a": 256 };

// how reads the way a key is sealed: PBES2 with PBKDF2 and AES-CBC (RFC 8018,
// appendix A). Browsers open no other, SEED (RFC 4269) for one; null then.
function how(key) {
  try {
    const [scheme, { parts: [kdf, cipher] }] = key[0].parts;
    const [salt, rounds, ...rest] = kdf.parts[1].parts;
    const prf = rest.find((p) => p.tag === 0x30);
    const hash = prf ? digests[hex(prf.parts[0].bytes)] : "SHA-1";
    const length = bits[hex(cipher.parts[0].bytes)];
    if (hex(scheme.bytes) !== "2a864886f70d01050d" || hex(kdf.parts[0].bytes) !== "2a864886f70d01050c" || !hash || !length) return null;
    return { salt: salt.bytes, iterations: parseInt(hex(rounds.bytes), 16), hash, length, iv: cipher.parts[1].bytes };
  } catch {
    return null;
  }
}

// open unseals a key. A wrong password leaves junk, which fails here or there.
async function open(key, way, password) {
  const secret = await crypto.subtle.importKey("raw", new TextEncoder().encode(password), "PBKDF2", false, ["deriveKey"]);
  const { salt, iterations, hash, length, iv } = way;
  const aes = await crypto.subtle.deriveKey({ name: "PBKDF2", salt, iterations, hash }, secret, { name: "AES-CBC", length }, false, ["decrypt"]);
  const pkcs8 = await crypto.subtle.decrypt({ name: "AES-CBC", iv }, aes, key[1].bytes);
  const rsa = hex(parse(new Uint8Array(pkcs8)).parts[1].parts[0].bytes) === "2a864886f70d010101";
  const algorithm = rsa ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } : { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  return { algorithm, key: await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]) };
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  delete form.dataset.sent; // a wrong password may be typed anew
  const chosen = await choose();
  if (!chosen) return say("cert_files");
  const way = how(chosen.key);
  if (!way) return say("cert_kind");
  const password = pin.value;
  pin.value = "";
  let mine;
  try {
    mine = await open(chosen.key, way, password);
  } catch {
    pin.focus();
    return say("cert_pin_wrong");
  }
  form.elements.certificate.value = text(chosen.certificate);
  form.elements.signature.value = text(await crypto.subtle.sign(mine.algorithm, mine.key, new TextEncoder().encode(form.dataset.signed)));
  form.submit();
});

if (globalThis.crypto?.subtle) form.querySelector("button.primary").disabled = false;
else say("cert_plain");
